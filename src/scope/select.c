// select.c - one of several sends and receives, whichever can be done first.
//
// First it looks: of the cases that can be done at once one is chosen, by the seed in a simulated
// world, else by a sequence that visits all of them evenly. If there is none, the fiber puts one
// waiter into each channel, and all of them lie in one record on its stack. Whoever meets one of
// them takes all out, so that exactly one case happens and no channel keeps a trace of the rest.
//
// The record for 64 cases is 4 KiB, too much for the stacks that most fibers have, so a small
// select, which is nearly every one, has a frame of its own.
#include "scope/channel.h"

#define SELECT_FEW 8u
#define SELECT_MAX 64u

typedef struct hyi_select {
    hyi_wait wait;
    hy_case *cases;
    uint32_t count;
    uint32_t done; // the case that happened
    hyi_chan_waiter *waiters;
} hyi_select;

static bool select_ready(const hy_case *one);
static uint32_t select_choose(hy_root *root, const hy_case *cases, uint32_t count, uint32_t ready);
static hy_err select_few(hyi_select *select);
static hy_err select_many(hyi_select *select);

hy_err hy_select(hy_case *cases, uint32_t count, hy_ns deadline, uint32_t *out_index) {
    if (count > SELECT_MAX) return HY_LIMIT;
    HY_ASSERT(hyi_current != NULL);
    hy_root *root = hyi_current->root;
    hy_err err = hyi_cancel_reason(hyi_current);
    if (err != HY_OK) return err;

    uint32_t ready = 0;
    for (uint32_t i = 0; i < count; i++) {
        ready += select_ready(&cases[i]);
    }
    if (ready > 0) {
        uint32_t index = select_choose(root, cases, count, ready);
        hy_case *one = &cases[index];
        bool done = one->send != NULL ? hyi_chan_give(one->chan, one->send, &one->err)
                                      : hyi_chan_take(one->chan, one->recv, &one->err);
        HY_ASSERT(done);
        *out_index = index;
        return HY_OK;
    }
    if (deadline <= hy_world_now(root->world)) return HY_TIMEOUT;

    hyi_select select = { .cases = cases, .count = count };
    select.wait = (hyi_wait){ .what = "select", .deadline = deadline };
    err = count <= SELECT_FEW ? select_few(&select) : select_many(&select);
    if (err == HY_OK) *out_index = select.done;
    return err;
}

static bool select_ready(const hy_case *one) {
    if (one->chan == NULL) return false;
    return one->send != NULL ? hyi_chan_can_give(one->chan) : hyi_chan_can_take(one->chan);
}

// Multiples of the golden ratio modulo 1 (Weyl) fall evenly into any number of parts, also when
// only every second or third of them is looked at: two selects that take turns do not starve a
// case, as they would with a plain counter.
static uint32_t select_choose(hy_root *root, const hy_case *cases, uint32_t count, uint32_t ready) {
    uint32_t nth = 0;
    if (!root->is_real) {
        nth = hy_world_choose(root->world, ready);
    } else if (ready > 1) {
        root->select_turn += UINT64_C(0x9e3779b97f4a7c15);
        nth = (uint32_t)(((root->select_turn >> 32) * ready) >> 32);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (select_ready(&cases[i]) && nth-- == 0) return i;
    }
    hy_panic(__FILE__, __LINE__, "no case is ready");
}

// ---- waiting ------------------------------------------------------------------------------------

static void select_take_out(hyi_select *select) {
    for (uint32_t i = 0; i < select->count; i++) {
        if (select->cases[i].chan != NULL) hyi_list_remove(&select->waiters[i].link);
    }
}

static void select_unhook(hyi_wait *wait) {
    select_take_out(HYI_HOLDER(hyi_select, wait, wait));
}

void hyi_select_settle(hyi_chan_waiter *waiter, hy_err err) {
    hyi_select *select = waiter->select;
    hy_task *task = waiter->task;
    select_take_out(select);
    select->done = waiter->index;
    select->cases[waiter->index].err = err;
    hyi_wake(task, HY_OK);
}

static hy_err select_park(hyi_select *select, hyi_chan_waiter *waiters) {
    select->waiters = waiters;
    select->wait.unhook = select_unhook;
    for (uint32_t i = 0; i < select->count; i++) {
        hy_case *one = &select->cases[i];
        if (one->chan == NULL) continue;
        waiters[i] = (hyi_chan_waiter){
            .task = hyi_current,
            .item = one->send,
            .out_item = one->recv,
            .select = select,
            .index = i,
        };
        hyi_list_append(one->send != NULL ? &one->chan->senders : &one->chan->receivers,
                        &waiters[i].link);
    }
    return hyi_park(&select->wait);
}

static __attribute__((noinline)) hy_err select_few(hyi_select *select) {
    hyi_chan_waiter waiters[SELECT_FEW];
    return select_park(select, waiters);
}

static __attribute__((noinline)) hy_err select_many(hyi_select *select) {
    hyi_chan_waiter waiters[SELECT_MAX];
    return select_park(select, waiters);
}
