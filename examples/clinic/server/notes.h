// notes.h - what the service is trying just now, for people to see.
// Example: clinic, server. Includes: base.
//
// Attempts at payments are no part of the clinic's state: they belong to this process and are
// forgotten with it. A fixed number of notes is kept, the oldest are overwritten.
#ifndef EXAMPLE_CLINIC_NOTES_H
#define EXAMPLE_CLINIC_NOTES_H

#include <hypha/base.h>

#define NOTES_MAX 512u
#define NOTES_TEXT_MAX 96u

typedef struct notes_line {
    uint64_t appointment;
    hy_ns at; // wall clock
    char text[NOTES_TEXT_MAX];
} notes_line;

typedef struct clinic_notes {
    notes_line lines[NOTES_MAX];
    uint64_t count; // ever added
} clinic_notes;

HY_PRINTF(4, 5)
void notes_add(clinic_notes *notes, uint64_t appointment, hy_ns at, const char *format, ...);

// Gives the kept notes of one appointment, oldest first. Start with *cursor = 0.
const notes_line *notes_next(const clinic_notes *notes, uint64_t appointment, uint64_t *cursor);

#endif
