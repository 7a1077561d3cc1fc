// closing.c - the way out, in order.
//
// Open -> draining: no more calls come in; what is queued is stepped and stored, attempts that run
// may still bring their completion, then a last checkpoint. At the deadline draining -> expired:
// queued calls are answered HY_CLOSED, attempts are cancelled. A store call that runs is waited for
// in any case: its memory is in use and its outcome is somebody's answer.
#include "host/inside.h"

static void closing_expire(hy_host *host);
static void closing_forsake_flight(hy_host *host);
static void closing_cancel_attempts(hy_host *host);

void hy_host_close(hy_host *host, void (*closed)(void *self, hy_err err), void *self,
                   hy_ns deadline) {
    HY_ASSERT(host->closing == HYI_OPEN);
    host->closing = HYI_DRAINING;
    host->close_deadline = deadline;
    host->closed = closed;
    host->closed_self = self;
    host->close_err = HY_OK;
    hyi_host_pump_soon(host);
}

bool hyi_closing_advance(hy_host *host) {
    if (host->closing == HYI_OPEN) return false;
    const bool is_late = hy_world_now(host->world) >= host->close_deadline;
    if (host->closing == HYI_DRAINING && is_late) closing_expire(host);
    if (host->closing == HYI_EXPIRED) closing_forsake_flight(host);
    const bool is_quiet = host->queue.count == 0 && hyi_batch_is_empty(host->building) &&
                          host->flight == NULL && host->looks.first == NULL &&
                          host->early.first == NULL && host->store_call.op == HYI_STORE_FREE;
    if (!is_quiet || hyi_attempt_running(host) > 0) return false;
    if (host->closing == HYI_DRAINING && host->dirty_at != HY_NEVER) {
        if (hyi_store_start(host, HYI_CHECKPOINT) != HY_CLOSED) return false;
    }
    if (host->posted) return false; // the world still holds our post; it comes back here
    void (*closed)(void *, hy_err) = host->closed;
    void *self = host->closed_self;
    const hy_err err = host->close_err;
    hyi_fiber_executors_forget(host);
    hyi_host_free(host);
    closed(self, err);
    return true;
}

// Time is up. What is not durable now will not be, except a commit that is under way.
static void closing_expire(hy_host *host) {
    host->closing = HYI_EXPIRED;
    const bool is_all_done = host->queue.count == 0 && hyi_batch_is_empty(host->building) &&
                             host->flight == NULL && hyi_attempt_running(host) == 0;
    if (!is_all_done) host->close_err = HY_TIMEOUT;
    hyi_queue_refuse(host, HY_CLOSED);
    if (!hyi_batch_is_empty(host->building)) {
        const hyi_batch *kept = host->flight;
        const uint64_t to = kept != NULL ? kept->last_seq : host->stats.durable_seq;
        if (!host->forsaken) hy_state_rewind(host->state, to);
        hyi_pipeline_refuse(host, host->building, HY_CLOSED);
    }
    closing_cancel_attempts(host);
}

// A batch that no store call works on any more. Either its append could not start: then it surely
// was not stored, and memory forgets it too. Or nobody could find out what became of it: that is
// what its calls are told, and `is_uncertain` stays, because memory may be ahead of the store and
// nothing may be stepped on it any more; what still comes in is refused.
static void closing_forsake_flight(hy_host *host) {
    if (host->store_call.op != HYI_STORE_FREE) return;
    hyi_batch *flight = host->flight;
    if (flight != NULL) {
        host->flight = NULL;
        host->store_retry_at = HY_NEVER;
        if (!host->is_uncertain && !host->forsaken)
            hy_state_rewind(host->state, flight->first_seq - 1);
        hyi_pipeline_refuse(host, flight, host->is_uncertain ? HY_OUTCOME_UNKNOWN : HY_CLOSED);
    }
    if (host->is_uncertain) hyi_queue_refuse(host, HY_CLOSED);
}

static void closing_cancel_attempts(hy_host *host) {
    for (uint32_t kind = 0; kind < host->machine->action_count; kind++) {
        hyi_executor *executor = &host->executors[kind];
        while (executor->running.first != NULL) {
            hyi_pending *pending = executor->running.first;
            hyi_attempt_drop(host, pending);
            hyi_pending_end(host, pending);
        }
    }
}
