// buf_test.c - bytes that grow to a limit.
//
// The limit and the failing allocator must look the same to a writer: `failed` is set once, what
// was written before stays whole, and nothing is written behind a gap.
#include "base/cleanup.h"
#include "kit/kit.h"

#include <string.h>

static hy_err pieces_come_out_joined(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf buf = { 0 };
    hy_buf_init(&buf, mem, 0);
    hy_buf_add(&buf, NULL, 0);
    hy_buf_add_text(&buf, "n=");
    hy_buf_add_u64(&buf, 0);
    hy_buf_add(&buf, " ", 1);
    hy_buf_add_u64(&buf, UINT64_MAX);
    uint8_t *room = hy_buf_reserve(&buf, 3);
    if (room) {
        memcpy(room, "end", 3);
        buf.len += 3;
    }
    if (buf.failed != HY_OK) return buf.failed;
    CHECK_TEXT(hy_buf_bytes(&buf), "n=0 18446744073709551615end");
    hy_buf_clear(&buf);
    CHECK_EQ(buf.len, 0);
    CHECK(buf.capacity > 0);
    return HY_OK;
}

static hy_err it_grows_byte_by_byte(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf buf = { 0 };
    hy_buf_init(&buf, mem, 0);
    for (uint32_t i = 0; i < 5000; i++)
        hy_buf_add(&buf, &(uint8_t){ (uint8_t)(i * 7) }, 1);
    CHECK_EQ(buf.len, buf.failed == HY_OK ? 5000 : buf.len);
    for (uint32_t i = 0; i < buf.len; i++)
        CHECK_EQ(buf.ptr[i], (i * 7) & 255);
    return buf.failed;
}

static hy_err a_failure_stays_and_changes_nothing(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf buf = { 0 };
    hy_buf_init(&buf, mem, 10);
    hy_buf_add_text(&buf, "12345678");
    if (buf.failed == HY_NOMEM) return HY_NOMEM;
    hy_buf_add_text(&buf, "901");
    CHECK_ERR(buf.failed, HY_TOO_LARGE);
    hy_buf_add_text(&buf, "9"); // would fit, but comes behind a gap
    CHECK_TEXT(hy_buf_bytes(&buf), "12345678");
    CHECK(!hy_buf_reserve(&buf, 1));
    hy_buf_clear(&buf);
    hy_buf_add_text(&buf, "1234567890");
    CHECK_OK(buf.failed);
    CHECK_TEXT(hy_buf_bytes(&buf), "1234567890");
    CHECK(hy_buf_reserve(&buf, 0) != NULL);
    CHECK(!hy_buf_reserve(&buf, SIZE_MAX));
    return HY_OK;
}

KIT_TESTS(KIT_TEST(pieces_come_out_joined), KIT_TEST(it_grows_byte_by_byte),
          KIT_TEST(a_failure_stays_and_changes_nothing))
