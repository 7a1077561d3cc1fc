// Requirements: conditions on values that are data.
//
// A condition is a table of paths, operands and parts, so whoever keeps values elsewhere can walk
// the same table and write a query. Here it is only asked whether a value meets it. Types are the
// caller's business, like those of a function's arguments: a text is matched only with texts, and a
// list contains only elements of its own type.
//
// Case is folded for the letters A to Z only, because everything beyond needs tables of Unicode
// that change every year, and then a stored query would mean another thing.
#include "base/cleanup.h"
#include "base/memory.h"
#include "schema/record.h"
#include "value/image.h"
#include "value/object.h"
#include "value/path.h"
#include "value/vec.h"

static hy_err need_check(const hy_need *need, const hy_value *value, hy_why *why, uint32_t depth);

static uint8_t need_fold(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool need_has_word(hy_text text, hy_text word) {
    for (size_t at = 0; at + word.len <= text.len; at++) {
        size_t same = 0;
        while (same < word.len && need_fold(text.ptr[at + same]) == need_fold(word.ptr[same])) {
            same += 1;
        }
        if (same == word.len) return true;
    }
    return word.len == 0;
}

static bool need_matches(const void *at, const void *operand) {
    hy_text text, words;
    memcpy(&text, at, sizeof text);
    memcpy(&words, operand, sizeof words);
    size_t start = 0;
    for (size_t i = 0; i <= words.len; i++) {
        if (i < words.len && words.ptr[i] != ' ') continue;
        if (!need_has_word(text, (hy_text){ words.ptr + start, i - start })) return false;
        start = i + 1;
    }
    return true;
}

static bool need_is_among(const hy_need *need, const uint8_t *at) {
    for (uint32_t i = 0; i < need->operand_count; i++) {
        if (hyi_path_compare(need->path, at, (const uint8_t *)need->operands[i]) == 0) return true;
    }
    return false;
}

static bool need_contains(const hy_need *need, const uint8_t *list) {
    const hy_path_step *last = hyi_path_last(need->path);
    HY_ASSERT(last->field->label == HY_REPEATED);
    HY_ASSERT(last->pick == HYI_PATH_WHOLE);
    const void *cells;
    size_t size = last->field->size;
    for (size_t at = 0, n; (n = hy_list_span(list, size, at, &cells)) > 0; at += n) {
        for (size_t i = 0; i < n; i++) {
            const uint8_t *cell = (const uint8_t *)cells + i * size;
            for (uint32_t j = 0; j < need->operand_count; j++) {
                const uint8_t *operand = (const uint8_t *)need->operands[j];
                if (hyi_cell_compare(last->field, cell, operand) == 0) return true;
            }
        }
    }
    return false;
}

static bool need_holds(const hy_need *need, const hy_value *value) {
    HY_ASSERT(need->path != NULL);
    HY_ASSERT(need->operand_count > 0 || need->kind >= HY_NEED_CONTAINS_ANY);
    const uint8_t *at = (const uint8_t *)hy_path_get(value, need->path);
    if (at == NULL) return need->kind == HY_NEED_NOT_EQUAL;
    switch (need->kind) {
    case HY_NEED_EQUAL:
    case HY_NEED_CONTAINED_IN: return need_is_among(need, at);
    case HY_NEED_NOT_EQUAL: return !need_is_among(need, at);
    case HY_NEED_BELOW:
        return hyi_path_compare(need->path, at, (const uint8_t *)need->operands[0]) < 0;
    case HY_NEED_ABOVE:
        return hyi_path_compare(need->path, at, (const uint8_t *)need->operands[0]) > 0;
    case HY_NEED_TEXT_MATCH:
        HY_ASSERT(hyi_path_last(need->path)->field->type == HY_TYPE_STR);
        HY_ASSERT(need->operand_count == 1);
        return need_matches(at, need->operands[0]);
    default: return need_contains(need, at);
    }
}

static hy_err need_check_parts(const hy_need *need, const hy_value *value, hy_why *why,
                               uint32_t depth) {
    bool any = need->kind == HY_NEED_ANY;
    hy_err err = any ? HY_REJECT : HY_OK;
    if (any && need->part_count == 0) {
        return hy_why_set(why, HY_REJECT, "", "none of no conditions holds");
    }
    for (uint32_t i = 0; i < need->part_count; i++) {
        err = need_check(&need->parts[i], value, why, depth + 1);
        if (err != HY_OK && err != HY_REJECT) return err;
        if ((err == HY_OK) == any) return err;
    }
    return err;
}

static hy_err need_check(const hy_need *need, const hy_value *value, hy_why *why, uint32_t depth) {
    if (depth == HY_DEPTH_MAX) {
        return hy_why_set(why, HY_TOO_DEEP, "", "the conditions are nested too deeply");
    }
    if (need->kind <= HY_NEED_ANY) return need_check_parts(need, value, why, depth);
    if (need_holds(need, value)) return HY_OK;
    return hyi_path_fail(need->path, why, HY_REJECT, "it does not meet the condition");
}

hy_err hy_need_check(const hy_need *need, const hy_value *value, hy_why *why) {
    return need_check(need, value, why, 0);
}

static void need_unref(hy_vec **vec) {
    *vec = hy_vec_unref(*vec);
}

hy_err hy_need_filter(const hy_need *need, const hy_vec *values, hy_vec **out_vec) {
    HY_CLEANUP(need_unref) hy_vec *found = NULL;
    hy_err err = hyi_vec_like(values, &found);
    if (err != HY_OK) return err;
    for (size_t i = 0; i < hy_vec_count(values); i++) {
        const hy_value *const *value = (const hy_value *const *)hy_vec_at(values, i);
        err = need_check(need, *value, NULL, 0);
        if (err == HY_OK) err = hy_vec_push(&found, value);
        if (err != HY_OK && err != HY_REJECT) return err;
    }
    *out_vec = found;
    found = NULL;
    return HY_OK;
}
