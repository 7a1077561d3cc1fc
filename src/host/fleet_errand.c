// fleet_errand.c - what machines on workers want done on the fleet's own thread: attempts at their
// actions, and changed rows for the observers.
//
//     worker:  start --> errand, a copy of the effect --post--> fleet: the program's `start`
//              done or failed, in the attempt <--post-- the program ends it
//              cancel --post--> the program's `cancel` --post--> gone
//
// The machine's attempt and the program's run on two threads and may end at the same moment. So
// each side has its own half of the errand: `real` is the machine's (NULL: it does not want to know
// any more), `phase` the fleet's. The errand belongs to the worker, which frees it when its end has
// come, and its cancellation, if it sent one, has been heard.
#include "host/fleet.h"

#include <string.h>

#include "base/cleanup.h"

typedef enum errand_phase { ERRAND_OUT, ERRAND_RUNNING, ERRAND_ENDED } errand_phase;

typedef struct errand {
    hy_effect effect; // first member: what the program holds
    hy_post post;     // there, and back with the end
    hy_post cancel;   // there and back
    hyi_carry carry;
    hy_fleet *fleet;
    hyi_part *part;
    hy_effect *real;    // the worker's half
    bool ended;         // `post` is back
    bool is_cancelling; // `cancel` is under way
    errand_phase phase; // the fleet's half
    bool failed;
    hy_buf wire; // of the completion
    char reason[80];
    hy_arena arena; // key and body
} errand;

static errand *errand_of(hy_effect *effect) {
    return (errand *)effect->errand_;
}

static void errand_give_back(hyi_carry *carry) {
    errand *e = (errand *)(void *)((uint8_t *)carry - offsetof(errand, carry));
    hy_arena_deinit(&e->arena);
    hy_buf_deinit(&e->wire);
    hy_mem_free(e->fleet->mem, e, sizeof *e);
}

static void errand_free(errand *e) {
    hy_fleet *fleet = e->fleet;
    if (!e->ended || e->is_cancelling) return;
    hyi_carry_end(fleet, &e->carry);
    errand_give_back(&e->carry);
    hyi_carry_is_over(fleet);
}

// ---- on the fleet's thread ----------------------------------------------------------------------

static void errand_end(errand *e) {
    e->phase = ERRAND_ENDED;
    hy_world_post(e->part->world, &e->post);
}

void hyi_errand_done(hy_effect *effect, const void *completion_body) {
    errand *e = errand_of(effect);
    HY_ASSERT(e->phase == ERRAND_RUNNING);
    const hy_action_kind *kind = &e->fleet->machine->actions[effect->kind];
    const hy_record *record =
        kind->tracked ? e->fleet->machine->inputs[kind->completion].body : NULL;
    if (record != NULL && hy_wire_encode(record, completion_body, &e->wire) != HY_OK) {
        hyi_errand_failed(effect, "the completion could not be copied");
        return;
    }
    errand_end(e);
}

void hyi_errand_failed(hy_effect *effect, const char *reason) {
    errand *e = errand_of(effect);
    HY_ASSERT(e->phase == ERRAND_RUNNING);
    hy_why short_reason = { 0 };
    (void)hy_why_set(&short_reason, HY_OK, reason, "");
    memcpy(e->reason, short_reason.place, sizeof e->reason);
    e->failed = true;
    errand_end(e);
}

static void errand_back(hy_post *post);

static void errand_arrives(hy_post *post) {
    errand *e = (errand *)(void *)((uint8_t *)post - offsetof(errand, post));
    const hy_executor *is = &e->fleet->executors[e->effect.kind];
    e->post.done = errand_back;
    e->phase = ERRAND_RUNNING;
    if (e->fleet->places[e->effect.kind] == 0) {
        hyi_errand_failed(&e->effect, "its scope has ended");
        return;
    }
    is->start(is->self, &e->effect);
}

static void errand_cancel_heard(hy_post *post);

static void errand_cancelled(hy_post *post) {
    errand *e = (errand *)(void *)((uint8_t *)post - offsetof(errand, cancel));
    const hy_executor *is = &e->fleet->executors[e->effect.kind];
    if (e->phase == ERRAND_RUNNING) {
        if (is->cancel != NULL) is->cancel(is->self, &e->effect);
        errand_end(e);
    }
    e->cancel.done = errand_cancel_heard;
    hy_world_post(e->part->world, &e->cancel);
}

// ---- on the worker ------------------------------------------------------------------------------

static void errand_back(hy_post *post) {
    errand *e = (errand *)(void *)((uint8_t *)post - offsetof(errand, post));
    hy_effect *real = e->real;
    e->ended = true;
    e->real = NULL;
    if (real != NULL && e->failed) {
        hy_effect_failed(real->host, real, e->reason);
    } else if (real != NULL) {
        const hy_action_kind *kind = &e->fleet->machine->actions[real->kind];
        const hy_record *record =
            kind->tracked ? e->fleet->machine->inputs[kind->completion].body : NULL;
        void *body = record != NULL ? hy_arena_alloc(&e->arena, record->size) : NULL;
        if (record != NULL && (body == NULL || hy_wire_decode(record, hy_buf_bytes(&e->wire),
                                                              &e->arena, body, NULL) != HY_OK)) {
            hy_effect_failed(real->host, real, "the completion could not be copied");
        } else {
            hy_effect_done(real->host, real, body); // copies
        }
    }
    errand_free(e);
}

static void errand_cancel_heard(hy_post *post) {
    errand *e = (errand *)(void *)((uint8_t *)post - offsetof(errand, cancel));
    e->is_cancelling = false;
    errand_free(e);
}

static void errand_cancel(void *self, hy_effect *effect) {
    (void)self;
    errand *e = effect->executor_data;
    e->real = NULL;
    e->is_cancelling = true;
    e->cancel.done = errand_cancelled;
    hy_world_post(e->fleet->world, &e->cancel);
}

// The effect and everything it points to.
static bool errand_copy(errand *e, const hy_effect *effect) {
    const hy_record *record = e->fleet->machine->actions[effect->kind].body;
    HY_CLEANUP(hy_buf_deinit) hy_buf wire = { 0 };
    hy_buf_init(&wire, e->fleet->mem, 0);
    bool ok = true;
    e->effect = *effect;
    e->effect.executor_data = NULL;
    e->effect.errand_ = e;
    e->effect.key = (const char *)hy_arena_copy(&e->arena, hy_bytes_of(effect->key), &ok).ptr;
    if (ok) e->effect.instance = hy_arena_copy(&e->arena, effect->instance, &ok);
    if (!ok || record == NULL || effect->body == NULL) return ok;
    void *body = hy_arena_alloc(&e->arena, record->size);
    if (body == NULL || hy_wire_encode(record, effect->body, &wire) != HY_OK) return false;
    const hy_bytes kept = hy_arena_copy(&e->arena, hy_buf_bytes(&wire), &ok);
    e->effect.body = body;
    return ok && hy_wire_decode(record, kept, &e->arena, body, NULL) == HY_OK;
}

static void errand_start(void *self, hy_effect *effect) {
    (void)self; // the program's, for give_up
    hyi_part *part = (hyi_part *)effect->host->home;
    hy_fleet *fleet = part->fleet;
    errand *e = hy_mem_alloc_zero(fleet->mem, sizeof *e);
    if (e != NULL) {
        e->fleet = fleet;
        e->part = part;
        e->real = effect;
        hy_arena_init(&e->arena, fleet->mem, 0);
        hy_buf_init(&e->wire, fleet->mem, 0);
        if (!errand_copy(e, effect)) {
            hy_arena_deinit(&e->arena);
            hy_mem_free(fleet->mem, e, sizeof *e);
            e = NULL;
        }
    }
    if (e == NULL) {
        hy_effect_failed(effect->host, effect, "no memory for the attempt");
        return;
    }
    effect->executor_data = e;
    hyi_carry_begin(fleet, &e->carry, errand_give_back);
    e->post.done = errand_arrives;
    hy_world_post(fleet->world, &e->post);
}

hy_executor hyi_errand_executor(hyi_part *part, uint32_t kind) {
    hy_executor is = part->fleet->executors[kind];
    if (is.start == NULL) return is;
    is.start = errand_start;
    is.cancel = errand_cancel;
    return is;
}

// ---- news ---------------------------------------------------------------------------------------

struct hyi_news {
    hy_post post; // first member
    hyi_carry carry;
    hy_fleet *fleet;
    hy_arena arena;
    const hyi_changed *changed;
    uint32_t key_len;
    char key[HY_INSTANCE_KEY_MAX];
};

struct hyi_news *hyi_news_new(hy_mem *mem) {
    return hy_mem_alloc_zero(mem, sizeof(struct hyi_news));
}

void hyi_news_free(hy_mem *mem, struct hyi_news *news) {
    if (news != NULL) hy_mem_free(mem, news, sizeof *news);
}

static void news_give_back(hyi_carry *carry) {
    struct hyi_news *news =
        (struct hyi_news *)(void *)((uint8_t *)carry - offsetof(struct hyi_news, carry));
    hy_arena_deinit(&news->arena);
    hyi_news_free(news->fleet->mem, news);
}

static void news_arrive(hy_post *post) {
    struct hyi_news *news = (struct hyi_news *)post;
    hy_fleet *fleet = news->fleet;
    hyi_carry_end(fleet, &news->carry);
    const hy_bytes key = { (const uint8_t *)news->key, news->key_len };
    for (const hyi_changed *changed = news->changed; changed != NULL; changed = changed->next) {
        for (uint32_t i = 0; i < fleet->observer_count; i++) {
            const hy_fleet_observer *observer = &fleet->observers[i];
            observer->changed(observer->self, key, changed->seq, changed->table, changed->before,
                              changed->after);
        }
    }
    news_give_back(&news->carry);
    hyi_carry_is_over(fleet);
}

void hyi_news_send(hyi_home *home, hy_host *host, hyi_batch *batch) {
    hy_fleet *fleet = ((hyi_part *)home)->fleet;
    struct hyi_news *news = batch->news;
    batch->news = NULL;
    news->fleet = fleet;
    news->changed = batch->changed;
    news->arena = batch->arena;
    hy_arena_init(&batch->arena, host->mem, 0);
    news->key_len = (uint32_t)host->key.len;
    memcpy(news->key, host->key.ptr, host->key.len);
    hyi_carry_begin(fleet, &news->carry, news_give_back);
    news->post.done = news_arrive;
    hy_world_post(fleet->world, &news->post);
}
