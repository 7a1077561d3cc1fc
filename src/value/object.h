// object.h - what a hy_value is inside.                        Room: value. Includes: base, schema.
// Threads: one owner.
#ifndef HYPHA_VALUE_OBJECT_H
#define HYPHA_VALUE_OBJECT_H

#include <hypha/value.h>

// One block: this head, then the struct of the record.
struct hy_value {
    uint32_t refs;
    uint32_t depth; // records inside each other: a bound
    hy_mem *mem;
    const hy_model *model;
    _Alignas(16) uint8_t image[];
};

// A cleared value with one holder; its image holds nothing. NULL without memory.
hy_value *hyi_value_alloc(hy_mem *mem, const hy_model *model);
void hyi_value_free(hy_value *value); // the block only

// A version of its own that shares everything. HY_NOMEM.
HY_CHECKED hy_err hyi_value_branch(const hy_value *value, hy_value **out_value);

#endif
