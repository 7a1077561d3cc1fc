// vec.h - vectors, for the other files of the room.            Room: value. Includes: base.
// Threads: one owner.
#ifndef HYPHA_VALUE_VEC_H
#define HYPHA_VALUE_VEC_H

#include <hypha/value.h>

// An empty vector for the same items in the same memory, with the same limit. HY_NOMEM.
HY_CHECKED hy_err hyi_vec_like(const hy_vec *vec, hy_vec **out_vec);

#endif
