// traceparent.c - the header by which a trace crosses processes (W3C Trace Context, level 1).
//
//     00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
//     version, trace id, parent span id, flags; lower-case hexadecimal, no zero ids
//
// A version that is newer than ours may have more behind the flags, after another dash, and is read
// as ours; version ff is never valid. Bytes from outside: traceparent_fuzz.c.
#include <hypha/scope.h>

#include <string.h>

static bool trace_digits(const uint8_t *ptr, size_t count, uint64_t *out_value) {
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t c = ptr[i];
        uint32_t digit;
        if (c >= '0' && c <= '9') {
            digit = (uint32_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (uint32_t)(c - 'a') + 10;
        } else {
            return false;
        }
        value = value << 4 | digit;
    }
    *out_value = value;
    return true;
}

hy_err hy_traceparent_parse(hy_bytes text, hy_baggage *out_baggage) {
    if (text.len < HY_TRACEPARENT_LEN) return HY_MALFORMED;
    const uint8_t *p = text.ptr;
    uint64_t version, hi, lo, span, flags;
    bool digits = trace_digits(p, 2, &version) && trace_digits(p + 3, 16, &hi) &&
                  trace_digits(p + 19, 16, &lo) && trace_digits(p + 36, 16, &span) &&
                  trace_digits(p + 53, 2, &flags);
    bool dashes = p[2] == '-' && p[35] == '-' && p[52] == '-';
    if (!digits || !dashes || version == 0xff) return HY_MALFORMED;
    if (text.len > HY_TRACEPARENT_LEN && (version == 0 || p[55] != '-')) return HY_MALFORMED;
    if ((hi | lo) == 0 || span == 0) return HY_MALFORMED;
    *out_baggage = (hy_baggage){
        .trace = { hi, lo }, .span = span, .time_left = HY_NEVER, .sampled = (flags & 1) != 0
    };
    return HY_OK;
}

static char *trace_write(char *at, uint64_t value, int digits) {
    for (int i = digits - 1; i >= 0; i--)
        *at++ = "0123456789abcdef"[value >> (4 * i) & 15];
    return at;
}

void hy_traceparent_format(const hy_baggage *baggage, char out[HY_TRACEPARENT_LEN + 1]) {
    memcpy(out, "00-", 3);
    char *at = trace_write(out + 3, baggage->trace.hi, 16);
    at = trace_write(at, baggage->trace.lo, 16);
    *at++ = '-';
    at = trace_write(at, baggage->span, 16);
    *at++ = '-';
    at = trace_write(at, baggage->sampled, 2);
    *at = 0;
}
