// media.c - what kind of content: types of files, bodies and answers.
//
// Two forms of a record are known here, JSON and Protocol Buffers; every other type is only a name
// that goes with a file. An Accept header can choose between the two and cannot fail.
#include "net/media.h"

#include "net/http_head.h"

#include <string.h>

typedef struct media_file {
    const char *ending; // lower case
    const char *type;
} media_file;

// What a page is made of, and what people download.
static const media_file media_files[] = {
    { "html", "text/html; charset=utf-8" },
    { "htm", "text/html; charset=utf-8" },
    { "js", "text/javascript; charset=utf-8" },
    { "mjs", "text/javascript; charset=utf-8" },
    { "css", "text/css; charset=utf-8" },
    { "json", "application/json" },
    { "map", "application/json" },
    { "webmanifest", "application/manifest+json" },
    { "svg", "image/svg+xml" },
    { "png", "image/png" },
    { "jpg", "image/jpeg" },
    { "jpeg", "image/jpeg" },
    { "gif", "image/gif" },
    { "webp", "image/webp" },
    { "ico", "image/x-icon" },
    { "wasm", "application/wasm" },
    { "woff2", "font/woff2" },
    { "woff", "font/woff" },
    { "ttf", "font/ttf" },
    { "txt", "text/plain; charset=utf-8" },
    { "md", "text/plain; charset=utf-8" },
    { "csv", "text/csv; charset=utf-8" },
    { "xml", "application/xml" },
    { "pdf", "application/pdf" },
    { "mp4", "video/mp4" },
    { "webm", "video/webm" },
};

static hy_bytes media_cut(hy_bytes text, uint8_t at, hy_bytes *out_rest) {
    const uint8_t *found = text.len == 0 ? NULL : memchr(text.ptr, at, text.len);
    if (found == NULL) {
        *out_rest = (hy_bytes){ NULL, 0 };
        return hyi_http_trim(text);
    }
    size_t len = (size_t)(found - text.ptr);
    *out_rest = (hy_bytes){ found + 1, text.len - len - 1 };
    return hyi_http_trim((hy_bytes){ text.ptr, len });
}

hyi_media hyi_media_of(hy_bytes content_type) {
    hy_bytes rest;
    hy_bytes type = media_cut(content_type, ';', &rest);
    if (hyi_http_same_word(type, "application/json")) return HYI_MEDIA_IS_JSON;
    if (hyi_http_same_word(type, "application/x-protobuf")) return HYI_MEDIA_IS_PROTOBUF;
    if (hyi_http_same_word(type, "application/protobuf")) return HYI_MEDIA_IS_PROTOBUF;
    return HYI_MEDIA_OTHER;
}

// "0.25" as 250; what is not a quality counts as 1000, as if it had not been said.
static uint32_t media_quality(hy_bytes text) {
    if (text.len == 0 || (text.ptr[0] != '0' && text.ptr[0] != '1')) return 1000;
    if (text.ptr[0] == '1') return 1000;
    uint32_t value = 0, unit = 100;
    for (size_t i = 2; i < text.len && i < 5; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return 1000;
        value += (uint32_t)(text.ptr[i] - '0') * unit;
        unit /= 10;
    }
    return value;
}

static uint32_t media_range_quality(hy_bytes params) {
    while (params.len > 0) {
        hy_bytes rest;
        hy_bytes param = media_cut(params, ';', &rest);
        if (param.len > 2 && (param.ptr[0] == 'q' || param.ptr[0] == 'Q') && param.ptr[1] == '=') {
            return media_quality((hy_bytes){ param.ptr + 2, param.len - 2 });
        }
        params = rest;
    }
    return 1000;
}

hyi_media hyi_media_accepted(hy_bytes accept) {
    // 0 means "not wanted", so a range that was never named cannot win.
    uint32_t best = 0;
    hyi_media answer = HYI_MEDIA_IS_JSON;
    hy_bytes range;
    while (hyi_http_list_next(&accept, &range)) {
        hy_bytes params;
        hy_bytes type = media_cut(range, ';', &params);
        bool any = hyi_http_same_word(type, "*/*") || hyi_http_same_word(type, "application/*");
        hyi_media media = any ? HYI_MEDIA_IS_JSON : hyi_media_of(type);
        uint32_t quality = media_range_quality(params);
        if (media == HYI_MEDIA_OTHER || quality <= best) continue;
        best = quality;
        answer = media;
    }
    return answer;
}

const char *hyi_media_of_file(hy_text name) {
    size_t dot = name.len;
    while (dot > 0 && name.ptr[dot - 1] != '.') {
        dot--;
    }
    hy_text ending = { name.ptr + dot, name.len - dot };
    for (size_t i = 0; dot > 0 && i < sizeof media_files / sizeof media_files[0]; i++) {
        if (hyi_http_same_word(ending, media_files[i].ending)) return media_files[i].type;
    }
    return "application/octet-stream";
}
