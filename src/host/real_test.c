// real_test.c - a host in the real world: threads for the store, a real clock, a real file.
//
// The simulated tests prove the order of things; this one lets the thread sanitizer look at the
// border between the loop and the store's thread, and closes and opens a file as a service does.
#include "host/fake_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"
#include <hypha/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REAL_ROUNDS 400
#define REAL_CLIENTS 16

typedef struct real_service {
    hy_world *world;
    hy_store *store;
    hy_host *host;
    uint32_t payouts_done;
    bool closed;
} real_service;

typedef struct real_client { // asks, waits for the answer, asks again
    hy_call call;
    bank_open open;
    bank_pay_out pay_out;
    uint32_t rounds, failures;
    real_service *of;
} real_client;

static void real_ask(real_client *client);

static void real_answered(hy_call *call) {
    real_client *client = (real_client *)call;
    if (call->err != HY_OK) client->failures++;
    if (--client->rounds > 0) real_ask(client);
}

static void real_ask(real_client *client) {
    const bool pays = client->rounds % 10 == 0;
    client->open = (bank_open){ .owner = HY_BYTES("Ada"), .cents = 1000 };
    client->pay_out = (bank_pay_out){ .account = 1, .cents = 1 };
    client->call =
        (hy_call){ .kind = pays ? BANK_IN_PAY_OUT : BANK_IN_OPEN, .done = real_answered };
    client->call.body = pays ? (const void *)&client->pay_out : &client->open;
    CHECK(hy_host_submit(client->of->host, &client->call) == HY_OK);
}

static void real_pay(void *self, hy_effect *effect) {
    real_service *service = self;
    service->payouts_done++;
    hy_effect_done(service->host, effect, &(bank_paid){ .worked = true });
}

static void real_closed(void *self, hy_err err) {
    CHECK(err == HY_OK);
    ((real_service *)self)->closed = true;
}

static void real_open(real_service *service, const char *path) {
    hy_why why = { 0 };
    *service = (real_service){ 0 };
    CHECK(hy_world_open(NULL, &service->world) == HY_OK);
    if (hy_store_sqlite_open(service->world, path, HY_OPTIONS(hy_store_sqlite, .lazy_sync = true),
                             &service->store, &why) != HY_OK) {
        kit_fail(__FILE__, __LINE__, "%s: %s", why.place, why.text);
    }
    CHECK(hy_host_open(service->world, service->store, &bank_machine,
                       HY_OPTIONS(hy_host, .checkpoint_idle_ns = HY_MS(1)), &service->host,
                       NULL) == HY_OK);
    const hy_executor pay = { .kind = BANK_DO_PAY, .self = service, .start = real_pay };
    CHECK(hy_host_executor(service->host, &pay) == HY_OK);
    hy_host_start(service->host);
}

static void real_close(real_service *service) {
    hy_host_close(service->host, real_closed, service, HY_NEVER);
    while (!service->closed) {
        (void)hy_world_turn(service->world);
    }
    (void)hy_store_close(service->store);
    (void)hy_world_close(service->world);
}

static hy_err service_keeps_what_it_answered(hy_mem *mem) {
    (void)mem;
    char folder[] = "hypha-real-XXXXXX", path[64];
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/bank.db", folder);
    real_service service;
    real_open(&service, path);
    static real_client clients[REAL_CLIENTS];
    for (int i = 0; i < REAL_CLIENTS; i++) {
        clients[i] = (real_client){ .rounds = REAL_ROUNDS - 1, .of = &service };
        real_ask(&clients[i]);
    }
    bool waiting = true;
    while (waiting) {
        (void)hy_world_turn(service.world);
        waiting = false;
        for (int i = 0; i < REAL_CLIENTS; i++) {
            waiting = waiting || clients[i].rounds > 0;
        }
    }
    real_close(&service);
    const uint32_t pays = REAL_CLIENTS * ((REAL_ROUNDS - 1) / 10);
    CHECK_EQ(service.payouts_done, pays);

    real_open(&service, path);
    const hy_host_stats stats = hy_host_stats_of(service.host);
    CHECK_EQ(stats.durable_seq, REAL_CLIENTS * (REAL_ROUNDS - 1) + pays);
    CHECK_EQ(stats.pending_actions, 0);
    real_close(&service);
    for (int i = 0; i < REAL_CLIENTS; i++) {
        CHECK_EQ(clients[i].failures, 0);
    }
    static const char *const endings[] = { "", "-wal", "-shm", "-lock", "-journal" };
    for (int i = 0; i < 5; i++) {
        (void)snprintf(path, sizeof path, "%s/bank.db%s", folder, endings[i]);
        (void)unlink(path);
    }
    CHECK(rmdir(folder) == 0);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(service_keeps_what_it_answered))
