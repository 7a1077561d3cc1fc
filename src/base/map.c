// map.c - open addressing with linear probing.
//
// A key belongs at its home, a place computed from the key; if that is taken, at the next free
// place behind it, round the end. Erasing closes the gap by moving later entries of the run towards
// their homes, so there are no tombstones and a map that lives long stays as fast as a new one.
//
// The home is (hash * place_count) >> 32, which needs no power of two: the table grows by half and
// not to double, and so never wastes more than half of its places. The hash is fixed: two runs give
// the same table. Whoever lets strangers choose keys must digest them with a seed first.
//
// Invariants: at most 3 of 4 places are used; from the home of an entry to its place no place is
// free; a place is free when its value is HYI_NONE.
#include "base/map.h"

#include "base/digest.h"
#include "base/memory.h"

#define MAP_PLACES_FIRST 16u
#define MAP_PLACES_MAX ((uint64_t)UINT32_MAX - 1)

// Five words of 32 bits, so that a place is 20 bytes and not 24.
typedef struct hyi_map_place {
    uint32_t key[4];
    uint32_t value;
} map_place;

_Static_assert(sizeof(map_place) == 20, "five words, no padding");

static inline hyi_key map_key(const map_place *place) {
    hyi_key key;
    memcpy(&key, place->key, sizeof key);
    return key;
}

static inline uint32_t map_home(const hyi_map *map, hyi_key key) {
    uint64_t hash = hyi_digest_fold(key.hi ^ UINT64_C(0x9e3779b97f4a7c15),
                                    key.lo ^ UINT64_C(0xd1b54a32d192ed03));
    hash *= UINT64_C(0x9fb21c651e98df25); // carries what small numbers changed to the upper half
    return (uint32_t)((hash >> 32) * map->place_count >> 32);
}

static inline uint32_t map_behind(const hyi_map *map, uint32_t at) {
    return at + 1 == map->place_count ? 0 : at + 1;
}

// How many places `to` lies behind `from`.
static inline uint32_t map_distance(const hyi_map *map, uint32_t from, uint32_t to) {
    return to >= from ? to - from : to + map->place_count - from;
}

static uint64_t map_places_needed(uint64_t count) {
    return count + count / 3 + 1;
}

void hyi_map_init(hyi_map *map, hy_mem *mem, uint32_t count_max) {
    *map = (hyi_map){ .mem = mem, .count_max = count_max == 0 ? UINT32_MAX : count_max };
}

void hyi_map_deinit(hyi_map *map) {
    hy_mem_free(map->mem, map->places, map->place_count * sizeof(map_place));
    *map = (hyi_map){ 0 };
}

uint32_t hyi_map_count(const hyi_map *map) {
    return map->count;
}

// The place of `key`, or the free place where it would go. There is always a free one.
static inline map_place *map_find(const hyi_map *map, hyi_key key) {
    for (uint32_t at = map_home(map, key);; at = map_behind(map, at)) {
        map_place *place = &map->places[at];
        if (place->value == HYI_NONE || hyi_key_equal(map_key(place), key)) return place;
    }
}

uint32_t hyi_map_get(const hyi_map *map, hyi_key key) {
    return map->count == 0 ? HYI_NONE : map_find(map, key)->value;
}

uint32_t *hyi_map_at(hyi_map *map, hyi_key key) {
    map_place *place = map->count == 0 ? NULL : map_find(map, key);
    return place == NULL || place->value == HYI_NONE ? NULL : &place->value;
}

// Moves everything into a new table.
static hy_err map_grow(hyi_map *map, uint64_t place_count) {
    if (place_count > MAP_PLACES_MAX) return HY_NOMEM;
    if (place_count > SIZE_MAX / sizeof(map_place)) return HY_NOMEM;
    hyi_map larger = *map;
    larger.place_count = (uint32_t)place_count;
    larger.places = (map_place *)hy_mem_alloc(map->mem, (size_t)place_count * sizeof(map_place));
    if (!larger.places) return HY_NOMEM;
    memset(larger.places, 0xff, (size_t)place_count * sizeof(map_place)); // all values HYI_NONE
    for (uint32_t i = 0; i < map->place_count; i++) {
        const map_place *place = &map->places[i];
        if (place->value != HYI_NONE) *map_find(&larger, map_key(place)) = *place;
    }
    hy_mem_free(map->mem, map->places, map->place_count * sizeof(map_place));
    *map = larger;
    return HY_OK;
}

hy_err hyi_map_reserve(hyi_map *map, uint32_t extra) {
    uint64_t count = (uint64_t)map->count + extra;
    if (count > map->count_max) count = map->count_max; // beyond it, inserting fails anyway
    uint64_t needed = map_places_needed(count);
    if (needed <= map->place_count) return HY_OK;
    uint64_t grown = (uint64_t)map->place_count * 7 / 5;
    if (grown < MAP_PLACES_FIRST) grown = MAP_PLACES_FIRST;
    return map_grow(map, needed > grown ? needed : grown);
}

// The place of a new key; there is room.
static map_place *map_add(hyi_map *map, map_place *place, hyi_key key, uint32_t value) {
    memcpy(place->key, &key, sizeof key);
    place->value = value;
    map->count++;
    return place;
}

// A free place for `key`, given the one where it would go now.
static hy_err map_make_room(hyi_map *map, hyi_key key, map_place **place) {
    if (map->count >= map->count_max) return HY_LIMIT;
    if (*place && map_places_needed((uint64_t)map->count + 1) <= map->place_count) return HY_OK;
    hy_err err = hyi_map_reserve(map, 1);
    if (err == HY_OK) *place = map_find(map, key); // the table moved
    return err;
}

hy_err hyi_map_insert(hyi_map *map, hyi_key key, uint32_t value) {
    HY_ASSERT(value != HYI_NONE);
    map_place *place = map->place_count > 0 ? map_find(map, key) : NULL;
    if (place && place->value != HYI_NONE) return HY_EXISTS;
    hy_err err = map_make_room(map, key, &place);
    if (err == HY_OK) map_add(map, place, key, value);
    return err;
}

uint32_t *hyi_map_gain(hyi_map *map, hyi_key key) {
    map_place *place = map->place_count > 0 ? map_find(map, key) : NULL;
    if (place && place->value != HYI_NONE) return &place->value;
    if (map_make_room(map, key, &place) != HY_OK) return NULL;
    return &map_add(map, place, key, 0)->value;
}

bool hyi_map_erase(hyi_map *map, hyi_key key, uint32_t *out_value) {
    if (map->count == 0) return false;
    map_place *place = map_find(map, key);
    if (place->value == HYI_NONE) return false;
    if (out_value) *out_value = place->value;
    uint32_t gap = (uint32_t)(place - map->places);
    // An entry may fall back into the gap unless that lies before its home.
    for (uint32_t at = map_behind(map, gap); map->places[at].value != HYI_NONE;
         at = map_behind(map, at)) {
        uint32_t home = map_home(map, map_key(&map->places[at]));
        if (map_distance(map, home, at) < map_distance(map, gap, at)) continue;
        map->places[gap] = map->places[at];
        gap = at;
    }
    map->places[gap].value = HYI_NONE;
    map->count--;
    return true;
}

bool hyi_map_holds(const hyi_map *map) {
    uint32_t count = 0;
    HY_ASSERT(map->count <= map->count_max);
    HY_ASSERT((map->places == NULL) == (map->place_count == 0));
    for (uint32_t i = 0; i < map->place_count; i++) {
        const map_place *place = &map->places[i];
        if (place->value == HYI_NONE) continue;
        HY_ASSERT(map_find(map, map_key(place)) == place);
        count++;
    }
    HY_ASSERT(count == map->count);
    HY_ASSERT(HY_IMPLIES(count > 0, map_places_needed(count) <= map->place_count));
    return true;
}
