// schema.c - `hypha schema export`: the records of machines, for other languages and tools.
#include "module.h"
#include "tool.h"
#include "base/cleanup.h"
#include <stdio.h>
#include <string.h>

static const char schema_help[] =
    "usage: hypha schema export --format proto|ts|sql|json [FILE | --machine LIB.so]\n"
    "\n"
    "Writes the records of inputs, replies, actions and rows to stdout:\n"
    "  proto   Protocol Buffers 3, what goes over the wire\n"
    "  ts      TypeScript types, what goes over the wire as JSON\n"
    "  sql     the tables as a SQLite store keeps them\n"
    "  json    JSON Schema\n"
    "\n"
    "  FILE               a store: the machines that it describes\n"
    "  --machine LIB.so   the machines of a module; without either, all machines/*.so beside this\n"
    "                     program\n";

#define SCHEMA_RECORDS_MAX 1024

typedef struct schema_set { // what to export
    const hy_machine *machines[MODULE_MACHINES_MAX];
    size_t machine_count;
    const hy_record *records[SCHEMA_RECORDS_MAX];
    size_t record_count;
} schema_set;

static int schema_export(int argc, char **argv);
static int schema_write(schema_set *set, const char *format);
static int schema_collect(schema_set *set);
static hy_err schema_add_sql(const schema_set *set, hy_buf *out);

int cmd_schema(int argc, char **argv) {
    if (argc < 2) return tool_misused("schema", "what to do? There is `export`", "");
    if (tool_is_help(argv[1])) {
        (void)fputs(schema_help, stdout);
        return TOOL_OK;
    }
    if (strcmp(argv[1], "export") != 0) {
        return tool_misused("schema", "there is `export`, but not this", argv[1]);
    }
    return schema_export(argc - 1, argv + 1);
}

static int schema_export(int argc, char **argv) {
    const char *file = NULL, *library = NULL, *format = NULL;
    for (int i = 1; i < argc; i++) {
        bool missing = false;
        const char *machine = tool_option(argc, argv, &i, "--machine", &missing);
        const char *form =
            machine || missing ? NULL : tool_option(argc, argv, &i, "--format", &missing);
        if (missing) return tool_misused("schema", "this option needs a value", argv[i]);
        if (machine != NULL) {
            library = machine;
        } else if (form != NULL) {
            format = form;
        } else if (tool_is_help(argv[i])) {
            (void)fputs(schema_help, stdout);
            return TOOL_OK;
        } else if (argv[i][0] == '-' || file != NULL) {
            return tool_misused("schema", "this was not expected", argv[i]);
        } else {
            file = argv[i];
        }
    }
    if (format == NULL) return tool_misused("schema", "say --format proto, ts, sql or json", "");
    if (file != NULL && library != NULL) {
        return tool_misused("schema", "a file or --machine, not both", "");
    }
    static schema_set set; // one export a process
    if (file == NULL) {
        module_set modules;
        const int result = modules_load(&modules, library);
        if (result != TOOL_OK) return result;
        if (modules.count == 0) {
            return tool_say(TOOL_FAILED,
                            "%s: no machines here; name a store, or a module with "
                            "--machine",
                            modules.where);
        }
        memcpy(set.machines, modules.machines, sizeof set.machines);
        set.machine_count = modules.count;
        return schema_write(&set, format);
    }
    HY_CLEANUP(tool_store_close) tool_store store = { 0 };
    const int result = tool_store_open(&store, file);
    if (result != TOOL_OK) return result;
    for (size_t i = 0; i < store.machine_count && i < MODULE_MACHINES_MAX; i++) {
        set.machines[set.machine_count++] = store.machines[i].described;
    }
    return schema_write(&set, format);
}

static int schema_write(schema_set *set, const char *format) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, hy_mem_system(), 0);
    const int result = schema_collect(set);
    if (result != TOOL_OK) return result;
    // One machine names the package; several share one.
    const char *package = set->machine_count == 1 ? set->machines[0]->name : "hypha";
    hy_err err = HY_OK;
    if (strcmp(format, "proto") == 0) {
        err = hy_export_proto(set->records, set->record_count, package, &out);
    } else if (strcmp(format, "ts") == 0) {
        err = hy_export_typescript(set->records, set->record_count, &out);
    } else if (strcmp(format, "json") == 0) {
        err = hy_export_json_schema(set->records, set->record_count, &out);
    } else if (strcmp(format, "sql") == 0) {
        err = schema_add_sql(set, &out);
    } else {
        return tool_misused("schema", "the formats are proto, ts, sql and json, not", format);
    }
    if (err != HY_OK) return tool_fail("schema", err, NULL);
    return tool_print(&out) ? TOOL_OK : TOOL_FAILED;
}

static int schema_add(schema_set *set, const hy_record *record) {
    if (record == NULL) return TOOL_OK;
    for (size_t i = 0; i < set->record_count; i++) {
        if (set->records[i] == record) return TOOL_OK;
        if (strcmp(set->records[i]->name, record->name) != 0) continue;
        if (hy_record_digest(set->records[i]) == hy_record_digest(record)) return TOOL_OK;
        return tool_say(TOOL_FAILED,
                        "two machines have different records named %s; export one with --machine",
                        record->name);
    }
    if (set->record_count == SCHEMA_RECORDS_MAX) {
        return tool_say(TOOL_FAILED, "more than %d records; export one machine with --machine",
                        SCHEMA_RECORDS_MAX);
    }
    set->records[set->record_count++] = record;
    return TOOL_OK;
}

static int schema_collect(schema_set *set) {
    int result = TOOL_OK;
    for (size_t m = 0; m < set->machine_count; m++) {
        const hy_machine *machine = set->machines[m];
        for (uint32_t i = 0; i < machine->input_count && result == TOOL_OK; i++) {
            result = schema_add(set, machine->inputs[i].body);
            if (result == TOOL_OK) result = schema_add(set, machine->inputs[i].reply);
        }
        for (uint32_t i = 0; i < machine->action_count && result == TOOL_OK; i++) {
            result = schema_add(set, machine->actions[i].body);
        }
        for (uint32_t i = 0; i < machine->table_count && result == TOOL_OK; i++) {
            result = schema_add(set, machine->tables[i].row);
        }
    }
    return result;
}

// ---- SQL --------------------------------------------------------------------------------------

static hy_err schema_add_sql_table(const hy_table *table, hy_buf *out) {
    static hy_sql_column columns[HY_SQL_COLUMNS_MAX];
    uint32_t count = 0;
    hy_err err = hy_sql_columns(table->row, columns, &count);
    if (err != HY_OK) return err;
    hy_buf_add_text(out, "CREATE TABLE \"");
    hy_buf_add_text(out, table->name);
    hy_buf_add_text(out, "\" (\n    machine INTEGER NOT NULL,\n");
    for (uint32_t i = 0; i < count; i++) {
        hy_buf_add_text(out, "    \"");
        hy_buf_add_text(out, columns[i].name);
        hy_buf_add_text(out, "\" ");
        hy_buf_add_text(out, columns[i].type);
        hy_buf_add_text(out, i < table->key_count ? " NOT NULL,\n" : ",\n");
    }
    hy_buf_add_text(out, "    row_crc INTEGER NOT NULL,\n    PRIMARY KEY (machine");
    for (uint32_t i = 0; i < table->key_count; i++) { // a key field is one column
        hy_buf_add_text(out, ", \"");
        hy_buf_add_text(out, columns[i].name);
        hy_buf_add_text(out, "\"");
    }
    hy_buf_add_text(out, ")\n) WITHOUT ROWID;\n\n");
    return out->failed;
}

// Machines of one file may share a table, so each name comes once.
static hy_err schema_add_sql(const schema_set *set, hy_buf *out) {
    hy_err err = HY_OK;
    for (size_t m = 0; m < set->machine_count; m++) {
        const hy_machine *machine = set->machines[m];
        for (uint32_t i = 0; i < machine->table_count && err == HY_OK; i++) {
            bool is_known = false;
            for (size_t before = 0; before < m; before++) {
                for (uint32_t j = 0; j < set->machines[before]->table_count; j++) {
                    const char *name = set->machines[before]->tables[j].name;
                    is_known = is_known || strcmp(name, machine->tables[i].name) == 0;
                }
            }
            if (!is_known) err = schema_add_sql_table(&machine->tables[i], out);
        }
    }
    return err;
}
