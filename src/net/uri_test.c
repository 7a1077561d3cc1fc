// uri_test.c - decoding, patterns, media types and rates: the room's small pure parts.
//
// Tables of cases: a new doubt about a path or an Accept header becomes one more line.
#include "net/uri.h"

#include "net/media.h"
#include "net/rate.h"

#include "kit/kit.h"

#include <string.h>

static hy_err decode(hy_mem *mem, const char *text, const char *wanted) {
    hy_arena arena;
    hy_arena_init(&arena, mem, 0);
    hy_text out;
    hy_err err = hyi_uri_decode(hy_bytes_of(text), true, &arena, "query", &out, NULL);
    if (err == HY_OK) CHECK_BYTES(out, hy_bytes_of(wanted));
    hy_arena_deinit(&arena);
    return err;
}

static hy_err percent_signs_are_decoded(hy_mem *mem) {
    CHECK_OK(decode(mem, "a%2Fb%3d%e2%82%ac+c", "a/b=\xe2\x82\xac c"));
    CHECK_OK(decode(mem, "", ""));
    CHECK_ERR(decode(mem, "%", ""), HY_MALFORMED);
    CHECK_ERR(decode(mem, "ab%4", ""), HY_MALFORMED);
    CHECK_ERR(decode(mem, "%zz", ""), HY_MALFORMED);
    CHECK_ERR(decode(mem, "%00", ""), HY_MALFORMED);
    CHECK_ERR(decode(mem, "%c3", ""), HY_NOT_UTF8);
    CHECK_ERR(decode(mem, "%ed%a0%80", ""), HY_NOT_UTF8); // half of a surrogate pair
    return HY_OK;
}

static hy_err patterns_match_whole_paths(hy_mem *mem) {
    static const struct {
        const char *pattern, *path;
        bool fits;
    } cases[] = {
        { "/", "/", true },          { "/a", "/a", true },     { "/a", "/a/", false },
        { "/a/", "/a/", true },      { "/a", "/ab", false },   { "/a/:x", "/a/b", true },
        { "/a/:x", "/a/", false },   { "/a/:x", "/a", false }, { "/a/:x", "/a/b/c", false },
        { "/:x/:y", "/a/b", true },  { "/a", "/", false },     { "/:x/b", "/a/c", false },
        { "/a/b", "/a%2Fb", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_arena arena;
        hy_arena_init(&arena, mem, 0);
        hyi_uri_path path;
        hyi_uri_params params = { .count = 0 };
        hy_err err = hyi_uri_path_parse(hy_bytes_of(cases[i].path), &arena, &path, NULL);
        if (err == HY_OK) {
            CHECK_EQ(hyi_uri_match(cases[i].pattern, &path, &params), cases[i].fits);
            CHECK(cases[i].fits || params.count == 0);
        }
        hy_arena_deinit(&arena);
        CHECK_OK(err);
    }
    return HY_OK;
}

static hy_err queries_become_parameters(hy_mem *mem) {
    hy_arena arena;
    hy_arena_init(&arena, mem, 0);
    hyi_uri_params params = { .count = 0 };
    hy_why why = { 0 };
    hy_err err = hyi_uri_query_parse(HY_BYTES("a=1&&b&c=&a=2&d=x=y"), &arena, &params, &why);
    if (err == HY_OK) {
        CHECK_EQ(params.count, 5);
        CHECK_TEXT(hyi_uri_param(&params, "a"), "1"); // the first counts
        CHECK_TEXT(hyi_uri_param(&params, "d"), "x=y");
        CHECK_EQ(hyi_uri_param(&params, "b").len, 0);
        CHECK_EQ(hyi_uri_param(&params, "z").len, 0);
    }
    hy_arena_deinit(&arena);
    CHECK_OK(err);

    char many[256] = "";
    for (int i = 0; i < 65; i++) {
        strcat(many, "a&");
    }
    hy_arena_init(&arena, mem, 0);
    params.count = 0;
    err = hyi_uri_query_parse(hy_bytes_of(many), &arena, &params, &why);
    hy_arena_deinit(&arena);
    CHECK_ERR(err, HY_TOO_LARGE);
    return HY_OK;
}

static hy_err accept_chooses_by_quality(hy_mem *mem) {
    (void)mem;
    CHECK_EQ(hyi_media_accepted(HY_BYTES("")), HYI_MEDIA_IS_JSON);
    CHECK_EQ(hyi_media_accepted(HY_BYTES("*/*")), HYI_MEDIA_IS_JSON);
    CHECK_EQ(hyi_media_accepted(HY_BYTES("text/html")), HYI_MEDIA_IS_JSON);
    CHECK_EQ(hyi_media_accepted(HY_BYTES("application/x-protobuf")), HYI_MEDIA_IS_PROTOBUF);
    CHECK_EQ(hyi_media_accepted(HY_BYTES("application/json;q=0.9,application/protobuf")),
             HYI_MEDIA_IS_PROTOBUF);
    CHECK_EQ(hyi_media_accepted(HY_BYTES("application/x-protobuf;q=0.1, */*;q=0.2")),
             HYI_MEDIA_IS_JSON);
    CHECK_EQ(hyi_media_accepted(HY_BYTES("application/x-protobuf;q=0, text/html")),
             HYI_MEDIA_IS_JSON);
    CHECK_EQ(hyi_media_of(HY_BYTES("Application/JSON ; charset=utf-8")), HYI_MEDIA_IS_JSON);
    CHECK_EQ(hyi_media_of(HY_BYTES("application/jsonx")), HYI_MEDIA_OTHER);
    CHECK(strcmp(hyi_media_of_file(HY_BYTES("a.b.SVG")), "image/svg+xml") == 0);
    CHECK(strcmp(hyi_media_of_file(HY_BYTES("html")), "application/octet-stream") == 0);
    return HY_OK;
}

static hyi_rate rate;

static hy_err rates_refill_with_time(hy_mem *mem) {
    (void)mem;
    const hy_id ann = { 1, 2 }, bob = { 1, 3 };
    hyi_rate_init(&rate, 10, kit_seed());
    hy_ns now = HY_SECONDS(1000);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(hyi_rate_take(&rate, ann, now), 0);
    }
    CHECK_EQ(hyi_rate_take(&rate, ann, now), HY_MS(100)); // when the next may pass
    CHECK_EQ(hyi_rate_take(&rate, bob, now), 0);
    CHECK_EQ(hyi_rate_take(&rate, ann, now + HY_MS(100)), 0);
    CHECK(hyi_rate_take(&rate, ann, now + HY_MS(100)) > 0);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(hyi_rate_take(&rate, ann, now + HY_SECONDS(2)), 0);
    }
    // More addresses than are remembered: every one may pass.
    for (uint64_t i = 0; i < 10000; i++) {
        CHECK_EQ(hyi_rate_take(&rate, (hy_id){ 7, i }, now), 0);
    }
    hyi_rate_init(&rate, 0, 0);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(hyi_rate_take(&rate, ann, now), 0);
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST(percent_signs_are_decoded), KIT_TEST(patterns_match_whole_paths),
          KIT_TEST(queries_become_parameters), KIT_TEST(accept_chooses_by_quality),
          KIT_TEST_ONCE(rates_refill_with_time))
