// wal.c - the frames of SQLite's write-ahead log (https://sqlite.org/fileformat2.html, section 4).
//
// The log begins with 32 bytes: magic, version, page size, sequence, salt (8), checksum (8). Each
// frame is 24 bytes and a page: page number, size of the file after a commit (0 inside one), salt,
// checksum. All big-endian. The checksum of a frame continues that of the frame before, so a frame
// can be judged by the bytes of its neighbour even if that neighbour's page is damaged: that is
// what tells rot from a torn end.
#include "store/wal.h"

#include "base/cleanup.h"
#include "base/memory.h"

#define WAL_HEAD_BYTES 32u
#define WAL_FRAME_HEAD_BYTES 24u
#define WAL_MAGIC 0x377f0682u // the lowest bit says how checksums read words
#define WAL_PAGE_MIN 512u
#define WAL_PAGE_MAX 65536u

typedef struct wal_sum {
    uint32_t a, b;
} wal_sum;

typedef struct wal_reader {
    hy_file *file;
    hy_mem *mem;
    uint8_t *frame; // room for the largest
    size_t frame_size;
    bool big_endian;
    uint8_t salt[8];
    wal_sum before; // checksum that the next frame continues
    // What was seen so far:
    uint64_t bad;      // number of the first bad frame; 0: none
    bool later_commit; // a commit mark at or behind the bad frame
    bool head_is_bad;
    hyi_wal_survey survey;
} wal_reader;

static uint32_t wal_u32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t wal_word(const wal_reader *reader, const uint8_t *at) {
    uint32_t big = wal_u32(at);
    return reader->big_endian ? big : __builtin_bswap32(big);
}

static wal_sum wal_sum_add(const wal_reader *reader, wal_sum sum, const uint8_t *at, size_t len) {
    for (size_t i = 0; i + 8 <= len; i += 8) {
        sum.a += wal_word(reader, at + i) + sum.b;
        sum.b += wal_word(reader, at + i + 4) + sum.a;
    }
    return sum;
}

static wal_sum wal_sum_stored(const uint8_t *at) {
    return (wal_sum){ wal_u32(at), wal_u32(at + 4) };
}

static bool wal_sum_equal(wal_sum a, wal_sum b) {
    return a.a == b.a && a.b == b.b;
}

// False: the head is damaged, or never was one.
static bool wal_begin(wal_reader *reader, const uint8_t head[WAL_HEAD_BYTES]) {
    uint32_t magic = wal_u32(head), page_bytes = wal_u32(head + 8);
    bool is_size = page_bytes >= WAL_PAGE_MIN && page_bytes <= WAL_PAGE_MAX &&
                   (page_bytes & (page_bytes - 1)) == 0;
    reader->big_endian = (magic & 1) != 0;
    reader->frame_size = WAL_FRAME_HEAD_BYTES + page_bytes;
    memcpy(reader->salt, head + 16, sizeof reader->salt);
    reader->before = wal_sum_stored(head + 24);
    wal_sum sum = wal_sum_add(reader, (wal_sum){ 0, 0 }, head, 24);
    return (magic & ~1u) == WAL_MAGIC && is_size && wal_sum_equal(sum, reader->before);
}

// Judges frame `number`, which is in reader->frame.
static void wal_judge(wal_reader *reader, uint64_t number) {
    const uint8_t *head = reader->frame;
    if (reader->head_is_bad && number == 1) memcpy(reader->salt, head + 8, sizeof reader->salt);
    bool ours = memcmp(head + 8, reader->salt, sizeof reader->salt) == 0;
    wal_sum sum = wal_sum_add(reader, reader->before, head, 8);
    sum = wal_sum_add(reader, sum, head + WAL_FRAME_HEAD_BYTES,
                      reader->frame_size - WAL_FRAME_HEAD_BYTES);
    wal_sum stored = wal_sum_stored(head + 16);
    bool good = ours && wal_sum_equal(sum, stored), commits = wal_u32(head + 4) != 0;
    if (ours) reader->survey.cut_bytes += reader->frame_size;
    if (good && reader->bad == 0 && commits) {
        reader->survey.pages = number;
        reader->survey.cut_bytes = 0;
    }
    // A head is synced before the first frame: where frames are good, it was good.
    if (good && reader->head_is_bad) reader->survey.rotten_head = true;
    if (good && reader->later_commit) reader->survey.rotten_page = reader->bad;
    if (!good && reader->bad == 0) reader->bad = number;
    if (reader->bad != 0 && ours && commits) reader->later_commit = true;
    reader->before = stored;
}

static hy_err wal_walk(wal_reader *reader, uint64_t frames_max) {
    uint64_t size, at = WAL_HEAD_BYTES;
    hy_err err = hy_file_size(reader->file, &size);
    for (uint64_t number = 1; number <= frames_max; number++) {
        size_t got = 0;
        if (err != HY_OK || at + reader->frame_size > size) break;
        err = hy_file_read(reader->file, at, reader->frame, reader->frame_size, &got);
        if (got < reader->frame_size) break;
        wal_judge(reader, number);
        at += reader->frame_size;
    }
    return err;
}

// A damaged head tells neither page size nor byte order: if the first frames fit under any of them,
// the head was good once. (The second frame counts too: the damage may be in the checksum they
// begin with.)
static hy_err wal_try_heads(wal_reader *reader, const uint8_t head[WAL_HEAD_BYTES]) {
    hy_err err = HY_OK;
    for (uint32_t page = WAL_PAGE_MIN; page <= WAL_PAGE_MAX && err == HY_OK; page *= 2) {
        for (int order = 0; order <= 1 && err == HY_OK; order++) {
            reader->frame_size = WAL_FRAME_HEAD_BYTES + page;
            reader->big_endian = order == 1;
            reader->before = wal_sum_stored(head + 24);
            reader->head_is_bad = true;
            err = wal_walk(reader, 2);
        }
    }
    bool rotten = reader->survey.rotten_head;
    reader->survey = (hyi_wal_survey){ .rotten_head = rotten };
    return err;
}

static void wal_deinit(wal_reader *reader) {
    hy_mem_free(reader->mem, reader->frame,
                reader->frame == NULL ? 0 : WAL_FRAME_HEAD_BYTES + WAL_PAGE_MAX);
    hy_file_close(reader->file);
}

hy_err hyi_wal_look(hy_world *world, const char *path, hyi_wal_survey *out_survey, hy_why *why) {
    HY_CLEANUP(wal_deinit) wal_reader reader = { .mem = hy_world_mem(world) };
    *out_survey = (hyi_wal_survey){ 0 };
    if (!hy_file_exists(world, path)) return HY_OK;
    hy_err err = hy_file_open(world, path, HY_FILE_READ, &reader.file, why);
    if (err != HY_OK) return err;
    uint8_t head[WAL_HEAD_BYTES];
    size_t got = 0;
    err = hy_file_read(reader.file, 0, head, sizeof head, &got);
    if (err == HY_OK && got < sizeof head) return HY_OK;
    if (err == HY_OK) reader.frame = hy_mem_alloc(reader.mem, WAL_FRAME_HEAD_BYTES + WAL_PAGE_MAX);
    if (err == HY_OK && reader.frame == NULL) err = HY_NOMEM;
    if (err == HY_OK) {
        err =
            wal_begin(&reader, head) ? wal_walk(&reader, UINT64_MAX) : wal_try_heads(&reader, head);
    }
    if (err == HY_OK) *out_survey = reader.survey;
    return err == HY_OK ? HY_OK : hy_why_set(why, err, path, "the write-ahead log cannot be read");
}
