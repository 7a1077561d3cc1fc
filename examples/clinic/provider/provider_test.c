// provider_test.c - the judge is judged: once per key, whatever it is told to do badly.
//
// The provider runs in the test's own world, on a real socket and a real file. Waiting means
// turning the loop (net_suite.h).
#include "provider/provider.h"

#include "net/net_suite.h"

#include "kit/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct judged {
    net_fixture fixture;
    provider *service;
    net_client client;
    char file[64];
    bool closed;
} judged;

static void judged_open(judged *self, const char *webhook) {
    const provider_options options = { .ledger = self->file[0] != '\0' ? self->file : NULL,
                                       .webhook = webhook };
    CHECK(hy_world_open(NULL, &self->fixture.world) == HY_OK);
    hy_why why = { 0 };
    hy_err err = provider_open(self->fixture.world, &options, &self->service, &why);
    if (err != HY_OK) kit_fail(__FILE__, __LINE__, "%s: %s", hy_err_name(err), why.text);
    self->fixture.server = provider_server(self->service);
    self->closed = false;
    net_connect(&self->fixture, &self->client);
}

static void judged_file(judged *self) {
    *self = (judged){ 0 };
    snprintf(self->file, sizeof self->file, "/tmp/hypha-ledger-XXXXXX");
    int fd = mkstemp(self->file);
    CHECK(fd >= 0);
    close(fd);
}

static void judged_closed(void *self) {
    ((judged *)self)->closed = true;
}

static void judged_close(judged *self) {
    net_disconnect(&self->client);
    provider_close(self->service, judged_closed, self,
                   hy_world_now(self->fixture.world) + HY_MS(50));
    NET_UNTIL(&self->fixture, self->closed);
    for (int i = 0; i < 10; i++) {
        (void)hy_world_turn(self->fixture.world);
    }
    hy_world_close(self->fixture.world);
}

static net_answer ask(judged *self, const char *method, const char *path, const char *key,
                      const char *body) {
    char text[1024];
    snprintf(
        text, sizeof text,
        "%s %s HTTP/1.1\r\nHost: x\r\nIdempotency-Key: %s\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n%s",
        method, path, key, strlen(body), body);
    net_send_text(&self->client, text);
    return net_wait_answer(&self->client);
}

static void behave(judged *self, const char *body) {
    CHECK_EQ(ask(self, "POST", "/behaviour", "", body).status, 200);
}

#define HOLD "{\"amount_cents\":5000,\"user_id\":\"ann\"}"

static hy_err holds_are_made_once_per_key(hy_mem *mem) {
    (void)mem;
    judged self = { 0 };
    judged_open(&self, NULL);
    net_answer answer = ask(&self, "GET", "/holds/c1", "", "");
    CHECK_EQ(answer.status, 404);
    answer = ask(&self, "POST", "/holds", "c1", HOLD);
    CHECK_EQ(answer.status, 201);
    CHECK_TEXT(answer.body,
               "{\"hold\":1,\"key\":\"c1\",\"status\":\"held\",\"amount_cents\":5000}");
    answer = ask(&self, "POST", "/holds", "c1", HOLD);
    CHECK_EQ(answer.status, 200);
    CHECK(net_contains(answer.body, "\"status\":\"held\""));
    answer = ask(&self, "POST", "/holds", "c1", "{\"amount_cents\":6000,\"user_id\":\"ann\"}");
    CHECK_EQ(answer.status, 422);
    CHECK(net_contains(answer.body, "HY_KEY_REUSED"));
    answer = ask(&self, "POST", "/holds/c1/capture", "", "");
    CHECK(net_contains(answer.body, "\"status\":\"captured\""));
    answer = ask(&self, "POST", "/holds/c1/capture", "", "");
    CHECK_EQ(answer.status, 200);
    CHECK(net_contains(answer.body, "\"status\":\"captured\""));
    answer = ask(&self, "GET", "/ledger", "", "");
    CHECK(net_contains(answer.body, "\"total\":{\"keys\":1,\"events\":2,\"holds\":1,\"declined\":0,"
                                    "\"charges\":1,\"charged_cents\":5000"));
    answer = ask(&self, "POST", "/holds/c1/release", "", "");
    CHECK(net_contains(answer.body, "\"status\":\"released\""));
    answer = ask(&self, "GET", "/ledger", "", "");
    CHECK(net_contains(answer.body, "\"refunds\":1,\"refunded_cents\":5000,\"charged_twice\":0}"));
    judged_close(&self);
    return HY_OK;
}

static hy_err a_release_comes_before_its_hold(hy_mem *mem) {
    (void)mem;
    judged self = { 0 };
    judged_open(&self, NULL);
    net_answer answer = ask(&self, "POST", "/holds/c2/release", "", "");
    CHECK_EQ(answer.status, 200);
    CHECK(net_contains(answer.body, "\"status\":\"released\""));
    answer = ask(&self, "POST", "/holds", "c2", HOLD);
    CHECK(net_contains(answer.body, "\"status\":\"declined\""));
    answer = ask(&self, "POST", "/holds/c2/capture", "", "");
    CHECK_EQ(answer.status, 409);
    CHECK(net_contains(answer.body, "\"error\":\"HY_REJECT\""));
    CHECK(net_contains(answer.body, "\"status\":\"released\""));
    answer = ask(&self, "POST", "/holds/none/capture", "", "");
    CHECK_EQ(answer.status, 404);
    judged_close(&self);
    return HY_OK;
}

static hy_err some_holds_are_declined(hy_mem *mem) {
    (void)mem;
    judged self = { 0 };
    judged_open(&self, NULL);
    net_answer answer =
        ask(&self, "POST", "/holds", "c3", "{\"amount_cents\":5013,\"user_id\":\"bob\"}");
    CHECK(net_contains(answer.body, "\"status\":\"declined\""));
    behave(&self, "{\"mode\":\"normal\",\"decline_percent\":100}");
    answer = ask(&self, "POST", "/holds", "c4", HOLD);
    CHECK(net_contains(answer.body, "\"status\":\"declined\""));
    behave(&self, "{\"mode\":\"normal\"}");
    answer = ask(&self, "POST", "/holds", "c4", HOLD); // the same answer as before
    CHECK(net_contains(answer.body, "\"status\":\"declined\""));
    answer = ask(&self, "POST", "/holds/c4/release", "", "");
    CHECK(net_contains(answer.body, "\"status\":\"declined\""));
    judged_close(&self);
    return HY_OK;
}

static hy_err bad_requests_are_told_why(hy_mem *mem) {
    (void)mem;
    judged self = { 0 };
    judged_open(&self, NULL);
    CHECK_EQ(ask(&self, "POST", "/holds", "", HOLD).status, 422);
    CHECK_EQ(ask(&self, "POST", "/holds", "c5", "{\"amount_cents\":0}").status, 422);
    CHECK_EQ(ask(&self, "POST", "/holds", "c5", "{\"amount\":1}").status, 422);
    CHECK_EQ(ask(&self, "POST", "/holds", "c5", "{").status, 400);
    CHECK_EQ(ask(&self, "POST", "/holds", "c5", "{\"key\":\"c6\",\"amount_cents\":1}").status, 422);
    CHECK_EQ(ask(&self, "POST", "/behaviour", "", "{\"mode\":\"rude\"}").status, 422);
    CHECK_EQ(ask(&self, "POST", "/behaviour", "", "{\"decline_percent\":101}").status, 422);
    CHECK_EQ(provider_events(self.service), 0);
    net_answer answer = ask(&self, "POST", "/holds", "", "{\"key\":\"c6\",\"amount_cents\":1}");
    CHECK_EQ(answer.status, 201); // the key may be in the body
    judged_close(&self);
    return HY_OK;
}

static hy_err the_ledger_survives(hy_mem *mem) {
    (void)mem;
    judged self;
    judged_file(&self);
    judged_open(&self, NULL);
    (void)ask(&self, "POST", "/holds", "c1", HOLD);
    (void)ask(&self, "POST", "/holds/c1/capture", "", "");
    (void)ask(&self, "POST", "/holds", "c\\\"2", HOLD);
    judged_close(&self);

    // A crash cut the last line.
    FILE *file = fopen(self.file, "a");
    CHECK(file != NULL && fputs("{\"seq\":4,\"event\":\"ho", file) > 0);
    fclose(file);
    for (int round = 0; round < 2; round++) {
        judged_open(&self, NULL);
        CHECK_EQ(provider_events(self.service), 3 + round);
        net_answer answer = ask(&self, "GET", "/holds/c1", "", "");
        CHECK(net_contains(answer.body, "\"status\":\"captured\""));
        answer = ask(&self, "POST", "/holds/c%5C%222/release", "", "");
        CHECK(net_contains(answer.body, "\"status\":\"released\""));
        judged_close(&self);
    }
    CHECK(unlink(self.file) == 0);
    return HY_OK;
}

static hy_err a_ledger_that_cannot_be_is_refused(hy_mem *mem) {
    (void)mem;
    judged self;
    judged_file(&self);
    FILE *file = fopen(self.file, "w");
    CHECK(file != NULL);
    fputs("{\"seq\":1,\"event\":\"hold\",\"key\":\"a\",\"amount_cents\":5}\n"
          "{\"seq\":2,\"event\":\"capture\",\"key\":\"b\"}\n",
          file); // captured, but never held
    fclose(file);
    CHECK(hy_world_open(NULL, &self.fixture.world) == HY_OK);
    ledger *book = NULL, *second = NULL;
    hy_why why = { 0 };
    CHECK_ERR(ledger_open(self.fixture.world, self.file, &book, &why), HY_CORRUPT);
    CHECK(strstr(why.text, "line 2") != NULL);

    CHECK(truncate(self.file, 0) == 0);
    CHECK_OK(ledger_open(self.fixture.world, self.file, &book, &why));
    CHECK_ERR(ledger_open(self.fixture.world, self.file, &second, &why), HY_LOCKED);
    CHECK(strstr(why.text, "another provider") != NULL);
    ledger_close(book);
    hy_world_close(self.fixture.world);
    CHECK(unlink(self.file) == 0);
    return HY_OK;
}

static hy_err late_answers_are_for_work_that_was_done(hy_mem *mem) {
    (void)mem;
    judged self = { 0 };
    judged_open(&self, NULL);
    behave(&self, "{\"mode\":\"late\",\"delay_ms\":60}");
    net_client patient;
    net_connect(&self.fixture, &patient);
    hy_ns begin = hy_world_now(self.fixture.world);
    net_send_text(&patient, "POST /holds/c7/release HTTP/1.1\r\nHost: x\r\n\r\n");
    NET_UNTIL(&self.fixture, provider_events(self.service) == 1);
    net_answer answer = net_wait_answer(&patient);
    CHECK(net_contains(answer.body, "\"status\":\"released\""));
    CHECK(hy_world_now(self.fixture.world) - begin >= HY_MS(60));

    behave(&self, "{\"mode\":\"down\"}");
    answer = ask(&self, "POST", "/holds", "c8", HOLD);
    CHECK_EQ(answer.status, 503);
    CHECK_EQ(provider_events(self.service), 1);

    // A client that leaves, and a provider that stops, before the answer is due.
    behave(&self, "{\"mode\":\"late\"}");
    net_send_text(&patient, "POST /holds/c9/release HTTP/1.1\r\nHost: x\r\n\r\n");
    net_send_text(&self.client, "POST /holds/c10/release HTTP/1.1\r\nHost: x\r\n\r\n");
    NET_UNTIL(&self.fixture, provider_events(self.service) == 3);
    net_disconnect(&patient);
    judged_close(&self);
    return HY_OK;
}

typedef struct hooks {
    uint32_t heard, refused;
    char body[256];
} hooks;

static void hear_hook(void *self, hy_request *request) {
    hooks *ears = self;
    if (ears->refused > 0) {
        ears->refused--;
        hy_request_refuse(request, 503, HY_BUSY, NULL, NULL);
        return;
    }
    ears->heard++;
    snprintf(ears->body, sizeof ears->body, "%.*s", HY_SHOW(hy_request_body(request)));
    hy_request_answer(request, 204, NULL, (hy_bytes){ NULL, 0 });
}

static void ears_closed(void *self) {
    *(bool *)self = true;
}

static hy_err webhooks_are_called(hy_mem *mem) {
    (void)mem;
    judged self = { 0 };
    hooks ears = { .refused = 1 };
    // Both servers live in one world, which is the provider's; so the ears open a moment later.
    uint16_t port = 0;
    char url[64];
    hy_world *world = NULL;
    CHECK(hy_world_open(NULL, &world) == HY_OK);
    const hy_route routes[] = { { "POST", "/hook", hear_hook, &ears } };
    hy_server *server = NULL;
    CHECK(hy_server_open(world, NULL, routes, 1, NULL, 0, &server, NULL) == HY_OK);
    port = hy_server_port(server);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/hook", port);
    judged_open(&self, url);
    (void)ask(&self, "POST", "/holds", "c1", HOLD);
    NET_UNTIL(&self.fixture, (hy_world_turn(world), ears.heard == 1)); // after one refusal
    CHECK(strcmp(ears.body,
                 "{\"hold\":1,\"key\":\"c1\",\"status\":\"held\",\"amount_cents\":5000}") == 0);
    (void)ask(&self, "GET", "/holds/c1", "", ""); // nothing new
    behave(&self, "{\"mode\":\"twice\"}");
    (void)ask(&self, "POST", "/holds/c1/capture", "", "");
    NET_UNTIL(&self.fixture, (hy_world_turn(world), ears.heard == 3));
    CHECK(strstr(ears.body, "\"captured\"") != NULL);
    judged_close(&self);
    bool closed = false;
    hy_server_close(server, ears_closed, &closed, hy_world_now(world) + HY_MS(100));
    for (uint32_t turns = 0; !closed && turns < NET_TURNS_MAX; turns++) {
        (void)hy_world_turn(world);
    }
    CHECK(closed);
    for (int i = 0; i < 10; i++) {
        (void)hy_world_turn(world);
    }
    hy_world_close(world);
    return HY_OK;
}

// Whoever repeats until it is told gets there, and pays once: with any dice.
static hy_err flaky_answers_never_charge_twice(hy_mem *mem) {
    (void)mem;
    judged self;
    judged_file(&self);
    judged_open(&self, NULL);
    behave(&self, "{\"mode\":\"flaky\",\"delay_ms\":1,\"seed\":7}");
    for (int i = 0; i < 60; i++) {
        char key[16], path[40];
        snprintf(key, sizeof key, "c%d", i);
        snprintf(path, sizeof path, "/holds/c%d/capture", i);
        uint32_t tries = 0;
        while (ask(&self, "POST", "/holds", key, HOLD).status >= 500) {
            CHECK(++tries < 100);
        }
        while (ask(&self, "POST", path, "", "").status >= 500) {
            CHECK(++tries < 100);
        }
    }
    net_answer answer = ask(&self, "GET", "/ledger", "", "");
    CHECK(net_contains(answer.body, "\"keys\":60,\"events\":120,\"holds\":60,"));
    CHECK(net_contains(answer.body, "\"charges\":60,\"charged_cents\":300000,"));
    CHECK(net_contains(answer.body, "\"charged_twice\":0}"));
    judged_close(&self);
    judged_open(&self, NULL);
    CHECK_EQ(provider_events(self.service), 120);
    judged_close(&self);
    CHECK(unlink(self.file) == 0);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(holds_are_made_once_per_key),
          KIT_TEST_ONCE(a_release_comes_before_its_hold), KIT_TEST_ONCE(some_holds_are_declined),
          KIT_TEST_ONCE(bad_requests_are_told_why), KIT_TEST_ONCE(the_ledger_survives),
          KIT_TEST_ONCE(a_ledger_that_cannot_be_is_refused),
          KIT_TEST_ONCE(late_answers_are_for_work_that_was_done),
          KIT_TEST_ONCE(webhooks_are_called), KIT_TEST_ONCE(flaky_answers_never_charge_twice))
