// fd_test.c - waiting for descriptors.
//
// On socket pairs and pipes of the real world: a simulated one has none, and says so. The price of
// waiting is measured in bench/scope_io.c; here it only must not be a loop that never sleeps.
#include "scope/run_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct pair {
    int ends[2];
    uint32_t rounds, heard;
} pair;

static void pair_close(pair *p) {
    for (int i = 0; i < 2; i++) {
        if (p->ends[i] < 0) continue;
        hy_forget_fd(p->ends[i]);
        close(p->ends[i]);
        p->ends[i] = -1;
    }
}

static void pair_open(pair *p) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p->ends) == 0);
}

static hy_err read_byte(int fd, char *out_byte) {
    for (;;) {
        ssize_t got = read(fd, out_byte, 1);
        if (got == 1) return HY_OK;
        if (got == 0) return HY_END;
        CHECK(errno == EAGAIN);
        uint32_t events = 0;
        hy_err err = hy_wait_fd(fd, 1, HY_NEVER, &events);
        if (err != HY_OK) return err;
        CHECK_EQ(events, 1);
    }
}

// ---- the two ends -------------------------------------------------------------------------------

static hy_err echo_bytes(void *arg) {
    pair *p = (pair *)arg;
    for (;;) {
        char byte = 0;
        hy_err err = read_byte(p->ends[1], &byte);
        if (err == HY_END) return HY_OK;
        if (err != HY_OK) return err;
        p->heard++;
        CHECK(write(p->ends[1], &byte, 1) == 1);
    }
}

static hy_err talk_on_a_pair(void *unused) {
    (void)unused;
    HY_CLEANUP(pair_close) pair p = { .rounds = 100 };
    pair_open(&p);
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_spawn(s, echo_bytes, &p, NULL, NULL));
        for (uint32_t i = 0; i < p.rounds; i++) {
            char sent = (char)i, got = 0;
            CHECK(write(p.ends[0], &sent, 1) == 1);
            err = read_byte(p.ends[0], &got);
            if (err != HY_OK) break; // the other fiber ran out of memory
            CHECK_EQ(sent, got);
        }
        shutdown(p.ends[0], SHUT_WR);
    }
    CHECK_OK(err);
    CHECK_EQ(p.heard, p.rounds);
    return HY_OK;
}
RUN_REAL(talk_on_a_pair)

static hy_err wait_for_both(void *unused) {
    (void)unused;
    HY_CLEANUP(pair_close) pair p = { .rounds = 0 };
    pair_open(&p);
    uint32_t events = 0;
    CHECK_OK(hy_wait_fd(p.ends[0], 3, HY_NEVER, &events));
    CHECK_EQ(events, 2); // writable, nothing to read
    CHECK(write(p.ends[1], "x", 1) == 1);
    CHECK_OK(hy_wait_fd(p.ends[0], 1, HY_NEVER, &events));
    CHECK_EQ(events, 1);
    CHECK_OK(hy_wait_fd(p.ends[0], 3, HY_NEVER, &events));
    CHECK_EQ(events, 3);
    return HY_OK;
}
RUN_REAL(wait_for_both)

// ---- being told something else ------------------------------------------------------------------

static hy_err wait_readable(void *arg) {
    uint32_t events = 0;
    return hy_wait_fd(((pair *)arg)->ends[0], 1, HY_NEVER, &events);
}

static hy_err deadline_cancel_forget(void *unused) {
    (void)unused;
    HY_CLEANUP(pair_close) pair p = { .rounds = 0 };
    pair_open(&p);
    uint32_t events = 0;
    hy_world *world = hy_scope_world(hy_scope_current());
    CHECK_ERR(hy_wait_fd(p.ends[0], 1, hy_world_now(world) + HY_MS(2), &events), HY_TIMEOUT);
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .policy = hy_ignore) {
        hy_task *task = NULL;
        CHECK_OK(hy_spawn(s, wait_readable, &p, NULL, &task));
        CHECK_OK(hy_yield());
        CHECK_ERR(hy_wait_fd(p.ends[0], 1, HY_NEVER, &events), HY_BUSY); // one reader
        CHECK_OK(hy_wait_fd(p.ends[0], 2, HY_NEVER, &events));           // and one writer
        hy_task_cancel(task, HY_CANCELLED);
        CHECK_ERR(hy_await(task), HY_CANCELLED);
        CHECK_OK(hy_spawn(s, wait_readable, &p, NULL, &task));
        CHECK_OK(hy_yield());
        hy_forget_fd(p.ends[0]);
        CHECK_ERR(hy_await(task), HY_CLOSED);
        CHECK(write(p.ends[1], "x", 1) == 1);
        CHECK_OK(hy_wait_fd(p.ends[0], 1, HY_NEVER, &events)); // and from the beginning
    }
    return err;
}
RUN_REAL(deadline_cancel_forget)

static hy_err pipes_and_their_ends(void *unused) {
    (void)unused;
    HY_CLEANUP(pair_close) pair p = { .rounds = 0 };
    CHECK(pipe2(p.ends, O_NONBLOCK | O_CLOEXEC) == 0);
    uint32_t events = 0;
    CHECK_OK(hy_wait_fd(p.ends[1], 2, HY_NEVER, &events));
    CHECK_EQ(events, 2);
    hy_forget_fd(p.ends[1]);
    close(p.ends[1]);
    p.ends[1] = -1;
    CHECK_OK(hy_wait_fd(p.ends[0], 1, HY_NEVER, &events)); // the end is something to read
    char byte = 0;
    CHECK_EQ(read(p.ends[0], &byte, 1), 0);
    return HY_OK;
}
RUN_REAL(pipes_and_their_ends)

static hy_err a_file_is_refused(void *unused) {
    (void)unused;
    uint32_t events = 0;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0);
    hy_err err = hy_wait_fd(file, 1, HY_NEVER, &events);
    close(file);
    CHECK_ERR(err, HY_UNSUPPORTED);
    return HY_OK;
}
RUN_REAL(a_file_is_refused)
RUN_SIM(a_file_is_refused)

static hy_ns cpu_so_far(void) {
    hy_process_facts facts = { 0 };
    hy_world_process(hy_scope_world(hy_scope_current()), &facts);
    return facts.cpu;
}

// Something is there to read, and the loop must not turn for it all the time.
static hy_err what_nobody_waits_for_is_paused(void *unused) {
    (void)unused;
    HY_CLEANUP(pair_close) pair p = { .rounds = 0 };
    pair_open(&p);
    uint32_t events = 0;
    CHECK(write(p.ends[1], "xy", 2) == 2);
    for (int i = 0; i < 2; i++) {
        char byte = 0;
        CHECK_OK(hy_wait_fd(p.ends[0], 3, HY_NEVER, &events));
        CHECK_EQ(events, 3);
        hy_ns before = cpu_so_far();
        CHECK_OK(hy_sleep(HY_MS(100)));
        CHECK(cpu_so_far() - before < HY_MS(25));
        CHECK_EQ(read(p.ends[0], &byte, 1), 1);
    }
    return HY_OK;
}
RUN_REAL(what_nobody_waits_for_is_paused)

static hy_err counted_while_waited_for(void *unused) {
    (void)unused;
    HY_CLEANUP(pair_close) pair p = { .rounds = 0 }, q = { .rounds = 0 };
    pair_open(&p);
    pair_open(&q);
    hy_err err = HY_OK;
    uint32_t events = 0;
    HY_SCOPE(s, &err, .descriptors_max = 1) {
        hy_task *task = NULL;
        CHECK_OK(hy_wait_fd(p.ends[0], 2, HY_NEVER, &events));
        CHECK_OK(hy_spawn(s, wait_readable, &p, NULL, &task));
        CHECK_OK(hy_yield());
        CHECK_ERR(hy_wait_fd(q.ends[0], 2, HY_NEVER, &events), HY_LIMIT);
        CHECK(write(p.ends[1], "x", 1) == 1);
        CHECK_OK(hy_await(task));
        CHECK_OK(hy_wait_fd(q.ends[0], 2, HY_NEVER, &events));
    }
    return err;
}
RUN_REAL(counted_while_waited_for)

KIT_TESTS(KIT_TEST(real_talk_on_a_pair), KIT_TEST(real_wait_for_both),
          KIT_TEST(real_deadline_cancel_forget), KIT_TEST(real_pipes_and_their_ends),
          KIT_TEST(real_a_file_is_refused), KIT_TEST(sim_a_file_is_refused),
          KIT_TEST(real_counted_while_waited_for),
          KIT_TEST_ONCE(real_what_nobody_waits_for_is_paused))
