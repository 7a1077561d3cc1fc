// flock_suite.c - see the header. The store is the flock's; tellers borrow it, and are never asked
// to close it.
#include "store/flock_suite.h"

#include "kit/kit.h"

void flock_init(flock *f, const store_maker *maker, const hy_machine *machine, uint32_t count) {
    CHECK(count <= FLOCK_MAX);
    *f = (flock){ .maker = maker, .machine = machine, .count = count };
    for (uint32_t i = 0; i < count; i++) {
        teller_init(&f->tellers[i], maker, machine, 100 + i);
        if (i == 0) continue;
        f->keys[i][0] = 'k';
        f->keys[i][1] = (char)('0' + i / 10);
        f->keys[i][2] = (char)('0' + i % 10);
    }
}

void flock_deinit(flock *f) {
    flock_close(f);
    for (uint32_t i = 0; i < f->count; i++) {
        teller_deinit(&f->tellers[i]);
    }
}

static hy_err flock_open_one(flock *f, uint32_t index, hy_why *why) {
    teller *t = &f->tellers[index];
    t->store = f->store;
    t->machine = f->machine;
    hy_err err = f->store->driver->instance(f->store, f->machine_number,
                                            hy_bytes_of(f->keys[index]), &t->number, why);
    return err == HY_OK ? teller_reload(t, why) : err;
}

hy_err flock_open(flock *f, hy_why *why) {
    hy_err err = HY_OK;
    if (f->store == NULL) {
        err = f->maker->open(f->maker->self, &f->store, why);
        if (err == HY_OK) {
            err = f->store->driver->attach(f->store, f->machine, &f->machine_number, why);
        }
    }
    for (uint32_t i = 0; i < f->count && err == HY_OK; i++) {
        err = flock_open_one(f, i, why);
    }
    return err;
}

void flock_close(flock *f) {
    for (uint32_t i = 0; i < f->count; i++) {
        f->tellers[i].store = NULL;
        teller_close(&f->tellers[i]);
        hy_buf_clear(&f->tellers[i].frames);
    }
    f->store = hy_store_close(f->store);
}

hy_err flock_reload(flock *f, hy_why *why) {
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < f->count && err == HY_OK; i++) {
        err = teller_reload(&f->tellers[i], why);
    }
    return err;
}

hy_err flock_step(flock *f, uint32_t index, uint32_t entries) {
    teller *t = &f->tellers[index];
    return teller_step(t, t->batch.entry_count + entries);
}

static void flock_settle(teller *t, hy_commit outcome) {
    if (outcome == HY_COMMITTED) {
        t->durable_seq = t->batch.last_seq;
        hy_state_release(t->state, t->durable_seq);
    }
    if (outcome == HY_COMMIT_REFUSED) hy_state_rewind(t->state, t->durable_seq);
    hy_buf_clear(&t->frames);
    t->batch = (hy_batch){ 0 };
}

hy_commit flock_commit(flock *f, hy_why *why) {
    hy_batch batches[FLOCK_MAX];
    size_t count = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        teller *t = &f->tellers[i];
        if (t->batch.entry_count == 0) continue;
        t->batch.machine = t->number;
        t->batch.body = hy_buf_bytes(&t->frames);
        batches[count++] = t->batch;
    }
    hy_commit outcome = f->store->driver->append(f->store, batches, count, why);
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->tellers[i].batch.entry_count > 0) flock_settle(&f->tellers[i], outcome);
    }
    return outcome;
}

hy_err flock_run(flock *f, uint32_t rounds, uint32_t entries) {
    for (uint32_t round = 0; round < rounds; round++) {
        hy_why why = { 0 };
        for (uint32_t i = 0; i < f->count; i++) {
            hy_err err = flock_step(f, i, entries);
            if (err != HY_OK) return err;
        }
        hy_commit outcome = flock_commit(f, &why);
        if (outcome != HY_COMMITTED && kit_failed_allocation()) return HY_NOMEM;
        if (outcome != HY_COMMITTED) kit_fail(why.place, outcome, "not committed: %s", why.text);
    }
    return HY_OK;
}

void flock_check(const flock *f) {
    for (uint32_t i = 0; i < f->count; i++) {
        teller_check_state(&f->tellers[i]);
    }
}
