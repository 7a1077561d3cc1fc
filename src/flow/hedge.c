// hedge.c - the same request again when the first is late.
//
// A scope with a task for each copy. The calling fiber starts copy after copy; it waits for the
// delay, or for a copy to fail: then the next one starts at once. The first success ends the scope,
// which cancels the others and waits for them, so no copy is still at work when the caller goes on.
//
// Each copy has a scope of its own for what it starts, so a success is one when all of that has
// ended well, and what fails in a copy that lost is no error of the call. A success is never thrown
// away: not by another copy, and not by a cancellation that comes before the caller could see it.
#include "flow/budget.h"
#include "base/options.h"

#include <hypha/flow.h>

typedef struct hedge {
    hy_err (*fn)(void *arg, uint32_t copy);
    void *arg;
    hy_chan *ended;
    uint32_t winner;
    bool won;
    hy_err first_err;
} hedge;

typedef struct hedge_copy {
    hedge *all;
    uint32_t number;
} hedge_copy;

static hy_err hedge_call(void *arg) {
    const hedge_copy *copy = arg;
    return copy->all->fn(copy->all->arg, copy->number);
}

static hy_err hedge_run(void *arg) {
    hedge_copy *copy = arg;
    hedge *all = copy->all;
    if (all->won) return HY_OK; // there was no room for it before
    hy_err err = hy_within(HY_NEVER, hedge_call, copy);
    if (err == HY_OK && !all->won) {
        all->won = true;
        all->winner = copy->number;
    }
    if (err != HY_OK && all->first_err == HY_OK) all->first_err = err;
    // There is room for all of them, so this never waits; a closed one has nobody who listens.
    hy_err told = hy_try_send(all->ended, &err);
    HY_ASSERT(told != HY_BUSY);
    return HY_OK;
}

// Until a copy has ended, which is counted, or `until`: HY_TIMEOUT.
static hy_err hedge_wait(hedge *all, hy_ns until, uint32_t *ended) {
    hy_err result = HY_OK;
    hy_case one = { .chan = all->ended, .recv = &result };
    uint32_t index = 0;
    hy_err err = hy_select(&one, 1, until, &index);
    if (err == HY_OK) (*ended)++;
    return err;
}

static hy_err hedge_body(hedge *all, hy_scope *scope, const hy_hedge_options *o,
                         hedge_copy *copies) {
    hy_world *world = hy_scope_world(scope);
    uint32_t begun = 0, ended = 0;
    bool more = true;
    while (!all->won && (more || ended < begun)) {
        if (more) {
            copies[begun] = (hedge_copy){ all, begun };
            hy_err err = hy_spawn(scope, hedge_run, &copies[begun], NULL, NULL);
            if (err != HY_OK && begun == 0) return err;
            if (err == HY_OK) begun++;
            more = err == HY_OK && begun < o->copies_max;
        }
        hy_ns until = more ? hy_ns_add(hy_world_now(world), o->delay) : HY_NEVER;
        hy_err err = hedge_wait(all, until, &ended);
        if (err != HY_OK && (err != HY_TIMEOUT || hy_check() != HY_OK)) return err;
        if (more && !all->won) more = hyi_budget_withdraw(o->budget);
    }
    return all->won ? HY_OK : all->first_err;
}

hy_err hy_hedge(const hy_hedge_options *options, hy_err (*fn)(void *arg, uint32_t copy), void *arg,
                uint32_t *out_winner) {
    hy_hedge_options o;
    hyi_options_read(&o, sizeof o, options);
    HY_ASSERT(o.delay > 0);
    if (o.copies_max == 0) o.copies_max = 2;
    if (o.copies_max > HY_HEDGE_COPIES_MAX) return HY_LIMIT;
    hedge all = { .fn = fn, .arg = arg };
    hedge_copy copies[HY_HEDGE_COPIES_MAX];
    hyi_budget_deposit(o.budget);
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "hedge", .policy = hy_collect) {
        err = hy_chan_open(scope, sizeof(hy_err), o.copies_max, NULL, &all.ended);
        if (err == HY_OK) err = hedge_body(&all, scope, &o, copies);
        break; // cancels the copies that lost
    }
    if (!all.won) return err;
    if (out_winner) *out_winner = all.winner;
    return HY_OK;
}
