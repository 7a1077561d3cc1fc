// layout.h - how the rows of one table lie in memory.            Room: machine. Includes: base
// schema. Threads: constant once made.
//
// Computed once from a table's description: which bytes are the key, which bytes are plain values
// (padding and pointers are neither hashed nor stored), and which members own bytes elsewhere.
#ifndef HYI_MACHINE_LAYOUT_H
#define HYI_MACHINE_LAYOUT_H

#include <hypha/machine.h>
#include "base/tree.h"

#define HYI_ROW_PARTS_MAX 64
#define HYI_NO_OFFSET UINT32_MAX
#define HYI_REFERRED_ROW_BYTES_MAX 1024u // a row that a reference invariant names

// Key fields are a row's first, at most 16 bytes together, and padding never more than doubles
// them: a row of which only the key will be read needs only this much of it cleared.
#define HYI_KEY_END_MAX 32u

typedef struct hyi_key_part {
    uint32_t offset, size;
    uint64_t flip; // xor that makes a signed number compare as unsigned
} hyi_key_part;

typedef struct hyi_run {
    uint32_t offset, size;
} hyi_run;

typedef struct hyi_blob_member {
    uint32_t offset;     // of an hy_bytes in the row
    uint32_t has_offset; // of the option's flag, or HYI_NO_OFFSET
} hyi_blob_member;

typedef struct hyi_option_member {
    uint32_t has_offset, value_offset, value_size;
} hyi_option_member;

// How a key is read: one number, several that fit 8 bytes together, or more than 8 bytes.
typedef enum hyi_key_form { HYI_KEY_NUMBER, HYI_KEY_NARROW, HYI_KEY_WIDE } hyi_key_form;

typedef struct hyi_layout {
    const hy_table *table;
    uint32_t row_size;
    hyi_key_form key_form;
    uint64_t salt; // of the table's name: equal rows of two tables differ in digest
    uint32_t key_count, run_count, blob_count, option_count;
    hyi_key_part key[16];
    hyi_run runs[HYI_ROW_PARTS_MAX];
    hyi_blob_member blobs[HYI_ROW_PARTS_MAX];
    hyi_option_member options[HYI_ROW_PARTS_MAX]; // of plain values
} hyi_layout;

// HY_SCHEMA (a list or union in a row, a key that is none, too many parts), with the place in
// `why`.
HY_CHECKED hy_err hyi_layout_make(const hy_table *table, hyi_layout *out_layout, hy_why *why);

static inline uint64_t hyi_layout_load(const uint8_t *at, uint32_t size) {
    if (size == 8) return *(const uint64_t *)(const void *)at;
    if (size == 4) return *(const uint32_t *)(const void *)at;
    return size == 2 ? *(const uint16_t *)(const void *)at : *at;
}

// A key that is one number.
static inline uint64_t hyi_layout_number(const hyi_layout *layout, const void *row) {
    const hyi_key_part *part = &layout->key[0];
    return hyi_layout_load((const uint8_t *)row + part->offset, part->size) ^ part->flip;
}

hyi_key hyi_layout_key_of_parts(const hyi_layout *layout, const uint8_t *row);

// The packed key: ordered like the key fields, first field first. Inline: every row operation
// begins here.
static inline hyi_key hyi_layout_key(const hyi_layout *layout, const void *row) {
    if (layout->key_form == HYI_KEY_NUMBER) {
        return (hyi_key){ 0, hyi_layout_number(layout, row) };
    }
    return hyi_layout_key_of_parts(layout, row);
}

// Of the row's content, wherever its bytes lie.
uint64_t hyi_layout_digest(const hyi_layout *layout, const void *row);

// Clears the values of unset options, so that equal rows have equal bytes.
void hyi_layout_normalise(const hyi_layout *layout, void *row);

// The bytes that a blob member holds; none if its option is unset.
static inline hy_bytes hyi_blob_of(const hyi_blob_member *member, const void *row) {
    const uint8_t *base = row;
    if (member->has_offset != HYI_NO_OFFSET && base[member->has_offset] == 0) {
        return (hy_bytes){ NULL, 0 };
    }
    return *(const hy_bytes *)(const void *)(base + member->offset);
}

static inline hy_bytes *hyi_blob_at(const hyi_blob_member *member, void *row) {
    return (hy_bytes *)(void *)((uint8_t *)row + member->offset);
}

#endif
