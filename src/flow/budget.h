// budget.h - the account behind retries and hedges.                Room: flow. Includes: scope.
// Threads: the world's.
#ifndef HYI_FLOW_BUDGET_H
#define HYI_FLOW_BUDGET_H

#include <hypha/flow.h>

void hyi_budget_deposit(hy_budget *budget);  // a call begins; NULL is fine
bool hyi_budget_withdraw(hy_budget *budget); // may it be repeated? NULL: always

#endif
