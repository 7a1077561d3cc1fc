// budget_test.c - limits of a subtree: who waits, who is refused, and that nothing stays counted.
//
// What a test counts by itself (how many ran at once, what was the most) is compared with the
// limit, not with the room's own counters; those are looked at only to see that all came back. A
// spawner that is refused in the middle of a queue must not take a place with it: that is the hard
// case, and has a test of its own.
#include "kit/kit.h"
#include "scope/inside.h"
#include "scope/run_suite.h"

#define CHECK_MEMORY()                                                                             \
    do {                                                                                           \
        if (kit_failed_allocation()) return HY_NOMEM;                                              \
    } while (0)

typedef struct crowd {
    int now, most, total;
} crowd;

static hy_err joins_the_crowd(void *arg) {
    crowd *c = (crowd *)arg;
    if (++c->now > c->most) c->most = c->now;
    c->total++;
    hy_err err = hy_sleep(HY_MS(3));
    c->now--;
    return err;
}

static hy_err spawn_waits_for_room(void *unused) {
    (void)unused;
    crowd c = { 0 };
    hy_err err = HY_OK, inner = HY_OK;
    HY_SCOPE(s, &err, .tasks_max = 3) {
        HY_SCOPE(t, &inner) {
            for (int i = 0; i < 20; i++) {
                hy_err spawned = hy_spawn(i % 2 ? s : t, joins_the_crowd, &c, NULL, NULL);
                CHECK_MEMORY();
                CHECK_OK(spawned);
            }
        }
    }
    CHECK_OK(inner);
    CHECK_OK(err);
    CHECK_EQ(c.most, 3);
    CHECK_EQ(c.total, 20);
    return HY_OK;
}
RUN_SIM(spawn_waits_for_room)

typedef struct spawner {
    hy_scope *into;
    crowd *crowd;
    hy_err got;
} spawner;

static hy_err spawns_one(void *arg) {
    spawner *s = (spawner *)arg;
    if (kit_failed_allocation()) return HY_NOMEM; // the scope may have ended
    s->got = hy_spawn(s->into, joins_the_crowd, s->crowd, NULL, NULL);
    return HY_OK;
}

// Two limits, one inside the other: nobody sleeps while there is room.
static hy_err no_room_is_left_unused(void *unused) {
    (void)unused;
    crowd c = { 0 };
    hy_err err = HY_OK, inner = HY_OK;
    spawner spawners[12];
    HY_SCOPE(all, &err) {
        HY_SCOPE(s, &inner, .tasks_max = 3) {
            hy_scope *a = NULL;
            CHECK_OK(hy_scope_open(s, HY_OPTIONS(hy_scope, .tasks_max = 1), &a));
            for (int i = 0; i < 12; i++) {
                spawners[i] = (spawner){ i % 3 ? s : a, &c, HY_REJECT };
                CHECK_OK(hy_spawn(all, spawns_one, &spawners[i], NULL, NULL));
            }
            hy_err slept = hy_sleep(HY_SECONDS(1));
            CHECK_MEMORY();
            CHECK_OK(slept);
            CHECK_EQ(c.total, 12);
        }
    }
    CHECK_OK(inner);
    CHECK_OK(err);
    CHECK_EQ(c.most, 3);
    return HY_OK;
}
RUN_SIM(no_room_is_left_unused)

static hy_err naps(void *arg) {
    (void)arg;
    return hy_sleep(HY_MS(10));
}

static hy_err sleeps_a_second(void *arg) {
    if (arg) *(hy_ns *)arg = hy_world_now(hy_scope_world(hy_scope_current()));
    return hy_sleep(HY_SECONDS(1));
}

typedef struct queued {
    hy_scope *into;
    hy_ns *began;
} queued;

static hy_err queues(void *arg) {
    queued *q = (queued *)arg;
    if (kit_failed_allocation()) return HY_NOMEM; // the scope may have ended
    return hy_spawn(q->into, sleeps_a_second, q->began, NULL, NULL);
}

// Two places become free, and those who are woken for them both want the one place in a scope
// below: the place that is left goes to the third in the queue, at once.
static hy_err who_cannot_use_it_passes_it_on(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK;
    hy_ns third_began = 0, began = hy_world_now(hy_scope_world(hy_scope_current()));
    queued all[3] = { 0 };
    HY_SCOPE(outside, &err) {
        HY_SCOPE(s, &inner, .tasks_max = 2) {
            hy_scope *one = NULL;
            CHECK_OK(hy_scope_open(s, HY_OPTIONS(hy_scope, .tasks_max = 1), &one));
            CHECK_OK(hy_spawn(s, naps, NULL, NULL, NULL));
            CHECK_OK(hy_spawn(s, naps, NULL, NULL, NULL));
            for (int i = 0; i < 3; i++) {
                all[i] = (queued){ i < 2 ? one : s, i < 2 ? NULL : &third_began };
                CHECK_OK(hy_spawn(outside, queues, &all[i], NULL, NULL));
                hy_err slept = hy_sleep(HY_MS(1)); // one after the other
                CHECK_MEMORY();
                CHECK_OK(slept);
            }
            hy_err slept = hy_sleep(HY_SECONDS(5));
            CHECK_MEMORY();
            CHECK_OK(slept);
        }
    }
    CHECK_OK(inner);
    CHECK_OK(err);
    CHECK(third_began - began < HY_MS(100));
    return HY_OK;
}
RUN_SIM(who_cannot_use_it_passes_it_on)

static hy_err sleeps_long(void *arg) {
    (void)arg;
    return hy_sleep(HY_SECONDS(1000));
}

static hy_err who_waits_for_room_hears_of_the_end(void *unused) {
    (void)unused;
    crowd c = { 0 };
    hy_err err = HY_OK, inner = HY_OK;
    spawner waits = { .crowd = &c, .got = HY_OK }, drained = { .crowd = &c, .got = HY_OK };
    HY_SCOPE(all, &err) {
        HY_SCOPE(s, &inner, .tasks_max = 1) {
            CHECK_OK(hy_spawn(s, sleeps_long, NULL, NULL, NULL));
            waits.into = drained.into = s;
            CHECK_OK(hy_spawn(all, spawns_one, &waits, NULL, NULL));
            hy_err slept = hy_sleep(HY_SECONDS(1));
            CHECK_MEMORY();
            CHECK_OK(slept);
            hy_scope_cancel(s, HY_REJECT);
            CHECK_ERR(hy_spawn(s, sleeps_long, NULL, NULL, NULL), HY_REJECT);
        }
        CHECK_MEMORY();
        CHECK_ERR(inner, HY_REJECT);
        CHECK_OK(hy_sleep(HY_MS(1)));
        CHECK_ERR(waits.got, HY_REJECT);
        inner = HY_OK;
        HY_SCOPE(s, &inner, .tasks_max = 1) {
            CHECK_OK(hy_spawn(s, sleeps_long, NULL, NULL, NULL));
            drained.into = s;
            CHECK_OK(hy_spawn(all, spawns_one, &drained, NULL, NULL));
            hy_err slept = hy_sleep(HY_SECONDS(1));
            CHECK_MEMORY();
            CHECK_OK(slept);
            hy_scope_stop(s, HY_SECONDS(1));
        }
    }
    CHECK_MEMORY();
    CHECK_OK(err);
    CHECK_ERR(drained.got, HY_CLOSED);
    return HY_OK;
}
RUN_SIM(who_waits_for_room_hears_of_the_end)

static hy_err waiting_for_room_can_be_cancelled(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK;
    crowd c = { 0 };
    HY_SCOPE(s, &err, .tasks_max = 1) {
        CHECK_OK(hy_spawn(s, sleeps_long, NULL, NULL, NULL));
        HY_SCOPE(t, &inner, .timeout = HY_MS(5)) {
            inner = hy_spawn(s, joins_the_crowd, &c, NULL, NULL);
        }
        CHECK_ERR(inner, HY_TIMEOUT);
        CHECK_EQ(c.total, 0);
        break;
    }
    return err;
}
RUN_SIM(waiting_for_room_can_be_cancelled)

typedef struct callback {
    hy_post post;
    hy_scope *scope;
    hy_err first, second;
    crowd crowd;
    bool called;
} callback;

static void callback_spawns(hy_post *post) {
    callback *c = HYI_HOLDER(callback, post, post);
    c->called = true;
    c->first = hy_spawn(c->scope, joins_the_crowd, &c->crowd, NULL, NULL);
    c->second = hy_spawn(c->scope, joins_the_crowd, &c->crowd, NULL, NULL);
}

static hy_err outside_of_fibers_it_refuses(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    static callback c;
    c = (callback){ .post = { .done = callback_spawns } };
    HY_SCOPE(s, &err, .tasks_max = 1) {
        c.scope = s;
        hy_world_post(hy_scope_world(s), &c.post);
        while (!c.called)
            (void)hy_yield();
    }
    CHECK_MEMORY();
    CHECK_OK(err);
    CHECK_OK(c.first);
    CHECK_ERR(c.second, HY_LIMIT);
    CHECK_EQ(c.crowd.total, 1);
    return HY_OK;
}
RUN_SIM(outside_of_fibers_it_refuses)

static hy_err takes_descriptor(void *arg) {
    crowd *c = (crowd *)arg;
    hy_scope *scope = hy_scope_current();
    hy_err err = hyi_budget_take_descriptor(scope, true);
    if (err != HY_OK) return err;
    err = joins_the_crowd(arg);
    hyi_budget_give_descriptor(scope);
    (void)c;
    return err;
}

static hy_err descriptors_are_counted(void *unused) {
    (void)unused;
    crowd c = { 0 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .descriptors_max = 2) {
        for (int i = 0; i < 9; i++) {
            CHECK_OK(hy_spawn(s, takes_descriptor, &c, NULL, NULL));
        }
        CHECK_OK(hy_scope_join(s));
        CHECK_OK(hyi_budget_take_descriptor(s, false));
        CHECK_OK(hyi_budget_take_descriptor(s, false));
        CHECK_ERR(hyi_budget_take_descriptor(s, false), HY_LIMIT);
        hyi_budget_give_descriptor(s);
        hyi_budget_give_descriptor(s);
    }
    CHECK_OK(err);
    CHECK_EQ(c.most, 2);
    CHECK_EQ(c.total, 9);
    return HY_OK;
}
RUN_SIM(descriptors_are_counted)

static hy_err bytes_are_counted_upwards(void *unused) {
    (void)unused;
    hy_err err = HY_OK, inner = HY_OK;
    HY_SCOPE(s, &err, .bytes_max = 20000) {
        HY_SCOPE(t, &inner) {
            hy_mem *mem = hy_scope_mem(t);
            if (!mem) return HY_NOMEM;
            uint8_t *block = (uint8_t *)hy_mem_alloc(mem, 8000);
            if (!block) return HY_NOMEM;
            void *more = hy_mem_alloc(mem, 12001);
            CHECK(more == NULL);
            CHECK_EQ(s->more->bytes, 8000);
            uint8_t *grown = (uint8_t *)mem->resize(mem, block, 8000, 16000);
            CHECK_EQ(s->more->bytes, grown ? 16000 : 8000);
            size_t size = grown ? 16000 : 8000;
            hy_mem_free(mem, grown ? grown : block, size);
            CHECK_EQ(s->more->bytes, 0);
            CHECK_MEMORY();
            CHECK(hy_scope_alloc(t, 1000) != NULL || kit_failed_allocation());
            CHECK(hy_scope_alloc(t, 20001) == NULL);
        }
        CHECK_EQ(s->more->bytes, 0); // the arena went with its scope
    }
    CHECK_OK(inner);
    return err;
}
RUN_SIM(bytes_are_counted_upwards)

KIT_TESTS(KIT_TEST(sim_spawn_waits_for_room), KIT_TEST(sim_no_room_is_left_unused),
          KIT_TEST(sim_who_cannot_use_it_passes_it_on),
          KIT_TEST(sim_who_waits_for_room_hears_of_the_end),
          KIT_TEST(sim_waiting_for_room_can_be_cancelled),
          KIT_TEST(sim_outside_of_fibers_it_refuses), KIT_TEST(sim_descriptors_are_counted),
          KIT_TEST(sim_bytes_are_counted_upwards))
