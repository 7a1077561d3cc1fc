// Our codec against the real one: protoc reads what we write and writes what we read.
//
// The exported .proto goes into a folder of its own. Random records of every type are encoded,
// given to `protoc --decode`, whose text goes to `protoc --encode`; both write fields in order of
// number and leave out zeros, so the bytes must come back the very same. One process serves many
// records, because they travel as a list. Without protoc the test says so and checks nothing.
#include "kit/kit.h"

#include <hypha/schema.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "schema/schema_suite.h"

#define PROTOC_BATCH(F) F(1, list(rec(suite_wide)), items)
HY_RECORD(protoc_batch, PROTOC_BATCH)
HY_RECORD_DEFINE(protoc_batch, PROTOC_BATCH)

// A folder for the files of one test, removed with them.
typedef struct protoc_folder {
    char path[64];
} protoc_folder;

static const char *const protoc_files[] = { "suite.proto", "in", "text", "out" };

static void protoc_folder_close(protoc_folder *folder) {
    if (folder->path[0] == '\0') return;
    for (size_t i = 0; i < sizeof protoc_files / sizeof protoc_files[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder->path, protoc_files[i]);
        unlink(path);
    }
    rmdir(folder->path);
}

static void protoc_write(const protoc_folder *folder, const char *name, hy_bytes bytes) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    if (bytes.len > 0) CHECK_EQ(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
    CHECK_EQ(fclose(file), 0);
}

static hy_err protoc_read(const protoc_folder *folder, const char *name, hy_buf *out) {
    char path[128], piece[4096];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    size_t len;
    while ((len = fread(piece, 1, sizeof piece, file)) > 0) {
        hy_buf_add(out, piece, len);
    }
    CHECK_EQ(fclose(file), 0);
    return out->failed;
}

static void protoc_run(const protoc_folder *folder, const char *what, const char *from,
                       const char *to) {
    char command[512];
    snprintf(command, sizeof command,
             "cd %s && protoc -I. --%s=suite.protoc_batch suite.proto <%s >%s", folder->path, what,
             from, to);
    CHECK_EQ(system(command), 0);
}

// False, with a loud word, where there is no protoc.
static bool protoc_open(protoc_folder *folder) {
    if (system("protoc --version >/dev/null 2>&1") != 0) {
        fprintf(stderr, "SKIPPED: there is no protoc here; scripts/setup installs it\n");
        return false;
    }
    snprintf(folder->path, sizeof folder->path, "%s/hypha-protoc-XXXXXX", P_tmpdir);
    CHECK(mkdtemp(folder->path) != NULL);
    return true;
}

static hy_err protoc_write_proto(const protoc_folder *folder, hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, mem, 0);
    const hy_record *records[] = { &protoc_batch_record };
    CHECK_OK(hy_export_proto(records, 1, "suite", &out));
    protoc_write(folder, "suite.proto", hy_buf_bytes(&out));
    return HY_OK;
}

static hy_err protoc_reads_and_writes_the_same(hy_mem *mem) {
    enum { BATCHES = 8, ITEMS = 40 };
    HY_CLEANUP(protoc_folder_close) protoc_folder folder = { "" };
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf ours = { 0 }, theirs = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&ours, mem, 0);
    hy_buf_init(&theirs, mem, 0);
    if (!protoc_open(&folder)) return HY_OK;
    CHECK_OK(protoc_write_proto(&folder, mem));
    suite_random random = { .state = kit_seed(), .arena = &arena, .any_f64 = true };
    static suite_wide items[ITEMS];
    for (int i = 0; i < BATCHES; i++) {
        for (int j = 0; j < ITEMS; j++) {
            random.depth_max = 3;
            CHECK_OK(suite_fill(&random, &suite_wide_record, &items[j]));
        }
        protoc_batch batch = { .items = { items, ITEMS } }, back;
        hy_buf_clear(&ours);
        hy_buf_clear(&theirs);
        CHECK_OK(hy_wire_encode(&protoc_batch_record, &batch, &ours));
        protoc_write(&folder, "in", hy_buf_bytes(&ours));
        protoc_run(&folder, "decode", "in", "text");
        protoc_run(&folder, "encode", "text", "out");
        CHECK_OK(protoc_read(&folder, "out", &theirs));
        CHECK_BYTES(hy_buf_bytes(&ours), hy_buf_bytes(&theirs));
        CHECK_OK(hy_wire_decode(&protoc_batch_record, hy_buf_bytes(&theirs), &arena, &back, NULL));
        CHECK(suite_equal(&protoc_batch_record, &batch, &back));
        hy_arena_reset(&arena);
    }
    return HY_OK;
}

static hy_err what_protoc_writes_from_text_is_read(hy_mem *mem) {
    HY_CLEANUP(protoc_folder_close) protoc_folder folder = { "" };
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_arena_init(&arena, mem, 0);
    hy_buf_init(&out, mem, 0);
    if (!protoc_open(&folder)) return HY_OK;
    CHECK_OK(protoc_write_proto(&folder, mem));
    protoc_write(&folder, "text",
                 HY_BYTES("items { a_u8: 255 a_i8: -128 a_i64: -9223372036854775808\n"
                          "  a_u64: 18446744073709551615 a_bool: true a_f64: -0.5\n"
                          "  a_str: \"h\\303\\251\" a_bytes: \"\\000\\377\" a_color: SUITE_BLUE\n"
                          "  a_id: \"0123456789abcdef\"\n"
                          "  a_nest { points { x: -1 } points { } shape { note: \"\" } tail { } }\n"
                          "  maybe_u8: 0 maybe_str: \"\" maybe_nest { }\n"
                          "  many_i16: [ -1, 0, 32767 ] many_str: [ \"\", \"z\" ]\n"
                          "  many_color: [ SUITE_GREEN, SUITE_RED ] many_shape { radius: 0 } }\n"));
    protoc_run(&folder, "encode", "text", "out");
    CHECK_OK(protoc_read(&folder, "out", &out));
    protoc_batch batch;
    CHECK_OK(hy_wire_decode(&protoc_batch_record, hy_buf_bytes(&out), &arena, &batch, NULL));
    CHECK_EQ(batch.items.len, 1);
    const suite_wide *wide = &batch.items.ptr[0];
    CHECK_EQ(wide->a_u8, 255);
    CHECK_EQ(wide->a_i8, -128);
    CHECK_EQ(wide->a_i64, INT64_MIN);
    CHECK_EQ(wide->a_u64, UINT64_MAX);
    CHECK_EQ(wide->a_bool, true);
    CHECK(wide->a_f64 == -0.5);
    CHECK_TEXT(wide->a_str, "h\xc3\xa9");
    CHECK_TEXT(wide->a_bytes, "\x00\xff");
    CHECK_EQ(wide->a_color, SUITE_BLUE);
    CHECK_EQ(wide->a_id.hi, UINT64_C(0x3031323334353637));
    CHECK_EQ(wide->a_nest.points.len, 2);
    CHECK_EQ(wide->a_nest.points.ptr[0].x, -1);
    CHECK_EQ(wide->a_nest.shape.which, 3);
    CHECK_EQ(wide->maybe_u8.has && wide->maybe_str.has && wide->maybe_nest.has, true);
    CHECK_EQ(wide->maybe_u16.has, false);
    CHECK_EQ(wide->many_i16.ptr[0], -1);
    CHECK_EQ(wide->many_str.len, 2);
    CHECK_EQ(wide->many_color.ptr[0], SUITE_GREEN);
    CHECK_EQ(wide->many_shape.ptr[0].which, 2);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(protoc_reads_and_writes_the_same),
          KIT_TEST_ONCE(what_protoc_writes_from_text_is_read))
