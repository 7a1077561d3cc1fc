// refusal_test.c - a clinic at work meets what goes wrong around it: bytes that mean nothing, a
// provider that talks nonsense, clients that dawdle, a shell that holds the lock, a database that
// was moved, a disk that is full or may not be written.
//
// Each is met as a user meets it: a real process, real files, HTTP over a real socket. After each
// the clinic goes on, or starts again, with everything that it had confirmed and nothing twice.

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "site_suite.h"

#define PATIENT "7b1c2f9e-52c1-4d59-9d0b-6f0f5a9b1c11"

// The next Monday but one: Dr. Brandt works from nine.
static uint32_t refusal_monday(void) {
    uint32_t today = (uint32_t)(time(NULL) / 86400);
    return today + 14 - (today + 3) % 7;
}

// The start of a quarter of an hour that day, by number.
static int refusal_book(const site *s, const char *key, uint32_t quarter, site_answer *out) {
    char headers[128], body[512];
    (void)snprintf(headers, sizeof headers,
                   "Content-Type: application/json\r\nIdempotency-Key: %s\r\n", key);
    (void)snprintf(body, sizeof body,
                   "{\"patient\":\"" PATIENT "\",\"name\":\"Re Fused\",\"email\":\"r@f.us\","
                   "\"practice\":1,\"dentist\":1,\"day\":%u,\"minute\":%u,"
                   "\"treatment\":\"cleaning\"}",
                   refusal_monday(), 540 + quarter * 15);
    site_ask(s, "POST", "/api/request_slot", headers, hy_bytes_of(body), out);
    return out->status;
}

static uint32_t refusal_booked(const site *s) {
    site_answer answer;
    uint32_t count = 0;
    site_ask(s, "GET", "/api/mine?patient=" PATIENT, "", HY_BYTES(""), &answer);
    CHECK_EQ(answer.status, 200);
    for (const char *at = answer.body; (at = strstr(at, "\"appointment\":")) != NULL; at++)
        count++;
    return count;
}

static bool refusal_health_says(const site *s, const char *text) {
    site_answer answer;
    site_ask(s, "GET", "/health", "", HY_BYTES(""), &answer);
    return strstr(answer.body, text) != NULL;
}

// Not now, but nothing happened: the same request, sent again later, is fine.
static void refusal_not_now(const site *s, const char *key, uint32_t quarter, const char *health) {
    site_answer answer;
    CHECK_EQ(refusal_book(s, key, quarter, &answer), 503);
    CHECK(strstr(answer.body, "HY_NOT_COMMITTED") != NULL && strstr(answer.body, "again") != NULL);
    CHECK(refusal_health_says(s, health));
    site_ask(s, "GET", "/api/clinic", "", HY_BYTES(""), &answer); // looking still works
    CHECK_EQ(answer.status, 200);
}

// It runs and has one appointment.
static void refusal_open(site *s, const char *data) {
    site_answer answer;
    CHECK(site_open(s, &(site_start){ .data = data }));
    CHECK_EQ(refusal_book(s, "first", 0, &answer), 200);
}

// ---- bytes ----

typedef struct refusal_case {
    hy_bytes body;
    int status;
    const char *says;
} refusal_case;

// A request whose day and minute are wrong.
#define WITH(members)                                                                              \
    HY_BYTES("{\"patient\":\"" PATIENT "\",\"name\":\"N\",\"email\":\"a@b.c\",\"practice\":1,"     \
             "\"dentist\":1,\"treatment\":\"cleaning\"," members "}")

static const refusal_case refusal_json[] = {
    { HY_BYTES(""), 400, "too early" },
    { HY_BYTES("{\"day\":"), 400, "HY_MALFORMED" },
    { HY_BYTES("{} {}"), 400, "nothing may follow" },
    { HY_BYTES("{\"day\":1,\"day\":2}"), 400, "twice" },
    { HY_BYTES("{\"day\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["), 422, "day" },
    { HY_BYTES("null"), 422, "object" },
    { HY_BYTES("{\"name\":\"\\ud800\"}"), 400, "escape" },
    { HY_BYTES("{\"name\":\"\xc3(\"}"), 400, "HY_NOT_UTF8" },
    { HY_BYTES("{\"patient\":7}"), 422, "patient" },
    { HY_BYTES("{\"day\":true}"), 422, "whole number" },
    { HY_BYTES("{\"day\":1.5}"), 422, "whole number" },
    { HY_BYTES("{\"day\":1e300}"), 422, "day" },
    { HY_BYTES("{\"day\":18446744073709551616}"), 422, "day" },
    { HY_BYTES("{\"days\":[1]}"), 422, "no field called days" },
    { WITH("\"day\":4294967295,\"minute\":540"), 422, "TOO_FAR_AHEAD" },
    { WITH("\"day\":1,\"minute\":540"), 409, "IN_THE_PAST" },
    { WITH("\"day\":30000,\"minute\":541"), 422, "OFF_GRID" },
    { WITH("\"day\":30000,\"minute\":4294967296"), 422, "minute" },
};

static const refusal_case refusal_wire[] = {
    { HY_BYTES("\xff\xff\xff"), 400, "tag" },          // a tag that does not end
    { HY_BYTES("\x0a\x7f"), 400, "patient" },          // a length past the end
    { HY_BYTES("\x12\x02\xc3("), 400, "HY_NOT_UTF8" }, // a name
    { HY_BYTES("\x20\xff\xff\xff\xff\x7f"), 422, "" }, // a number of 35 bits in one of 32
    { HY_BYTES("\x22\x01"
               "x"),
      400, "HY_MALFORMED" },                  // bytes where a number should be
    { HY_BYTES("\x08\x01"), 400, "patient" }, // a number where bytes should be
    { HY_BYTES(""), 422, "BAD_PATIENT" },     // nothing at all
};

static void refusal_all(const site *s, const char *type, const refusal_case *cases, size_t count) {
    static uint32_t number; // of the key
    site_answer answer;
    char headers[128];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(headers, sizeof headers, "Content-Type: %s\r\nIdempotency-Key: bad-%u\r\n",
                       type, number++);
        site_ask(s, "POST", "/api/request_slot", headers, cases[i].body, &answer);
        if (answer.status != cases[i].status || strstr(answer.body, cases[i].says) == NULL) {
            kit_fail(__FILE__, __LINE__, "%s, case %zu: %d %s", type, i, answer.status,
                     answer.body);
        }
    }
}

static hy_err bytes_that_mean_nothing_change_nothing(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    site_init(&s);
    refusal_open(&s, NULL);
    refusal_all(&s, "application/json", refusal_json, sizeof refusal_json / sizeof refusal_json[0]);
    refusal_all(&s, "application/x-protobuf", refusal_wire,
                sizeof refusal_wire / sizeof refusal_wire[0]);
    CHECK_EQ(refusal_booked(&s), 1);
    site_kill(&s);
    CHECK(site_open(&s, NULL));
    CHECK_EQ(refusal_booked(&s), 1);
    return HY_OK;
}

// ---- completions ----

// Takes the clinic's request for a hold, and never answers it.
static int refusal_take_hold(int listener, char out_key[64]) {
    char head[4096];
    size_t len = 0;
    const char *key = NULL, *end = NULL;
    site_await(listener);
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    while (end == NULL) {
        site_await(fd);
        ssize_t more = read(fd, head + len, sizeof head - 1 - len);
        CHECK(more > 0);
        len += (size_t)more;
        head[len] = 0;
        key = strstr(head, "Idempotency-Key: ");
        end = key == NULL ? NULL : strstr(key, "\r\n");
    }
    key += strlen("Idempotency-Key: ");
    CHECK(end - key < 64);
    (void)snprintf(out_key, 64, "%.*s", (int)(end - key), key);
    return fd;
}

// True: the provider's word changed something.
static bool refusal_tell(const site *s, const char *key, const char *status) {
    char body[200];
    site_answer answer;
    (void)snprintf(body, sizeof body, "{\"key\":\"%s\",\"status\":\"%s\"}", key, status);
    site_ask(s, "POST", "/webhook/payments", "Content-Type: application/json\r\n",
             hy_bytes_of(body), &answer);
    CHECK_EQ(answer.status, 200);
    return strstr(answer.body, "true") != NULL;
}

static void refusal_tell_strangers(const site *s, const char *key) {
    char other[80];
    (void)snprintf(other, sizeof other, "%s7", key); // an appointment that is not there
    CHECK(!refusal_tell(s, other, "held"));
    CHECK(!refusal_tell(s, "c0000000000000000-1", "held")); // of another clinic
    CHECK(!refusal_tell(s, "lunch", "captured"));
}

static hy_err completions_of_unknown_actions_change_nothing(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    site_answer answer;
    char provider[64], key[64];
    uint16_t port = 0;
    int listener = site_listen(&port);
    (void)snprintf(provider, sizeof provider, "http://127.0.0.1:%u", port);
    site_init(&s);
    CHECK(site_open(&s, &(site_start){ .provider = provider }));
    CHECK_EQ(refusal_book(&s, "first", 0, &answer), 200);
    int fd = refusal_take_hold(listener, key);
    refusal_tell_strangers(&s, key);
    CHECK(!refusal_tell(&s, key, "captured")); // before it was asked for
    CHECK(refusal_tell(&s, key, "held"));
    CHECK(!refusal_tell(&s, key, "held"));
    CHECK(!refusal_tell(&s, key, "declined")); // too late
    CHECK(refusal_tell(&s, key, "captured"));
    CHECK(!refusal_tell(&s, key, "captured"));
    site_kill(&s);
    CHECK(site_open(&s, &(site_start){ .provider = provider }));
    CHECK(!refusal_tell(&s, key, "captured")); // nor after a crash
    refusal_tell_strangers(&s, key);
    site_ask(&s, "GET", "/api/mine?patient=" PATIENT, "", HY_BYTES(""), &answer);
    CHECK(strstr(answer.body, "\"state\":\"confirmed\"") != NULL);
    CHECK_EQ(refusal_booked(&s), 1);
    (void)close(fd);
    (void)close(listener);
    return HY_OK;
}

// ---- slow clients ----

static hy_err slow_clients_are_told_and_hold_up_nobody(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    site_answer answer;
    char text[2048];
    int slow[32];
    site_init(&s);
    refusal_open(&s, NULL);
    for (size_t i = 0; i < sizeof slow / sizeof slow[0]; i++) {
        slow[i] = site_connect(&s, i % 2 == 0 ? "POST /api/cancel HTT"
                                              : "POST /api/cancel HTTP/1.1\r\nHost: x\r\n"
                                                "Content-Length: 100\r\n\r\n{");
    }
    CHECK_EQ(refusal_book(&s, "second", 2, &answer), 200);
    for (size_t i = 0; i < sizeof slow / sizeof slow[0]; i++) {
        size_t len = 0;
        for (ssize_t more = 1; more > 0 && len < sizeof text - 1; len += (size_t)more) {
            site_await(slow[i]); // ten seconds, once
            more = read(slow[i], text + len, sizeof text - 1 - len);
            CHECK(more >= 0);
        }
        text[len] = 0;
        CHECK(strstr(text, " 408 ") != NULL && strstr(text, "not whole after 10000 ms") != NULL);
        (void)close(slow[i]);
    }
    CHECK_EQ(refusal_booked(&s), 2);
    return HY_OK;
}

static hy_err window_of_no_practice_is_told(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    char text[2048];
    size_t len = 0;
    site_init(&s);
    CHECK(site_open(&s, NULL));
    int fd = site_connect(&s, "GET /api/live?practice=one HTTP/1.1\r\nHost: x\r\n"
                              "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    while (memmem(text, len, "practice as a number", 20) == NULL) {
        site_await(fd);
        ssize_t more = read(fd, text + len, sizeof text - len);
        CHECK(more > 0);
        len += (size_t)more;
    }
    (void)close(fd);
    return HY_OK;
}

// ---- a file that others take ----

typedef struct refusal_shell {
    pid_t pid;
    int in, out;
} refusal_shell;

// A person begins to write with the sqlite3 shell, and goes for a coffee.
static void refusal_shell_begin(const site *s, refusal_shell *shell) {
    int in[2], out[2];
    char word[8] = "";
    CHECK(pipe(in) == 0 && pipe(out) == 0);
    shell->pid = fork();
    CHECK(shell->pid >= 0);
    if (shell->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 1);
        (void)close(in[1]);
        (void)execlp("sqlite3", "sqlite3", s->database, (char *)NULL);
        _exit(126);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    shell->in = in[1];
    shell->out = out[0];
    static const char begin[] = "begin immediate; select 'held';\n";
    CHECK(write(shell->in, begin, sizeof begin - 1) == (ssize_t)sizeof begin - 1);
    site_await(shell->out);
    CHECK(read(shell->out, word, sizeof word - 1) == 5 && memcmp(word, "held", 4) == 0);
}

static void refusal_shell_end(refusal_shell *shell) {
    (void)close(shell->in); // the end of its input: it rolls back
    CHECK(waitpid(shell->pid, NULL, 0) == shell->pid);
    (void)close(shell->out);
}

static hy_err shell_that_holds_the_lock_is_named(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    refusal_shell shell;
    site_answer answer;
    site_init(&s);
    refusal_open(&s, NULL);
    refusal_shell_begin(&s, &shell);
    refusal_not_now(&s, "second", 2, "sqlite3 shell");
    refusal_shell_end(&shell);
    CHECK_EQ(refusal_book(&s, "second", 2, &answer), 200);
    CHECK_EQ(refusal_booked(&s), 2);
    CHECK(refusal_health_says(&s, "\"store_trouble\":\"\""));
    site_stop(&s);
    CHECK(site_said(&s, "clinic: requests are not stored, and refused: another program"));
    CHECK(site_said(&s, "clinic: requests are stored again"));
    CHECK(site_said(&s, "clinic: stopping"));
    return HY_OK;
}

static hy_err database_that_was_moved_is_missed(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    site_answer answer;
    char away[310];
    site_init(&s);
    refusal_open(&s, NULL);
    (void)snprintf(away, sizeof away, "%s.away", s.database);
    CHECK(rename(s.database, away) == 0);
    refusal_not_now(&s, "second", 2, "move it back");
    site_kill(&s);
    CHECK(!site_open(&s, NULL)); // and not begun anew
    CHECK_EQ(s.exit_code, 1);
    CHECK(site_said(&s, "put it back"));
    CHECK(rename(away, s.database) == 0);
    CHECK(site_open(&s, NULL));
    CHECK_EQ(refusal_book(&s, "second", 2, &answer), 200);
    CHECK_EQ(refusal_booked(&s), 2);
    return HY_OK;
}

// ---- disks ----

// Mounts of this process's own. False: they are not allowed here. (The same is then shown by
// trouble_test.c with a limit on file sizes, and by the store's tests with a simulated disk.)
static bool refusal_may_mount(void) {
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0) return false;
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static hy_err disk_that_is_full_refuses_until_there_is_room(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    site_answer answer = { .status = 200 };
    char disk[300], data[310], key[32];
    if (!refusal_may_mount()) return HY_OK;
    site_init(&s);
    (void)snprintf(disk, sizeof disk, "%s/disk", s.folder);
    (void)snprintf(data, sizeof data, "%s/data", disk);
    CHECK(mkdir(disk, 0755) == 0 && mount("disk", disk, "tmpfs", 0, "size=640k") == 0);
    refusal_open(&s, data);
    for (uint32_t i = 0; i < 5000 && answer.status != 503; i++) {
        (void)snprintf(key, sizeof key, "full-%u", i); // refusals are remembered, and fill it too
        CHECK(refusal_book(&s, key, 2 + i % 4 * 2, &answer) != 500);
    }
    CHECK_EQ(answer.status, 503);
    uint32_t booked = refusal_booked(&s);
    refusal_not_now(&s, "last", 10, "free some space");
    CHECK(mount("disk", disk, "tmpfs", MS_REMOUNT, "size=8m") == 0);
    CHECK_EQ(refusal_book(&s, "last", 10, &answer), 200); // no restart is needed
    site_kill(&s);
    CHECK(site_open(&s, &(site_start){ .data = data }));
    CHECK_EQ(refusal_booked(&s), booked + 1);
    site_kill(&s);
    CHECK(umount2(disk, MNT_DETACH) == 0);
    return HY_OK;
}

static hy_err disk_that_may_not_be_written_is_told(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    char data[300];
    if (!refusal_may_mount()) return HY_OK;
    site_init(&s);
    refusal_open(&s, NULL);
    site_kill(&s);
    (void)snprintf(data, sizeof data, "%s/data", s.folder);
    CHECK(mount(data, data, NULL, MS_BIND, NULL) == 0);
    CHECK(mount(NULL, data, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
    CHECK(!site_open(&s, NULL));
    CHECK(umount2(data, MNT_DETACH) == 0);
    CHECK_EQ(s.exit_code, 1);
    CHECK(site_said(&s, "read-only file system") && site_said(&s, "--data"));
    CHECK(site_open(&s, NULL));
    CHECK_EQ(refusal_booked(&s), 1);
    return HY_OK;
}

// ---- flags ----

static hy_err flags_that_cannot_work_are_refused(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    site_init(&s);
    CHECK(!site_open(&s, &(site_start){ .provider = "127.0.0.1:8081" }));
    CHECK_EQ(s.exit_code, 2);
    CHECK(site_said(&s, "--provider"));
    (void)unlink(s.index);
    CHECK(!site_open(&s, NULL));
    CHECK_EQ(s.exit_code, 2);
    CHECK(site_said(&s, "--page"));
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(bytes_that_mean_nothing_change_nothing),
          KIT_TEST_ONCE(completions_of_unknown_actions_change_nothing),
          KIT_TEST_ONCE(slow_clients_are_told_and_hold_up_nobody),
          KIT_TEST_ONCE(window_of_no_practice_is_told),
          KIT_TEST_ONCE(shell_that_holds_the_lock_is_named),
          KIT_TEST_ONCE(database_that_was_moved_is_missed),
          KIT_TEST_ONCE(disk_that_is_full_refuses_until_there_is_room),
          KIT_TEST_ONCE(disk_that_may_not_be_written_is_told),
          KIT_TEST_ONCE(flags_that_cannot_work_are_refused))
