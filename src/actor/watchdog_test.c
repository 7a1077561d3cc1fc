// watchdog_test.c - a handler that never ends is told of; and nobody is told of when all rest.
//
// The handler computes until the watchdog has spoken, so nothing here depends on how fast that is.
#include "actor/watchdog.h"
#include "actor/node_suite.h"

#include "kit/kit.h"

#define STUCK_AFTER HY_MS(5)

#define SPINNER(TELL, ASK, x) TELL(x, 1, spin, hy_nothing)
HY_PROTOCOL(spinner, SPINNER);
HY_PROTOCOL_DEFINE(spinner, SPINNER);

typedef struct spinner {
    uint64_t unused;
} spinner;

HY_BEHAVIOUR(spinner, SPINNER, spinner, spinner);

static hy_err spinner_on_spin(hy_actor *self, spinner *state, const hy_nothing *message) {
    (void)self;
    (void)state;
    (void)message;
    const hyi_worker *worker = hyi_here;
    while (!hyi_watchdog_is_stuck(worker)) {
    }
    return HY_OK;
}

static const hy_actor_type spinner_type = { .name = "spinner",
                                            .first = &spinner_behaviour,
                                            .state_size = sizeof(spinner) };

// How often `who` was told of. On a machine that is busy with something else others may be, too.
static uint32_t stuck_events(const hy_node *node, hy_ref who) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < hy_node_workers(node); i++) {
        uint64_t cursor = 0;
        hy_node_event event;
        while (hy_node_event_next(node, i, &cursor, &event)) {
            if (event.kind != HY_EVENT_STUCK) continue;
            count += event.who.id == who.id;
            CHECK(event.value >= (uint64_t)STUCK_AFTER);
        }
    }
    return count;
}

static hy_err spin_body(hy_node *node, void *unused) {
    (void)unused;
    spinner_ref ref;
    CHECK_OK(HY_SPAWN(spinner, node, HY_NOBODY, &spinner_type, NULL, NULL, &ref));
    CHECK_OK(HY_TELL(spinner, spin, ref, 0));
    node_settle(node);
    while (stuck_events(node, ref.ref) == 0) // written by another worker, or by this one afterwards
        if (hy_sleep(HY_US(50)) != HY_OK) break;
    while (!hyi_watchdog_sleeps(node)) // all are parked again, and it notices
        if (hy_sleep(HY_MS(1)) != HY_OK) break;
    for (uint32_t i = 0; i < hy_node_workers(node); i++)
        CHECK(!hyi_watchdog_is_stuck(node->workers[i]));
    return HY_OK;
}

static hy_err spin_on(hy_mem *mem, uint32_t workers) {
    hy_node_options options = { .size = sizeof options, .stuck_after = STUCK_AFTER };
    return node_in_real(mem, workers, &options, spin_body, NULL);
}

static hy_err one_worker_that_computes_is_told_of(hy_mem *mem) {
    return spin_on(mem, 1);
}

static hy_err one_of_two_that_computes_is_told_of(hy_mem *mem) {
    return spin_on(mem, 2);
}

KIT_TESTS(KIT_TEST_ONCE(one_worker_that_computes_is_told_of),
          KIT_TEST_ONCE(one_of_two_that_computes_is_told_of))
