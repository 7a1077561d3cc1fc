// memory_store_test.c - the memory driver keeps the promises of the port.
//
// It has its own faults for that (hy_store_disk_faults), the same that host tests use.
#include "store/store_conformance_suite.h"

#include "kit/kit.h"

typedef struct memory_fixture {
    hy_mem *mem;
    hy_store_disk *disk;
} memory_fixture;

static hy_err memory_open(void *self, hy_store **out_store, hy_why *why) {
    (void)why;
    memory_fixture *fixture = self;
    return hy_store_memory_open(fixture->mem, fixture->disk, out_store);
}

static void memory_set(void *self, hy_store_disk_faults faults) {
    faults.size = sizeof faults;
    hy_store_disk_set_faults(((memory_fixture *)self)->disk, &faults);
}

static void memory_refuse_next(void *self) {
    memory_set(self, (hy_store_disk_faults){ .refuse_at = 1 });
}

static void memory_unknown_next(void *self, bool kept) {
    memory_set(self, kept ? (hy_store_disk_faults){ .unknown_kept_at = 1 }
                          : (hy_store_disk_faults){ .unknown_lost_at = 1 });
}

static void memory_fill_disk(void *self, bool full) {
    memory_set(self, (hy_store_disk_faults){ .bytes_max = full ? 1 : 0 });
}

static void memory_heal(void *self) {
    memory_set(self, (hy_store_disk_faults){ 0 });
}

static hy_err with_maker(hy_mem *mem, hy_err (*test)(const store_maker *maker)) {
    memory_fixture fixture = { .mem = mem };
    hy_err err = hy_store_disk_new(mem, &fixture.disk);
    if (err != HY_OK) return err;
    store_maker maker = { .open = memory_open,
                          .refuse_next = memory_refuse_next,
                          .unknown_next = memory_unknown_next,
                          .fill_disk = memory_fill_disk,
                          .heal = memory_heal,
                          .self = &fixture,
                          .mem = mem };
    err = test(&maker);
    hy_store_disk_free(fixture.disk);
    return err;
}

#define TEST(name)                                                                                 \
    static hy_err name(hy_mem *mem) {                                                              \
        return with_maker(mem, conform_##name);                                                    \
    }
CONFORMANCE(TEST)

static hy_err a_store_without_a_disk_has_its_own(hy_mem *mem) {
    hy_store *store = NULL;
    uint32_t number = 0;
    CHECK_OK(hy_store_memory_open(mem, NULL, &store));
    hy_err err = store->driver->attach(store, &vault_machine, &number, NULL);
    hy_store_close(store);
    CHECK_OK(err);
    CHECK_EQ(number, 1);
    CHECK(hy_store_close(NULL) == NULL);
    return HY_OK;
}

#define ENTRY(name) KIT_TEST(name),
KIT_TESTS(CONFORMANCE(ENTRY) KIT_TEST(a_store_without_a_disk_has_its_own))
