// reload.c - when nobody knows whether a commit happened.
//
// A commit may end with neither yes nor no: the disk failed at the sync, the connection broke
// before the answer. Guessing either way would charge somebody twice or lose a booking. So stepping
// stops, what was stepped on top is refused (it is certainly not stored), and the store is asked: a
// new state is loaded and its seq and chain are compared with those before and after the uncertain
// batch. Calls keep arriving in the queue meanwhile. Loading is repeated with growing pauses until
// it works.
//
// If the store holds neither history, somebody else wrote to it: the host halts, because every
// further step would build on a state that is not the stored one.
#include "host/inside.h"

#define RELOAD_PAUSE_MIN HY_MS(10)
#define RELOAD_PAUSE_MAX HY_SECONDS(5)

static void reload_start(hy_host *host);
static void reload_pause(hy_host *host);

void hyi_reload_begin(hy_host *host) {
    host->stats.commits_unknown++;
    host->is_uncertain = true;
    host->stats.reloading = true;
    host->store_retries = 0;
    if (!host->forsaken) hy_state_rewind(host->state, host->flight->last_seq);
    hyi_pipeline_refuse(host, host->building, HY_NOT_COMMITTED);
    reload_start(host);
}

void hyi_reload_again(hy_host *host) {
    if (host->is_uncertain && host->store_call.op == HYI_STORE_FREE) reload_start(host);
}

void hyi_reload_run(hyi_store_call *call) {
    call->err = hyi_reload_state(call->host, call->host->machine_number, &call->state, &call->why);
}

hy_err hyi_reload_state(const hy_host *host, uint32_t number, hy_state **out_state, hy_why *why) {
    const hy_host_options *options = &host->options;
    hy_state *state = NULL;
    hy_err err = hy_state_new(host->mem, host->machine,
                              HY_OPTIONS(hy_state, .guard = options->guard, .twin = options->twin,
                                         .keep_undo = true, .record_entries = true,
                                         .answers_max = options->answers_max),
                              &state, why);
    if (err != HY_OK) return err;
    err = host->store->driver->load(host->store, number, state, why);
    if (err != HY_OK) {
        (void)hy_state_free(state);
        return err;
    }
    *out_state = state;
    return HY_OK;
}

void hyi_reload_done(hy_host *host) {
    hyi_store_call *call = &host->store_call;
    if (call->err != HY_OK) {
        reload_pause(host);
        return;
    }
    hy_state *state = call->state;
    call->state = NULL;
    (void)hy_state_free(host->state);
    host->state = state;
    host->stats.reloads++;
    host->stats.reloading = false;
    host->is_uncertain = false;
    hyi_batch *flight = host->flight;
    host->flight = NULL;
    const uint64_t seq = hy_state_seq(state), chain = hy_state_chain(state);
    if (seq == flight->last_seq && chain == flight->chain_after) {
        hyi_pipeline_settle(host, flight);
    } else if (seq == flight->first_seq - 1 && chain == flight->chain_before) {
        hyi_pipeline_refuse(host, flight, HY_NOT_COMMITTED);
    } else {
        hyi_host_halt(host, "the store holds another history: who else writes to it?");
        hyi_pipeline_refuse(host, flight, HY_OUTCOME_UNKNOWN);
    }
}

static void reload_start(hy_host *host) {
    if (hyi_store_start(host, HYI_LOAD) != HY_OK) reload_pause(host);
}

static void reload_pause(hy_host *host) {
    host->store_retries++;
    host->store_retry_at =
        hy_world_now(host->world) + RELOAD_PAUSE_MIN / 2 +
        hyi_attempt_backoff(host, RELOAD_PAUSE_MIN, RELOAD_PAUSE_MAX, host->store_retries);
}
