// top_json.c - a snapshot as a tree of values.
//
// The document comes from another program, perhaps of another version: everything that is looked up
// may be missing or of another kind, and then is nothing. So nobody who draws asks twice.
#include "top.h"

#include "base/json.h"

#include <string.h>

#define TOP_DEPTH 40u

static top_value *json_new(hy_arena *arena) {
    top_value *value = hy_arena_alloc(arena, sizeof *value);
    if (value != NULL) *value = (top_value){ 0 };
    return value;
}

static hy_err json_fill(hyi_json *json, const hyi_json_token *token, hy_arena *arena,
                        top_value *out);

static hy_err json_members(hyi_json *json, hy_arena *arena, top_value *out) {
    const top_value **tail = &out->first;
    for (;;) {
        hyi_json_token token;
        hy_text key = { NULL, 0 };
        hy_err err = hyi_json_next(json, &token);
        if (err != HY_OK) return err;
        if (token.kind == HYI_JSON_OBJECT_END || token.kind == HYI_JSON_ARRAY_END) return HY_OK;
        if (token.kind == HYI_JSON_KEY) {
            err = hyi_json_text(&token, arena, &key);
            if (err == HY_OK) err = hyi_json_next(json, &token);
            if (err != HY_OK) return err;
        }
        top_value *member = json_new(arena);
        if (member == NULL) return HY_NOMEM;
        err = json_fill(json, &token, arena, member); // as deep as the reader allows
        if (err != HY_OK) return err;
        member->key = key;
        *tail = member;
        tail = &member->next;
        out->count++;
    }
}

static hy_err json_fill(hyi_json *json, const hyi_json_token *token, hy_arena *arena,
                        top_value *out) {
    switch (token->kind) {
    case HYI_JSON_TEXT: return hyi_json_text(token, arena, &out->text);
    case HYI_JSON_BOOL:
        out->number = token->boolean;
        out->text = token->boolean ? HY_BYTES("yes") : HY_BYTES("no");
        return HY_OK;
    case HYI_JSON_NUMBER: {
        uint64_t large = 0;
        out->text = token->raw;
        if (hyi_json_i64(token, &out->number) == HY_OK) return HY_OK;
        out->number = hyi_json_u64(token, &large) == HY_OK ? INT64_MAX : 0;
        return HY_OK;
    }
    case HYI_JSON_OBJECT_BEGIN: out->is_object = true; return json_members(json, arena, out);
    case HYI_JSON_ARRAY_BEGIN: out->is_list = true; return json_members(json, arena, out);
    default: out->is_null = true; return HY_OK;
    }
}

hy_err top_snapshot_read(top_snapshot *snapshot, hy_bytes bytes, hy_why *why) {
    *snapshot = (top_snapshot){ 0 };
    hy_arena_init(&snapshot->arena, hy_mem_system(), 0);
    bool ok = false;
    snapshot->bytes = hy_arena_copy(&snapshot->arena, bytes, &ok);
    top_value *root = ok ? json_new(&snapshot->arena) : NULL;
    if (root == NULL) return HY_NOMEM;
    hyi_json json;
    hyi_json_token token;
    hyi_json_init(&json, snapshot->bytes, TOP_DEPTH, why);
    hy_err err = hyi_json_next(&json, &token);
    if (err == HY_OK) err = json_fill(&json, &token, &snapshot->arena, root);
    if (err == HY_OK) err = hyi_json_next(&json, &token);
    if (err != HY_OK) return err;
    snapshot->root = root;
    if (!root->is_object || !top_has(root, "format") || !top_has(root, "hypha")) {
        return hy_why_set(why, HY_TYPE, "", "this is JSON, but no snapshot of a Hypha program");
    }
    if (top_number(root, "format") != 1) {
        return hy_why_set(why, HY_NEWER, "", "a newer Hypha wrote this: use its `hypha top`");
    }
    return HY_OK;
}

void top_snapshot_free(top_snapshot *snapshot) {
    hy_arena_deinit(&snapshot->arena);
    *snapshot = (top_snapshot){ 0 };
}

const top_value *top_get(const top_value *object, const char *key) {
    if (object == NULL || !object->is_object) return NULL;
    const hy_bytes wanted = hy_bytes_of(key);
    for (const top_value *at = object->first; at != NULL; at = at->next) {
        if (hy_bytes_equal(at->key, wanted)) return at;
    }
    return NULL;
}

int64_t top_number(const top_value *object, const char *key) {
    const top_value *value = top_get(object, key);
    return value != NULL ? value->number : 0;
}

hy_text top_text(const top_value *object, const char *key) {
    const top_value *value = top_get(object, key);
    return value != NULL ? value->text : (hy_text){ NULL, 0 };
}

bool top_has(const top_value *object, const char *key) {
    return top_get(object, key) != NULL;
}

bool top_is(const top_value *object, const char *key, const char *text) {
    return hy_bytes_equal(top_text(object, key), hy_bytes_of(text));
}
