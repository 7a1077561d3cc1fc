// Counted items, and a user with an address, slots and prices, with rules for each kind of rule.
//
// The counted item has no block of its own: who holds it is counted in a table by its number, which
// finds both a missing and a second release.
#include "value/value_suite.h"

#include <string.h>

#include "base/digest.h"
#include "kit/kit.h"

HY_ENUM_DEFINE(suite_role, SUITE_ROLE)
HY_RECORD_DEFINE(suite_price, SUITE_PRICE)
HY_RECORD_DEFINE(suite_slot, SUITE_SLOT)
HY_UNION_DEFINE(suite_contact, SUITE_CONTACT)
HY_RECORD_DEFINE(suite_address, SUITE_ADDRESS)
HY_RECORD_DEFINE(suite_user, SUITE_USER)

uint32_t suite_hash_bits = 64;
static int64_t suite_counts[SUITE_COUNTED_MAX];

int64_t suite_held(void) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < SUITE_COUNTED_MAX; i++) {
        sum += suite_counts[i];
    }
    return sum;
}

static uint64_t suite_number_of(const void *at) {
    uint64_t number;
    memcpy(&number, at, sizeof number);
    CHECK(number < SUITE_COUNTED_MAX);
    return number;
}

static void suite_retain(const hy_item *item, const void *at) {
    (void)item;
    suite_counts[suite_number_of(at)] += 1;
}

static void suite_release(const hy_item *item, hy_mem *mem, void *at) {
    (void)item;
    (void)mem;
    CHECK(suite_counts[suite_number_of(at)] > 0);
    suite_counts[suite_number_of(at)] -= 1;
}

static int suite_compare(const hy_item *item, const void *a, const void *b) {
    (void)item;
    uint64_t x = suite_number_of(a), y = suite_number_of(b);
    return x < y ? -1 : x > y;
}

static uint64_t suite_hash(const hy_item *item, const void *at) {
    (void)item;
    uint64_t number = suite_number_of(at);
    uint64_t hash = hyi_digest(1, &number, sizeof number);
    return suite_hash_bits >= 64 ? hash : hash & (((uint64_t)1 << suite_hash_bits) - 1);
}

const hy_item suite_counted_item = { .size = sizeof(suite_counted),
                                     .retain = suite_retain,
                                     .release = suite_release,
                                     .compare = suite_compare,
                                     .hash = suite_hash };
const hy_item suite_wide_item = { .size = sizeof(suite_wide_counted),
                                  .retain = suite_retain,
                                  .release = suite_release,
                                  .compare = suite_compare,
                                  .hash = suite_hash };

// ---- the user ---------------------------------------------------------------------------------

static bool suite_is_email(hy_text text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '@') return true;
    }
    return text.len == 0;
}

static hy_err suite_tags_differ(void *context, const void *member, hy_why *why) {
    (void)context;
    const struct {
        hy_text *ptr;
        size_t len;
    } *tags = member;
    for (size_t i = 0; i < tags->len; i++) {
        for (size_t j = 0; j < i; j++) {
            if (!hy_bytes_equal(*HY_AT(*tags, i), *HY_AT(*tags, j))) continue;
            return hy_why_set(why, HY_RANGE, "", "a tag stands here twice");
        }
    }
    return HY_OK;
}

// Minutes must not fall behind: a rule about the whole record.
static hy_err suite_slots_in_order(void *context, const void *value, hy_why *why) {
    (void)context;
    const suite_user *user = value;
    for (size_t i = 1; i < user->slots.len; i++) {
        if (HY_AT(user->slots, i - 1)->minute <= HY_AT(user->slots, i)->minute) continue;
        return hy_why_set(why, HY_INVARIANT, "", "the slots are out of order");
    }
    return HY_OK;
}

static hy_err suite_make_name(void *context, hy_arena *arena, void *member) {
    (void)context;
    bool ok;
    hy_text name = hy_arena_copy(arena, HY_BYTES("nobody"), &ok);
    if (!ok) return HY_NOMEM;
    memcpy(member, &name, sizeof name);
    return HY_OK;
}

static const hy_rule suite_user_rules[] = {
    { .field = "name", .make = suite_make_name, .length = &(hy_range){ 1, 20 } },
    { .field = "email",
      .alias = "e-mail",
      .description = "where to \"write\" to",
      .fragment = "\"format\": \"email\"",
      .required = true,
      .accepts = suite_is_email },
    { .field = "age", .fallback = HY_MEMBER(suite_user, age, 18), .range = &(hy_range){ 0, 150 } },
    { .field = "weight", .range = &(hy_range){ -1, 500 } },
    { .field = "role", .fallback = HY_MEMBER(suite_user, role, SUITE_MEMBER) },
    { .field = "tags",
      .length = &(hy_range){ 1, 10 },
      .count = &(hy_range){ 0, 5 },
      .verify = suite_tags_differ },
    { .field = "visits", .alias = "n" },
};
static const hy_rule suite_slot_rules[] = {
    { .field = "minute", .alias = "at", .range = &(hy_range){ 0, 1439 } },
};
static const hy_shape suite_shapes[] = {
    { .record = &suite_user_record,
      .description = "somebody",
      .rules = suite_user_rules,
      .rule_count = sizeof suite_user_rules / sizeof suite_user_rules[0],
      .verify = suite_slots_in_order },
    { .record = &suite_slot_record, .rules = suite_slot_rules, .rule_count = 1 },
};
const hy_model suite_plain_model = { .record = &suite_user_record };
const hy_model suite_user_model = { .record = &suite_user_record,
                                    .shapes = suite_shapes,
                                    .shape_count = 2 };

hy_err suite_user_make(hy_arena *arena, uint32_t slots, suite_user *out_user) {
    suite_price *prices = hy_arena_alloc(arena, 3 * sizeof *prices);
    suite_slot *all = hy_arena_alloc(arena, (slots + 1) * sizeof *all);
    hy_text *tags = hy_arena_alloc(arena, 2 * sizeof *tags);
    uint8_t *digits = hy_arena_alloc(arena, 3);
    if (prices == NULL || all == NULL || tags == NULL || digits == NULL) return HY_NOMEM;
    static const char *const keys[] = { "EUR", "USD", "a \"b\"" };
    for (uint32_t i = 0; i < 3; i++) {
        prices[i] = (suite_price){ .key = hy_bytes_of(keys[i]), .value = 100 * i };
    }
    for (uint32_t i = 0; i < slots; i++) {
        all[i] = (suite_slot){ .minute = i, .note = HY_BYTES("free"), .prices = { prices, i % 3 } };
    }
    tags[0] = HY_BYTES("new");
    tags[1] = HY_BYTES("old");
    memcpy(digits, "\1\2\3", 3);
    *out_user = (suite_user){ .name = HY_BYTES("Ada"),
                              .email = HY_BYTES("ada@example.org"),
                              .age = 36,
                              .score = { true, -7 },
                              .weight = 61.5,
                              .role = SUITE_ADMIN,
                              .address = { .city = HY_BYTES("London"), .digits = { digits, 3 } },
                              .contact = { .which = 1, .phone = HY_BYTES("123") },
                              .tags = { tags, 2 },
                              .slots = { all, slots },
                              .photo = HY_BYTES("\0\1\2"),
                              .key = { 1, 2 },
                              .prices = { prices, 3 },
                              .visits = UINT64_MAX };
    return HY_OK;
}

void suite_unref_vec(hy_vec **vec) {
    *vec = hy_vec_unref(*vec);
}

void suite_unref_map(hy_pmap **map) {
    *map = hy_pmap_unref(*map);
}

void suite_unref_value(hy_value **value) {
    *value = hy_value_unref(*value);
}
