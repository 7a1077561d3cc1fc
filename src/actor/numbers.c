// numbers.c - looks: actors are asked for their numbers, and workers for theirs.
//
// All looks under way are in one list of the process, under one lock that only those take who look
// or are looked at. An actor's owner fills its row in every look that has one, so two who look at
// once do not disturb each other. A look leaves the list before its memory goes, under the lock: an
// answer that comes later finds nothing to fill.
//
// Who looks waits in short slices, because an actor may end, and so never answer, at any moment:
// after each slice those that have gone are taken for answered.
#include "actor/numbers.h"
#include "actor/birth.h"
#include "actor/ending.h"
#include "actor/events.h"
#include "actor/mailbox.h"
#include "actor/rearing.h"
#include "actor/slab.h"
#include "actor/slot.h"
#include "actor/watchdog.h"

#include <stdio.h>
#include <string.h>

#define NUMBERS_RECENT HY_SECONDS(10)
#define NUMBERS_SLICE HY_MS(10)
#define NUMBERS_PATIENCE HY_MS(250)

typedef struct hyi_numbers {
    hy_ns looked_at;
    hy_ns began; // of the turn; 0: nobody measures it
    hy_ns busy;
    uint64_t handled;      // as of the latest look
    uint32_t handled_slot; // hy_actor.handled then, which wraps
    uint32_t capacity, peak;
} hyi_numbers;

typedef struct numbers_look {
    hyi_link link;
    hyi_look_row *rows;
    uint32_t count, left; // left: without an answer
    atomic_bool told;     // written under the lock; relaxed: the event itself is what is waited for
    hy_world *world;
    hy_remote_event answered;
} numbers_look;

static pthread_mutex_t numbers_lock = PTHREAD_MUTEX_INITIALIZER;
static hyi_list numbers_looks = { &numbers_looks, &numbers_looks }; // numbers_lock

static void numbers_fill(hyi_worker *worker, hy_actor *actor, hy_actor_stats *out);
static void numbers_fill_outside(const hy_actor *actor, hy_actor_stats *out);

// ---- of one actor -----------------------------------------------------------------------------

static hyi_numbers *numbers_of(hy_actor *actor) {
    if (hyi_has_numbers(actor)) return actor->kin->numbers;
    hyi_kin *kin = hyi_kin_of(actor);
    if (!kin) return NULL;
    hy_mem *mem = hyi_node_of_actor(actor)->mem;
    kin->numbers = (hyi_numbers *)hy_mem_alloc_zero(mem, sizeof *kin->numbers);
    if (kin->numbers) kin->numbers->handled = kin->numbers->handled_slot = actor->handled;
    return kin->numbers;
}

void hyi_numbers_free(hyi_kin *kin) {
    if (!kin->numbers) return;
    hy_mem_free(hyi_node_of_actor(kin->actor)->mem, kin->numbers, sizeof *kin->numbers);
    kin->numbers = NULL;
}

static uint32_t numbers_queued(const hy_actor *actor, uint32_t capacity) {
    int32_t queued = (int32_t)capacity + hyi_mailbox_over(actor);
    return queued > 0 ? (uint32_t)queued : 0;
}

void hyi_numbers_begin(hyi_worker *worker, hy_actor *actor) {
    hyi_numbers *n = actor->kin->numbers;
    n->began = 0;
    if (worker->batch_began - n->looked_at > NUMBERS_RECENT) return;
    uint32_t queued = numbers_queued(actor, n->capacity);
    if (queued > n->peak) n->peak = queued;
    n->began = hy_world_now(worker->world);
}

void hyi_numbers_end(hyi_worker *worker, hy_actor *actor) {
    hyi_numbers *n = actor->kin->numbers;
    if (n->began != 0) n->busy += hy_world_now(worker->world) - n->began;
    n->began = 0;
}

// ---- answering --------------------------------------------------------------------------------

static hyi_look_row *numbers_find(const numbers_look *look, uint64_t id) {
    uint32_t low = 0, high = look->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (look->rows[middle].stats.ref.id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < look->count && look->rows[low].stats.ref.id == id ? &look->rows[low] : NULL;
}

// Locked.
static void numbers_row_done(numbers_look *look, hyi_look_row *row) {
    row->answered = true;
    if (--look->left > 0) return;
    look->told = true;
    hy_remote_event_set(look->world, &look->answered);
}

void hyi_look_answer(hyi_worker *worker, hy_actor *actor) {
    const uint64_t id = hyi_ref_of(actor).id;
    pthread_mutex_lock(&numbers_lock);
    for (hyi_link *link = hyi_list_first(&numbers_looks); link;
         link = hyi_list_after(&numbers_looks, link)) {
        numbers_look *look = HYI_HOLDER(numbers_look, link, link);
        hyi_look_row *row = numbers_find(look, id);
        if (!row || row->answered) continue;
        numbers_fill(worker, actor, &row->stats);
        numbers_row_done(look, row);
    }
    pthread_mutex_unlock(&numbers_lock);
}

static hy_actor_phase numbers_phase(uint8_t phase) {
    switch ((hyi_phase)phase) {
    case HYI_UNBORN:
    case HYI_STARTING: return HY_PHASE_STARTING;
    case HYI_RUNNING: return HY_PHASE_RUNNING;
    case HYI_RESTING: return HY_PHASE_WAITING;
    case HYI_STOPPING:
    case HYI_LEAVING:
    case HYI_RELEASING: return HY_PHASE_STOPPING;
    case HYI_FREE:
    case HYI_ENDED: break;
    }
    return HY_PHASE_GONE;
}

static hy_ns numbers_oldest(const hyi_worker *worker, const hy_actor *actor) {
    const hyi_message *oldest = actor->local_first;
    const hyi_message *urgent = actor->kin ? actor->kin->urgent_first : NULL;
    if (!oldest) oldest = urgent;
    if (!oldest || oldest->stamp == 0) return 0;
    if (oldest->flags & HYI_MESSAGE_ALARM) return 0; // its stamp may be of when it was set
    const int32_t age = (int32_t)(worker->batch_stamp - oldest->stamp);
    return age > 0 ? (hy_ns)age << 20 : 0;
}

// The owner. Without memory for what is kept from now on, what there is.
static void numbers_fill(hyi_worker *worker, hy_actor *actor, hy_actor_stats *out) {
    hyi_numbers *n = numbers_of(actor);
    const hyi_birth *birth = actor->birth;
    const hyi_kin *kin = actor->kin;
    out->capacity = hyi_mailbox_capacity(actor);
    out->queued = numbers_queued(actor, out->capacity);
    out->queued_peak = out->queued;
    out->handled = actor->handled;
    if (n) {
        n->looked_at = worker->batch_began;
        n->capacity = out->capacity;
        n->handled += actor->handled - n->handled_slot;
        n->handled_slot = actor->handled;
        if (out->queued > n->peak) n->peak = out->queued;
        out->handled = n->handled;
        out->queued_peak = n->peak;
        out->busy = n->busy;
    }
    out->parent = birth && birth->parent ? hyi_ref_of(birth->parent) : HY_NOBODY;
    out->type = actor->type->name ? actor->type->name : "actor";
    (void)snprintf(out->name, sizeof out->name, "%s", hyi_actor_name(actor));
    out->worker = worker->number;
    out->state = (uint8_t)numbers_phase(actor->phase);
    out->restarts = birth && birth->starts > 1 ? birth->starts - 1 : 0;
    out->last_err = birth ? birth->ended_with : HY_OK;
    out->children = kin && kin->rearing ? kin->rearing->count : 0;
    out->stashed = kin ? kin->stashed : 0;
    out->oldest_age = numbers_oldest(worker, actor);
    out->memory = actor->type->state_size + hyi_hoard_bytes(actor);
}

// ---- from outside -----------------------------------------------------------------------------

// Fields that only the owner may read are read here by somebody else, on purpose: each is one
// aligned word, is used as a number and never followed, and may be old. The thread sanitizer is
// told so.
__attribute__((no_sanitize("thread"))) static uint8_t numbers_peek_phase(const hy_actor *actor) {
    return *(const volatile uint8_t *)&actor->phase;
}
__attribute__((no_sanitize("thread"))) static uint32_t numbers_peek_handled(const hy_actor *actor) {
    return *(const volatile uint32_t *)&actor->handled;
}
__attribute__((no_sanitize("thread"))) static uint32_t numbers_peek_ready(
    const hyi_worker *worker) {
    return *(const volatile uint32_t *)&worker->ready_count;
}

// Most mailboxes are the usual ones, and empty: those need no lock.
static uint32_t numbers_peek_capacity(const hy_actor *actor) {
    if (numbers_queued(actor, HYI_MAILBOX_CAPACITY) == 0) return HYI_MAILBOX_CAPACITY;
    return hyi_mailbox_capacity_from_outside(actor);
}

uint64_t hyi_actor_glance(const hy_actor *actor) {
    const uint8_t phase = numbers_peek_phase(actor);
    if (phase == HYI_FREE || phase == HYI_ENDED) return 0;
    const uint32_t queued = numbers_queued(actor, numbers_peek_capacity(actor));
    return 1 + (uint64_t)queued * 64 + numbers_peek_handled(actor) +
           (phase == HYI_RUNNING ? 0 : UINT32_MAX);
}

// Of one that does not answer: it lives, by the caller's knowledge.
static void numbers_fill_outside(const hy_actor *actor, hy_actor_stats *out) {
    const uint8_t owner = atomic_load_explicit(&actor->owner, memory_order_relaxed);
    const hy_actor_type *type = __atomic_load_n(&actor->type, __ATOMIC_RELAXED); // as in send.c
    out->type = type && type->name ? type->name : "actor";
    (void)snprintf(out->name, sizeof out->name, "%s", out->type);
    out->worker = owner;
    out->handled = numbers_peek_handled(actor);
    out->capacity = numbers_peek_capacity(actor);
    out->queued = out->queued_peak = numbers_queued(actor, out->capacity);
}

// False: it has gone.
static bool numbers_find_outside(hy_ref ref, hy_actor_stats *out) {
    const hy_actor *actor = hyi_find_hold(ref);
    if (!actor) return false;
    numbers_fill_outside(actor, out);
    hyi_find_let_go(ref);
    return true;
}

// ---- looking ----------------------------------------------------------------------------------

// Those that have gone will not answer.
static void numbers_prune(numbers_look *look) {
    pthread_mutex_lock(&numbers_lock);
    for (uint32_t i = 0; i < look->count && look->left > 0; i++) {
        hyi_look_row *row = &look->rows[i];
        if (row->answered || hy_actor_is_alive(row->stats.ref)) continue;
        row->stats.state = HY_PHASE_GONE;
        numbers_row_done(look, row);
    }
    pthread_mutex_unlock(&numbers_lock);
}

static void numbers_ask(numbers_look *look) {
    for (uint32_t i = 0; i < look->count; i++) {
        (void)hyi_poke_ref(look->rows[i].stats.ref, HYI_ORDER_LOOK);
    }
}

static hy_err numbers_wait(numbers_look *look, hy_ns until) {
    hy_err err = HY_OK;
    while (!look->told) {
        err = HY_OK;
        HY_SCOPE(slice, &err, .name = "look", .timeout = NUMBERS_SLICE) {
            (void)slice;
            err = hy_remote_event_wait(&look->answered);
        }
        if (err != HY_OK && err != HY_TIMEOUT) return err;
        if (hy_check() != HY_OK) return hy_check();
        numbers_prune(look);
        if (err == HY_TIMEOUT && hy_world_now(look->world) >= until) return err;
    }
    return HY_OK;
}

// Once told, the record is the world's until the event is set.
static void numbers_settle(numbers_look *look) {
    pthread_mutex_lock(&numbers_lock);
    hyi_list_remove(&look->link);
    const bool told = look->told;
    pthread_mutex_unlock(&numbers_lock);
    hy_err ignored = HY_OK;
    HY_SCOPE(shield, &ignored, .name = "look", .shield = HY_NEVER) {
        (void)shield;
        if (told) ignored = hy_remote_event_wait(&look->answered);
    }
}

hy_err hyi_look(hyi_look_row *rows, uint32_t count, hy_ns until) {
    if (count == 0) return HY_OK;
    numbers_look look = {
        .rows = rows, .count = count, .left = count, .world = hy_scope_world(hy_scope_current())
    };
    hyi_list_init(&look.link);
    for (uint32_t i = 0; i < count; i++) {
        HY_ASSERT(i == 0 || rows[i - 1].stats.ref.id < rows[i].stats.ref.id);
        rows[i] = (hyi_look_row){ .stats = { .ref = rows[i].stats.ref } };
    }
    pthread_mutex_lock(&numbers_lock);
    hyi_list_append(&numbers_looks, &look.link);
    pthread_mutex_unlock(&numbers_lock);
    numbers_prune(&look);
    numbers_ask(&look);
    hy_err err = numbers_wait(&look, until);
    numbers_settle(&look);
    for (uint32_t i = 0; i < count; i++) {
        if (!rows[i].answered) (void)numbers_find_outside(rows[i].stats.ref, &rows[i].stats);
    }
    return look.left == 0 ? HY_OK : err;
}

hy_err hy_actor_stats_of(hy_ref ref, hy_actor_stats *out_stats) {
    hyi_look_row row = { .stats = { .ref = ref } };
    hy_err err = HY_OK;
    const hy_scope *here = hy_scope_current();
    if (!numbers_find_outside(ref, &row.stats)) return HY_NOT_FOUND;
    if (here) err = hyi_look(&row, 1, hy_world_now(hy_scope_world(here)) + NUMBERS_PATIENCE);
    if (row.stats.state == HY_PHASE_GONE) return HY_NOT_FOUND;
    *out_stats = row.stats;
    return err;
}

// ---- workers ----------------------------------------------------------------------------------

static uint64_t numbers_read(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

hy_worker_stats hy_worker_stats_of(const hy_node *node, uint32_t number) {
    HY_ASSERT(number < node->worker_count);
    const hyi_worker *worker = node->workers[number];
    const int64_t born = atomic_load_explicit(&worker->born, memory_order_relaxed);
    return (hy_worker_stats){
        .turns = numbers_read(&worker->turns),
        .handled = numbers_read(&worker->handled),
        .shared = numbers_read(&worker->shared_out),
        .taken = numbers_read(&worker->taken),
        .parks = numbers_read(&worker->parks),
        .wakes = numbers_read(&worker->wakes),
        .events = hyi_events_count(worker),
        .restarts = numbers_read(&worker->restarts),
        .actors = born > 0 ? (uint32_t)born : 0,
        .ready = numbers_peek_ready(worker),
        .busy = atomic_load_explicit(&worker->busy, memory_order_relaxed),
        .messages_bytes = hyi_slabs_bytes(worker),
        .parked = atomic_load_explicit(&worker->parked, memory_order_relaxed) != 0,
        .stuck = hyi_watchdog_is_stuck(worker),
    };
}
