// undo.c - the lives of the log's queues.
//
// What is done with them is elsewhere: txn.c logs, revoke.c cancels, rewinds and releases, step.c
// collects what changed.

#include "machine/undo.h"

void hyi_undo_init(hyi_undo *undo, hy_mem *mem) {
    hyi_queue_init(&undo->steps, mem, sizeof(hyi_undo_step));
    hyi_queue_init(&undo->entries, mem, sizeof(hyi_undo_entry));
    hyi_queue_init(&undo->bytes, mem, 1);
    hyi_queue_init(&undo->blobs, mem, sizeof(hyi_undo_blob));
}

void hyi_undo_deinit(hyi_undo *undo) {
    hyi_queue_deinit(&undo->steps);
    hyi_queue_deinit(&undo->entries);
    hyi_queue_deinit(&undo->bytes);
    hyi_queue_deinit(&undo->blobs);
}
