// real_loop.c - the round of the real world: posts, sleeping, and being woken.
//
// Posts. Our own thread appends to a plain list: no atomics, no system call. Other threads push
// onto a stack that only the loop takes, whole, then turned around, so no pop can meet the ABA
// problem. The stack is emptied into the list before our own thread appends to it: so what one
// thread posts after it has learned of another's post also runs after it.
//
// Rounds. libuv polls; right behind the poll (`after`) a slice runs what has finished, what is due
// and what was posted. A record that posts itself again runs again in the same slice, so a
// scheduler that lives on one post pays for no poll each time. A slice ends when its share of time
// is used up, and posts that are left make the next poll return at once (`soon`): they hold up
// sockets and timers for the share and no longer.
//
// Sleeping. Right before the poll (`before`) the loop says that it sleeps and then looks once more
// at what other threads may have brought; they store what they bring and then look whether it
// sleeps. All four are sequentially consistent, so one of the two sees the other. A loop that is
// awake costs nobody a system call.
//
// Alive. hy_world_run ends when nothing can happen any more. Streams, listeners, watches, signals
// and timers keep the loop alive by themselves; `wake` counts only while something is expected:
// work that is out, or a post that another thread promised.
#include "world/real.h"

#define LOOP_SHARE HY_US(50)
#define LOOP_GROUP_MAX 16u // calls between two looks at the clock

static void loop_before(uv_prepare_t *handle);
static void loop_after(uv_check_t *handle);
static void loop_on_soon(uv_idle_t *handle);
static void loop_on_wake(uv_async_t *handle);

// ---- posts --------------------------------------------------------------------------------------

static bool loop_is_ours(const hyi_real *real) {
    // Relaxed: only our own thread can have stored our own id.
    return atomic_load_explicit(&real->owner, memory_order_relaxed) == (uintptr_t)pthread_self();
}

static bool loop_others_posted(hyi_real *real) {
    // Relaxed: a post that we know of is seen anyway, and loop_take_others acquires.
    return atomic_load_explicit(&real->posts, memory_order_relaxed) != NULL;
}

static void loop_append(hyi_real *real, hy_post *post) {
    if (real->first_post) {
        real->last_post->next_ = post;
    } else {
        real->first_post = post;
    }
    real->last_post = post;
}

static void loop_take_others(hyi_real *real) {
    // Acquire: pairs with the push in hyi_real_post, so that `done` sees all that the posting
    // thread wrote before.
    hy_post *newest = atomic_exchange_explicit(&real->posts, NULL, memory_order_acquire);
    hy_post *oldest = NULL, *last = newest;
    while (newest) {
        hy_post *next = newest->next_;
        newest->next_ = oldest;
        oldest = newest;
        newest = next;
    }
    if (!oldest) return;
    loop_append(real, oldest);
    real->last_post = last;
}

void hyi_real_post(hy_world *world, hy_post *post) {
    hyi_real *real = hyi_real_of(world);
    if (loop_is_ours(real)) {
        if (loop_others_posted(real)) loop_take_others(real);
        post->next_ = NULL;
        loop_append(real, post);
        return;
    }
    hy_post *newest = atomic_load_explicit(&real->posts, memory_order_relaxed);
    do {
        post->next_ = newest;
        // Seq_cst: a release for loop_take_others, and in one order with `sleeping`.
    } while (!atomic_compare_exchange_weak(&real->posts, &newest, post));
    if (!newest) hyi_real_wake(real);
}

void hyi_real_wake(hyi_real *real) {
    // Seq_cst: pairs with loop_falls_asleep, which stores `sleeping` and then looks.
    if (!atomic_load(&real->sleeping)) return;
    if (atomic_exchange(&real->sleeping, false)) uv_async_send(&real->wake);
}

void hyi_real_expect(hy_world *world, bool expected) {
    hyi_real *real = hyi_real_of(world);
    HY_ASSERT_SLOW(hyi_real_may_call(real));
    if (expected) {
        if (real->expected++ == 0) uv_ref((uv_handle_t *)&real->wake);
        return;
    }
    HY_ASSERT(real->expected > 0);
    if (--real->expected == 0) uv_unref((uv_handle_t *)&real->wake);
}

// ---- slices -------------------------------------------------------------------------------------

bool hyi_real_stopping(const hyi_real *real) {
    // Acquire: pairs with the store in hyi_real_stop, so that who runs the world sees why.
    return atomic_load_explicit(&real->stop_asked, memory_order_acquire);
}

// The group grows: the first calls are looked at one by one, so two slow ones end a share, and
// many quick ones do not pay for the clock.
bool hyi_real_share_spent(hyi_real *real, hyi_real_share *share) {
    if (hyi_real_stopping(real)) return true;
    if (share->left > 0) {
        share->left--;
        return false;
    }
    share->now = hyi_real_now(&real->base);
    if (share->since == 0) share->since = share->now;
    if (share->now - share->since >= LOOP_SHARE) return true;
    share->group = share->group * 2 < LOOP_GROUP_MAX ? share->group * 2 + 1 : LOOP_GROUP_MAX;
    share->left = share->group - 1;
    return false;
}

static bool loop_run_posts(hyi_real *real) {
    hyi_real_share share = { 0 };
    bool some = false;
    while (!hyi_real_stopping(real)) {
        if (!real->first_post && loop_others_posted(real)) loop_take_others(real);
        hy_post *post = real->first_post;
        if (!post) break;
        if (some && hyi_real_share_spent(real, &share)) break;
        real->first_post = post->next_; // `done` may free or post the record again
        some = true;
        post->done(post);
    }
    if (share.now != 0) hyi_real_alarm_look(real, share.now);
    return some;
}

static bool loop_slice(hyi_real *real) {
    bool some = hyi_real_work_deliver(real);
    some |= hyi_real_alarm_fire(real);
    some |= loop_run_posts(real);
    hyi_real_alarm_keep(real);
    return some;
}

// ---- sleeping -----------------------------------------------------------------------------------

static bool loop_has_work(hyi_real *real) {
    // Seq_cst: pairs with the stores before hyi_real_wake.
    return atomic_load(&real->posts) != NULL || atomic_load(&real->finished) != NULL ||
           atomic_load(&real->stop_asked);
}

// False: there is something to do.
static bool loop_falls_asleep(hyi_real *real) {
    if (real->first_post || real->alarm.rang) return false;
    atomic_store(&real->sleeping, true); // seq_cst: pairs with hyi_real_wake
    if (!loop_has_work(real)) return true;
    atomic_store_explicit(&real->sleeping, false, memory_order_relaxed);
    return false;
}

static void loop_before(uv_prepare_t *handle) {
    hyi_real *real = (hyi_real *)handle->data;
    hyi_real_alarm_keep(real); // a callback since the slice may have started or stopped timers
    if (hyi_real_stopping(real)) uv_stop(&real->loop);
    if (!real->may_sleep) return;
    if (loop_falls_asleep(real)) {
        uv_idle_stop(&real->soon);
        hyi_real_alarm_arm(real);
    } else {
        uv_idle_start(&real->soon, loop_on_soon);
    }
}

static void loop_after(uv_check_t *handle) {
    hyi_real *real = (hyi_real *)handle->data;
    // Relaxed: who sees it too late sends a wake-up that nobody needs.
    atomic_store_explicit(&real->sleeping, false, memory_order_relaxed);
    loop_slice(real);
    if (hyi_real_stopping(real)) uv_stop(&real->loop);
}

static void loop_on_soon(uv_idle_t *handle) {
    (void)handle; // its running alone keeps the poll from sleeping
}

static void loop_on_wake(uv_async_t *handle) {
    (void)handle; // the slice behind the poll finds what was brought
}

// ---- running ------------------------------------------------------------------------------------

void hyi_real_enter(hyi_real *real) {
    uintptr_t nobody = 0;
    bool free_to_run =
        atomic_compare_exchange_strong(&real->owner, &nobody, (uintptr_t)pthread_self());
    HY_ASSERT(free_to_run); // run and turn do not nest
}

void hyi_real_leave(hyi_real *real) {
    atomic_store(&real->owner, 0);
}

// Something that libuv does not know of, or will only know in the next round.
static bool loop_pending(hyi_real *real) {
    return real->first_post || loop_has_work(real) || real->timers.count > 0;
}

void hyi_real_run(hy_world *world) {
    hyi_real *real = hyi_real_of(world);
    hyi_real_enter(real);
    real->may_sleep = true;
    bool alive = true;
    while (alive && !hyi_real_stopping(real)) {
        loop_slice(real);
        alive = uv_run(&real->loop, UV_RUN_DEFAULT) != 0 || loop_pending(real);
    }
    uv_idle_stop(&real->soon);
    // Consumed here, so a stop that came before run still ends the next run, and only that one.
    atomic_store(&real->stop_asked, false);
    hyi_real_leave(real);
}

bool hyi_real_turn(hy_world *world) {
    hyi_real *real = hyi_real_of(world);
    hyi_real_enter(real);
    real->may_sleep = false;
    real->alarm.rang = true;
    bool some = loop_slice(real);
    bool alive = uv_run(&real->loop, UV_RUN_NOWAIT) != 0;
    bool pending = loop_pending(real);
    hyi_real_leave(real);
    return some || alive || pending;
}

void hyi_real_stop(hy_world *world) {
    hyi_real *real = hyi_real_of(world);
    atomic_store(&real->stop_asked, true); // seq_cst: in one order with `sleeping`
    if (!loop_is_ours(real)) hyi_real_wake(real);
}

void hyi_real_finish(hyi_real *real) {
    atomic_store(&real->stop_asked, false);
    real->may_sleep = true;
    while (loop_slice(real) || real->first_post || real->pool.in_flight > 0)
        uv_run(&real->loop, real->pool.in_flight > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    uv_idle_stop(&real->soon);
}

// ---- making and closing -------------------------------------------------------------------------

// Each of these only fails for lack of descriptors or memory.
hy_err hyi_real_loop_open(hyi_real *real) {
    int failed = uv_loop_init(&real->loop);
    if (failed) return failed == UV_ENOMEM ? HY_NOMEM : HY_LIMIT;
    failed = uv_async_init(&real->loop, &real->wake, loop_on_wake);
    if (failed) {
        uv_loop_close(&real->loop);
        return failed == UV_ENOMEM ? HY_NOMEM : HY_LIMIT;
    }
    uv_prepare_init(&real->loop, &real->before);
    uv_check_init(&real->loop, &real->after);
    uv_idle_init(&real->loop, &real->soon);
    real->wake.data = real->before.data = real->after.data = real->soon.data = real;
    // Started first, so it runs last: behind it nothing is called before the poll.
    uv_prepare_start(&real->before, loop_before);
    uv_check_start(&real->after, loop_after);
    uv_unref((uv_handle_t *)&real->wake);
    uv_unref((uv_handle_t *)&real->before);
    uv_unref((uv_handle_t *)&real->after);
    hyi_real_alarm_open(real);
    return HY_OK;
}

static void loop_forbid_open(uv_handle_t *handle, void *unused) {
    (void)unused;
    if (uv_is_closing(handle)) return;
    hy_panic(__FILE__, __LINE__,
             "hy_world_close: something is still open: close streams, listeners, watches, "
             "signals and the library that uses hy_world_loop first");
}

void hyi_real_loop_close(hyi_real *real) {
    uv_close((uv_handle_t *)&real->wake, NULL);
    uv_close((uv_handle_t *)&real->before, NULL);
    uv_close((uv_handle_t *)&real->after, NULL);
    uv_close((uv_handle_t *)&real->soon, NULL);
    hyi_real_alarm_close(real);
    uv_walk(&real->loop, loop_forbid_open, NULL);
    uv_run(&real->loop, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&real->loop);
    HY_ASSERT(busy == 0);
}
