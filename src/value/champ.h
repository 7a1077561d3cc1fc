// champ.h - the hash trie under maps and sets.                 Room: value. Includes: base.
// Threads: one owner. Ownership: a node is held by as many tries as its count says.
#ifndef HYPHA_VALUE_CHAMP_H
#define HYPHA_VALUE_CHAMP_H

#include <hypha/value.h>

#define HYI_CHAMP_BITS 5u
#define HYI_CHAMP_COLLISIONS 13u // the level below which no bits of a hash are left

_Static_assert(HYI_PMAP_LEVELS == HYI_CHAMP_COLLISIONS + 1, "a cursor has room for every level");
_Static_assert(HYI_CHAMP_BITS *HYI_CHAMP_COLLISIONS >= 64, "every bit of a hash is used");

// How the entries of one map look: key, then value, then padding.
typedef struct hyi_champ_form {
    hy_mem *mem;
    const hy_item *key, *value;
    uint32_t value_at, stride; // the stride is a multiple of 8
} hyi_champ_form;

// Entries first, then children. `data` and `nodes` have a bit for each that says where it belongs;
// at the level of collisions both are 0 and the entries are in order of their keys.
typedef struct hyi_champ {
    uint32_t refs, entries, data, nodes;
    _Alignas(16) uint8_t bytes[];
} hyi_champ;

// Without a call: not every machine of ours has an instruction for it.
static inline uint32_t hyi_champ_count(uint32_t bits) {
    bits -= bits >> 1 & 0x55555555;
    bits = (bits & 0x33333333) + (bits >> 2 & 0x33333333);
    return ((bits + (bits >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

static inline uint32_t hyi_champ_bit(uint64_t hash, uint32_t level) {
    return 1u << (hash >> HYI_CHAMP_BITS * level & 31);
}

static inline const uint8_t *hyi_champ_entry(const hyi_champ_form *form, const hyi_champ *node,
                                             uint32_t index) {
    return node->bytes + (size_t)index * form->stride;
}

static inline hyi_champ **hyi_champ_children(const hyi_champ_form *form, const hyi_champ *node) {
    return (hyi_champ **)(void *)(node->bytes + (size_t)node->entries * form->stride);
}

// The entry or child of `bit`, which must be there.
static inline const uint8_t *hyi_champ_entry_at(const hyi_champ_form *form, const hyi_champ *node,
                                                uint32_t bit) {
    return hyi_champ_entry(form, node, hyi_champ_count(node->data & (bit - 1)));
}

static inline hyi_champ **hyi_champ_child_at(const hyi_champ_form *form, const hyi_champ *node,
                                             uint32_t bit) {
    return hyi_champ_children(form, node) + hyi_champ_count(node->nodes & (bit - 1));
}

hyi_champ_form hyi_champ_form_of(hy_mem *mem, const hy_item *key, const hy_item *value);

// NULL is an empty trie everywhere.
void hyi_champ_release(const hyi_champ_form *form, hyi_champ *node);
const uint8_t *hyi_champ_find(const hyi_champ_form *form, const hyi_champ *root, uint64_t hash,
                              const void *key);

// Adds an entry (its bytes are taken as they are) whose key is not there. HY_NOMEM: nothing has
// changed but what is shared.
HY_CHECKED hy_err hyi_champ_add(const hyi_champ_form *form, hyi_champ **root, uint64_t hash,
                                const uint8_t *entry);

// The value of a key that is there, in nodes of one's own, to be changed. HY_NOMEM.
HY_CHECKED hy_err hyi_champ_slot(const hyi_champ_form *form, hyi_champ **root, uint64_t hash,
                                 const void *key, uint8_t **out_value);

// Drops a key that is there, and the entry with it. HY_NOMEM.
HY_CHECKED hy_err hyi_champ_drop(const hyi_champ_form *form, hyi_champ **root, uint64_t hash,
                                 const void *key);

bool hyi_champ_equal(const hyi_champ_form *form, const hyi_champ *a, const hyi_champ *b);

// Checks every invariant the slow way; gives the entries below. `prefix` is the way to the node.
size_t hyi_champ_holds(const hyi_champ_form *form, const hyi_champ *node, uint32_t level,
                       uint64_t prefix);

#endif
