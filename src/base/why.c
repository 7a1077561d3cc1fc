// why.c - the message behind an error: set plainly, or built from a format.
//
// A message is made once, where the error is made, and read by a person; so it is cut rather than
// refused, but never in the middle of a character: it must stay UTF-8 for JSON and for terminals.
#include "base/why.h"

#include <stdarg.h>

#include "base/memory.h"
#include "base/utf8.h"

// Where the text goes: a char array, its size, and what is written. `full` stops everything after
// the first piece that had to be cut, so that no later piece slips in behind the cut.
typedef struct why_writer {
    char *ptr;
    size_t len, size;
    bool full;
} why_writer;

static void why_add(why_writer *writer, hy_bytes bytes) {
    if (writer->full) return;
    size_t room = writer->size - 1 - writer->len;
    size_t len = hyi_utf8_cut(bytes, room);
    if (len > 0) memmove(writer->ptr + writer->len, bytes.ptr, len);
    writer->len += len;
    writer->full = len < bytes.len;
}

static void why_copy(char *target, size_t size, const char *text) {
    why_writer writer = { .ptr = target, .size = size };
    why_add(&writer, hy_bytes_of(text));
    target[writer.len] = 0;
}

hy_err hy_why_set(hy_why *why, hy_err code, const char *place, const char *text) {
    if (!why) return code;
    why->code = code;
    why->offset = 0;
    why_copy(why->place, sizeof why->place, place);
    why_copy(why->text, sizeof why->text, text);
    return code;
}

static void why_add_number(why_writer *writer, uint64_t value, unsigned base) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    why_add(writer, (hy_bytes){ (const uint8_t *)digits + at, sizeof digits - at });
}

static void why_add_signed(why_writer *writer, int64_t value) {
    if (value < 0) why_add(writer, HY_BYTES("-"));
    why_add_number(writer, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
}

static void why_add_escaped(why_writer *writer, const hy_bytes *bytes) {
    for (size_t i = 0; i < bytes->len && !writer->full; i++) {
        uint8_t byte = bytes->ptr[i];
        char escaped[4] = { '\\', 'x', "0123456789abcdef"[byte >> 4],
                            "0123456789abcdef"[byte & 15] };
        bool plain = byte >= 0x20 && byte < 0x7f && byte != '\\';
        hy_bytes piece = { plain ? &bytes->ptr[i] : (const uint8_t *)escaped, plain ? 1 : 4 };
        why_add(writer, piece);
    }
}

static void why_add_format(why_writer *writer, const char *format, va_list *args) {
    while (*format) {
        const char *plain = format;
        while (*format && *format != '%')
            format++;
        why_add(writer, (hy_bytes){ (const uint8_t *)plain, (size_t)(format - plain) });
        if (!*format) return;
        switch (format[1]) {
        case 's': why_add(writer, hy_bytes_of(va_arg(*args, const char *))); break;
        case 'd': why_add_signed(writer, va_arg(*args, int64_t)); break;
        case 'u': why_add_number(writer, va_arg(*args, uint64_t), 10); break;
        case 'x': why_add_number(writer, va_arg(*args, uint64_t), 16); break;
        case 'b': why_add_escaped(writer, va_arg(*args, const hy_bytes *)); break;
        case '%': why_add(writer, HY_BYTES("%")); break;
        default: hy_panic(__FILE__, __LINE__, "hyi_why_fmt knows only %s %d %u %x %b %%");
        }
        format += 2;
    }
}

hy_err hyi_why_fmt(hy_why *why, hy_err code, const char *place, const char *format, ...) {
    if (!why) return code;
    why->code = code;
    why->offset = 0;
    why_copy(why->place, sizeof why->place, place);
    // Built apart from `why`, because an argument may be the text that `why` already holds.
    char text[sizeof why->text];
    why_writer writer = { .ptr = text, .size = sizeof text };
    va_list args;
    va_start(args, format);
    why_add_format(&writer, format, &args);
    va_end(args);
    memcpy(why->text, text, writer.len);
    why->text[writer.len] = 0;
    return code;
}
