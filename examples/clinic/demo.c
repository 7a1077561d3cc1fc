// demo.c - three practices to play with: what the first input of a new clinic brings.
//
// Linden's Dr. Brandt works the week of the example that this clinic grew out of; the others
// differ, so that there is something to choose from.

#include "clinic.h"

#define DEMO_TEXT(literal)                                                                         \
    { (const uint8_t *)("" literal), sizeof(literal) - 1 }
#define DEMO_HOURS(from, to) (from) * 60, (to)*60

static const clinic_practice demo_practices[] = {
    { 1, DEMO_TEXT("Linden Dental"), DEMO_TEXT("12 Linden Street") },
    { 2, DEMO_TEXT("Harbour Smiles"), DEMO_TEXT("3 Old Harbour Quay") },
    { 3, DEMO_TEXT("Mill Lane Practice"), DEMO_TEXT("48 Mill Lane") },
};

static const clinic_dentist demo_dentists[] = {
    { 1, 1, DEMO_TEXT("Dr. Ada Brandt"), 210 },  { 1, 2, DEMO_TEXT("Dr. Tom Okafor"), 150 },
    { 2, 1, DEMO_TEXT("Dr. Lena Fischer"), 20 }, { 2, 2, DEMO_TEXT("Dr. Samir Haddad"), 265 },
    { 2, 3, DEMO_TEXT("Dr. Ines Costa"), 330 },  { 3, 1, DEMO_TEXT("Dr. Ruth Meyer"), 95 },
    { 3, 2, DEMO_TEXT("Dr. Jon Aldous"), 185 },
};

static const clinic_shift demo_shifts[] = {
    { 1, 1, 0, DEMO_HOURS(9, 12) },  { 1, 1, 0, DEMO_HOURS(14, 17) },
    { 1, 1, 1, DEMO_HOURS(9, 12) },  { 1, 1, 1, DEMO_HOURS(13, 16) },
    { 1, 1, 2, DEMO_HOURS(9, 12) },  { 1, 1, 2, DEMO_HOURS(14, 18) },
    { 1, 1, 3, DEMO_HOURS(10, 13) }, { 1, 1, 3, DEMO_HOURS(14, 17) },
    { 1, 1, 4, DEMO_HOURS(9, 15) },

    { 1, 2, 0, DEMO_HOURS(8, 13) },  { 1, 2, 1, DEMO_HOURS(12, 18) },
    { 1, 2, 2, DEMO_HOURS(8, 13) },  { 1, 2, 3, DEMO_HOURS(12, 19) },
    { 1, 2, 5, DEMO_HOURS(9, 13) },

    { 2, 1, 0, DEMO_HOURS(9, 17) },  { 2, 1, 2, DEMO_HOURS(9, 17) },
    { 2, 1, 4, DEMO_HOURS(9, 14) },

    { 2, 2, 1, DEMO_HOURS(8, 12) },  { 2, 2, 1, DEMO_HOURS(13, 17) },
    { 2, 2, 3, DEMO_HOURS(8, 12) },  { 2, 2, 3, DEMO_HOURS(13, 17) },
    { 2, 2, 4, DEMO_HOURS(13, 18) },

    { 2, 3, 0, DEMO_HOURS(14, 20) }, { 2, 3, 2, DEMO_HOURS(14, 20) },
    { 2, 3, 5, DEMO_HOURS(10, 15) },

    { 3, 1, 0, DEMO_HOURS(8, 12) },  { 3, 1, 1, DEMO_HOURS(8, 12) },
    { 3, 1, 2, DEMO_HOURS(8, 12) },  { 3, 1, 3, DEMO_HOURS(8, 12) },
    { 3, 1, 4, DEMO_HOURS(8, 12) },

    { 3, 2, 1, DEMO_HOURS(13, 19) }, { 3, 2, 3, DEMO_HOURS(13, 19) },
    { 3, 2, 4, DEMO_HOURS(9, 16) },
};

// A record's list wants a pointer that could be written through; nobody does.
#define DEMO_LIST(array)                                                                           \
    { (void *)(uintptr_t)(array), HY_COUNT_OF(array) }

clinic_setup clinic_demo(uint64_t salt) {
    return (clinic_setup){ .salt = salt,
                           .practices = DEMO_LIST(demo_practices),
                           .dentists = DEMO_LIST(demo_dentists),
                           .shifts = DEMO_LIST(demo_shifts) };
}
