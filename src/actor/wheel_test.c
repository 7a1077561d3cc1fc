// wheel_test.c - the wheel against a list of dues, in virtual time.
//
// The simulated world fires its timers late by up to delay_max; with 1 ns of it what is left is the
// wheel's own rounding.
#include "kit/kit.h"
#include "actor/wheel.h"
#include "base/cleanup.h"

#define RECORDS 200u
#define TICK ((hy_ns)1 << HYI_WHEEL_TICK_BITS)

typedef struct record {
    hyi_due due;
    struct stage *stage;
    hy_ns from, until; // between these two it must fire; 0: it must not
    uint32_t fired;
    hy_ns again; // so long after it has fired it is armed again; 0: not
} record;

typedef struct stage {
    hy_world *world;
    hyi_wheel *wheel;
    record records[RECORDS];
    uint32_t fired;
    uint64_t state;
} stage;

static void stage_close(stage *s) {
    while (s->wheel && hyi_wheel_is_posted(s->wheel) && hy_world_turn(s->world))
        continue;
    hyi_wheel_close(s->wheel);
    s->world = hy_world_close(s->world);
}

static void on_fire(hyi_due *due) {
    record *r = HYI_HOLDER(record, due, due);
    hy_ns now = hy_world_now(r->stage->world);
    CHECK(r->until != 0); // it is armed
    CHECK(now >= r->from);
    CHECK(now <= r->until);
    CHECK(!hyi_wheel_is_armed(due));
    r->until = 0;
    r->fired++;
    r->stage->fired++;
    if (r->again == 0) return;
    r->from = now + r->again;
    r->until = r->from + TICK + 1000;
    CHECK(hyi_wheel_arm(r->stage->wheel, due, r->again) == HY_OK);
}

static hy_err stage_open(hy_mem *mem, stage *s) {
    *s = (stage){ .state = kit_seed() };
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed(), .delay_max = 1), //
                         &s->world));
    for (uint32_t i = 0; i < RECORDS; i++)
        s->records[i] = (record){ .stage = s, .due.fire = on_fire };
    return hyi_wheel_open(s->world, mem, &s->wheel);
}

static hy_err record_arm(record *r, hy_ns after) {
    hy_err err = hyi_wheel_arm(r->stage->wheel, &r->due, after);
    if (err) {
        CHECK(!hyi_wheel_is_armed(&r->due));
        return err;
    }
    r->from = hy_ns_add(hy_world_now(r->stage->world), after);
    r->until = hy_ns_add(r->from, TICK + 1000);
    return HY_OK;
}

static void record_disarm(record *r) {
    hyi_wheel_disarm(r->stage->wheel, &r->due);
    r->until = 0;
}

// From the neighbouring tick to some hundred years, each scale as likely as the others.
static hy_ns random_span(uint64_t *state, uint32_t bits_max) {
    uint32_t bits = (uint32_t)(kit_random(state) % bits_max);
    return (hy_ns)(kit_random(state) & (((uint64_t)1 << bits) - 1));
}

static hy_err all_fire_once_and_in_time(hy_mem *mem) {
    HY_CLEANUP(stage_close) stage s;
    CHECK_OK(stage_open(mem, &s));
    for (uint32_t turn = 0; turn < 3000; turn++) {
        record *r = &s.records[kit_random(&s.state) % RECORDS];
        uint64_t choice = kit_random(&s.state) % 8;
        if (hyi_wheel_is_armed(&r->due)) {
            if (choice < 4) record_disarm(r);
        } else {
            CHECK_OK(record_arm(r, random_span(&s.state, 40)));
        }
        if (choice == 5) hy_sim_advance(s.world, random_span(&s.state, 36));
        if (turn % 64 == 0) CHECK(hyi_wheel_holds(s.wheel));
        for (uint32_t i = 0; choice == 5 && i < RECORDS; i++) { // nobody was forgotten
            const record *other = &s.records[i];
            CHECK(other->until == 0 || other->until >= hy_world_now(s.world));
        }
    }
    hy_world_run(s.world);
    CHECK_EQ(s.wheel->count, 0);
    for (uint32_t i = 0; i < RECORDS; i++)
        CHECK(s.records[i].until == 0);
    return HY_OK;
}

static hy_err spans_of_years_are_no_different(hy_mem *mem) {
    HY_CLEANUP(stage_close) stage s;
    CHECK_OK(stage_open(mem, &s));
    for (uint32_t i = 0; i < RECORDS; i++)
        CHECK_OK(record_arm(&s.records[i], random_span(&s.state, 62)));
    CHECK(hyi_wheel_holds(s.wheel));
    hy_world_run(s.world);
    CHECK_EQ(s.fired, RECORDS);
    return HY_OK;
}

static hy_err never_is_never_early(hy_mem *mem) {
    HY_CLEANUP(stage_close) stage s;
    CHECK_OK(stage_open(mem, &s));
    CHECK_OK(record_arm(&s.records[0], HY_NEVER));
    hy_sim_advance(s.world, HY_SECONDS(1000000));
    CHECK_EQ(s.fired, 0);
    record_disarm(&s.records[0]);
    return HY_OK;
}

static hy_err empty_wheel_has_no_timer(hy_mem *mem) {
    HY_CLEANUP(stage_close) stage s;
    CHECK_OK(stage_open(mem, &s));
    CHECK_OK(record_arm(&s.records[0], HY_SECONDS(5)));
    record_disarm(&s.records[0]);
    record_disarm(&s.records[0]); // twice is fine
    hy_ns before = hy_world_now(s.world);
    hy_world_run(s.world); // nothing to wait for
    CHECK_EQ(hy_world_now(s.world), before);
    return HY_OK;
}

// An alarm every 0 ns must let the world have its turn.
static hy_err repeating_lets_go(hy_mem *mem) {
    HY_CLEANUP(stage_close) stage s;
    CHECK_OK(stage_open(mem, &s));
    record *fast = &s.records[0], *slow = &s.records[1];
    fast->again = 1;
    CHECK_OK(record_arm(fast, 0));
    CHECK_OK(record_arm(slow, HY_MS(20)));
    hy_sim_advance(s.world, HY_MS(30));
    CHECK_EQ(slow->fired, 1);
    CHECK(fast->fired >= 20 && fast->fired <= 62);
    fast->again = 0;
    hy_world_run(s.world);
    return HY_OK;
}

static hy_err noted_and_settled_is_in_time(hy_mem *mem) {
    HY_CLEANUP(stage_close) stage s;
    CHECK_OK(stage_open(mem, &s));
    CHECK_OK(record_arm(&s.records[0], HY_SECONDS(9))); // the timer runs
    s.wheel->lazy = true;
    CHECK_OK(record_arm(&s.records[1], HY_MS(3)));
    CHECK_OK(record_arm(&s.records[2], HY_MS(4)));
    record_disarm(&s.records[2]);
    CHECK(hyi_wheel_holds(s.wheel));
    CHECK(hyi_wheel_is_posted(s.wheel));
    hy_world_run(s.world);
    CHECK(!hyi_wheel_is_posted(s.wheel));
    CHECK_EQ(s.records[0].fired, 1);
    CHECK_EQ(s.records[1].fired, 1);
    CHECK_EQ(s.records[2].fired, 0);
    return HY_OK;
}

static hy_err lazy_ones_wake_nobody_when_empty(hy_mem *mem) {
    HY_CLEANUP(stage_close) stage s;
    CHECK_OK(stage_open(mem, &s));
    s.wheel->lazy = true;
    hy_ns before = hy_world_now(s.world);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_OK(record_arm(&s.records[i], HY_SECONDS(5)));
        record_disarm(&s.records[i]);
    }
    hy_world_run(s.world);
    CHECK(hy_world_now(s.world) < before + HY_SECONDS(1));
    CHECK(!s.wheel->timed);
    return HY_OK;
}

static hy_err it_can_be_closed_while_records_are_armed(hy_mem *mem) {
    HY_CLEANUP(stage_close) stage s;
    CHECK_OK(stage_open(mem, &s));
    s.wheel->lazy = true;
    CHECK_OK(record_arm(&s.records[0], HY_SECONDS(5)));
    CHECK_OK(record_arm(&s.records[1], HY_SECONDS(5)));
    while (hyi_wheel_is_posted(s.wheel))
        CHECK(hy_world_turn(s.world));
    hyi_wheel_no_posts(s.wheel);
    record_disarm(&s.records[0]);
    record_disarm(&s.records[1]);
    CHECK(!hyi_wheel_is_posted(s.wheel));
    return HY_OK;
}

static hy_err equal_ticks_fire_in_order_of_arming(hy_mem *mem) {
    HY_CLEANUP(stage_close) stage s;
    CHECK_OK(stage_open(mem, &s));
    for (uint32_t i = 0; i < 10; i++)
        CHECK_OK(record_arm(&s.records[i], HY_MS(2)));
    const hyi_list *place = NULL;
    for (uint32_t i = 0; i < HYI_WHEEL_PLACES; i++) {
        if (s.wheel->taken[0] >> i & 1) place = &s.wheel->places[0][i];
    }
    uint32_t next = 0;
    for (hyi_link *at = place ? hyi_list_first(place) : NULL; at; at = hyi_list_after(place, at)) {
        CHECK(HYI_HOLDER(record, due.link, at) == &s.records[next]);
        next++;
    }
    CHECK(place == NULL || next == 10);
    hy_world_run(s.world);
    CHECK_EQ(s.fired, 10);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(empty_wheel_has_no_timer), KIT_TEST(noted_and_settled_is_in_time),
          KIT_TEST(lazy_ones_wake_nobody_when_empty),
          KIT_TEST(it_can_be_closed_while_records_are_armed),
          KIT_TEST(equal_ticks_fire_in_order_of_arming), KIT_TEST(repeating_lets_go),
          KIT_TEST(never_is_never_early), KIT_TEST_ONCE(spans_of_years_are_no_different),
          KIT_TEST_ONCE(all_fire_once_and_in_time))
