// http_bench.c - how many requests a second the HTTP server answers, beside a peer.
//
// The server runs in a process of its own, on one thread; this process is the load: COUNT
// keep-alive connections over loopback, each with one request under way, answered and sent again.
// Two requests: `get`, a route that answers 13 bytes of text, and `record`, a POST whose JSON body
// is decoded into a record and answered as JSON. The peer is Node's own http server doing the same
// (JSON.parse and JSON.stringify), if there is a `node`. Ours and the peer take turns, so both meet
// the same machine. Load and server share the machine's cores: the numbers compare, they are not a
// record.
//
//     build/release/bench/http_bench [--seconds S] [--runs N] [--connections COUNT]
#include <hypha/net.h>

#include "bench/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HTTP_BENCH_CONNECTIONS_MAX 512
#define HTTP_BENCH_LATENCIES_MAX 2000000

#define BENCH_VISIT(F) F(1, u32, day) F(2, u32, minute) F(3, str, name) F(4, u64, patient)
HY_RECORD(bench_visit, BENCH_VISIT)
HY_RECORD_DEFINE(bench_visit, BENCH_VISIT)

typedef struct http_bench_peer {
    pid_t process;
    uint16_t port;
} http_bench_peer;

typedef struct http_bench_load {
    const char *request;
    size_t request_len;
    uint32_t connections;
    double seconds;
} http_bench_load;

typedef struct http_bench_connection {
    int fd;
    double sent_at;
    size_t got;
    char answer[4096];
} http_bench_connection;

static http_bench_connection http_bench_connections[HTTP_BENCH_CONNECTIONS_MAX];
static double http_bench_latencies[HTTP_BENCH_LATENCIES_MAX];

static void http_bench_die(const char *doing) {
    fprintf(stderr, "http_bench: %s: %s\n", doing, strerror(errno));
    exit(1);
}

// ---- the servers -------------------------------------------------------------------------------

static void http_bench_get(void *self, hy_request *request) {
    (void)self;
    hy_request_answer(request, 200, "text/plain", HY_BYTES("hello, world\n"));
}

static void http_bench_record(void *self, hy_request *request) {
    (void)self;
    bench_visit visit;
    hy_why why = { 0 };
    hy_err err = hy_request_record(request, &bench_visit_record, &visit, &why);
    if (err != HY_OK) {
        hy_request_refuse(request, 0, err, NULL, &why);
        return;
    }
    visit.minute += 15;
    hy_request_answer_record(request, 200, &bench_visit_record, &visit);
}

static void http_bench_serve(int out) {
    hy_world *world = NULL;
    hy_server *server = NULL;
    const hy_route routes[] = { { "GET", "/hello/:name", http_bench_get, NULL },
                                { "POST", "/visits", http_bench_record, NULL } };
    bench_must(hy_world_open(NULL, &world), "open a world");
    bench_must(hy_server_open(world, NULL, routes, 2, NULL, 0, &server, NULL), "open a server");
    dprintf(out, "%u\n", hy_server_port(server));
    hy_world_run(world); // until it is killed
}

static const char http_bench_node[] =
    "const s=require('http').createServer((q,a)=>{"
    "if(q.method==='GET'){a.setHeader('Content-Type','text/plain');a.end('hello, world\\n');return}"
    "let b='';q.setEncoding('utf8');q.on('data',c=>b+=c);q.on('end',()=>{const v=JSON.parse(b);"
    "v.minute+=15;a.setHeader('Content-Type','application/json');a.end(JSON.stringify(v))})});"
    "s.listen(0,'127.0.0.1',()=>console.log(s.address().port))";

static http_bench_peer http_bench_start(bool is_ours) {
    int ends[2];
    if (pipe(ends) != 0) http_bench_die("pipe");
    http_bench_peer peer = { .process = fork() };
    if (peer.process < 0) http_bench_die("fork");
    if (peer.process == 0) {
        close(ends[0]);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); // however this process ends
        if (is_ours) http_bench_serve(ends[1]);
        dup2(ends[1], STDOUT_FILENO);
        execlp("node", "node", "-e", http_bench_node, (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    char text[16] = { 0 };
    ssize_t got = read(ends[0], text, sizeof text - 1);
    if (got > 0) peer.port = (uint16_t)atoi(text);
    close(ends[0]);
    return peer;
}

static void http_bench_stop(http_bench_peer peer) {
    kill(peer.process, SIGKILL);
    waitpid(peer.process, NULL, 0);
}

// ---- the load ----------------------------------------------------------------------------------

static void http_bench_connect(http_bench_connection *one, uint16_t port) {
    *one = (http_bench_connection){ .fd = socket(AF_INET, SOCK_STREAM, 0) };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (connect(one->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        http_bench_die("connect");
    }
    int on = 1;
    (void)setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void http_bench_send(const http_bench_load *load, http_bench_connection *one) {
    one->got = 0;
    one->sent_at = bench_now();
    if (send(one->fd, load->request, load->request_len, 0) != (ssize_t)load->request_len) {
        http_bench_die("send");
    }
}

// True: the answer is whole.
static bool http_bench_receive(http_bench_connection *one) {
    ssize_t got = recv(one->fd, one->answer + one->got, sizeof one->answer - 1 - one->got, 0);
    if (got <= 0) http_bench_die("receive");
    one->got += (size_t)got;
    one->answer[one->got] = '\0';
    const char *end = strstr(one->answer, "\r\n\r\n");
    if (end == NULL) return false;
    if (strncmp(one->answer, "HTTP/1.1 200", 12) != 0) http_bench_die("answer");
    const char *length = strcasestr(one->answer, "\r\ncontent-length: ");
    if (length == NULL)
        return one->got >= 5 && strcmp(one->answer + one->got - 5, "0\r\n\r\n") == 0;
    return one->got >= (size_t)(end + 4 - one->answer) + (size_t)atoi(length + 18);
}

// Requests a second; *out_p99 in microseconds.
static double http_bench_run(const http_bench_load *load, uint16_t port, double *out_p99) {
    int epoll = epoll_create1(0);
    if (epoll < 0) http_bench_die("epoll");
    for (uint32_t i = 0; i < load->connections; i++) {
        http_bench_connection *one = &http_bench_connections[i];
        http_bench_connect(one, port);
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, one->fd, &event) != 0) http_bench_die("epoll");
        http_bench_send(load, one);
    }
    const double begin = bench_now();
    double now = begin;
    size_t count = 0;
    while ((now = bench_now()) - begin < load->seconds) {
        struct epoll_event events[64];
        int ready = epoll_wait(epoll, events, 64, 100);
        for (int i = 0; i < ready; i++) {
            http_bench_connection *one = &http_bench_connections[events[i].data.u32];
            if (!http_bench_receive(one)) continue;
            if (count < HTTP_BENCH_LATENCIES_MAX) {
                http_bench_latencies[count] = (bench_now() - one->sent_at) * 1e6;
            }
            count++;
            http_bench_send(load, one);
        }
    }
    for (uint32_t i = 0; i < load->connections; i++) {
        close(http_bench_connections[i].fd);
    }
    close(epoll);
    size_t kept = count < HTTP_BENCH_LATENCIES_MAX ? count : HTTP_BENCH_LATENCIES_MAX;
    *out_p99 = bench_quantile(http_bench_latencies, kept, 0.99);
    return (double)count / (now - begin);
}

static void http_bench_case(const char *name, const http_bench_load *load, const uint16_t ports[2],
                            size_t runs) {
    double rates[2][BENCH_RUNS_MAX], late[2][BENCH_RUNS_MAX];
    for (size_t run = 0; run < runs; run++) {
        for (int peer = 0; peer < 2; peer++) {
            if (ports[peer] == 0) continue;
            rates[peer][run] = http_bench_run(load, ports[peer], &late[peer][run]);
        }
    }
    for (int peer = 0; peer < 2; peer++) {
        if (ports[peer] == 0) continue;
        char extra[96], metric[64];
        snprintf(extra, sizeof extra, "\"connections\":%u%s", load->connections,
                 peer == 1 ? ",\"peer\":\"node\"" : "");
        snprintf(metric, sizeof metric, "%s_requests_per_second", name);
        bench_report("http", metric, "1/s", rates[peer], runs, extra);
        snprintf(metric, sizeof metric, "%s_p99", name);
        bench_report("http", metric, "us", late[peer], runs, extra);
    }
}

static double http_bench_number(int argc, char **argv, const char *name, double otherwise) {
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) return atof(argv[i + 1]);
    }
    return otherwise;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("usage: http_bench [--seconds S] [--runs N] [--connections COUNT]");
        return 0;
    }
    static const char get[] = "GET /hello/ann HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    static const char record[] =
        "POST /visits HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Content-Length: 53\r\n\r\n{\"day\":20,\"minute\":540,\"name\":\"Ann\",\"patient\":123456}";
    double runs = http_bench_number(argc, argv, "--runs", 5);
    double connections = http_bench_number(argc, argv, "--connections", 32);
    if (runs < 1 || runs > BENCH_RUNS_MAX) runs = 5;
    if (connections < 1 || connections > HTTP_BENCH_CONNECTIONS_MAX) connections = 32;
    http_bench_load load = { .request = get,
                             .request_len = sizeof get - 1,
                             .connections = (uint32_t)connections,
                             .seconds = http_bench_number(argc, argv, "--seconds", 2) };
    signal(SIGPIPE, SIG_IGN);
    http_bench_peer ours = http_bench_start(true), peer = http_bench_start(false);
    if (ours.port == 0) http_bench_die("the server did not start");
    const uint16_t ports[2] = { ours.port, peer.port }; // 0: there is no node
    http_bench_case("get", &load, ports, (size_t)runs);
    load.request = record;
    load.request_len = sizeof record - 1;
    http_bench_case("record", &load, ports, (size_t)runs);
    http_bench_stop(ours);
    http_bench_stop(peer);
    return 0;
}
