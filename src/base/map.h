// map.h - a hash index from 128-bit keys to u32 values.        Room: base. Includes: base/key.h.
// Threads: one owner. Ownership: the map owns its table; keys and values are copied into it.
// Limits: count_max entries, declared at birth. Storage: 20 bytes a place, between 53 % and 75 % of
// the places in use once there are some: 27 to 38 bytes an entry. It goes back at deinit.
//
// There is no iteration: the order of a hash table means nothing. Whoever wants one walks the slots
// that the values name.
#ifndef HYI_BASE_MAP_H
#define HYI_BASE_MAP_H

#include <hypha/base.h>
#include "base/key.h"

typedef struct hyi_map {
    hy_mem *mem;
    struct hyi_map_place *places;
    uint32_t place_count;
    uint32_t count, count_max;
} hyi_map;

// Allocates nothing. count_max 0 means as many as there is memory for.
void hyi_map_init(hyi_map *map, hy_mem *mem, uint32_t count_max);
void hyi_map_deinit(hyi_map *map); // works on a zeroed map

// HY_EXISTS, HY_LIMIT, HY_NOMEM: the map is unchanged then. `value` is anything but HYI_NONE.
HY_CHECKED hy_err hyi_map_insert(hyi_map *map, hyi_key key, uint32_t value);

// False when there is no such key. Never allocates. out_value may be NULL.
bool hyi_map_erase(hyi_map *map, hyi_key key, uint32_t *out_value);

// After HY_OK the next `extra` inserts cannot fail with HY_NOMEM. HY_NOMEM.
HY_CHECKED hy_err hyi_map_reserve(hyi_map *map, uint32_t extra);

uint32_t hyi_map_get(const hyi_map *map, hyi_key key); // HYI_NONE when absent
// The value itself, to be changed in place (not to HYI_NONE) until the map changes: NULL when
// absent. `gain` adds an absent key with value 0 first; NULL then means HY_NOMEM or HY_LIMIT.
uint32_t *hyi_map_at(hyi_map *map, hyi_key key);
uint32_t *hyi_map_gain(hyi_map *map, hyi_key key);
uint32_t hyi_map_count(const hyi_map *map);

// Checks every invariant of map.c the slow way; asserts inside and returns true.
bool hyi_map_holds(const hyi_map *map);

#endif
