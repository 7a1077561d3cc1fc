// skim.c - walking Protocol Buffers without a description.
//
// The bytes passed a CRC before they come here, so a failure means a defect or a forged file; all
// the same nothing is read past an end, and everything unknown is skipped.
#include "store/skim.h"

#include "base/memory.h"
#include "schema/wire.h"

enum { ENTRY_SEQ = 1, ENTRY_CHANGES = 11, ENTRY_DIGEST = 13, ENTRY_CHAIN = 14 };
enum { CHANGE_TABLE = 1, CHANGE_GONE = 2, CHANGE_ROW = 3 };

static hy_err skim_corrupt(hy_why *why) {
    return hy_why_set(why, HY_CORRUPT, "journal entry", "the entry does not follow its format");
}

// One field: its tag, and a varint's value or a length-delimited value's bytes.
typedef struct skim_field {
    uint32_t number;
    uint64_t value;
    hy_bytes bytes;
} skim_field;

// Gives the place behind the field at `at`, or NULL.
static const uint8_t *skim_next(const uint8_t *at, const uint8_t *end, skim_field *out) {
    uint64_t tag;
    at = hyi_wire_read_varint(at, end, &tag);
    if (at == NULL) return NULL;
    out->number = (uint32_t)(tag >> 3);
    switch (tag & 7) {
    case HYI_WIRE_VARINT: return hyi_wire_read_varint(at, end, &out->value);
    case HYI_WIRE_LENGTH:
        at = hyi_wire_read_varint(at, end, &out->value);
        if (at == NULL || out->value > (uint64_t)(end - at)) return NULL;
        out->bytes = (hy_bytes){ at, (size_t)out->value };
        return at + out->value;
    default: return hyi_wire_skip(&at, end, tag) == HY_OK ? at : NULL;
    }
}

hy_err hyi_skim_entry(hy_bytes entry, hyi_skim *out_skim, hy_why *why) {
    const uint8_t *at = entry.ptr, *end = entry.ptr + entry.len, *first = NULL;
    hyi_skim skim = { 0 };
    while (at < end) {
        skim_field field = { 0 };
        const uint8_t *start = at;
        at = skim_next(at, end, &field);
        if (at == NULL) return skim_corrupt(why);
        switch (field.number) {
        case ENTRY_SEQ: skim.seq = field.value; break;
        case ENTRY_CHANGES: first = first == NULL ? start : first; break;
        case ENTRY_DIGEST: skim.digest = field.value; break;
        case ENTRY_CHAIN: skim.chain = field.value; break;
        default: break;
        }
    }
    if (skim.seq == 0) return skim_corrupt(why);
    if (first != NULL) skim.changes = (hy_bytes){ first, (size_t)(end - first) };
    *out_skim = skim;
    return HY_OK;
}

static hy_err skim_row(hy_bytes change, hyi_skim_row *out_row, hy_why *why) {
    const uint8_t *at = change.ptr, *end = change.ptr + change.len;
    *out_row = (hyi_skim_row){ .row = { change.ptr, 0 } };
    while (at < end) {
        skim_field field = { 0 };
        at = skim_next(at, end, &field);
        if (at == NULL) return skim_corrupt(why);
        switch (field.number) {
        case CHANGE_TABLE: out_row->table = (uint32_t)field.value; break;
        case CHANGE_GONE: out_row->gone = field.value != 0; break;
        case CHANGE_ROW: out_row->row = field.bytes; break;
        default: break;
        }
    }
    return HY_OK;
}

hy_err hyi_skim_change(hy_bytes *rest, hyi_skim_row *out_row, hy_why *why) {
    const uint8_t *at = rest->ptr, *end = rest->ptr + rest->len;
    while (at < end) {
        skim_field field = { 0 };
        at = skim_next(at, end, &field);
        if (at == NULL) return skim_corrupt(why);
        if (field.number > ENTRY_CHANGES) break; // the encoder writes fields in order of number
        if (field.number != ENTRY_CHANGES) continue;
        *rest = (hy_bytes){ at, (size_t)(end - at) };
        return skim_row(field.bytes, out_row, why);
    }
    *rest = (hy_bytes){ end, 0 };
    return HY_END;
}

void hyi_skim_key_of(const hy_table *table, hyi_skim_key *out_key) {
    const hy_field *fields = hy_record_fields(table->row);
    HY_ASSERT(table->key_count <= HY_COUNT_OF(out_key->numbers));
    out_key->count = table->key_count;
    for (uint32_t i = 0; i < table->key_count; i++) {
        out_key->numbers[i] = fields[i].number;
    }
}

hy_err hyi_skim_key_bytes(const hyi_skim_key *key, hy_bytes row,
                          uint8_t out_bytes[HYI_SKIM_KEY_BYTES], size_t *out_len, hy_why *why) {
    const uint8_t *at = row.ptr, *end = row.ptr + row.len;
    size_t len = 0;
    uint32_t found = 0;
    while (at < end && found < key->count) {
        skim_field field = { 0 };
        const uint8_t *start = at;
        at = skim_next(at, end, &field);
        if (at == NULL) return skim_corrupt(why);
        bool is_key = false;
        for (uint32_t i = 0; i < key->count && !is_key; i++) {
            is_key = key->numbers[i] == field.number;
        }
        if (!is_key) continue;
        size_t size = (size_t)(at - start);
        if (size > HYI_SKIM_KEY_BYTES - len) return skim_corrupt(why);
        memcpy(out_bytes + len, start, size);
        len += size;
        found++;
    }
    *out_len = len;
    return HY_OK;
}
