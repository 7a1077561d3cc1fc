// hypha/base.h - the words every room uses.                    Room: base. Includes: nothing.
// Threads: everything here is a value or belongs to one owner; nothing is shared, nothing locks.
//
// Errors, time, bytes, memory, ids. No function here knows an operating system: memory comes from
// the caller's `hy_mem`, time and randomness come from a world (hypha/world.h).
#ifndef HYPHA_BASE_H
#define HYPHA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HY_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

#define HY_API __attribute__((visibility("default")))
#define HY_CHECKED __attribute__((warn_unused_result))
#define HY_NORETURN __attribute__((noreturn))
#define HY_PRINTF(at, first) __attribute__((format(printf, at, first)))
#define HY_ANY_THREAD // marks the few functions that any thread may call

// ---- time -------------------------------------------------------------------------------------

// Nanoseconds. A point in time or a duration; deadlines are absolute and are the last argument.
typedef int64_t hy_ns;

#define HY_NEVER INT64_MAX
// `at` + `by`, where the end of time is HY_NEVER and stays it.
static inline hy_ns hy_ns_add(hy_ns at, hy_ns by) {
    if (at == HY_NEVER) return HY_NEVER;
    if (by > 0) return at > HY_NEVER - by ? HY_NEVER : at + by;
    return at < INT64_MIN - by ? INT64_MIN : at + by;
}

#define HY_US(n) ((hy_ns)(n)*1000)
#define HY_MS(n) ((hy_ns)(n)*1000000)
#define HY_SECONDS(n) ((hy_ns)(n)*1000000000)

// ---- errors -----------------------------------------------------------------------------------

// The one table of errors. A refusal is an expected answer: handle it. A fault is passed up
// unchanged. `status` is the HTTP answer that `net` gives for it.
#define HY_ERR_MAP(X)                                                                              \
    X(HY_OK, DONE, 200, "done")                                                                    \
    X(HY_REJECT, REFUSE, 409, "the machine refused the input")                                     \
    X(HY_LIMIT, REFUSE, 503, "a declared limit was reached")                                       \
    X(HY_NOT_FOUND, REFUSE, 404, "there is no such thing")                                         \
    X(HY_EXISTS, REFUSE, 409, "it exists already")                                                 \
    X(HY_ALREADY_DONE, REFUSE, 409, "that action was completed before")                            \
    X(HY_KEY_REUSED, REFUSE, 422, "the idempotency key was used for another request")              \
    X(HY_INVARIANT, REFUSE, 409, "an invariant would be broken")                                   \
    X(HY_MALFORMED, REFUSE, 400, "the bytes do not follow their format")                           \
    X(HY_NOT_UTF8, REFUSE, 400, "the text is not valid UTF-8")                                     \
    X(HY_RANGE, REFUSE, 422, "the value is out of range")                                          \
    X(HY_TYPE, REFUSE, 422, "the value has the wrong type")                                        \
    X(HY_MISSING, REFUSE, 422, "a required value is missing")                                      \
    X(HY_UNKNOWN_FIELD, REFUSE, 422, "the record has no such field")                               \
    X(HY_UNKNOWN_KIND, REFUSE, 422, "the machine has no such input")                               \
    X(HY_TOO_DEEP, REFUSE, 400, "the value is nested too deeply")                                  \
    X(HY_TOO_LARGE, REFUSE, 413, "the value is larger than its limit")                             \
    X(HY_UNSUPPORTED, REFUSE, 415, "this form is not supported")                                   \
    X(HY_BUSY, REFUSE, 503, "somebody else is using it; try again")                                \
    X(HY_TIMEOUT, REFUSE, 504, "the deadline passed")                                              \
    X(HY_CANCELLED, REFUSE, 503, "it was cancelled")                                               \
    X(HY_CLOSED, REFUSE, 503, "it is closed or closing")                                           \
    X(HY_NOT_COMMITTED, REFUSE, 503, "it was not stored, and nothing changed; try again")          \
    X(HY_END, REFUSE, 500, "there is nothing more")                                                \
    X(HY_NOMEM, FAULT, 503, "no memory")                                                           \
    X(HY_IO, FAULT, 500, "the device failed")                                                      \
    X(HY_DISK_FULL, FAULT, 507, "the disk is full")                                                \
    X(HY_CORRUPT, FAULT, 500, "stored bytes fail their check")                                     \
    X(HY_FOREIGN, FAULT, 500, "the file belongs to another program")                               \
    X(HY_NEWER, FAULT, 500, "the file was written by a newer version")                             \
    X(HY_READ_ONLY, FAULT, 500, "the file can only be read")                                       \
    X(HY_LOCKED, FAULT, 500, "another process holds the file")                                     \
    X(HY_OUTCOME_UNKNOWN, FAULT, 500, "whether it was stored is not known yet")                    \
    X(HY_SCHEMA, FAULT, 500, "stored records do not fit the program's records")                    \
    X(HY_NONDETERMINISTIC, FAULT, 500, "the same step gave two different results")                 \
    X(HY_HALTED, FAULT, 503, "the machine halted because an invariant failed")                     \
    X(HY_DEADLOCK, REFUSE, 500, "it would wait for itself")                                        \
    X(HY_RESTARTS, FAULT, 500, "it had to be started again too often")

typedef enum hy_err {
#define HYI_ERR_ENUM(code, kind, status, text) code,
    HY_ERR_MAP(HYI_ERR_ENUM)
#undef HYI_ERR_ENUM
        HY_ERR_COUNT
} hy_err;

// "HY_LIMIT", "a declared limit was reached", 503. Static text; any value is safe to ask about.
HY_API const char *hy_err_name(hy_err err);
HY_API const char *hy_err_text(hy_err err);
HY_API uint32_t hy_err_http_status(hy_err err);
HY_API bool hy_err_is_fault(hy_err err);

// ---- bytes and text ---------------------------------------------------------------------------

// Borrowed bytes; never NUL-ended. Text is the same, and promised to be UTF-8.
typedef struct hy_bytes {
    const uint8_t *ptr;
    size_t len;
} hy_bytes;
typedef hy_bytes hy_text;

// From a string literal.
#define HY_BYTES(literal) ((hy_bytes){ (const uint8_t *)("" literal), sizeof(literal) - 1 })
// For printf: printf("%.*s", HY_SHOW(text)).
#define HY_SHOW(bytes) (int)(bytes).len, (const char *)(bytes).ptr

HY_API hy_bytes hy_bytes_of(const char *text); // borrows a NUL-ended string; NULL gives no bytes
HY_API bool hy_bytes_equal(hy_bytes a, hy_bytes b);
HY_API int hy_bytes_compare(hy_bytes a, hy_bytes b); // -1, 0, 1; shorter prefix first
HY_API bool hy_text_is_utf8(hy_bytes bytes);         // RFC 3629: no surrogates, no overlong forms

// ---- why: the message behind an error ---------------------------------------------------------

// Filled where the error is made, read where it is shown. `place` names a field ("guests[2].name"),
// a file position or a table row. Pass NULL where nobody will read it.
typedef struct hy_why {
    hy_err code;
    uint64_t offset; // bytes into the input, where that makes sense
    char place[80];
    char text[160];
} hy_why;

// Fills `why` (NULL is fine) and returns `code`. Copies; cuts what does not fit, at a character.
HY_API hy_err hy_why_set(hy_why *why, hy_err code, const char *place, const char *text);

// ---- memory -----------------------------------------------------------------------------------

// One function, as in Lua: grow, shrink, give, take back. `old_size` is exact, so an allocator
// needs no headers. Returns NULL on failure, with the old block untouched. Alignment is 16.
typedef struct hy_mem hy_mem;
struct hy_mem {
    void *(*resize)(hy_mem *self, void *ptr, size_t old_size, size_t new_size);
};

HY_API void *hy_mem_alloc(hy_mem *mem, size_t size);          // not cleared; NULL on failure
HY_API void *hy_mem_alloc_zero(hy_mem *mem, size_t size);     // cleared
HY_API void hy_mem_free(hy_mem *mem, void *ptr, size_t size); // NULL is fine

// A region that is given back as a whole: one turn, one step, one decoded message.
typedef struct hy_arena {
    hy_mem *mem;
    struct hyi_arena_chunk *chunk; // newest first
    size_t used_bytes;             // handed out since the last reset
    size_t bytes_max;              // 0: no limit but memory
} hy_arena;

HY_API void hy_arena_init(hy_arena *arena, hy_mem *mem, size_t bytes_max);
HY_API void hy_arena_deinit(hy_arena *arena);              // works on a zeroed arena
HY_API void hy_arena_reset(hy_arena *arena);               // keeps one chunk for reuse
HY_API void *hy_arena_alloc(hy_arena *arena, size_t size); // NULL on failure or limit
HY_API hy_bytes hy_arena_copy(hy_arena *arena, hy_bytes bytes, bool *out_ok); // adds a NUL behind

// Bytes that grow to a declared limit. A failed append sets `failed` and changes nothing more, so a
// writer checks once at the end.
typedef struct hy_buf {
    hy_mem *mem;
    uint8_t *ptr;
    size_t len, capacity, bytes_max; // bytes_max 0: no limit but memory
    hy_err failed;                   // HY_OK, HY_NOMEM or HY_TOO_LARGE
} hy_buf;

HY_API void hy_buf_init(hy_buf *buf, hy_mem *mem, size_t bytes_max);
HY_API void hy_buf_deinit(hy_buf *buf);
HY_API void hy_buf_clear(hy_buf *buf); // keeps the storage, clears `failed`
HY_API void hy_buf_add(hy_buf *buf, const void *ptr, size_t len);
HY_API void hy_buf_add_text(hy_buf *buf, const char *text);
HY_API void hy_buf_add_u64(hy_buf *buf, uint64_t value); // decimal
HY_API uint8_t *hy_buf_reserve(hy_buf *buf,
                               size_t len);      // room for `len` more, not yet counted; or NULL
HY_API hy_bytes hy_buf_bytes(const hy_buf *buf); // borrowed until the next change

// Pages that can be write-protected: how a test build catches a write that nobody announced. All
// sizes are multiples of HY_GUARD_PAGE.
#define HY_GUARD_PAGE 4096u
typedef struct hy_guard hy_guard;
struct hy_guard {
    void *(*map)(hy_guard *self, size_t size); // writable, cleared; NULL on failure
    void (*unmap)(hy_guard *self, void *ptr, size_t size);
    void (*protect)(hy_guard *self, void *ptr, size_t size, bool writable);
};

// ---- ids --------------------------------------------------------------------------------------

// 128 bits; as text the 36 characters of RFC 9562. hy_id_at makes version 7 (time-ordered).
typedef struct hy_id {
    uint64_t hi, lo;
} hy_id;

#define HY_ID_TEXT_LEN 36
HY_API hy_id hy_id_at(hy_ns wall, uint64_t random_hi, uint64_t random_lo);
HY_API void hy_id_format(hy_id id, char out_text[HY_ID_TEXT_LEN + 1]);
HY_API HY_CHECKED hy_err hy_id_parse(hy_bytes text, hy_id *out_id); // HY_MALFORMED

// ---- options and assertions -------------------------------------------------------------------

// hy_x_open(..., HY_OPTIONS(hy_x, .limit = 4), ...): a literal whose first field is its size, so
// that programs built against an older header keep working. NULL means all defaults.
#define HY_OPTIONS(noun, ...) (&(noun##_options){ .size = sizeof(noun##_options), __VA_ARGS__ })

// Stops the program with a message. Defined in `world`; the only thing pure rooms ask of outside.
HY_API HY_NORETURN void hy_panic(const char *file, int line, const char *text);

#define HY_ASSERT(condition) ((condition) ? (void)0 : hy_panic(__FILE__, __LINE__, #condition))
#define HY_IMPLIES(a, b) (!(a) || (b))
#ifdef HY_PARANOID
#define HY_ASSERT_SLOW(condition) HY_ASSERT(condition)
#else
#define HY_ASSERT_SLOW(condition) ((void)(0 && (condition))) // compiled, never run
#endif

#ifdef __cplusplus
}
#endif
#endif
