// sqlite_group_crash_test.c - one commit of many instances is one commit, wherever the machine
// stops.
//
// As in sqlite_crash_test.c, a script is made in memory and played on a simulated disk that stops,
// or fails, at every single call. Here each append takes the batches of several instances, of whom
// some are new to the file; afterwards all of them must stand where one group left them, the last
// that was confirmed or the one that was in flight, and go on from there to the end.
#include <string.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "store/flock_suite.h"

// Under a sanitizer everything takes four times as long: every third point, other ones for every
// seed.
#ifdef __SANITIZE_ADDRESS__
#define SWEEP_STRIDE 3u
#else
#define SWEEP_STRIDE 1u
#endif

#define GROUPS 15
#define MEMBERS 5

typedef struct group_part {
    hy_batch batch; // of the member; no entries: it takes no part
    uint8_t *body;
} group_part;

typedef struct group_script {
    hy_store_disk *disk;
    store_maker maker;
    flock flock; // which made it: its marks are the oracle
    group_part parts[GROUPS][MEMBERS];
    uint64_t seqs[GROUPS + 1][MEMBERS]; // before each group, and after all
} group_script;

static hy_err script_open(void *self, hy_store **out_store, hy_why *why) {
    (void)why;
    return hy_store_memory_open(kit_heap(), self, out_store);
}

// Who takes part, and with how many steps: few at first, so that members come one by one.
static void script_group(group_script *script, uint32_t group, uint64_t *dice) {
    flock *f = &script->flock;
    uint32_t taking = 0;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        bool known = i <= group / 3;
        if (!known || (kit_random(dice) % 3 == 0 && !(i == MEMBERS - 1 && taking == 0))) continue;
        CHECK(flock_step(f, i, 1 + (uint32_t)(kit_random(dice) % 9)) == HY_OK);
        taking++;
    }
    if (taking == 0) CHECK(flock_step(f, 0, 2) == HY_OK);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        group_part *part = &script->parts[group][i];
        const teller *t = &f->tellers[i];
        part->batch = t->batch;
        if (t->batch.entry_count == 0) continue;
        part->body = hy_mem_alloc(kit_heap(), t->frames.len);
        CHECK(part->body != NULL);
        memcpy(part->body, t->frames.ptr, t->frames.len);
        part->batch.body = (hy_bytes){ part->body, t->frames.len };
    }
    CHECK(flock_commit(f, NULL) == HY_COMMITTED);
}

static void script_make(group_script *script) {
    uint64_t dice = kit_seed();
    *script = (group_script){ 0 };
    CHECK(hy_store_disk_new(kit_heap(), &script->disk) == HY_OK);
    script->maker = (store_maker){ .open = script_open, .self = script->disk, .mem = kit_heap() };
    flock_init(&script->flock, &script->maker, &vault_machine, MEMBERS);
    CHECK(flock_open(&script->flock, NULL) == HY_OK);
    for (uint32_t group = 0; group < GROUPS; group++) {
        script_group(script, group, &dice);
        for (uint32_t i = 0; i < MEMBERS; i++) {
            script->seqs[group + 1][i] = hy_state_seq(script->flock.tellers[i].state);
        }
    }
}

static void script_free(group_script *script) {
    flock_deinit(&script->flock);
    for (uint32_t group = 0; group < GROUPS; group++) {
        for (uint32_t i = 0; i < MEMBERS; i++) {
            const group_part *part = &script->parts[group][i];
            if (part->body != NULL) hy_mem_free(kit_heap(), part->body, part->batch.body.len);
        }
    }
    hy_store_disk_free(script->disk);
}

// ---- playing it ---------------------------------------------------------------------------------

typedef struct group_play {
    hy_store *store;
    uint32_t numbers[MEMBERS];
    uint32_t confirmed; // groups
    bool in_flight;     // the one after may be there too
    bool stopped;
} group_play;

static void play_close(group_play *play) {
    play->store = hy_store_close(play->store);
}

static hy_err play_open(group_play *play, const group_script *script, hy_world *world,
                        hy_why *why) {
    uint32_t machine = 0;
    hy_err err = hy_store_sqlite_open(world, "group.db",
                                      HY_OPTIONS(hy_store_sqlite, .checkpoint_bytes = 20000,
                                                 .slice_bytes = 5000, .wal_bytes = 60000),
                                      &play->store, why);
    if (err == HY_OK) {
        err = play->store->driver->attach(play->store, &vault_machine, &machine, why);
    }
    for (uint32_t i = 0; i < MEMBERS && err == HY_OK; i++) {
        hy_bytes key = hy_bytes_of(script->flock.keys[i]);
        err = play->store->driver->instance(play->store, machine, key, &play->numbers[i], why);
    }
    if (err != HY_OK) play_close(play);
    return err;
}

static void play_append(group_play *play, const group_script *script) {
    hy_batch batches[MEMBERS];
    size_t count = 0;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        const group_part *part = &script->parts[play->confirmed][i];
        if (part->batch.entry_count == 0) continue;
        batches[count] = part->batch;
        batches[count++].machine = play->numbers[i];
    }
    hy_commit outcome = play->store->driver->append(play->store, batches, count, NULL);
    play->confirmed += outcome == HY_COMMITTED;
    play->in_flight = outcome == HY_COMMIT_UNKNOWN;
    play->stopped = outcome != HY_COMMITTED;
}

static void play_run(group_play *play, const group_script *script, hy_world *world) {
    if (play->store == NULL) play->stopped = play_open(play, script, world, NULL) != HY_OK;
    while (play->confirmed < GROUPS && !play->stopped) {
        bool more;
        hy_err err = HY_OK;
        play_append(play, script);
        if (play->stopped) break;
        if (play->confirmed % 5 == 2) err = hy_store_checkpoint_slice(play->store, &more, NULL);
        if (play->confirmed % 11 == 3) err = play->store->driver->checkpoint(play->store, NULL);
        if (play->confirmed % 17 == 9) {
            play_close(play);
            err = play_open(play, script, world, NULL);
        }
        play->stopped = err != HY_OK;
    }
}

// Loads a member and says where it stands; it must be a place where it once was.
static uint64_t judge_member(group_play *play, const group_script *script, uint32_t index) {
    hy_why why = { 0 };
    hy_state *state = NULL;
    CHECK(hy_state_new(hy_mem_system(), &vault_machine, NULL, &state, &why) == HY_OK);
    hy_err err = play->store->driver->load(play->store, play->numbers[index], state, &why);
    if (err != HY_OK) kit_fail(why.place, 0, "load: %s: %s", hy_err_name(err), why.text);
    uint64_t seq = hy_state_seq(state);
    teller_mark mark = teller_mark_at(&script->flock.tellers[index], seq);
    CHECK_EQ(hy_state_digest_slow(state), mark.digest);
    CHECK_EQ(hy_state_chain(state), mark.chain);
    hy_state_free(state);
    return seq;
}

static void judge(group_play *play, const group_script *script, hy_world *world) {
    hy_why why = { 0 };
    hy_err err = HY_OK;
    uint64_t seqs[MEMBERS];
    if (play->store == NULL) err = play_open(play, script, world, &why);
    if (err != HY_OK) kit_fail(why.place, 0, "open: %s: %s", hy_err_name(err), why.text);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        seqs[i] = judge_member(play, script, i);
    }
    bool went = play->in_flight && play->confirmed < GROUPS &&
                memcmp(seqs, script->seqs[play->confirmed + 1], sizeof seqs) == 0;
    play->confirmed += went;
    play->in_flight = play->stopped = false;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        CHECK_EQ(seqs[i], script->seqs[play->confirmed][i]);
    }
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_world *open_world(uint64_t at) {
    hy_world *world = NULL;
    CHECK(hy_sim_open(HY_OPTIONS(hy_sim, .seed = kit_seed() * 1000003 + at, .mem = hy_mem_system(),
                                 .event_log_max = 64),
                      &world) == HY_OK);
    return world;
}

// To the end, and what is there is there for the next process.
static void finish(group_play *play, const group_script *script, hy_world *world) {
    judge(play, script, world);
    play_run(play, script, world);
    CHECK_EQ(play->confirmed, GROUPS);
    play_close(play);
    judge(play, script, world);
    play_close(play);
}

// The power goes while an append is under way: nobody was told how it ended.
static bool crash_once(const group_script *script, uint64_t at) {
    HY_CLEANUP(close_world) hy_world *world = open_world(at);
    group_play play = { 0 };
    hy_sim_crash_at(world, at);
    play_run(&play, script, world);
    play_close(&play);
    if (!hy_sim_has_crashed(world)) return false;
    hy_sim_restart(world);
    hy_sim_crash_at(world, 0);
    finish(&play, script, world);
    return true;
}

static hy_err every_crash_leaves_whole_groups(hy_mem *mem) {
    (void)mem;
    group_script script;
    script_make(&script);
    uint64_t at = 1 + kit_seed() % SWEEP_STRIDE;
    while (crash_once(&script, at)) {
        at += SWEEP_STRIDE;
    }
    CHECK(at > 100); // a run that has shrunk to nothing would prove nothing
    script_free(&script);
    return HY_OK;
}

// The process lives on: it loads what an unknown outcome has left, and goes on.
static bool fail_once(const group_script *script, uint64_t at, bool drops, bool full) {
    HY_CLEANUP(close_world) hy_world *world = open_world(at);
    group_play play = { 0 };
    hy_sim_faults faults = { .sync_error_drops = drops };
    *(full ? &faults.full_at : &faults.error_at) = at;
    hy_sim_set_faults(world, &faults);
    play_run(&play, script, world);
    if (hy_sim_disk_calls(world) < at) {
        play_close(&play);
        return false;
    }
    hy_sim_set_faults(world, &(hy_sim_faults){ 0 });
    finish(&play, script, world);
    return true;
}

static hy_err fail_everywhere(bool drops, bool full) {
    group_script script;
    script_make(&script);
    uint64_t points = 0;
    for (uint64_t at = 1 + kit_seed() % SWEEP_STRIDE; fail_once(&script, at, drops, full);
         at += SWEEP_STRIDE) {
        points++;
    }
    CHECK(points > 100 / SWEEP_STRIDE);
    script_free(&script);
    return HY_OK;
}

static hy_err a_failing_call_leaves_whole_groups(hy_mem *mem) {
    (void)mem;
    return fail_everywhere(false, false);
}

static hy_err a_forgetful_sync_leaves_whole_groups(hy_mem *mem) {
    (void)mem;
    return fail_everywhere(true, false);
}

static hy_err a_full_disk_leaves_whole_groups(hy_mem *mem) {
    (void)mem;
    return fail_everywhere(false, true);
}

KIT_TESTS(KIT_TEST_ONCE(every_crash_leaves_whole_groups),
          KIT_TEST_ONCE(a_failing_call_leaves_whole_groups),
          KIT_TEST_ONCE(a_forgetful_sync_leaves_whole_groups),
          KIT_TEST_ONCE(a_full_disk_leaves_whole_groups))
