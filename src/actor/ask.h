// ask.h - questions that wait for an answer.                       Room: actor. Includes: scope.
// Threads: as said for each function.
//
// Who asks takes a slot of the worker it runs on, and the request carries where that is and the
// slot's number, which is never used again. The answer is for that number: a slot that has another
// one by now, because the ask was cancelled, ended, or ran out of time, refuses it, and nothing has
// to be called back (EEP 53 tells of what happens otherwise). Slots are never unmapped while the
// node lives, so anybody may look whether an ask still waits.
//
//     fiber       waits with a record on its stack; answered on its own worker, the reply is copied
//                 right into the caller's variable, without a message
//     ask_then    has a record in a block, which becomes a system message of the actor that asked:
//                 with the answer, or with why there is none
//     elsewhere   the answer goes to the worker of the slot as a call
//
// Who ends an ask, whichever way, takes it out of the slot first. So it ends once.
#ifndef HYI_ACTOR_ASK_H
#define HYI_ACTOR_ASK_H

#include "actor/inside.h"
#include "actor/tail.h"
#include "actor/wheel.h"

#define HYI_ASK_CHUNKS 19u // chunk n has 64 << n slots: 2^25 in all
#define HYI_ASK_CHUNK_FIRST 64u
#define HYI_ASK_STEPS 8u

// Of a request: HYI_MESSAGE_ASKED.
typedef struct hyi_asked_tail {
    hy_asker asker; // private_[0]: the number, 0 once the answer is taken over; [1]: the place
    const hy_message_kind *kind;
    hy_ref from; // HY_NOBODY: a fiber that is no actor's
} hyi_asked_tail;
_Static_assert(sizeof(hyi_asked_tail) == HYI_TAIL_ASKED, "tail.h counts on it");

// The answer that an actor waits for with `then`: HYI_SYSTEM_ANSWER.
typedef struct hyi_then {
    hyi_message head;
    hy_then then;
    hyi_message *reply; // owned; NULL: none
    uint32_t era;       // of the actor's asks: another one was another start's
    hy_err err;
    bool sending; // hyi_ask_then has not returned
    bool ended;   // while it was being sent
} hyi_then;

typedef struct hyi_question {
    hyi_due due; // the timeout
    struct hyi_asked *asked;
    uint32_t index;
    struct hyi_question *next_free;
    // Written by the worker; read by any that asks (cycle.c). Released in the order number (0),
    // rest, number; so who reads the same number before and after the rest has read what belongs to
    // it.
    _Atomic uint64_t number; // 0: free
    _Atomic uint64_t from, to;
    _Atomic uint64_t answered;   // by another worker: this number's answer is on its way
    struct hyi_ask_wait *waiter; // one of the two
    hyi_then *then;
} hyi_question;

struct hyi_asked {
    hyi_worker *worker;
    uint64_t next_number;
    uint64_t places;          // of all its slots, but for the index + 1
    hyi_question *free_first; // NULL: none
    uint32_t used;            // slots so far
    uint32_t count;           // asks that wait
    _Atomic(hyi_question *) chunks[HYI_ASK_CHUNKS];
};

// An actor's own: who waits for an answer that it promised (hy_answer_later).
typedef struct hyi_owed {
    struct hyi_owed *next;
    hy_asker asker;
    uint8_t block_class;
} hyi_owed;
struct hyi_asks {
    uint32_t era; // grows with the end of each start
    uint32_t owed_count, look_at;
    uint8_t block_class;
    hyi_owed *owed;
    hyi_asked_tail at_hand; // of a message that was taken; number 0: none
};

// ---- the worker's -----------------------------------------------------------------------------

HY_CHECKED hy_err hyi_asked_open(hyi_worker *worker); // after the wheel. HY_NOMEM
// The worker stops: asks that are out end with HY_CLOSED, and later answers find nothing.
void hyi_asked_close(hyi_worker *worker); // before the wheel; nothing where it was not opened
void hyi_asked_free(hyi_worker *worker);  // with the worker: nobody can look at slots any more

// The slot that a place of `node` means, whoever looks; NULL: no such. Any thread.
hyi_question *hyi_ask_at(const hy_node *node, uint64_t place);
static inline uint8_t hyi_place_node(uint64_t place) {
    return (uint8_t)(place >> 40);
}
static inline uint8_t hyi_place_worker(uint64_t place) {
    return (uint8_t)(place >> 32);
}
// Does the ask still wait? Any thread; old by a moment.
bool hyi_ask_waits(hy_asker asker);
// Would `self` wait for itself, if it waited for `to`? Any worker's thread.
bool hyi_ask_circles(const hy_actor *self, hy_ref to);
// On the slot's worker: the end of the ask, once: false: it had ended. `reply` (NULL: none) is
// copied, with what is behind it, unless `block` (a message, taken; else NULL) has it as its body.
bool hyi_ask_end(hyi_worker *worker, hy_asker asker, const hy_message_kind *kind, hy_err err,
                 const void *reply, hyi_message *block);

// The answering of a request, once. False: it was told, or somebody has taken it over.
bool hyi_ask_take_over(hyi_message *message, hyi_asked_tail *out_tail);
// A reply on its way, in a block of its own; `reply` and what is behind it are copied. HY_NOMEM,
// HY_TOO_LARGE, HY_TOO_DEEP. Freed by hyi_reply_free (NULL is fine).
HY_CHECKED hy_err hyi_reply_new(const hy_message_kind *kind, const void *reply,
                                hyi_message **out_block);
static inline void hyi_reply_free(hyi_message *block) {
    if (block) hyi_block_free(block, block->block_class);
}
struct hyi_asks *hyi_asks_of(hy_actor *actor); // made on first use; NULL: no memory

// ---- what the others call ---------------------------------------------------------------------

// hyi_drop and hyi_message_free, of each message with HYI_MESSAGE_ASKED: if it ends without an
// answer whoever asks is told so. Any thread.
HY_ANY_THREAD void hyi_ask_dropped(hyi_message *message, hy_drop reason);
// hy_message_take: the message becomes the handler's, but it is still to answer. HY_NOMEM.
HY_CHECKED hy_err hyi_ask_taken(hy_actor *self, hyi_message *message);
// One that was not asked for, but is answered by whoever made it: it is set `sending` (clear that),
// lies at the beginning of `size` bytes, and goes by hyi_send to the actor. NULL: no memory.
// Handler.
hyi_then *hyi_then_new(hy_actor *self, hy_then then, size_t size);
// A turn, HYI_SYSTEM_ANSWER, instead of the behaviour. Handler.
hy_err hyi_then_call(hy_actor *self, hyi_message *message);
void hyi_then_end(hyi_message *message); // hyi_message_free: what such a message owns
// The end of a start: nobody answers what it promised, and it wants no answer any more. Owner.
void hyi_asks_end(hy_actor *actor);
void hyi_asks_free(hyi_kin *kin); // memory only, running nothing

// The actor whose handler, start, stop or then runs here, also after it has waited; or NULL.
hy_actor *hyi_actor_here(void);

#endif
