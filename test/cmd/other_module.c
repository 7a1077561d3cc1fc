// other_module.c - a bank whose code was changed: from the third account on, opening one costs a
// cent. Replaying with it must find the first step that differs.
#include "machine/bank_suite.h"

static hy_err other_step(hy_txn *txn, const hy_input *input) {
    if (input->kind != BANK_IN_OPEN) return bank_machine.step(txn, input);
    bank_open open = *(const bank_open *)input->body;
    if (hy_row_count(hy_txn_view(txn), BANK_ACCOUNTS) >= 2) open.cents -= 1;
    hy_input changed = *input;
    changed.body = &open;
    return bank_machine.step(txn, &changed);
}

// The same tables and records: only the step is another. Filled when the module is loaded, because
// the bank is a constant of another file.
static hy_machine other_machine;
extern const hy_machine *const hypha_machines[]; // ends with NULL
HY_API const hy_machine *const hypha_machines[] = { &other_machine, NULL };

__attribute__((constructor)) static void other_fill(void) {
    other_machine = bank_machine;
    other_machine.step = other_step;
}
