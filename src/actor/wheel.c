// wheel.c - a hierarchical timing wheel over one timer of the world.
//
// Time is counted in ticks. A record lies in the level of the highest group of 6 bits in which its
// tick differs from `elapsed`, at the place which that group of its tick says. So in each level all
// places that are taken lie after the one of `elapsed`, and the first bit of the lowest level that
// has any is what comes next; no place is ever met twice in a round. When the time comes to the
// beginning of a place of a higher level, its records move down: each at most once per level.
//
// Rounding: a record's tick is the first that begins at or after its time, and it fires when that
// tick has begun. `elapsed` may stand anywhere up to the next place that is taken without moving a
// record, so each look at the clock pulls it along, and later records get low levels.
//
// The timer may ring for a place that has become empty. That costs a look, at most one for each
// time it was started, and saves moving the timer with each record.
#include "actor/wheel.h"

#include "base/cleanup.h"

#define WHEEL_BITS 6u
#define WHEEL_MASK 63u
#define WHEEL_FRESH UINT32_MAX

static void wheel_on_timer(hy_timer *timer);
static void wheel_on_post(hy_post *post);

// ---- opening and closing ----------------------------------------------------------------------

hy_err hyi_wheel_open(hy_world *world, hy_mem *mem, hyi_wheel **out_wheel) {
    hyi_wheel *wheel = (hyi_wheel *)hy_mem_alloc_zero(mem, sizeof *wheel);
    if (!wheel) return HY_NOMEM;
    wheel->world = world;
    wheel->mem = mem;
    wheel->lazy = hy_world_is_real(world);
    wheel->timer.done = wheel_on_timer;
    wheel->post.done = wheel_on_post;
    hyi_list_init(&wheel->fresh);
    for (uint32_t level = 0; level < HYI_WHEEL_LEVELS; level++) {
        for (uint32_t place = 0; place < HYI_WHEEL_PLACES; place++)
            hyi_list_init(&wheel->places[level][place]);
    }
    *out_wheel = wheel;
    return HY_OK;
}

void hyi_wheel_no_posts(hyi_wheel *wheel) {
    HY_ASSERT(!wheel->posted);
    wheel->lazy = false;
}

void hyi_wheel_close(hyi_wheel *wheel) {
    if (!wheel) return;
    HY_ASSERT(!wheel->posted);
    hy_timer_stop(wheel->world, &wheel->timer);
    hy_mem_free(wheel->mem, wheel, sizeof *wheel);
}

// ---- ticks and places -------------------------------------------------------------------------

static uint64_t wheel_floor(hy_ns at) {
    return (uint64_t)(at > 0 ? at : 0) >> HYI_WHEEL_TICK_BITS;
}

static uint64_t wheel_ceil(hy_ns at) {
    uint64_t last = ((uint64_t)1 << HYI_WHEEL_TICK_BITS) - 1;
    return ((uint64_t)(at > 0 ? at : 0) + last) >> HYI_WHEEL_TICK_BITS;
}

static hy_ns wheel_begin_of(uint64_t tick) {
    uint64_t last = (uint64_t)HY_NEVER >> HYI_WHEEL_TICK_BITS;
    return tick > last ? HY_NEVER : (hy_ns)(tick << HYI_WHEEL_TICK_BITS);
}

static uint32_t wheel_level_of(uint64_t elapsed, uint64_t tick) {
    uint64_t differs = (elapsed ^ tick) | 1;
    return (63 - (uint32_t)__builtin_clzll(differs)) / WHEEL_BITS;
}

// The tick at which something is to be done next, and where. False: nothing is in the places.
static bool wheel_next(const hyi_wheel *wheel, uint32_t *out_level, uint64_t *out_tick) {
    for (uint32_t level = 0; level < HYI_WHEEL_LEVELS; level++) {
        if (wheel->taken[level] == 0) continue;
        uint32_t shift = level * WHEEL_BITS;
        uint64_t place = (uint64_t)__builtin_ctzll(wheel->taken[level]);
        uint64_t above = wheel->elapsed >> shift & ~(uint64_t)WHEEL_MASK;
        *out_level = level;
        *out_tick = (above | place) << shift;
        return true;
    }
    return false;
}

static uint64_t wheel_put(hyi_wheel *wheel, hyi_due *due) {
    uint64_t tick = wheel_ceil(due->at), first = wheel->elapsed + (wheel->firing ? 1 : 0);
    if (tick < first) tick = first; // not in the place that is being emptied: it might never be
    uint32_t level = wheel_level_of(wheel->elapsed, tick);
    uint32_t place = (uint32_t)(tick >> (level * WHEEL_BITS)) & WHEEL_MASK;
    hyi_list_append(&wheel->places[level][place], &due->link);
    wheel->taken[level] |= (uint64_t)1 << place;
    due->place = level * HYI_WHEEL_PLACES + place + 1;
    return tick >> (level * WHEEL_BITS) << (level * WHEEL_BITS); // when it is to be looked at
}

static void wheel_take(hyi_wheel *wheel, hyi_due *due) {
    uint32_t index = due->place - 1;
    bool last = due->link.prev == due->link.next;
    hyi_list_remove(&due->link);
    if (last && due->place != WHEEL_FRESH) {
        wheel->taken[index / HYI_WHEEL_PLACES] &= ~((uint64_t)1 << index % HYI_WHEEL_PLACES);
    }
    due->place = 0;
}

// ---- arming -----------------------------------------------------------------------------------

// Where no place before `now` is taken the time may be moved on without looking at any record.
static void wheel_catch_up(hyi_wheel *wheel, hy_ns now) {
    uint64_t tick = wheel_floor(now), next = 0;
    uint32_t level = 0;
    if (tick <= wheel->elapsed || wheel->firing) return;
    if (!wheel_next(wheel, &level, &next) || next > tick) wheel->elapsed = tick;
}

// So that the timer rings at `tick`, or before. A timer that runs is moved, which needs no memory.
static hy_err wheel_ring(hyi_wheel *wheel, uint64_t tick) {
    if (wheel->timed && wheel->wakes <= tick) return HY_OK;
    hy_err err = hy_timer_at(wheel->world, &wheel->timer, wheel_begin_of(tick));
    if (err) return err;
    wheel->timed = true;
    wheel->wakes = tick;
    return HY_OK;
}

static void wheel_ask_for_post(hyi_wheel *wheel) {
    wheel->posted = true;
    hy_world_post(wheel->world, &wheel->post);
}

static void wheel_rest(hyi_wheel *wheel) {
    if (wheel->count > 0 || !wheel->timed || wheel->firing) return;
    hy_timer_stop(wheel->world, &wheel->timer);
    wheel->timed = false;
}

hy_err hyi_wheel_arm(hyi_wheel *wheel, hyi_due *due, hy_ns after) {
    HY_ASSERT(due->place == 0);
    HY_ASSERT(due->fire != NULL);
    if (after < 0) after = 0;
    if (__builtin_expect(wheel->lazy && wheel->timed, 1)) {
        due->at = after;
        due->place = WHEEL_FRESH;
        hyi_list_append(&wheel->fresh, &due->link);
        wheel->count++;
        if (__builtin_expect(!wheel->posted, 0)) wheel_ask_for_post(wheel);
        return HY_OK;
    }
    hy_ns now = hy_world_now(wheel->world);
    wheel_catch_up(wheel, now);
    due->at = hy_ns_add(now, after);
    hy_err err = wheel_ring(wheel, wheel_put(wheel, due));
    if (err) {
        wheel_take(wheel, due);
        return err;
    }
    wheel->count++;
    return HY_OK;
}

void hyi_wheel_disarm(hyi_wheel *wheel, hyi_due *due) {
    if (due->place == 0) return;
    wheel_take(wheel, due);
    if (--wheel->count > 0) return;
    if (!wheel->lazy) {
        wheel_rest(wheel);
    } else if (!wheel->posted) {
        wheel_ask_for_post(wheel);
    }
}

static void wheel_settle(hyi_wheel *wheel, hy_ns now) {
    if (hyi_list_is_empty(&wheel->fresh)) return;
    HY_ASSERT(wheel->timed);
    wheel_catch_up(wheel, now);
    hyi_link *link = NULL;
    while ((link = hyi_list_first(&wheel->fresh))) {
        hyi_due *due = HYI_HOLDER(hyi_due, link, link);
        hyi_list_remove(link);
        due->at = hy_ns_add(now, due->at);
        hy_err err = wheel_ring(wheel, wheel_put(wheel, due));
        HY_ASSERT(err == HY_OK); // it runs
    }
    HY_ASSERT_SLOW(hyi_wheel_holds(wheel));
}

static void wheel_on_post(hy_post *post) {
    hyi_wheel *wheel = HYI_HOLDER(hyi_wheel, post, post);
    wheel->posted = false;
    if (!hyi_list_is_empty(&wheel->fresh)) wheel_settle(wheel, hy_world_now(wheel->world));
    wheel_rest(wheel);
}

// ---- firing -----------------------------------------------------------------------------------

// What was armed in this place while it was being emptied has been put elsewhere: see wheel_put.
static void wheel_fire_place(hyi_wheel *wheel, uint32_t place) {
    hyi_link *link = NULL;
    while ((link = hyi_list_first(&wheel->places[0][place]))) {
        hyi_due *due = HYI_HOLDER(hyi_due, link, link);
        wheel_take(wheel, due);
        wheel->count--;
        due->fire(due);
    }
}

// Of a higher level. None of its records comes back to it.
static void wheel_move_down(hyi_wheel *wheel, uint32_t level, uint32_t place) {
    wheel->firing = false; // those of this very tick are about to be fired
    hyi_link *link = NULL;
    while ((link = hyi_list_first(&wheel->places[level][place]))) {
        hyi_due *due = HYI_HOLDER(hyi_due, link, link);
        wheel_take(wheel, due);
        (void)wheel_put(wheel, due);
    }
    wheel->firing = true;
}

// The timer keeps its place in the world's heap while records fire, so that it can always be moved
// to what comes next.
static void wheel_on_timer(hy_timer *timer) {
    hyi_wheel *wheel = HYI_HOLDER(hyi_wheel, timer, timer);
    hy_ns now = hy_world_now(wheel->world);
    wheel->wakes = UINT64_MAX;
    wheel->timed = hy_timer_at(wheel->world, timer, HY_NEVER) == HY_OK;
    HY_ASSERT(wheel->timed); // its own place has just become free
    wheel_settle(wheel, now);
    wheel->firing = true;
    uint32_t level = 0;
    uint64_t tick = 0;
    while (wheel_next(wheel, &level, &tick) && tick <= wheel_floor(now)) {
        wheel->elapsed = tick;
        uint32_t place = (uint32_t)(tick >> (level * WHEEL_BITS)) & WHEEL_MASK;
        if (level == 0) wheel_fire_place(wheel, place);
        if (level > 0) wheel_move_down(wheel, level, place);
    }
    wheel->firing = false;
    if (wheel_next(wheel, &level, &tick)) {
        hy_err err = wheel_ring(wheel, tick);
        HY_ASSERT(err == HY_OK);
    } else if (hyi_list_is_empty(&wheel->fresh)) {
        wheel_rest(wheel);
    }
}

// ---- checking ---------------------------------------------------------------------------------

static uint32_t wheel_count_place(const hyi_wheel *wheel, uint32_t level, uint32_t place) {
    const hyi_list *list = &wheel->places[level][place];
    uint32_t count = 0, shift = level * WHEEL_BITS;
    for (hyi_link *at = hyi_list_first(list); at; at = hyi_list_after(list, at)) {
        const hyi_due *due = HYI_HOLDER(hyi_due, link, at);
        HY_ASSERT(due->place == level * HYI_WHEEL_PLACES + place + 1);
        HY_ASSERT(level == 0 || place > (wheel->elapsed >> shift & WHEEL_MASK));
        count++;
    }
    HY_ASSERT((count > 0) == (wheel->taken[level] >> place & 1));
    return count;
}

bool hyi_wheel_holds(const hyi_wheel *wheel) {
    uint32_t count = 0;
    for (uint32_t level = 0; level < HYI_WHEEL_LEVELS; level++) {
        for (uint32_t place = 0; place < HYI_WHEEL_PLACES; place++)
            count += wheel_count_place(wheel, level, place);
    }
    const hyi_list *fresh = &wheel->fresh;
    for (hyi_link *at = hyi_list_first(fresh); at; at = hyi_list_after(fresh, at))
        count++;
    HY_ASSERT(count == wheel->count);
    HY_ASSERT(HY_IMPLIES(count > 0, wheel->timed));
    return true;
}
