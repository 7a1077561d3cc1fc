// alarm.h - messages to oneself, later.                            Room: actor. Includes: scope.
// Threads: the actor's owner, where not said.
//
// An alarm is a record in the wheel of the worker where it was set, and stays there when its actor
// moves on. What the actor has of it is a number: a place in its own table and how often that place
// was used. The message says the same number; so one whose alarm was stopped, or was an earlier
// start's, is recognised when its turn comes, however it got there.
#ifndef HYI_ACTOR_ALARM_H
#define HYI_ACTOR_ALARM_H

#include "actor/inside.h"
#include "actor/tail.h"

// Of a message: HYI_MESSAGE_ALARM.
typedef struct hyi_alarm_tail {
    uint64_t number; // hy_alarm.id; 0: it was claimed
    uint64_t unused;
} hyi_alarm_tail;
_Static_assert(sizeof(hyi_alarm_tail) == HYI_TAIL_ALARM, "tail.h counts on it");

// A turn, before a message with HYI_MESSAGE_ALARM is handled: false: its alarm was stopped, and the
// message is to be dropped (HY_DROP_ALARM). An alarm that rings once has ended.
bool hyi_alarm_stands(hy_actor *actor, hyi_message *message);
// hyi_drop, of each message with HYI_MESSAGE_ALARM: of one that repeats the next may come. On the
// owner's thread; elsewhere it does nothing, and the sender sees to it.
void hyi_alarm_dropped(hy_ref to, hyi_message *message);
void hyi_alarms_end(hy_actor *actor); // the end of a start: all are stopped
void hyi_alarms_free(hyi_kin *kin);   // memory only, running nothing; all wheels are closed
uint32_t hyi_alarms_count(const hy_actor *actor);

#endif
