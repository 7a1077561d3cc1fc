// measure.h - how deep stacks are used, by the place that spawns.    Room: scope.
// Threads: the root's; the places themselves are shared by all of them.
//
// fiber.c asks whether the root measures, so that one that does not pays one branch a fiber.
#ifndef HYI_SCOPE_MEASURE_H
#define HYI_SCOPE_MEASURE_H

#include <hypha/scope.h>

#include "scope/stack.h"

// Before a fiber begins on `stack`, and after it has ended there. Without memory for a new place
// nothing is kept of it.
void hyi_measure_begin(hyi_stack *stack);
void hyi_measure_end(hy_root *root, hyi_place *place, hyi_stack *stack);
void hyi_measures_free(hy_root *root);

#endif
