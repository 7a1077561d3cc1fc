// port.c - connections that come in, one by one.
//
// The world hands over each connection as it comes; they wait here until a fiber accepts them, a
// bounded number of them, beyond which they are refused at once: a queue that nobody works on only
// makes clients wait for nothing. A connection is counted against descriptors_max when it is
// accepted. A fiber that waits for that count holds no connection, so the others may take it.
//
// A port that is closed goes when the last fiber has left hy_accept.
#include "scope/conn.h"
#include "scope/guest.h"

#define PORT_WAITING_MAX 128u

typedef struct port_wait {
    hyi_wait wait;
    hyi_link link;
} port_wait;

struct hy_port {
    hy_root *root;
    hy_scope *scope;
    hy_listener *listener; // NULL: closed
    uint32_t users;        // fibers in hy_accept
    hyi_owned owned;
    hyi_list accepting; // port_wait, in order of arrival
    uint32_t first, count;
    hy_stream *streams[PORT_WAITING_MAX]; // a ring: come, and not accepted yet
};

static void port_free(hy_port *port);

// ---- accepting ----------------------------------------------------------------------------------

static void port_unhook(hyi_wait *wait) {
    hyi_list_remove(&HYI_HOLDER(port_wait, wait, wait)->link);
}

static void port_wake_one(hy_port *port) {
    hyi_link *at = hyi_list_first(&port->accepting);
    if (!at) return;
    hyi_list_remove(at);
    hyi_wake(HYI_HOLDER(port_wait, link, at)->wait.task, HY_OK);
}

static void port_on_accepted(void *self, hy_stream *stream) {
    hy_port *port = (hy_port *)self;
    if (port->count == PORT_WAITING_MAX) {
        hy_stream_close(stream);
        return;
    }
    port->streams[(port->first + port->count) % PORT_WAITING_MAX] = stream;
    port->count++;
    port_wake_one(port);
}

static hy_stream *port_take(hy_port *port) {
    hy_stream *stream = port->streams[port->first];
    port->first = (port->first + 1) % PORT_WAITING_MAX;
    port->count--;
    return stream;
}

// Not while the fiber is cancelled or told to take nothing more in, even when somebody has come.
static hy_err port_may_accept(const hy_port *port, const hyi_guest *guest) {
    hy_err err = hyi_cancel_reason(hyi_current);
    if (err != HY_OK) return err;
    return hy_draining() || !port->listener || guest->told ? HY_CLOSED : HY_OK;
}

static hy_err port_await(hy_port *port) {
    port_wait wait = {
        .wait = { .unhook = port_unhook, .what = "connection", .deadline = HY_NEVER },
    };
    wait.wait.intake = true;
    hyi_list_append(&port->accepting, &wait.link);
    return hyi_park(&wait.wait);
}

// HY_OK: a descriptor is counted, and somebody has come.
static hy_err port_await_both(hy_port *port, hy_scope *scope, const hyi_guest *guest) {
    for (;;) {
        hy_err err = port_may_accept(port, guest);
        if (err == HY_OK && port->count == 0) err = port_await(port);
        if (err == HY_OK) err = port_may_accept(port, guest);
        if (err == HY_OK) err = hyi_budget_take_descriptor(scope, true);
        if (err != HY_OK) return err;
        if (port->count > 0) return HY_OK;
        hyi_budget_give_descriptor(scope);
    }
}

static hy_err port_accept(hy_port *port, hy_scope *scope, const hyi_guest *guest,
                          hy_conn **out_conn) {
    hy_err err = port_await_both(port, scope, guest);
    if (err != HY_OK) return err;
    hy_conn *conn = hyi_conn_new(scope);
    if (!conn) {
        hyi_budget_give_descriptor(scope);
        return HY_NOMEM;
    }
    err = hyi_conn_begin(conn, port_take(port));
    if (err == HY_OK) *out_conn = conn;
    return err;
}

hy_err hy_accept(hy_port *port, hy_scope *scope, hy_conn **out_conn) {
    HY_ASSERT(hyi_current);
    if (!scope) scope = hyi_current->scope;
    hyi_guest guest;
    hy_err err = hyi_scope_refuses(scope);
    if (err == HY_OK) err = hyi_guest_enter(&guest, scope);
    if (err != HY_OK) return err;
    port->users++;
    err = port_accept(port, scope, &guest, out_conn);
    hyi_guest_leave(&guest, scope);
    // Who was woken and did not take what came wakes the next.
    if (err != HY_OK && port->count > 0) port_wake_one(port);
    if (--port->users == 0 && !port->listener) port_free(port);
    return err;
}

// ---- opening and closing ------------------------------------------------------------------------

static void port_free(hy_port *port) {
    hy_mem_free(port->root->mem, port, sizeof *port);
}

static void port_fini(void *object) {
    hy_port *port = (hy_port *)object;
    hy_listener_close(port->listener);
    port->listener = NULL;
    while (port->count > 0)
        hy_stream_close(port_take(port));
    for (hyi_link *at; (at = hyi_list_first(&port->accepting)) != NULL;) {
        hyi_list_remove(at);
        hyi_wake(HYI_HOLDER(port_wait, link, at)->wait.task, HY_CLOSED);
    }
    hyi_budget_give_descriptor(port->scope);
    if (port->users == 0) port_free(port);
}

static hy_err port_listen(hy_port *port, const char *host, uint16_t number, hy_why *why) {
    hy_world *world = port->scope->root->world;
    hy_err err = hy_listen(world, host, number, 0, port_on_accepted, port, &port->listener, why);
    if (err != HY_OK) return err;
    err = hyi_own(port->scope, &port->owned, port, port_fini, 0);
    if (err != HY_OK) hy_listener_close(port->listener);
    return err;
}

hy_err hy_port_open(hy_scope *scope, const char *host, uint16_t number, hy_port **out_port,
                    hy_why *why) {
    HY_ASSERT(scope || hyi_current);
    if (!scope) scope = hyi_current->scope;
    hy_err err = hyi_scope_refuses(scope);
    if (err == HY_OK) err = hyi_budget_take_descriptor(scope, false);
    if (err != HY_OK) return hy_why_set(why, err, host, hy_err_text(err));
    hy_port *port = (hy_port *)hy_mem_alloc_zero(scope->root->mem, sizeof *port);
    if (!port) {
        hyi_budget_give_descriptor(scope);
        return hy_why_set(why, HY_NOMEM, host, hy_err_text(HY_NOMEM));
    }
    port->root = scope->root;
    port->scope = scope;
    hyi_list_init(&port->accepting);
    err = port_listen(port, host, number, why);
    if (err != HY_OK) {
        hyi_budget_give_descriptor(scope);
        port_free(port);
        return err;
    }
    *out_port = port;
    return HY_OK;
}

uint16_t hy_port_number(const hy_port *port) {
    return hy_listener_port(port->listener);
}

void hy_port_close(hy_port *port) {
    hyi_disown(port->scope, &port->owned);
    port_fini(port);
}
