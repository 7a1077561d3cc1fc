// Descriptions: what the macros make, what the check refuses, and what the digest covers.
//
// The refusals are a table of fields, each put beside the same good one; the digest is held fast,
// because stores keep it.
#include "kit/kit.h"

#include <hypha/schema.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema/record.h"
#include "schema/schema_suite.h"

static hy_err macros_describe_the_struct(hy_mem *mem) {
    (void)mem;
    const hy_field *field = hyi_record_field(&suite_wide_record, 103);
    CHECK(strcmp(field->name, "maybe_u32") == 0);
    CHECK_EQ(field->type, HY_TYPE_U32);
    CHECK_EQ(field->label, HY_OPTIONAL);
    CHECK_EQ(field->offset, offsetof(suite_wide, maybe_u32));
    CHECK_EQ(field->offset + field->align, offsetof(suite_wide, maybe_u32.value));
    CHECK(hyi_record_field_named(&suite_wide_record, HY_BYTES("maybe_u32")) == field);
    CHECK(hyi_record_field_named(&suite_wide_record, HY_BYTES("maybe_u3")) == NULL);
    CHECK(hyi_record_field(&suite_wide_record, 99) == NULL);
    CHECK_EQ(hyi_record_field(&suite_wide_record, 0)->type, HY_TYPE_UNKNOWN);
    CHECK(hyi_record_field(&suite_wide_record, 215)->of == &suite_nest_record);
    CHECK_EQ(suite_shape_record.is_union, true);
    CHECK(strcmp(hyi_enum_value(&suite_color_enum, 7)->label, "dark_blue") == 0);
    CHECK_EQ(hyi_enum_value_labelled(&suite_color_enum, HY_BYTES("green"))->number, SUITE_GREEN);
    CHECK_OK(hy_record_check(&suite_wide_record, NULL));
    return HY_OK;
}

static const hy_enum_value good_values[] = { { 0, "A", "a" } };
static const hy_enum_value twin_values[] = { { 0, "A", "a" }, { 0, "B", "b" } };
static const hy_enum_value huge_values[] = { { 1u << 31, "A", "a" } };
static const hy_enum_value quoted_values[] = { { 0, "A", "a\"" } };
static const hy_enum good_enum = { "good", good_values, 1 };
static const hy_enum twin_enum = { "twin", twin_values, 2 };
static const hy_enum huge_enum = { "huge", huge_values, 1 };
static const hy_enum quoted_enum = { "quoted", quoted_values, 1 };
static const hy_enum empty_enum = { "empty", good_values, 0 };
static const hy_enum clash_enum = { "suite_point", good_values, 1 };

// A second field of a record whose first is { 1, "a", u8 } at offset 0; the struct has 64 bytes.
typedef struct record_fault {
    hy_field field;
    const char *place;
} record_fault;

#define FIELD(number_, name_, type_, label_, size_, ...)                                           \
    .number = number_, .name = name_, .type = type_, .label = label_, .offset = 8, .size = size_,  \
    .align = 1, __VA_ARGS__

static hy_err check_names_the_fault(hy_mem *mem) {
    (void)mem;
    const record_fault faults[] = {
        { { FIELD(2, "b", HY_TYPE_U8, HY_SINGLE, 1, ) }, NULL },
        { { FIELD(1, "b", HY_TYPE_U8, HY_SINGLE, 1, ) }, "probe.b" },
        { { FIELD(2, "a", HY_TYPE_U8, HY_SINGLE, 1, ) }, "probe.a" },
        { { FIELD(2, "b c", HY_TYPE_U8, HY_SINGLE, 1, ) }, "probe" },
        { { FIELD(2, "2b", HY_TYPE_U8, HY_SINGLE, 1, ) }, "probe" },
        { { FIELD(2, "", HY_TYPE_U8, HY_SINGLE, 1, ) }, "probe" },
        { { FIELD(0, "b", HY_TYPE_U8, HY_SINGLE, 1, ) }, "probe.b" },
        { { FIELD(1u << 29, "b", HY_TYPE_U8, HY_SINGLE, 1, ) }, "probe.b" },
        { { FIELD((1u << 29) - 1, "b", HY_TYPE_U8, HY_SINGLE, 1, ) }, NULL },
        { { FIELD(19000, "b", HY_TYPE_U8, HY_SINGLE, 1, ) }, "probe.b" },
        { { FIELD(19999, "b", HY_TYPE_U8, HY_SINGLE, 1, ) }, "probe.b" },
        { { FIELD(20000, "b", HY_TYPE_U8, HY_SINGLE, 1, ) }, NULL },
        { { FIELD(2, "b", (hy_type)99, HY_SINGLE, 1, ) }, "probe.b" },
        { { FIELD(2, "b", HY_TYPE_U8, (hy_label)9, 1, ) }, "probe.b" },
        { { FIELD(2, "b", HY_TYPE_UNKNOWN, HY_SINGLE, sizeof(hy_bytes), ) }, "probe.b" },
        { { FIELD(0, "b", HY_TYPE_UNKNOWN, HY_SINGLE, sizeof(hy_bytes), ) }, NULL },
        { { FIELD(0, "b", HY_TYPE_UNKNOWN, HY_OPTIONAL, sizeof(hy_bytes), ) }, "probe.b" },
        { { FIELD(2, "b", HY_TYPE_U16, HY_SINGLE, 1, ) }, "probe.b" },
        { { FIELD(2, "b", HY_TYPE_RECORD, HY_SINGLE, 8, ) }, "probe.b" },
        { { FIELD(2, "b", HY_TYPE_RECORD, HY_SINGLE, 8, .of = &suite_point_record) }, NULL },
        { { FIELD(2, "b", HY_TYPE_UNION, HY_SINGLE, 8, .of = &suite_point_record) }, "probe.b" },
        { { FIELD(2, "b", HY_TYPE_U8, HY_SINGLE, 1, .of = &suite_point_record) }, "probe.b" },
        { { FIELD(2, "b", HY_TYPE_ENUM, HY_SINGLE, 4, ) }, "probe.b" },
        { { FIELD(2, "b", HY_TYPE_ENUM, HY_SINGLE, 4, .values = &good_enum) }, NULL },
        { { FIELD(2, "b", HY_TYPE_ENUM, HY_SINGLE, 4, .values = &twin_enum) }, "twin.B" },
        { { FIELD(2, "b", HY_TYPE_ENUM, HY_SINGLE, 4, .values = &huge_enum) }, "huge.A" },
        { { FIELD(2, "b", HY_TYPE_ENUM, HY_SINGLE, 4, .values = &quoted_enum) }, "quoted" },
        { { FIELD(2, "b", HY_TYPE_ENUM, HY_SINGLE, 4, .values = &empty_enum) }, "empty" },
        { { FIELD(2, "b", HY_TYPE_ENUM, HY_SINGLE, 4, .values = &clash_enum) }, NULL },
        { { .number = 2,
            .name = "b",
            .type = HY_TYPE_U8,
            .label = HY_SINGLE,
            .offset = 64,
            .size = 1,
            .align = 1 },
          "probe.b" },
        { { .number = 2,
            .name = "b",
            .type = HY_TYPE_U8,
            .label = HY_REPEATED,
            .offset = 56,
            .size = 1,
            .align = 1 },
          "probe.b" },
        { { .number = 2,
            .name = "b",
            .type = HY_TYPE_U8,
            .label = HY_SINGLE,
            .offset = 1,
            .size = 1,
            .align = 3 },
          "probe.b" },
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        hy_field fields[2] = { { 1, "a", HY_TYPE_U8, HY_SINGLE, 0, 1, 1, NULL, NULL },
                               faults[i].field };
        hy_record probe = { .name = "probe", .size = 64, .field_count = 2, .fields = fields };
        hy_why why = { .place = "" };
        hy_err err = hy_record_check(&probe, &why);
        CHECK_EQ(err, faults[i].place == NULL ? HY_OK : HY_SCHEMA);
        if (faults[i].place != NULL) {
            CHECK_BYTES(hy_bytes_of(why.place), hy_bytes_of(faults[i].place));
        }
    }
    return HY_OK;
}

static hy_err a_union_holds_plain_members_only(hy_mem *mem) {
    (void)mem;
    hy_field field = { 1, "a", HY_TYPE_U8, HY_SINGLE, 4, 1, 1, NULL, NULL };
    hy_record probe = {
        .name = "probe", .size = 32, .field_count = 1, .is_union = true, .fields = &field
    };
    CHECK_OK(hy_record_check(&probe, NULL));
    field.offset = 0; // on the tag
    CHECK_ERR(hy_record_check(&probe, NULL), HY_SCHEMA);
    field.offset = 4;
    field.label = HY_OPTIONAL;
    CHECK_ERR(hy_record_check(&probe, NULL), HY_SCHEMA);
    field.label = HY_REPEATED;
    CHECK_ERR(hy_record_check(&probe, NULL), HY_SCHEMA);
    field.label = HY_SINGLE;
    field.name = "which"; // the tag is called so
    CHECK_ERR(hy_record_check(&probe, NULL), HY_SCHEMA);
    return HY_OK;
}

static hy_err names_are_unique_over_all_records(hy_mem *mem) {
    (void)mem;
    hy_field fields[2] = {
        { 1, "a", HY_TYPE_RECORD, HY_SINGLE, 0, 8, 4, &suite_point_record, NULL },
        { 2, "b", HY_TYPE_ENUM, HY_SINGLE, 8, 4, 4, NULL, &clash_enum },
    };
    hy_record probe = { .name = "probe", .size = 12, .field_count = 2, .fields = fields };
    hy_why why;
    CHECK_ERR(hy_record_check(&probe, &why), HY_SCHEMA);
    CHECK_TEXT(hy_bytes_of(why.place), "suite_point");
    return HY_OK;
}

static hy_err nesting_by_value_is_bounded(hy_mem *mem) {
    (void)mem;
    enum { COUNT = HY_DEPTH_MAX + 1 };
    hy_record records[COUNT];
    hy_field fields[COUNT];
    char names[COUNT][4];
    for (int i = 0; i < COUNT; i++) {
        memcpy(names[i], (char[]){ 'r', (char)('a' + i / 26), (char)('a' + i % 26), 0 }, 4);
        fields[i] = (hy_field){
            1, "a", HY_TYPE_RECORD, HY_SINGLE, 0, 8, 4, i > 0 ? &records[i - 1] : NULL, NULL
        };
        records[i] =
            (hy_record){ .name = names[i], .size = 8, .field_count = i > 0, .fields = &fields[i] };
    }
    CHECK_OK(hy_record_check(&records[HY_DEPTH_MAX - 1], NULL));
    CHECK_ERR(hy_record_check(&records[HY_DEPTH_MAX], NULL), HY_SCHEMA);

    records[0].field_count = 1; // and now in a circle
    fields[0].of = &records[1];
    CHECK_ERR(hy_record_check(&records[1], NULL), HY_SCHEMA);
    fields[0].label = HY_REPEATED; // which is fine through a list, if the struct has its room
    fields[0].of = &records[1];
    records[0].size = records[1].size = fields[1].size = fields[0].size = sizeof(hy_bytes);
    CHECK_OK(hy_record_check(&records[1], NULL));
    return HY_OK;
}

static hy_err digest_covers_meaning_and_not_layout(hy_mem *mem) {
    (void)mem;
    hy_field field = { 1, "a", HY_TYPE_U8, HY_SINGLE, 0, 1, 1, NULL, NULL };
    hy_record probe = { .name = "probe", .size = 1, .field_count = 1, .fields = &field };
    uint64_t first = hy_record_digest(&probe);
    CHECK_EQ(first, UINT64_C(0xa02889618387b20e)); // the same in every program, for ever
    field.offset = 4;
    probe.size = 8;
    CHECK_EQ(hy_record_digest(&probe), first);
    field.number = 2;
    CHECK(hy_record_digest(&probe) != first);
    field.number = 1;
    field.name = "b";
    CHECK(hy_record_digest(&probe) != first);
    field.name = "a";
    field.label = HY_OPTIONAL;
    CHECK(hy_record_digest(&probe) != first);
    field.label = HY_SINGLE;
    field.type = HY_TYPE_BOOL;
    CHECK(hy_record_digest(&probe) != first);
    CHECK(hy_record_digest(&suite_tree_record) != hy_record_digest(&suite_nest_record));
    return HY_OK;
}

KIT_TESTS(KIT_TEST(macros_describe_the_struct), KIT_TEST(check_names_the_fault),
          KIT_TEST(a_union_holds_plain_members_only), KIT_TEST(names_are_unique_over_all_records),
          KIT_TEST(nesting_by_value_is_bounded), KIT_TEST(digest_covers_meaning_and_not_layout))
