// layout.c - walks a record's description once, so that no row operation has to.
//
// Runs: neighbouring plain fields are merged into one run of bytes, so a row without padding and
// without text is hashed in one call. Whoever cares for speed orders fields from large to small.

#include "machine/layout.h"

#include "base/digest.h"
#include "base/memory.h"
#include "base/why.h"

static hy_err layout_add_record(hyi_layout *layout, const hy_record *record, uint32_t base,
                                uint32_t depth, hy_why *why);

static hy_err layout_add_run(hyi_layout *layout, uint32_t offset, uint32_t size) {
    if (layout->run_count > 0) {
        hyi_run *last = &layout->runs[layout->run_count - 1];
        if (last->offset + last->size == offset) {
            last->size += size;
            return HY_OK;
        }
    }
    if (layout->run_count == HYI_ROW_PARTS_MAX) return HY_SCHEMA;
    layout->runs[layout->run_count++] = (hyi_run){ offset, size };
    return HY_OK;
}

static hy_err layout_add_blob(hyi_layout *layout, uint32_t offset, uint32_t has_offset) {
    if (layout->blob_count == HYI_ROW_PARTS_MAX) return HY_SCHEMA;
    layout->blobs[layout->blob_count++] = (hyi_blob_member){ offset, has_offset };
    return HY_OK;
}

static hy_err layout_add_option(hyi_layout *layout, uint32_t has_offset, uint32_t value_offset,
                                uint32_t size) {
    if (layout->option_count == HYI_ROW_PARTS_MAX) return HY_SCHEMA;
    layout->options[layout->option_count++] = (hyi_option_member){ has_offset, value_offset, size };
    return HY_OK;
}

static bool layout_is_blob(hy_type type) {
    return type == HY_TYPE_STR || type == HY_TYPE_BYTES || type == HY_TYPE_UNKNOWN;
}

static hy_err layout_add_field(hyi_layout *layout, const hy_field *field, uint32_t base,
                               uint32_t depth, hy_why *why) {
    uint32_t at = base + field->offset;
    if (field->label == HY_REPEATED || field->type == HY_TYPE_UNION) {
        return hy_why_set(why, HY_SCHEMA, field->name,
                          "a row holds no lists and no unions: make it a table of its own");
    }
    uint32_t has_offset = HYI_NO_OFFSET;
    if (field->label == HY_OPTIONAL) {
        if (field->type == HY_TYPE_RECORD) {
            return hy_why_set(why, HY_SCHEMA, field->name,
                              "a row holds no optional records: make its fields optional");
        }
        has_offset = at;
        at += field->align;
        hy_err err = layout_add_run(layout, has_offset, 1);
        if (err != HY_OK) return err;
    }
    if (field->type == HY_TYPE_RECORD)
        return layout_add_record(layout, field->of, at, depth + 1, why);
    if (layout_is_blob(field->type)) return layout_add_blob(layout, at, has_offset);
    if (has_offset != HYI_NO_OFFSET) {
        hy_err err = layout_add_option(layout, has_offset, at, field->size);
        if (err != HY_OK) return err;
    }
    return layout_add_run(layout, at, field->size);
}

// Recursion is over descriptions, whose depth HY_DEPTH_MAX bounds, never over input.
static hy_err layout_add_record(hyi_layout *layout, const hy_record *record, uint32_t base,
                                uint32_t depth, hy_why *why) {
    if (depth > HY_DEPTH_MAX) return hy_why_set(why, HY_SCHEMA, record->name, "nested too deeply");
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        hy_err err = layout_add_field(layout, &fields[i], base, depth, why);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static uint64_t layout_flip(hy_type type) {
    switch (type) {
    case HY_TYPE_I8: return UINT64_C(1) << 7;
    case HY_TYPE_I16: return UINT64_C(1) << 15;
    case HY_TYPE_I32: return UINT64_C(1) << 31;
    case HY_TYPE_I64: return UINT64_C(1) << 63;
    default: return 0;
    }
}

static hy_err layout_make_key(hyi_layout *layout, const hy_table *table, hy_why *why) {
    const hy_field *fields = hy_record_fields(table->row);
    if (table->key_count == 0 || table->key_count > table->row->field_count ||
        table->key_count > HY_COUNT_OF(layout->key)) {
        return hy_why_set(why, HY_SCHEMA, table->name,
                          "the key must be 1 to 16 of the row's fields");
    }
    uint32_t total = 0;
    for (uint32_t i = 0; i < table->key_count; i++) {
        const hy_field *field = &fields[i];
        bool plain = field->label == HY_SINGLE && !layout_is_blob(field->type) &&
                     field->type != HY_TYPE_RECORD && field->type != HY_TYPE_UNION &&
                     field->type != HY_TYPE_F64;
        if (!plain) {
            return hy_why_set(
                why, HY_SCHEMA, field->name,
                "a key field must be an integer, bool, enum or id (for text: hy_text_id)");
        }
        layout->key[layout->key_count++] =
            (hyi_key_part){ field->offset, field->size, layout_flip(field->type) };
        total += field->size;
    }
    if (total > 16)
        return hy_why_set(why, HY_SCHEMA, table->name, "the key is longer than 16 bytes");
    const hyi_key_part *last = &layout->key[layout->key_count - 1];
    HY_ASSERT(last->offset + last->size <= HYI_KEY_END_MAX);
    bool is_number = layout->key_count == 1 && total <= 8;
    layout->key_form = is_number ? HYI_KEY_NUMBER : total <= 8 ? HYI_KEY_NARROW : HYI_KEY_WIDE;
    return HY_OK;
}

static hyi_key layout_wide_key(const hyi_layout *layout, const uint8_t *row) {
    const hyi_key_part *part = &layout->key[0], *end = part + layout->key_count;
    if (part->size == 16) {
        const hy_id *id = (const void *)(row + part->offset);
        return (hyi_key){ id->hi, id->lo };
    }
    hyi_key key = { 0, 0 };
    for (; part != end; part++) {
        uint32_t bits = part->size * 8;
        uint64_t value = hyi_layout_load(row + part->offset, part->size) ^ part->flip;
        key.hi = bits == 64 ? key.lo : key.hi << bits | key.lo >> (64 - bits);
        key.lo = bits == 64 ? value : key.lo << bits | value;
    }
    return key;
}

hyi_key hyi_layout_key_of_parts(const hyi_layout *layout, const uint8_t *row) {
    if (layout->key_form == HYI_KEY_WIDE) return layout_wide_key(layout, row);
    const hyi_key_part *part = &layout->key[0], *end = part + layout->key_count;
    uint64_t key = hyi_layout_load(row + part->offset, part->size) ^ part->flip;
    while (++part != end) {
        uint64_t value = hyi_layout_load(row + part->offset, part->size) ^ part->flip;
        key = key << part->size * 8 | value;
    }
    return (hyi_key){ 0, key };
}

hy_err hyi_layout_make(const hy_table *table, hyi_layout *out_layout, hy_why *why) {
    *out_layout = (hyi_layout){ .table = table, .row_size = table->row->size };
    hy_bytes name = hy_bytes_of(table->name);
    out_layout->salt = hyi_digest(1, name.ptr, name.len);
    hy_err err = layout_make_key(out_layout, table, why);
    if (err == HY_OK) err = layout_add_record(out_layout, table->row, 0, 0, why);
    if (err == HY_SCHEMA && why != NULL && why->code != HY_SCHEMA) {
        return hy_why_set(why, HY_SCHEMA, table->name, "the row has too many separate parts");
    }
    return err;
}

uint64_t hyi_layout_digest(const hyi_layout *layout, const void *row) {
    uint64_t digest = layout->salt;
    const uint8_t *base = row;
    for (uint32_t i = 0; i < layout->run_count; i++) {
        digest = hyi_digest(digest, base + layout->runs[i].offset, layout->runs[i].size);
    }
    for (uint32_t i = 0; i < layout->blob_count; i++) {
        hy_bytes blob = hyi_blob_of(&layout->blobs[i], row);
        digest = hyi_digest(digest, blob.ptr, blob.len);
    }
    return digest;
}

void hyi_layout_normalise(const hyi_layout *layout, void *row) {
    uint8_t *base = row;
    for (uint32_t i = 0; i < layout->option_count; i++) {
        const hyi_option_member *option = &layout->options[i];
        if (base[option->has_offset] == 0)
            memset(base + option->value_offset, 0, option->value_size);
    }
}
