// actor_savina.c - the rows of actor_bench after the Savina suite, and skynet.
//
// Savina: S. Imam, V. Sarkar, "Savina - an actor benchmark suite", AGERE 2014; its parameters, but
// without its busy loops: only what actors do counts.
//
//     threadring            a token goes 100,000 hops round 100 actors; a hop
//     count                 a million increments, then the sum is asked for; a message
//     forkjoin_create       40,000 actors, each started, told one message, ended; each
//     forkjoin_throughput   10,000 messages to each of 60 actors in turn; a message
//     fib                   of 25, an actor for each call, 150,049 in all; all of it
//     bounded_buffer        40 producers, 40 consumers, 1,000 items each, room for 50; an item
//     philosophers          20 of them, 10,000 meals each, who is refused asks again; a meal
//     skynet_1m             a tree of ten to the sixth leaves that add up their numbers; all of it
#include "bench/actor_drive.h"

#include <stdatomic.h>

#define SAVINA_RING 100u
#define SAVINA_WORKERS 60u
#define SAVINA_TRADERS 40u
#define SAVINA_ROOM 50u
#define SAVINA_SEATS 20u

typedef struct savina_nothing {
    uint64_t nothing;
} savina_nothing;

static struct {
    crew_ref gate;
    uint64_t times;
} savina_run;
static atomic_uint_fast64_t savina_done; // all who end add; the last one tells

static const hy_actor_options savina_waiting = { .size = sizeof savina_waiting,
                                                 .mailbox = { .full = HY_FULL_WAIT } };

static double savina_since(double start) {
    actor_gate_wait(savina_run.gate);
    return (bench_now() - start) * 1e9;
}

// ---- threadring -------------------------------------------------------------------------------

typedef struct ringer {
    crew_ref next;
} ringer;
HY_BEHAVIOUR(ringer, CREW_ITEMS_FROMS, crew, ringer);
static const hy_actor_type ringer_type = { .name = "ringer",
                                           .first = &ringer_behaviour,
                                           .state_size = sizeof(ringer) };

static hy_err ringer_on_from(hy_actor *self, ringer *state, const crew_from *message) {
    (void)self;
    state->next = crew_of(message->from);
    return HY_OK;
}

static hy_err ringer_on_item(hy_actor *self, ringer *state, const crew_item *message) {
    (void)self;
    if (message->value > 0) return HY_TELL(crew, item, state->next, .value = message->value - 1);
    actor_gate_open(savina_run.gate);
    return HY_OK;
}

static double savina_threadring(hy_node *node, uint64_t times) {
    crew_ref ring[SAVINA_RING];
    savina_run.gate = actor_gate(node);
    for (uint32_t i = 0; i < SAVINA_RING; i++)
        ring[i] = actor_spawned(node, HY_NOBODY, &ringer_type, NULL, NULL);
    for (uint32_t i = 0; i < SAVINA_RING; i++) {
        crew_ref next = ring[(i + 1) % SAVINA_RING];
        bench_must(HY_TELL(crew, from, ring[i], .from = next.ref.id), "telling");
    }
    double start = bench_now();
    bench_must(HY_TELL(crew, item, ring[0], .value = times), "telling");
    double ns = savina_since(start);
    for (uint32_t i = 0; i < SAVINA_RING; i++)
        actor_stop_wait(ring[i]);
    return ns;
}

// ---- count ------------------------------------------------------------------------------------

typedef struct adder {
    uint64_t sum;
} adder;
#define SAVINA_ADDER(TELL, ASK, x) CREW_ITEMS(TELL, ASK, x) CREW_ECHOES(TELL, ASK, x)
HY_BEHAVIOUR(adder, SAVINA_ADDER, crew, adder);
static const hy_actor_type adder_type = { .name = "adder",
                                          .first = &adder_behaviour,
                                          .state_size = sizeof(adder) };

static hy_err adder_on_item(hy_actor *self, adder *state, const crew_item *message) {
    (void)self;
    state->sum += message->value;
    return HY_OK;
}

static hy_err adder_on_echo(hy_actor *self, adder *state, const crew_item *message,
                            crew_item *out_reply) {
    (void)self, (void)message;
    out_reply->value = state->sum;
    return HY_OK;
}

HY_BEHAVIOUR(counter, CREW_GOES, crew, savina_nothing);
static const hy_actor_type counter_type = { .name = "counter", .first = &counter_behaviour };

static hy_err counter_on_go(hy_actor *self, savina_nothing *state, const crew_from *message) {
    (void)state;
    crew_ref to = crew_of(message->from);
    hy_err err = HY_OK;
    for (uint64_t i = 0; i < message->value && err == HY_OK; i++)
        err = HY_TELL(crew, item, to, .value = 1);
    crew_item sum = { 0 };
    if (err == HY_OK) err = HY_ASK(crew, echo, to, HY_SECONDS(60), &sum, .value = 0);
    if (err != HY_OK) return err;
    if (sum.value != message->value) return HY_INVARIANT;
    actor_gate_open(savina_run.gate);
    hy_actor_end(self);
    return HY_OK;
}

static double savina_count(hy_node *node, uint64_t times) {
    savina_run.gate = actor_gate(node);
    double start = bench_now();
    crew_ref to = actor_spawned(node, HY_NOBODY, &adder_type, NULL, &savina_waiting);
    crew_ref from = actor_spawned(node, HY_NOBODY, &counter_type, NULL, NULL);
    bench_must(HY_TELL(crew, go, from, .value = times, .from = to.ref.id), "telling");
    double ns = savina_since(start);
    actor_stop_wait(to);
    return ns;
}

// ---- fork and join ----------------------------------------------------------------------------

typedef struct forked {
    uint64_t taken;
} forked;
HY_BEHAVIOUR(forked, CREW_ITEMS, crew, forked);
static const hy_actor_type forked_type = { .name = "forked",
                                           .first = &forked_behaviour,
                                           .state_size = sizeof(forked) };

static void savina_one_done(uint64_t last) {
    if (atomic_fetch_add_explicit(&savina_done, 1, memory_order_acq_rel) + 1 == last)
        actor_gate_open(savina_run.gate);
}

// `value` is how many messages it gets, and `times` how many actors there are.
static hy_err forked_on_item(hy_actor *self, forked *state, const crew_item *message) {
    if (++state->taken < message->value) return HY_OK;
    savina_one_done(savina_run.times);
    hy_actor_end(self);
    return HY_OK;
}

HY_BEHAVIOUR(forker, CREW_GOES, crew, savina_nothing);
static const hy_actor_type forker_type = { .name = "forker", .first = &forker_behaviour };

static hy_err forker_on_go(hy_actor *self, savina_nothing *state, const crew_from *message) {
    (void)state;
    hy_err err = HY_OK;
    hy_node *node = hy_actor_node(self);
    for (uint64_t i = 0; i < message->value && err == HY_OK; i++) {
        crew_ref child = { HY_NOBODY };
        err = HY_SPAWN(crew, node, HY_NOBODY, &forked_type, NULL, NULL, &child);
        if (err == HY_OK) err = HY_TELL(crew, item, child, .value = 1);
    }
    hy_actor_end(self);
    return err;
}

HY_BEHAVIOUR(dealer, CREW_GOES, crew, savina_nothing);
static const hy_actor_type dealer_type = { .name = "dealer", .first = &dealer_behaviour };

static hy_err dealer_on_go(hy_actor *self, savina_nothing *state, const crew_from *message) {
    (void)state;
    crew_ref worker[SAVINA_WORKERS];
    hy_node *node = hy_actor_node(self);
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < SAVINA_WORKERS && err == HY_OK; i++) {
        err = HY_SPAWN(crew, node, HY_NOBODY, &forked_type, NULL, &savina_waiting, &worker[i]);
    }
    for (uint64_t round = 0; round < message->value; round++) {
        for (uint32_t i = 0; i < SAVINA_WORKERS && err == HY_OK; i++)
            err = HY_TELL(crew, item, worker[i], .value = message->value);
    }
    hy_actor_end(self);
    return err;
}

static double savina_forkjoin(hy_node *node, const hy_actor_type *type, uint64_t actors,
                              uint64_t value) {
    savina_run.times = actors;
    savina_run.gate = actor_gate(node);
    atomic_store(&savina_done, 0);
    crew_ref from = actor_spawned(node, HY_NOBODY, type, NULL, NULL);
    double start = bench_now();
    bench_must(HY_TELL(crew, go, from, .value = value), "telling");
    return savina_since(start);
}

static double savina_forkjoin_create(hy_node *node, uint64_t times) {
    return savina_forkjoin(node, &forker_type, times, times);
}

static double savina_forkjoin_throughput(hy_node *node, uint64_t times) {
    uint64_t each = times > SAVINA_WORKERS ? times / SAVINA_WORKERS : 1;
    double ns = savina_forkjoin(node, &dealer_type, SAVINA_WORKERS, each);
    return ns * (double)times / (double)(each * SAVINA_WORKERS);
}

// ---- trees ------------------------------------------------------------------------------------

typedef struct branch_arg {
    crew_ref parent;
    uint64_t number, size; // fib: of what; skynet: the first leaf, and how many
} branch_arg;
typedef struct branch {
    crew_ref parent;
    uint64_t sum;
    uint32_t left;
} branch;
HY_BEHAVIOUR(branch, CREW_ITEMS, crew, branch);

static hy_err branch_tell(hy_actor *self, crew_ref parent, uint64_t value) {
    hy_actor_end(self);
    return HY_TELL(crew, item, parent, .value = value);
}

static hy_err branch_on_item(hy_actor *self, branch *state, const crew_item *message) {
    state->sum += message->value;
    return --state->left > 0 ? HY_OK : branch_tell(self, state->parent, state->sum);
}

static hy_err branch_grow(hy_actor *self, const hy_actor_type *type, uint64_t number,
                          uint64_t size) {
    branch_arg arg = { .parent = { hy_self(self) }, .number = number, .size = size };
    hy_ref ref;
    return hy_spawn_actor(hy_actor_node(self), HY_NOBODY, type, &arg, NULL, &ref);
}

static hy_err fib_start(hy_actor *self, void *state, const void *arg);
static const hy_actor_type fib_type = { .name = "fib",
                                        .first = &branch_behaviour,
                                        .state_size = sizeof(branch),
                                        .arg_size = sizeof(branch_arg),
                                        .start = fib_start };

static hy_err fib_start(hy_actor *self, void *state, const void *arg) {
    const branch_arg *of = (const branch_arg *)arg;
    if (of->number <= 2) return branch_tell(self, of->parent, 1);
    *(branch *)state = (branch){ .parent = of->parent, .left = 2 };
    hy_err err = branch_grow(self, &fib_type, of->number - 1, 0);
    return err == HY_OK ? branch_grow(self, &fib_type, of->number - 2, 0) : err;
}

static hy_err skynet_start(hy_actor *self, void *state, const void *arg);
static const hy_actor_type skynet_type = { .name = "skynet",
                                           .first = &branch_behaviour,
                                           .state_size = sizeof(branch),
                                           .arg_size = sizeof(branch_arg),
                                           .start = skynet_start };

static hy_err skynet_start(hy_actor *self, void *state, const void *arg) {
    const branch_arg *of = (const branch_arg *)arg;
    if (of->size == 1) return branch_tell(self, of->parent, of->number);
    *(branch *)state = (branch){ .parent = of->parent, .left = 10 };
    hy_err err = HY_OK;
    uint64_t part = of->size / 10;
    for (uint64_t i = 0; i < 10 && err == HY_OK; i++)
        err = branch_grow(self, &skynet_type, of->number + i * part, part);
    return err;
}

// Gets the sum, and compares.
HY_BEHAVIOUR(root, CREW_ITEMS, crew, savina_nothing);
static const hy_actor_type root_type = { .name = "root", .first = &root_behaviour };

static hy_err root_on_item(hy_actor *self, savina_nothing *state, const crew_item *message) {
    (void)state;
    if (message->value != savina_run.times) return HY_INVARIANT;
    actor_gate_open(savina_run.gate);
    hy_actor_end(self);
    return HY_OK;
}

static double savina_tree(hy_node *node, const hy_actor_type *type, uint64_t number, uint64_t size,
                          uint64_t sum) {
    savina_run.times = sum;
    savina_run.gate = actor_gate(node);
    crew_ref root = actor_spawned(node, HY_NOBODY, &root_type, NULL, NULL);
    branch_arg arg = { .parent = root, .number = number, .size = size };
    double start = bench_now();
    actor_spawned(node, HY_NOBODY, type, &arg, NULL);
    return savina_since(start);
}

static double savina_fib(hy_node *node, uint64_t times) {
    bool is_whole = times >= 25;
    return savina_tree(node, &fib_type, is_whole ? 25 : 10, 0, is_whole ? 75025 : 55);
}

static double savina_skynet(hy_node *node, uint64_t times) {
    uint64_t size = 1;
    while (size * 10 <= times)
        size *= 10;
    return savina_tree(node, &skynet_type, 0, size, size * (size - 1) / 2);
}

// ---- the bounded buffer -----------------------------------------------------------------------

// `from`: of a producer, with an item; `item`: its turn to produce, or an item to consume.
typedef struct producer {
    uint64_t left;
    crew_ref manager;
} producer;
HY_BEHAVIOUR(producer, CREW_ITEMS_GOES, crew, producer);
static const hy_actor_type producer_type = { .name = "producer",
                                             .first = &producer_behaviour,
                                             .state_size = sizeof(producer) };

static hy_err producer_on_go(hy_actor *self, producer *state, const crew_from *message) {
    (void)self;
    *state = (producer){ .left = message->value, .manager = crew_of(message->from) };
    return HY_OK;
}

static hy_err producer_on_item(hy_actor *self, producer *state, const crew_item *message) {
    (void)message;
    if (state->left == 0) return HY_OK; // asked once more than it has items
    state->left--;
    return HY_TELL(crew, from, state->manager, .value = state->left, .from = hy_self(self).id);
}

HY_BEHAVIOUR(consumer, CREW_ITEMS_GOES, crew, producer);
static const hy_actor_type consumer_type = { .name = "consumer",
                                             .first = &consumer_behaviour,
                                             .state_size = sizeof(producer) };

static hy_err consumer_on_go(hy_actor *self, producer *state, const crew_from *message) {
    (void)self;
    state->manager = crew_of(message->from);
    return HY_OK;
}

static hy_err consumer_on_item(hy_actor *self, producer *state, const crew_item *message) {
    (void)message;
    return HY_TELL(crew, go, state->manager, .from = hy_self(self).id);
}

// 40 of its places are kept for what producers have in hand, so 10 are for what waits.
typedef struct manager {
    uint64_t left;
    uint32_t first, queued, idle_count, waiting_count;
    uint64_t items[SAVINA_ROOM];
    crew_ref idle[SAVINA_TRADERS], waiting[SAVINA_TRADERS];
} manager;
#define SAVINA_MANAGER(TELL, ASK, x)                                                               \
    CREW_ITEMS_FROMS(TELL, ASK, x)                                                                 \
    CREW_GOES(TELL, ASK, x)
HY_BEHAVIOUR(manager, SAVINA_MANAGER, crew, manager);
static const hy_actor_type manager_type = { .name = "manager",
                                            .first = &manager_behaviour,
                                            .state_size = sizeof(manager) };

// The beginning: so many items in all.
static hy_err manager_on_item(hy_actor *self, manager *state, const crew_item *message) {
    uint64_t me = hy_self(self).id, each = message->value / SAVINA_TRADERS;
    hy_node *node = hy_actor_node(self);
    state->left = each * SAVINA_TRADERS;
    for (uint32_t i = 0; i < SAVINA_TRADERS; i++) {
        crew_ref from = actor_spawned(node, hy_self(self), &producer_type, NULL, NULL);
        crew_ref to = actor_spawned(node, hy_self(self), &consumer_type, NULL, NULL);
        hy_err err = HY_TELL(crew, go, from, .value = each, .from = me);
        if (err == HY_OK) err = HY_TELL(crew, go, to, .from = me);
        if (err == HY_OK) err = HY_TELL(crew, item, from, .value = 0);
        if (err != HY_OK) return err;
        state->idle[state->idle_count++] = to;
    }
    return HY_OK;
}

// An item of a producer.
static hy_err manager_on_from(hy_actor *self, manager *state, const crew_from *message) {
    (void)self;
    hy_err err = HY_OK;
    if (state->idle_count > 0) {
        crew_ref to = state->idle[--state->idle_count];
        err = HY_TELL(crew, item, to, .value = message->value);
    } else {
        uint32_t last = (state->first + state->queued++) % SAVINA_ROOM;
        state->items[last] = message->value;
    }
    if (err != HY_OK) return err;
    crew_ref from = crew_of(message->from);
    if (state->queued < SAVINA_ROOM - SAVINA_TRADERS) return HY_TELL(crew, item, from, .value = 0);
    state->waiting[state->waiting_count++] = from;
    return HY_OK;
}

// A consumer is ready for the next.
static hy_err manager_on_go(hy_actor *self, manager *state, const crew_from *message) {
    hy_err err = HY_OK;
    crew_ref to = crew_of(message->from);
    if (state->queued == 0) {
        state->idle[state->idle_count++] = to;
    } else {
        err = HY_TELL(crew, item, to, .value = state->items[state->first]);
        state->first = (state->first + 1) % SAVINA_ROOM;
        state->queued--;
        if (err == HY_OK && state->waiting_count > 0)
            err = HY_TELL(crew, item, state->waiting[--state->waiting_count], .value = 0);
    }
    if (err != HY_OK || --state->left > 0) return err;
    actor_gate_open(savina_run.gate);
    hy_actor_end(self);
    return HY_OK;
}

static double savina_bounded_buffer(hy_node *node, uint64_t times) {
    savina_run.gate = actor_gate(node);
    uint64_t items = times > SAVINA_TRADERS ? times : SAVINA_TRADERS;
    double start = bench_now();
    crew_ref to = actor_spawned(node, HY_NOBODY, &manager_type, NULL, NULL);
    bench_must(HY_TELL(crew, item, to, .value = items), "telling");
    double ns = savina_since(start);
    bench_must(hy_actor_wait_end(to.ref, HY_NEVER), "waiting for the manager");
    return ns;
}

// ---- philosophers -----------------------------------------------------------------------------

// `from` to the table: hungry; `go`: done, or full at value 1. `item` to a philosopher: 1 is to
// eat.
typedef struct table {
    uint32_t full_count;
    bool taken[SAVINA_SEATS];
} table;
#define SAVINA_TABLE(TELL, ASK, x) CREW_FROMS(TELL, ASK, x) CREW_GOES(TELL, ASK, x)
HY_BEHAVIOUR(table, SAVINA_TABLE, crew, table);
static const hy_actor_type table_type = { .name = "table",
                                          .first = &table_behaviour,
                                          .state_size = sizeof(table) };

static hy_err table_on_from(hy_actor *self, table *state, const crew_from *message) {
    (void)self;
    uint64_t seat = message->value;
    bool *mine = &state->taken[seat], *other = &state->taken[(seat + 1) % SAVINA_SEATS];
    bool eats = !*mine && !*other;
    if (eats) *mine = *other = true;
    return HY_TELL(crew, item, crew_of(message->from), .value = eats);
}

static hy_err table_on_go(hy_actor *self, table *state, const crew_from *message) {
    uint64_t seat = message->from;
    if (message->value == 0) {
        state->taken[seat] = state->taken[(seat + 1) % SAVINA_SEATS] = false;
        return HY_OK;
    }
    if (++state->full_count < SAVINA_SEATS) return HY_OK;
    actor_gate_open(savina_run.gate);
    hy_actor_end(self);
    return HY_OK;
}

typedef struct philosopher {
    crew_ref table;
    uint64_t seat, left;
} philosopher;
HY_BEHAVIOUR(philosopher, CREW_ITEMS, crew, philosopher);

static hy_err philosopher_ask(hy_actor *self, const philosopher *state) {
    return HY_TELL(crew, from, state->table, .value = state->seat, .from = hy_self(self).id);
}

static hy_err philosopher_start(hy_actor *self, void *state, const void *arg) {
    *(philosopher *)state = *(const philosopher *)arg;
    return philosopher_ask(self, (const philosopher *)arg);
}
static const hy_actor_type philosopher_type = { .name = "philosopher",
                                                .first = &philosopher_behaviour,
                                                .state_size = sizeof(philosopher),
                                                .arg_size = sizeof(philosopher),
                                                .start = philosopher_start };

static hy_err philosopher_on_item(hy_actor *self, philosopher *state, const crew_item *message) {
    if (message->value == 0) return philosopher_ask(self, state);
    hy_err err = HY_TELL(crew, go, state->table, .value = 0, .from = state->seat);
    if (err != HY_OK) return err;
    if (--state->left > 0) return philosopher_ask(self, state);
    hy_actor_end(self);
    return HY_TELL(crew, go, state->table, .value = 1, .from = state->seat);
}

static double savina_philosophers(hy_node *node, uint64_t times) {
    savina_run.gate = actor_gate(node);
    uint64_t meals = times > SAVINA_SEATS ? times / SAVINA_SEATS : 1;
    double start = bench_now();
    crew_ref at = actor_spawned(node, HY_NOBODY, &table_type, NULL, NULL);
    for (uint64_t seat = 0; seat < SAVINA_SEATS; seat++) {
        philosopher arg = { .table = at, .seat = seat, .left = meals };
        actor_spawned(node, HY_NOBODY, &philosopher_type, &arg, NULL);
    }
    double ns = savina_since(start);
    return ns * (double)times / (double)(meals * SAVINA_SEATS);
}

static const actor_row savina_rows[] = {
    { "threadring", "ns", savina_threadring, 100000, 1, false },
    { "count", "ns", savina_count, 1000000, 1, false },
    { "forkjoin_create", "ns", savina_forkjoin_create, 40000, 1, false },
    { "forkjoin_throughput", "ns", savina_forkjoin_throughput, 600000, 1, false },
    { "fib", "ms", savina_fib, 25, 1, false },
    { "bounded_buffer", "ns", savina_bounded_buffer, 40000, 1, false },
    { "philosophers", "ns", savina_philosophers, 200000, 1, false },
    { "skynet_1m", "ms", savina_skynet, 1000000, 1, false },
};

actor_rows actor_savina_rows(void) {
    return ACTOR_ROWS(savina_rows);
}
