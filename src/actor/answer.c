// answer.c - the way of an answer to who asked.
//
// A request that is handled is answered when its handler returns (hyi_answer_now); one whose
// handler said so, later and from anywhere (hy_answer_later); one that is dropped, by the drop,
// with an error that says why. In all three the asker's number goes out of the request's tail when
// the answer is taken over, so no request is answered by two of them, and none by nobody. (The flag
// stays: it says where the other tails lie.)
//
// Where the asker's worker is this one, the ask ends here and now. Otherwise a record with the
// answer goes there as a call. If there is no memory for it, the asker runs into its timeout.
//
// A fiber that waits here needs no block for the reply: it goes straight into its variable.
//
// What an actor has promised to answer later it owes until the end of its start, and then pays with
// HY_CLOSED. The list is looked over when it has doubled: those answered by others are struck off.
#include "actor/ask.h"

#include "actor/deep.h"
#include "actor/slot.h"
#include "scope/above.h"

#include <string.h>

#define ANSWER_OWED_FIRST 16u

typedef struct answer {
    hyi_call call;
    hy_asker asker;
    const hy_message_kind *kind;
    hyi_message *reply;
    hy_err err;
    uint8_t block_class;
    bool is_answer;
} answer;

// ---- the way ----------------------------------------------------------------------------------

// Nobody waits for it any more: an answer is counted only then, as sent and as dropped. The word
// that there will be none is not counted at all.
static void answer_late(hyi_worker *worker, bool is_answer) {
    if (!is_answer) return;
    HYI_BUMP(worker->sent, 1);
    HYI_BUMP(worker->dropped[HY_DROP_ANSWER], 1);
}

static void answer_arrive(hyi_call *call, hyi_worker *worker) {
    answer *it = HYI_HOLDER(answer, call, call);
    const void *reply = it->reply ? it->reply + 1 : NULL;
    if (!hyi_ask_end(worker, it->asker, it->kind, it->err, reply, it->reply)) {
        hyi_reply_free(it->reply);
        answer_late(worker, it->is_answer);
    }
    hyi_block_free(it, it->block_class);
}

hy_err hyi_reply_new(const hy_message_kind *kind, const void *reply, hyi_message **out_block) {
    size_t behind = 0, size = (sizeof(hyi_message) + kind->reply_size + 15) & ~(size_t)15;
    bool flat = hyi_deep_reply_is_flat(kind);
    hy_err err = flat ? HY_OK : hyi_deep_size(kind->reply, reply, &behind);
    if (err) return err;
    uint8_t block_class = 0;
    hyi_message *block = (hyi_message *)hyi_block_alloc(size + behind, &block_class);
    if (!block) return HY_NOMEM;
    *block = (hyi_message){ .block_class = block_class };
    memcpy(block + 1, reply, kind->reply_size);
    if (behind > 0) hyi_deep_move(kind->reply, block + 1, (uint8_t *)block + size);
    *out_block = block;
    return HY_OK;
}

// Tells those who look for circles that this ask does not wait any more: the answer may be answered
// by a question before it has arrived.
static void answer_mark(const hy_node *node, hy_asker asker) {
    hyi_question *ask = hyi_ask_at(node, asker.private_[1]);
    if (ask) atomic_store_explicit(&ask->answered, asker.private_[0], memory_order_release);
}

static void answer_go(hy_node *node, const answer *given, const void *reply) {
    uint8_t at = hyi_place_worker(given->asker.private_[1]), block_class = 0;
    if (at >= node->worker_count) return;
    answer *it = (answer *)hyi_block_alloc(sizeof *it, &block_class);
    if (!it) return;
    *it = *given;
    it->call.run = answer_arrive;
    it->block_class = block_class;
    if (it->err == HY_OK && reply) it->err = hyi_reply_new(it->kind, reply, &it->reply);
    answer_mark(node, it->asker);
    hyi_worker_call(node->workers[at], &it->call);
}

// Any thread. `reply` NULL: none.
static void answer_send(const answer *given, const void *reply) {
    hyi_worker *here = hyi_here;
    uint8_t number = hyi_place_node(given->asker.private_[1]);
    if (given->asker.private_[0] == 0) return;
    if (here && here->node->options.number == number) {
        if (here->number != hyi_place_worker(given->asker.private_[1])) {
            answer_go(here->node, given, reply);
        } else if (!hyi_ask_end(here, given->asker, given->kind, given->err, reply, NULL)) {
            answer_late(here, given->is_answer);
        }
        return;
    }
    hy_node *node = hyi_node_hold(number);
    if (!node) return; // and with it who asked
    answer_go(node, given, reply);
    hyi_node_let_go(number);
}

// The word that there will be no answer.
static void answer_refuse(hy_asker asker, hy_err err) {
    answer_send(&(answer){ .asker = asker, .err = err }, NULL);
}

// ---- answering now ----------------------------------------------------------------------------

bool hyi_ask_take_over(hyi_message *message, hyi_asked_tail *out_tail) {
    if (!(message->flags & HYI_MESSAGE_ASKED)) return false;
    hyi_asked_tail *tail = (hyi_asked_tail *)hyi_tail_at(message, HYI_MESSAGE_ASKED);
    if (tail->asker.private_[0] == 0) return false;
    *out_tail = *tail;
    tail->asker.private_[0] = 0;
    return true;
}

static struct hyi_asks *answer_asks(const hy_actor *actor) {
    return actor->kin ? actor->kin->asks : NULL;
}

// Of a message that was taken, while its handler runs.
static bool answer_taken(const hy_actor *self, hyi_asked_tail *out_tail) {
    struct hyi_asks *asks = answer_asks(self);
    if (!asks || asks->at_hand.asker.private_[0] == 0) return false;
    *out_tail = asks->at_hand;
    asks->at_hand.asker.private_[0] = 0;
    return true;
}

hy_err hyi_answer_now(hy_actor *self, hyi_message *message, hy_err err, const void *reply,
                      size_t reply_size) {
    hyi_asked_tail tail;
    (void)reply_size;
    bool at_hand = hyi_handling(self) == message;
    bool mine = at_hand ? hyi_ask_take_over(message, &tail) : answer_taken(self, &tail);
    if (!mine) return err; // told, promised for later, or stashed
    answer given = { .asker = tail.asker, .kind = tail.kind, .err = err, .is_answer = true };
    answer_send(&given, reply);
    return HY_OK;
}

// ---- what an actor owes -----------------------------------------------------------------------

struct hyi_asks *hyi_asks_of(hy_actor *actor) {
    hyi_kin *kin = hyi_kin_of(actor);
    if (!kin || kin->asks) return kin ? kin->asks : NULL;
    uint8_t block_class = 0;
    struct hyi_asks *asks = (struct hyi_asks *)hyi_block_alloc(sizeof *asks, &block_class);
    if (!asks) return NULL;
    *asks = (struct hyi_asks){ .block_class = block_class, .look_at = ANSWER_OWED_FIRST };
    kin->asks = asks;
    return asks;
}

static void answer_look_over(struct hyi_asks *asks) {
    hyi_owed **link = &asks->owed;
    while (*link) {
        hyi_owed *owed = *link;
        if (hyi_ask_waits(owed->asker)) {
            link = &owed->next;
            continue;
        }
        *link = owed->next;
        asks->owed_count--;
        hyi_block_free(owed, owed->block_class);
    }
    asks->look_at = asks->owed_count * 2 + ANSWER_OWED_FIRST;
}

// False: no memory.
static bool answer_owe(hy_actor *self, hy_asker asker) {
    struct hyi_asks *asks = hyi_asks_of(self);
    uint8_t block_class = 0;
    hyi_owed *owed = asks ? (hyi_owed *)hyi_block_alloc(sizeof *owed, &block_class) : NULL;
    if (!owed) return false;
    if (asks->owed_count >= asks->look_at) answer_look_over(asks);
    *owed = (hyi_owed){ .next = asks->owed, .asker = asker, .block_class = block_class };
    asks->owed = owed;
    asks->owed_count++;
    return true;
}

// Most are answered soon after they were promised, by the actor itself.
static void answer_paid(hy_actor *self, hy_asker asker) {
    struct hyi_asks *asks = answer_asks(self);
    hyi_owed *latest = asks ? asks->owed : NULL;
    if (!latest || latest->asker.private_[0] != asker.private_[0] ||
        latest->asker.private_[1] != asker.private_[1]) {
        return;
    }
    asks->owed = latest->next;
    asks->owed_count--;
    hyi_block_free(latest, latest->block_class);
}

hy_asker hy_answer_later(hy_actor *self) {
    hyi_message *message = hyi_handling(self);
    hyi_asked_tail tail = { .kind = NULL };
    bool mine = message ? hyi_ask_take_over(message, &tail) : answer_taken(self, &tail);
    if (!mine) return (hy_asker){ { 0 } }; // told, or promised already
    if (answer_owe(self, tail.asker)) return tail.asker;
    answer_refuse(tail.asker, HY_NOMEM); // better than to forget it
    return (hy_asker){ { 0 } };
}

void hyi_answer(hy_asker asker, const hy_message_kind *kind, hy_err err, const void *reply) {
    hy_actor *self = hyi_here ? hyi_actor_here() : NULL;
    if (self) answer_paid(self, asker);
    answer given = { .asker = asker, .kind = kind, .err = err, .is_answer = true };
    answer_send(&given, reply);
}

void hy_answer_err(hy_asker asker, hy_err err) {
    HY_ASSERT(err != HY_OK); // that has a reply
    hyi_answer(asker, NULL, err, NULL);
}

// ---- ends -------------------------------------------------------------------------------------

static hy_err answer_of_drop(hy_drop reason) {
    switch (reason) {
    case HY_DROP_NOBODY: return HY_NOT_FOUND;
    case HY_DROP_FULL:
    case HY_DROP_NEW:
    case HY_DROP_OLD: return HY_LIMIT;
    case HY_DROP_LATE: return HY_TIMEOUT;
    case HY_DROP_UNHANDLED: return HY_UNSUPPORTED;
    default: return HY_CLOSED;
    }
}

void hyi_ask_dropped(hyi_message *message, hy_drop reason) {
    hyi_asked_tail tail;
    if (!hyi_ask_take_over(message, &tail)) return;
    answer_refuse(tail.asker, answer_of_drop(reason));
}

hy_err hyi_ask_taken(hy_actor *self, hyi_message *message) {
    struct hyi_asks *asks = hyi_asks_of(self);
    if (!asks) return HY_NOMEM;
    (void)hyi_ask_take_over(message, &asks->at_hand);
    return HY_OK;
}

void hyi_asks_end(hy_actor *actor) {
    struct hyi_asks *asks = answer_asks(actor);
    hyi_asked_tail tail;
    if (!asks) return;
    asks->era++;
    if (answer_taken(actor, &tail)) answer_refuse(tail.asker, HY_CLOSED);
    while (asks->owed) {
        hyi_owed *owed = asks->owed;
        asks->owed = owed->next;
        if (hyi_ask_waits(owed->asker)) answer_refuse(owed->asker, HY_CLOSED);
        hyi_block_free(owed, owed->block_class);
    }
    asks->owed_count = 0;
}

void hyi_asks_free(hyi_kin *kin) {
    struct hyi_asks *asks = kin->asks;
    if (!asks) return;
    while (asks->owed) {
        hyi_owed *owed = asks->owed;
        asks->owed = owed->next;
        hyi_block_free(owed, owed->block_class);
    }
    hyi_block_free(asks, asks->block_class);
    kin->asks = NULL;
}
