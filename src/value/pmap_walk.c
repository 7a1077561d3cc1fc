// Walking a map, and walking two versions of a map at once.
//
// A cursor gives the entries of a node first, then goes into its children: the order of the trie,
// and so of the contents.
//
// The diff visits the places of two nodes in step, and passes by where both hold the same child.
// Where one side has a single entry and the other a child, the entry is followed down as if it were
// a node with one entry (a "lone" entry): it has one place on every level, by its hash. Colliding
// keys are in order, so there two lists are merged.
#include "value/pmap.h"

#include "value/item.h"

hy_pmap_cursor hy_pmap_first(const hy_pmap *map) {
    hy_pmap_cursor cursor = { .map = map };
    if (map->root == NULL) return cursor;
    cursor.depth = 1;
    cursor.levels[0].node = map->root;
    cursor.levels[0].next = 0;
    return cursor;
}

bool hy_pmap_next(hy_pmap_cursor *cursor, const void **out_key, const void **out_value) {
    const hyi_champ_form *form = &cursor->map->form;
    while (cursor->depth > 0) {
        const hyi_champ *node = cursor->levels[cursor->depth - 1].node;
        uint32_t next = cursor->levels[cursor->depth - 1].next++;
        if (next < node->entries) {
            const uint8_t *entry = hyi_champ_entry(form, node, next);
            *out_key = entry;
            *out_value = entry + form->value_at;
            return true;
        }
        next -= node->entries;
        if (next >= hyi_champ_count(node->nodes)) {
            cursor->depth -= 1;
            continue;
        }
        HY_ASSERT(cursor->depth < HYI_PMAP_LEVELS);
        cursor->levels[cursor->depth].node = hyi_champ_children(form, node)[next];
        cursor->levels[cursor->depth].next = 0;
        cursor->depth += 1;
    }
    return false;
}

// ---- diff -------------------------------------------------------------------------------------

// What one side has at one place.
typedef struct pmap_side {
    const hyi_champ *node;
    const uint8_t *entry;
} pmap_side;

static uint32_t pmap_places(const hy_pmap_diff *diff, uint32_t level, uint32_t side) {
    if (diff->levels[level].lone[side] != NULL) {
        return hyi_champ_bit(diff->levels[level].hashes[side], level);
    }
    const hyi_champ *node = diff->levels[level].nodes[side];
    return node == NULL ? 0 : node->data | node->nodes;
}

static void pmap_diff_enter(hy_pmap_diff *diff, const pmap_side sides[2]) {
    uint32_t level = diff->depth;
    HY_ASSERT(level < HYI_PMAP_LEVELS);
    for (uint32_t side = 0; side < 2; side++) {
        const uint8_t *lone = sides[side].entry;
        diff->levels[level].nodes[side] = sides[side].node;
        diff->levels[level].lone[side] = lone;
        diff->levels[level].at[side] = 0;
        if (lone == NULL) continue;
        diff->levels[level].hashes[side] = hyi_item_hash(diff->map->form.key, lone);
    }
    diff->depth += 1;
    diff->levels[level].left = 0;
    if (level == HYI_CHAMP_COLLISIONS) return;
    diff->levels[level].left = pmap_places(diff, level, 0) | pmap_places(diff, level, 1);
}

static pmap_side pmap_side_at(const hy_pmap_diff *diff, uint32_t level, uint32_t side,
                              uint32_t bit) {
    const hyi_champ *node = diff->levels[level].nodes[side];
    const uint8_t *lone = diff->levels[level].lone[side];
    pmap_side found = { .node = NULL };
    if ((pmap_places(diff, level, side) & bit) == 0) return found;
    if (lone != NULL) {
        found.entry = lone;
    } else if ((node->data & bit) != 0) {
        found.entry = hyi_champ_entry_at(&diff->map->form, node, bit);
    } else {
        found.node = *hyi_champ_child_at(&diff->map->form, node, bit);
    }
    return found;
}

// Gives the difference between two entries, either of which may be missing; false when equal.
static bool pmap_tell(hy_pmap_diff *diff, const uint8_t *before, const uint8_t *after,
                      hy_pmap_change *out_change) {
    const hyi_champ_form *form = &diff->map->form;
    if (before != NULL && after != NULL) {
        if (hyi_item_compare(form->key, before, after) != 0) {
            diff->added = after;
            after = NULL;
        } else if (hyi_item_compare(form->value, before + form->value_at, after + form->value_at) ==
                   0) {
            return false;
        }
    }
    out_change->key = before != NULL ? before : after;
    out_change->before = before != NULL ? before + form->value_at : NULL;
    out_change->after = after != NULL ? after + form->value_at : NULL;
    return true;
}

// The entry of a side's list of collisions that is next, or NULL.
static const uint8_t *pmap_colliding(const hy_pmap_diff *diff, uint32_t level, uint32_t side) {
    uint32_t at = diff->levels[level].at[side];
    const uint8_t *lone = diff->levels[level].lone[side];
    if (lone != NULL) return at == 0 ? lone : NULL;
    const hyi_champ *node = diff->levels[level].nodes[side];
    if (node == NULL || at >= node->entries) return NULL;
    return hyi_champ_entry(&diff->map->form, node, at);
}

// One step of merging; false when both lists are over.
static bool pmap_merge(hy_pmap_diff *diff, uint32_t level, const uint8_t **out_before,
                       const uint8_t **out_after) {
    const uint8_t *before = pmap_colliding(diff, level, 0);
    const uint8_t *after = pmap_colliding(diff, level, 1);
    if (before == NULL && after == NULL) return false;
    int order = before == NULL ? 1 : -1;
    if (before != NULL && after != NULL) {
        order = hyi_item_compare(diff->map->form.key, before, after);
    }
    if (order <= 0) diff->levels[level].at[0] += 1;
    if (order >= 0) diff->levels[level].at[1] += 1;
    *out_before = order <= 0 ? before : NULL;
    *out_after = order >= 0 ? after : NULL;
    return true;
}

hy_pmap_diff hy_pmap_diff_first(const hy_pmap *before, const hy_pmap *after) {
    HY_ASSERT(before->form.stride == after->form.stride);
    hy_pmap_diff diff = { .map = before };
    pmap_side sides[2] = { { .node = before->root }, { .node = after->root } };
    if (before->root != after->root) pmap_diff_enter(&diff, sides);
    return diff;
}

bool hy_pmap_diff_next(hy_pmap_diff *diff, hy_pmap_change *out_change) {
    if (diff->added != NULL) {
        const uint8_t *added = diff->added;
        diff->added = NULL;
        return pmap_tell(diff, NULL, added, out_change);
    }
    while (diff->depth > 0) {
        uint32_t level = diff->depth - 1;
        if (level == HYI_CHAMP_COLLISIONS) {
            const uint8_t *before, *after;
            if (!pmap_merge(diff, level, &before, &after)) {
                diff->depth -= 1;
            } else if (pmap_tell(diff, before, after, out_change)) {
                return true;
            }
            continue;
        }
        uint32_t left = diff->levels[level].left, bit = left & (0 - left);
        if (left == 0) {
            diff->depth -= 1;
            continue;
        }
        diff->levels[level].left = left & (left - 1);
        pmap_side sides[2] = { pmap_side_at(diff, level, 0, bit),
                               pmap_side_at(diff, level, 1, bit) };
        if (sides[0].node != NULL || sides[1].node != NULL) {
            if (sides[0].node != sides[1].node) pmap_diff_enter(diff, sides);
        } else if (pmap_tell(diff, sides[0].entry, sides[1].entry, out_change)) {
            return true;
        }
    }
    return false;
}
