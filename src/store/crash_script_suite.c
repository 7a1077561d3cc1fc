// crash_script_suite.c - see the header.
//
// A refused batch must never be found later: the answer "not stored" may have gone out. So REFUSED
// keeps `in_flight` at 0, and only an unknown outcome widens what the judge accepts.
#include "store/crash_script_suite.h"

#include "base/cleanup.h"
#include "kit/kit.h"

#define SCRIPT_PATH "vault.db"

static hy_err script_memory_open(void *self, hy_store **out_store, hy_why *why) {
    (void)why;
    return hy_store_memory_open(kit_heap(), self, out_store);
}

static void script_collect(crash_script *script) {
    const hy_store_driver *driver = script->maker_teller.store->driver;
    hy_journal_cursor *cursor = NULL;
    CHECK(driver->journal_open(script->maker_teller.store, 1, 1, &cursor, NULL) == HY_OK);
    hy_batch batch;
    while (driver->journal_next(cursor, &batch, NULL) == HY_OK) {
        CHECK(script->batch_count < CRASH_SCRIPT_BATCHES_MAX);
        script->batches[script->batch_count++] = batch; // bodies stay while the disk does
    }
    driver->journal_close(cursor);
}

void crash_script_make(crash_script *script, uint32_t entries, uint32_t batch) {
    static store_maker maker = { .open = script_memory_open };
    uint64_t dice = kit_seed();
    *script = (crash_script){ 0 };
    CHECK(hy_store_disk_new(kit_heap(), &script->disk) == HY_OK);
    maker.self = script->disk;
    maker.mem = kit_heap();
    teller_init(&script->maker_teller, &maker, &vault_machine, kit_seed());
    CHECK(teller_open(&script->maker_teller, NULL) == HY_OK);
    for (uint32_t made = 0; made < entries;) {
        uint32_t count = batch != 0 ? batch : 10 + (uint32_t)(kit_random(&dice) % 41);
        CHECK(teller_run(&script->maker_teller, 1, count) == HY_OK);
        made += count;
    }
    script_collect(script);
}

void crash_script_free(crash_script *script) {
    teller_deinit(&script->maker_teller);
    script->disk = hy_store_disk_free(script->disk);
}

static hy_err script_open(crash_play *play, hy_world *world, hy_why *why) {
    hy_err err = hy_store_sqlite_open(world, SCRIPT_PATH,
                                      HY_OPTIONS(hy_store_sqlite, .checkpoint_bytes = 40000,
                                                 .slice_bytes = 7000, .wal_bytes = 60000,
                                                 .cache_bytes = 100000, .lazy_sync = play->lazy),
                                      &play->store, why);
    if (err != HY_OK) return err;
    err = play->store->driver->attach(play->store, &vault_machine, &play->number, why);
    if (err != HY_OK) crash_play_close(play);
    return err;
}

void crash_play_close(crash_play *play) {
    play->store = hy_store_close(play->store);
}

void crash_play_recover(crash_play *play, hy_world *world) {
    hy_state *state = NULL;
    CHECK(hy_state_new(hy_mem_system(), &vault_machine, NULL, &state, NULL) == HY_OK);
    hy_err err = script_open(play, world, NULL);
    if (err == HY_OK) err = play->store->driver->load(play->store, play->number, state, NULL);
    play->stopped = err != HY_OK;
    hy_state_free(state);
}

static void script_append(crash_play *play, const hy_batch *batch) {
    hy_batch mine = *batch;
    mine.machine = play->number;
    hy_commit outcome = play->store->driver->append(play->store, &mine, 1, &play->why);
    if (outcome == HY_COMMITTED) play->confirmed = batch->last_seq;
    if (outcome == HY_COMMIT_UNKNOWN) play->in_flight = batch->last_seq;
    play->stopped = outcome != HY_COMMITTED;
}

// Between the batches: a checkpoint, one slice of it, closing and opening again.
static void script_between(crash_play *play, hy_world *world, uint32_t index) {
    bool more;
    hy_err err = HY_OK;
    if (index % 5 == 2) err = hy_store_checkpoint_slice(play->store, &more, &play->why);
    if (index % 7 == 3) err = play->store->driver->checkpoint(play->store, &play->why);
    if (index % 13 == 6) {
        crash_play_close(play);
        err = script_open(play, world, &play->why);
    }
    play->stopped = play->stopped || err != HY_OK;
}

void crash_play_run(crash_play *play, const crash_script *script, hy_world *world) {
    if (play->store == NULL) play->stopped = script_open(play, world, &play->why) != HY_OK;
    for (uint32_t i = 0; i < script->batch_count && !play->stopped; i++) {
        if (script->batches[i].first_seq <= play->confirmed) continue;
        script_append(play, &script->batches[i]);
        if (!play->stopped) script_between(play, world, i);
    }
}

// What the store holds must be what was confirmed, or that and the whole batch in flight.
static void script_check(crash_play *play, const crash_script *script, hy_why *why) {
    hy_state *state = NULL;
    CHECK(hy_state_new(hy_mem_system(), &vault_machine, NULL, &state, why) == HY_OK);
    hy_err err = play->store->driver->load(play->store, play->number, state, why);
    if (err != HY_OK) kit_fail(why->place, 0, "load: %s: %s", hy_err_name(err), why->text);
    uint64_t seq = hy_state_seq(state);
    bool legal = seq == play->confirmed || (play->in_flight != 0 && seq == play->in_flight);
    if (!legal) {
        kit_fail("seq", (int)seq, "confirmed was %d, in flight %d", (int)play->confirmed,
                 (int)play->in_flight);
    }
    teller_mark mark = teller_mark_at(&script->maker_teller, seq);
    CHECK_EQ(hy_state_digest(state), mark.digest);
    CHECK_EQ(hy_state_digest_slow(state), mark.digest);
    CHECK_EQ(hy_state_chain(state), mark.chain);
    hy_state_free(state);
    play->confirmed = seq;
    play->in_flight = 0;
}

void crash_play_judge(crash_play *play, const crash_script *script, hy_world *world) {
    hy_why why = { 0 };
    hy_err err = HY_OK;
    if (play->store == NULL) err = script_open(play, world, &why);
    if (err != HY_OK) kit_fail(why.place, 0, "open: %s: %s", hy_err_name(err), why.text);
    script_check(play, script, &why);
    for (uint32_t i = 0; i < script->batch_count; i++) {
        if (script->batches[i].first_seq != play->confirmed + 1) continue;
        script_append(play, &script->batches[i]);
        CHECK_EQ(play->confirmed, script->batches[i].last_seq);
        break;
    }
    crash_play_close(play);
    err = script_open(play, world, &why);
    if (err != HY_OK) kit_fail(why.place, 0, "open: %s: %s", hy_err_name(err), why.text);
    script_check(play, script, &why);
    play->stopped = false;
}
