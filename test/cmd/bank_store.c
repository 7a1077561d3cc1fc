// bank_store.c - makes a store with a small bank in it, for the tests of the commands.
//
//     bank_store FILE          some accounts, a transfer, a refusal, a payout and a reminder
//     pending bank_store FILE --stay   the same, then says "ready" and keeps the store open until
//     stdin ends
//     bank_store FILE --many   a hundred banks in one store, bank-00 to bank-99, with an account
//     each
#include <hypha/host.h>
#include <hypha/store.h>
#include "machine/bank_suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 16

typedef struct bank_store {
    hy_world *world;
    hy_host *host;
    hy_call calls[CALLS_MAX];
    uint32_t call_count, waiting;
    bool closed;
} bank_store;

static void give_up(const char *what, hy_err err, const hy_why *why) {
    (void)fprintf(stderr, "bank_store: %s: %s %s\n", what, hy_err_name(err), why ? why->text : "");
    exit(1);
}

static bank_store store;

static void call_done(hy_call *call) {
    if (call->err != HY_OK && call->err != HY_REJECT) give_up("call", call->err, NULL);
    store.waiting--;
}

static void submit(uint32_t kind, const void *body, const char *key) {
    hy_call *call = &store.calls[store.call_count++];
    *call = (hy_call){ .kind = kind, .body = body, .key = hy_bytes_of(key), .done = call_done };
    const hy_err err = hy_host_submit(store.host, call);
    if (err != HY_OK) give_up("submit", err, NULL);
    store.waiting++;
}

static void closed(void *self, hy_err err) {
    (void)self;
    if (err != HY_OK) give_up("close", err, NULL);
    store.closed = true;
}

static void run_until(const bool *done, const uint32_t *waiting) {
    while ((done == NULL || !*done) && (waiting == NULL || *waiting > 0)) {
        (void)hy_world_turn(store.world);
    }
}

static void use_the_bank(void) {
    static const bank_open ada = { .owner = HY_BYTES("Ada"), .cents = 1000 };
    static const bank_open bob = { .owner = HY_BYTES("B\xc3\xb6"
                                                     "b"),
                                   .cents = 50 };
    static const bank_open eve = { .owner = HY_BYTES("Eve"), .cents = 7 };
    static const bank_transfer transfer = { .from = 1, .to = 2, .cents = 100 };
    static const bank_transfer too_much = { .from = 2, .to = 1, .cents = 100000 };
    static const bank_pay_out pay_out = { .account = 1, .cents = 30 };
    static const bank_remind remind = { .account = 2, .after = HY_SECONDS(86400) };
    submit(BANK_IN_OPEN, &ada, "open-ada");
    submit(BANK_IN_OPEN, &bob, NULL);
    submit(BANK_IN_TRANSFER, &transfer, "t-1");
    submit(BANK_IN_TRANSFER, &too_much, "t-2");
    submit(BANK_IN_PAY_OUT, &pay_out, NULL);
    submit(BANK_IN_REMIND, &remind, NULL);
    submit(BANK_IN_OPEN, &eve, NULL);
    run_until(NULL, &store.waiting);
}

// Of the banks of a fleet, one after the other.
static void open_many(hy_store *file) {
    hy_fleet *fleet = NULL;
    hy_why why = { 0 };
    const bank_open ada = { .owner = HY_BYTES("Ada"), .cents = 1000 };
    hy_err err = hy_fleet_open(store.world, file, &bank_machine, NULL, &fleet, &why);
    if (err != HY_OK) give_up("fleet", err, &why);
    hy_fleet_start(fleet);
    for (int i = 0; i < 100; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "bank-%02d", i);
        store.calls[0] = (hy_call){ .kind = BANK_IN_OPEN, .body = &ada, .done = call_done };
        err = hy_fleet_submit(fleet, hy_bytes_of(key), &store.calls[0]);
        if (err != HY_OK) give_up("submit", err, NULL);
        store.waiting++;
        run_until(NULL, &store.waiting);
    }
    hy_fleet_close(fleet, closed, NULL, hy_world_now(store.world) + HY_SECONDS(20));
    run_until(&store.closed, NULL);
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    hy_why why = { 0 };
    hy_store *file = NULL;
    hy_err err = hy_world_open(NULL, &store.world);
    if (err == HY_OK) err = hy_store_sqlite_open(store.world, argv[1], NULL, &file, &why);
    if (err != HY_OK) give_up(argv[1], err, &why);
    if (argc > 2 && strcmp(argv[2], "--many") == 0) {
        open_many(file);
        (void)hy_store_close(file);
        (void)hy_world_close(store.world);
        return 0;
    }
    err = hy_host_open(store.world, file, &bank_machine, NULL, &store.host, &why);
    if (err != HY_OK) give_up("host", err, &why);
    hy_host_start(store.host);
    use_the_bank();
    if (argc > 2 && strcmp(argv[2], "--stay") == 0) {
        (void)puts("ready");
        (void)fflush(stdout);
        while (getchar() != EOF) {
        }
    }
    hy_host_close(store.host, closed, NULL, hy_world_now(store.world) + HY_SECONDS(20));
    run_until(&store.closed, NULL);
    (void)hy_store_close(file);
    (void)hy_world_close(store.world);
    return 0;
}
