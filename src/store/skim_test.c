// skim_test.c - skimming finds what decoding finds, and keeps the last change of each row.
//
// The oracle is hy_entry_decode with hy_wire_decode; the entries are those of a vault's run.
#include "store/skim.h"

#include <string.h>

#include "base/cleanup.h"
#include "kit/kit.h"
#include "store/latest.h"
#include "store/teller_suite.h"

static hy_err memory_open(void *self, hy_store **out_store, hy_why *why) {
    (void)why;
    return hy_store_memory_open(kit_heap(), self, out_store);
}

// The body of one batch of `count` entries, which stays while the disk does.
static hy_batch make_entries(hy_store_disk *disk, uint32_t count) {
    store_maker maker = { .open = memory_open, .self = disk, .mem = kit_heap() };
    teller t;
    teller_init(&t, &maker, &vault_machine, kit_seed());
    CHECK(teller_open(&t, NULL) == HY_OK && teller_run(&t, 1, count) == HY_OK);
    hy_journal_cursor *cursor = NULL;
    hy_batch batch;
    CHECK(t.store->driver->journal_open(t.store, 1, 1, &cursor, NULL) == HY_OK);
    CHECK(t.store->driver->journal_next(cursor, &batch, NULL) == HY_OK);
    t.store->driver->journal_close(cursor);
    teller_deinit(&t);
    return batch;
}

static hy_err compare_entry(hy_bytes bytes, hy_arena *arena) {
    hyi_skim skim;
    hy_entry entry;
    hyi_skim_row row;
    CHECK_OK(hy_entry_decode(bytes, arena, &entry, NULL));
    CHECK_OK(hyi_skim_entry(bytes, &skim, NULL));
    CHECK_EQ(skim.seq, entry.seq);
    CHECK_EQ(skim.digest, entry.digest);
    CHECK_EQ(skim.chain, entry.chain);
    hy_bytes rest = skim.changes;
    for (size_t i = 0; i < entry.changes.len; i++) {
        CHECK_OK(hyi_skim_change(&rest, &row, NULL));
        CHECK_EQ(row.table, entry.changes.ptr[i].table);
        CHECK_EQ(row.gone, entry.changes.ptr[i].gone);
        CHECK_BYTES(row.row, entry.changes.ptr[i].row);
    }
    CHECK_ERR(hyi_skim_change(&rest, &row, NULL), HY_END);
    return HY_OK;
}

static hy_err skimming_finds_what_decoding_finds(hy_mem *mem) {
    hy_store_disk *disk = NULL;
    CHECK(hy_store_disk_new(kit_heap(), &disk) == HY_OK);
    hy_bytes rest = make_entries(disk, 60).body, entry;
    hy_arena arena;
    hy_arena_init(&arena, mem, 0);
    hy_err err = HY_OK;
    while (err == HY_OK && hy_frame_next(&rest, &entry, NULL) == HY_OK) {
        hy_arena_reset(&arena);
        err = compare_entry(entry, &arena);
    }
    hy_arena_deinit(&arena);
    hy_store_disk_free(disk);
    return err;
}

static hy_err every_cut_entry_is_refused_or_whole(hy_mem *mem) {
    (void)mem;
    hy_store_disk *disk = NULL;
    CHECK(hy_store_disk_new(kit_heap(), &disk) == HY_OK);
    hy_bytes rest = make_entries(disk, 8).body, entry;
    while (hy_frame_next(&rest, &entry, NULL) == HY_OK) {
        for (size_t len = 0; len < entry.len; len++) {
            hy_bytes cut = kit_guard_copy((hy_bytes){ entry.ptr, len });
            hyi_skim skim;
            hyi_skim_row row;
            hy_err err = hyi_skim_entry(cut, &skim, NULL);
            CHECK(err == HY_OK || err == HY_CORRUPT);
            while (err == HY_OK) {
                err = hyi_skim_change(&skim.changes, &row, NULL);
            }
            kit_guard_free(cut);
        }
    }
    hy_store_disk_free(disk);
    return HY_OK;
}

// ---- the last change of each row ----------------------------------------------------------------

static hy_bytes encode_move(hy_arena *arena, uint64_t box, uint32_t nth, int64_t cents) {
    hy_buf wire;
    bool ok = false;
    hy_buf_init(&wire, kit_heap(), 0);
    CHECK(hy_wire_encode(&vault_move_record, &(vault_move){ box, nth, cents }, &wire) == HY_OK);
    hy_bytes copy = hy_arena_copy(arena, hy_buf_bytes(&wire), &ok);
    CHECK(ok);
    hy_buf_deinit(&wire);
    return copy;
}

static hy_err the_last_change_of_a_row_stays(hy_mem *mem) {
    const hy_table *tables[HY_TABLE_NUMBERS] = { 0 };
    tables[VAULT_MOVES] = hy_machine_table(&vault_machine, VAULT_MOVES);
    HY_CLEANUP(hyi_latest_deinit) hyi_latest latest;
    HY_CLEANUP(hy_arena_deinit) hy_arena arena;
    hyi_latest_init(&latest, mem, tables);
    hy_arena_init(&arena, kit_heap(), 0);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 3000; i++) { // 600 keys, five times each; keys of zero too
            uint64_t key = i % 600;
            hyi_skim_row row = { .table = VAULT_MOVES, .gone = i >= 2400 && key % 3 == 0 };
            row.row = encode_move(&arena, key % 30, (uint32_t)(key / 30), (int64_t)i + 1);
            CHECK_OK(hyi_latest_put(&latest, &row, NULL));
        }
        CHECK_EQ(latest.count, 600);
        for (uint32_t i = 0; i < latest.count; i++) {
            vault_move move;
            CHECK_OK(hy_wire_decode(&vault_move_record, latest.rows[i].row, &arena, &move, NULL));
            uint64_t key = move.box + 30 * (uint64_t)move.nth;
            CHECK_EQ(key, i);
            CHECK_EQ(move.cents, (int64_t)key + 2401);
            CHECK_EQ(latest.rows[i].gone, key % 3 == 0);
        }
        hyi_latest_clear(&latest);
        CHECK_EQ(latest.count, 0);
    }
    hyi_skim_row unknown = { .table = 5 };
    CHECK_ERR(hyi_latest_put(&latest, &unknown, NULL), HY_CORRUPT);
    unknown.table = 12345;
    CHECK_ERR(hyi_latest_put(&latest, &unknown, NULL), HY_CORRUPT);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(skimming_finds_what_decoding_finds),
          KIT_TEST_ONCE(every_cut_entry_is_refused_or_whole),
          KIT_TEST(the_last_change_of_a_row_stays))
