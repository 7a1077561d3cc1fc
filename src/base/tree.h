// tree.h - an ordered map from 128-bit keys to u32 values.    Room: base. Includes: base/key.h,
// pool.h. Threads: one owner. Ownership: the tree owns its nodes; keys and values are copied.
// Limits: count_max entries, declared at birth. Memory of erased entries is reused, and goes back
// at deinit. A cursor is a plain value; any insert or erase makes all cursors of the tree
// worthless.
//
// The same calls give the same tree and the same order, whatever the addresses are.
#ifndef HYI_BASE_TREE_H
#define HYI_BASE_TREE_H

#include <hypha/base.h>
#include "base/key.h"
#include "base/pool.h"

typedef struct hyi_tree {
    hyi_pool leaves, inners;
    void *root; // a leaf when height is 0; NULL before the first insert
    uint32_t height;
    uint32_t count, count_max;
    bool is_wide; // a key was inserted whose upper half is not zero
} hyi_tree;

// Allocates nothing. count_max 0 means as many as a u32 can count.
void hyi_tree_init(hyi_tree *tree, hy_mem *mem, uint32_t count_max);
void hyi_tree_deinit(hyi_tree *tree); // works on a zeroed tree

// HY_EXISTS, HY_LIMIT, HY_NOMEM: the tree is unchanged then. `value` may be any number.
HY_CHECKED hy_err hyi_tree_insert(hyi_tree *tree, hyi_key key, uint32_t value);

// False when there is no such key. Never allocates. out_value may be NULL.
bool hyi_tree_erase(hyi_tree *tree, hyi_key key, uint32_t *out_value);

// After HY_OK the next `extra` inserts cannot fail with HY_NOMEM, whatever is erased between them:
// this is what makes the rollback of a delete safe. HY_NOMEM.
HY_CHECKED hy_err hyi_tree_reserve(hyi_tree *tree, uint32_t extra);

uint32_t hyi_tree_get(const hyi_tree *tree, hyi_key key); // HYI_NONE when absent
uint32_t hyi_tree_count(const hyi_tree *tree);

// A place between two entries.
typedef struct hyi_tree_cursor {
    const hyi_tree *tree;
    void *leaf;
    uint32_t index;
} hyi_tree_cursor;

// Before the first key >= at_least; so `next` gives that key and `prev` the greatest key below.
hyi_tree_cursor hyi_tree_seek(const hyi_tree *tree, hyi_key at_least);

// Step over one entry and give it (out pointers may be NULL); false, and no step, at the end.
bool hyi_tree_next(hyi_tree_cursor *cursor, hyi_key *out_key, uint32_t *out_value);
bool hyi_tree_prev(hyi_tree_cursor *cursor, hyi_key *out_key, uint32_t *out_value);

// Checks every invariant of tree.c the slow way; asserts inside and returns true.
bool hyi_tree_holds(const hyi_tree *tree);

#endif
