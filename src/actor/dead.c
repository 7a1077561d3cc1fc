// dead.c - letters about messages that nobody handled.
//
// The ring holds heads only: names are static, the body belongs to the message. It is written under
// a lock, because letters come from all workers and from threads that are none; a letter is no hot
// path, and what makes many of them (a mailbox that gives up messages) has paid for a copy and a
// free besides.
//
// Subscribers are only added. So who reads the list sees `heard_count` first, and then entries that
// will not change any more: the call-back is made without the lock, which it may not wait for.
//
// While a thread tells subscribers, what is dropped on it is not told: `dead_telling` is the
// thread's.
#include "actor/dead.h"

#include <string.h>

typedef struct dead_heard {
    void (*heard)(void *self, const hy_dead_letter *letter);
    void *self;
} dead_heard;

struct hyi_letters {
    pthread_mutex_t lock;
    uint64_t count; // of all so far
    uint32_t kept;  // entries of the ring
    _Atomic uint32_t heard_count;
    dead_heard heard[HYI_LETTERS_HEARD_MAX];
    hy_dead_letter ring[];
};

#define DEAD_KEPT 256u

static _Thread_local bool dead_telling;

// ---- open, close ------------------------------------------------------------------------------

static size_t dead_size(uint32_t kept) {
    return sizeof(struct hyi_letters) + (size_t)kept * sizeof(hy_dead_letter);
}

hy_err hyi_letters_open(hy_node *node) {
    uint32_t kept = node->options.dead_letters_max ? node->options.dead_letters_max : DEAD_KEPT;
    struct hyi_letters *letters = hy_mem_alloc_zero(node->mem, dead_size(kept));
    if (!letters) return HY_NOMEM;
    letters->kept = kept;
    pthread_mutex_init(&letters->lock, NULL);
    node->letters = letters;
    return HY_OK;
}

void hyi_letters_close(hy_node *node) {
    struct hyi_letters *letters = node->letters;
    if (!letters) return;
    pthread_mutex_destroy(&letters->lock);
    hy_mem_free(node->mem, letters, dead_size(letters->kept));
    node->letters = NULL;
}

hy_err hy_dead_letters(hy_node *node, void (*heard)(void *self, const hy_dead_letter *letter),
                       void *self) {
    struct hyi_letters *letters = node->letters;
    pthread_mutex_lock(&letters->lock);
    uint32_t count = atomic_load_explicit(&letters->heard_count, memory_order_relaxed);
    hy_err err = count < HYI_LETTERS_HEARD_MAX ? HY_OK : HY_LIMIT;
    if (err == HY_OK) {
        letters->heard[count] = (dead_heard){ heard, self };
        // Release: pairs with the acquire in dead_tell, which then reads the entry.
        atomic_store_explicit(&letters->heard_count, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&letters->lock);
    return err;
}

// ---- letters ----------------------------------------------------------------------------------

static void dead_keep(struct hyi_letters *letters, const hy_dead_letter *letter) {
    pthread_mutex_lock(&letters->lock);
    hy_dead_letter *place = &letters->ring[letters->count++ % letters->kept];
    *place = *letter;
    place->body = NULL;
    pthread_mutex_unlock(&letters->lock);
}

static void dead_tell(struct hyi_letters *letters, const hy_dead_letter *letter) {
    if (dead_telling) return;
    dead_telling = true;
    // Acquire: pairs with the release in hy_dead_letters.
    uint32_t count = atomic_load_explicit(&letters->heard_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++)
        letters->heard[i].heard(letters->heard[i].self, letter);
    dead_telling = false;
}

void hyi_letter(hy_node *node, hy_ref to, const hy_message_kind *kind, hyi_message *message,
                hy_drop reason) {
    struct hyi_letters *letters = node->letters;
    if (!letters || (message->flags & HYI_MESSAGE_SYSTEM)) return;
    // The batch's time is near enough; outside of turns there is none.
    bool in_turn = hyi_here && hyi_here->running;
    hy_ns at = in_turn ? hyi_here->batch_began : hy_world_now(node->workers[0]->world);
    hy_dead_letter letter = {
        .to = to,
        .reason = reason,
        .protocol = kind ? kind->protocol->name : "?",
        .message = kind ? kind->name : "?",
        .tag = message->tag,
        .body = hyi_message_body(message),
        .at = at,
    };
    dead_keep(letters, &letter);
    dead_tell(letters, &letter);
}

bool hyi_letter_next(hy_node *node, uint64_t *cursor, hy_dead_letter *out_letter) {
    struct hyi_letters *letters = node->letters;
    if (!letters) return false;
    pthread_mutex_lock(&letters->lock);
    uint64_t oldest = letters->count > letters->kept ? letters->count - letters->kept : 0;
    uint64_t number =
        *cursor > oldest ? *cursor : oldest; // numbered from 1: this one is number + 1
    bool there = number < letters->count;
    if (there) {
        *out_letter = letters->ring[number % letters->kept];
        *cursor = number + 1;
    }
    pthread_mutex_unlock(&letters->lock);
    return there;
}

const char *hy_drop_name(hy_drop drop) {
    static const char *const names[HY_DROP_COUNT] = {
        [HY_DROP_NOBODY] = "nobody", [HY_DROP_FULL] = "full",     [HY_DROP_NEW] = "new",
        [HY_DROP_OLD] = "old",       [HY_DROP_LATE] = "late",     [HY_DROP_UNHANDLED] = "unhandled",
        [HY_DROP_FAILED] = "failed", [HY_DROP_POISON] = "poison", [HY_DROP_ENDED] = "ended",
        [HY_DROP_ANSWER] = "answer", [HY_DROP_ALARM] = "alarm",   [HY_DROP_SHUT] = "shut",
    };
    return drop > 0 && drop < HY_DROP_COUNT ? names[drop] : "?";
}
