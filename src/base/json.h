// json.h - reading and writing JSON, strictly (RFC 8259).     Room: base. Includes: hypha/base.h.
// Threads: one owner. Ownership: a reader borrows its input, and tokens borrow from it; a writer
// borrows its buffer. Limits: depth_max levels, at most HYI_JSON_DEPTH_MAX; one value per document.
//
// The reader is pulled, token by token, and allocates nothing. Numbers stay text until somebody
// asks for them in a certain form, because only the reader of a field knows which form it wants;
// doubles travel as their 64 bits. Whether a key may appear twice is the schema's business.
#ifndef HYI_BASE_JSON_H
#define HYI_BASE_JSON_H

#include <hypha/base.h>

#define HYI_JSON_DEPTH_MAX 64u

// ---- reading -----------------------------------------------------------------------------------

typedef enum hyi_json_kind {
    HYI_JSON_END, // the document is over
    HYI_JSON_NULL,
    HYI_JSON_BOOL,
    HYI_JSON_NUMBER,
    HYI_JSON_TEXT,
    HYI_JSON_KEY, // a member's name; its value comes next
    HYI_JSON_OBJECT_BEGIN,
    HYI_JSON_OBJECT_END,
    HYI_JSON_ARRAY_BEGIN,
    HYI_JSON_ARRAY_END,
} hyi_json_kind;

typedef struct hyi_json_token {
    hyi_json_kind kind;
    bool boolean;    // of HYI_JSON_BOOL
    bool is_escaped; // raw has backslashes
    uint64_t offset; // where it begins in the input
    hy_bytes raw;    // as written; of texts and keys what is between the quotes, checked
} hyi_json_token;

typedef struct hyi_json {
    hy_bytes input;
    size_t at;
    uint32_t depth, depth_max;
    uint64_t objects; // bit i: level i is an object (and not an array)
    uint32_t expected;
    hy_why *why;
    hy_err failed; // sticky: a reader that failed stays failed
} hyi_json;

// `why` is borrowed and may be NULL. depth_max 0 means HYI_JSON_DEPTH_MAX.
void hyi_json_init(hyi_json *json, hy_bytes input, uint32_t depth_max, hy_why *why);

// The next token. HY_MALFORMED, HY_NOT_UTF8, HY_TOO_DEEP; `why` then has the offset, the place as
// "line 3, column 14" and what was wrong. After HYI_JSON_END comes HYI_JSON_END again.
HY_CHECKED hy_err hyi_json_next(hyi_json *json, hyi_json_token *out_token);

// Reads one whole value, whatever it is, and drops it; errors as hyi_json_next.
HY_CHECKED hy_err hyi_json_skip(hyi_json *json);

// Fills `why` for a mistake that the caller found at `offset`: "line 3, column 14". Returns `code`.
hy_err hyi_json_blame(const hyi_json *json, uint64_t offset, hy_err code, const char *text);

// The text of a text or key: borrowed from the input when nothing is escaped, else made in `arena`.
// HY_NOMEM (also when the arena is at its limit).
HY_CHECKED hy_err hyi_json_text(const hyi_json_token *token, hy_arena *arena, hy_text *out_text);

// Compares without making the text.
bool hyi_json_text_is(const hyi_json_token *token, hy_text text);

// The number as an integer. 1e3 and 5.0 are integers, too. HY_TYPE when it is not a number or has a
// fraction, HY_RANGE when it does not fit.
HY_CHECKED hy_err hyi_json_i64(const hyi_json_token *token, int64_t *out_value);
HY_CHECKED hy_err hyi_json_u64(const hyi_json_token *token, uint64_t *out_value);

// The bits of the nearest double. Takes the texts "NaN", "Infinity", "-Infinity" as the Protocol
// Buffers mapping does. HY_TYPE, HY_RANGE (larger than any double).
HY_CHECKED hy_err hyi_json_f64_bits(const hyi_json_token *token, uint64_t *out_bits);

// ---- writing -----------------------------------------------------------------------------------

// Writes compact JSON. Mistakes are kept: look at the end.
typedef struct hyi_json_writer {
    hy_buf *buf;
    uint32_t depth;
    bool wants_comma;
    bool not_utf8;
} hyi_json_writer;

void hyi_json_writer_init(hyi_json_writer *writer, hy_buf *buf);

// HY_OK, or the buffer's failure, or HY_NOT_UTF8. Every begin must have met its end.
HY_CHECKED hy_err hyi_json_finish(const hyi_json_writer *writer);

void hyi_json_begin_object(hyi_json_writer *writer);
void hyi_json_end_object(hyi_json_writer *writer);
void hyi_json_begin_array(hyi_json_writer *writer);
void hyi_json_end_array(hyi_json_writer *writer);
void hyi_json_key(hyi_json_writer *writer, hy_text name);
void hyi_json_add_text(hyi_json_writer *writer, hy_text text);
void hyi_json_add_u64(hyi_json_writer *writer, uint64_t value);
void hyi_json_add_i64(hyi_json_writer *writer, int64_t value);
void hyi_json_add_f64_bits(hyi_json_writer *writer,
                           uint64_t bits); // shortest that reads back equal
void hyi_json_add_bool(hyi_json_writer *writer, bool value);
void hyi_json_add_null(hyi_json_writer *writer);
void hyi_json_add_raw(hyi_json_writer *writer, hy_bytes json); // a value that is JSON already

#endif
