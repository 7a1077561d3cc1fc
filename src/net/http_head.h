// http_head.h - the head of one HTTP/1.1 request, from bytes.     Room: net. Includes: base.
// Threads: any; nothing is kept between calls. Pure: no clock, no socket, no memory.
//
// Strict where leniency has been an attack: one Host, one Content-Length of digits alone, never
// both Content-Length and Transfer-Encoding, lines end in CR LF, no folded lines, no space before a
// colon.
#ifndef HYI_NET_HTTP_HEAD_H
#define HYI_NET_HTTP_HEAD_H

#include <hypha/base.h>

#define HYI_HTTP_HEADERS_MAX 64

typedef struct hyi_http_header {
    hy_bytes name; // lower case
    hy_bytes value;
} hyi_http_header;

typedef struct hyi_http_head {
    hy_bytes method;
    hy_bytes path;  // as sent, percent-encoded; starts with '/' (or is "*")
    hy_bytes query; // as sent, without the '?'
    hyi_http_header headers[HYI_HTTP_HEADERS_MAX];
    uint32_t header_count;
    uint64_t content_length; // 0 when there is no body or it is chunked
    bool chunked;
    bool keep_alive;      // what the client asked for, or its version implies
    bool expect_continue; // it waits for "100 Continue" before it sends the body
    bool upgrade;         // to a WebSocket
} hyi_http_head;

// The length of the head at the beginning of `bytes`, its closing empty line included, or 0 when it
// is not whole yet. `from` is how far an earlier call has looked. A line that does not end in CR LF
// ends the head too: hyi_http_head_parse then says what is wrong.
size_t hyi_http_head_len(hy_bytes bytes, size_t from);

// Parses a whole head. Writes into `bytes` (names become lower case); *out_head borrows from them.
// On error *out_status is the HTTP status: 400, 431 (too many headers), 501 (a transfer encoding)
// or 505 (a version). HY_MALFORMED, HY_MISSING, HY_TOO_LARGE, HY_UNSUPPORTED; `why` has place and
// offset.
HY_CHECKED hy_err hyi_http_head_parse(uint8_t *bytes, size_t len, hyi_http_head *out_head,
                                      uint32_t *out_status, hy_why *why);

// The first header of that (lower-case) name; empty when there is none.
hy_bytes hyi_http_head_get(const hyi_http_head *head, hy_bytes name);

// Small words of the header grammar, for those who read values.
bool hyi_http_same_word(hy_bytes a, const char *lower); // ASCII case does not count
hy_bytes hyi_http_trim(hy_bytes value);                 // without spaces and tabs around it
// Cuts the next member off a comma-separated list; false at the end.
bool hyi_http_list_next(hy_bytes *list, hy_bytes *out_member);

#endif
