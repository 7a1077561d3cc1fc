// site_suite.h - a real clinic in a folder of its own, for tests that start and break it.
// Example: clinic, tests. Includes: base.
#ifndef EXAMPLE_CLINIC_SITE_SUITE_H
#define EXAMPLE_CLINIC_SITE_SUITE_H

#include <sys/types.h>

#include <hypha/base.h>

typedef struct site {
    char folder[256];   // of the test; removed by site_deinit
    char database[300]; // folder/data/clinic.db
    char index[300];    // folder/index.html: the page
    pid_t pid;          // 0: does not run
    int out;            // what it says, on both outputs
    uint16_t port;
    char said[8192]; // so far
    size_t said_len;
    int exit_code; // of the last that ended; -1: by a signal
} site;

// How a clinic is started, where it is not as usual.
typedef struct site_start {
    const char *data;     // NULL: folder/data
    const char *provider; // NULL: one that is down for ever
    uint16_t port;        // 0: a free one
    bool powerless;       // without the rights of root, if the test has them
    long file_size_max;   // bytes; 0: no limit
    const char *notify;   // NOTIFY_SOCKET: where a service manager listens; NULL: there is none
    const char *log;      // --log; NULL: silence
} site_start;

void site_init(site *s);
void site_deinit(site *s); // kills it

// True: it serves. False: it has ended, see exit_code and said.
bool site_open(site *s, const site_start *start);
void site_kill(site *s); // kill -9
void site_stop(site *s); // SIGTERM, and waits
void site_wait(site *s); // until it has ended
bool site_said(const site *s, const char *text);

typedef struct site_answer {
    int status;
    char body[65536];
} site_answer;

// One exchange over a connection of its own. `headers` are lines that end in \r\n.
void site_ask(const site *s, const char *method, const char *path, const char *headers,
              hy_bytes body, site_answer *out);

// A connection that has sent `text`; the caller closes it.
int site_connect(const site *s, const char *text);
// A port on which somebody listens who may never answer.
int site_listen(uint16_t *out_port);
void site_await(int fd); // until it can be read, or its other end is closed

// A file's content, with a NUL behind; free() it.
char *site_read_file(const char *path, size_t *out_len);
void site_write_file(const char *path, const void *bytes, size_t len);

#endif
