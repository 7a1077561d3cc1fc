// uri.h - paths, queries and the patterns of routes.              Room: net. Includes: base.
// Threads: any. Pure. Decoded text comes from the caller's arena and is UTF-8 without NUL.
#ifndef HYI_NET_URI_H
#define HYI_NET_URI_H

#include <hypha/base.h>

#define HYI_URI_SEGMENTS_MAX 32
#define HYI_URI_PARAMS_MAX 64

typedef struct hyi_uri_path {
    hy_text segments[HYI_URI_SEGMENTS_MAX]; // decoded; "/a/" has two, the second is empty
    uint32_t count;
} hyi_uri_path;

typedef struct hyi_uri_params {
    struct {
        hy_text name, value;
    } items[HYI_URI_PARAMS_MAX];
    uint32_t count;
} hyi_uri_params;

// Percent-decodes; in a query '+' is a space. HY_MALFORMED (also for %00), HY_NOT_UTF8, HY_NOMEM;
// `why` gets `place` and the offset in `text`.
HY_CHECKED hy_err hyi_uri_decode(hy_bytes text, bool is_query, hy_arena *arena, const char *place,
                                 hy_text *out_text, hy_why *why);

// Splits and decodes an absolute path. The same errors, and HY_TOO_LARGE: too many segments.
HY_CHECKED hy_err hyi_uri_path_parse(hy_bytes path, hy_arena *arena, hyi_uri_path *out_path,
                                     hy_why *why);

// Appends the parameters of a query. The same errors, and HY_TOO_LARGE: too many.
HY_CHECKED hy_err hyi_uri_query_parse(hy_bytes query, hy_arena *arena, hyi_uri_params *params,
                                      hy_why *why);

// Does the path fit "/api/practices/:practice"? If `params` is not NULL and it does, the parts
// behind a colon are appended (those that find room; the caller starts with an empty list).
bool hyi_uri_match(const char *pattern, const hyi_uri_path *path, hyi_uri_params *params);

// The first parameter of that name; empty when there is none.
hy_text hyi_uri_param(const hyi_uri_params *params, const char *name);

// May the path name a file below a folder? Not when a segment is empty (but the last), starts with
// a dot, or has a slash, a backslash or a control character in it.
bool hyi_uri_path_is_safe(const hyi_uri_path *path);

#endif
