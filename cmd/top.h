// top.h - the parts of `hypha top`.                             Folder: cmd. Includes: base.
// Threads: one.
//
//   top.c         the command: options, asking for snapshots, the loop
//   top_json.c    a snapshot as a tree of values
//   top_words.c   numbers, times, bars and sparklines; and a line that knows its width
//   top_model.c   two snapshots: rates, the order of actors, what is wrong
//   top_view.c    a frame: the lines that are to be seen
//   top_screen.c  the terminal: taken over, written to, and given back on every way out
#ifndef HYPHA_CMD_TOP_H
#define HYPHA_CMD_TOP_H

#include "tool.h"

#define TOP_HISTORY 40u

// ---- top_json.c -------------------------------------------------------------------------------

typedef struct top_value {
    hy_text key;
    hy_text text;   // of texts; of numbers as written
    int64_t number; // of numbers that are whole, and booleans (0, 1)
    bool is_list, is_object, is_null;
    uint32_t count; // of members
    const struct top_value *first, *next;
} top_value;

typedef struct top_snapshot {
    hy_arena arena;
    hy_bytes bytes; // as they came
    const top_value *root;
} top_snapshot;

// Copies `bytes`. HY_MALFORMED and others of the reader, HY_TYPE: no snapshot of a known format.
HY_CHECKED hy_err top_snapshot_read(top_snapshot *snapshot, hy_bytes bytes, hy_why *why);
void top_snapshot_free(top_snapshot *snapshot); // works on a zeroed one
// All of these take NULL, and what is not there is nothing: NULL, 0, "".
const top_value *top_get(const top_value *object, const char *key);
int64_t top_number(const top_value *object, const char *key);
hy_text top_text(const top_value *object, const char *key);
bool top_has(const top_value *object, const char *key);
bool top_is(const top_value *object, const char *key, const char *text);

// ---- top_words.c ------------------------------------------------------------------------------

typedef enum top_style {
    TOP_PLAIN,
    TOP_SOFT,
    TOP_STRONG,
    TOP_GOOD,
    TOP_WARN,
    TOP_BAD,
    TOP_TITLE,
} top_style;

// A line being written; what does not fit into `width` is cut, at a character.
typedef struct top_line {
    hy_buf *out;
    uint32_t width, column;
    bool colour, ascii;
} top_line;
void top_put(top_line *line, top_style style, const char *text);
void top_put_text(top_line *line, top_style style, hy_text text);
HY_PRINTF(3, 4) void top_putf(top_line *line, top_style style, const char *format, ...);
void top_tab(top_line *line, uint32_t column); // blanks up to it; at least one
// In a column of so many cells, at its right end.
void top_put_right(top_line *line, top_style style, uint32_t cells, const char *text);
void top_put_bar(top_line *line, top_style style, uint32_t cells, double part);
void top_put_spark(top_line *line, const double *values, uint32_t count);

typedef struct top_word {
    char text[32];
} top_word;
top_word top_count(double value);    // 1,204  12.3 k
top_word top_rate(double value);     // 3.2  131 k
top_word top_bytes(double value);    // 48.1 MiB
top_word top_duration(int64_t ns);   // 1 min 39 s
top_word top_percent(double part);   // 90 %
top_word top_clock(int64_t wall_ms); // 23:59:59, UTC

// ---- top_model.c ------------------------------------------------------------------------------

typedef enum top_order {
    TOP_TREE,
    TOP_BY_RATE,
    TOP_BY_BUSY,
    TOP_BY_QUEUE,
    TOP_BY_RESTARTS
} top_order;
#define TOP_ORDERS 5u

typedef struct top_actor {
    const top_value *is;
    double rate, busy, fill;           // per second; of one core; of the mailbox
    int32_t parent, first, last, next; // indices; -1: none
} top_actor;

typedef struct top_alert {
    top_style style;
    char text[120];
} top_alert;

typedef struct top_model {
    const top_value *now, *before; // before NULL: no rates yet
    double seconds;                // between the two
    double messages, dropped, cpu; // per second; of one core
    top_actor *actors;             // in the arena of `now`
    uint32_t actor_count;
    int32_t first_root;
    top_alert alerts[24];
    uint32_t alert_count; // may be more than there are
} top_model;

// In the arena of `now`. HY_NOMEM.
HY_CHECKED hy_err top_model_make(top_model *model, top_snapshot *now, const top_snapshot *before);
double top_speed(const top_model *model, const top_value *now, const top_value *before,
                 const char *key); // of a counter, per second
// The member of the same list in the snapshot before that has the same `key`; NULL: none.
const top_value *top_same(const top_value *list, const top_value *is, const char *key);

// ---- top_view.c -------------------------------------------------------------------------------

typedef struct top_view {   // what a person chose, and what they look from
    uint32_t width, height; // height 0: everything
    bool colour, ascii, live;
    bool paused, filtering;
    top_order order;
    char filter[48];
    uint32_t scroll, cursor; // lines of the body
    uint64_t folded[128];    // digests of keys
    uint32_t folded_count;
    const char *source; // "127.0.0.1:8080"
    char trouble[160];  // why there is nothing new; empty: there is
    double messages[TOP_HISTORY], queued[TOP_HISTORY];
    uint32_t history;
} top_view;

void top_view_note(top_view *view, const top_model *model); // into the history
// Appends the frame; moves scroll and cursor into what there is.
void top_view_draw(top_view *view, const top_model *model, hy_buf *out);
void top_view_fold(top_view *view, const top_model *model); // the line under the cursor

// ---- top_screen.c -----------------------------------------------------------------------------

typedef enum top_key {
    TOP_KEY_NONE,
    TOP_KEY_UP = 256,
    TOP_KEY_DOWN,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_HOME,
    TOP_KEY_END,
    TOP_KEY_ESCAPE,
    TOP_KEY_OTHER, // one that means nothing here
    TOP_KEY_GONE,  // the terminal has gone
} top_key;         // or a byte

// Takes the terminal over. False: there is none. It is given back by top_screen_close, at exit, and
// by the signals that end a process.
bool top_screen_open(void);
void top_screen_close(void); // fine if it is not open
int top_screen_keys(void);   // a descriptor that can be read when there are keys
void top_screen_size(uint32_t *out_width, uint32_t *out_height);
int top_screen_key(void);                  // the next that is there, or TOP_KEY_NONE
void top_screen_show(const hy_buf *frame); // lines, without one after the last

#endif
