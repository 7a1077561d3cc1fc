// alarm_storm_test.c - alarms that are set, stopped and forgotten by actors that move and fall.
//
// Each actor keeps a book of its alarms and does with each message what chance says: sets one,
// stops one, falls, sleeps. Whatever rings must be in the book of this start, and not stopped; one
// that rings once has rung at most once. With two workers actors move away from the wheels their
// alarms are in.
#include "kit/kit.h"
#include "actor/alarm.h"
#include "actor/ask.h"
#include "actor/node_suite.h"

#include <stdatomic.h>

#define CLOCKS 8u
#define BOOK 12u
#define CHIMES 400u

#define CHIME(F)                                                                                   \
    F(1, u64, number)                                                                              \
    F(2, str, text)
HY_RECORD(chime, CHIME)
HY_RECORD_DEFINE(chime, CHIME)
#define CLOCK(TELL, ASK, x)                                                                        \
    TELL(x, 1, poke, hy_nothing)                                                                   \
    TELL(x, 2, ring, chime)
HY_PROTOCOL(clock, CLOCK);
HY_PROTOCOL_DEFINE(clock, CLOCK);

typedef struct clock_page {
    uint64_t number; // 0: free
    hy_alarm alarm;
    hy_ns due;
    bool repeats;
} clock_page;
typedef struct clock_state {
    clock_page book[BOOK];
} clock_state;
HY_BEHAVIOUR(clock, CLOCK, clock, clock_state);

static struct { _Atomic uint64_t number, rings, stops, sets; } chimes;

static hy_err clock_set(hy_actor *self, clock_page *page, uint64_t dice) {
    static const hy_ns times[] = { 0, HY_US(100), HY_MS(1), HY_MS(3), HY_MS(20), HY_SECONDS(3) };
    hy_ns after = times[dice % 6], every = dice & 64 ? times[1 + (dice >> 8) % 4] : 0;
    uint64_t number = atomic_fetch_add(&chimes.number, 1) + 1;
    atomic_fetch_add(&chimes.sets, 1);
    *page = (clock_page){ .number = number,
                          .due = hy_world_now(hy_actor_world(self)) + after,
                          .repeats = every > 0 };
    return HY_AFTER(clock, ring, self, after, every, &page->alarm, .number = number,
                    .text = HY_BYTES("ding"));
}

static hy_err clock_on_poke(hy_actor *self, clock_state *state, const hy_nothing *message) {
    (void)message;
    uint64_t dice = hy_world_random(hy_actor_world(self));
    clock_page *page = &state->book[(dice >> 32) % BOOK];
    if (dice % 32 == 0) return HY_INVARIANT;
    if (dice % 32 == 1) hy_fail(self, HY_IO, "by chance");
    if (dice % 32 < 4) return hy_sleep(HY_US(500)) == HY_OK ? HY_OK : HY_IO;
    if (page->number == 0) return clock_set(self, page, dice >> 8);
    hy_alarm_stop(self, page->alarm);
    atomic_fetch_add(&chimes.stops, 1);
    page->number = 0;
    return HY_OK;
}

static hy_err clock_on_ring(hy_actor *self, clock_state *state, const chime *message) {
    clock_page *page = NULL;
    for (uint32_t i = 0; i < BOOK; i++) {
        if (state->book[i].number == message->number) page = &state->book[i];
    }
    CHECK(page != NULL); // stopped, or another start's
    CHECK_TEXT(message->text, "ding");
    CHECK(hy_world_now(hy_actor_world(self)) >= page->due);
    atomic_fetch_add(&chimes.rings, 1);
    if (!page->repeats) page->number = 0;
    return HY_OK;
}

static const hy_actor_type clock_type = { .name = "clock",
                                          .first = &clock_behaviour,
                                          .state_size = sizeof(clock_state) };

static hy_err clocks_poke(clock_ref *clocks, uint64_t *state) {
    for (uint32_t i = 0; i < CHIMES; i++) {
        uint64_t dice = kit_random(state);
        for (uint32_t k = 0; k < 6; k++) {
            hy_err err = HY_TELL(clock, poke, clocks[(dice >> (k * 4)) % CLOCKS]);
            if (err != HY_OK && err != HY_LIMIT) return err;
        }
        if (dice % 4 == 0) CHECK_OK(hy_sleep((hy_ns)(dice >> 40) % HY_MS(2)));
    }
    return HY_OK;
}

static hy_err chimes_are_in_the_book(hy_node *node, void *unused) {
    (void)unused;
    clock_ref clocks[CLOCKS];
    hy_ref top;
    uint64_t state = kit_seed();
    hy_actor_options options = { .size = sizeof options,
                                 .restart = HY_PERMANENT,
                                 .restarts_max = UINT32_MAX,
                                 .backoff_min = HY_US(10),
                                 .backoff_max = HY_MS(1),
                                 .mailbox.capacity = 16 };
    atomic_store(&chimes.rings, 0);
    CHECK_OK(hy_spawn_actor(node, HY_NOBODY, &hy_supervisor_type, NULL, NULL, &top));
    for (uint32_t i = 0; i < CLOCKS; i++)
        CHECK_OK(HY_SPAWN(clock, node, top, &clock_type, NULL, &options, &clocks[i]));
    CHECK_OK(clocks_poke(clocks, &state));
    CHECK(atomic_load(&chimes.rings) > 0);
    hy_actor_stop(top);
    CHECK_OK(hy_actor_wait_end(top, HY_NEVER));
    return HY_OK;
}

static hy_err nothing_rings_afterwards(hy_node *node, void *unused) {
    CHECK_OK(chimes_are_in_the_book(node, unused));
    CHECK_OK(hy_sleep(HY_SECONDS(1)));
    CHECK_EQ(hyi_here->wheel->count, 0);
    return HY_OK;
}

NODE_SIM(nothing_rings_afterwards)
NODE_REAL(chimes_are_in_the_book)

KIT_TESTS(KIT_TEST_ONCE(sim_nothing_rings_afterwards), KIT_TEST_ONCE(one_chimes_are_in_the_book),
          KIT_TEST_ONCE(two_chimes_are_in_the_book))
