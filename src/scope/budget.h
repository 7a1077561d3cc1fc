// budget.h - memory that is counted in the tree.                   Room: scope. Includes: world.
// Threads: the world's.
//
// The allocator lies in a hyi_more and finds its scope from there. Bytes count in that scope and in
// every scope above that has a limit, so the limit of a request holds for whatever its helpers open
// below it. budget.c has the counting, and the limits of tasks and descriptors.
#ifndef HYI_SCOPE_BUDGET_H
#define HYI_SCOPE_BUDGET_H

#include <hypha/scope.h>

void hyi_budget_mem_init(hy_mem *mem);         // `mem` lies in a hyi_more
void hyi_budget_forget_bytes(hy_scope *scope); // its `more` goes; so does what it still counts

#endif
