// incident_test.c - a crash leaves a record that says what ran where.
//
// The crashes happen in children (kit_death); the record is read afterwards, as whoever starts the
// process again would read it.
#include "actor/node_suite.h"

#include "kit/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOW(F) F(1, u64, how)
HY_RECORD(order, HOW)
HY_RECORD_DEFINE(order, HOW)

#define CRASHER(TELL, ASK, x) TELL(x, 7, crash, order)
HY_PROTOCOL(crasher, CRASHER);
HY_PROTOCOL_DEFINE(crasher, CRASHER);

typedef struct crasher {
    uint64_t unused;
} crasher;

HY_BEHAVIOUR(crasher, CRASHER, crasher, crasher);

enum { CRASH_WRITE, CRASH_ABORT, CRASH_AFTER_WAIT, CRASH_OUTSIDE, CRASHES };

static int *volatile nowhere = (int *)64; // not 0: a sanitizer would see that one coming

static hy_err crasher_on_crash(hy_actor *self, crasher *state, const order *message) {
    (void)self;
    (void)state;
    if (message->how == CRASH_ABORT) abort();
    if (message->how == CRASH_AFTER_WAIT && hy_sleep(HY_US(10)) != HY_OK) return HY_OK;
    *nowhere = 1;
    return HY_OK;
}

static const hy_actor_type crasher_type = { .name = "crasher",
                                            .first = &crasher_behaviour,
                                            .state_size = sizeof(crasher) };

static hy_err crash_body(hy_node *node, void *arg) {
    uint64_t how = *(const uint64_t *)arg;
    if (how == CRASH_OUTSIDE) *nowhere = 1;
    crasher_ref ref;
    hy_err err = HY_SPAWN(crasher, node, HY_NOBODY, &crasher_type, NULL,
                          HY_OPTIONS(hy_actor, .name = "the one"), &ref);
    if (err == HY_OK) err = HY_TELL(crasher, crash, ref, .how = how);
    return err == HY_OK ? hy_sleep(HY_SECONDS(100)) : err;
}

typedef struct crash_run {
    char path[64];
    uint64_t how;
} crash_run;

static void crash_in_child(void *arg) {
    crash_run *c = (crash_run *)arg;
    hy_node_options options = { .size = sizeof options, .incident_path = c->path };
    (void)node_in_real(hy_mem_system(), 2, &options, crash_body, &c->how);
}

static size_t read_record(const char *path, char *text, size_t size) {
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    size_t len = fread(text, 1, size - 1, file);
    text[len] = 0;
    fclose(file);
    return len;
}

static hy_err a_crash_leaves_its_record(hy_mem *mem) {
    (void)mem;
    for (uint64_t how = 0; how < CRASHES; how++) {
        crash_run c = { .how = how };
        snprintf(c.path, sizeof c.path, "incident.%ld", (long)getpid());
        CHECK(kit_death(crash_in_child, &c));
        char text[16384];
        CHECK(read_record(c.path, text, sizeof text) > 0);
        unlink(c.path);
        const char *signal = how == CRASH_ABORT ? "signal: SIGABRT\n" : "signal: SIGSEGV\n";
        CHECK(strncmp(text, "incident: 1\n", 12) == 0);
        CHECK(strstr(text, signal) != NULL);
        CHECK(how == CRASH_ABORT || strstr(text, "address: 0x40\n") != NULL);
        CHECK(strstr(text, "node: node\n") != NULL);
        CHECK(strstr(text, "worker: ") != NULL);
        CHECK((strstr(text, "type: crasher\n") != NULL) == (how != CRASH_OUTSIDE));
        CHECK((strstr(text, "name: the one\n") != NULL) == (how != CRASH_OUTSIDE));
        CHECK((strstr(text, "message: 7\n") != NULL) == (how != CRASH_OUTSIDE));
        CHECK(strstr(text, "call: 0x") != NULL);
        CHECK(strstr(text, "end: 1\n") != NULL);
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(a_crash_leaves_its_record))
