// notes.c - a ring of lines.

#include "server/notes.h"

#include <stdarg.h>
#include <stdio.h>

void notes_add(clinic_notes *notes, uint64_t appointment, hy_ns at, const char *format, ...) {
    notes_line *line = &notes->lines[notes->count++ % NOTES_MAX];
    line->appointment = appointment;
    line->at = at;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
}

const notes_line *notes_next(const clinic_notes *notes, uint64_t appointment, uint64_t *cursor) {
    uint64_t oldest = notes->count > NOTES_MAX ? notes->count - NOTES_MAX : 0;
    if (*cursor < oldest) *cursor = oldest;
    while (*cursor < notes->count) {
        const notes_line *line = &notes->lines[(*cursor)++ % NOTES_MAX];
        if (line->appointment == appointment) return line;
    }
    return NULL;
}
