// rng_test.c - the generator against the words of machine.md 4.8 and against itself done slowly.
//
// The slow twin is ChaCha as RFC 8439 writes it, one block at a time; the ranges are checked for
// how many words they draw, because that is what two implementations differ in.
#include "base/rng.h"

#include "kit/kit.h"

static hy_err the_first_words_are_those_of_the_page(hy_mem *mem) {
    (void)mem;
    static const uint32_t words[] = { 0xab5953d3, 0x12de4745, 0x77f00e64, 0x0ade5e20,
                                      0x68d190ad, 0xca326f89, 0x38d05dd6, 0x555b1519 };
    hyi_rng rng;
    hyi_rng_init(&rng, 12345);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        CHECK_EQ(hyi_rng_u32(&rng), words[i]);
    return HY_OK;
}

static uint32_t rotate(uint32_t x, uint32_t bits) {
    return x << bits | x >> (32 - bits);
}

static void quarter(uint32_t x[16], uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 7);
}

// RFC 8439 section 2.3, with 8 rounds and a 64-bit counter.
static void slow_block(const uint32_t key[8], uint64_t block, uint32_t out[16]) {
    uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
    for (uint32_t i = 0; i < 8; i++)
        start[4 + i] = key[i];
    start[12] = (uint32_t)block, start[13] = (uint32_t)(block >> 32);
    for (uint32_t i = 0; i < 16; i++)
        out[i] = start[i];
    for (uint32_t round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < 4; i++)
            quarter(out, i, 4 + i, 8 + i, 12 + i);
        for (uint32_t i = 0; i < 4; i++)
            quarter(out, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    }
    for (uint32_t i = 0; i < 16; i++)
        out[i] += start[i];
}

static hy_err four_blocks_equal_one_at_a_time(hy_mem *mem) {
    (void)mem;
    hyi_rng rng;
    hyi_rng_init(&rng, kit_seed());
    rng.block = UINT32_MAX - 5; // so that the counter carries into its upper word
    for (uint64_t block = rng.block, end = block + 40; block < end; block++) {
        uint32_t words[16];
        slow_block(rng.key, block, words);
        for (uint32_t i = 0; i < 16; i++)
            CHECK_EQ(hyi_rng_u32(&rng), words[i]);
    }
    return HY_OK;
}

static hy_err a_wide_draw_joins_two_words_across_buffers(hy_mem *mem) {
    (void)mem;
    hyi_rng words, wide;
    hyi_rng_init(&words, 7);
    hyi_rng_init(&wide, 7);
    (void)hyi_rng_u32(&words);
    (void)hyi_rng_u32(&wide);
    for (uint32_t i = 0; i < 200; i++) {
        uint64_t low = hyi_rng_u32(&words);
        CHECK_EQ(hyi_rng_u64(&wide), low | (uint64_t)hyi_rng_u32(&words) << 32);
    }
    return HY_OK;
}

static hy_err ranges_are_kept_and_reached(hy_mem *mem) {
    (void)mem;
    hyi_rng rng;
    hyi_rng_init(&rng, kit_seed());
    uint32_t seen[5] = { 0 };
    for (uint32_t i = 0; i < 2000; i++) {
        uint8_t a = hyi_rng_u8_in(&rng, 9, 17);
        CHECK(a >= 9 && a < 17);
        CHECK_EQ(hyi_rng_u8_in(&rng, 255, 256), 255);
        uint16_t b = hyi_rng_u16_in(&rng, 60, 240);
        CHECK(b >= 60 && b < 240);
        int32_t c = hyi_rng_i32_in(&rng, -3, 2);
        CHECK(c >= -3 && c < 2);
        seen[c + 3]++;
        CHECK(hyi_rng_i32_in(&rng, INT32_MIN, INT32_MAX) < INT32_MAX);
        CHECK(hyi_rng_u32_in(&rng, 1, UINT32_MAX) >= 1);
        CHECK_EQ(hyi_rng_usize_in(&rng, 41, 42), 41);
        CHECK(hyi_rng_usize_in(&rng, 5, UINT64_MAX) >= 5);
    }
    for (uint32_t i = 0; i < 5; i++)
        CHECK(seen[i] > 300);
    return HY_OK;
}

// The zones decide how many words a refused draw takes; here they are computed another way.
static hy_err refusals_take_the_words_that_the_page_says(hy_mem *mem) {
    (void)mem;
    hyi_rng rng, twin;
    hyi_rng_init(&rng, 99);
    twin = rng;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t range = 0x30000000; // fits four times shifted by two, though five would go in
        uint64_t product;
        while ((uint32_t)(product = (uint64_t)hyi_rng_u32(&twin) * range) > range * 4 - 1)
            refused++;
        CHECK_EQ(hyi_rng_u32_in(&rng, 0, range), product >> 32);
        do { // 2^32 mod 60000 words are too many
            product = (uint64_t)hyi_rng_u32(&twin) * 60000;
        } while ((uint32_t)product > UINT32_MAX - 47296);
        CHECK_EQ(hyi_rng_u16_in(&rng, 0, 60000), product >> 32);
    }
    CHECK(refused > 700);
    return HY_OK;
}

static hy_err a_threshold_is_a_probability(hy_mem *mem) {
    (void)mem;
    hyi_rng rng;
    hyi_rng_init(&rng, kit_seed());
    uint32_t hits = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        hits += hyi_rng_bool(&rng, UINT64_MAX / 4);
        CHECK(!hyi_rng_bool(&rng, 0));
    }
    CHECK(hits > 2200 && hits < 2800);
    return HY_OK;
}

static hy_err streams_differ_by_name_and_seed(hy_mem *mem) {
    (void)mem;
    hyi_rng a, b, c, again;
    hyi_rng_stream(&a, 1, HY_BYTES("disk"));
    hyi_rng_stream(&b, 1, HY_BYTES("link"));
    hyi_rng_stream(&c, 2, HY_BYTES("disk"));
    hyi_rng_stream(&again, 1, HY_BYTES("disk"));
    uint64_t first = hyi_rng_u64(&a);
    CHECK(first != hyi_rng_u64(&b));
    CHECK(first != hyi_rng_u64(&c));
    CHECK_EQ(first, hyi_rng_u64(&again));
    return HY_OK;
}

static hy_err splitmix_gives_its_published_numbers(hy_mem *mem) {
    (void)mem;
    uint64_t state = 1234567;
    CHECK_EQ(hyi_splitmix64(&state), UINT64_C(6457827717110365317));
    CHECK_EQ(hyi_splitmix64(&state), UINT64_C(3203168211198807973));
    CHECK_EQ(hyi_splitmix64(&state), UINT64_C(9817491932198370423));
    return HY_OK;
}

KIT_TESTS(KIT_TEST(the_first_words_are_those_of_the_page),
          KIT_TEST(four_blocks_equal_one_at_a_time),
          KIT_TEST(a_wide_draw_joins_two_words_across_buffers),
          KIT_TEST(ranges_are_kept_and_reached),
          KIT_TEST(refusals_take_the_words_that_the_page_says),
          KIT_TEST(a_threshold_is_a_probability), KIT_TEST(streams_differ_by_name_and_seed),
          KIT_TEST(splitmix_gives_its_published_numbers))
