// keep.c - records that stay: copies with bounded room.
//
// A record that is told is borrowed for the call; one that is kept must own its texts. Each slot of
// a ring has a fixed room for them, so keeping never allocates and never fails. What does not fit
// is cut at a character, as a text that was cut is better than a field that is gone.
#include "observe/watch.h"

#include <string.h>

static size_t keep_cut(hy_text text, size_t room) {
    if (text.len <= room) return text.len;
    size_t len = room;
    while (len > 0 && (text.ptr[len] & 0xc0) == 0x80)
        len--;
    return len;
}

uint32_t hyi_keep_fields(hy_log_field *out, uint32_t out_max, char *texts, size_t room,
                         const hy_log_field *fields, size_t count) {
    uint32_t kept = 0;
    size_t used = 0;
    for (size_t i = 0; i < count && kept < out_max; i++) {
        hy_log_field field = fields[i];
        if (field.kind == HY_FIELD_TEXT) {
            size_t len = keep_cut(field.as.text, room - used);
            if (len > 0) memcpy(texts + used, field.as.text.ptr, len);
            field.as.text = (hy_text){ (const uint8_t *)texts + used, len };
            used += len;
        }
        out[kept++] = field;
    }
    return kept;
}

void hyi_keep_name(char *out, size_t room, const char *name) {
    hy_text text = hy_bytes_of(name);
    size_t len = keep_cut(text, room - 1);
    if (len > 0) memcpy(out, text.ptr, len);
    out[len] = 0;
}
