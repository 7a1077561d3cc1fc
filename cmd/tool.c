// tool.c - messages, numbers, options, and opening a store.
#include "tool.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int tool_say(int code, const char *format, ...) {
    va_list list;
    tool_progress_end();
    (void)fputs("hypha: ", stderr);
    va_start(list, format);
    (void)vfprintf(stderr, format, list);
    va_end(list);
    (void)fputc('\n', stderr);
    return code;
}

int tool_fail(const char *what, hy_err err, const hy_why *why) {
    const bool is_told = why != NULL && why->text[0] != 0;
    const char *place = is_told && strcmp(why->place, what) != 0 ? why->place : "";
    return tool_say(TOOL_FAILED, "%s: %s%s%s (%s)", what, place, place[0] != 0 ? ": " : "",
                    is_told ? why->text : hy_err_text(err), hy_err_name(err));
}

int tool_misused(const char *command, const char *text, const char *word) {
    return tool_say(TOOL_USAGE, "%s%s%s%s%s; see: hypha%s%s --help", command,
                    command[0] != 0 ? ": " : "", text, word[0] != 0 ? ": " : "", word,
                    command[0] != 0 ? " " : "", command);
}

bool tool_print(hy_buf *out) {
    const bool fits = out->failed == HY_OK;
    const bool ok = fits && fwrite(out->ptr, 1, out->len, stdout) == out->len && !ferror(stdout);
    if (!ok) (void)tool_say(TOOL_FAILED, fits ? "the output could not be written" : "no memory");
    hy_buf_clear(out);
    return ok;
}

bool tool_is_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

const char *tool_option(int argc, char **argv, int *index, const char *name, bool *out_missing) {
    const char *word = argv[*index];
    const size_t len = strlen(name);
    if (strncmp(word, name, len) != 0) return NULL;
    if (word[len] == '=') return word + len + 1;
    if (word[len] != 0) return NULL;
    *out_missing = *index + 1 >= argc;
    if (*out_missing) return NULL;
    *index += 1;
    return argv[*index];
}

// ---- numbers and text -------------------------------------------------------------------------

void tool_add_grouped(hy_buf *out, uint64_t number) {
    char digits[32];
    const int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) hy_buf_add(out, ",", 1);
        hy_buf_add(out, &digits[i], 1);
    }
}

void tool_add_hex(hy_buf *out, uint64_t number) {
    char digits[20];
    (void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)number);
    hy_buf_add_text(out, digits);
}

// Civil time from days since 1970, after Howard Hinnant's public description.
void tool_add_time(hy_buf *out, hy_ns wall) {
    const int64_t ms = wall / 1000000 - (wall % 1000000 < 0);
    int64_t days = ms / 86400000 - (ms % 86400000 < 0);
    const int64_t in_day = ms - days * 86400000;
    days += 719468;
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const int64_t doe = days - era * 146097;
    const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const int64_t mp = (5 * doy + 2) / 153;
    const int64_t day = doy - (153 * mp + 2) / 5 + 1;
    const int64_t month = mp < 10 ? mp + 3 : mp - 9;
    const int64_t year = yoe + era * 400 + (month <= 2);
    char text[64];
    (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)year, (int)month,
                   (int)day, (int)(in_day / 3600000), (int)(in_day / 60000 % 60),
                   (int)(in_day / 1000 % 60), (int)(in_day % 1000));
    hy_buf_add_text(out, text);
}

void tool_add_padded(hy_buf *out, const char *text, size_t width) {
    hy_buf_add_text(out, text);
    for (size_t len = strlen(text); len < width; len++) {
        hy_buf_add(out, " ", 1);
    }
}

void tool_add_json_text(hy_buf *out, hy_bytes text) {
    const bool is_text = hy_text_is_utf8(text);
    hy_buf_add(out, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = text.ptr[i];
        char escape[8];
        if (byte == '"' || byte == '\\') {
            hy_buf_add(out, "\\", 1);
            hy_buf_add(out, &byte, 1);
        } else if (byte < 0x20 || byte == 0x7f || (byte > 0x7f && !is_text)) {
            (void)snprintf(escape, sizeof escape, "\\u%04x", byte);
            hy_buf_add_text(out, escape);
        } else {
            hy_buf_add(out, &byte, 1);
        }
    }
    hy_buf_add(out, "\"", 1);
}

void tool_add_json_wire(hy_buf *out, const hy_record *record, hy_bytes wire, hy_arena *arena) {
    const size_t len = out->len;
    void *value = record != NULL ? hy_arena_alloc(arena, record->size) : NULL;
    if (value != NULL && hy_wire_decode(record, wire, arena, value, NULL) == HY_OK &&
        hy_json_encode(record, value, out) == HY_OK) {
        return;
    }
    out->len = len;
    hy_buf_add_text(out, "null");
}

// ---- progress ---------------------------------------------------------------------------------

static bool tool_progress_shown;

void tool_progress(void *doing, uint64_t done, uint64_t all) {
    if (!isatty(STDERR_FILENO)) return;
    const unsigned percent = all != 0 ? (unsigned)(100.0 * (double)done / (double)all) : 100;
    (void)fprintf(stderr, "\r%s %llu of %llu (%u %%)", (const char *)doing,
                  (unsigned long long)done, (unsigned long long)all, percent);
    tool_progress_shown = true;
}

void tool_progress_end(void) {
    if (tool_progress_shown) (void)fputs("\r\033[K", stderr);
    tool_progress_shown = false;
}

// ---- a store ----------------------------------------------------------------------------------

int tool_store_open(tool_store *store, const char *path) {
    hy_why why = { 0 };
    struct stat is;
    if (stat(path, &is) == 0 && S_ISDIR(is.st_mode)) {
        return tool_say(TOOL_FAILED, "%s is a folder: name the file in it, such as %s/clinic.db",
                        path, path);
    }
    hy_arena_init(&store->arena, hy_mem_system(), 0);
    hy_err err = hy_world_open(NULL, &store->world);
    if (err != HY_OK) return tool_fail(path, err, NULL);
    err = hy_store_sqlite_open(store->world, path, HY_OPTIONS(hy_store_sqlite, .read_only = true),
                               &store->store, &why);
    if (err == HY_OK) {
        err = hy_store_machines(store->store, &store->arena, &store->machines,
                                &store->machine_count, &why);
    }
    return err == HY_OK ? TOOL_OK : tool_fail(path, err, &why);
}

void tool_store_close(tool_store *store) {
    (void)hy_store_close(store->store);
    if (store->world != NULL) (void)hy_world_close(store->world);
    hy_arena_deinit(&store->arena);
    *store = (tool_store){ 0 };
}
