// The hash trie under maps and sets: CHAMP (Steindorfer and Vinju, 2015), written anew.
//
// A node covers five bits of the hash. Two words say which of the 32 places hold an entry and which
// a child; entries lie side by side in front, children behind. After 64 bits come collisions: a
// plain list in order of the keys.
//
// The form is canonical: a subtree with a single entry never exists, the entry lies in the parent.
// So two maps with the same entries are the same trie, whatever was put and removed on the way.
// Equality compares node by node and stops where both share one; iteration depends on contents.
//
// Nodes have exactly the size of what is in them. A change of shape makes a new node: the entries
// of a node held once move, those of a shared one are copied and retained. Children on the way to
// the change are made our own first, as in seq.c, so that on HY_NOMEM nothing has changed but what
// is shared.
#include "value/champ.h"

#include "base/memory.h"
#include "value/item.h"

#define CHAMP_NONE UINT32_MAX

// What shall be different in a node: places are among the entries, or the children.
typedef struct champ_edit {
    uint32_t data, nodes;
    uint32_t drop_entry, add_entry, drop_child, add_child; // or CHAMP_NONE
    const uint8_t *entry;
    hyi_champ *child;
} champ_edit;

static uint32_t champ_align(uint32_t size) {
    uint32_t lowest = size & (0 - size); // 0 for the value of a set
    if (lowest == 0) return 1;
    return lowest > 16 ? 16 : lowest;
}

// An item's alignment divides its size; the next power of two that does is enough.
hyi_champ_form hyi_champ_form_of(hy_mem *mem, const hy_item *key, const hy_item *value) {
    uint32_t align_key = champ_align(key->size), align = champ_align(value->size);
    uint32_t value_at = (key->size + align - 1) & ~(align - 1);
    if (align < align_key) align = align_key;
    if (align < 8) align = 8;
    uint32_t stride = (value_at + value->size + align - 1) & ~(align - 1);
    return (hyi_champ_form){
        .mem = mem, .key = key, .value = value, .value_at = value_at, .stride = stride
    };
}

static size_t champ_size(const hyi_champ_form *form, uint32_t entries, uint32_t children) {
    return sizeof(hyi_champ) + (size_t)entries * form->stride + children * sizeof(hyi_champ *);
}

static void champ_free(const hyi_champ_form *form, hyi_champ *node) {
    hy_mem_free(form->mem, node, champ_size(form, node->entries, hyi_champ_count(node->nodes)));
}

static void champ_retain_entry(const hyi_champ_form *form, const uint8_t *entry) {
    hyi_item_retain(form->key, entry);
    hyi_item_retain(form->value, entry + form->value_at);
}

static void champ_release_entry(const hyi_champ_form *form, uint8_t *entry) {
    hyi_item_release(form->key, form->mem, entry);
    hyi_item_release(form->value, form->mem, entry + form->value_at);
}

static bool champ_holds_nothing(const hyi_champ_form *form) {
    return form->key->retain == NULL && form->value->retain == NULL;
}

void hyi_champ_release(const hyi_champ_form *form, hyi_champ *node) {
    if (node == NULL) return;
    HY_ASSERT(node->refs > 0);
    node->refs -= 1;
    if (node->refs > 0) return;
    for (uint32_t i = 0; i < node->entries && !champ_holds_nothing(form); i++) {
        champ_release_entry(form, node->bytes + (size_t)i * form->stride);
    }
    hyi_champ **children = hyi_champ_children(form, node);
    for (uint32_t i = 0; i < hyi_champ_count(node->nodes); i++) {
        hyi_champ_release(form, children[i]);
    }
    champ_free(form, node);
}

// The place of `key` among colliding entries, and whether it is there.
static uint32_t champ_rank(const hyi_champ_form *form, const hyi_champ *node, const void *key,
                           bool *out_found) {
    uint32_t from = 0, to = node->entries;
    *out_found = false;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        int order = hyi_item_compare(form->key, hyi_champ_entry(form, node, middle), key);
        if (order == 0) {
            *out_found = true;
            return middle;
        }
        if (order < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

const uint8_t *hyi_champ_find(const hyi_champ_form *form, const hyi_champ *root, uint64_t hash,
                              const void *key) {
    const hyi_champ *node = root;
    for (uint32_t level = 0; node != NULL && level < HYI_CHAMP_COLLISIONS; level++) {
        uint32_t bit = hyi_champ_bit(hash, level);
        if ((node->nodes & bit) != 0) {
            node = *hyi_champ_child_at(form, node, bit);
            continue;
        }
        if ((node->data & bit) == 0) return NULL;
        const uint8_t *entry = hyi_champ_entry_at(form, node, bit);
        return hyi_item_compare(form->key, entry, key) == 0 ? entry : NULL;
    }
    if (node == NULL) return NULL;
    bool found;
    uint32_t rank = champ_rank(form, node, key, &found);
    return found ? hyi_champ_entry(form, node, rank) : NULL;
}

// ---- new shapes -------------------------------------------------------------------------------

// Copies an array, leaving one element out or putting one in.
static void champ_splice(uint8_t *to, const uint8_t *from, uint32_t count, size_t size,
                         uint32_t drop, uint32_t add, const void *element) {
    if (add != CHAMP_NONE) {
        HY_ASSERT(drop == CHAMP_NONE);
        memcpy(to, from, add * size);
        memcpy(to + add * size, element, size);
        memcpy(to + (add + 1) * size, from + add * size, (count - add) * size);
    } else if (drop != CHAMP_NONE) {
        memcpy(to, from, drop * size);
        memcpy(to + drop * size, from + (drop + 1) * size, (count - drop - 1) * size);
    } else {
        memcpy(to, from, count * size);
    }
}

// Puts a changed node in place of *link, which is given up; its dropped entry or child belongs to
// the caller then, if the old node was held once. The added ones are taken. HY_NOMEM.
static hy_err champ_rebuild(const hyi_champ_form *form, hyi_champ **link, const champ_edit *edit) {
    hyi_champ *old = *link;
    uint32_t old_children = hyi_champ_count(old->nodes);
    uint32_t entries =
        old->entries + (edit->add_entry != CHAMP_NONE) - (edit->drop_entry != CHAMP_NONE);
    hyi_champ *node = (hyi_champ *)hy_mem_alloc(
        form->mem, champ_size(form, entries, hyi_champ_count(edit->nodes)));
    if (node == NULL) return HY_NOMEM;
    node->refs = 1;
    node->entries = entries;
    node->data = edit->data;
    node->nodes = edit->nodes;
    hyi_champ **from = hyi_champ_children(form, old);
    champ_splice(node->bytes, old->bytes, old->entries, form->stride, edit->drop_entry,
                 edit->add_entry, edit->entry);
    champ_splice((uint8_t *)hyi_champ_children(form, node), (const uint8_t *)from, old_children,
                 sizeof(hyi_champ *), edit->drop_child, edit->add_child, &edit->child);
    if (old->refs == 1) {
        champ_free(form, old);
    } else {
        for (uint32_t i = 0; i < old->entries && !champ_holds_nothing(form); i++) {
            if (i != edit->drop_entry) champ_retain_entry(form, hyi_champ_entry(form, old, i));
        }
        for (uint32_t i = 0; i < old_children; i++) {
            if (i != edit->drop_child) from[i]->refs += 1;
        }
        old->refs -= 1;
    }
    *link = node;
    return HY_OK;
}

static champ_edit champ_same(const hyi_champ *node) {
    return (champ_edit){ .data = node->data,
                         .nodes = node->nodes,
                         .drop_entry = CHAMP_NONE,
                         .add_entry = CHAMP_NONE,
                         .drop_child = CHAMP_NONE,
                         .add_child = CHAMP_NONE };
}

static hy_err champ_own(const hyi_champ_form *form, hyi_champ **link) {
    if ((*link)->refs == 1) return HY_OK;
    champ_edit edit = champ_same(*link);
    return champ_rebuild(form, link, &edit);
}

static hyi_champ *champ_new(const hyi_champ_form *form, uint32_t entries, uint32_t data,
                            uint32_t nodes) {
    hyi_champ *node =
        (hyi_champ *)hy_mem_alloc(form->mem, champ_size(form, entries, hyi_champ_count(nodes)));
    if (node == NULL) return NULL;
    node->refs = 1;
    node->entries = entries;
    node->data = data;
    node->nodes = nodes;
    return node;
}

// ---- add --------------------------------------------------------------------------------------

// Takes apart what champ_pair made; the entries stay their owners'.
static void champ_free_chain(const hyi_champ_form *form, hyi_champ *top) {
    while (top != NULL) {
        hyi_champ *below = top->nodes != 0 ? *hyi_champ_children(form, top) : NULL;
        champ_free(form, top);
        top = below;
    }
}

// A node with two entries, whose hashes are the same up to `level`: as many nodes with one child as
// it takes until they differ.
static hyi_champ *champ_pair(const hyi_champ_form *form, uint32_t level, uint64_t hash_a,
                             const uint8_t *a, uint64_t hash_b, const uint8_t *b) {
    uint32_t depth = level;
    while (depth < HYI_CHAMP_COLLISIONS &&
           hyi_champ_bit(hash_a, depth) == hyi_champ_bit(hash_b, depth)) {
        depth += 1;
    }
    uint32_t data = 0;
    bool a_first;
    if (depth == HYI_CHAMP_COLLISIONS) {
        a_first = hyi_item_compare(form->key, a, b) < 0;
    } else {
        a_first = hyi_champ_bit(hash_a, depth) < hyi_champ_bit(hash_b, depth);
        data = hyi_champ_bit(hash_a, depth) | hyi_champ_bit(hash_b, depth);
    }
    hyi_champ *top = champ_new(form, 2, data, 0);
    if (top == NULL) return NULL;
    memcpy(top->bytes, a_first ? a : b, form->stride);
    memcpy(top->bytes + form->stride, a_first ? b : a, form->stride);
    for (; depth > level; depth--) {
        hyi_champ *above = champ_new(form, 0, 0, hyi_champ_bit(hash_a, depth - 1));
        if (above != NULL) {
            *hyi_champ_children(form, above) = top;
            top = above;
            continue;
        }
        champ_free_chain(form, top);
        return NULL;
    }
    return top;
}

// The place of `bit` is taken by another entry: both go one level down.
static hy_err champ_push_down(const hyi_champ_form *form, hyi_champ **link, uint32_t level,
                              uint64_t hash, const uint8_t *entry) {
    hyi_champ *node = *link;
    uint32_t bit = hyi_champ_bit(hash, level);
    const uint8_t *other = hyi_champ_entry_at(form, node, bit);
    champ_edit edit = champ_same(node);
    edit.child = champ_pair(form, level + 1, hyi_item_hash(form->key, other), other, hash, entry);
    if (edit.child == NULL) return HY_NOMEM;
    bool shared = node->refs > 1;
    edit.drop_entry = hyi_champ_count(node->data & (bit - 1));
    edit.add_child = hyi_champ_count(node->nodes & (bit - 1));
    edit.data &= ~bit;
    edit.nodes |= bit;
    hy_err err = champ_rebuild(form, link, &edit);
    if (err == HY_OK) {
        if (shared) champ_retain_entry(form, other); // it lies in two nodes now
        return HY_OK;
    }
    champ_free_chain(form, edit.child);
    return err;
}

static hy_err champ_add_here(const hyi_champ_form *form, hyi_champ **link, uint32_t level,
                             uint64_t hash, const uint8_t *entry) {
    champ_edit edit = champ_same(*link);
    edit.entry = entry;
    if (level == HYI_CHAMP_COLLISIONS) {
        bool found;
        edit.add_entry = champ_rank(form, *link, entry, &found);
        HY_ASSERT(!found);
    } else {
        uint32_t bit = hyi_champ_bit(hash, level);
        edit.add_entry = hyi_champ_count(edit.data & (bit - 1));
        edit.data |= bit;
    }
    return champ_rebuild(form, link, &edit);
}

hy_err hyi_champ_add(const hyi_champ_form *form, hyi_champ **root, uint64_t hash,
                     const uint8_t *entry) {
    if (*root == NULL) {
        hyi_champ *node = champ_new(form, 1, hyi_champ_bit(hash, 0), 0);
        if (node == NULL) return HY_NOMEM;
        memcpy(node->bytes, entry, form->stride);
        *root = node;
        return HY_OK;
    }
    hyi_champ **link = root;
    for (uint32_t level = 0;; level++) {
        bool collides = level == HYI_CHAMP_COLLISIONS;
        uint32_t bit = collides ? 0 : hyi_champ_bit(hash, level);
        if (((*link)->data & bit) != 0) return champ_push_down(form, link, level, hash, entry);
        if (((*link)->nodes & bit) == 0) return champ_add_here(form, link, level, hash, entry);
        hy_err err = champ_own(form, link);
        if (err != HY_OK) return err;
        link = hyi_champ_child_at(form, *link, bit);
    }
}

hy_err hyi_champ_slot(const hyi_champ_form *form, hyi_champ **root, uint64_t hash, const void *key,
                      uint8_t **out_value) {
    hyi_champ **link = root;
    for (uint32_t level = 0;; level++) {
        hy_err err = champ_own(form, link);
        if (err != HY_OK) return err;
        uint32_t bit = level == HYI_CHAMP_COLLISIONS ? 0 : hyi_champ_bit(hash, level);
        if (((*link)->nodes & bit) != 0) {
            link = hyi_champ_child_at(form, *link, bit);
            continue;
        }
        bool found = true;
        uint32_t at = bit != 0 ? hyi_champ_count((*link)->data & (bit - 1))
                               : champ_rank(form, *link, key, &found);
        HY_ASSERT(found);
        *out_value = (*link)->bytes + (size_t)at * form->stride + form->value_at;
        return HY_OK;
    }
}

// ---- drop -------------------------------------------------------------------------------------

static bool champ_is_single(const hyi_champ *node, uint32_t entries, uint32_t children) {
    return node->entries == entries && hyi_champ_count(node->nodes) == children;
}

// Takes one entry out of the node at *link, which stays a node.
static hy_err champ_drop_here(const hyi_champ_form *form, hyi_champ **link, uint32_t bit,
                              uint32_t rank) {
    hyi_champ *node = *link;
    champ_edit edit = champ_same(node);
    edit.drop_entry = rank;
    edit.data &= ~bit;
    hyi_scratch gone;
    hy_err err = hyi_scratch_init(&gone, form->mem, form->stride);
    if (err != HY_OK) return err;
    bool shared = node->refs > 1;
    memcpy(gone.ptr, hyi_champ_entry(form, node, rank), form->stride);
    err = champ_rebuild(form, link, &edit);
    if (err == HY_OK && !shared) champ_release_entry(form, gone.ptr);
    hyi_scratch_deinit(&gone);
    return err;
}

// The child of `bit` would be left with one entry, `last`: it comes up in its place.
static hy_err champ_pull_up(const hyi_champ_form *form, hyi_champ **link, uint32_t bit,
                            const uint8_t *last) {
    hyi_champ *child = *hyi_champ_child_at(form, *link, bit);
    bool shared = (*link)->refs > 1;
    champ_edit edit = champ_same(*link);
    edit.drop_child = hyi_champ_count(edit.nodes & (bit - 1));
    edit.add_entry = hyi_champ_count(edit.data & (bit - 1));
    edit.nodes &= ~bit;
    edit.data |= bit;
    edit.entry = last;
    hy_err err = champ_rebuild(form, link, &edit);
    if (err != HY_OK) return err;
    champ_retain_entry(form, last);
    if (!shared) hyi_champ_release(form, child);
    return HY_OK;
}

// First looks where the change will be: at the node with the key or, if that would leave a single
// entry, at the lowest node above that keeps something else (or at the root).
hy_err hyi_champ_drop(const hyi_champ_form *form, hyi_champ **root, uint64_t hash,
                      const void *key) {
    const hyi_champ *node = *root;
    uint32_t level = 0, above = 0, bit;
    for (;; level++) {
        bit = level == HYI_CHAMP_COLLISIONS ? 0 : hyi_champ_bit(hash, level);
        if ((node->nodes & bit) == 0) break;
        if (!champ_is_single(node, 0, 1)) above = level;
        node = *hyi_champ_child_at(form, node, bit);
    }
    bool found = true;
    uint32_t rank =
        bit != 0 ? hyi_champ_count(node->data & (bit - 1)) : champ_rank(form, node, key, &found);
    HY_ASSERT(found);
    if (level == 0 && champ_is_single(node, 1, 0)) {
        hyi_champ_release(form, *root);
        *root = NULL;
        return HY_OK;
    }
    bool pulls = level > 0 && champ_is_single(node, 2, 0);
    uint32_t target = pulls ? above : level;
    hyi_champ **link = root;
    for (uint32_t i = 0; i < target; i++) {
        hy_err err = champ_own(form, link);
        if (err != HY_OK) return err;
        link = hyi_champ_child_at(form, *link, hyi_champ_bit(hash, i));
    }
    if (!pulls) return champ_drop_here(form, link, bit, rank);
    return champ_pull_up(form, link, hyi_champ_bit(hash, target),
                         hyi_champ_entry(form, node, 1 - rank));
}

// ---- equality and invariants ------------------------------------------------------------------

bool hyi_champ_equal(const hyi_champ_form *form, const hyi_champ *a, const hyi_champ *b) {
    if (a == b) return true;
    if (a == NULL || b == NULL) return false;
    if (a->data != b->data || a->nodes != b->nodes || a->entries != b->entries) return false;
    for (uint32_t i = 0; i < a->entries; i++) {
        const uint8_t *x = hyi_champ_entry(form, a, i), *y = hyi_champ_entry(form, b, i);
        if (hyi_item_compare(form->key, x, y) != 0) return false;
        if (hyi_item_compare(form->value, x + form->value_at, y + form->value_at) != 0) {
            return false;
        }
    }
    for (uint32_t i = 0; i < hyi_champ_count(a->nodes); i++) {
        if (!hyi_champ_equal(form, hyi_champ_children(form, a)[i],
                             hyi_champ_children(form, b)[i])) {
            return false;
        }
    }
    return true;
}

static size_t champ_entries_hold(const hyi_champ_form *form, const hyi_champ *node, uint32_t level,
                                 uint64_t prefix) {
    uint32_t places = node->data;
    for (uint32_t i = 0; i < node->entries; i++) {
        uint64_t hash = hyi_item_hash(form->key, hyi_champ_entry(form, node, i));
        if (level == HYI_CHAMP_COLLISIONS) {
            HY_ASSERT(hash == prefix);
            if (i == 0) continue;
            HY_ASSERT(hyi_item_compare(form->key, hyi_champ_entry(form, node, i - 1),
                                       hyi_champ_entry(form, node, i)) < 0);
            continue;
        }
        uint64_t mask = ((uint64_t)1 << HYI_CHAMP_BITS * level) - 1;
        HY_ASSERT((hash & mask) == prefix);
        HY_ASSERT(hyi_champ_bit(hash, level) == (places & (0 - places)));
        places &= places - 1;
    }
    return node->entries;
}

size_t hyi_champ_holds(const hyi_champ_form *form, const hyi_champ *node, uint32_t level,
                       uint64_t prefix) {
    if (node == NULL) return 0;
    HY_ASSERT(node->refs > 0);
    HY_ASSERT((node->data & node->nodes) == 0);
    HY_ASSERT(level < HYI_CHAMP_COLLISIONS || (node->data | node->nodes) == 0);
    if (level < HYI_CHAMP_COLLISIONS) HY_ASSERT(node->entries == hyi_champ_count(node->data));
    HY_ASSERT(node->entries + hyi_champ_count(node->nodes) > 0);
    HY_ASSERT(level == 0 || !champ_is_single(node, 1, 0));
    size_t count = champ_entries_hold(form, node, level, prefix);
    uint32_t places = node->nodes;
    for (uint32_t i = 0; places != 0; i++, places &= places - 1) {
        uint64_t digit = (uint64_t)__builtin_ctz(places);
        size_t below = hyi_champ_holds(form, hyi_champ_children(form, node)[i], level + 1,
                                       prefix | digit << HYI_CHAMP_BITS * level);
        HY_ASSERT(below > 1);
        count += below;
    }
    return count;
}
