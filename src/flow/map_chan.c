// map_chan.c - one function for each item of a channel, a few at a time.
//
// The fibers of each.c, with a receive before the call and a send behind it. A fiber takes an item
// only when it has nothing else in hand, so the map holds as many items as it has fibers, and
// whoever sends into `in` waits for those who receive from `out`.
//
// In order: an item's number is given where it is taken, and one fiber takes at a time, because the
// order in which fibers wake up is not the order in which the channel served them. Results leave by
// number. All numbers in hand follow one another and there is at most one for each fiber, so a
// number modulo the limit is a place of its own: turns[number % limit] is set when it may leave.
#include "flow/limit.h"
#include "flow/line.h"

#include "scope/channel.h"

#include <hypha/flow.h>

typedef struct map_chan_run {
    hy_chan *in, *out;
    hy_err (*fn)(void *arg, const void *item, void *out_item);
    void *arg;
    const hy_map_options *options;
    uint32_t limit;
    uint64_t taken; // the next item's number
    bool taking;    // in order: a fiber is receiving
    hyi_line line;  // others that want to
    hy_event *turns;
    void (*drop)(void *self, void *item); // of `out`, for results that cannot leave
    void *drop_self;
} map_chan_run;

typedef struct map_chan_worker {
    map_chan_run *run;
    void *item, *result;
} map_chan_worker;

static const hy_map_options map_chan_defaults = { .size = sizeof(hy_map_options) };

static hy_err map_chan_run_all(hy_scope *scope, map_chan_run *run);
static hy_err map_chan_work(void *arg);
static hy_err map_chan_take(map_chan_worker *worker, uint64_t *out_number);
static hy_err map_chan_leave(map_chan_worker *worker, uint64_t number, bool has_result);

hy_err hy_map_chan(hy_chan *in, hy_chan *out,
                   hy_err (*fn)(void *arg, const void *item, void *out_item), void *arg,
                   const hy_map_options *options) {
    if (options == NULL) options = &map_chan_defaults;
    map_chan_run run = { .in = in, .out = out, .fn = fn, .arg = arg, .options = options };
    run.limit = hyi_flow_limit(hy_scope_world(hy_scope_current()), options->limit);
    hyi_line_init(&run.line, UINT32_MAX);
    if (out != NULL) {
        run.drop = out->drop;
        run.drop_self = out->self;
    }
    hy_err err = hy_check();
    if (err == HY_OK) {
        HY_SCOPE(scope, &err, .name = options->name != NULL ? options->name : "map") {
            err = map_chan_run_all(scope, &run);
            if (err != HY_OK) break;
        }
    }
    hy_chan_close(in);
    if (out != NULL && err == HY_OK) hy_chan_close(out);
    if (out != NULL && err != HY_OK) hy_chan_fail(out, err);
    return err;
}

static size_t map_chan_rounded(size_t size) {
    return (size + 15) & ~(size_t)15;
}

static hy_err map_chan_run_all(hy_scope *scope, map_chan_run *run) {
    size_t item_size = map_chan_rounded(run->in->item_size);
    size_t result_size = run->out != NULL ? map_chan_rounded(run->out->item_size) : 0;
    map_chan_worker *workers = hy_scope_alloc(scope, sizeof(map_chan_worker) * run->limit);
    run->turns = hy_scope_alloc(scope, sizeof(hy_event) * run->limit);
    if (workers == NULL || run->turns == NULL) return HY_NOMEM;
    const hy_spawn_options *options =
        HY_OPTIONS(hy_spawn, .name = "map", .stack = run->options->stack);
    for (uint32_t i = 0; i < run->limit; i++) {
        run->turns[i] = (hy_event){ .is_set = i == 0 };
    }
    for (uint32_t i = 0; i < run->limit; i++) {
        uint8_t *both = hy_scope_alloc(scope, item_size + result_size + 1);
        if (both == NULL) return HY_NOMEM;
        workers[i] = (map_chan_worker){ run, both, run->out != NULL ? both + item_size : NULL };
        hy_err err = hy_spawn(scope, map_chan_work, &workers[i], options, NULL);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err map_chan_work(void *arg) {
    map_chan_worker *worker = arg;
    map_chan_run *run = worker->run;
    for (;;) {
        uint64_t number = 0;
        hy_err err = map_chan_take(worker, &number);
        if (err != HY_OK) return err == HY_END ? HY_OK : err;
        err = run->fn(run->arg, worker->item, worker->result);
        bool has_result = err == HY_OK && run->out != NULL;
        if (err != HY_OK) {
            if (run->options->errors == HY_MAP_FAIL_FAST) return err;
            hy_err cancelled = hy_check();
            if (cancelled != HY_OK) return cancelled;
            if (run->options->failed != NULL) run->options->failed(run->options->self, number, err);
        }
        err = map_chan_leave(worker, number, has_result);
        if (err != HY_OK) return err;
    }
}

static hy_err map_chan_take(map_chan_worker *worker, uint64_t *out_number) {
    map_chan_run *run = worker->run;
    if (run->options->ordered && run->taking) {
        hy_err err = hyi_line_wait(&run->line, 1, "turn to receive");
        if (err != HY_OK) return err; // the turn goes to somebody else
    }
    run->taking = true;
    hy_err err = hy_recv(run->in, worker->item);
    if (err == HY_OK) *out_number = run->taken++;
    run->taking = run->line.count > 0;
    if (run->taking) hyi_line_call(&run->line, HY_OK);
    return err;
}

static hy_err map_chan_leave(map_chan_worker *worker, uint64_t number, bool has_result) {
    map_chan_run *run = worker->run;
    hy_event *turn = &run->turns[number % run->limit];
    hy_err err = run->options->ordered ? hy_event_wait(turn) : HY_OK;
    if (err == HY_OK && has_result) err = hy_send(run->out, worker->result);
    if (err != HY_OK) {
        if (has_result && run->drop != NULL) run->drop(run->drop_self, worker->result);
        return err;
    }
    hy_event_clear(turn);
    hy_event_set(&run->turns[(number + 1) % run->limit]);
    return HY_OK;
}
