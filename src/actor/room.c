// room.c - waiting for room in a mailbox.
//
// Waiters form one list for each slot, in order of arrival; each says for which ref it waits. So a
// slot that is used again finds those of its predecessor, if their fibers have not run yet, and
// tells them the truth.
//
//     begins to wait    list (locked), then poke ROOM; refused: the actor has ended meanwhile
//     a turn with ROOM  awaited = 1, for as long as there are waiters
//     a turn's end      gives places, oldest waiter first, before the limit grows
//     the end           tells all
//
// Why no waiter is lost: it is in the list before the poke, and the poke is either seen by a turn
// of the owner, which looks at the list, or refused, and then the waiter takes itself out. After a
// turn with waiters left `awaited` stays, so the next message handled gives the next place. A
// mailbox that is full has a message to be handled.
//
// Why nobody is faster: a place that is given is counted in inbox_sent before inbox_limit grows by
// it, so between the two the mailbox is full for everybody else.
//
// A fiber that is told by another worker is told by a call there; until that has come its record
// stays.
#include "actor/ask.h"
#include "actor/mailbox.h"
#include "actor/slot.h"
#include "scope/above.h"

#define ROOM_WAIT_MAX (5 * INT64_C(1000000000))

typedef enum room_kind {
    ROOM_PLACE, // a fiber that sends: gets a place
    ROOM_LOOK,  // a fiber that wants to know
    ROOM_THEN,  // an actor that wants to know
} room_kind;

typedef struct room_waiter {
    hyi_link link; // in a record (locked), then in a list of those that are to be told
    hy_ref to;
    uint8_t kind;
    bool listed; // locked
    hy_err err;  // what it is told
} room_waiter;

typedef struct room_fiber { // lies on the fiber's stack
    room_waiter waiter;
    hyi_worker *worker;
    hyi_call call;   // told by another worker
    hyi_wait wait;   // the fiber's
    hyi_wait *parks; // the fiber's: in which it is parked; NULL: it is not
    bool cut;        // its wait has been ended by something else
    bool left;       // and it will not be told
    bool arrived;    // it has been told
} room_fiber;

typedef struct room_then {
    hyi_then then;
    room_waiter waiter;
    hy_ref who;
} room_then;

// ---- telling ----------------------------------------------------------------------------------

static void room_arrive(room_fiber *fiber) {
    fiber->arrived = true;
    hyi_wait *wait = fiber->parks;
    fiber->parks = NULL;
    if (wait) hyi_wake(wait->task, fiber->waiter.err);
}

static void room_called(hyi_call *call, hyi_worker *worker) {
    (void)worker;
    room_arrive(HYI_HOLDER(room_fiber, call, call));
}

static void room_tell(room_waiter *waiter) {
    if (waiter->kind == ROOM_THEN) {
        room_then *it = HYI_HOLDER(room_then, waiter, waiter);
        it->then.err = waiter->err;
        (void)hyi_send(it->who, NULL, &it->then.head, NULL); // if it has gone, it need not know
        return;
    }
    room_fiber *fiber = HYI_HOLDER(room_fiber, waiter, waiter);
    if (fiber->worker == hyi_here) {
        room_arrive(fiber);
    } else {
        fiber->call.run = room_called;
        hyi_worker_call(fiber->worker, &fiber->call);
    }
}

void hyi_room_tell_all(hyi_list *told) {
    hyi_link *link;
    while ((link = hyi_list_first(told)) != NULL) {
        hyi_list_remove(link);
        room_tell(HYI_HOLDER(room_waiter, link, link)); // it may be gone from here on
    }
}

// Locked.
static void room_take(room_waiter *waiter, hyi_list *out_told, hy_err err) {
    hyi_list_remove(&waiter->link);
    waiter->listed = false;
    waiter->err = err;
    hyi_list_append(out_told, &waiter->link);
}

void hyi_room_take_all(struct hyi_mailbox *box, hyi_list *out_told, hy_err err) {
    hyi_link *link;
    while ((link = hyi_list_first(&box->waiting)) != NULL)
        room_take(HYI_HOLDER(room_waiter, link, link), out_told, err);
}

// ---- giving -----------------------------------------------------------------------------------

// Locked. In order of arrival, as long as there is room.
static void room_serve(hy_actor *actor, struct hyi_mailbox *box, uint32_t freed, hyi_list *told) {
    uint32_t sent =
        atomic_fetch_sub_explicit(&actor->inbox_sent, box->returned, memory_order_relaxed) -
        box->returned;
    box->promised -= box->returned;
    box->returned = 0;
    uint32_t limit = atomic_load_explicit(&actor->inbox_limit, memory_order_relaxed);
    int32_t room = (int32_t)(limit + freed - sent);
    hy_ref self = hyi_ref_of(actor);
    hyi_link *link;
    while ((link = hyi_list_first(&box->waiting)) != NULL) {
        room_waiter *waiter = HYI_HOLDER(room_waiter, link, link);
        bool mine = hy_ref_equal(waiter->to, self);
        if (mine && room <= 0) break;
        if (mine && waiter->kind == ROOM_PLACE) {
            // Relaxed: it counts; the message that comes for it travels by the queue.
            atomic_fetch_add_explicit(&actor->inbox_sent, 1, memory_order_relaxed);
            box->promised++;
            room--;
        }
        room_take(waiter, told, mine ? HY_OK : HY_NOT_FOUND);
    }
}

void hyi_room_give(hy_actor *actor, uint32_t freed) {
    struct hyi_mailboxes *all = hyi_node_of_actor(actor)->mailboxes;
    hyi_list told;
    hyi_list_init(&told);
    pthread_mutex_t *lock = hyi_mailbox_lock(all, actor->slot);
    struct hyi_mailbox *box = hyi_mailbox_at(all, actor->slot);
    if (box) room_serve(actor, box, freed, &told);
    actor->awaited = box && !hyi_list_is_empty(&box->waiting);
    hyi_mailbox_settle(all, actor->slot);
    pthread_mutex_unlock(lock);
    hyi_room_tell_all(&told);
}

void hyi_room_awaited(hy_actor *actor) {
    hyi_room_give(actor, 0);
}

void hyi_promise_use(hy_ref to, hy_actor *actor) {
    struct hyi_mailboxes *all = hyi_here->node->mailboxes;
    pthread_mutex_t *lock = hyi_mailbox_lock(all, actor->slot);
    struct hyi_mailbox *box = hyi_mailbox_at(all, actor->slot);
    if (box && hy_ref_equal(box->of, to)) { // else the place has gone with its actor
        box->promised--;
        // Relaxed: it counts, and the push that follows counts it again.
        atomic_fetch_sub_explicit(&actor->inbox_sent, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(lock);
}

void hyi_promise_return(hy_ref to) {
    struct hyi_mailboxes *all = hyi_here->node->mailboxes;
    pthread_mutex_t *lock = hyi_mailbox_lock(all, (uint32_t)to.id);
    struct hyi_mailbox *box = hyi_mailbox_at(all, (uint32_t)to.id);
    bool lives = box && hy_ref_equal(box->of, to);
    if (lives) box->returned++;
    pthread_mutex_unlock(lock);
    if (lives) (void)hyi_poke_ref(to, HYI_ORDER_ROOM);
}

// ---- waiting ----------------------------------------------------------------------------------

static hy_err room_join(room_waiter *waiter) {
    struct hyi_mailboxes *all = hyi_here->node->mailboxes;
    uint32_t slot = (uint32_t)waiter->to.id;
    pthread_mutex_t *lock = hyi_mailbox_lock(all, slot);
    struct hyi_mailbox *box = hyi_mailbox_made(all, slot);
    if (box) hyi_list_append(&box->waiting, &waiter->link);
    waiter->listed = box != NULL;
    pthread_mutex_unlock(lock);
    return box ? HY_OK : HY_NOMEM;
}

// False: it is being told by now.
static bool room_leave(room_waiter *waiter) {
    struct hyi_mailboxes *all = hyi_here->node->mailboxes;
    uint32_t slot = (uint32_t)waiter->to.id;
    pthread_mutex_t *lock = hyi_mailbox_lock(all, slot);
    bool listed = waiter->listed;
    if (listed) hyi_list_remove(&waiter->link);
    waiter->listed = false;
    hyi_mailbox_settle(all, slot);
    pthread_mutex_unlock(lock);
    return listed;
}

static void room_unhook(hyi_wait *wait) {
    room_fiber *fiber = HYI_HOLDER(room_fiber, wait, wait);
    fiber->parks = NULL;
    fiber->cut = true;
    fiber->left = room_leave(&fiber->waiter);
}

static hy_err room_park(room_fiber *fiber, hy_ns deadline) {
    fiber->wait = (hyi_wait){ .unhook = room_unhook, .what = "room", .deadline = deadline };
    fiber->parks = &fiber->wait;
    return hyi_park(&fiber->wait);
}

// Another worker is about to tell it: the record has to stay until then, which is soon.
static void room_await_call(room_fiber *fiber) {
    if (fiber->arrived) return;
    hyi_wait wait = { .what = "room", .deadline = HY_NEVER, .firm = true };
    fiber->parks = &wait;
    hy_err err = hyi_park(&wait);
    HY_ASSERT(err == fiber->waiter.err); // nothing else ends a firm wait
}

// HY_OK: there is room (a place, if it asked for one). Else why not.
static hy_err room_wait(hy_ref to, room_kind kind, hy_ns deadline) {
    room_fiber fiber = { .waiter = { .to = to, .kind = (uint8_t)kind }, .worker = hyi_here };
    hy_err err = room_join(&fiber.waiter);
    if (err != HY_OK) return err;
    if (!hyi_poke_ref(to, HYI_ORDER_ROOM) && room_leave(&fiber.waiter)) return HY_NOT_FOUND;
    err = fiber.arrived ? fiber.waiter.err : room_park(&fiber, deadline);
    if (!fiber.cut || fiber.left) return err;
    room_await_call(&fiber);
    if (fiber.waiter.err != HY_OK) return fiber.waiter.err;
    // Both at once. Time that ran out does not matter any more, a cancellation does.
    err = hy_check();
    if (err != HY_OK && kind == ROOM_PLACE) hyi_promise_return(to);
    return err;
}

// May the caller wait for room in the mailbox of `actor`?
static bool room_may_wait(const hy_actor *actor) {
    return hyi_here && hyi_current && actor->node == hyi_here->node->options.number &&
           actor != hyi_actor_here();
}

hy_err hyi_room_wait_place(hy_ref to, const hy_actor *actor, hy_ns room_wait_max) {
    if (!room_may_wait(actor)) return HY_LIMIT;
    hy_ns max = room_wait_max ? room_wait_max : ROOM_WAIT_MAX;
    hy_err err = room_wait(to, ROOM_PLACE, hy_ns_add(hy_world_now(hyi_here->world), max));
    // Its own time ran out, or its scope's?
    return err == HY_TIMEOUT && hy_check() == HY_OK ? HY_LIMIT : err;
}

// ---- public -----------------------------------------------------------------------------------

static hy_actor *room_find(hy_ref to) {
    HY_ASSERT(hyi_here != NULL); // a worker's fiber, or a handler
    return hyi_here->node->options.number == hyi_ref_node(to) ? hyi_find(to) : NULL;
}

hy_err hy_wait_room(hy_ref to, hy_ns deadline) {
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    hy_actor *actor = room_find(to);
    if (!actor) return HY_NOT_FOUND;
    if (!hyi_mailbox_is_full(actor)) return HY_OK;
    if (!room_may_wait(actor)) return HY_DEADLOCK;
    return room_wait(to, ROOM_LOOK, deadline);
}

// The same for a record that may be gone, because another worker has told it: looked for by
// address, which only this worker could have used again.
static bool room_leave_if_there(hy_ref to, const room_waiter *waiter) {
    struct hyi_mailboxes *all = hyi_here->node->mailboxes;
    pthread_mutex_t *lock = hyi_mailbox_lock(all, (uint32_t)to.id);
    struct hyi_mailbox *box = hyi_mailbox_at(all, (uint32_t)to.id);
    hyi_link *link = box ? hyi_list_first(&box->waiting) : NULL;
    while (link && link != &waiter->link)
        link = hyi_list_after(&box->waiting, link);
    if (link) hyi_list_remove(link);
    hyi_mailbox_settle(all, (uint32_t)to.id);
    pthread_mutex_unlock(lock);
    return link != NULL;
}

hy_err hy_room_then(hy_actor *self, hy_ref to, hy_then then) {
    room_then *it = (room_then *)(void *)hyi_then_new(self, then, sizeof *it);
    if (!it) return HY_NOMEM;
    it->then.sending = false;
    it->who = hyi_ref_of(self);
    it->waiter = (room_waiter){ .to = to, .kind = ROOM_THEN };
    hyi_list_init(&it->waiter.link);
    hy_actor *actor = room_find(to);
    if (!actor || !hyi_mailbox_is_full(actor)) {
        it->waiter.err = actor ? HY_OK : HY_NOT_FOUND;
        room_tell(&it->waiter);
        return HY_OK;
    }
    hy_err err = room_join(&it->waiter);
    if (err != HY_OK) {
        hyi_message_free(&it->then.head);
        return err;
    }
    if (!hyi_poke_ref(to, HYI_ORDER_ROOM) && room_leave_if_there(to, &it->waiter)) {
        it->waiter.err = HY_NOT_FOUND;
        room_tell(&it->waiter);
    }
    return HY_OK;
}
