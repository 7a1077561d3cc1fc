// store_instances_suite.c - what every driver must do with many instances of one machine.
//
// The sentences are listed with the others, in store_conformance_suite.h. The oracle is the same:
// marks that the machine gave in memory, and never anything that a store said.
#include "store/store_conformance_suite.h"

#include <string.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "store/flock_suite.h"

#define FLOCK(name, machine, count)                                                                \
    HY_CLEANUP(flock_deinit) flock name = { 0 };                                                   \
    flock_init(&name, maker, (machine), (count))

// As in store_conformance_suite.c: no memory is passed up, all else must work.
#define MUST(call)                                                                                 \
    do {                                                                                           \
        hy_why must_why = { 0 };                                                                   \
        hy_why *why = &must_why;                                                                   \
        const hy_err must_err = (call);                                                            \
        if (must_err == HY_NOMEM || (must_err != HY_OK && kit_failed_allocation())) {              \
            return HY_NOMEM;                                                                       \
        }                                                                                          \
        if (must_err != HY_OK) {                                                                   \
            kit_fail(__FILE__, __LINE__, "%s: %s at %s: %s", #call, hy_err_name(must_err),         \
                     must_why.place, must_why.text);                                               \
        }                                                                                          \
        (void)why;                                                                                 \
    } while (0)

#define OUTCOME(call, expected)                                                                    \
    do {                                                                                           \
        const hy_commit outcome_got = (call);                                                      \
        if (outcome_got != (expected) && kit_failed_allocation()) return HY_NOMEM;                 \
        CHECK_EQ(outcome_got, (expected));                                                         \
    } while (0)

static void check_seqs(const flock *f, uint64_t seq) {
    for (uint32_t i = 0; i < f->count; i++) {
        CHECK_EQ(hy_state_seq(f->tellers[i].state), seq);
    }
    flock_check(f);
}

hy_err conform_instances_are_apart(const store_maker *maker) {
    FLOCK(f, &vault_machine, 5);
    MUST(flock_open(&f, why));
    check_seqs(&f, 0);
    MUST(flock_run(&f, 2, 7));
    MUST(f.store->driver->checkpoint(f.store, why));
    MUST(flock_run(&f, 1, 3));
    for (int round = 0; round < 2; round++) {
        MUST(flock_reload(&f, why));
        check_seqs(&f, 17);
        flock_close(&f);
        MUST(flock_open(&f, why));
        check_seqs(&f, 17);
    }
    MUST(flock_run(&f, 1, 4));
    check_seqs(&f, 21);
    return HY_OK;
}

hy_err conform_a_group_is_all_or_none(const store_maker *maker) {
    if (maker->refuse_next == NULL) return HY_OK;
    FLOCK(f, &vault_machine, 6);
    MUST(flock_open(&f, why));
    for (uint64_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < f.count; i++) {
            MUST(flock_step(&f, i, 2));
        }
        maker->refuse_next(maker->self); // the first time: nobody is in the store yet
        OUTCOME(flock_commit(&f, NULL), HY_COMMIT_REFUSED);
        maker->heal(maker->self);
        check_seqs(&f, 2 * round);
        MUST(flock_reload(&f, why));
        check_seqs(&f, 2 * round);
        MUST(flock_run(&f, 1, 2));
    }
    return HY_OK;
}

hy_err conform_an_unknown_group_is_known_after_load(const store_maker *maker) {
    if (maker->unknown_next == NULL) return HY_OK;
    for (int kept = 0; kept <= 1; kept++) {
        FLOCK(f, kept ? &vault_other : &vault_machine, 4);
        MUST(flock_open(&f, why));
        uint64_t before = 0;
        for (int round = 0; round < 2; round++) { // before they are in the store, and after
            for (uint32_t i = 0; i < f.count; i++) {
                MUST(flock_step(&f, i, 3));
            }
            maker->unknown_next(maker->self, kept);
            OUTCOME(flock_commit(&f, NULL), HY_COMMIT_UNKNOWN);
            maker->heal(maker->self);
            MUST(flock_reload(&f, why));
            uint64_t seq = hy_state_seq(f.tellers[0].state);
            CHECK(seq == before || seq == before + 3);
            check_seqs(&f, seq); // all of them, or none
            MUST(flock_run(&f, 1, 2));
            before = seq + 2;
        }
        flock_close(&f);
        MUST(flock_open(&f, why));
        check_seqs(&f, before);
    }
    return HY_OK;
}

// ---- keys ---------------------------------------------------------------------------------------

static hy_err instances_list(flock *f, hy_arena *arena, uint32_t *out_count) {
    hy_store_machine at = { 0 };
    uint32_t count = 0;
    for (;; count++) {
        hy_bytes before = at.key;
        hy_err err = hy_store_instance_next(f->store, f->machine_number, before, arena, &at, NULL);
        if (err == HY_END) break;
        if (err != HY_OK) return err;
        CHECK(hy_bytes_compare(before, at.key) < 0);
        CHECK_BYTES(at.key, hy_bytes_of(f->keys[count + 1]));
        CHECK_EQ(at.number, f->tellers[count + 1].number);
        CHECK_EQ(at.last_seq, hy_state_seq(f->tellers[count + 1].state));
        CHECK_EQ(at.first_seq, 1);
        CHECK_EQ(at.described->table_count, f->machine->table_count);
    }
    *out_count = count;
    return HY_OK;
}

hy_err conform_instances_are_listed_by_key(const store_maker *maker) {
    FLOCK(f, &vault_machine, 12);
    MUST(flock_open(&f, why));
    MUST(flock_run(&f, 1, 2));
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, maker->mem, 0);
    uint32_t count = 0;
    MUST(instances_list(&f, &arena, &count));
    CHECK_EQ(count, 11); // the first has no key
    const hy_store_machine *machines;
    size_t machine_count;
    MUST(hy_store_machines(f.store, &arena, &machines, &machine_count, why));
    CHECK_EQ(machine_count, 1);
    CHECK_EQ(machines[0].instance_count, 11);
    CHECK_EQ(machines[0].last_seq, 2);
    hy_store_machine found;
    MUST(hy_store_instance(f.store, f.machine_number, HY_BYTES("k07"), &arena, &found, why));
    CHECK_EQ(found.number, f.tellers[7].number);
    hy_why said = { 0 };
    CHECK_ERR(hy_store_instance(f.store, f.machine_number, HY_BYTES("k7"), &arena, &found, &said),
              HY_NOT_FOUND);
    CHECK(said.text[0] != 0);
    return HY_OK;
}

hy_err conform_who_took_no_step_leaves_nothing(const store_maker *maker) {
    FLOCK(f, &vault_machine, 3);
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, maker->mem, 0);
    hy_store_machine at;
    for (int round = 0; round < 2; round++) {
        MUST(flock_open(&f, why));
        check_seqs(&f, 0);
        CHECK_ERR(
            hy_store_instance_next(f.store, f.machine_number, (hy_bytes){ 0 }, &arena, &at, NULL),
            HY_END);
        flock_close(&f);
    }
    return HY_OK;
}

// Nobody who has a row in the ledger is left out; who has none may be named while the tables are
// behind.
hy_err conform_debtors_are_found(const store_maker *maker) {
    FLOCK(f, &vault_machine, 8);
    MUST(flock_open(&f, why));
    MUST(flock_run(&f, 1, 1));
    for (uint32_t i = 0; i < f.count; i += 3) {
        MUST(flock_step(&f, i, 25));
    }
    OUTCOME(flock_commit(&f, NULL), HY_COMMITTED);
    HY_CLEANUP(hy_buf_deinit) hy_buf key = { 0 };
    hy_buf_init(&key, maker->mem, 0);
    for (int settled = 0; settled <= 1; settled++) {
        const hy_store_driver *driver = f.store->driver;
        if (settled) MUST(driver->checkpoint(f.store, why));
        uint32_t debtors = 0;
        char last[8] = "";
        for (uint32_t i = 1; i < f.count; i++) {
            bool owes = hy_row_count(hy_state_view(f.tellers[i].state), HY_LEDGER) > 0;
            debtors += owes;
            if (!owes && settled) continue;
            hy_buf_clear(&key);
            MUST(driver->owing(f.store, f.machine_number, hy_bytes_of(last), &key, why));
            if (!owes && !hy_bytes_equal(hy_buf_bytes(&key), hy_bytes_of(f.keys[i]))) continue;
            CHECK_BYTES(hy_buf_bytes(&key), hy_bytes_of(f.keys[i]));
            memcpy(last, f.keys[i], sizeof last);
        }
        CHECK(debtors > 0);
    }
    return HY_OK;
}

hy_err conform_a_key_is_short_text(const store_maker *maker) {
    FLOCK(f, &vault_machine, 1);
    MUST(flock_open(&f, why));
    static const uint8_t long_key[HY_INSTANCE_KEY_MAX + 1] = { 'a', [80] = 'a' };
    const struct {
        hy_bytes key;
        hy_err err;
    } cases[] = {
        { { long_key, sizeof long_key }, HY_TOO_LARGE },
        { { long_key, 2 }, HY_MALFORMED },
        { HY_BYTES("\xff"), HY_MALFORMED },
        { HY_BYTES("K\xc3\xb6ln"), HY_OK },
        { HY_BYTES(""), HY_OK },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t number = 0, again = 0;
        const hy_store_driver *driver = f.store->driver;
        hy_err err = driver->instance(f.store, f.machine_number, cases[i].key, &number, NULL);
        if (err == HY_NOMEM) return err;
        CHECK_ERR(err, cases[i].err);
        if (err != HY_OK) continue;
        MUST(driver->instance(f.store, f.machine_number, cases[i].key, &again, why));
        CHECK_EQ(number, again);
        CHECK_EQ(number == f.machine_number, cases[i].key.len == 0);
    }
    return HY_OK;
}

// ---- evolution ----------------------------------------------------------------------------------

hy_err conform_instances_evolve_together(const store_maker *maker) {
    FLOCK(f, &vault_machine, 4);
    MUST(flock_open(&f, why));
    MUST(flock_run(&f, 2, 15));
    MUST(f.store->driver->checkpoint(f.store, why));
    MUST(flock_run(&f, 1, 5));
    uint32_t kept[4] = { 0 };
    for (uint32_t i = 0; i < f.count; i++) {
        hy_cursor cursor = hy_cursor_at(hy_state_view(f.tellers[i].state), VAULT_BOXES, NULL);
        const vault_box *box;
        while ((box = hy_cursor_next(&cursor)) != NULL) {
            kept[i] += box->cents != 0;
        }
    }
    flock_close(&f);
    hy_why said = { 0 };
    f.machine = &vault_failing;
    hy_err err = flock_open(&f, &said);
    CHECK_ERR(err, HY_RANGE);
    flock_close(&f);
    f.machine = &vault_machine; // which finds everything again
    MUST(flock_open(&f, why));
    check_seqs(&f, 35);
    flock_close(&f);
    f.machine = &vault_migrated;
    for (int round = 0; round < 2; round++) {
        MUST(flock_open(&f, why));
        for (uint32_t i = 0; i < f.count; i++) {
            const hy_state *state = f.tellers[i].state;
            CHECK_EQ(hy_state_seq(state), 35);
            CHECK_EQ(hy_row_count(hy_state_view(state), VAULT_BOXES), kept[i]);
            CHECK_EQ(hy_state_digest(state), hy_state_digest_slow(state));
        }
        flock_close(&f);
    }
    return HY_OK;
}

// ---- everything at once -------------------------------------------------------------------------

static hy_err instances_trouble(flock *f, uint64_t dice) {
    const store_maker *maker = f->maker;
    bool more;
    switch (dice % 8) {
    case 0: flock_close(f); return flock_open(f, NULL);
    case 1: return f->store->driver->checkpoint(f->store, NULL);
    case 2: return hy_store_checkpoint_slice(f->store, &more, NULL);
    case 3: return flock_reload(f, NULL);
    case 4:
        if (maker->refuse_next == NULL) return HY_OK;
        maker->refuse_next(maker->self);
        OUTCOME(flock_commit(f, NULL), HY_COMMIT_REFUSED);
        maker->heal(maker->self);
        return HY_OK;
    case 5:
        if (maker->unknown_next == NULL) return HY_OK;
        maker->unknown_next(maker->self, dice >> 8 & 1);
        OUTCOME(flock_commit(f, NULL), HY_COMMIT_UNKNOWN);
        maker->heal(maker->self);
        return flock_reload(f, NULL);
    default: OUTCOME(flock_commit(f, NULL), HY_COMMITTED); return HY_OK;
    }
}

hy_err conform_a_flock_survives_whatever_comes(const store_maker *maker) {
    if (kit_failed_allocation()) return HY_NOMEM;
    FLOCK(f, &vault_machine, FLOCK_MAX);
    MUST(flock_open(&f, why));
    uint64_t dice = kit_seed();
    for (int round = 0; round < 60; round++) {
        uint64_t durable[FLOCK_MAX];
        for (uint32_t i = 0; i < f.count; i++) {
            durable[i] = f.tellers[i].durable_seq;
        }
        MUST(flock_step(&f, (uint32_t)(kit_random(&dice) % f.count), 1)); // never nobody
        for (uint32_t i = 0; i < f.count; i++) {
            if (kit_random(&dice) % 3 == 0) MUST(flock_step(&f, i, 1 + (uint32_t)(dice % 4)));
        }
        MUST(instances_trouble(&f, kit_random(&dice)));
        for (uint32_t i = 0; i < f.count; i++) {
            CHECK(f.tellers[i].durable_seq >= durable[i]);
        }
        flock_check(&f);
    }
    return HY_OK;
}
