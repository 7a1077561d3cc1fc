// tree_walk.h - going through a tree of scopes row by row.          Room: scope. Includes: world.
// Threads: the world's. Between two rows nothing may run: the cursors point into the tree.
//
// Down by cursors, one a level, so a deep tree costs no stack. What is deeper than HYI_TREE_DEPTH
// is left out, and of each kind of child all but the first HYI_TREE_WIDTH are counted in one row: a
// tree of a million fibers must not become a million lines. A service stands for its own scope:
// what that scope holds comes below the service.
#ifndef HYI_SCOPE_TREE_WALK_H
#define HYI_SCOPE_TREE_WALK_H

#include "scope/service.h"

#define HYI_TREE_DEPTH 24u
#define HYI_TREE_WIDTH 32u

typedef enum hyi_tree_kind {
    HYI_TREE_TASK, // in the order in which a scope's children come
    HYI_TREE_SCOPE,
    HYI_TREE_SERVICE,
    HYI_TREE_REST, // more of the kind that came before
    HYI_TREE_KINDS = HYI_TREE_REST
} hyi_tree_kind;

typedef struct hyi_tree_row {
    hyi_tree_kind kind;
    const hy_task *task;       // also a service's; NULL: none
    const hy_scope *scope;     // the scope itself, or the service's own; NULL: none
    const hy_service *service; // HYI_TREE_SERVICE
    uint32_t count;            // HYI_TREE_REST: so many are not shown
    uint32_t depth;            // 0: the top
} hyi_tree_row;

// Where the walk is among the children of one scope.
typedef struct hyi_tree_level {
    const hy_scope *scope;
    hyi_tree_kind kind;
    const hyi_link *next; // of that kind
    uint32_t shown;       // of that kind
} hyi_tree_level;

typedef struct hyi_tree_walk {
    hyi_tree_level levels[HYI_TREE_DEPTH];
    uint32_t depth; // levels in use
} hyi_tree_walk;

// The first row is the top itself.
hyi_tree_row hyi_tree_begin(hyi_tree_walk *walk, const hy_scope *top);
// The next row, its children after it. False: that was all.
bool hyi_tree_walk_next(hyi_tree_walk *walk, hyi_tree_row *out_row);
// Do more rows come at this depth (1: below the top), under the same parent?
bool hyi_tree_has_more(const hyi_tree_walk *walk, uint32_t depth);

const char *hyi_tree_phase(const hy_service *service); // "up"
const char *hyi_tree_task_state(const hy_task *task);  // "waiting"
void hyi_tree_json(const hy_scope *top, hy_buf *out);  // tree_json.c

#endif
