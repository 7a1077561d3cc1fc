// slab.h - blocks of few sizes, from the worker's own memory.             Room: actor.
// Includes: scope. Threads: said for each function; hyi_block_* of inside.h are everybody's.
//
// A page is 64 KiB at a multiple of 64 KiB, has one owner and one class, and is never given back
// before the node closes. So the owner and the class of a block are found by masking its address,
// and a block may be freed wherever the message ended: at home it goes on the class's free list; on
// another worker it is chained for its owner, and the chain is handed over with one exchange when
// it is 32 long, or before the worker sleeps. The owner takes what was handed over when a free list
// is empty. (The scheme is that of Pony's pools, src/libponyrt/mem/POOL_ARENA.md.)
//
// What is larger than the largest class, or asked for by no worker, comes from a hy_mem, which is
// written before the block.
#ifndef HYI_ACTOR_SLAB_H
#define HYI_ACTOR_SLAB_H

#include "actor/inside.h"

#define HYI_BLOCK_CLASSES 6u
#define HYI_BLOCK_LARGE 6u // the class of what has none

// A slab's worth of blocks for `worker`. HY_NOMEM.
HY_CHECKED hy_err hyi_slabs_open(hyi_worker *worker);
// Gives all pages back, whoever holds blocks of them. After all workers have stopped. NULL is fine.
void hyi_slabs_close(hyi_worker *worker);
// Owner: hands over what was freed here and belongs to others.
void hyi_slabs_flush(hyi_worker *worker);
size_t hyi_slabs_bytes(const hyi_worker *worker); // pages so far; any thread

#endif
