// ask.c - asking: slots, waiting, and the three ends of an ask.
//
// An ask ends by its answer (answer.c brings it), by its timeout (wheel.c), or because the fiber
// that waits is told something else (its wait's unhook). Each takes the slot first, ask_release, so
// the others find its number gone. What a refused send drops ends the ask in the same way, before
// the send has returned: then nobody has to wait.
//
// The timeout is armed before the request is sent: waiting for room counts.
#include "actor/ask.h"

#include "actor/carried.h"
#include "actor/deep.h"
#include "actor/ending.h"
#include "actor/slot.h"
#include "scope/above.h"

#include <string.h>

#define ASK_TIMEOUT HY_SECONDS(5)
#define ASK_PLACE_INDEX 0xffffffffu

// On the stack of the fiber that asks.
typedef struct hyi_ask_wait {
    hyi_wait wait;
    hyi_question *ask; // NULL: it has ended, with `err`
    hy_err err;
    bool parked;
    void *out_reply;
    hyi_dispatcher *dispatcher; // that the fiber is or was; NULL: no handler
    hy_scope *scope;            // of the fiber
} hyi_ask_wait;

static void ask_on_timeout(hyi_due *due);
static hy_asker ask_token(const hyi_question *ask);

// ---- slots ------------------------------------------------------------------------------------

hy_err hyi_asked_open(hyi_worker *worker) {
    struct hyi_asked *asked =
        (struct hyi_asked *)hy_mem_alloc_zero(worker->node->mem, sizeof *asked);
    if (!asked) return HY_NOMEM;
    asked->worker = worker;
    asked->next_number = 1;
    asked->places = (uint64_t)worker->node->options.number << 40 | (uint64_t)worker->number << 32;
    worker->asks = asked;
    return HY_OK;
}

static size_t ask_chunk_size(uint32_t chunk) {
    return ((size_t)HYI_ASK_CHUNK_FIRST << chunk) * sizeof(hyi_question);
}

static hyi_question *ask_of(struct hyi_asked *asked, uint32_t index) {
    uint32_t at = index + HYI_ASK_CHUNK_FIRST;
    uint32_t chunk =
        31 - (uint32_t)__builtin_clz(at) - (uint32_t)__builtin_ctz(HYI_ASK_CHUNK_FIRST);
    if (chunk >= HYI_ASK_CHUNKS) return NULL;
    // Acquire: pairs with the release in ask_more, for those who come with another worker's place.
    hyi_question *slots = atomic_load_explicit(&asked->chunks[chunk], memory_order_acquire);
    return slots ? &slots[at - (HYI_ASK_CHUNK_FIRST << chunk)] : NULL;
}

void hyi_asked_close(hyi_worker *worker) {
    struct hyi_asked *asked = worker->asks;
    for (uint32_t index = 0; asked && index < asked->used; index++) {
        hyi_question *ask = ask_of(asked, index);
        HY_ASSERT(ask); // below `used` every chunk is there
        (void)hyi_ask_end(worker, ask_token(ask), NULL, HY_CLOSED, NULL, NULL);
    }
}

void hyi_asked_free(hyi_worker *worker) {
    struct hyi_asked *asked = worker->asks;
    if (!asked) return;
    for (uint32_t chunk = 0; chunk < HYI_ASK_CHUNKS; chunk++) {
        hyi_question *slots = atomic_load_explicit(&asked->chunks[chunk], memory_order_relaxed);
        if (slots) hy_mem_free(worker->node->mem, slots, ask_chunk_size(chunk));
    }
    hy_mem_free(worker->node->mem, asked, sizeof *asked);
    worker->asks = NULL;
}

static hy_err ask_more(struct hyi_asked *asked) {
    uint32_t at = asked->used + HYI_ASK_CHUNK_FIRST;
    uint32_t chunk =
        31 - (uint32_t)__builtin_clz(at) - (uint32_t)__builtin_ctz(HYI_ASK_CHUNK_FIRST);
    if (chunk >= HYI_ASK_CHUNKS) return HY_LIMIT;
    if (atomic_load_explicit(&asked->chunks[chunk], memory_order_relaxed)) return HY_OK;
    hyi_question *slots =
        (hyi_question *)hy_mem_alloc_zero(asked->worker->node->mem, ask_chunk_size(chunk));
    if (!slots) return HY_NOMEM;
    atomic_store_explicit(&asked->chunks[chunk], slots, memory_order_release);
    return HY_OK;
}

static hy_err ask_new_slot(struct hyi_asked *asked, hyi_question **out_ask) {
    hy_err err = ask_more(asked);
    if (err) return err;
    uint32_t index = asked->used++;
    hyi_question *ask = ask_of(asked, index);
    ask->due.fire = ask_on_timeout;
    ask->asked = asked;
    ask->index = index;
    *out_ask = ask;
    return HY_OK;
}

static hy_err ask_take(struct hyi_asked *asked, hy_ref from, hy_ref to, hyi_question **out_ask) {
    hyi_question *ask = NULL;
    if (asked->free_first) {
        ask = asked->free_first;
        asked->free_first = ask->next_free;
    } else {
        hy_err err = ask_new_slot(asked, &ask);
        if (err) return err;
    }
    asked->count++;
    atomic_store_explicit(&ask->from, from.id, memory_order_release);
    atomic_store_explicit(&ask->to, to.id, memory_order_release);
    atomic_store_explicit(&ask->number, asked->next_number++, memory_order_release);
    *out_ask = ask;
    return HY_OK;
}

static void ask_release(hyi_question *ask) {
    struct hyi_asked *asked = ask->asked;
    hyi_wheel_disarm(asked->worker->wheel, &ask->due);
    atomic_store_explicit(&ask->number, 0, memory_order_relaxed);
    ask->waiter = NULL;
    ask->then = NULL;
    ask->next_free = asked->free_first;
    asked->free_first = ask;
    asked->count--;
}

// ---- places and tokens ------------------------------------------------------------------------

static uint64_t ask_place(const hyi_question *ask) {
    return ask->asked->places | (ask->index + 1);
}

static hy_asker ask_token(const hyi_question *ask) {
    return (
        hy_asker){ { atomic_load_explicit(&ask->number, memory_order_relaxed), ask_place(ask) } };
}

hyi_question *hyi_ask_at(const hy_node *node, uint64_t place) {
    uint8_t at = hyi_place_worker(place);
    uint32_t index = (uint32_t)(place & ASK_PLACE_INDEX);
    if (at >= node->worker_count || index == 0) return NULL;
    return ask_of(node->workers[at]->asks, index - 1);
}

static bool ask_waits_in(const hy_node *node, hy_asker asker) {
    hyi_question *ask = hyi_ask_at(node, asker.private_[1]);
    if (!ask || atomic_load_explicit(&ask->number, memory_order_acquire) != asker.private_[0]) {
        return false;
    }
    return atomic_load_explicit(&ask->answered, memory_order_acquire) != asker.private_[0];
}

bool hyi_ask_waits(hy_asker asker) {
    uint8_t number = hyi_place_node(asker.private_[1]);
    if (asker.private_[0] == 0) return false;
    if (hyi_here && hyi_here->node->options.number == number) {
        return ask_waits_in(hyi_here->node, asker);
    }
    hy_node *node = hyi_node_hold(number);
    if (!node) return false;
    bool waits = ask_waits_in(node, asker);
    hyi_node_let_go(number);
    return waits;
}

// ---- ends -------------------------------------------------------------------------------------

// What is behind the reply goes to memory of the one who waits: of its handler, or of its scope.
static hy_err ask_deepen(hyi_ask_wait *waiter, const hy_message_kind *kind) {
    size_t size = 0;
    hy_err err = hyi_deep_size(kind->reply, waiter->out_reply, &size);
    if (err || size == 0) return err;
    void *into = NULL;
    if (waiter->dispatcher) {
        hyi_dispatcher *at = waiter->dispatcher;
        into = hy_arena_alloc(at->actor ? &at->arena : &at->worker->turn_arena, size);
    } else {
        into = hy_scope_alloc(waiter->scope, size);
    }
    if (!into) return HY_NOMEM;
    hyi_deep_move(kind->reply, waiter->out_reply, into);
    return HY_OK;
}

static void ask_end_waiter(hyi_ask_wait *waiter, const hy_message_kind *kind, hy_err err,
                           const void *reply) {
    if (err == HY_OK && reply) {
        memcpy(waiter->out_reply, reply, kind->reply_size);
        if (!hyi_deep_reply_is_flat(kind)) err = ask_deepen(waiter, kind);
        if (err) memset(waiter->out_reply, 0, kind->reply_size);
    }
    waiter->ask = NULL;
    waiter->err = err;
    if (waiter->parked) hyi_wake(waiter->wait.task, err);
}

static void ask_end_then(hy_ref from, hyi_then *then, hy_err err) {
    then->err = err;
    if (then->sending) {
        then->ended = true;
        return;
    }
    hy_err sent = hyi_send(from, NULL, &then->head, NULL);
    (void)sent; // it has gone, and so has its word
}

bool hyi_ask_end(hyi_worker *worker, hy_asker asker, const hy_message_kind *kind, hy_err err,
                 const void *reply, hyi_message *block) {
    uint32_t index = (uint32_t)(asker.private_[1] & ASK_PLACE_INDEX);
    hyi_question *ask = ask_of(worker->asks, index - 1);
    uint64_t number = asker.private_[0];
    if (!ask || number == 0 || atomic_load_explicit(&ask->number, memory_order_relaxed) != number) {
        return false;
    }
    hyi_ask_wait *waiter = ask->waiter;
    hyi_then *then = ask->then;
    hy_ref from = { atomic_load_explicit(&ask->from, memory_order_relaxed) };
    ask_release(ask);
    if (waiter) {
        ask_end_waiter(waiter, kind, err, reply);
        hyi_reply_free(block);
    } else {
        if (err == HY_OK && reply && !block) err = hyi_reply_new(kind, reply, &block);
        then->reply = block;
        ask_end_then(from, then, err);
    }
    return true;
}

static void ask_on_timeout(hyi_due *due) {
    hyi_question *ask = HYI_HOLDER(hyi_question, due, due);
    hyi_worker *here = hyi_here; // of another node, perhaps, on the same thread
    hyi_here = ask->asked->worker;
    (void)hyi_ask_end(hyi_here, ask_token(ask), NULL, HY_TIMEOUT, NULL, NULL);
    hyi_here = here;
}

static void ask_unhook(hyi_wait *wait) {
    hyi_ask_wait *waiter = HYI_HOLDER(hyi_ask_wait, wait, wait);
    if (waiter->ask) ask_release(waiter->ask);
    waiter->ask = NULL;
}

// ---- asking -----------------------------------------------------------------------------------

static hyi_dispatcher *ask_dispatcher(void) {
    return hyi_current ? (hyi_dispatcher *)hyi_task_word(hyi_current) : NULL;
}

hy_actor *hyi_actor_here(void) {
    hyi_dispatcher *at = ask_dispatcher();
    if (!at) return NULL;
    return at->actor ? at->actor : at->worker->running;
}

// Marks the request, and fills in all that travels with it. HY_NOMEM, HY_TOO_LARGE, HY_TOO_DEEP.
static hy_err ask_dress(hyi_message **message, const hy_message_kind *kind, const hyi_question *ask,
                        hy_ns timeout) {
    size_t used = sizeof(hyi_message) + kind->size;
    if (!hyi_tail_room(message, used, HYI_MESSAGE_ASKED)) return HY_NOMEM;
    hyi_asked_tail *tail = (hyi_asked_tail *)hyi_tail_at(*message, HYI_MESSAGE_ASKED);
    tail->asker = ask_token(ask);
    tail->kind = kind;
    tail->from.id = atomic_load_explicit(&ask->from, memory_order_relaxed);
    (*message)->flags |= HYI_MESSAGE_ASKED;
    if (!hyi_needs_dress(kind, NULL, true)) return HY_OK;
    hy_err err = hyi_message_dress(kind, message, NULL, true);
    hyi_more_tail *more = err == HY_OK ? hyi_more_of(*message) : NULL;
    if (!more || !more->baggage || more->baggage->time_left <= timeout) return err;
    // Nobody will want the answer when the asker's time is over.
    more->baggage->time_left = timeout > 0 ? timeout : 1;
    more->packed_at = hy_world_now(ask->asked->worker->world);
    return HY_OK;
}

// Takes `message`. Refused, the ask has ended.
static hy_err ask_send(hyi_question *ask, hy_ref to, const hy_message_kind *kind,
                       hyi_message *message, hy_ns timeout) {
    hyi_worker *worker = ask->asked->worker;
    hy_asker token = ask_token(ask);
    hy_err err = ask_dress(&message, kind, ask, timeout);
    if (err == HY_OK) err = hyi_wheel_arm(worker->wheel, &ask->due, timeout);
    if (err) {
        hyi_asked_tail tail;
        (void)hyi_ask_take_over(message, &tail); // or its end would answer
        hyi_message_free(message);
    } else {
        hy_send_options options = { .size = sizeof options, .room_wait = timeout };
        err = hyi_send(to, kind, message, &options);
    }
    if (err) (void)hyi_ask_end(worker, token, kind, err, NULL, NULL);
    return err;
}

static hy_ns ask_timeout(hy_ns timeout) {
    if (timeout == 0) return ASK_TIMEOUT;
    return timeout < 0 ? 0 : timeout;
}

// The edge from an actor to whom it waits for: drawn before it looks for a circle.
static hy_err ask_draw_edge(hy_actor *self, const hyi_question *ask, hy_ref to) {
    if (!self) return HY_OK;
    // Partner: the load in cycle.c.
    atomic_store_explicit(&self->waits_for, ask_place(ask), memory_order_seq_cst);
    return hyi_ask_circles(self, to) ? HY_DEADLOCK : HY_OK;
}

static hy_err ask_and_wait(hyi_ask_wait *waiter, hy_actor *self, hy_ref to,
                           const hy_message_kind *kind, hyi_message *message, hy_ns timeout) {
    hyi_question *ask = waiter->ask;
    hy_err err = ask_draw_edge(self, ask, to);
    if (err) {
        ask_release(ask);
        hyi_message_free(message);
        return err;
    }
    err = ask_send(ask, to, kind, message, timeout);
    if (err || !waiter->ask) return err ? err : waiter->err;
    waiter->parked = true;
    err = hyi_park(&waiter->wait);
    return err;
}

hy_err hyi_ask(hy_ref to, const hy_message_kind *kind, void *copy, hy_ns timeout, void *out_reply) {
    if (!copy) return HY_NOMEM;
    hyi_message *message = (hyi_message *)copy - 1;
    hyi_worker *worker = hyi_here;
    HY_ASSERT(hyi_current != NULL); // it waits
    hy_actor *self = hyi_actor_here();
    hyi_ask_wait waiter = { .wait = { .unhook = ask_unhook, .what = "ask", .deadline = HY_NEVER },
                            .out_reply = out_reply,
                            .dispatcher = ask_dispatcher(),
                            .scope = hy_scope_current() };
    hy_err err = worker ? hy_check() : HY_CLOSED; // the node of this thread has gone
    if (err == HY_OK) {
        err = ask_take(worker->asks, self ? hyi_ref_of(self) : HY_NOBODY, to, &waiter.ask);
    }
    if (err) {
        hyi_message_free(message);
        return err;
    }
    waiter.ask->waiter = &waiter;
    err = ask_and_wait(&waiter, self, to, kind, message, ask_timeout(timeout));
    if (self) atomic_store_explicit(&self->waits_for, 0, memory_order_release); // drawn here
    return err;
}

// ---- asking without waiting -------------------------------------------------------------------

hyi_then *hyi_then_new(hy_actor *self, hy_then then, size_t size) {
    struct hyi_asks *asks = hyi_asks_of(self);
    uint8_t block_class = 0;
    hyi_then *it = asks ? (hyi_then *)hyi_block_alloc(size, &block_class) : NULL;
    if (!it) return NULL;
    *it = (hyi_then){ .head = { .tag = HYI_SYSTEM_ANSWER,
                                .flags = HYI_MESSAGE_SYSTEM,
                                .block_class = block_class },
                      .then = then,
                      .era = asks->era,
                      .sending = true };
    return it;
}

hy_err hyi_ask_then(hy_actor *self, hy_ref to, const hy_message_kind *kind, void *copy,
                    hy_ns timeout, hy_then then) {
    if (!copy) return HY_NOMEM;
    hyi_message *message = (hyi_message *)copy - 1;
    // One that is stopping would be asked for the next start.
    bool lives = hyi_lives(self);
    hyi_then *it = lives ? hyi_then_new(self, then, sizeof *it) : NULL;
    hyi_question *ask = NULL;
    hy_err err = it ? ask_take(hyi_here->asks, hyi_ref_of(self), to, &ask) : HY_NOMEM;
    if (!lives) err = HY_CLOSED;
    if (err) {
        if (it) hyi_message_free(&it->head);
        hyi_message_free(message);
        return err;
    }
    ask->then = it;
    err = ask_send(ask, to, kind, message, ask_timeout(timeout));
    it->sending = false;
    if (err) {
        hyi_message_free(&it->head);
        return err;
    }
    if (it->ended) hyi_send_system(self, &it->head);
    return HY_OK;
}

hy_err hyi_then_call(hy_actor *self, hyi_message *message) {
    hyi_then *it = (hyi_then *)(void *)message;
    const struct hyi_asks *asks = self->kin ? self->kin->asks : NULL;
    if (!asks || it->era != asks->era) return HY_OK; // another start's
    const void *reply = it->err == HY_OK && it->reply ? it->reply + 1 : NULL;
    return it->then(self, self->state, it->err, reply);
}

void hyi_then_end(hyi_message *message) {
    hyi_reply_free(((hyi_then *)(void *)message)->reply);
}
