// tool.h - what all commands share.                               Folder: cmd. Includes: every
// room. Threads: one.
//
// Exit codes: 0 all is well, 1 it is not (the message says what and what to do), 2 the command line
// was not understood. What was asked for goes to stdout, everything else to stderr.
#ifndef HYPHA_CMD_TOOL_H
#define HYPHA_CMD_TOOL_H

#include <hypha/machine.h>
#include <hypha/store.h>
#include <hypha/world.h>

enum { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

int cmd_inspect(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_top(int argc, char **argv);

// ---- saying things ----------------------------------------------------------------------------

// "hypha: ..." to stderr; returns `code`.
HY_PRINTF(2, 3) int tool_say(int code, const char *format, ...);
// The same for an error: with the place, the text and the code of `why`. Returns TOOL_FAILED.
int tool_fail(const char *what, hy_err err, const hy_why *why);
// Command line: "hypha <command>: <text>" and where help is. Returns TOOL_USAGE.
int tool_misused(const char *command, const char *text, const char *word);
// Writes a buffer to stdout and empties it. False, and said so, when that failed.
bool tool_print(hy_buf *out);
bool tool_is_help(const char *word); // --help, -h, help
// The value of an option that needs one ("--rows TABLE" or "--rows=TABLE"), moving *index; NULL:
// `word` is another option. *out_missing: it is this one, and the value is not there.
const char *tool_option(int argc, char **argv, int *index, const char *name, bool *out_missing);

void tool_add_grouped(hy_buf *out, uint64_t number); // 12,345
void tool_add_hex(hy_buf *out, uint64_t number);     // 16 digits
void tool_add_time(hy_buf *out, hy_ns wall);         // 2026-01-05T00:00:00.000Z
void tool_add_padded(hy_buf *out, const char *text, size_t width);
void tool_add_json_text(hy_buf *out, hy_bytes text); // with quotes; other bytes as \u00xx
// The JSON of a wire form, or null when it cannot be read (a record of another version).
void tool_add_json_wire(hy_buf *out, const hy_record *record, hy_bytes wire, hy_arena *arena);

// A line on a terminal that is written over and over; nothing when stderr is no terminal.
void tool_progress(void *doing, uint64_t done, uint64_t all);
void tool_progress_end(void);

// ---- a store to look into ---------------------------------------------------------------------

typedef struct tool_store {
    hy_world *world;
    hy_store *store;
    hy_arena arena; // of what follows
    const hy_store_machine *machines;
    size_t machine_count;
} tool_store;

// Opens the file for reading only, which works while a service runs on it. TOOL_OK, or said why
// not.
int tool_store_open(tool_store *store, const char *path);
void tool_store_close(tool_store *store); // works on a zeroed one

#endif
