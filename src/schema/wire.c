// The cold half of the shared wire rules: long varints and skipping.
//
// Groups are the one construct of Protocol Buffers that this library never writes. Old senders may
// still send them as fields that we do not know, so they are skipped (and kept, by a record that
// keeps unknown fields), with an explicit stack of bounded depth instead of recursion.
#include "schema/wire.h"

static hy_err wire_skip_value(const uint8_t **at, const uint8_t *end, hyi_wire_type type);

const uint8_t *hyi_wire_read_long_varint(const uint8_t *at, const uint8_t *end,
                                         uint64_t *out_value) {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 70 && at < end; shift += 7) {
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1) return NULL; // does not fit 64 bits
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out_value = value;
            return at;
        }
    }
    return NULL;
}

hy_err hyi_wire_skip(const uint8_t **at, const uint8_t *end, uint64_t tag) {
    uint64_t open[HY_DEPTH_MAX]; // numbers of the groups we are inside
    uint32_t depth = 0;
    for (;;) {
        hyi_wire_type type = (hyi_wire_type)(tag & 7);
        if (type == HYI_WIRE_GROUP) {
            if (depth == HY_DEPTH_MAX) return HY_TOO_DEEP;
            open[depth++] = tag >> 3;
        } else if (type == HYI_WIRE_GROUP_END) {
            if (depth == 0 || open[depth - 1] != tag >> 3) return HY_MALFORMED;
            depth -= 1;
        } else {
            hy_err err = wire_skip_value(at, end, type);
            if (err != HY_OK) return err;
        }
        if (depth == 0) return HY_OK;
        const uint8_t *next = hyi_wire_read_varint(*at, end, &tag);
        if (next == NULL || tag >> 3 == 0 || tag >> 3 > HYI_WIRE_NUMBER_MAX) return HY_MALFORMED;
        *at = next;
    }
}

static hy_err wire_skip_value(const uint8_t **at, const uint8_t *end, hyi_wire_type type) {
    uint64_t size;
    switch (type) {
    case HYI_WIRE_VARINT: {
        const uint8_t *next = hyi_wire_read_varint(*at, end, &size);
        if (next == NULL) return HY_MALFORMED;
        *at = next;
        return HY_OK;
    }
    case HYI_WIRE_FIXED64: size = 8; break;
    case HYI_WIRE_FIXED32: size = 4; break;
    case HYI_WIRE_LENGTH: {
        const uint8_t *next = hyi_wire_read_varint(*at, end, &size);
        if (next == NULL) return HY_MALFORMED;
        *at = next;
        break;
    }
    default: return HY_MALFORMED;
    }
    if (size > (uint64_t)(end - *at)) return HY_MALFORMED;
    *at += size;
    return HY_OK;
}
