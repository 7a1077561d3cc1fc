// latest.c - a hash set with linear probing over the keys' wire bytes.
//
// Nothing is ever taken out, so probing needs no tombstones: a deleted row is a row that is `gone`.
// Two rows are the same when table and key bytes are equal; the key bytes of the row that is there
// already are cut out of it again, which is rarer and cheaper than keeping a copy of every key.
#include "store/latest.h"

#include "base/digest.h"
#include "base/memory.h"
#include "base/why.h"

#define LATEST_CAPACITY_FIRST 256u

void hyi_latest_init(hyi_latest *latest, hy_mem *mem,
                     const hy_table *const tables[HY_TABLE_NUMBERS]) {
    *latest = (hyi_latest){ .mem = mem };
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        if (tables[i] != NULL) hyi_skim_key_of(tables[i], &latest->keys[i]);
    }
}

void hyi_latest_deinit(hyi_latest *latest) {
    if (latest->mem == NULL) return;
    hy_mem_free(latest->mem, latest->rows, latest->capacity * sizeof latest->rows[0]);
    hy_mem_free(latest->mem, latest->slots, 2 * (size_t)latest->capacity * sizeof(uint32_t));
    *latest = (hyi_latest){ 0 };
}

void hyi_latest_clear(hyi_latest *latest) {
    latest->count = 0;
    if (latest->slots != NULL) memset(latest->slots, 0, 2 * latest->capacity * sizeof(uint32_t));
}

static void latest_place(hyi_latest *latest, uint32_t index) {
    uint32_t mask = 2 * latest->capacity - 1;
    uint32_t at = (uint32_t)latest->rows[index].hash & mask;
    while (latest->slots[at] != 0) {
        at = (at + 1) & mask;
    }
    latest->slots[at] = index + 1;
}

static hy_err latest_grow(hyi_latest *latest) {
    hy_mem *mem = latest->mem;
    uint32_t capacity = latest->capacity == 0 ? LATEST_CAPACITY_FIRST : 2 * latest->capacity;
    uint32_t *slots = hy_mem_alloc_zero(mem, 2 * (size_t)capacity * sizeof *slots);
    if (slots == NULL) return HY_NOMEM;
    hyi_latest_row *rows =
        mem->resize(mem, latest->rows, latest->capacity * sizeof *rows, capacity * sizeof *rows);
    if (rows == NULL) {
        hy_mem_free(mem, slots, 2 * (size_t)capacity * sizeof *slots);
        return HY_NOMEM;
    }
    hy_mem_free(mem, latest->slots, 2 * (size_t)latest->capacity * sizeof *slots);
    latest->rows = rows;
    latest->slots = slots;
    latest->capacity = capacity;
    for (uint32_t i = 0; i < latest->count; i++) {
        latest_place(latest, i);
    }
    return HY_OK;
}

// Whether row `index` has this key.
static bool latest_is(const hyi_latest *latest, uint32_t index, uint32_t table, hy_bytes key) {
    const hyi_latest_row *row = &latest->rows[index];
    uint8_t bytes[HYI_SKIM_KEY_BYTES];
    size_t len = 0;
    if (row->table != table) return false;
    hy_err err = hyi_skim_key_bytes(&latest->keys[table], row->row, bytes, &len, NULL);
    HY_ASSERT(err == HY_OK); // it was read once before
    return hy_bytes_equal(key, (hy_bytes){ bytes, len });
}

hy_err hyi_latest_put(hyi_latest *latest, const hyi_skim_row *change, hy_why *why) {
    uint32_t table = change->table;
    if (table >= HY_TABLE_NUMBERS || latest->keys[table].count == 0) {
        return hyi_why_fmt(why, HY_CORRUPT, "journal entry",
                           "the entry changes table %u, which the machine does not have",
                           (uint64_t)table);
    }
    uint8_t key[HYI_SKIM_KEY_BYTES];
    size_t len;
    hy_err err = hyi_skim_key_bytes(&latest->keys[table], change->row, key, &len, why);
    if (err == HY_OK && latest->count == latest->capacity) err = latest_grow(latest);
    if (err != HY_OK) return err;

    uint64_t hash = hyi_digest(table, key, len);
    hyi_latest_row row = { hash, table, change->gone, change->row };
    uint32_t mask = 2 * latest->capacity - 1;
    for (uint32_t at = (uint32_t)hash & mask; latest->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t index = latest->slots[at] - 1;
        if (latest->rows[index].hash != hash) continue;
        if (!latest_is(latest, index, table, (hy_bytes){ key, len })) continue;
        latest->rows[index] = row;
        return HY_OK;
    }
    latest->rows[latest->count] = row;
    latest_place(latest, latest->count++);
    return HY_OK;
}

hy_err hyi_latest_add(hyi_latest *latest, const hyi_skim *skim, hy_why *why) {
    hy_bytes rest = skim->changes;
    for (;;) {
        hyi_skim_row change;
        hy_err err = hyi_skim_change(&rest, &change, why);
        if (err == HY_END) return HY_OK;
        if (err == HY_OK) err = hyi_latest_put(latest, &change, why);
        if (err != HY_OK) return err;
    }
}
