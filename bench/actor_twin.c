// actor_twin.c - twins of the figures that AirsSys RT publishes: the same work, in C.
//
// Its Criterion programs measure objects being made and dropped more than actors; the rows beside
// them that do what their names say are in the other files. Nothing that they do is left out here:
// random ids from the kernel, wall clocks read, a hub with a map of locked shards of which no use
// is made, strings formatted and copied, channels whose first block has 32 places. They stand on
// no node, and say nothing of Hypha but what such work costs without Rust's futures.
//
//     twin_spawn             an actor object, its id, its context, a hub of its own; all dropped
//     twin_process           a handler called through a pointer; an object of twin_spawn for 100
//     twin_roundtrip         hub, subscription, a message with a text, published, received, dropped
//     twin_throughput        one of 100 texts formatted, published; then all received
//     twin_mailbox           a bounded mailbox of 1,000; one of 100 texts formatted and put
//     twin_broadcast         hub, 10 subscriptions, one message to all; each
//     twin_supervised_spawn  a supervisor, one child whose start does nothing, an event for nobody
#include "bench/actor_drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define TWIN_BUNCH 100u
#define TWIN_SUBSCRIBERS 10u
#define TWIN_SHARDS 8u // 4 for each of two processors
#define TWIN_BLOCK 32u
#define TWIN_ROOM 1000u

typedef struct twin_id {
    uint8_t bytes[16];
} twin_id;

typedef struct twin_message {
    uint64_t number;
    char *text;
    size_t len;
} twin_message;

typedef struct twin_envelope {
    twin_message payload;
    twin_id sender, reply_to, correlation;
    bool has_sender, has_reply_to, has_correlation, has_ttl;
    struct timespec at;
    uint64_t ttl;
    uint32_t priority;
} twin_envelope;

typedef struct twin_block {
    struct twin_block *next;
    uint32_t first, count;
    twin_envelope places[TWIN_BLOCK];
} twin_block;

typedef struct twin_channel {
    twin_block *head, *tail;
    size_t count, capacity;
    uint64_t sent, received, dropped;
    struct timespec last_at;
} twin_channel;

typedef struct twin_shard {
    _Alignas(64) uint32_t lock;
    void *table;
    size_t count, capacity;
} twin_shard;

typedef struct twin_hub {
    uint32_t references, lock;
    twin_channel **subscribers;
    size_t count;
    twin_shard *shards;
} twin_hub;

typedef struct twin_actor {
    uint64_t count;
    twin_id id;
    struct timespec created_at, last_at;
    uint64_t messages;
    twin_hub *hub;
} twin_actor;

static void *twin_alloc(size_t size) {
    void *memory = malloc(size);
    if (!memory) bench_must(HY_NOMEM, "a twin");
    return memory;
}

static twin_id twin_id_new(void) {
    twin_id id;
    if (getrandom(id.bytes, sizeof id.bytes, 0) != sizeof id.bytes) bench_must(HY_IO, "an id");
    id.bytes[6] = (uint8_t)((id.bytes[6] & 15) | 64);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 63) | 128);
    return id;
}

// So that what is made is not optimised away.
static void twin_keep(const void *what) {
    __asm__ volatile("" : : "r"(what) : "memory");
}

// ---- channels ---------------------------------------------------------------------------------

static twin_block *twin_block_new(void) {
    twin_block *block = twin_alloc(sizeof *block);
    block->next = NULL;
    block->first = block->count = 0;
    return block;
}

static twin_channel *twin_channel_new(size_t capacity) {
    twin_channel *channel = twin_alloc(sizeof *channel);
    *channel = (twin_channel){ .capacity = capacity };
    channel->head = channel->tail = twin_block_new();
    return channel;
}

static void twin_send(twin_channel *channel, const twin_envelope *envelope) {
    if (channel->count == channel->capacity) {
        channel->dropped++;
        free(envelope->payload.text);
        return;
    }
    twin_block *tail = channel->tail;
    if (tail->count == TWIN_BLOCK) channel->tail = tail = tail->next = twin_block_new();
    tail->places[tail->count++] = *envelope;
    channel->count++;
    channel->sent++;
}

static bool twin_receive(twin_channel *channel, twin_envelope *out) {
    twin_block *head = channel->head;
    if (channel->count == 0) return false;
    if (head->first == TWIN_BLOCK) {
        channel->head = head->next;
        free(head);
        head = channel->head;
    }
    *out = head->places[head->first++];
    channel->count--;
    channel->received++;
    return true;
}

static void twin_channel_free(twin_channel *channel) {
    twin_envelope envelope;
    while (twin_receive(channel, &envelope))
        free(envelope.payload.text);
    for (twin_block *block = channel->head, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(channel);
}

// ---- hubs and messages ------------------------------------------------------------------------

static twin_hub *twin_hub_new(void) {
    twin_hub *hub = twin_alloc(sizeof *hub);
    *hub = (twin_hub){ .references = 1 };
    hub->shards = aligned_alloc(64, TWIN_SHARDS * sizeof *hub->shards);
    if (!hub->shards) bench_must(HY_NOMEM, "a twin");
    for (uint32_t i = 0; i < TWIN_SHARDS; i++)
        hub->shards[i] = (twin_shard){ 0 };
    return hub;
}

static twin_channel *twin_subscribe(twin_hub *hub) {
    twin_channel *channel = twin_channel_new(SIZE_MAX);
    if ((hub->count & (hub->count - 1)) == 0) { // at 0, 1, 2, 4, ...
        size_t room = hub->count ? hub->count * 2 : 1;
        hub->subscribers = realloc(hub->subscribers, room * sizeof *hub->subscribers);
        if (!hub->subscribers) bench_must(HY_NOMEM, "a twin");
    }
    hub->subscribers[hub->count++] = channel;
    return channel;
}

static void twin_hub_free(twin_hub *hub) {
    for (size_t i = 0; i < hub->count; i++)
        twin_channel_free(hub->subscribers[i]);
    free(hub->subscribers);
    free(hub->shards);
    free(hub);
}

static twin_envelope twin_envelope_of(uint64_t number, const char *text) {
    size_t len = strlen(text);
    twin_envelope envelope = { .payload = { number, twin_alloc(len + 1), len }, .priority = 1 };
    memcpy(envelope.payload.text, text, len + 1);
    clock_gettime(CLOCK_REALTIME, &envelope.at);
    return envelope;
}

static twin_envelope twin_copy(const twin_envelope *envelope) {
    twin_envelope copy = *envelope;
    copy.payload.text = twin_alloc(envelope->payload.len + 1);
    memcpy(copy.payload.text, envelope->payload.text, envelope->payload.len + 1);
    return copy;
}

// Takes it; each subscriber gets a copy.
static void twin_publish(twin_hub *hub, twin_envelope *envelope) {
    for (size_t i = 0; i < hub->count; i++) {
        twin_envelope copy = twin_copy(envelope);
        twin_send(hub->subscribers[i], &copy);
    }
    free(envelope->payload.text);
}

static void twin_take(twin_channel *channel) {
    twin_envelope envelope;
    if (!twin_receive(channel, &envelope)) bench_must(HY_INVARIANT, "receiving");
    twin_keep(&envelope);
    free(envelope.payload.text);
}

// ---- rows -------------------------------------------------------------------------------------

static void twin_actor_new(twin_actor *actor) {
    *actor = (twin_actor){ .id = twin_id_new(), .hub = twin_hub_new() };
    clock_gettime(CLOCK_REALTIME, &actor->created_at);
}

static double twin_spawn(hy_node *node, uint64_t times) {
    (void)node;
    double start = bench_now();
    for (uint64_t i = 0; i < times; i++) {
        twin_actor actor;
        twin_actor_new(&actor);
        twin_keep(&actor);
        twin_hub_free(actor.hub);
    }
    return (bench_now() - start) * 1e9;
}

static hy_err twin_handle(twin_actor *actor, uint64_t value) {
    actor->count += value;
    return HY_OK;
}

static double twin_process(hy_node *node, uint64_t times) {
    (void)node;
    hy_err (*volatile handle)(twin_actor *, uint64_t) = twin_handle;
    double start = bench_now();
    for (uint64_t i = 0; i < times; i += TWIN_BUNCH) {
        twin_actor actor;
        twin_actor_new(&actor);
        for (uint64_t value = 0; value < TWIN_BUNCH; value++)
            bench_must(handle(&actor, value), "handling");
        twin_keep(&actor);
        twin_hub_free(actor.hub);
    }
    return (bench_now() - start) * 1e9;
}

static double twin_roundtrip(hy_node *node, uint64_t times) {
    (void)node;
    double start = bench_now();
    for (uint64_t i = 0; i < times; i++) {
        twin_hub *hub = twin_hub_new();
        twin_channel *channel = twin_subscribe(hub);
        twin_envelope envelope = twin_envelope_of(1, "test"), copy = twin_copy(&envelope);
        twin_publish(hub, &copy);
        twin_take(channel);
        free(envelope.payload.text);
        twin_hub_free(hub);
    }
    return (bench_now() - start) * 1e9;
}

static double twin_throughput(hy_node *node, uint64_t times) {
    (void)node;
    char text[32];
    double start = bench_now();
    for (uint64_t i = 0; i < times; i += TWIN_BUNCH) {
        twin_hub *hub = twin_hub_new();
        twin_channel *channel = twin_subscribe(hub);
        for (uint32_t number = 0; number < TWIN_BUNCH; number++) {
            snprintf(text, sizeof text, "message_%u", number);
            twin_envelope envelope = twin_envelope_of(number, text);
            twin_publish(hub, &envelope);
        }
        for (uint32_t number = 0; number < TWIN_BUNCH; number++)
            twin_take(channel);
        twin_hub_free(hub);
    }
    return (bench_now() - start) * 1e9;
}

static double twin_mailbox(hy_node *node, uint64_t times) {
    (void)node;
    char text[32];
    double start = bench_now();
    for (uint64_t i = 0; i < times; i += TWIN_BUNCH) {
        twin_channel *mailbox = twin_channel_new(TWIN_ROOM);
        for (uint32_t number = 0; number < TWIN_BUNCH; number++) {
            snprintf(text, sizeof text, "msg_%u", number);
            twin_envelope envelope = twin_envelope_of(number, text);
            twin_send(mailbox, &envelope);
        }
        twin_keep(mailbox);
        twin_channel_free(mailbox);
    }
    return (bench_now() - start) * 1e9;
}

static double twin_broadcast(hy_node *node, uint64_t times) {
    (void)node;
    double start = bench_now();
    for (uint64_t i = 0; i < times; i += TWIN_SUBSCRIBERS) {
        twin_hub *hub = twin_hub_new();
        for (uint32_t k = 0; k < TWIN_SUBSCRIBERS; k++)
            twin_subscribe(hub);
        twin_envelope envelope = twin_envelope_of(1, "broadcast");
        twin_publish(hub, &envelope);
        for (uint32_t k = 0; k < TWIN_SUBSCRIBERS; k++)
            twin_take(hub->subscribers[k]);
        twin_hub_free(hub);
    }
    return (bench_now() - start) * 1e9;
}

// ---- supervising ------------------------------------------------------------------------------

typedef struct twin_entry {
    twin_id id;
    void *value;
    bool is_there;
} twin_entry;

typedef struct twin_map {
    twin_entry *entries; // four at first, as its maps have
} twin_map;

typedef struct twin_child {
    char *name;
    uint32_t number, state, restarts;
    struct timespec started_at;
    hy_err (*start)(struct twin_child *child);
} twin_child;

static void twin_insert(twin_map *map, twin_id id, void *value) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < sizeof id.bytes; i++)
        hash = (hash ^ id.bytes[i]) * 0x100000001b3u;
    map->entries = twin_alloc(4 * sizeof *map->entries);
    memset(map->entries, 0, 4 * sizeof *map->entries);
    map->entries[hash & 3] = (twin_entry){ id, value, true };
}

static char *twin_id_text(twin_id id) {
    hy_id as;
    _Static_assert(sizeof as == sizeof id, "both are 128 bits");
    memcpy(&as, &id, sizeof as);
    char *text = twin_alloc(HY_ID_TEXT_LEN + 1);
    hy_id_format(as, text);
    return text;
}

static hy_err twin_child_start(twin_child *child) {
    child->state = 1;
    return HY_OK;
}

// The event is built before anybody is asked whether it is wanted.
static void twin_event(twin_id supervisor, twin_id child) {
    struct timespec at;
    char *texts[2] = { twin_id_text(supervisor), twin_id_text(child) };
    clock_gettime(CLOCK_REALTIME, &at);
    twin_keep(texts);
    twin_keep(&at);
    free(texts[0]);
    free(texts[1]);
}

static double twin_supervised_spawn(hy_node *node, uint64_t times) {
    (void)node;
    hy_err (*volatile start_child)(twin_child *) = twin_child_start;
    double start = bench_now();
    for (uint64_t i = 0; i < times; i++) {
        twin_id supervisor = twin_id_new(), id = twin_id_new();
        twin_map children = { 0 }, order = { 0 }, backoff = { 0 };
        twin_child *child = twin_alloc(sizeof *child);
        struct timespec until;
        *child = (twin_child){ .name = strdup("bench-child"), .number = 1, .start = start_child };
        clock_gettime(CLOCK_MONOTONIC, &until);
        bench_must(child->start(child), "a child's start");
        clock_gettime(CLOCK_REALTIME, &child->started_at);
        twin_event(supervisor, id);
        twin_insert(&children, id, child);
        twin_insert(&order, id, child);
        twin_keep(&until);
        twin_keep(&backoff);
        free(child->name);
        free(child);
        free(children.entries);
        free(order.entries);
    }
    return (bench_now() - start) * 1e9;
}

static const actor_row twin_rows[] = {
    { "twin_spawn", "ns", twin_spawn, 500000, ACTOR_ROW_ALONE, false },
    { "twin_process", "ns", twin_process, 10000000, ACTOR_ROW_ALONE, false },
    { "twin_roundtrip", "ns", twin_roundtrip, 500000, ACTOR_ROW_ALONE, false },
    { "twin_throughput", "ns", twin_throughput, 2000000, ACTOR_ROW_ALONE, false },
    { "twin_mailbox", "ns", twin_mailbox, 2000000, ACTOR_ROW_ALONE, false },
    { "twin_broadcast", "ns", twin_broadcast, 1000000, ACTOR_ROW_ALONE, false },
    { "twin_supervised_spawn", "ns", twin_supervised_spawn, 300000, ACTOR_ROW_ALONE, false },
};

actor_rows actor_twin_rows(void) {
    return ACTOR_ROWS(twin_rows);
}
