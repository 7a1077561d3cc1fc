// tidy.c - the rules of the house as a test: tidy ROOT.
//
// Reads the tree once and hands every file to the rules. Rules are functions and not options: to
// change one is a commit that says why. Prints one line a problem, then the count; exits with 1
// when there is a problem.
#include "tidy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static size_t tidy_problems;

void tidy_say(const char *path, size_t line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (line > 0) {
        printf("%s:%zu: ", path, line);
    } else {
        printf("%s: ", path);
    }
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    tidy_problems++;
}

bool tidy_starts(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

bool tidy_ends(const char *text, const char *end) {
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

bool tidy_is_c(const char *path) {
    return tidy_ends(path, ".c") || tidy_ends(path, ".h");
}

bool tidy_is_test(const char *path) {
    return tidy_starts(path, "test/") || tidy_ends(path, "_test.c") ||
           tidy_ends(path, "_suite.c") || tidy_ends(path, "_suite.h") || tidy_ends(path, "_fuzz.c");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: tidy ROOT\n");
        return 2;
    }
    tidy_tree tree = tidy_read(argv[1]);
    for (size_t i = 0; i < tree.count; i++) {
        tidy_text(&tree.files[i]);
        if (tidy_is_c(tree.files[i].path)) tidy_c(&tree.files[i]);
    }
    tidy_floors(&tree);
    tidy_pages(&tree);
    printf("%zu files, %zu problems\n", tree.count, tidy_problems);
    return tidy_problems == 0 ? 0 : 1;
}
