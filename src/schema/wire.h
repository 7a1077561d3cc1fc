// wire.h - the bytes of Protocol Buffers.                  Room: schema. Includes: base.
// Threads: pure functions on what they are given.
//
// What both halves of the codec share: wire types, varints, zigzag, skipping. The rules are those
// of the encoding page of Protocol Buffers; where a reader may choose, this one is strict: a varint
// that does not fit 64 bits, field number 0 and wire types 6 and 7 are malformed.
#ifndef HYPHA_SCHEMA_WIRE_H
#define HYPHA_SCHEMA_WIRE_H

#include <hypha/schema.h>

#include "base/memory.h"

typedef enum hyi_wire_type {
    HYI_WIRE_VARINT = 0,
    HYI_WIRE_FIXED64 = 1,
    HYI_WIRE_LENGTH = 2,
    HYI_WIRE_GROUP = 3,
    HYI_WIRE_GROUP_END = 4,
    HYI_WIRE_FIXED32 = 5,
} hyi_wire_type;

#define HYI_WIRE_VARINT_MAX 10        // bytes of the longest varint
#define HYI_WIRE_NUMBER_MAX 536870911 // 2^29 - 1, the largest field number

static inline hyi_wire_type hyi_wire_type_of(hy_type type) {
    switch (type) {
    case HY_TYPE_F64: return HYI_WIRE_FIXED64;
    case HY_TYPE_STR:
    case HY_TYPE_BYTES:
    case HY_TYPE_ID:
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION:
    case HY_TYPE_UNKNOWN: return HYI_WIRE_LENGTH;
    default: return HYI_WIRE_VARINT;
    }
}

static inline uint64_t hyi_wire_zigzag(int64_t value) {
    return ((uint64_t)value << 1) ^ (uint64_t) - (int64_t)((uint64_t)value >> 63);
}

static inline int64_t hyi_wire_unzigzag(uint64_t raw) {
    return (int64_t)((raw >> 1) ^ (0 - (raw & 1)));
}

// Writes at most HYI_WIRE_VARINT_MAX bytes at `at`; gives the place behind them.
static inline uint8_t *hyi_wire_put_varint(uint8_t *at, uint64_t value) {
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static inline size_t hyi_wire_varint_size(uint64_t value) {
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size += 1;
    }
    return size;
}

static inline uint8_t *hyi_wire_put_fixed64(uint8_t *at, uint64_t value) {
    for (int i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
    return at + 8;
}

static inline uint64_t hyi_wire_load_fixed64(const uint8_t *at) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

// The rest of a varint whose first byte says that more follow. NULL when it is cut or too long.
const uint8_t *hyi_wire_read_long_varint(const uint8_t *at, const uint8_t *end,
                                         uint64_t *out_value);

// Gives the place behind the varint at `at`, or NULL.
static inline const uint8_t *hyi_wire_read_varint(const uint8_t *at, const uint8_t *end,
                                                  uint64_t *out_value) {
    if (at < end && *at < 0x80) {
        *out_value = *at;
        return at + 1;
    }
    return hyi_wire_read_long_varint(at, end, out_value);
}

// Skips the value of a field whose tag was just read. A group is skipped to its end, with all that
// is in it, if groups lie at most HY_DEPTH_MAX deep. HY_MALFORMED, HY_TOO_DEEP.
HY_CHECKED hy_err hyi_wire_skip(const uint8_t **at, const uint8_t *end, uint64_t tag);

#endif
