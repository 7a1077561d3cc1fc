// grove_suite.c - plants: what their actors do, and what they check.
//
// A plant's actor does nothing useful, but it fails in every way there is, when a message says so,
// and each of its hooks looks around: whether its own last start is over, whether its parent has
// begun, whether its children, and where that is promised its younger siblings, have ended. So
// every test that grows a tree checks the order of supervision, whatever else it is about.
//
// The plants are plain memory of the test. They are written by whichever worker runs the actor at
// the time, and only supervision orders that; what the test itself writes meanwhile is atomic.
#include "actor/grove_suite.h"
#include "kit/kit.h"

HY_RECORD_DEFINE(grove_fall, GROVE_FALL)
HY_RECORD_DEFINE(grove_word, GROVE_WORD)
HY_PROTOCOL_DEFINE(grove, GROVE);

typedef struct grove_state {
    plant *plant;
    uint64_t fresh; // a start that finds another value than 0 was not given a fresh state
} grove_state;
HY_BEHAVIOUR(grove, GROVE, grove, grove_state);

// ---- what must hold ---------------------------------------------------------------------------

static plant *plant_sibling(const plant *p, uint32_t index) {
    if (p->above) return index < p->above->child_count ? p->above->children[index] : NULL;
    for (uint32_t i = 0; i < p->grove->count; i++) {
        plant *other = &p->grove->plants[i];
        if (!other->above && other->index == index) return other;
    }
    return NULL;
}

static void plant_check_begin(const plant *p) {
    CHECK(!p->is_held);
    CHECK(!p->is_begun);
    CHECK(!p->is_over);
    if (p->above) CHECK(p->above->is_begun);
    for (uint32_t i = 0; i < p->child_count; i++)
        CHECK(!p->children[i]->is_begun);
}

static void plant_check_end(const plant *p) {
    for (uint32_t i = 0; i < p->child_count; i++) {
        CHECK(!p->children[i]->is_begun);
        CHECK(!p->children[i]->is_held);
    }
    if (p->grove->is_wild) return;
    bool is_told = p->grove->is_closing || (p->above && !p->above->is_up);
    if (!is_told) return;
    const plant *other = NULL;
    for (uint32_t i = p->index + 1; (other = plant_sibling(p, i)); i++)
        CHECK(!other->is_begun);
}

// ---- the actor --------------------------------------------------------------------------------

static void plant_release(void *object) {
    plant *p = (plant *)object;
    CHECK(p->is_held);
    p->is_held = false;
    p->is_begun = false; // also where `stop` is not called
    p->is_up = false;
    p->releases++;
    p->released_as = ++p->grove->happened;
    plant_check_end(p);
}

static hy_err grove_start(hy_actor *self, void *state_at, const void *arg) {
    grove_state *state = (grove_state *)state_at;
    plant *p = (plant *)(uintptr_t)arg;
    CHECK(state->plant == NULL && state->fresh == 0);
    state->plant = p;
    plant_check_begin(p);
    p->is_held = p->is_begun = true;
    hy_err err = hy_actor_own(self, p, plant_release);
    if (err != HY_OK) return err;
    p->starts++;
    p->began_as = ++p->grove->happened;
    p->is_sick = false;
    p->began = hy_world_now(hy_actor_world(self));
    if (p->start_takes > 0) {
        err = hy_sleep(p->start_takes);
        if (err != HY_OK) return err;
    }
    if (p->start_fails > 0) {
        p->start_fails--;
        if (kit_random(&p->random) % 2) hy_fail(self, HY_IO, "start");
        return HY_IO;
    }
    for (uint32_t i = 0; i < p->child_count; i++) {
        p->children[i]->is_over = false;
        err = grove_spawn(p->children[i], hy_self(self));
        if (err != HY_OK) return err;
    }
    state->fresh = 1;
    p->is_up = true;
    return HY_OK;
}

static void grove_stop(hy_actor *self, void *state_at, hy_err why) {
    (void)self;
    const grove_state *state = (grove_state *)state_at;
    plant *p = state->plant;
    CHECK(p->is_begun && p->is_held && state->fresh == 1);
    p->is_up = false;
    p->stops++;
    p->stopped_with = why;
    plant_check_end(p);
    if (p->stop_takes > 0) (void)hy_sleep(p->stop_takes);
}

static hy_err grove_health(hy_actor *self, void *state_at) {
    (void)self;
    const grove_state *state = (grove_state *)state_at;
    return state->plant->is_sick ? HY_BUSY : HY_OK;
}

const hy_actor_type grove_type = {
    .name = "plant",
    .first = &grove_behaviour,
    .state_size = sizeof(grove_state),
    .start = grove_start,
    .stop = grove_stop,
    .health = grove_health,
    .idempotent = (uint64_t)1 << grove_retry_tag,
};

static void grove_fail_deep(hy_actor *self, uint32_t depth) {
    volatile char pad[64] = { 0 };
    if (depth > 5) return; // never
    if (depth == 0) hy_fail(self, HY_CORRUPT, "deep");
    grove_fail_deep(self, depth - 1);
    pad[0]++;
}

static hy_err plant_fall(hy_actor *self, uint32_t how) {
    switch ((grove_how)how) {
    case GROVE_ERROR: return HY_IO;
    case GROVE_FAIL: grove_fail_deep(self, 5); return HY_OK;
    case GROVE_MEMORY:
        for (;;)
            (void)hy_actor_alloc(self, 1000);
    case GROVE_END: hy_actor_end(self); return HY_OK;
    case GROVE_WAIT: return hy_sleep(HY_SECONDS(1000000));
    case GROVE_KILL:
    case GROVE_STOP:
    case GROVE_SICK:
    case GROVE_HOWS: break;
    }
    return HY_OK;
}

static hy_err grove_on_fall(hy_actor *self, grove_state *state, const grove_fall *message) {
    if (message->how != GROVE_WAIT) state->plant->is_up = false;
    return plant_fall(self, message->how);
}

static hy_err grove_on_retry(hy_actor *self, grove_state *state, const grove_fall *message) {
    state->plant->notes++;
    return plant_fall(self, message->how);
}

static hy_err grove_on_note(hy_actor *self, grove_state *state, const grove_word *message) {
    (void)self, (void)message;
    state->plant->notes++;
    return HY_OK;
}

static hy_err grove_on_sleep(hy_actor *self, grove_state *state, const grove_word *message) {
    (void)self;
    hy_err err = hy_sleep(HY_MS(message->number));
    state->plant->notes++;
    return err;
}

static hy_err grove_on_count(hy_actor *self, grove_state *state, const grove_word *message,
                             grove_word *out_reply) {
    (void)self, (void)message;
    out_reply->number = state->plant->starts;
    return HY_OK;
}

// ---- the tree ---------------------------------------------------------------------------------

plant *grove_plant(grove *g, plant *above, const hy_actor_options *options) {
    CHECK(g->count < GROVE_PLANTS);
    plant *p = &g->plants[g->count];
    *p = (plant){ .grove = g, .above = above };
    p->number = g->count++;
    if (options) p->options = *options;
    p->options.size = sizeof p->options;
    p->random = p->number + 1;
    if (above) {
        CHECK(above->child_count < GROVE_CHILDREN);
        p->index = above->child_count;
        above->children[above->child_count++] = p;
    } else {
        for (uint32_t i = 0; i < p->number; i++)
            p->index += g->plants[i].above == NULL;
    }
    return p;
}

hy_err grove_spawn(plant *p, hy_ref parent) {
    hy_err err = HY_SPAWN(grove, p->grove->node, parent, &grove_type, p, &p->options, &p->ref);
    if (err == HY_OK) p->ref_id = p->ref.ref.id;
    return err;
}

hy_err grove_let_fall(plant *p, grove_how how) {
    switch (how) {
    case GROVE_KILL: hy_actor_kill(p->ref.ref); return HY_OK;
    case GROVE_STOP: hy_actor_stop(p->ref.ref); return HY_OK;
    case GROVE_SICK: p->is_sick = true; return HY_OK;
    case GROVE_ERROR:
    case GROVE_FAIL:
    case GROVE_MEMORY:
    case GROVE_END:
    case GROVE_WAIT:
    case GROVE_HOWS: break;
    }
    return HY_TELL(grove, fall, p->ref, .how = (uint32_t)how);
}

bool grove_lives(const plant *p) {
    return hy_actor_is_alive(p->ref.ref);
}

// ---- worlds -----------------------------------------------------------------------------------

typedef struct grove_run {
    grove *grove;
    grove_body body;
    uint32_t workers;
} grove_run;

static hy_err grove_run_body(void *arg) {
    const grove_run *run = (const grove_run *)arg;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err) {
        const hy_node_options options = { .size = sizeof options,
                                          .workers = run->workers,
                                          .deterministic_ids = true };
        err = hy_node_open(scope, &options, &run->grove->node);
        if (err != HY_OK) break;
        err = run->body(run->grove);
        run->grove->is_closing = true;
        hy_account account = hy_node_account(run->grove->node);
        if (err == HY_OK && run->workers <= 1) CHECK(hy_account_holds(&account));
        break;
    }
    return err;
}

static void grove_check_ended(const grove *g) {
    for (uint32_t i = 0; i < g->count; i++)
        CHECK(!g->plants[i].is_held && !g->plants[i].is_begun);
}

hy_err grove_in_sim(hy_mem *mem, uint64_t seed, grove *g, grove_body body, uint64_t *out_digest) {
    hy_world *world = NULL;
    hy_sim_options options = { .size = sizeof options, .mem = mem, .seed = seed };
    hy_err err = hy_sim_open(&options, &world);
    if (err != HY_OK) return err;
    grove_run run = { .grove = g, .body = body, .workers = 1 };
    err = hy_root_run(world, NULL, grove_run_body, &run);
    if (out_digest) *out_digest = hy_sim_digest(world);
    hy_world_close(world);
    grove_check_ended(g);
    return err;
}

hy_err grove_in_real(hy_mem *mem, uint32_t workers, grove *g, grove_body body) {
    hy_world *world = NULL;
    hy_world_options options = { .size = sizeof options, .mem = mem };
    hy_err err = hy_world_open(&options, &world);
    if (err != HY_OK) return err;
    grove_run run = { .grove = g, .body = body, .workers = workers };
    err = hy_root_run(world, NULL, grove_run_body, &run);
    hy_world_close(world);
    grove_check_ended(g);
    return err;
}

// Where memory was missing a supervisor may have failed, and the scope with it.
hy_err grove_settle(hy_ns time) {
    hy_err err = hy_sleep(time);
    return err == HY_CANCELLED && kit_failed_allocation() ? HY_NOMEM : err;
}

uint64_t grove_events(const hy_node *node, hy_node_event_kind kind) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < hy_node_workers(node); i++) {
        uint64_t cursor = 0;
        hy_node_event event;
        while (hy_node_event_next(node, i, &cursor, &event))
            count += event.kind == kind;
    }
    return count;
}
