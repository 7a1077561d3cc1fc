// http_head_test.c - heads and chunked bodies at every cut, in memory that ends with them.
//
// A network may cut a stream anywhere, so what is understood must not depend on where. The bytes
// lie at the end of a page: one byte read too far is a crash.
#include "net/http_head.h"

#include "net/http_chunk.h"

#include "kit/kit.h"

#include <string.h>

static hy_err parse(const char *text, hyi_http_head *head, uint8_t *room, uint32_t *out_status,
                    hy_why *why) {
    size_t len = strlen(text);
    memcpy(room, text, len);
    return hyi_http_head_parse(room, len, head, out_status, why);
}

static hy_err heads_are_understood(hy_mem *mem) {
    (void)mem;
    uint8_t room[512];
    hyi_http_head head;
    uint32_t status;
    CHECK_OK(parse("POST /a%20b?x=1&y HTTP/1.1\r\nHost: h\r\nX-Name: \t two words \r\n"
                   "Content-Length: 12\r\nConnection: Keep-Alive, close\r\n\r\n",
                   &head, room, &status, NULL));
    CHECK_TEXT(head.method, "POST");
    CHECK_TEXT(head.path, "/a%20b");
    CHECK_TEXT(head.query, "x=1&y");
    CHECK_EQ(head.header_count, 4);
    CHECK_TEXT(hyi_http_head_get(&head, HY_BYTES("x-name")), "two words");
    CHECK(hyi_http_head_get(&head, HY_BYTES("x-other")).ptr == NULL);
    CHECK_EQ(head.content_length, 12);
    CHECK(!head.keep_alive && !head.chunked && !head.upgrade && !head.expect_continue);

    CHECK_OK(parse("GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n", &head, room, &status, NULL));
    CHECK_TEXT(head.path, "/");
    CHECK(head.keep_alive);
    CHECK_OK(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &head, room, &status, NULL));
    CHECK(head.keep_alive);
    return HY_OK;
}

static hy_err the_end_of_a_head_is_found_at_every_cut(hy_mem *mem) {
    (void)mem;
    const char *text = "GET / HTTP/1.1\r\nHost: x\r\n\r\nrest";
    const size_t end = strlen(text) - 4;
    for (size_t first = 0; first < end; first++) {
        hy_bytes part = kit_guard_copy((hy_bytes){ (const uint8_t *)text, first });
        CHECK_EQ(hyi_http_head_len(part, 0), 0);
        kit_guard_free(part);
        for (size_t second = end; second <= strlen(text); second++) {
            hy_bytes whole = kit_guard_copy((hy_bytes){ (const uint8_t *)text, second });
            CHECK_EQ(hyi_http_head_len(whole, first), end);
            kit_guard_free(whole);
        }
    }
    CHECK_EQ(hyi_http_head_len(HY_BYTES("GET /\nHost"), 0), 6); // a bare LF ends it, to be refused
    return HY_OK;
}

static hy_err lists_are_cut_at_commas(hy_mem *mem) {
    (void)mem;
    hy_bytes list = HY_BYTES(" ,a ,\tbc,, d"), member;
    CHECK(hyi_http_list_next(&list, &member));
    CHECK_TEXT(member, "a");
    CHECK(hyi_http_list_next(&list, &member));
    CHECK_TEXT(member, "bc");
    CHECK(hyi_http_list_next(&list, &member));
    CHECK_TEXT(member, "d");
    CHECK(!hyi_http_list_next(&list, &member));
    CHECK(hyi_http_same_word(HY_BYTES("ChunKed"), "chunked"));
    CHECK(!hyi_http_same_word(HY_BYTES("chunk"), "chunked"));
    CHECK(!hyi_http_same_word(HY_BYTES("chunkedx"), "chunked"));
    return HY_OK;
}

static hy_err read_chunks(hy_bytes bytes, size_t step, hy_buf *out, size_t *out_used) {
    hyi_http_chunk chunk = { 0 };
    *out_used = 0;
    while (!chunk.done && *out_used < bytes.len) {
        hy_bytes part = { bytes.ptr + *out_used, bytes.len - *out_used };
        if (part.len > step) part.len = step;
        size_t used = 0;
        hy_bytes data;
        hy_err err = hyi_http_chunk_read(&chunk, part, &used, &data);
        *out_used += used;
        if (err != HY_OK) return err;
        hy_buf_add(out, data.ptr, data.len);
    }
    return chunk.done ? out->failed : HY_END;
}

static hy_err chunks_are_joined_at_every_cut(hy_mem *mem) {
    const hy_bytes text =
        HY_BYTES("5\r\nhello\r\nA;name=\"x\"\r\n 0123456\r\n\r\n00\r\nT: x\r\n\r\nG");
    for (size_t step = 1; step <= text.len; step++) {
        hy_buf out;
        hy_buf_init(&out, mem, 0);
        size_t used = 0;
        hy_err err = read_chunks(text, step, &out, &used);
        if (err == HY_OK) {
            CHECK_TEXT(hy_buf_bytes(&out), "hello 0123456\r\n");
            CHECK_EQ(used, text.len - 1); // what follows belongs to the next request
        }
        hy_buf_deinit(&out);
        CHECK_OK(err);
    }
    return HY_OK;
}

static hy_err bad_chunks_are_refused(hy_mem *mem) {
    static const char *const bad[] = { "\r\n",         "g\r\n",    "-1\r\n",   "5 \r\n",
                                       "5\n",          "1\r\nab",  "1\r\na\n", "123456789\r\n",
                                       "0\r\nX\n\r\n", "0\r\n\r\r" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hy_buf out;
        hy_buf_init(&out, mem, 0);
        size_t used = 0;
        hy_err err = read_chunks(hy_bytes_of(bad[i]), 100, &out, &used);
        hy_buf_deinit(&out);
        CHECK_ERR(err, HY_MALFORMED);
    }
    hyi_http_chunk chunk = { 0 };
    size_t used = 0;
    hy_bytes data;
    CHECK_OK(hyi_http_chunk_read(&chunk, HY_BYTES("5;"), &used, &data));
    hy_err err = HY_OK;
    for (int i = 0; err == HY_OK && i < 5000; i++) {
        err = hyi_http_chunk_read(&chunk, HY_BYTES("x"), &used, &data);
    }
    CHECK_ERR(err, HY_MALFORMED); // an extension without end
    return HY_OK;
}

KIT_TESTS(KIT_TEST(heads_are_understood), KIT_TEST(the_end_of_a_head_is_found_at_every_cut),
          KIT_TEST(lists_are_cut_at_commas), KIT_TEST(chunks_are_joined_at_every_cut),
          KIT_TEST(bad_chunks_are_refused))
