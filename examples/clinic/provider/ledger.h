// ledger.h - everything the payment provider ever did, by key, and on disk.
// Example: clinic, provider. Includes: base schema world.
// Threads: the world's. Writing and syncing happen in work; only `done` comes back here.
//
// The file has one line of JSON an event, in order. An event changes what is known at once, and is
// durable when ledger_when_durable says so: whoever answers before that has promised too much.
#ifndef EXAMPLE_CLINIC_LEDGER_H
#define EXAMPLE_CLINIC_LEDGER_H

#include <hypha/schema.h>
#include <hypha/world.h>

#define LEDGER_KEY_MAX 128u
#define LEDGER_ENTRIES_MAX 4000000u

#define LEDGER_STATUS(E)                                                                           \
    E(0, LEDGER_UNKNOWN, unknown)                                                                  \
    E(1, LEDGER_HELD, held)                                                                        \
    E(2, LEDGER_DECLINED, declined)                                                                \
    E(3, LEDGER_CAPTURED, captured)                                                                \
    E(4, LEDGER_RELEASED, released)
HY_ENUM(ledger_status, LEDGER_STATUS)

#define LEDGER_EVENT_KIND(E)                                                                       \
    E(1, LEDGER_DO_HOLD, hold)                                                                     \
    E(2, LEDGER_DO_DECLINE, decline)                                                               \
    E(3, LEDGER_DO_CAPTURE, capture)                                                               \
    E(4, LEDGER_DO_RELEASE, release)                                                               \
    E(5, LEDGER_DO_REFUND, refund)
HY_ENUM(ledger_event_kind, LEDGER_EVENT_KIND)

// One line of the file.
#define LEDGER_EVENT(F)                                                                            \
    F(1, u64, seq)                                                                                 \
    F(2, enm(ledger_event_kind), event)                                                            \
    F(3, str, key)                                                                                 \
    F(4, u64, amount_cents)                                                                        \
    F(5, str, user_id)                                                                             \
    F(6, i64, at_ms)
HY_RECORD(ledger_event, LEDGER_EVENT)

// What is known of one key. `charges` is how often money was taken: never more than once, here.
#define LEDGER_ENTRY(F)                                                                            \
    F(1, u64, hold)                                                                                \
    F(2, str, key)                                                                                 \
    F(3, enm(ledger_status), status)                                                               \
    F(4, u64, amount_cents)                                                                        \
    F(5, str, user_id)                                                                             \
    F(6, u32, holds)                                                                               \
    F(7, u32, charges)                                                                             \
    F(8, u32, releases)                                                                            \
    F(9, u32, refunds)                                                                             \
    F(10, u64, seq)
HY_RECORD(ledger_entry, LEDGER_ENTRY)

typedef struct ledger ledger;

// Somebody who waits for the disk. Embed it; `done` is called once, with HY_OK or what went wrong.
typedef struct ledger_wait {
    void (*done)(struct ledger_wait *wait, hy_err err);
    struct ledger_wait *next_; // the ledger's
    uint64_t seq_;
} ledger_wait;

// Opens or makes the file and reads it. A last line that was cut by a crash is removed. `path`
// NULL: in memory only. HY_LOCKED, HY_CORRUPT (with the line), and the errors of files.
HY_CHECKED hy_err ledger_open(hy_world *world, const char *path, ledger **out_ledger, hy_why *why);
// Nothing may be on its way to the disk (see ledger_is_busy). NULL is fine.
void ledger_close(ledger *book);
bool ledger_is_busy(const ledger *book);

// NULL: never heard of it.
const ledger_entry *ledger_find(const ledger *book, hy_text key);

// What may change next depends on the entry: the caller has looked. Changes it, and queues the
// line. HY_NOMEM, HY_LIMIT (entries), or the error that broke the disk; nothing has changed then.
HY_CHECKED hy_err ledger_do(ledger *book, ledger_event_kind kind, hy_text key,
                            uint64_t amount_cents, hy_text user_id, const ledger_entry **out_entry);

// Calls `done` (perhaps at once) when all that is known now of that entry is durable. NULL: of all.
void ledger_when_durable(ledger *book, const ledger_entry *entry, ledger_wait *wait);

// All entries, in the order their keys were first heard.
uint32_t ledger_count(const ledger *book);
const ledger_entry *ledger_at(const ledger *book, uint32_t index);
uint64_t ledger_events(const ledger *book);

#endif
