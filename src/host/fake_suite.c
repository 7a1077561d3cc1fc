// fake_suite.c - see the header.
//
// The store checks its caller on the way: batches must follow each other without a gap, and no two
// calls may overlap. The executors write each start and cancel into the trace, and hold attempts
// until the test says how they end.
#include "host/fake_suite.h"
#include "base/cleanup.h"
#include "kit/kit.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fake_note(fake_trace *trace, const char *format, ...) {
    va_list list;
    va_start(list, format);
    const size_t room = sizeof trace->text - trace->len;
    const int len = vsnprintf(trace->text + trace->len, room, format, list);
    va_end(list);
    CHECK(len >= 0 && (size_t)len < room);
    trace->len += (size_t)len;
}

// ---- the store ----------------------------------------------------------------------------------

struct hy_journal_cursor {
    fake_store *store;
    hy_bytes rest;
};

static hy_err fake_attach(hy_store *port, const hy_machine *machine, uint32_t *out_number,
                          hy_why *why) {
    (void)why;
    ((fake_store *)port)->machine = machine;
    *out_number = 7;
    return HY_OK;
}

static hy_err fake_load(hy_store *port, uint32_t machine, hy_state *state, hy_why *why) {
    fake_store *store = (fake_store *)port;
    CHECK(machine == 7 && !store->busy);
    store->loads++;
    if (store->load_failures > 0) {
        store->load_failures--;
        return hy_why_set(why, HY_IO, "fake", "the load was told to fail");
    }
    hy_err err = hy_state_loaded(state, 0, hy_state_digest(state), hy_state_chain(state), why);
    hy_bytes rest = hy_buf_bytes(&store->journal), entry;
    while (err == HY_OK && (err = hy_frame_next(&rest, &entry, why)) == HY_OK) {
        err = hy_state_load_entry(state, entry, why);
    }
    return err == HY_END ? HY_OK : err;
}

// The first entry alone, of another history: the same rows by another chain of steps.
static void fake_falsify(hy_bytes frames, hy_buf *out) {
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, hy_mem_system(), 0);
    HY_CLEANUP(hy_buf_deinit) hy_buf bytes = { 0 };
    hy_buf_init(&bytes, hy_mem_system(), 0);
    hy_bytes first;
    hy_entry entry;
    CHECK(hy_frame_next(&frames, &first, NULL) == HY_OK);
    CHECK(hy_entry_decode(first, &arena, &entry, NULL) == HY_OK);
    entry.chain++;
    CHECK(hy_wire_encode(&hy_entry_record, &entry, &bytes) == HY_OK);
    hy_frame_add(out, hy_buf_bytes(&bytes));
}

static hy_commit fake_append(hy_store *port, const hy_batch *batches, size_t count, hy_why *why) {
    fake_store *store = (fake_store *)port;
    CHECK(count == 1 && batches[0].machine == 7 && !store->busy);
    const hy_batch *batch = &batches[0];
    CHECK_EQ(batch->first_seq, store->last_seq + 1);
    CHECK_EQ(batch->last_seq - batch->first_seq + 1, batch->entry_count);
    store->appends++;
    char outcome = FAKE_COMMIT;
    if (store->script != NULL && *store->script != 0) outcome = *store->script++;
    if (store->trace != NULL) {
        fake_note(store->trace, "append %d-%d %c\n", (int)batch->first_seq, (int)batch->last_seq,
                  outcome);
    }
    hy_bytes body = batch->body;
    uint64_t last_seq = batch->last_seq;
    HY_CLEANUP(hy_buf_deinit) hy_buf foreign = { 0 };
    hy_buf_init(&foreign, hy_mem_system(), 0);
    if (outcome == FAKE_UNKNOWN_FOREIGN) {
        fake_falsify(body, &foreign);
        body = hy_buf_bytes(&foreign);
        last_seq = batch->first_seq;
    }
    const bool keep =
        outcome == FAKE_COMMIT || outcome == FAKE_UNKNOWN_KEPT || outcome == FAKE_UNKNOWN_FOREIGN;
    if (keep) {
        const size_t len = store->journal.len;
        hy_buf_add(&store->journal, body.ptr, body.len);
        if (store->journal.failed != HY_OK) {
            store->journal.failed = HY_OK;
            store->journal.len = len;
            return HY_COMMIT_REFUSED;
        }
        store->last_seq = last_seq;
    }
    if (outcome == FAKE_COMMIT) return HY_COMMITTED;
    (void)hy_why_set(why, HY_IO, "fake", "the append was told to fail");
    return outcome == FAKE_REFUSE ? HY_COMMIT_REFUSED : HY_COMMIT_UNKNOWN;
}

static hy_err fake_checkpoint(hy_store *port, hy_why *why) {
    (void)why;
    fake_store *store = (fake_store *)port;
    CHECK(!store->busy);
    store->checkpoints++;
    if (store->trace != NULL) fake_note(store->trace, "checkpoint\n");
    return HY_OK;
}

static hy_err fake_journal_open(hy_store *port, uint32_t machine, uint64_t from_seq,
                                hy_journal_cursor **out_cursor, hy_why *why) {
    fake_store *store = (fake_store *)port;
    CHECK(machine == 7 && from_seq > 0);
    hy_journal_cursor *cursor = hy_mem_alloc(store->mem, sizeof *cursor);
    if (cursor == NULL) return hy_why_set(why, HY_NOMEM, "fake", "no memory");
    *cursor = (hy_journal_cursor){ .store = store, .rest = hy_buf_bytes(&store->journal) };
    for (uint64_t seq = 1; seq < from_seq; seq++) {
        hy_bytes entry;
        CHECK(hy_frame_next(&cursor->rest, &entry, NULL) == HY_OK);
    }
    *out_cursor = cursor;
    return HY_OK;
}

static hy_err fake_journal_next(hy_journal_cursor *cursor, hy_batch *out_batch, hy_why *why) {
    (void)why;
    if (cursor->rest.len == 0) return HY_END;
    *out_batch = (hy_batch){ .machine = 7, .body = cursor->rest };
    cursor->rest.len = 0;
    return HY_OK;
}

static void fake_journal_close(hy_journal_cursor *cursor) {
    if (cursor != NULL) hy_mem_free(cursor->store->mem, cursor, sizeof *cursor);
}

static void fake_store_close(hy_store *port) {
    (void)port;
}

static const hy_store_driver fake_driver = {
    .name = "fake",
    .attach = fake_attach,
    .load = fake_load,
    .append = fake_append,
    .checkpoint = fake_checkpoint,
    .journal_open = fake_journal_open,
    .journal_next = fake_journal_next,
    .journal_close = fake_journal_close,
    .close = fake_store_close,
};

void fake_store_init(fake_store *store, hy_mem *mem, fake_trace *trace) {
    *store = (fake_store){ .port.driver = &fake_driver, .mem = mem, .trace = trace };
    hy_buf_init(&store->journal, mem, 0);
}

void fake_store_deinit(fake_store *store) {
    if (store->mem != NULL) hy_buf_deinit(&store->journal);
}

// ---- executors --------------------------------------------------------------------------------

static void fake_pay_start(void *self, hy_effect *effect) {
    fake_host *f = self;
    const bank_pay_out *body = effect->body;
    if (!f->is_quiet)
        fake_note(&f->trace, "start %s try %u cents %d%s\n", effect->key, effect->attempt,
                  (int)body->cents, effect->restored ? " restored" : "");
    switch (f->pay_does) {
    case FAKE_PAY_HOLD:
        CHECK(f->held_count < FAKE_HELD_MAX);
        f->held[f->held_count++] = effect;
        break;
    case FAKE_PAY_DONE: hy_effect_done(f->host, effect, &(bank_paid){ .worked = true }); break;
    case FAKE_PAY_FAIL: hy_effect_failed(f->host, effect, "told to fail"); break;
    }
}

static void fake_drop_held(fake_host *f, const hy_effect *effect) {
    for (uint32_t i = 0; i < f->held_count; i++) {
        if (f->held[i] != effect) continue;
        f->held_count--;
        memmove(&f->held[i], &f->held[i + 1], (f->held_count - i) * sizeof f->held[0]);
        return;
    }
    CHECK(false);
}

static void fake_pay_cancel(void *self, hy_effect *effect) {
    fake_host *f = self;
    fake_note(&f->trace, "cancel %s try %u\n", effect->key, effect->attempt);
    fake_drop_held(f, effect);
}

static bool fake_pay_give_up(void *self, const hy_effect *effect, void *out_body) {
    fake_host *f = self;
    fake_note(&f->trace, "give up %s after %u\n", effect->key, effect->attempt);
    ((bank_paid *)out_body)->worked = false;
    return true;
}

static void fake_log_start(void *self, hy_effect *effect) {
    fake_host *f = self;
    fake_note(&f->trace, "log %s\n", effect->key);
    hy_effect_done(f->host, effect, NULL);
}

void fake_pay_done(fake_host *f, uint32_t held, bool worked) {
    CHECK(held < f->held_count);
    hy_effect *effect = f->held[held];
    fake_drop_held(f, effect);
    hy_effect_done(f->host, effect, &(bank_paid){ .worked = worked });
}

void fake_pay_failed(fake_host *f, uint32_t held) {
    CHECK(held < f->held_count);
    hy_effect *effect = f->held[held];
    fake_drop_held(f, effect);
    hy_effect_failed(f->host, effect, "told to fail");
}

// ---- the fixture ------------------------------------------------------------------------------

hy_err fake_init(fake_host *f, hy_mem *mem, const hy_machine *machine) {
    return fake_init_slow(f, mem, machine, 0);
}

hy_err fake_init_slow(fake_host *f, hy_mem *mem, const hy_machine *machine, hy_ns delay_max) {
    *f = (fake_host){ .mem = mem, .machine = machine };
    fake_store_init(&f->store, mem, NULL);
    f->options =
        (hy_host_options){ .size = sizeof f->options, .twin = true, .guard = hy_guard_pages() };
    f->pay = (hy_executor){ .kind = BANK_DO_PAY,
                            .start = fake_pay_start,
                            .cancel = fake_pay_cancel,
                            .give_up = fake_pay_give_up };
    hy_err err = hy_sim_open(
        HY_OPTIONS(hy_sim, .seed = kit_seed(), .mem = mem, .delay_max = delay_max), &f->world);
    return err != HY_OK ? err : fake_open(f);
}

hy_err fake_open(fake_host *f) {
    return hy_host_open(f->world, &f->store.port, f->machine, &f->options, &f->host, NULL);
}

void fake_start(fake_host *f) {
    f->pay.self = f;
    CHECK(hy_host_executor(f->host, &f->pay) == HY_OK);
    const hy_executor log = { .kind = BANK_DO_LOG, .start = fake_log_start, .self = f };
    if (f->log_effects) CHECK(hy_host_executor(f->host, &log) == HY_OK);
    hy_host_start(f->host);
}

void fake_crash(fake_host *f) {
    hy_sim_restart(f->world);
    hy_host_abandon(f->host);
    f->host = NULL;
    f->held_count = 0;
}

void fake_deinit(fake_host *f) {
    if (f->host != NULL) fake_crash(f);
    if (f->world != NULL) (void)hy_world_close(f->world);
    fake_store_deinit(&f->store);
}

static void fake_closed(void *self, hy_err err) {
    fake_host *f = self;
    f->host = NULL;
    f->closed = true;
    f->close_err = err;
    fake_note(&f->trace, "closed %s\n", hy_err_name(err));
}

void fake_close(fake_host *f, hy_ns within) {
    hy_host_close(f->host, fake_closed, f, hy_world_now(f->world) + within);
}

typedef struct fake_alarm {
    hy_timer timer;
    bool rang;
} fake_alarm;

static void fake_alarm_rings(hy_timer *timer) {
    ((fake_alarm *)timer)->rang = true;
}

// Bounded in rounds too: a run that lost its memory for ever may not come to the end of its time.
void fake_run(fake_host *f, hy_ns duration) {
    fake_alarm alarm = { .timer.done = fake_alarm_rings };
    if (hy_timer_at(f->world, &alarm.timer, hy_world_now(f->world) + duration) != HY_OK) return;
    for (uint32_t rounds = 0; rounds < 200000 && !alarm.rang; rounds++) {
        if (kit_failed_allocation() && rounds > 2000) break;
        if (!hy_world_turn(f->world)) break;
    }
    hy_timer_stop(f->world, &alarm.timer);
}

// ---- calls ------------------------------------------------------------------------------------

static void fake_call_done(hy_call *call) {
    fake_call *c = (fake_call *)call;
    CHECK(!c->done);
    c->done = true;
    fake_trace *trace = &c->of->trace;
    if (c->name == 0) return;
    fake_note(trace, "%c %s", c->name, hy_err_name(call->err));
    if (call->err == HY_REJECT) {
        fake_note(trace, " %s", c->of->machine->rejections[call->rejection].name);
    }
    if (call->duplicate) fake_note(trace, " again");
    if (call->seq != 0) fake_note(trace, " %d", (int)call->seq);
    if (call->reply.len == 2) fake_note(trace, " reply %d", call->reply.ptr[1]);
    fake_note(trace, "\n");
}

static void fake_fill(fake_host *f, fake_call *c, char name, uint32_t kind, const char *key) {
    memset(&c->call, 0, sizeof c->call);
    c->of = f;
    c->name = name;
    c->done = false;
    c->call.kind = kind;
    c->call.body = &c->body;
    c->call.key = hy_bytes_of(key);
    c->call.done = fake_call_done;
}

static void fake_submit(fake_host *f, fake_call *c) {
    const hy_err err = hy_host_submit(f->host, &c->call);
    if (err != HY_OK) fake_note(&f->trace, "%c not taken %s\n", c->name, hy_err_name(err));
}

void fake_open_account(fake_host *f, fake_call *c, char name, const char *key, int64_t cents) {
    fake_fill(f, c, name, BANK_IN_OPEN, key);
    c->body.open = (bank_open){ .owner = HY_BYTES("Ada"), .cents = cents };
    fake_submit(f, c);
}

void fake_transfer(fake_host *f, fake_call *c, char name, const char *key, uint64_t from,
                   uint64_t to, int64_t cents) {
    fake_fill(f, c, name, BANK_IN_TRANSFER, key);
    c->body.transfer = (bank_transfer){ .from = from, .to = to, .cents = cents };
    fake_submit(f, c);
}

void fake_pay_out(fake_host *f, fake_call *c, char name, uint64_t account, int64_t cents) {
    fake_fill(f, c, name, BANK_IN_PAY_OUT, NULL);
    c->body.pay_out = (bank_pay_out){ .account = account, .cents = cents };
    fake_submit(f, c);
}

void fake_remind(fake_host *f, fake_call *c, char name, uint64_t account, hy_ns after) {
    fake_fill(f, c, name, BANK_IN_REMIND, NULL);
    c->body.remind = (bank_remind){ .account = account, .after = after };
    fake_submit(f, c);
}

void fake_misbehave(fake_host *f, fake_call *c, char name, uint32_t how) {
    fake_fill(f, c, name, BANK_IN_MISBEHAVE, NULL);
    c->body.misbehave = (bank_misbehave){ .how = how };
    fake_submit(f, c);
}

void fake_cancel(fake_host *f, fake_call *c, char name, uint64_t action_id) {
    fake_fill(f, c, name, BANK_IN_RENAME, NULL);
    c->body.rename = (bank_rename){ .account = action_id, .owner = HY_BYTES("cancel") };
    fake_submit(f, c);
}

void fake_webhook(fake_host *f, fake_call *c, char name, uint64_t action_id, bool worked) {
    fake_fill(f, c, name, BANK_IN_PAID, NULL);
    c->body.paid = (bank_paid){ .worked = worked };
    const hy_err err = hy_host_complete(f->host, action_id, &c->call);
    if (err != HY_OK) fake_note(&f->trace, "%c not taken %s\n", c->name, hy_err_name(err));
}

static hy_err fake_cancelling_step(hy_txn *txn, const hy_input *input) {
    const bank_rename *body = input->body;
    if (input->kind == BANK_IN_PAID && !((const bank_paid *)input->body)->worked) {
        return hy_reject(txn, BANK_TOO_POOR);
    }
    if (input->kind != BANK_IN_RENAME || !hy_bytes_equal(body->owner, HY_BYTES("cancel"))) {
        return bank_machine.step(txn, input);
    }
    return hy_action_cancel(txn, body->account) ? HY_OK : hy_reject(txn, BANK_NO_ACCOUNT);
}

const hy_machine *fake_cancelling_bank(void) {
    static hy_machine machine;
    machine = bank_machine;
    machine.step = fake_cancelling_step;
    return &machine;
}
