// invariants.h - what must be true of the clinic after every step.
// Example: clinic. Includes: base schema machine.
#ifndef EXAMPLE_CLINIC_INVARIANTS_H
#define EXAMPLE_CLINIC_INVARIANTS_H

#include "clinic.h"

enum { CLINIC_INVARIANT_COUNT = 28 };
extern const hy_invariant clinic_invariants[CLINIC_INVARIANT_COUNT];

#endif
