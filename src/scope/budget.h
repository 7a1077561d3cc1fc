// budget.h - memory that is counted in the tree.                          Room: scope.
#ifndef HYI_SCOPE_BUDGET_H
#define HYI_SCOPE_BUDGET_H

#include <hypha/scope.h>

void hyi_budget_mem_init(hy_mem *mem);         // `mem` lies in a hyi_more
void hyi_budget_forget_bytes(hy_scope *scope); // its `more` goes; so does what it still counts

#endif
