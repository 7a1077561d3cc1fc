// supervise.c - what follows when a child ends, or has other news.
//
// The rules are those of services (scope's restart.c and service.c), and so are the policies, which
// are asked with is_service set. A child that ends by itself is put before its supervisor's policy.
// Where it is to be started again, three questions remain: is it too often (intensity, of the child
// and of all children together), when (backoff: the first restart is at once; from the second in a
// row on after a random time up to backoff_min, doubling to backoff_max; who was up for
// restarts_within begins anew), and who else goes down and comes up with it (the group).
//
// The group is a tail of the list of children, which is in order of spawn. Its members are stopped
// from the end to the front, one at a time; then comes the backoff; then they start from the front,
// each when the one before is up. Who falls while the others go down is merely down; who falls
// while they come up is one more restart, and the group begins anew, grown at the front if need be.
// A child spawned meanwhile comes last, so its start waits for its turn.
//
// One restart too many and the supervisor itself fails, with HY_RESTARTS; its own supervisor is
// told like of any failure. That is all there is to escalation. Verdicts that say nothing of
// restarts: HY_FAIL is the supervisor's failure with the child's error, HY_FINISH its good end.
//
// Nothing here waits, and nothing calls a child: there are orders to it and timers.
#include "actor/rearing.h"
#include "actor/adopt.h"
#include "actor/ending.h"
#include "actor/limits.h"
#include "actor/slot.h"

#include <string.h>

static void child_fell(hy_actor *self, hyi_birth *child);
static void child_judge(hy_actor *self, hyi_birth *child);
static bool child_is_wanted(const hyi_birth *child);
static void child_let_go(hy_actor *self, hyi_birth *child);
static void child_start(hy_actor *self, hyi_birth *child);
static hy_ns child_pause(const hy_actor *self, hyi_birth *child);
static void child_start_after(hy_actor *self, hyi_birth *child, hy_ns pause);
static void group_begin(hy_actor *self, hyi_birth *from, hy_ns pause);
static void group_step(hy_actor *self);

// ---- having children --------------------------------------------------------------------------

hyi_rearing *hyi_rearing_of(hy_actor *actor) {
    hyi_kin *kin = hyi_kin_of(actor);
    if (!kin || kin->rearing) return kin ? kin->rearing : NULL;
    hy_mem *mem = hyi_here->node->mem;
    hyi_rearing *rearing = (hyi_rearing *)hy_mem_alloc_zero(mem, sizeof *rearing);
    if (!rearing) return NULL;
    rearing->actor = actor;
    hyi_list_init(&rearing->children);
    kin->rearing = rearing;
    return rearing;
}

void hyi_rearing_free(hy_actor *actor) {
    hyi_rearing *rearing = actor->kin ? actor->kin->rearing : NULL;
    if (!rearing) return;
    hy_node *node = hyi_node_of_actor(actor);
    hyi_limit_stop(&rearing->paused);
    if (rearing->latest) hyi_spec_unref(node, rearing->latest);
    hyi_recent_free(node, rearing->recent);
    hy_mem_free(node->mem, rearing, sizeof *rearing);
    actor->kin->rearing = NULL;
}

void hyi_rearing_begin(hy_actor *actor) {
    hyi_rearing *rearing = actor->kin ? actor->kin->rearing : NULL;
    if (rearing && rearing->recent) rearing->recent->count = rearing->recent->next = 0;
}

hy_err hyi_rearing_admits(const hy_actor *actor) {
    if (!hyi_lives(actor) || (actor->flags & HYI_ACTOR_ENDING)) return HY_CLOSED;
    uint32_t most = hyi_options(actor)->children_max;
    const hyi_rearing *rearing = actor->kin ? actor->kin->rearing : NULL;
    return most > 0 && rearing && rearing->count >= most ? HY_LIMIT : HY_OK;
}

hy_err hyi_rearing_spec(hy_actor *actor, const hy_actor_options *options, hyi_spec **out_spec) {
    if (!options) {
        *out_spec = &hyi_spec_default;
        return HY_OK;
    }
    hyi_rearing *rearing = hyi_rearing_of(actor);
    if (!rearing) return HY_NOMEM;
    // The same bytes mean the same options. Others may mean the same, too: then specs are two.
    bool is_whole = options->size == sizeof *options;
    if (rearing->latest && is_whole && memcmp(&rearing->given, options, sizeof *options) == 0) {
        *out_spec = hyi_spec_ref(rearing->latest);
        return HY_OK;
    }
    hy_err err = hyi_spec_make(hyi_here->node, options, out_spec);
    if (err != HY_OK || !is_whole) return err;
    if (rearing->latest) hyi_spec_unref(hyi_here->node, rearing->latest);
    rearing->latest = hyi_spec_ref(*out_spec);
    memcpy(&rearing->given, options, sizeof *options);
    return HY_OK;
}

bool hyi_rearing_add(hy_actor *actor, hyi_birth *birth) {
    hyi_rearing *rearing = actor->kin->rearing;
    hyi_list_append(&rearing->children, &birth->in_parent);
    rearing->count++;
    bool starts = rearing->group == HYI_GROUP_NONE;
    birth->place = starts ? HYI_CHILD_LIVE : HYI_CHILD_DOWN;
    birth->is_in_group = !starts;
    return starts;
}

// ---- news -------------------------------------------------------------------------------------

void hyi_child_has_news(hy_actor *self, hyi_birth *child) {
    // Taken first: from here on the child may send the note again. Acquire: pairs with
    // hyi_tell_news.
    uint8_t news = atomic_exchange_explicit(&child->news, 0, memory_order_acq_rel);
    if ((news & HYI_NEWS_UP) && child->is_in_group && child->place == HYI_CHILD_LIVE) {
        child->is_up = true;
        if (!(news & HYI_NEWS_ENDED)) group_step(self);
    }
    if (news & HYI_NEWS_ENDED) {
        if (news & HYI_NEWS_UNWANTED) child->is_unwanted = true; // told right after its end
        child_fell(self, child);
    } else if (news & HYI_NEWS_UNWANTED) {
        // Told while it rested. If it has been started since then it is to stop again.
        if (child->place == HYI_CHILD_LIVE) {
            hyi_poke(child->actor, HYI_ORDER_STOP);
        } else if (child->place != HYI_CHILD_STOPPING) {
            child_let_go(self, child);
            group_step(self);
        }
    }
}

static void child_fell(hy_actor *self, hyi_birth *child) {
    bool was_told = child->place == HYI_CHILD_STOPPING;
    child->is_up = false;
    if (!hyi_lives(self)) {
        child_let_go(self, child);
        hyi_ending_go_on(self); // tells the next one, or that all have ended
        return;
    }
    hyi_rearing *rearing = self->kin->rearing;
    bool group_goes_down = child->is_in_group && rearing->group == HYI_GROUP_DOWN_;
    if (child->is_unwanted) {
        child_let_go(self, child);
    } else if (was_told || (group_goes_down && child_is_wanted(child))) {
        if (child->spec->options.restart == HY_TEMPORARY) {
            child_let_go(self, child);
        } else {
            child->place = HYI_CHILD_DOWN;
        }
    } else {
        child_judge(self, child);
    }
    group_step(self);
}

// By itself, or killed by somebody else than its supervisor.
static void child_judge(hy_actor *self, hyi_birth *child) {
    const hy_actor_options *own = &child->spec->options, *options = hyi_options(self);
    hy_node *node = hyi_here->node;
    hy_err ended_with = child->ended_with;
    hy_ending ending = {
        .scope = node->scope,
        .name = hyi_actor_name(child->actor),
        .err = ended_with,
        .is_service = true,
    };
    hy_verdict verdict = options->policy(&ending);
    bool restarts = verdict >= HY_RESTART_ONE;
    if (!restarts || !child_is_wanted(child)) {
        child_let_go(self, child);
        if (verdict == HY_FAIL) hyi_doom(self, ended_with != HY_OK ? ended_with : HY_END);
        if (verdict == HY_FINISH) hyi_doom(self, HY_OK);
        return;
    }
    hy_ns now = hy_world_now(hyi_here->world);
    hy_err err = HY_OK;
    uint32_t most = own->restarts_max;
    bool allowed = hyi_recent_allows(node, &child->recent, most, own->restarts_within, now, &err);
    if (allowed) {
        most = options->children_restarts_max;
        hyi_recent **all = &self->kin->rearing->recent;
        allowed = hyi_recent_allows(node, all, most, options->children_restarts_within, now, &err);
    }
    if (!allowed) {
        hyi_event(hyi_here, HY_EVENT_RESTARTS, child->actor, most);
        hyi_event(hyi_here, HY_EVENT_ESCALATED, self, (uint64_t)(err ? err : HY_RESTARTS));
        child_let_go(self, child);
        hyi_doom(self, err != HY_OK ? err : HY_RESTARTS);
        return;
    }
    hy_ns pause = child_pause(self, child);
    if (verdict == HY_RESTART_ONE && !child->is_in_group) {
        child_start_after(self, child, pause);
        return;
    }
    child->place = HYI_CHILD_DOWN;
    hyi_link *first = hyi_list_first(&self->kin->rearing->children);
    group_begin(self, verdict == HY_RESTART_ALL ? hyi_child_at(first) : child, pause);
}

static bool child_is_wanted(const hyi_birth *child) {
    switch (child->spec->options.restart) {
    case HY_TEMPORARY: return false;
    case HY_TRANSIENT: return child->ended_with != HY_OK;
    case HY_PERMANENT: return true;
    }
    return false;
}

// It rests, and will never be started again. After the order it may be gone at any moment.
static void child_let_go(hy_actor *self, hyi_birth *child) {
    hyi_limit_stop(&child->pause);
    hyi_list_remove(&child->in_parent);
    self->kin->rearing->count--;
    hyi_child_go(child, HYI_WISH_END, 0);
}

// ---- starting again ---------------------------------------------------------------------------

static void child_start(hy_actor *self, hyi_birth *child) {
    (void)self;
    hyi_limit_stop(&child->pause);
    child->place = HYI_CHILD_LIVE;
    child->tells_up = child->is_in_group;
    child->is_up = false;
    if (child->starts > 0) {
        child->restarts++;
        HYI_BUMP(hyi_here->restarts, 1);
        hyi_event(hyi_here, HY_EVENT_RESTARTED, child->actor, child->restarts);
    }
    atomic_store_explicit(&child->wish, HYI_WISH_NONE, memory_order_release);
    hyi_poke(child->actor, HYI_ORDER_START);
}

static hy_ns child_pause(const hy_actor *self, hyi_birth *child) {
    (void)self;
    const hy_actor_options *options = &child->spec->options;
    hy_world *world = hyi_here->world;
    bool was_quiet =
        child->was_up && hy_world_now(world) - child->up_at >= options->restarts_within;
    if (was_quiet) child->in_a_row = 0;
    uint32_t nth = child->in_a_row++;
    if (nth == 0) return 0;
    hy_ns most = options->backoff_min;
    for (uint32_t i = 1; i < nth && most < options->backoff_max; i++) {
        most = most > options->backoff_max / 2 ? options->backoff_max : most * 2;
    }
    if (most > options->backoff_max) most = options->backoff_max;
    return 1 + (hy_ns)(hy_world_random(world) % (uint64_t)most);
}

static void child_start_after(hy_actor *self, hyi_birth *child, hy_ns pause) {
    if (pause == 0) {
        child_start(self, child);
        return;
    }
    child->place = HYI_CHILD_PAUSED;
    hy_err err = hyi_limit_start(hyi_ref_of(self), HYI_SYSTEM_AGAIN, pause, child, &child->pause);
    if (err == HY_OK) return;
    // Without a timer nobody would ever start it again: that must not go unnoticed.
    child_let_go(self, child);
    hyi_doom(self, err);
}

void hyi_child_again(hy_actor *self, void *subject) {
    hyi_rearing *rearing = self->kin->rearing;
    if (subject == rearing) {
        rearing->paused = NULL;
        HY_ASSERT(rearing->group == HYI_GROUP_PAUSE_);
        rearing->group = HYI_GROUP_UP_;
        group_step(self);
        return;
    }
    hyi_birth *child = (hyi_birth *)subject;
    child->pause = NULL;
    HY_ASSERT(child->place == HYI_CHILD_PAUSED);
    child_start(self, child);
}

// ---- groups -----------------------------------------------------------------------------------

static void group_begin(hy_actor *self, hyi_birth *from, hy_ns pause) {
    hyi_rearing *rearing = self->kin->rearing;
    for (hyi_link *link = &from->in_parent; link; link = hyi_list_after(&rearing->children, link)) {
        hyi_birth *child = hyi_child_at(link);
        child->is_in_group = true;
        if (child->place != HYI_CHILD_PAUSED) continue;
        hyi_limit_stop(&child->pause);
        child->place = HYI_CHILD_DOWN;
    }
    hyi_limit_stop(&rearing->paused);
    rearing->group = HYI_GROUP_DOWN_;
    rearing->pause = pause;
}

// True: all members are down. The last one that is not is told, if it was not.
static bool group_goes_down(hyi_rearing *rearing) {
    hyi_link *link = hyi_list_last(&rearing->children);
    for (; link; link = hyi_list_before(&rearing->children, link)) {
        hyi_birth *child = hyi_child_at(link);
        if (!child->is_in_group || child->place == HYI_CHILD_DOWN) continue;
        if (child->place == HYI_CHILD_LIVE) {
            child->place = HYI_CHILD_STOPPING;
            hyi_child_go(child, HYI_WISH_STOP, 0);
        }
        return false;
    }
    return true;
}

// True: all members are up, or gone. The first one that is down is started.
static bool group_comes_up(hy_actor *self, hyi_rearing *rearing) {
    hyi_link *link = hyi_list_first(&rearing->children);
    for (; link; link = hyi_list_after(&rearing->children, link)) {
        hyi_birth *child = hyi_child_at(link);
        if (!child->is_in_group) continue;
        if (child->place == HYI_CHILD_DOWN) child_start(self, child);
        if (!child->is_up) return false;
        child->is_in_group = false;
    }
    return true;
}

static void group_step(hy_actor *self) {
    hyi_rearing *rearing = self->kin->rearing;
    if (!hyi_lives(self)) return;
    if (rearing->group == HYI_GROUP_DOWN_ && group_goes_down(rearing)) {
        rearing->group = rearing->pause > 0 ? HYI_GROUP_PAUSE_ : HYI_GROUP_UP_;
        if (rearing->group == HYI_GROUP_PAUSE_) {
            hy_err err = hyi_limit_start(hyi_ref_of(self), HYI_SYSTEM_AGAIN, rearing->pause,
                                         rearing, &rearing->paused);
            if (err != HY_OK) hyi_doom(self, err);
        }
    }
    if (rearing->group == HYI_GROUP_UP_ && group_comes_up(self, rearing)) {
        rearing->group = HYI_GROUP_NONE;
    }
}

// ---- the end of the supervisor ----------------------------------------------------------------

bool hyi_children_stop(hy_actor *self, bool kill) {
    hyi_rearing *rearing = self->kin ? self->kin->rearing : NULL;
    if (!rearing) return true;
    hyi_limit_stop(&rearing->paused);
    rearing->group = HYI_GROUP_NONE;
    hyi_link *link = NULL;
    while ((link = hyi_list_last(&rearing->children))) {
        hyi_birth *child = hyi_child_at(link);
        child->is_in_group = false;
        if (child->place == HYI_CHILD_PAUSED || child->place == HYI_CHILD_DOWN) {
            child_let_go(self, child);
            continue;
        }
        if (child->place == HYI_CHILD_LIVE || kill) {
            hyi_child_go(child, HYI_WISH_STOP, kill ? HYI_ORDER_KILL : 0);
        }
        child->place = HYI_CHILD_STOPPING;
        return false;
    }
    return true;
}

bool hyi_rearing_holds(const hyi_rearing *rearing) {
    uint32_t count = 0;
    const hyi_list *children = &rearing->children;
    for (hyi_link *link = hyi_list_first(children); link; link = hyi_list_after(children, link)) {
        const hyi_birth *child = hyi_child_at(link);
        count++;
        HY_ASSERT(child->adopter == rearing->actor);
        HY_ASSERT((child->place == HYI_CHILD_PAUSED) == (child->pause != NULL));
        HY_ASSERT(HY_IMPLIES(child->is_in_group, rearing->group != HYI_GROUP_NONE));
        HY_ASSERT(HY_IMPLIES(child->place == HYI_CHILD_DOWN, child->is_in_group));
    }
    HY_ASSERT(count == rearing->count);
    HY_ASSERT((rearing->group == HYI_GROUP_PAUSE_) == (rearing->paused != NULL));
    return true;
}

// ---- system messages --------------------------------------------------------------------------

// False: `self` may have gone.
static bool supervise_one(hy_actor *self, hyi_message *message) {
    switch ((hyi_system_tag)message->tag) {
    case HYI_SYSTEM_ENDED: {
        bool lives = hyi_lives(self);
        hyi_child_has_news(self, HYI_HOLDER(hyi_birth, note, message));
        return lives;
    }
    case HYI_SYSTEM_AGAIN: {
        void *subject = hyi_limit_take(message);
        if (subject) hyi_child_again(self, subject);
        return true;
    }
    case HYI_SYSTEM_ADOPT: hyi_adopt(self, message); return true;
    case HYI_SYSTEM_WATCH: hyi_watch(self, message); return true;
    case HYI_SYSTEM_UNWATCH: hyi_unwatch(self, message); return true;
    case HYI_SYSTEM_WAIT: hyi_await(self, message); return true;
    case HYI_SYSTEM_DOWN: hyi_down(self, message); return false;
    case HYI_SYSTEM_HEALTH:
        if (hyi_limits_passed(self, message) == HYI_LIMIT_TICK) hyi_health_tick(self);
        return true;
    case HYI_SYSTEM_TIMEOUT:
        switch (hyi_limits_passed(self, message)) {
        case HYI_LIMIT_START: hyi_start_late(self); return true;
        case HYI_LIMIT_STOP: hyi_stop_late(self); return false;
        case HYI_LIMIT_CHECK: hyi_health_passed(self); return true;
        case HYI_LIMIT_TICK:
        case HYI_LIMITS: return true;
        }
        return true;
    case HYI_SYSTEM_ANSWER:
    case HYI_SYSTEM_ROOM: break;
    }
    HY_ASSERT(false); // another file's
    return true;
}

void hyi_supervise(hy_actor *actor, hyi_message *message) {
    if (actor->phase == HYI_ENDED) { // in this very visit
        hyi_system_refused(message);
        return;
    }
    if (!supervise_one(actor, message)) return;
    bool rears = hyi_lives(actor) && actor->kin && actor->kin->rearing;
    bool is_doomed = (actor->ending & HYI_ENDING_DOOMED) != 0;
    HY_ASSERT_SLOW(!rears || is_doomed || hyi_rearing_holds(actor->kin->rearing));
    // Doomed by what came: now, unless its handler waits.
    bool ends = actor->phase == HYI_RUNNING && (actor->flags & HYI_ACTOR_ENDING) &&
                !(actor->flags & HYI_ACTOR_LENT);
    if (ends) hyi_stopping(actor, HY_OK);
}

void hyi_system_refused(hyi_message *message) {
    message->tag &= (uint16_t)~HYI_SYSTEM_STALE;
    switch ((hyi_system_tag)message->tag) {
    case HYI_SYSTEM_ADOPT: hyi_adopt_refused(message); return;
    case HYI_SYSTEM_WATCH: hyi_watch_refused(message); return;
    case HYI_SYSTEM_WAIT: hyi_await_refused(message); return;
    case HYI_SYSTEM_ENDED: // a parent ends after its children
    case HYI_SYSTEM_AGAIN:
    case HYI_SYSTEM_DOWN:
    case HYI_SYSTEM_UNWATCH:
    case HYI_SYSTEM_HEALTH:
    case HYI_SYSTEM_TIMEOUT:
    case HYI_SYSTEM_ANSWER:
    case HYI_SYSTEM_ROOM: break;
    }
    hyi_message_free(message);
}

// The answer is mostly the message itself, which lies in the queue; so a copy of it is refused.
// Without memory for one the answer comes when the slot is used again.
void hyi_system_stale(hyi_message *message) {
    bool is_awaited = message->tag == HYI_SYSTEM_WATCH || message->tag == HYI_SYSTEM_WAIT ||
                      message->tag == HYI_SYSTEM_ADOPT;
    if (!is_awaited) return;
    size_t size = hyi_block_size(message, message->block_class);
    uint8_t block_class = 0;
    hyi_message *copy = (hyi_message *)hyi_block_alloc(size, &block_class);
    if (!copy) return;
    // Without the link, which the next pusher may write at this moment.
    memcpy((uint8_t *)copy + sizeof copy->next_, (const uint8_t *)message + sizeof copy->next_,
           size - sizeof copy->next_);
    copy->next_ = NULL;
    copy->block_class = block_class;
    if (copy->tag == HYI_SYSTEM_WAIT) hyi_await_moved(copy);
    message->tag = HYI_SYSTEM_UNWATCH; // says nothing to those who find it
    hyi_system_refused(copy);
}
