// wait.c - fibers that wait until an actor is ready, or has ended.
//
// A word is sent to the actor (SYSTEM_WAIT), which keeps it until it can answer. The answer is a
// call to the worker where the fiber waits, so the fiber is woken on its own thread. The fiber may
// give up before that (a deadline, a cancellation), so the word is a block of its own and not on
// the fiber's stack; then it says so in the word, and the actor throws such words away now and
// then. Between the two `fiber` is looked at by the waiter's worker only, and `given_up`
// is all that the other side sees.
//
// An actor that is started again and again is not ready and has not ended; who waits goes on
// waiting. Ended means for good.
#include "actor/ending.h"
#include "actor/slot.h"

#include "scope/above.h"

typedef struct wait_word {
    hyi_message message;
    hyi_link link; // in kin->waiting
    hyi_call call; // the answer
    hyi_worker *worker;
    struct wait_fiber *fiber; // the waiter's worker only; NULL: it has given up
    // Relaxed, both sides: seen late, the word is only kept a little longer.
    _Atomic bool given_up;
    bool for_end;
    hy_err err;
} wait_word;

typedef struct wait_fiber {
    hyi_wait wait;
    wait_word *word;
} wait_fiber;

struct hyi_waiting {
    hyi_list words;
    uint32_t added; // every so many, those that were given up are thrown away
};
#define WAIT_SWEEP 64u

static void wait_word_free(wait_word *word) {
    hyi_block_free(word, word->message.block_class);
}

// On the waiter's worker.
static void wait_answered(hyi_call *call, hyi_worker *worker) {
    (void)worker;
    wait_word *word = HYI_HOLDER(wait_word, call, call);
    if (word->fiber) hyi_wake(word->fiber->wait.task, word->err);
    wait_word_free(word);
}

static void wait_answer(wait_word *word, hy_err err) {
    word->err = err;
    if (word->worker == hyi_here) {
        wait_answered(&word->call, hyi_here);
    } else {
        hyi_worker_call(word->worker, &word->call);
    }
}

static void wait_unhook(hyi_wait *wait) {
    wait_word *word = HYI_HOLDER(wait_fiber, wait, wait)->word;
    word->fiber = NULL;
    atomic_store_explicit(&word->given_up, true, memory_order_relaxed);
}

static hy_err wait_for(hy_ref ref, bool for_end, bool intake, hy_ns deadline) {
    HY_ASSERT(hyi_here != NULL); // only a worker's thread has fibers that know actors
    uint8_t block_class = 0;
    wait_word *word = (wait_word *)hyi_block_alloc(sizeof *word, &block_class);
    if (!word) return HY_NOMEM;
    wait_fiber fiber = {
        .wait = { .unhook = wait_unhook,
                  .what = for_end ? "actor's end" : "actor's start",
                  .deadline = deadline,
                  .intake = intake },
        .word = word,
    };
    *word = (wait_word){
        .message = { .tag = HYI_SYSTEM_WAIT,
                     .flags = HYI_MESSAGE_SYSTEM,
                     .block_class = block_class },
        .call = { .run = wait_answered },
        .worker = hyi_here,
        .fiber = &fiber,
        .for_end = for_end,
    };
    hyi_list_init(&word->link);
    hy_err err = HY_OK;
    if (!hyi_find(ref)) {
        wait_word_free(word);
        return for_end ? HY_OK : HY_NOT_FOUND;
    }
    err = hyi_send(ref, NULL, &word->message, NULL);
    // Refused in the last moment, it has been answered: hyi_await_refused asks for a call, which
    // cannot have run yet.
    (void)err;
    return hyi_park(&fiber.wait);
}

static bool wait_is_mine(const hy_actor *actor) {
    return hyi_here &&
           atomic_load_explicit(&actor->owner, memory_order_relaxed) == hyi_here->number &&
           actor->node == hyi_here->node->options.number;
}

hy_err hy_actor_wait_ready(hy_ref ref, hy_ns deadline) {
    const hy_actor *actor = hyi_find(ref);
    if (actor && wait_is_mine(actor) && actor->phase == HYI_RUNNING) return HY_OK;
    return wait_for(ref, false, false, deadline);
}

hy_err hy_actor_wait_end(hy_ref ref, hy_ns deadline) {
    return wait_for(ref, true, false, deadline);
}

hy_err hyi_wait_end_or_draining(hy_ref ref) {
    return wait_for(ref, true, true, HY_NEVER);
}

// ---- the actor --------------------------------------------------------------------------------

static void wait_sweep(struct hyi_waiting *waiting) {
    hyi_link *next = NULL;
    for (hyi_link *link = hyi_list_first(&waiting->words); link; link = next) {
        next = hyi_list_after(&waiting->words, link);
        wait_word *word = HYI_HOLDER(wait_word, link, link);
        if (!atomic_load_explicit(&word->given_up, memory_order_relaxed)) continue;
        hyi_list_remove(link);
        wait_answer(word, HY_OK); // freed where it was made
    }
}

void hyi_await(hy_actor *actor, hyi_message *message) {
    wait_word *word = HYI_HOLDER(wait_word, message, message);
    if (!word->for_end && actor->phase == HYI_RUNNING) {
        wait_answer(word, HY_OK);
        return;
    }
    hyi_kin *kin = hyi_kin_of(actor);
    if (kin && !kin->waiting) {
        hy_mem *mem = hyi_node_of_actor(actor)->mem;
        kin->waiting = (struct hyi_waiting *)hy_mem_alloc_zero(mem, sizeof *kin->waiting);
        if (kin->waiting) hyi_list_init(&kin->waiting->words);
    }
    if (!kin || !kin->waiting) {
        wait_answer(word, HY_NOMEM);
        return;
    }
    if (++kin->waiting->added % WAIT_SWEEP == 0) wait_sweep(kin->waiting);
    hyi_list_append(&kin->waiting->words, &word->link);
}

// It has gone before the word came. The sender may be the waiter itself, about to park.
void hyi_await_refused(hyi_message *message) {
    wait_word *word = HYI_HOLDER(wait_word, message, message);
    word->err = word->for_end ? HY_OK : HY_NOT_FOUND;
    hyi_worker_call(word->worker, &word->call);
}

void hyi_await_moved(hyi_message *message) {
    wait_word *word = HYI_HOLDER(wait_word, message, message);
    hyi_list_init(&word->link);
    if (word->fiber) word->fiber->word = word;
}

void hyi_waiters_up(hy_actor *actor) {
    struct hyi_waiting *waiting = actor->kin->waiting;
    hyi_link *next = NULL;
    for (hyi_link *link = hyi_list_first(&waiting->words); link; link = next) {
        next = hyi_list_after(&waiting->words, link);
        wait_word *word = HYI_HOLDER(wait_word, link, link);
        if (word->for_end) continue;
        hyi_list_remove(link);
        wait_answer(word, HY_OK);
    }
}

hyi_waiting *hyi_waiters_take(hy_actor *actor) {
    return actor->kin ? actor->kin->waiting : NULL;
}

// The list is still in its kin, which stays until the end of the turn.
void hyi_waiters_tell(hyi_waiting *waiting, hy_err why) {
    hyi_link *link = NULL;
    while (waiting && (link = hyi_list_first(&waiting->words))) {
        hyi_list_remove(link);
        wait_word *word = HYI_HOLDER(wait_word, link, link);
        wait_answer(word, word->for_end || why != HY_OK ? why : HY_CLOSED);
    }
}

// The node is abandoned: nobody is woken.
void hyi_waiters_free(hyi_kin *kin) {
    if (!kin->waiting) return;
    hyi_link *link = NULL;
    while ((link = hyi_list_first(&kin->waiting->words))) {
        hyi_list_remove(link);
        wait_word_free(HYI_HOLDER(wait_word, link, link));
    }
    hy_mem_free(hyi_node_of_actor(kin->actor)->mem, kin->waiting, sizeof *kin->waiting);
    kin->waiting = NULL;
}
