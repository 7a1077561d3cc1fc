// vfs_test.c - SQLite on the files of a world, apart from the store.
//
// What the conformance suite and the crash sweep cannot see from above: that a simulated run
// repeats itself to the byte, and that the real world's files can be used in the same way.
#include "store/vfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "store/teller_suite.h"

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err run_sim(uint64_t seed, uint64_t *out_digest) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    hy_store *store = NULL;
    uint32_t number;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .seed = seed), &world));
    CHECK_OK(hy_store_sqlite_open(world, "a.db", NULL, &store, NULL));
    hy_err err = store->driver->attach(store, &vault_machine, &number, NULL);
    hy_store_close(store);
    CHECK_OK(err);
    *out_digest = hy_sim_digest(world);
    return HY_OK;
}

static hy_err equal_seeds_write_equal_bytes(hy_mem *mem) {
    (void)mem;
    uint64_t a, b, c;
    CHECK_OK(run_sim(7, &a));
    CHECK_OK(run_sim(8, &c));
    CHECK_OK(run_sim(7, &b));
    CHECK_EQ(a, b);
    CHECK(a != c);
    return HY_OK;
}

static hy_err the_real_worlds_files_will_do(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(close_world) hy_world *world = NULL;
    char folder[40], path[64], lock[64];
    snprintf(folder, sizeof folder, "%s/hypha-vfs-XXXXXX", P_tmpdir);
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/a.db", folder);
    snprintf(lock, sizeof lock, "%s/a.db-lock", folder);
    CHECK_OK(hy_world_open(NULL, &world));
    for (int round = 0; round < 2; round++) {
        hy_store *store = NULL;
        uint32_t number = 0;
        CHECK_OK(hy_store_sqlite_open(world, path, HY_OPTIONS(hy_store_sqlite, .world_files = true),
                                      &store, NULL));
        hy_err err = store->driver->attach(store, &vault_machine, &number, NULL);
        hy_store_close(store);
        CHECK_OK(err);
        CHECK_EQ(number, 1);
    }
    CHECK_EQ(unlink(path) | unlink(lock) | rmdir(folder), 0); // and nothing else is left
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(equal_seeds_write_equal_bytes),
          KIT_TEST_ONCE(the_real_worlds_files_will_do))
