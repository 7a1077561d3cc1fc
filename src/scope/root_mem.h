// root_mem.h - memory that is known block by block.                 Room: scope. Includes: base.
// Threads: one.
//
// When a simulated machine crashes, its fibers stand still for ever: nobody will run the code that
// frees what they hold. A real process would be gone, and its memory with it. So the root of a
// simulated world takes its memory through this list, and hy_root_abandon gives all of it back. A
// real world's root pays nothing for that.
#ifndef HYI_SCOPE_ROOT_MEM_H
#define HYI_SCOPE_ROOT_MEM_H

#include <hypha/base.h>

#include "scope/list.h"

typedef struct hyi_root_mem {
    hy_mem mem;
    hy_mem *below;
    hyi_list blocks;
} hyi_root_mem;

void hyi_root_mem_init(hyi_root_mem *tracked, hy_mem *below);
void hyi_root_mem_free_all(hyi_root_mem *tracked); // whatever is left

#endif
