// fake_suite.h - a store that does as it is told, and a host to go with it.
//
// The fake store keeps a journal of entries in memory and answers each append by a script:
// committed, refused, unknown although stored, unknown and not stored. The fixture puts it and a
// bank under one host in a simulated world, and writes down in a trace what happened in which
// order: that is what most tests of this room compare.
#ifndef HYI_HOST_FAKE_SUITE_H
#define HYI_HOST_FAKE_SUITE_H

#include <hypha/host.h>
#include "machine/bank_suite.h"

// ---- the store ----------------------------------------------------------------------------------

typedef enum fake_outcome {
    FAKE_COMMIT = 'c',
    FAKE_REFUSE = 'r',
    FAKE_UNKNOWN_KEPT = 'k',
    FAKE_UNKNOWN_LOST = 'l',
    FAKE_UNKNOWN_FOREIGN = 'f', // unknown, and another step is there instead
} fake_outcome;

typedef struct fake_trace {
    char text[16384];
    size_t len;
} fake_trace;
HY_PRINTF(2, 3) void fake_note(fake_trace *trace, const char *format, ...);

typedef struct fake_store {
    hy_store port;
    hy_mem *mem;
    const hy_machine *machine;
    hy_buf journal; // frames
    uint64_t last_seq;
    const char *script;     // outcomes of the next appends; its end: committed
    uint32_t load_failures; // loads that fail before one works
    uint32_t appends, checkpoints, loads;
    bool busy;         // to see that calls never overlap
    fake_trace *trace; // NULL: silent
} fake_store;

void fake_store_init(fake_store *store, hy_mem *mem, fake_trace *trace);
void fake_store_deinit(fake_store *store);

// ---- the fixture ------------------------------------------------------------------------------

typedef struct fake_call {
    hy_call call;
    struct fake_host *of;
    char name; // in the trace
    bool done;
    union {
        bank_open open;
        bank_transfer transfer;
        bank_pay_out pay_out;
        bank_paid paid;
        bank_rename rename;
        bank_remind remind;
        bank_misbehave misbehave;
    } body;
} fake_call;

// What the executor of BANK_DO_PAY does with an attempt.
typedef enum fake_pay {
    FAKE_PAY_HOLD, // keeps it, until fake_pay_* is called
    FAKE_PAY_DONE, // done inside start
    FAKE_PAY_FAIL, // failed inside start
} fake_pay;

#define FAKE_HELD_MAX 64

typedef struct fake_host {
    hy_mem *mem;
    hy_world *world;
    fake_store store;
    hy_host *host;
    const hy_machine *machine;
    fake_trace trace;
    hy_host_options options;
    hy_executor pay; // registered by fake_start; change it before
    fake_pay pay_does;
    hy_effect *held[FAKE_HELD_MAX];
    uint32_t held_count;
    bool is_quiet;    // attempts are not traced
    bool log_effects; // register an executor for BANK_DO_LOG, too
    bool closed;
    hy_err close_err;
} fake_host;

// A world, an empty store, and a host that was opened but not started. HY_NOMEM.
HY_CHECKED hy_err fake_init(fake_host *f, hy_mem *mem, const hy_machine *machine);
// The same, where store calls and timers are up to so late.
HY_CHECKED hy_err fake_init_slow(fake_host *f, hy_mem *mem, const hy_machine *machine,
                                 hy_ns delay_max);
void fake_deinit(fake_host *f);            // works on a zeroed one
HY_CHECKED hy_err fake_open(fake_host *f); // the host, on the store as it is
void fake_start(fake_host *f);             // executors and hy_host_start
void fake_crash(fake_host *f);             // the process is gone, the store stays
void fake_close(fake_host *f, hy_ns within);
void fake_run(fake_host *f, hy_ns duration); // lets virtual time pass

// Each fills the call and submits it; the answer goes to the trace as "<name> HY_OK 3".
void fake_open_account(fake_host *f, fake_call *c, char name, const char *key, int64_t cents);
void fake_transfer(fake_host *f, fake_call *c, char name, const char *key, uint64_t from,
                   uint64_t to, int64_t cents);
void fake_pay_out(fake_host *f, fake_call *c, char name, uint64_t account, int64_t cents);
void fake_remind(fake_host *f, fake_call *c, char name, uint64_t account, hy_ns after);
void fake_misbehave(fake_host *f, fake_call *c, char name, uint32_t how);
void fake_cancel(fake_host *f, fake_call *c, char name, uint64_t action_id); // cancelling machine
void fake_webhook(fake_host *f, fake_call *c, char name, uint64_t action_id, bool worked);
void fake_pay_done(fake_host *f, uint32_t held, bool worked);
void fake_pay_failed(fake_host *f, uint32_t held);

// The bank, in which renaming an account to "cancel" cancels the action of that number instead, and
// which rejects payouts that did not work.
const hy_machine *fake_cancelling_bank(void);

// True when this run of the test lost an allocation: what it saw proves nothing then.
#define FAKE_SURVIVED_ONLY()                                                                       \
    do {                                                                                           \
        if (kit_failed_allocation()) return HY_NOMEM;                                              \
    } while (0)
#define CHECK_TRACE(f, literal)                                                                    \
    do {                                                                                           \
        FAKE_SURVIVED_ONLY();                                                                      \
        CHECK_TEXT(((hy_bytes){ (const uint8_t *)(f)->trace.text, (f)->trace.len }), literal);     \
        (f)->trace.len = 0;                                                                        \
    } while (0)

#endif
