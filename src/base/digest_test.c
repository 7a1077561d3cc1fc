// digest_test.c - published vectors, and for our own digest what any good one must show.
//
// Two digests are held fast by value: a change would make every store unreadable.
#include "base/digest.h"

#include "kit/kit.h"

static hy_err fnv_gives_its_published_values(hy_mem *mem) {
    (void)mem;
    CHECK_EQ(hyi_fnv1a(HYI_FNV1A_START, "", 0), UINT64_C(0xcbf29ce484222325));
    CHECK_EQ(hyi_fnv1a(HYI_FNV1A_START, "a", 1), UINT64_C(0xaf63dc4c8601ec8c));
    CHECK_EQ(hyi_fnv1a(HYI_FNV1A_START, "foobar", 6), UINT64_C(0x85944171f73967e8));
    uint64_t part = hyi_fnv1a(HYI_FNV1A_START, "foo", 3);
    CHECK_EQ(hyi_fnv1a(part, "bar", 3), UINT64_C(0x85944171f73967e8));
    return HY_OK;
}

static hy_err crc32c_gives_the_values_of_rfc_3720(hy_mem *mem) {
    (void)mem;
    uint8_t bytes[48] = { 0 };
    CHECK_EQ(hyi_crc32c(0, bytes, 32), 0x8a9136aa);
    for (uint32_t i = 0; i < 32; i++)
        bytes[i] = 0xff;
    CHECK_EQ(hyi_crc32c(0, bytes, 32), 0x62a8ab43);
    for (uint32_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    CHECK_EQ(hyi_crc32c(0, bytes, 32), 0x46dd794e);
    for (uint32_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    CHECK_EQ(hyi_crc32c(0, bytes, 32), 0x113fdb5c);
    static const uint8_t read_command[48] = {
        0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 4, 0,
        0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
    };
    CHECK_EQ(hyi_crc32c(0, read_command, 48), 0xd9963a56);
    CHECK_EQ(hyi_crc32c(0, "123456789", 9), 0xe3069283);
    return HY_OK;
}

static hy_err a_crc_goes_on_at_any_cut(hy_mem *mem) {
    (void)mem;
    uint8_t bytes[77];
    uint64_t state = kit_seed();
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)kit_random(&state);
    uint32_t whole = hyi_crc32c(0, bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint32_t crc = hyi_crc32c(0, bytes, cut);
        CHECK_EQ(hyi_crc32c(crc, bytes + cut, sizeof bytes - cut), whole);
    }
    return HY_OK;
}

// Digests are stored, so they may never change. This is a digest of digests of every length.
static hy_err digests_stay_what_they_were(hy_mem *mem) {
    (void)mem;
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    uint64_t all = 0;
    for (size_t size = 0; size <= sizeof bytes; size++) {
        hyi_wide_digest wide = hyi_digest128(all, bytes, size);
        CHECK_EQ(wide.hi, hyi_digest(all, bytes, size));
        all = wide.hi ^ (wide.lo << 1 | wide.lo >> 63);
    }
    CHECK_EQ(all, UINT64_C(0xe5308e566c63c502));
    CHECK_EQ(hyi_digest(0, "hypha", 5), UINT64_C(0x54f6d9125ec3c846));
    return HY_OK;
}

static hy_err a_digest_reads_no_byte_too_many(hy_mem *mem) {
    (void)mem;
    uint8_t bytes[200] = { 7 };
    for (size_t size = 0; size <= sizeof bytes; size++) {
        hy_bytes guarded = kit_guard_copy((hy_bytes){ bytes, size });
        CHECK_EQ(hyi_digest(5, guarded.ptr, size), hyi_digest(5, bytes, size));
        CHECK_EQ(hyi_crc32c(5, guarded.ptr, size), hyi_crc32c(5, bytes, size));
        kit_guard_free(guarded);
    }
    return HY_OK;
}

// Flipping any bit of the input flips every bit of the digest in about half of all cases.
static void check_avalanche(uint64_t *state, size_t size) {
    enum { TRIALS = 400 };
    uint8_t bytes[160];
    for (size_t bit = 0; bit < size * 8; bit++) {
        uint32_t flips[64] = { 0 };
        for (uint32_t trial = 0; trial < TRIALS; trial++) {
            for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t)kit_random(state);
            uint64_t before = hyi_digest(trial, bytes, size);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            uint64_t changed = before ^ hyi_digest(trial, bytes, size);
            for (uint32_t i = 0; i < 64; i++)
                flips[i] += (uint32_t)(changed >> i & 1);
        }
        for (uint32_t i = 0; i < 64; i++)
            CHECK(flips[i] > TRIALS / 3 && flips[i] < TRIALS * 2 / 3); // 6.6 standard deviations
    }
}

static hy_err every_bit_of_the_input_matters(hy_mem *mem) {
    (void)mem;
    static const size_t sizes[] = { 3, 4, 7, 8, 16, 17, 32, 33, 49, 64, 65, 100, 130 };
    uint64_t state = kit_seed();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_avalanche(&state, sizes[i]);
    return HY_OK;
}

static hy_err lengths_and_seeds_are_told_apart(hy_mem *mem) {
    (void)mem;
    uint8_t zeros[200] = { 0 };
    for (size_t size = 1; size <= sizeof zeros; size++) {
        for (size_t shorter = 0; shorter < size; shorter++)
            CHECK(hyi_digest(0, zeros, size) != hyi_digest(0, zeros, shorter));
        CHECK(hyi_digest(0, zeros, size) != hyi_digest(1, zeros, size));
    }
    return HY_OK;
}

KIT_TESTS(KIT_TEST(fnv_gives_its_published_values), KIT_TEST(crc32c_gives_the_values_of_rfc_3720),
          KIT_TEST(a_crc_goes_on_at_any_cut), KIT_TEST(digests_stay_what_they_were),
          KIT_TEST(a_digest_reads_no_byte_too_many), KIT_TEST(every_bit_of_the_input_matters),
          KIT_TEST(lengths_and_seeds_are_told_apart))
