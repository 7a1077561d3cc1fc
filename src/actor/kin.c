// kin.c - what few actors have beside their slot.
//
// Most actors have no children, nobody who watches them, no alarm, no name. What these need lies in
// a record of its own, made when the first of them is asked for, and there from then on until the
// actor has gone: whoever has a pointer into it need not ask whether it is still there. The parts
// are made and freed by their own files; here is only the list of them.
//
// System messages must not be refused, and may come to an actor that has no kin: the file that
// needs it says what happens where there is no memory for it.
#include "actor/alarm.h"
#include "actor/ask.h"
#include "actor/ending.h"
#include "actor/limits.h"
#include "actor/numbers.h"
#include "actor/rearing.h"
#include "actor/slot.h"

#include <string.h>

hyi_kin *hyi_kin_of(hy_actor *actor) {
    if (actor->kin) return actor->kin;
    hyi_kin *kin = (hyi_kin *)hy_mem_alloc_zero(hyi_node_of_actor(actor)->mem, sizeof *kin);
    if (!kin) return NULL;
    kin->actor = actor;
    kin->start = actor->birth && actor->birth->starts > 0 ? actor->birth->starts : 1;
    actor->kin = kin;
    return kin;
}

void hyi_kin_free(hy_node *node, hyi_kin *kin) {
    hy_actor *actor = kin->actor;
    hyi_rearing_free(actor);
    hyi_limits_free(kin);
    hyi_watchers_free(kin);
    hyi_waiters_free(kin);
    hyi_hoard_free(kin);
    hyi_asks_free(kin);
    hyi_alarms_free(kin);
    hyi_numbers_free(kin);
    actor->kin = NULL;
    hy_mem_free(node->mem, kin, sizeof *kin);
}

const char *hyi_actor_name(const hy_actor *actor) {
    if (actor->kin && actor->kin->name[0]) return actor->kin->name;
    return actor->type->name ? actor->type->name : "actor";
}
