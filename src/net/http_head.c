// http_head.c - the head of one HTTP/1.1 request, from bytes.
//
// The caller collects bytes until hyi_http_head_len finds the end, and then has them parsed at
// once: a head is small (8 KiB by default), so a parser that can stop in the middle would buy
// nothing and cost states. RFC 9112 lets a server forgive many things; each thing forgiven is a
// place where two parsers may disagree about where a request ends, so this one forgives only an
// empty line in front.
#include "net/http_head.h"

#include "base/why.h"

#include <string.h>

typedef struct http_head_line {
    uint8_t *ptr; // without its CR LF
    size_t len;
    size_t offset; // in the head
} http_head_line;

static hy_err http_head_fail(hy_why *why, hy_err err, const char *place, size_t offset,
                             const char *text);
static bool http_head_next_line(uint8_t *bytes, size_t len, size_t *at, http_head_line *out_line);
static hy_err http_head_request_line(const http_head_line *line, hyi_http_head *head,
                                     uint32_t *out_status, hy_why *why);
static hy_err http_head_header_line(const http_head_line *line, hyi_http_head *head,
                                    uint32_t *out_status, hy_why *why);
static hy_err http_head_check(hyi_http_head *head, uint32_t *out_status, hy_why *why);

size_t hyi_http_head_len(hy_bytes bytes, size_t from) {
    // One line may have been cut between CR and LF, and the empty line is three bytes long at most
    // after the end of the line before it.
    size_t at = from > 3 ? from - 3 : 0;
    while (at < bytes.len) {
        const uint8_t *end = memchr(bytes.ptr + at, '\n', bytes.len - at);
        if (end == NULL) return 0;
        size_t index = (size_t)(end - bytes.ptr);
        if (index == 0 || bytes.ptr[index - 1] != '\r') return index + 1;
        if (index >= 3 && bytes.ptr[index - 2] == '\n') return index + 1;
        at = index + 1;
    }
    return 0;
}

hy_err hyi_http_head_parse(uint8_t *bytes, size_t len, hyi_http_head *out_head,
                           uint32_t *out_status, hy_why *why) {
    hyi_http_head *head = out_head;
    head->header_count = 0;
    head->content_length = 0;
    head->chunked = head->keep_alive = head->expect_continue = head->upgrade = false;
    *out_status = 400;

    size_t at = 0;
    http_head_line line;
    if (!http_head_next_line(bytes, len, &at, &line)) {
        return http_head_fail(why, HY_MALFORMED, "request line", at, "a line must end in CR LF");
    }
    hy_err err = http_head_request_line(&line, head, out_status, why);
    if (err != HY_OK) return err;

    for (;;) {
        if (!http_head_next_line(bytes, len, &at, &line)) {
            return http_head_fail(why, HY_MALFORMED, "header", at, "a line must end in CR LF");
        }
        if (line.len == 0) break;
        err = http_head_header_line(&line, head, out_status, why);
        if (err != HY_OK) return err;
    }
    return http_head_check(head, out_status, why);
}

hy_bytes hyi_http_head_get(const hyi_http_head *head, hy_bytes name) {
    for (uint32_t i = 0; i < head->header_count; i++) {
        if (hy_bytes_equal(head->headers[i].name, name)) return head->headers[i].value;
    }
    return (hy_bytes){ NULL, 0 };
}

static uint8_t http_head_lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool hyi_http_same_word(hy_bytes a, const char *lower) {
    for (size_t i = 0; i < a.len; i++) {
        if (lower[i] == '\0' || http_head_lower(a.ptr[i]) != (uint8_t)lower[i]) return false;
    }
    return lower[a.len] == '\0';
}

hy_bytes hyi_http_trim(hy_bytes value) {
    while (value.len > 0 && (value.ptr[0] == ' ' || value.ptr[0] == '\t')) {
        value.ptr++;
        value.len--;
    }
    while (value.len > 0 && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t')) {
        value.len--;
    }
    return value;
}

bool hyi_http_list_next(hy_bytes *list, hy_bytes *out_member) {
    while (list->len > 0) {
        const uint8_t *comma = memchr(list->ptr, ',', list->len);
        size_t len = comma == NULL ? list->len : (size_t)(comma - list->ptr);
        *out_member = hyi_http_trim((hy_bytes){ list->ptr, len });
        size_t used = comma == NULL ? len : len + 1;
        list->ptr += used;
        list->len -= used;
        if (out_member->len > 0) return true;
    }
    return false;
}

static hy_err http_head_fail(hy_why *why, hy_err err, const char *place, size_t offset,
                             const char *text) {
    (void)hy_why_set(why, err, place, text);
    if (why != NULL) why->offset = offset;
    return err;
}

static bool http_head_next_line(uint8_t *bytes, size_t len, size_t *at, http_head_line *out_line) {
    if (*at >= len) return false;
    uint8_t *end = memchr(bytes + *at, '\n', len - *at);
    if (end == NULL) return false;
    size_t index = (size_t)(end - bytes);
    if (index == *at || bytes[index - 1] != '\r') return false;
    *out_line = (http_head_line){ bytes + *at, index - 1 - *at, *at };
    *at = index + 1;
    return true;
}

// RFC 9110, 5.6.2: what names of methods and headers are made of.
static bool http_head_is_token(uint8_t c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    return c != 0 && c < 0x80 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static size_t http_head_token_len(const uint8_t *ptr, size_t len) {
    size_t count = 0;
    while (count < len && http_head_is_token(ptr[count])) {
        count++;
    }
    return count;
}

// "http://host/path" means "/path": RFC 9112, 3.2.2 wants servers to take it.
static hy_bytes http_head_origin_form(hy_bytes target) {
    static const char scheme[] = "http://";
    const size_t scheme_len = sizeof scheme - 1;
    if (target.len <= scheme_len || memcmp(target.ptr, scheme, scheme_len) != 0) return target;
    const uint8_t *rest = target.ptr + scheme_len;
    const uint8_t *slash = memchr(rest, '/', target.len - scheme_len);
    if (slash == NULL) return HY_BYTES("/");
    return (hy_bytes){ slash, target.len - (size_t)(slash - target.ptr) };
}

static hy_err http_head_target(hy_bytes target, size_t offset, hyi_http_head *head, hy_why *why) {
    for (size_t i = 0; i < target.len; i++) {
        if (target.ptr[i] <= ' ' || target.ptr[i] >= 0x7f || target.ptr[i] == '#') {
            return http_head_fail(why, HY_MALFORMED, "path", offset + i,
                                  "the path has a character that must be percent-encoded");
        }
    }
    target = http_head_origin_form(target);
    if (target.len == 0 || (target.ptr[0] != '/' && !hy_bytes_equal(target, HY_BYTES("*")))) {
        return http_head_fail(why, HY_MALFORMED, "path", offset, "the path must start with /");
    }
    const uint8_t *mark = memchr(target.ptr, '?', target.len);
    size_t path_len = mark == NULL ? target.len : (size_t)(mark - target.ptr);
    head->path = (hy_bytes){ target.ptr, path_len };
    head->query =
        mark == NULL ? (hy_bytes){ NULL, 0 } : (hy_bytes){ mark + 1, target.len - path_len - 1 };
    return HY_OK;
}

static hy_err http_head_request_line(const http_head_line *line, hyi_http_head *head,
                                     uint32_t *out_status, hy_why *why) {
    size_t method_len = http_head_token_len(line->ptr, line->len);
    if (method_len == 0 || method_len == line->len || line->ptr[method_len] != ' ') {
        return http_head_fail(why, HY_MALFORMED, "request line", line->offset + method_len,
                              "a request line is: METHOD /path HTTP/1.1");
    }
    head->method = (hy_bytes){ line->ptr, method_len };

    size_t at = method_len + 1;
    const uint8_t *space = memchr(line->ptr + at, ' ', line->len - at);
    if (space == NULL) {
        return http_head_fail(why, HY_MALFORMED, "request line", line->offset + line->len,
                              "a request line is: METHOD /path HTTP/1.1");
    }
    size_t target_len = (size_t)(space - line->ptr) - at;
    hy_bytes version = { space + 1, line->len - at - target_len - 1 };
    hy_bytes target = { line->ptr + at, target_len };
    if (version.len != 8 || memcmp(version.ptr, "HTTP/", 5) != 0) {
        return http_head_fail(why, HY_MALFORMED, "request line", at + target_len + 1,
                              "a request line ends in HTTP/1.1");
    }
    if (memcmp(version.ptr, "HTTP/1.", 7) != 0 ||
        (version.ptr[7] != '0' && version.ptr[7] != '1')) {
        *out_status = 505;
        return http_head_fail(why, HY_UNSUPPORTED, "request line", at + target_len + 1,
                              "this server speaks HTTP/1.1 and HTTP/1.0");
    }
    head->keep_alive = version.ptr[7] == '1'; // also the note for http_head_check: this is 1.1
    return http_head_target(target, line->offset + at, head, why);
}

static hy_err http_head_header_line(const http_head_line *line, hyi_http_head *head,
                                    uint32_t *out_status, hy_why *why) {
    size_t name_len = http_head_token_len(line->ptr, line->len);
    if (name_len == 0 || name_len == line->len || line->ptr[name_len] != ':') {
        return http_head_fail(why, HY_MALFORMED, "header", line->offset + name_len,
                              "a header line is: Name: value");
    }
    hy_bytes value = { line->ptr + name_len + 1, line->len - name_len - 1 };
    for (size_t i = 0; i < value.len; i++) {
        if ((value.ptr[i] < ' ' && value.ptr[i] != '\t') || value.ptr[i] == 0x7f) {
            return http_head_fail(why, HY_MALFORMED, "header", line->offset + name_len + 1 + i,
                                  "a header value has a control character");
        }
    }
    if (head->header_count == HYI_HTTP_HEADERS_MAX) {
        *out_status = 431;
        return hyi_why_fmt(why, HY_TOO_LARGE, "header", "more than %u headers",
                           (uint64_t)HYI_HTTP_HEADERS_MAX);
    }
    for (size_t i = 0; i < name_len; i++) {
        line->ptr[i] = http_head_lower(line->ptr[i]);
    }
    head->headers[head->header_count++] =
        (hyi_http_header){ { line->ptr, name_len }, hyi_http_trim(value) };
    return HY_OK;
}

static uint32_t http_head_count(const hyi_http_head *head, hy_bytes name) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < head->header_count; i++) {
        count += hy_bytes_equal(head->headers[i].name, name);
    }
    return count;
}

static hy_err http_head_length(hyi_http_head *head, hy_why *why) {
    const hy_bytes name = HY_BYTES("content-length");
    uint32_t count = http_head_count(head, name);
    if (count == 0) return HY_OK;
    if (count > 1) {
        return hy_why_set(why, HY_MALFORMED, "content-length", "Content-Length is there twice");
    }
    hy_bytes text = hyi_http_head_get(head, name);
    bool digits = text.len > 0 && text.len <= 18; // 10^18 fits, and no body is longer
    uint64_t value = 0;
    for (size_t i = 0; digits && i < text.len; i++) {
        digits = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (!digits) {
        return hyi_why_fmt(why, HY_MALFORMED, "content-length", "not a length: %b", &text);
    }
    head->content_length = value;
    return HY_OK;
}

static hy_err http_head_encoding(hyi_http_head *head, uint32_t *out_status, hy_why *why) {
    const hy_bytes name = HY_BYTES("transfer-encoding");
    uint32_t count = http_head_count(head, name);
    if (count == 0) return HY_OK;
    if (http_head_count(head, HY_BYTES("content-length")) > 0) {
        return hy_why_set(why, HY_MALFORMED, "transfer-encoding",
                          "Content-Length and Transfer-Encoding exclude each other");
    }
    if (count > 1 || !hyi_http_same_word(hyi_http_head_get(head, name), "chunked")) {
        *out_status = 501;
        return hy_why_set(why, HY_UNSUPPORTED, "transfer-encoding",
                          "the only transfer encoding here is chunked");
    }
    head->chunked = true;
    return HY_OK;
}

static bool http_head_has_word(const hyi_http_head *head, hy_bytes name, const char *lower) {
    for (uint32_t i = 0; i < head->header_count; i++) {
        if (!hy_bytes_equal(head->headers[i].name, name)) continue;
        hy_bytes list = head->headers[i].value, member;
        while (hyi_http_list_next(&list, &member)) {
            if (hyi_http_same_word(member, lower)) return true;
        }
    }
    return false;
}

static hy_err http_head_check(hyi_http_head *head, uint32_t *out_status, hy_why *why) {
    const bool is_1_1 = head->keep_alive;
    uint32_t hosts = http_head_count(head, HY_BYTES("host"));
    if (hosts > 1 || (hosts == 0 && is_1_1)) {
        return hy_why_set(why, hosts == 0 ? HY_MISSING : HY_MALFORMED, "host",
                          "a request names its Host exactly once");
    }
    hy_err err = http_head_length(head, why);
    if (err != HY_OK) return err;
    err = http_head_encoding(head, out_status, why);
    if (err != HY_OK) return err;

    const hy_bytes connection = HY_BYTES("connection");
    if (http_head_has_word(head, connection, "close")) head->keep_alive = false;
    if (!is_1_1 && http_head_has_word(head, connection, "keep-alive")) head->keep_alive = true;
    head->expect_continue =
        is_1_1 && hyi_http_same_word(hyi_http_head_get(head, HY_BYTES("expect")), "100-continue");
    head->upgrade = is_1_1 && http_head_has_word(head, connection, "upgrade") &&
                    http_head_has_word(head, HY_BYTES("upgrade"), "websocket");
    return HY_OK;
}
