// json.c - the reader.
//
// One state says what may come next; one bit per level remembers whether it is an object, which is
// all the stack there is. Every text is checked completely when its token is made (escapes, control
// characters, UTF-8), so later steps take raw texts without checking again.
//
//   state        may come                          then
//   VALUE        a value                           AFTER, or inside
//   FIRST_ITEM   a value or ]                      AFTER, or inside
//   FIRST_KEY    a key or }                        VALUE, AFTER
//   KEY          a key                             VALUE
//   AFTER        , or the end of the level         VALUE or KEY, AFTER
//   DONE         nothing but white space           DONE
#include "base/json.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "base/why.h"

enum { JSON_VALUE, JSON_FIRST_ITEM, JSON_FIRST_KEY, JSON_KEY, JSON_AFTER, JSON_DONE };

static hy_err json_read_value(hyi_json *json, hyi_json_token *token);
static hy_err json_read_text(hyi_json *json, hyi_json_token *token);
static hy_err json_read_number(hyi_json *json, hyi_json_token *token);

void hyi_json_init(hyi_json *json, hy_bytes input, uint32_t depth_max, hy_why *why) {
    if (depth_max == 0 || depth_max > HYI_JSON_DEPTH_MAX) depth_max = HYI_JSON_DEPTH_MAX;
    *json = (hyi_json){ .input = input, .depth_max = depth_max, .why = why };
}

hy_err hyi_json_blame(const hyi_json *json, uint64_t offset, hy_err code, const char *text) {
    if (!json->why) return code;
    uint64_t line = 1, column = 1;
    for (size_t i = 0; i < offset && i < json->input.len; i++) {
        uint8_t byte = json->input.ptr[i];
        if (byte == '\n') {
            line++;
            column = 1;
        } else if ((byte & 0xc0) != 0x80) {
            column++; // characters, not bytes: that is what an editor shows
        }
    }
    (void)hyi_why_fmt(json->why, code, NULL, "line %u, column %u", line, column);
    char place[sizeof json->why->place];
    memcpy(place, json->why->text, sizeof place);
    place[sizeof place - 1] = 0;
    (void)hy_why_set(json->why, code, place, text);
    json->why->offset = offset;
    return code;
}

static hy_err json_fail(hyi_json *json, uint64_t offset, hy_err code, const char *text) {
    json->failed = code;
    return hyi_json_blame(json, offset, code, text);
}

// The next byte, or 0 at the end; a NUL in the input is refused wherever it stands.
static uint8_t json_peek(const hyi_json *json) {
    return json->at < json->input.len ? json->input.ptr[json->at] : 0;
}

static void json_skip_space(hyi_json *json) {
    while (json->at < json->input.len) {
        uint8_t byte = json->input.ptr[json->at];
        if (byte != ' ' && byte != '\n' && byte != '\t' && byte != '\r') return;
        json->at++;
    }
}

static bool json_in_object(const hyi_json *json) {
    return json->depth > 0 && (json->objects >> (json->depth - 1) & 1) != 0;
}

static hy_err json_unexpected(hyi_json *json, const char *text) {
    if (json->at < json->input.len) return json_fail(json, json->at, HY_MALFORMED, text);
    return json_fail(json, json->at, HY_MALFORMED, "the document ends too early");
}

static hy_err json_open(hyi_json *json, hyi_json_token *token, bool is_object) {
    if (json->depth == json->depth_max) {
        return json_fail(json, json->at, HY_TOO_DEEP, "the document is nested too deeply");
    }
    json->at++;
    uint64_t bit = UINT64_C(1) << json->depth++;
    json->objects = is_object ? json->objects | bit : json->objects & ~bit;
    json->expected = is_object ? JSON_FIRST_KEY : JSON_FIRST_ITEM;
    token->kind = is_object ? HYI_JSON_OBJECT_BEGIN : HYI_JSON_ARRAY_BEGIN;
    return HY_OK;
}

static hy_err json_close(hyi_json *json, hyi_json_token *token) {
    token->kind = json_in_object(json) ? HYI_JSON_OBJECT_END : HYI_JSON_ARRAY_END;
    HY_ASSERT(json->depth > 0);
    json->depth--;
    json->at++;
    json->expected = json->depth == 0 ? JSON_DONE : JSON_AFTER;
    return HY_OK;
}

static hy_err json_read_key(hyi_json *json, hyi_json_token *token) {
    if (json_peek(json) != '"')
        return json_unexpected(json, "a member's name in quotes is expected");
    hy_err err = json_read_text(json, token);
    if (err != HY_OK) return err;
    token->kind = HYI_JSON_KEY;
    json_skip_space(json);
    if (json_peek(json) != ':') return json_unexpected(json, "a colon is expected");
    json->at++;
    json->expected = JSON_VALUE;
    return HY_OK;
}

// Behind a value: the comma and what it leads to, or the end of the level.
static hy_err json_read_after(hyi_json *json, hyi_json_token *token) {
    bool in_object = json_in_object(json);
    uint8_t byte = json_peek(json);
    if (byte == (in_object ? '}' : ']')) return json_close(json, token);
    if (byte != ',') {
        return json_unexpected(json, in_object ? "a comma or a closing brace is expected"
                                               : "a comma or a closing bracket is expected");
    }
    json->at++;
    json_skip_space(json);
    token->offset = json->at;
    return in_object ? json_read_key(json, token) : json_read_value(json, token);
}

hy_err hyi_json_next(hyi_json *json, hyi_json_token *out_token) {
    if (json->failed != HY_OK) return json->failed;
    json_skip_space(json);
    hyi_json_token token = { .offset = json->at };
    hy_err err = HY_OK;
    uint8_t byte = json_peek(json);
    switch (json->expected) {
    case JSON_DONE:
        if (json->at < json->input.len) {
            return json_fail(json, json->at, HY_MALFORMED, "nothing may follow the value");
        }
        break; // HYI_JSON_END
    case JSON_FIRST_ITEM:
        err = byte == ']' ? json_close(json, &token) : json_read_value(json, &token);
        break;
    case JSON_FIRST_KEY:
        err = byte == '}' ? json_close(json, &token) : json_read_key(json, &token);
        break;
    case JSON_AFTER: err = json_read_after(json, &token); break;
    default: err = json_read_value(json, &token);
    }
    if (err == HY_OK) *out_token = token;
    return err;
}

hy_err hyi_json_skip(hyi_json *json) {
    uint32_t depth = json->depth;
    hyi_json_token token;
    do {
        hy_err err = hyi_json_next(json, &token);
        if (err != HY_OK) return err;
    } while (json->depth > depth);
    return HY_OK;
}

static hy_err json_read_word(hyi_json *json, hyi_json_token *token, hy_bytes word) {
    size_t left = json->input.len - json->at;
    hy_bytes found = { json->input.ptr + json->at, left < word.len ? left : word.len };
    if (!hy_bytes_equal(found, word)) {
        return json_fail(json, json->at, HY_MALFORMED, "only true, false and null are words");
    }
    token->raw = found;
    json->at += word.len;
    return HY_OK;
}

static hy_err json_read_scalar(hyi_json *json, hyi_json_token *token) {
    switch (json_peek(json)) {
    case '"': token->kind = HYI_JSON_TEXT; return json_read_text(json, token);
    case 't':
        token->kind = HYI_JSON_BOOL;
        token->boolean = true;
        return json_read_word(json, token, HY_BYTES("true"));
    case 'f': token->kind = HYI_JSON_BOOL; return json_read_word(json, token, HY_BYTES("false"));
    case 'n': token->kind = HYI_JSON_NULL; return json_read_word(json, token, HY_BYTES("null"));
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': token->kind = HYI_JSON_NUMBER; return json_read_number(json, token);
    default: return json_unexpected(json, "a value is expected");
    }
}

static hy_err json_read_value(hyi_json *json, hyi_json_token *token) {
    uint8_t byte = json_peek(json);
    if (byte == '{') return json_open(json, token, true);
    if (byte == '[') return json_open(json, token, false);
    hy_err err = json_read_scalar(json, token);
    if (err != HY_OK) return err;
    json->expected = json->depth == 0 ? JSON_DONE : JSON_AFTER;
    return HY_OK;
}

// ---- texts ----

#define JSON_ONES UINT64_C(0x0101010101010101)
#define JSON_HIGHS UINT64_C(0x8080808080808080)

// True when one of eight bytes is not plain: a quote, a backslash, below the space, above ASCII.
// The subtractions may mark a byte above a marked one wrongly, which only costs a closer look.
static bool json_has_special(uint64_t word) {
    uint64_t quote = word ^ JSON_ONES * '"', slash = word ^ JSON_ONES * '\\';
    return (((quote - JSON_ONES) | (slash - JSON_ONES) | (word - JSON_ONES * ' ') | word) &
            JSON_HIGHS) != 0;
}

// Four hexadecimal digits at `at`; false when they are not.
static bool json_read_hex(const hy_bytes input, size_t at, uint32_t *out_unit) {
    if (input.len - at < 4) return false;
    uint32_t unit = 0;
    for (size_t i = 0; i < 4; i++) {
        uint8_t byte = input.ptr[at + i], lower = byte | 0x20;
        if (byte >= '0' && byte <= '9') {
            unit = unit << 4 | (uint32_t)(byte - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            unit = unit << 4 | (uint32_t)(lower - 'a' + 10);
        } else {
            return false;
        }
    }
    *out_unit = unit;
    return true;
}

// The escape whose backslash is at `at`: its length and what it means; 0 when it is none. Two
// halves of a surrogate pair are one escape; a lone half is none, because no UTF-8 can hold it.
static size_t json_read_escape(hy_bytes input, size_t at, uint32_t *out_code_point) {
    if (input.len - at < 2) return 0;
    switch (input.ptr[at + 1]) {
    case '"': *out_code_point = '"'; return 2;
    case '\\': *out_code_point = '\\'; return 2;
    case '/': *out_code_point = '/'; return 2;
    case 'b': *out_code_point = '\b'; return 2;
    case 'f': *out_code_point = '\f'; return 2;
    case 'n': *out_code_point = '\n'; return 2;
    case 'r': *out_code_point = '\r'; return 2;
    case 't': *out_code_point = '\t'; return 2;
    case 'u': break;
    default: return 0;
    }
    uint32_t unit = 0, low = 0;
    if (!json_read_hex(input, at + 2, &unit)) return 0;
    *out_code_point = unit;
    if (unit < 0xd800 || unit > 0xdfff) return 6;
    bool has_low = unit < 0xdc00 && input.len - at >= 8 && input.ptr[at + 6] == '\\' &&
                   input.ptr[at + 7] == 'u' && json_read_hex(input, at + 8, &low);
    if (!has_low || low < 0xdc00 || low > 0xdfff) return 0;
    *out_code_point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

// One character inside quotes that is not plain; moves behind it.
static hy_err json_read_special(hyi_json *json, hyi_json_token *token) {
    uint8_t byte = json->input.ptr[json->at];
    uint32_t code_point;
    if (byte < 0x20) {
        return json_fail(json, json->at, HY_MALFORMED, "control characters must be escaped");
    }
    if (byte == '\\') {
        size_t len = json_read_escape(json->input, json->at, &code_point);
        if (len == 0) return json_fail(json, json->at, HY_MALFORMED, "there is no such escape");
        token->is_escaped = true;
        json->at += len;
        return HY_OK;
    }
    hy_bytes rest = { json->input.ptr + json->at, json->input.len - json->at };
    size_t len = hyi_utf8_decode(rest, &code_point);
    if (len == 0) return json_fail(json, json->at, HY_NOT_UTF8, "this is not UTF-8");
    json->at += len;
    return HY_OK;
}

static hy_err json_read_text(hyi_json *json, hyi_json_token *token) {
    size_t begin = ++json->at;
    for (;;) {
        uint64_t word;
        while (json->input.len - json->at >= sizeof word) {
            memcpy(&word, json->input.ptr + json->at, sizeof word);
            if (json_has_special(word)) break;
            json->at += sizeof word;
        }
        if (json->at == json->input.len) {
            return json_fail(json, token->offset, HY_MALFORMED, "this text has no closing quote");
        }
        uint8_t byte = json->input.ptr[json->at];
        if (byte == '"') break;
        if (byte >= 0x20 && byte < 0x80 && byte != '\\') {
            json->at++;
            continue;
        }
        hy_err err = json_read_special(json, token);
        if (err != HY_OK) return err;
    }
    token->raw = (hy_bytes){ json->input.ptr + begin, json->at - begin };
    json->at++;
    return HY_OK;
}

// The next character of a checked text, at most 4 bytes; moves *at behind it.
static size_t json_unescape(hy_bytes raw, size_t *at, uint8_t out_bytes[4]) {
    if (raw.ptr[*at] != '\\') {
        out_bytes[0] = raw.ptr[(*at)++];
        return 1;
    }
    uint32_t code_point = 0;
    size_t len = json_read_escape(raw, *at, &code_point);
    HY_ASSERT(len > 0);
    *at += len;
    return hyi_utf8_encode(code_point, out_bytes);
}

hy_err hyi_json_text(const hyi_json_token *token, hy_arena *arena, hy_text *out_text) {
    HY_ASSERT(token->kind == HYI_JSON_TEXT || token->kind == HYI_JSON_KEY);
    if (!token->is_escaped) {
        *out_text = token->raw;
        return HY_OK;
    }
    // No escape is shorter than what it means, so this is enough.
    uint8_t *ptr = (uint8_t *)hy_arena_alloc(arena, token->raw.len);
    if (!ptr) return HY_NOMEM;
    size_t len = 0;
    for (size_t at = 0; at < token->raw.len;) {
        uint8_t bytes[4];
        size_t count = json_unescape(token->raw, &at, bytes);
        memcpy(ptr + len, bytes, count);
        len += count;
    }
    *out_text = (hy_text){ ptr, len };
    return HY_OK;
}

bool hyi_json_text_is(const hyi_json_token *token, hy_text text) {
    HY_ASSERT(token->kind == HYI_JSON_TEXT || token->kind == HYI_JSON_KEY);
    if (!token->is_escaped) return hy_bytes_equal(token->raw, text);
    size_t len = 0;
    for (size_t at = 0; at < token->raw.len;) {
        uint8_t bytes[4];
        size_t count = json_unescape(token->raw, &at, bytes);
        if (text.len - len < count || memcmp(text.ptr + len, bytes, count) != 0) return false;
        len += count;
    }
    return len == text.len;
}

// ---- numbers ----

// Moves behind digits; false when there is none.
static bool json_skip_digits(hyi_json *json) {
    size_t begin = json->at;
    while (json_peek(json) >= '0' && json_peek(json) <= '9')
        json->at++;
    return json->at > begin;
}

static hy_err json_read_number(hyi_json *json, hyi_json_token *token) {
    size_t begin = json->at;
    if (json_peek(json) == '-') json->at++;
    if (json_peek(json) == '0') {
        json->at++; // and no digit may follow: whatever does is unexpected later
    } else if (!json_skip_digits(json)) {
        return json_unexpected(json, "a digit is expected");
    }
    if (json_peek(json) >= '0' && json_peek(json) <= '9') {
        return json_fail(json, begin, HY_MALFORMED, "a number may not begin with 0");
    }
    if (json_peek(json) == '.') {
        json->at++;
        if (!json_skip_digits(json)) return json_unexpected(json, "a digit is expected");
    }
    if (json_peek(json) == 'e' || json_peek(json) == 'E') {
        json->at++;
        if (json_peek(json) == '+' || json_peek(json) == '-') json->at++;
        if (!json_skip_digits(json)) return json_unexpected(json, "a digit is expected");
    }
    token->raw = (hy_bytes){ json->input.ptr + begin, json->at - begin };
    return HY_OK;
}
