// 07_topics.c - one who says it, and all who want to hear it.
//
// A kitchen publishes what becomes ready; waiters subscribe to their own tables, the till to all of
// them. The message is made once, and everybody reads the same one. A pool of cooks shares the
// work: the same table always goes to the same cook, because the route is by key.

#include <hypha/broker.h>
#include <stdio.h>

#define DISH(F) F(1, u32, table) F(2, str, name) F(3, u32, cents)
HY_RECORD(dish, DISH)
HY_RECORD_DEFINE(dish, DISH)
#define BILL(F) F(1, u32, dishes) F(2, u32, cents)
HY_RECORD(bill, BILL)
HY_RECORD_DEFINE(bill, BILL)

#define LISTENER(TELL, ASK, x)                                                                     \
    TELL(x, 1, ready, dish)                                                                        \
    ASK(x, 2, total, hy_nothing, bill)
HY_PROTOCOL(listener, LISTENER);
HY_PROTOCOL_DEFINE(listener, LISTENER);

#define COOK(TELL, ASK, x) ASK(x, 1, prepare, dish, bill)
HY_PROTOCOL(cook, COOK);
HY_PROTOCOL_DEFINE(cook, COOK);

// ---- waiters and the till: they add up what they hear -----------------------------------------

HY_BEHAVIOUR(waiter, LISTENER, listener, bill);

static hy_err waiter_on_ready(hy_actor *self, bill *state, const dish *message) {
    (void)self;
    state->dishes++;
    state->cents += message->cents;
    return HY_OK;
}

static hy_err waiter_on_total(hy_actor *self, bill *state, const hy_nothing *message,
                              bill *out_reply) {
    (void)self, (void)message;
    *out_reply = *state;
    return HY_OK;
}

static const hy_actor_type waiter_type = { .name = "waiter",
                                           .first = &waiter_behaviour,
                                           .state_size = sizeof(bill) };

// ---- cooks: they prepare, and publish ---------------------------------------------------------

typedef struct stove {
    bill so_far;
} stove;
static hy_broker *broker; // set before there are cooks, and never again

HY_BEHAVIOUR(chef, COOK, cook, stove);

static hy_err chef_on_prepare(hy_actor *self, stove *state, const dish *message, bill *out_reply) {
    (void)self;
    char topic[32];
    snprintf(topic, sizeof topic, "table.%u.ready", (unsigned)message->table);
    state->so_far.dishes++;
    *out_reply = state->so_far;
    return HY_PUBLISH(listener, ready, broker, topic, NULL, .table = message->table,
                      .name = message->name, .cents = message->cents);
}

static const hy_actor_type chef_type = { .name = "cook",
                                         .first = &chef_behaviour,
                                         .state_size = sizeof(stove) };

// ---- an evening -------------------------------------------------------------------------------

static hy_err order(hy_pool *cooks, uint32_t table, hy_text name, uint32_t cents) {
    bill of_cook;
    return HY_ASK(cook, prepare, HY_PICK(cook, cooks, table), HY_SECONDS(5), &of_cook,
                  .table = table, .name = name, .cents = cents);
}

static hy_err show(const char *who, listener_ref ref) {
    bill sum = { 0 };
    hy_err err = HY_ASK(listener, total, ref, HY_SECONDS(5), &sum);
    printf("%s: %u dishes, %u cents\n", who, (unsigned)sum.dishes, (unsigned)sum.cents);
    return err;
}

static hy_err evening(hy_node *node) {
    hy_pool *cooks = NULL;
    listener_ref anna, till;
    uint64_t subscription;
    hy_err err = hy_pool_open(broker, HY_NOBODY, &chef_type, NULL,
                              HY_OPTIONS(hy_pool, .members = 2, .route = HY_ROUTE_HASH), &cooks);
    if (!err) err = HY_SPAWN(listener, node, HY_NOBODY, &waiter_type, NULL, NULL, &anna);
    if (!err) err = HY_SPAWN(listener, node, HY_NOBODY, &waiter_type, NULL, NULL, &till);
    if (!err) err = hy_name_set(broker, "till", till.ref);
    if (!err) {
        err = HY_SUBSCRIBE(listener, ready, broker, "table.7.*", anna, NULL, &subscription);
    }
    if (!err) err = HY_SUBSCRIBE(listener, ready, broker, "table.>", till, NULL, &subscription);
    if (!err) err = order(cooks, 7, HY_BYTES("soup"), 450);
    if (!err) err = order(cooks, 8, HY_BYTES("fish"), 1650);
    if (!err) err = order(cooks, 7, HY_BYTES("cake"), 390);
    if (!err) err = show("Anna, table 7", anna);
    if (!err) err = show("the till", HY_FIND(listener, broker, "till"));
    return err;
}

static hy_err app(void *unused) {
    (void)unused;
    hy_node *node = NULL;
    hy_err err = hy_node_open(NULL, NULL, &node);
    if (!err) err = hy_broker_open(node, NULL, &broker);
    return err ? err : evening(node);
}

int main(void) {
    hy_world *world = NULL;
    hy_err err = hy_world_open(NULL, &world);
    if (err == HY_OK) err = hy_root_run(world, NULL, app, NULL);
    hy_world_close(world);
    printf("end: %s\n", hy_err_name(err));
    return (int)err;
}
