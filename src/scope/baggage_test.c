// baggage_test.c - trace, deadline and tenant across a message.
//
// What a receiver opens with a baggage continues the sender's trace, never has longer than the
// sender has, and hands on what an observer says of the span.
#include "scope/run_suite.h"
#include "kit/kit.h"

#include <string.h>

static const hy_baggage sent = {
    .trace = { 7, 9 }, .span = 11, .time_left = HY_MS(20), .sampled = true, .tenant = "ward 3"
};

static hy_err the_receiver_continues_it(void *unused) {
    (void)unused;
    hy_baggage none = hy_baggage_here();
    CHECK_EQ(none.trace.lo, 0);
    CHECK_EQ(none.time_left, HY_NEVER);
    CHECK(none.tenant[0] == 0);
    hy_err err = HY_OK;
    hy_baggage message = sent;
    HY_SCOPE(s, &err, .name = "receive", .baggage = &message) {
        memset(&message, 0, sizeof message); // it was copied
        CHECK_EQ(hy_scope_deadline(s), hy_world_now(hy_scope_world(s)) + HY_MS(20));
        HY_SCOPE(below, &err) {
            hy_baggage here = hy_baggage_here();
            CHECK(below != s);
            CHECK_EQ(here.trace.hi, 7);
            CHECK_EQ(here.trace.lo, 9);
            CHECK_EQ(here.span, 11);
            CHECK(here.sampled);
            CHECK_TEXT(hy_bytes_of(here.tenant), "ward 3");
            CHECK_EQ(here.time_left, HY_MS(20));
        }
        CHECK_OK(err);
        CHECK_OK(hy_sleep(HY_MS(5)));
        CHECK(hy_baggage_here().time_left <= HY_MS(15));
        CHECK(hy_baggage_here().time_left > 0);
    }
    CHECK_OK(err);
    CHECK_EQ(hy_baggage_here().trace.lo, 0);
    return HY_OK;
}
RUN_SIM(the_receiver_continues_it)

static hy_err it_only_tightens(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_MS(5)) {
        HY_SCOPE(below, &err, .baggage = &sent) {
            CHECK_EQ(hy_scope_deadline(below), hy_scope_deadline(s));
            CHECK_EQ(hy_baggage_here().time_left, HY_MS(5));
        }
        CHECK_OK(err);
    }
    CHECK_OK(err);
    HY_SCOPE(s, &err, .timeout = HY_SECONDS(5), .baggage = &sent) {
        CHECK_EQ(hy_scope_deadline(s), hy_world_now(hy_scope_world(s)) + HY_MS(20));
    }
    CHECK_OK(err);
    const hy_baggage tenant_only = { .tenant = "ward 4" };
    HY_SCOPE(s, &err, .baggage = &tenant_only) {
        CHECK_EQ(hy_scope_deadline(s), HY_NEVER);
        CHECK_EQ(hy_baggage_here().time_left, HY_NEVER);
        CHECK_TEXT(hy_bytes_of(hy_scope_baggage(s)->tenant), "ward 4");
    }
    return err;
}
RUN_SIM(it_only_tightens)

static hy_err the_senders_time_runs_out(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .baggage = &sent) {
        CHECK_ERR(hy_sleep(HY_SECONDS(1)), HY_TIMEOUT);
        CHECK_EQ(hy_baggage_here().time_left, 1);
        CHECK_EQ(hy_scope_reason(s), HY_TIMEOUT);
    }
    CHECK_ERR(err, HY_TIMEOUT);
    return HY_OK;
}
RUN_SIM(the_senders_time_runs_out)

// ---- an observer says what span this is ---------------------------------------------------------

static void give_span(void *self, const hy_scope *scope, const uint64_t slots[3], hy_baggage *out) {
    CHECK(scope == hy_scope_current());
    out->span = *(const uint64_t *)self + slots[0];
    out->sampled = false;
}

static const hy_scope_observer spans = { .baggage = give_span };

static hy_err asks_with_an_observer(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .baggage = &sent) {
        hy_scope_slots(s)[0] = 2;
        hy_baggage here = hy_baggage_here();
        CHECK_EQ(here.span, 42);
        CHECK(!here.sampled);
        CHECK_EQ(here.trace.lo, 9);
    }
    return err;
}

static hy_err the_observer_names_the_span(hy_mem *mem) {
    hy_world *world = NULL;
    uint64_t forty = 40;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    hy_err err =
        hy_root_run(world, HY_OPTIONS(hy_root, .observer = &spans, .observer_self = &forty),
                    asks_with_an_observer, NULL);
    hy_world_close(world);
    return err;
}

KIT_TESTS(KIT_TEST(sim_the_receiver_continues_it), KIT_TEST(sim_it_only_tightens),
          KIT_TEST(sim_the_senders_time_runs_out), KIT_TEST(the_observer_names_the_span))
