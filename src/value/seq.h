// seq.h - the trie under vectors and lists.                   Room: value. Includes: base.
// Threads: one owner. Ownership: a seq holds its nodes together with every other seq that has them;
// the memory and the item table come with every call, so that a list in a record stays small.
// Limits: the caller's; at most HY_VALUE_COUNT_MAX items.
#ifndef HYPHA_VALUE_SEQ_H
#define HYPHA_VALUE_SEQ_H

#include <hypha/value.h>

// A zeroed seq is empty. Copying the struct needs hyi_seq_retain.
typedef struct hyi_seq {
    size_t count;
    void *root;                // inner nodes, or NULL
    struct hyi_seq_leaf *tail; // the last items, 1 to a leaf's width; NULL when empty
    uint32_t height;           // levels of inner nodes
} hyi_seq;

void hyi_seq_retain(const hyi_seq *seq); // there is one holder more of its nodes
void hyi_seq_release(hyi_seq *seq, hy_mem *mem, const hy_item *item); // leaves it empty

// NULL past the end. And how many lie side by side from `index` on.
const void *hyi_seq_at(const hyi_seq *seq, size_t item_size, size_t index);
size_t hyi_seq_span(const hyi_seq *seq, size_t item_size, size_t index, const void **out_items);

// Puts the bytes of an item behind the last; it is taken as it is, without `keep`. HY_NOMEM: the
// item is still the caller's.
HY_CHECKED hy_err hyi_seq_add(hyi_seq *seq, hy_mem *mem, const hy_item *item, const void *owned);

// The place of an item (index < count) that nobody else sees, to be changed. HY_NOMEM.
HY_CHECKED hy_err hyi_seq_slot(hyi_seq *seq, hy_mem *mem, const hy_item *item, size_t index,
                               void **out_slot);

// Drops the last item. HY_NOMEM. There must be one.
HY_CHECKED hy_err hyi_seq_pop(hyi_seq *seq, hy_mem *mem, const hy_item *item);

// The first index, from `index` on, whose item does not lie in a node that both have; at most the
// smaller count. Only looks at the beginnings of leaves.
size_t hyi_seq_unshared(const hyi_seq *a, const hyi_seq *b, size_t item_size, size_t index);

int hyi_seq_compare(const hyi_seq *a, const hyi_seq *b, const hy_item *item);
uint64_t hyi_seq_hash(const hyi_seq *seq, const hy_item *item);

// Checks every invariant the slow way; asserts inside and returns true.
bool hyi_seq_holds(const hyi_seq *seq, size_t item_size);

#endif
