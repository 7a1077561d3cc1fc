// alarm.c - messages to oneself, later.
//
//     actor's table: place -> record        owner of the actor
//     record: in the wheel of its worker    that worker
//
// The record belongs to the actor's side, which frees it: at once if it is on the record's worker,
// else by a call to that worker, which takes it out of the wheel first. The worker's side only
// rings it. So nobody ever frees what the other may look at.
//
// An alarm that rings once sends its own message. One that repeats sends a copy, unless the one
// before still waits: `waits` is set by who sends, and cleared by who takes it out of the mailbox.
// Its times are its first plus multiples of `every`; those that have passed already are left out.
// Where the mailbox is full, no alarm is lost: it comes a moment later, or the next time.
#include "actor/alarm.h"

#include "actor/carried.h"
#include "actor/deep.h"
#include "actor/ending.h"
#include "actor/mailbox.h"
#include "actor/slot.h"
#include "actor/wheel.h"

#include <string.h>

#define ALARM_PLACES_FIRST 4u

typedef struct alarm_record {
    hyi_due due;
    hyi_call call;
    hyi_worker *worker; // whose wheel
    hyi_message *message;
    const hy_message_kind *kind;
    hy_ref to;
    hy_ns every; // 0: once
    uint8_t block_class;
    _Atomic bool waits; // of one that repeats: its message is in the mailbox
} alarm_record;

typedef struct alarm_place {
    alarm_record *record; // NULL: free
    uint32_t generation;  // grows when the alarm ends
    uint32_t next_free;   // index + 1
} alarm_place;

struct hyi_alarms {
    alarm_place *places;
    uint32_t capacity, used, free_first, count;
    uint8_t block_class;
};

// ---- the table --------------------------------------------------------------------------------

static struct hyi_alarms *alarm_table(hy_actor *actor) {
    hyi_kin *kin = hyi_kin_of(actor);
    if (!kin || kin->alarms) return kin ? kin->alarms : NULL;
    kin->alarms =
        (struct hyi_alarms *)hy_mem_alloc_zero(hyi_node_of_actor(actor)->mem, sizeof *kin->alarms);
    return kin->alarms;
}

static bool alarm_more_places(struct hyi_alarms *alarms) {
    uint32_t capacity = alarms->capacity ? alarms->capacity * 2 : ALARM_PLACES_FIRST;
    uint8_t block_class = 0;
    alarm_place *places =
        (alarm_place *)hyi_block_alloc(capacity * sizeof(alarm_place), &block_class);
    if (!places) return false;
    memset(places, 0, capacity * sizeof *places);
    if (alarms->places) {
        memcpy(places, alarms->places, alarms->used * sizeof *places);
        hyi_block_free(alarms->places, alarms->block_class);
    }
    alarms->places = places;
    alarms->block_class = block_class;
    alarms->capacity = capacity;
    return true;
}

// 0: no memory.
static uint64_t alarm_enter(struct hyi_alarms *alarms, alarm_record *record) {
    uint32_t index = alarms->used;
    if (alarms->free_first) {
        index = alarms->free_first - 1;
        alarms->free_first = alarms->places[index].next_free;
    } else {
        if (index == alarms->capacity && !alarm_more_places(alarms)) return 0;
        alarms->used++;
    }
    alarm_place *place = &alarms->places[index];
    place->record = record;
    alarms->count++;
    return (uint64_t)place->generation << 32 | (index + 1);
}

// The place of an alarm that has not ended; or NULL.
static alarm_place *alarm_find(const hy_actor *actor, uint64_t number) {
    struct hyi_alarms *alarms = actor->kin ? actor->kin->alarms : NULL;
    uint32_t index = (uint32_t)number;
    if (!alarms || index == 0 || index > alarms->used) return NULL;
    alarm_place *place = &alarms->places[index - 1];
    return place->record && place->generation == number >> 32 ? place : NULL;
}

static alarm_record *alarm_leave(struct hyi_alarms *alarms, alarm_place *place) {
    alarm_record *record = place->record;
    place->record = NULL;
    place->generation++;
    place->next_free = alarms->free_first;
    alarms->free_first = (uint32_t)(place - alarms->places) + 1;
    alarms->count--;
    return record;
}

// ---- records ----------------------------------------------------------------------------------

// On the record's worker.
static void alarm_free(alarm_record *record) {
    hyi_wheel_disarm(record->worker->wheel, &record->due);
    if (record->message) hyi_message_free(record->message);
    hyi_block_free(record, record->block_class);
}

static void alarm_on_withdraw(hyi_call *call, hyi_worker *worker) {
    (void)worker;
    alarm_free(HYI_HOLDER(alarm_record, call, call));
}

static void alarm_withdraw(alarm_record *record) {
    if (record->worker == hyi_here) {
        alarm_free(record);
        return;
    }
    record->call.run = alarm_on_withdraw;
    hyi_worker_call(record->worker, &record->call);
}

static hyi_alarm_tail *alarm_tail(hyi_message *message) {
    return (hyi_alarm_tail *)hyi_tail_at(message, HYI_MESSAGE_ALARM);
}

// ---- ringing ----------------------------------------------------------------------------------

// With all that is behind it. What the first carries of its scope's is not repeated: that time is
// over. NULL: no memory.
static hyi_message *alarm_copy(const alarm_record *record) {
    const hy_message_kind *kind = record->kind;
    const void *from = record->message + 1;
    size_t used = (sizeof(hyi_message) + kind->size + 15) & ~(size_t)15, behind = 0;
    if (!hyi_deep_is_flat(kind) && hyi_deep_size(kind->record, from, &behind) != HY_OK) return NULL;
    uint8_t block_class = 0;
    hyi_message *copy =
        (hyi_message *)hyi_block_alloc(used + behind + HYI_TAIL_ALARM, &block_class);
    if (!copy) return NULL;
    memcpy(copy, record->message, sizeof *copy + kind->size);
    copy->block_class = block_class;
    copy->flags = HYI_MESSAGE_ALARM;
    if (behind > 0) hyi_deep_move(kind->record, copy + 1, (uint8_t *)copy + used);
    *alarm_tail(copy) = *alarm_tail(record->message);
    return copy;
}

static void alarm_again(alarm_record *record) {
    hy_ns now = hy_world_now(record->worker->world);
    hy_ns next = hy_ns_add(record->due.at, record->every);
    if (next < now) next += ((now - next) / record->every + 1) * record->every;
    hy_err err = hyi_wheel_arm(record->worker->wheel, &record->due, next - now);
    HY_ASSERT(err == HY_OK); // the wheel's timer runs while it fires
}

static void alarm_ring(alarm_record *record) {
    hyi_message *message = record->message;
    hy_ref to = record->to;
    hy_actor *actor = hyi_find(to);
    if (!actor) return; // it has ended, and the record is about to be freed
    bool full = hyi_mailbox_is_full(actor);
    if (record->every > 0) {
        alarm_again(record);
        if (full) return;
        // Acquire: pairs with the release in alarm_claims and alarm_dropped.
        if (atomic_load_explicit(&record->waits, memory_order_acquire)) return;
        message = alarm_copy(record);
        if (!message) return; // next time
        atomic_store_explicit(&record->waits, true, memory_order_relaxed);
    } else if (full) {
        hy_err err = hyi_wheel_arm(record->worker->wheel, &record->due, 0);
        HY_ASSERT(err == HY_OK);
        return;
    } else {
        record->message = NULL;
    }
    // Its actor may run on another worker, and end the alarm, from here on. So `record` is looked
    // at again only if the send was refused: then there is no message by which it could have ended;
    // and it is freed by a call to this thread.
    const hy_message_kind *kind = record->kind;
    bool repeats = record->every > 0;
    if (hyi_send(to, kind, message, NULL) != HY_OK && repeats) {
        atomic_store_explicit(&record->waits, false, memory_order_relaxed);
    }
}

static void alarm_on_due(hyi_due *due) {
    alarm_record *record = HYI_HOLDER(alarm_record, due, due);
    hyi_worker *here = hyi_here; // of another node, perhaps, on the same thread
    hyi_here = record->worker;
    alarm_ring(record);
    hyi_here = here;
}

bool hyi_alarm_stands(hy_actor *actor, hyi_message *message) {
    hyi_alarm_tail *tail = alarm_tail(message);
    if (tail->number == 0) return true; // it was stashed, or failed
    alarm_place *place = alarm_find(actor, tail->number);
    if (!place) return false;
    tail->number = 0;
    if (place->record->every > 0) {
        // Release: pairs with the acquire in alarm_on_due.
        atomic_store_explicit(&place->record->waits, false, memory_order_release);
    } else {
        alarm_withdraw(alarm_leave(actor->kin->alarms, place));
    }
    return true;
}

void hyi_alarm_dropped(hy_ref to, hyi_message *message) {
    hy_actor *actor = hyi_find(to);
    hyi_alarm_tail *tail = alarm_tail(message);
    if (!actor || !hyi_here || tail->number == 0) return;
    if (atomic_load_explicit(&actor->owner, memory_order_relaxed) != hyi_here->number) return;
    alarm_place *place = alarm_find(actor, tail->number);
    if (!place) return;
    if (place->record->every > 0) {
        atomic_store_explicit(&place->record->waits, false, memory_order_release);
    } else {
        alarm_withdraw(alarm_leave(actor->kin->alarms, place));
    }
}

// ---- for handlers -----------------------------------------------------------------------------

static alarm_record *alarm_new(hy_actor *self, const hy_message_kind *kind, hyi_message *message,
                               hy_ns every) {
    uint8_t block_class = 0;
    alarm_record *record = (alarm_record *)hyi_block_alloc(sizeof *record, &block_class);
    if (!record) return NULL;
    record->due = (hyi_due){ .fire = alarm_on_due };
    record->worker = hyi_here;
    record->message = message;
    record->kind = kind;
    record->to = hyi_ref_of(self);
    record->every = every > 0 ? every : 0;
    record->block_class = block_class;
    atomic_store_explicit(&record->waits, false, memory_order_relaxed);
    return record;
}

static hy_err alarm_dress(const hy_message_kind *kind, hyi_message **message) {
    size_t used = sizeof **message + kind->size;
    if (!hyi_tail_room(message, used, HYI_MESSAGE_ALARM)) return HY_NOMEM;
    alarm_tail(*message)->number = 0;
    (*message)->flags |= HYI_MESSAGE_ALARM;
    if (!hyi_needs_dress(kind, NULL, true)) return HY_OK;
    hy_err err = hyi_message_dress(kind, message, NULL, true);
    hyi_more_tail *more = err == HY_OK ? hyi_more_of(*message) : NULL;
    // It goes on with the trace, but not with the time of whoever set it.
    if (more && more->baggage) more->baggage->time_left = HY_NEVER;
    return err;
}

hy_err hyi_after(hy_actor *self, const hy_message_kind *kind, void *copy, hy_ns after, hy_ns every,
                 hy_alarm *out_alarm) {
    if (!copy) return HY_NOMEM;
    hyi_message *message = (hyi_message *)copy - 1;
    // One that is stopping would be rung in its next start.
    bool lives = hyi_lives(self);
    struct hyi_alarms *alarms = lives ? alarm_table(self) : NULL;
    hy_err err = alarms ? alarm_dress(kind, &message) : lives ? HY_NOMEM : HY_CLOSED;
    alarm_record *record = err == HY_OK ? alarm_new(self, kind, message, every) : NULL;
    uint64_t number = record ? alarm_enter(alarms, record) : 0;
    if (number != 0) {
        alarm_tail(message)->number = number;
        err = hyi_wheel_arm(hyi_here->wheel, &record->due, after);
        if (err == HY_OK) {
            if (out_alarm) out_alarm->id = number;
            return HY_OK;
        }
        (void)alarm_leave(alarms, alarm_find(self, number));
    }
    if (record) hyi_block_free(record, record->block_class);
    hyi_message_free(message);
    return err == HY_OK ? HY_NOMEM : err;
}

void hy_alarm_stop(hy_actor *self, hy_alarm alarm) {
    alarm_place *place = alarm_find(self, alarm.id);
    if (place) alarm_withdraw(alarm_leave(self->kin->alarms, place));
}

// ---- ends -------------------------------------------------------------------------------------

void hyi_alarms_end(hy_actor *actor) {
    struct hyi_alarms *alarms = actor->kin ? actor->kin->alarms : NULL;
    for (uint32_t i = 0; alarms && i < alarms->used; i++) {
        if (alarms->places[i].record) alarm_withdraw(alarm_leave(alarms, &alarms->places[i]));
    }
}

void hyi_alarms_free(hyi_kin *kin) {
    struct hyi_alarms *alarms = kin->alarms;
    if (!alarms) return;
    for (uint32_t i = 0; i < alarms->used; i++) {
        alarm_record *record = alarms->places[i].record;
        if (!record) continue;
        if (record->message) hyi_message_free(record->message);
        hyi_block_free(record, record->block_class);
    }
    if (alarms->places) hyi_block_free(alarms->places, alarms->block_class);
    hy_mem_free(hyi_node_of_actor(kin->actor)->mem, alarms, sizeof *alarms);
    kin->alarms = NULL;
}

uint32_t hyi_alarms_count(const hy_actor *actor) {
    return actor->kin && actor->kin->alarms ? actor->kin->alarms->count : 0;
}
