// main.c - the clinic as a tree of scopes: opened from the top, closed from the bottom.
//
//     clinic                   the root: signals, service manager, ten seconds for a stop
//     |   owns: client, store                released in reverse order
//     |-- demo         task    made-up patients, where they were asked for
//     |-- workers      node     a thread for each core, with the practices' actors
//     |-- practices    service the fleet
//     |-- executors    service attempts at payments and notices, each a task
//     `-- server       service requests, each a task; windows
//
// The port is taken before the fleet is started: a clinic that cannot serve asks nobody for money.
//
// SIGTERM or SIGINT stops the tree in two phases. What stands lower ends first and may use what
// stands higher until then: the server takes nobody new, answers what is under way and says goodbye
// to windows; attempts end; the fleet stores what it took and writes its checkpoint. What does not
// end in its share of the time is cancelled, as is everything by a second signal. What is still
// owed to the provider stays in the ledger for the next start; the same is true after kill -9.

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <hypha/store.h>

#include "server/live.h"
#include "server/notices.h"
#include "server/options.h"
#include "server/payments.h"
#include "server/service.h"
#include "server/shown.h"
#include "server/watch.h"

#define MAIN_STOP_MAX HY_SECONDS(10)
#define MAIN_REQUESTS_MAX HY_SECONDS(5) // of it at most: for requests under way
#define MAIN_ATTEMPTS_MAX HY_SECONDS(3) // and for attempts under way
#define MAIN_FLEET_MAX HY_SECONDS(3)
#define MAIN_NODE_MAX HY_SECONDS(1)
#define MAIN_CONNECTIONS_MAX 256u // to the provider

typedef struct program {
    clinic_service service;
    clinic_options options;
    char database[4200], notifications[4200], incident[4200];
    hy_why server_why; // the server could not listen
    hy_store *store;
    hy_node *node;
    bool is_new; // the practices were set up now
    opening_demo demo;
    int status;
} program;

// "clinic: <what>: <the error's words>", and on a line of its own what to do. Gives `err` back. A
// clinic that is stopped while it opens has nothing to complain about.
static hy_err main_say(program *p, hy_err err, const hy_why *why, const char *what,
                       const char *hint) {
    if (p->service.root != NULL && hy_draining()) return err;
    const char *text = why->text[0] != 0 ? why->text : hy_err_text(err);
    bool says_what = strstr(text, what) != NULL || strcmp(why->place, what) == 0;
    (void)fprintf(stderr, "clinic: %s%s%s", says_what ? "" : what, says_what ? "" : ": ", text);
    if (why->place[0] != 0 && strstr(text, why->place) == NULL && !says_what) {
        (void)fprintf(stderr, " (%s)", why->place);
    }
    (void)fprintf(stderr, "%s%s\n", hint[0] == 0 ? "" : "\nclinic: ", hint);
    p->status = 1;
    return err;
}

// What to do about it, where the error's own words do not say.
static const char *main_store_hint(hy_err err) {
    switch (err) {
    case HY_LOCKED: return "another clinic runs on this folder; stop it, or give another --data";
    case HY_READ_ONLY:
        return "nothing was changed; make the folder and clinic.db writable for "
               "this user, or give another --data";
    case HY_FOREIGN: return "nothing was changed; move that file away, or give another --data";
    case HY_NEWER: return "nothing was changed; start the newer clinic that wrote it";
    case HY_CORRUPT:
        return "nothing was changed; restore clinic.db from a backup, and see "
               "`hypha inspect` for what can be read";
    case HY_DISK_FULL: return "nothing was changed; make room and start again";
    case HY_SCHEMA: return "nothing was changed; start the version of the clinic that wrote it";
    default: return "";
    }
}

// ---- opening ----

static uint64_t main_size_of(hy_world *world, const char *path) {
    hy_file *file = NULL;
    uint64_t size = 0;
    hy_err err = hy_file_open(world, path, HY_FILE_READ, &file, NULL);
    if (err == HY_OK) err = hy_file_size(file, &size);
    hy_file_close(file);
    return err == HY_OK ? size : 0;
}

// SQLite takes a missing or empty file for a new database. One beside a log was not new: neither
// the notifications nor SQLite's own log begin before the first commit.
static bool main_database_was_cut(program *p) {
    hy_world *world = p->service.world;
    char log[4200];
    (void)snprintf(log, sizeof log, "%s/clinic.db-wal", p->options.data);
    if (main_size_of(world, p->database) > 0) return false;
    if (main_size_of(world, p->notifications) == 0 && main_size_of(world, log) == 0) return false;
    bool exists = hy_file_exists(world, p->database);
    hy_why why = { 0 };
    (void)hy_why_set(&why, HY_CORRUPT, "",
                     exists ? "the file is empty, but the clinic has been at work"
                            : "the file is gone, but the clinic has been at work");
    (void)main_say(p, HY_CORRUPT, &why, p->database,
                   exists ? "it was cut off: restore it from a backup, or, to begin anew, remove "
                            "it, clinic.db-wal and notifications.log"
                          : "put it back or restore it from a backup, or, to begin anew, remove "
                            "clinic.db-wal and notifications.log");
    return true;
}

static void main_close_store(void *object) {
    (void)hy_store_close(object);
}

static hy_err main_open_store(program *p, hy_store **out_store) {
    clinic_service *s = &p->service;
    hy_why why = { 0 };
    hy_err err = hy_folder_make(s->world, p->options.data, &why);
    if (err != HY_OK) {
        return main_say(p, err, &why, p->options.data,
                        "the data folder is not there and cannot be made; give another --data");
    }
    (void)snprintf(p->database, sizeof p->database, "%s/clinic.db", p->options.data);
    (void)snprintf(p->incident, sizeof p->incident, "%s/incident.txt", p->options.data);
    (void)snprintf(p->notifications, sizeof p->notifications, "%s/notifications.log",
                   p->options.data);
    if (main_database_was_cut(p)) return HY_CORRUPT;
    hy_store *store = NULL;
    err = hy_store_sqlite_open(s->world, p->database, NULL, &store, &why);
    if (err != HY_OK) return main_say(p, err, &why, p->database, main_store_hint(err));
    hy_store_recovery recovery = hy_store_recovered(store);
    if (recovery.cut_bytes > 0) {
        (void)printf("clinic: cut %llu bytes of a commit that the last process did not finish; "
                     "nobody was told of it\n",
                     (unsigned long long)recovery.cut_bytes);
    }
    err = hy_own(s->root, store, main_close_store, 0);
    if (err == HY_OK) *out_store = store;
    return err == HY_OK ? err : main_say(p, err, &why, p->database, "");
}

// The last checkpoint failed; that calls ran out of time is nothing to complain about.
static void main_fleet_closed(void *self, hy_err err) {
    const program *p = self;
    if (err == HY_OK || err == HY_TIMEOUT) return;
    (void)fprintf(stderr,
                  "clinic: %s: %s\n"
                  "clinic: everything acknowledged is in the journal; the next start goes on\n",
                  p->database, hy_err_text(err));
}

// Clinics before this one kept all practices in one machine. Their files are left as they are.
static hy_err main_refuse_old(program *p, hy_store *store) {
    hy_why why = { 0 };
    hy_arena arena = { 0 };
    const hy_store_machine *machines = NULL;
    size_t count = 0;
    hy_arena_init(&arena, p->service.mem, 0);
    hy_err err = hy_store_machines(store, &arena, &machines, &count, &why);
    bool is_old = false;
    for (size_t i = 0; err == HY_OK && i < count; i++) {
        const bool has_steps = machines[i].last_seq > 0 || machines[i].checkpoint_seq > 0;
        is_old =
            is_old || (has_steps && strcmp(machines[i].described->name, clinic_machine.name) == 0);
    }
    hy_arena_deinit(&arena);
    if (err != HY_OK) return main_say(p, err, &why, p->database, main_store_hint(err));
    if (!is_old) return HY_OK;
    (void)hy_why_set(&why, HY_SCHEMA, "",
                     "the file is of an older clinic, which kept all practices as one");
    return main_say(p, HY_SCHEMA, &why, p->database,
                    "nothing was changed; start that clinic on it, or give another --data");
}

// What every request and attempt uses, and so is closed after them.
static hy_err main_open_parts(program *p) {
    clinic_service *s = &p->service;
    const hy_why why = { 0 };
    hy_err err = hy_client_open_in(s->root, MAIN_CONNECTIONS_MAX, &s->client);
    if (err == HY_OK) err = live_open(s->root, s, &s->live);
    if (err != HY_OK) return main_say(p, err, &why, "payments", "");
    err = main_open_store(p, &p->store);
    return err == HY_OK ? main_refuse_old(p, p->store) : err;
}

// ---- services ----

// The practices work on the node's workers, so they end before it: as a service that stands below.
static hy_err main_practise(void *self) {
    program *p = self;
    clinic_service *s = &p->service;
    hy_why why = { 0 };
    hy_err err = hy_fleet_open_in(
        hy_scope_current(), p->store, &clinic_machine,
        HY_OPTIONS(hy_fleet, .node = p->node, .closed = main_fleet_closed, .closed_self = p), 0,
        &s->fleet, &why);
    if (err != HY_OK) return main_say(p, err, &why, p->database, main_store_hint(err));
    err = live_observe(s->live);
    if (err != HY_OK) return main_say(p, err, &why, "live feed", "");
    hy_ready();
    err = hy_wait_draining();
    return err == HY_CLOSED ? HY_OK : err;
}

// Attempts are tasks of this service's scope. An attempt that a stop cuts off is made again after
// the next start.
static hy_err main_execute(void *self) {
    program *p = self;
    clinic_service *s = &p->service;
    hy_scope *scope = hy_scope_current();
    hy_why why = { 0 };
    hy_err err = payments_open(scope, s, p->options.provider);
    if (err != HY_OK) return main_say(p, err, &why, "payments", "");
    err = notices_open(scope, s->fleet, p->notifications, &why);
    if (err != HY_OK) return main_say(p, err, &why, p->notifications, main_store_hint(err));
    hy_ready();
    err = hy_wait_draining();
    return err == HY_CLOSED ? HY_OK : err;
}

static hy_err main_serve(void *self) {
    program *p = self;
    clinic_service *s = &p->service;
    hy_task_route routes[API_ROUTES + HY_CONSOLE_ROUTES];
    hy_socket_route socket_route;
    api_routes(s, routes);
    hy_err err = shown_open(hy_scope_current(), s, p->node, p->database, routes + API_ROUTES);
    if (err != HY_OK) return err;
    live_route(s->live, &socket_route);
    p->server_why = (hy_why){ 0 };
    return hy_server_run(HY_OPTIONS(hy_server, .host = p->options.host, .port = p->options.port,
                                    .files = p->options.page, .body_bytes_max = 64 * 1024,
                                    .answered = watch_answered, .answered_self = s->watch),
                         routes, sizeof routes / sizeof routes[0], &socket_route, 1, &s->server,
                         &p->server_why);
}

static hy_err main_start_practices(program *p) {
    clinic_service *s = &p->service;
    const hy_why why = { 0 };
    const hy_service_spec practices = { .size = sizeof practices,
                                        .name = "practices",
                                        .fn = main_practise,
                                        .arg = p,
                                        .restart = HY_TEMPORARY,
                                        .stop_max = MAIN_FLEET_MAX };
    // A crash leaves a record there; what it cut short is in the journal, and the next start goes
    // on.
    hy_err err = hy_node_open(s->root,
                              HY_OPTIONS(hy_node, .name = "workers", .stop_max = MAIN_NODE_MAX,
                                         .incident_path = p->incident),
                              &p->node);
    if (err != HY_OK) return main_say(p, err, &why, "workers", "");
    err = hy_start(s->root, &practices, NULL);
    if (err != HY_OK) return p->status != 0 ? err : main_say(p, err, &why, "practices", "");
    err = opening_set_up(s, &p->is_new);
    if (err == HY_OK) return err;
    hy_why trouble = { 0 };
    const char *hint = main_store_hint(err);
    (void)hy_why_set(&trouble, err, "", hy_fleet_stats_of(s->fleet).open_trouble);
    return main_say(p, err, &trouble, p->database,
                    hint[0] != 0 ? hint : "the practices could not be stored");
}

static hy_err main_start_services(program *p) {
    hy_scope *root = p->service.root;
    // Executors belong to their fleet for good, so there is no second start; and they only end when
    // they are told to.
    const hy_service_spec executors = { .size = sizeof executors,
                                        .name = "executors",
                                        .fn = main_execute,
                                        .arg = p,
                                        .restart = HY_TEMPORARY,
                                        .stop_max = MAIN_ATTEMPTS_MAX };
    const hy_service_spec server = { .size = sizeof server,
                                     .name = "server",
                                     .fn = main_serve,
                                     .arg = p,
                                     .restart = HY_PERMANENT,
                                     .stop_max = MAIN_REQUESTS_MAX };
    hy_err err = hy_start(root, &executors, NULL);
    if (err != HY_OK) return p->status != 0 ? err : main_say(p, err, &p->server_why, "start", "");
    err = hy_start(root, &server, NULL);
    if (err == HY_OK) {
        p->options.port = hy_server_port(p->service.server); // also of a next start
        return HY_OK;
    }
    char what[300];
    (void)snprintf(what, sizeof what, "%s port %u", p->options.host, p->options.port);
    return main_say(p, err, &p->server_why, what,
                    err == HY_BUSY ? "stop the program that listens there, or give another --port"
                                   : "");
}

// ---- the body of the root ----

static hy_err main_open(program *p) {
    clinic_service *s = &p->service;
    hy_err err = main_open_parts(p);
    if (err == HY_OK) err = main_start_practices(p);
    if (err == HY_OK) err = main_start_services(p);
    if (err != HY_OK) return err;
    hy_fleet_start(s->fleet);
    (void)printf("clinic: open http://%s:%u/\n", p->options.host, p->options.port);
    (void)fflush(stdout);
    hy_ready();
    p->demo = (opening_demo){ s, p->is_new ? p->options.demo : 0 };
    err = hy_spawn(s->root, opening_run_demo, &p->demo, HY_OPTIONS(hy_spawn, .name = "demo"), NULL);
    return err == HY_OK ? err : main_say(p, err, &(hy_why){ 0 }, "demo", "");
}

static hy_err main_body(void *self) {
    program *p = self;
    p->service.root = hy_scope_current();
    hy_err err = main_open(p);
    if (err == HY_OK) err = hy_wait_draining();
    if (!hy_draining()) return err;
    (void)printf("clinic: stopping; what is under way is finished first\n");
    (void)fflush(stdout);
    return HY_OK;
}

// ---- the process ----

static hy_err main_run(program *p) {
    clinic_service *s = &p->service;
    hy_err err = hy_world_open(NULL, &s->world);
    if (err == HY_OK) {
        s->mem = hy_world_mem(s->world);
        err = watch_open(s, p->options.log, &s->watch);
    }
    if (err != HY_OK) return main_say(p, err, &(hy_why){ 0 }, "the event loop", "");
    // SQLite, TLS and libwebsockets work on the fibers' stacks.
    return hy_root_run(s->world,
                       HY_OPTIONS(hy_root, .name = "clinic", .signals = true, .notify = true,
                                  .stop_max = MAIN_STOP_MAX, .stack = HY_STACK_256K,
                                  .observer = hy_observe_scopes(),
                                  .observer_self = watch_observe(s->watch)),
                       main_body, p);
}

int main(int argc, char **argv) {
    static program p; // large, and one is enough
    char message[256];
    if (!options_parse(argc, argv, &p.options, message, sizeof message)) {
        (void)fprintf(stderr, "clinic: %s\n", message);
        return 2;
    }
    if (p.options.help) {
        (void)fputs(options_help, stdout);
        return 0;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    hy_err err = main_run(&p);
    p.service.watch = watch_close(p.service.watch);
    p.service.world = hy_world_close(p.service.world);
    if (err != HY_OK && p.status == 0) {
        (void)fprintf(stderr,
                      "clinic: cut short: %s\nclinic: what was answered is stored; the "
                      "next start goes on\n",
                      hy_err_text(err));
        p.status = 1;
    }
    return p.status;
}
