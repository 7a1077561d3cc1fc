// rounds_suite.h - how many rounds of a long test are enough.   Room: actor (tests). Includes:
// scope.
//
// ThreadSanitizer makes everything some ten times slower, and what it looks for, an order between
// threads that nothing guarantees, shows in any of the rounds; so it gets a fifth of them. Tests
// that want many different seeds get those in all other builds.
#ifndef HYI_ACTOR_ROUNDS_SUITE_H
#define HYI_ACTOR_ROUNDS_SUITE_H

#include "scope/sanitize.h"

#ifdef HYI_TSAN
#define ROUNDS_OF(all) ((all) / 5)
#else
#define ROUNDS_OF(all) (all)
#endif

#endif
