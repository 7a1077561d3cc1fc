// conn.c - byte streams in blocking style.
//
// The world pushes bytes; a fiber takes them when it likes. What nobody has taken waits in a
// buffer, and once that holds more than it should, the stream is paused until most of it has been
// read: so a slow reader holds up the other side and not this one's memory. A fiber that is waiting
// gets its bytes copied straight to where it wants them.
//
// Writing is done when everything has left: then a close loses nothing. Usually the socket takes it
// all at once, and the fiber does not wait. Writers take turns, so that what one writes is never
// torn by another. A writer that is cancelled between two pieces has torn it itself: nothing may be
// written behind half a message, so the connection takes no more.
//
//     connecting --> open --> closing (waits for the stream's `closed`) --> freed
//
// The record is freed by the fiber that closes it. Fibers that are in a call (`users`) are woken
// first, and have left before. If its scope ends meanwhile, the end waits for that fiber.
#include "scope/conn.h"
#include "scope/guest.h"

#include <string.h>

#define CONN_UNREAD_MAX ((size_t)256 << 10) // what hypha/scope.h promises
#define CONN_ARRIVAL_MAX ((size_t)64 << 10) // what one call of `read` may bring
#define CONN_PAUSE_AT (CONN_UNREAD_MAX - CONN_ARRIVAL_MAX)
#define CONN_RESUME_AT ((size_t)32 << 10)
#define CONN_KEEP_BYTES ((size_t)16 << 10) // of an empty buffer
#define CONN_PIECE_BYTES ((size_t)256 << 10)

typedef struct conn_wait {
    hyi_wait wait;
    hyi_link link; // of a writer that waits for its turn
    hy_conn *conn;
    uint8_t *target; // of a reader
    size_t len, got;
} conn_wait;

struct hy_conn {
    hy_scope *scope;
    hy_stream *stream; // NULL: not connected yet
    hyi_owned owned;
    hy_buf in;
    size_t in_at;       // read of it
    conn_wait *reader;  // waits for bytes
    conn_wait *drainer; // the writer whose turn it is waits until all has left
    hyi_list writers;   // wait for their turn
    conn_wait *opener;  // waits for the connect
    conn_wait *closer;  // waits for `closed`, and for the users to leave
    conn_wait *ender;   // of the scope: waits for the closer
    uint32_t users;     // fibers inside of read and write
    hy_err connect_err;
    hy_err err;     // that the stream told; behind what is unread
    bool connected; // the connect has been answered
    bool ended;     // the other end has sent all it will
    bool paused;    // the stream
    bool writing;   // it is some writer's turn
    bool torn;      // half a message was written
    bool closed;    // the stream has gone
};

// ---- waiting ------------------------------------------------------------------------------------

static void conn_unhook(hyi_wait *wait) {
    conn_wait *it = HYI_HOLDER(conn_wait, wait, wait);
    hy_conn *conn = it->conn;
    hyi_list_remove(&it->link);
    if (conn->reader == it) conn->reader = NULL;
    if (conn->drainer == it) conn->drainer = NULL;
    if (conn->opener == it) conn->opener = NULL;
}

static void conn_wait_init(conn_wait *it, hy_conn *conn, const char *what) {
    *it = (conn_wait){ .wait = { .unhook = conn_unhook, .what = what, .deadline = HY_NEVER },
                       .conn = conn };
    hyi_list_init(&it->link);
}

static void conn_wake(conn_wait *it, hy_err err) {
    if (!it) return;
    conn_unhook(&it->wait);
    hyi_wake(it->wait.task, err);
}

// ---- reading ------------------------------------------------------------------------------------

static size_t conn_unread(const hy_conn *conn) {
    return conn->in.len - conn->in_at;
}

static void conn_keep(hy_conn *conn, hy_bytes bytes) {
    if (bytes.len == 0) return;
    if (conn->in_at > 0) { // the front is free: so the buffer never grows past what is unread
        memmove(conn->in.ptr, conn->in.ptr + conn->in_at, conn_unread(conn));
        conn->in.len -= conn->in_at;
        conn->in_at = 0;
    }
    hy_buf_add(&conn->in, bytes.ptr, bytes.len);
    if (conn->in.failed != HY_OK && conn->err == HY_OK) conn->err = conn->in.failed;
    bool full = conn_unread(conn) > CONN_PAUSE_AT || conn->err != HY_OK;
    if (!full || conn->paused) return;
    conn->paused = true;
    hy_stream_pause(conn->stream, true);
}

// A waiting reader takes what it can hold; returns what is left.
static hy_bytes conn_hand_over(hy_conn *conn, hy_bytes bytes) {
    conn_wait *reader = conn->reader;
    if (!reader) return bytes;
    reader->got = bytes.len < reader->len ? bytes.len : reader->len;
    memcpy(reader->target, bytes.ptr, reader->got);
    hy_bytes rest = { bytes.ptr + reader->got, bytes.len - reader->got };
    conn_wake(reader, HY_OK);
    return rest;
}

static void conn_on_read(void *self, hy_stream *stream, hy_err err, hy_bytes bytes) {
    hy_conn *conn = (hy_conn *)self;
    (void)stream;
    if (conn->closer) return;
    if (err != HY_OK) {
        if (conn->err == HY_OK) conn->err = err;
        conn_wake(conn->reader, err);
        conn_wake(conn->drainer, err);
    } else if (bytes.len == 0) {
        conn->ended = true;
        conn_wake(conn->reader, HY_OK);
    } else {
        conn_keep(conn, conn_hand_over(conn, bytes));
    }
}

// What is there already, or why there will be nothing. HY_BUSY: it has to be waited for.
static hy_err conn_take(hy_conn *conn, void *ptr, size_t len, size_t *out_len) {
    size_t unread = conn_unread(conn);
    if (unread == 0 && conn->err != HY_OK) return conn->err;
    if (unread == 0 && !conn->ended) return HY_BUSY;
    size_t got = unread < len ? unread : len;
    if (got > 0) memcpy(ptr, conn->in.ptr + conn->in_at, got);
    conn->in_at += got;
    *out_len = got;
    if (conn_unread(conn) == 0 && conn->in.failed == HY_OK) {
        conn->in_at = 0;
        hy_buf_clear(&conn->in);
        if (conn->in.capacity > CONN_KEEP_BYTES) hy_buf_deinit(&conn->in);
    }
    if (conn->paused && conn->err == HY_OK && conn_unread(conn) <= CONN_RESUME_AT) {
        conn->paused = false;
        hy_stream_pause(conn->stream, false);
    }
    return HY_OK;
}

static hy_err conn_enter(hy_conn *conn) {
    HY_ASSERT(hyi_current);
    hy_err err = hyi_cancel_reason(hyi_current);
    if (err != HY_OK) return err;
    if (conn->closer) return HY_CLOSED;
    conn->users++;
    return HY_OK;
}

static void conn_wake_closer(hy_conn *conn) {
    if (conn->closed && conn->users == 0) hyi_wake(conn->closer->wait.task, HY_OK);
}

static hy_err conn_leave(hy_conn *conn, hy_err err) {
    conn->users--;
    if (conn->closer) conn_wake_closer(conn);
    return err;
}

static hy_err conn_await_bytes(hy_conn *conn, void *ptr, size_t len, size_t *out_len) {
    conn_wait wait;
    conn_wait_init(&wait, conn, "bytes");
    wait.target = (uint8_t *)ptr;
    wait.len = len;
    conn->reader = &wait;
    hy_err err = hyi_park(&wait.wait);
    if (err == HY_OK) *out_len = wait.got;
    return err;
}

hy_err hy_conn_read(hy_conn *conn, void *ptr, size_t len, size_t *out_len) {
    HY_ASSERT(len > 0);
    hy_err err = conn_enter(conn);
    if (err != HY_OK) return err;
    if (conn->reader) return conn_leave(conn, HY_BUSY);
    err = conn_take(conn, ptr, len, out_len);
    if (err == HY_BUSY) err = conn_await_bytes(conn, ptr, len, out_len);
    return conn_leave(conn, err);
}

// ---- writing ------------------------------------------------------------------------------------

static void conn_on_drained(void *self, hy_stream *stream) {
    (void)stream;
    conn_wake(((hy_conn *)self)->drainer, HY_OK);
}

static hy_err conn_await_turn(hy_conn *conn) {
    if (!conn->writing) {
        conn->writing = true;
        return HY_OK;
    }
    conn_wait wait;
    conn_wait_init(&wait, conn, "turn to write");
    hyi_list_append(&conn->writers, &wait.link);
    return hyi_park(&wait.wait);
}

static void conn_pass_turn(hy_conn *conn) {
    hyi_link *next = hyi_list_first(&conn->writers);
    conn->writing = next != NULL;
    if (next) conn_wake(HYI_HOLDER(conn_wait, link, next), HY_OK);
}

static hy_err conn_await_drained(hy_conn *conn) {
    if (hy_stream_has_drained(conn->stream)) return HY_OK;
    conn_wait wait;
    conn_wait_init(&wait, conn, "room to write");
    conn->drainer = &wait;
    return hyi_park(&wait.wait);
}

static hy_err conn_write_piece(hy_conn *conn, hy_bytes piece) {
    if (conn->closer || conn->torn) return HY_CLOSED;
    if (conn->err != HY_OK) return conn->err;
    return hy_stream_write(conn->stream, piece);
}

static hy_err conn_write_pieces(hy_conn *conn, hy_bytes bytes) {
    size_t done = 0;
    hy_err err = HY_OK;
    while (done < bytes.len && err == HY_OK) {
        size_t len = bytes.len - done;
        if (len > CONN_PIECE_BYTES) len = CONN_PIECE_BYTES;
        err = conn_write_piece(conn, (hy_bytes){ bytes.ptr + done, len });
        if (err != HY_OK) break;
        done += len;
        err = conn_await_drained(conn);
    }
    if (done > 0 && done < bytes.len) conn->torn = true;
    return err;
}

hy_err hy_conn_write(hy_conn *conn, hy_bytes bytes) {
    hy_err err = conn_enter(conn);
    if (err != HY_OK) return err;
    err = conn_await_turn(conn);
    if (err != HY_OK) return conn_leave(conn, err);
    err = conn_write_pieces(conn, bytes);
    conn_pass_turn(conn);
    return conn_leave(conn, err);
}

// ---- closing ------------------------------------------------------------------------------------

static void conn_on_closed(void *self, hy_stream *stream) {
    hy_conn *conn = (hy_conn *)self;
    (void)stream;
    conn->closed = true;
    conn_wake_closer(conn);
}

// On a fiber. The wait is firm, and short: both come in this round of the loop or the next.
static void conn_close_stream(hy_conn *conn) {
    conn_wait wait;
    conn_wait_init(&wait, conn, "close");
    wait.wait.firm = true;
    conn->closer = &wait;
    conn_wake(conn->reader, HY_CLOSED);
    conn_wake(conn->drainer, HY_CLOSED);
    for (hyi_link *at; (at = hyi_list_first(&conn->writers)) != NULL;)
        conn_wake(HYI_HOLDER(conn_wait, link, at), HY_CLOSED);
    hy_stream_close(conn->stream);
    hy_err err = hyi_park(&wait.wait);
    HY_ASSERT(err == HY_OK && conn->closed && conn->users == 0);
}

static void conn_await_gone(hy_conn *conn) {
    conn_wait wait;
    conn_wait_init(&wait, conn, "close");
    wait.wait.firm = true;
    conn->ender = &wait;
    hy_err err = hyi_park(&wait.wait);
    HY_ASSERT(err == HY_OK);
}

static void conn_fini(void *object) {
    hy_conn *conn = (hy_conn *)object;
    if (conn->closer) {
        conn_await_gone(conn);
    } else {
        hy_conn_close(conn);
    }
}

void hy_conn_close(hy_conn *conn) {
    HY_ASSERT(hyi_current);   // closing waits
    if (conn->closer) return; // somebody is at it
    conn_close_stream(conn);
    hyi_disown(conn->scope, &conn->owned);
    conn_wait *ender = conn->ender;
    hyi_conn_free(conn);
    if (ender) hyi_wake(ender->wait.task, HY_OK);
}

// ---- beginning ----------------------------------------------------------------------------------

hy_conn *hyi_conn_new(hy_scope *scope) {
    hy_conn *conn = (hy_conn *)hy_mem_alloc_zero(scope->root->mem, sizeof *conn);
    if (!conn) return NULL;
    conn->scope = scope;
    hyi_list_init(&conn->writers);
    hy_buf_init(&conn->in, scope->root->mem, 0);
    return conn;
}

void hyi_conn_free(hy_conn *conn) {
    hy_scope *scope = conn->scope;
    hy_buf_deinit(&conn->in);
    hy_mem_free(scope->root->mem, conn, sizeof *conn);
    hyi_budget_give_descriptor(scope);
}

hy_err hyi_conn_begin(hy_conn *conn, hy_stream *stream) {
    static const hy_stream_events events = { .read = conn_on_read,
                                             .drained = conn_on_drained,
                                             .closed = conn_on_closed };
    conn->stream = stream;
    hy_stream_start(stream, &events, conn);
    hy_err err = hyi_own(conn->scope, &conn->owned, conn, conn_fini, 0);
    if (err != HY_OK) hy_conn_close(conn);
    return err;
}

// ---- connecting ---------------------------------------------------------------------------------

static void conn_on_connected(void *self, hy_err err, hy_stream *stream) {
    hy_conn *conn = (hy_conn *)self;
    conn->connected = true;
    conn->connect_err = err;
    conn->stream = stream;
    conn_wake(conn->opener, err);
}

// A fiber that is told something else gives the connect up, and waits for the answer all the same:
// it comes soon then, and the record must not go before.
static hy_err conn_await_connected(hy_conn *conn) {
    conn_wait wait;
    conn_wait_init(&wait, conn, "connect");
    conn->opener = &wait;
    hy_err err = hyi_park(&wait.wait);
    if (conn->connected) return err;
    hy_connect_cancel(conn->scope->root->world, conn);
    conn_wait firm;
    conn_wait_init(&firm, conn, "connect");
    firm.wait.firm = true;
    conn->opener = &firm;
    hy_err ignored = hyi_park(&firm.wait);
    (void)ignored;
    HY_ASSERT(conn->connected);
    return err;
}

static hy_err conn_connect(hy_conn *conn, const char *host, uint16_t port, hy_why *why) {
    hy_world *world = conn->scope->root->world;
    hy_err err = hy_connect(world, host, port, conn_on_connected, conn, why);
    if (err != HY_OK) return err;
    err = conn_await_connected(conn);
    if (err == HY_OK) return HY_OK;
    if (conn->stream) hy_stream_close(conn->stream); // it came too late; nobody has started it
    if (conn->connect_err == err) return hy_why_set(why, err, host, hy_err_text(err));
    return err;
}

static hy_err conn_open(hy_scope *scope, const char *host, uint16_t port, hy_conn **out_conn,
                        hy_why *why) {
    hy_err err = hyi_budget_take_descriptor(scope, true);
    if (err != HY_OK) return err;
    hy_conn *conn = hyi_conn_new(scope);
    if (!conn) {
        hyi_budget_give_descriptor(scope);
        return hy_why_set(why, HY_NOMEM, host, hy_err_text(HY_NOMEM));
    }
    err = conn_connect(conn, host, port, why);
    if (err != HY_OK) {
        hyi_conn_free(conn);
        return err;
    }
    err = hyi_conn_begin(conn, conn->stream);
    if (err == HY_OK) *out_conn = conn;
    return err;
}

hy_err hy_conn_open(hy_scope *scope, const char *host, uint16_t port, hy_conn **out_conn,
                    hy_why *why) {
    HY_ASSERT(hyi_current);
    if (!scope) scope = hyi_current->scope;
    hyi_guest guest;
    hy_err err = hyi_scope_refuses(scope);
    if (err == HY_OK) err = hyi_guest_enter(&guest, scope);
    if (err != HY_OK) return err;
    err = conn_open(scope, host, port, out_conn, why);
    hyi_guest_leave(&guest, scope);
    return err;
}
