// sqlite_damage_test.c - bits that flip, in the file and in the write-ahead log, and torn ends.
//
// What is demanded of a flipped bit: the store is refused, or what is loaded is exactly a state
// that once was - and for the file, which was closed cleanly, the last one. Never a third state,
// never a crash of the program. Page by page and bit by bit; which bits of a page are tried depends
// on the seed.
#include <string.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "store/crash_script_suite.h"

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_world *open_world(void) {
    hy_world *world = NULL;
    CHECK(hy_sim_open(HY_OPTIONS(hy_sim, .seed = kit_seed(), .mem = hy_mem_system()), &world) ==
          HY_OK);
    return world;
}

static uint64_t file_size(hy_world *world, const char *path) {
    hy_file *file = NULL;
    uint64_t size = 0;
    CHECK(hy_file_open(world, path, HY_FILE_READ, &file, NULL) == HY_OK);
    CHECK(hy_file_size(file, &size) == HY_OK);
    hy_file_close(file);
    return size;
}

// The files as they are, kept so that every flip begins with them.
typedef struct file_copy {
    uint8_t *ptr;
    uint64_t size;
} file_copy;

static file_copy copy_take(hy_world *world, const char *path) {
    hy_file *file = NULL;
    size_t got = 0;
    file_copy copy = { 0 };
    if (!hy_file_exists(world, path)) return copy;
    copy.size = file_size(world, path);
    copy.ptr = hy_mem_alloc(hy_mem_system(), copy.size + 1);
    CHECK(copy.ptr != NULL && hy_file_open(world, path, HY_FILE_READ, &file, NULL) == HY_OK);
    CHECK(hy_file_read(file, 0, copy.ptr, copy.size, &got) == HY_OK && got == copy.size);
    hy_file_close(file);
    return copy;
}

static void copy_free(file_copy *copy) {
    hy_mem_free(hy_mem_system(), copy->ptr, copy->ptr == NULL ? 0 : copy->size + 1);
}

static void copy_put(hy_world *world, const char *path, file_copy copy) {
    hy_file *file = NULL;
    if (copy.ptr == NULL) {
        hy_err gone = hy_file_remove(world, path, true, NULL);
        CHECK(gone == HY_OK || gone == HY_NOT_FOUND);
        return;
    }
    CHECK(hy_file_open(world, path, HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL) == HY_OK);
    CHECK(hy_file_truncate(file, copy.size) == HY_OK);
    CHECK(hy_file_write(file, 0, (hy_bytes){ copy.ptr, copy.size }) == HY_OK);
    CHECK(hy_file_sync(file) == HY_OK);
    hy_file_close(file);
}

typedef struct verdict {
    hy_err err;
    uint64_t seq; // when it could be loaded
} verdict;

// Opens and loads; what is loaded must be a state that once was.
static verdict judge(const crash_script *script, hy_world *world) {
    hy_store *store = NULL;
    hy_state *state = NULL;
    uint32_t number = 0;
    hy_why why = { 0 };
    verdict v = { .err = hy_store_sqlite_open(world, "vault.db", NULL, &store, &why) };
    if (v.err == HY_OK) v.err = store->driver->attach(store, &vault_machine, &number, &why);
    if (v.err == HY_OK) v.err = hy_state_new(hy_mem_system(), &vault_machine, NULL, &state, &why);
    if (v.err == HY_OK) v.err = store->driver->load(store, number, state, &why);
    if (v.err == HY_OK) {
        v.seq = hy_state_seq(state);
        CHECK_EQ(hy_state_digest_slow(state), teller_mark_at(&script->maker_teller, v.seq).digest);
    } else {
        CHECK(why.text[0] != 0 && why.place[0] != 0);
    }
    hy_state_free(state);
    hy_store_close(store);
    return v;
}

static void play(const crash_script *script, hy_world *world) {
    crash_play p = { 0 };
    crash_play_run(&p, script, world);
    CHECK(!p.stopped);
    crash_play_close(&p);
}

static hy_err a_flipped_bit_in_the_file_is_refused(hy_mem *mem) {
    (void)mem;
    crash_script script;
    crash_script_make(&script, 120, 20);
    HY_CLEANUP(close_world) hy_world *world = open_world();
    play(&script, world);
    uint64_t last = script.batches[script.batch_count - 1].last_seq;
    file_copy whole = copy_take(world, "vault.db");
    uint64_t dice = kit_seed(), refused = 0, harmless = 0;
    for (uint64_t at = 0; at < whole.size; at += 23) {
        copy_put(world, "vault.db", whole);
        copy_put(world, "vault.db-wal", (file_copy){ 0 });
        hy_sim_flip_bit(world, "vault.db", 8 * at + kit_random(&dice) % 8);
        verdict v = judge(&script, world);
        if (v.err == HY_OK) CHECK_EQ(v.seq, last);
        v.err == HY_OK ? harmless++ : refused++;
    }
    // Harmless is what no query reads: free space, the history before the checkpoint.
    CHECK(refused > 300);
    CHECK(harmless > 0);
    copy_free(&whole);
    crash_script_free(&script);
    return HY_OK;
}

// A run that ends with the plug pulled leaves a log with all its commits.
static void play_and_pull(const crash_script *script, hy_world *world) {
    hy_store *store = NULL;
    uint32_t number = 0;
    CHECK(hy_store_sqlite_open(world, "vault.db", NULL, &store, NULL) == HY_OK);
    CHECK(store->driver->attach(store, &vault_machine, &number, NULL) == HY_OK);
    for (uint32_t i = 0; i < script->batch_count; i++) {
        hy_batch batch = script->batches[i];
        batch.machine = number;
        CHECK(store->driver->append(store, &batch, 1, NULL) == HY_COMMITTED);
    }
    hy_sim_restart(world);
    hy_store_close(store);
}

static hy_err a_flipped_bit_in_the_log_is_refused(hy_mem *mem) {
    (void)mem;
    crash_script script;
    crash_script_make(&script, 120, 20);
    HY_CLEANUP(close_world) hy_world *world = open_world();
    play_and_pull(&script, world);
    file_copy file = copy_take(world, "vault.db"), log = copy_take(world, "vault.db-wal");
    uint64_t last = script.batches[script.batch_count - 1].last_seq;
    uint64_t before = script.batches[script.batch_count - 2].last_seq;
    uint64_t dice = kit_seed(), refused = 0, cut = 0;
    for (uint64_t at = 0; at < log.size; at += 61) {
        copy_put(world, "vault.db", file);
        copy_put(world, "vault.db-wal", log);
        hy_sim_flip_bit(world, "vault.db-wal", 8 * at + kit_random(&dice) % 8);
        verdict v = judge(&script, world);
        if (v.err != HY_OK) {
            CHECK_EQ(v.err, HY_CORRUPT);
            refused++;
        } else {
            // The end of a log can be rotten or torn, and looks the same: only the last commit is
            // cut.
            CHECK(v.seq == last || v.seq == before);
            cut += v.seq == before;
        }
    }
    CHECK(refused > 2 * cut);
    CHECK(cut > 0);
    copy_free(&file);
    copy_free(&log);
    crash_script_free(&script);
    return HY_OK;
}

static hy_err a_torn_end_is_cut_and_told(hy_mem *mem) {
    (void)mem;
    crash_script script;
    crash_script_make(&script, 60, 20);
    HY_CLEANUP(close_world) hy_world *world = open_world();
    play_and_pull(&script, world);
    file_copy file = copy_take(world, "vault.db"), log = copy_take(world, "vault.db-wal");
    uint64_t told = 0;
    for (uint64_t less = 1; less < 9000; less += 397) {
        file_copy shorter = { log.ptr, log.size - less };
        copy_put(world, "vault.db", file);
        copy_put(world, "vault.db-wal", shorter);
        hy_store *store = NULL;
        CHECK(hy_store_sqlite_open(world, "vault.db", NULL, &store, NULL) == HY_OK);
        hy_store_recovery recovery = hy_store_recovered(store);
        CHECK(recovery.pages > 0);
        CHECK(recovery.cut_bytes < less + 2 * 4120);
        told += recovery.cut_bytes > 0;
        hy_store_close(store);
        verdict v = judge(&script, world);
        CHECK_EQ(v.err, HY_OK);
        CHECK(v.seq < 60);
    }
    CHECK(told > 0);
    copy_free(&file);
    copy_free(&log);
    crash_script_free(&script);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(a_flipped_bit_in_the_file_is_refused),
          KIT_TEST_ONCE(a_flipped_bit_in_the_log_is_refused),
          KIT_TEST_ONCE(a_torn_end_is_cut_and_told))
