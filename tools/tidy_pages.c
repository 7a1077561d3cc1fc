// tidy_pages.c - the pages between the code: READMEs, links, quoted programs.
//
// A room without a README of one screen is not finished. A link that leads nowhere is a lie, and so
// is a program in README.md that no compiler has seen: each one must be a file of examples/, whole.
#include "tidy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void pages_rooms(const tidy_tree *tree);
static void pages_links(const tidy_tree *tree, const tidy_file *page);
static void pages_programs(const tidy_tree *tree, const tidy_file *page);

void tidy_pages(const tidy_tree *tree) {
    pages_rooms(tree);
    for (size_t i = 0; i < tree->count; i++) {
        const tidy_file *file = &tree->files[i];
        if (!tidy_ends(file->path, ".md")) continue;
        pages_links(tree, file);
        if (strcmp(file->path, "README.md") == 0) pages_programs(tree, file);
    }
}

static void pages_rooms(const tidy_tree *tree) {
    char last[64] = "";
    for (size_t i = 0; i < tree->count; i++) {
        const char *path = tree->files[i].path;
        if (!tidy_starts(path, "src/") || !tidy_ends(path, ".c")) continue;
        char room[64], readme[128];
        snprintf(room, sizeof room, "%.*s", (int)strcspn(path + 4, "/"), path + 4);
        if (strcmp(room, last) == 0) continue;
        memcpy(last, room, sizeof last);
        snprintf(readme, sizeof readme, "src/%s/README.md", room);
        const tidy_file *page = tidy_find(tree, readme);
        if (page == NULL) {
            tidy_say(readme, 0, "every room has one: reason, includes, file map, invariants");
        } else if (page->line_count > TIDY_ROOM_README_LINES) {
            tidy_say(readme, 0, "%zu lines; one screen is %d", page->line_count,
                     TIDY_ROOM_README_LINES);
        }
    }
}

// ---- links ------------------------------------------------------------------------------------

static bool pages_exists(const tidy_tree *tree, const char *path) {
    size_t len = strlen(path);
    for (size_t i = 0; i < tree->count; i++) {
        const char *file = tree->files[i].path;
        if (strncmp(file, path, len) != 0) continue;
        if (file[len] == '\0' || file[len] == '/' || path[len - 1] == '/') return true;
    }
    return false;
}

// The target of a link, from the root: the folder of the page, then ".." and "." taken out.
static void pages_resolve(char out[512], const char *page, const char *target, size_t len) {
    char joined[512];
    const char *slash = strrchr(page, '/');
    int folder = slash == NULL ? 0 : (int)(slash - page + 1);
    snprintf(joined, sizeof joined, "%.*s%.*s", folder, page, (int)len, target);
    out[0] = '\0';
    char *rest = NULL;
    for (char *part = strtok_r(joined, "/", &rest); part != NULL;
         part = strtok_r(NULL, "/", &rest)) {
        if (strcmp(part, ".") == 0) continue;
        char *last = strrchr(out, '/');
        if (strcmp(part, "..") == 0) {
            *(last == NULL ? out : last) = '\0';
            continue;
        }
        if (out[0] != '\0') strncat(out, "/", 511 - strlen(out));
        strncat(out, part, 511 - strlen(out));
    }
}

static void pages_links(const tidy_tree *tree, const tidy_file *page) {
    bool in_code = false;
    for (size_t i = 0; i < page->line_count; i++) {
        const char *line = page->lines[i];
        if (tidy_starts(line, "```")) in_code = !in_code;
        if (in_code) continue;
        for (const char *at = strstr(line, "]("); at != NULL; at = strstr(at + 1, "](")) {
            const char *target = at + 2;
            size_t len = strcspn(target, ")# ");
            bool elsewhere = len == 0 || tidy_starts(target, "http") || target[0] == '<';
            if (elsewhere) continue;
            char path[512];
            pages_resolve(path, page->path, target, len);
            bool is_picture = tidy_ends(path, ".png") || tidy_ends(path, ".gif");
            if (is_picture || path[0] == '\0' || pages_exists(tree, path)) continue;
            tidy_say(page->path, i + 1, "the link leads nowhere: %s", path);
        }
    }
}

// ---- programs ---------------------------------------------------------------------------------

// What follows the essay of an example is the program that a page may quote.
static bool pages_is_example(const tidy_tree *tree, const char *program, size_t len) {
    char *text = strndup(program, len);
    bool found = false;
    for (size_t i = 0; i < tree->count && text != NULL; i++) {
        const tidy_file *file = &tree->files[i];
        if (!tidy_starts(file->path, "examples/") || !tidy_ends(file->path, ".c")) continue;
        if (tidy_ends(file->text, text)) found = true;
    }
    free(text);
    return found;
}

static void pages_programs(const tidy_tree *tree, const tidy_file *page) {
    const char *fence = "\n```c\n";
    for (const char *at = strstr(page->text, fence); at != NULL; at = strstr(at + 1, fence)) {
        const char *program = at + strlen(fence);
        const char *end = strstr(program, "\n```");
        if (end == NULL) return;
        size_t line = 1;
        for (const char *c = page->text; c < program; c++) {
            line += *c == '\n';
        }
        if (strstr(program, "int main(") == NULL || strstr(program, "int main(") > end) continue;
        if (!pages_is_example(tree, program, (size_t)(end - program) + 1)) {
            tidy_say(page->path, line, "this program is not the end of a file in examples/");
        }
    }
}
