// Random values of any described record, and what it means that two are equal.
//
// Numbers are drawn from a few interesting ones (0, 1, the ends of every width) as often as from
// the whole range, because codecs break at the ends. Strings mix characters of one to four bytes.
#include "schema/schema_suite.h"

#include <string.h>

#include "kit/kit.h"

HY_ENUM_DEFINE(suite_color, SUITE_COLOR)
HY_RECORD_DEFINE(suite_point, SUITE_POINT)
HY_RECORD_DEFINE(suite_rest, SUITE_REST)
HY_UNION_DEFINE(suite_shape, SUITE_SHAPE)
HY_RECORD_DEFINE(suite_nest, SUITE_NEST)
HY_RECORD_DEFINE(suite_tree, SUITE_TREE)
HY_RECORD_DEFINE(suite_wide, SUITE_WIDE)

static hy_err suite_fill_field(suite_random *random, const hy_field *field, uint8_t *member);
static hy_err suite_fill_value(suite_random *random, const hy_field *field, uint8_t *to);

static uint64_t suite_below(suite_random *random, uint64_t limit) {
    return kit_random(&random->state) % limit;
}

hy_err suite_fill(suite_random *random, const hy_record *record, void *out_value) {
    uint8_t *value = out_value;
    memset(value, 0, record->size);
    const hy_field *fields = hy_record_fields(record);
    if (record->is_union) {
        uint64_t pick = suite_below(random, record->field_count + 1);
        if (pick == record->field_count) return HY_OK;
        memcpy(value, &fields[pick].number, sizeof fields[pick].number);
        return suite_fill_value(random, &fields[pick], value + fields[pick].offset);
    }
    for (uint32_t i = 0; i < record->field_count; i++) {
        hy_err err = suite_fill_field(random, &fields[i], value + fields[i].offset);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

static hy_err suite_fill_field(suite_random *random, const hy_field *field, uint8_t *member) {
    if (field->label == HY_SINGLE) {
        return suite_below(random, 4) == 0 ? HY_OK : suite_fill_value(random, field, member);
    }
    if (field->label == HY_OPTIONAL) {
        *member = (uint8_t)suite_below(random, 2);
        if (*member == 0) return HY_OK;
        return suite_fill_value(random, field, member + field->align);
    }
    hy_bytes list = { .len = random->depth_max == 0 ? 0 : suite_below(random, 4) };
    if (list.len > 0 && field->size <= 8 && suite_below(random, 8) == 0) list.len = 200;
    if (list.len == 0) return HY_OK;
    uint8_t *elements = hy_arena_alloc(random->arena, list.len * field->size);
    if (elements == NULL) return HY_NOMEM;
    list.ptr = elements;
    memset(elements, 0, list.len * field->size);
    random->depth_max -= 1;
    for (size_t i = 0; i < list.len; i++) {
        hy_err err = suite_fill_value(random, field, elements + i * field->size);
        if (err != HY_OK) return err;
    }
    random->depth_max += 1;
    memcpy(member, &list, sizeof list);
    return HY_OK;
}

static uint64_t suite_number(suite_random *random) {
    static const uint64_t ends[] = { 0,
                                     1,
                                     2,
                                     127,
                                     128,
                                     255,
                                     256,
                                     32767,
                                     32768,
                                     65535,
                                     65536,
                                     INT32_MAX,
                                     1u << 31,
                                     UINT32_MAX,
                                     INT64_MAX,
                                     1ull << 63,
                                     UINT64_MAX,
                                     1ull << 53,
                                     (1ull << 53) + 1 };
    if (suite_below(random, 2) == 0) return ends[suite_below(random, sizeof ends / sizeof *ends)];
    return kit_random(&random->state) >> suite_below(random, 64);
}

static hy_err suite_text(suite_random *random, hy_bytes *out_text) {
    static const char *const pieces[] = {
        "a",    "Z9", "\xc3\xa9",     "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\"", "\\", "\n",
        "\x01", "/",  "\xe2\x80\xa8", "\x7f"
    };
    char text[128];
    size_t len = 0;
    for (uint64_t i = suite_below(random, 20); i > 0; i--) {
        const char *piece = pieces[suite_below(random, sizeof pieces / sizeof *pieces)];
        memcpy(text + len, piece, strlen(piece));
        len += strlen(piece);
    }
    bool ok = true;
    *out_text = hy_arena_copy(random->arena, (hy_bytes){ (const uint8_t *)text, len }, &ok);
    return ok ? HY_OK : HY_NOMEM;
}

static hy_err suite_octets(suite_random *random, hy_bytes *out_bytes) {
    uint8_t octets[200];
    size_t len = suite_below(random, 8) == 0 ? 200 : suite_below(random, 20);
    for (size_t i = 0; i < len; i++) {
        octets[i] = (uint8_t)kit_random(&random->state);
    }
    bool ok = true;
    *out_bytes = hy_arena_copy(random->arena, (hy_bytes){ octets, len }, &ok);
    return ok ? HY_OK : HY_NOMEM;
}

// Fields 900 and 901, one a varint and one a string: unknown to every record here.
static hy_err suite_unknown(suite_random *random, hy_bytes *out_bytes) {
    static const uint8_t fields[] = { 0xa0, 0x38, 0x96, 0x01, 0xaa, 0x38, 0x02, 'h', 'i' };
    *out_bytes = (hy_bytes){ .ptr = NULL };
    if (!random->keep_unknown || suite_below(random, 2) == 0) return HY_OK;
    bool ok = true;
    *out_bytes = hy_arena_copy(random->arena, (hy_bytes){ fields, sizeof fields }, &ok);
    return ok ? HY_OK : HY_NOMEM;
}

static uint64_t suite_double_bits(suite_random *random) {
    static const uint64_t some[] = { 0, 0x3ff0000000000000, 0x8000000000000000,
                                     1, 0x3fb999999999999a, 0x7fefffffffffffff };
    if (suite_below(random, 3) == 0) return some[suite_below(random, sizeof some / sizeof *some)];
    uint64_t bits = kit_random(&random->state);
    if (random->any_f64 && suite_below(random, 8) == 0) return 0x7ff0000000000000;
    if ((bits >> 52 & 0x7ff) == 0x7ff) bits ^= (uint64_t)1 << 60;
    return bits;
}

static hy_err suite_fill_value(suite_random *random, const hy_field *field, uint8_t *to) {
    uint64_t number = suite_number(random);
    hy_bytes bytes = { .ptr = NULL };
    hy_err err = HY_OK;
    switch (field->type) {
    case HY_TYPE_BOOL: *to = number & 1; return HY_OK;
    case HY_TYPE_F64: number = suite_double_bits(random); break;
    case HY_TYPE_ENUM: {
        uint32_t value = field->values->values[number % field->values->value_count].number;
        memcpy(to, &value, sizeof value);
        return HY_OK;
    }
    case HY_TYPE_ID: {
        hy_id id = { .hi = number, .lo = suite_number(random) };
        memcpy(to, &id, sizeof id);
        return HY_OK;
    }
    case HY_TYPE_RECORD:
    case HY_TYPE_UNION: return suite_fill(random, field->of, to);
    case HY_TYPE_STR: err = suite_text(random, &bytes); break;
    case HY_TYPE_BYTES: err = suite_octets(random, &bytes); break;
    case HY_TYPE_UNKNOWN: err = suite_unknown(random, &bytes); break;
    default: break; // the integers: their lowest bytes
    }
    if (err != HY_OK) return err;
    bool is_bytes = field->type == HY_TYPE_STR || field->type == HY_TYPE_BYTES ||
                    field->type == HY_TYPE_UNKNOWN;
    memcpy(to, is_bytes ? (const void *)&bytes : (const void *)&number, field->size);
    return HY_OK;
}

static bool suite_equal_value(const hy_field *field, const uint8_t *a, const uint8_t *b) {
    if (field->type == HY_TYPE_RECORD || field->type == HY_TYPE_UNION) {
        return suite_equal(field->of, a, b);
    }
    if (field->type == HY_TYPE_STR || field->type == HY_TYPE_BYTES ||
        field->type == HY_TYPE_UNKNOWN) {
        hy_bytes x, y;
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return hy_bytes_equal(x, y);
    }
    return memcmp(a, b, field->size) == 0;
}

static bool suite_equal_field(const hy_field *field, const uint8_t *a, const uint8_t *b) {
    if (field->label == HY_SINGLE) return suite_equal_value(field, a, b);
    if (field->label == HY_OPTIONAL) {
        if (*a != *b) return false;
        return *a == 0 || suite_equal_value(field, a + field->align, b + field->align);
    }
    hy_bytes x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    if (x.len != y.len) return false;
    for (size_t i = 0; i < x.len; i++) {
        if (!suite_equal_value(field, x.ptr + i * field->size, y.ptr + i * field->size)) {
            return false;
        }
    }
    return true;
}

bool suite_equal(const hy_record *record, const void *a, const void *b) {
    const uint8_t *x = a, *y = b;
    const hy_field *fields = hy_record_fields(record);
    uint32_t which = 0;
    if (record->is_union) {
        if (memcmp(x, y, sizeof which) != 0) return false;
        memcpy(&which, x, sizeof which);
    }
    for (uint32_t i = 0; i < record->field_count; i++) {
        const hy_field *field = &fields[i];
        if (record->is_union && field->number != which) continue;
        if (!suite_equal_field(field, x + field->offset, y + field->offset)) return false;
    }
    return true;
}
