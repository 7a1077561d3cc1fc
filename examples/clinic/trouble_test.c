// trouble_test.c - a real clinic meets bad files, bad neighbours and bad requests: each is answered
// clearly, says what to do, and loses nothing.

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <hypha/host.h>

#include "base/cleanup.h"
#include "clinic.h"
#include "kit/kit.h"
#include "site_suite.h"

#define JSON "Content-Type: application/json\r\n"
#define PATIENT "7b1c2f9e-52c1-4d59-9d0b-6f0f5a9b1c11"

// The next Monday but one, and the same one in all tests: Dr. Brandt works from nine.
static uint32_t trouble_monday(void) {
    static uint32_t monday;
    uint32_t today = (uint32_t)(time(NULL) / 86400);
    if (monday == 0) monday = today + 14 - (today + 3) % 7;
    return monday;
}

static void trouble_post(const site *s, const char *path, const char *key, const char *body,
                         site_answer *out) {
    char headers[256];
    (void)snprintf(headers, sizeof headers, JSON "Idempotency-Key: %s\r\n", key);
    site_ask(s, "POST", path, headers, hy_bytes_of(body), out);
}

static void trouble_request(const site *s, const char *key, uint32_t day, uint32_t minute,
                            site_answer *out) {
    char body[512];
    (void)snprintf(body, sizeof body,
                   "{\"patient\":\"" PATIENT "\",\"name\":\"Trouble Tester\",\"email\":\"t@t.tt\","
                   "\"practice\":1,\"dentist\":1,\"day\":%u,\"minute\":%u,"
                   "\"treatment\":\"cleaning\"}",
                   day, minute);
    trouble_post(s, "/api/request_slot", key, body, out);
}

// A clinic that has run before, with one appointment, and stopped in order.
static void trouble_with_past(site *s) {
    site_answer answer;
    site_init(s);
    CHECK(site_open(s, NULL));
    trouble_request(s, "past-1", trouble_monday(), 540, &answer);
    CHECK_EQ(answer.status, 200);
    site_stop(s);
    CHECK_EQ(s->exit_code, 0);
}

// Does not start with `start`, says `text`, and leaves the file as it is.
static void trouble_refused(site *s, const site_start *start, const char *text) {
    size_t before_len = 0, after_len = 0;
    char *before = site_read_file(s->database, &before_len);
    CHECK(!site_open(s, start));
    char *after = site_read_file(s->database, &after_len);
    bool same = before_len == after_len && memcmp(before, after, before_len) == 0;
    free(before);
    free(after);
    CHECK_EQ(s->exit_code, 1);
    if (!site_said(s, text)) {
        kit_fail(__FILE__, __LINE__, "it did not say \"%s\" but: %s", text, s->said);
    }
    CHECK(same);
}

// ---- neighbours ----

static hy_err port_in_use_is_told(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    site_init(&s);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&address, len) == 0);
    CHECK(listen(fd, 1) == 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    CHECK(!site_open(&s, &(site_start){ .port = ntohs(address.sin_port) }));
    (void)close(fd);
    CHECK_EQ(s.exit_code, 1);
    CHECK(site_said(&s, "--port"));
    CHECK(site_open(&s, NULL)); // what it began is no obstacle
    return HY_OK;
}

static hy_err second_clinic_on_one_folder_is_told(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    HY_CLEANUP(site_deinit) site second = { 0 };
    site_answer answer;
    char data[300];
    trouble_with_past(&s);
    CHECK(site_open(&s, NULL));
    site_init(&second);
    (void)snprintf(data, sizeof data, "%s/data", s.folder);
    CHECK(!site_open(&second, &(site_start){ .data = data }));
    CHECK_EQ(second.exit_code, 1);
    CHECK(site_said(&second, "another") && site_said(&second, "--data"));
    trouble_request(&s, "after", trouble_monday(), 600, &answer); // the first did not notice
    CHECK_EQ(answer.status, 200);
    return HY_OK;
}

// ---- folders and files ----

static hy_err folder_that_cannot_be_written_is_told(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    char data[300];
    trouble_with_past(&s);
    (void)snprintf(data, sizeof data, "%s/data", s.folder);
    CHECK(chmod(s.folder, 0755) == 0 && chmod(data, 0555) == 0 && chmod(s.database, 0444) == 0);
    bool opened = site_open(&s, &(site_start){ .powerless = true });
    CHECK(!opened);
    if (s.exit_code == 126) return HY_OK; // without root's rights the program cannot even be read
    CHECK_EQ(s.exit_code, 1);
    CHECK(site_said(&s, "--data"));
    CHECK(chmod(data, 0755) == 0 && chmod(s.database, 0644) == 0);
    CHECK(site_open(&s, NULL));
    return HY_OK;
}

static hy_err file_in_place_of_the_folder_is_told(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    trouble_with_past(&s);
    trouble_refused(&s, &(site_start){ .data = s.database }, "--data");
    return HY_OK;
}

static hy_err truncated_file_is_refused(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    struct stat stat_of;
    trouble_with_past(&s);
    CHECK(stat(s.database, &stat_of) == 0);
    CHECK(truncate(s.database, stat_of.st_size / 2) == 0);
    trouble_refused(&s, NULL, "restore");
    CHECK(truncate(s.database, 100) == 0);
    trouble_refused(&s, NULL, "restore");
    return HY_OK;
}

static hy_err file_that_became_empty_is_not_taken_for_a_new_one(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    char log[300];
    trouble_with_past(&s);
    (void)snprintf(log, sizeof log, "%s/data/notifications.log", s.folder);
    site_write_file(log, "one line\n", 9);
    CHECK(truncate(s.database, 0) == 0);
    trouble_refused(&s, NULL, "it was cut off");
    return HY_OK;
}

static hy_err flipped_bit_is_refused(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    size_t len = 0;
    trouble_with_past(&s);
    char *bytes = site_read_file(s.database, &len);
    char *name = memmem(bytes, len, "Trouble Tester", 14);
    for (char *next = name; next != NULL;) { // the journal holds it too: flip them all
        *next ^= 1;
        next = memmem(next + 1, len - (size_t)(next + 1 - bytes), "Trouble Tester", 14);
    }
    CHECK(name != NULL);
    site_write_file(s.database, bytes, len);
    free(bytes);
    trouble_refused(&s, NULL, "restore");
    return HY_OK;
}

static hy_err file_of_another_program_is_refused(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    trouble_with_past(&s);
    static const char text[] =
        "Dear diary, this is no database, but it is mine. Do not write here.";
    site_write_file(s.database, text, sizeof text);
    trouble_refused(&s, NULL, "--data");
    return HY_OK;
}

// A clinic of before, which kept all practices in one machine.
static void trouble_run_old_clinic(const char *path) {
    hy_host *host = NULL;
    const clinic_setup setup = clinic_demo(7);
    hy_call call = { .kind = CLINIC_IN_SETUP, .body = &setup };
    CHECK(hy_host_open_file(path, &clinic_machine, &host, NULL) == HY_OK);
    CHECK(hy_host_call(host, &call) == HY_OK);
    CHECK(hy_host_finish(host) == HY_OK);
}

static hy_err file_of_an_older_clinic_is_refused(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    trouble_with_past(&s);
    CHECK_EQ(unlink(s.database), 0);
    trouble_run_old_clinic(s.database);
    trouble_refused(&s, NULL, "older clinic");
    return HY_OK;
}

// The version that SQLite keeps for its users is a big-endian number at byte 60.
static hy_err file_of_a_newer_version_is_refused(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    size_t len = 0;
    trouble_with_past(&s);
    char *bytes = site_read_file(s.database, &len);
    CHECK(len > 100);
    bytes[62] = 1;
    site_write_file(s.database, bytes, len);
    free(bytes);
    trouble_refused(&s, NULL, "newer");
    return HY_OK;
}

// ---- a disk that fills up ----

static uint32_t trouble_count(const site *s) {
    site_answer answer;
    uint32_t count = 0;
    site_ask(s, "GET", "/api/mine?patient=" PATIENT, "", HY_BYTES(""), &answer);
    CHECK_EQ(answer.status, 200);
    for (const char *at = answer.body; (at = strstr(at, "\"appointment\":")) != NULL; at++)
        count++;
    return count;
}

static hy_err full_disk_refuses_and_loses_nothing(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    site_answer answer = { .status = 200 };
    uint32_t booked = 1;
    char key[32];
    struct stat stat_of;
    trouble_with_past(&s);
    CHECK(stat(s.database, &stat_of) == 0);
    CHECK(site_open(&s, &(site_start){ .file_size_max = stat_of.st_size + 96 * 1024 }));
    for (uint32_t i = 0; i < 2000 && answer.status != 503 && answer.status != 507; i++) {
        (void)snprintf(key, sizeof key, "full-%u", i);
        // Refusals fill the journal too: each is remembered for its key.
        trouble_request(&s, key, trouble_monday() + 7, 540 + i % 10 * 15, &answer);
        CHECK(answer.status == 200 || answer.status == 409 || answer.status == 503 ||
              answer.status == 507);
        booked += answer.status == 200;
    }
    CHECK(answer.status == 503 || answer.status == 507);
    site_kill(&s);
    CHECK(site_open(&s, NULL)); // there is room again
    CHECK_EQ(trouble_count(&s), booked);
    trouble_request(&s, key, trouble_monday() + 14, 540, &answer); // that key was never used
    CHECK_EQ(answer.status, 200);
    return HY_OK;
}

// ---- requests ----

typedef struct trouble_case {
    const char *method, *path, *headers, *body;
    int status;
    const char *says;
} trouble_case;

#define KEYED JSON "Idempotency-Key: k\r\n"
#define SLOT "/api/request_slot"

static const trouble_case trouble_cases[] = {
    { "POST", SLOT, KEYED, "{\"patient\"", 400, "HY_MALFORMED" },
    { "POST", SLOT, KEYED, "[]", 422, "HY_TYPE" },
    { "POST", SLOT, KEYED, "{\"name\":\"\xff\"}", 400, "HY_NOT_UTF8" },
    { "POST", SLOT, KEYED, "{\"practice\":\"one\"}", 422, "practice" },
    { "POST", SLOT, KEYED, "{\"practice\":-1}", 422, "practice" },
    { "POST", SLOT, KEYED, "{\"day\":4294967296}", 422, "day" },
    { "POST", SLOT, KEYED, "{\"treatment\":\"hypnosis\"}", 422, "UNKNOWN_TREATMENT" },
    { "POST", SLOT, KEYED, "{\"price_cents\":1}", 422, "price_cents" },
    { "POST", SLOT, KEYED, "{}", 422, "BAD_PATIENT" },
    { "POST", SLOT, JSON, "{}", 400, "Idempotency-Key" },
    { "POST", SLOT, "Content-Type: text/plain\r\nIdempotency-Key: k\r\n", "{}", 415,
      "HY_UNSUPPORTED" },
    { "GET", SLOT, "", "", 405, "POST" },
    { "POST", "/api/nothing", KEYED, "{}", 404, "HY_NOT_FOUND" },
    { "GET", "/api/week?practice=x&day=1", "", "", 422, "practice" },
    { "GET", "/api/week?practice=99&day=20000", "", "", 404, "HY_NOT_FOUND" },
    { "GET", "/api/mine?patient=me", "", "", 422, "patient" },
    { "GET", "/../clinic.h", "", "", 404, "" },
    { "POST", "/webhook/payments", JSON, "no", 400, "HY_MALFORMED" },
    { "POST", "/webhook/payments", JSON,
      "{\"hold\":7,\"key\":\"c0000000000000000-1\",\"status\":\"held\",\"amount_cents\":1}", 200,
      "false" },
    { "POST", "/api/cancel", JSON "Idempotency-Key: c\r\n",
      "{\"patient\":\"" PATIENT "\",\"appointment\":99}", 404, "NOT_FOUND" },
};

static hy_err bad_requests_are_answered_clearly(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    site_answer answer;
    trouble_with_past(&s);
    CHECK(site_open(&s, NULL));
    for (size_t i = 0; i < sizeof trouble_cases / sizeof trouble_cases[0]; i++) {
        const trouble_case *c = &trouble_cases[i];
        site_ask(&s, c->method, c->path, c->headers, hy_bytes_of(c->body), &answer);
        if (answer.status != c->status || strstr(answer.body, c->says) == NULL) {
            kit_fail(__FILE__, __LINE__, "%s %s %s: %d %s", c->method, c->path, c->body,
                     answer.status, answer.body);
        }
    }
    CHECK_EQ(trouble_count(&s), 1);
    return HY_OK;
}

static hy_err large_body_is_refused(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    site_answer answer;
    static char body[100 * 1024];
    site_init(&s);
    CHECK(site_open(&s, NULL));
    memset(body, ' ', sizeof body);
    site_ask(&s, "POST", SLOT, KEYED, (hy_bytes){ (const uint8_t *)body, sizeof body }, &answer);
    CHECK_EQ(answer.status, 413);
    return HY_OK;
}

static hy_err repeated_request_gets_its_first_answer(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(site_deinit) site s = { 0 };
    site_answer first, again;
    site_init(&s);
    CHECK(site_open(&s, NULL));
    trouble_request(&s, "twice", trouble_monday(), 540, &first);
    trouble_request(&s, "twice", trouble_monday(), 540, &again);
    CHECK_EQ(first.status, 200);
    CHECK(again.status == 200 && strcmp(first.body, again.body) == 0);
    trouble_request(&s, "other", trouble_monday(), 540, &again);
    CHECK(again.status == 409 && strstr(again.body, "SLOT_TAKEN") != NULL);
    trouble_request(&s, "twice", trouble_monday(), 600, &again);
    CHECK(again.status == 422 && strstr(again.body, "HY_KEY_REUSED") != NULL);
    site_kill(&s);
    CHECK(site_open(&s, NULL));
    trouble_request(&s, "twice", trouble_monday(), 540, &again);
    CHECK(again.status == 200 && strcmp(first.body, again.body) == 0);
    trouble_request(&s, "other", trouble_monday(), 540, &again);
    CHECK(again.status == 409 && strstr(again.body, "SLOT_TAKEN") != NULL);
    CHECK_EQ(trouble_count(&s), 1);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(port_in_use_is_told), KIT_TEST_ONCE(second_clinic_on_one_folder_is_told),
          KIT_TEST_ONCE(folder_that_cannot_be_written_is_told),
          KIT_TEST_ONCE(file_in_place_of_the_folder_is_told),
          KIT_TEST_ONCE(truncated_file_is_refused),
          KIT_TEST_ONCE(file_that_became_empty_is_not_taken_for_a_new_one),
          KIT_TEST_ONCE(flipped_bit_is_refused), KIT_TEST_ONCE(file_of_another_program_is_refused),
          KIT_TEST_ONCE(file_of_an_older_clinic_is_refused),
          KIT_TEST_ONCE(file_of_a_newer_version_is_refused),
          KIT_TEST_ONCE(full_disk_refuses_and_loses_nothing),
          KIT_TEST_ONCE(bad_requests_are_answered_clearly), KIT_TEST_ONCE(large_body_is_refused),
          KIT_TEST_ONCE(repeated_request_gets_its_first_answer))
