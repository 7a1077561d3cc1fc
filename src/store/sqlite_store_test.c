// sqlite_store_test.c - the SQLite driver keeps the promises of the port, in a simulated world.
//
// An unknown outcome is a failing sync; whether the commit survives it is the simulated disk's
// affair (sync_error_drops). Small limits make slices and copies of the log happen all the time.
#include "store/store_conformance_suite.h"

#include "kit/kit.h"

static hy_err sqlite_maker_open(void *self, hy_store **out_store, hy_why *why) {
    return hy_store_sqlite_open(self, "vault.db",
                                HY_OPTIONS(hy_store_sqlite, .checkpoint_bytes = 20000,
                                           .slice_bytes = 3000, .wal_bytes = 60000),
                                out_store, why);
}

static void sqlite_maker_faults(void *self, hy_sim_faults faults) {
    hy_sim_set_faults(self, &faults);
}

static void sqlite_maker_unknown_next(void *self, bool kept) {
    sqlite_maker_faults(self,
                        (hy_sim_faults){ .sync_error_ppm = 1000000, .sync_error_drops = !kept });
}

static void sqlite_maker_fill_disk(void *self, bool full) {
    sqlite_maker_faults(self, (hy_sim_faults){ .disk_bytes_max = full ? 1 : 0 });
}

static void sqlite_maker_refuse_next(void *self) {
    sqlite_maker_faults(self, (hy_sim_faults){ .disk_full_ppm = 1000000 });
}

static void sqlite_maker_heal(void *self) {
    sqlite_maker_faults(self, (hy_sim_faults){ 0 });
}

static hy_err with_maker(hy_mem *mem, hy_err (*test)(const store_maker *maker)) {
    hy_world *world = NULL;
    hy_err err = hy_sim_open(HY_OPTIONS(hy_sim, .seed = kit_seed(), .mem = mem), &world);
    if (err != HY_OK) return err;
    store_maker maker = { .open = sqlite_maker_open,
                          .refuse_next = sqlite_maker_refuse_next,
                          .unknown_next = sqlite_maker_unknown_next,
                          .fill_disk = sqlite_maker_fill_disk,
                          .heal = sqlite_maker_heal,
                          .self = world,
                          .mem = mem };
    err = test(&maker);
    hy_world_close(world);
    return err;
}

#define TEST(name)                                                                                 \
    static hy_err name(hy_mem *mem) {                                                              \
        return with_maker(mem, conform_##name);                                                    \
    }
CONFORMANCE(TEST)

#define ENTRY(name) KIT_TEST(name),
KIT_TESTS(CONFORMANCE(ENTRY) KIT_TEST(an_empty_store_gives_an_empty_state))
