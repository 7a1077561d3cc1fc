// Order, equality and hash of structs, plain or of values.
//
// The order is one that people expect where there is one (numbers by size, texts by their bytes,
// lists by their elements, then by length), because requirements ask "below" and "above" of it.
// Doubles are compared by their bits turned so that integers order them like numbers; -0 is below
// 0, and NaNs lie at the ends: no float arithmetic, and a total order.
#include "value/image.h"

#include "base/memory.h"
#include "schema/record.h"
#include "value/item.h"

#define IMAGE_ORDER(type, a, b)                                                                    \
    do {                                                                                           \
        type x, y;                                                                                 \
        memcpy(&x, (a), sizeof x);                                                                 \
        memcpy(&y, (b), sizeof y);                                                                 \
        return x < y ? -1 : x > y;                                                                 \
    } while (0)

static int image_compare_f64(const uint8_t *a, const uint8_t *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    x ^= (x >> 63) != 0 ? UINT64_MAX : (uint64_t)1 << 63;
    y ^= (y >> 63) != 0 ? UINT64_MAX : (uint64_t)1 << 63;
    return x < y ? -1 : x > y;
}

static int image_compare_id(const uint8_t *a, const uint8_t *b) {
    hy_id x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    if (x.hi != y.hi) return x.hi < y.hi ? -1 : 1;
    return x.lo < y.lo ? -1 : x.lo > y.lo;
}

static int image_compare_bytes(const uint8_t *a, const uint8_t *b) {
    hy_bytes x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    if (x.len == y.len && x.ptr == y.ptr) return 0; // they share it
    return hy_bytes_compare(x, y);
}

int hyi_cell_compare(const hy_field *field, const uint8_t *a, const uint8_t *b) {
    switch (field->type) {
    case HY_TYPE_U8:
    case HY_TYPE_BOOL: IMAGE_ORDER(uint8_t, a, b);
    case HY_TYPE_U16: IMAGE_ORDER(uint16_t, a, b);
    case HY_TYPE_ENUM:
    case HY_TYPE_U32: IMAGE_ORDER(uint32_t, a, b);
    case HY_TYPE_U64: IMAGE_ORDER(uint64_t, a, b);
    case HY_TYPE_I8: IMAGE_ORDER(int8_t, a, b);
    case HY_TYPE_I16: IMAGE_ORDER(int16_t, a, b);
    case HY_TYPE_I32: IMAGE_ORDER(int32_t, a, b);
    case HY_TYPE_I64: IMAGE_ORDER(int64_t, a, b);
    case HY_TYPE_F64: return image_compare_f64(a, b);
    case HY_TYPE_ID: return image_compare_id(a, b);
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: return hyi_image_compare(field->of, a, b);
    default: return image_compare_bytes(a, b);
    }
}

static int image_compare_lists(const hy_field *field, const uint8_t *a, const uint8_t *b) {
    const hyi_list *x = hyi_list_of(a), *y = hyi_list_of(b);
    if (x != NULL && x == y) return 0;
    if (x != NULL && y != NULL) {
        hy_item item = hyi_cell_item(field);
        return hyi_seq_compare(&x->seq, &y->seq, &item);
    }
    for (size_t at = 0;; at++) {
        const uint8_t *p = (const uint8_t *)hy_list_at(a, field->size, at);
        const uint8_t *q = (const uint8_t *)hy_list_at(b, field->size, at);
        if (p == NULL || q == NULL) return p == q ? 0 : p == NULL ? -1 : 1;
        int order = hyi_cell_compare(field, p, q);
        if (order != 0) return order;
    }
}

int hyi_member_compare(const hy_field *field, const uint8_t *a, const uint8_t *b) {
    if (field->label == HY_REPEATED) return image_compare_lists(field, a, b);
    if (field->label == HY_SINGLE) return hyi_cell_compare(field, a, b);
    bool has_a = *a != 0, has_b = *b != 0;
    if (!has_a || !has_b) return (int)has_a - (int)has_b;
    return hyi_cell_compare(field, a + field->align, b + field->align);
}

int hyi_image_compare(const hy_record *record, const uint8_t *a, const uint8_t *b) {
    if (a == b) return 0;
    if (record->is_union) {
        uint32_t x, y;
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        if (x != y) return x < y ? -1 : 1;
        const hy_field *field = hyi_union_member(record, a);
        return field == NULL ? 0 : hyi_cell_compare(field, a + field->offset, b + field->offset);
    }
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        uint32_t offset = fields[i].offset;
        int order = hyi_member_compare(&fields[i], a + offset, b + offset);
        if (order != 0) return order;
    }
    return 0;
}

// ---- hash -------------------------------------------------------------------------------------

static uint64_t image_hash_cell(uint64_t hash, const hy_field *field, const uint8_t *cell) {
    if (field->of != NULL) return hyi_hash_join(hash, hyi_image_hash(field->of, cell));
    hy_bytes bytes = { cell, field->size };
    if (field->type == HY_TYPE_STR || field->type == HY_TYPE_BYTES ||
        field->type == HY_TYPE_UNKNOWN) {
        memcpy(&bytes, cell, sizeof bytes);
    }
    return hyi_hash_join(hash, hyi_digest(HYI_VALUE_SEED, bytes.ptr, bytes.len));
}

static uint64_t image_hash_member(uint64_t hash, const hy_field *field, const uint8_t *member) {
    if (field->label == HY_SINGLE) return image_hash_cell(hash, field, member);
    if (field->label == HY_OPTIONAL) {
        hash = hyi_hash_join(hash, *member != 0);
        return *member == 0 ? hash : image_hash_cell(hash, field, member + field->align);
    }
    size_t count = 0;
    const void *cells;
    for (size_t n; (n = hy_list_span(member, field->size, count, &cells)) > 0; count += n) {
        for (size_t i = 0; i < n; i++) {
            hash = image_hash_cell(hash, field, (const uint8_t *)cells + i * field->size);
        }
    }
    return hyi_hash_join(hash, count);
}

uint64_t hyi_image_hash(const hy_record *record, const uint8_t *image) {
    uint64_t hash = HYI_VALUE_SEED;
    if (record->is_union) {
        uint32_t which;
        memcpy(&which, image, sizeof which);
        const hy_field *field = hyi_union_member(record, image);
        hash = hyi_hash_join(hash, which);
        return field == NULL ? hash : image_hash_member(hash, field, image + field->offset);
    }
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        hash = image_hash_member(hash, &fields[i], image + fields[i].offset);
    }
    return hash;
}
