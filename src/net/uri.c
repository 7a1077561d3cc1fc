// uri.c - paths, queries and the patterns of routes.
//
// A path is split at its slashes before it is decoded, so an encoded slash (%2F) belongs to its
// segment and can never make a new one. What is decoded is checked once, here: whoever reads a
// parameter later holds UTF-8 without NUL.
#include "net/uri.h"

#include "base/utf8.h"
#include "base/why.h"

#include <string.h>

static hy_err uri_fail(hy_why *why, hy_err err, const char *place, size_t offset, const char *text);
static hy_err uri_param_parse(hy_bytes pair, hy_arena *arena, hyi_uri_params *params, hy_why *why);

static int uri_hex(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

hy_err hyi_uri_decode(hy_bytes text, bool is_query, hy_arena *arena, const char *place,
                      hy_text *out_text, hy_why *why) {
    uint8_t *out = hy_arena_alloc(arena, text.len + 1);
    if (out == NULL) return HY_NOMEM;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '%') {
            int high = -1, low = -1;
            if (text.len - i > 2) {
                high = uri_hex(text.ptr[i + 1]);
                low = uri_hex(text.ptr[i + 2]);
            }
            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                return uri_fail(why, HY_MALFORMED, place, i,
                                "a percent sign is followed by two hex digits, and not by 00");
            }
            c = (uint8_t)(high * 16 + low);
            i += 2;
        } else if (c == '+' && is_query) {
            c = ' ';
        }
        out[len++] = c;
    }
    out[len] = '\0';
    *out_text = (hy_text){ out, len };
    size_t valid = hyi_utf8_valid_len(*out_text);
    if (valid == len) return HY_OK;
    return uri_fail(why, HY_NOT_UTF8, place, valid, "the decoded text is not valid UTF-8");
}

hy_err hyi_uri_path_parse(hy_bytes path, hy_arena *arena, hyi_uri_path *out_path, hy_why *why) {
    out_path->count = 0;
    size_t at = 0;
    while (at < path.len) {
        at++; // the slash
        const uint8_t *slash = memchr(path.ptr + at, '/', path.len - at);
        size_t len = slash == NULL ? path.len - at : (size_t)(slash - path.ptr) - at;
        if (out_path->count == HYI_URI_SEGMENTS_MAX) {
            return uri_fail(why, HY_TOO_LARGE, "path", at, "the path has too many parts");
        }
        hy_text *segment = &out_path->segments[out_path->count++];
        hy_err err =
            hyi_uri_decode((hy_bytes){ path.ptr + at, len }, false, arena, "path", segment, why);
        if (err != HY_OK) {
            if (why != NULL) why->offset += at;
            return err;
        }
        at += len;
    }
    return HY_OK;
}

hy_err hyi_uri_query_parse(hy_bytes query, hy_arena *arena, hyi_uri_params *params, hy_why *why) {
    size_t at = 0;
    while (at < query.len) {
        const uint8_t *mark = memchr(query.ptr + at, '&', query.len - at);
        size_t len = mark == NULL ? query.len - at : (size_t)(mark - query.ptr) - at;
        if (len > 0) {
            hy_err err = uri_param_parse((hy_bytes){ query.ptr + at, len }, arena, params, why);
            if (err != HY_OK) {
                if (why != NULL) why->offset += at;
                return err;
            }
        }
        at += len + 1;
    }
    return HY_OK;
}

bool hyi_uri_match(const char *pattern, const hyi_uri_path *path, hyi_uri_params *params) {
    const uint32_t before = params == NULL ? 0 : params->count;
    const char *at = pattern;
    uint32_t index = 0;
    while (*at == '/' && index < path->count) {
        at++;
        const char *end = strchr(at, '/');
        size_t len = end == NULL ? strlen(at) : (size_t)(end - at);
        hy_text part = { (const uint8_t *)at, len };
        hy_text segment = path->segments[index++];
        if (len > 1 && at[0] == ':') {
            if (segment.len == 0) break;
            if (params != NULL && params->count < HYI_URI_PARAMS_MAX) {
                params->items[params->count].name = (hy_text){ part.ptr + 1, len - 1 };
                params->items[params->count++].value = segment;
            }
        } else if (!hy_bytes_equal(part, segment)) {
            break;
        }
        at += len;
        if (*at == '\0' && index == path->count) return true;
    }
    if (params != NULL) params->count = before;
    return false;
}

hy_text hyi_uri_param(const hyi_uri_params *params, const char *name) {
    hy_text wanted = hy_bytes_of(name);
    for (uint32_t i = 0; i < params->count; i++) {
        if (hy_bytes_equal(params->items[i].name, wanted)) return params->items[i].value;
    }
    return (hy_text){ NULL, 0 };
}

bool hyi_uri_path_is_safe(const hyi_uri_path *path) {
    if (path->count == 0) return false;
    for (uint32_t i = 0; i < path->count; i++) {
        hy_text segment = path->segments[i];
        if (segment.len == 0) {
            if (i + 1 < path->count) return false;
            continue;
        }
        if (segment.ptr[0] == '.') return false;
        for (size_t k = 0; k < segment.len; k++) {
            uint8_t c = segment.ptr[k];
            if (c < ' ' || c == 0x7f || c == '/' || c == '\\') return false;
        }
    }
    return true;
}

static hy_err uri_fail(hy_why *why, hy_err err, const char *place, size_t offset,
                       const char *text) {
    (void)hy_why_set(why, err, place, text);
    if (why != NULL) why->offset = offset;
    return err;
}

static hy_err uri_param_parse(hy_bytes pair, hy_arena *arena, hyi_uri_params *params, hy_why *why) {
    if (params->count == HYI_URI_PARAMS_MAX) {
        return uri_fail(why, HY_TOO_LARGE, "query", 0, "the query has too many parameters");
    }
    const uint8_t *equals = memchr(pair.ptr, '=', pair.len);
    size_t name_len = equals == NULL ? pair.len : (size_t)(equals - pair.ptr);
    size_t value_at = equals == NULL ? pair.len : name_len + 1;
    hy_text name, value;
    hy_err err = hyi_uri_decode((hy_bytes){ pair.ptr, name_len }, true, arena, "query", &name, why);
    if (err != HY_OK) return err;
    err = hyi_uri_decode((hy_bytes){ pair.ptr + value_at, pair.len - value_at }, true, arena,
                         "query", &value, why);
    if (err != HY_OK) {
        if (why != NULL) why->offset += value_at;
        return err;
    }
    params->items[params->count].name = name;
    params->items[params->count++].value = value;
    return HY_OK;
}
