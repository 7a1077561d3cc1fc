// root_signals.h - a root and the system around the process.        Room: scope. Includes: world.
// Threads: the world's.
#ifndef HYI_SCOPE_ROOT_SIGNALS_H
#define HYI_SCOPE_ROOT_SIGNALS_H

#include "scope/inside.h"

struct hyi_root_signals {
    hy_root *root;
    hy_signal *terminate, *interrupt, *quit; // NULL: not asked for
    bool notifies;
    bool is_ready, is_stopping; // has been told
    bool asked;                 // by a signal, once
    uint64_t ended_before;      // when the manager was last told that there is progress
    hy_timer progress;
};

// Nothing is installed, and nobody is told, unless `options` says so. On an error nothing is open.
HY_CHECKED hy_err hyi_root_signals_open(struct hyi_root_signals *signals, hy_root *root,
                                        const hy_root_options *options);
void hyi_root_signals_close(struct hyi_root_signals *signals);
void hyi_root_ready(hy_root *root); // hy_ready was called outside of all services
// The root scope is being stopped or cancelled, or its body has returned. Again is fine.
void hyi_root_stopping(hy_root *root);

#endif
