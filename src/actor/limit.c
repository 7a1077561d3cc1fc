// limit.c - limits of time as system messages: armed, taken back, fired.
//
// The record is a block of the slabs like any message, and while it waits its due time is in the
// wheel of the worker that armed it. Only that worker's thread may touch its wheel. So a holder on
// another worker cannot take it out; it only makes it say nothing (`subject`), which nobody but the
// holder's owner looks at, and leaves it to run out. Starts and stops that do not wait never arm
// one, so such left-overs are few.
#include "actor/limits.h"
#include "actor/slot.h"

static void limit_fire(hyi_due *due) {
    hyi_limit *limit = HYI_HOLDER(hyi_limit, due, due);
    hy_err err = hyi_send(limit->who, NULL, &limit->message, NULL);
    (void)err; // HY_NOT_FOUND: it has gone, and so has the message (hyi_system_refused)
}

hy_err hyi_limit_start(hy_ref who, hyi_system_tag tag, hy_ns after, void *subject,
                       hyi_limit **out_limit) {
    HY_ASSERT(subject != NULL);
    uint8_t block_class = 0;
    hyi_limit *limit = (hyi_limit *)hyi_block_alloc(sizeof *limit, &block_class);
    if (!limit) return HY_NOMEM;
    *limit = (hyi_limit){
        .message = { .tag = (uint16_t)tag,
                     .flags = HYI_MESSAGE_SYSTEM,
                     .block_class = block_class },
        .due = { .fire = limit_fire },
        .worker = hyi_here,
        .who = who,
        .subject = subject,
    };
    hy_err err = hyi_wheel_arm(hyi_here->wheel, &limit->due, after);
    if (err != HY_OK) {
        hyi_block_free(limit, block_class);
        return err;
    }
    *out_limit = limit;
    return HY_OK;
}

void hyi_limit_stop(hyi_limit **limit) {
    hyi_limit *stopped = *limit;
    *limit = NULL;
    if (!stopped) return;
    stopped->subject = NULL;
    if (stopped->worker != hyi_here || !hyi_wheel_is_armed(&stopped->due)) return;
    hyi_wheel_disarm(hyi_here->wheel, &stopped->due);
    hyi_block_free(stopped, stopped->message.block_class);
}

void *hyi_limit_take(hyi_message *message) {
    hyi_limit *limit = HYI_HOLDER(hyi_limit, message, message);
    void *subject = limit->subject;
    hyi_block_free(limit, message->block_class);
    return subject;
}

// ---- an actor's own ---------------------------------------------------------------------------

struct hyi_limits *hyi_limits_of(hy_actor *actor) {
    hyi_kin *kin = hyi_kin_of(actor);
    if (!kin) return NULL;
    if (!kin->limits) {
        kin->limits =
            (struct hyi_limits *)hy_mem_alloc_zero(hyi_here->node->mem, sizeof *kin->limits);
    }
    return kin->limits;
}

void hyi_limits_start(hy_actor *actor, hyi_limit_kind kind, hy_ns after) {
    if (after == HY_NEVER) return;
    struct hyi_limits *limits = hyi_limits_of(actor);
    if (limits && limits->of[kind]) return;
    hyi_system_tag tag = kind == HYI_LIMIT_TICK ? HYI_SYSTEM_HEALTH : HYI_SYSTEM_TIMEOUT;
    hy_err err = HY_NOMEM;
    if (limits) {
        hyi_limit **limit = &limits->of[kind];
        err = hyi_limit_start(hyi_ref_of(actor), tag, after, limit, limit);
    }
    // A bound that holds is worth more than what it bounds. The caller may be about to wait, so the
    // order is given, and not carried out here.
    if (err != HY_OK) hyi_poke(actor, HYI_ORDER_KILL);
}

void hyi_limits_stop(hy_actor *actor, hyi_limit_kind kind) {
    struct hyi_limits *limits = actor->kin ? actor->kin->limits : NULL;
    if (limits) hyi_limit_stop(&limits->of[kind]);
}

hyi_limit_kind hyi_limits_passed(hy_actor *actor, hyi_message *message) {
    hyi_limit **passed = (hyi_limit **)hyi_limit_take(message);
    if (!passed) return HYI_LIMITS;
    *passed = NULL;
    return (hyi_limit_kind)(passed - actor->kin->limits->of);
}

void hyi_limits_free(hyi_kin *kin) {
    if (!kin->limits) return;
    hy_mem *mem = hyi_node_of_actor(kin->actor)->mem;
    for (uint32_t i = 0; i < HYI_LIMITS; i++)
        hyi_limit_stop(&kin->limits->of[i]);
    hy_mem_free(mem, kin->limits, sizeof *kin->limits);
    kin->limits = NULL;
}
