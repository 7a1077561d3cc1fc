// image.h - structs that hold what they point to, worked on by their description.   Room: value.
// Includes: base, schema. Threads: one owner.
//
// An image is the C struct of a record in which every text lies in a block and every list is a
// hyi_list. A cell is one value of a field's type, a member is the whole field: cell, option, list.
// Functions marked "plain too" also read structs that a caller made.
#ifndef HYPHA_VALUE_IMAGE_H
#define HYPHA_VALUE_IMAGE_H

#include <hypha/value.h>

#include "value/seq.h"

// Where a deep copy is, and how many records deep it came.
typedef struct hyi_keeper {
    hy_mem *mem;
    uint32_t depth, deepest;
} hyi_keeper;

// Makes an image of a struct (plain too). HY_NOMEM, HY_TOO_DEEP, HY_RANGE (a tag that names no
// member), HY_LIMIT; then `to` is cleared and holds nothing.
HY_CHECKED hy_err hyi_image_keep(hyi_keeper *keeper, const hy_record *record, uint8_t *to,
                                 const uint8_t *from);
HY_CHECKED hy_err hyi_member_keep(hyi_keeper *keeper, const hy_field *field, uint8_t *to,
                                  const uint8_t *from);
HY_CHECKED hy_err hyi_cell_keep(hyi_keeper *keeper, const hy_field *field, uint8_t *to,
                                const uint8_t *from);

// One holder more of all that an image holds, and one less. The bytes themselves stay.
void hyi_image_retain(const hy_record *record, const uint8_t *image);
void hyi_member_retain(const hy_field *field, const uint8_t *member);
void hyi_image_release(hy_mem *mem, const hy_record *record, uint8_t *image);
void hyi_member_release(hy_mem *mem, const hy_field *field, uint8_t *member);
void hyi_cell_release(hy_mem *mem, const hy_field *field, uint8_t *cell);

// A total order that is 0 for equal ones; plain too.
int hyi_image_compare(const hy_record *record, const uint8_t *a, const uint8_t *b);
int hyi_member_compare(const hy_field *field, const uint8_t *a, const uint8_t *b);
int hyi_cell_compare(const hy_field *field, const uint8_t *a, const uint8_t *b);
uint64_t hyi_image_hash(const hy_record *record, const uint8_t *image);

// The struct with plain lists, in `arena`; texts are borrowed. HY_NOMEM.
HY_CHECKED hy_err hyi_image_plain(const hy_record *record, const uint8_t *image, hy_arena *arena,
                                  uint8_t *to);

// The member of a union that is set; NULL for none, and for a tag that names none.
const hy_field *hyi_union_member(const hy_record *record, const uint8_t *image);

// ---- lists ------------------------------------------------------------------------------------

// What a list in an image is: a persistent vector with holders. `depth` bounds how many records
// lie in each other below an element.
typedef struct hyi_list {
    uint32_t refs, depth;
    hy_mem *mem;
    hyi_seq seq;
} hyi_list;

hy_item hyi_cell_item(const hy_field *field); // how the elements of a list are items

// The list of an image's member; NULL for an empty one and for a plain one.
hyi_list *hyi_list_of(const void *member);

// Makes the list at `member` one that nobody else sees, a new one when it is empty. HY_NOMEM.
HY_CHECKED hy_err hyi_list_own(hy_mem *mem, uint8_t *member, hyi_list **out_list);
void hyi_list_store(uint8_t *member, hyi_list *list); // also the count; an empty list goes away

#endif
