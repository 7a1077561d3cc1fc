// 03_service.c - a server that is told to stop, and stops well.
//
// An echo server as a service of the root scope. Three clients talk to it; then the program sends
// itself SIGTERM. Stopping has two phases: first the scope is draining, so the accepting loop ends
// while the conversation under way goes on; what is not done when the grace has passed is
// cancelled. Then the resources go, in reverse order.

#include <hypha/scope.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static hy_port *port;

static void report(void *object) {
    printf("%s\n", (const char *)object);
}

static hy_err talk(void *arg) {
    hy_conn *conn = arg;
    char line[64];
    size_t len = 0;
    hy_err err;
    while ((err = hy_conn_read(conn, line, sizeof line, &len)) == HY_OK && len > 0) {
        err = hy_conn_write(conn, (hy_bytes){ (const uint8_t *)line, len });
        if (err != HY_OK) break;
    }
    hy_conn_close(conn);
    return HY_OK;
}

static hy_err serve(void *unused) {
    (void)unused;
    hy_scope *scope = hy_scope_current();
    hy_err err = hy_own(scope, "server: its resources are released", report, 0);
    if (err == HY_OK) err = hy_port_open(scope, "127.0.0.1", 0, &port, NULL);
    if (err != HY_OK) return err;
    hy_ready(); // whoever started it goes on now
    for (;;) {
        hy_conn *conn = NULL;
        err = hy_accept(port, scope, &conn); // HY_CLOSED: draining
        if (err != HY_OK) break;
        err = hy_spawn(scope, talk, conn, NULL, NULL);
        if (err != HY_OK) hy_conn_close(conn);
    }
    printf("server: takes nobody new: %s\n", hy_err_name(err));
    return HY_OK;
}

static hy_err ask(hy_conn *conn, const char *text) {
    char answer[64];
    size_t len = 0;
    hy_err err = hy_conn_write(conn, hy_bytes_of(text));
    if (err == HY_OK) err = hy_conn_read(conn, answer, sizeof answer, &len);
    if (err == HY_OK) printf("client: %.*s\n", (int)len, answer);
    return err;
}

static hy_err client(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "client") {
        hy_conn *conn = NULL;
        err = hy_conn_open(scope, "127.0.0.1", hy_port_number(port), &conn, NULL);
        if (err == HY_OK) err = ask(conn, "one");
        if (err == HY_OK) err = ask(conn, "two");
        (void)raise(SIGTERM);
        while (err == HY_OK && !hy_draining())
            err = hy_sleep(HY_MS(1));
        if (err == HY_OK) err = ask(conn, "three, while it is stopping");
    }
    return err;
}

static hy_err app(void *unused) {
    (void)unused;
    hy_scope *root = hy_scope_current();
    hy_service_spec web = {
        .size = sizeof web, .name = "web", .fn = serve, .restart = HY_PERMANENT, .restarts_max = 5
    };
    hy_err err = hy_own(root, "root: its resources are released", report, 0);
    if (err == HY_OK) err = hy_start(root, &web, NULL); // returns when it is ready
    if (err == HY_OK) err = hy_spawn(root, client, NULL, NULL, NULL);
    if (err == HY_OK) err = hy_wait_draining();
    printf("root: stopping\n");
    return err == HY_CLOSED ? HY_OK : err;
}

int main(void) {
    hy_world *world = NULL;
    hy_err err = hy_world_open(NULL, &world);
    if (err == HY_OK) {
        err = hy_root_run(world, HY_OPTIONS(hy_root, .signals = true, .stop_max = HY_SECONDS(5)),
                          app, NULL);
    }
    hy_world_close(world);
    printf("end: %s\n", hy_err_name(err));
    return (int)err;
}
