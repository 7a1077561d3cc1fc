// gate.c - so many at a time.
//
// A fixed gate is a counting semaphore with a bounded line. An adaptive one moves its limit with
// what it learns from those who leave:
//
//     new = limit * clamp(long_latency / latency, 0.5, 1) + sqrt(limit)
//     limit = limit + (new - limit) / 8
//
// The long latency is a slow average, which forgets faster while the short one is below it; the
// square root is the queue that is allowed to stand, and makes the limit grow when nothing is
// wrong. (The "gradient2" limit of Netflix' concurrency-limits; the idea is TCP Vegas'.) Refusals
// and timeouts of the far end cut the limit by a tenth, as AIMD does: at most once per latency, and
// only by calls that began after the last cut, because those before it are the same trouble. All
// of it in integers, sixteenths of a place, so a simulated run gives the same limits everywhere.
//
// The limit only moves while the gate is at least half full: a gate that nobody needs learns
// nothing.
#include "flow/limit.h"
#include "base/options.h"
#include "flow/line.h"

#include <hypha/flow.h>

#define GATE_SCALE UINT64_C(16)

struct hy_gate {
    hy_world *world;
    hy_mem *mem;
    bool adaptive;
    uint32_t inside;
    uint64_t limit_scaled, min_scaled, max_scaled; // in sixteenths
    hyi_line line;
    hy_ns latency, long_latency; // averages; 0: nothing known
    hy_ns cut_at;                // of the latest cut
    uint64_t entered, refused;
};

static uint32_t gate_limit(const hy_gate *gate) {
    return (uint32_t)(gate->limit_scaled / GATE_SCALE);
}

// ---- learning ----

static uint32_t gate_root(uint64_t value) {
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit > 0; bit >>= 1) {
        if ((root | bit) * (root | bit) <= value) root |= bit;
    }
    return (uint32_t)root;
}

static void gate_set(hy_gate *gate, uint64_t scaled) {
    if (scaled < gate->min_scaled) scaled = gate->min_scaled;
    if (scaled > gate->max_scaled) scaled = gate->max_scaled;
    gate->limit_scaled = scaled;
}

static void gate_cut(hy_gate *gate, hy_ns since, hy_ns now) {
    if (since <= gate->cut_at || now - gate->cut_at < gate->latency) return; // the same trouble
    gate->cut_at = now;
    gate_set(gate, gate->limit_scaled * 9 / 10);
}

static void gate_learn(hy_gate *gate, hy_ns took) {
    if (took <= 0) took = 1;
    if (gate->latency == 0) gate->latency = gate->long_latency = took;
    gate->latency += (took - gate->latency) / 8;
    gate->long_latency += (took - gate->long_latency) / 256;
    if (gate->long_latency > gate->latency * 2) gate->long_latency -= gate->long_latency / 20;
    if ((uint64_t)gate->inside * 2 < gate_limit(gate)) return;
    uint64_t limit = gate->limit_scaled;
    uint64_t kept = limit;
    if (gate->latency > gate->long_latency) {
        kept =
            (uint64_t)((__uint128_t)limit * (uint64_t)gate->long_latency / (uint64_t)gate->latency);
        if (kept < limit / 2) kept = limit / 2;
    }
    uint64_t wanted = kept + gate_root(limit / GATE_SCALE) * GATE_SCALE;
    gate_set(gate, wanted > limit ? limit + (wanted - limit) / 8 : limit - (limit - wanted) / 8);
}

static bool gate_is_overload(hy_err err) {
    return err == HY_TIMEOUT || err == HY_LIMIT || err == HY_BUSY;
}

// ---- entering and leaving ----

static void gate_take(hy_gate *gate) {
    gate->inside++;
    gate->entered++;
}

static void gate_turn(hy_gate *gate) {
    while (gate->line.count > 0 && gate->inside < gate_limit(gate)) {
        gate_take(gate);
        hyi_line_call(&gate->line, HY_OK);
    }
}

hy_err hy_gate_try_enter(hy_gate *gate, hy_pass *out_pass) {
    if (gate->line.count > 0 || gate->inside >= gate_limit(gate)) return HY_BUSY;
    gate_take(gate);
    *out_pass = (hy_pass){ gate, gate->adaptive ? hy_world_now(gate->world) : 0 };
    return HY_OK;
}

hy_err hy_gate_enter(hy_gate *gate, hy_pass *out_pass) {
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    err = hy_gate_try_enter(gate, out_pass);
    if (err != HY_BUSY) return err;
    bool full = gate->line.count >= gate->line.count_max;
    if (full) gate->refused++;
    err = full ? HY_LIMIT : hyi_line_wait(&gate->line, 1, "gate");
    if (err == HY_OK) {
        *out_pass = (hy_pass){ gate, gate->adaptive ? hy_world_now(gate->world) : 0 };
    }
    return err;
}

void hy_gate_leave(hy_pass *pass, hy_err outcome) {
    hy_gate *gate = pass->gate;
    if (!gate) return;
    pass->gate = NULL;
    HY_ASSERT(gate->inside > 0);
    if (gate->adaptive) {
        hy_ns now = hy_world_now(gate->world);
        if (gate_is_overload(outcome)) {
            gate_cut(gate, pass->since, now);
        } else if (outcome == HY_OK) {
            gate_learn(gate, now - pass->since);
        }
    }
    gate->inside--;
    gate_turn(gate);
}

hy_err hy_gate_call(hy_gate *gate, hy_fn fn, void *arg) {
    hy_pass pass;
    hy_err err = hy_gate_enter(gate, &pass);
    if (err != HY_OK) return err;
    err = fn(arg);
    hy_gate_leave(&pass, err);
    return err;
}

hy_gate_state hy_gate_state_of(const hy_gate *gate) {
    return (hy_gate_state){ .limit = gate_limit(gate),
                            .inside = gate->inside,
                            .waiting = gate->line.count,
                            .entered = gate->entered,
                            .refused = gate->refused,
                            .latency = gate->latency };
}

// ---- opening ----

static void gate_free(void *object) {
    hy_gate *gate = (hy_gate *)object;
    hyi_line_call_all(&gate->line, HY_CLOSED);
    hy_mem_free(gate->mem, gate, sizeof *gate);
}

hy_err hy_gate_open(hy_scope *scope, const hy_gate_options *options, hy_gate **out_gate) {
    hy_gate_options o;
    hyi_options_read(&o, sizeof o, options);
    hy_world *world = hy_scope_world(scope);
    o.limit = hyi_flow_limit(world, o.limit);
    if (o.waiting_max == 0) o.waiting_max = 1024;
    if (o.waiting_max == UINT32_MAX) o.waiting_max = 0;
    if (o.limit_min == 0) o.limit_min = 1;
    if (o.limit_max == 0) o.limit_max = o.limit > 1000 ? o.limit : 1000;
    HY_ASSERT(o.limit_min <= o.limit_max);
    hy_mem *mem = hy_scope_mem(scope);
    hy_gate *gate = mem ? (hy_gate *)hy_mem_alloc_zero(mem, sizeof *gate) : NULL;
    if (!gate) return HY_NOMEM;
    gate->world = world;
    gate->mem = mem;
    gate->adaptive = o.adaptive;
    gate->cut_at = INT64_MIN / 2; // never yet
    gate->min_scaled = (o.adaptive ? o.limit_min : o.limit) * GATE_SCALE;
    gate->max_scaled = (o.adaptive ? o.limit_max : o.limit) * GATE_SCALE;
    gate_set(gate, o.limit * GATE_SCALE);
    hyi_line_init(&gate->line, o.waiting_max);
    hy_err err = hy_own(scope, gate, gate_free, 0);
    if (err == HY_OK) *out_gate = gate;
    return err;
}
