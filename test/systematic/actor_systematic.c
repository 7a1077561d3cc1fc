// actor_systematic.c - mailboxes, sharing, parking and slots under thousands of orders of steps.
//
//     actor_systematic [first seed] [count]
//
// The workers of a node, built with yield points and nothing else changed, each on a thread of its
// own and in a simulated world of its own: such a world never blocks, so a worker that has nothing
// to do says so, and a worker that should have been woken and was not is seen at once: all is
// quiet, and messages are left. One more thread is no worker, and only sends.
//
// Walkers send each other numbered messages, several ways at once. They accept from each sender no
// other number than the next, and no second visit while one is under way. Mortals are spawned, some
// below others, told to leave, and sent to by refs that may be stale by then: nobody may get what
// was for another one. Walkers and mortals monitor mortals, handlers of walkers wait for their end,
// and children are spawned below parents that may end just then: each monitor is told once of an
// end, nobody waits for one that is over, and no child is left that nobody adopts.
// At the end everything sent was handled or dropped, all actors stop when the node says so, and the
// memory is back.
#include "systematic/systematic.h"

#include "actor/dead.h"
#include "actor/inside.h"
#include "actor/mailbox.h"
#include "actor/node.h"
#include "actor/rounds_suite.h"
#include "actor/slot.h"
#include "actor/worker.h"
#include "kit/kit.h"
#include "scope/above.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 3u
#define WALKERS 4u
#define MORTALS 3u
#define FOREIGN_SENDS 12u
#define FOREIGN WALKERS // its number as a sender
#define WATCHES 32u     // of a walker: more are not begun

void hyi_systematic_yield(const char *name);

#define HOP(F) F(1, u32, from) F(2, u32, number) F(3, u32, left)
HY_RECORD(hop, HOP)
HY_RECORD_DEFINE(hop, HOP)
#define CALL(F) F(1, u64, whom)
HY_RECORD(call_for, CALL)
HY_RECORD_DEFINE(call_for, CALL)

#define WALKER(TELL, ASK, x) TELL(x, 1, come, hop)
HY_PROTOCOL(walker, WALKER);
HY_PROTOCOL_DEFINE(walker, WALKER);
#define MORTAL(TELL, ASK, x) TELL(x, 1, hear, call_for) TELL(x, 2, leave, hy_nothing)
HY_PROTOCOL(mortal, MORTAL);
HY_PROTOCOL_DEFINE(mortal, MORTAL);

typedef enum phase { PHASE_START, PHASE_WALK, PHASE_STOP, PHASE_LEAVE } phase;

typedef struct watch { // a monitor
    uint64_t id;
    hy_ref who; // HY_NOBODY: its word has come
} watch;

// All of it is whoever's has the turn.
static struct {
    hyi_keeper keeper;
    phase phase;
    walker_ref walkers[WALKERS];
    mortal_ref mortals[MORTALS];
    watch watches[WALKERS][WATCHES];
    uint32_t watched[WALKERS];
    uint32_t foreign_sent[WALKERS], foreign_left;
    uint64_t handled;
} all;
static uint64_t total_shared, total_taken, total_parks, total_downs, total_late;

static hy_node *node_here(void) {
    return &all.keeper.node;
}

static void need(bool holds, const char *what) {
    if (!holds) systematic_fail(what);
}

// ---- walkers ------------------------------------------------------------------------------------

typedef struct walker {
    uint32_t me;
    bool is_inside;
    uint32_t next[WALKERS + 1]; // of each sender
    uint32_t sent[WALKERS];     // to each walker
} walker;
HY_BEHAVIOUR(walker, WALKER, walker, walker);

static hy_err walker_start(hy_actor *self, void *state, const void *arg) {
    (void)self;
    ((walker *)state)->me = (uint32_t)(uintptr_t)arg - 1;
    return HY_OK;
}

// ---- mortals ------------------------------------------------------------------------------------

typedef struct mortal {
    watch watch; // one at a time
} mortal;
HY_BEHAVIOUR(mortal, MORTAL, mortal, mortal);

// Each word means a monitor that stands, and is the last of it.
static void hear_of(watch *at, const hy_down *down) {
    need(hy_ref_equal(at->who, down->who), "a word has come twice, or to another one");
    need(!hy_actor_is_alive(down->who), "a word has come before the end");
    total_late += down->why == HY_NOT_FOUND;
    total_downs++;
    at->who = HY_NOBODY;
}

static void begin_watch(hy_actor *self, watch *at, hy_ref who) {
    at->who = who;
    need(hy_monitor(self, who, &at->id) == HY_OK, "a monitor could not begin");
}

static hy_err mortal_on_hear(hy_actor *self, mortal *state, const call_for *message) {
    hyi_systematic_yield("in a mortal");
    need(message->whom == hy_self(self).id, "a message for another one has come");
    hy_ref who = all.mortals[systematic_random() % MORTALS].ref;
    if (state->watch.who.id == 0 && who.id != 0 && systematic_random() % 4 == 0) {
        begin_watch(self, &state->watch, who);
    }
    return HY_OK;
}

static hy_err mortal_on_leave(hy_actor *self, mortal *state, const hy_nothing *message) {
    (void)state;
    (void)message;
    if (systematic_random() % 2) return HY_IO;
    hy_actor_end(self);
    return HY_OK;
}

static hy_err mortal_down(hy_actor *self, void *state, const hy_down *down) {
    watch *at = &((mortal *)state)->watch;
    (void)self;
    need(at->id == down->monitor, "a word has come for another monitor");
    hear_of(at, down);
    return HY_OK;
}

static const hy_actor_type mortal_type = {
    .name = "mortal", .first = &mortal_behaviour, .state_size = sizeof(mortal), .down = mortal_down
};

// Now and then below another one, which may end at that moment.
static void spawn_mortal(mortal_ref *at) {
    mortal_ref fresh;
    hy_ref parent = HY_NOBODY;
    if (systematic_random() % 2) parent = all.mortals[systematic_random() % MORTALS].ref;
    hy_err err = HY_SPAWN(mortal, node_here(), parent, &mortal_type, NULL, NULL, &fresh);
    bool is_refused = parent.id != 0 && (err == HY_NOT_FOUND || err == HY_CLOSED);
    need(err == HY_OK || is_refused, "a spawn failed");
    if (err == HY_OK) *at = fresh;
}

// `self` is a walker.
static void watch_mortal(hy_actor *self, uint32_t me, hy_ref who) {
    if (all.watched[me] == WATCHES) return;
    begin_watch(self, &all.watches[me][all.watched[me]++], who);
}

static void tell_to_leave(mortal_ref to) {
    hy_err err = HY_TELL(mortal, leave, to, 0);
    need(err == HY_OK || err == HY_NOT_FOUND, "a mortal could not be told to leave");
}

static void play_with_mortals(hy_actor *self, uint32_t me) {
    mortal_ref *at = &all.mortals[systematic_random() % MORTALS];
    if (at->ref.id == 0 || systematic_random() % 4 == 0) spawn_mortal(at);
    mortal_ref to = *at; // another may change it meanwhile
    if (to.ref.id == 0) return;
    hy_err err = HY_TELL(mortal, hear, to, .whom = to.ref.id);
    need(err == HY_OK || err == HY_NOT_FOUND, "a mortal could not be told");
    if (systematic_random() % 4 == 0) watch_mortal(self, me, to.ref);
    if (systematic_random() % 2) return;
    tell_to_leave(to);
    if (systematic_random() % 4 == 0) watch_mortal(self, me, to.ref);
    if (systematic_random() % 4 == 0) (void)hy_actor_wait_end(to.ref, HY_NEVER);
}

// ---- walking ------------------------------------------------------------------------------------

static hy_err walker_down(hy_actor *self, void *state, const hy_down *down) {
    uint32_t me = ((walker *)state)->me, i = 0;
    (void)self;
    while (i < all.watched[me] && all.watches[me][i].id != down->monitor)
        i++;
    need(i < all.watched[me], "a word has come for no monitor");
    hear_of(&all.watches[me][i], down);
    return HY_OK;
}

static void walk_on(walker *w, uint32_t left) {
    uint32_t to = (uint32_t)(systematic_random() % WALKERS);
    hy_err err = HY_TELL(walker, come, all.walkers[to], .from = w->me, .number = w->sent[to]++,
                         .left = left);
    need(err == HY_OK, "a walker could not be told");
}

// An order that asks for nothing; but it must be looked at.
static void poke_one(void) {
    hy_ref to = all.walkers[systematic_random() % WALKERS].ref;
    need(hyi_poke_ref(to, HYI_ORDER_LOOK), "a walker was not there");
}

static hy_err walker_on_come(hy_actor *self, walker *w, const hop *message) {
    need(!w->is_inside, "two run the same actor");
    w->is_inside = true;
    hyi_systematic_yield("in a walker");
    need(w->next[message->from]++ == message->number, "the order of one sender was lost");
    all.handled++;
    if (message->left > 0) {
        walk_on(w, message->left - 1);
        if (systematic_random() % 2) walk_on(w, message->left - 1);
        if (systematic_random() % 3 == 0) play_with_mortals(self, w->me);
        if (systematic_random() % 3 == 0) poke_one();
    }
    hyi_systematic_yield("out of a walker");
    w->is_inside = false;
    return HY_OK;
}

static const hy_actor_type walker_type = { .name = "walker",
                                           .first = &walker_behaviour,
                                           .state_size = sizeof(walker),
                                           .start = walker_start,
                                           .down = walker_down };

// ---- when all is quiet --------------------------------------------------------------------------

static void begin_walking(void) {
    for (uint32_t i = 0; i < WALKERS; i++) {
        hy_err err = HY_SPAWN(walker, node_here(), HY_NOBODY, &walker_type,
                              (void *)(uintptr_t)(i + 1), NULL, &all.walkers[i]);
        need(err == HY_OK, "a spawn failed");
    }
    all.foreign_left = FOREIGN_SENDS;
}

static void check_all_came(void) {
    hy_account account = hy_node_account(node_here());
    uint64_t dropped = 0;
    for (uint32_t i = 0; i < HY_DROP_COUNT; i++)
        dropped += account.dropped[i];
    need(all.foreign_left == 0, "the foreign thread was forgotten");
    need(account.sent == account.handled + dropped, "all is quiet, and messages are left");
    for (uint32_t i = 0; i < WALKERS; i++) {
        const hy_actor *actor = hyi_find(all.walkers[i].ref);
        need(actor && hyi_orders(actor) == 0, "all is quiet, and an order was not looked at");
        for (uint32_t k = 0; k < all.watched[i]; k++) {
            hy_ref who = all.watches[i][k].who;
            need(who.id == 0 || hy_actor_is_alive(who), "all is quiet, and a word was lost");
        }
    }
}

static void stop_all(void) {
    hy_node *node = node_here();
    atomic_store(&node->closing, true);
    for (uint32_t i = atomic_load(&node->slots_used); i > 0; i--) {
        hyi_poke(hyi_slot_at(node, i - 1), HYI_ORDER_LOOK);
    }
}

static void on_quiet(void) {
    switch (all.phase) {
    case PHASE_START: begin_walking(); break;
    case PHASE_WALK:
        check_all_came();
        stop_all();
        break;
    case PHASE_STOP: need(hyi_node_born(node_here()) == 0, "all is quiet, and actors live"); break;
    case PHASE_LEAVE: systematic_fail("all is quiet, and threads are left");
    }
    all.phase++;
}

// ---- threads ------------------------------------------------------------------------------------

typedef struct worker_thread {
    uint32_t number;
    uint64_t seed;
    hy_thread *thread;
    hy_event left;
    bool told, ended;
} worker_thread;

static hy_err worker_body(void *arg) {
    worker_thread *it = (worker_thread *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "actors", .policy = hy_ignore) {
        hyi_worker *worker = node_here()->workers[it->number];
        need(hyi_worker_start(worker, scope) == HY_OK, "a worker could not start");
        err = hy_event_wait(&it->left);
        hyi_worker_stop(worker);
    }
    return err;
}

static void on_done(void *self, hy_err err) {
    need(err == HY_OK, "a worker's root failed");
    ((worker_thread *)self)->ended = true;
}

static void run_worker(void *arg) {
    worker_thread *it = (worker_thread *)arg;
    systematic_enter(it->number);
    hy_world *world = NULL;
    hy_root *root = NULL;
    hy_err err = hy_sim_open(HY_OPTIONS(hy_sim, .mem = kit_heap(), .seed = it->seed), &world);
    if (err == HY_OK) err = hy_root_start(world, NULL, worker_body, it, on_done, it, &root);
    need(err == HY_OK, "a worker's world could not be opened");
    while (!it->ended) {
        if (hy_world_turn(world)) {
            systematic_did();
            hyi_systematic_yield("a turn of the world");
        } else if (all.phase == PHASE_LEAVE && !it->told) {
            it->told = true;
            hy_event_set(&it->left);
            systematic_did();
        } else {
            systematic_idle();
        }
    }
    hy_world_close(world);
    systematic_leave();
}

static void run_foreign(void *arg) {
    (void)arg;
    systematic_enter(WORKERS);
    while (all.phase < PHASE_LEAVE) {
        if (all.phase != PHASE_WALK || all.foreign_left == 0) {
            systematic_idle();
            continue;
        }
        uint32_t to = (uint32_t)(systematic_random() % WALKERS);
        hy_err err =
            HY_TELL(walker, come, all.walkers[to], .from = FOREIGN,
                    .number = all.foreign_sent[to]++, .left = (uint32_t)(systematic_random() % 5));
        need(err == HY_OK, "the foreign thread could not tell");
        all.foreign_left--;
        systematic_did();
        hyi_systematic_yield("foreign");
    }
    systematic_leave();
}

// ---- one run ------------------------------------------------------------------------------------

static void open_node(void) {
    hyi_keeper *keeper = &all.keeper;
    hy_node *node = &keeper->node;
    node->mem = kit_heap();
    node->options = (hy_node_options){ .size = sizeof node->options,
                                       .name = "node",
                                       .number = 1,
                                       .workers = WORKERS,
                                       .actors_max = 1u << 20,
                                       .turn_max = 64,
                                       .stuck_after = HY_SECONDS(1),
                                       .events_max = 16,
                                       .dead_letters_max = 16,
                                       .stop_max = HY_SECONDS(1) };
    hy_err err = hyi_slots_open(node);
    if (err == HY_OK) err = hyi_letters_open(node);
    if (err == HY_OK) err = hyi_mailboxes_open(node);
    for (uint32_t i = 0; err == HY_OK && i < WORKERS; i++) {
        err = hyi_worker_new(node, (uint8_t)i, &node->workers[i]);
        if (err == HY_OK) node->worker_count++;
    }
    if (err == HY_OK) err = hyi_node_enter(node);
    if (err == HY_OK) hyi_node_show(node);
    need(err == HY_OK, "the node could not be opened");
    atomic_store(&keeper->look_asked, 1); // nobody keeps it: no posts to nobody
}

static void close_node(void) {
    hy_node *node = node_here();
    hyi_node_forget(node);
    hyi_mailboxes_close(node);
    hyi_letters_close(node);
    for (uint32_t i = 0; i < node->worker_count; i++) {
        total_shared += node->workers[i]->shared_out;
        total_taken += node->workers[i]->taken;
        total_parks += node->workers[i]->parks;
        hyi_worker_free(node->workers[i]);
    }
    hyi_slots_close(node);
}

static void run_seed(hy_world *world, uint64_t seed) {
    memset(&all, 0, sizeof all);
    systematic_start(seed, WORKERS + 1, on_quiet);
    open_node();
    worker_thread threads[WORKERS + 1] = { 0 };
    for (uint32_t i = 0; i <= WORKERS; i++) {
        threads[i].number = i;
        threads[i].seed = seed * 8 + i;
        // On one processor, where handing over the turn is cheapest.
        hy_err err = hy_thread_start(world, HY_OPTIONS(hy_thread, .cpu = 1),
                                     i < WORKERS ? run_worker : run_foreign, &threads[i],
                                     &threads[i].thread);
        need(err == HY_OK, "a thread could not be started");
    }
    systematic_go();
    for (uint32_t i = 0; i <= WORKERS; i++)
        hy_thread_join(threads[i].thread);
    close_node();
}

int main(int argc, char **argv) {
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : kit_seed();
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : ROUNDS_OF(1000), steps = 0,
             handled = 0;
    hy_world *world = NULL;
    need(hy_world_open(NULL, &world) == HY_OK, "a world could not be opened");
    for (uint64_t seed = first; seed < first + count; seed++) {
        run_seed(world, seed);
        steps += systematic_steps();
        handled += all.handled;
    }
    hy_world_close(world);
    need(count < 100 || (total_shared > 0 && total_taken > 0 && total_parks > 0),
         "nobody shared, took or parked: nothing was tested");
    need(count < 100 || (total_late > 0 && total_downs > total_late), "nobody heard of an end");
    printf("%llu seeds, %llu messages, %llu steps; %llu shared, %llu taken, %llu parks; "
           "%llu words of an end, %llu of them late\n",
           (unsigned long long)count, (unsigned long long)handled, (unsigned long long)steps,
           (unsigned long long)total_shared, (unsigned long long)total_taken,
           (unsigned long long)total_parks, (unsigned long long)total_downs,
           (unsigned long long)total_late);
    return 0;
}
