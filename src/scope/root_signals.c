// root_signals.c - SIGTERM, SIGINT, SIGQUIT, and the service manager.
//
// A library does not install signal handlers by being linked: only a root that was asked for them
// does, and it takes them away when it ends.
//
// SIGTERM and SIGINT say the same. The first one stops the root with its grace; the second one, of
// either kind, cancels what is left. SIGQUIT changes nothing: it prints the tree, to see what a
// program that hangs is waiting for.
//
// To the service manager (sd_notify(3)):
//     READY=1        at the body's first hy_ready. A program that is not ready when its body
//                    begins says so itself; nobody else can know.
//     STOPPING=1     as soon as the root drains, is cancelled, or its body has returned.
//     STATUS=        with it, and each second: how many fibers are left.
//     EXTEND_TIMEOUT_USEC=  with it, and each second in which something has ended. While a stop
//                    makes progress the manager waits; one that hangs is not extended, and meets
//                    the manager's own limit.
// Whether a message arrives changes nothing for the program, so errors are not looked at.
#include "scope/root_signals.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SIGNALS_PROGRESS_EVERY HY_SECONDS(1)
#define SIGNALS_EXTEND "EXTEND_TIMEOUT_USEC=5000000" // five times that: some may come late
#define SIGNALS_TREE_MAX ((size_t)1 << 20)

static void signals_on_stop(void *self) {
    struct hyi_root_signals *signals = (struct hyi_root_signals *)self;
    hy_scope *scope = signals->root->scope;
    if (signals->asked) {
        hy_scope_cancel(scope, HY_CANCELLED);
    } else {
        signals->asked = true;
        hy_scope_stop(scope, 0);
    }
}

// Only the real world has a standard error; a simulated one notes that it would have been printed.
static void signals_on_quit(void *self) {
    struct hyi_root_signals *signals = (struct hyi_root_signals *)self;
    hy_root *root = signals->root;
    HY_CLEANUP(hy_buf_deinit) hy_buf text = { 0 };
    hy_buf_init(&text, root->mem, SIGNALS_TREE_MAX);
    hy_scope_tree(root->scope, HY_TREE_TEXT, &text);
    hy_bytes left = hy_buf_bytes(&text);
    hy_world_note(root->world, "tree", 0, left.len);
    while (root->is_real && left.len > 0) {
        ssize_t wrote = write(STDERR_FILENO, left.ptr, left.len);
        if (wrote <= 0) return; // nobody reads it
        left = (hy_bytes){ left.ptr + wrote, left.len - (size_t)wrote };
    }
}

// ---- the service manager ----------------------------------------------------------------------

static void signals_notify(struct hyi_root_signals *signals, const char *text) {
    hy_err err = hy_world_notify(signals->root->world, text);
    (void)err;
}

static void signals_tell_progress(struct hyi_root_signals *signals, const char *first) {
    const hy_scope_stats *stats = &signals->root->stats;
    uint64_t ended = stats->ended + stats->finalizers_run;
    bool moved = *first || ended != signals->ended_before;
    signals->ended_before = ended;
    char text[160];
    (void)snprintf(text, sizeof text, "%sSTATUS=stopping, %u %s left%s%s", first,
                   (unsigned)stats->fibers, stats->fibers == 1 ? "fiber" : "fibers",
                   moved ? "\n" : "", moved ? SIGNALS_EXTEND : "");
    signals_notify(signals, text);
}

static void signals_arm(struct hyi_root_signals *signals) {
    hy_world *world = signals->root->world;
    hy_err err =
        hy_timer_at(world, &signals->progress, hy_world_now(world) + SIGNALS_PROGRESS_EVERY);
    (void)err; // without memory for a timer the manager's own limit holds
}

static void signals_on_progress(hy_timer *timer) {
    struct hyi_root_signals *signals = HYI_HOLDER(struct hyi_root_signals, progress, timer);
    signals_tell_progress(signals, "");
    signals_arm(signals);
}

void hyi_root_ready(hy_root *root) {
    struct hyi_root_signals *signals = root->signals;
    if (!signals->notifies || signals->is_ready || signals->is_stopping) return;
    signals->is_ready = true;
    signals_notify(signals, "READY=1");
}

void hyi_root_stopping(hy_root *root) {
    struct hyi_root_signals *signals = root->signals;
    if (!signals->notifies || signals->is_stopping) return;
    signals->is_stopping = true;
    signals_tell_progress(signals, "STOPPING=1\n");
    signals_arm(signals);
}

// ---- opening and closing ----------------------------------------------------------------------

hy_err hyi_root_signals_open(struct hyi_root_signals *signals, hy_root *root,
                             const hy_root_options *options) {
    *signals = (struct hyi_root_signals){
        .root = root,
        .notifies = options->notify,
        .progress.done = signals_on_progress,
    };
    root->signals = signals;
    if (!options->signals) return HY_OK;
    hy_world *world = root->world;
    hy_err err = hy_signal_open(world, SIGTERM, signals_on_stop, signals, &signals->terminate);
    if (err == HY_OK) {
        err = hy_signal_open(world, SIGINT, signals_on_stop, signals, &signals->interrupt);
    }
    if (err == HY_OK) {
        err = hy_signal_open(world, SIGQUIT, signals_on_quit, signals, &signals->quit);
    }
    if (err != HY_OK) hyi_root_signals_close(signals);
    return err;
}

void hyi_root_signals_close(struct hyi_root_signals *signals) {
    hy_timer_stop(signals->root->world, &signals->progress);
    if (signals->terminate) hy_signal_close(signals->terminate);
    if (signals->interrupt) hy_signal_close(signals->interrupt);
    if (signals->quit) hy_signal_close(signals->quit);
    signals->terminate = signals->interrupt = signals->quit = NULL;
}
