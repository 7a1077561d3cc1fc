// line.c - fibers that wait for their turn. What it is for is in line.h.
//
// A place in the line lies on its fiber's stack. Whoever is told something else than its turn
// leaves the line before anybody can call it, so a turn is never given to somebody who has gone.
#include "flow/line.h"

typedef struct line_place {
    hyi_wait wait;
    hyi_link link;
    hyi_line *line;
    uint32_t amount;
} line_place;

static void line_leave(line_place *place) {
    hyi_list_remove(&place->link);
    place->line->count--;
    place->line->amount -= place->amount;
}

static void line_unhook(hyi_wait *wait) {
    line_place *place = HYI_HOLDER(line_place, wait, wait);
    line_leave(place);
    if (place->line->left) place->line->left(place->line);
}

hy_err hyi_line_wait(hyi_line *line, uint32_t amount, const char *what) {
    if (line->count >= line->count_max) return HY_LIMIT;
    line_place place = { .wait = { .unhook = line_unhook, .what = what, .deadline = HY_NEVER },
                         .line = line,
                         .amount = amount };
    hyi_list_append(&line->waiting, &place.link);
    line->count++;
    line->amount += amount;
    return hyi_park(&place.wait);
}

uint32_t hyi_line_first(const hyi_line *line) {
    const hyi_link *first = hyi_list_first(&line->waiting);
    return first ? HYI_HOLDER(line_place, link, first)->amount : 0;
}

void hyi_line_call(hyi_line *line, hy_err err) {
    line_place *place = HYI_HOLDER(line_place, link, hyi_list_first(&line->waiting));
    line_leave(place);
    hyi_wake(place->wait.task, err);
}

void hyi_line_call_all(hyi_line *line, hy_err err) {
    while (line->count > 0)
        hyi_line_call(line, err);
}
