// conn_test.c - connections in blocking style, over both worlds.
//
// Each test is one body that runs in a simulated and in a real world: what a program may rely on is
// the same. Only half-closing needs a raw socket, and so the real one.
#include "scope/run_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPBACK "127.0.0.1"

// Defines both, from `static hy_err <name>(void *unused)`.
#define RUN_BOTH(name) RUN_SIM(name) RUN_REAL(name)
#define KIT_BOTH(name) KIT_TEST(sim_##name), KIT_TEST(real_##name)
#define KIT_BOTH_ONCE(name) KIT_TEST_ONCE(sim_##name), KIT_TEST_ONCE(real_##name)

// The two ends of one connection.
typedef struct duo {
    hy_port *port;
    hy_conn *client, *server;
} duo;

static hy_err duo_connect(void *arg) {
    duo *d = (duo *)arg;
    return hy_conn_open(NULL, LOOPBACK, hy_port_number(d->port), &d->client, NULL);
}

static hy_err duo_accept(void *arg) {
    duo *d = (duo *)arg;
    return hy_accept(d->port, NULL, &d->server);
}

// Both in `scope`. A connection that is lost for want of memory on the way looks like a closed one.
static hy_err duo_open(duo *d, hy_scope *scope) {
    *d = (duo){ 0 };
    hy_err err = hy_port_open(scope, LOOPBACK, 0, &d->port, NULL);
    hy_task *accept = NULL, *connect = NULL;
    if (err == HY_OK) err = hy_spawn(scope, duo_accept, d, NULL, &accept);
    if (err == HY_OK) err = hy_spawn(scope, duo_connect, d, NULL, &connect);
    if (err == HY_OK) err = hy_await(connect);
    if (kit_failed_allocation()) return HY_NOMEM; // nobody may come
    if (err == HY_OK) err = hy_await(accept);
    return err != HY_OK && kit_failed_allocation() ? HY_NOMEM : err;
}

static hy_err read_all(hy_conn *conn, void *ptr, size_t len, size_t *out_len) {
    size_t done = 0;
    while (done < len) {
        size_t got = 0;
        hy_err err = hy_conn_read(conn, (uint8_t *)ptr + done, len - done, &got);
        if (err != HY_OK) return err;
        if (got == 0) break;
        done += got;
    }
    *out_len = done;
    return HY_OK;
}

static uint8_t byte_at(size_t at) {
    return (uint8_t)(at * 31 + at / 251);
}

// ---- an echo server -----------------------------------------------------------------------------

typedef struct echo {
    hy_port *port;
    hy_scope *server;
    uint32_t clients, rounds, served;
} echo;

static hy_err echo_one(void *arg) {
    hy_conn *conn = (hy_conn *)arg;
    uint8_t bytes[256];
    for (;;) {
        size_t got = 0;
        hy_err err = hy_conn_read(conn, bytes, sizeof bytes, &got);
        if (err == HY_OK && got > 0) err = hy_conn_write(conn, (hy_bytes){ bytes, got });
        if (err == HY_CLOSED) got = 0, err = HY_OK; // it left while we were answering
        if (err != HY_OK) return err;
        if (got > 0) continue;
        hy_conn_close(conn);
        return HY_OK;
    }
}

static hy_err echo_serve(void *arg) {
    echo *e = (echo *)arg;
    for (;;) {
        hy_conn *conn = NULL;
        hy_err err = hy_accept(e->port, e->server, &conn);
        if (err == HY_CLOSED) return HY_OK;
        if (err != HY_OK) return err;
        e->served++;
        err = hy_spawn(e->server, echo_one, conn, NULL, NULL);
        if (err != HY_OK) return err;
    }
}

static hy_err echo_client(void *arg) {
    const echo *e = (const echo *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "client") {
        hy_conn *conn = NULL;
        CHECK_OK(hy_conn_open(s, LOOPBACK, hy_port_number(e->port), &conn, NULL));
        for (uint32_t i = 0; i < e->rounds; i++) {
            char sent[32] = "", got[32] = "";
            size_t len = (size_t)snprintf(sent, sizeof sent, "round %u of many", i), heard = 0;
            err = hy_conn_write(conn, (hy_bytes){ (uint8_t *)sent, len });
            if (err == HY_OK) err = read_all(conn, got, len, &heard);
            if (err != HY_OK) break;
            CHECK_EQ(heard, len);
            CHECK(memcmp(sent, got, len) == 0);
        }
    }
    return err;
}

static hy_err echo_all(uint32_t clients, uint32_t rounds) {
    echo e = { .clients = clients, .rounds = rounds };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .name = "echo") {
        hy_task *serving = NULL;
        CHECK_OK(hy_port_open(s, LOOPBACK, 0, &e.port, NULL));
        CHECK_OK(hy_scope_open(s, HY_OPTIONS(hy_scope, .name = "server"), &e.server));
        CHECK_OK(hy_spawn(s, echo_serve, &e, NULL, &serving));
        HY_SCOPE(talking, &err, .name = "clients") {
            for (uint32_t i = 0; i < clients; i++)
                CHECK_OK(hy_spawn(talking, echo_client, &e, NULL, NULL));
        }
        if (err != HY_OK) break;
        hy_port_close(e.port);
        CHECK_OK(hy_await(serving));
        err = hy_scope_join(e.server);
    }
    CHECK_OK(err);
    CHECK_EQ(e.served, clients);
    return HY_OK;
}

static hy_err echo_for_100_clients(void *unused) {
    (void)unused;
    return echo_all(100, 5);
}
RUN_BOTH(echo_for_100_clients)

// ---- much of it ---------------------------------------------------------------------------------

#define MUCH ((size_t)3 << 20)

typedef struct much {
    duo duo;
    uint8_t *bytes;
    bool written;
} much;

static hy_err write_much(void *arg) {
    much *m = (much *)arg;
    hy_err err = hy_conn_write(m->duo.client, (hy_bytes){ m->bytes, MUCH });
    m->written = true;
    hy_conn_close(m->duo.client);
    return err;
}

// All of it arrives, although the writer closes at once; and not before somebody reads.
static hy_err a_slow_reader_holds_up_the_writer(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    much m = { 0 };
    HY_SCOPE(s, &err) {
        m.bytes = (uint8_t *)hy_scope_alloc(s, MUCH);
        if (!m.bytes) return HY_NOMEM;
        for (size_t i = 0; i < MUCH; i++)
            m.bytes[i] = byte_at(i);
        CHECK_OK(duo_open(&m.duo, s));
        CHECK_OK(hy_spawn(s, write_much, &m, NULL, NULL));
        CHECK_OK(hy_sleep(HY_MS(20)));
        size_t done = 0, got = 1;
        while (got > 0) {
            uint8_t piece[10007];
            CHECK_OK(hy_conn_read(m.duo.server, piece, sizeof piece, &got));
            for (size_t i = 0; i < got; i++)
                CHECK_EQ(piece[i], byte_at(done + i));
            done += got;
            if (done == got && got > 0) CHECK(hy_world_is_real(hy_scope_world(s)) || !m.written);
        }
        CHECK_EQ(done, MUCH);
        CHECK(m.written);
    }
    return err;
}
RUN_BOTH(a_slow_reader_holds_up_the_writer)

typedef struct chorus {
    duo duo;
    char letter;
} chorus;

static hy_err sing(void *arg) {
    chorus *c = (chorus *)arg;
    uint8_t *verse = (uint8_t *)hy_scope_alloc(hy_scope_current(), 600000);
    if (!verse) return HY_NOMEM;
    memset(verse, c->letter, 600000);
    return hy_conn_write(c->duo.client, (hy_bytes){ verse, 600000 });
}

static hy_err writers_take_turns(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    chorus singers[3] = { { .letter = 'a' }, { .letter = 'b' }, { .letter = 'c' } };
    duo d;
    HY_SCOPE(s, &err) {
        CHECK_OK(duo_open(&d, s));
        for (int i = 0; i < 3; i++) {
            singers[i].duo = d;
            CHECK_OK(hy_spawn(s, sing, &singers[i], NULL, NULL));
        }
        uint8_t *heard = (uint8_t *)hy_scope_alloc(s, 1800000);
        if (!heard) return HY_NOMEM;
        size_t len = 0;
        CHECK_OK(read_all(d.server, heard, 1800000, &len));
        CHECK_EQ(len, 1800000);
        for (size_t i = 0; i < len; i++)
            CHECK_EQ(heard[i], heard[i / 600000 * 600000]);
    }
    return err;
}
RUN_BOTH(writers_take_turns)

// ---- ends ---------------------------------------------------------------------------------------

static hy_err the_end_comes_after_the_bytes(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    duo d;
    HY_SCOPE(s, &err) {
        CHECK_OK(duo_open(&d, s));
        CHECK_OK(hy_conn_write(d.client, HY_BYTES("last words")));
        hy_conn_close(d.client);
        char text[32] = "";
        size_t len = 0;
        CHECK_OK(read_all(d.server, text, sizeof text, &len));
        CHECK_TEXT(((hy_bytes){ (uint8_t *)text, len }), "last words");
        CHECK_OK(hy_conn_read(d.server, text, sizeof text, &len)); // and again
        CHECK_EQ(len, 0);
    }
    return err;
}
RUN_BOTH(the_end_comes_after_the_bytes)

// The other end goes away with things unread: that may break the connection.
static hy_err a_vanished_peer_is_told(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    duo d;
    HY_SCOPE(s, &err) {
        CHECK_OK(duo_open(&d, s));
        CHECK_OK(hy_conn_write(d.client, HY_BYTES("nobody reads this")));
        CHECK_OK(hy_sleep(HY_MS(2)));
        hy_conn_close(d.server);
        char text[8];
        size_t len = 0;
        hy_err got = hy_conn_read(d.client, text, sizeof text, &len);
        CHECK((got == HY_OK && len == 0) || got == HY_CLOSED);
        hy_err wrote = HY_OK;
        for (int i = 0; i < 100 && wrote == HY_OK; i++) {
            wrote = hy_conn_write(d.client, HY_BYTES("is anybody there?"));
            CHECK_OK(hy_sleep(HY_MS(1)));
        }
        CHECK_ERR(wrote, HY_CLOSED);
    }
    return err;
}
RUN_BOTH(a_vanished_peer_is_told)

static hy_err read_until_closed(void *arg) {
    duo *d = (duo *)arg;
    char text[8];
    size_t len = 0;
    return hy_conn_read(d->client, text, sizeof text, &len);
}

static hy_err closed_under_a_reader_and_a_writer(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    much m = { 0 };
    chorus singer = { .letter = 'x' };
    HY_SCOPE(s, &err, .policy = hy_ignore) {
        hy_task *reader = NULL, *writer = NULL;
        CHECK_OK(duo_open(&m.duo, s));
        singer.duo = m.duo;
        CHECK_OK(hy_spawn(s, read_until_closed, &m.duo, NULL, &reader));
        CHECK_OK(hy_sleep(HY_MS(1)));                  // it waits
        CHECK_ERR(read_until_closed(&m.duo), HY_BUSY); // one at a time
        HY_SCOPE(writing, &err, .policy = hy_ignore) {
            CHECK_OK(hy_spawn(writing, sing, &singer, NULL, &writer));
            for (int i = 0; i < 5; i++)
                CHECK_OK(hy_yield());
            hy_conn_close(m.duo.client);
            hy_err wrote = hy_await(writer);
            CHECK(wrote == HY_CLOSED || wrote == HY_OK || wrote == HY_NOMEM);
        }
        CHECK_OK(err);
        CHECK_ERR(hy_await(reader), HY_CLOSED);
    }
    return err;
}
RUN_BOTH(closed_under_a_reader_and_a_writer)

// ---- cancel in the middle of each call ----------------------------------------------------------

typedef enum call { CALL_ACCEPT, CALL_OPEN, CALL_READ, CALL_WRITE } call;

typedef struct calling {
    duo duo;
    call which;
    uint8_t *bytes;
} calling;

static hy_err call_one(void *arg) {
    calling *c = (calling *)arg;
    hy_conn *conn = NULL;
    uint8_t byte = 0;
    size_t len = 0;
    switch (c->which) {
    case CALL_ACCEPT: return hy_accept(c->duo.port, NULL, &conn);
    case CALL_OPEN: return hy_conn_open(NULL, LOOPBACK, hy_port_number(c->duo.port), &conn, NULL);
    case CALL_READ: return hy_conn_read(c->duo.client, &byte, 1, &len);
    case CALL_WRITE: return hy_conn_write(c->duo.client, (hy_bytes){ c->bytes, MUCH * 4 });
    }
    return HY_REJECT;
}

static hy_err cancel_one(calling *c, hy_scope *s, call which, hy_err *out_err) {
    hy_task *task = NULL;
    c->which = which;
    hy_err err = hy_spawn(s, call_one, c, NULL, &task);
    if (err != HY_OK) return err;
    if (which == CALL_WRITE) err = hy_sleep(HY_MS(20)); // more than the two ends can hold
    if (which == CALL_READ || which == CALL_ACCEPT) err = hy_yield();
    if (err != HY_OK) return err;
    hy_task_cancel(task, HY_CANCELLED);
    *out_err = hy_await(task);
    return HY_OK;
}

static hy_err each_call_can_be_cancelled(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    calling c = { 0 };
    HY_SCOPE(s, &err, .policy = hy_ignore) {
        hy_err got = HY_OK;
        c.bytes = (uint8_t *)hy_scope_alloc(s, MUCH * 4);
        if (!c.bytes) return HY_NOMEM;
        memset(c.bytes, 'w', MUCH * 4);
        CHECK_OK(duo_open(&c.duo, s));
        for (call which = CALL_ACCEPT; which <= CALL_WRITE; which++) {
            CHECK_OK(cancel_one(&c, s, which, &got));
            CHECK_ERR(got, HY_CANCELLED);
        }
        CHECK_ERR(hy_conn_write(c.duo.client, HY_BYTES("after half a message")), HY_CLOSED);
        // The others go on as if nothing had been.
        uint8_t byte = 0;
        size_t len = 0;
        CHECK_OK(hy_conn_write(c.duo.server, HY_BYTES("y")));
        CHECK_OK(hy_conn_read(c.duo.client, &byte, 1, &len));
        CHECK_EQ(byte, 'y');
    }
    return err;
}
RUN_BOTH(each_call_can_be_cancelled)

// ---- taking nothing more in ---------------------------------------------------------------------

static hy_err accept_in_a_service(void *arg) {
    duo *d = (duo *)arg;
    hy_conn *conn = NULL;
    return hy_accept(d->port, NULL, &conn);
}

static hy_err draining_ends_an_accept(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    duo d = { 0 };
    CHECK_OK(hy_port_open(hy_scope_current(), LOOPBACK, 0, &d.port, NULL));
    HY_SCOPE(s, &err, .policy = hy_ignore) {
        hy_task *task = NULL;
        CHECK_OK(hy_spawn(s, accept_in_a_service, &d, NULL, &task));
        CHECK_OK(hy_yield());
        hy_scope_stop(s, HY_SECONDS(1));
        hy_err got = hy_await(task);
        if (got != HY_CLOSED && kit_failed_allocation()) return HY_NOMEM; // stopped at once
        CHECK_ERR(got, HY_CLOSED);
        hy_conn *conn = NULL;
        CHECK_ERR(hy_accept(d.port, NULL, &conn), HY_CLOSED); // here too: it is the scope's
    }
    return err;
}
RUN_BOTH(draining_ends_an_accept)

static hy_err a_port_closes_under_its_acceptors(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    duo d = { 0 };
    HY_SCOPE(s, &err, .policy = hy_ignore) {
        hy_task *tasks[3];
        CHECK_OK(hy_port_open(s, LOOPBACK, 0, &d.port, NULL));
        for (int i = 0; i < 3; i++)
            CHECK_OK(hy_spawn(s, accept_in_a_service, &d, NULL, &tasks[i]));
        CHECK_OK(hy_sleep(HY_MS(1)));
        hy_port_close(d.port);
        for (int i = 0; i < 3; i++)
            CHECK_ERR(hy_await(tasks[i]), HY_CLOSED);
    }
    return err;
}
RUN_BOTH(a_port_closes_under_its_acceptors)

// ---- limits and refusals ------------------------------------------------------------------------

static hy_err nobody_listens(void *unused) {
    (void)unused;
    hy_port *port = NULL;
    hy_conn *conn = NULL;
    hy_why why = { 0 };
    CHECK_OK(hy_port_open(hy_scope_current(), LOOPBACK, 0, &port, NULL));
    uint16_t number = hy_port_number(port);
    hy_port *again = NULL;
    CHECK_ERR(hy_port_open(hy_scope_current(), LOOPBACK, number, &again, &why), HY_BUSY);
    hy_port_close(port);
    CHECK_OK(hy_sleep(HY_MS(2)));
    CHECK_ERR(hy_conn_open(NULL, LOOPBACK, number, &conn, &why), HY_NOT_FOUND);
    CHECK_EQ(why.code, HY_NOT_FOUND);
    CHECK_ERR(hy_conn_open(NULL, "example", number, &conn, &why), HY_MALFORMED);
    return HY_OK;
}
RUN_BOTH(nobody_listens)

static hy_err accept_for(void *arg) {
    duo *d = (duo *)arg;
    return hy_accept(d->port, NULL, &d->server);
}

// The port, and two ends here; the third has to wait for one of them to go.
static hy_err at_the_limit_accept_waits(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    duo d = { 0 }, e = { 0 };
    HY_SCOPE(s, &err) {
        CHECK_OK(hy_port_open(s, LOOPBACK, 0, &d.port, NULL));
        e.port = d.port;
        hy_scope *few = NULL;
        CHECK_OK(hy_scope_open(s, HY_OPTIONS(hy_scope, .descriptors_max = 1), &few));
        CHECK_OK(duo_connect(&d));
        CHECK_OK(duo_connect(&e));
        if (kit_failed_allocation()) return HY_NOMEM; // who listens may have dropped them
        hy_task *first = NULL, *second = NULL;
        CHECK_OK(hy_spawn(few, accept_for, &d, NULL, &first));
        CHECK_OK(hy_await(first));
        CHECK_OK(hy_spawn(few, accept_for, &e, NULL, &second));
        CHECK_OK(hy_sleep(HY_MS(5)));
        CHECK(!hy_task_ended(second));
        hy_port *port = NULL;
        CHECK_ERR(hy_port_open(few, LOOPBACK, 0, &port, NULL), HY_LIMIT);
        hy_conn_close(d.server);
        CHECK_OK(hy_await(second));
        CHECK(e.server != NULL);
        CHECK_OK(hy_scope_close(few));
    }
    return err;
}
RUN_BOTH(at_the_limit_accept_waits)

static hy_err what_its_scope_leaves_open_is_closed(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    duo d;
    hy_conn *client = NULL;
    HY_SCOPE(outer, &err) {
        HY_SCOPE(inner, &err) {
            CHECK_OK(duo_open(&d, inner));
            CHECK_OK(hy_conn_open(outer, LOOPBACK, hy_port_number(d.port), &client, NULL));
        }
        CHECK_OK(err);
        char text[8];
        size_t len = 1;
        hy_err got = hy_conn_read(client, text, sizeof text, &len); // nobody accepted it
        CHECK((got == HY_OK && len == 0) || got == HY_CLOSED);
    }
    return err;
}
RUN_BOTH(what_its_scope_leaves_open_is_closed)

// ---- half of it closed: only a raw socket can ---------------------------------------------------

static hy_err raw_connect(uint16_t port, int *out_fd) {
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    *out_fd = fd;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return HY_OK;
    CHECK(errno == EINPROGRESS);
    uint32_t events = 0;
    return hy_wait_fd(fd, 2, HY_NEVER, &events);
}

static void raw_close(int *fd) {
    if (*fd < 0) return;
    hy_forget_fd(*fd);
    close(*fd);
}

static hy_err half_closed_can_be_answered(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        HY_CLEANUP(raw_close) int fd = -1;
        duo d = { 0 };
        CHECK_OK(hy_port_open(s, LOOPBACK, 0, &d.port, NULL));
        CHECK_OK(raw_connect(hy_port_number(d.port), &fd));
        if (kit_failed_allocation()) return HY_NOMEM;
        CHECK_OK(hy_accept(d.port, NULL, &d.server));
        CHECK(write(fd, "question", 8) == 8);
        shutdown(fd, SHUT_WR);
        char text[32] = "";
        size_t len = 0;
        CHECK_OK(read_all(d.server, text, sizeof text, &len));
        CHECK_EQ(len, 8);
        CHECK_OK(hy_conn_write(d.server, HY_BYTES("answer")));
        hy_conn_close(d.server);
        uint32_t events = 0;
        CHECK_OK(hy_wait_fd(fd, 1, HY_NEVER, &events));
        CHECK_EQ(read(fd, text, sizeof text), 6);
        CHECK(memcmp(text, "answer", 6) == 0);
    }
    return err;
}
RUN_REAL(half_closed_can_be_answered)

KIT_TESTS(KIT_BOTH_ONCE(echo_for_100_clients), KIT_BOTH_ONCE(a_slow_reader_holds_up_the_writer),
          KIT_BOTH_ONCE(writers_take_turns), KIT_BOTH(the_end_comes_after_the_bytes),
          KIT_BOTH_ONCE(a_vanished_peer_is_told), KIT_BOTH_ONCE(closed_under_a_reader_and_a_writer),
          KIT_BOTH_ONCE(each_call_can_be_cancelled), KIT_BOTH(draining_ends_an_accept),
          KIT_BOTH(a_port_closes_under_its_acceptors), KIT_BOTH(nobody_listens),
          KIT_BOTH(at_the_limit_accept_waits), KIT_BOTH_ONCE(what_its_scope_leaves_open_is_closed),
          KIT_TEST_ONCE(real_half_closed_can_be_answered))
