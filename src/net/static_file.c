// static_file.c - files of a folder.
//
// Reading a file may block, so it is work for another thread; the request waits meanwhile like one
// that a handler answers later. A file is read whole (they are a page's parts, and there is a
// limit), its ETag is a digest of its bytes, and a browser that has them already gets 304.
// `no-cache` makes it ask each time: a page never runs with the script of yesterday.
//
// A path may only go down: each segment is checked after decoding (hyi_uri_path_is_safe), so
// neither
// ".." nor "%2e%2e" nor an encoded slash can leave the folder, and names that start with a dot are
// not served. Symbolic links are followed: who can write into the folder may place them.
#include "net/server.h"

#include "net/media.h"

#include "base/digest.h"
#include "base/why.h"

#include <stdio.h>
#include <string.h>

#define STATIC_FILE_BYTES_MAX (16u << 20)
#define STATIC_FILE_DIGEST_SEED UINT64_C(0x7f4a7c15)

typedef struct static_file {
    hy_work work;
    hy_server *server;
    hy_request *request;
    const char *path; // in the request's arena
    hy_text name;     // of the file alone, for its type
    hy_err err;
    bool is_folder; // no file, but path/index.html is one
    hy_buf bytes;
} static_file;

static void static_file_read(hy_work *work);
static void static_file_done(hy_work *work);

static void static_file_refuse(hy_request *request, uint32_t status, hy_err err, const char *text) {
    hy_why why;
    (void)hyi_why_fmt(&why, err, "path", "%s", text);
    hyi_http_answer_refuse(request, status, err, (hy_bytes){ NULL, 0 }, &why);
}

// "<folder>/<segments>", and index.html where the path ends in a slash. NULL: no memory.
static const char *static_file_path(hy_request *request, hy_text *out_name) {
    const char *folder = request->server->files;
    size_t len = strlen(folder) + sizeof "/index.html";
    for (uint32_t i = 0; i < request->path.count; i++) {
        len += request->path.segments[i].len + 1;
    }
    char *path = hy_arena_alloc(&request->arena, len);
    if (path == NULL) return NULL;
    char *at = stpcpy(path, folder);
    for (uint32_t i = 0; i < request->path.count; i++) {
        hy_text segment = request->path.segments[i];
        if (segment.len == 0) segment = HY_BYTES("index.html");
        *at++ = '/';
        memcpy(at, segment.ptr, segment.len);
        at += segment.len;
        *out_name = segment;
    }
    *at = '\0';
    return path;
}

void hyi_static_file_answer(hy_request *request) {
    hy_server *server = request->server;
    const bool reads = hy_bytes_equal(request->head.method, HY_BYTES("GET")) ||
                       hy_bytes_equal(request->head.method, HY_BYTES("HEAD"));
    if (server->files == NULL || !reads || !hyi_uri_path_is_safe(&request->path)) {
        static_file_refuse(request, 404, HY_NOT_FOUND, "there is nothing at this path");
        return;
    }
    static_file *file = hy_arena_alloc(&request->arena, sizeof *file);
    hy_text name = { NULL, 0 };
    const char *path = file == NULL ? NULL : static_file_path(request, &name);
    if (path == NULL) {
        static_file_refuse(request, 503, HY_NOMEM, "no memory to read the file");
        return;
    }
    *file = (static_file){
        .work = { .run = static_file_read, .done = static_file_done, .kind = HY_WORK_DISK },
        .server = server,
        .request = request,
        .path = path,
        .name = name
    };
    hy_buf_init(&file->bytes, server->mem, STATIC_FILE_BYTES_MAX);
    request->state = HYI_REQUEST_HANDLED;
    hy_err err = hy_world_work(server->world, &file->work);
    if (err != HY_OK) {
        static_file_refuse(request, 503, err, "too many files are being read; try again");
        return;
    }
    server->work_count++;
}

// On another thread: touches nothing but `file`, its path and the world's files.
static void static_file_read(hy_work *work) {
    static_file *file = (static_file *)work;
    hy_file *handle = NULL;
    uint64_t size = 0;
    size_t got = 0;
    file->err = hy_file_open(file->server->world, file->path, HY_FILE_READ, &handle, NULL);
    if (file->err == HY_OK) file->err = hy_file_size(handle, &size);
    if (file->err == HY_OK && size > STATIC_FILE_BYTES_MAX) file->err = HY_TOO_LARGE;
    if (file->err == HY_OK) {
        // One byte is asked for even of an empty file: only a read tells a folder from it.
        const size_t len = size > 0 ? (size_t)size : 1;
        uint8_t *room = hy_buf_reserve(&file->bytes, len);
        file->err = room == NULL ? HY_NOMEM : hy_file_read(handle, 0, room, len, &got);
        file->bytes.len = got;
    }
    hy_file_close(handle);
    if (file->err == HY_OK || file->err == HY_NOMEM || file->err == HY_TOO_LARGE) return;

    char index[4096];
    int len = snprintf(index, sizeof index, "%s/index.html", file->path);
    file->is_folder =
        len > 0 && (size_t)len < sizeof index && hy_file_exists(file->server->world, index);
}

static bool static_file_has_tag(hy_request *request, hy_bytes tag) {
    hy_bytes list = hyi_http_head_get(&request->head, HY_BYTES("if-none-match"));
    hy_bytes member;
    while (hyi_http_list_next(&list, &member)) {
        if (hy_bytes_equal(member, HY_BYTES("*"))) return true;
        // A weak tag compares like a strong one here (RFC 9110, 13.1.2).
        if (member.len > 2 && memcmp(member.ptr, "W/", 2) == 0) {
            member = (hy_bytes){ member.ptr + 2, member.len - 2 };
        }
        if (hy_bytes_equal(member, tag)) return true;
    }
    return false;
}

static void static_file_send(static_file *file) {
    hy_bytes bytes = hy_buf_bytes(&file->bytes);
    char tag[24], header[40];
    snprintf(tag, sizeof tag, "\"%016llx\"",
             (unsigned long long)hyi_digest(STATIC_FILE_DIGEST_SEED, bytes.ptr, bytes.len));
    snprintf(header, sizeof header, "ETag: %s\r\n", tag);
    const bool known = static_file_has_tag(file->request, hy_bytes_of(tag));
    hyi_http_answer_send(file->request,
                         &(hyi_http_answer){ .status = known ? 304 : 200,
                                             .content_type = hyi_media_of_file(file->name),
                                             .body = known ? (hy_bytes){ NULL, 0 } : bytes,
                                             .cache = "no-cache",
                                             .headers = hy_bytes_of(header) });
}

// "/docs" is "/docs/": relative links in its index.html would point elsewhere without the slash.
static void static_file_redirect(hy_request *request) {
    hy_buf headers;
    hy_buf_init(&headers, request->mem, 0);
    hy_buf_add_text(&headers, "Location: ");
    hy_buf_add(&headers, request->head.path.ptr, request->head.path.len);
    hy_buf_add_text(&headers, "/\r\n");
    hy_bytes lines = headers.failed == HY_OK ? hy_buf_bytes(&headers) : (hy_bytes){ NULL, 0 };
    hyi_http_answer_send(request, &(hyi_http_answer){ .status = 308, .headers = lines });
    hy_buf_deinit(&headers);
}

static void static_file_done(hy_work *work) {
    static_file *file = (static_file *)work;
    hy_server *server = file->server;
    hy_request *request = file->request;
    hy_buf bytes = file->bytes; // `file` lives in the request's arena, which the answer frees
    server->work_count--;
    switch (file->err) {
    case HY_OK: static_file_send(file); break;
    case HY_NOMEM: static_file_refuse(request, 503, HY_NOMEM, "no memory to read the file"); break;
    case HY_TOO_LARGE:
        static_file_refuse(request, 500, HY_TOO_LARGE, "the file is too large to be served");
        break;
    default:
        if (file->is_folder)
            static_file_redirect(request);
        else
            static_file_refuse(request, 404, HY_NOT_FOUND, "there is nothing at this path");
    }
    hy_buf_deinit(&bytes);
    hyi_server_check_finished(server);
}
