// check.c - the CHECKs that show both sides, and the chance that tests use.
//
// The kit tests the base room, so nothing here calls it: names of errors come from the table in the
// header, and the random numbers are splitmix64, which is four lines.
#include "kit/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_DUMP_BEFORE 16u
#define CHECK_DUMP_BYTES 48u

kit_number kit_signed(int64_t value) {
    return (kit_number){ (uint64_t)value, value < 0 };
}

kit_number kit_unsigned(uint64_t value) {
    return (kit_number){ value, false };
}

static void check_print_number(char out[64], kit_number n) {
    if (n.negative) {
        snprintf(out, 64, "%lld", (long long)n.bits);
        return;
    }
    const char *form = n.bits > 9 ? "%llu (0x%llx)" : "%llu";
    snprintf(out, 64, form, (unsigned long long)n.bits, (unsigned long long)n.bits);
}

void kit_check_eq(const char *file, int line, const char *text, kit_number a, kit_number b) {
    if (a.bits == b.bits && a.negative == b.negative) return;
    char left[64], right[64];
    check_print_number(left, a);
    check_print_number(right, b);
    kit_fail(file, line, "%s\n    left:  %s\n    right: %s", text, left, right);
}

const char *kit_err_name(hy_err err) {
    static const char *const names[] = {
#define CHECK_NAME(code, kind, status, text) #code,
        HY_ERR_MAP(CHECK_NAME)
#undef CHECK_NAME
    };
    return (size_t)err < sizeof names / sizeof names[0] ? names[err] : "not an error code";
}

void kit_check_err(const char *file, int line, const char *text, hy_err got, hy_err wanted) {
    if (got == wanted) return;
    kit_fail(file, line, "%s\n    gave %s, not %s", text, kit_err_name(got), kit_err_name(wanted));
}

static size_t check_first_difference(hy_bytes a, hy_bytes b) {
    size_t i = 0;
    while (i < a.len && i < b.len && a.ptr[i] == b.ptr[i]) {
        i++;
    }
    return i;
}

// Rows of 16 bytes around `at`, as hex and as text.
static void check_dump(const char *label, hy_bytes bytes, size_t at) {
    size_t from = at < CHECK_DUMP_BEFORE ? 0 : (at - CHECK_DUMP_BEFORE) & ~(size_t)15;
    fprintf(stderr, "    %s: %zu bytes\n", label, bytes.len);
    for (size_t row = from; row < bytes.len && row < from + CHECK_DUMP_BYTES; row += 16) {
        fprintf(stderr, "    %6zx ", row);
        for (size_t i = row; i < row + 16; i++) {
            if (i < bytes.len) {
                fprintf(stderr, "%c%02x", i == at ? '>' : ' ', bytes.ptr[i]);
            } else {
                fputs("   ", stderr);
            }
        }
        fputs("  ", stderr);
        for (size_t i = row; i < row + 16 && i < bytes.len; i++) {
            bool shows = bytes.ptr[i] >= 0x20 && bytes.ptr[i] < 0x7f;
            fputc(shows ? bytes.ptr[i] : '.', stderr);
        }
        fputc('\n', stderr);
    }
}

void kit_check_bytes(const char *file, int line, const char *text, hy_bytes a, hy_bytes b) {
    if (a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0)) return;
    size_t at = check_first_difference(a, b);
    check_dump("left", a, at);
    check_dump("right", b, at);
    kit_fail(file, line, "%s\n    first difference at byte %zu", text, at);
}

void kit_check_text(const char *file, int line, const char *text, hy_bytes got, hy_bytes wanted) {
    if (got.len == wanted.len && (got.len == 0 || memcmp(got.ptr, wanted.ptr, got.len) == 0)) {
        return;
    }
    fprintf(stderr, "    got:    %.*s\n    wanted: %.*s\n", HY_SHOW(got), HY_SHOW(wanted));
    size_t at = check_first_difference(got, wanted);
    kit_fail(file, line, "%s\n    first difference at byte %zu of %zu", text, at, wanted.len);
}

uint64_t kit_seed(void) {
    const char *text = getenv("HY_SEED");
    if (text == NULL || text[0] == '\0') return 1;
    char *end = NULL;
    unsigned long long seed = strtoull(text, &end, 0);
    if (*end != '\0') {
        fprintf(stderr, "HY_SEED=%s is not a number\n", text);
        exit(2);
    }
    return seed;
}

uint64_t kit_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
