// hypha/flow.h - what services do with scopes: limits, retries, caches, streams.   Room: flow.
// Includes: scope, and through it world and base.
// Threads: everything on the world's thread. "Fiber" marks calls that may wait.
//
// Each helper is an object that belongs to a scope, lives in its memory (hy_scope_mem: what a cache
// keeps counts against the scope's bytes_max) and ends with it. None of them hides the scope's
// rules: deadlines and cancellation pass through, errors come back as they were, every queue is
// bounded, and every counter can be read.
#ifndef HYPHA_FLOW_H
#define HYPHA_FLOW_H

#include <hypha/scope.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- shared values ----------------------------------------------------------------------------

// A box with a count, for one value that several fibers read: what caches, single flights and event
// buses hand out. The value does not change while it is shared. One thread.
typedef struct hy_shared {
    const void *value;
    size_t bytes; // what it counts for in a limit
    uint32_t refs_;
    void (*drop_)(void *self, const void *value);
    void *self_;
    hy_mem *mem_;
} hy_shared;

// Takes `value`; `drop` (NULL: nothing to do) gets it when the last holder lets go. On HY_NOMEM it
// has been dropped. The caller holds the new box once.
HY_API HY_CHECKED hy_err hy_shared_new(hy_mem *mem, const void *value, size_t bytes,
                                       void (*drop)(void *self, const void *value), void *self,
                                       hy_shared **out_shared);
// A box with a copy of `bytes` behind it, with a NUL after them.
HY_API HY_CHECKED hy_err hy_shared_copy(hy_mem *mem, hy_bytes bytes, hy_shared **out_shared);
HY_API hy_shared *hy_shared_keep(hy_shared *shared); // NULL gives NULL
HY_API void hy_shared_drop(hy_shared *shared);       // NULL is fine

// ---- concurrency gate -------------------------------------------------------------------------

// At most `limit` inside at a time; others wait in order, at most `waiting_max` of them. Adaptive:
// the limit follows what the far end bears, by the gradient of its latency (Netflix' "gradient2"
// and TCP Vegas; see gate.c), and falls at once when calls are refused or time out.
typedef struct hy_gate hy_gate;
typedef struct hy_gate_options {
    size_t size;
    uint32_t limit;                // 0: 2 times the processors, at least 4, at most 50
    uint32_t waiting_max;          // 0: 1,024; UINT32_MAX: nobody waits. One more gets HY_LIMIT
    bool adaptive;                 // then `limit` is the first one
    uint32_t limit_min, limit_max; // of an adaptive one; 0: 1 and 1,000 (or limit)
} hy_gate_options;
HY_API HY_CHECKED hy_err hy_gate_open(hy_scope *scope, const hy_gate_options *options,
                                      hy_gate **out_gate);
// A place inside, from enter to leave; the caller's storage. All zero is one that was left.
typedef struct hy_pass {
    hy_gate *gate;
    hy_ns since;
} hy_pass;
// Fiber. HY_OK: inside, also when the caller was cancelled meanwhile, so leave. HY_LIMIT.
HY_API HY_CHECKED hy_err hy_gate_enter(hy_gate *gate, hy_pass *out_pass);
HY_API HY_CHECKED hy_err hy_gate_try_enter(hy_gate *gate, hy_pass *out_pass); // HY_BUSY
// `outcome` teaches an adaptive gate: HY_OK its latency; HY_TIMEOUT, HY_LIMIT, HY_BUSY that it was
// too much; others nothing. A pass that was left already is fine.
HY_API void hy_gate_leave(hy_pass *pass, hy_err outcome);
HY_API hy_err hy_gate_call(hy_gate *gate, hy_fn fn, void *arg); // fiber; enter, fn, leave
typedef struct hy_gate_state {
    uint32_t limit, inside, waiting;
    uint64_t entered, refused;
    hy_ns latency; // smoothed; adaptive gates only
} hy_gate_state;
HY_API hy_gate_state hy_gate_state_of(const hy_gate *gate);

// ---- rate limit -------------------------------------------------------------------------------

typedef enum hy_rate_kind {
    HY_RATE_TOKENS, // token bucket: `limit` a `period`, up to `burst` at once
    HY_RATE_WINDOW, // sliding window: never more than `limit` starts in any `period`
} hy_rate_kind;
typedef struct hy_rate hy_rate;
typedef struct hy_rate_options {
    size_t size;
    hy_rate_kind kind;
    uint32_t limit;       // at least 1; windows keep 8 bytes for each
    hy_ns period;         // 0: 1 s
    uint32_t burst;       // tokens; 0: limit
    uint32_t waiting_max; // 0: 1,024; UINT32_MAX: nobody waits
} hy_rate_options;
HY_API HY_CHECKED hy_err hy_rate_open(hy_scope *scope, const hy_rate_options *options,
                                      hy_rate **out_rate);
// Fiber. Waits, in order of arrival, until `count` (at least 1) more may start. HY_LIMIT: too many
// wait; HY_RANGE: more than could ever; HY_TIMEOUT at once when the scope's deadline comes first,
// those before it in the line counted.
HY_API HY_CHECKED hy_err hy_rate_take(hy_rate *rate, uint32_t count);
HY_API HY_CHECKED hy_err hy_rate_try(hy_rate *rate, uint32_t count); // HY_BUSY, HY_RANGE
// How long a take would wait now, behind those who do, at least. HY_NEVER: more than could ever.
HY_API hy_ns hy_rate_wait_for(const hy_rate *rate, uint32_t count);

// ---- retry ------------------------------------------------------------------------------------

// Not more than a share of calls may be retries, so that retries do not finish off what is
// overloaded (Finagle's and tower's budget): each call deposits, each retry withdraws.
typedef struct hy_budget hy_budget;
typedef struct hy_budget_options {
    size_t size;
    uint32_t percent;    // of calls; 0: 20
    uint32_t per_second; // beside that, always; 0: 10
    hy_ns ttl;           // deposits count for so long; 0: 10 s; 1 s to 60 s
} hy_budget_options;
HY_API HY_CHECKED hy_err hy_budget_open(hy_scope *scope, const hy_budget_options *options,
                                        hy_budget **out_budget);

typedef enum hy_backoff {
    HY_BACKOFF_EXPONENTIAL,  // delay * 2^n with full jitter, up to delay_max
    HY_BACKOFF_CONSTANT,     // delay
    HY_BACKOFF_DECORRELATED, // random between delay and three times the last, up to delay_max
    HY_BACKOFF_NONE,         // at once
} hy_backoff;
typedef struct hy_retry_options {
    size_t size;
    uint32_t calls_max; // in all, the first included; 0: 3
    hy_backoff backoff;
    hy_ns delay;     // 0: 20 ms
    hy_ns delay_max; // 0: 1 s, or delay where that is longer
    bool no_jitter;  // exponential: exactly delay * 2^n
    // Which errors are worth another call; NULL: HY_BUSY HY_TIMEOUT HY_LIMIT HY_CLOSED HY_IO
    // HY_NOT_COMMITTED. A cancelled scope is never.
    bool (*worth)(void *self, hy_err err, uint32_t calls);
    // Says how long to wait before call number calls + 1 (a server's Retry-After); NULL: backoff.
    hy_ns (*delay_fn)(void *self, hy_err err, uint32_t calls);
    void *self;
    hy_budget *budget; // NULL: none
    hy_ns each_max;    // limit of each call; 0: none but the scope's
} hy_retry_options;
// Fiber. Calls `fn` until it says HY_OK, or no further call is worth it: then its last error. Does
// not begin a wait that the scope's deadline would cut: gives the error at once.
HY_API hy_err hy_retry(const hy_retry_options *options, hy_fn fn, void *arg);
typedef struct hy_retry_state { // of the current hy_retry, for `fn`
    uint32_t call;              // 1, 2 ...
    hy_err last_err;
} hy_retry_state;
HY_API hy_retry_state hy_retry_here(void); // {1, HY_OK} outside

// Fiber. Runs `fn` in a scope of its own that is cancelled after `duration` (0 or less: it is not
// run), and returns only when it and everything it started have ended; when `fn` fails, that is
// cancelled. HY_TIMEOUT, or what `fn` returned: HY_OK counts also when it comes late.
HY_API hy_err hy_within(hy_ns duration, hy_fn fn, void *arg);

// ---- circuit breaker --------------------------------------------------------------------------

typedef struct hy_breaker hy_breaker;
typedef struct hy_breaker_options {
    size_t size;
    hy_ns window;             // what is counted; 0: 10 s, in ten parts
    uint32_t calls_min;       // below so many in the window it stays closed; 0: 20
    uint32_t failure_percent; // from here it opens; 0: 50
    hy_ns slow;               // a call that takes longer counts as failed; 0: none does
    hy_ns open_for;           // then it lets probes through; 0: 5 s. Doubles up to a minute, each
                              // time that a probe fails
    uint32_t probes;          // that must all succeed; 0: 3
    bool (*failed)(void *self,
                   hy_err err); // NULL: faults, HY_TIMEOUT, HY_BUSY, HY_CLOSED, HY_LIMIT
    void *self;
} hy_breaker_options;
typedef enum hy_breaker_mode {
    HY_BREAKER_CLOSED,
    HY_BREAKER_OPEN,
    HY_BREAKER_PROBING
} hy_breaker_mode;
HY_API HY_CHECKED hy_err hy_breaker_open(hy_scope *scope, const hy_breaker_options *options,
                                         hy_breaker **out_breaker);
// Fiber. HY_BUSY: open, not called; or what `fn` returned. A call that was cancelled, but not by a
// deadline, says nothing of the far end.
HY_API hy_err hy_breaker_call(hy_breaker *breaker, hy_fn fn, void *arg);
// The same in two steps: HY_OK, then call, then say what came of it and how long it took. HY_BUSY.
HY_API HY_CHECKED hy_err hy_breaker_try(hy_breaker *breaker);
HY_API void hy_breaker_told(hy_breaker *breaker, hy_err outcome, hy_ns took);
HY_API hy_breaker_mode hy_breaker_mode_of(const hy_breaker *breaker);

// ---- hedged call ------------------------------------------------------------------------------

// The same request again when the first is late; the first answer counts, the others are cancelled
// and waited for. Only for requests that may happen twice. (Dean, Barroso: The Tail at Scale,
// 2013.)
#define HY_HEDGE_COPIES_MAX 16
typedef struct hy_hedge_options {
    size_t size;
    hy_ns delay;         // before each further copy; required
    uint32_t copies_max; // in all; 0: 2; at most HY_HEDGE_COPIES_MAX (HY_LIMIT)
    hy_budget *budget;   // further copies withdraw; NULL: none
} hy_hedge_options;
// Fiber. `fn` gets the number of its copy, 0 first, and runs in a scope of its own; a copy that
// fails is followed at once. *out_winner (may be NULL): whose success it was; what other copies
// have made is the caller's to undo. When all fail: the first error; or why the caller was
// cancelled.
HY_API hy_err hy_hedge(const hy_hedge_options *options, hy_err (*fn)(void *arg, uint32_t copy),
                       void *arg, uint32_t *out_winner);

// ---- single flight ----------------------------------------------------------------------------

// Of those who ask for one key at the same time, one works and all get its answer.
typedef struct hy_flight hy_flight;
// At most `keys_max` keys under way at a time; 0: 1,024.
HY_API HY_CHECKED hy_err hy_flight_open(hy_scope *scope, uint32_t keys_max, hy_flight **out_flight);
// Fiber. The work runs in the flight's scope, with its context, so it goes on when the one who
// began it is cancelled, as long as somebody waits; where that scope takes no task, because it is
// being stopped or at its tasks_max, one of those who ask works himself. Everybody gets *out_shared
// held once, or the work's error. Keys: 1 to 65,536 bytes (HY_RANGE, HY_TOO_LARGE). HY_LIMIT: too
// many keys under way. HY_DEADLOCK: it is the work that asks for its own key. HY_CLOSED, or why the
// flight's scope was cancelled: no new work.
typedef hy_err (*hy_load)(void *self, hy_bytes key, hy_shared **out_shared);
HY_API HY_CHECKED hy_err hy_flight_do(hy_flight *flight, hy_bytes key, hy_load work, void *self,
                                      hy_shared **out_shared);

// ---- cache ------------------------------------------------------------------------------------

// Level 1: in memory, one per world, evicting by SIEVE (Zhang et al., NSDI 2024). Misses load in
// single flight. Values are shared boxes: a value that was given out stays valid after eviction.
typedef struct hy_cache hy_cache;

// Level 2, behind level 1: another process or machine (Redis). Fibers call it; it may wait.
// Errors of `get` other than HY_NOT_FOUND count as a miss and are counted. Each may be NULL. `get`
// says how long the value is still good (HY_NEVER: for ever; 0: it is given, and not kept here).
typedef struct hy_cache_level2 {
    hy_err (*get)(void *self, hy_bytes key, hy_shared **out_shared, hy_ns *out_time_left);
    hy_err (*put)(void *self, hy_bytes key, const hy_shared *value, hy_ns time_to_live);
    hy_err (*drop)(void *self, hy_bytes key);
    void *self;
} hy_cache_level2;

typedef struct hy_cache_options {
    size_t size;
    const char *name;     // borrowed
    uint32_t entries_max; // 0: 1,024
    size_t bytes_max;     // of keys and values; 0: no limit but entries_max
    hy_ns time_to_live;   // of loaded values; 0: HY_NEVER
    // By value, key and context (it runs with the loader's context); 0: time_to_live; below 0: the
    // value is given, and not kept here.
    hy_ns (*ttl)(void *self, hy_bytes key, const hy_shared *value);
    hy_ns stale;    // after its time a value is still given for so long while it is loaded anew
    hy_ns negative; // how long HY_NOT_FOUND of the loader is remembered; 0: not at all
    hy_load load;   // NULL: hy_cache_get does not load
    void *self;
    const hy_cache_level2 *level2; // copied; NULL: none
    uint32_t loads_max;            // under way at a time; 0: 64; others wait
    // Told of values that leave by themselves, for want of room or when their time is over; they
    // have gone already. May call the cache, but not wait or put.
    void (*evicted)(void *self, hy_bytes key, const hy_shared *value);
} hy_cache_options;
HY_API HY_CHECKED hy_err hy_cache_open(hy_scope *scope, const hy_cache_options *options,
                                       hy_cache **out_cache);
// Fiber. The value, held once by the caller (hy_shared_drop). Keys here and below: 1 to 65,536
// bytes (HY_RANGE, HY_TOO_LARGE). HY_NOT_FOUND: no loader, or it said so (now or, within
// `negative`, before); or its error, which is not remembered; or what hy_flight_do says.
HY_API HY_CHECKED hy_err hy_cache_get(hy_cache *cache, hy_bytes key, hy_shared **out_shared);
// What is there and fresh, without loading or waiting, borrowed until the next call that may change
// the cache. NULL: nothing.
HY_API const hy_shared *hy_cache_peek(hy_cache *cache, hy_bytes key);
// Takes one hold of `value`, also on an error; then the key has no value, not the old one. A load
// under way is not kept. `time_to_live` 0: the cache's. HY_TOO_LARGE: over bytes_max alone.
// HY_NOMEM. Level 2 is not told.
HY_API HY_CHECKED hy_err hy_cache_put(hy_cache *cache, hy_bytes key, hy_shared *value,
                                      hy_ns time_to_live);
// Forgets; a load under way is not kept either, and who asks from now on gets a new one. Fiber when
// there is a level 2, whose error it gives.
HY_API hy_err hy_cache_drop(hy_cache *cache, hy_bytes key);
HY_API void hy_cache_clear(hy_cache *cache); // drops all; level 1 only
// Fiber. Loads `keys`, at most `limit` at a time (0: the loads_max); errors are counted, not fatal.
HY_API HY_CHECKED hy_err hy_cache_warm(hy_cache *cache, const hy_bytes *keys, size_t count,
                                       uint32_t limit, size_t *out_failed);
typedef struct hy_cache_stats {
    uint64_t hits, stale_hits, negative_hits, misses, loads, load_errors, evicted, expired;
    uint64_t level2_hits, level2_errors;
    uint32_t entries, loading;
    size_t bytes;
} hy_cache_stats;
HY_API hy_cache_stats hy_cache_stats_of(const hy_cache *cache);

// ---- streams, events, map ---------------------------------------------------------------------

// Concurrent map: `fn` over many items, at most `limit` at a time. The calls run on as many fibers
// in a scope of their own, below the caller's; what they spawn there is waited for too.
typedef enum hy_map_errors {
    HY_MAP_FAIL_FAST, // the first error cancels the rest, and is the map's
    HY_MAP_GO_ON,     // errors are values: `failed` and `results` have them, the map's is HY_OK
} hy_map_errors;
typedef struct hy_map_options {
    size_t size;
    const char *name; // of the scope, borrowed; NULL: "map"
    uint32_t limit;   // 0: 2 times the processors, at least 4, at most 50
    hy_map_errors errors;
    void (*failed)(void *self, size_t index, hy_err err); // GO_ON: to log it; NULL: nobody
    void *self;
    hy_err *results; // each only: `count` of them, what each call said. Those that were never
                     // begun: HY_CANCELLED
    bool ordered;    // chan only: results leave in the order of the items
    hy_stack stack;
} hy_map_options;
// Fiber. `fn` for 0 ... count - 1; where results go is between it and `arg`. HY_OK, the first error
// (fail-fast), HY_NOMEM, HY_LIMIT, or why the caller was cancelled.
HY_API HY_CHECKED hy_err hy_map_each(size_t count, hy_err (*fn)(void *arg, size_t index), void *arg,
                                     const hy_map_options *options);
// Fiber. `fn` for what comes from `in`, until it ends; `fn` writes *out_item, which goes to `out`
// (NULL: nothing goes anywhere, out_item is NULL). Takes no item before a fiber is free for it, and
// holds at most `limit`, ordered or not. Items of failed calls (GO_ON) have no result; `failed`
// gets their number, from 0. At the end `out` is closed, or failed with the map's error, and `in`
// is closed. HY_CLOSED: `out` was closed; else as above, or how `in` failed.
HY_API HY_CHECKED hy_err hy_map_chan(hy_chan *in, hy_chan *out,
                                     hy_err (*fn)(void *arg, const void *item, void *out_item),
                                     void *arg, const hy_map_options *options);

// A flow is a sequence that is pulled, item by item: `next` works its way up to the source and
// down again, in the fiber that asks, so nothing is made before somebody wants it and nothing piles
// up. One fiber asks at a time. (hypha/world.h has the streams of bytes.)
//
// Flows belong to the scope of their source. An operator takes the flow it is made from, also when
// it fails; then that is closed. When any part ends, by close, by itself or by an error, what is
// above it is closed, and what is below gets HY_END or that error, now and for ever.
typedef struct hy_flow hy_flow;

// What a source does. `next` writes an item, or gives HY_END, an error that ends the flow, or
// HY_TIMEOUT when `deadline` (hy_world_now; HY_NEVER) came first and nothing is lost. It may ignore
// the deadline; then batches can be late. `close` (NULL: nothing to do) is called once; not
// waiting.
typedef struct hy_flow_source {
    hy_err (*next)(void *self, void *out_item, hy_ns deadline);
    void (*close)(void *self);
    void *self;
} hy_flow_source;
HY_API HY_CHECKED hy_err hy_flow_open(hy_scope *scope, size_t item_size,
                                      const hy_flow_source *source, hy_flow **out_flow); // copies
// Closing the flow closes `chan`: its senders get HY_CLOSED.
HY_API HY_CHECKED hy_err hy_flow_of_chan(hy_scope *scope, hy_chan *chan, hy_flow **out_flow);
HY_API HY_CHECKED hy_err hy_flow_of_array(hy_scope *scope, const void *items, size_t item_size,
                                          size_t count, hy_flow **out_flow); // borrows

// Fiber. HY_END, the error that ended it, HY_TIMEOUT (`deadline`: the flow goes on), or why the
// caller was cancelled (the flow goes on for others).
HY_API HY_CHECKED hy_err hy_flow_next(hy_flow *flow, void *out_item, hy_ns deadline);
// Fiber. Closes and frees it and all that it was made from. NULL is fine. The scope does it at its
// end for the others.
HY_API void hy_flow_close(hy_flow *flow);

// `fn` may wait; its error ends the flow.
HY_API HY_CHECKED hy_err hy_flow_map(hy_flow *from, size_t item_size,
                                     hy_err (*fn)(void *arg, const void *item, void *out_item),
                                     void *arg, hy_flow **out_flow);
// `fn` says what stays.
HY_API HY_CHECKED hy_err hy_flow_filter(hy_flow *from, bool (*fn)(void *arg, const void *item),
                                        void *arg, hy_flow **out_flow);
HY_API HY_CHECKED hy_err hy_flow_take(hy_flow *from, uint64_t count, hy_flow **out_flow);
typedef enum hy_merge_end {
    HY_MERGE_ALL,   // ends when all have ended
    HY_MERGE_FIRST, // ends when the first ends
} hy_merge_end;
// Items of all in the order in which they come; each is pulled by a fiber of its own, one item
// ahead at most. An error of one ends all. All of one item size and one scope. At most 64
// (HY_LIMIT).
HY_API HY_CHECKED hy_err hy_flow_merge(hy_flow *const *from, uint32_t count, hy_merge_end end,
                                       hy_flow **out_flow);
// Items of the flow are hy_items: 1 to `count_max` at once, the first of which has waited for
// `wait_max` at most. What is there when the source ends or fails comes first. A batch is borrowed
// until the next call, so it must not be batched again.
typedef struct hy_items {
    const void *items;
    uint32_t count;
} hy_items;
HY_API HY_CHECKED hy_err hy_flow_batch(hy_flow *from, uint32_t count_max, hy_ns wait_max,
                                       hy_flow **out_flow);
// Fiber. Sends all to `chan`, then closes both; on an error `chan` fails with it. HY_CLOSED: `chan`
// was closed.
HY_API HY_CHECKED hy_err hy_flow_into(hy_flow *from, hy_chan *chan);

// Events: who publishes does not know who listens. Topics are constants, known by address.
//
//     const hy_topic SIGNED_IN = { .name = "signed in", .size = sizeof(struct signed_in) };
//
// Each subscription has a bounded queue and says what happens when it is full. All subscribers of a
// topic see its events in one order. Who comes later misses what was before.
typedef struct hy_topic {
    const char *name;
    size_t size; // of an event
    // For events with pointers in them, both or neither: each subscription that gets a copy keeps
    // it; what it does not receive is dropped.
    void (*keep)(const void *event);
    void (*drop)(const void *event);
} hy_topic;
typedef struct hy_bus hy_bus;
HY_API HY_CHECKED hy_err hy_bus_open(hy_scope *scope, hy_bus **out_bus);
// Ends all subscriptions (HY_END after what they have) and refuses further ones. Twice is fine.
HY_API void hy_bus_close(hy_bus *bus);
// Fiber. Waits until every subscription with HY_OVERFLOW_WAIT has room; then all get it at once.
// Cancelled before that, nobody has it. HY_OK also without subscribers; HY_CLOSED.
HY_API HY_CHECKED hy_err hy_bus_publish(hy_bus *bus, const hy_topic *topic, const void *event);
HY_API HY_CHECKED hy_err hy_bus_try_publish(hy_bus *bus, const hy_topic *topic,
                                            const void *event); // HY_BUSY
typedef struct hy_bus_state {
    uint32_t subscribers;
    uint64_t published, unheard; // unheard: of those, without a subscriber
} hy_bus_state;
HY_API hy_bus_state hy_bus_state_of(const hy_bus *bus);

typedef struct hy_sub hy_sub;
typedef struct hy_sub_options {
    size_t size;
    uint32_t capacity;    // 0: 64
    hy_overflow overflow; // WAIT: publishers wait. FAIL: the subscription ends with HY_LIMIT, after
                          // what it has
} hy_sub_options;
// Belongs to `scope`: nothing of it is left after that, whether or not anybody received. HY_NOMEM,
// HY_CLOSED.
HY_API HY_CHECKED hy_err hy_subscribe(hy_bus *bus, hy_scope *scope, const hy_topic *topic,
                                      const hy_sub_options *options, hy_sub **out_sub);
// Where the events come from, for hy_recv and hy_select; hy_chan_state_of counts them. HY_END: the
// bus was closed. Borrowed until the subscription closes.
HY_API hy_chan *hy_sub_chan(const hy_sub *sub);
HY_API void hy_sub_close(hy_sub *sub); // leaves the bus, and frees

#ifdef __cplusplus
}
#endif
#endif
