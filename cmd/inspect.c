// inspect.c - `hypha inspect FILE`: what is in a store, without the program that wrote it.
//
// A store describes its machines, so their rows can be loaded into a state whose machine has tables
// and records but no code; loading runs no step, takes the journal's tail in, and checks every
// digest on the way. So what is shown is the truth of this moment, proven, also while a service
// goes on writing.
#include "tool.h"
#include "base/cleanup.h"
#include <stdio.h>
#include <string.h>

static const char inspect_help[] =
    "usage: hypha inspect FILE [--instance KEY] [--rows TABLE] [--journal] [--json]\n"
    "\n"
    "Shows what is in a store: machines, how many rows each table has, what is pending, what the\n"
    "journal holds, and the digests. Needs only the file, changes nothing, and works while a "
    "service\n"
    "runs on it. All rows and digests are checked on the way.\n"
    "\n"
    "  --instance KEY one of the many machines of one kind, by its key; without it, those are\n"
    "                 listed\n"
    "  --rows TABLE   every row of a table, one JSON object a line (hy_ledger, hy_answer and\n"
    "                 hy_counter are the runtime's own tables)\n"
    "  --journal      every journaled step\n"
    "  --json         JSON, one object a line, instead of text\n";

typedef struct inspect_args {
    const char *file, *rows, *instance;
    bool journal, json;
} inspect_args;

typedef struct inspect_machine {
    const hy_store_machine *stored;
    hy_store_machine instance; // what `stored` is, with --instance
    hy_machine machine;        // as described, with a step that is never called
    hy_state *state;
    hy_arena arena; // of one row or entry
    hy_buf out;
} inspect_machine;

static int inspect_one(const tool_store *store, const inspect_args *args, size_t index);
static void inspect_text(inspect_machine *is);
static hy_err inspect_text_instances(const tool_store *store, inspect_machine *is, hy_why *why);
static void inspect_json(inspect_machine *is);
static int inspect_rows(inspect_machine *is, const char *table, bool *found);
static int inspect_journal(const tool_store *store, inspect_machine *is, bool json);

int cmd_inspect(int argc, char **argv) {
    inspect_args args = { 0 };
    for (int i = 1; i < argc; i++) {
        bool missing = false;
        const char *rows = tool_option(argc, argv, &i, "--rows", &missing);
        if (missing) return tool_misused("inspect", "this option needs a table", argv[i]);
        const char *key = rows == NULL ? tool_option(argc, argv, &i, "--instance", &missing) : NULL;
        if (missing) return tool_misused("inspect", "this option needs a key", argv[i]);
        if (tool_is_help(argv[i])) {
            (void)fputs(inspect_help, stdout);
            return TOOL_OK;
        }
        if (rows != NULL) {
            args.rows = rows;
        } else if (key != NULL) {
            args.instance = key;
        } else if (strcmp(argv[i], "--journal") == 0) {
            args.journal = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            args.json = true;
        } else if (argv[i][0] == '-' || args.file != NULL) {
            return tool_misused("inspect", "this was not expected", argv[i]);
        } else {
            args.file = argv[i];
        }
    }
    if (args.file == NULL) return tool_misused("inspect", "which file?", "");
    HY_CLEANUP(tool_store_close) tool_store store = { 0 };
    int result = tool_store_open(&store, args.file);
    if (result != TOOL_OK) return result;
    if (!args.json && args.rows == NULL && !args.journal) (void)puts(args.file);
    if (store.machine_count == 0) return tool_say(TOOL_OK, "%s: holds no machine yet", args.file);
    for (size_t i = 0; i < store.machine_count && result == TOOL_OK; i++) {
        result = inspect_one(&store, &args, i);
    }
    return result;
}

// ---- loading ----------------------------------------------------------------------------------

static hy_err inspect_step(hy_txn *txn, const hy_input *input) {
    (void)txn;
    (void)input;
    return HY_UNSUPPORTED; // loading runs no step
}

static void inspect_deinit(inspect_machine *is) {
    (void)hy_state_free(is->state);
    hy_arena_deinit(&is->arena);
    hy_buf_deinit(&is->out);
}

static hy_err inspect_load(const tool_store *store, inspect_machine *is, hy_why *why) {
    hy_err err = hy_state_new(hy_mem_system(), &is->machine, NULL, &is->state, why);
    if (err != HY_OK) return err;
    return store->store->driver->load(store->store, is->stored->number, is->state, why);
}

static bool inspect_has_table(const hy_store_machine *stored, const char *name) {
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        const hy_table *table = hy_machine_table(stored->described, i);
        if (table != NULL && strcmp(table->name, name) == 0) return true;
    }
    return false;
}

// Turns to the instance; HY_NOT_FOUND: this machine has none of the key.
static hy_err inspect_choose(const tool_store *store, inspect_machine *is, const char *key,
                             hy_why *why) {
    const uint32_t number = is->stored->number;
    const hy_err err =
        hy_store_instance(store->store, number, hy_bytes_of(key), &is->arena, &is->instance, why);
    if (err == HY_OK) is->stored = &is->instance;
    return err;
}

// Not here: that is no failure as long as another machine has it.
static int inspect_elsewhere(const tool_store *store, const inspect_args *args, size_t index,
                             const hy_why *why) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, hy_mem_system(), 0);
    for (size_t i = 0; i < store->machine_count; i++) {
        hy_store_machine found;
        if (i == index ||
            hy_store_instance(store->store, store->machines[i].number, hy_bytes_of(args->instance),
                              &arena, &found, NULL) != HY_OK) {
            continue;
        }
        return TOOL_OK;
    }
    return tool_fail(args->file, HY_NOT_FOUND, why);
}

static int inspect_one(const tool_store *store, const inspect_args *args, size_t index) {
    HY_CLEANUP(inspect_deinit) inspect_machine is = { .stored = &store->machines[index] };
    is.machine = *is.stored->described;
    is.machine.step = inspect_step;
    hy_arena_init(&is.arena, hy_mem_system(), 0);
    hy_buf_init(&is.out, hy_mem_system(), 0);
    hy_why why = { 0 };
    hy_err err = HY_OK;
    if (args->instance != NULL) err = inspect_choose(store, &is, args->instance, &why);
    if (err == HY_NOT_FOUND) return inspect_elsewhere(store, args, index, &why);
    if (err != HY_OK) return tool_fail(args->file, err, &why);
    if (args->journal) return inspect_journal(store, &is, args->json);

    if (args->rows != NULL && !inspect_has_table(is.stored, args->rows)) {
        bool elsewhere = false;
        for (size_t i = 0; i < store->machine_count; i++) {
            elsewhere = elsewhere || inspect_has_table(&store->machines[i], args->rows);
        }
        if (elsewhere) return TOOL_OK;
        return tool_say(TOOL_FAILED, "%s: no table %s; without --rows all tables are listed",
                        args->file, args->rows);
    }
    err = inspect_load(store, &is, &why);
    if (err != HY_OK) return tool_fail(args->file, err, &why);
    bool found = false;
    if (args->rows != NULL) return inspect_rows(&is, args->rows, &found);
    if (args->json) {
        inspect_json(&is);
    } else {
        inspect_text(&is);
        err = inspect_text_instances(store, &is, &why);
        if (err != HY_OK) return tool_fail(args->file, err, &why);
    }
    return tool_print(&is.out) ? TOOL_OK : TOOL_FAILED;
}

// ---- the summary ------------------------------------------------------------------------------

// The body of a ledger row, by the record of its action or timer.
static const hy_record *inspect_ledger_record(const hy_machine *machine, const hy_ledger_row *row) {
    if (row->due != 0) {
        return row->kind < machine->input_count ? machine->inputs[row->kind].body : NULL;
    }
    return row->kind < machine->action_count ? machine->actions[row->kind].body : NULL;
}

static const char *inspect_ledger_name(const hy_machine *machine, const hy_ledger_row *row) {
    if (row->due != 0) {
        return row->kind < machine->input_count ? machine->inputs[row->kind].name : "?";
    }
    return row->kind < machine->action_count ? machine->actions[row->kind].name : "?";
}

static void inspect_text_pending(inspect_machine *is) {
    hy_buf *out = &is->out;
    const hy_view *view = hy_state_view(is->state);
    hy_buf_add_text(out, "  pending   ");
    tool_add_grouped(out, hy_row_count(view, HY_LEDGER));
    hy_buf_add_text(out, "\n");
    hy_cursor cursor = hy_cursor_at(view, HY_LEDGER, NULL);
    const hy_ledger_row *row = NULL;
    for (int i = 0; i < 20 && (row = hy_cursor_next(&cursor)) != NULL; i++) {
        hy_buf_add_text(out, "    ");
        hy_buf_add_u64(out, row->id);
        hy_buf_add_text(out, row->due != 0 ? "  timer " : "  ");
        hy_buf_add_text(out, inspect_ledger_name(&is->machine, row));
        hy_buf_add_text(out, row->due != 0 ? " due " : " since seq ");
        if (row->due != 0) {
            tool_add_time(out, row->due);
        } else {
            hy_buf_add_u64(out, row->seq);
        }
        hy_buf_add_text(out, "  ");
        tool_add_json_wire(out, inspect_ledger_record(&is->machine, row), row->body, &is->arena);
        hy_buf_add_text(out, "\n");
    }
    if (hy_cursor_next(&cursor) != NULL) hy_buf_add_text(out, "    ... (--rows hy_ledger)\n");
}

#define INSPECT_KEYS_MAX 20

// Which instances there are, by key.
static hy_err inspect_text_instances(const tool_store *store, inspect_machine *is, hy_why *why) {
    hy_buf *out = &is->out;
    if (is->stored->instance_count == 0) return HY_OK;
    hy_buf_add_text(out, "  instances ");
    tool_add_grouped(out, is->stored->instance_count);
    hy_buf_add_text(out, " (--instance KEY)\n");
    hy_store_machine at = { 0 };
    for (int i = 0; i <= INSPECT_KEYS_MAX; i++) {
        hy_err err =
            hy_store_instance_next(store->store, is->stored->number, at.key, &is->arena, &at, why);
        if (err == HY_END) break;
        if (err != HY_OK) return err;
        hy_buf_add_text(out, "    ");
        if (i == INSPECT_KEYS_MAX) {
            hy_buf_add_text(out, "...\n");
            break;
        }
        hy_buf_add(out, at.key.ptr, at.key.len);
        hy_buf_add_text(out, "  seq ");
        tool_add_grouped(out, at.last_seq);
        hy_buf_add_text(out, "\n");
    }
    return HY_OK;
}

static void inspect_text(inspect_machine *is) {
    const hy_store_machine *stored = is->stored;
    hy_buf *out = &is->out;
    hy_buf_add_text(out, "\nmachine ");
    hy_buf_add_text(out, stored->described->name);
    if (stored->key.len > 0) {
        hy_buf_add_text(out, ", instance ");
        hy_buf_add(out, stored->key.ptr, stored->key.len);
    }
    hy_buf_add_text(out, ", version ");
    hy_buf_add_u64(out, stored->described->version);
    hy_buf_add_text(out, "\n  seq       ");
    tool_add_grouped(out, hy_state_seq(is->state));
    hy_buf_add_text(out, "\n  digest    ");
    tool_add_hex(out, hy_state_digest(is->state));
    hy_buf_add_text(out, "   chain ");
    tool_add_hex(out, hy_state_chain(is->state));
    hy_buf_add_text(out, "\n  journal   ");
    tool_add_grouped(out, stored->entry_count);
    hy_buf_add_text(out, " steps in ");
    tool_add_grouped(out, stored->batch_count);
    hy_buf_add_text(out, " commits, seq ");
    tool_add_grouped(out, stored->first_seq);
    hy_buf_add_text(out, " to ");
    tool_add_grouped(out, stored->last_seq);
    hy_buf_add_text(out, ", ");
    tool_add_grouped(out, stored->journal_bytes);
    hy_buf_add_text(out, " bytes\n  tables    checkpointed at seq ");
    tool_add_grouped(out, stored->checkpoint_seq);
    hy_buf_add_text(out, "\n  rows\n");
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        const hy_table *table = hy_machine_table(&is->machine, i);
        if (table == NULL) continue;
        hy_buf_add_text(out, "    ");
        tool_add_padded(out, table->name, 24);
        hy_buf_add_text(out, " ");
        tool_add_grouped(out, hy_row_count(hy_state_view(is->state), i));
        hy_buf_add_text(out, "\n");
    }
    inspect_text_pending(is);
}

static void inspect_json_number(hy_buf *out, const char *name, uint64_t number) {
    hy_buf_add_text(out, ",\"");
    hy_buf_add_text(out, name);
    hy_buf_add_text(out, "\":");
    hy_buf_add_u64(out, number);
}

static void inspect_json_hex(hy_buf *out, const char *name, uint64_t number) {
    hy_buf_add_text(out, ",\"");
    hy_buf_add_text(out, name);
    hy_buf_add_text(out, "\":\"");
    tool_add_hex(out, number);
    hy_buf_add_text(out, "\"");
}

static void inspect_json_pending(inspect_machine *is) {
    hy_buf *out = &is->out;
    hy_cursor cursor = hy_cursor_at(hy_state_view(is->state), HY_LEDGER, NULL);
    const hy_ledger_row *row = NULL;
    const char *comma = "";
    hy_buf_add_text(out, ",\"pending\":[");
    while ((row = hy_cursor_next(&cursor)) != NULL) {
        hy_buf_add_text(out, comma);
        hy_buf_add_text(out, "{\"id\":");
        hy_buf_add_u64(out, row->id);
        inspect_json_number(out, "seq", row->seq);
        hy_buf_add_text(out, row->due != 0 ? ",\"timer\":\"" : ",\"action\":\"");
        hy_buf_add_text(out, inspect_ledger_name(&is->machine, row));
        hy_buf_add_text(out, "\"");
        if (row->due != 0) {
            hy_buf_add_text(out, ",\"due\":\"");
            tool_add_time(out, row->due);
            hy_buf_add_text(out, "\"");
        }
        hy_buf_add_text(out, ",\"body\":");
        tool_add_json_wire(out, inspect_ledger_record(&is->machine, row), row->body, &is->arena);
        hy_buf_add_text(out, "}");
        comma = ",";
    }
    hy_buf_add_text(out, "]");
}

static void inspect_json(inspect_machine *is) {
    const hy_store_machine *stored = is->stored;
    hy_buf *out = &is->out;
    hy_buf_add_text(out, "{\"machine\":\"");
    hy_buf_add_text(out, stored->described->name);
    hy_buf_add_text(out, "\"");
    if (stored->key.len > 0) {
        hy_buf_add_text(out, ",\"instance\":");
        tool_add_json_text(out, stored->key);
    }
    if (stored->instance_count > 0) inspect_json_number(out, "instances", stored->instance_count);
    inspect_json_number(out, "version", stored->described->version);
    inspect_json_number(out, "seq", hy_state_seq(is->state));
    inspect_json_hex(out, "digest", hy_state_digest(is->state));
    inspect_json_hex(out, "chain", hy_state_chain(is->state));
    inspect_json_number(out, "checkpoint_seq", stored->checkpoint_seq);
    inspect_json_number(out, "journal_entries", stored->entry_count);
    inspect_json_number(out, "journal_commits", stored->batch_count);
    inspect_json_number(out, "journal_bytes", stored->journal_bytes);
    inspect_json_number(out, "journal_first_seq", stored->first_seq);
    inspect_json_number(out, "journal_last_seq", stored->last_seq);
    hy_buf_add_text(out, ",\"rows\":{");
    const char *comma = "\"";
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        const hy_table *table = hy_machine_table(&is->machine, i);
        if (table == NULL) continue;
        hy_buf_add_text(out, comma);
        hy_buf_add_text(out, table->name);
        hy_buf_add_text(out, "\":");
        hy_buf_add_u64(out, hy_row_count(hy_state_view(is->state), i));
        comma = ",\"";
    }
    hy_buf_add_text(out, "}");
    inspect_json_pending(is);
    hy_buf_add_text(out, "}\n");
}

// ---- rows -------------------------------------------------------------------------------------

static int inspect_rows(inspect_machine *is, const char *name, bool *found) {
    const hy_view *view = hy_state_view(is->state);
    for (uint32_t i = 0; i < HY_TABLE_NUMBERS; i++) {
        const hy_table *table = hy_machine_table(&is->machine, i);
        if (table == NULL || strcmp(table->name, name) != 0) continue;
        *found = true;
        hy_cursor cursor = hy_cursor_at(view, i, NULL);
        const void *row = NULL;
        while ((row = hy_cursor_next(&cursor)) != NULL) {
            const hy_err err = hy_json_encode(table->row, row, &is->out);
            if (err != HY_OK) return tool_fail(name, err, NULL);
            hy_buf_add_text(&is->out, "\n");
            if (is->out.len > 65536 && !tool_print(&is->out)) return TOOL_FAILED;
        }
    }
    return tool_print(&is->out) ? TOOL_OK : TOOL_FAILED;
}

// ---- the journal ------------------------------------------------------------------------------

static const char *inspect_answer(const hy_machine *machine, const hy_entry *entry) {
    if (entry->err == HY_REJECT && entry->rejection < machine->rejection_count) {
        return machine->rejections[entry->rejection].name;
    }
    return hy_err_name((hy_err)entry->err);
}

static void inspect_entry_text(inspect_machine *is, const hy_entry *entry) {
    hy_buf *out = &is->out;
    const hy_machine *machine = &is->machine;
    const bool is_known = entry->kind < machine->input_count;
    hy_buf_add_u64(out, entry->seq);
    hy_buf_add_text(out, "  ");
    tool_add_time(out, entry->now);
    hy_buf_add_text(out, "  ");
    hy_buf_add_text(out, is_known ? machine->inputs[entry->kind].name : "?");
    hy_buf_add_text(out, " ");
    tool_add_json_wire(out, is_known ? machine->inputs[entry->kind].body : NULL, entry->body,
                       &is->arena);
    hy_buf_add_text(out, "  -> ");
    hy_buf_add_text(out, inspect_answer(machine, entry));
    hy_buf_add_text(out, ", ");
    hy_buf_add_u64(out, entry->changes.len);
    hy_buf_add_text(out, entry->changes.len == 1 ? " row" : " rows");
    if (entry->key.len > 0) {
        hy_buf_add_text(out, ", key ");
        tool_add_json_text(out, entry->key);
    }
    hy_buf_add_text(out, "\n");
}

static void inspect_entry_json(inspect_machine *is, const hy_entry *entry) {
    hy_buf *out = &is->out;
    const hy_machine *machine = &is->machine;
    const hy_input_kind *kind =
        entry->kind < machine->input_count ? &machine->inputs[entry->kind] : NULL;
    hy_buf_add_text(out, "{\"machine\":\"");
    hy_buf_add_text(out, machine->name);
    hy_buf_add_text(out, "\"");
    inspect_json_number(out, "seq", entry->seq);
    hy_buf_add_text(out, ",\"now\":\"");
    tool_add_time(out, entry->now);
    hy_buf_add_text(out, "\",\"kind\":\"");
    hy_buf_add_text(out, kind != NULL ? kind->name : "?");
    hy_buf_add_text(out, "\",\"key\":");
    tool_add_json_text(out, entry->key);
    inspect_json_number(out, "action_id", entry->action_id);
    hy_buf_add_text(out, ",\"answer\":\"");
    hy_buf_add_text(out, inspect_answer(machine, entry));
    hy_buf_add_text(out, "\",\"body\":");
    tool_add_json_wire(out, kind != NULL ? kind->body : NULL, entry->body, &is->arena);
    hy_buf_add_text(out, ",\"reply\":");
    tool_add_json_wire(out, kind != NULL && entry->reply.len > 0 ? kind->reply : NULL, entry->reply,
                       &is->arena);
    hy_buf_add_text(out, ",\"changes\":[");
    for (size_t i = 0; i < entry->changes.len; i++) {
        const hy_entry_change *change = &entry->changes.ptr[i];
        const hy_table *table = hy_machine_table(machine, change->table);
        hy_buf_add_text(out, i == 0 ? "{\"table\":\"" : ",{\"table\":\"");
        hy_buf_add_text(out, table != NULL ? table->name : "?");
        hy_buf_add_text(out, change->gone ? "\",\"gone\":true,\"row\":" : "\",\"row\":");
        tool_add_json_wire(out, table != NULL ? table->row : NULL, change->row, &is->arena);
        hy_buf_add_text(out, "}");
    }
    hy_buf_add_text(out, "]");
    inspect_json_hex(out, "digest", entry->digest);
    inspect_json_hex(out, "chain", entry->chain);
    hy_buf_add_text(out, "}\n");
}

static hy_err inspect_batch(inspect_machine *is, hy_bytes frames, bool json, hy_why *why) {
    hy_bytes bytes = { 0 };
    hy_err err = HY_OK;
    while ((err = hy_frame_next(&frames, &bytes, why)) == HY_OK) {
        hy_arena_reset(&is->arena);
        hy_entry entry = { 0 };
        err = hy_entry_decode(bytes, &is->arena, &entry, why);
        if (err != HY_OK) return err;
        if (json) {
            inspect_entry_json(is, &entry);
        } else {
            inspect_entry_text(is, &entry);
        }
    }
    return err == HY_END ? HY_OK : err;
}

static int inspect_journal(const tool_store *store, inspect_machine *is, bool json) {
    const hy_store_driver *driver = store->store->driver;
    hy_journal_cursor *cursor = NULL;
    hy_why why = { 0 };
    hy_err err = driver->journal_open(store->store, is->stored->number, 1, &cursor, &why);
    if (err != HY_OK) return tool_fail(is->machine.name, err, &why);
    bool is_written = true;
    hy_batch batch = { 0 };
    while (is_written && (err = driver->journal_next(cursor, &batch, &why)) == HY_OK) {
        err = inspect_batch(is, batch.body, json, &why);
        is_written = tool_print(&is->out);
        if (err != HY_OK) break;
    }
    driver->journal_close(cursor);
    if (!is_written) return TOOL_FAILED;
    return err == HY_END ? TOOL_OK : tool_fail(is->machine.name, err, &why);
}
