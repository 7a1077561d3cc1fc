// Vectors: a trie with a name, a limit and holders.
//
// The head (this struct) is small, so a version of its own costs one small block; the nodes are
// shared by the trie. Every change first makes the head its own. If another version holds the head,
// a new one is made, and on an error it is dropped again, so the caller's version is untouched.
#include "value/vec.h"

#include "base/memory.h"
#include "value/item.h"
#include "value/seq.h"

struct hy_vec {
    uint32_t refs;
    hy_mem *mem;
    const hy_item *item;
    size_t count_max;
    hyi_seq seq;
};

hy_err hy_vec_new(hy_mem *mem, const hy_item *item, size_t count_max, hy_vec **out_vec) {
    HY_ASSERT(item->size > 0);
    HY_ASSERT(item->size <= HY_ITEM_SIZE_MAX);
    HY_ASSERT((item->retain == NULL) == (item->release == NULL));
    if (count_max == 0 || count_max > HY_VALUE_COUNT_MAX) count_max = HY_VALUE_COUNT_MAX;
    hy_vec *vec = (hy_vec *)hy_mem_alloc(mem, sizeof *vec);
    if (vec == NULL) return HY_NOMEM;
    *vec = (hy_vec){ .refs = 1, .mem = mem, .item = item, .count_max = count_max };
    *out_vec = vec;
    return HY_OK;
}

hy_vec *hy_vec_ref(hy_vec *vec) {
    HY_ASSERT(vec->refs > 0);
    vec->refs += 1;
    return vec;
}

hy_vec *hy_vec_unref(hy_vec *vec) {
    if (vec == NULL) return NULL;
    HY_ASSERT(vec->refs > 0);
    vec->refs -= 1;
    if (vec->refs > 0) return NULL;
    hyi_seq_release(&vec->seq, vec->mem, vec->item);
    hy_mem_free(vec->mem, vec, sizeof *vec);
    return NULL;
}

size_t hy_vec_count(const hy_vec *vec) {
    return vec->seq.count;
}

const void *hy_vec_at(const hy_vec *vec, size_t index) {
    return hyi_seq_at(&vec->seq, vec->item->size, index);
}

size_t hy_vec_span(const hy_vec *vec, size_t index, const void **out_items) {
    return hyi_seq_span(&vec->seq, vec->item->size, index, out_items);
}

hy_err hyi_vec_like(const hy_vec *vec, hy_vec **out_vec) {
    return hy_vec_new(vec->mem, vec->item, vec->count_max, out_vec);
}

hy_err hy_vec_edit(const hy_vec *vec, hy_vec **out_edit) {
    hy_vec *edit = NULL;
    hy_err err = hyi_vec_like(vec, &edit);
    if (err != HY_OK) return err;
    edit->seq = vec->seq;
    hyi_seq_retain(&edit->seq);
    *out_edit = edit;
    return HY_OK;
}

void hy_vec_freeze(hy_vec **vec, hy_vec **edit) {
    hy_vec_unref(*vec);
    *vec = *edit;
    *edit = NULL;
}

// The version to change: the caller's if nobody else holds it, else a new one.
static hy_err vec_begin(hy_vec *vec, hy_vec **out_own) {
    if (vec->refs > 1) return hy_vec_edit(vec, out_own);
    *out_own = vec;
    return HY_OK;
}

// Ends a change with what came of it; on an error the caller's version stays.
static hy_err vec_end(hy_vec **vec, hy_vec *own, hy_err err) {
    if (own == *vec) return err;
    if (err != HY_OK) {
        hy_vec_unref(own);
    } else {
        hy_vec_freeze(vec, &own);
    }
    return err;
}

// What a caller brings may lie in the very vector, so it is copied before anything moves.
static hy_err vec_keep(const hy_vec *vec, const void *item, hyi_scratch *kept) {
    hy_err err = hyi_scratch_init(kept, vec->mem, vec->item->size);
    if (err != HY_OK) return err;
    err = hyi_item_keep(vec->item, vec->mem, kept->ptr, item);
    if (err != HY_OK) hyi_scratch_deinit(kept);
    return err;
}

hy_err hy_vec_push(hy_vec **vec, const void *item) {
    const hy_item *table = (*vec)->item;
    hy_mem *mem = (*vec)->mem;
    if ((*vec)->seq.count >= (*vec)->count_max) return HY_LIMIT;
    hyi_scratch kept;
    hy_err err = vec_keep(*vec, item, &kept);
    if (err != HY_OK) return err;
    hy_vec *own = NULL;
    err = vec_begin(*vec, &own);
    if (err == HY_OK) err = vec_end(vec, own, hyi_seq_add(&own->seq, mem, table, kept.ptr));
    if (err != HY_OK) hyi_item_release(table, mem, kept.ptr);
    hyi_scratch_deinit(&kept);
    return err;
}

hy_err hy_vec_set(hy_vec **vec, size_t index, const void *item) {
    const hy_item *table = (*vec)->item;
    hy_mem *mem = (*vec)->mem;
    if (index >= (*vec)->seq.count) return HY_RANGE;
    hyi_scratch kept;
    hy_err err = vec_keep(*vec, item, &kept);
    if (err != HY_OK) return err;
    hy_vec *own = NULL;
    void *slot = NULL;
    err = vec_begin(*vec, &own);
    if (err == HY_OK) err = vec_end(vec, own, hyi_seq_slot(&own->seq, mem, table, index, &slot));
    if (err == HY_OK) {
        hyi_item_release(table, mem, slot);
        memcpy(slot, kept.ptr, table->size);
    } else {
        hyi_item_release(table, mem, kept.ptr);
    }
    hyi_scratch_deinit(&kept);
    return err;
}

hy_err hy_vec_pop(hy_vec **vec) {
    if ((*vec)->seq.count == 0) return HY_END;
    hy_vec *own = NULL;
    hy_err err = vec_begin(*vec, &own);
    if (err != HY_OK) return err;
    return vec_end(vec, own, hyi_seq_pop(&own->seq, own->mem, own->item));
}

bool hy_vec_equal(const hy_vec *a, const hy_vec *b) {
    if (a == b) return true;
    if (a->seq.count != b->seq.count || a->item->size != b->item->size) return false;
    return hyi_seq_compare(&a->seq, &b->seq, a->item) == 0;
}

uint64_t hy_vec_hash(const hy_vec *vec) {
    return hyi_seq_hash(&vec->seq, vec->item);
}

bool hy_vec_diff(const hy_vec *before, const hy_vec *after, size_t *index, const void **out_before,
                 const void **out_after) {
    size_t size = before->item->size;
    HY_ASSERT(size == after->item->size);
    size_t both = before->seq.count < after->seq.count ? before->seq.count : after->seq.count;
    for (size_t at = *index;; at++) {
        if (at < both) at = hyi_seq_unshared(&before->seq, &after->seq, size, at);
        const void *old = hyi_seq_at(&before->seq, size, at);
        const void *new = hyi_seq_at(&after->seq, size, at);
        *index = at;
        if (old == NULL && new == NULL) return false;
        bool differs = old == NULL || new == NULL;
        if (!differs) differs = hyi_item_compare(before->item, old, new) != 0;
        if (!differs) continue;
        *out_before = old;
        *out_after = new;
        return true;
    }
}

bool hy_vec_holds(const hy_vec *vec) {
    HY_ASSERT(vec->refs > 0);
    HY_ASSERT(vec->seq.count <= vec->count_max);
    return hyi_seq_holds(&vec->seq, vec->item->size);
}
