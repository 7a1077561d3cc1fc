// subjects_test.c - the tree of patterns against its slow twin.
//
// Patterns of few words come and go at random, so that many share their nodes; after every change a
// random topic must find exactly those that the twin finds by comparing word by word, each once.
// When all have gone the tree must be its root again.
#include "broker/subjects.h"

#include "kit/kit.h"

#include <string.h>

typedef struct listed {
    hyi_subject_link link;
    char pattern[64];
    bool in, seen;
} listed;

static bool mark(void *self, hyi_subject_link *link) {
    listed *one = (listed *)(void *)link;
    CHECK(!one->seen); // each is told once
    one->seen = true;
    ++*(uint32_t *)self;
    return true;
}

static hy_err names_are_checked(hy_mem *mem) {
    (void)mem;
    const char *good[] = { "a", "clinic.7.booked", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p",
                           "Praxis.Süd" };
    const char *bad[] = {
        "",     ".",   "a.", ".a", "a..b", "a b",    "a.*",
        "a.b>", "a.>", "*",  ">",  "a\tb", "a.\x7f", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q",
        "\xff"
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(hyi_subject_check(hy_bytes_of(good[i]), false, NULL) == HY_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(hyi_subject_check(hy_bytes_of(bad[i]), false, NULL) == HY_MALFORMED);
    hy_why why = { 0 };
    CHECK(hyi_subject_check(HY_BYTES("a.>.b"), true, &why) == HY_MALFORMED && why.offset == 2);
    CHECK(hyi_subject_check(HY_BYTES("*.b*.c"), true, &why) == HY_MALFORMED && why.offset == 2);
    CHECK(hyi_subject_check(HY_BYTES("*.*.>"), true, NULL) == HY_OK);
    CHECK(hyi_subject_check(HY_BYTES(">"), true, NULL) == HY_OK);
    return HY_OK;
}

static hy_err stars_fit_one_word_and_the_rest_at_least_one(hy_mem *mem) {
    (void)mem;
    CHECK(hyi_subject_fits(HY_BYTES("a.*.c"), HY_BYTES("a.b.c")));
    CHECK(!hyi_subject_fits(HY_BYTES("a.*"), HY_BYTES("a.b.c")));
    CHECK(!hyi_subject_fits(HY_BYTES("a.*"), HY_BYTES("a")));
    CHECK(hyi_subject_fits(HY_BYTES("a.>"), HY_BYTES("a.b.c")));
    CHECK(!hyi_subject_fits(HY_BYTES("a.>"), HY_BYTES("a")));
    CHECK(hyi_subject_fits(HY_BYTES(">"), HY_BYTES("a")));
    return HY_OK;
}

static void random_subject(uint64_t *dice, bool pattern, char out[64]) {
    static const char *const words[] = { "a", "b", "ab", "c" };
    uint32_t count = 1 + (uint32_t)(kit_random(dice) % 5);
    out[0] = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t roll = kit_random(dice) % (pattern ? 7 : 4);
        bool rest = roll == 6 && i + 1 == count;
        if (i > 0) strcat(out, ".");
        strcat(out, roll < 4 ? words[roll] : rest ? ">" : "*");
    }
}

// Adds and removes at random; every topic finds exactly what the twin says.
static hy_err the_tree_finds_what_the_twin_finds(hy_mem *mem) {
    enum { COUNT = 60 };
    uint64_t dice = kit_seed();
    hyi_subjects subjects;
    static listed all[COUNT];
    memset(all, 0, sizeof all);
    hy_err err = hyi_subjects_init(&subjects, mem);
    for (uint32_t round = 0; round < 400 && !err; round++) {
        listed *one = &all[kit_random(&dice) % COUNT];
        if (one->in) {
            hyi_subjects_remove(&subjects, &one->link);
            one->in = false;
        } else {
            random_subject(&dice, true, one->pattern);
            err = hyi_subjects_add(&subjects, hy_bytes_of(one->pattern), &one->link);
            one->in = err == HY_OK;
        }
        char topic[64];
        random_subject(&dice, false, topic);
        uint32_t found = 0, wanted = 0;
        hyi_subjects_match(&subjects, hy_bytes_of(topic), mark, &found);
        for (uint32_t i = 0; i < COUNT; i++) {
            bool fits =
                all[i].in && hyi_subject_fits(hy_bytes_of(all[i].pattern), hy_bytes_of(topic));
            CHECK(fits == all[i].seen);
            wanted += fits;
            all[i].seen = false;
        }
        CHECK(found == wanted);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        if (all[i].in) hyi_subjects_remove(&subjects, &all[i].link);
    CHECK(err != HY_OK || subjects.nodes.used_count == 1); // the root alone is left
    hyi_subjects_deinit(&subjects);
    return err;
}

KIT_TESTS(KIT_TEST_ONCE(names_are_checked),
          KIT_TEST_ONCE(stars_fit_one_word_and_the_rest_at_least_one),
          KIT_TEST(the_tree_finds_what_the_twin_finds))
