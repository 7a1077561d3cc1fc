// limit.c - how many at a time when nobody says.
//
// Calls of other services spend nearly all their time waiting, so a few for each processor keep it
// busy; past some fifty they only queue at the far end, where nobody can see or cancel them.
#include "flow/limit.h"

#include <unistd.h>

#define LIMIT_PER_PROCESSOR 2
#define LIMIT_LEAST 4
#define LIMIT_MOST 50
#define LIMIT_SIM_PROCESSORS 4

uint32_t hyi_flow_limit(const hy_world *world, uint32_t limit) {
    if (limit != 0) return limit;
    long processors = LIMIT_SIM_PROCESSORS;
    if (hy_world_is_real(world)) processors = sysconf(_SC_NPROCESSORS_ONLN);
    long many = processors * LIMIT_PER_PROCESSOR;
    if (many < LIMIT_LEAST) many = LIMIT_LEAST;
    return many > LIMIT_MOST ? LIMIT_MOST : (uint32_t)many;
}
