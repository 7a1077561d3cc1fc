// top.c - `hypha top`: what a running program does, once a second.
//
// Asks a program's console (hypha/net.h, hy_console) for snapshots. Two fibers: one asks, and draws
// what came; one waits for keys. Or, with --once, one frame for a pipe: then two snapshots a second
// apart are taken, because there are no rates in one. Recorded snapshots (--json writes them) can
// be looked at with --file, which needs no program.
#include "top.h"
#include "base/cleanup.h"
#include <hypha/net.h>
#include <hypha/scope.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOP_EVERY HY_SECONDS(1)
#define TOP_PATIENCE HY_SECONDS(5)
#define TOP_BYTES_MAX ((size_t)64 << 20)
#define TOP_WIDTH 100u

static const char top_help[] =
    "usage: hypha top [--port PORT | --url URL | --file SNAPSHOT [--file NEXT]] [--once | --json]\n"
    "\n"
    "What a running program does: workers, actors with their mailboxes and restarts, events, dead\n"
    "letters, machines, stores and scopes; what is wrong stands in the third line. The program "
    "serves\n"
    "a console (hy_console of hypha/net.h); the same as a page is at http://127.0.0.1:PORT/_hypha\n"
    "\n"
    "  --port PORT      of the program's server on this machine; 8080 where nothing is said\n"
    "  --url URL        of the server, where it is not http://127.0.0.1:PORT\n"
    "  --once           one frame as plain text, after a second in which rates are measured\n"
    "  --json           the snapshot as it came\n"
    "  --file SNAPSHOT  a recorded snapshot instead; a second one, taken later, gives rates\n"
    "  --width COLUMNS  of the frame of --once; else the terminal's, or 100\n"
    "  --ascii          bars of plain characters\n"
    "\n"
    "Keys: q quit, p pause, s order, / filter, arrows and PgUp PgDn move, Enter folds.\n"
    "Colours only on a terminal, and not where NO_COLOR is set.\n"
    "\n"
    "Exit codes: 0 all is well, 1 there was nothing to see (the message says why), 2 usage.\n";

typedef struct top_program {
    const char *url, *files[2];
    uint32_t port, file_count, width;
    bool once, json, ascii;
    char base[256]; // of the URL, without a slash at its end
    hy_world *world;
    hy_scope *root;
    hy_client *client;
    top_snapshot now, before;
    top_model model;
    bool has_model;
    top_view view;
    int status;
} top_program;

static int top_run_files(top_program *p);
static int top_run_live(top_program *p);

// ---- the command line -------------------------------------------------------------------------

static bool top_number_of(const char *text, uint32_t least, uint32_t most, uint32_t *out) {
    char *end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != 0 || value < least || value > most) return false;
    *out = (uint32_t)value;
    return true;
}

// TOP_OK, or what to exit with; an option that needs a value has taken it.
static int top_option_of(top_program *p, int argc, char **argv, int *i) {
    static const char *const names[] = { "--port", "--url", "--file", "--width" };
    for (uint32_t n = 0; n < 4; n++) {
        bool missing = false;
        const char *value = tool_option(argc, argv, i, names[n], &missing);
        if (missing) return tool_misused("top", "this option needs a value", argv[*i]);
        if (value == NULL) continue;
        bool ok = true;
        if (n == 0) ok = top_number_of(value, 1, 65535, &p->port);
        if (n == 1) p->url = value;
        if (n == 2 && p->file_count == 2) return tool_misused("top", "two files at most", value);
        if (n == 2) p->files[p->file_count++] = value;
        if (n == 3) ok = top_number_of(value, 40, 400, &p->width);
        return ok ? TOOL_OK : tool_misused("top", "this number is out of range", value);
    }
    if (strcmp(argv[*i], "--once") == 0) {
        p->once = true;
    } else if (strcmp(argv[*i], "--json") == 0) {
        p->json = true;
    } else if (strcmp(argv[*i], "--ascii") == 0) {
        p->ascii = true;
    } else {
        return tool_misused("top", "this was not expected", argv[*i]);
    }
    return TOOL_OK;
}

// Only an environment that says so is taken for one without UTF-8.
static bool top_is_ascii(void) {
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value == NULL || value[0] == 0) continue;
        return strcmp(value, "C") == 0 || strcmp(value, "POSIX") == 0;
    }
    return false;
}

int cmd_top(int argc, char **argv) {
    static top_program program; // large, and one is enough
    top_program *p = &program;
    p->port = 8080;
    for (int i = 1; i < argc; i++) {
        if (tool_is_help(argv[i])) {
            (void)fputs(top_help, stdout);
            return TOOL_OK;
        }
        const int code = top_option_of(p, argc, argv, &i);
        if (code != TOOL_OK) return code;
    }
    const char *no_colour = getenv("NO_COLOR");
    p->view.width = p->width != 0 ? p->width : TOP_WIDTH;
    p->view.ascii = p->ascii || top_is_ascii();
    p->view.colour = isatty(STDOUT_FILENO) && (no_colour == NULL || no_colour[0] == 0);
    if (p->url != NULL) {
        (void)snprintf(p->base, sizeof p->base, "%s", p->url);
        while (p->base[0] != 0 && p->base[strlen(p->base) - 1] == '/')
            p->base[strlen(p->base) - 1] = 0;
    } else {
        (void)snprintf(p->base, sizeof p->base, "http://127.0.0.1:%u", p->port);
    }
    p->view.source = strncmp(p->base, "http://", 7) == 0 ? p->base + 7 : p->base;
    const int code = p->file_count > 0 ? top_run_files(p) : top_run_live(p);
    top_snapshot_free(&p->now);
    top_snapshot_free(&p->before);
    return code;
}

// ---- snapshots --------------------------------------------------------------------------------

// Takes `bytes` in as the latest snapshot. The one before is needed for rates as long as this is.
static hy_err top_take(top_program *p, hy_bytes bytes, hy_why *why) {
    top_snapshot next;
    hy_err err = top_snapshot_read(&next, bytes, why);
    if (err == HY_OK) {
        top_snapshot_free(&p->before);
        p->before = p->now;
        p->now = next;
        err = top_model_make(&p->model, &p->now, p->before.root != NULL ? &p->before : NULL);
        p->has_model = err == HY_OK;
        if (err == HY_OK) top_view_note(&p->view, &p->model);
    } else {
        top_snapshot_free(&next);
    }
    return err;
}

static int top_print(top_program *p) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, hy_mem_system(), 0);
    if (p->json) {
        hy_buf_add(&out, p->now.bytes.ptr, p->now.bytes.len);
        if (p->now.bytes.len == 0 || p->now.bytes.ptr[p->now.bytes.len - 1] != '\n') {
            hy_buf_add_text(&out, "\n");
        }
    } else {
        top_view_draw(&p->view, &p->model, &out);
    }
    return tool_print(&out) ? TOOL_OK : TOOL_FAILED;
}

static int top_read_file(top_program *p, const char *path) {
    HY_CLEANUP(hy_buf_deinit) hy_buf bytes = { 0 };
    hy_buf_init(&bytes, hy_mem_system(), TOP_BYTES_MAX);
    FILE *file = fopen(path, "rb");
    if (file == NULL) return tool_say(TOOL_FAILED, "%s: there is no such file to read", path);
    size_t n = 0;
    do {
        uint8_t part[16384];
        n = fread(part, 1, sizeof part, file);
        hy_buf_add(&bytes, part, n);
    } while (n > 0 && bytes.failed == HY_OK);
    (void)fclose(file);
    hy_why why = { 0 };
    hy_err err = bytes.failed;
    if (err == HY_OK) err = top_take(p, hy_buf_bytes(&bytes), &why);
    return err == HY_OK ? TOOL_OK : tool_fail(path, err, &why);
}

static int top_run_files(top_program *p) {
    p->view.source = p->files[p->file_count - 1];
    for (uint32_t i = 0; i < p->file_count; i++) {
        const int code = top_read_file(p, p->files[i]);
        if (code != TOOL_OK) return code;
    }
    return top_print(p);
}

// ---- asking -----------------------------------------------------------------------------------

// Fiber. What went wrong, and what to do, is in `why`.
static hy_err top_ask(top_program *p, hy_why *why) {
    char url[300];
    (void)snprintf(url, sizeof url, "%s/_hypha/snapshot", p->base);
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "ask", .timeout = TOP_PATIENCE) {
        (void)scope;
        hy_fetch fetch = { .method = "GET", .url = url, .response_bytes_max = TOP_BYTES_MAX };
        err = hy_client_ask(p->client, &fetch);
        if (err == HY_TIMEOUT) {
            (void)hy_why_set(why, err, "", "the program does not answer");
        } else if (err != HY_OK) {
            (void)hy_why_set(why, err, "",
                             "nothing answers there: start the program, or give its --port");
        } else if (fetch.status == 404) {
            err = hy_why_set(why, HY_NOT_FOUND, "",
                             "a server is there, but it has no console: see hy_console_open_in");
        } else if (fetch.status == 403) {
            err = hy_why_set(why, HY_REJECT, "",
                             "the console is only for the machine that the program runs on");
        } else if (fetch.status != 200) {
            err = hy_why_set(why, HY_IO, "", "the program answered with another status than 200");
        } else {
            err = top_take(p, fetch.response, why);
        }
    }
    return err;
}

static hy_err top_once(top_program *p) {
    hy_why why = { 0 };
    hy_err err = top_ask(p, &why);
    if (err == HY_OK && !p->json) {
        err = hy_sleep(TOP_EVERY);
        if (err == HY_OK) err = top_ask(p, &why);
    }
    p->status = err == HY_OK ? top_print(p) : tool_fail(p->base, err, &why);
    return HY_OK;
}

// ---- the terminal -----------------------------------------------------------------------------

static void top_draw(top_program *p) {
    if (!p->has_model || !p->view.live) return;
    HY_CLEANUP(hy_buf_deinit) hy_buf frame = { 0 };
    hy_buf_init(&frame, hy_mem_system(), 0);
    top_screen_size(&p->view.width, &p->view.height);
    top_view_draw(&p->view, &p->model, &frame);
    if (frame.failed == HY_OK) top_screen_show(&frame);
}

static void top_resized(void *self) {
    top_draw(self);
}

static void top_told_to_end(void *self) {
    hy_scope_cancel(((top_program *)self)->root, HY_CANCELLED);
}

static hy_err top_watch(void *self) {
    top_program *p = self;
    for (;;) {
        hy_why why = { 0 };
        hy_err err = hy_sleep(TOP_EVERY);
        if (err != HY_OK) return err;
        if (p->view.paused) continue;
        err = top_ask(p, &why);
        if (hy_check() != HY_OK) return hy_check();
        (void)snprintf(p->view.trouble, sizeof p->view.trouble, "%s", err == HY_OK ? "" : why.text);
        top_draw(p);
    }
}

// While a filter is being written.
static void top_press_filter(top_program *p, int key) {
    char *filter = p->view.filter;
    const size_t len = strlen(filter);
    if (key == '\r' || key == '\n') {
        p->view.filtering = false;
    } else if (key == TOP_KEY_ESCAPE) {
        p->view.filtering = false;
        filter[0] = 0;
    } else if ((key == 0x7f || key == '\b') && len > 0) {
        filter[len - 1] = 0;
    } else if (key >= ' ' && key < 0x7f && len + 1 < sizeof p->view.filter) {
        filter[len] = (char)key;
        filter[len + 1] = 0;
    }
}

// False: it is over.
static bool top_press(top_program *p, int key) {
    const uint32_t page = p->view.height > 8 ? p->view.height - 6 : 4;
    top_view *view = &p->view;
    if (key == TOP_KEY_GONE) return false;
    if (view->filtering) {
        top_press_filter(p, key);
        return true;
    }
    switch (key) {
    case 'q': return false;
    case 'p': view->paused = !view->paused; break;
    case 's': view->order = (top_order)((view->order + 1) % TOP_ORDERS); break;
    case '/': view->filtering = true; break;
    case TOP_KEY_ESCAPE: view->filter[0] = 0; break;
    case '\r':
    case '\n':
    case ' ': top_view_fold(view, &p->model); break;
    case 'k':
    case TOP_KEY_UP: view->cursor -= view->cursor > 0; break;
    case 'j':
    case TOP_KEY_DOWN: view->cursor++; break;
    case TOP_KEY_PAGE_UP: view->cursor -= view->cursor > page ? page : view->cursor; break;
    case TOP_KEY_PAGE_DOWN: view->cursor += page; break;
    case 'g':
    case TOP_KEY_HOME: view->cursor = 0; break;
    case 'G':
    case TOP_KEY_END: view->cursor = UINT32_MAX; break;
    default: break;
    }
    return true;
}

static hy_err top_listen(top_program *p) {
    for (;;) {
        uint32_t events = 0;
        hy_err err = hy_wait_fd(top_screen_keys(), 1, HY_NEVER, &events);
        if (err != HY_OK) return err;
        int key = TOP_KEY_NONE;
        bool any = false;
        while ((key = top_screen_key()) != TOP_KEY_NONE) {
            any = true;
            if (!top_press(p, key)) return HY_OK;
        }
        if (!any) return HY_OK; // ready, and nothing to read: the terminal has gone
        top_draw(p);
    }
}

static hy_err top_show_until_told(top_program *p) {
    hy_err err = HY_OK;
    if (!top_screen_open()) {
        p->status = tool_say(TOOL_FAILED, "this is no terminal: use --once, or --json");
        return HY_OK;
    }
    p->view.live = true;
    top_draw(p);
    HY_SCOPE(both, NULL, .name = "top", .policy = hy_ignore) {
        err = hy_spawn(both, top_watch, p, HY_OPTIONS(hy_spawn, .name = "watch"), NULL);
        if (err == HY_OK) err = top_listen(p);
        hy_forget_fd(top_screen_keys());
        break; // what still asks is not waited for
    }
    top_screen_close();
    return err;
}

// Who ends us is heard before the terminal is taken over, and as long as it is.
static hy_err top_show(top_program *p) {
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
    hy_signal *signals[4] = { NULL };
    hy_why why = { 0 };
    hy_err err = top_ask(p, &why);
    if (err != HY_OK) {
        p->status = tool_fail(p->base, err, &why);
        return HY_OK;
    }
    for (size_t i = 0; i < 4 && err == HY_OK; i++) {
        err =
            hy_signal_open(p->world, numbers[i],
                           numbers[i] == SIGWINCH ? top_resized : top_told_to_end, p, &signals[i]);
    }
    if (err == HY_OK) err = top_show_until_told(p);
    for (size_t i = 0; i < 4; i++)
        if (signals[i] != NULL) hy_signal_close(signals[i]);
    return err == HY_CANCELLED ? HY_OK : err;
}

static hy_err top_body(void *self) {
    top_program *p = self;
    p->root = hy_scope_current();
    hy_err err = hy_client_open_in(p->root, 2, &p->client);
    if (err != HY_OK) return err;
    return p->once || p->json ? top_once(p) : top_show(p);
}

static int top_run_live(top_program *p) {
    hy_err err = hy_world_open(NULL, &p->world);
    if (err == HY_OK) {
        err = hy_root_run(p->world, HY_OPTIONS(hy_root, .name = "top", .stack = HY_STACK_256K),
                          top_body, p);
        (void)hy_world_close(p->world);
    }
    top_screen_close();
    if (err != HY_OK && err != HY_CANCELLED) return tool_fail(p->base, err, NULL);
    return p->status;
}
