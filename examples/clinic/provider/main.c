// main.c - the program clinic-provider: options, signals, and the words it prints.
//
// It prints one line when it is ready, so that scripts can wait for it: "ready http://...".
#include "provider/provider.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char main_help[] =
    "clinic-provider - a payment provider to practise with\n"
    "\n"
    "usage: clinic-provider [--port N] [--host ADDRESS] [--ledger FILE] [--webhook URL]\n"
    "\n"
    "  --port N         listen here; 0 takes a free port (8081)\n"
    "  --host ADDRESS   listen on this address (127.0.0.1)\n"
    "  --ledger FILE    everything it does, one line of JSON an event; read again at start\n"
    "                   (without it: kept in memory, and lost)\n"
    "  --webhook URL    POST each result there too, such as\n"
    "                   http://127.0.0.1:8080/webhook/payments\n"
    "  --help           show this\n"
    "\n"
    "POST /holds, GET /holds/KEY, POST /holds/KEY/capture, POST /holds/KEY/release, GET /ledger.\n"
    "An amount whose cents end in 13, such as 5013, is always declined.\n"
    "POST /behaviour {\"mode\":\"normal|slow|down|late|twice|flaky\",\"delay_ms\":0,\n"
    "\"decline_percent\":0,\"seed\":0} makes it behave badly. Stop it with Ctrl-C.\n";

typedef struct main_program {
    hy_world *world;
    provider *service;
    hy_signal *interrupt, *terminate;
    bool is_stopping;
} main_program;

static bool main_port(const char *text, uint16_t *out_port) {
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value > 65535) return false;
    *out_port = (uint16_t)value;
    return true;
}

// "--name value" or "--name=value". NULL: this is another option.
static const char *main_value(const char *name, int argc, char **argv, int *at) {
    size_t len = strlen(name);
    if (strncmp(argv[*at], name, len) != 0) return NULL;
    if (argv[*at][len] == '=') return argv[*at] + len + 1;
    if (argv[*at][len] != '\0' || *at + 1 >= argc) return NULL;
    return argv[++*at];
}

static bool main_options(int argc, char **argv, provider_options *out) {
    for (int i = 1; i < argc; i++) {
        const char *value;
        if ((value = main_value("--port", argc, argv, &i)) != NULL) {
            if (!main_port(value, &out->port)) {
                fprintf(stderr, "clinic-provider: --port takes a number up to 65535, not %s\n",
                        value);
                return false;
            }
        } else if ((value = main_value("--host", argc, argv, &i)) != NULL) {
            out->host = value;
        } else if ((value = main_value("--ledger", argc, argv, &i)) != NULL) {
            out->ledger = value;
        } else if ((value = main_value("--webhook", argc, argv, &i)) != NULL) {
            out->webhook = value;
        } else {
            fprintf(stderr, "clinic-provider: what is %s? See --help.\n", argv[i]);
            return false;
        }
    }
    return true;
}

static void main_closed(void *self) {
    main_program *program = self;
    program->service = NULL;
    hy_signal_close(program->interrupt);
    hy_signal_close(program->terminate);
    program->interrupt = program->terminate = NULL;
    hy_world_stop(program->world);
}

static void main_raised(void *self) {
    main_program *program = self;
    if (program->is_stopping) return;
    program->is_stopping = true;
    provider_close(program->service, main_closed, program,
                   hy_world_now(program->world) + HY_SECONDS(2));
}

static int main_fail(const char *doing, hy_err err, const hy_why *why) {
    fprintf(stderr, "clinic-provider: %s: %s\n", doing,
            why->text[0] != '\0' ? why->text : hy_err_text(err));
    return 1;
}

int main(int argc, char **argv) {
    provider_options options = { .port = 8081 };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") != 0) continue;
        fputs(main_help, stdout);
        return 0;
    }
    if (!main_options(argc, argv, &options)) return 2;

    main_program program = { 0 };
    hy_why why = { 0 };
    hy_err err = hy_world_open(NULL, &program.world);
    if (err != HY_OK) return main_fail("cannot start", err, &why);
    err = provider_open(program.world, &options, &program.service, &why);
    if (err == HY_OK) {
        err = hy_signal_open(program.world, SIGINT, main_raised, &program, &program.interrupt);
    }
    if (err == HY_OK) {
        err = hy_signal_open(program.world, SIGTERM, main_raised, &program, &program.terminate);
    }
    if (err != HY_OK) return main_fail("cannot start", err, &why);
    printf("ready http://%s:%u (ledger: %s, %llu events)\n",
           options.host != NULL ? options.host : "127.0.0.1",
           hy_server_port(provider_server(program.service)),
           options.ledger != NULL ? options.ledger : "in memory",
           (unsigned long long)provider_events(program.service));
    fflush(stdout);
    hy_world_run(program.world);
    hy_world_close(program.world);
    return 0;
}
