// hypha/scope.h - lifetimes, fibers, cancellation, context.        Room: scope. Includes: world.
// Threads: everything on the world's thread; HY_ANY_THREAD marks the rest. "Fiber" marks calls that
// may wait: only from a fiber. All others may also be made from the world's callbacks.
//
// One tree. A node, the scope, is at once
//   a lifetime    everything that runs or is held belongs to a scope and ends with it,
//   a context     typed values that its fibers and the scopes below can look up,
//   a supervisor  it decides what the end of a child means.
//
// A fiber is a function with a stack of its own; it never leaves its world's thread and gives way
// only where it waits. Every call that waits is a cancellation point: once the fiber's innermost
// scope is cancelled they all return the reason (HY_TIMEOUT: a deadline passed; HY_CANCELLED or
// what hy_scope_cancel was given), and go on doing so: cancellation is sticky.
//
// The form is that of Trio's nurseries and cancel scopes (N. J. Smith, "Notes on structured
// concurrency", 2018) with Erlang/OTP's supervision as the failure policy.
#ifndef HYPHA_SCOPE_H
#define HYPHA_SCOPE_H

#include <hypha/world.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hy_scope hy_scope;
typedef struct hy_task hy_task;
typedef struct hy_service hy_service;

// What a fiber runs. What it returns goes to hy_await and to its scope's policy. Results travel
// through `arg`, which the spawner owns: it outlives the task because the task's scope ends first.
typedef hy_err (*hy_fn)(void *arg);

// ---- failure policy ---------------------------------------------------------------------------

typedef enum hy_verdict {
    HY_IGNORE = 1,   // nothing follows
    HY_COLLECT,      // the scope goes on; its first such error is what join and close return
    HY_FAIL,         // the same, and everything else in the scope is cancelled (HY_CANCELLED)
    HY_FINISH,       // everything else is cancelled, and the scope ends well
    HY_RESTART_ONE,  // services only: this one
    HY_RESTART_ALL,  // services only: all of the scope's services, in their order of start
    HY_RESTART_REST, // services only: this one and those started after it
} hy_verdict;

// How a child ended.
typedef struct hy_ending {
    const hy_scope *scope;
    const char *name; // of the task or service
    hy_err err;       // what its function returned
    bool is_service;
    bool cancelled; // it was told to end, by cancel or stop, and `err` is only that
} hy_ending;

typedef hy_verdict (*hy_policy)(const hy_ending *ending);

// For tasks. What a cancelled task passes on is held against nobody: the reason it was given, or
// HY_CANCELLED, or HY_CLOSED while draining. Another error out of its clean-up is an error. After
// HY_FINISH nothing is held any more.
HY_API hy_verdict hy_fail_fast(const hy_ending *ending); // the first error fails; the default
HY_API hy_verdict hy_collect(const hy_ending *ending);   // all run; the first error is reported
HY_API hy_verdict hy_race(const hy_ending *ending); // the first success finishes; errors collect
HY_API hy_verdict hy_ignore(const hy_ending *ending);
// For services; tasks in such a scope fail fast. Whether a service is started again at all is its
// spec's `restart`; these say who else is.
HY_API hy_verdict hy_one_for_one(const hy_ending *ending); // what a NULL policy means for services
HY_API hy_verdict hy_one_for_all(const hy_ending *ending);
HY_API hy_verdict hy_rest_for_one(const hy_ending *ending);

// ---- context: keys and bindings ---------------------------------------------------------------
//
//     HY_KEY(struct pool *, POOL)          in a header
//     HY_KEY_DEFINE(POOL)                  in one .c file
//     HY_BIND(scope, POOL, pool);          struct pool *p = HY_GET(POOL);   NULL: not bound
//     HY_WITH(&err, POOL, other) { ... }   bound for the block, without a scope's other duties
//
// A key gets its number from the linker, so a look-up costs the same at any depth. Values are
// pointers to what outlives the scope they are bound in (own it there). A fiber sees the context of
// the scope that owns it, never its spawner's.
// Limits: HY_KEYS_MAX keys in a program, all in one executable (not in shared libraries).
#define HY_KEYS_MAX 256

typedef struct hy_key {
    const char *name;
} hy_key;

#define HY_KEY(type, name_)                                                                        \
    extern const hy_key name_##_key;                                                               \
    __attribute__((unused)) static inline type name_##_get(void) {                                 \
        return (type)hyi_key_get(&name_##_key);                                                    \
    }                                                                                              \
    __attribute__((unused)) static inline const void *name_##_value(type value) {                  \
        return (const void *)value;                                                                \
    }                                                                                              \
    struct name_##_needs_a_semicolon
#define HY_KEY_DEFINE(name_)                                                                       \
    const hy_key name_##_key __attribute__((section("hyi_keys"), used, aligned(8))) = { #name_ }

#define HY_GET(name_) name_##_get()
#define HY_BIND(scope, name_, value) hy_scope_bind(scope, &name_##_key, name_##_value(value))

// Copies nothing but the pointer. Seen by what is opened or spawned in the scope from now on, and
// by the fiber whose block the scope is. HY_NOMEM, HY_CLOSED (the scope is ending).
HY_API HY_CHECKED hy_err hy_scope_bind(hy_scope *scope, const hy_key *key, const void *value);
HY_API const void *hy_scope_get(const hy_scope *scope, const hy_key *key); // NULL: not bound

// Built when it is first asked for, once, in `scope` and with its context; dropped in reverse order
// of building when `scope` closes. A build that fails is tried again by the next who asks; HY_GET
// then gives NULL and hy_provide_error says why. `build` may wait when all who ask are fibers; it
// has the deadline of `scope`, and no timeout of the one who asks cuts it short: hy_task_cancel
// does.
typedef struct hy_provider {
    hy_err (*build)(void *self, hy_scope *scope, void **out_value);
    void (*drop)(void *self, void *value); // NULL: nothing to do
    void *self;
    hy_ns drop_max_ns; // as in hy_own
} hy_provider;
HY_API HY_CHECKED hy_err hy_provide(hy_scope *scope, const hy_key *key,
                                    const hy_provider *provider); // copies
HY_API hy_err hy_provide_error(const hy_key *key); // of the latest failed build here, or HY_OK

// A named bundle of bindings and providers, borrowed and never changed: what an environment is made
// of ("production", "test"). Given in hy_scope_options, or by name from the presets of the nearest
// scope that has some. What is bound in the scope itself wins over its preset, that over what is
// inherited.
typedef struct hy_preset_entry {
    const hy_key *key;
    const void *value;    // or, when `provider` is set:
    hy_provider provider; // build != NULL
} hy_preset_entry;
typedef struct hy_preset {
    const char *name;
    const hy_preset_entry *entries;
    uint32_t count;
    const struct hy_preset *base; // NULL, or a preset that is applied before this one
} hy_preset;

// What travels with a message, instead of bindings, which never do: small, copied.
typedef struct hy_baggage {
    hy_id trace;     // 0: none
    uint64_t span;   // of the scope that sent it; W3C trace context's parent id
    hy_ns time_left; // until the sender's deadline, at least 1; 0 or HY_NEVER: it has none
    bool sampled;    // W3C trace flags
    char tenant[23]; // NUL-ended; empty: none
} hy_baggage;
HY_API hy_baggage hy_baggage_here(void); // of the current scope
// As W3C trace context has it in a header: "00-<32 hex>-<16 hex>-<2 hex>". HY_MALFORMED; unknown
// versions are accepted as the specification says.
#define HY_TRACEPARENT_LEN 55
HY_API HY_CHECKED hy_err hy_traceparent_parse(hy_bytes text, hy_baggage *out_baggage);
HY_API void hy_traceparent_format(const hy_baggage *baggage, char out[HY_TRACEPARENT_LEN + 1]);

// ---- scopes -----------------------------------------------------------------------------------

typedef struct hy_scope_options {
    size_t size;
    const char *name;         // borrowed for the scope's life; NULL: "scope"
    hy_ns timeout;            // from now; 0: none. Only tightens what is inherited
    hy_ns deadline;           // hy_world_now; 0: none. Below 0, as a timeout, it has passed
    hy_policy policy;         // NULL: hy_fail_fast for tasks, hy_one_for_one for services
    hy_ns shield;             // above 0: cancellation from above arrives so much later;
                              // HY_NEVER: never (then the scope must end by itself)
    hy_ns stop_max;           // grace of a stop that begins here; 0: 10 s
    uint32_t tasks_max;       // below this scope; 0: no limit of its own. hy_spawn waits at it
    size_t bytes_max;         // of hy_scope_mem, here and below; 0: no limit of its own
    uint32_t descriptors_max; // of hy_conn, hy_port, hy_wait_fd, here and below; the same
    uint32_t restarts_max;    // of all services together, within `restarts_within`; 0: no limit
    hy_ns restarts_within;    // 0: 10 s
    const hy_preset *preset;
    const hy_preset *const *presets; // NULL-ended; looked up by `name` here and below; borrowed
    const hy_baggage *baggage;       // continues the sender's trace and deadline; NULL: inherited
} hy_scope_options;

// The block form. Opens a scope below the current one, on the fiber's own stack. Only memory for a
// timeout, limits, a preset's bindings or baggage can be missing: then the block is not run, and
// `err` is HY_NOMEM. Opened where all is cancelled already it runs, to its first wait.
//
//     hy_err err = HY_OK;
//     HY_SCOPE(s, &err, .name = "request", .timeout = HY_SECONDS(2)) {
//         err = hy_spawn(s, fetch_posts, &posts, NULL, NULL);
//         if (err != HY_OK) break;
//     }
//     return err;
//
// At the end of the block the scope waits for its tasks; left by `break` or `return`, it cancels
// them first, which is no error. Either way it then releases what it owns. `err` (may be NULL)
// keeps an error that the body put there; where that is HY_OK, or only the reason why this scope
// was cancelled, it gets the scope's: the first error its policy held against it, or why it was
// cancelled. What tasks use is declared before the block: variables of the body are gone when the
// scope waits. `continue` goes to the end of the block, and neither it nor `break` means a loop
// around it. Never leave by longjmp; not by goto into the block. For C only, as HY_OPTIONS is.
#define HY_SCOPE(name_, out_err, ...)                                                              \
    for (hyi_scope_block name_##_block __attribute__((cleanup(hyi_scope_block_end))),              \
         *name_##_once = hyi_scope_block_init(&name_##_block);                                     \
         name_##_once; name_##_once = NULL)                                                        \
        for (hy_scope *name_ = hyi_scope_block_open(                                               \
                 &name_##_block, out_err,                                                          \
                 &(hy_scope_options){ .size = sizeof(hy_scope_options), __VA_ARGS__ });            \
             name_; name_ = hyi_scope_block_join(&name_##_block))

// The dynamic form, below any living scope (NULL: the current one), from any fiber or callback. Its
// parent closes it if nobody else does, when all tasks below have ended, the latest first; what it
// ends with is then put before the parent's policy, like a task's end. HY_NOMEM, HY_CLOSED (the
// parent is draining or ending), or why the parent was cancelled.
HY_API HY_CHECKED hy_err hy_scope_open(hy_scope *parent, const hy_scope_options *options,
                                       hy_scope **out_scope);
// Fiber. Waits until all tasks below have ended; services run on. The scope's error, as above.
// HY_DEADLOCK: the fiber runs in it, and it is not the fiber's own innermost block.
HY_API HY_CHECKED hy_err hy_scope_join(hy_scope *scope);
// Fiber. Cancels what still runs, waits for it, stops services in reverse order of start, releases
// what is owned, and frees a scope of the dynamic form. Its error. From inside `scope` it cannot
// wait, nor where a fiber inside closes something that the caller is in: then it is hy_scope_stop,
// and the answer HY_BUSY. Another fiber's block, or what another fiber is closing, is cancelled and
// waited for. No cancellation cuts it short.
HY_API hy_err hy_scope_close(hy_scope *scope);

// Two-phase stop: at once the scope is draining (hy_draining; intake calls return HY_CLOSED; no new
// tasks or services in it or in dynamic scopes below, while blocks below, whose fibers are at work,
// may still spawn what they need to finish). Tasks first, then services in reverse order of start,
// each cancelled when its share of `grace` has passed (0: the scope's stop_max; below 0: none; what
// one does not use the next one gets; where there are resources a tenth is kept for them). Services
// drain when their turn comes, not before; but none is started again from now on. A second stop can
// shorten the grace, a cancel ends it. Does not wait: join or close does.
HY_API void hy_scope_stop(hy_scope *scope, hy_ns grace);
// The whole subtree, now; shields hold it off. `why` is what waiting calls return (HY_OK:
// HY_CANCELLED). The first reason stays. Services are cancelled when the tasks that may use them
// have ended, in reverse order of start, one at a time.
HY_API void hy_scope_cancel(hy_scope *scope, hy_err why);

HY_API hy_scope *hy_scope_current(void); // of the running fiber; NULL: not in a fiber
HY_API const char *hy_scope_name(const hy_scope *scope);
HY_API hy_ns hy_scope_deadline(const hy_scope *scope); // HY_NEVER: none
HY_API hy_err hy_scope_reason(const hy_scope *scope);  // HY_OK, or why it was cancelled
HY_API hy_world *hy_scope_world(const hy_scope *scope);
HY_API hy_err hy_check(void);  // a cancellation point that does not wait: for long computations
HY_API bool hy_draining(void); // the current scope is being stopped

// Grows the deadline never; HY_OK also when it was tighter already.
HY_API hy_err hy_scope_tighten(hy_scope *scope, hy_ns deadline);

// ---- tasks ------------------------------------------------------------------------------------

typedef enum hy_stack { HY_STACK_DEFAULT, HY_STACK_16K, HY_STACK_64K, HY_STACK_256K } hy_stack;

typedef struct hy_spawn_options {
    size_t size;
    const char *name; // borrowed; NULL: the place of the call
    hy_stack stack;   // default: the root's. Libraries that use much (TLS, resolvers): 256K
} hy_spawn_options;

// Starts `fn` in `scope` (NULL: the current one) as a fiber, with that scope's context. With
// `out_task` NULL nothing remains after its end; else the task stays until hy_await or the end of
// the scope. Waits while the scope is at its tasks_max; outside a fiber it refuses then.
// HY_NOMEM, HY_LIMIT (fibers of the root; tasks_max, outside a fiber), HY_CLOSED (draining or
// ending), why the scope was cancelled, or why the caller was while it waited. Once spawned, `fn`
// always runs, to its first wait at least: so it may own what `arg` points to.
#define hy_spawn(scope, fn, arg, options, out_task)                                                \
    hyi_spawn(scope, fn, arg, options, out_task, hyi_place_here())
// Fiber. Waits for the task's end, gives what it returned, and frees it. HY_DEADLOCK: the task is
// waiting for this fiber (it is the fiber itself, opened a block that this fiber runs in, or awaits
// it, at whatever distance). Its error is held against its scope all the same. When
// the caller is cancelled it gets that reason, and the task stays.
HY_API HY_CHECKED hy_err hy_await(hy_task *task);
// This one, and the blocks it is in. It runs to its first wait even if it had not begun.
HY_API void hy_task_cancel(hy_task *task, hy_err why);
HY_API bool hy_task_ended(const hy_task *task);

// Fiber. Gives way to the others that are ready.
HY_API hy_err hy_yield(void);
// Fiber. HY_OK when `duration` has passed.
HY_API hy_err hy_sleep(hy_ns duration);
HY_API hy_err hy_sleep_until(hy_ns when);

// Blocking work on the world's threads (a hy_work_kind), while the fiber waits. `fn` must not call
// Hypha. HY_OK: it has run. Cancelled before it began, it never runs; once begun it is waited for,
// whatever happens, and who was cancelled meanwhile hears of that at the next wait.
HY_API hy_err hy_offload(uint32_t kind, void (*fn)(void *arg), void *arg); // HY_LIMIT too

// ---- resources --------------------------------------------------------------------------------

// Releases `object` by `fini` when `scope` closes, in reverse order of owning, after all tasks and
// services have ended; every one runs, whatever the others do. `fini` runs in a shield and may
// wait up to `max_ns` (0: its share of the scope's stop_max); longer waits are cut short. Takes
// `object` in every case: on HY_NOMEM and HY_CLOSED `fini` has been called. What `fini` spawns in
// its current scope ends with it. Outside of fibers it is called as it is, and must not wait.
HY_API HY_CHECKED hy_err hy_own(hy_scope *scope, void *object, void (*fini)(void *object),
                                hy_ns max_ns);
// The latest owned `object`: released now, or (`disown`) handed back without being released.
// HY_NOT_FOUND.
HY_API hy_err hy_release(hy_scope *scope, void *object);
HY_API hy_err hy_disown(hy_scope *scope, void *object);

// Counted against bytes_max here and above. What it gave is given back before the scope has ended.
HY_API hy_mem *hy_scope_mem(hy_scope *scope); // NULL on HY_NOMEM
// Freed with the scope. Counted by whole chunks, 4 KiB at first. NULL: no memory, or over
// bytes_max.
HY_API void *hy_scope_alloc(hy_scope *scope, size_t size);

// ---- services ---------------------------------------------------------------------------------

typedef enum hy_restart {
    HY_TEMPORARY, // never started again
    HY_TRANSIENT, // after an error
    HY_PERMANENT, // always, until it is stopped
} hy_restart;

#define HY_RESTARTS_LIMIT 4096u // a restarts_max above it is HY_RANGE

// Strings are borrowed for the life of the service's scope; the rest is copied.
typedef struct hy_service_spec {
    size_t size;
    const char *name;
    hy_fn fn; // runs in a scope of its own, opened anew for each start; it calls hy_ready
    void *arg;
    hy_restart restart;
    uint32_t restarts_max; // within `restarts_within`; one more fails the scope with HY_RESTARTS.
                           // 0: 5; UINT32_MAX: no limit
    hy_ns restarts_within; // 0: 10 s; up for so long, it starts counting anew
    hy_ns backoff_min;     // before the second restart in a row (the first is at once); 0: 100 ms,
    hy_ns backoff_max;     // doubling with full jitter up to this; 0: 10 s
    hy_ns ready_max;       // from start to hy_ready; 0: 30 s. Later counts as HY_TIMEOUT
    hy_ns stop_max;        // share of a stop's grace at most; 0: no limit of its own
    hy_stack stack;
    hy_scope_options scope; // of the service's own scope
} hy_service_spec;

// Fiber. Starts a service in `scope` (NULL: the current one) and waits until it is ready. What it
// returned when it ended before that (HY_END: a permanent one ended well), HY_TIMEOUT, HY_NOMEM,
// HY_CLOSED, HY_RANGE; then nothing is left of it. While services of `scope` go down and come up
// together it waits for that first. A temporary or transient one may end well before
// it is ready: HY_OK. The handle is good until hy_service_stop, or the end of `scope`.
HY_API HY_CHECKED hy_err hy_start(hy_scope *scope, const hy_service_spec *spec,
                                  hy_service **out_service); // out_service may be NULL
// In a service, or below it: it is up. In no service: the root is, see hy_root_options.notify.
HY_API void hy_ready(void);
// Fiber. Drains, then cancels within `grace` (0: its stop_max, or its scope's), and forgets the
// service: the handle is used up in every case. What it returned. From inside the service it cannot
// wait: HY_BUSY.
HY_API hy_err hy_service_stop(hy_service *service, hy_ns grace);
// Fiber. The same, and then it is started again, at once and against no limit; waits until it is
// ready. What it returned when it ended before that, HY_CLOSED; HY_BUSY as above.
HY_API hy_err hy_service_restart(hy_service *service);

typedef struct hy_service_state {
    const char *name;
    bool ready, draining, waiting; // waiting: for its next start
    uint64_t starts;               // so far
    hy_err last_err;               // of the latest end; HY_OK: none
    hy_ns since;                   // of the present state; hy_world_now
} hy_service_state;
HY_API hy_service_state hy_service_state_of(const hy_service *service);

// Fiber. An intake call: waits until the current scope is being stopped. HY_CLOSED then.
HY_API hy_err hy_wait_draining(void);

// ---- the root ---------------------------------------------------------------------------------

typedef struct hy_root_options {
    size_t size;
    const char *name;    // NULL: "root"
    bool signals;        // SIGTERM and SIGINT stop the root, the second one cancels it; SIGQUIT
                         // prints the tree to standard error
    bool notify;         // tells the service manager (sd_notify(3)), if there is one: READY=1 when
                         // the body calls hy_ready; STOPPING=1; each second of the stop STATUS=,
                         // and EXTEND_TIMEOUT_USEC= while it makes progress
    hy_ns stop_max;      // 0: 10 s
    uint32_t fibers_max; // 0: 1,048,576
    hy_stack stack;      // of the body and of tasks that do not say; default: 64K
    size_t stacks_kept;  // pooled bytes that stay resident; 0: 16 MiB
    const struct hy_scope_observer *observer; // NULL: nobody
    void *observer_self;
    hy_scope_options scope; // limits, preset, baggage of the root scope
} hy_root_options;

// Makes a root scope on `world` and runs `body` in it as a fiber. `done` is called from the world
// when the root has closed, with what the body returned, or the scope's error. The world must be
// run by the caller. HY_NOMEM, HY_LIMIT.
typedef struct hy_root hy_root;
HY_API HY_CHECKED hy_err hy_root_start(hy_world *world, const hy_root_options *options, hy_fn body,
                                       void *arg, void (*done)(void *self, hy_err err), void *self,
                                       hy_root **out_root);
HY_API hy_scope *hy_root_scope(hy_root *root);
// After a simulated machine has crashed and restarted: gives back all memory and runs nothing.
// Not after `done`. NULL is fine.
HY_API void hy_root_abandon(hy_root *root);
// Start, run the world until the root has closed, and give its error. The whole of many programs.
// When the world comes back before that, the root is cancelled first: HY_DEADLOCK (everybody waits
// for something that nobody will do), HY_CANCELLED (the world was stopped). HY_CLOSED: the
// simulated machine has crashed, and the root was abandoned. So it is where fibers wait for nothing
// behind a shield; in the real world their root stays.
HY_API hy_err hy_root_run(hy_world *world, const hy_root_options *options, hy_fn body, void *arg);

// ---- events and channels ----------------------------------------------------------------------

// A flag that fibers wait for. The caller's storage; all zero is a good start. Nobody may wait when
// it goes away.
typedef struct hy_event {
    bool is_set;
    void *waiters_; // the room's
} hy_event;
HY_API hy_err hy_event_wait(hy_event *event); // fiber; HY_OK at once when set
HY_API void hy_event_set(hy_event *event);    // wakes all
HY_API void hy_event_clear(hy_event *event);

// The same, set from another thread: `remote` is posted to the world, which then sets the event.
// The record is busy until the event is set. Wait with hy_remote_event_wait: the world then knows
// that somebody will post, and does not end for want of anything else to do.
typedef struct hy_remote_event {
    hy_post post;
    hy_event event;
} hy_remote_event;
HY_API hy_err hy_remote_event_wait(hy_remote_event *remote); // fiber
HY_API HY_ANY_THREAD void hy_remote_event_set(hy_world *world, hy_remote_event *remote);

typedef enum hy_overflow {
    HY_OVERFLOW_WAIT,     // send waits
    HY_OVERFLOW_DROP_OLD, // the oldest item makes room
    HY_OVERFLOW_DROP_NEW, // the sent item is gone
    HY_OVERFLOW_FAIL,     // HY_LIMIT
} hy_overflow;

// A bounded queue of items of one size between fibers of one world; `capacity` 0 hands over
// directly (only with HY_OVERFLOW_WAIT). Any number of senders and receivers; each gets its turn in
// order of arrival. `drop` (may be NULL) is told of items that are dropped, or left at the end; it
// does not wait, and lets the channel be.
typedef struct hy_chan hy_chan;
typedef struct hy_chan_options {
    size_t size;
    hy_overflow overflow;
    void (*drop)(void *self, void *item);
    void *self;
} hy_chan_options;
// Belongs to `scope`, and ends with it. HY_NOMEM, HY_CLOSED.
HY_API HY_CHECKED hy_err hy_chan_open(hy_scope *scope, size_t item_size, uint32_t capacity,
                                      const hy_chan_options *options, hy_chan **out_chan);
// Copies the item. HY_CLOSED: the channel was closed.
HY_API HY_CHECKED hy_err hy_send(hy_chan *chan, const void *item);     // fiber
HY_API HY_CHECKED hy_err hy_try_send(hy_chan *chan, const void *item); // HY_BUSY: it would wait
// HY_END: closed, and everything has been received; or what hy_chan_fail said.
HY_API HY_CHECKED hy_err hy_recv(hy_chan *chan, void *out_item);     // fiber
HY_API HY_CHECKED hy_err hy_try_recv(hy_chan *chan, void *out_item); // HY_BUSY: none there
// No more will be sent; what was sent can be received. Twice is fine.
HY_API void hy_chan_close(hy_chan *chan);
HY_API void hy_chan_fail(hy_chan *chan, hy_err err); // the same, and then `err` instead of HY_END
typedef struct hy_chan_state {
    size_t item_size;
    uint32_t count, capacity, senders_waiting, receivers_waiting;
    uint64_t sent, received, dropped;
    bool closed;
} hy_chan_state;
HY_API hy_chan_state hy_chan_state_of(const hy_chan *chan);

typedef struct hy_case {
    hy_chan *chan;    // NULL: never ready
    const void *send; // item to send, or NULL: receive
    void *recv;       // gets the item
    hy_err err;       // of the case that happened: what hy_send or hy_recv would have said
} hy_case;
// Fiber. Does exactly one of the cases, the first that can be done; of several that can at once,
// one is chosen fairly (by seed in a simulated world). `deadline`: hy_world_now, HY_NEVER, or 0 for
// not waiting. HY_TIMEOUT: none of them until then. Limit: 64 cases (HY_LIMIT).
HY_API HY_CHECKED hy_err hy_select(hy_case *cases, uint32_t count, hy_ns deadline,
                                   uint32_t *out_index);

// ---- connections ------------------------------------------------------------------------------

// Byte streams in blocking style, real or simulated. They belong to a scope and are closed with it.
typedef struct hy_conn hy_conn;
typedef struct hy_port hy_port;

HY_API HY_CHECKED hy_err hy_port_open(hy_scope *scope, const char *host, uint16_t port,
                                      hy_port **out_port, hy_why *why); // as hy_listen; HY_LIMIT
HY_API uint16_t hy_port_number(const hy_port *port);
HY_API void hy_port_close(hy_port *port);
// Fiber, intake: HY_CLOSED when the port is closed or the current scope is being stopped. The
// connection belongs to `scope` (NULL: the current one). At descriptors_max it waits. At most 128
// connections wait to be accepted; more are refused.
HY_API HY_CHECKED hy_err hy_accept(hy_port *port, hy_scope *scope, hy_conn **out_conn);
// Fiber. As hy_connect. At descriptors_max it waits.
HY_API HY_CHECKED hy_err hy_conn_open(hy_scope *scope, const char *host, uint16_t port,
                                      hy_conn **out_conn, hy_why *why);
// Fiber. At least one byte, at most `len`; *out_len 0: the other end has sent all it will. At most
// 256 KiB wait unread; then the other end has to. One fiber at a time (HY_BUSY). HY_CLOSED: the
// connection broke, or was closed.
HY_API HY_CHECKED hy_err hy_conn_read(hy_conn *conn, void *ptr, size_t len, size_t *out_len);
// Fiber. HY_OK: all of it has left. Writers take turns. Cancelled in the middle, the connection
// takes no more (HY_CLOSED); up to 256 KiB go as a whole or not at all.
HY_API HY_CHECKED hy_err hy_conn_write(hy_conn *conn, hy_bytes bytes);
HY_API void hy_conn_close(hy_conn *conn); // fiber; what is being written may be lost

// Fiber. Waits until `fd` is readable (1) or writable (2), whichever of `events` comes first; a
// broken one is both. Try first, wait when the call would block. Real world only (HY_UNSUPPORTED;
// also for files). The descriptor stays the caller's, non-blocking from now on; before closing it,
// hy_forget_fd. One fiber for each of the two events (HY_BUSY). HY_LIMIT: descriptors_max, of those
// that are waited for.
HY_API HY_CHECKED hy_err hy_wait_fd(int fd, uint32_t events, hy_ns deadline, uint32_t *out_events);
HY_API void hy_forget_fd(int fd); // fiber; whoever waits gets HY_CLOSED

// ---- seeing -----------------------------------------------------------------------------------

// The tree below `scope`: names, state, tasks with what they wait for, services, deadlines, memory.
typedef enum hy_tree_form { HY_TREE_TEXT, HY_TREE_JSON } hy_tree_form;
HY_API void hy_scope_tree(const hy_scope *scope, hy_tree_form form, hy_buf *out);

typedef struct hy_scope_stats { // of the whole root
    uint64_t spawned, ended, scopes_opened, switches, cancelled, restarts;
    uint64_t finalizers_run, finalizers_late;
    uint32_t fibers, fibers_peak;
    size_t stack_bytes; // mapped
} hy_scope_stats;
HY_API hy_scope_stats hy_scope_stats_of(const hy_scope *scope);

// The deepest that any stack of one spawn place has been used. Kept only when the environment's
// builder asked for it: see hy_root_measure_stacks.
typedef struct hy_stack_use {
    const char *place;
    uint64_t spawns;
    size_t bytes_peak;
} hy_stack_use;
HY_API void hy_root_measure_stacks(hy_root *root, bool on); // costs a page scan per spawn
HY_API bool hy_stack_use_next(const hy_root *root, uint32_t *cursor, hy_stack_use *out_use);

// Told of every scope; what hypha/observe.h builds spans from. Functions may be NULL; none may
// wait, open or close scopes. `slots` is 24 bytes of the scope that are the observer's own.
typedef struct hy_scope_observer {
    void (*opened)(void *self, hy_scope *scope, uint64_t slots[3]);
    void (*closed)(void *self, hy_scope *scope, uint64_t slots[3], hy_err err);
    void (*baggage)(void *self, const hy_scope *scope, const uint64_t slots[3], hy_baggage *out);
} hy_scope_observer;
HY_API uint64_t *hy_scope_slots(hy_scope *scope);
HY_API const hy_scope *hy_scope_parent(const hy_scope *scope);    // NULL: the root
HY_API const hy_baggage *hy_scope_baggage(const hy_scope *scope); // given here or above; or NULL

// ---- what the macros expand to ----------------------------------------------------------------

#define HYI_SCOPE_WORDS 34
typedef struct hyi_scope_block {
    uint64_t scope_[HYI_SCOPE_WORDS];
    hy_err *out_err;
    uint32_t state; // 0: not open, 1: open, 2: closed
} hyi_scope_block;
static inline hyi_scope_block *hyi_scope_block_init(hyi_scope_block *block) {
    block->state = 0;
    return block;
}
HY_API hy_scope *hyi_scope_block_open(hyi_scope_block *block, hy_err *out_err,
                                      const hy_scope_options *options);
HY_API hy_scope *hyi_scope_block_join(hyi_scope_block *block); // NULL
HY_API void hyi_scope_block_end(hyi_scope_block *block);

typedef struct hyi_frame {
    void *private_[4];
    bool open;
} hyi_frame;
static inline hyi_frame *hyi_frame_init(hyi_frame *frame) {
    frame->open = false;
    return frame;
}
HY_API bool hyi_frame_open(hyi_frame *frame, hy_err *out_err, const hy_key *key, const void *value);
HY_API void hyi_frame_end(hyi_frame *frame);
// Without memory for the frame the block is not run, and *out_err is HY_NOMEM. Tasks that the block
// spawns do not see the binding: they belong to a scope, and may outlive the block.
#define HY_WITH(out_err, name_, value)                                                             \
    for (hyi_frame name_##_frame __attribute__((cleanup(hyi_frame_end))),                          \
         *name_##_once = hyi_frame_init(&name_##_frame);                                           \
         name_##_once &&                                                                           \
         hyi_frame_open(name_##_once, out_err, &name_##_key, name_##_value(value));                \
         name_##_once = NULL)

// One for each place in the program that spawns.
typedef struct hyi_place {
    const char *file;
    uint32_t line;
    uint32_t measured_; // the room's
} hyi_place;
#define hyi_place_here()                                                                           \
    (__extension__({                                                                               \
        static hyi_place hyi_place_of_call = { __FILE__, __LINE__, 0 };                            \
        &hyi_place_of_call;                                                                        \
    }))
HY_API HY_CHECKED hy_err hyi_spawn(hy_scope *scope, hy_fn fn, void *arg,
                                   const hy_spawn_options *options, hy_task **out_task,
                                   hyi_place *place);
HY_API const void *hyi_key_get(const hy_key *key);

#ifdef __cplusplus
}
#endif
#endif
