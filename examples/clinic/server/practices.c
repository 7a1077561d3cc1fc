// practices.c - numbers, keys, and the list of practices.
//
// The list is made once, while the clinic opens, and never changes: whoever asks for a practice
// that is not in it must not make a machine for it by asking.

#include "server/practices.h"

#include <stdio.h>

practice_key practice_key_of(uint32_t practice) {
    practice_key key;
    (void)snprintf(key.text, sizeof key.text, "%u", practice);
    return key;
}

uint32_t practice_of_key(hy_bytes key) {
    uint32_t number = 0;
    for (size_t i = 0; i < key.len && number < PRACTICES_SPAN; i++) {
        if (key.ptr[i] < '0' || key.ptr[i] > '9') return 0;
        number = number * 10 + (uint32_t)(key.ptr[i] - '0');
    }
    return number < PRACTICES_SPAN ? number : 0;
}

uint64_t practice_outside(uint32_t practice, uint64_t appointment) {
    return appointment * PRACTICES_SPAN + practice;
}

uint32_t practice_of(uint64_t outside) {
    return (uint32_t)(outside % PRACTICES_SPAN);
}

uint64_t practice_inside(uint64_t outside) {
    return outside / PRACTICES_SPAN;
}

bool practices_have(const clinic_practices *practices, uint32_t practice) {
    for (uint32_t i = 0; i < practices->count; i++) {
        if (practices->numbers[i] == practice) return true;
    }
    return false;
}

hy_err practices_add(clinic_practices *practices, uint32_t practice) {
    if (practices_have(practices, practice)) return HY_OK;
    if (practice == 0 || practice >= PRACTICES_SPAN) return HY_LIMIT;
    if (practices->count == PRACTICES_MAX) return HY_LIMIT;
    uint32_t at = practices->count++;
    for (; at > 0 && practices->numbers[at - 1] > practice; at--) {
        practices->numbers[at] = practices->numbers[at - 1];
    }
    practices->numbers[at] = practice;
    return HY_OK;
}
