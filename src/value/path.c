// Paths: "slots[2].prices[\"EUR\"]" compiled against a record, and followed in a value.
//
// Compiling finds every mistake that can be found without a value, with the offset of the word that
// is wrong; following then only meets what is not there. A path has a bounded number of steps and
// keeps the text of its keys itself, so it is a value: copied, compared, kept in a table.
//
// A key step is followed by a step for the entry's `value`: so whatever may come behind a field may
// come behind a key.
#include "value/path.h"

#include "base/memory.h"
#include "base/why.h"
#include "schema/record.h"
#include "value/image.h"

const hy_field *hyi_entry_key(const hy_record *record) {
    if (record == NULL || record->is_union) return NULL;
    const hy_field *key = hyi_record_field_named(record, HY_BYTES("key"));
    if (key == NULL || key->type != HY_TYPE_STR || key->label != HY_SINGLE) return NULL;
    return hyi_entry_value(record) == NULL ? NULL : key;
}

const hy_field *hyi_entry_value(const hy_record *record) {
    return hyi_record_field_named(record, HY_BYTES("value"));
}

// ---- parse ------------------------------------------------------------------------------------

typedef struct path_parser {
    hy_text text;
    size_t at;
    hy_path *path;
    hy_why *why;
} path_parser;

static hy_err path_refuse(const path_parser *parser, size_t offset, hy_err code, const char *text) {
    if (parser->why == NULL) return code;
    hy_text before = { parser->text.ptr, offset };
    char place[sizeof parser->why->place];
    hyi_why_fmt(parser->why, code, "", "%b", &before);
    memcpy(place, parser->why->text, sizeof place);
    place[sizeof place - 1] = '\0';
    (void)hy_why_set(parser->why, code, place, text);
    parser->why->offset = offset;
    return code;
}

static bool path_next_is(const path_parser *parser, char c) {
    return parser->at < parser->text.len && parser->text.ptr[parser->at] == (uint8_t)c;
}

static hy_err path_add(path_parser *parser, const hy_field *field, size_t offset) {
    hy_path *path = parser->path;
    if (path->step_count == HY_PATH_STEPS_MAX) {
        return path_refuse(parser, offset, HY_LIMIT, "the path has too many steps");
    }
    path->steps[path->step_count++] = (hy_path_step){ .field = field };
    return HY_OK;
}

static hy_err path_parse_name(path_parser *parser, const hy_record *record) {
    size_t start = parser->at;
    while (parser->at < parser->text.len) {
        uint8_t c = parser->text.ptr[parser->at];
        if (c == '.' || c == '[') break;
        parser->at += 1;
    }
    hy_text name = { parser->text.ptr + start, parser->at - start };
    if (name.len == 0) return path_refuse(parser, start, HY_MALFORMED, "a name is expected here");
    const hy_field *field = hyi_record_field_named(record, name);
    if (field == NULL || field->type == HY_TYPE_UNKNOWN) {
        return path_refuse(parser, start, HY_UNKNOWN_FIELD, "there is no such field");
    }
    return path_add(parser, field, start);
}

static hy_err path_parse_index(path_parser *parser, hy_path_step *step) {
    size_t start = parser->at;
    uint64_t index = 0;
    while (parser->at < parser->text.len) {
        uint8_t c = parser->text.ptr[parser->at];
        if (c < '0' || c > '9') break;
        index = index * 10 + (c - '0');
        if (index > HY_VALUE_COUNT_MAX) {
            return path_refuse(parser, start, HY_RANGE, "no list is that long");
        }
        parser->at += 1;
    }
    if (parser->at == start) {
        return path_refuse(parser, start, HY_MALFORMED, "a number or a \"key\" is expected here");
    }
    step->pick = HYI_PATH_INDEX;
    step->index = (size_t)index;
    return HY_OK;
}

// The opening quote is taken. Quotes and backslashes in a key stand behind a backslash.
static hy_err path_parse_key(path_parser *parser, hy_path_step *step) {
    hy_path *path = parser->path;
    size_t start = parser->at;
    const hy_record *entry = step->field->of;
    if (hyi_entry_key(entry) == NULL) {
        return path_refuse(parser, start, HY_TYPE, "the list has no keys");
    }
    step->pick = HYI_PATH_KEY;
    step->key_start = path->key_used;
    for (;; parser->at++) {
        if (path_next_is(parser, '"')) break;
        if (path_next_is(parser, '\\')) parser->at += 1;
        if (parser->at >= parser->text.len) {
            return path_refuse(parser, start, HY_MALFORMED, "the key does not end");
        }
        if (path->key_used == HY_PATH_KEYS_MAX) {
            return path_refuse(parser, start, HY_LIMIT, "the keys of the path are too long");
        }
        path->keys[path->key_used++] = parser->text.ptr[parser->at];
    }
    parser->at += 1;
    step->key_len = path->key_used - step->key_start;
    if (!hy_text_is_utf8(hyi_path_key(path, step))) {
        return path_refuse(parser, start, HY_NOT_UTF8, "the key is not UTF-8");
    }
    return path_add(parser, hyi_entry_value(entry), start);
}

// The opening bracket is taken.
static hy_err path_parse_pick(path_parser *parser) {
    hy_path_step *step = &parser->path->steps[parser->path->step_count - 1];
    if (step->field->label != HY_REPEATED || step->pick != HYI_PATH_WHOLE) {
        return path_refuse(parser, parser->at, HY_TYPE, "there is no list here");
    }
    hy_err err;
    if (path_next_is(parser, '"')) {
        parser->at += 1;
        err = path_parse_key(parser, step);
    } else {
        err = path_parse_index(parser, step);
    }
    if (err != HY_OK) return err;
    if (!path_next_is(parser, ']')) {
        return path_refuse(parser, parser->at, HY_MALFORMED, "] is expected here");
    }
    parser->at += 1;
    return HY_OK;
}

static hy_err path_parse_all(path_parser *parser) {
    const hy_record *record = parser->path->record;
    for (;;) {
        hy_err err = path_parse_name(parser, record);
        while (err == HY_OK && path_next_is(parser, '[')) {
            parser->at += 1;
            err = path_parse_pick(parser);
        }
        if (err != HY_OK || parser->at == parser->text.len) return err;
        const hy_path_step *last = hyi_path_last(parser->path);
        if (!path_next_is(parser, '.')) {
            return path_refuse(parser, parser->at, HY_MALFORMED, ". or [ is expected here");
        }
        parser->at += 1;
        bool is_list = last->field->label == HY_REPEATED && last->pick == HYI_PATH_WHOLE;
        record = last->field->of;
        if (record == NULL || is_list) {
            return path_refuse(parser, parser->at, HY_TYPE, "there is no record here");
        }
    }
}

hy_err hy_path_parse(hy_path *out_path, const hy_record *record, hy_text text, hy_why *why) {
    hy_path path;
    memset(&path, 0, sizeof path);
    path.record = record;
    path_parser parser = { .text = text, .path = &path, .why = why };
    hy_err err = path_parse_all(&parser);
    if (err == HY_OK) *out_path = path;
    return err;
}

const hy_field *hy_path_field(const hy_path *path, bool *out_is_element) {
    const hy_path_step *last = hyi_path_last(path);
    *out_is_element = last->pick == HYI_PATH_INDEX;
    return last->field;
}

// ---- follow -----------------------------------------------------------------------------------

static size_t path_find_entry(const hy_field *field, const uint8_t *member, hy_text key) {
    uint32_t offset = hyi_entry_key(field->of)->offset;
    const void *entries;
    for (size_t at = 0, n; (n = hy_list_span(member, field->size, at, &entries)) > 0; at += n) {
        for (size_t i = 0; i < n; i++) {
            hy_text found;
            memcpy(&found, (const uint8_t *)entries + i * field->size + offset, sizeof found);
            if (hy_bytes_equal(found, key)) return at + i;
        }
    }
    return SIZE_MAX;
}

// One step from `image`; gives where it leads, or NULL.
static const uint8_t *path_step(const hy_path *path, uint32_t i, const hy_record *record,
                                const uint8_t *image, hyi_place *place) {
    const hy_path_step *step = &path->steps[i];
    const hy_field *field = step->field;
    bool last = i + 1 == path->step_count;
    const uint8_t *member = image + field->offset;
    place->indexes[i] = SIZE_MAX;
    place->reached = last && step->pick == HYI_PATH_WHOLE;
    if (record->is_union && hyi_union_member(record, image) != field) return NULL;
    if (step->pick == HYI_PATH_WHOLE) {
        if (field->label != HY_OPTIONAL) return member;
        return *member == 0 ? NULL : member + field->align;
    }
    if (step->pick == HYI_PATH_INDEX) {
        place->indexes[i] = step->index;
    } else {
        place->indexes[i] = path_find_entry(field, member, hyi_path_key(path, step));
        place->reached = i + 2 == path->step_count;
    }
    return (const uint8_t *)hy_list_at(member, field->size, place->indexes[i]);
}

void hyi_path_walk(const hy_value *value, const hy_path *path, hyi_place *out_place) {
    HY_ASSERT(hy_value_model(value)->record == path->record);
    HY_ASSERT(path->step_count > 0);
    const uint8_t *image = (const uint8_t *)hy_value_get(value);
    const hy_record *record = path->record;
    out_place->record_count = 0;
    for (uint32_t i = 0; i < path->step_count && image != NULL; i++) {
        out_place->records[i] = record;
        out_place->images[i] = image;
        out_place->record_count += 1;
        image = path_step(path, i, record, image, out_place);
        record = path->steps[i].field->of;
    }
    out_place->at = image;
    if (image != NULL) out_place->reached = true;
}

const void *hy_path_get(const hy_value *value, const hy_path *path) {
    hyi_place place;
    hyi_path_walk(value, path, &place);
    return place.at;
}

int hyi_path_compare(const hy_path *path, const uint8_t *at, const uint8_t *with) {
    const hy_path_step *last = hyi_path_last(path);
    bool is_list = last->field->label == HY_REPEATED && last->pick == HYI_PATH_WHOLE;
    if (is_list) return hyi_member_compare(last->field, at, with);
    return hyi_cell_compare(last->field, at, with);
}

// ---- as text ----------------------------------------------------------------------------------

hy_err hyi_path_fail(const hy_path *path, hy_why *why, hy_err code, const char *text) {
    if (why == NULL) return code;
    char place[sizeof why->place] = "";
    for (uint32_t i = 0; i < path->step_count; i++) {
        const hy_path_step *step = &path->steps[i];
        const char *name = step->field->name, *dot = i > 0 ? "." : "";
        if (i > 0 && step[-1].pick == HYI_PATH_KEY) name = dot = ""; // its `value` is understood
        hy_text key = hyi_path_key(path, step);
        if (step->pick == HYI_PATH_INDEX) {
            hyi_why_fmt(why, code, "", "%s%s%s[%u]", place, dot, name, (uint64_t)step->index);
        } else if (step->pick == HYI_PATH_KEY) {
            hyi_why_fmt(why, code, "", "%s%s%s[\"%b\"]", place, dot, name, &key);
        } else {
            hyi_why_fmt(why, code, "", "%s%s%s", place, dot, name);
        }
        memcpy(place, why->text, sizeof place);
        place[sizeof place - 1] = '\0';
    }
    return hy_why_set(why, code, place, text);
}
