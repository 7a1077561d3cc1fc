// replay.c - proving a store: every input again, every digest met.
//
// A commit stores what came in and what it changed; recovery uses the second, this file the first.
// It starts from an empty state, steps every journaled input again and compares digest, chain,
// answer and actions of each step with the journal, and at the checkpoint with the tables. When all
// meet, code and data prove each other; the first step that does not is named, with the rows in
// which it differs.
//
// No host and no executor takes part: replaying has no effects. The memory of idempotency keys is
// kept one answer long, because a journaled input was run and never a duplicate, whatever the
// host's limit was; it is no part of the digests.
#include "host/inside.h"
#include "base/cleanup.h"
#include "base/options.h"
#include "base/why.h"
#include <hypha/store.h>
#include <string.h>

#define REPLAY_PROGRESS_EVERY 4096u

typedef struct replay_run {
    const hy_machine *machine;
    hy_verify_options options;
    hy_store_machine stored;
    hy_state *state;
    hy_arena arena; // of one entry
    hy_verify_result result;
} replay_run;

static hy_err replay_find(hy_store *store, replay_run *run, hy_arena *arena, hy_why *why);
static hy_err replay_journal(hy_store *store, replay_run *run, hy_why *why);
static hy_err replay_batch(replay_run *run, hy_bytes frames, hy_why *why);
static hy_err replay_entry(replay_run *run, hy_bytes bytes, hy_why *why);
static hy_err replay_checkpoint(const replay_run *run, hy_why *why);
static hy_err replay_difference(replay_run *run, const hy_entry *entry);

static void replay_deinit(replay_run *run) {
    hy_arena_deinit(&run->arena);
    (void)hy_state_free(run->state);
}

hy_err hy_host_verify(hy_store *store, const hy_machine *machine, const hy_verify_options *options,
                      hy_verify_result *out_result, hy_why *why) {
    HY_CLEANUP(replay_deinit) replay_run run = { .machine = machine };
    hyi_options_read(&run.options, sizeof run.options, options);
    if (run.options.mem == NULL) run.options.mem = hy_mem_system();
    hy_mem *mem = run.options.mem;
    hy_arena_init(&run.arena, mem, 0);
    HY_CLEANUP(hy_arena_deinit) hy_arena described = { 0 };
    hy_arena_init(&described, mem, 0);
    *out_result = (hy_verify_result){ 0 };

    hy_err err = hy_machine_check(machine, why);
    if (err == HY_OK) err = replay_find(store, &run, &described, why);
    if (err == HY_OK) {
        err = hy_state_new(
            mem, machine,
            HY_OPTIONS(hy_state, .keep_undo = true, .record_entries = true, .answers_max = 1),
            &run.state, why);
    }
    if (err == HY_OK) err = replay_checkpoint(&run, why);
    if (err == HY_OK) err = replay_journal(store, &run, why);
    *out_result = run.result;
    return err;
}

static hy_err replay_find(hy_store *store, replay_run *run, hy_arena *arena, hy_why *why) {
    const hy_store_machine *machines = NULL;
    size_t count = 0;
    hy_err err = hy_store_machines(store, arena, &machines, &count, why);
    if (err != HY_OK) return err;
    const char *name = run->machine->name;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(machines[i].described->name, name) != 0) continue;
        run->stored = machines[i];
        const hy_bytes key = run->options.instance;
        if (key.len > 0) {
            err = hy_store_instance(store, machines[i].number, key, arena, &run->stored, why);
            if (err != HY_OK) return err;
        }
        if (run->stored.first_seq > 1) {
            return hyi_why_fmt(why, HY_UNSUPPORTED, name,
                               "the journal begins at %u: without its beginning it cannot be "
                               "replayed",
                               run->stored.first_seq);
        }
        return HY_OK;
    }
    return hyi_why_fmt(why, HY_NOT_FOUND, name, "the store holds no machine of this name");
}

static hy_err replay_journal(hy_store *store, replay_run *run, hy_why *why) {
    const hy_store_driver *driver = store->driver;
    hy_journal_cursor *cursor = NULL;
    hy_err err = driver->journal_open(store, run->stored.number, 1, &cursor, why);
    if (err != HY_OK) return err;
    hy_batch batch = { 0 };
    while ((err = driver->journal_next(cursor, &batch, why)) == HY_OK) {
        err = replay_batch(run, batch.body, why);
        if (err != HY_END) break;
    }
    driver->journal_close(cursor);
    if (err != HY_END) return err;
    const bool is_short = run->stored.checkpoint_seq > run->result.seq;
    if (!is_short) return HY_OK;
    return hyi_why_fmt(why, HY_CORRUPT, run->machine->name,
                       "the journal ends at %u, but the tables are of %u", run->result.seq,
                       run->stored.checkpoint_seq);
}

// HY_END: all of it was met.
static hy_err replay_batch(replay_run *run, hy_bytes frames, hy_why *why) {
    hy_bytes bytes = { 0 };
    hy_err err = HY_OK;
    while ((err = hy_frame_next(&frames, &bytes, why)) == HY_OK) {
        err = replay_entry(run, bytes, why);
        if (err == HY_OK) err = replay_checkpoint(run, why);
        if (err != HY_OK) break;
    }
    return err;
}

static hy_err replay_entry(replay_run *run, hy_bytes bytes, hy_why *why) {
    hy_arena_reset(&run->arena);
    hy_entry entry = { 0 };
    hy_err err = hy_entry_decode(bytes, &run->arena, &entry, why);
    if (err != HY_OK) return err;
    run->result.seq = entry.seq;
    if (entry.version != run->machine->version) {
        return hyi_why_fmt(why, HY_UNSUPPORTED, run->machine->name,
                           "entry %u was written by version %u and this is version %u: replay it "
                           "with that one",
                           entry.seq, (uint64_t)entry.version, (uint64_t)run->machine->version);
    }
    err = hy_state_replay(run->state, &entry, why);
    if (err == HY_NONDETERMINISTIC && run->options.difference != NULL) {
        hy_state_rewind(run->state, entry.seq - 1);
        const hy_err told = replay_difference(run, &entry);
        if (told != HY_OK) return told;
    }
    if (err != HY_OK) return err;
    hy_state_release(run->state, entry.seq);
    run->result.steps++;
    run->result.digest = entry.digest;
    run->result.chain = entry.chain;
    if (run->options.progress != NULL &&
        (run->result.steps % REPLAY_PROGRESS_EVERY == 0 || entry.seq == run->stored.last_seq)) {
        run->options.progress(run->options.self, entry.seq, run->stored.last_seq);
    }
    return HY_OK;
}

// The tables were written by following the changes, never by stepping: here the two must meet.
static hy_err replay_checkpoint(const replay_run *run, hy_why *why) {
    if (run->result.seq != run->stored.checkpoint_seq || run->result.seq == 0) return HY_OK;
    const bool meets = hy_state_digest(run->state) == run->stored.checkpoint_digest &&
                       hy_state_chain(run->state) == run->stored.checkpoint_chain;
    if (meets) return HY_OK;
    return hyi_why_fmt(why, HY_NONDETERMINISTIC, "checkpoint",
                       "the tables are of entry %u, but with another digest", run->result.seq);
}

// ---- which rows differ ------------------------------------------------------------------------

typedef struct replay_row { // what one side says about one row
    uint32_t table;
    hy_bytes key; // wire form of a row with nothing but its key
    const void *key_row;
    const void *row; // NULL: gone
    hy_bytes wire;
} replay_row;

typedef struct replay_rows {
    replay_row *ptr;
    size_t len;
} replay_rows;

static hy_err replay_step_again(replay_run *run, const hy_entry *entry, replay_rows *out_rows);
static hy_err replay_collect(replay_run *run, const hy_entry *entry, replay_rows *out_rows);
static hy_err replay_row_of(replay_run *run, const hy_entry_change *change, replay_row *out_row);
static hy_err replay_tell(replay_run *run, const replay_row *about, const replay_row *stored,
                          const replay_row *stepped);

static const replay_row *replay_match(const replay_rows *rows, const replay_row *wanted) {
    for (size_t i = 0; i < rows->len; i++) {
        const replay_row *row = &rows->ptr[i];
        if (row->table == wanted->table && hy_bytes_equal(row->key, wanted->key)) return row;
    }
    return NULL;
}

static bool replay_same(const replay_row *a, const replay_row *b) {
    return (a->row == NULL) == (b->row == NULL) && hy_bytes_equal(a->wire, b->wire);
}

// The state stands before the entry. What differs goes to options.difference.
static hy_err replay_difference(replay_run *run, const hy_entry *entry) {
    replay_rows stored = { 0 }, stepped = { 0 };
    hy_err err = replay_collect(run, entry, &stored);
    if (err == HY_OK) err = replay_step_again(run, entry, &stepped);
    for (size_t i = 0; i < stored.len && err == HY_OK; i++) {
        const replay_row *other = replay_match(&stepped, &stored.ptr[i]);
        if (other != NULL && replay_same(&stored.ptr[i], other)) continue;
        err = replay_tell(run, &stored.ptr[i], &stored.ptr[i], other);
    }
    for (size_t i = 0; i < stepped.len && err == HY_OK; i++) {
        if (replay_match(&stored, &stepped.ptr[i]) != NULL) continue;
        err = replay_tell(run, &stepped.ptr[i], NULL, &stepped.ptr[i]);
    }
    return err;
}

static hy_err replay_step_again(replay_run *run, const hy_entry *entry, replay_rows *out_rows) {
    hy_input input = { .seq = entry->seq,
                       .key = entry->key,
                       .now = entry->now,
                       .random = entry->random,
                       .kind = entry->kind,
                       .action_id = entry->action_id };
    const hy_record *record = run->machine->inputs[entry->kind].body;
    if (record != NULL) {
        void *body = hy_arena_alloc(&run->arena, record->size);
        if (body == NULL) return HY_NOMEM;
        hy_err err = hy_wire_decode(record, entry->body, &run->arena, body, NULL);
        if (err != HY_OK) return err;
        input.body = body;
    }
    hy_outcome outcome = { 0 };
    (void)hy_state_step(run->state, &input, &outcome);
    if (outcome.entry.len == 0) return HY_OK; // refused: it changed nothing
    hy_entry again = { 0 };
    hy_err err = hy_entry_decode(outcome.entry, &run->arena, &again, NULL);
    if (err == HY_OK) err = replay_collect(run, &again, out_rows);
    hy_state_rewind(run->state, entry->seq - 1); // rows before the step are shown from the state
    return err;
}

static hy_err replay_collect(replay_run *run, const hy_entry *entry, replay_rows *out_rows) {
    out_rows->ptr = hy_arena_alloc(&run->arena, (entry->changes.len + 1) * sizeof(replay_row));
    if (out_rows->ptr == NULL) return HY_NOMEM;
    for (size_t i = 0; i < entry->changes.len; i++) {
        const hy_entry_change *change = &entry->changes.ptr[i];
        if (change->table == HY_ANSWER || change->table == HY_ANSWER_ORDER) continue;
        hy_err err = replay_row_of(run, change, &out_rows->ptr[out_rows->len]);
        if (err != HY_OK) return err;
        out_rows->len++;
    }
    return HY_OK;
}

static hy_err replay_row_of(replay_run *run, const hy_entry_change *change, replay_row *out_row) {
    const hy_table *table = hy_machine_table(run->machine, change->table);
    if (table == NULL) return HY_CORRUPT;
    const hy_record *record = table->row;
    uint8_t *row = hy_arena_alloc(&run->arena, record->size);
    uint8_t *key_row = hy_arena_alloc(&run->arena, record->size);
    if (row == NULL || key_row == NULL) return HY_NOMEM;
    hy_err err = hy_wire_decode(record, change->row, &run->arena, row, NULL);
    if (err != HY_OK) return err;
    memset(key_row, 0, record->size);
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < table->key_count; i++) {
        memcpy(key_row + fields[i].offset, row + fields[i].offset, fields[i].size);
    }
    HY_CLEANUP(hy_buf_deinit) hy_buf wire = { 0 };
    hy_buf_init(&wire, run->options.mem, 0);
    err = hy_wire_encode(record, key_row, &wire);
    if (err != HY_OK) return err;
    bool ok = true;
    const hy_bytes key = hy_arena_copy(&run->arena, hy_buf_bytes(&wire), &ok);
    *out_row = (replay_row){ .table = change->table,
                             .key = key,
                             .key_row = key_row,
                             .row = change->gone ? NULL : row,
                             .wire = change->row };
    return ok ? HY_OK : HY_NOMEM;
}

static hy_err replay_tell_row(hy_buf *out, const char *name, const hy_record *record,
                              const void *row) {
    hy_buf_add_text(out, name);
    if (row != NULL) return hy_json_encode(record, row, out);
    hy_buf_add_text(out, "null");
    return out->failed;
}

// {"table":"booking","before":{...},"stored":{...},"stepped":null}
static hy_err replay_tell(replay_run *run, const replay_row *about, const replay_row *stored,
                          const replay_row *stepped) {
    const hy_table *table = hy_machine_table(run->machine, about->table);
    const void *before = hy_row_get(hy_state_view(run->state), about->table, about->key_row);
    hy_buf *out = run->options.difference;
    hy_buf_add_text(out, "{\"table\":\"");
    hy_buf_add_text(out, table->name);
    hy_err err = replay_tell_row(out, "\",\"before\":", table->row, before);
    if (err == HY_OK) {
        err = replay_tell_row(out, ",\"stored\":", table->row, stored ? stored->row : before);
    }
    if (err == HY_OK) {
        err = replay_tell_row(out, ",\"stepped\":", table->row, stepped ? stepped->row : before);
    }
    hy_buf_add_text(out, "}\n");
    return err == HY_OK ? out->failed : err;
}
