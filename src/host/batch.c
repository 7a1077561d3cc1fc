// batch.c - what steps leave behind until their commit is known.
//
// A batch gathers, for steps that share one commit: the frames for the store, the calls to answer,
// the looks that saw the result, and what follows when it is durable: new ledger rows to run, rows
// that went, copies of changed rows for observers. Everything that memory will not hold any more by
// then is copied at step time, into the batch's arena.
//
// Invariant: taking a step is all or nothing. Pending records are made here and not when the commit
// is done, because then there would be nobody left to refuse for want of memory.
#include "host/inside.h"
#include <string.h>

static bool batch_note_changes(hy_host *host, hyi_batch *batch, uint64_t seq);
static bool batch_note_ledger(hy_host *host, hyi_batch *batch, hy_change change);
static bool batch_note_untracked(hy_host *host, hyi_batch *batch, const hy_outcome *outcome);
static void batch_free_added(hy_host *host, hyi_batch *batch, const hyi_pending *keep_last);

void hyi_batch_init(hyi_batch *batch, hy_mem *mem) {
    *batch = (hyi_batch){ 0 };
    hy_buf_init(&batch->frames, mem, 0);
    hy_arena_init(&batch->arena, mem, 0);
    batch->removed_tail = &batch->removed;
    batch->changed_tail = &batch->changed;
}

void hyi_batch_clear(hy_host *host, hyi_batch *batch) {
    HY_ASSERT(batch->calls.first == NULL && batch->looks.first == NULL);
    batch_free_added(host, batch, NULL);
    hy_buf_clear(&batch->frames);
    hy_arena_reset(&batch->arena);
    batch->entry_count = 0;
    batch->first_seq = batch->last_seq = 0;
    batch->removed = NULL;
    batch->removed_tail = &batch->removed;
    batch->changed = NULL;
    batch->changed_tail = &batch->changed;
}

void hyi_batch_deinit(hy_host *host, hyi_batch *batch) {
    hyi_news_free(host->mem, batch->news);
    batch_free_added(host, batch, NULL);
    hy_buf_deinit(&batch->frames);
    hy_arena_deinit(&batch->arena);
}

bool hyi_batch_is_empty(const hyi_batch *batch) {
    HY_ASSERT(HY_IMPLIES(batch->looks.first != NULL, batch->calls.first != NULL));
    return batch->calls.first == NULL;
}

hy_err hyi_batch_take(hy_host *host, hyi_batch *batch, hy_call *call, const hy_outcome *outcome) {
    const size_t frames_len = batch->frames.len;
    const hyi_pending *added_last = batch->added.last;
    hyi_removed **removed_tail = batch->removed_tail;
    hyi_changed **changed_tail = batch->changed_tail;
    const uint64_t seq = call->seq;

    bool ok = true;
    call->reply = hy_arena_copy(&batch->arena, outcome->reply, &ok);
    // A rejected step changed no row of the machine, but it may have used up a ledger row.
    ok = ok && batch_note_changes(host, batch, seq) && batch_note_untracked(host, batch, outcome);
    if (ok) {
        hy_frame_add(&batch->frames, outcome->entry);
        ok = batch->frames.failed == HY_OK;
    }
    if (!ok) {
        batch->frames.len = frames_len;
        batch->frames.failed = HY_OK;
        batch_free_added(host, batch, added_last);
        *removed_tail = NULL;
        batch->removed_tail = removed_tail;
        *changed_tail = NULL;
        batch->changed_tail = changed_tail;
        return HY_NOMEM;
    }
    if (batch->entry_count == 0) batch->first_seq = seq;
    batch->last_seq = seq;
    batch->entry_count++;
    return HY_OK;
}

static bool batch_note_changes(hy_host *host, hyi_batch *batch, uint64_t seq) {
    const uint32_t count = hy_state_change_count(host->state);
    for (uint32_t i = 0; i < count; i++) {
        const hy_change change = hy_state_change(host->state, i);
        const bool is_ledger = change.table == HY_LEDGER;
        if (is_ledger && !batch_note_ledger(host, batch, change)) return false;
        // Answers and counters are nobody's business.
        if (!is_ledger && change.table >= host->machine->table_count) continue;
        if (host->observer_count == 0) continue;
        const bool is_carried = host->home != NULL && host->home->tell != NULL;
        if (is_carried && batch->news == NULL) batch->news = hyi_news_new(host->mem);
        if (is_carried && batch->news == NULL) return false;
        const hy_record *row = hy_machine_table(host->machine, change.table)->row;
        hyi_changed *changed = hy_arena_alloc(&batch->arena, sizeof *changed);
        if (changed == NULL) return false;
        bool ok = true;
        *changed = (hyi_changed){
            .seq = seq,
            .table = change.table,
            .before = hyi_row_copy(row, change.before, &batch->arena, &ok),
            .after = hyi_row_copy(row, change.after, &batch->arena, &ok),
        };
        if (!ok) return false;
        *batch->changed_tail = changed;
        batch->changed_tail = &changed->next;
    }
    return true;
}

// The ledger's own changes are the truth about what has to be run: an action that was emitted and
// cancelled in one step does not show, and a completion by whatever way shows as a row that went.
static bool batch_note_ledger(hy_host *host, hyi_batch *batch, hy_change change) {
    if (change.before == NULL && change.after != NULL) {
        const hy_ledger_row *row = change.after;
        hyi_pending *pending = hyi_pending_new(host, row->id, row->kind);
        if (pending == NULL) return false;
        pending->tracked = true;
        pending->timer = row->due != 0;
        pending->effect.deadline = row->due;
        hyi_pendings_push(&batch->added, pending);
    }
    if (change.before != NULL && change.after == NULL) {
        hyi_removed *removed = hy_arena_alloc(&batch->arena, sizeof *removed);
        if (removed == NULL) return false;
        *removed = (hyi_removed){ .action_id = ((const hy_ledger_row *)change.before)->id };
        *batch->removed_tail = removed;
        batch->removed_tail = &removed->next;
    }
    return true;
}

static bool batch_note_untracked(hy_host *host, hyi_batch *batch, const hy_outcome *outcome) {
    for (uint32_t i = 0; i < outcome->action_count; i++) {
        const hy_action *action = &outcome->actions[i];
        if (action->tracked) continue; // the ledger tells of those, and of timers
        hyi_pending *pending = hyi_pending_new(host, action->id, action->kind);
        if (pending == NULL) return false;
        hyi_pendings_push(&batch->added, pending);
        bool ok = true;
        pending->wire = hy_arena_copy(&pending->arena, action->body, &ok);
        if (!ok) return false;
    }
    return true;
}

static void batch_free_added(hy_host *host, hyi_batch *batch, const hyi_pending *keep_last) {
    while (batch->added.last != keep_last) {
        hyi_pending *pending = batch->added.last;
        hyi_pendings_remove(&batch->added, pending);
        hyi_pending_free(host, pending);
    }
}
