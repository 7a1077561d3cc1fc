// The frame of every export: check, sort, write, and take everything back if there was no room.
//
// Checking first keeps the writers simple: they meet only names and labels that need no quotes, and
// references that exist. Text goes to a buffer whose failure is sticky, so it is looked at once.
#include "schema/export.h"

#include "base/memory.h"

hy_err hyi_export_begin(hyi_export *out_export, const hy_record *const *records, size_t count,
                        hy_buf *out) {
    if (out->failed != HY_OK) return out->failed;
    out_export->out = out;
    out_export->start = out->len;
    if (hyi_reach_from(&out_export->reach, records, count) != HY_OK) return HY_SCHEMA;
    hy_err err = hyi_reach_check(&out_export->reach, NULL);
    if (err == HY_OK) hyi_reach_sort(&out_export->reach);
    return err;
}

hy_err hyi_export_end(hyi_export *text) {
    if (text->out->failed != HY_OK) text->out->len = text->start;
    return text->out->failed;
}

bool hyi_export_is_among(const char *word, const char *list) {
    hy_bytes wanted = hy_bytes_of(word), all = hy_bytes_of(list);
    size_t start = 0;
    for (size_t i = 0; i <= all.len; i++) {
        if (i < all.len && all.ptr[i] != ' ') continue;
        if (hy_bytes_equal(wanted, (hy_bytes){ all.ptr + start, i - start })) return true;
        start = i + 1;
    }
    return false;
}
