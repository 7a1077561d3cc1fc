// fiber_test.c - switching, turns, sleeping, and what a fiber keeps of its own.
//
// Most bodies run in both worlds. Instrumented builds get fewer fibers: ThreadSanitizer has room
// for some thousands in a process.
#include "scope/inside.h"
#include "scope/run_suite.h"
#include "scope/sanitize.h"
#include "kit/kit.h"

#include <errno.h>
#include <string.h>

#if HYI_STACK_SCALE > 1
#define MANY 500u
#else
#define MANY 100000u
#endif

static const hy_spawn_options small = { .size = sizeof small, .stack = HY_STACK_16K };

// ---- turns ------------------------------------------------------------------------------------

typedef struct story {
    char text[64];
    size_t len;
} story;

typedef struct teller {
    story *story;
    char letter;
    uint32_t times;
} teller;

static hy_err tell(void *arg) {
    teller *it = (teller *)arg;
    for (uint32_t i = 0; i < it->times; i++) {
        it->story->text[it->story->len++] = it->letter;
        hy_err err = hy_yield();
        if (err) return err;
    }
    return HY_OK;
}

static hy_err tell_together(story *out) {
    teller tellers[3] = { { out, 'a', 3 }, { out, 'b', 3 }, { out, 'c', 3 } };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        for (uint32_t i = 0; i < 3 && !err; i++)
            err = hy_spawn(s, tell, &tellers[i], NULL, NULL);
        if (err) break;
    }
    return err;
}

static hy_err the_real_world_takes_turns(void *unused) {
    (void)unused;
    story out = { 0 };
    CHECK_OK(tell_together(&out));
    CHECK(strcmp(out.text, "abcabcabc") == 0);
    return HY_OK;
}
RUN_REAL(the_real_world_takes_turns)

static hy_err tell_body(void *arg) {
    return tell_together((story *)arg);
}

static hy_err told_by(hy_mem *mem, uint64_t seed, story *out, uint64_t *out_digest) {
    hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = seed), &world));
    *out = (story){ 0 };
    hy_err err = hy_root_run(world, NULL, tell_body, out);
    *out_digest = hy_sim_digest(world);
    hy_world_close(world);
    return err;
}

static hy_err the_seed_decides_who_runs(hy_mem *mem) {
    story first, again, other;
    uint64_t digest, digest_again, digest_other;
    uint32_t orders = 0;
    for (uint64_t seed = kit_seed(); seed < kit_seed() + 8; seed++) {
        CHECK_OK(told_by(mem, seed, &first, &digest));
        CHECK_OK(told_by(mem, seed, &again, &digest_again));
        CHECK_OK(told_by(mem, seed + 100, &other, &digest_other));
        CHECK(strcmp(first.text, again.text) == 0);
        CHECK_EQ(digest, digest_again);
        CHECK(digest != digest_other);
        if (strcmp(first.text, other.text) != 0) orders++;
    }
    CHECK(orders > 0);
    return HY_OK;
}

// ---- what a fiber keeps -----------------------------------------------------------------------

static hy_err keep_errno(void *arg) {
    int mine = *(const int *)arg;
    CHECK_EQ(errno, 0);
    for (int i = 0; i < 10; i++) {
        errno = mine;
        hy_err err = i % 2 ? hy_yield() : hy_sleep(HY_US(mine));
        if (err) return err;
        CHECK_EQ(errno, mine);
    }
    return HY_OK;
}

static hy_err everyone_has_an_errno(void *unused) {
    (void)unused;
    static const int values[] = { 1, 2, 3, 4, 5 };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        for (uint32_t i = 0; i < 5 && !err; i++)
            err = hy_spawn(s, keep_errno, (void *)&values[i], NULL, NULL);
        if (err) break;
    }
    return err;
}
RUN_SIM(everyone_has_an_errno)
RUN_REAL(everyone_has_an_errno)

typedef struct sums {
    double start, sum;
    long double fine;
} sums;

static hy_err add_up(void *arg) {
    sums *it = (sums *)arg;
    double a = it->start, b = a * 2, c = a * 3, d = a * 5, e = a * 7, f = a * 11;
    long double fine = (long double)a / 3;
    for (int i = 0; i < 100; i++) {
        a += 0.5, b += a, c += b, d += c, e += d, f += e;
        fine = fine * 1.5L + (long double)a;
        hy_err err = hy_yield();
        if (err) return err;
    }
    it->sum = a + b + c + d + e + f;
    it->fine = fine;
    return HY_OK;
}

static hy_err numbers_survive_a_switch(void *unused) {
    (void)unused;
    sums alone = { .start = 1 }, all[8];
    CHECK_OK(add_up(&alone));
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        for (uint32_t i = 0; i < 8 && !err; i++) {
            all[i] = (sums){ .start = 1 + i % 2 };
            err = hy_spawn(s, add_up, &all[i], NULL, NULL);
        }
        if (err) break;
    }
    if (err) return err;
    for (uint32_t i = 0; i < 8; i += 2) {
        CHECK(all[i].sum == alone.sum);
        CHECK(all[i].fine == alone.fine);
        CHECK(all[i + 1].sum != alone.sum);
    }
    return HY_OK;
}
RUN_SIM(numbers_survive_a_switch)
RUN_REAL(numbers_survive_a_switch)

// ---- many, and deep ---------------------------------------------------------------------------

static hy_err nap(void *arg) {
    uint32_t *awake = (uint32_t *)arg;
    hy_err err = hy_sleep(HY_MS(1));
    if (err == HY_OK) ++*awake;
    return err;
}

static hy_err a_hundred_thousand_sleep_at_once(void *unused) {
    (void)unused;
    uint32_t awake = 0;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        for (uint32_t i = 0; i < MANY && !err; i++)
            err = hy_spawn(s, nap, &awake, &small, NULL);
        if (err) break;
    }
    CHECK_OK(err);
    CHECK_EQ(awake, MANY);
    hy_scope_stats stats = hy_scope_stats_of(hy_scope_current());
    CHECK(stats.fibers_peak > MANY);
    CHECK_EQ(stats.fibers, 1);
    CHECK(stats.spawned > MANY);
    return HY_OK;
}
RUN_SIM(a_hundred_thousand_sleep_at_once)
RUN_REAL(a_hundred_thousand_sleep_at_once)

static hy_err count_one(void *arg) {
    ++*(uint32_t *)arg;
    return HY_OK;
}

// One after the other, and in bunches: they share stacks.
static hy_err who_ends_leaves_the_stack_to_the_next(void *unused) {
    (void)unused;
    uint32_t count = 0;
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        for (uint32_t i = 0; i < 20000 && !err; i++) {
            err = hy_spawn(s, count_one, &count, i % 3 ? NULL : &small, NULL);
            if (!err && i % 20 == 0) err = hy_yield();
        }
        if (err) break;
    }
    CHECK_OK(err);
    CHECK_EQ(count, 20000);
    size_t slab = 33 * hyi_stacks_class_size(HY_STACK_64K);
    CHECK(hy_scope_stats_of(hy_scope_current()).stack_bytes <= 3 * slab);
    return HY_OK;
}
RUN_REAL(who_ends_leaves_the_stack_to_the_next)

typedef struct dive {
    size_t bytes; // of stack to use
    size_t used;
} dive;

static __attribute__((noinline)) size_t go_down(const volatile char *above, size_t bytes) {
    volatile char here[256];
    here[0] = (char)bytes;
    size_t used = (size_t)(above - here);
    if (used + 1024 > bytes) return hy_yield() == HY_OK ? used : 0;
    used = go_down(above, bytes);
    return used + (size_t)(here[0] & 0);
}

static hy_err go_deep(void *arg) {
    dive *it = (dive *)arg;
    volatile char above[16];
    above[0] = 0;
    it->used = go_down(above, it->bytes);
    return HY_OK;
}

// All but 4 KiB of each class: what is left is enough for the colour, the first frames and a wait.
static hy_err a_stack_is_as_large_as_promised(void *unused) {
    (void)unused;
    dive dives[3];
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        for (uint32_t i = 0; i < 3 && !err; i++) {
            hy_spawn_options options = { .size = sizeof options, .stack = HY_STACK_16K + i };
            dives[i] = (dive){ .bytes = hyi_stacks_class_size(options.stack) - 4096 };
            err = hy_spawn(s, go_deep, &dives[i], &options, NULL);
        }
        if (err) break;
    }
    CHECK_OK(err);
    for (uint32_t i = 0; i < 3; i++)
        CHECK(dives[i].used > 0);
    return HY_OK;
}
RUN_SIM(a_stack_is_as_large_as_promised)
RUN_REAL(a_stack_is_as_large_as_promised)

// ---- time -------------------------------------------------------------------------------------

static hy_err sleeping_takes_as_long_as_it_says(void *unused) {
    (void)unused;
    hy_world *world = hy_scope_world(hy_scope_current());
    hy_ns before = hy_world_now(world);
    CHECK_OK(hy_sleep(HY_MS(3)));
    CHECK(hy_world_now(world) >= before + HY_MS(3));
    CHECK_OK(hy_sleep(0));
    CHECK_OK(hy_sleep(-5));
    CHECK_OK(hy_sleep_until(before));
    hy_err err = HY_OK;
    HY_SCOPE(s, &err, .timeout = HY_MS(2)) {
        CHECK_ERR(hy_sleep(HY_NEVER), HY_TIMEOUT); // the scope's, not the sleep's
        CHECK_ERR(hy_sleep(0), HY_TIMEOUT);
        CHECK_ERR(hy_yield(), HY_TIMEOUT);
    }
    CHECK_ERR(err, HY_TIMEOUT);
    return HY_OK;
}
RUN_SIM(sleeping_takes_as_long_as_it_says)
RUN_REAL(sleeping_takes_as_long_as_it_says)

typedef struct spin {
    hy_world *world;
    hy_ns give_up;
    bool rang;
} spin;

static hy_err spin_until_it_rings(void *arg) {
    spin *it = (spin *)arg;
    while (!it->rang && hy_world_now(it->world) < it->give_up) {
        hy_err err = hy_yield();
        if (err) return err;
    }
    return HY_OK;
}

// Fibers that are always ready still let the world do its work.
static hy_err yielding_for_ever_starves_nobody(void *unused) {
    (void)unused;
    hy_world *world = hy_scope_world(hy_scope_current());
    spin it = { world, hy_world_now(world) + HY_SECONDS(20), false };
    hy_err err = HY_OK;
    HY_SCOPE(s, &err) {
        for (uint32_t i = 0; i < 3 && !err; i++)
            err = hy_spawn(s, spin_until_it_rings, &it, NULL, NULL);
        if (!err) err = hy_sleep(HY_MS(1));
        it.rang = true;
        if (err) break;
    }
    CHECK_OK(err);
    CHECK(hy_world_now(world) < it.give_up);
    return HY_OK;
}
RUN_SIM(yielding_for_ever_starves_nobody)
RUN_REAL(yielding_for_ever_starves_nobody)

// ---- the edges --------------------------------------------------------------------------------

static hy_err run_two_spawns(void *unused) {
    (void)unused;
    uint32_t count = 0;
    hy_err err = HY_OK, last = HY_OK;
    HY_SCOPE(s, &err) {
        for (uint32_t i = 0; i < 2 && !err; i++)
            err = hy_spawn(s, count_one, &count, NULL, NULL);
        if (err) break;
        last = hy_spawn(s, count_one, &count, NULL, NULL);
    }
    CHECK_OK(err);
    CHECK_ERR(last, HY_LIMIT);
    CHECK_EQ(count, 2);
    return HY_OK;
}

static hy_err more_fibers_than_the_root_allows_are_refused(hy_mem *mem) {
    hy_world *world = NULL;
    CHECK_OK(hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed()), &world));
    hy_err err = hy_root_run(world, HY_OPTIONS(hy_root, .fibers_max = 3), run_two_spawns, NULL);
    hy_world_close(world);
    return err;
}

static hy_err run_a_world_inside(void *arg) {
    hy_mem *mem = (hy_mem *)arg;
    const hy_scope *mine = hy_scope_current();
    CHECK_OK(run_in_sim(mem, sleeping_takes_as_long_as_it_says, NULL));
    CHECK(hy_scope_current() == mine);
    CHECK_OK(hy_yield());
    return HY_OK;
}

static hy_err a_fiber_may_run_a_world_of_its_own(hy_mem *mem) {
    hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    hy_err err =
        hy_root_run(world, HY_OPTIONS(hy_root, .stack = HY_STACK_256K), run_a_world_inside, mem);
    hy_world_close(world);
    return err;
}

static void wait_outside(void *unused) {
    (void)unused;
    (void)hy_yield();
}

static hy_err waiting_outside_of_a_fiber_is_a_mistake(hy_mem *mem) {
    (void)mem;
    CHECK(kit_death(wait_outside, NULL));
    CHECK(strstr(kit_last_words(), "outside of a fiber") != NULL);
    return HY_OK;
}

// ---- what a debugger sees (test/house/gdb_fibers)
// ------------------------------------------------

static __attribute__((noinline)) hy_err rest_a_while(void) {
    hy_err err = hy_sleep(HY_MS(5));
    __asm__ volatile("" ::: "memory"); // no jump out of here: this frame is looked for
    return err;
}

static hy_err fetch_posts(void *unused) {
    (void)unused;
    hy_err err = rest_a_while();
    __asm__ volatile("" ::: "memory");
    return err;
}

static __attribute__((noinline)) void look_at_the_fibers(void) {
    __asm__ volatile("" ::: "memory");
}

static hy_err a_debugger_may_look(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    HY_SCOPE(request, &err, .name = "request") {
        hy_spawn_options options = { .size = sizeof options, .name = "fetch" };
        err = hy_spawn(request, fetch_posts, NULL, &options, NULL);
        if (!err) err = hy_yield();
        if (!err) err = hy_spawn(request, fetch_posts, NULL, &small, NULL);
        if (err) break;
        look_at_the_fibers();
    }
    return err;
}
RUN_REAL(a_debugger_may_look)

// ---- measuring stacks -------------------------------------------------------------------------

static hy_err measured_uses_are_kept_by_place(void *unused) {
    (void)unused;
    hy_root *root = hyi_current->root;
    hy_root_measure_stacks(root, true);
    dive deep = { .bytes = 30000 };
    hy_err err = HY_OK;
    uint32_t count = 0;
    HY_SCOPE(s, &err) {
        for (uint32_t i = 0; i < 40 && !err; i++)
            err = hy_spawn(s, count_one, &count, NULL, NULL);
        if (!err) err = hy_spawn(s, go_deep, &deep, NULL, NULL);
        if (err) break;
    }
    CHECK_OK(err);
    hy_root_measure_stacks(root, false);
    hy_stack_use use;
    uint64_t spawns = 0;
    bool found = false;
    for (uint32_t at = 0; hy_stack_use_next(root, &at, &use);) {
        spawns += use.spawns;
        CHECK(strstr(use.place, "fiber_test.c:") != NULL);
        CHECK(use.bytes_peak > 0);
        if (use.spawns > 1) CHECK(use.bytes_peak < 29000u * HYI_STACK_SCALE);
        if (use.spawns > 1) continue;
        found = true;
        CHECK(use.bytes_peak > (hyi_asan_runs() ? 0 : 28000)); // or it went down its fake stack
    }
    if (kit_failed_allocation()) return HY_OK; // a place may be missing then
    CHECK_EQ(spawns, 41);
    CHECK(found);
    return HY_OK;
}
RUN_SIM(measured_uses_are_kept_by_place)
RUN_REAL(measured_uses_are_kept_by_place)

KIT_TESTS(KIT_TEST(real_the_real_world_takes_turns), KIT_TEST_ONCE(the_seed_decides_who_runs),
          KIT_TEST(sim_everyone_has_an_errno), KIT_TEST(real_everyone_has_an_errno),
          KIT_TEST(sim_numbers_survive_a_switch), KIT_TEST_ONCE(real_numbers_survive_a_switch),
          KIT_TEST_ONCE(sim_a_hundred_thousand_sleep_at_once),
          KIT_TEST_ONCE(real_a_hundred_thousand_sleep_at_once),
          KIT_TEST_ONCE(real_who_ends_leaves_the_stack_to_the_next),
          KIT_TEST(sim_a_stack_is_as_large_as_promised),
          KIT_TEST_ONCE(real_a_stack_is_as_large_as_promised),
          KIT_TEST(sim_sleeping_takes_as_long_as_it_says),
          KIT_TEST_ONCE(real_sleeping_takes_as_long_as_it_says),
          KIT_TEST(sim_yielding_for_ever_starves_nobody),
          KIT_TEST_ONCE(real_yielding_for_ever_starves_nobody),
          KIT_TEST(more_fibers_than_the_root_allows_are_refused),
          KIT_TEST(a_fiber_may_run_a_world_of_its_own),
          KIT_TEST_ONCE(waiting_outside_of_a_fiber_is_a_mistake),
          KIT_TEST_ONCE(real_a_debugger_may_look), KIT_TEST(sim_measured_uses_are_kept_by_place),
          KIT_TEST_ONCE(real_measured_uses_are_kept_by_place))
