// traceparent_fuzz.c - any bytes: refused, or read and written back to the same header.
//
// The header comes from whoever sends a request. What was read must survive being written, or a
// trace would break at us.
#include <hypha/scope.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len) {
    hy_baggage baggage = { 0 }, again = { 0 };
    if (hy_traceparent_parse((hy_bytes){ ptr, len }, &baggage) != HY_OK) return 0;
    char text[HY_TRACEPARENT_LEN + 1];
    hy_traceparent_format(&baggage, text);
    HY_ASSERT(hy_traceparent_parse(hy_bytes_of(text), &again) == HY_OK);
    HY_ASSERT(memcmp(&again.trace, &baggage.trace, sizeof again.trace) == 0);
    HY_ASSERT(again.span == baggage.span && again.sampled == baggage.sampled);
    return 0;
}
