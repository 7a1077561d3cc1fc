// bank_module.c - the bank as a module for `hypha`.
#include "machine/bank_suite.h"

extern const hy_machine *const hypha_machines[]; // ends with NULL
HY_API const hy_machine *const hypha_machines[] = { &bank_machine, NULL };
