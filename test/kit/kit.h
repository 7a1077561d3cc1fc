// kit.h - how a test of Hypha is written.                      Folder: test/kit. Includes: base.
// Threads: CHECKs belong on the thread that runs the test; kit memory may be used from any thread.
//
//     #include "kit/kit.h"
//
//     static hy_err full_queue_refuses(hy_mem *mem) {
//         HY_CLEANUP(queue_freep) queue *q = NULL;
//         CHECK_OK(queue_new(mem, 1, &q));
//         CHECK_OK(queue_push(q, 7));
//         CHECK_ERR(queue_push(q, 8), HY_LIMIT);
//         CHECK_EQ(queue_count(q), 1);
//         return HY_OK;
//     }
//     KIT_TESTS(KIT_TEST(full_queue_refuses))
//
// A test is a sentence that is true. The kit runs it once, and then again and again with the 1st,
// 2nd, 3rd... allocation of `mem` failing: first only that one, then that one and all after it.
// Such a run may return HY_NOMEM or, where the failure was survived, HY_OK. Every CHECK must hold
// in every run, and after every run all memory must be back. So a test passes HY_NOMEM up (CHECK_OK
// and CHECK_ERR do that) and frees what it owns on every way out.
//
// A run that fails ends with the seed and the one command that repeats it:
//     HY_SEED=1 build/debug/test/base/queue_test full_queue_refuses
// The argument is the name of a test, where * and ? match as in a shell; without it all tests run.
#ifndef HYPHA_TEST_KIT_H
#define HYPHA_TEST_KIT_H

#include <hypha/base.h>

// ---- tests ------------------------------------------------------------------------------------

typedef struct kit_test {
    const char *name;
    hy_err (*run)(hy_mem *mem);
    bool once; // no loop of failing allocations
} kit_test;

#define KIT_TEST(fn)                                                                               \
    { #fn, fn, false }
// For tests too slow to run a hundred times, and for those that fail in other ways on purpose.
#define KIT_TEST_ONCE(fn)                                                                          \
    { #fn, fn, true }

// The whole main() of a test program.
#define KIT_TESTS(...)                                                                             \
    int main(int argc, char **argv) {                                                              \
        static const kit_test tests[] = { __VA_ARGS__ };                                           \
        return kit_main(__FILE__, tests, sizeof tests / sizeof tests[0], argc, argv);              \
    }

int kit_main(const char *file, const kit_test *tests, size_t count, int argc, char **argv);

// ---- checks: each ends the test when it does not hold -----------------------------------------

#define CHECK(condition)                                                                           \
    ((condition) ? (void)0 : kit_fail(__FILE__, __LINE__, "does not hold: %s", #condition))

// Integers of any type, signed and unsigned; prints both. Pointers: CHECK(a == b).
#define CHECK_EQ(a, b) kit_check_eq(__FILE__, __LINE__, #a " == " #b, KIT_NUMBER(a), KIT_NUMBER(b))

// HY_NOMEM is passed up (so only in functions that return hy_err); all else but HY_OK fails.
#define CHECK_OK(err) CHECK_ERR(err, HY_OK)

// The same, for an error that is expected.
#define CHECK_ERR(err, expected)                                                                   \
    do {                                                                                           \
        const hy_err kit_got = (err);                                                              \
        const hy_err kit_wanted = (expected);                                                      \
        if (kit_got == HY_NOMEM && kit_wanted != HY_NOMEM) return HY_NOMEM;                        \
        kit_check_err(__FILE__, __LINE__, #err, kit_got, kit_wanted);                              \
    } while (0)

// Two hy_bytes; prints both around the first difference.
#define CHECK_BYTES(a, b) kit_check_bytes(__FILE__, __LINE__, #a " == " #b, (a), (b))

// hy_bytes against a string literal.
#define CHECK_TEXT(bytes, literal)                                                                 \
    kit_check_text(__FILE__, __LINE__, #bytes, (bytes), HY_BYTES(literal))

HY_NORETURN HY_PRINTF(3, 4) void kit_fail(const char *file, int line, const char *format, ...);

typedef struct kit_number {
    uint64_t bits;
    bool negative;
} kit_number;

#define KIT_NUMBER(x)                                                                              \
    _Generic((x), char                                                                             \
             : kit_signed, signed char                                                             \
             : kit_signed, short                                                                   \
             : kit_signed, int                                                                     \
             : kit_signed, long                                                                    \
             : kit_signed, long long                                                               \
             : kit_signed, default                                                                 \
             : kit_unsigned)(x)

kit_number kit_signed(int64_t value);
kit_number kit_unsigned(uint64_t value);
void kit_check_eq(const char *file, int line, const char *text, kit_number a, kit_number b);
void kit_check_err(const char *file, int line, const char *text, hy_err got, hy_err wanted);
void kit_check_bytes(const char *file, int line, const char *text, hy_bytes a, hy_bytes b);
void kit_check_text(const char *file, int line, const char *text, hy_bytes got, hy_bytes wanted);

// ---- chance -----------------------------------------------------------------------------------

// The seed of this run: HY_SEED from the environment, or 1.
uint64_t kit_seed(void);

// The next number of splitmix64. Start with: uint64_t state = kit_seed();
uint64_t kit_random(uint64_t *state);

// ---- memory -----------------------------------------------------------------------------------

// The process's heap as a hy_mem, never failing on purpose: for fuzz targets and slow fixtures.
// Like the memory that tests get it checks every old_size, moves blocks on every resize and fills
// fresh and freed memory with junk.
hy_mem *kit_heap(void);

// True when the kit made an allocation of this run fail; for tests whose outcome depends on it.
bool kit_failed_allocation(void);

// ---- parsers at the edge of the world ---------------------------------------------------------

// A copy whose last byte is the last byte of its page, with an unreadable page behind: reading one
// byte too far is a crash. Give it back with kit_guard_free.
hy_bytes kit_guard_copy(hy_bytes bytes);
void kit_guard_free(hy_bytes guarded);

// ---- golden files -----------------------------------------------------------------------------

// `text` must equal the file test/golden/<name>. KIT_GOLDEN_REWRITE=1 writes the file instead; the
// difference is then reviewed like code.
void kit_golden(const char *name, hy_text text);

// ---- traps ------------------------------------------------------------------------------------

// Runs fn(arg) in a child process with its output closed. True when the child did not live to the
// end of fn: it aborted, crashed or exited.
bool kit_death(void (*fn)(void *arg), void *arg);

// What the child of the latest kit_death wrote to standard error, NUL-ended, cut at 4 KiB.
const char *kit_last_words(void);

// ---- fuzz targets -----------------------------------------------------------------------------

// What x_fuzz.c defines; returns 0. Runs under libFuzzer, and over test/corpus/<x>/ in every build.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
