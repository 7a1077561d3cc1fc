// sim_disk_test.c - what the simulated disk may leave behind, and that it does leave all of it.
//
// The sweep runs one small program and crashes it at every call that changes something, under many
// seeds. After each restart the image must be one that real hardware could have left. The other
// half is as important: over the sweep every kind of damage must have been seen, or the tests of
// the store, which stand on this disk, would prove less than they claim.
#include "kit/kit.h"
#include "base/cleanup.h"

#include <hypha/world.h>

#include <string.h>

#define SECTOR 512u
#define RECORD (4 * SECTOR)
#define SEEDS 200u

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static void close_file(hy_file **file) {
    hy_file_close(*file);
    *file = NULL;
}

static hy_err open_world(hy_mem *mem, uint64_t seed, hy_world **out_world) {
    return hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = seed), out_world);
}

static hy_bytes filled(uint8_t *record, uint8_t byte) {
    memset(record, byte, RECORD);
    return (hy_bytes){ record, RECORD };
}

// ---- the sweep ----------------------------------------------------------------------------------

// How far the program got: what it was told is durable.
typedef struct progress {
    bool created, first, second, removed;
} progress;

// Writes record A and syncs it; writes B over it and C behind it; syncs; removes the file.
static hy_err write_and_sync(hy_world *world, progress *p) {
    HY_CLEANUP(close_file) hy_file *file = NULL;
    uint8_t record[RECORD];
    hy_err err = hy_file_open(world, "a", HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL);
    if (err) return err;
    if ((err = hy_file_write(file, 0, filled(record, 'A')))) return err;
    if ((err = hy_file_sync(file))) return err;
    p->created = p->first = true;
    if ((err = hy_file_write(file, 0, filled(record, 'B')))) return err;
    if ((err = hy_file_write(file, RECORD, filled(record, 'C')))) return err;
    if ((err = hy_file_sync(file))) return err;
    p->second = true;
    if ((err = hy_file_truncate(file, RECORD))) return err;
    if ((err = hy_file_remove(world, "a", true, NULL))) return err;
    p->removed = true;
    return HY_OK;
}

typedef struct seen {
    bool no_file, empty, all_a, all_b, torn, reordered, zeros, kept_c, lost_c;
} seen;

static void check_sector(const uint8_t *sector, char *out_letter) {
    for (size_t i = 1; i < SECTOR; i++)
        CHECK_EQ(sector[i], sector[0]); // a sector is never torn
    *out_letter = sector[0] == 0 ? '0' : (char)sector[0];
}

// The file is there: every sector is one of the versions that it went through.
static void check_image(const uint8_t *bytes, size_t len, const progress *p, seen *s) {
    char letters[2 * RECORD / SECTOR + 1] = { 0 };
    CHECK_EQ(len % SECTOR, 0);
    CHECK(len <= 2 * RECORD);
    for (size_t i = 0; i < len / SECTOR; i++) {
        check_sector(bytes + i * SECTOR, &letters[i]);
        const char *legal = i < RECORD / SECTOR ? (p->second  ? "B"
                                                   : p->first ? "AB"
                                                              : "0A")
                                                : (p->second ? "C" : "0C");
        CHECK(strchr(legal, letters[i]) != NULL);
    }
    if (p->first) CHECK(len >= RECORD);
    s->all_a |= strcmp(letters, "AAAA") == 0;
    s->all_b |= strncmp(letters, "BBBB", 4) == 0;
    s->torn |= strncmp(letters, "BA", 2) == 0;
    s->reordered |= strncmp(letters, "AB", 2) == 0 || strncmp(letters, "AAAAC", 5) == 0;
    s->zeros |= strchr(letters, '0') != NULL;
    s->kept_c |= p->second && len == 2 * RECORD;
    s->lost_c |= p->second && len == RECORD;
    s->empty |= len == 0;
}

static hy_err check_after_restart(hy_world *world, const progress *p, seen *s) {
    HY_CLEANUP(close_file) hy_file *file = NULL;
    if (p->removed) CHECK(!hy_file_exists(world, "a"));
    hy_err err = hy_file_open(world, "a", HY_FILE_READ, &file, NULL);
    if (err == HY_NOT_FOUND) {
        CHECK(HY_IMPLIES(p->created, p->second)); // only the remove may take it away
        s->no_file = true;
        return HY_OK;
    }
    CHECK_OK(err);
    uint8_t bytes[2 * RECORD + 1];
    size_t len = 0;
    CHECK_OK(hy_file_read(file, 0, bytes, sizeof bytes, &len));
    check_image(bytes, len, p, s);
    return HY_OK;
}

// Gives in *out_finished whether the program ended before the crash point.
static hy_err crash_once(hy_mem *mem, uint64_t seed, uint64_t at, seen *s, bool *out_finished) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_world(mem, seed, &world));
    hy_sim_crash_at(world, at);
    progress p = { 0 };
    hy_err err = write_and_sync(world, &p);
    *out_finished = !hy_sim_has_crashed(world);
    CHECK_ERR(err, *out_finished ? HY_OK : HY_IO);
    if (*out_finished) return HY_OK;
    CHECK(!hy_file_exists(world, "a")); // the machine is down
    CHECK(!hy_world_turn(world));
    hy_sim_restart(world);
    CHECK(!hy_sim_has_crashed(world));
    return check_after_restart(world, &p, s);
}

static hy_err every_crash_leaves_a_legal_image(hy_mem *mem) {
    seen s = { 0 };
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        bool finished = false;
        uint64_t at = 1;
        for (; !finished; at++)
            CHECK_OK(crash_once(mem, kit_seed() * 1000 + seed, at, &s, &finished));
        CHECK_EQ(at - 2, 8); // create, write, sync, write, write, sync, truncate, remove
    }
    CHECK(s.no_file);
    CHECK(s.empty);
    CHECK(s.all_a);
    CHECK(s.all_b);
    CHECK(s.torn);
    CHECK(s.reordered);
    CHECK(s.zeros);
    CHECK(s.kept_c);
    CHECK(s.lost_c);
    return HY_OK;
}

static hy_err a_crash_survives_failing_memory(hy_mem *mem) {
    seen s = { 0 };
    bool finished = false;
    for (uint64_t at = 1; !finished; at++)
        CHECK_OK(crash_once(mem, kit_seed(), at, &s, &finished));
    return HY_OK;
}

// Two unsynced writes to one sector, the first to its first byte, the second to its second.
static hy_err a_sector_never_skips_a_version(hy_mem *mem) {
    uint32_t none = 0, first = 0, both = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        HY_CLEANUP(close_world) hy_world *world = NULL;
        HY_CLEANUP(close_file) hy_file *file = NULL;
        CHECK_OK(open_world(mem, seed, &world));
        CHECK_OK(hy_file_open(world, "a", HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL));
        CHECK_OK(hy_file_write(file, 0, HY_BYTES("..")));
        CHECK_OK(hy_file_sync(file));
        CHECK_OK(hy_file_write(file, 0, HY_BYTES("1")));
        CHECK_OK(hy_file_write(file, 1, HY_BYTES("2")));
        close_file(&file); // closing does not sync
        hy_sim_restart(world);
        CHECK_OK(hy_file_open(world, "a", HY_FILE_READ, &file, NULL));
        uint8_t bytes[2];
        size_t len = 0;
        CHECK_OK(hy_file_read(file, 0, bytes, sizeof bytes, &len));
        CHECK_EQ(len, 2);
        CHECK(memcmp(bytes, ".2", 2) != 0);
        none += memcmp(bytes, "..", 2) == 0;
        first += memcmp(bytes, "1.", 2) == 0;
        both += memcmp(bytes, "12", 2) == 0;
    }
    CHECK_EQ(none + first + both, 60);
    CHECK(none > 0);
    CHECK(first > 0);
    CHECK(both > 0);
    return HY_OK;
}

// ---- names --------------------------------------------------------------------------------------

static hy_err an_unsynced_remove_may_come_back(hy_mem *mem) {
    uint32_t back = 0, gone = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        HY_CLEANUP(close_world) hy_world *world = NULL;
        HY_CLEANUP(close_file) hy_file *file = NULL;
        CHECK_OK(open_world(mem, seed, &world));
        CHECK_OK(hy_file_open(world, "a", HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL));
        CHECK_OK(hy_file_write(file, 0, HY_BYTES("kept")));
        CHECK_OK(hy_file_sync(file));
        CHECK_OK(hy_file_remove(world, "a", false, NULL));
        hy_sim_restart(world);
        CHECK_ERR(hy_file_write(file, 0, HY_BYTES("x")), HY_IO); // handles do not survive
        if (!hy_file_exists(world, "a")) {
            gone++;
            continue;
        }
        back++;
        close_file(&file);
        CHECK_OK(hy_file_open(world, "a", HY_FILE_READ, &file, NULL));
        uint8_t bytes[8];
        size_t len = 0;
        CHECK_OK(hy_file_read(file, 0, bytes, sizeof bytes, &len));
        CHECK_TEXT(((hy_bytes){ bytes, len }), "kept");
    }
    CHECK(back > 0);
    CHECK(gone > 0);
    return HY_OK;
}

static hy_err a_replaced_file_is_the_old_or_the_new_one(hy_mem *mem) {
    uint32_t counts[128] = { 0 };
    for (uint64_t seed = 0; seed < 50; seed++) {
        HY_CLEANUP(close_world) hy_world *world = NULL;
        CHECK_OK(open_world(mem, seed, &world));
        for (uint8_t letter = 'a'; letter <= 'c'; letter++) {
            HY_CLEANUP(close_file) hy_file *file = NULL;
            if (letter > 'a') CHECK_OK(hy_file_remove(world, "f", false, NULL));
            CHECK_OK(hy_file_open(world, "f", HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL));
            CHECK_OK(hy_file_write(file, 0, (hy_bytes){ &letter, 1 }));
            if (letter < 'c') CHECK_OK(hy_file_sync(file));
        }
        hy_sim_restart(world);
        HY_CLEANUP(close_file) hy_file *file = NULL;
        uint8_t letter = '-';
        size_t len = 0;
        hy_err err = hy_file_open(world, "f", HY_FILE_READ, &file, NULL);
        if (err == HY_OK) CHECK_OK(hy_file_read(file, 0, &letter, 1, &len));
        if (err == HY_OK && len == 0) letter = '0'; // the name of c, without its byte
        CHECK(letter != 'a');                       // the sync of b made the removal of a durable
        counts[letter]++;
    }
    CHECK(counts['b'] > 0);
    CHECK(counts['-'] > 0);
    CHECK(counts['0'] > 0);
    CHECK(counts['c'] > 0);
    return HY_OK;
}

// ---- faults -------------------------------------------------------------------------------------

static hy_err faults_strike_as_often_as_asked(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    HY_CLEANUP(close_file) hy_file *file = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    CHECK_OK(hy_file_open(world, "a", HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL));
    hy_sim_faults faults = { .write_error_ppm = 250000, .read_error_ppm = 1000000 };
    hy_sim_set_faults(world, &faults);
    uint8_t record[RECORD];
    uint32_t failed = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        hy_err err = hy_file_write(file, 0, filled(record, (uint8_t)i));
        if (err == HY_NOMEM) return err;
        if (err) CHECK_EQ(err, HY_IO);
        failed += err != HY_OK;
    }
    CHECK(failed > 150);
    CHECK(failed < 350);
    size_t len = 0;
    CHECK_ERR(hy_file_read(file, 0, record, RECORD, &len), HY_IO);
    hy_sim_set_faults(world, &(hy_sim_faults){ .dead_disk = true });
    CHECK_ERR(hy_file_sync(file), HY_IO);
    uint64_t size = 0;
    CHECK_ERR(hy_file_size(file, &size), HY_IO);
    return HY_OK;
}

static hy_err a_full_disk_refuses_to_grow(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    HY_CLEANUP(close_file) hy_file *file = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    CHECK_OK(hy_file_open(world, "a", HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL));
    hy_sim_set_faults(world, &(hy_sim_faults){ .disk_bytes_max = RECORD + SECTOR });
    uint8_t record[RECORD];
    CHECK_OK(hy_file_write(file, 0, filled(record, 'A')));
    CHECK_ERR(hy_file_write(file, RECORD, filled(record, 'B')), HY_DISK_FULL);
    uint64_t size = 0;
    CHECK_OK(hy_file_size(file, &size));
    CHECK(size <= RECORD + SECTOR);
    CHECK_OK(hy_file_write(file, 0, filled(record, 'C'))); // in place still works
    CHECK_OK(hy_file_truncate(file, 0));
    CHECK_OK(hy_file_write(file, 0, filled(record, 'D'))); // and so does room made free
    return HY_OK;
}

static hy_err one_call_fails_when_asked(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    HY_CLEANUP(close_file) hy_file *file = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    CHECK_OK(hy_file_open(world, "a", HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL));
    uint64_t calls = hy_sim_disk_calls(world);
    hy_sim_set_faults(world, &(hy_sim_faults){ .error_at = calls + 2, .full_at = calls + 3 });
    uint8_t record[RECORD];
    CHECK_OK(hy_file_write(file, 0, filled(record, 'A')));
    CHECK_ERR(hy_file_sync(file), HY_IO);
    CHECK_ERR(hy_file_write(file, RECORD, filled(record, 'B')), HY_DISK_FULL);
    uint64_t size = 0;
    CHECK_OK(hy_file_size(file, &size));
    CHECK(size < 2 * RECORD);
    CHECK_OK(hy_file_write(file, RECORD, filled(record, 'B')));
    CHECK_OK(hy_file_sync(file));
    return HY_OK;
}

static hy_err a_failed_sync_may_forget(hy_mem *mem) {
    uint32_t lost = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        HY_CLEANUP(close_world) hy_world *world = NULL;
        HY_CLEANUP(close_file) hy_file *file = NULL;
        uint8_t record[RECORD], got[RECORD];
        size_t len = 0;
        CHECK_OK(open_world(mem, seed, &world));
        CHECK_OK(hy_file_open(world, "a", HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL));
        CHECK_OK(hy_file_sync(file));
        CHECK_OK(hy_file_write(file, 0, filled(record, 'A')));
        hy_sim_set_faults(world,
                          &(hy_sim_faults){ .sync_error_ppm = 1000000, .sync_error_drops = true });
        CHECK_ERR(hy_file_sync(file), HY_IO);
        hy_sim_set_faults(world, &(hy_sim_faults){ 0 });
        CHECK_OK(hy_file_sync(file)); // as on Linux: the second one knows of nothing to do
        CHECK_OK(hy_file_read(file, 0, got, sizeof got, &len));
        CHECK_BYTES(((hy_bytes){ got, len }), ((hy_bytes){ record, RECORD }));
        close_file(&file);
        hy_sim_restart(world);
        CHECK_OK(hy_file_open(world, "a", HY_FILE_READ, &file, NULL));
        uint64_t size = 0;
        CHECK_OK(hy_file_size(file, &size));
        lost += size == 0;
    }
    CHECK(lost > 0);
    CHECK(lost < 30);
    return HY_OK;
}

static hy_err bit_rot_stays(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    HY_CLEANUP(close_file) hy_file *file = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    CHECK_OK(hy_file_open(world, "a", HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL));
    CHECK_OK(hy_file_write(file, 0, HY_BYTES("AAAA")));
    CHECK_OK(hy_file_sync(file));
    hy_sim_flip_bit(world, "a", 8 + 1);
    close_file(&file);
    hy_sim_restart(world);
    CHECK_OK(hy_file_open(world, "a", HY_FILE_READ, &file, NULL));
    uint8_t got[4];
    size_t len = 0;
    CHECK_OK(hy_file_read(file, 0, got, sizeof got, &len));
    CHECK_TEXT(((hy_bytes){ got, len }), "ACAA");
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(every_crash_leaves_a_legal_image),
          KIT_TEST(a_crash_survives_failing_memory), KIT_TEST_ONCE(a_sector_never_skips_a_version),
          KIT_TEST_ONCE(an_unsynced_remove_may_come_back),
          KIT_TEST_ONCE(a_replaced_file_is_the_old_or_the_new_one),
          KIT_TEST_ONCE(faults_strike_as_often_as_asked), KIT_TEST(a_full_disk_refuses_to_grow),
          KIT_TEST(one_call_fails_when_asked), KIT_TEST_ONCE(a_failed_sync_may_forget),
          KIT_TEST(bit_rot_stays))
