// 06_actors.c - a counter that somebody else owns, and that fails, and comes back.
//
// One actor below a supervisor. It is told and asked; a message that it cannot bear ends its start:
// the supervisor gives it fresh state, and the ref that everybody holds goes on meaning it. In the
// end the books are balanced: every message was handled, or is known by the reason it was not.

#include <hypha/actor.h>
#include <stdio.h>

#define AMOUNT(F) F(1, u64, by)
HY_RECORD(amount, AMOUNT)
HY_RECORD_DEFINE(amount, AMOUNT)

#define COUNTER(TELL, ASK, x)                                                                      \
    TELL(x, 1, add, amount)                                                                        \
    ASK(x, 2, read, hy_nothing, amount)
HY_PROTOCOL(counter, COUNTER);
HY_PROTOCOL_DEFINE(counter, COUNTER);

typedef struct tally {
    uint64_t sum;
} tally;

HY_BEHAVIOUR(tally, COUNTER, counter, tally);

static hy_err tally_start(hy_actor *self, void *state, const void *arg) {
    (void)self;
    ((tally *)state)->sum = *(const uint64_t *)arg;
    printf("counter: starts at %d\n", (int)((tally *)state)->sum);
    return HY_OK;
}

static hy_err tally_on_add(hy_actor *self, tally *state, const amount *message) {
    if (message->by == 13) hy_fail(self, HY_RANGE, "13 brings bad luck"); // does not come back
    state->sum += message->by;
    return HY_OK;
}

static hy_err tally_on_read(hy_actor *self, tally *state, const hy_nothing *message,
                            amount *out_reply) {
    (void)self, (void)message;
    out_reply->by = state->sum;
    return HY_OK;
}

static const hy_actor_type tally_type = { .name = "tally",
                                          .first = &tally_behaviour,
                                          .state_size = sizeof(tally),
                                          .arg_size = sizeof(uint64_t),
                                          .start = tally_start };

static hy_err ask_and_print(counter_ref ref) {
    amount now = { 0 };
    hy_err err = HY_ASK(counter, read, ref, HY_SECONDS(1), &now);
    printf("asked: %s, %d\n", hy_err_name(err), (int)now.by);
    return err;
}

static hy_err count(hy_node *node, hy_ref supervisor) {
    counter_ref ref;
    hy_err err = HY_SPAWN(counter, node, supervisor, &tally_type, &(uint64_t){ 40 },
                          HY_OPTIONS(hy_actor, .name = "hits", .restart = HY_PERMANENT), &ref);
    if (err == HY_OK) err = HY_TELL(counter, add, ref, .by = 2);
    if (err == HY_OK) err = ask_and_print(ref);
    if (err == HY_OK) err = HY_TELL(counter, add, ref, .by = 13);
    if (err == HY_OK) err = HY_TELL(counter, add, ref, .by = 1); // waits for the next start
    if (err == HY_OK) err = ask_and_print(ref);
    return err;
}

static hy_err app(void *unused) {
    (void)unused;
    hy_node *node = NULL;
    hy_ref supervisor;
    hy_err err = hy_node_open(NULL, NULL, &node); // a worker for each core
    if (err == HY_OK) err = hy_actors_in(hy_scope_current(), node, NULL, &supervisor);
    if (err == HY_OK) err = count(node, supervisor);
    if (err != HY_OK) return err;
    hy_account account = hy_node_account(node);
    printf("one message was lost: %s\n", hy_drop_name(HY_DROP_FAILED));
    printf("dropped by failure: %d\n", (int)account.dropped[HY_DROP_FAILED]);
    return HY_OK; // the scope's end stops the actors, then the node
}

int main(void) {
    hy_world *world = NULL;
    hy_err err = hy_world_open(NULL, &world);
    if (err == HY_OK) err = hy_root_run(world, NULL, app, NULL);
    hy_world_close(world);
    printf("end: %s\n", hy_err_name(err));
    return (int)err;
}
