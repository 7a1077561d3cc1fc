// budget.c - how many retries a service can bear.
//
// Deposits and withdrawals of the last `ttl` are kept in ten slices, so the account forgets without
// remembering each call. Units are hundredths of a retry: a call deposits `percent` of them, a
// retry withdraws a hundred. The constant part, per_second over the whole ttl, is there from the
// start. The scheme is Finagle's RetryBudget; tower has it as well.
#include "flow/budget.h"
#include "base/options.h"

#define BUDGET_SLICES 10
#define BUDGET_RETRY 100

struct hy_budget {
    hy_world *world;
    hy_mem *mem;
    hy_ns slice_ns;
    int64_t slices[BUDGET_SLICES];
    int64_t slice; // number of the current one, counted from the start of the clock
    int64_t reserve;
    uint32_t percent;
};

static void budget_free(void *object) {
    hy_budget *budget = (hy_budget *)object;
    hy_mem_free(budget->mem, budget, sizeof *budget);
}

hy_err hy_budget_open(hy_scope *scope, const hy_budget_options *options, hy_budget **out_budget) {
    hy_budget_options o;
    hyi_options_read(&o, sizeof o, options);
    if (o.percent == 0) o.percent = 20;
    if (o.per_second == 0) o.per_second = 10;
    if (o.ttl == 0) o.ttl = HY_SECONDS(10);
    HY_ASSERT(o.ttl >= HY_SECONDS(1) && o.ttl <= HY_SECONDS(60));
    hy_world *world = hy_scope_world(scope);
    hy_mem *mem = hy_scope_mem(scope);
    hy_budget *budget = mem ? (hy_budget *)hy_mem_alloc_zero(mem, sizeof *budget) : NULL;
    if (!budget) return HY_NOMEM;
    budget->world = world;
    budget->mem = mem;
    budget->percent = o.percent;
    budget->slice_ns = o.ttl / BUDGET_SLICES;
    budget->slice = hy_world_now(world) / budget->slice_ns;
    budget->reserve = (int64_t)o.per_second * (o.ttl / HY_MS(1)) / 1000 * BUDGET_RETRY;
    hy_err err = hy_own(scope, budget, budget_free, 0);
    if (err == HY_OK) *out_budget = budget;
    return err;
}

// Empties the slices that time has passed over, and gives the current one.
static int64_t *budget_slice(hy_budget *budget) {
    int64_t slice = hy_world_now(budget->world) / budget->slice_ns;
    int64_t gone = slice - budget->slice;
    for (int64_t i = 1; i <= gone && i <= BUDGET_SLICES; i++)
        budget->slices[(budget->slice + i) % BUDGET_SLICES] = 0;
    budget->slice = slice;
    return &budget->slices[slice % BUDGET_SLICES];
}

void hyi_budget_deposit(hy_budget *budget) {
    if (budget) *budget_slice(budget) += budget->percent;
}

bool hyi_budget_withdraw(hy_budget *budget) {
    if (!budget) return true;
    int64_t *slice = budget_slice(budget);
    int64_t balance = budget->reserve;
    for (uint32_t i = 0; i < BUDGET_SLICES; i++)
        balance += budget->slices[i];
    if (balance < BUDGET_RETRY) return false;
    *slice -= BUDGET_RETRY;
    return true;
}
