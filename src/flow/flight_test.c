// flight_test.c - one works and all get its answer, whoever is cancelled, stopped or has no room.
//
// The hard places are those where the one who began a flight goes away: while it works itself,
// because the flight's scope has no room for a task or is being stopped, and in the round in which
// the work ends.
#include <hypha/flow.h>

#include "kit/kit.h"
#include "scope/run_suite.h"

typedef struct sky {
    hy_flight *flight;
    hy_mem *mem;
    uint32_t works, at_work, most_at_work, answers;
    hy_ns takes;
    hy_err last_err;
} sky;

static hy_err work(void *self, hy_bytes key, hy_shared **out_shared) {
    sky *s = self;
    s->works++;
    if (++s->at_work > s->most_at_work) s->most_at_work = s->at_work;
    hy_err err = hy_sleep(s->takes);
    s->at_work--;
    return err != HY_OK ? err : hy_shared_copy(s->mem, key, out_shared);
}

static hy_err ask(void *arg) {
    sky *s = arg;
    hy_shared *shared = NULL;
    hy_err err = hy_flight_do(s->flight, HY_BYTES("k"), work, s, &shared);
    s->answers += err == HY_OK;
    s->last_err = err;
    hy_shared_drop(shared);
    return err;
}

// A task of the scope in which there is room for one task.
static hy_err ask_in_place(void *arg) {
    hy_err err = HY_OK;
    HY_SCOPE(request, &err, .timeout = HY_SECONDS(1)) {
        err = ask(arg);
    }
    return err;
}

static hy_err hog(void *arg) {
    return hy_sleep(*(hy_ns *)arg);
}

// ---- no room for the work's task ----

// Asks from outside of `full`, where one task is allowed and sleeps for 100 ms.
static hy_err two_ask_without_room(sky *s, bool cancel_first, bool cancel_second) {
    hy_err err = HY_OK;
    hy_ns hogs = HY_MS(100);
    s->mem = hy_world_mem(hy_scope_world(hy_scope_current()));
    HY_SCOPE(full, &err, .name = "full", .tasks_max = 1) {
        err = hy_flight_open(full, 0, &s->flight);
        if (err == HY_OK) err = hy_spawn(full, hog, &hogs, NULL, NULL);
        if (err != HY_OK) break;
        hy_scope *outside = NULL;
        err = hy_scope_open((hy_scope *)(uintptr_t)hy_scope_parent(full),
                            HY_OPTIONS(hy_scope, .policy = hy_collect), &outside);
        hy_task *first = NULL, *second = NULL;
        if (err == HY_OK) err = hy_spawn(outside, ask, s, NULL, &first);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err == HY_OK) err = hy_spawn(outside, ask, s, NULL, &second);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err == HY_OK && cancel_first) hy_task_cancel(first, HY_CANCELLED);
        if (err == HY_OK && cancel_second) hy_task_cancel(second, HY_CANCELLED);
        if (err == HY_OK) err = hy_sleep(HY_MS(10));
        if (err == HY_OK) err = hy_spawn(outside, ask, s, NULL, NULL);
        if (err == HY_OK) err = hy_scope_join(outside);
        if (outside) (void)hy_scope_close(outside);
        if (err != HY_OK) break;
    }
    return err;
}

static hy_err who_began_without_room_leaves_the_work_to_the_next(void *unused) {
    (void)unused;
    sky s = { .takes = HY_MS(40) };
    hy_err err = two_ask_without_room(&s, true, false);
    if (err == HY_NOMEM || s.last_err == HY_NOMEM) return HY_NOMEM;
    CHECK_EQ(err, HY_OK);
    CHECK_EQ(s.works, 2); // begun again
    CHECK_EQ(s.most_at_work, 1);
    CHECK_EQ(s.answers, 2);
    return HY_OK;
}

static hy_err who_leaves_does_not_end_the_work_of_the_other(void *unused) {
    (void)unused;
    sky s = { .takes = HY_MS(40) };
    hy_err err = two_ask_without_room(&s, false, true);
    if (err == HY_NOMEM || s.last_err == HY_NOMEM) return HY_NOMEM;
    CHECK_EQ(err, HY_OK);
    CHECK_EQ(s.works, 1);
    CHECK_EQ(s.answers, 2);
    return HY_OK;
}

static hy_err when_all_leave_the_next_begins_anew(void *unused) {
    (void)unused;
    sky s = { .takes = HY_MS(40) };
    hy_err err = two_ask_without_room(&s, true, true);
    if (err == HY_NOMEM || s.last_err == HY_NOMEM) return HY_NOMEM;
    CHECK_EQ(err, HY_OK);
    CHECK_EQ(s.works, 2);
    CHECK_EQ(s.answers, 1);
    return HY_OK;
}

static hy_err tasks_that_fill_the_scope_are_answered(void *unused) {
    (void)unused;
    sky s = { .takes = HY_MS(5), .mem = hy_world_mem(hy_scope_world(hy_scope_current())) };
    hy_err err = HY_OK;
    HY_SCOPE(full, &err, .name = "full", .tasks_max = 2) {
        err = hy_flight_open(full, 0, &s.flight);
        for (int i = 0; i < 2 && err == HY_OK; i++)
            err = hy_spawn(full, ask_in_place, &s, NULL, NULL);
        if (err != HY_OK) break;
    }
    if (err != HY_OK) return err;
    CHECK_EQ(s.answers, 2);
    CHECK_EQ(s.works, 1);
    return HY_OK;
}

// ---- the scope of the flight ends ----

static hy_err ask_later(void *arg) {
    hy_err err = HY_OK;
    HY_SCOPE(request, &err, .name = "request") {
        err = hy_sleep(HY_MS(20));
        if (err == HY_OK) err = ask(arg);
        if (err != HY_OK) break;
    }
    return err;
}

static hy_err requests_under_way_are_answered_while_it_drains(void *unused) {
    (void)unused;
    sky s = { .takes = HY_MS(5), .mem = hy_world_mem(hy_scope_world(hy_scope_current())) };
    hy_err err = HY_OK;
    HY_SCOPE(app, &err, .name = "app") {
        err = hy_flight_open(app, 0, &s.flight);
        for (int i = 0; i < 3 && err == HY_OK; i++)
            err = hy_spawn(app, ask_later, &s, NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(5));
        if (err != HY_OK) break;
        hy_scope_stop(app, HY_SECONDS(1));
    }
    if (kit_failed_allocation()) return HY_NOMEM;
    CHECK_EQ(err, HY_OK);
    CHECK_EQ(s.answers, 3);
    CHECK_EQ(s.most_at_work, 1);
    return HY_OK;
}

static hy_err cancelled_scope_gives_everybody_its_reason(void *unused) {
    (void)unused;
    sky s = { .takes = HY_SECONDS(60), .mem = hy_world_mem(hy_scope_world(hy_scope_current())) };
    hy_err err = HY_OK;
    HY_SCOPE(outside, &err, .name = "outside", .policy = hy_ignore) {
        hy_scope *home = NULL;
        err = hy_scope_open(outside, NULL, &home);
        if (err == HY_OK) err = hy_flight_open(home, 0, &s.flight);
        for (int i = 0; i < 3 && err == HY_OK; i++)
            err = hy_spawn(outside, ask, &s, NULL, NULL);
        if (err == HY_OK) err = hy_sleep(HY_MS(5));
        if (err != HY_OK) break;
        hy_err closed = hy_scope_close(home);
        CHECK_EQ(closed, HY_OK);
    }
    if (err == HY_NOMEM || s.last_err == HY_NOMEM) return HY_NOMEM;
    CHECK_EQ(s.last_err, HY_CANCELLED);
    CHECK_EQ(s.answers, 0);
    return err;
}

// ---- who asks for what it makes itself ----

static hy_err ask_for_itself(void *self, hy_bytes key, hy_shared **out_shared) {
    sky *s = self;
    if (++s->works > 5) return HY_LIMIT;
    return hy_flight_do(s->flight, key, ask_for_itself, s, out_shared);
}

static hy_err work_that_asks_for_itself_is_told(void *unused) {
    (void)unused;
    sky s = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(home, &err, .timeout = HY_SECONDS(1)) {
        hy_shared *shared = NULL;
        err = hy_flight_open(home, 0, &s.flight);
        if (err != HY_OK) break;
        err = hy_flight_do(s.flight, HY_BYTES("k"), ask_for_itself, &s, &shared);
    }
    if (err == HY_NOMEM) return err;
    CHECK_EQ(err, HY_DEADLOCK);
    return HY_OK;
}

static hy_err keys_have_bounds(void *unused) {
    (void)unused;
    sky s = { .mem = hy_world_mem(hy_scope_world(hy_scope_current())) };
    hy_err err = HY_OK;
    HY_SCOPE(home, &err, .name = "home") {
        static const uint8_t bytes[65537];
        hy_shared *shared = NULL;
        err = hy_flight_open(home, 0, &s.flight);
        if (err != HY_OK) break;
        CHECK_EQ(hy_flight_do(s.flight, (hy_bytes){ bytes, 0 }, work, &s, &shared), HY_RANGE);
        CHECK_EQ(hy_flight_do(s.flight, (hy_bytes){ bytes, sizeof bytes }, work, &s, &shared),
                 HY_TOO_LARGE);
        err = hy_flight_do(s.flight, (hy_bytes){ bytes, sizeof bytes - 1 }, work, &s, &shared);
        if (err == HY_OK) CHECK_EQ(shared->bytes, sizeof bytes - 1);
        if (err == HY_OK) hy_shared_drop(shared);
    }
    return err;
}

RUN_SIM(who_began_without_room_leaves_the_work_to_the_next)
RUN_SIM(who_leaves_does_not_end_the_work_of_the_other)
RUN_SIM(when_all_leave_the_next_begins_anew)
RUN_SIM(tasks_that_fill_the_scope_are_answered)
RUN_SIM(requests_under_way_are_answered_while_it_drains)
RUN_SIM(cancelled_scope_gives_everybody_its_reason)
RUN_SIM(work_that_asks_for_itself_is_told)
RUN_SIM(keys_have_bounds)

KIT_TESTS(KIT_TEST(sim_who_began_without_room_leaves_the_work_to_the_next),
          KIT_TEST(sim_who_leaves_does_not_end_the_work_of_the_other),
          KIT_TEST(sim_when_all_leave_the_next_begins_anew),
          KIT_TEST(sim_tasks_that_fill_the_scope_are_answered),
          KIT_TEST(sim_requests_under_way_are_answered_while_it_drains),
          KIT_TEST(sim_cancelled_scope_gives_everybody_its_reason),
          KIT_TEST(sim_work_that_asks_for_itself_is_told), KIT_TEST(sim_keys_have_bounds))
