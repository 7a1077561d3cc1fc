// shown.c - the console at /_hypha: actors, machines, the store and scopes, live.
//
// The library's console shows what it is given; these are the sections that only the clinic
// knows. A browser on the machine itself may look, and `hypha top --port PORT`.

#include "server/shown.h"

#include <stdio.h>

#include "base/json.h"

typedef struct shown {
    clinic_service *service;
    hy_node *node;
    const char *database;
} shown;

static hy_err shown_node(void *self, hy_buf *out) {
    const shown *s = self;
    return hy_node_snapshot(s->node, 0, out);
}

static hy_err shown_machines(void *self, hy_buf *out) {
    const shown *s = self;
    const clinic_practices *practices = &s->service->practices;
    hy_err err = HY_OK;
    const char *comma = "";
    hy_buf_add_text(out, "[");
    for (uint32_t i = 0; i < practices->count && err == HY_OK; i++) {
        const practice_key key = practice_key_of(practices->numbers[i]);
        hy_host_stats stats;
        if (hy_fleet_machine_stats(s->service->fleet, hy_bytes_of(key.text), &stats) != HY_OK) {
            continue; // not in memory just now
        }
        char name[32];
        (void)snprintf(name, sizeof name, "clinic/%s", key.text);
        hy_buf_add_text(out, comma);
        comma = ",";
        err = hy_host_stats_json(name, &stats, out);
    }
    hy_buf_add_text(out, "]");
    return err;
}

static uint64_t shown_size_of(hy_world *world, const char *path) {
    hy_file *file = NULL;
    uint64_t size = 0;
    hy_err err = hy_file_open(world, path, HY_FILE_READ, &file, NULL);
    if (err == HY_OK) err = hy_file_size(file, &size);
    hy_file_close(file);
    return err == HY_OK ? size : 0;
}

static hy_err shown_stores(void *self, hy_buf *out) {
    const shown *s = self;
    const hy_host_stats stats = hy_fleet_stats_of(s->service->fleet).machines;
    hyi_json_writer json;
    hyi_json_writer_init(&json, out);
    hyi_json_begin_array(&json);
    hyi_json_begin_object(&json);
    hyi_json_key(&json, HY_BYTES("name"));
    hyi_json_add_text(&json, hy_bytes_of(s->database));
    hyi_json_key(&json, HY_BYTES("kind"));
    hyi_json_add_text(&json, HY_BYTES("sqlite"));
    hyi_json_key(&json, HY_BYTES("bytes"));
    hyi_json_add_u64(&json, shown_size_of(s->service->world, s->database));
    if (stats.store_trouble[0] != 0) {
        hyi_json_key(&json, HY_BYTES("trouble"));
        hyi_json_add_text(&json, hy_bytes_of(stats.store_trouble));
    }
    hyi_json_end_object(&json);
    hyi_json_end_array(&json);
    return hyi_json_finish(&json);
}

hy_err shown_open(hy_scope *scope, clinic_service *service, hy_node *node, const char *database,
                  hy_task_route out_routes[HY_CONSOLE_ROUTES]) {
    shown *s = hy_scope_alloc(scope, sizeof *s);
    if (s == NULL) return HY_NOMEM;
    *s = (shown){ service, node, database };
    const hy_console_section sections[] = { { "node", shown_node, s },
                                            { "machines", shown_machines, s },
                                            { "stores", shown_stores, s } };
    hy_console *console = NULL;
    hy_err err =
        hy_console_open_in(scope,
                           HY_OPTIONS(hy_console, .program = "clinic", .scope = service->root,
                                      .sections = sections, .section_count = 3),
                           &console);
    if (err == HY_OK) hy_console_routes(console, out_routes);
    return err;
}
