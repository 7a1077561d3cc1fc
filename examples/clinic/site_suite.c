// site_suite.c - spawning, listening, asking. A child dies with the test, however that ends.

#include "site_suite.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/kit.h"

#define SITE_PATIENCE_MS 30000
#define SITE_NOBODY 65534u

void site_init(site *s) {
    *s = (site){ .out = -1 };
    (void)snprintf(s->folder, sizeof s->folder, "/tmp/clinic-site-XXXXXX");
    CHECK(mkdtemp(s->folder) != NULL);
    (void)snprintf(s->database, sizeof s->database, "%s/data/clinic.db", s->folder);
    (void)snprintf(s->index, sizeof s->index, "%s/index.html", s->folder);
    site_write_file(s->index, "<!doctype html>\n", 16);
}

static int site_remove(const char *path, const struct stat *stat, int kind, struct FTW *where) {
    (void)stat, (void)kind, (void)where;
    return remove(path);
}

void site_deinit(site *s) {
    site_kill(s);
    if (s->folder[0] != 0) (void)nftw(s->folder, site_remove, 16, FTW_DEPTH | FTW_PHYS);
    s->folder[0] = 0;
}

// ---- the process ----

// The program lies two folders up from build/<preset>/test/clinic/, in examples/clinic/.
static void site_program(char *out, size_t size) {
    char self[3000];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(len > 0);
    self[len] = 0;
    for (int up = 0; up < 3; up++)
        *strrchr(self, '/') = 0;
    (void)snprintf(out, size, "%s/examples/clinic/clinic", self);
}

static void site_child(const site *s, const site_start *start, int out) {
    char program[4000], data[300], port[8];
    site_program(program, sizeof program);
    (void)snprintf(data, sizeof data, "%s/data", s->folder);
    (void)snprintf(port, sizeof port, "%u", start->port);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(out, 1);
    (void)dup2(out, 2);
    if (start->file_size_max > 0) {
        const struct rlimit limit = { (rlim_t)start->file_size_max, (rlim_t)start->file_size_max };
        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(126);
    }
    if (start->powerless && geteuid() == 0) {
        if (setgroups(0, NULL) != 0 || setgid(SITE_NOBODY) != 0 || setuid(SITE_NOBODY) != 0) {
            _exit(126);
        }
    }
    // Nobody listens on port 1.
    const char *provider = start->provider == NULL ? "http://127.0.0.1:1" : start->provider;
    (void)unsetenv("NOTIFY_SOCKET");
    if (start->notify != NULL) (void)setenv("NOTIFY_SOCKET", start->notify, 1);
    (void)execl(program, program, "--port", port, "--data",
                start->data == NULL ? data : start->data, "--provider", provider, "--page",
                s->folder, start->log == NULL ? (char *)NULL : "--log", start->log, (char *)NULL);
    _exit(126);
}

void site_wait(site *s) {
    int status = 0;
    CHECK(waitpid(s->pid, &status, 0) == s->pid);
    s->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    s->pid = 0;
    for (ssize_t len = 1; len > 0 && s->said_len + 1 < sizeof s->said;) { // its last words
        len = read(s->out, s->said + s->said_len, sizeof s->said - 1 - s->said_len);
        if (len > 0) s->said_len += (size_t)len;
        s->said[s->said_len] = 0;
    }
    (void)close(s->out);
    s->out = -1;
}

// Reads what it says until it serves. False: its outputs are closed.
static bool site_hear(site *s) {
    while (s->said_len + 1 < sizeof s->said) {
        struct pollfd ready = { .fd = s->out, .events = POLLIN };
        CHECK(poll(&ready, 1, SITE_PATIENCE_MS) == 1);
        ssize_t len = read(s->out, s->said + s->said_len, sizeof s->said - 1 - s->said_len);
        if (len <= 0) return false;
        s->said_len += (size_t)len;
        s->said[s->said_len] = 0;
        const char *open = strstr(s->said, "open http://127.0.0.1:");
        if (open == NULL || strchr(open, '\n') == NULL) continue;
        s->port = (uint16_t)atoi(open + strlen("open http://127.0.0.1:"));
        return true;
    }
    return false;
}

bool site_open(site *s, const site_start *start) {
    static const site_start usual = { 0 };
    int ends[2];
    CHECK(s->pid == 0 && pipe(ends) == 0);
    s->said_len = 0;
    s->said[0] = 0;
    s->pid = fork();
    CHECK(s->pid >= 0);
    if (s->pid == 0) site_child(s, start == NULL ? &usual : start, ends[1]);
    (void)close(ends[1]);
    s->out = ends[0];
    if (site_hear(s)) return true;
    site_wait(s);
    return false;
}

static void site_end(site *s, int signal_number) {
    if (s->pid == 0) return;
    (void)kill(s->pid, signal_number);
    site_wait(s);
}

void site_kill(site *s) {
    site_end(s, SIGKILL);
}

void site_stop(site *s) {
    site_end(s, SIGTERM);
}

bool site_said(const site *s, const char *text) {
    return strstr(s->said, text) != NULL;
}

// ---- asking ----

static void site_send(int fd, const void *bytes, size_t len) {
    const char *at = bytes;
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent <= 0) return; // it has said no before it heard all: there is an answer
        at += sent;
        len -= (size_t)sent;
    }
}

void site_ask(const site *s, const char *method, const char *path, const char *headers,
              hy_bytes body, site_answer *out) {
    static char answer[131072];
    char head[2048];
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons(s->port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    int len = snprintf(head, sizeof head,
                       "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: "
                       "%zu\r\n\r\n",
                       method, path, headers, body.len);
    site_send(fd, head, (size_t)len);
    site_send(fd, body.ptr, body.len);
    size_t got = 0;
    for (ssize_t more; got + 1 < sizeof answer; got += (size_t)more) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        CHECK(poll(&ready, 1, SITE_PATIENCE_MS) == 1);
        more = read(fd, answer + got, sizeof answer - 1 - got);
        if (more <= 0) break;
    }
    (void)close(fd);
    answer[got] = 0;
    *out = (site_answer){ 0 };
    const char *end = strstr(answer, "\r\n\r\n");
    CHECK(end != NULL);
    out->status = atoi(answer + strlen("HTTP/1.1 "));
    (void)snprintf(out->body, sizeof out->body, "%s", end + 4);
}

int site_connect(const site *s, const char *text) {
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons(s->port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    CHECK(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
    return fd;
}

int site_listen(uint16_t *out_port) {
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&address, len) == 0);
    CHECK(listen(fd, 8) == 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *out_port = ntohs(address.sin_port);
    return fd;
}

void site_await(int fd) {
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    CHECK(poll(&ready, 1, SITE_PATIENCE_MS) == 1);
}

// ---- files ----

char *site_read_file(const char *path, size_t *out_len) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    (void)fseek(file, 0, SEEK_END);
    long len = ftell(file);
    rewind(file);
    char *bytes = malloc((size_t)len + 1);
    CHECK(bytes != NULL && fread(bytes, 1, (size_t)len, file) == (size_t)len);
    bytes[len] = 0;
    (void)fclose(file);
    *out_len = (size_t)len;
    return bytes;
}

void site_write_file(const char *path, const void *bytes, size_t len) {
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
}
