// mailbox.c - what happens at a full mailbox, and waiting for room.
//
// A record is made for each actor whose mailbox is not the default one, and for each that somebody
// waits for. It is found by its slot, because senders on other workers may not follow an actor's
// pointers: they may look it up only under the lock of its stripe, and it is freed only under that
// lock. The owner has a pointer to its own record in kin, which stays for the actor's life, and
// reads the policy there without a lock.
//
// Policies. The owner of the actor can give up what waits; other workers' senders cannot touch it.
// So with HY_FULL_DROP_OLD they push beyond the limit, up to as much again, and the owner gives up
// the oldest when it looks at its mailbox next (hyi_mailbox_trim). Waiting for room is in room.c.
#include "actor/mailbox.h"
#include "actor/life.h"
#include "actor/queue.h"
#include "actor/slot.h"

#define MAILBOX_CAPACITY_MAX (1u << 24)
#define MAILBOX_STRIPES 16u

typedef union mailbox_stripe {
    pthread_mutex_t lock;
    uint8_t line[64]; // so that two locks are not in one, or hardly
} mailbox_stripe;

struct hyi_mailboxes {
    mailbox_stripe stripes[MAILBOX_STRIPES];
    hy_mem *mem;
    size_t chunk_count;
    // By slot. A chunk is made when its first record is.
    _Atomic(struct hyi_mailbox **) chunks[];
};
typedef struct hyi_mailbox *mailbox_chunk[HYI_CHUNK_SLOTS];

// ---- open, close ------------------------------------------------------------------------------

static size_t mailbox_table_size(size_t chunk_count) {
    return sizeof(struct hyi_mailboxes) + chunk_count * sizeof(struct hyi_mailbox **);
}

hy_err hyi_mailboxes_open(hy_node *node) {
    size_t chunk_count = ((size_t)node->options.actors_max + HYI_CHUNK_SLOTS - 1) / HYI_CHUNK_SLOTS;
    struct hyi_mailboxes *all = hy_mem_alloc_zero(node->mem, mailbox_table_size(chunk_count));
    if (!all) return HY_NOMEM;
    all->mem = node->mem;
    all->chunk_count = chunk_count;
    for (uint32_t i = 0; i < MAILBOX_STRIPES; i++)
        pthread_mutex_init(&all->stripes[i].lock, NULL);
    node->mailboxes = all;
    return HY_OK;
}

void hyi_mailboxes_close(hy_node *node) {
    struct hyi_mailboxes *all = node->mailboxes;
    if (!all) return;
    for (size_t i = 0; i < all->chunk_count; i++) {
        struct hyi_mailbox **chunk = atomic_load_explicit(&all->chunks[i], memory_order_relaxed);
        for (uint32_t j = 0; chunk && j < HYI_CHUNK_SLOTS; j++)
            hy_mem_free(all->mem, chunk[j], sizeof *chunk[j]);
        hy_mem_free(all->mem, chunk, sizeof(mailbox_chunk));
    }
    for (uint32_t i = 0; i < MAILBOX_STRIPES; i++)
        pthread_mutex_destroy(&all->stripes[i].lock);
    hy_mem_free(all->mem, all, mailbox_table_size(all->chunk_count));
    node->mailboxes = NULL;
}

// ---- records ----------------------------------------------------------------------------------

pthread_mutex_t *hyi_mailbox_lock(struct hyi_mailboxes *all, uint32_t slot) {
    pthread_mutex_t *lock = &all->stripes[slot % MAILBOX_STRIPES].lock;
    pthread_mutex_lock(lock);
    return lock;
}

// Locked. The place of a slot's record; NULL: there is none yet.
static struct hyi_mailbox **mailbox_place(struct hyi_mailboxes *all, uint32_t slot) {
    // Acquire: pairs with the release in mailbox_place_made, of another stripe.
    struct hyi_mailbox **chunk =
        atomic_load_explicit(&all->chunks[slot / HYI_CHUNK_SLOTS], memory_order_acquire);
    return chunk ? &chunk[slot % HYI_CHUNK_SLOTS] : NULL;
}

struct hyi_mailbox *hyi_mailbox_at(struct hyi_mailboxes *all, uint32_t slot) {
    struct hyi_mailbox **place = mailbox_place(all, slot);
    return place ? *place : NULL;
}

static struct hyi_mailbox **mailbox_place_made(struct hyi_mailboxes *all, uint32_t slot) {
    struct hyi_mailbox **place = mailbox_place(all, slot);
    if (place) return place;
    struct hyi_mailbox **fresh = hy_mem_alloc_zero(all->mem, sizeof(mailbox_chunk)), **none = NULL;
    if (!fresh) return NULL;
    // Release: pairs with the acquire in mailbox_place. Another stripe may have been faster.
    if (!atomic_compare_exchange_strong_explicit(&all->chunks[slot / HYI_CHUNK_SLOTS], &none, fresh,
                                                 memory_order_release, memory_order_relaxed)) {
        hy_mem_free(all->mem, fresh, sizeof(mailbox_chunk));
    }
    return mailbox_place(all, slot);
}

// Locked. The record of a slot, made where there is none. NULL: no memory.
struct hyi_mailbox *hyi_mailbox_made(struct hyi_mailboxes *all, uint32_t slot) {
    struct hyi_mailbox **place = mailbox_place_made(all, slot);
    if (!place || *place) return place ? *place : NULL;
    struct hyi_mailbox *box = hy_mem_alloc_zero(all->mem, sizeof *box);
    if (!box) return NULL;
    box->capacity = HYI_MAILBOX_CAPACITY;
    hyi_list_init(&box->waiting);
    *place = box;
    return box;
}

// Locked. One that nobody needs any more is freed.
void hyi_mailbox_settle(struct hyi_mailboxes *all, uint32_t slot) {
    struct hyi_mailbox **place = mailbox_place(all, slot);
    struct hyi_mailbox *box = place ? *place : NULL;
    if (!box || box->of.id != 0 || !hyi_list_is_empty(&box->waiting)) return;
    *place = NULL;
    hy_mem_free(all->mem, box, sizeof *box);
}

// ---- an actor's -------------------------------------------------------------------------------

static void mailbox_limit(hy_actor *actor, uint32_t capacity) {
    // What earlier actors of the slot counted is where this one begins.
    uint32_t sent = atomic_load_explicit(&actor->inbox_sent, memory_order_relaxed);
    atomic_store_explicit(&actor->inbox_limit, sent + capacity, memory_order_relaxed);
}

static hy_err mailbox_check(const hy_node *node, const hy_mailbox_options *options) {
    if (options->capacity > MAILBOX_CAPACITY_MAX) return HY_RANGE;
    if (options->full > HY_FULL_STOP) return HY_RANGE;
    bool redirects = options->full == HY_FULL_REDIRECT;
    bool is_ours = hyi_ref_node(options->redirect) == node->options.number;
    return redirects && !is_ours ? HY_RANGE : HY_OK;
}

static hy_err mailbox_own(hy_node *node, hy_actor *actor, const hy_mailbox_options *options) {
    hyi_kin *kin = hyi_kin_of(actor);
    if (!kin) return HY_NOMEM;
    pthread_mutex_t *lock = hyi_mailbox_lock(node->mailboxes, actor->slot);
    struct hyi_mailbox *box = hyi_mailbox_made(node->mailboxes, actor->slot);
    if (box) {
        box->of = hyi_ref_of(actor);
        box->redirect = options->redirect;
        box->capacity = options->capacity ? options->capacity : HYI_MAILBOX_CAPACITY;
        box->full = (uint8_t)options->full;
        box->promised = box->returned = 0;
        box->kept_last = NULL;
        kin->mailbox = box;
        mailbox_limit(actor, box->capacity);
    }
    pthread_mutex_unlock(lock);
    return box ? HY_OK : HY_NOMEM;
}

hy_err hyi_mailbox_begin(hy_node *node, hy_actor *actor, const hy_mailbox_options *options) {
    bool plain =
        !options || (options->full == HY_FULL_FAIL &&
                     (options->capacity == 0 || options->capacity == HYI_MAILBOX_CAPACITY));
    if (plain) return HY_OK;
    hy_err err = mailbox_check(node, options);
    return err == HY_OK ? mailbox_own(node, actor, options) : err;
}

void hyi_mailbox_end(hy_node *node, hy_actor *actor, uint8_t orders) {
    struct hyi_mailbox *own = actor->kin ? actor->kin->mailbox : NULL;
    if (!own && !actor->awaited && !(orders & HYI_ORDER_ROOM)) return;
    actor->awaited = 0;
    hyi_list told;
    hyi_list_init(&told);
    pthread_mutex_t *lock = hyi_mailbox_lock(node->mailboxes, actor->slot);
    struct hyi_mailbox *box = hyi_mailbox_at(node->mailboxes, actor->slot);
    if (box) {
        box->of = HY_NOBODY;
        box->capacity = HYI_MAILBOX_CAPACITY;
        box->full = HY_FULL_FAIL;
        hyi_room_take_all(box, &told, HY_NOT_FOUND);
    }
    hyi_mailbox_settle(node->mailboxes, actor->slot);
    pthread_mutex_unlock(lock);
    if (own) actor->kin->mailbox = NULL;
    hyi_room_tell_all(&told);
}

uint32_t hyi_mailbox_capacity(const hy_actor *actor) {
    return actor->kin && actor->kin->mailbox ? actor->kin->mailbox->capacity : HYI_MAILBOX_CAPACITY;
}

uint32_t hyi_mailbox_capacity_from_outside(const hy_actor *actor) {
    struct hyi_mailboxes *all = hyi_node_of_actor(actor)->mailboxes;
    pthread_mutex_t *lock = hyi_mailbox_lock(all, actor->slot);
    const struct hyi_mailbox *box = hyi_mailbox_at(all, actor->slot);
    const uint32_t capacity = box ? box->capacity : HYI_MAILBOX_CAPACITY;
    pthread_mutex_unlock(lock);
    return capacity;
}

// ---- the policies -----------------------------------------------------------------------------

static bool mailbox_is_owner(const hy_actor *actor) {
    const hyi_worker *here = hyi_here;
    return here && here->node->options.number == actor->node &&
           atomic_load_explicit(&actor->owner, memory_order_relaxed) == here->number;
}

// What can be given up: not what somebody waits for, nor what comes once from an alarm.
static bool mailbox_may_give_up(const hyi_message *message) {
    const uint8_t kept = HYI_MESSAGE_SYSTEM | HYI_MESSAGE_URGENT | HYI_MESSAGE_ASKED |
                         HYI_MESSAGE_ALARM | HYI_MESSAGE_KEPT;
    return (message->flags & kept) == 0 && message->tag != 0;
}

// Owner. Takes the oldest that can be given up out of the local list. NULL: there is none.
static hyi_message *mailbox_take_oldest(hy_actor *actor, struct hyi_mailbox *box) {
    bool known = box->kept_last && box->kept_first == actor->local_first &&
                 box->kept_handled == actor->handled;
    hyi_message *before = known ? box->kept_last : NULL;
    hyi_message *at = before ? (hyi_message *)before->next_ : actor->local_first;
    while (at && !mailbox_may_give_up(at)) {
        before = at;
        at = (hyi_message *)at->next_;
    }
    if (at && before) {
        before->next_ = at->next_;
    } else if (at) {
        actor->local_first = (hyi_message *)at->next_;
    }
    if (at && actor->local_last == at) actor->local_last = before;
    if (at) actor->local_count--;
    box->kept_first = actor->local_first;
    box->kept_last = before;
    box->kept_handled = actor->handled;
    return at;
}

static const hy_message_kind *mailbox_kind(const hy_actor *actor, uint32_t tag) {
    const hy_actor_type *type = actor->type;
    const hy_protocol *protocol = type->first ? type->first->protocol : type->protocol;
    for (uint32_t i = 0; protocol && i < protocol->count; i++) {
        if (protocol->kinds[i]->tag == tag) return protocol->kinds[i];
    }
    return NULL;
}

static bool mailbox_give_up_oldest(hy_actor *actor, struct hyi_mailbox *box) {
    hyi_message *oldest = mailbox_take_oldest(actor, box);
    if (!oldest) return false;
    hyi_mailbox_count(actor, -1);
    hyi_drop(box->of, mailbox_kind(actor, oldest->tag), oldest, HY_DROP_OLD);
    return true;
}

void hyi_mailbox_trim(hy_actor *actor) {
    struct hyi_mailbox *box = actor->kin ? actor->kin->mailbox : NULL;
    if (!box || box->full != HY_FULL_DROP_OLD) return;
    while (hyi_mailbox_over(actor) > 0 && mailbox_give_up_oldest(actor, box)) {
    }
}

// The policy of the actor that `to` means.
typedef struct mailbox_policy {
    struct hyi_mailbox *own; // by the owner only
    hy_ref redirect;
    uint32_t capacity;
    uint8_t full;
} mailbox_policy;

// An actor that nobody owns becomes this worker's, so that it can be given up what waits there. It
// is ready then, whoever it is by now; so its turn gives it back.
static void mailbox_try_own(hy_actor *actor) {
    hyi_worker *here = hyi_here;
    if (!here || here->node->options.number != actor->node || mailbox_is_owner(actor)) return;
    uint32_t pinned = hyi_pinned(actor);
    if ((pinned != 0 && pinned != here->number + 1u) || !hyi_inbox_seize(actor)) return;
    atomic_store_explicit(&actor->owner, here->number, memory_order_relaxed);
    hyi_make_ready(here, actor);
}

static mailbox_policy mailbox_policy_of(hy_node *node, hy_actor *actor, hy_ref to) {
    mailbox_policy policy = { .capacity = HYI_MAILBOX_CAPACITY, .full = HY_FULL_FAIL };
    struct hyi_mailbox *box = NULL;
    pthread_mutex_t *lock = NULL;
    if (mailbox_is_owner(actor)) {
        policy.own = box = actor->kin ? actor->kin->mailbox : NULL;
    } else {
        lock = hyi_mailbox_lock(node->mailboxes, actor->slot);
        box = hyi_mailbox_at(node->mailboxes, actor->slot);
    }
    if (box && hy_ref_equal(box->of, to)) {
        policy.redirect = box->redirect;
        policy.capacity = box->capacity;
        policy.full = box->full;
    }
    if (lock) pthread_mutex_unlock(lock);
    return policy;
}

// One event for an actor in a while: what is full is found full by every sender.
static void mailbox_note(hy_actor *actor, uint32_t capacity) {
    static _Thread_local struct {
        const hy_actor *actor;
        uint32_t stamp;
    } latest;
    hyi_worker *here = hyi_here;
    if (!here || (latest.actor == actor && latest.stamp == here->batch_stamp)) return;
    latest.actor = actor;
    latest.stamp = here->batch_stamp;
    hyi_event(here, HY_EVENT_FULL, actor, capacity);
}

static hyi_full_answer mailbox_refuses(hy_err err) {
    hy_drop reason = err == HY_NOT_FOUND ? HY_DROP_NOBODY : HY_DROP_FULL;
    return (hyi_full_answer){ .verdict = HYI_FULL_DROP, .reason = reason, .err = err };
}

// The owner makes room itself; others leave that to it, within bounds.
static bool mailbox_makes_room(hy_actor *actor, const mailbox_policy *policy) {
    if (!policy->own) return hyi_mailbox_over(actor) < (int32_t)policy->capacity;
    if (!hyi_inbox_is_clear(actor)) (void)hyi_inbox_drain(actor);
    while (hyi_mailbox_is_full(actor)) {
        if (!mailbox_give_up_oldest(actor, policy->own)) return false;
    }
    return true;
}

static hyi_full_answer mailbox_drop_old(hy_node *node, hy_actor *actor, hy_ref to) {
    mailbox_try_own(actor);
    mailbox_policy policy = mailbox_policy_of(node, actor, to);
    // Another policy is another actor's: the caller will find that.
    if (policy.full != HY_FULL_DROP_OLD || mailbox_makes_room(actor, &policy)) {
        return (hyi_full_answer){ .verdict = HYI_FULL_PUSH };
    }
    return (hyi_full_answer){ .verdict = HYI_FULL_DROP, .reason = HY_DROP_NEW, .err = HY_OK };
}

hyi_full_answer hyi_mailbox_full(hy_ref to, hy_actor *actor, hy_ns room_wait) {
    hy_node *node = hyi_node_of_actor(actor);
    mailbox_policy policy = mailbox_policy_of(node, actor, to);
    mailbox_note(actor, policy.capacity);
    switch ((hy_full)policy.full) {
    case HY_FULL_FAIL: break;
    case HY_FULL_WAIT: {
        hy_err err = hyi_room_wait_place(to, actor, room_wait);
        if (err == HY_OK) return (hyi_full_answer){ .verdict = HYI_FULL_PROMISED };
        return mailbox_refuses(err);
    }
    case HY_FULL_DROP_NEW:
        return (hyi_full_answer){ .verdict = HYI_FULL_DROP, .reason = HY_DROP_NEW, .err = HY_OK };
    case HY_FULL_DROP_OLD: return mailbox_drop_old(node, actor, to);
    case HY_FULL_REDIRECT:
        return (hyi_full_answer){ .verdict = HYI_FULL_ELSEWHERE, .elsewhere = policy.redirect };
    case HY_FULL_STOP: (void)hyi_poke_ref(to, HYI_ORDER_FULL); break;
    }
    return mailbox_refuses(HY_LIMIT);
}
