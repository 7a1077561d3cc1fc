// client.c - HTTP exchanges with other servers, carried by libcurl.
//
// libcurl owns connections, their pool, names and TLS; it is driven by its socket interface: it
// says which descriptors to watch and when to call it, and the world's watches and timers do that.
// One `client_exchange` stands for each fetch under way.
//
//     hy_client_fetch -> under way -> done(HY_OK | error)          libcurl finished it
//                                  -> done(HY_TIMEOUT)             its own timer was first
//                                  -> done(HY_CANCELLED)           hy_client_cancel,
//                                  hy_client_close
//
// `done` may do anything with the client: fetch again, cancel others, even close it. So nothing
// here touches the client after a `done` without holding it: `held` counts the frames on the stack
// that will still use it, and a close during one of them frees when the last has returned.
#include <hypha/net.h>

#include "base/why.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define CLIENT_CONNECTIONS_DEFAULT 16u
#define CLIENT_RESPONSE_DEFAULT (1u << 20)
#define CLIENT_HEADERS_MAX 8u

typedef struct client_watch {
    struct client_watch *previous, *next;
    hy_client *client;
    hy_watch *watch;
    curl_socket_t fd;
} client_watch;

typedef struct client_exchange {
    struct client_exchange *previous, *next;
    hy_client *client;
    hy_fetch *fetch;
    CURL *easy;
    struct curl_slist *headers;
    hy_buf response;
    hy_timer deadline;
    char error[CURL_ERROR_SIZE];
} client_exchange;

struct hy_client {
    hy_world *world;
    hy_mem *mem;
    CURLM *multi;
    hy_timer timer; // libcurl's
    client_exchange *exchanges;
    client_watch *watches;
    uint32_t held;
    bool closing;
};

static int client_on_socket(CURL *easy, curl_socket_t fd, int what, void *self, void *socket_self);
static int client_on_timeout(CURLM *multi, long timeout_ms, void *self);
static void client_timer_is_due(hy_timer *timer);
static hy_err client_prepare(client_exchange *exchange);
static void client_deadline_is_due(hy_timer *timer);
static void client_finish(client_exchange *exchange, hy_err err);
static void client_free_exchange(client_exchange *exchange);
static void client_release(hy_client *client);

hy_err hy_client_open(hy_world *world, uint32_t connections_max, hy_client **out_client) {
    if (!hy_world_is_real(world)) return HY_UNSUPPORTED;
    if (connections_max == 0) connections_max = CLIENT_CONNECTIONS_DEFAULT;
    hy_client *client = hy_mem_alloc_zero(hy_world_mem(world), sizeof *client);
    if (client == NULL) return HY_NOMEM;
    client->world = world;
    client->mem = hy_world_mem(world);
    client->timer.done = client_timer_is_due;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) { // counted by libcurl
        hy_mem_free(client->mem, client, sizeof *client);
        return HY_NOMEM;
    }
    client->multi = curl_multi_init();
    if (client->multi == NULL) {
        curl_global_cleanup();
        hy_mem_free(client->mem, client, sizeof *client);
        return HY_NOMEM;
    }
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, client_on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, client_on_timeout);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections_max);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)connections_max);
    *out_client = client;
    return HY_OK;
}

hy_err hy_client_fetch(hy_client *client, hy_fetch *fetch) {
    if (client->closing) return HY_CLOSED;
    fetch->err = HY_OK;
    fetch->status = 0;
    fetch->response = (hy_bytes){ NULL, 0 };
    memset(&fetch->why, 0, sizeof fetch->why);
    fetch->client_[0] = NULL;

    client_exchange *exchange = hy_mem_alloc_zero(client->mem, sizeof *exchange);
    if (exchange == NULL) return HY_NOMEM;
    exchange->client = client;
    exchange->fetch = fetch;
    exchange->deadline.done = client_deadline_is_due;
    hy_buf_init(&exchange->response, client->mem,
                fetch->response_bytes_max ? fetch->response_bytes_max : CLIENT_RESPONSE_DEFAULT);
    hy_err err = client_prepare(exchange);
    if (err == HY_OK && fetch->deadline != HY_NEVER) {
        err = hy_timer_at(client->world, &exchange->deadline, fetch->deadline);
    }
    if (err == HY_OK && curl_multi_add_handle(client->multi, exchange->easy) != CURLM_OK) {
        err = HY_NOMEM;
    }
    if (err != HY_OK) {
        client_free_exchange(exchange);
        return err;
    }
    exchange->next = client->exchanges;
    if (exchange->next != NULL) exchange->next->previous = exchange;
    client->exchanges = exchange;
    fetch->client_[0] = exchange;
    return HY_OK;
}

void hy_client_cancel(hy_client *client, hy_fetch *fetch) {
    client_exchange *exchange = fetch->client_[0];
    if (exchange == NULL) return; // it is done, or was never begun
    HY_ASSERT(exchange->client == client);
    (void)hy_why_set(&fetch->why, HY_CANCELLED, fetch->url, "the exchange was cancelled");
    client_finish(exchange, HY_CANCELLED);
}

void hy_client_close(hy_client *client) {
    if (client == NULL || client->closing) return;
    client->closing = true;
    client->held++;
    while (client->exchanges != NULL) {
        hy_client_cancel(client, client->exchanges->fetch);
    }
    client_release(client);
}

static void client_free(hy_client *client) {
    hy_timer_stop(client->world, &client->timer);
    curl_multi_cleanup(client->multi);
    while (client->watches != NULL) { // libcurl has said so for each, but it is not ours to trust
        (void)client_on_socket(NULL, 0, CURL_POLL_REMOVE, client, client->watches);
    }
    curl_global_cleanup();
    hy_mem_free(client->mem, client, sizeof *client);
}

static void client_release(hy_client *client) {
    HY_ASSERT(client->held > 0);
    if (--client->held == 0 && client->closing) client_free(client);
}

// ---- one exchange ------------------------------------------------------------------------------

static size_t client_on_bytes(char *ptr, size_t size, size_t count, void *self) {
    client_exchange *exchange = self;
    hy_buf_add(&exchange->response, ptr, size * count);
    return exchange->response.failed == HY_OK ? size * count : 0; // 0 ends the transfer
}

static bool client_add_header(client_exchange *exchange, const char *line) {
    struct curl_slist *longer = curl_slist_append(exchange->headers, line);
    if (longer == NULL) return false;
    exchange->headers = longer;
    return true;
}

static bool client_prepare_headers(client_exchange *exchange) {
    bool has_type = false;
    for (uint32_t i = 0; i < CLIENT_HEADERS_MAX && exchange->fetch->headers[i] != NULL; i++) {
        const char *line = exchange->fetch->headers[i];
        if (strncasecmp(line, "content-type:", 13) == 0) has_type = true;
        if (!client_add_header(exchange, line)) return false;
    }
    // A name without a value removes the line that libcurl would add: a form's type for every body,
    // and a pause of a second for servers that do not know Expect.
    if (!has_type && !client_add_header(exchange, "Content-Type:")) return false;
    return client_add_header(exchange, "Expect:");
}

static void client_prepare_method(client_exchange *exchange) {
    CURL *easy = exchange->easy;
    const char *method = exchange->fetch->method;
    hy_bytes body = exchange->fetch->body;
    const bool is_post = strcmp(method, "POST") == 0;
    if (body.len > 0 || is_post || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.len > 0 ? (const char *)body.ptr : "");
    } else if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    const bool is_plain = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (!is_post && !is_plain) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static hy_err client_prepare(client_exchange *exchange) {
    exchange->easy = curl_easy_init();
    if (exchange->easy == NULL) return HY_NOMEM;
    if (!client_prepare_headers(exchange)) return HY_NOMEM;
    CURL *easy = exchange->easy;
    client_prepare_method(exchange);
    if (curl_easy_setopt(easy, CURLOPT_URL, exchange->fetch->url) != CURLE_OK) return HY_NOMEM;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); // whatever the environment says
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "hypha/" HY_VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, client_on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    return HY_OK;
}

static void client_free_exchange(client_exchange *exchange) {
    hy_client *client = exchange->client;
    hy_timer_stop(client->world, &exchange->deadline);
    if (exchange->easy != NULL) curl_easy_cleanup(exchange->easy);
    curl_slist_free_all(exchange->headers);
    hy_buf_deinit(&exchange->response);
    hy_mem_free(client->mem, exchange, sizeof *exchange);
}

static void client_finish(client_exchange *exchange, hy_err err) {
    hy_client *client = exchange->client;
    hy_fetch *fetch = exchange->fetch;
    client->held++;
    curl_multi_remove_handle(client->multi, exchange->easy);
    if (exchange->previous != NULL) {
        exchange->previous->next = exchange->next;
    } else {
        client->exchanges = exchange->next;
    }
    if (exchange->next != NULL) exchange->next->previous = exchange->previous;

    fetch->client_[0] = NULL;
    fetch->err = err;
    if (err == HY_OK) {
        long status = 0;
        curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
        fetch->status = (uint32_t)status;
        fetch->response = hy_buf_bytes(&exchange->response);
    }
    // The fetch is its owner's again once `done` is called, and may be gone when it returns.
    fetch->done(fetch);
    client_free_exchange(exchange);
    client_release(client);
}

static void client_deadline_is_due(hy_timer *timer) {
    client_exchange *exchange =
        (client_exchange *)((char *)timer - offsetof(client_exchange, deadline));
    hy_fetch *fetch = exchange->fetch;
    (void)hy_why_set(&fetch->why, HY_TIMEOUT, fetch->url, "no answer before the deadline");
    client_finish(exchange, HY_TIMEOUT);
}

// ---- libcurl and the loop ----------------------------------------------------------------------

static hy_err client_err(const client_exchange *exchange, CURLcode code) {
    if (exchange->response.failed != HY_OK) return exchange->response.failed;
    switch (code) {
    case CURLE_OK: return HY_OK;
    case CURLE_OPERATION_TIMEDOUT: return HY_TIMEOUT;
    case CURLE_URL_MALFORMAT: return HY_MALFORMED;
    case CURLE_UNSUPPORTED_PROTOCOL: return HY_UNSUPPORTED;
    case CURLE_OUT_OF_MEMORY: return HY_NOMEM;
    default: return HY_IO;
    }
}

static void client_collect(hy_client *client) {
    int left = 0;
    CURLMsg *message;
    while (!client->closing && (message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        client_exchange *exchange = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
        CURLcode code = message->data.result;
        hy_err err = client_err(exchange, code);
        if (err != HY_OK) {
            const char *text = exchange->error[0] ? exchange->error : curl_easy_strerror(code);
            if (err == HY_TOO_LARGE) text = "the answer is larger than response_bytes_max";
            (void)hy_why_set(&exchange->fetch->why, err, exchange->fetch->url, text);
        }
        client_finish(exchange, err);
    }
}

static void client_act(hy_client *client, curl_socket_t fd, int events) {
    int running = 0;
    client->held++;
    (void)curl_multi_socket_action(client->multi, fd, events, &running);
    client_collect(client);
    client_release(client);
}

static void client_watch_ready(void *self, uint32_t events) {
    client_watch *watch = self;
    int mask =
        ((events & 1) != 0 ? CURL_CSELECT_IN : 0) | ((events & 2) != 0 ? CURL_CSELECT_OUT : 0);
    client_act(watch->client, watch->fd, mask);
}

static void client_timer_is_due(hy_timer *timer) {
    hy_client *client = (hy_client *)((char *)timer - offsetof(hy_client, timer));
    client_act(client, CURL_SOCKET_TIMEOUT, 0);
}

static int client_on_timeout(CURLM *multi, long timeout_ms, void *self) {
    (void)multi;
    hy_client *client = self;
    if (timeout_ms < 0) {
        hy_timer_stop(client->world, &client->timer);
        return 0;
    }
    hy_ns due = hy_world_now(client->world) + HY_MS(timeout_ms);
    return hy_timer_at(client->world, &client->timer, due) == HY_OK ? 0 : -1;
}

static client_watch *client_new_watch(hy_client *client, curl_socket_t fd) {
    client_watch *watch = hy_mem_alloc_zero(client->mem, sizeof *watch);
    if (watch == NULL) return NULL;
    watch->client = client;
    watch->fd = fd;
    if (hy_watch_open(client->world, fd, client_watch_ready, watch, &watch->watch) != HY_OK) {
        hy_mem_free(client->mem, watch, sizeof *watch);
        return NULL;
    }
    watch->next = client->watches;
    if (watch->next != NULL) watch->next->previous = watch;
    client->watches = watch;
    curl_multi_assign(client->multi, fd, watch);
    return watch;
}

static void client_free_watch(client_watch *watch) {
    hy_client *client = watch->client;
    if (watch->previous != NULL) {
        watch->previous->next = watch->next;
    } else {
        client->watches = watch->next;
    }
    if (watch->next != NULL) watch->next->previous = watch->previous;
    hy_watch_close(watch->watch);
    hy_mem_free(client->mem, watch, sizeof *watch);
}

static int client_on_socket(CURL *easy, curl_socket_t fd, int what, void *self, void *socket_self) {
    (void)easy;
    client_watch *watch = socket_self;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) client_free_watch(watch);
        return 0;
    }
    if (watch == NULL) watch = client_new_watch(self, fd);
    if (watch == NULL) return -1;
    uint32_t events = (what & CURL_POLL_IN ? 1u : 0u) | (what & CURL_POLL_OUT ? 2u : 0u);
    return hy_watch_set(watch->watch, events) == HY_OK ? 0 : -1;
}
