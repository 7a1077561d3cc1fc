// actor_life.c - the rows of actor_bench about actors that start, idle, fail and end.
//
//     spawn              an actor is started; its start tells the one that started it, which starts
//                        the next; and it ends
//     spawn_batch        64 started by one handler, each ends in its start, then the next 64
//     spawn_1m           a million, from the first spawn to the last one's start done
//     spawn_1m_cold      the same in a process that never had an actor: the first touch of all
//     pages spawn_kill_churn   started, a message to it and one back, killed idle_bytes resident
//     memory of each of a million idle actors below nobody supervised_bytes   and below a
//     supervisor idle_cpu           processor time that a node with a million idle actors takes in
//     2 s, all of
//                        it in ms: nothing may poll
//     restart            from the return of a handler that fails to the handling of the next
//                        message by the next start, without backoff; the message was in the mailbox
//     restart_one_for_all  the same where ten more are stopped, and started again before it
//     overload_fail      sending to a full mailbox of 1,000 that refuses: each attempt
//     overload_drop_old  and to one that gives up its oldest
#include "bench/actor_drive.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LIFE_BATCH 64u
#define LIFE_GROUP 10u
#define LIFE_ROOM 1000u

typedef struct life_nothing {
    uint64_t nothing;
} life_nothing;

static struct {
    crew_ref gate, parent;
    uint64_t times, failed;
    double failed_at;
} life_run;
static atomic_uint_fast64_t life_up; // all starts add; the last one tells

// ---- starting ---------------------------------------------------------------------------------

static hy_err child_start(hy_actor *self, void *state, const void *arg) {
    (void)state, (void)arg;
    hy_actor_end(self);
    return HY_TELL(crew, item, life_run.parent, .value = 0);
}
static const hy_actor_type child_type = { .name = "child", .start = child_start };

typedef struct mother {
    double since;
    uint64_t left;
} mother;
HY_BEHAVIOUR(mother, CREW_ITEMS_GOES, crew, mother);
static const hy_actor_type mother_type = { .name = "mother",
                                           .first = &mother_behaviour,
                                           .state_size = sizeof(mother) };

static hy_err life_bear(hy_actor *self, const hy_actor_type *type) {
    hy_ref ref;
    return hy_spawn_actor(hy_actor_node(self), HY_NOBODY, type, NULL, NULL, &ref);
}

static hy_err mother_on_go(hy_actor *self, mother *state, const crew_from *message) {
    state->left = message->value;
    return life_bear(self, &child_type);
}

static hy_err mother_on_item(hy_actor *self, mother *state, const crew_item *message) {
    (void)message;
    actor_sample_end(state->since);
    state->since = actor_sample_start(--state->left);
    if (state->left > 0) return life_bear(self, &child_type);
    actor_gate_open(life_run.gate);
    hy_actor_end(self);
    return HY_OK;
}

static double life_parenting(hy_node *node, const hy_actor_type *type, uint64_t times) {
    life_run.gate = actor_gate(node);
    life_run.parent = actor_spawned(node, HY_NOBODY, type, NULL, NULL);
    double start = bench_now();
    bench_must(HY_TELL(crew, go, life_run.parent, .value = times), "telling");
    actor_gate_wait(life_run.gate);
    return (bench_now() - start) * 1e9;
}

static double life_spawn(hy_node *node, uint64_t times) {
    return life_parenting(node, &mother_type, times);
}

// The last of a batch tells its parent.
static hy_err sibling_start(hy_actor *self, void *state, const void *arg) {
    (void)state, (void)arg;
    hy_actor_end(self);
    uint64_t nth = atomic_fetch_add_explicit(&life_up, 1, memory_order_acq_rel) + 1;
    if (nth % LIFE_BATCH != 0) return HY_OK;
    return HY_TELL(crew, item, life_run.parent, .value = 0);
}
static const hy_actor_type sibling_type = { .name = "sibling", .start = sibling_start };

HY_BEHAVIOUR(batcher, CREW_ITEMS_GOES, crew, mother);
static const hy_actor_type batcher_type = { .name = "batcher",
                                            .first = &batcher_behaviour,
                                            .state_size = sizeof(mother) };

static hy_err batcher_next(hy_actor *self) {
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < LIFE_BATCH && err == HY_OK; i++)
        err = life_bear(self, &sibling_type);
    return err;
}

static hy_err batcher_on_go(hy_actor *self, mother *state, const crew_from *message) {
    state->left = message->value;
    atomic_store(&life_up, 0);
    return batcher_next(self);
}

static hy_err batcher_on_item(hy_actor *self, mother *state, const crew_item *message) {
    (void)message;
    if (--state->left > 0) return batcher_next(self);
    actor_gate_open(life_run.gate);
    hy_actor_end(self);
    return HY_OK;
}

static double life_spawn_batch(hy_node *node, uint64_t times) {
    uint64_t batches = times > LIFE_BATCH ? times / LIFE_BATCH : 1;
    double ns = life_parenting(node, &batcher_type, batches);
    return ns * (double)times / (double)(batches * LIFE_BATCH);
}

// ---- churning ---------------------------------------------------------------------------------

HY_BEHAVIOUR(victim, CREW_ITEMS, crew, life_nothing);
static const hy_actor_type victim_type = { .name = "victim", .first = &victim_behaviour };

static hy_err victim_on_item(hy_actor *self, life_nothing *state, const crew_item *message) {
    (void)self, (void)state;
    return HY_TELL(crew, item, life_run.parent, .value = message->value);
}

typedef struct killer {
    double since;
    uint64_t left;
    crew_ref victim;
} killer;
HY_BEHAVIOUR(killer, CREW_ITEMS_GOES, crew, killer);
static const hy_actor_type killer_type = { .name = "killer",
                                           .first = &killer_behaviour,
                                           .state_size = sizeof(killer) };

static hy_err killer_next(hy_actor *self, killer *state) {
    hy_node *node = hy_actor_node(self);
    hy_err err = HY_SPAWN(crew, node, HY_NOBODY, &victim_type, NULL, NULL, &state->victim);
    if (err != HY_OK) return err;
    return HY_TELL(crew, item, state->victim, .value = state->left);
}

static hy_err killer_on_go(hy_actor *self, killer *state, const crew_from *message) {
    state->left = message->value;
    return killer_next(self, state);
}

static hy_err killer_on_item(hy_actor *self, killer *state, const crew_item *message) {
    (void)message;
    hy_actor_kill(state->victim.ref);
    actor_sample_end(state->since);
    state->since = actor_sample_start(--state->left);
    if (state->left > 0) return killer_next(self, state);
    actor_gate_open(life_run.gate);
    hy_actor_end(self);
    return HY_OK;
}

static double life_churn(hy_node *node, uint64_t times) {
    return life_parenting(node, &killer_type, times);
}

// ---- a million --------------------------------------------------------------------------------

HY_BEHAVIOUR(idler, CREW_ITEMS, crew, life_nothing);

static hy_err idler_on_item(hy_actor *self, life_nothing *state, const crew_item *message) {
    (void)self, (void)state, (void)message;
    return HY_OK;
}

static hy_err idler_start(hy_actor *self, void *state, const void *arg) {
    (void)self, (void)state, (void)arg;
    if (atomic_fetch_add_explicit(&life_up, 1, memory_order_acq_rel) + 1 == life_run.times)
        actor_gate_open(life_run.gate);
    return HY_OK;
}
static const hy_actor_type idler_type = { .name = "idler",
                                          .first = &idler_behaviour,
                                          .start = idler_start };

static double life_start(hy_node *node, hy_ref parent, uint64_t times, hy_ref *refs) {
    life_run.times = times;
    life_run.gate = actor_gate(node);
    atomic_store(&life_up, 0);
    double start = bench_now();
    for (uint64_t i = 0; i < times; i++) {
        bench_must(hy_spawn_actor(node, parent, &idler_type, NULL, NULL, &refs[i]), "spawning");
    }
    actor_gate_wait(life_run.gate);
    return (bench_now() - start) * 1e9;
}

// Touched, so that they are no part of anybody's memory.
static hy_ref *life_refs(uint64_t times) {
    hy_ref *refs = calloc(times, sizeof *refs);
    if (!refs) bench_must(HY_NOMEM, "refs");
    for (uint64_t i = 0; i < times; i++)
        refs[i] = (hy_ref){ .id = i + 1 };
    return refs;
}

static void life_end(hy_ref *refs, uint64_t times) {
    for (uint64_t i = 0; i < times; i++)
        hy_actor_stop(refs[i]);
    for (uint64_t i = 0; i < times; i++)
        bench_must(hy_actor_wait_end(refs[i], HY_NEVER), "waiting for an end");
    free(refs);
}

static double life_spawn_1m(hy_node *node, uint64_t times) {
    hy_ref *refs = life_refs(times);
    double ns = life_start(node, HY_NOBODY, times, refs);
    life_end(refs, times);
    return ns;
}

static double life_bytes(hy_node *node, hy_ref parent, uint64_t times) {
    hy_ref *refs = life_refs(times);
    double before = actor_resident();
    life_start(node, parent, times, refs);
    double bytes = actor_resident() - before;
    life_end(refs, times);
    return bytes;
}

static double life_idle_bytes(hy_node *node, uint64_t times) {
    return life_bytes(node, HY_NOBODY, times);
}

static double life_supervised_bytes(hy_node *node, uint64_t times) {
    hy_ref parent = actor_spawned(node, HY_NOBODY, &hy_supervisor_type, NULL, NULL).ref;
    double bytes = life_bytes(node, parent, times);
    actor_stop_wait((crew_ref){ parent });
    return bytes;
}

static double life_cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double life_idle_cpu(hy_node *node, uint64_t times) {
    hy_ref *refs = life_refs(times);
    life_start(node, HY_NOBODY, times, refs);
    bench_must(hy_sleep(HY_MS(100)), "sleeping"); // until the workers have parked
    double before = life_cpu_ns();
    bench_must(hy_sleep(HY_SECONDS(2)), "sleeping");
    double ns = life_cpu_ns() - before;
    life_end(refs, times);
    return ns;
}

// ---- failing ----------------------------------------------------------------------------------

HY_BEHAVIOUR(failer, CREW_ITEMS_FROMS, crew, life_nothing);
static hy_err failer_start(hy_actor *self, void *state, const void *arg);
static const hy_actor_type failer_type = { .name = "failer",
                                           .first = &failer_behaviour,
                                           .start = failer_start };

static hy_err failer_start(hy_actor *self, void *state, const void *arg) {
    (void)self, (void)state, (void)arg;
    atomic_fetch_add_explicit(&life_up, 1, memory_order_relaxed);
    return HY_OK;
}

static hy_err failer_next(hy_actor *self) {
    crew_ref me = { hy_self(self) };
    hy_err err = HY_TELL(crew, from, me, .value = 0);
    return err == HY_OK ? HY_TELL(crew, item, me, .value = 0) : err;
}

static hy_err failer_on_from(hy_actor *self, life_nothing *state, const crew_from *message) {
    (void)self, (void)state, (void)message;
    life_run.failed_at = bench_now();
    return HY_INVARIANT;
}

static hy_err failer_on_item(hy_actor *self, life_nothing *state, const crew_item *message) {
    (void)state, (void)message;
    if (life_run.failed > 0) actor_sample((bench_now() - life_run.failed_at) * 1e9);
    if (life_run.failed++ < life_run.times) return failer_next(self);
    actor_gate_open(life_run.gate);
    return HY_OK;
}

// Whoever was up for a nanosecond begins anew, so no failure is the second in a row: no backoff.
static const hy_actor_options life_permanent = { .size = sizeof life_permanent,
                                                 .restart = HY_PERMANENT,
                                                 .restarts_max = UINT32_MAX,
                                                 .restarts_within = 1 };

static double life_failing(hy_node *node, hy_policy policy, uint32_t others, uint64_t times) {
    hy_actor_options options = { .size = sizeof options, .policy = policy };
    life_run.times = times;
    life_run.failed = 0;
    life_run.gate = actor_gate(node);
    atomic_store(&life_up, 0);
    crew_ref parent = actor_spawned(node, HY_NOBODY, &hy_supervisor_type, NULL, &options);
    for (uint32_t i = 0; i < others; i++)
        actor_spawned(node, parent.ref, &failer_type, NULL, &life_permanent);
    crew_ref child = actor_spawned(node, parent.ref, &failer_type, NULL, &life_permanent);
    bench_must(HY_TELL(crew, item, child, .value = 0), "telling");
    actor_gate_wait(life_run.gate);
    actor_stop_wait(parent);
    uint64_t starts = atomic_load(&life_up), wanted = (times + 1) * (others + 1);
    if (starts != wanted) {
        fprintf(stderr, "%llu starts instead of %llu\n", (unsigned long long)starts,
                (unsigned long long)wanted);
        bench_must(HY_INVARIANT, "starting all again");
    }
    return -1;
}

static double life_restart(hy_node *node, uint64_t times) {
    return life_failing(node, NULL, 0, times);
}

static double life_restart_all(hy_node *node, uint64_t times) {
    return life_failing(node, hy_one_for_all, LIFE_GROUP, times);
}

// ---- too much ---------------------------------------------------------------------------------

typedef struct flooder {
    uint64_t refused;
} flooder;
HY_BEHAVIOUR(flooder, CREW_GOES, crew, flooder);
static const hy_actor_type flooder_type = { .name = "flooder",
                                            .first = &flooder_behaviour,
                                            .state_size = sizeof(flooder) };
static const hy_actor_type flooded_type = { .name = "flooded", .first = &idler_behaviour };

static hy_err flooder_on_go(hy_actor *self, flooder *state, const crew_from *message) {
    crew_ref to = crew_of(message->from);
    for (uint64_t i = 0; i < message->value; i++) {
        hy_err err = HY_TELL(crew, item, to, .value = i);
        if (err == HY_LIMIT)
            state->refused++;
        else if (err != HY_OK)
            return err;
    }
    life_run.failed = state->refused;
    hy_actor_end(self);
    return HY_OK;
}

static double life_overload(hy_node *node, hy_full full, uint64_t times) {
    char extra[96];
    hy_actor_options options = { .size = sizeof options,
                                 .mailbox = { .capacity = LIFE_ROOM, .full = full } };
    hy_actor_stats stats;
    crew_ref to = actor_spawned(node, HY_NOBODY, &flooded_type, NULL, &options);
    crew_ref from = actor_spawned(node, HY_NOBODY, &flooder_type, NULL, NULL);
    bench_must(hy_actor_stats_of(to.ref, &stats), "its numbers"); // its peak is kept from now on
    double start = bench_now();
    bench_must(HY_TELL(crew, go, from, .value = times, .from = to.ref.id), "telling");
    bench_must(hy_actor_wait_end(from.ref, HY_NEVER), "waiting for the sender");
    double ns = (bench_now() - start) * 1e9;
    while (hy_node_account(node).queued > 0) // what was accepted is to be handled
        bench_must(hy_sleep(HY_MS(1)), "sleeping");
    bench_must(hy_actor_stats_of(to.ref, &stats), "its numbers");
    snprintf(extra, sizeof extra, "\"refused\":%llu,\"queued_peak\":%u",
             (unsigned long long)life_run.failed, stats.queued_peak);
    actor_extra(extra);
    // One worker cannot handle any while it sends them, so exactly the room is used.
    uint64_t room = times < LIFE_ROOM ? times : LIFE_ROOM;
    bool is_exact = times - life_run.failed == room && stats.queued_peak == room;
    if (full == HY_FULL_FAIL && hy_node_workers(node) == 1 && !is_exact)
        bench_must(HY_INVARIANT, "keeping to the room of a mailbox");
    actor_stop_wait(to);
    return ns;
}

static double life_overload_fail(hy_node *node, uint64_t times) {
    return life_overload(node, HY_FULL_FAIL, times);
}

static double life_overload_drop_old(hy_node *node, uint64_t times) {
    return life_overload(node, HY_FULL_DROP_OLD, times);
}

static const actor_row life_rows[] = {
    { "spawn", "ns", life_spawn, 500000, 1, false },
    { "spawn_batch", "ns", life_spawn_batch, 1000000, 1, false },
    { "spawn_1m", "ns", life_spawn_1m, 1000000, 1, false },
    { "spawn_1m_cold", "ns", life_spawn_1m, 1000000, 1, true },
    { "spawn_kill_churn", "ns", life_churn, 300000, 1, false },
    { "idle_bytes", "bytes", life_idle_bytes, 1000000, 1, true },
    { "supervised_bytes", "bytes", life_supervised_bytes, 1000000, 1, true },
    { "idle_cpu", "ms", life_idle_cpu, 1000000, 1, true },
    { "restart", "ns", life_restart, 100000, 1, false },
    { "restart_one_for_all", "ns", life_restart_all, 10000, 1, false },
    { "overload_fail", "ns", life_overload_fail, 1000000, 1, false },
    { "overload_drop_old", "ns", life_overload_drop_old, 1000000, 1, false },
};

actor_rows actor_life_rows(void) {
    return ACTOR_ROWS(life_rows);
}
