// inside.h - what the files of the room share.                     Room: scope. Includes: world.
// Threads: everything belongs to the thread of the root's world.
//
// Three structs. A task is a fiber with its end: control block, not the stack. A scope is a node of
// the tree; what few scopes need lies in `more`. A root is a tree with its scheduler: the queue of
// tasks that are ready, their stacks, and one post in the world that keeps them running.
//
//     ready --hyi_run--> running --hyi_park--> parked --hyi_wake--> ready
//       ^                   |  \__ fn returns __> ended, and freed when nobody holds it
//       +----hy_yield-------+
//
// A parked task waits for one thing, its hyi_wait. Whoever makes that thing happen calls hyi_wake.
// Cancellation, draining, and the wait's own deadline call the wait's `unhook` first, so that a
// wake finds no trace of a task that has been told something else.
#ifndef HYI_SCOPE_INSIDE_H
#define HYI_SCOPE_INSIDE_H

#include <hypha/scope.h>

#include "base/cleanup.h"
#include "scope/above.h"
#include "scope/list.h"
#include "scope/stack.h"
#include "scope/wait.h"

// ---- context tables (context.c) ---------------------------------------------------------------

// Flat, one value a key, shared until somebody binds. A value with HYI_PROVIDED_BIT set is a
// hyi_provided *. `owners` (paranoid builds: rule (a)) says which scope bound each.
//
// Counted by each scope and frame that has it, and by each task for the one it was spawned with. A
// task in a block sees the block's own table, uncounted: what it saw before is kept by
// hyi_table_outer, where NULL stands for its scope's table, whatever that is by then.
typedef struct hyi_table {
    struct hyi_table *next_free, *next_made;
    uint32_t refs;
    uint32_t count;
    const hy_scope **owners;         // NULL but in paranoid builds
    const hy_preset *const *presets; // of the nearest scope that has some; NULL: none
    uintptr_t values[];
} hyi_table;

// ---- tasks ------------------------------------------------------------------------------------

typedef enum hyi_task_state {
    HYI_TASK_READY = 1,
    HYI_TASK_RUNNING,
    HYI_TASK_PARKED,
    HYI_TASK_ENDED,
} hyi_task_state;

// The first 64 bytes are a cache line of their own, and all that a switch touches.
struct hy_task {
    void *sp;         // while it is not running
    hy_scope *scope;  // innermost open one
    hyi_table *table; // what HY_GET sees: the scope's, or a frame's
    hy_root *root;
    hy_task *next;       // among the free
    hyi_stack *stack;    // NULL: it has not begun, or has ended
    hy_err wake_err;     // what hyi_park returns
    hy_err told;         // HY_OK, or why this task was cancelled (hy_task_cancel)
    uint8_t state;       // hyi_task_state
    uint8_t stack_class; // hy_stack, never HY_STACK_DEFAULT
    bool kept;           // somebody holds the handle
    bool is_service;     // its end is told to its service, not to the policy
    bool timed;          // the timer of its wait may be running
    bool lends;          // its next wait is told to root->lent
    bool rescuable;      // root->rescue is asked when its stack is used up

    hy_fn fn;
    void *arg;
    hy_scope *owner; // where it was spawned; it lives in owner->tasks
    hyi_link in_owner;
    hyi_list awaiting; // waits of those who called hy_await
    hy_err result;     // once ended
    uint32_t number;   // for traces and gdb; from 1
    hyi_wait *wait;    // while parked
    const char *name;  // NULL: the place
    hyi_place *place;
    hy_timer timer;       // of the wait's deadline
    void *fake_stack;     // AddressSanitizer's
    hyi_frame *frame;     // innermost open one
    hy_scope *visited;    // above.h; NULL: it is at home
    hyi_table *home;      // while it visits: the table it was spawned with
    void *word;           // the room above's
    uint32_t must_return; // calls under way that hyi_fiber_exit would leave half done
    hyi_stack *spoilt;    // used up; kept for the blocks that lie on it (hyi_fiber_rescue)
    void *spoilt_fake;
};

// ---- scopes -----------------------------------------------------------------------------------

typedef struct hyi_owned { // own.c
    struct hyi_owned *below, *above;
    void *object;
    void (*fini)(void *object);
    hy_ns max_ns;
    bool embedded; // the record is part of `object`: hyi_own
} hyi_owned;

typedef struct hyi_more hyi_more; // services, budgets, arena, presets: see the files that fill it

typedef enum hyi_scope_flag {
    HYI_SCOPE_BLOCK = 1,      // lies on its opener's stack
    HYI_SCOPE_DRAINING = 2,   // set here or above
    HYI_SCOPE_STOPPED = 4,    // hy_scope_stop was called on this one
    HYI_SCOPE_CANCELLED = 8,  // `reason` says why
    HYI_SCOPE_ENDING = 16,    // takes nothing new in
    HYI_SCOPE_SHIELD = 32,    // cancellation from above stops here
    HYI_SCOPE_FINISHED = 64,  // HY_FINISH: its cancellation is no error
    HYI_SCOPE_SERVICE = 128,  // a service's own
    HYI_SCOPE_TIMED = 256,    // its timer runs
    HYI_SCOPE_HELD = 512,     // a cancellation from above waits until `shield`; `reason` says why
    HYI_SCOPE_LEFT = 1024,    // cancelled because it was closed: that is no error
    HYI_SCOPE_CLOSING = 2048, // a fiber is at its end
    HYI_SCOPE_COUNTS_TASKS = 4096,       // tasks_max here or above
    HYI_SCOPE_COUNTS_DESCRIPTORS = 8192, // descriptors_max here or above
    HYI_SCOPE_QUIET = 16384,             // the room's own: not told to the observer
} hyi_scope_flag;

struct hy_scope {
    hy_root *root;
    hy_scope *parent; // NULL: the root's
    uint32_t flags;
    uint32_t task_count; // owned here and not ended
    // What join and close wait for: the tasks owned here, the dynamic scopes below that are live
    // themselves, and those who wait to spawn here. Blocks are not counted, because they end before
    // the task that opened them; services' scopes are not, because they are stopped by the close.
    uint32_t live;
    hy_err reason;     // why it is cancelled
    hy_err first_err;  // held against it by the policy
    hy_err body_err;   // block form: what its body will be found to have said
    hyi_table *table;  // counted
    hyi_list tasks;    // owned here
    hyi_list children; // scopes opened below, oldest first
    hyi_link in_parent;
    hy_task *opener;  // block form: the fiber whose block it is
    hyi_list joining; // waits of those who wait for `live` to become 0, or for the scope's end
    hy_scope *outer;  // block form: the opener's scope before it; its table is
    hyi_table *outer_table;
    hy_policy policy;
    const char *name;
    hy_ns deadline;
    hy_ns shield; // how long; while HYI_SCOPE_HELD, until when
    hy_timer timer;
    hyi_owned *owned; // latest first
    hyi_more *more;   // NULL: nothing of that
    const hy_baggage *baggage;
    uint64_t slots[3];
};
_Static_assert(sizeof(hy_scope) <= HYI_SCOPE_WORDS * 8, "a block holds a scope");

typedef struct hyi_stop { // stop.c
    hy_timer timer;       // the end of the present share of the grace
    hy_ns until;          // the end of the grace
    hyi_list waiting;     // of the fiber in hyi_services_stop_all
    bool is_cut;          // cancelled: what is left of the grace is for resources alone
    uint32_t phase;       // 0: nobody stops the scope
} hyi_stop;

// What few scopes have. Made on first use (more.c), freed with the scope.
struct hyi_more {
    hyi_list services; // service.c, in order of start
    hyi_list channels; // channel.c and conn.c own what they make through hy_own; this is for trees
    hy_ns stop_max;
    hyi_stop stop; // zeroed by more.c; stop.c prepares it
    uint32_t tasks_max, tasks_below;
    hyi_list spawning; // waits of those who wait for tasks_max
    size_t bytes_max, bytes;
    uint32_t descriptors_max, descriptors;
    hyi_list descriptors_waiting;
    hy_mem mem;     // hy_scope_mem: counts into bytes
    hy_arena arena; // hy_scope_alloc
    uint32_t restarts_max;
    hy_ns restarts_within;
    struct hyi_restarts *restarts; // service.c
    struct hyi_provided *provided; // provide.c, latest first
    hy_baggage baggage;            // a copy of what was given
    hy_scope *scope;
};

// ---- the root ---------------------------------------------------------------------------------

struct hy_root {
    hy_world *world;
    hy_mem *mem;
    hy_task **ready; // a ring of ready_capacity places, a power of 2, one for each living fiber
    uint32_t ready_first, ready_count, ready_capacity;
    bool posted;  // `post` is with the world
    bool running; // a fiber runs, or has just ended
    bool is_real;
    bool from_loop; // the switch that is under way came from the world's stack
    hy_post post;
    uint32_t slice, turns_left; // switches until the clock is looked at; in this slice
    hy_ns slice_began, round_ends;
    int *errno_at;  // the thread's
    void *loop_sp;  // the world's side of the switch
    void *never_sp; // of fibers that have ended
    void *loop_fake_stack, *loop_tsan;
    const void *loop_low; // the world's stack
    size_t loop_size;
    hyi_stacks *stacks;
    hy_task *free_tasks;
    struct fiber_slab *task_slabs; // fiber.c
    struct hyi_measures *measures; // measure.c; NULL: nothing measured yet
    hy_root *next_root;            // in hyi_roots
    uint32_t fibers_max;
    hy_stack stack_default;
    hyi_table *free_tables, *made_tables; // all of them, until hyi_tables_free
    hy_scope *scope;                      // the root scope
    const hy_scope_observer *observer;
    void *observer_self;
    void (*lent)(void *self, hy_task *task); // above.h; NULL: nobody lends
    void *lent_self;
    const hyi_rescue *rescue; // above.h; NULL: no fiber's overflow is rescued
    bool measure_stacks;
    hy_scope_stats stats;
    void (*done)(void *self, hy_err err);
    void *done_self;
    struct hyi_root_signals *signals; // root.c
    struct hyi_fd_table *fds;         // fd.c
    uint64_t next_number;
    uint64_t select_turn; // select.c
};

// ---- fiber.c: tasks as fibers, the scheduler --------------------------------------------------

// Stacks, post. `world` and `mem` are set; fibers_max and stack_default may be 0. HY_NOMEM.
HY_CHECKED hy_err hyi_root_scheduler_open(hy_root *root, size_t stacks_kept);
// Gives all back. Never from hyi_task_ended or a fiber: they run on its stacks; from a post. No
// task is ready or parked; but after a crash of the machine (hy_root_abandon) all of them may be.
void hyi_root_scheduler_close(hy_root *root);
// For gdb: all roots of the process, by next_root.
extern hy_root *hyi_roots;
// A task that can be made ready, in nobody's list yet; a stack is promised. Scope, owner, table and
// name are NULL, and for the caller to set; `in_owner` and `awaiting` are empty. HY_NOMEM,
// HY_LIMIT.
HY_CHECKED hy_err hyi_task_new(hy_root *root, hy_fn fn, void *arg, hy_stack stack, hyi_place *place,
                               hy_task **out_task);
void hyi_task_ready(hy_task *task); // behind those that are ready
void hyi_task_free(hy_task *task);  // in no list; ended, or never made ready
// Called when a fiber's function has returned; task.c. It is no fiber that calls (hyi_current is
// NULL) but runs on the stack that the fiber has left, which goes to the pool right after: `task`
// may be freed, fibers be woken and spawned; the scheduler not be closed.
void hyi_task_ended(hy_task *task);
// Ends the running fiber with task->result. It is in no block, and at home.
HY_NORETURN void hyi_fiber_quit(void);
// The running fiber goes on in its root's rescue, on a fresh stack; the one it leaves is kept until
// its end. From that stack, or from the world's.
HY_NORETURN void hyi_fiber_rescue(void);
void hyi_overflow_look(const hy_task *task); // overflow.c
// At the beginning of calls that must not be left half done: a fiber that could be rescued is, now,
// where its stack has too little room for them.
static inline void hyi_stack_need(const hy_task *task) {
    if (__builtin_expect(task && task->rescuable, 0)) hyi_overflow_look(task);
}

// ---- scope.c ----------------------------------------------------------------------------------

// HY_OK, or why this fiber must not wait now: its scope's reason, or what it alone was told.
static inline hy_err hyi_cancel_reason(const hy_task *task) {
    if (__builtin_expect((task->scope->flags & HYI_SCOPE_CANCELLED) != 0, 0)) {
        return task->scope->reason;
    }
    return task->scope->opener == task ? HY_OK : task->told; // a block was told by itself
}

hy_err hyi_scope_error(const hy_scope *scope); // of what is held against it, or why it is cancelled

// Makes `scope` (its storage is the caller's) a child of `parent`. HY_NOMEM. With HYI_SCOPE_BLOCK
// the running fiber is its opener and enters it; hyi_scope_leave, after the finish, goes back.
// Asks nobody whether the parent takes it: see hyi_scope_refuses. Service scopes: the caller says
// HYI_SCOPE_SERVICE, and sets `opener` to the service's fiber.
HY_CHECKED hy_err hyi_scope_init(hy_scope *scope, hy_root *root, hy_scope *parent,
                                 const hy_scope_options *options, uint32_t flags);
// The whole end, on a fiber: cancel (unless everything has ended), wait, services, resources,
// unlink, context. The scope's error. The storage is left to the caller.
hy_err hyi_scope_finish(hy_scope *scope, bool cancel);
bool hyi_scope_is_below(const hy_scope *scope, const hy_scope *above); // or the same
// The way through the subtree of `top` in order of opening: what comes after `at`, and whether what
// is below `at` comes first. NULL: that was all.
hy_scope *hyi_scope_next(const hy_scope *top, hy_scope *at, bool deeper);
// A cancellation from above has come to a shield. False: no memory for its timer, so it holds
// nothing off.
bool hyi_scope_hold_off(hy_scope *scope, hy_err why);
bool hyi_scope_idle(const hy_scope *scope); // no task, no child scope but services'
void hyi_scope_child_gone(hy_scope *scope); // wakes joiners when idle; stop.c goes on
void hyi_scope_hold(hy_scope *scope, hy_verdict verdict, hy_err err); // carries out a verdict
// Marks the subtree; wakes intake waits. Services' own scopes below `scope` are left out, and what
// is below them: their turn comes after the tasks that use them (stop.c).
void hyi_scope_drain(hy_scope *scope);
// hy_scope_cancel but for services, at every level: the own scopes of services below are left out,
// and for each scope that is marked and has `more`, except `scope` itself, hyi_stop_cut is called.
// hy_scope_cancel (and a deadline, and a verdict) is this and hyi_stop_cut(scope).
void hyi_scope_cancel_tasks(hy_scope *scope, hy_err why);
// A task's end as its scope's policy sees it; told by task.c, and by scope.c for dynamic scopes
// that nobody else closed.
void hyi_scope_judge(hy_scope *scope, const hy_ending *ending);
hyi_more *hyi_scope_more(hy_scope *scope); // more.c; NULL: no memory
// The limits in `options`; scope.c asks once, at the opening. HY_NOMEM.
HY_CHECKED hy_err hyi_more_limits(hy_scope *scope, const hy_scope_options *options);
void hyi_more_free(hy_scope *scope); // more.c; the budgets above get theirs back

// ---- own.c, budget.c, stop.c, service.c, context.c --------------------------------------------

void hyi_own_release_all(hy_scope *scope); // on a fiber
// hy_own without memory: the record is part of `object`. Refused, nothing happens: HY_CLOSED.
HY_CHECKED hy_err hyi_own(hy_scope *scope, hyi_owned *owned, void *object,
                          void (*fini)(void *object), hy_ns max_ns);
void hyi_disown(hy_scope *scope, hyi_owned *owned); // at once, wherever it stands; twice is fine
// Budgets count here and in every scope above. HY_LIMIT: over, nothing counted.
HY_CHECKED hy_err hyi_budget_take_task(hy_scope *scope, bool wait); // wait: fiber
void hyi_budget_give_task(hy_scope *scope);
void hyi_budget_add_task(hy_scope *scope);           // whether there is room or not
void hyi_budget_refuse(hy_scope *scope, hy_err why); // to those who wait to take something here
HY_CHECKED hy_err hyi_budget_take_descriptor(hy_scope *scope, bool wait); // wait: fiber
void hyi_budget_give_descriptor(hy_scope *scope);

void hyi_services_stop_all(hy_scope *scope, hy_ns until); // fiber; reverse order of start
void hyi_service_task_ended(hy_task *task);               // its fiber has ended
// Something ended in a scope that is draining or cancelled; walks up by itself.
void hyi_stop_progress(hy_scope *scope);
// The scope has been cancelled: its services end as soon as the tasks that use them have ended, in
// reverse order of start, without grace.
void hyi_stop_cut(hy_scope *scope);
hy_ns hyi_stop_left(const hy_scope *scope); // of the grace under way, or else the scope's stop_max
void hyi_stop_free(hy_scope *scope);        // the scope has ended

static inline hyi_table *hyi_table_keep(hyi_table *table) {
    table->refs++;
    return table;
}
void hyi_table_put_back(hy_root *root, hyi_table *table);
static inline void hyi_table_drop(hy_root *root, hyi_table *table) {
    if (--table->refs == 0) hyi_table_put_back(root, table);
}
// provide.c: of a scope that has been cancelled: the fibers that build in it, and may be anybody's.
void hyi_provided_cancel(const hy_scope *scope);
void hyi_tables_free(hy_root *root); // all, whoever has them: the root ends or is abandoned

// Around a block: what the task sees now, and, after the task's scope is again what it was, that.
static inline hyi_table *hyi_table_outer(const hy_task *task) {
    bool own = task->scope->opener == task && task->scope->table == task->table;
    return own ? NULL : task->table;
}
static inline void hyi_table_return(hy_task *task, hyi_table *outer) {
    task->table = outer ? outer : task->scope->table;
}

// A block's fiber, after the finish, goes back to the scope before it.
static inline void hyi_scope_leave(const hy_scope *scope) {
    hy_task *fiber = scope->opener;
    fiber->scope = scope->outer;
    hyi_table_return(fiber, scope->outer_table);
}

// A scope's table from its parent's (or its opener's; NULL: the root scope), the presets and
// nothing else; its baggage. HY_NOMEM: nothing to close.
HY_CHECKED hy_err hyi_context_open(hy_scope *scope, hyi_table *from,
                                   const hy_scope_options *options);
void hyi_context_close(hy_scope *scope); // what was provided has been dropped as owned
// When the sender's deadline is; HY_NEVER: it has none, or `baggage` is NULL.
hy_ns hyi_baggage_deadline(const hy_baggage *baggage, hy_ns now);

// ---- root.c -----------------------------------------------------------------------------------

void hyi_root_body_ended(hy_task *task); // the fiber of the root's body: the one without an owner

// ---- io.c: descriptors ------------------------------------------------------------------------

void hyi_fds_close(hy_root *root);

#endif
