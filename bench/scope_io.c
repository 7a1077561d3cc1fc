// scope_io.c - rows of scope_bench about descriptors, connections and context.
//
// fd_hop: a byte goes to and fro on a socket pair; each end waits, reads and writes back, so a hop
// is one wait, one read and one write, and nothing else is ready meanwhile. The peer does the same
// by hand, edge-triggered, in the same run and in turn. conn_hop: the same over TCP and hy_conn,
// where the loop reads; the peer is epoll on TCP. context_get: HY_GET of a value bound a hundred
// scopes above, and provided_get of one that was built there. with: open and close a frame.
#include "bench/scope_io.h"

#include "bench/bench.h"

#include <hypha/scope.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RUNS 7
#define HOPS 100000u
#define GETS 20000000u
#define FRAMES 2000000u
#define DEPTH 100

static double io_ns(double since, uint32_t count) {
    return (bench_now() - since) * 1e9 / count;
}

static void io_in_root(hy_fn body, void *arg) {
    hy_world *world = NULL;
    bench_must(hy_world_open(NULL, &world), "hy_world_open");
    bench_must(hy_root_run(world, NULL, body, arg), "hy_root_run");
    hy_world_close(world);
}

// ---- a pair of sockets --------------------------------------------------------------------------

typedef struct io_pair {
    int ends[2];
    uint32_t left;
    double ns;
} io_pair;

static void io_pair_open(io_pair *p, bool tcp) {
    p->left = HOPS;
    if (!tcp) {
        bool made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->ends) == 0;
        bench_must(made ? HY_OK : HY_IO, "socketpair");
        return;
    }
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof at;
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool made = bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 1) == 0 &&
                getsockname(listener, (struct sockaddr *)&at, &size) == 0;
    p->ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    made = made && connect(p->ends[0], (struct sockaddr *)&at, size) == 0;
    p->ends[1] = made ? accept4(listener, NULL, NULL, SOCK_NONBLOCK) : -1;
    bench_must(p->ends[1] >= 0 ? HY_OK : HY_IO, "a TCP connection");
    for (int i = 0; i < 2; i++)
        setsockopt(p->ends[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    close(listener);
}

static void io_pair_close(io_pair *p) {
    close(p->ends[0]);
    close(p->ends[1]);
}

static void io_pass_on(io_pair *p, int fd) {
    char byte = 0;
    bool passed = read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1;
    bench_must(passed ? HY_OK : HY_IO, "read and write");
    p->left--;
}

static double io_by_epoll(bool tcp) {
    io_pair p;
    io_pair_open(&p, tcp);
    int epoll = epoll_create1(0);
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.fd = p.ends[i] };
        bool added = epoll_ctl(epoll, EPOLL_CTL_ADD, p.ends[i], &event) == 0;
        bench_must(added ? HY_OK : HY_IO, "epoll_ctl");
    }
    bench_must(write(p.ends[0], "x", 1) == 1 ? HY_OK : HY_IO, "write");
    double since = bench_now();
    while (p.left > 0) {
        struct epoll_event got[64];
        int count = epoll_wait(epoll, got, 64, -1);
        for (int i = 0; i < count && p.left > 0; i++)
            io_pass_on(&p, got[i].data.fd);
    }
    double ns = io_ns(since, HOPS);
    close(epoll);
    io_pair_close(&p);
    return ns;
}

// ---- fibers on descriptors ----------------------------------------------------------------------

typedef struct io_end {
    io_pair *pair;
    int fd;
    hy_scope *scope;
} io_end;

static hy_err io_pass_on_fiber(void *arg) {
    const io_end *end = (const io_end *)arg;
    while (end->pair->left > 0) {
        uint32_t events = 0;
        hy_err err = hy_wait_fd(end->fd, 1, HY_NEVER, &events);
        if (err != HY_OK) return err == HY_CANCELLED ? HY_OK : err;
        if (end->pair->left > 0) io_pass_on(end->pair, end->fd);
    }
    hy_scope_cancel(end->scope, HY_CANCELLED);
    return HY_OK;
}

static hy_err io_by_fibers(void *arg) {
    io_pair *p = (io_pair *)arg;
    hy_err err = HY_OK;
    io_pair_open(p, false);
    double since = bench_now();
    HY_SCOPE(s, &err) {
        io_end ends[2] = { { p, p->ends[0], s }, { p, p->ends[1], s } };
        for (int i = 0; i < 2 && err == HY_OK; i++)
            err = hy_spawn(s, io_pass_on_fiber, &ends[i], NULL, NULL);
        bench_must(write(p->ends[0], "x", 1) == 1 ? HY_OK : HY_IO, "write");
        if (err == HY_OK) err = hy_scope_join(s);
    }
    p->ns = io_ns(since, HOPS);
    for (int i = 0; i < 2; i++)
        hy_forget_fd(p->ends[i]);
    io_pair_close(p);
    return err == HY_CANCELLED ? HY_OK : err;
}

// ---- fibers on connections ----------------------------------------------------------------------

typedef struct io_talk {
    hy_port *port;
    hy_conn *conn;
    uint32_t left;
    double ns;
} io_talk;

static hy_err io_answer(void *arg) {
    io_talk *talk = (io_talk *)arg;
    hy_conn *conn = NULL;
    hy_err err = hy_accept(talk->port, NULL, &conn);
    while (err == HY_OK) {
        char byte = 0;
        size_t got = 0;
        err = hy_conn_read(conn, &byte, 1, &got);
        if (err == HY_OK && got == 0) break;
        if (err == HY_OK) err = hy_conn_write(conn, (hy_bytes){ (uint8_t *)&byte, 1 });
    }
    return err;
}

static hy_err io_by_conns(void *arg) {
    io_talk *talk = (io_talk *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        err = hy_port_open(s, "127.0.0.1", 0, &talk->port, NULL);
        if (err == HY_OK) err = hy_spawn(s, io_answer, talk, NULL, NULL);
        if (err != HY_OK) break;
        err = hy_conn_open(s, "127.0.0.1", hy_port_number(talk->port), &talk->conn, NULL);
        double since = bench_now();
        for (uint32_t i = 0; i < HOPS / 2 && err == HY_OK; i++) {
            char byte = 'x';
            size_t got = 0;
            err = hy_conn_write(talk->conn, (hy_bytes){ (uint8_t *)&byte, 1 });
            if (err == HY_OK) err = hy_conn_read(talk->conn, &byte, 1, &got);
        }
        talk->ns = io_ns(since, HOPS);
        if (err == HY_OK) hy_conn_close(talk->conn);
    }
    return err;
}

static void io_hops(void) {
    double fibers[RUNS], epoll[RUNS], conns[RUNS], tcp[RUNS];
    for (size_t i = 0; i < RUNS; i++) { // in turn: a drifting machine drifts for all
        io_pair pair;
        io_talk talk = { 0 };
        io_in_root(io_by_fibers, &pair);
        fibers[i] = pair.ns;
        epoll[i] = io_by_epoll(false);
        io_in_root(io_by_conns, &talk);
        conns[i] = talk.ns;
        tcp[i] = io_by_epoll(true);
    }
    bench_report("scope", "fd_hop", "ns", fibers, RUNS, NULL);
    bench_report("scope", "fd_hop", "ns", epoll, RUNS, "\"peer\":\"epoll\"");
    bench_report("scope", "conn_hop", "ns", conns, RUNS, NULL);
    bench_report("scope", "conn_hop", "ns", tcp, RUNS, "\"peer\":\"epoll\"");
}

// ---- context ------------------------------------------------------------------------------------

HY_KEY(const uint32_t *, IO_BOUND);
HY_KEY(const uint32_t *, IO_BUILT);
HY_KEY_DEFINE(IO_BOUND);
HY_KEY_DEFINE(IO_BUILT);

typedef struct io_context {
    uint32_t one;
    double bound, built, frame;
} io_context;

static hy_err io_build(void *self, hy_scope *scope, void **out_value) {
    (void)scope;
    *out_value = self;
    return HY_OK;
}

static hy_err io_measure_context(io_context *it) {
    hy_err err = HY_OK;
    uint64_t sum = 0;
    double since = bench_now();
    for (uint32_t i = 0; i < GETS; i++) {
        sum += *HY_GET(IO_BOUND);
        __asm__ volatile("" ::: "memory"); // each look-up is made
    }
    it->bound = io_ns(since, GETS);
    since = bench_now();
    for (uint32_t i = 0; i < GETS; i++) {
        sum += *HY_GET(IO_BUILT);
        __asm__ volatile("" ::: "memory");
    }
    it->built = io_ns(since, GETS);
    since = bench_now();
    for (uint32_t i = 0; i < FRAMES && err == HY_OK; i++) {
        HY_WITH(&err, IO_BOUND, &it->one) {
            sum += *HY_GET(IO_BOUND);
        }
    }
    it->frame = io_ns(since, FRAMES);
    return sum == 2ull * GETS + FRAMES ? err : HY_REJECT;
}

static hy_err io_deeper(io_context *it, int depth) {
    if (depth == 0) return io_measure_context(it);
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        err = hy_scope_current() == s ? io_deeper(it, depth - 1) : HY_REJECT;
    }
    return err;
}

static hy_err io_by_context(void *arg) {
    io_context *it = (io_context *)arg;
    hy_scope *root = hy_scope_current();
    const hy_provider provider = { .build = io_build, .self = &it->one };
    hy_err err = HY_BIND(root, IO_BOUND, &it->one);
    if (err == HY_OK) err = hy_provide(root, &IO_BUILT_key, &provider);
    return err == HY_OK ? io_deeper(it, DEPTH) : err;
}

static void io_contexts(void) {
    double bound[RUNS], built[RUNS], frame[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        io_context it = { .one = 1 };
        io_in_root(io_by_context, &it);
        bound[i] = it.bound;
        built[i] = it.built;
        frame[i] = it.frame;
    }
    bench_report("scope", "context_get", "ns", bound, RUNS, NULL);
    bench_report("scope", "provided_get", "ns", built, RUNS, NULL);
    bench_report("scope", "with", "ns", frame, RUNS, NULL);
}

void scope_io_bench(void) {
    io_contexts();
    io_hops();
}
