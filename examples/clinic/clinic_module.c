// clinic_module.c - the clinic's machine as a module, so that `hypha replay --verify` can step it.

#include "clinic.h"

extern const hy_machine *const hypha_machines[]; // ends with NULL
HY_API const hy_machine *const hypha_machines[] = { &clinic_machine, NULL };
