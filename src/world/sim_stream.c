// sim_stream.c - connections as pairs of byte pipes.
//
// Bytes that one end writes wait in the `in` of the other and are delivered later, in order, in
// pieces of any size: several writes at once, or one write in many pieces. At most one delivery per
// end is on its way, so the order cannot break.
//
// A byte has "left" when `drained` was told; up to there a close may lose it, as a program that
// does not wait for `drained` loses what its socket had not taken. More than a window of
// undelivered bytes never count as left: a reader that does not read holds up the writer. A close
// with unread bytes reaches the peer as a reset, by chance, as in TCP.
//
// A record is freed when `closed` was called and no event of the heap points at it (`out`). Each
// stream has promised itself the places in the heap that it can ever use.
#include "world/sim.h"
#include "base/why.h"

#include <string.h>

#define STREAM_WINDOW ((size_t)256 << 10)
#define STREAM_PLACES 4u // delivery, drained, closed, and connect or accept

typedef struct hyi_sim_stream {
    hy_stream base;
    struct hyi_sim_stream *next, **link; // all streams of the world
    uint64_t number;
    struct hyi_sim_stream *peer; // NULL: not connected, or no more
    const hy_stream_events *events;
    void *self;
    hyi_connected connected;
    void *connected_self;
    uint16_t port;    // where a connect goes to
    hy_buf in;        // on the way to this end
    size_t in_at;     // delivered of it
    size_t unsent;    // bytes at the end of the peer's `in` that a close may lose
    uint32_t out;     // events of the heap that point here
    bool given;       // to the program
    bool in_end;      // nothing follows `in`
    bool in_reset;    // the connection broke
    bool end_told;    // either of them was told
    bool delivering;  // an event is out
    bool draining;    // an event is out, or waits for the window
    bool drain_waits; // for the window
    bool cancelled;   // hy_connect_cancel
    bool paused;
    bool closing; // hy_stream_close was called
    bool gone;    // `closed` was called
    bool dead;    // a restart came in between
} hyi_sim_stream;

typedef struct hyi_sim_listener {
    hy_listener base;
    struct hyi_sim_listener *next, **link;
    uint16_t port;
    bool dead;
    hyi_accepted accepted;
    void *self;
} hyi_sim_listener;

static hyi_sim *stream_sim(const hyi_sim_stream *stream) {
    return hyi_sim_of(stream->base.world);
}

// ---- records ------------------------------------------------------------------------------------

static hyi_sim_stream *stream_new(hyi_sim *sim) {
    hyi_sim_stream *stream = (hyi_sim_stream *)hy_mem_alloc_zero(sim->base.mem, sizeof *stream);
    if (!stream) return NULL;
    if (hyi_sim_promise(sim, STREAM_PLACES) != HY_OK) {
        hy_mem_free(sim->base.mem, stream, sizeof *stream);
        return NULL;
    }
    stream->base.world = &sim->base;
    stream->number = ++sim->net.next_number;
    hy_buf_init(&stream->in, sim->base.mem, 0);
    stream->next = sim->net.streams;
    stream->link = &sim->net.streams;
    if (stream->next) stream->next->link = &stream->next;
    sim->net.streams = stream;
    return stream;
}

static void stream_free(hyi_sim_stream *stream) {
    hyi_sim *sim = stream_sim(stream);
    HY_ASSERT(stream->out == 0);
    hyi_sim_unpromise(sim, STREAM_PLACES);
    *stream->link = stream->next;
    if (stream->next) stream->next->link = stream->link;
    hy_buf_deinit(&stream->in);
    hy_mem_free(sim->base.mem, stream, sizeof *stream);
}

static void stream_after(hyi_sim_stream *stream, void (*fire)(hyi_sim *sim, void *self)) {
    hyi_sim *sim = stream_sim(stream);
    stream->out++;
    hyi_sim_after(sim, hyi_sim_delay(sim, HYI_DICE_STREAM), fire, stream);
}

// An event that pointed at the stream has come. False: it was the last thing that kept the record.
static bool stream_arrived(hyi_sim_stream *stream) {
    HY_ASSERT(stream->out > 0);
    stream->out--;
    if (!stream->gone) return true;
    if (stream->out == 0) stream_free(stream);
    return false;
}

// ---- bytes --------------------------------------------------------------------------------------

static size_t stream_waiting(const hyi_sim_stream *stream) {
    return stream->in.len - stream->in_at;
}

static void stream_fire_delivery(hyi_sim *sim, void *self);
static void stream_fire_drained(hyi_sim *sim, void *self);

static void stream_deliver_soon(hyi_sim_stream *stream) {
    bool something = stream_waiting(stream) > 0 || stream->in_end || stream->in_reset;
    if (stream->delivering || stream->closing || stream->end_told) return;
    if (!stream->events || stream->paused || !something) return;
    stream->delivering = true;
    stream_after(stream, stream_fire_delivery);
}

// The bytes are copied out first: `read` may make the other end write, which moves `in`.
static void stream_give(hyi_sim *sim, hyi_sim_stream *stream) {
    size_t len = stream_waiting(stream);
    if (len > HYI_SIM_READ_BUFFER) len = HYI_SIM_READ_BUFFER;
    if (hyi_sim_below(sim, HYI_DICE_STREAM, 2) == 0) {
        len = 1 + (size_t)hyi_sim_below(sim, HYI_DICE_STREAM, len);
    }
    memcpy(sim->read_buffer, stream->in.ptr + stream->in_at, len);
    stream->in_at += len;
    if (stream->in_at == stream->in.len) {
        hy_buf_clear(&stream->in);
        stream->in_at = 0;
    }
    hyi_sim_stream *peer = stream->peer;
    if (peer && peer->unsent > stream_waiting(stream)) peer->unsent = stream_waiting(stream);
    if (peer && peer->drain_waits && stream_waiting(stream) <= STREAM_WINDOW) {
        peer->drain_waits = false;
        stream_after(peer, stream_fire_drained);
    }
    hyi_sim_note(sim, "stream read", stream->number, len);
    hy_bytes bytes = { sim->read_buffer, len };
    stream->events->read(stream->self, &stream->base, HY_OK, bytes);
}

static void stream_fire_delivery(hyi_sim *sim, void *self) {
    hyi_sim_stream *stream = (hyi_sim_stream *)self;
    stream->delivering = false;
    if (!stream_arrived(stream) || stream->closing || stream->paused) return;
    if (stream_waiting(stream) > 0 && !stream->in_reset) {
        stream_give(sim, stream);
        stream_deliver_soon(stream);
        return;
    }
    stream->end_told = true;
    hy_err err = stream->in_reset ? HY_CLOSED : HY_OK;
    hyi_sim_note(sim, "stream end", stream->number, err);
    stream->events->read(stream->self, &stream->base, err, (hy_bytes){ 0 });
}

static void stream_fire_drained(hyi_sim *sim, void *self) {
    hyi_sim_stream *stream = (hyi_sim_stream *)self;
    if (!stream_arrived(stream) || stream->closing) return;
    stream->drain_waits = stream->peer && stream_waiting(stream->peer) > STREAM_WINDOW;
    if (stream->drain_waits) return;
    stream->draining = false;
    stream->unsent = 0;
    hyi_sim_note(sim, "stream drained", stream->number, 0);
    if (stream->in_reset || !stream->events || !stream->events->drained) return;
    stream->events->drained(stream->self, &stream->base);
}

void hyi_sim_stream_start(hy_stream *base, const hy_stream_events *events, void *self) {
    hyi_sim_stream *stream = (hyi_sim_stream *)base;
    HY_ASSERT(!stream->closing);
    HY_ASSERT(!stream->events);
    stream->events = events;
    stream->self = self;
    stream_deliver_soon(stream);
}

void hyi_sim_stream_pause(hy_stream *base, bool paused) {
    hyi_sim_stream *stream = (hyi_sim_stream *)base;
    HY_ASSERT(stream->events); // started
    stream->paused = paused;
    stream_deliver_soon(stream);
}

bool hyi_sim_stream_has_drained(const hy_stream *base) {
    return !((const hyi_sim_stream *)base)->draining;
}

hy_err hyi_sim_stream_write(hy_stream *base, hy_bytes bytes) {
    hyi_sim_stream *stream = (hyi_sim_stream *)base;
    hyi_sim *sim = stream_sim(stream);
    if (stream->closing || stream->dead || stream->in_reset) return HY_CLOSED;
    if (bytes.len == 0) return HY_OK;
    hyi_sim_stream *peer = stream->peer;
    if (!peer) {
        // The peer has closed. TCP learns that from the answer to the next packet, or knows
        // already.
        bool known = hyi_sim_below(sim, HYI_DICE_STREAM, 2) == 0;
        stream->in_reset = true;
        stream_deliver_soon(stream);
        return known ? HY_CLOSED : HY_OK;
    }
    if (bytes.len > HYI_STREAM_QUEUE_MAX - stream_waiting(peer)) return HY_LIMIT;
    if (!hy_buf_reserve(&peer->in, bytes.len)) {
        peer->in.failed = HY_OK; // nothing was added; the next write may have more luck
        return HY_NOMEM;
    }
    hy_buf_add(&peer->in, bytes.ptr, bytes.len);
    stream->unsent += bytes.len;
    hyi_sim_note(sim, "stream write", stream->number, bytes.len);
    hyi_sim_note_bytes(sim, bytes);
    stream_deliver_soon(peer);
    if (!stream->draining) {
        stream->draining = true;
        stream_after(stream, stream_fire_drained);
    }
    return HY_OK;
}

// ---- closing ------------------------------------------------------------------------------------

static void stream_fire_closed(hyi_sim *sim, void *self) {
    hyi_sim_stream *stream = (hyi_sim_stream *)self;
    sim->net.closing--;
    hyi_sim_note(sim, "stream closed", stream->number, 0);
    if (stream->events && stream->events->closed) {
        stream->events->closed(stream->self, &stream->base);
    }
    stream->gone = true;
    stream_arrived(stream);
}

// Takes leave of the peer: some of what has not left is lost, the rest arrives, then the end.
static void stream_part(hyi_sim_stream *stream) {
    hyi_sim *sim = stream_sim(stream);
    hyi_sim_stream *peer = stream->peer;
    if (!peer) return;
    if (stream->unsent > 0) {
        peer->in.len -= (size_t)hyi_sim_below(sim, HYI_DICE_STREAM, stream->unsent + 1);
    }
    bool unread = stream_waiting(stream) > 0;
    bool reset = unread && hyi_sim_below(sim, HYI_DICE_STREAM, 2) == 0;
    peer->in_reset = peer->in_reset || reset;
    peer->in_end = true;
    peer->peer = stream->peer = NULL;
    stream_deliver_soon(peer);
}

void hyi_sim_stream_close(hy_stream *base) {
    hyi_sim_stream *stream = (hyi_sim_stream *)base;
    HY_ASSERT(!stream->closing); // once
    stream_part(stream);
    stream->closing = true;
    stream_sim(stream)->net.closing++;
    hyi_sim_note(stream_sim(stream), "stream close", stream->number, 0);
    stream_after(stream, stream_fire_closed);
}

// ---- listening and connecting -------------------------------------------------------------------

static hyi_sim_listener *listener_at(hyi_sim *sim, uint16_t port) {
    hyi_sim_listener *listener = sim->net.listeners;
    while (listener && (listener->dead || listener->port != port))
        listener = listener->next;
    return listener;
}

static uint16_t listener_free_port(hyi_sim *sim) {
    for (uint32_t tries = 0; tries < 16384; tries++) {
        uint16_t port = sim->net.next_port;
        sim->net.next_port = port == 65535 ? 49152 : (uint16_t)(port + 1);
        if (!listener_at(sim, port)) return port;
    }
    return 0;
}

hy_err hyi_sim_listen(hy_world *world, const hyi_listen_args *args, hy_listener **out_listener,
                      hy_why *why) {
    hyi_sim *sim = hyi_sim_of(world);
    uint16_t port = args->port ? args->port : listener_free_port(sim);
    if (port == 0 || listener_at(sim, port)) return hyi_port_in_use(why, args->host, args->port);
    hyi_sim_listener *listener =
        (hyi_sim_listener *)hy_mem_alloc_zero(world->mem, sizeof *listener);
    if (!listener) return hy_why_set(why, HY_NOMEM, args->host, hy_err_text(HY_NOMEM));
    listener->base.world = world;
    listener->port = port;
    listener->accepted = args->accepted;
    listener->self = args->self;
    listener->next = sim->net.listeners;
    listener->link = &sim->net.listeners;
    if (listener->next) listener->next->link = &listener->next;
    sim->net.listeners = listener;
    hyi_sim_note(sim, "listen", port, 0);
    *out_listener = &listener->base;
    return HY_OK;
}

uint16_t hyi_sim_listener_port(const hy_listener *listener) {
    return ((const hyi_sim_listener *)listener)->port;
}

void hyi_sim_listener_close(hy_listener *base) {
    hyi_sim_listener *listener = (hyi_sim_listener *)base;
    *listener->link = listener->next;
    if (listener->next) listener->next->link = listener->link;
    hy_mem_free(base->world->mem, listener, sizeof *listener);
}

// The server's end of a connection, before and when the program sees it.
static void stream_fire_accept(hyi_sim *sim, void *self) {
    hyi_sim_stream *stream = (hyi_sim_stream *)self;
    stream_arrived(stream);
    hyi_sim_listener *listener = listener_at(sim, stream->port);
    if (!listener) { // closed meanwhile: the client is cut off
        if (stream->peer) stream->peer->in_reset = true;
        stream_part(stream);
        stream_free(stream);
        return;
    }
    stream->given = true;
    hyi_sim_note(sim, "accept", stream->number, stream->port);
    listener->accepted(listener->self, &stream->base);
}

static void stream_fire_connect(hyi_sim *sim, void *self) {
    hyi_sim_stream *stream = (hyi_sim_stream *)self;
    stream_arrived(stream);
    hyi_connected connected = stream->connected;
    void *connected_self = stream->connected_self;
    hyi_sim_stream *server = stream->peer;
    hy_err err = stream->cancelled                ? HY_CANCELLED
                 : listener_at(sim, stream->port) ? HY_OK
                                                  : HY_NOT_FOUND;
    if (err != HY_OK) {
        hyi_sim_note(sim, "connect refused", stream->number, stream->port);
        stream_free(server);
        stream_free(stream);
        connected(connected_self, err, NULL);
        return;
    }
    stream->given = true;
    hyi_sim_note(sim, "connected", stream->number, stream->port);
    stream_after(server, stream_fire_accept);
    connected(connected_self, HY_OK, &stream->base);
}

void hyi_sim_connect_cancel(hy_world *world, void *self) {
    hyi_sim_stream *stream = hyi_sim_of(world)->net.streams;
    for (; stream; stream = stream->next) {
        bool under_way = stream->connected && !stream->given && !stream->dead;
        if (!under_way || stream->connected_self != self || stream->cancelled) continue;
        stream->cancelled = true;
        return;
    }
}

// Both ends are made here, so that only this call can run out of memory.
hy_err hyi_sim_connect(hy_world *world, const hyi_connect_args *args, hy_why *why) {
    hyi_sim *sim = hyi_sim_of(world);
    hyi_sim_stream *client = stream_new(sim);
    hyi_sim_stream *server = client ? stream_new(sim) : NULL;
    if (!server) {
        if (client) stream_free(client);
        return hy_why_set(why, HY_NOMEM, args->host, hy_err_text(HY_NOMEM));
    }
    client->peer = server;
    server->peer = client;
    client->port = server->port = args->port;
    client->connected = args->connected;
    client->connected_self = args->self;
    hyi_sim_note(sim, "connect", client->number, args->port);
    stream_after(client, stream_fire_connect);
    return HY_OK;
}

// ---- restart and end ----------------------------------------------------------------------------

// Streams that the program holds stay, dead, until it closes them; the others are freed here. The
// heap is empty already.
void hyi_sim_net_restart(hyi_sim *sim) {
    sim->net.closing = 0;
    for (hyi_sim_stream *stream = sim->net.streams, *next; stream; stream = next) {
        next = stream->next;
        stream->out = 0;
        stream->peer = NULL;
        stream->dead = true;
        stream->delivering = stream->draining = false;
        if (stream->closing || !stream->given) stream_free(stream);
    }
    for (hyi_sim_listener *listener = sim->net.listeners; listener; listener = listener->next)
        listener->dead = true;
}

void hyi_sim_net_free(hyi_sim *sim) {
    while (sim->net.streams) {
        hyi_sim_stream *stream = sim->net.streams;
        HY_ASSERT(stream->dead || stream->closing || !stream->given || sim->disk.crashed);
        stream->out = 0;
        stream_free(stream);
    }
    while (sim->net.listeners) {
        hyi_sim_listener *listener = sim->net.listeners;
        HY_ASSERT(listener->dead || sim->disk.crashed);
        hyi_sim_listener_close(&listener->base);
    }
}
