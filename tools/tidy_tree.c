// tidy_tree.c - reads the tree, and takes comments and strings out of C.
//
// The walk leaves out hidden folders but .ci, everything built or installed, and the corpora, which
// hold broken bytes on purpose. A file with a NUL byte is not text and is left out as well.
#include "tidy.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void tree_walk(tidy_tree *tree, const char *root, const char *folder);

static void *tree_memory(void *old, size_t size) {
    void *memory = realloc(old, size);
    if (memory == NULL) {
        fprintf(stderr, "tidy: no memory\n");
        exit(2);
    }
    return memory;
}

static char *tree_join(const char *a, const char *b) {
    size_t size = strlen(a) + strlen(b) + 2;
    char *path = tree_memory(NULL, size);
    snprintf(path, size, "%s%s%s", a, a[0] == '\0' ? "" : "/", b);
    return path;
}

static char **tree_lines(char *text, size_t *out_count) {
    char **lines = NULL;
    size_t count = 0, capacity = 0;
    for (char *at = text; *at != '\0';) {
        if (count == capacity) {
            capacity = capacity == 0 ? 64 : capacity * 2;
            lines = tree_memory(lines, capacity * sizeof *lines);
        }
        lines[count++] = at;
        char *end = strchr(at, '\n');
        if (end == NULL) break;
        *end = '\0';
        at = end + 1;
    }
    *out_count = count;
    return lines;
}

// Blanks comments and what stands between quotes, in place; lines keep their length.
static void tree_strip(char *text) {
    enum { CODE, LINE, BLOCK, QUOTE } in = CODE;
    char quote = 0;
    for (char *at = text; *at != '\0'; at++) {
        if (*at == '\n') {
            if (in == LINE) in = CODE;
            continue;
        }
        if (in == CODE) {
            if (at[0] == '/' && at[1] == '/') in = LINE;
            if (at[0] == '/' && at[1] == '*') in = BLOCK;
            if (*at == '"' || *at == '\'') {
                in = QUOTE;
                quote = *at;
                continue;
            }
            if (in == CODE) continue;
        } else if (in == BLOCK && at[0] == '*' && at[1] == '/') {
            at[0] = at[1] = ' ';
            at++;
            in = CODE;
            continue;
        } else if (in == QUOTE && *at == '\\' && at[1] != '\0' && at[1] != '\n') {
            *at++ = ' ';
        } else if (in == QUOTE && *at == quote) {
            in = CODE;
            continue;
        }
        *at = ' ';
    }
}

static char *tree_load(const char *path, size_t *out_len) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    char *text = NULL;
    size_t len = 0, capacity = 0, got;
    do {
        if (capacity - len < 65536) {
            capacity = capacity * 2 + 131072;
            text = tree_memory(text, capacity);
        }
        got = fread(text + len, 1, 65535, file);
        len += got;
    } while (got > 0);
    fclose(file);
    text[len] = '\0';
    *out_len = len;
    return text;
}

static void tree_add(tidy_tree *tree, const char *root, const char *path) {
    tidy_file file = { .path = path };
    char *text = tree_load(tree_join(root, path), &file.len);
    if (text == NULL || strlen(text) != file.len) return;
    file.text = strdup(text);
    char *code = strdup(text);
    file.lines = tree_lines(text, &file.line_count);
    if (tidy_is_c(path)) {
        size_t count;
        tree_strip(code);
        file.code = tree_lines(code, &count);
    }
    if (tree->count == tree->capacity) {
        tree->capacity = tree->capacity == 0 ? 64 : tree->capacity * 2;
        tree->files = tree_memory(tree->files, tree->capacity * sizeof *tree->files);
    }
    tree->files[tree->count++] = file;
}

static bool tree_skips(const char *folder, const char *name) {
    static const char *const names[] = { "build", "node_modules", "corpus", "package-lock.json" };
    if (name[0] == '.') return folder[0] != '\0' || strcmp(name, ".ci") != 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) return true;
    }
    return false;
}

static void tree_walk(tidy_tree *tree, const char *root, const char *folder) {
    struct dirent **entries = NULL;
    int count = scandir(tree_join(root, folder), &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char *path = tree_join(folder, name);
        struct stat info;
        if (tree_skips(folder, name) || lstat(tree_join(root, path), &info) != 0) continue;
        if (S_ISDIR(info.st_mode)) tree_walk(tree, root, path);
        if (S_ISREG(info.st_mode)) tree_add(tree, root, path);
    }
}

tidy_tree tidy_read(const char *root) {
    tidy_tree tree = { 0 };
    tree_walk(&tree, root, "");
    return tree;
}

const tidy_file *tidy_find(const tidy_tree *tree, const char *path) {
    for (size_t i = 0; i < tree->count; i++) {
        if (strcmp(tree->files[i].path, path) == 0) return &tree->files[i];
    }
    return NULL;
}
