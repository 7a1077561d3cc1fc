// measure.c - how deep stacks are used, by the place that spawns.
//
// Off unless asked for: then a stack is painted before a fiber begins on it, which touches all its
// pages, and looked over after the end. One record a place, in order of first end; the place
// remembers where (a hint: the place is the program's and shared by all roots, so the record says
// whose it is).
#include "scope/measure.h"
#include "scope/inside.h"

#include <string.h>

#define MEASURE_FIRST 16u
#define MEASURE_NAME_BYTES 96u

typedef struct measure_record {
    const hyi_place *place;
    uint64_t spawns;
    size_t bytes_peak;
    char name[MEASURE_NAME_BYTES]; // "src/net/client.c:120"
} measure_record;

struct hyi_measures {
    uint32_t count, capacity;
    measure_record **records; // each on its own: names are given out
};

static void measure_name(measure_record *record) {
    const char *file = record->place->file;
    char digits[12];
    size_t at = sizeof digits;
    uint32_t line = record->place->line;
    do {
        digits[--at] = (char)('0' + line % 10);
        line /= 10;
    } while (line > 0);
    digits[--at] = ':';
    size_t tail = sizeof digits - at, len = strlen(file), room = MEASURE_NAME_BYTES - 1 - tail;
    if (len > room) { // the end of a path says more than its beginning
        file += len - room;
        len = room;
    }
    memcpy(record->name, file, len);
    memcpy(record->name + len, digits + at, tail);
    record->name[len + tail] = 0;
}

static struct hyi_measures *measure_room(hy_root *root) {
    struct hyi_measures *all = root->measures;
    if (!all) {
        all = (struct hyi_measures *)hy_mem_alloc_zero(root->mem, sizeof *all);
        if (!all) return NULL;
        root->measures = all;
    }
    if (all->count < all->capacity) return all;
    uint32_t capacity = all->capacity ? all->capacity * 2 : MEASURE_FIRST;
    void *records = root->mem->resize(root->mem, all->records, all->capacity * sizeof(void *),
                                      capacity * sizeof(void *));
    if (!records) return NULL;
    all->records = (measure_record **)records;
    all->capacity = capacity;
    return all;
}

static measure_record *measure_find(const hy_root *root, hyi_place *place) {
    const struct hyi_measures *all = root->measures;
    if (!all) return NULL;
    // Relaxed, because roots on other threads write it too: it is looked at twice.
    uint32_t hint = __atomic_load_n(&place->measured_, __ATOMIC_RELAXED);
    if (hint < all->count && all->records[hint]->place == place) return all->records[hint];
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->records[i]->place != place) continue;
        __atomic_store_n(&place->measured_, i, __ATOMIC_RELAXED);
        return all->records[i];
    }
    return NULL;
}

static measure_record *measure_new(hy_root *root, hyi_place *place) {
    struct hyi_measures *all = measure_room(root);
    if (!all) return NULL;
    measure_record *record = (measure_record *)hy_mem_alloc_zero(root->mem, sizeof *record);
    if (!record) return NULL;
    record->place = place;
    measure_name(record);
    __atomic_store_n(&place->measured_, all->count, __ATOMIC_RELAXED);
    all->records[all->count++] = record;
    return record;
}

void hyi_measure_begin(hyi_stack *stack) {
    hyi_stack_paint(stack);
}

void hyi_measure_end(hy_root *root, hyi_place *place, hyi_stack *stack) {
    size_t bytes = hyi_stack_use(stack);
    measure_record *record = measure_find(root, place);
    if (!record) record = measure_new(root, place);
    if (!record) return;
    record->spawns++;
    if (bytes > record->bytes_peak) record->bytes_peak = bytes;
}

void hyi_measures_free(hy_root *root) {
    struct hyi_measures *all = root->measures;
    if (!all) return;
    for (uint32_t i = 0; i < all->count; i++)
        hy_mem_free(root->mem, all->records[i], sizeof *all->records[i]);
    hy_mem_free(root->mem, all->records, all->capacity * sizeof(void *));
    hy_mem_free(root->mem, all, sizeof *all);
    root->measures = NULL;
}

void hy_root_measure_stacks(hy_root *root, bool on) {
    root->measure_stacks = on;
}

bool hy_stack_use_next(const hy_root *root, uint32_t *cursor, hy_stack_use *out_use) {
    const struct hyi_measures *all = root->measures;
    if (!all || *cursor >= all->count) return false;
    const measure_record *record = all->records[(*cursor)++];
    *out_use = (hy_stack_use){ record->name, record->spawns, record->bytes_peak };
    return true;
}
