// The trie under vectors and lists: leaves of items, inner nodes of pointers, and a tail.
//
// A radix trie needs no keys and no balance: the bits of an index are the way to its item. Inner
// nodes are 32 wide; leaves 32 too or, for items past 16 bytes, fewer, so that a leaf stays within
// half a kilobyte: who changes one item of a shared leaf copies it and counts up what its items
// hold, which is dearer than one more level. The last leaf, the tail, hangs outside the tree: most
// pushes touch only it. A tail grows 4, 8, 16, 32, so that the many short lists of records stay
// small.
//
// Every node counts its holders. Who changes something first makes the nodes on the way its own: a
// node held once is its own already, one held more often is copied. A copy means the same, so if
// memory ends half-way nothing has changed but what is shared. What really changes happens after
// the last allocation.
//
// Invariants: the tail has 1 to `width` items unless all is empty; every leaf in the tree is full;
// inner nodes have children 0..count-1 and none else; the height is the least that has room.
// Paranoid builds have narrow nodes, so that small tests meet high trees.
#include "value/seq.h"

#include "base/memory.h"
#include "value/item.h"

#ifdef HY_PARANOID
#define SEQ_BITS 2u
#define SEQ_LEAF_BITS_MAX 2u
#else
#define SEQ_BITS 5u
#define SEQ_LEAF_BITS_MAX 5u
#endif
#define SEQ_WIDTH (1u << SEQ_BITS)
#define SEQ_MASK (SEQ_WIDTH - 1)
#define SEQ_LEVELS_MAX 16u
#define SEQ_TAIL_FIRST 4u

typedef struct seq_node {
    uint32_t refs, count;
    void *children[SEQ_WIDTH];
} seq_node;

struct hyi_seq_leaf {
    uint32_t refs, capacity;
    _Alignas(16) uint8_t items[];
};
typedef struct hyi_seq_leaf seq_leaf;

static uint32_t seq_bits(size_t item_size) {
    uint32_t bits = SEQ_LEAF_BITS_MAX;
    while (bits > 0 && item_size << bits > 512) {
        bits -= 1;
    }
    return bits;
}

static size_t seq_tail_count(const hyi_seq *seq, uint32_t bits) {
    return seq->count == 0 ? 0 : ((seq->count - 1) & ((1u << bits) - 1)) + 1;
}

static size_t seq_tree_count(const hyi_seq *seq, uint32_t bits) {
    return seq->count - seq_tail_count(seq, bits);
}

// ---- leaves -----------------------------------------------------------------------------------

static size_t seq_leaf_size(const hy_item *item, uint32_t capacity) {
    return sizeof(seq_leaf) + (size_t)capacity * item->size;
}

static seq_leaf *seq_leaf_new(hy_mem *mem, const hy_item *item, uint32_t capacity) {
    seq_leaf *leaf = (seq_leaf *)hy_mem_alloc(mem, seq_leaf_size(item, capacity));
    if (leaf == NULL) return NULL;
    leaf->refs = 1;
    leaf->capacity = capacity;
    return leaf;
}

static void seq_leaf_release(hy_mem *mem, const hy_item *item, seq_leaf *leaf, size_t count) {
    HY_ASSERT(leaf->refs > 0);
    leaf->refs -= 1;
    if (leaf->refs > 0) return;
    for (size_t i = 0; item->release != NULL && i < count; i++) {
        item->release(item, mem, leaf->items + i * item->size);
    }
    hy_mem_free(mem, leaf, seq_leaf_size(item, leaf->capacity));
}

// Makes the leaf at *link, with `count` items, its holder's own, and its capacity at least
// `capacity`.
static hy_err seq_leaf_own(hy_mem *mem, const hy_item *item, seq_leaf **link, size_t count,
                           uint32_t capacity) {
    seq_leaf *old = *link;
    if (old->refs == 1 && capacity <= old->capacity) return HY_OK;
    seq_leaf *leaf = seq_leaf_new(mem, item, capacity);
    if (leaf == NULL) return HY_NOMEM;
    memcpy(leaf->items, old->items, count * item->size);
    if (old->refs == 1) {
        hy_mem_free(mem, old, seq_leaf_size(item, old->capacity));
    } else {
        for (size_t i = 0; item->retain != NULL && i < count; i++) {
            item->retain(item, leaf->items + i * item->size);
        }
        old->refs -= 1;
    }
    *link = leaf;
    return HY_OK;
}

// ---- inner nodes ------------------------------------------------------------------------------

static seq_node *seq_node_new(hy_mem *mem) {
    seq_node *node = (seq_node *)hy_mem_alloc(mem, sizeof(seq_node));
    if (node == NULL) return NULL;
    node->refs = 1;
    node->count = 0;
    return node;
}

// Nodes and leaves both begin with their count of holders; `height` 0 is a leaf.
static uint32_t *seq_refs(void *node, uint32_t height) {
    return height == 0 ? &((seq_leaf *)node)->refs : &((seq_node *)node)->refs;
}

static void seq_node_release(hy_mem *mem, const hy_item *item, void *ptr, uint32_t height) {
    if (height == 0) {
        seq_leaf_release(mem, item, (seq_leaf *)ptr, (size_t)1 << seq_bits(item->size));
        return;
    }
    seq_node *node = (seq_node *)ptr;
    HY_ASSERT(node->refs > 0);
    node->refs -= 1;
    if (node->refs > 0) return;
    for (uint32_t i = 0; i < node->count; i++) {
        seq_node_release(mem, item, node->children[i], height - 1);
    }
    hy_mem_free(mem, node, sizeof(seq_node));
}

// Makes the inner node at *link, `height` levels above the leaves, its holder's own.
static hy_err seq_node_own(hy_mem *mem, void **link, uint32_t height) {
    seq_node *old = (seq_node *)*link;
    if (old->refs == 1) return HY_OK;
    seq_node *node = seq_node_new(mem);
    if (node == NULL) return HY_NOMEM;
    node->count = old->count;
    memcpy(node->children, old->children, old->count * sizeof old->children[0]);
    for (uint32_t i = 0; i < node->count; i++) {
        *seq_refs(node->children[i], height - 1) += 1;
    }
    old->refs -= 1;
    *link = node;
    return HY_OK;
}

// ---- the whole --------------------------------------------------------------------------------

void hyi_seq_retain(const hyi_seq *seq) {
    if (seq->root != NULL) *seq_refs(seq->root, seq->height) += 1;
    if (seq->tail != NULL) seq->tail->refs += 1;
}

void hyi_seq_release(hyi_seq *seq, hy_mem *mem, const hy_item *item) {
    size_t in_tail = seq_tail_count(seq, seq_bits(item->size));
    if (seq->root != NULL) seq_node_release(mem, item, seq->root, seq->height);
    if (seq->tail != NULL) seq_leaf_release(mem, item, seq->tail, in_tail);
    *seq = (hyi_seq){ .count = 0 };
}

// The node `height` levels above the leaves on the way to leaf number `leaf`; NULL when the tree is
// lower.
static void *seq_node_at(const hyi_seq *seq, size_t leaf, uint32_t height) {
    if (height > seq->height) return NULL;
    void *node = seq->root;
    for (uint32_t h = seq->height; h > height; h--) {
        node = ((seq_node *)node)->children[leaf >> SEQ_BITS * (h - 1) & SEQ_MASK];
    }
    return node;
}

static const seq_leaf *seq_leaf_at(const hyi_seq *seq, size_t index, uint32_t bits) {
    if (index >= seq_tree_count(seq, bits)) return seq->tail;
    return (const seq_leaf *)seq_node_at(seq, index >> bits, 0);
}

const void *hyi_seq_at(const hyi_seq *seq, size_t item_size, size_t index) {
    if (index >= seq->count) return NULL;
    uint32_t bits = seq_bits(item_size);
    size_t inside = index & ((1u << bits) - 1);
    return seq_leaf_at(seq, index, bits)->items + inside * item_size;
}

size_t hyi_seq_span(const hyi_seq *seq, size_t item_size, size_t index, const void **out_items) {
    if (index >= seq->count) return 0;
    uint32_t bits = seq_bits(item_size);
    size_t inside = index & ((1u << bits) - 1);
    size_t count = ((size_t)1 << bits) - inside;
    *out_items = seq_leaf_at(seq, index, bits)->items + inside * item_size;
    return count < seq->count - index ? count : seq->count - index;
}

// ---- push -------------------------------------------------------------------------------------

// A way of `height` new nodes with one child each down to `leaf`; the leaf itself for height 0.
static void *seq_chain(hy_mem *mem, seq_leaf *leaf, uint32_t height) {
    void *top = leaf;
    for (uint32_t made = 0; made < height; made++) {
        seq_node *node = seq_node_new(mem);
        if (node != NULL) {
            node->children[node->count++] = top;
            top = node;
            continue;
        }
        for (; made > 0; made--) {
            seq_node *lost = (seq_node *)top;
            top = lost->children[0];
            hy_mem_free(mem, lost, sizeof(seq_node));
        }
        return NULL;
    }
    return top;
}

// Hangs the tail, which is full, into the tree. HY_NOMEM: it is the tail still.
static hy_err seq_hang_tail(hyi_seq *seq, hy_mem *mem, size_t leaf) {
    if (seq->height == 0 || leaf >> SEQ_BITS * seq->height != 0) {
        HY_ASSERT(seq->height < SEQ_LEVELS_MAX);
        seq_node *root = seq_node_new(mem);
        if (root == NULL) return HY_NOMEM;
        void *chain = seq_chain(mem, seq->tail, seq->height);
        if (chain == NULL) {
            hy_mem_free(mem, root, sizeof(seq_node));
            return HY_NOMEM;
        }
        if (seq->root != NULL) root->children[root->count++] = seq->root;
        root->children[root->count++] = chain;
        seq->root = root;
        seq->height += 1;
        return HY_OK;
    }
    void **link = &seq->root;
    for (uint32_t h = seq->height;; h--) {
        hy_err err = seq_node_own(mem, link, h);
        if (err != HY_OK) return err;
        seq_node *node = (seq_node *)*link;
        uint32_t slot = (uint32_t)(leaf >> SEQ_BITS * (h - 1)) & SEQ_MASK;
        if (slot < node->count) {
            link = &node->children[slot];
            continue;
        }
        void *chain = seq_chain(mem, seq->tail, h - 1);
        if (chain == NULL) return HY_NOMEM;
        node->children[node->count++] = chain;
        return HY_OK;
    }
}

static hy_err seq_new_tail(hyi_seq *seq, hy_mem *mem, const hy_item *item, uint32_t bits) {
    uint32_t width = 1u << bits;
    uint32_t capacity = seq->count > 0 || width < SEQ_TAIL_FIRST ? width : SEQ_TAIL_FIRST;
    seq_leaf *tail = seq_leaf_new(mem, item, capacity);
    if (tail == NULL) return HY_NOMEM;
    if (seq->tail != NULL) {
        hy_err err = seq_hang_tail(seq, mem, (seq->count >> bits) - 1);
        if (err != HY_OK) {
            hy_mem_free(mem, tail, seq_leaf_size(item, capacity));
            return err;
        }
    }
    seq->tail = tail;
    return HY_OK;
}

hy_err hyi_seq_add(hyi_seq *seq, hy_mem *mem, const hy_item *item, const void *owned) {
    HY_ASSERT(seq->count < HY_VALUE_COUNT_MAX);
    uint32_t bits = seq_bits(item->size), width = 1u << bits;
    size_t used = seq_tail_count(seq, bits);
    hy_err err = HY_OK;
    if (used == 0 || used == width) {
        err = seq_new_tail(seq, mem, item, bits);
        used = 0;
    } else if (used == seq->tail->capacity) {
        err = seq_leaf_own(mem, item, &seq->tail, used, (uint32_t)used * 2);
    } else {
        err = seq_leaf_own(mem, item, &seq->tail, used, seq->tail->capacity);
    }
    if (err != HY_OK) return err;
    memcpy(seq->tail->items + used * item->size, owned, item->size);
    seq->count += 1;
    return HY_OK;
}

// ---- change and pop ---------------------------------------------------------------------------

hy_err hyi_seq_slot(hyi_seq *seq, hy_mem *mem, const hy_item *item, size_t index, void **out_slot) {
    HY_ASSERT(index < seq->count);
    uint32_t bits = seq_bits(item->size);
    size_t inside = index & ((1u << bits) - 1), leaf = index >> bits;
    if (index >= seq_tree_count(seq, bits)) {
        hy_err err =
            seq_leaf_own(mem, item, &seq->tail, seq_tail_count(seq, bits), seq->tail->capacity);
        if (err == HY_OK) *out_slot = seq->tail->items + inside * item->size;
        return err;
    }
    void **link = &seq->root;
    for (uint32_t h = seq->height; h > 0; h--) {
        hy_err err = seq_node_own(mem, link, h);
        if (err != HY_OK) return err;
        link = &((seq_node *)*link)->children[leaf >> SEQ_BITS * (h - 1) & SEQ_MASK];
    }
    seq_leaf *own = (seq_leaf *)*link;
    hy_err err = seq_leaf_own(mem, item, &own, (size_t)1 << bits, own->capacity);
    if (err != HY_OK) return err;
    *link = own;
    *out_slot = own->items + inside * item->size;
    return HY_OK;
}

// Takes the last leaf out of the tree; the nodes that become empty go, and so does a root that has
// one child only.
static hy_err seq_take_leaf(hyi_seq *seq, hy_mem *mem, seq_leaf **out_leaf) {
    seq_node *way[SEQ_LEVELS_MAX + 1] = { NULL }; // by height
    void **link = &seq->root;
    for (uint32_t h = seq->height; h > 0; h--) {
        hy_err err = seq_node_own(mem, link, h);
        if (err != HY_OK) return err;
        way[h] = (seq_node *)*link;
        link = &way[h]->children[way[h]->count - 1];
    }
    *out_leaf = (seq_leaf *)*link;
    for (uint32_t h = 1; h <= seq->height; h++) {
        way[h]->count -= 1;
        if (way[h]->count > 0) break;
        hy_mem_free(mem, way[h], sizeof(seq_node));
        if (h == seq->height) {
            seq->root = NULL;
            seq->height = 0;
        }
    }
    while (seq->height > 1 && ((seq_node *)seq->root)->count == 1) {
        void *child = ((seq_node *)seq->root)->children[0];
        hy_mem_free(mem, seq->root, sizeof(seq_node));
        seq->root = child;
        seq->height -= 1;
    }
    return HY_OK;
}

hy_err hyi_seq_pop(hyi_seq *seq, hy_mem *mem, const hy_item *item) {
    HY_ASSERT(seq->count > 0);
    size_t used = seq_tail_count(seq, seq_bits(item->size));
    if (used == 1) {
        seq_leaf *before = NULL;
        hy_err err = seq->root == NULL ? HY_OK : seq_take_leaf(seq, mem, &before);
        if (err != HY_OK) return err;
        seq_leaf_release(mem, item, seq->tail, 1);
        seq->tail = before;
    } else {
        hy_err err = seq_leaf_own(mem, item, &seq->tail, used, seq->tail->capacity);
        if (err != HY_OK) return err;
        hyi_item_release(item, mem, seq->tail->items + (used - 1) * item->size);
    }
    seq->count -= 1;
    return HY_OK;
}

// ---- two versions -----------------------------------------------------------------------------

// How many items from `index` on, the beginning of a leaf, lie in a node that both have.
static size_t seq_shared(const hyi_seq *a, const hyi_seq *b, uint32_t bits, size_t index) {
    size_t end = a->count < b->count ? a->count : b->count;
    size_t tree_a = seq_tree_count(a, bits), tree_b = seq_tree_count(b, bits);
    size_t in_both = tree_a < tree_b ? tree_a : tree_b, leaf = index >> bits;
    if (index < in_both) {
        uint32_t top = a->height < b->height ? a->height : b->height;
        for (uint32_t h = top; h > 0; h--) {
            size_t span = (size_t)1 << (bits + SEQ_BITS * h);
            if ((index & (span - 1)) != 0) continue;
            if (seq_node_at(a, leaf, h) != seq_node_at(b, leaf, h)) continue;
            return span < in_both - index ? span : in_both - index;
        }
    }
    if (seq_leaf_at(a, index, bits) != seq_leaf_at(b, index, bits)) return 0;
    size_t width = (size_t)1 << bits;
    return width < end - index ? width : end - index;
}

size_t hyi_seq_unshared(const hyi_seq *a, const hyi_seq *b, size_t item_size, size_t index) {
    uint32_t bits = seq_bits(item_size);
    size_t end = a->count < b->count ? a->count : b->count;
    while (index < end && (index & ((1u << bits) - 1)) == 0) {
        size_t shared = seq_shared(a, b, bits, index);
        if (shared == 0) break;
        index += shared;
    }
    return index < end ? index : end;
}

int hyi_seq_compare(const hyi_seq *a, const hyi_seq *b, const hy_item *item) {
    size_t end = a->count < b->count ? a->count : b->count, at = 0;
    while ((at = hyi_seq_unshared(a, b, item->size, at)) < end) {
        const void *x, *y;
        size_t some = hyi_seq_span(a, item->size, at, &x), n = hyi_seq_span(b, item->size, at, &y);
        if (some < n) n = some;
        for (size_t i = 0; i < n; i++) {
            int order = hyi_item_compare(item, (const uint8_t *)x + i * item->size,
                                         (const uint8_t *)y + i * item->size);
            if (order != 0) return order;
        }
        at += n;
    }
    return a->count == b->count ? 0 : a->count < b->count ? -1 : 1;
}

uint64_t hyi_seq_hash(const hyi_seq *seq, const hy_item *item) {
    uint64_t hash = seq->count;
    const void *items;
    for (size_t at = 0, n; (n = hyi_seq_span(seq, item->size, at, &items)) > 0; at += n) {
        for (size_t i = 0; i < n; i++) {
            hash =
                hyi_hash_join(hash, hyi_item_hash(item, (const uint8_t *)items + i * item->size));
        }
    }
    return hash;
}

// ---- invariants -------------------------------------------------------------------------------

// Every node but those on the right edge is full; gives the leaves below.
static size_t seq_node_holds(const void *ptr, uint32_t height, bool on_edge, uint32_t bits) {
    if (height == 0) {
        const seq_leaf *leaf = (const seq_leaf *)ptr;
        HY_ASSERT(leaf->refs > 0);
        HY_ASSERT(leaf->capacity == 1u << bits);
        return 1;
    }
    const seq_node *node = (const seq_node *)ptr;
    HY_ASSERT(node->refs > 0);
    HY_ASSERT(node->count > 0);
    HY_ASSERT(on_edge || node->count == SEQ_WIDTH);
    size_t leaves = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        bool last = i + 1 == node->count;
        leaves += seq_node_holds(node->children[i], height - 1, on_edge && last, bits);
    }
    return leaves;
}

bool hyi_seq_holds(const hyi_seq *seq, size_t item_size) {
    uint32_t bits = seq_bits(item_size);
    HY_ASSERT((seq->count == 0) == (seq->tail == NULL));
    HY_ASSERT((seq->root == NULL) == (seq->height == 0));
    if (seq->tail != NULL) HY_ASSERT(seq->tail->refs > 0);
    if (seq->tail != NULL) HY_ASSERT(seq_tail_count(seq, bits) <= seq->tail->capacity);
    size_t leaves = seq->root == NULL ? 0 : seq_node_holds(seq->root, seq->height, true, bits);
    HY_ASSERT(leaves << bits == seq_tree_count(seq, bits));
    HY_ASSERT(HY_IMPLIES(seq->height > 1, leaves > (size_t)1 << SEQ_BITS * (seq->height - 1)));
    return true;
}
