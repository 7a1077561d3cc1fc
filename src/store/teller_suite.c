// teller_suite.c - see the header.
//
// The marks are the oracle: they come from the states that made the entries, in memory, and never
// from a store. After an input was taken back (refused, rewound, lost) its mark is replaced by the
// next.
#include "store/teller_suite.h"

#include "kit/kit.h"

void teller_init(teller *t, const store_maker *maker, const hy_machine *machine, uint64_t seed) {
    *t = (teller){ .maker = maker, .machine = machine, .seed = seed };
    hy_buf_init(&t->frames, maker->mem, 0);
    hy_buf_init(&t->marks, kit_heap(), 0);
}

void teller_deinit(teller *t) {
    if (t->maker == NULL) return;
    teller_close(t);
    hy_buf_deinit(&t->frames);
    hy_buf_deinit(&t->marks);
}

hy_err teller_reload(teller *t, hy_why *why) {
    hy_state *state = NULL;
    hy_err err =
        hy_state_new(t->maker->mem, t->machine,
                     HY_OPTIONS(hy_state, .keep_undo = true, .record_entries = true), &state, why);
    if (err == HY_OK) err = t->store->driver->load(t->store, t->number, state, why);
    if (err != HY_OK) {
        hy_state_free(state);
        return err;
    }
    t->state = hy_state_free(t->state);
    t->state = state;
    t->durable_seq = hy_state_seq(state);
    hy_buf_clear(&t->frames);
    t->batch = (hy_batch){ 0 };
    return HY_OK;
}

hy_err teller_open(teller *t, hy_why *why) {
    hy_err err = HY_OK;
    if (t->store == NULL) err = t->maker->open(t->maker->self, &t->store, why);
    if (err == HY_OK) err = t->store->driver->attach(t->store, t->machine, &t->number, why);
    return err == HY_OK ? teller_reload(t, why) : err;
}

void teller_close(teller *t) {
    t->store = hy_store_close(t->store);
    t->state = hy_state_free(t->state);
    t->batch = (hy_batch){ 0 };
}

static void teller_note(teller *t, const hy_outcome *outcome) {
    teller_mark mark = { hy_state_seq(t->state), outcome->digest, hy_state_chain(t->state) };
    size_t count = t->marks.len / sizeof mark;
    const teller_mark *marks = (const teller_mark *)(const void *)t->marks.ptr;
    while (count > 0 && marks[count - 1].seq >= mark.seq) {
        count--; // the run was taken back and goes on from here
    }
    t->marks.len = count * sizeof mark;
    hy_buf_add(&t->marks, &mark, sizeof mark);
}

static hy_err teller_one(teller *t) {
    vault_draw draw;
    hy_outcome outcome;
    uint64_t n = t->next_draw++;
    vault_draw_input(t->seed, n, &draw);
    hy_input input = { .seq = hy_state_seq(t->state) + 1,
                       .now = HY_SECONDS((int64_t)n),
                       .random = n * UINT64_C(0x9e3779b97f4a7c15),
                       .kind = draw.kind,
                       .body = &draw.body };
    if (draw.has_key) input.key = draw.body.word;
    hy_err err = hy_state_step(t->state, &input, &outcome);
    if (err == HY_NOMEM) return err;
    CHECK(err == HY_OK || err == HY_REJECT || err == HY_KEY_REUSED || err == HY_ALREADY_DONE);
    if (outcome.entry.len == 0) return HY_OK; // refused: there is nothing to store
    hy_frame_add(&t->frames, outcome.entry);
    if (t->frames.failed != HY_OK) return t->frames.failed;
    if (t->batch.entry_count++ == 0) t->batch.first_seq = hy_state_seq(t->state);
    t->batch.last_seq = hy_state_seq(t->state);
    teller_note(t, &outcome);
    return HY_OK;
}

hy_err teller_step(teller *t, uint32_t count) {
    while (t->batch.entry_count < count) {
        hy_err err = teller_one(t);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

hy_commit teller_commit(teller *t, hy_why *why) {
    t->batch.machine = t->number;
    t->batch.body = hy_buf_bytes(&t->frames);
    hy_commit outcome = t->store->driver->append(t->store, &t->batch, 1, why);
    if (outcome == HY_COMMITTED) {
        t->durable_seq = t->batch.last_seq;
        hy_state_release(t->state, t->durable_seq);
    }
    if (outcome == HY_COMMIT_REFUSED) hy_state_rewind(t->state, t->durable_seq);
    hy_buf_clear(&t->frames);
    t->batch = (hy_batch){ 0 };
    return outcome;
}

hy_err teller_run(teller *t, uint32_t batches, uint32_t entries) {
    for (uint32_t i = 0; i < batches; i++) {
        hy_why why = { 0 };
        hy_err err = teller_step(t, entries);
        if (err != HY_OK) return err;
        hy_commit outcome = teller_commit(t, &why);
        if (outcome != HY_COMMITTED && why.code == HY_NOMEM) return HY_NOMEM;
        if (outcome != HY_COMMITTED && kit_failed_allocation()) return HY_NOMEM;
        if (outcome != HY_COMMITTED) kit_fail(why.place, outcome, "not committed: %s", why.text);
    }
    return HY_OK;
}

teller_mark teller_mark_at(const teller *t, uint64_t seq) {
    const teller_mark *marks = (const teller_mark *)(const void *)t->marks.ptr;
    for (size_t i = 0; i < t->marks.len / sizeof *marks; i++) {
        if (marks[i].seq == seq) return marks[i];
    }
    CHECK(seq == 0);
    return (teller_mark){ 0 };
}

void teller_check_state(const teller *t) {
    teller_mark mark = teller_mark_at(t, hy_state_seq(t->state));
    CHECK_EQ(hy_state_digest(t->state), mark.digest);
    CHECK_EQ(hy_state_chain(t->state), mark.chain);
    CHECK_EQ(hy_state_digest_slow(t->state), mark.digest);
}
