// fiber.c - tasks as fibers, and which of them runs.
//
// Ready tasks stand in one queue. A post in the world runs it: it switches from the world's stack
// to the first, and from then on fibers switch to each other, without a detour, until the queue is
// empty or the round is over. Then control returns to the world, with a new post if any are left.
//
//     real       first in, first out; a round ends after half a millisecond, so that sockets and
//                timers get their turn. The clock is looked at once a slice of switches; slices
//                shrink when fibers compute long, and grow when they do not.
//     simulated  one fiber a round, chosen by the world's dice among all that are ready, so that
//                every other event can come between any two.
//
// A fiber that ends looks for the next one itself. If that one has not begun, and wants a stack of
// the same class, it begins on the stack that has just become free, without any switch.
//
// Invariants: while `running`, either hyi_current is the fiber that runs, or hyi_task_ended is
// being called for one that has ended. A task is in the queue exactly while it is HYI_TASK_READY.
// The post is with the world exactly while `posted`. Who has no stack has a promise for one, until
// it ends.
#include "scope/inside.h"
#include "scope/measure.h"
#include "scope/overflow.h"
#include "scope/sanitize.h"
#include "scope/switch.h"

#include <errno.h>
#include <pthread.h>

#define FIBER_SLAB_TASKS 32u
#define FIBER_LINE_BYTES 64u
#define FIBER_SLICE_MAX 256u
#define FIBER_ROUND_NS HY_US(500)
#define FIBER_SLICE_LONG_NS HY_US(100)
#define FIBER_SLICE_SHORT_NS HY_US(20)
#define FIBER_READY_FIRST 32u
#define FIBER_FETCH_TASK 16u // so many turns before it runs
#define FIBER_FETCH_STACK 8u
#define FIBER_FIBERS_MAX (1u << 20)

// Tasks begin at multiples of a cache line, and so does the next one: see hy_task.
typedef struct fiber_place {
    _Alignas(FIBER_LINE_BYTES) hy_task task;
} fiber_place;
typedef struct fiber_slab {
    struct fiber_slab *next;
    uint8_t room[FIBER_SLAB_TASKS * sizeof(fiber_place) + FIBER_LINE_BYTES - 1];
} fiber_slab;
_Static_assert(offsetof(hy_task, rescuable) < FIBER_LINE_BYTES,
               "a switch touches one line of a task");

_Thread_local hy_task *hyi_current __attribute__((tls_model("initial-exec")));

#ifdef HYI_SWITCH_SKIPPED
// For gdb: how this file's switches were compiled.
__attribute__((used)) static const uint32_t hyi_switch_skipped = HYI_SWITCH_SKIPPED;
#endif
hy_root *hyi_roots;
static pthread_mutex_t fiber_roots_lock = PTHREAD_MUTEX_INITIALIZER; // guards hyi_roots

static bool fiber_more_room(hy_root *root);
static void fiber_run(hy_post *post);
static void fiber_main(void);

// ---- opening and closing ----------------------------------------------------------------------

hy_err hyi_root_scheduler_open(hy_root *root, size_t stacks_kept) {
    HY_ASSERT(root->stacks == NULL);
    hy_err err = hyi_stacks_open(root->mem, stacks_kept, &root->stacks);
    if (err) return err;
    hyi_overflow_install();
    root->is_real = hy_world_is_real(root->world);
    root->post.done = fiber_run;
    root->slice = 1;
    if (root->fibers_max == 0) root->fibers_max = FIBER_FIBERS_MAX;
    if (root->stack_default == HY_STACK_DEFAULT) root->stack_default = HY_STACK_64K;
    pthread_mutex_lock(&fiber_roots_lock);
    root->next_root = hyi_roots;
    hyi_roots = root;
    pthread_mutex_unlock(&fiber_roots_lock);
    return HY_OK;
}

static void fiber_forget_root(hy_root *root) {
    pthread_mutex_lock(&fiber_roots_lock);
    hy_root **link = &hyi_roots;
    while (*link != root) {
        HY_ASSERT(*link != NULL); // opened
        link = &(*link)->next_root;
    }
    *link = root->next_root;
    pthread_mutex_unlock(&fiber_roots_lock);
}

void hyi_root_scheduler_close(hy_root *root) {
    HY_ASSERT(!root->running);
    fiber_forget_root(root);
    while (root->task_slabs) {
        fiber_slab *slab = root->task_slabs;
        root->task_slabs = slab->next;
        hyi_asan_allow(slab, sizeof *slab);
        hy_mem_free(root->mem, slab, sizeof *slab);
    }
    hy_mem_free(root->mem, root->ready, root->ready_capacity * sizeof(hy_task *));
    root->free_tasks = NULL;
    root->ready = NULL;
    root->ready_first = root->ready_count = root->ready_capacity = 0;
    hyi_measures_free(root);
    hyi_stacks_close(root->stacks);
    root->stacks = NULL;
}

// ---- tasks ------------------------------------------------------------------------------------

// Handles that are used after their end are found by AddressSanitizer: all of a free task but the
// link is forbidden.
static void fiber_put_task(hy_root *root, hy_task *task) {
    hyi_asan_forbid(task, sizeof *task);
    hyi_asan_allow(&task->next, sizeof(hy_task *));
    task->next = root->free_tasks;
    root->free_tasks = task;
}

static bool fiber_more_tasks(hy_root *root) {
    fiber_slab *slab = (fiber_slab *)hy_mem_alloc_zero(root->mem, sizeof *slab);
    if (!slab) return false;
    slab->next = root->task_slabs;
    root->task_slabs = slab;
    uintptr_t first =
        ((uintptr_t)slab->room + FIBER_LINE_BYTES - 1) & ~(uintptr_t)(FIBER_LINE_BYTES - 1);
    for (uint32_t i = FIBER_SLAB_TASKS; i > 0; i--)
        fiber_put_task(root, &((fiber_place *)first + (i - 1))->task);
    return true;
}

hy_err hyi_task_new(hy_root *root, hy_fn fn, void *arg, hy_stack stack, hyi_place *place,
                    hy_task **out_task) {
    uint32_t stack_class = stack == HY_STACK_DEFAULT ? root->stack_default : stack;
    if (root->stats.fibers >= root->fibers_max) return HY_LIMIT;
    if (!root->free_tasks && !fiber_more_tasks(root)) return HY_NOMEM;
    if (root->stats.fibers >= root->ready_capacity && !fiber_more_room(root)) return HY_NOMEM;
    if (!hyi_stacks_promise(root->stacks, stack_class)) return HY_NOMEM;
    hy_task *task = root->free_tasks;
    root->free_tasks = task->next;
    hyi_asan_allow(task, sizeof *task);
    task->scope = task->owner = NULL;
    task->table = NULL;
    task->root = root;
    task->wait = NULL;
    task->wake_err = task->result = task->told = HY_OK;
    task->state = 0;
    task->kept = task->is_service = task->timed = task->lends = false;
    task->rescuable = false;
    task->spoilt = NULL;
    task->frame = NULL;
    task->visited = NULL;
    task->word = NULL;
    task->must_return = 0;
    task->stack_class = (uint8_t)stack_class;
    task->number = (uint32_t)++root->next_number;
    hyi_list_init(&task->in_owner);
    hyi_list_init(&task->awaiting);
    task->fn = fn;
    task->arg = arg;
    task->name = NULL;
    task->place = place;
    task->stack = NULL;
    task->timer.index_ = 0;
    root->stats.spawned++;
    if (++root->stats.fibers > root->stats.fibers_peak) {
        root->stats.fibers_peak = root->stats.fibers;
    }
    *out_task = task;
    return HY_OK;
}

void hyi_task_free(hy_task *task) {
    hy_root *root = task->root;
    HY_ASSERT(task->stack == NULL || task->state == HYI_TASK_ENDED);
    if (task->state != HYI_TASK_ENDED) { // it never ran
        HY_ASSERT(task->state == 0);
        hyi_stacks_unpromise(root->stacks, task->stack_class);
        root->stats.fibers--;
        root->stats.spawned--;
    }
    fiber_put_task(root, task);
}

// ---- the queue --------------------------------------------------------------------------------

static inline hy_task **fiber_at(const hy_root *root, uint32_t index) {
    return &root->ready[(root->ready_first + index) & (root->ready_capacity - 1)];
}

// There is a place for every living fiber.
static bool fiber_more_room(hy_root *root) {
    uint32_t capacity = root->ready_capacity ? root->ready_capacity * 2 : FIBER_READY_FIRST;
    hy_task **ready = (hy_task **)hy_mem_alloc(root->mem, capacity * sizeof(hy_task *));
    if (!ready) return false;
    for (uint32_t i = 0; i < root->ready_count; i++)
        ready[i] = *fiber_at(root, i);
    hy_mem_free(root->mem, root->ready, root->ready_capacity * sizeof(hy_task *));
    root->ready = ready;
    root->ready_first = 0;
    root->ready_capacity = capacity;
    return true;
}

static inline void fiber_append(hy_root *root, hy_task *task) {
    task->state = HYI_TASK_READY;
    *fiber_at(root, root->ready_count++) = task;
}

// With many fibers each one's lines have left the cache since it ran. So those of the ones that
// will run soon are fetched: first the task, and some turns later its stack, whose place is in the
// task.
static inline hy_task *fiber_first(hy_root *root) {
    hy_task *task = *fiber_at(root, 0);
    root->ready_first++;
    if (--root->ready_count > FIBER_FETCH_TASK) {
        __builtin_prefetch(*fiber_at(root, FIBER_FETCH_TASK));
        uintptr_t sp = (uintptr_t)(*fiber_at(root, FIBER_FETCH_STACK))->sp; // 0: it has not begun
        __builtin_prefetch((const void *)sp);
        __builtin_prefetch((const void *)(sp + FIBER_LINE_BYTES));
    }
    return task;
}

static inline void fiber_ask_for_round(hy_root *root) {
    if (root->running || root->posted) return;
    root->posted = true;
    hy_world_post(root->world, &root->post);
}

void hyi_task_ready(hy_task *task) {
    fiber_append(task->root, task);
    fiber_ask_for_round(task->root);
}

// The slice is used up: is there time for another one?
static bool fiber_next_slice(hy_root *root) {
    if (!root->is_real) return false;
    hy_ns now = hy_world_now(root->world);
    hy_ns took = now - root->slice_began;
    if (took > FIBER_SLICE_LONG_NS) {
        root->slice = root->slice / 4 + 1;
    } else if (took < FIBER_SLICE_SHORT_NS && root->slice < FIBER_SLICE_MAX) {
        root->slice *= 2;
    }
    root->turns_left = root->slice;
    root->slice_began = now;
    return now < root->round_ends;
}

// Who runs next, out of the queue; NULL: the world.
static inline hy_task *fiber_next(hy_root *root) {
    if (root->ready_count == 0) return NULL;
    if (__builtin_expect(root->turns_left == 0, 0) && !fiber_next_slice(root)) return NULL;
    root->turns_left--;
    return fiber_first(root);
}

// The world's choice. The oldest takes the place of the one that was chosen.
static hy_task *fiber_chosen(hy_root *root) {
    uint32_t choice = hy_world_choose(root->world, root->ready_count);
    hy_task **place = fiber_at(root, choice), *task = *place;
    *place = *fiber_at(root, 0);
    root->ready_first++;
    root->ready_count--;
    return task;
}

// ---- switching --------------------------------------------------------------------------------

// Where `task` goes on, or begins.
static inline void *fiber_sp(hy_root *root, hy_task *task) {
    if (__builtin_expect(task->stack != NULL, 1)) return task->sp;
    task->stack = hyi_stacks_take(root->stacks, task->stack_class);
    if (root->measure_stacks) hyi_measure_begin(task->stack);
    return hyi_switch_prepare(task->stack->low, task->stack->top, fiber_main);
}

__attribute__((always_inline)) static inline void fiber_tell_leave(hy_root *root, void **out_fake,
                                                                   const hy_task *to) {
    const void *low = to ? to->stack->low : root->loop_low;
    size_t size = to ? (size_t)(to->stack->top - to->stack->low) : root->loop_size;
    hyi_asan_leave(out_fake, low, size);
    hyi_tsan_switch(to ? to->stack->tsan_fiber : root->loop_tsan);
}

static inline void fiber_tell_arrive(hy_root *root, void *fake) {
    const void *low = NULL;
    size_t size = 0;
    hyi_asan_arrive(fake, &low, &size);
    if (hyi_asan_runs() && root->from_loop) { // only it asks for this, and only it knows
        root->loop_low = low;
        root->loop_size = size;
        root->from_loop = false;
    }
}

// The running fiber goes to sleep, and `next` (NULL: the world) goes on.
static inline void fiber_leave(hy_task *task, hy_task *next) {
    hy_root *root = task->root;
    int saved_errno = *root->errno_at;
    hyi_current = next;
    void *sp = next ? fiber_sp(root, next) : root->loop_sp;
    fiber_tell_leave(root, &task->fake_stack, next);
    hyi_switch(&task->sp, sp);
    fiber_tell_arrive(root, task->fake_stack);
    root->stats.switches++;
    *root->errno_at = saved_errno;
    task->state = HYI_TASK_RUNNING;
}

// Of few stacks, when a fiber has ended on them.
static void fiber_look_over(hy_root *root, const hy_task *task, hyi_stack *stack) {
    if (!hyi_stack_is_whole(stack)) hyi_overflow_panic(task);
    if (stack->painted && task->place) hyi_measure_end(root, task->place, stack);
}

// Tells everybody. Afterwards nobody runs, on the stack that the fiber has left.
static inline hyi_stack *fiber_close(hy_task *task) {
    hy_root *root = task->root;
    hyi_stack *stack = task->stack;
    if (__builtin_expect(stack->look_over, 0)) fiber_look_over(root, task, stack);
    task->state = HYI_TASK_ENDED;
    task->stack = NULL;
    hyi_current = NULL;
    root->stats.ended++;
    root->stats.fibers--;
    hyi_task_ended(task);
    return stack;
}

// Leaves `stack` for ever. `next` NULL: the world goes on.
__attribute__((always_inline)) HY_NORETURN static inline void fiber_leave_for_ever(hy_root *root,
                                                                                   hyi_stack *stack,
                                                                                   hy_task *next) {
    // Taken before ours is given: it must not be ours.
    void *sp = next ? fiber_sp(root, next) : root->loop_sp;
    hyi_stacks_give(root->stacks, stack);
    fiber_tell_leave(root, NULL, next);
    // Not into a local: AddressSanitizer keeps those apart, and has taken ours back by now.
    hyi_switch(&root->never_sp, sp);
    hy_panic(__FILE__, __LINE__, "a fiber went on after its end");
}

// The end of a fiber. Gives the task that goes on here, on the same stack; or does not return.
HYI_TSAN_UNCOUNTED static hy_task *fiber_end(hy_task *task) {
    hy_root *root = task->root;
    hyi_stack *stack = fiber_close(task);
    hy_task *next = fiber_next(root);
    hyi_current = next;
    if (next && !next->stack && next->stack_class == stack->stack_class && !root->measure_stacks) {
        hyi_stacks_unpromise(root->stacks, next->stack_class);
        next->stack = stack;
        return next;
    }
    fiber_leave_for_ever(root, stack, next);
}

// Its blocks are closed. What was measured on it is the fresh one's to say.
static void fiber_give_spoilt(hy_root *root, const hy_task *task) {
    hyi_stack *spoilt = task->spoilt;
    if (!hyi_stack_is_whole(spoilt)) hyi_overflow_panic(task);
    spoilt->abandoned = true;
    spoilt->painted = false;
    spoilt->look_over = spoilt->guard == HYI_GUARD_CANARY;
    hyi_stacks_give(root->stacks, spoilt);
}

// From any depth: the frames above are left where they are, so nobody can go on here before the
// stack has been taken anew.
HYI_TSAN_UNCOUNTED void hyi_fiber_quit(void) {
    hy_task *task = hyi_current;
    hy_root *root = task->root;
    hyi_stack *stack = task->stack;
    stack->abandoned = true;
    if (task->spoilt) fiber_give_spoilt(root, task);
    (void)fiber_close(task);
    hy_task *next = fiber_next(root);
    hyi_current = next;
    fiber_leave_for_ever(root, stack, next);
}

// Where every stack begins.
HYI_TSAN_UNCOUNTED static void fiber_main(void) {
    HYI_SWITCH_BOTTOM();
    hy_task *task = hyi_current;
    fiber_tell_arrive(task->root, NULL);
    for (;;) {
        task->state = HYI_TASK_RUNNING;
        *task->root->errno_at = 0;
        task->result = task->fn(task->arg);
        task = fiber_end(task);
    }
}

// Where a rescued fiber goes on.
HYI_TSAN_UNCOUNTED static void fiber_rescued(void) {
    HYI_SWITCH_BOTTOM();
    hy_task *task = hyi_current;
    fiber_tell_arrive(task->root, NULL);
    const hyi_rescue *rescue = task->root->rescue;
    rescue->rescued(rescue->self, task);
    hyi_fiber_exit(HY_LIMIT);
}

// Never returns, so that nothing of it may be in need of that: no local whose address is taken.
HYI_TSAN_UNCOUNTED void hyi_fiber_rescue(void) {
    hy_task *task = hyi_current;
    hy_root *root = task->root;
    if (!hyi_stacks_promise(root->stacks, task->stack_class)) hyi_overflow_panic(task);
    task->spoilt = task->stack;
    task->stack = hyi_stacks_take(root->stacks, task->stack_class);
    task->rescuable = false;
    void *sp = hyi_switch_prepare(task->stack->low, task->stack->top, fiber_rescued);
    // Its fake stack too has blocks on it. That one stays for good: nobody can leave it any more.
    fiber_tell_leave(root, &task->spoilt_fake, task);
    hyi_switch(&root->never_sp, sp);
    hy_panic(__FILE__, __LINE__, "a used-up stack went on");
}

static void fiber_begin_round(hy_root *root) {
    hyi_overflow_watch_thread();
    root->errno_at = &errno;
    root->loop_tsan = hyi_tsan_here();
    root->from_loop = true;
    root->turns_left = root->is_real ? root->slice : 0;
    if (!root->is_real) return;
    root->slice_began = hy_world_now(root->world);
    root->round_ends = root->slice_began + FIBER_ROUND_NS;
}

// One round.
static void fiber_run(hy_post *post) {
    hy_root *root = HYI_HOLDER(hy_root, post, post);
    root->posted = false;
    if (root->ready_count == 0) return;
    HY_ASSERT(!root->running);
    hy_task *outer = hyi_current; // a fiber may run a world of its own
    root->running = true;
    fiber_begin_round(root);
    hy_task *task = root->is_real ? fiber_first(root) : fiber_chosen(root);
    hy_world_note(root->world, "fiber", task->number, root->ready_count);
    hyi_current = task;
    void *sp = fiber_sp(root, task);
    fiber_tell_leave(root, &root->loop_fake_stack, task);
    hyi_switch(&root->loop_sp, sp);
    hyi_asan_arrive(root->loop_fake_stack, NULL, NULL);
    hyi_current = outer;
    root->running = false;
    root->stats.stack_bytes = hyi_stacks_mapped(root->stacks);
    if (root->ready_count > 0) fiber_ask_for_round(root);
}

// ---- waiting ----------------------------------------------------------------------------------

static inline hy_task *fiber_here(void) {
    hy_task *task = hyi_current;
    if (__builtin_expect(task == NULL, 0)) {
        hy_panic(__FILE__, __LINE__, "a call that waits was made outside of a fiber");
    }
    return task;
}

static void fiber_on_deadline(hy_timer *timer) {
    hyi_interrupt(HYI_HOLDER(hy_task, timer, timer), HY_TIMEOUT);
}

static hy_err fiber_unhook(hyi_wait *wait, hy_err err) {
    if (wait->unhook) wait->unhook(wait);
    return err;
}

hy_err hyi_park(hyi_wait *wait) {
    hy_task *task = fiber_here();
    hy_root *root = task->root;
    wait->task = task;
    if (!wait->firm) {
        hy_err reason = hyi_cancel_reason(task);
        if (reason) return fiber_unhook(wait, reason);
    }
    if (wait->intake && (task->scope->flags & HYI_SCOPE_DRAINING)) {
        return fiber_unhook(wait, HY_CLOSED);
    }
    if (wait->deadline != HY_NEVER) {
        task->timer.done = fiber_on_deadline;
        hy_err err = hy_timer_at(root->world, &task->timer, wait->deadline);
        if (err) return fiber_unhook(wait, err);
        task->timed = true;
    }
    if (__builtin_expect(task->lends, 0)) {
        task->lends = false;
        root->lent(root->lent_self, task);
    }
    task->wait = wait;
    task->state = HYI_TASK_PARKED;
    fiber_leave(task, fiber_next(root));
    return task->wake_err;
}

void hyi_wake(hy_task *task, hy_err err) {
    HY_ASSERT(task->state == HYI_TASK_PARKED);
    if (task->timed) {
        task->timed = false;
        hy_timer_stop(task->root->world, &task->timer);
    }
    task->wait = NULL;
    task->wake_err = err;
    hyi_task_ready(task);
}

void hyi_interrupt(hy_task *task, hy_err err) {
    if (task->state != HYI_TASK_PARKED) return;
    if (task->wait->unhook) task->wait->unhook(task->wait);
    hyi_wake(task, err);
}

hy_err hy_yield(void) {
    hy_task *task = fiber_here();
    hy_err reason = hyi_cancel_reason(task);
    if (reason) return reason;
    fiber_append(task->root, task);
    hy_task *next = fiber_next(task->root);
    if (next == task) {
        task->state = HYI_TASK_RUNNING;
        return HY_OK;
    }
    fiber_leave(task, next);
    return hyi_cancel_reason(task);
}

hy_err hy_sleep_until(hy_ns when) {
    hyi_wait wait = { .what = "sleep", .deadline = when };
    hy_err err = hyi_park(&wait);
    // HY_TIMEOUT is the end of the sleep, unless it is also why the scope was cancelled.
    return err == HY_TIMEOUT ? hyi_cancel_reason(fiber_here()) : err;
}

hy_err hy_sleep(hy_ns duration) {
    return hy_sleep_until(hy_ns_add(hy_world_now(fiber_here()->root->world), duration));
}
