// http_answer.c - what goes back: heads, refusals, records.
//
// One function writes every answer (http_answer_write), so the headers that protect a page are on
// all of them and no refusal can be without a body. The rules for a page's content are strict:
// everything comes from this server, nothing may frame it.
#include "net/server.h"

#include "net/media.h"

#include "base/cleanup.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

static void http_answer_write(hyi_connection *connection, bool head_only,
                              const hyi_http_answer *answer);
static void http_answer_tell(const hy_request *request, uint32_t status);
static void http_answer_refusal_body(hy_buf *out, hy_err err, const char *name, const hy_why *why);

typedef struct http_answer_reason {
    uint32_t status;
    const char *text;
} http_answer_reason;

static const http_answer_reason http_answer_reasons[] = {
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 402, "Payment Required" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 422, "Unprocessable Content" },
    { 426, "Upgrade Required" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
    { 507, "Insufficient Storage" },
};

static const char *http_answer_reason_of(uint32_t status) {
    for (size_t i = 0; i < sizeof http_answer_reasons / sizeof http_answer_reasons[0]; i++) {
        if (http_answer_reasons[i].status == status) return http_answer_reasons[i].text;
    }
    return "Status"; // the number says it; the words are for people
}

// ---- for handlers ------------------------------------------------------------------------------

void hy_request_answer(hy_request *request, uint32_t status, const char *content_type,
                       hy_bytes body) {
    hyi_http_answer_send(
        request,
        &(hyi_http_answer){ .status = status, .content_type = content_type, .body = body });
}

void hy_request_answer_record(hy_request *request, uint32_t status, const hy_record *record,
                              const void *value) {
    hy_bytes accept = hyi_http_head_get(&request->head, HY_BYTES("accept"));
    const bool is_json = hyi_media_accepted(accept) == HYI_MEDIA_IS_JSON;
    HY_CLEANUP(hy_buf_deinit) hy_buf body = { 0 };
    hy_buf_init(&body, request->mem, 0);
    hy_err err =
        is_json ? hy_json_encode(record, value, &body) : hy_wire_encode(record, value, &body);
    if (err != HY_OK) {
        hy_why why;
        (void)hy_why_set(&why, err, record->name, "the answer cannot be encoded");
        // The client did nothing wrong, whatever the error's own status is.
        hyi_http_answer_refuse(request, err == HY_NOMEM ? 503 : 500, err, (hy_bytes){ NULL, 0 },
                               &why);
        return;
    }
    hy_request_answer(request, status, is_json ? HYI_MEDIA_JSON : HYI_MEDIA_PROTOBUF,
                      hy_buf_bytes(&body));
}

void hy_request_refuse(hy_request *request, uint32_t status, hy_err err, const char *name,
                       const hy_why *why) {
    HY_CLEANUP(hy_buf_deinit) hy_buf body = { 0 };
    hy_buf_init(&body, request->mem, 0);
    http_answer_refusal_body(&body, err, name, why);
    hyi_http_answer_send(request,
                         &(hyi_http_answer){ .status = status ? status : hy_err_http_status(err),
                                             .content_type = HYI_MEDIA_JSON,
                                             .body = hy_buf_bytes(&body) });
}

// ---- for the room ------------------------------------------------------------------------------

void hyi_http_answer_send(hy_request *request, const hyi_http_answer *answer) {
    HY_ASSERT(answer->status >= 200 && answer->status <= 599);
    HY_ASSERT(request->state != HYI_REQUEST_ANSWERED);
    request->state = HYI_REQUEST_ANSWERED;
    hyi_connection *connection = request->connection;
    if (connection != NULL) {
        HY_ASSERT(connection->request == request);
        http_answer_write(connection, hy_bytes_equal(request->head.method, HY_BYTES("HEAD")),
                          answer);
        http_answer_tell(request, answer->status);
    }
    if (request->task != NULL) hyi_request_task_answered(request->task);
    hyi_request_free(request);
    if (connection != NULL) hyi_connection_answered(connection);
}

static void http_answer_tell(const hy_request *request, uint32_t status) {
    const hy_server *server = request->server;
    if (server->answered == NULL) return;
    hy_ns took = request->whole_at == 0 ? 0 : hy_world_now(server->world) - request->whole_at;
    server->answered(server->answered_self, request, status, took);
}

void hyi_http_answer_refuse(hy_request *request, uint32_t status, hy_err err, hy_bytes headers,
                            const hy_why *why) {
    HY_CLEANUP(hy_buf_deinit) hy_buf body = { 0 };
    hy_buf_init(&body, request->mem, 0);
    http_answer_refusal_body(&body, err, NULL, why);
    hyi_http_answer_send(request,
                         &(hyi_http_answer){ .status = status ? status : hy_err_http_status(err),
                                             .content_type = HYI_MEDIA_JSON,
                                             .body = hy_buf_bytes(&body),
                                             .headers = headers });
}

void hyi_http_answer_refuse_connection(hyi_connection *connection, uint32_t status, hy_err err,
                                       hy_bytes headers, const hy_why *why) {
    HY_CLEANUP(hy_buf_deinit) hy_buf body = { 0 };
    hy_buf_init(&body, connection->server->mem, 0);
    http_answer_refusal_body(&body, err, NULL, why);
    http_answer_write(connection, false,
                      &(hyi_http_answer){ .status = status,
                                          .content_type = HYI_MEDIA_JSON,
                                          .body = hy_buf_bytes(&body),
                                          .headers = headers });
}

static void http_answer_line(hy_buf *out, const char *name, const char *value) {
    hy_buf_add_text(out, name);
    hy_buf_add_text(out, ": ");
    hy_buf_add_text(out, value);
    hy_buf_add_text(out, "\r\n");
}

static bool http_answer_is_page(const char *content_type) {
    return content_type != NULL && strncmp(content_type, "text/html", 9) == 0;
}

static void http_answer_write(hyi_connection *connection, bool head_only,
                              const hyi_http_answer *answer) {
    hy_buf *out = &connection->out;
    const bool has_body = answer->status != 204 && answer->status != 304;
    hy_buf_add_text(out, "HTTP/1.1 ");
    hy_buf_add_u64(out, answer->status);
    hy_buf_add_text(out, " ");
    hy_buf_add_text(out, http_answer_reason_of(answer->status));
    hy_buf_add_text(out, "\r\n");
    http_answer_line(out, "Date", hyi_server_date(connection->server));
    if (has_body) {
        if (answer->content_type != NULL)
            http_answer_line(out, "Content-Type", answer->content_type);
        hy_buf_add_text(out, "Content-Length: ");
        hy_buf_add_u64(out, answer->body.len);
        hy_buf_add_text(out, "\r\n");
    }
    hy_buf_add(out, answer->headers.ptr, answer->headers.len);
    http_answer_line(out, "Cache-Control", answer->cache != NULL ? answer->cache : "no-store");
    hy_buf_add_text(out, "X-Content-Type-Options: nosniff\r\n"
                         "Referrer-Policy: same-origin\r\n");
    if (http_answer_is_page(answer->content_type)) {
        hy_buf_add_text(out, "Content-Security-Policy: default-src 'self'; img-src 'self' data:; "
                             "object-src 'none'; base-uri 'none'; form-action 'self'; "
                             "frame-ancestors 'none'\r\n");
    }
    hy_buf_add_text(out, connection->last ? "Connection: close\r\n\r\n"
                                          : "Connection: keep-alive\r\n\r\n");
    if (has_body && !head_only) hy_buf_add(out, answer->body.ptr, answer->body.len);
}

// ---- refusals ----------------------------------------------------------------------------------

// A JSON string. What is not UTF-8 appears as '?': a refusal that cannot be parsed tells nothing.
static void http_answer_json_text(hy_buf *out, const char *text) {
    hy_bytes rest = hy_bytes_of(text);
    hy_buf_add_text(out, "\"");
    while (rest.len > 0) {
        uint32_t code_point = 0;
        size_t len = hyi_utf8_decode(rest, &code_point);
        if (len == 0) {
            hy_buf_add_text(out, "?");
            len = 1;
        } else if (code_point < ' ') {
            char escape[8];
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code_point);
            hy_buf_add_text(out, escape);
        } else {
            if (code_point == '"' || code_point == '\\') hy_buf_add_text(out, "\\");
            hy_buf_add(out, rest.ptr, len);
        }
        rest.ptr += len;
        rest.len -= len;
    }
    hy_buf_add_text(out, "\"");
}

// {"error":"HY_MALFORMED","message":"...","place":"guests[2].name","offset":17}
static void http_answer_refusal_body(hy_buf *out, hy_err err, const char *name, const hy_why *why) {
    const bool has_text = why != NULL && why->text[0] != '\0';
    hy_buf_add_text(out, "{\"error\":");
    http_answer_json_text(out, name != NULL ? name : hy_err_name(err));
    hy_buf_add_text(out, ",\"message\":");
    http_answer_json_text(out, has_text ? why->text : hy_err_text(err));
    if (why != NULL && why->place[0] != '\0') {
        hy_buf_add_text(out, ",\"place\":");
        http_answer_json_text(out, why->place);
    }
    if (why != NULL && (err == HY_MALFORMED || err == HY_NOT_UTF8 || why->offset > 0)) {
        hy_buf_add_text(out, ",\"offset\":");
        hy_buf_add_u64(out, why->offset);
    }
    hy_buf_add_text(out, "}\n");
}
