// main.c - opens the clinic's parts in order, runs, and closes them in the opposite order.
//
//     folder, lock and store  ->  host  ->  client, payments, notices, live  ->  server  ->  start
//
// The port is taken before anything is started: a clinic that cannot serve asks nobody for money.
// On SIGTERM or SIGINT the server stops first (requests under way are answered), then the host
// (what was accepted is stored), then the rest. What is still owed to the provider stays in the
// ledger for the next start; the same is true after kill -9.

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <hypha/store.h>

#include "server/live.h"
#include "server/notices.h"
#include "server/options.h"
#include "server/payments.h"
#include "server/service.h"

#define MAIN_REQUESTS_MAX HY_SECONDS(5) // closing: for requests under way
#define MAIN_HOST_MAX HY_SECONDS(3)     // closing: for attempts under way
#define MAIN_CONNECTIONS_MAX 256u       // to the provider

typedef struct program {
    clinic_service service; // first: callbacks get the service and mean the program
    clinic_options options;
    char database[4200], notifications[4200];
    hy_signal *interrupt, *terminate;
    bool closing;
    int status;
} program;

// "clinic: <what>: <the error's words>", and on a line of its own what to do.
static bool main_say(hy_err err, const hy_why *why, const char *what, const char *hint) {
    const char *text = why->text[0] != 0 ? why->text : hy_err_text(err);
    bool says_what = strstr(text, what) != NULL || strcmp(why->place, what) == 0;
    (void)fprintf(stderr, "clinic: %s%s%s", says_what ? "" : what, says_what ? "" : ": ", text);
    if (why->place[0] != 0 && strstr(text, why->place) == NULL && !says_what) {
        (void)fprintf(stderr, " (%s)", why->place);
    }
    (void)fprintf(stderr, "%s%s\n", hint[0] == 0 ? "" : "\nclinic: ", hint);
    return false;
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

// ---- closing ----

static void main_host_closed(void *self, hy_err err) {
    program *p = self;
    clinic_service *s = &p->service;
    s->host = NULL;
    if (err != HY_OK && err != HY_TIMEOUT) {
        (void)main_say(err, &(hy_why){ 0 }, p->database,
                       "everything acknowledged is in the journal; the next start goes on");
    }
    hy_client_close(s->client);
    s->client = NULL;
    hy_signal_close(p->interrupt);
    hy_signal_close(p->terminate);
    hy_world_stop(s->world);
}

static void main_server_closed(void *self) {
    program *p = self;
    clinic_service *s = &p->service;
    s->server = NULL;
    hy_host_close(s->host, main_host_closed, p, hy_world_now(s->world) + MAIN_HOST_MAX);
}

static void main_close(program *p) {
    if (p->closing) return;
    p->closing = true;
    hy_server_close(p->service.server, main_server_closed, p,
                    hy_world_now(p->service.world) + MAIN_REQUESTS_MAX);
}

static void main_raised(void *self) {
    program *p = self;
    if (!p->closing) (void)printf("clinic: stopping; what is under way is finished first\n");
    (void)fflush(stdout);
    main_close(p);
}

// Everything that may be left when opening has failed half-way, or that closing leaves.
static void main_deinit(program *p) {
    clinic_service *s = &p->service;
    hy_host_abandon(s->host);
    hy_client_close(s->client);
    s->payments = payments_free(s->payments);
    s->notices = notices_close(s->notices);
    s->live = live_free(s->live);
    s->store = hy_store_close(s->store);
    s->world = hy_world_close(s->world);
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
    (void)main_say(HY_CORRUPT, &why, p->database,
                   exists ? "it was cut off: restore it from a backup, or, to begin anew, remove "
                            "it, clinic.db-wal and notifications.log"
                          : "put it back or restore it from a backup, or, to begin anew, remove "
                            "clinic.db-wal and notifications.log");
    return true;
}

static bool main_open_store(program *p) {
    clinic_service *s = &p->service;
    hy_why why = { 0 };
    hy_err err = hy_folder_make(s->world, p->options.data, &why);
    if (err != HY_OK) {
        return main_say(err, &why, p->options.data,
                        "the data folder is not there and cannot be "
                        "made; give another --data");
    }
    (void)snprintf(p->database, sizeof p->database, "%s/clinic.db", p->options.data);
    (void)snprintf(p->notifications, sizeof p->notifications, "%s/notifications.log",
                   p->options.data);
    if (main_database_was_cut(p)) return false;
    err = hy_store_sqlite_open(s->world, p->database, NULL, &s->store, &why);
    if (err != HY_OK) return main_say(err, &why, p->database, main_store_hint(err));
    hy_store_recovery recovery = hy_store_recovered(s->store);
    if (recovery.cut_bytes > 0) {
        (void)printf("clinic: cut %llu bytes of a commit that the last process did not finish; "
                     "nobody was told of it\n",
                     (unsigned long long)recovery.cut_bytes);
    }
    err = hy_host_open(s->world, s->store, &clinic_machine, NULL, &s->host, &why);
    return err == HY_OK || main_say(err, &why, p->database, main_store_hint(err));
}

static void main_noted(void *self, uint64_t appointment) {
    clinic_service *s = self;
    if (s->live != NULL) live_touch(s->live, appointment);
}

static void main_turned(void *self) {
    clinic_service *s = self;
    if (s->live != NULL) live_turned(s->live);
}

static bool main_open_effects(program *p) {
    clinic_service *s = &p->service;
    hy_why why = { 0 };
    hy_err err = hy_client_open(s->world, MAIN_CONNECTIONS_MAX, &s->client);
    const payments_options options = { .world = s->world,
                                       .host = s->host,
                                       .client = s->client,
                                       .provider = p->options.provider,
                                       .notes = &s->notes,
                                       .noted = main_noted,
                                       .turned = main_turned,
                                       .self = s };
    if (err == HY_OK) err = payments_new(&options, &s->payments);
    if (err == HY_OK) err = live_new(s, &s->live);
    if (err != HY_OK) return main_say(err, &why, "payments", "");
    err = notices_open(s->world, s->host, p->notifications, &s->notices, &why);
    return err == HY_OK || main_say(err, &why, p->notifications, main_store_hint(err));
}

static bool main_open_server(program *p) {
    clinic_service *s = &p->service;
    hy_why why = { 0 };
    hy_route routes[API_ROUTES];
    hy_socket_route socket_route;
    api_routes(s, routes);
    live_route(s->live, &socket_route);
    hy_err err =
        hy_server_open(s->world,
                       HY_OPTIONS(hy_server, .host = p->options.host, .port = p->options.port,
                                  .files = p->options.page, .body_bytes_max = 64 * 1024),
                       routes, API_ROUTES, &socket_route, 1, &s->server, &why);
    if (err == HY_OK) return true;
    char what[300];
    (void)snprintf(what, sizeof what, "%s port %u", p->options.host, p->options.port);
    return main_say(err, &why, what,
                    err == HY_BUSY ? "stop the program that listens there, or give another --port"
                                   : "");
}

static void main_opened(clinic_service *s, hy_err err) {
    program *p = (program *)s;
    if (err != HY_OK) {
        (void)main_say(err, &(hy_why){ 0 }, p->database, "the practices could not be stored");
        p->status = 1;
        main_close(p);
        return;
    }
    (void)printf("clinic: open http://%s:%u/\n", p->options.host, hy_server_port(s->server));
    (void)fflush(stdout);
}

static bool main_start(program *p) {
    clinic_service *s = &p->service;
    hy_why why = { 0 };
    hy_host_start(s->host);
    hy_err err = opening_begin(s, p->options.demo, main_opened);
    if (err == HY_OK) {
        err = hy_signal_open(s->world, SIGINT, main_raised, p, &p->interrupt);
    }
    if (err == HY_OK) err = hy_signal_open(s->world, SIGTERM, main_raised, p, &p->terminate);
    return err == HY_OK || main_say(err, &why, "start", "");
}

static bool main_open(program *p) {
    hy_err err = hy_world_open(NULL, &p->service.world);
    if (err != HY_OK) return main_say(err, &(hy_why){ 0 }, "the event loop", "");
    p->service.mem = hy_world_mem(p->service.world);
    return main_open_store(p) && main_open_effects(p) && main_open_server(p) && main_start(p);
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
    if (main_open(&p)) {
        hy_world_run(p.service.world);
    } else {
        p.status = 1;
    }
    main_deinit(&p);
    return p.status;
}
