// service.h - services, as service.c, restart.c, stop.c and tree_dump.c see them.    Room: scope.
// Includes: world. Threads: the world's.
//
//               hy_start                     hy_ready
//        o ---------------> starting ----------------------> up
//                            ^  ^  |                        /  |
//           timer falls due  |  |  | its function returns  /   | stop, restart, or its
//                            |  |  v                      v    v group goes down
//                        waiting<--- what restart.c says <-- stopping
//                            |  |           |                  |
//                            v  |           v                  |
//                          down-+         ended <--------------+
//                       its group starts it
//
// Starting, up and stopping have a fiber; waiting, down and ended have none.
#ifndef HYI_SCOPE_SERVICE_H
#define HYI_SCOPE_SERVICE_H

#include "scope/inside.h"

typedef enum hyi_service_phase {
    HYI_SERVICE_STARTING = 1, // has not called hy_ready; its timer is that of ready_max
    HYI_SERVICE_UP,
    HYI_SERVICE_STOPPING, // was told to end
    HYI_SERVICE_WAITING,  // for its next start; its timer says when
    HYI_SERVICE_DOWN,     // its group will start it
    HYI_SERVICE_ENDED,    // over; somebody holds the handle
} hyi_service_phase;

// The latest restarts, in a ring: one more than `max` of them within `within` is too many.
typedef struct hyi_intensity {
    hy_ns within;
    uint32_t max; // 0: no limit
    uint32_t count, next;
    hy_ns *times; // max of them
} hyi_intensity;

struct hy_service {
    hyi_link in_scope; // scope->more->services
    hy_scope *scope;   // where it was started
    hy_root *root;
    hy_task *task; // NULL: it has no fiber now
    hy_scope *own; // open while the fiber is between its first and last line
    hy_service_spec spec;
    hy_timer timer;
    hyi_list waiting; // service_wait
    hyi_service_phase phase;
    bool first;    // in hy_start: it has never been ready
    bool kept;     // somebody holds the handle
    bool again;    // stopping, to be started again at once
    bool in_group; // goes down and comes up with others
    bool shared;   // stopping with its share of the scope's stop
    bool late;     // ready_max passed
    uint32_t held; // fibers in a call that looks at the record
    uint32_t restarts_in_a_row;
    uint64_t starts;
    hy_err last_err;
    hy_ns since; // of the phase
    hy_ns launched_at, ready_at;
    hyi_intensity intensity;
    hy_ns times[];
};

// What a scope with services has: its own limit of restarts, and the group that goes down and comes
// up together. Made by the first hy_start.
typedef enum hyi_group_phase {
    HYI_GROUP_IDLE,
    HYI_GROUP_DOWN,  // members end, the latest started first
    HYI_GROUP_PAUSE, // the backoff of the one that failed
    HYI_GROUP_UP,    // members start, each when the one before is ready
} hyi_group_phase;

struct hyi_restarts {
    hy_scope *scope;
    hyi_group_phase phase;
    hy_ns until;      // the grace of going down
    hy_ns pause;      // before coming up
    hy_timer timer;   // of the pause
    hyi_list waiting; // of hy_start: those who come meanwhile
    hyi_intensity intensity;
    hy_ns times[];
};

#define HYI_STOP_MAX_DEFAULT HY_SECONDS(10)

// service.c
HY_CHECKED hy_err hyi_service_launch(hy_service *service); // HY_NOMEM, HY_LIMIT; then it is waiting
void hyi_service_set(hy_service *service, hyi_service_phase phase);
// Drains it for `grace` and then cancels it; 0 or less: cancels it now. Again with less: shortens.
void hyi_service_tell(hy_service *service, hy_ns grace);
// It is over: answers who waits, and frees it unless somebody holds the handle.
void hyi_service_end(hy_service *service, hy_err err);
hy_service *hyi_service_of(hy_scope *own); // own scope; HYI_SCOPE_SERVICE
void hyi_services_free(hy_scope *scope);   // all have ended

// restart.c
HY_CHECKED hy_err hyi_restarts_open(hy_scope *scope); // fine if there; HY_NOMEM, HY_RANGE
void hyi_restarts_close(hy_scope *scope);
void hyi_service_fell(hy_service *service, hy_err err); // it ended by itself, or could not start
void hyi_group_step(hy_scope *scope);                   // something of the group has happened
// Fiber. Waits while a group goes down or comes up. HY_CLOSED, or why the caller was cancelled.
HY_CHECKED hy_err hyi_group_await(hy_scope *scope);
void hyi_services_rest(hy_scope *scope);           // nothing is started any more
uint32_t hyi_services_live(const hy_scope *scope); // those that have not ended

// stop.c
hy_ns hyi_stop_max(const hy_scope *scope);
hy_ns hyi_stop_end(const hy_world *world, hy_ns grace);   // when it ends; HY_NEVER stays HY_NEVER
hy_ns hyi_stop_until(const hy_world *world, hy_ns until); // how long that is, 0 or more; the same
hy_ns hyi_stop_share(hy_ns left, uint32_t shares);        // the same

static inline hy_service *hyi_service_at(hyi_link *link) {
    return HYI_HOLDER(hy_service, in_scope, link);
}

#endif
