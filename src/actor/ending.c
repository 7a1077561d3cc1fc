// ending.c - an actor's start, and all the ways in which it ends.
//
//     UNBORN --hyi_begin--> STARTING --> RUNNING --failed, told, killed--> STOPPING
//        ^                      \__ start failed ________________________/   | children, the last
//        |                                                                   v spawned first
//        |  order START                                                   LEAVING    `stop` runs
//        +------------- RESTING <--- has a supervisor ---\                   v
//                          | order GO                     +-------------- RELEASING  what it owns
//                          v                             /
//                        ENDED <--- has none -----------+
//
// Every end takes this one way, whatever began it; what differs is noted in `ending`: a start that
// failed has no `stop`, nor has one that was killed. User code is called in three places (start,
// stop, the release of what is owned), on the fiber of the turn. Each may wait, and each may end by
// hy_fail, which abandons the calls that led there: hyi_failed looks at the phase, and goes on from
// where it was. So nothing of an end is remembered on a stack.
//
// The end of a start is the supervisor's business (supervise.c). It hears of it by news that need
// no memory, and answers by an order: START, with fresh state and the old mailbox, or GO. Only then
// is the ref no longer good.
//
// Limits of time cost nothing where nothing waits: start_max and stop_max begin to run when a hook
// is about to wait (hyi_actor_waits), or when an end must wait for children or for the handler at
// hand. What computes cannot be interrupted, so for that a limit would be of no use.
#include "actor/ending.h"
#include "actor/alarm.h"
#include "actor/ask.h"
#include "actor/limits.h"
#include "actor/mailbox.h"
#include "actor/queue.h"
#include "actor/rearing.h"
#include "actor/slot.h"
#include "actor/share.h"

#include <string.h>

static void ending_begin(hy_actor *actor, hy_err why);
static void ending_leave(hy_actor *actor);
static void ending_release(hy_actor *actor);
static void ending_over(hy_actor *actor);
static void ending_gone(hy_actor *actor, hy_err why);
static void ending_return_message(hy_actor *actor, hyi_message *at_hand);
static void ending_queue_again(hy_actor *actor, hyi_message *message);
static void ending_drop_start(hy_actor *actor);
static void ending_stop(hy_actor *actor);
static void ending_kill(hy_actor *actor);

// ---- the beginning ----------------------------------------------------------------------------

static void begin_up(hyi_worker *worker, hy_actor *actor);

void hyi_begin(hyi_worker *worker, hy_actor *actor) {
    HY_ASSERT(actor->phase == HYI_UNBORN);
    const hy_actor_type *type = actor->type;
    hyi_birth *birth = actor->birth;
    actor->phase = HYI_STARTING;
    actor->behaviour = type->first;
    if (birth) {
        birth->starts++;
        birth->was_up = false;
    }
    if (actor->kin) {
        actor->kin->start = birth ? birth->starts : 1;
        hyi_rearing_begin(actor);
    }
    if (type->state_size > 0) memset(actor->state, 0, type->state_size);
    hy_err err = HY_OK;
    if (type->start) err = type->start(actor, actor->state, hyi_actor_arg(actor));
    if (actor->kin) hyi_limits_stop(actor, HYI_LIMIT_START);
    if (err == HY_OK && (actor->ending & HYI_ENDING_LATE)) err = HY_TIMEOUT;
    if (err != HY_OK) {
        hyi_failed(actor, err, NULL, NULL);
        return;
    }
    begin_up(worker, actor);
    if (actor->flags & HYI_ACTOR_ENDING) hyi_stopping(actor, HY_OK);
}

static void begin_up(hyi_worker *worker, hy_actor *actor) {
    hyi_birth *birth = actor->birth;
    actor->phase = HYI_RUNNING;
    hyi_event(worker, HY_EVENT_STARTED, actor, birth ? birth->starts : 1);
    if (birth) {
        birth->was_up = true;
        // The coarse clock does for the first start, after which a fall is the first in a row
        // whatever it says.
        birth->up_at = birth->starts > 1 ? hy_world_now(worker->world) : worker->batch_began;
        if (birth->tells_up) hyi_tell_news(birth, HYI_NEWS_UP);
        birth->tells_up = false;
        if (birth->spec->options.health_every > 0 && actor->type->health) hyi_health_begin(actor);
    }
    if (actor->kin && actor->kin->waiting) hyi_waiters_up(actor);
}

// ---- what ends a start ------------------------------------------------------------------------

void hyi_failed(hy_actor *actor, hy_err err, const char *text, hyi_message *at_hand) {
    (void)text;
    if (actor->phase == HYI_STARTING && (actor->ending & HYI_ENDING_LATE)) err = HY_TIMEOUT;
    if ((actor->ending & HYI_ENDING_DOOMED) && actor->kin->doom != HY_OK) err = actor->kin->doom;
    if (actor->ending & HYI_ENDING_KILLED) err = HY_CANCELLED;
    hyi_event(hyi_here, HY_EVENT_FAILED, actor, (uint64_t)err);
    ending_return_message(actor, at_hand);
    switch ((hyi_phase)actor->phase) {
    case HYI_STARTING: actor->ending |= HYI_ENDING_UNSTARTED; break;
    case HYI_RUNNING: break;
    case HYI_LEAVING:
    case HYI_RELEASING: ending_release(actor); return; // what `why` was stays
    case HYI_FREE:
    case HYI_UNBORN:
    case HYI_RESTING:
    case HYI_STOPPING:
    case HYI_ENDED: HY_ASSERT(false); return; // none of its code runs then
    }
    ending_begin(actor, err);
}

void hyi_stopping(hy_actor *actor, hy_err why) {
    if (actor->ending & HYI_ENDING_KILLED) why = HY_CANCELLED;
    if (actor->ending & HYI_ENDING_DOOMED) why = actor->kin->doom;
    if (why != HY_OK && actor->phase == HYI_RUNNING) {
        hyi_failed(actor, why, NULL, NULL);
        return;
    }
    ending_begin(actor, why);
}

void hyi_doom(hy_actor *actor, hy_err err) {
    if (!hyi_lives(actor) || (actor->ending & HYI_ENDING_DOOMED)) return;
    actor->ending |= HYI_ENDING_DOOMED;
    actor->kin->doom = err;
    actor->flags |= HYI_ACTOR_ENDING;
    if (actor->flags & HYI_ACTOR_LENT) hyi_cancel_lent(actor, HY_CANCELLED);
}

// The message whose handler failed is not handled again, unless the type says that this does no
// harm; then it is, before all others, until it has failed too often. One is counted at a time: it
// is the first that the next start handles. Only who may be started again has that chance.
static void ending_return_message(hy_actor *actor, hyi_message *at_hand) {
    if (!at_hand) return;
    if (at_hand->flags & HYI_MESSAGE_SYSTEM) {
        hyi_message_free(at_hand);
        return;
    }
    hyi_birth *birth = actor->birth;
    uint16_t tag = at_hand->tag;
    bool is_idempotent = tag < 64 && ((actor->type->idempotent >> tag) & 1) != 0;
    bool may_again = birth && birth->parent && birth->spec->options.restart != HY_TEMPORARY;
    hy_drop reason = HY_DROP_FAILED;
    if (is_idempotent && may_again) {
        if (birth->suspect != at_hand) birth->failures = 0;
        birth->suspect = at_hand;
        if (++birth->failures < birth->spec->options.poison_after) {
            ending_queue_again(actor, at_hand);
            return;
        }
        birth->suspect = NULL;
        reason = HY_DROP_POISON;
        hyi_event(hyi_here, HY_EVENT_POISON, actor, tag);
    }
    hyi_drop_queued(hyi_ref_of(actor), actor->type, at_hand, reason);
}

// Before all others of its lane. It never left the mailbox, so it is not counted as handled.
static void ending_queue_again(hy_actor *actor, hyi_message *message) {
    if (message->flags & HYI_MESSAGE_URGENT) {
        hyi_kin *kin = actor->kin;
        message->next_ = kin->urgent_first;
        if (!kin->urgent_first) kin->urgent_last = message;
        kin->urgent_first = message;
    } else {
        message->next_ = actor->local_first;
        if (!actor->local_first) actor->local_last = message;
        actor->local_first = message;
        actor->local_count++;
    }
    hyi_mailbox_count(actor, 1);
}

// What belongs to this start alone. What was stashed goes back into the mailbox.
static void ending_drop_start(hy_actor *actor) {
    hyi_asks_end(actor);
    hyi_alarms_end(actor);
    if (actor->flags & HYI_ACTOR_STASHED) hy_unstash(actor);
}

// ---- the way of every end ---------------------------------------------------------------------

static void ending_begin(hy_actor *actor, hy_err why) {
    actor->phase = HYI_STOPPING;
    actor->why = why;
    actor->flags &= (uint8_t)~HYI_ACTOR_ENDING;
    if (actor->kin) {
        hyi_health_end(actor);
        hyi_limits_stop(actor, HYI_LIMIT_START);
        ending_drop_start(actor);
    }
    hyi_ending_go_on(actor);
}

void hyi_ending_go_on(hy_actor *actor) {
    HY_ASSERT(actor->phase == HYI_STOPPING);
    if (hyi_children_stop(actor, (actor->ending & HYI_ENDING_KILLED) != 0)) {
        ending_leave(actor);
        return;
    }
    bool is_told = (actor->ending & (HYI_ENDING_TOLD | HYI_ENDING_UNWANTED)) != 0;
    if (is_told) hyi_limits_start(actor, HYI_LIMIT_STOP, hyi_options(actor)->stop_max);
}

static void ending_leave(hy_actor *actor) {
    const hy_actor_type *type = actor->type;
    actor->phase = HYI_LEAVING;
    if (actor->flags & HYI_ACTOR_LENT) hyi_actor_waits(actor); // the fiber has been lent already
    bool stops = (actor->ending & (HYI_ENDING_KILLED | HYI_ENDING_UNSTARTED)) == 0;
    if (stops && type->stop) type->stop(actor, actor->state, actor->why);
    ending_release(actor);
}

static void ending_release(hy_actor *actor) {
    actor->phase = HYI_RELEASING;
    if (actor->kin) {
        hyi_hoard_release(actor);
        ending_drop_start(actor); // `stop` may have begun something, too
        hyi_limits_stop(actor, HYI_LIMIT_STOP);
    }
    ending_over(actor);
}

static void ending_over(hy_actor *actor) {
    hyi_birth *birth = actor->birth;
    hy_err why = actor->why;
    uint8_t ending = actor->ending;
    actor->ending = 0;
    if (actor->kin && actor->kin->watchers) hyi_links_tell(actor, why);
    if (!birth || !birth->parent) {
        ending_gone(actor, why);
        return;
    }
    actor->phase = HYI_RESTING;
    birth->ended_with = why;
    birth->is_unwanted = (ending & HYI_ENDING_UNWANTED) != 0;
    birth->tells_up = false;
    hyi_tell_news(birth, HYI_NEWS_ENDED);
}

static void ending_gone(hy_actor *actor, hy_err why) {
    hy_ref ref = hyi_ref_of(actor);
    const char *type = actor->type->name;
    actor->phase = HYI_ENDED;
    hyi_event(hyi_here, HY_EVENT_ENDED, actor, (uint64_t)why);
    hyi_waiting *waiting = hyi_waiters_take(actor);
    hyi_watched *watched = hyi_watched_take(actor);
    hyi_actor_gone(actor);
    hyi_watched_tell(watched, ref, why, type);
    hyi_waiters_tell(waiting, why);
}

void hyi_tell_news(hyi_birth *birth, hyi_news news) {
    // Release: pairs with the acquire in hyi_child_has_news. Who finds none sends the note, which
    // is the child's from the moment the parent has taken the news.
    uint8_t before = atomic_fetch_or_explicit(&birth->news, (uint8_t)news, memory_order_acq_rel);
    if (before == 0) hyi_send_system(birth->parent, &birth->note);
}

// ---- orders -----------------------------------------------------------------------------------

void hyi_obey(hy_actor *actor, uint8_t orders) {
    hyi_orders_clear(actor, orders);
    if (orders & HYI_ORDER_ROOM) hyi_room_awaited(actor);
    if ((orders & HYI_ORDER_START) && actor->phase == HYI_RESTING) {
        actor->phase = HYI_UNBORN;
        actor->birth->parent = actor->birth->adopter;
        // Its supervisor did not know yet that it was told to stop while it rested.
        if (actor->ending & HYI_ENDING_UNWANTED) orders |= HYI_ORDER_STOP;
    }
    if (orders & HYI_ORDER_GO) {
        uint8_t wish = atomic_load_explicit(&actor->birth->wish, memory_order_acquire);
        if (wish == HYI_WISH_END) {
            HY_ASSERT(actor->phase == HYI_RESTING);
            ending_gone(actor, actor->birth->ended_with);
            return;
        }
        if (wish == HYI_WISH_NONE || actor->phase == HYI_RESTING) {
            orders &= (uint8_t)~HYI_ORDER_GO;
        } else {
            actor->ending |= HYI_ENDING_TOLD;
        }
    }
    if (orders & HYI_ORDER_STOP) {
        actor->ending |= HYI_ENDING_UNWANTED;
        if (actor->phase == HYI_RESTING) {
            // Not adopted yet, it stops as soon as it is started.
            if (actor->birth->parent) hyi_tell_news(actor->birth, HYI_NEWS_UNWANTED);
            return;
        }
    }
    // Full before it runs, or between two starts, is for the next send to find.
    bool is_full =
        (orders & HYI_ORDER_FULL) && actor->phase == HYI_RUNNING && hyi_kin_of(actor) != NULL;
    if (is_full) hyi_doom(actor, HY_LIMIT);
    if (orders & HYI_ORDER_KILL) {
        ending_kill(actor);
    } else if (is_full || (orders & (HYI_ORDER_STOP | HYI_ORDER_GO))) {
        ending_stop(actor);
    }
}

// Told to stop, or to be killed, at a time when none of its code is on a stack but a waiting one.
static void ending_stop(hy_actor *actor) {
    if (!hyi_lives(actor)) return; // it ends already
    if (actor->flags & HYI_ACTOR_LENT) {
        actor->flags |= HYI_ACTOR_ENDING;
        hyi_limits_start(actor, HYI_LIMIT_STOP, hyi_options(actor)->stop_max);
        return;
    }
    if (actor->phase == HYI_UNBORN) actor->ending |= HYI_ENDING_UNSTARTED;
    hyi_stopping(actor, HY_OK);
}

static void ending_kill(hy_actor *actor) {
    if (actor->phase == HYI_RESTING || actor->phase == HYI_ENDED) return;
    actor->ending |= HYI_ENDING_KILLED;
    if (actor->flags & HYI_ACTOR_LENT) {
        actor->flags |= hyi_lives(actor) ? HYI_ACTOR_ENDING : 0;
        hyi_cancel_lent(actor, HY_CANCELLED);
    } else if (actor->phase == HYI_STOPPING) {
        hyi_ending_go_on(actor);
    } else {
        ending_stop(actor);
    }
}

// ---- limits of time ---------------------------------------------------------------------------

void hyi_actor_waits(hy_actor *actor) {
    const hy_actor_options *options = hyi_options(actor);
    if (actor->phase == HYI_STARTING) {
        hyi_limits_start(actor, HYI_LIMIT_START, options->start_max);
    } else if (actor->phase == HYI_LEAVING || actor->phase == HYI_RELEASING) {
        hyi_limits_start(actor, HYI_LIMIT_STOP, options->stop_max);
    } else {
        hyi_health_waits(actor);
    }
}

void hyi_cancel_lent(hy_actor *actor, hy_err why) {
    const hyi_list *lent = &hyi_here->lent;
    for (hyi_link *link = hyi_list_first(lent); link; link = hyi_list_after(lent, link)) {
        hyi_dispatcher *dispatcher = HYI_HOLDER(hyi_dispatcher, link, link);
        if (dispatcher->actor != actor) continue;
        dispatcher->cancelled = true;
        hy_task_cancel(dispatcher->task, why);
        return;
    }
}

void hyi_start_late(hy_actor *actor) {
    if (actor->phase != HYI_STARTING || !(actor->flags & HYI_ACTOR_LENT)) return;
    actor->ending |= HYI_ENDING_LATE;
    hyi_cancel_lent(actor, HY_TIMEOUT);
}

void hyi_stop_late(hy_actor *actor) {
    ending_kill(actor);
}

// ---- telling an actor to end ------------------------------------------------------------------

void hy_actor_stop(hy_ref ref) {
    (void)hyi_poke_ref(ref, HYI_ORDER_STOP);
}

void hy_actor_kill(hy_ref ref) {
    (void)hyi_poke_ref(ref, HYI_ORDER_KILL);
}

bool hy_actor_is_alive(hy_ref ref) {
    const hy_actor *actor = hyi_find_hold(ref);
    if (actor) hyi_find_let_go(ref);
    return actor != NULL;
}

void hy_actor_end(hy_actor *self) {
    if (hyi_lives(self)) self->flags |= HYI_ACTOR_ENDING;
}
