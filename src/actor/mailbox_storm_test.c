// Mailboxes in a storm: all policies, lanes, deadlines, restarts and deaths at once, in a simulated
// world, and after every step
//
//     the account holds,
//     no mailbox holds more than its capacity,
//     of one sender, lane and receiver the numbers grow,
//
// and in the end every sender that waited has come back.
//
// Messages make their receivers do things: fail, sleep, stash, pass on, ask. Who is told to stop is
// replaced by another actor.
#include "actor/mailbox.h"
#include "actor/slot.h"
#include "kit/kit.h"
#include "scope/run_suite.h"

#include <string.h>

#define STORM_NOTE(F) F(1, u32, from) F(2, u32, act) F(3, u64, number) F(4, str, text)
HY_RECORD(storm_note, STORM_NOTE)
HY_RECORD_DEFINE(storm_note, STORM_NOTE)
#define STORM(TELL, ASK, x)                                                                        \
    TELL(x, 1, note, storm_note)                                                                   \
    TELL(x, 2, rush, storm_note)                                                                   \
    ASK(x, 3, query, storm_note, storm_note)
HY_PROTOCOL(storm, STORM);
HY_PROTOCOL_DEFINE(storm, STORM);

#define STORM_ACTORS 10u
#define STORM_FIBERS 6u
#define STORM_STEPS 150u
#define STORM_ROUNDS 12u

typedef enum storm_act {
    STORM_NOTHING,
    STORM_FAIL,
    STORM_SLEEP,
    STORM_STASH,
    STORM_PASS,
    STORM_ROOM,
    STORM_QUERY,
    STORM_LAZY, // nothing, and likelier
    STORM_ACTS = 12
} storm_act;

typedef struct storm_world {
    hy_node *node;
    hy_ref supervisor;
    storm_ref actors[STORM_ACTORS];
    uint32_t capacities[STORM_ACTORS];
    uint64_t seen[STORM_ACTORS][STORM_ACTORS + STORM_FIBERS][2]; // by receiver, sender, lane
    uint64_t numbers[STORM_ACTORS + STORM_FIBERS];
    uint64_t random;
    uint32_t taken; // handlers that wait with a message that they took
    uint32_t sends, asked_room, told_room;
} storm_world;
static storm_world storm;

typedef struct storm_state {
    uint32_t index;
    uint32_t stashed;
    bool stashes;
} storm_state;
HY_BEHAVIOUR(storm, STORM, storm, storm_state);

static uint32_t storm_draw(uint32_t below) {
    return (uint32_t)(kit_random(&storm.random) % below);
}

// ---- receivers --------------------------------------------------------------------------------

static hy_err storm_start(hy_actor *self, void *state_at, const void *arg) {
    (void)self;
    ((storm_state *)state_at)->index = *(const uint32_t *)arg;
    return HY_OK;
}

static const hy_actor_type storm_type = {
    .name = "storm",
    .first = &storm_behaviour,
    .state_size = sizeof(storm_state),
    .arg_size = sizeof(uint32_t),
    .start = storm_start,
};

static void storm_saw(const storm_state *state, const storm_note *message, uint32_t lane) {
    uint64_t *seen = &storm.seen[state->index][message->from][lane];
    CHECK(message->number > *seen);
    *seen = message->number;
    CHECK_EQ(message->text.len, message->number % 40);
    for (size_t i = 0; i < message->text.len; i++)
        CHECK_EQ(message->text.ptr[i], (uint8_t)message->number);
}

static storm_note storm_fresh(uint32_t from, char text[40]) {
    storm_note note = { .from = from, .act = storm_draw(STORM_ACTS) };
    note.number = ++storm.numbers[from];
    memset(text, (int)(note.number & 0xff), 40);
    note.text = (hy_text){ (const uint8_t *)text, note.number % 40 };
    return note;
}

static hy_err storm_room(hy_actor *self, void *state, hy_err err, const void *reply) {
    (void)self, (void)state;
    CHECK(reply == NULL);
    CHECK(err == HY_OK || err == HY_NOT_FOUND);
    storm.told_room++;
    return HY_OK;
}

// A taken message goes on, as one of this actor's.
static hy_err storm_pass(hy_actor *self, storm_state *state, const storm_note *message) {
    storm_note *taken = hy_message_take(self, message);
    CHECK(taken != NULL);
    uint32_t from = STORM_FIBERS + state->index;
    taken->from = from;
    taken->number = ++storm.numbers[from];
    taken->act = STORM_NOTHING;
    uint8_t *text = hy_message_alloc(taken, 40);
    CHECK(text != NULL);
    memset(text, (int)(taken->number & 0xff), 40);
    taken->text = (hy_text){ text, taken->number % 40 };
    storm.taken++;
    hy_err err = HY_MOVE(storm, note, storm.actors[storm_draw(STORM_ACTORS)], &taken);
    storm.taken--;
    CHECK((err == HY_OK) == (taken == NULL));
    hy_message_drop(taken);
    return HY_OK;
}

static hy_err storm_query(storm_state *state) {
    char text[40];
    storm_note note = storm_fresh(STORM_FIBERS + state->index, text), reply;
    uint32_t to = storm_draw(STORM_ACTORS);
    hy_err err = storm_ask_query(storm.actors[to], &note, HY_MS(1 + storm_draw(20)), &reply);
    if (err == HY_OK) CHECK_EQ(reply.number, note.number);
    return HY_OK;
}

static hy_err storm_do(hy_actor *self, storm_state *state, const storm_note *message) {
    switch (message->act) {
    case STORM_FAIL: return HY_INVARIANT;
    case STORM_SLEEP: return hy_sleep(HY_US(storm_draw(3000)));
    case STORM_PASS: return storm_pass(self, state, message);
    case STORM_QUERY: return storm_query(state);
    case STORM_ROOM:
        storm.asked_room++;
        CHECK_OK(hy_room_then(self, storm.actors[storm_draw(STORM_ACTORS)].ref, storm_room));
        return HY_OK;
    default: return HY_OK;
    }
}

// True: it was put off. What is stashed has to be seen first, so from then on all is, up to three;
// for which there must be room, because what is stashed keeps its place.
static bool storm_puts_off(hy_actor *self, storm_state *state, const storm_note *message) {
    bool has_room = storm.capacities[state->index] > 3;
    if (message->act == STORM_STASH && state->stashed == 0 && has_room) state->stashes = true;
    if (!state->stashes) return false;
    CHECK_EQ(hy_stash(self, message), HY_OK);
    if (++state->stashed == 3) {
        hy_unstash(self);
        state->stashes = false;
    }
    return true;
}

static hy_err storm_on_note(hy_actor *self, storm_state *state, const storm_note *message) {
    if (storm_puts_off(self, state, message)) return HY_OK;
    if (state->stashed > 0) state->stashed--;
    storm_saw(state, message, 0);
    return storm_do(self, state, message);
}

static hy_err storm_on_rush(hy_actor *self, storm_state *state, const storm_note *message) {
    storm_saw(state, message, 1);
    if (message->act == STORM_PASS) return HY_OK; // it is no note
    return storm_do(self, state, message);
}

static hy_err storm_on_query(hy_actor *self, storm_state *state, const storm_note *message,
                             storm_note *out_reply) {
    (void)self, (void)state;
    out_reply->number = message->number;
    return HY_OK;
}

// ---- the storm --------------------------------------------------------------------------------

// Of many capacities, and every policy.
static hy_err storm_spawn(uint32_t index) {
    storm.capacities[index] = 1 + storm_draw(6);
    hy_actor_options options = {
        .size = sizeof options,
        .mailbox = { .capacity = storm.capacities[index], .full = (hy_full)(index % 6) },
        .restart = HY_PERMANENT,
        .restarts_max = UINT32_MAX,
        .backoff_min = HY_US(100),
        .backoff_max = HY_MS(2),
    };
    options.mailbox.redirect = storm.actors[(index + 1) % STORM_ACTORS].ref;
    if (options.mailbox.redirect.id == 0) options.mailbox.redirect = storm.supervisor;
    memset(storm.seen[index], 0, sizeof storm.seen[index]);
    return HY_SPAWN(storm, storm.node, storm.supervisor, &storm_type, &index, &options,
                    &storm.actors[index]);
}

static void storm_check(void) {
    for (uint32_t i = 0; i < STORM_ACTORS; i++) {
        const hy_actor *actor = hyi_find(storm.actors[i].ref);
        if (actor) CHECK(hyi_mailbox_over(actor) <= 0);
    }
    if (storm.taken > 0) return; // counted as handled, and not out of the mailbox yet
    hy_account account = hy_node_account(storm.node);
    CHECK(hy_account_holds(&account));
}

static hy_err storm_send(uint32_t from, uint32_t to) {
    char text[40];
    storm_note note = storm_fresh(from, text);
    hy_ns now = hy_world_now(hy_scope_world(hy_scope_current()));
    hy_send_options options = { .size = sizeof options,
                                .room_wait = HY_US(100 + storm_draw(9000)) };
    if (storm_draw(8) == 0) options.deadline = now + HY_US(storm_draw(3000));
    storm.sends++;
    if (storm_draw(4) > 0) return storm_tell_note(storm.actors[to], &note, &options);
    options.lane = HY_LANE_URGENT;
    return storm_tell_rush(storm.actors[to], &note, &options);
}

static hy_err storm_replace(uint32_t index) {
    if (storm_draw(2)) {
        hy_actor_kill(storm.actors[index].ref); // it comes back
        return HY_OK;
    }
    hy_actor_stop(storm.actors[index].ref);
    return storm_spawn(index);
}

static hy_err storm_step(uint32_t from) {
    uint32_t to = storm_draw(STORM_ACTORS), what = storm_draw(60);
    hy_ns now = hy_world_now(hy_scope_world(hy_scope_current()));
    hy_err err = HY_OK;
    if (what == 0) return storm_replace(to);
    if (what < 6) return hy_sleep(HY_US(storm_draw(2000)));
    if (what < 8) {
        err = hy_wait_room(storm.actors[to].ref, now + HY_US(storm_draw(5000)));
        CHECK(err == HY_OK || err == HY_TIMEOUT || err == HY_NOT_FOUND);
        return HY_OK;
    }
    if (what < 10) {
        HY_SCOPE(scope, NULL, .timeout = HY_US(1 + storm_draw(2000))) {
            err = storm_send(from, to);
        }
    } else {
        err = storm_send(from, to);
    }
    CHECK(err == HY_OK || err == HY_LIMIT || err == HY_NOT_FOUND || err == HY_TIMEOUT);
    return HY_OK;
}

static hy_err storm_fiber(void *arg) {
    uint32_t from = *(const uint32_t *)arg;
    for (uint32_t i = 0; i < STORM_STEPS; i++) {
        hy_err err = storm_step(from);
        if (err != HY_OK) return err;
        storm_check();
    }
    return HY_OK;
}

static uint32_t storm_stashed(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < STORM_ACTORS; i++) {
        const hy_actor *actor = hyi_find(storm.actors[i].ref);
        if (actor && actor->kin) count += actor->kin->stashed;
    }
    return count;
}

static hy_err storm_body(void *unused) {
    (void)unused;
    CHECK_OK(hy_node_open(NULL, HY_OPTIONS(hy_node, .workers = 1), &storm.node));
    CHECK_OK(
        hy_spawn_actor(storm.node, HY_NOBODY, &hy_supervisor_type, NULL, NULL, &storm.supervisor));
    for (uint32_t i = STORM_ACTORS; i-- > 0;)
        CHECK_OK(storm_spawn(i));
    uint32_t numbers[STORM_FIBERS];
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err) {
        for (uint32_t i = 0; i < STORM_FIBERS && err == HY_OK; i++) {
            numbers[i] = i;
            err = hy_spawn(scope, storm_fiber, &numbers[i], NULL, NULL);
        }
    }
    CHECK_OK(err);
    CHECK_OK(hy_sleep(HY_SECONDS(8))); // whoever waits for room in a handler is done by then
    CHECK_EQ(storm.taken, 0);
    storm_check();
    hy_account account = hy_node_account(storm.node);
    CHECK_EQ(account.queued, storm_stashed()); // who stashes waits for a third message
    CHECK(account.sent >= storm.sends && account.handled > storm.sends / 4);
    return HY_OK;
}

static hy_err mailboxes_in_a_storm(hy_mem *mem) {
    uint64_t seed = kit_seed();
    for (uint32_t round = 0; round < STORM_ROUNDS; round++) {
        memset(&storm, 0, sizeof storm);
        storm.random = seed * 1000 + round;
        CHECK_OK(run_in_sim(mem, storm_body, NULL));
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(mailboxes_in_a_storm))
