// tidy.h - the parts of the tidy test.                         Folder: tools. Includes: nothing.
// Threads: one.
//
// A program that reads the tree as text and says where it breaks a rule of the house. It knows no
// grammar of C: clang-format has run before it, so a function ends at a brace in the first column,
// and that is all it needs. Everything it reads lives until it ends; nothing is freed.
#ifndef HYPHA_TOOLS_TIDY_H
#define HYPHA_TOOLS_TIDY_H

#include <stdbool.h>
#include <stddef.h>

#define TIDY_LINE_COLUMNS 100
#define TIDY_FILE_LINES 800
#define TIDY_FUNCTION_LINES 70
#define TIDY_ROOM_README_LINES 60

// One text file, cut into lines. `code` are the same lines without comments and string contents
// (NULL for files that are not C).
typedef struct tidy_file {
    const char *path; // relative to the root, with slashes
    char *text;       // NUL-ended
    size_t len;
    char **lines;
    char **code;
    size_t line_count;
} tidy_file;

// All files of the tree.
typedef struct tidy_tree {
    tidy_file *files;
    size_t count, capacity;
} tidy_tree;

// Prints "path:line: message" (line 0: about the whole file) and counts the problem.
__attribute__((format(printf, 3, 4))) void tidy_say(const char *path, size_t line,
                                                    const char *format, ...);

bool tidy_ends(const char *text, const char *end);
bool tidy_starts(const char *text, const char *start);
bool tidy_is_c(const char *path);
bool tidy_is_test(const char *path); // x_test.c, x_suite.c, x_fuzz.c, and all below test/

// tidy_tree.c: reads the files below `root`; leaves out what is built and what is not text.
tidy_tree tidy_read(const char *root);
const tidy_file *tidy_find(const tidy_tree *tree, const char *path);

// tidy_floors.c: the dictionary of includes against every #include and call.
void tidy_floors(const tidy_tree *tree);

// tidy_text.c: what every text, and what every C file must keep.
void tidy_text(const tidy_file *file);
void tidy_c(const tidy_file *file);

// tidy_pages.c: READMEs of rooms, links between pages, programs quoted in README.md.
void tidy_pages(const tidy_tree *tree);

#endif
