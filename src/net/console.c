// console.c - a page, and one JSON document, that show what a program does.
//
// The document is put together from sections: what this room knows itself (process, scopes), and
// what the program has writers for. Each section is written into a buffer of its own, and looked
// at, before it becomes part of the document: one that fails, is late or writes no JSON costs only
// itself, and `errors` names it. A console must say most when things are worst.
//
// Who may look: by default only programs and browsers on this machine. That the peer is the
// loopback is not enough: a page from anywhere can make a browser here ask 127.0.0.1, under a name
// whose DNS answer it changes afterwards (DNS rebinding), and would then be of the "same origin".
// So the Host header must name this machine as well.
//
// Many may look at once, each every second. A document is kept for a moment and given to all of
// them, so what looking costs does not grow with who looks.
#include "net/console.h"

#include <hypha/net.h>

#include "net/media.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/why.h"

#include <string.h>
#include <unistd.h>

#define CONSOLE_SECTION_MAX HY_SECONDS(2)
#define CONSOLE_FRESH HY_MS(200)
#define CONSOLE_BYTES_MAX ((size_t)8 << 20)

struct hy_console {
    hy_world *world;
    hy_mem *mem;
    hy_scope *scope; // whose tree is shown, or NULL
    const char *program;
    bool open;
    size_t bytes_max;
    hy_ns opened_at;
    hy_buf latest; // the latest document
    hy_ns latest_at;
    uint32_t section_count;
    hy_console_section sections[];
};

static void console_free(void *object);
static hy_err console_page(void *self, hy_request *request, hy_why *why);
static hy_err console_file(void *self, hy_request *request, hy_why *why);
static hy_err console_snapshot(void *self, hy_request *request, hy_why *why);

static size_t console_size(uint32_t section_count) {
    return sizeof(hy_console) + section_count * sizeof(hy_console_section);
}

hy_err hy_console_open_in(hy_scope *scope, const hy_console_options *options,
                          hy_console **out_console) {
    static const hy_console_options defaults = { .size = sizeof defaults };
    if (options == NULL) options = &defaults;
    hy_world *world = hy_scope_world(scope);
    hy_mem *mem = hy_world_mem(world);
    hy_console *console = hy_mem_alloc_zero(mem, console_size(options->section_count));
    if (console == NULL) return HY_NOMEM;
    console->world = world;
    console->mem = mem;
    console->scope = options->scope;
    console->program = options->program != NULL ? options->program : "program";
    console->open = options->open;
    console->bytes_max = options->bytes_max != 0 ? options->bytes_max : CONSOLE_BYTES_MAX;
    console->opened_at = hy_world_now(world);
    console->section_count = options->section_count;
    for (uint32_t i = 0; i < options->section_count; i++) {
        console->sections[i] = options->sections[i];
    }
    hy_buf_init(&console->latest, mem, console->bytes_max);
    hy_err err = hy_own(scope, console, console_free, 0);
    if (err == HY_OK) *out_console = console;
    return err;
}

static void console_free(void *object) {
    hy_console *console = object;
    hy_buf_deinit(&console->latest);
    hy_mem_free(console->mem, console, console_size(console->section_count));
}

void hy_console_routes(hy_console *console, hy_task_route out_routes[HY_CONSOLE_ROUTES]) {
    const hy_task_route routes[] = {
        { "GET", "/_hypha", console_page, console },
        { "GET", "/_hypha/snapshot", console_snapshot, console },
        { "GET", "/_hypha/:file", console_file, console },
    };
    _Static_assert(sizeof routes == HY_CONSOLE_ROUTES * sizeof routes[0], "all of them");
    memcpy(out_routes, routes, sizeof routes);
}

// ---- who may look -------------------------------------------------------------------------------

static bool console_is_name(hy_bytes text, const char *name) {
    const size_t len = strlen(name);
    if (text.len != len) return false;
    for (size_t i = 0; i < len; i++) {
        const uint8_t c = text.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != name[i]) return false;
    }
    return true;
}

// "127.1.2.3", and no "127.0.0.1.example.org".
static bool console_is_loopback(hy_bytes text) {
    uint32_t parts = 1, digits = 0, value = 0;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (c == '.') {
            if (digits == 0 || (parts == 1 && value != 127)) return false;
            parts++, digits = 0, value = 0;
        } else {
            if (c < '0' || c > '9' || ++digits > 3) return false;
            value = value * 10 + (uint32_t)(c - '0');
            if (value > 255) return false;
        }
    }
    return parts == 4 && digits > 0;
}

bool hyi_console_host_is_local(hy_bytes host) {
    size_t len = host.len;
    while (len > 0 && host.ptr[len - 1] >= '0' && host.ptr[len - 1] <= '9')
        len--;
    const bool has_port = len > 0 && len < host.len && host.ptr[len - 1] == ':';
    const hy_bytes name = { host.ptr, has_port ? len - 1 : host.len };
    return console_is_name(name, "localhost") || console_is_name(name, "[::1]") ||
           console_is_loopback(name);
}

static bool console_refuses(const hy_console *console, hy_request *request) {
    if (console->open) return false;
    const char *text = NULL;
    if (!hy_request_is_local(request)) {
        text = "only programs on the machine itself may see this; from elsewhere, "
               "`ssh -L 8080:127.0.0.1:PORT` brings it to http://localhost:8080/_hypha";
    } else if (!hyi_console_host_is_local(hy_request_header(request, "host"))) {
        text = "the console answers to localhost and 127.0.0.1 only, not to other names";
    }
    if (text == NULL) return false;
    hy_why why = { 0 };
    (void)hy_why_set(&why, HY_REJECT, "", text);
    hy_request_refuse(request, 403, HY_REJECT, "LOCAL_ONLY", &why);
    return true;
}

// ---- the page -----------------------------------------------------------------------------------

static hy_err console_answer_file(hy_request *request, hy_text name) {
    for (size_t i = 0; i < hyi_console_file_count; i++) {
        const hyi_console_file *file = &hyi_console_files[i];
        if (!hy_bytes_equal(name, hy_bytes_of(file->name))) continue;
        hy_request_answer(request, 200, hyi_media_of_file(name), file->bytes);
        return HY_OK;
    }
    return HY_NOT_FOUND;
}

static hy_err console_page(void *self, hy_request *request, hy_why *why) {
    (void)why;
    if (console_refuses(self, request)) return HY_OK;
    return console_answer_file(request, HY_BYTES("console.html"));
}

static hy_err console_file(void *self, hy_request *request, hy_why *why) {
    (void)why;
    if (console_refuses(self, request)) return HY_OK;
    return console_answer_file(request, hy_request_param(request, "file"));
}

// ---- the document -------------------------------------------------------------------------------

typedef struct console_draft {
    hy_console *console;
    hyi_json_writer json;
    hy_buf errors; // members of the object `errors`, written as they come
    hyi_json_writer errors_json;
    hy_buf section;
} console_draft;

static void console_u64(hyi_json_writer *json, hy_text key, uint64_t value) {
    hyi_json_key(json, key);
    hyi_json_add_u64(json, value);
}

static void console_text(hyi_json_writer *json, hy_text key, const char *value) {
    hyi_json_key(json, key);
    hyi_json_add_text(json, hy_bytes_of(value));
}

static bool console_is_json(hy_bytes bytes) {
    hyi_json json;
    hyi_json_init(&json, bytes, 0, NULL);
    hyi_json_token end;
    return hyi_json_skip(&json) == HY_OK && hyi_json_next(&json, &end) == HY_OK &&
           end.kind == HYI_JSON_END;
}

// What a writer wrote counts where it is whole JSON, even if the writer says that it lacks
// something (a worker that is stuck).
static void console_section(console_draft *draft, const char *name,
                            hy_err (*write)(void *self, hy_buf *out), void *self) {
    hy_err err = HY_OK;
    hy_buf_clear(&draft->section);
    HY_SCOPE(scope, NULL, .name = name, .timeout = CONSOLE_SECTION_MAX) {
        (void)scope;
        err = write(self, &draft->section);
    }
    if (err == HY_OK) err = draft->section.failed;
    const hy_bytes bytes = hy_buf_bytes(&draft->section);
    const bool is_whole = draft->section.failed == HY_OK && console_is_json(bytes);
    if (!is_whole && err == HY_OK) err = HY_MALFORMED;
    if (is_whole) {
        hyi_json_key(&draft->json, hy_bytes_of(name));
        hyi_json_add_raw(&draft->json, bytes);
    }
    if (err != HY_OK) console_text(&draft->errors_json, hy_bytes_of(name), hy_err_name(err));
}

static hy_err console_write_process(void *self, hy_buf *out) {
    const hy_console *console = self;
    hy_process_facts facts;
    hy_world_process(console->world, &facts);
    hyi_json_writer json;
    hyi_json_writer_init(&json, out);
    hyi_json_begin_object(&json);
    console_u64(&json, HY_BYTES("pid"), (uint64_t)getpid());
    console_u64(&json, HY_BYTES("cores"), hy_world_cores(console->world));
    console_u64(&json, HY_BYTES("resident_bytes"), facts.resident_bytes);
    console_u64(&json, HY_BYTES("resident_bytes_peak"), facts.resident_bytes_peak);
    console_u64(&json, HY_BYTES("cpu_ns"), (uint64_t)facts.cpu);
    console_u64(&json, HY_BYTES("files_open"), facts.files_open);
    hyi_json_end_object(&json);
    return hyi_json_finish(&json);
}

static hy_err console_write_scopes(void *self, hy_buf *out) {
    const hy_console *console = self;
    hy_scope_tree(console->scope, HY_TREE_JSON, out);
    return out->failed;
}

static void console_write_head(console_draft *draft, hy_ns now) {
    const hy_console *console = draft->console;
    hyi_json_writer *json = &draft->json;
    console_text(json, HY_BYTES("hypha"), HY_VERSION);
    console_u64(json, HY_BYTES("format"), 1);
    console_text(json, HY_BYTES("program"), console->program);
    console_u64(json, HY_BYTES("wall_ms"), (uint64_t)(hy_world_wall(console->world) / HY_MS(1)));
    console_u64(json, HY_BYTES("now_ns"), (uint64_t)now);
    console_u64(json, HY_BYTES("uptime_ns"), (uint64_t)(now - console->opened_at));
}

static hy_err console_write(hy_console *console, console_draft *draft) {
    hyi_json_writer *json = &draft->json;
    hyi_json_begin_object(json);
    hyi_json_begin_object(&draft->errors_json);
    console_write_head(draft, hy_world_now(console->world));
    console_section(draft, "process", console_write_process, console);
    if (console->scope != NULL) console_section(draft, "scopes", console_write_scopes, console);
    for (uint32_t i = 0; i < console->section_count; i++) {
        const hy_console_section *section = &console->sections[i];
        console_section(draft, section->name, section->write, section->self);
    }
    hyi_json_end_object(&draft->errors_json);
    hyi_json_key(json, HY_BYTES("errors"));
    hyi_json_add_raw(json, hy_buf_bytes(&draft->errors));
    hyi_json_end_object(json);
    const hy_err err = hyi_json_finish(&draft->errors_json);
    return err != HY_OK ? err : hyi_json_finish(json);
}

static void console_draft_deinit(console_draft *draft) {
    hy_buf_deinit(&draft->section);
    hy_buf_deinit(&draft->errors);
}

// Writers may wait, so several tasks may be at it: each has buffers of its own.
static hy_err console_write_document(hy_console *console, hy_buf *out) {
    HY_CLEANUP(console_draft_deinit) console_draft draft = { .console = console };
    hy_buf_init(&draft.section, console->mem, console->bytes_max);
    hy_buf_init(&draft.errors, console->mem, console->bytes_max);
    hyi_json_writer_init(&draft.json, out);
    hyi_json_writer_init(&draft.errors_json, &draft.errors);
    return console_write(console, &draft);
}

static hy_err console_snapshot(void *self, hy_request *request, hy_why *why) {
    hy_console *console = self;
    if (console_refuses(console, request)) return HY_OK;
    const bool is_fresh = console->latest.len > 0 &&
                          hy_world_now(console->world) < console->latest_at + CONSOLE_FRESH;
    if (!is_fresh) {
        hy_buf document;
        hy_buf_init(&document, console->mem, console->bytes_max);
        const hy_err err = console_write_document(console, &document);
        if (err != HY_OK) {
            hy_buf_deinit(&document);
            return hy_why_set(why, err, "snapshot",
                              "it is larger than the console's bytes_max, "
                              "or there is no memory for it");
        }
        hy_buf_deinit(&console->latest);
        console->latest = document;
        console->latest_at = hy_world_now(console->world);
    }
    hy_request_answer(request, 200, HYI_MEDIA_JSON, hy_buf_bytes(&console->latest));
    return HY_OK;
}
