// tree.c - a B+-tree made for short searches.
//
// Entries live in leaves of 32; inner nodes of up to 64 children lead to them. A node is searched
// without asking how many of its keys are in use, because every unused place holds the greatest
// key: the rank of a key is the number of keys below it, and the greatest is below none. So the
// search has no branch that depends on the data: three comparisons (in a leaf) or seven (in an
// inner node) choose a block of eight keys, eight more the place in it. Measured against binary
// search, which waits for each load before the next: half the time.
//
// An inner node of n children has n - 1 separators. Separator i is an upper bound: keys of child i
// are <= it, keys of child i + 1 are > it. A bound stays true when keys are erased, so erasing
// never touches separators unless two nodes merge.
//
// Splitting: a full node is halved, except at the right end of the tree, where the full node stays
// full and the new one starts almost empty; keys that arrive in order fill leaves completely.
// Merging: a node under a quarter is joined with a neighbour if both fit in three quarters. Nodes
// may thus stay thin beside a full neighbour; an empty one is always removed. The gap between the
// two thresholds keeps an entry that comes and goes from splitting and merging each time.
//
// Invariants, which hyi_tree_holds checks: keys ascend strictly over all leaves; each key is within
// its separators; unused places hold the greatest key; leaves are linked in order, and none is
// empty; a root above the leaves has at least two children; node counts match the pools.
#include "base/tree.h"
#include "base/memory.h"

#define TREE_BLOCK 8u
#define TREE_LEAF_WIDTH 32u
#define TREE_INNER_WIDTH 64u
#define TREE_HEIGHT_MAX 16u // far past what a u32 of entries needs, even where nodes are thin

static const hyi_key tree_key_max = { UINT64_MAX, UINT64_MAX };

typedef struct tree_leaf {
    hyi_key keys[TREE_LEAF_WIDTH];
    uint32_t values[TREE_LEAF_WIDTH];
    struct tree_leaf *prev, *next;
    uint32_t count;
    uint32_t pool_index;
} tree_leaf;

typedef struct tree_inner {
    hyi_key keys[TREE_INNER_WIDTH]; // the last one is never used
    void *children[TREE_INNER_WIDTH];
    uint32_t count; // of children
    uint32_t pool_index;
} tree_inner;

// The way from the root to a leaf: which inner nodes, and which child of each.
typedef struct tree_path {
    tree_inner *inner[TREE_HEIGHT_MAX];
    uint32_t child[TREE_HEIGHT_MAX];
} tree_path;

// In a narrow tree all upper halves are zero, but for the greatest key, whose lower half is the
// greatest too.
static inline uint32_t tree_key_below(const hyi_key *a, hyi_key b, bool narrow) {
    if (narrow) return a->lo < b.lo;
    unsigned __int128 left = (unsigned __int128)a->hi << 64 | a->lo;
    unsigned __int128 right = (unsigned __int128)b.hi << 64 | b.lo;
    return left < right;
}

// How many of eight keys are below `key`: two chains of additions that run side by side.
static inline uint32_t tree_rank_in_block(const hyi_key keys[TREE_BLOCK], hyi_key key,
                                          bool narrow) {
    uint32_t even = tree_key_below(&keys[0], key, narrow),
             odd = tree_key_below(&keys[1], key, narrow);
    even += tree_key_below(&keys[2], key, narrow);
    odd += tree_key_below(&keys[3], key, narrow);
    even += tree_key_below(&keys[4], key, narrow);
    odd += tree_key_below(&keys[5], key, narrow);
    even += tree_key_below(&keys[6], key, narrow);
    odd += tree_key_below(&keys[7], key, narrow);
    return even + odd;
}

// The rank of `key` in a leaf, 0 to 32.
static inline uint32_t tree_rank_in_leaf(const hyi_key keys[TREE_LEAF_WIDTH], hyi_key key,
                                         bool narrow) {
    uint32_t block = tree_key_below(&keys[7], key, narrow) +
                     tree_key_below(&keys[15], key, narrow) +
                     tree_key_below(&keys[23], key, narrow);
    return block * TREE_BLOCK + tree_rank_in_block(keys + (size_t)block * TREE_BLOCK, key, narrow);
}

// The rank of `key` among separators: the child to go to, 0 to 63, for the last one is never used.
static inline uint32_t tree_rank_in_inner(const hyi_key keys[TREE_INNER_WIDTH], hyi_key key,
                                          bool narrow) {
    uint32_t even = tree_key_below(&keys[7], key, narrow),
             odd = tree_key_below(&keys[15], key, narrow);
    even += tree_key_below(&keys[23], key, narrow);
    odd += tree_key_below(&keys[31], key, narrow);
    even += tree_key_below(&keys[39], key, narrow);
    odd += tree_key_below(&keys[47], key, narrow);
    uint32_t block = even + odd + tree_key_below(&keys[55], key, narrow);
    return block * TREE_BLOCK + tree_rank_in_block(keys + (size_t)block * TREE_BLOCK, key, narrow);
}

static bool tree_leaf_has(const tree_leaf *leaf, uint32_t index, hyi_key key) {
    return index < leaf->count && hyi_key_equal(leaf->keys[index], key);
}

void hyi_tree_init(hyi_tree *tree, hy_mem *mem, uint32_t count_max) {
    *tree = (hyi_tree){ .count_max = count_max == 0 ? UINT32_MAX : count_max };
    hyi_pool_init(&tree->leaves, mem, sizeof(tree_leaf), 0);
    hyi_pool_init(&tree->inners, mem, sizeof(tree_inner), 0);
}

void hyi_tree_deinit(hyi_tree *tree) {
    hyi_pool_deinit(&tree->leaves);
    hyi_pool_deinit(&tree->inners);
    *tree = (hyi_tree){ 0 };
}

uint32_t hyi_tree_count(const hyi_tree *tree) {
    return tree->count;
}

// Where a key is, or would go.
typedef struct tree_place {
    tree_leaf *leaf;
    uint32_t index;
} tree_place;

static inline tree_place tree_search_as(const hyi_tree *tree, hyi_key key, bool narrow) {
    void *node = tree->root;
    for (uint32_t level = tree->height; level > 0; level--) {
        const tree_inner *inner = (const tree_inner *)node;
        node = inner->children[tree_rank_in_inner(inner->keys, key, narrow)];
    }
    tree_leaf *leaf = (tree_leaf *)node;
    return (tree_place){ leaf, tree_rank_in_leaf(leaf->keys, key, narrow) };
}

// Comparing one word instead of two takes half the instructions, and most keys are one number.
static inline tree_place tree_search(const hyi_tree *tree, hyi_key key) {
    bool narrow = !tree->is_wide && key.hi == 0;
    return narrow ? tree_search_as(tree, key, true) : tree_search_as(tree, key, false);
}

uint32_t hyi_tree_get(const hyi_tree *tree, hyi_key key) {
    if (tree->count == 0) return HYI_NONE;
    tree_place place = tree_search(tree, key);
    return tree_leaf_has(place.leaf, place.index, key) ? place.leaf->values[place.index] : HYI_NONE;
}

// ---- cursors: see also hyi_tree_seek in the header ----

hyi_tree_cursor hyi_tree_seek(const hyi_tree *tree, hyi_key at_least) {
    hyi_tree_cursor cursor = { .tree = tree };
    if (tree->count == 0) return cursor;
    tree_place place = tree_search(tree, at_least);
    cursor.leaf = place.leaf;
    cursor.index = place.index;
    return cursor;
}

bool hyi_tree_next(hyi_tree_cursor *cursor, hyi_key *out_key, uint32_t *out_value) {
    tree_leaf *leaf = (tree_leaf *)cursor->leaf;
    if (!leaf) return false;
    uint32_t index = cursor->index;
    if (index == leaf->count) {
        if (!leaf->next) return false;
        leaf = leaf->next;
        cursor->leaf = leaf;
        index = 0;
    }
    if (out_key) *out_key = leaf->keys[index];
    if (out_value) *out_value = leaf->values[index];
    cursor->index = index + 1;
    return true;
}

bool hyi_tree_prev(hyi_tree_cursor *cursor, hyi_key *out_key, uint32_t *out_value) {
    tree_leaf *leaf = (tree_leaf *)cursor->leaf;
    if (!leaf) return false;
    uint32_t index = cursor->index;
    if (index == 0) {
        if (!leaf->prev) return false;
        leaf = leaf->prev;
        cursor->leaf = leaf;
        index = leaf->count;
    }
    index--;
    if (out_key) *out_key = leaf->keys[index];
    if (out_value) *out_value = leaf->values[index];
    cursor->index = index;
    return true;
}

// ---- nodes ----

static void tree_clear_keys(hyi_key *keys, uint32_t from, uint32_t width) {
    for (uint32_t i = from; i < width; i++)
        keys[i] = tree_key_max;
}

static tree_leaf *tree_new_leaf(hyi_tree *tree) {
    uint32_t index = 0;
    tree_leaf *leaf = (tree_leaf *)hyi_pool_take(&tree->leaves, &index);
    if (!leaf) return NULL;
    tree_clear_keys(leaf->keys, 0, TREE_LEAF_WIDTH);
    leaf->prev = leaf->next = NULL;
    leaf->count = 0;
    leaf->pool_index = index;
    return leaf;
}

// The caller has reserved it.
static tree_inner *tree_new_inner(hyi_tree *tree) {
    uint32_t index = 0;
    tree_inner *inner = (tree_inner *)hyi_pool_take(&tree->inners, &index);
    HY_ASSERT(inner != NULL);
    tree_clear_keys(inner->keys, 0, TREE_INNER_WIDTH);
    inner->count = 0;
    inner->pool_index = index;
    return inner;
}

// Opens or closes a gap of one. Loops rather than memmove: about ten places move, and the call
// alone would cost as much.
static void tree_leaf_put(tree_leaf *leaf, uint32_t index, hyi_key key, uint32_t value) {
    HY_ASSERT(leaf->count < TREE_LEAF_WIDTH);
    uint32_t behind = leaf->count - index;
    memmove(&leaf->keys[index + 1], &leaf->keys[index], behind * sizeof(hyi_key));
    memmove(&leaf->values[index + 1], &leaf->values[index], behind * sizeof(uint32_t));
    leaf->keys[index] = key;
    leaf->values[index] = value;
    leaf->count++;
}

static void tree_leaf_cut(tree_leaf *leaf, uint32_t index) {
    uint32_t behind = --leaf->count - index;
    memmove(&leaf->keys[index], &leaf->keys[index + 1], behind * sizeof(hyi_key));
    memmove(&leaf->values[index], &leaf->values[index + 1], behind * sizeof(uint32_t));
    leaf->keys[leaf->count] = tree_key_max;
}

// Puts `child` behind the child `index`; `bound` separates the two.
static void tree_inner_put(tree_inner *inner, uint32_t index, hyi_key bound, void *child) {
    HY_ASSERT(inner->count < TREE_INNER_WIDTH);
    HY_ASSERT(index < inner->count);
    uint32_t behind = inner->count - 1 - index;
    memmove(&inner->keys[index + 1], &inner->keys[index], behind * sizeof(hyi_key));
    memmove(&inner->children[index + 2], &inner->children[index + 1], behind * sizeof(void *));
    inner->keys[index] = bound;
    inner->children[index + 1] = child;
    inner->count++;
}

// Takes out the child behind the child `index`, which inherits its bound.
static void tree_inner_cut(tree_inner *inner, uint32_t index) {
    HY_ASSERT(index + 1 < inner->count);
    uint32_t behind = inner->count - 2 - index;
    memmove(&inner->keys[index], &inner->keys[index + 1], behind * sizeof(hyi_key));
    memmove(&inner->children[index + 1], &inner->children[index + 2], behind * sizeof(void *));
    inner->count--;
    inner->keys[inner->count - 1] = tree_key_max;
}

static void tree_find_path(const hyi_tree *tree, hyi_key key, tree_path *out_path) {
    void *node = tree->root;
    for (uint32_t depth = 0; depth < tree->height; depth++) {
        tree_inner *inner = (tree_inner *)node;
        uint32_t child = tree_rank_in_inner(inner->keys, key, false);
        out_path->inner[depth] = inner;
        out_path->child[depth] = child;
        node = inner->children[child];
    }
}

// ---- insert ----

static hy_err tree_reserve_split(hyi_tree *tree, const tree_path *path) {
    uint32_t inner_count = 0, depth = tree->height;
    while (depth > 0 && path->inner[depth - 1]->count == TREE_INNER_WIDTH) {
        inner_count++;
        depth--;
    }
    if (depth == 0) inner_count++; // all full: a new root
    if (depth == 0 && tree->height == TREE_HEIGHT_MAX) return HY_LIMIT;
    if (hyi_pool_reserve(&tree->leaves, 1) != HY_OK) return HY_NOMEM;
    return hyi_pool_reserve(&tree->inners, inner_count);
}

// Splits a full leaf around the place where an entry is to go; returns the right half and moves
// *leaf and *index to where the entry belongs now.
static tree_leaf *tree_split_leaf(hyi_tree *tree, tree_leaf **leaf, uint32_t *index) {
    tree_leaf *left = *leaf, *right = tree_new_leaf(tree);
    HY_ASSERT(right != NULL); // reserved
    uint32_t keep = TREE_LEAF_WIDTH / 2;
    if (!left->next && *index == TREE_LEAF_WIDTH)
        keep = TREE_LEAF_WIDTH; // at the right end: see the essay
    uint32_t moved = TREE_LEAF_WIDTH - keep;
    memcpy(right->keys, left->keys + keep, moved * sizeof(hyi_key));
    memcpy(right->values, left->values + keep, moved * sizeof(uint32_t));
    tree_clear_keys(left->keys, keep, TREE_LEAF_WIDTH);
    left->count = keep;
    right->count = moved;
    right->prev = left;
    right->next = left->next;
    if (right->next) right->next->prev = right;
    left->next = right;
    if (*index >= keep) {
        *leaf = right;
        *index -= keep;
    }
    return right;
}

// Splits a full inner node; returns the right half and, in *out_bound, what separates them.
static tree_inner *tree_split_inner(hyi_tree *tree, tree_inner *left, uint32_t keep,
                                    hyi_key *out_bound) {
    tree_inner *right = tree_new_inner(tree);
    uint32_t moved = TREE_INNER_WIDTH - keep;
    memcpy(right->children, left->children + keep, moved * sizeof(void *));
    memcpy(right->keys, left->keys + keep, (moved - 1) * sizeof(hyi_key));
    *out_bound = left->keys[keep - 1];
    tree_clear_keys(left->keys, keep - 1, TREE_INNER_WIDTH);
    left->count = keep;
    right->count = moved;
    return right;
}

// Hangs `child` into the path behind the child that was split, splitting upwards as needed.
static void tree_hang(hyi_tree *tree, const tree_path *path, hyi_key bound, void *child) {
    for (uint32_t depth = tree->height; depth > 0; depth--) {
        tree_inner *inner = path->inner[depth - 1];
        uint32_t at = path->child[depth - 1];
        if (inner->count < TREE_INNER_WIDTH) {
            tree_inner_put(inner, at, bound, child);
            return;
        }
        // At the right end of this node the left part keeps all but one child.
        uint32_t keep = at == TREE_INNER_WIDTH - 1 ? TREE_INNER_WIDTH - 1 : TREE_INNER_WIDTH / 2;
        hyi_key upper_bound;
        tree_inner *right = tree_split_inner(tree, inner, keep, &upper_bound);
        if (at < keep) {
            tree_inner_put(inner, at, bound, child);
        } else {
            tree_inner_put(right, at - keep, bound, child);
        }
        bound = upper_bound;
        child = right;
    }
    tree_inner *root = tree_new_inner(tree);
    root->children[0] = tree->root;
    root->count = 1;
    tree_inner_put(root, 0, bound, child);
    tree->root = root;
    tree->height++;
}

// Splits the full leaf where `key` belongs; the place of the key may move to the new leaf. The path
// is looked up only here: most inserts need none.
static hy_err tree_make_room(hyi_tree *tree, hyi_key key, tree_leaf **leaf, uint32_t *index) {
    tree_path path;
    tree_find_path(tree, key, &path);
    hy_err err = tree_reserve_split(tree, &path);
    if (err != HY_OK) return err;
    tree_leaf *left = *leaf, *right = tree_split_leaf(tree, leaf, index);
    tree_hang(tree, &path, left->keys[left->count - 1], right);
    return HY_OK;
}

hy_err hyi_tree_insert(hyi_tree *tree, hyi_key key, uint32_t value) {
    if (!tree->root) {
        if (tree->count_max == 0) return HY_LIMIT;
        tree->root = tree_new_leaf(tree);
        if (!tree->root) return HY_NOMEM;
    }
    tree_place place = tree_search(tree, key);
    tree_leaf *leaf = place.leaf;
    uint32_t index = place.index;
    if (tree_leaf_has(leaf, index, key)) return HY_EXISTS;
    if (tree->count >= tree->count_max) return HY_LIMIT;
    if (leaf->count == TREE_LEAF_WIDTH) {
        hy_err err = tree_make_room(tree, key, &leaf, &index);
        if (err != HY_OK) return err;
    }
    tree_leaf_put(leaf, index, key, value);
    if (key.hi != 0) tree->is_wide = true;
    tree->count++;
    return HY_OK;
}

// ---- erase ----

// Moves everything of `right` into `left`.
static void tree_join_leaves(hyi_tree *tree, tree_leaf *left, tree_leaf *right) {
    memcpy(left->keys + left->count, right->keys, right->count * sizeof(hyi_key));
    memcpy(left->values + left->count, right->values, right->count * sizeof(uint32_t));
    left->count += right->count;
    left->next = right->next;
    if (left->next) left->next->prev = left;
    hyi_pool_give(&tree->leaves, right->pool_index);
}

static void tree_join_inners(hyi_tree *tree, tree_inner *left, tree_inner *right, hyi_key bound) {
    left->keys[left->count - 1] = bound;
    memcpy(left->keys + left->count, right->keys, (right->count - 1) * sizeof(hyi_key));
    memcpy(left->children + left->count, right->children, right->count * sizeof(void *));
    left->count += right->count;
    hyi_pool_give(&tree->inners, right->pool_index);
}

static uint32_t tree_node_count(const void *node, bool is_leaf) {
    return is_leaf ? ((const tree_leaf *)node)->count : ((const tree_inner *)node)->count;
}

// Joins the children `at` and `at` + 1 of `inner` if the result is not too full.
static bool tree_try_join(hyi_tree *tree, tree_inner *inner, uint32_t at, bool are_leaves) {
    if (at + 1 >= inner->count) return false;
    void *left = inner->children[at], *right = inner->children[at + 1];
    uint32_t a = tree_node_count(left, are_leaves), b = tree_node_count(right, are_leaves);
    uint32_t width = are_leaves ? TREE_LEAF_WIDTH : TREE_INNER_WIDTH;
    if (a + b > width * 3 / 4) return false;
    if (are_leaves) {
        tree_join_leaves(tree, (tree_leaf *)left, (tree_leaf *)right);
    } else {
        tree_join_inners(tree, (tree_inner *)left, (tree_inner *)right, inner->keys[at]);
    }
    tree_inner_cut(inner, at);
    return true;
}

static void tree_lower_root(hyi_tree *tree) {
    while (tree->height > 0) {
        tree_inner *root = (tree_inner *)tree->root;
        if (root->count > 1) return;
        tree->root = root->children[0];
        tree->height--;
        hyi_pool_give(&tree->inners, root->pool_index);
    }
}

// The node at the end of the first `depth` steps of the path became thin: joins upwards while nodes
// are thin.
static void tree_join_up(hyi_tree *tree, const tree_path *path, uint32_t depth) {
    for (; depth > 0; depth--) {
        tree_inner *inner = path->inner[depth - 1];
        uint32_t at = path->child[depth - 1];
        bool are_leaves = depth == tree->height;
        bool joined = tree_try_join(tree, inner, at, are_leaves) ||
                      (at > 0 && tree_try_join(tree, inner, at - 1, are_leaves));
        if (!joined || inner->count >= TREE_INNER_WIDTH / 4) break;
    }
    tree_lower_root(tree);
}

// The leaf at the end of the path became empty: takes it out, and every inner node that had no
// other child.
static void tree_drop_leaf(hyi_tree *tree, const tree_path *path, tree_leaf *leaf) {
    if (leaf->prev) leaf->prev->next = leaf->next;
    if (leaf->next) leaf->next->prev = leaf->prev;
    hyi_pool_give(&tree->leaves, leaf->pool_index);
    uint32_t depth = tree->height;
    while (depth > 0 && path->inner[depth - 1]->count == 1) {
        hyi_pool_give(&tree->inners, path->inner[depth - 1]->pool_index);
        depth--;
    }
    if (depth == 0) {
        tree->root = NULL;
        tree->height = 0;
        return;
    }
    tree_inner *inner = path->inner[depth - 1];
    uint32_t at = path->child[depth - 1];
    if (at == 0) {
        inner->children[0] = inner->children[1]; // the second child steps into the first place
        tree_inner_cut(inner, 0);
    } else {
        tree_inner_cut(inner, at - 1);
    }
    if (inner->count < TREE_INNER_WIDTH / 4) {
        tree_join_up(tree, path, depth - 1);
    } else {
        tree_lower_root(tree);
    }
}

bool hyi_tree_erase(hyi_tree *tree, hyi_key key, uint32_t *out_value) {
    if (tree->count == 0) return false;
    tree_place place = tree_search(tree, key);
    tree_leaf *leaf = place.leaf;
    uint32_t index = place.index;
    if (!tree_leaf_has(leaf, index, key)) return false;
    if (out_value) *out_value = leaf->values[index];
    tree_leaf_cut(leaf, index);
    tree->count--;
    if (leaf->count >= TREE_LEAF_WIDTH / 4) return true;
    tree_path path;
    tree_find_path(tree, key, &path);
    if (leaf->count == 0) {
        tree_drop_leaf(tree, &path, leaf);
    } else {
        tree_join_up(tree, &path, tree->height);
    }
    return true;
}

// ---- reserve ----

// How many nodes `extra` inserts can take at most. At worst each insert hits another full node; but
// only nodes that are full now split at once, and a half that came from a split takes 16 more at
// least before it splits again. Both bounds hold, so the smaller one counts. Joining nodes gives
// back one node for each split that it makes possible, so erasing between the inserts changes
// nothing.
static uint32_t tree_nodes_needed(uint32_t extra, uint32_t per_insert, uint32_t node_count) {
    uint64_t each = (uint64_t)extra * per_insert;
    uint64_t amortised = 2 * (uint64_t)node_count + extra / 4 + 32;
    uint64_t needed = each < amortised ? each : amortised;
    return needed < UINT32_MAX / 2 ? (uint32_t)needed : UINT32_MAX / 2;
}

hy_err hyi_tree_reserve(hyi_tree *tree, uint32_t extra) {
    const hyi_pool *leaves = &tree->leaves, *inners = &tree->inners;
    uint32_t leaf_count = tree_nodes_needed(extra, 1, leaves->used_count);
    uint32_t inner_count = tree_nodes_needed(extra, tree->height + 1, inners->used_count);
    if (hyi_pool_reserve(&tree->leaves, leaf_count) != HY_OK) return HY_NOMEM;
    return hyi_pool_reserve(&tree->inners, inner_count);
}

// ---- the slow check ----

typedef struct tree_check {
    const tree_leaf *last_leaf; // the one before, in order
    uint32_t entry_count, leaf_count, inner_count;
} tree_check;

static void tree_check_leaf(tree_check *check, const tree_leaf *leaf, const hyi_key *above,
                            const hyi_key *bound) {
    HY_ASSERT(leaf->count > 0);
    HY_ASSERT(leaf->count <= TREE_LEAF_WIDTH);
    HY_ASSERT(leaf->prev == check->last_leaf);
    HY_ASSERT(HY_IMPLIES(leaf->prev, leaf->prev->next == leaf));
    for (uint32_t i = 0; i < leaf->count; i++) {
        HY_ASSERT(HY_IMPLIES(i > 0, hyi_key_compare(leaf->keys[i - 1], leaf->keys[i]) < 0));
        HY_ASSERT(HY_IMPLIES(above, hyi_key_compare(*above, leaf->keys[i]) < 0));
        HY_ASSERT(HY_IMPLIES(bound, hyi_key_compare(leaf->keys[i], *bound) <= 0));
    }
    for (uint32_t i = leaf->count; i < TREE_LEAF_WIDTH; i++)
        HY_ASSERT(hyi_key_equal(leaf->keys[i], tree_key_max));
    check->last_leaf = leaf;
    check->leaf_count++;
    check->entry_count += leaf->count;
}

// Keys below `node` are > *above and <= *bound, where those are given. Recursion ends with the
// height.
static void tree_check_node(tree_check *check, const void *node, uint32_t height,
                            const hyi_key *above, const hyi_key *bound) {
    if (height == 0) {
        tree_check_leaf(check, (const tree_leaf *)node, above, bound);
        return;
    }
    const tree_inner *inner = (const tree_inner *)node;
    HY_ASSERT(inner->count > 0);
    HY_ASSERT(inner->count <= TREE_INNER_WIDTH);
    for (uint32_t i = inner->count - 1; i < TREE_INNER_WIDTH; i++)
        HY_ASSERT(hyi_key_equal(inner->keys[i], tree_key_max));
    check->inner_count++;
    for (uint32_t i = 0; i < inner->count; i++) {
        bool is_last = i + 1 == inner->count;
        tree_check_node(check, inner->children[i], height - 1, i == 0 ? above : &inner->keys[i - 1],
                        is_last ? bound : &inner->keys[i]);
    }
}

bool hyi_tree_holds(const hyi_tree *tree) {
    tree_check check = { 0 };
    HY_ASSERT(tree->count <= tree->count_max);
    HY_ASSERT(tree->height <= TREE_HEIGHT_MAX);
    HY_ASSERT((tree->root == NULL) == (tree->count == 0));
    HY_ASSERT(HY_IMPLIES(tree->height > 0, ((const tree_inner *)tree->root)->count > 1));
    if (tree->root) tree_check_node(&check, tree->root, tree->height, NULL, NULL);
    HY_ASSERT(HY_IMPLIES(check.last_leaf, check.last_leaf->next == NULL));
    HY_ASSERT(check.entry_count == tree->count);
    HY_ASSERT(check.leaf_count == tree->leaves.used_count);
    HY_ASSERT(check.inner_count == tree->inners.used_count);
    return true;
}
