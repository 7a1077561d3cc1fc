// sqlite_memory_test.c - SQLite's own allocations fail, one after the other.
//
// The kit's failing memory reaches what the driver allocates; SQLite keeps its own heap, one for
// the process, so this program puts a gate in front of it. A run of the crash script is played with
// the n-th allocation failing, once or from then on; afterwards, with memory again, the store must
// hold what was confirmed. No memory must never be told as a damaged file.
#include <sqlite3.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "store/crash_script_suite.h"

static sqlite3_mem_methods gate_behind;
static uint64_t gate_count, gate_fail_at;
static bool gate_stays, gate_struck;

static bool gate_closed(void) {
    gate_count++;
    bool fails = gate_fail_at != 0 &&
                 (gate_count == gate_fail_at || (gate_stays && gate_count > gate_fail_at));
    gate_struck = gate_struck || fails;
    return fails;
}

static void *gate_malloc(int size) {
    return gate_closed() ? NULL : gate_behind.xMalloc(size);
}

static void *gate_realloc(void *ptr, int size) {
    return gate_closed() ? NULL : gate_behind.xRealloc(ptr, size);
}

static void gate_install(void) {
    static bool installed;
    if (installed) return;
    installed = true;
    CHECK_EQ(sqlite3_shutdown(), SQLITE_OK);
    CHECK_EQ(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &gate_behind), SQLITE_OK);
    sqlite3_mem_methods gate = gate_behind;
    gate.xMalloc = gate_malloc;
    gate.xRealloc = gate_realloc;
    CHECK_EQ(sqlite3_config(SQLITE_CONFIG_MALLOC, &gate), SQLITE_OK);
    CHECK_EQ(sqlite3_initialize(), SQLITE_OK);
}

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

// False: the run is over before that allocation.
static bool starve(const crash_script *script, uint64_t at, bool stays) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK(hy_sim_open(HY_OPTIONS(hy_sim, .seed = at, .mem = hy_mem_system()), &world) == HY_OK);
    crash_play play = { 0 };
    gate_count = 0, gate_fail_at = at, gate_stays = stays, gate_struck = false;
    crash_play_run(&play, script, world);
    gate_fail_at = 0;
    bool struck = gate_struck;
    if (play.stopped) CHECK_EQ(play.why.code, HY_NOMEM);
    crash_play_judge(&play, script, world);
    crash_play_close(&play);
    return struck;
}

static hy_err starve_everywhere(bool stays) {
    crash_script script;
    gate_install();
    crash_script_make(&script, 150, 0);
    uint64_t points = 0;
    // Every one of the first, which open and attach; then an even sample.
    for (uint64_t at = 1; starve(&script, at, stays); at += at < 500 ? 1 : 1 + at / 61) {
        points++;
    }
    CHECK(points > 500);
    crash_script_free(&script);
    return HY_OK;
}

static hy_err one_failing_allocation_is_survived(hy_mem *mem) {
    (void)mem;
    return starve_everywhere(false);
}

static hy_err failing_allocations_are_survived(hy_mem *mem) {
    (void)mem;
    return starve_everywhere(true);
}

KIT_TESTS(KIT_TEST_ONCE(one_failing_allocation_is_survived),
          KIT_TEST_ONCE(failing_allocations_are_survived))
