// rows.c - slots in slabs, found through a tree (ordered) or a hash index.
//
// Slabs are about 16 KiB, a power of two of slots each, so a slot number becomes an address with a
// shift and a multiply, and addresses stay for as long as the row lives.

#include "machine/rows.h"

#include "base/memory.h"

static const size_t ROWS_SLAB_BYTES = 16 * 1024;

// Whole pages where pages are guarded; elsewhere the rows and no more.
static size_t rows_slab_bytes(const hyi_rows *rows) {
    size_t bytes = (size_t)rows->stride << rows->slab_shift;
    if (rows->guard == NULL) return bytes;
    return (bytes + HY_GUARD_PAGE - 1) / HY_GUARD_PAGE * HY_GUARD_PAGE;
}

hy_err hyi_rows_init(hyi_rows *rows, hyi_blobs *blobs, hy_guard *guard, const hy_table *table,
                     hy_why *why) {
    hy_mem *mem = blobs->mem;
    *rows = (hyi_rows){ .mem = mem, .blobs = blobs, .guard = guard, .free_slot = HYI_NO_SLOT };
    hy_err err = hyi_layout_make(table, &rows->layout, why);
    if (err != HY_OK) return err;
    rows->ordered = table->ordered;
    rows->rows_max = table->rows_max == 0 ? HY_ROWS_MAX_DEFAULT : table->rows_max;
    rows->stride = (uint32_t)((sizeof(uint64_t) + rows->layout.row_size + 7) / 8 * 8);
    while (((size_t)rows->stride << (rows->slab_shift + 1)) <= ROWS_SLAB_BYTES) {
        rows->slab_shift++;
    }
    rows->slab_mask = (1u << rows->slab_shift) - 1;
    hyi_tree_init(&rows->tree, mem, 0);
    rows->index = (hyi_index){ .mem = mem };
    return HY_OK;
}

static void rows_free_blobs(hyi_rows *rows) {
    if (rows->layout.blob_count == 0) return;
    for (uint32_t slot = 0; slot < rows->slot_count; slot++) {
        if (!hyi_rows_is_live(rows, slot)) continue;
        uint8_t *row = hyi_rows_row(rows, slot);
        for (uint32_t i = 0; i < rows->layout.blob_count; i++) {
            hyi_blobs_free(rows->blobs, *hyi_blob_at(&rows->layout.blobs[i], row));
        }
    }
}

void hyi_rows_deinit(hyi_rows *rows) {
    if (rows->mem == NULL) return;
    rows_free_blobs(rows);
    for (uint32_t i = 0; i < rows->slab_count; i++) {
        if (rows->guard != NULL) {
            rows->guard->unmap(rows->guard, rows->slabs[i], rows_slab_bytes(rows));
        } else {
            hy_mem_free(rows->mem, rows->slabs[i], rows_slab_bytes(rows));
        }
    }
    hy_mem_free(rows->mem, rows->slabs, rows->slab_room * sizeof(uint8_t *));
    hyi_tree_deinit(&rows->tree);
    hyi_index_deinit(&rows->index);
    *rows = (hyi_rows){ 0 };
}

// Apart from the other keys: the loop then fits the registers.
static uint32_t rows_find_number(const hyi_rows *rows, uint64_t number, uint32_t tag) {
    uint32_t place = tag & (rows->index.capacity - 1), slot;
    do {
        slot = hyi_index_next(&rows->index, tag, &place);
    } while (slot != HYI_NO_SLOT &&
             hyi_layout_number(&rows->layout, hyi_rows_row(rows, slot)) != number);
    return slot;
}

static uint32_t rows_find_parts(const hyi_rows *rows, hyi_key key, uint32_t tag) {
    uint32_t place = tag & (rows->index.capacity - 1), slot;
    do {
        slot = hyi_index_next(&rows->index, tag, &place);
    } while (slot != HYI_NO_SLOT &&
             !hyi_key_equal(hyi_layout_key(&rows->layout, hyi_rows_row(rows, slot)), key));
    return slot;
}

static inline uint32_t rows_find_hashed(const hyi_rows *rows, hyi_key key, uint32_t tag) {
    if (rows->index.capacity == 0) return HYI_NO_SLOT;
    return rows->layout.key_form == HYI_KEY_NUMBER ? rows_find_number(rows, key.lo, tag)
                                                   : rows_find_parts(rows, key, tag);
}

uint32_t hyi_rows_find(const hyi_rows *rows, hyi_key key) {
    if (rows->ordered) return hyi_tree_get(&rows->tree, key); // HYI_NONE is HYI_NO_SLOT
    return rows_find_hashed(rows, key, hyi_index_tag(key));
}

static hy_err rows_add_slab(hyi_rows *rows) {
    if (rows->slab_count == rows->slab_room) {
        uint32_t room = rows->slab_room == 0 ? 8 : rows->slab_room * 2;
        uint8_t **slabs = rows->mem->resize(
            rows->mem, rows->slabs, rows->slab_room * sizeof(uint8_t *), room * sizeof(uint8_t *));
        if (slabs == NULL) return HY_NOMEM;
        rows->slabs = slabs;
        rows->slab_room = room;
    }
    size_t bytes = rows_slab_bytes(rows);
    uint8_t *slab = rows->guard != NULL ? rows->guard->map(rows->guard, bytes)
                                        : hy_mem_alloc_zero(rows->mem, bytes);
    if (slab == NULL) return HY_NOMEM;
    if (rows->guard != NULL) rows->guard->protect(rows->guard, slab, bytes, false);
    rows->slabs[rows->slab_count++] = slab;
    return HY_OK;
}

static hy_err rows_take_slot(hyi_rows *rows, uint32_t *out_slot) {
    if (rows->free_slot != HYI_NO_SLOT) {
        *out_slot = rows->free_slot;
        memcpy(&rows->free_slot, hyi_rows_row(rows, *out_slot), sizeof rows->free_slot);
        return HY_OK;
    }
    if (rows->slot_count >> rows->slab_shift == rows->slab_count) {
        hy_err err = rows_add_slab(rows);
        if (err != HY_OK) return err;
    }
    *out_slot = rows->slot_count++;
    return HY_OK;
}

// As if the slot had never been taken: its page may hold rows that are being written, and must not
// be protected.
static void rows_untake_slot(hyi_rows *rows, uint32_t slot, uint32_t old_free_slot) {
    if (old_free_slot == HYI_NO_SLOT) rows->slot_count--;
    rows->free_slot = old_free_slot;
    HY_ASSERT(slot == (old_free_slot == HYI_NO_SLOT ? rows->slot_count : old_free_slot));
}

static void rows_give_slot(hyi_rows *rows, uint32_t slot) {
    hyi_rows_open(rows, slot);
    memcpy(hyi_rows_row(rows, slot), &rows->free_slot, sizeof rows->free_slot);
    *hyi_rows_mark(rows, slot) = 0;
    hyi_rows_seal(rows, slot);
    rows->free_slot = slot;
}

static hy_err rows_add_hashed(hyi_rows *rows, hyi_key key, uint32_t *out_slot) {
    uint32_t tag = hyi_index_tag(key);
    *out_slot = rows_find_hashed(rows, key, tag);
    if (*out_slot != HYI_NO_SLOT) return HY_EXISTS;
    hy_err err = rows->count < rows->rows_max ? hyi_index_reserve(&rows->index) : HY_LIMIT;
    if (err == HY_OK) err = rows_take_slot(rows, out_slot);
    if (err == HY_OK) hyi_index_insert(&rows->index, tag, *out_slot);
    return err;
}

static hy_err rows_add_ordered(hyi_rows *rows, hyi_key key, uint32_t *out_slot) {
    uint32_t slot = HYI_NO_SLOT, free_slot = rows->free_slot;
    hy_err err = rows_take_slot(rows, &slot);
    if (err != HY_OK) return err;
    err = hyi_tree_insert(&rows->tree, key, slot); // one search; that the key is new is the rule
    if (err == HY_OK && rows->count < rows->rows_max) {
        *out_slot = slot;
        return HY_OK;
    }
    if (err == HY_OK) {
        HY_ASSERT(hyi_tree_erase(&rows->tree, key, NULL));
        err = HY_LIMIT;
    }
    rows_untake_slot(rows, slot, free_slot);
    if (err == HY_EXISTS) *out_slot = hyi_tree_get(&rows->tree, key);
    return err;
}

hy_err hyi_rows_add(hyi_rows *rows, hyi_key key, uint32_t *out_slot) {
    return rows->ordered ? rows_add_ordered(rows, key, out_slot)
                         : rows_add_hashed(rows, key, out_slot);
}

void hyi_rows_drop(hyi_rows *rows, uint32_t slot) {
    HY_ASSERT(!hyi_rows_is_live(rows, slot));
    rows->writes++;
    hyi_key key = hyi_layout_key(&rows->layout, hyi_rows_row(rows, slot));
    if (rows->ordered) {
        uint32_t found = HYI_NO_SLOT;
        HY_ASSERT(hyi_tree_erase(&rows->tree, key, &found));
        HY_ASSERT(found == slot);
    } else {
        hyi_index_erase(&rows->index, hyi_index_tag(key), slot);
    }
    rows_give_slot(rows, slot);
}

void hyi_rows_protect(const hyi_rows *rows, uint32_t slot, bool writable) {
    uintptr_t first = (uintptr_t)hyi_rows_mark(rows, slot) / HY_GUARD_PAGE * HY_GUARD_PAGE;
    uintptr_t end = (uintptr_t)hyi_rows_mark(rows, slot) + rows->stride;
    size_t size = (end - first + HY_GUARD_PAGE - 1) / HY_GUARD_PAGE * HY_GUARD_PAGE;
    rows->guard->protect(rows->guard, (void *)first, size, writable);
}
