// root_test.c - roots: signals, the service manager, crashes, and worlds that stand still.
//
// The simulated world says what the service manager heard last; a real one is asked in a child
// process that gets real signals, with a datagram socket in the manager's place. That test waits
// for messages and never for time.
#include "kit/kit.h"
#include "base/cleanup.h"
#include "scope/run_suite.h"
#include "scope/unit_suite.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

// ---- signals and the service manager, simulated -----------------------------------------------

typedef struct daemon_story {
    unit_story story;
    unit a;
    hy_world *world;
    uint32_t raises; // so many SIGTERM
    hy_ns between;   // them
    hy_err seen;     // what the body's wait gave
    char ready[64], stopping[160], later[160];
} daemon_story;

static void hear(const hy_world *world, char *out, size_t size) {
    snprintf(out, size, "%s", hy_sim_notified(world));
}

static hy_err raise_them(void *arg) {
    daemon_story *d = (daemon_story *)arg;
    for (uint32_t i = 0; i < d->raises; i++) {
        hy_err err = hy_sleep(d->between);
        if (err != HY_OK) return HY_OK;
        hy_sim_raise(d->world, i % 2 == 0 ? SIGTERM : SIGINT);
    }
    return HY_OK;
}

static hy_err daemon_body(void *arg) {
    daemon_story *d = (daemon_story *)arg;
    hy_err err = unit_start(NULL, &d->a, HY_PERMANENT, NULL);
    if (err == HY_OK) err = hy_spawn(NULL, raise_them, d, NULL, NULL);
    if (err != HY_OK) return err;
    CHECK_TEXT(hy_bytes_of(hy_sim_notified(d->world)), "");
    hy_ready();
    hear(d->world, d->ready, sizeof d->ready);
    d->seen = hy_wait_draining();
    if (d->seen != HY_CLOSED) return d->seen;
    hear(d->world, d->stopping, sizeof d->stopping);
    err = hy_sleep(HY_SECONDS(3));
    hear(d->world, d->later, sizeof d->later);
    unit_tell(&d->story, "body", err == HY_OK ? "-" : "x");
    return err;
}

static hy_err run_daemon(hy_mem *mem, daemon_story *d, bool signals) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    d->world = world;
    d->a = (unit){ .name = "a", .story = &d->story, .lingers = HY_SECONDS(2) };
    hy_root_options options = {
        .size = sizeof options, .signals = signals, .notify = true, .stop_max = HY_SECONDS(20)
    };
    return hy_root_run(world, &options, daemon_body, d);
}

static hy_err first_signal_stops(hy_mem *mem) {
    daemon_story d = { .raises = 1, .between = HY_SECONDS(1) };
    CHECK_OK(run_daemon(mem, &d, true));
    CHECK(unit_story_is(&d.story, "a+ a* body- a- a."));
    if (kit_failed_allocation()) return HY_OK;
    CHECK_TEXT(hy_bytes_of(d.ready), "READY=1");
    CHECK_TEXT(hy_bytes_of(d.stopping),
               "STOPPING=1\nSTATUS=stopping, 2 fibers left\nEXTEND_TIMEOUT_USEC=5000000");
    // Nothing has ended since: no more time is asked for.
    CHECK_TEXT(hy_bytes_of(d.later), "STATUS=stopping, 2 fibers left");
    return HY_OK;
}

static hy_err second_signal_cancels(hy_mem *mem) {
    daemon_story d = { .raises = 2, .between = HY_SECONDS(1) };
    // The task that raises them drains, too, but has no intake.
    CHECK_ERR(run_daemon(mem, &d, true), HY_CANCELLED);
    CHECK(unit_story_is(&d.story, "a+ a* bodyx ax a."));
    return HY_OK;
}

// Nothing is installed by being linked (scopes.md 1.8, 10): without the option nobody listens.
static hy_err signals_are_left_alone_unless_asked_for(hy_mem *mem) {
    daemon_story d = { .raises = 5, .between = HY_SECONDS(1) };
    hy_err err = run_daemon(mem, &d, false);
    CHECK_ERR(err, HY_DEADLOCK); // nobody stopped it
    CHECK(unit_story_is(&d.story, "a+ a* ax a."));
    return HY_OK;
}

// ---- worlds that stand still ------------------------------------------------------------------

static hy_err waits_for_ever(void *arg) {
    unit_story *story = (unit_story *)arg;
    hy_event never = { 0 };
    hy_err err = hy_event_wait(&never);
    unit_tell(story, "told", err == HY_DEADLOCK ? "-" : "x");
    return err;
}

static hy_err standstill_is_an_error(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    unit_story story = { 0 };
    CHECK_ERR(hy_root_run(world, NULL, waits_for_ever, &story), HY_DEADLOCK);
    CHECK(unit_story_is(&story, "told-"));
    return HY_OK;
}

static hy_err stops_the_world(void *arg) {
    hy_world_stop(hy_scope_world(hy_scope_current()));
    hy_err err = hy_sleep(HY_SECONDS(1000));
    *(hy_err *)arg = err;
    return err;
}

static hy_err stopped_world_cancels_the_root(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    hy_err told = HY_OK;
    CHECK_ERR(hy_root_run(world, NULL, stops_the_world, &told), HY_CANCELLED);
    CHECK_ERR(told, HY_CANCELLED);
    return HY_OK;
}

static hy_err body_error(void *arg) {
    (void)arg;
    return HY_IO;
}

static hy_err root_gives_its_bodys_error(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    CHECK_ERR(hy_root_run(world, NULL, body_error, NULL), HY_IO);
    return HY_OK;
}

// ---- a crash ----------------------------------------------------------------------------------

static void on_release(void *object) {
    ++*(uint32_t *)object;
}

typedef struct crash {
    unit units[3];
    uint32_t released, done;
} crash;

static hy_err crash_task(void *arg) {
    crash *c = (crash *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_SECONDS(500)) {
        err = hy_own(s, &c->released, on_release, 0);
        if (err == HY_OK && !hy_scope_alloc(s, 1000)) err = HY_NOMEM;
        if (err == HY_OK) err = hy_sleep(HY_SECONDS(100));
    }
    return err;
}

static hy_err crash_body(void *arg) {
    crash *c = (crash *)arg;
    hy_err err = HY_OK;
    for (int i = 0; i < 3 && err == HY_OK; i++) {
        c->units[i] = (unit){ .name = "a", .lives = HY_SECONDS(1), .falls = (uint32_t)i };
        err = unit_start(NULL, &c->units[i], HY_PERMANENT, NULL);
    }
    for (int i = 0; i < 20 && err == HY_OK; i++) {
        hy_task *kept = NULL;
        err = hy_spawn(NULL, crash_task, c, NULL, i % 2 ? &kept : NULL);
    }
    hy_scope *dynamic = NULL;
    if (err == HY_OK) err = hy_scope_open(NULL, NULL, &dynamic);
    if (err == HY_OK) err = hy_spawn(dynamic, crash_task, c, NULL, NULL);
    return err == HY_OK ? hy_sleep(HY_SECONDS(60)) : err;
}

static void crash_done(void *self, hy_err err) {
    (void)err;
    ((crash *)self)->done++;
}

static hy_err abandoned_root_leaves_nothing(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    crash c = { .released = 0 };
    hy_root_options options = { .size = sizeof options, .signals = true, .notify = true };
    hy_root *root = NULL;
    CHECK_OK(hy_root_start(world, &options, crash_body, &c, crash_done, &c, &root));
    hy_sim_advance(world, HY_SECONDS(30));
    if (c.done > 0) return HY_NOMEM; // it had ended before
    hy_sim_restart(world);
    uint32_t before = c.released;
    hy_root_abandon(root);
    CHECK_EQ(c.released, before); // nothing was run
    CHECK(before == 0 || kit_failed_allocation());
    CHECK_EQ(c.done, 0);
    hy_root_abandon(NULL);
    return HY_OK;
}

static hy_err writes_until_the_crash(void *arg) {
    crash *c = (crash *)arg;
    hy_scope *scope = hy_scope_current();
    hy_err err = hy_own(scope, &c->released, on_release, 0);
    hy_file *file = NULL;
    if (err == HY_OK) {
        err =
            hy_file_open(hy_scope_world(scope), "log", HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL);
    }
    for (uint64_t i = 0; err == HY_OK; i++) {
        err = hy_file_write(file, i, HY_BYTES("x"));
        if (err == HY_IO) err = hy_sleep(HY_SECONDS(1)); // it waits for ever: nothing runs any more
    }
    hy_file_close(file);
    return err;
}

static hy_err crash_ends_the_run(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    hy_sim_crash_at(world, 5);
    crash c = { .released = 0 };
    CHECK_ERR(hy_root_run(world, NULL, writes_until_the_crash, &c), HY_CLOSED);
    CHECK(c.released == 0 || kit_failed_allocation()); // without a timer the fiber runs on
    hy_sim_restart(world);
    return HY_OK;
}

// ---- the real thing ---------------------------------------------------------------------------

typedef struct manager {
    int fd;
    char path[64];
    pid_t child;
    int child_stderr;
} manager;

static hy_err child_task(void *arg) {
    (void)arg;
    hy_err err = hy_sleep(HY_SECONDS(600));
    return err;
}

// Serves until it drains; then one task is deaf, so that only a second signal ends it soon.
static hy_err child_body(void *arg) {
    static unit a = { .name = "a" };
    const bool *is_deaf = (const bool *)arg;
    hy_err err = unit_start(NULL, &a, HY_PERMANENT, NULL);
    const hy_spawn_options named = { .size = sizeof named, .name = "deaf task" };
    if (err == HY_OK && *is_deaf) err = hy_spawn(NULL, child_task, NULL, &named, NULL);
    if (err != HY_OK) return err;
    hy_ready();
    err = hy_wait_draining();
    return err == HY_CLOSED ? HY_OK : err;
}

static HY_NORETURN void child_main(bool is_deaf) {
    hy_world *world = NULL;
    if (hy_world_open(NULL, &world) != HY_OK) _exit(100);
    hy_root_options options = {
        .size = sizeof options, .signals = true, .notify = true, .stop_max = HY_SECONDS(300)
    };
    hy_err err = hy_root_run(world, &options, child_body, &is_deaf);
    hy_world_close(world);
    _exit((int)err);
}

static void manager_begin(manager *m, bool child_is_deaf) {
    snprintf(m->path, sizeof m->path, "@hypha-root-test-%ld", (long)getpid());
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t len = strlen(m->path);
    memcpy(address.sun_path, m->path, len);
    address.sun_path[0] = 0; // an abstract name
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(m->fd >= 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    CHECK_EQ(bind(m->fd, (struct sockaddr *)&address, size), 0);
    int words[2];
    CHECK_EQ(pipe(words), 0);
    m->child = fork();
    CHECK(m->child >= 0);
    if (m->child == 0) {
        setenv("NOTIFY_SOCKET", m->path, 1);
        dup2(words[1], STDERR_FILENO);
        close(words[0]);
        close(words[1]);
        child_main(child_is_deaf);
    }
    close(words[1]);
    m->child_stderr = words[0];
}

// The next message whose beginning is `wanted`; others are skipped. Ten seconds are for ever.
static void manager_hears(const manager *m, const char *wanted) {
    char text[512];
    for (;;) {
        struct pollfd ready = { .fd = m->fd, .events = POLLIN };
        CHECK_EQ(poll(&ready, 1, 10000), 1);
        ssize_t len = recv(m->fd, text, sizeof text - 1, 0);
        CHECK(len > 0);
        text[len] = 0;
        if (strncmp(text, wanted, strlen(wanted)) == 0) return;
    }
}

// What the child writes until `wanted` has come.
static void manager_reads(const manager *m, const char *wanted) {
    char text[4096];
    size_t len = 0;
    do {
        CHECK(len < sizeof text - 1);
        struct pollfd ready = { .fd = m->child_stderr, .events = POLLIN };
        CHECK_EQ(poll(&ready, 1, 10000), 1);
        ssize_t got = read(m->child_stderr, text + len, sizeof text - 1 - len);
        CHECK(got > 0);
        len += (size_t)got;
        text[len] = 0;
    } while (!strstr(text, wanted));
}

static int manager_end(manager *m) {
    int status = 0;
    CHECK_EQ(waitpid(m->child, &status, 0), m->child);
    close(m->fd);
    close(m->child_stderr);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static hy_err real_process_stops_at_sigterm(hy_mem *mem) {
    (void)mem;
    manager m;
    manager_begin(&m, false);
    manager_hears(&m, "READY=1");
    kill(m.child, SIGTERM);
    manager_hears(&m, "STOPPING=1\nSTATUS=stopping");
    CHECK_EQ(manager_end(&m), HY_OK);
    return HY_OK;
}

static hy_err real_process_shows_its_tree_and_is_cancelled(hy_mem *mem) {
    (void)mem;
    manager m;
    manager_begin(&m, true);
    manager_hears(&m, "READY=1");
    kill(m.child, SIGQUIT);
    manager_reads(&m, "deaf task");
    kill(m.child, SIGINT);
    manager_hears(&m, "STOPPING=1");
    manager_hears(&m, "STATUS=stopping"); // a second later it is still at it
    kill(m.child, SIGTERM);
    CHECK_EQ(manager_end(&m), HY_CANCELLED);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(first_signal_stops), KIT_TEST(second_signal_cancels),
          KIT_TEST_ONCE(signals_are_left_alone_unless_asked_for), KIT_TEST(standstill_is_an_error),
          KIT_TEST(stopped_world_cancels_the_root), KIT_TEST(root_gives_its_bodys_error),
          KIT_TEST(abandoned_root_leaves_nothing), KIT_TEST(crash_ends_the_run),
          KIT_TEST_ONCE(real_process_stops_at_sigterm),
          KIT_TEST_ONCE(real_process_shows_its_tree_and_is_cancelled))
