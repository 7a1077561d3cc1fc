// due.h - what happens next: points in time in order.              Room: host. Includes: base.
// Threads: one owner. Ownership: the records are the caller's and lie inside its own structs.
// Limits: none; nothing here allocates, so putting a thing off can never fail.
//
// A pairing heap of intrusive records. Equal times come in the order in which they were added.
#ifndef HYI_HOST_DUE_H
#define HYI_HOST_DUE_H

#include <hypha/base.h>

typedef struct hyi_due {
    hy_ns at;
    uint64_t order;
    struct hyi_due *child, *next; // first child, next sibling
    struct hyi_due *prev;         // previous sibling, or for a first child its parent
    bool added;
} hyi_due;

typedef struct hyi_dues {
    hyi_due *first; // the earliest, or NULL
    uint64_t order; // given to the next one that is added
} hyi_dues;

void hyi_due_add(hyi_dues *dues, hyi_due *due, hy_ns at); // must not be in a heap
void hyi_due_remove(hyi_dues *dues, hyi_due *due);        // fine when it is in none
// Takes the earliest out if it is not after `now`; else NULL.
hyi_due *hyi_due_take(hyi_dues *dues, hy_ns now);

#endif
