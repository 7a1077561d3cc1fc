// line.h - fibers that wait for their turn.                        Room: flow. Includes: scope.
// Threads: the world's.
//
// A bounded queue of waiting fibers, first come, first served: what gates and rate limits share.
// Each asks for an amount, which only the owner understands.
#ifndef HYI_FLOW_LINE_H
#define HYI_FLOW_LINE_H

#include "scope/wait.h"

typedef struct hyi_line {
    hyi_list waiting;
    uint32_t count, count_max;
    uint64_t amount; // all that is asked for
    // Somebody was told to go without his turn, which may be another's now. It runs where he was
    // told, so it calls nobody itself. NULL: nothing to do.
    void (*left)(struct hyi_line *line);
} hyi_line;

static inline void hyi_line_init(hyi_line *line, uint32_t count_max) {
    hyi_list_init(&line->waiting);
    line->count = 0;
    line->count_max = count_max;
    line->amount = 0;
    line->left = NULL;
}

// Fiber. HY_LIMIT: the line is full. Otherwise what hyi_line_call said, or why the fiber was told
// to go. `what` names the wait in the scope tree.
HY_CHECKED hy_err hyi_line_wait(hyi_line *line, uint32_t amount, const char *what);
uint32_t hyi_line_first(const hyi_line *line); // what the first asks for; 0: nobody waits
// The first one goes on with `err`.
void hyi_line_call(hyi_line *line, hy_err err);
void hyi_line_call_all(hyi_line *line, hy_err err);

#endif
