// err_test.c - every error has a name, a text and a status.
//
// Runs over the same X-table that the code is made of, so a new error is tested when it is added.
#include "kit/kit.h"

static hy_err every_code_describes_itself(hy_mem *mem) {
    (void)mem;
#define CHECK_ROW(code, kind, status, text)                                                        \
    CHECK_TEXT(hy_bytes_of(hy_err_name(code)), #code);                                             \
    CHECK_TEXT(hy_bytes_of(hy_err_text(code)), text);                                              \
    CHECK_EQ(hy_err_http_status(code), status);
    HY_ERR_MAP(CHECK_ROW)
#undef CHECK_ROW
    return HY_OK;
}

static hy_err faults_are_told_from_refusals(hy_mem *mem) {
    (void)mem;
    CHECK(!hy_err_is_fault(HY_OK));
    CHECK(!hy_err_is_fault(HY_LIMIT));
    CHECK(hy_err_is_fault(HY_NOMEM));
    CHECK(hy_err_is_fault(HY_HALTED));
    return HY_OK;
}

static hy_err a_number_that_is_no_error_is_safe_to_ask_about(hy_mem *mem) {
    (void)mem;
    CHECK_TEXT(hy_bytes_of(hy_err_name(HY_ERR_COUNT)), "HY_ERR_UNKNOWN");
    CHECK_EQ(hy_err_http_status((hy_err)-1), 500);
    CHECK(hy_err_is_fault((hy_err)12345));
    return HY_OK;
}

KIT_TESTS(KIT_TEST(every_code_describes_itself), KIT_TEST(faults_are_told_from_refusals),
          KIT_TEST(a_number_that_is_no_error_is_safe_to_ask_about))
