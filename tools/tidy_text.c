// tidy_text.c - what every text and every C file must keep.
//
// Sizes are limits of reading: a page is 100 columns, a function fits on a screen and a half, a
// file past 800 lines is two files. The first lines of a file say what it is for.
#include "tidy.h"

#include <ctype.h>
#include <string.h>

static void text_words(const tidy_file *file, size_t number, const char *line);
static void text_essay(const tidy_file *file);
static void text_functions(const tidy_file *file);

void tidy_text(const tidy_file *file) {
    if (file->len > 0 && file->text[file->len - 1] != '\n') {
        tidy_say(file->path, file->line_count, "the last line has no end");
    }
    for (size_t i = 0; i < file->line_count; i++) {
        const char *line = file->lines[i];
        size_t len = strlen(line);
        if (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r')) {
            tidy_say(file->path, i + 1, "blanks at the end of the line");
        }
        text_words(file, i + 1, line);
    }
}

// Places that mean something on one machine only. Cut in two, or this file would find itself.
static const char *const text_places[] = { "/wo"
                                           "rk/",
                                           "/ro"
                                           "ot/",
                                           "/ho"
                                           "me/" };
static const char *const text_hosts[] = { "registry."
                                          "npm",
                                          "npm"
                                          "mirror",
                                          "deb.debian"
                                          ".org",
                                          "py"
                                          "pi.org",
                                          "proxy.go"
                                          "lang.org" };

static bool text_path_starts(const char *line, const char *at) {
    return at == line || !(isalnum((unsigned char)at[-1]) || strchr("._-}*", at[-1]) != NULL);
}

static void text_words(const tidy_file *file, size_t number, const char *line) {
    for (size_t i = 0; i < sizeof text_places / sizeof text_places[0]; i++) {
        const char *at = strstr(line, text_places[i]);
        if (at != NULL && text_path_starts(line, at)) {
            tidy_say(file->path, number, "a path of one machine: %s", text_places[i]);
        }
    }
    for (size_t i = 0; i < sizeof text_hosts / sizeof text_hosts[0]; i++) {
        if (strstr(line, text_hosts[i]) == NULL) continue;
        tidy_say(file->path, number, "the host of a package registry: %s", text_hosts[i]);
    }
    if (strstr(line, "FIX"
                     "ME") != NULL) {
        tidy_say(file->path, number,
                 "FIX"
                 "ME: fix it, or open an issue and write TO"
                 "DO(#n)");
    }
    const char *todo = strstr(line, "TO"
                                    "DO");
    if (todo != NULL && !(tidy_starts(todo + 4, "(#") && isdigit((unsigned char)todo[6])) &&
        tidy_is_c(file->path)) {
        tidy_say(file->path, number,
                 "TO"
                 "DO without the number of its issue: TO"
                 "DO(#12)");
    }
}

// Columns, not bytes: UTF-8 continuation bytes take none.
static size_t text_columns(const char *line) {
    size_t columns = 0;
    for (; *line != '\0'; line++) {
        columns += ((unsigned char)*line & 0xc0) != 0x80;
    }
    return columns;
}

void tidy_c(const tidy_file *file) {
    if (file->line_count > TIDY_FILE_LINES) {
        tidy_say(file->path, 0, "%zu lines; past %d it is two files", file->line_count,
                 TIDY_FILE_LINES);
    }
    for (size_t i = 0; i < file->line_count; i++) {
        size_t columns = text_columns(file->lines[i]);
        if (columns > TIDY_LINE_COLUMNS) {
            tidy_say(file->path, i + 1, "%zu columns, the page has %d", columns, TIDY_LINE_COLUMNS);
        }
    }
    text_essay(file);
    text_functions(file);
}

// A header says its name, because it is read on its own: "// queue.h - what it is". Every file of
// src/ says more than one line: why it is so, what holds, what would break.
static void text_essay(const tidy_file *file) {
    const char *slash = strrchr(file->path, '/');
    const char *name = slash == NULL ? file->path : slash + 1;
    const char *first = file->line_count > 0 ? file->lines[0] : "";
    const char *found = strstr(first, name);
    bool named = found != NULL && tidy_starts(found + strlen(name), " - ");
    if (!tidy_starts(first, "// ") || (tidy_ends(name, ".h") && !named)) {
        tidy_say(file->path, 1, "the first line must be: // %s - what it is", name);
        return;
    }
    size_t lines = 0;
    while (lines < file->line_count && tidy_starts(file->lines[lines], "//")) {
        lines++;
    }
    if (tidy_starts(file->path, "src/") && lines < 2) {
        tidy_say(file->path, 1, "say more than the name: why it is so, and what always holds");
    }
}

// clang-format puts the brace that ends a function, and no other, alone into the first column.
static void text_functions(const tidy_file *file) {
    size_t start = 0; // the line number of the opening brace; 0 outside
    for (size_t i = 0; i < file->line_count; i++) {
        const char *line = file->code[i];
        if (strstr(line, "goto ") != NULL && isspace((unsigned char)line[0])) {
            tidy_say(file->path, i + 1, "goto: use HY_CLEANUP and early returns");
        }
        if (start == 0 && tidy_ends(line, ") {") && line[0] != '#') start = i + 1;
        if (start == 0 || line[0] != '}') continue;
        size_t lines = i + 2 - start;
        if (lines > TIDY_FUNCTION_LINES) {
            tidy_say(file->path, start, "a function of %zu lines; %d are the most", lines,
                     TIDY_FUNCTION_LINES);
        }
        start = 0;
    }
}
