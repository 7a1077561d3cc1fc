// The exports against golden files, and the corners that no ordinary record has. That the .proto
// means the same as our codec is shown in protoc_test.c.
#include "kit/kit.h"

#include <hypha/schema.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema/schema_suite.h"

static const hy_record *const all_records[] = { &suite_wide_record, &suite_point_record };

static hy_err exports_are_golden(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, mem, 0);
    CHECK_OK(hy_export_proto(all_records, 2, "suite", &out));
    kit_golden("schema_suite.proto", hy_buf_bytes(&out));
    hy_buf_clear(&out);
    CHECK_OK(hy_export_typescript(all_records, 2, &out));
    kit_golden("schema_suite.ts", hy_buf_bytes(&out));
    hy_buf_clear(&out);
    CHECK_OK(hy_export_json_schema(all_records, 2, &out));
    kit_golden("schema_suite.json", hy_buf_bytes(&out));
    return HY_OK;
}

static const hy_enum_value late_values[] = { { 3, "LATE", "late" }, { 5, "LATER", "later on" } };
static const hy_enum late_enum = { "option", late_values, 2 };

static bool export_holds(const hy_buf *out, const char *piece) {
    size_t len = strlen(piece);
    for (size_t i = 0; i + len <= out->len; i++) {
        if (memcmp(out->ptr + i, piece, len) == 0) return true;
    }
    return false;
}

static hy_err words_of_the_languages_are_stepped_around(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, mem, 0);
    hy_field field = { 1, "a", HY_TYPE_ENUM, HY_SINGLE, 0, 4, 4, NULL, &late_enum };
    hy_record string = { .name = "string", .size = 4, .field_count = 1, .fields = &field };
    hy_field outer = { 1, "s", HY_TYPE_RECORD, HY_REPEATED, 0, 4, 4, &string, NULL };
    hy_record probe = { .name = "probe", .size = 16, .field_count = 1, .fields = &outer };
    const hy_record *records[] = { &probe };
    CHECK_OK(hy_export_proto(records, 1, "p", &out));
    CHECK(export_holds(&out, "  OPTION_UNSPECIFIED = 0;\n  LATE = 3;\n"));
    CHECK(export_holds(&out, "  .p.option a = 1;\n"));
    CHECK(export_holds(&out, "  repeated .p.string s = 1;\n"));
    hy_buf_clear(&out);
    CHECK_OK(hy_export_proto(records, 1, NULL, &out));
    CHECK(export_holds(&out, "  repeated .string s = 1;\n"));
    CHECK(!export_holds(&out, "package"));
    hy_buf_clear(&out);
    CHECK_OK(hy_export_typescript(records, 1, &out));
    CHECK(export_holds(&out, "export interface string_ {\n  a: option;\n}\n"));
    CHECK(export_holds(&out, "  s: Array<string_>;\n"));
    return HY_OK;
}

static hy_err no_room_leaves_nothing(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, mem, 100);
    hy_buf_add(&out, "head", 4);
    hy_err err = out.failed != HY_OK ? out.failed : hy_export_proto(all_records, 2, NULL, &out);
    CHECK_ERR(err, HY_TOO_LARGE);
    CHECK_TEXT(hy_buf_bytes(&out), "head");
    return HY_OK;
}

static hy_err bad_descriptions_are_not_exported(hy_mem *mem) {
    HY_CLEANUP(hy_buf_deinit) hy_buf out = { 0 };
    hy_buf_init(&out, mem, 0);
    hy_field field = { 19500, "a", HY_TYPE_U8, HY_SINGLE, 0, 1, 1, NULL, NULL };
    hy_record probe = { .name = "probe", .size = 1, .field_count = 1, .fields = &field };
    const hy_record *records[] = { &probe };
    CHECK_ERR(hy_export_proto(records, 1, NULL, &out), HY_SCHEMA);
    CHECK_ERR(hy_export_typescript(records, 1, &out), HY_SCHEMA);
    CHECK_ERR(hy_export_json_schema(records, 1, &out), HY_SCHEMA);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(exports_are_golden), KIT_TEST(words_of_the_languages_are_stepped_around),
          KIT_TEST(no_room_leaves_nothing), KIT_TEST(bad_descriptions_are_not_exported))
