// limit.h - how many at a time when nobody says.                   Room: flow. Includes: scope.
// Threads: any.
#ifndef HYI_FLOW_LIMIT_H
#define HYI_FLOW_LIMIT_H

#include <hypha/scope.h>

// `limit`, or for 0: 2 times the processors, at least 4, at most 50. A simulated world has four
// processors, so that a seed means the same everywhere.
uint32_t hyi_flow_limit(const hy_world *world, uint32_t limit);

#endif
