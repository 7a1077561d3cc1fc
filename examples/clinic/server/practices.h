// practices.h - which practice a request is for, and what an appointment is called outside.
// Example: clinic, server. Includes: base host.
//
// Each practice is a machine of its own, under its number in decimal as the key. Inside it
// appointments are 1, 2, 3; outside there are several first ones, so they are called by a number
// that holds both: 1002 and 1003 are the first appointments of practices 2 and 3.
#ifndef EXAMPLE_CLINIC_PRACTICES_H
#define EXAMPLE_CLINIC_PRACTICES_H

#include <hypha/host.h>

#define PRACTICES_MAX 64u
#define PRACTICES_SPAN 1000u // practices' numbers are below it

typedef struct clinic_practices {
    uint32_t count;
    uint32_t numbers[PRACTICES_MAX]; // in order
} clinic_practices;

typedef struct practice_key {
    char text[12];
} practice_key;

practice_key practice_key_of(uint32_t practice);
// The practice with this key; 0: it is none.
uint32_t practice_of_key(hy_bytes key);

uint64_t practice_outside(uint32_t practice, uint64_t appointment);
uint32_t practice_of(uint64_t outside);
uint64_t practice_inside(uint64_t outside);

bool practices_have(const clinic_practices *practices, uint32_t practice);
// HY_LIMIT: there are too many, or its number is too large. One that is there already is fine.
hy_err practices_add(clinic_practices *practices, uint32_t practice);

#endif
