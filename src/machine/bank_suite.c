// bank_suite.c - the bank's steps and invariants, and its misbehaviours.
//
// The good steps write first and refuse later wherever that is possible, because the runtime
// promises that it may. The bad ones each break one promise of their own: a test sends them and
// demands that the runtime notices, so every case of bank_step_misbehave has a test that names it.

#include "machine/bank_suite.h"

HY_RECORD_DEFINE(bank_account, BANK_ACCOUNT)
HY_ENUM_DEFINE(bank_payout_state, BANK_PAYOUT_STATE)
HY_RECORD_DEFINE(bank_payout, BANK_PAYOUT)
HY_RECORD_DEFINE(bank_total, BANK_TOTAL)
HY_RECORD_DEFINE(bank_open, BANK_OPEN)
HY_RECORD_DEFINE(bank_opened, BANK_OPENED)
HY_RECORD_DEFINE(bank_transfer, BANK_TRANSFER)
HY_RECORD_DEFINE(bank_pay_out, BANK_PAY_OUT)
HY_RECORD_DEFINE(bank_paid, BANK_PAID)
HY_RECORD_DEFINE(bank_rename, BANK_RENAME)
HY_RECORD_DEFINE(bank_close, BANK_CLOSE)
HY_RECORD_DEFINE(bank_remind, BANK_REMIND)
HY_RECORD_DEFINE(bank_misbehave, BANK_MISBEHAVE)

static const hy_table bank_tables[] = {
    [BANK_ACCOUNTS] = { .name = "account",
                        .row = &bank_account_record,
                        .key_count = 1,
                        .ordered = true,
                        .rows_max = 100000 },
    [BANK_PAYOUTS] = { .name = "payout", .row = &bank_payout_record, .key_count = 1 },
    [BANK_TOTALS] = { .name = "total", .row = &bank_total_record, .key_count = 1 },
};
static const hy_input_kind bank_inputs[] = {
    [BANK_IN_OPEN] = { .name = "open", .body = &bank_open_record, .reply = &bank_opened_record },
    [BANK_IN_TRANSFER] = { .name = "transfer", .body = &bank_transfer_record },
    [BANK_IN_PAY_OUT] = { .name = "pay_out", .body = &bank_pay_out_record },
    [BANK_IN_PAID] = { .name = "paid", .body = &bank_paid_record, .internal = true },
    [BANK_IN_RENAME] = { .name = "rename", .body = &bank_rename_record },
    [BANK_IN_CLOSE] = { .name = "close", .body = &bank_close_record },
    [BANK_IN_REMIND] = { .name = "remind", .body = &bank_remind_record },
    [BANK_IN_REMINDED] = { .name = "reminded", .body = &bank_remind_record, .internal = true },
    [BANK_IN_MISBEHAVE] = { .name = "misbehave", .body = &bank_misbehave_record },
};
static const hy_action_kind bank_actions[] = {
    [BANK_DO_PAY] = { .name = "pay",
                      .body = &bank_pay_out_record,
                      .tracked = true,
                      .completion = BANK_IN_PAID },
    [BANK_DO_LOG] = { .name = "log", .body = &bank_rename_record },
};
static const hy_rejection bank_rejections[] = {
    { NULL, NULL, 0 },
    [BANK_NO_ACCOUNT] = { "NO_ACCOUNT", "there is no such account", 404 },
    [BANK_TOO_POOR] = { "TOO_POOR", "the account holds less than that", 0 },
    [BANK_BAD_AMOUNT] = { "BAD_AMOUNT", "an amount must be above zero", 422 },
    [BANK_NOT_EMPTY] = { "NOT_EMPTY", "an account must be empty to be closed", 0 },
};

static bool bank_no_overdraft(const hy_view *view, const void *row) {
    (void)view;
    return ((const bank_account *)row)->cents >= 0;
}

static bool bank_owner_has_name(const hy_view *view, const void *row) {
    (void)view;
    return ((const bank_account *)row)->owner.len < 64;
}

static bool bank_owner_is_not_shouting(const hy_view *view, const void *row) {
    (void)view;
    hy_bytes owner = ((const bank_account *)row)->owner;
    return owner.len == 0 || owner.ptr[owner.len - 1] != '!';
}

static bool bank_payout_account(const void *row, void *out_target) {
    ((bank_account *)out_target)->id = ((const bank_payout *)row)->account;
    return ((const bank_payout *)row)->state == BANK_PAYOUT_ASKED;
}

static bool bank_payout_moves_forward(const hy_view *view, const void *before, const void *after) {
    (void)view;
    if (before == NULL || after == NULL) return true;
    return ((const bank_payout *)before)->state <= ((const bank_payout *)after)->state;
}

static int64_t bank_cents(const void *row) {
    return ((const bank_account *)row)->cents;
}

static bool bank_money_is_kept(const hy_view *view, int64_t sum) {
    const bank_total *total = hy_row_get(view, BANK_TOTALS, &(bank_total){ .key = 0 });
    return sum == (total == NULL ? 0 : total->cents);
}

static bool bank_ids_ascend(const hy_view *view, const void *before, const void *row,
                            const void *after) {
    (void)view;
    const bank_account *b = before;
    const bank_account *r = row;
    const bank_account *a = after;
    return (b == NULL || b->id < r->id) && (a == NULL || r->id < a->id);
}

static bool bank_total_is_one_row(const hy_view *view) {
    return hy_row_count(view, BANK_TOTALS) <= 1;
}

static const hy_invariant bank_invariants[] = {
    HY_ROW_HOLDS(BANK_ACCOUNTS, HY_VETO, bank_no_overdraft),
    HY_ROW_HOLDS(BANK_ACCOUNTS, HY_HALT, bank_owner_has_name),
    HY_ROW_HOLDS(BANK_ACCOUNTS, HY_REPORT, bank_owner_is_not_shouting),
    HY_NEIGHBOURS_HOLD(BANK_ACCOUNTS, HY_VETO, bank_ids_ascend),
    HY_REFERENCE_HOLDS(BANK_PAYOUTS, BANK_ACCOUNTS, HY_VETO, bank_payout_account, NULL),
    HY_STEP_HOLDS(BANK_PAYOUTS, HY_VETO, bank_payout_moves_forward),
    HY_SUM_HOLDS(BANK_ACCOUNTS, HY_VETO, bank_cents, bank_money_is_kept),
    HY_GLOBAL_HOLDS(HY_VETO, 16, bank_total_is_one_row),
};

static void bank_add_total(hy_txn *txn, int64_t cents) {
    bank_total *total = hy_row_update(txn, BANK_TOTALS, &(bank_total){ .key = 0 });
    if (total == NULL) total = hy_row_insert(txn, BANK_TOTALS, &(bank_total){ .key = 0 });
    if (total != NULL) total->cents += cents;
}

static bank_account *bank_find(hy_txn *txn, uint64_t id) {
    return hy_row_update(txn, BANK_ACCOUNTS, &(bank_account){ .id = id });
}

static hy_err bank_step_open(hy_txn *txn, const bank_open *in) {
    if (in->cents < 0) return hy_reject(txn, BANK_BAD_AMOUNT);
    uint64_t id = hy_row_next_id(txn, BANK_ACCOUNTS);
    hy_row_insert(txn, BANK_ACCOUNTS,
                  &(bank_account){ .id = id, .cents = in->cents, .owner = in->owner });
    bank_add_total(txn, in->cents);
    return hy_reply(txn, &(bank_opened){ .account = id });
}

static hy_err bank_step_transfer(hy_txn *txn, const bank_transfer *in) {
    if (in->cents <= 0) return hy_reject(txn, BANK_BAD_AMOUNT);
    bank_account *from = bank_find(txn, in->from);
    bank_account *to = bank_find(txn, in->to);
    if (from == NULL || to == NULL) return hy_reject(txn, BANK_NO_ACCOUNT);
    from->cents -= in->cents; // a refused step may have written: it is rolled back
    to->cents += in->cents;
    return from->cents < 0 ? hy_reject(txn, BANK_TOO_POOR) : HY_OK;
}

static hy_err bank_step_pay_out(hy_txn *txn, const bank_pay_out *in) {
    bank_account *account = bank_find(txn, in->account);
    if (account == NULL) return hy_reject(txn, BANK_NO_ACCOUNT);
    if (in->cents <= 0) return hy_reject(txn, BANK_BAD_AMOUNT);
    if (account->cents < in->cents) return hy_reject(txn, BANK_TOO_POOR);
    account->cents -= in->cents;
    bank_add_total(txn, -in->cents);
    uint64_t id = hy_action_emit(txn, BANK_DO_PAY, in);
    hy_row_insert(txn, BANK_PAYOUTS,
                  &(bank_payout){ .id = id, .account = in->account, .cents = in->cents });
    hy_action_emit(txn, BANK_DO_LOG, &(bank_rename){ .account = in->account });
    return HY_OK;
}

static hy_err bank_step_paid(hy_txn *txn, uint64_t action_id, const bank_paid *in) {
    bank_payout *payout = hy_row_update(txn, BANK_PAYOUTS, &(bank_payout){ .id = action_id });
    if (payout == NULL) return hy_reject(txn, BANK_NO_ACCOUNT);
    payout->state = in->worked ? BANK_PAYOUT_PAID : BANK_PAYOUT_REFUNDED;
    if (in->worked) return HY_OK;
    bank_account *account = bank_find(txn, payout->account);
    if (account == NULL) return hy_reject(txn, BANK_NO_ACCOUNT);
    account->cents += payout->cents;
    bank_add_total(txn, payout->cents);
    return HY_OK;
}

static hy_err bank_step_close(hy_txn *txn, const bank_close *in) {
    const bank_account *account = bank_find(txn, in->account);
    if (account == NULL) return hy_reject(txn, BANK_NO_ACCOUNT);
    if (account->cents != 0) return hy_reject(txn, BANK_NOT_EMPTY);
    hy_row_delete(txn, BANK_ACCOUNTS, account);
    return HY_OK;
}

static hy_err bank_step_rename(hy_txn *txn, uint64_t id, hy_text owner) {
    bank_account *account = bank_find(txn, id);
    if (account == NULL) return hy_reject(txn, BANK_NO_ACCOUNT);
    hy_row_set_bytes(txn, BANK_ACCOUNTS, account, offsetof(bank_account, owner), owner);
    account->limit.has = owner.len % 2 == 0;
    account->limit.value = 7; // also where it is unset: the runtime must clear it
    return HY_OK;
}

static uint32_t bank_calls; // state that no machine should have

static hy_err bank_step_misbehave(hy_txn *txn, uint32_t how) {
    bank_account *account = bank_find(txn, 1);
    if (account == NULL) return hy_reject(txn, BANK_NO_ACCOUNT);
    switch (how) {
    case BANK_MAKE_MONEY: account->cents += 1; return HY_OK;
    case BANK_RAW_WRITE: {
        const bank_account *other =
            hy_row_get(hy_txn_view(txn), BANK_ACCOUNTS, &(bank_account){ .id = 200 });
        if (other != NULL) ((bank_account *)(uintptr_t)other)->cents += 1;
        return HY_OK;
    }
    case BANK_DEPEND_ON_CHANCE:
        account->limit.value = ++bank_calls;
        account->limit.has = true;
        return HY_OK;
    case BANK_EMIT_TOO_MUCH:
        for (uint32_t i = 0; i <= HY_ACTIONS_PER_STEP; i++) {
            hy_action_emit(txn, BANK_DO_PAY, &(bank_pay_out){ .account = 1, .cents = 1 });
        }
        return HY_OK; // the failure sticks although nobody looked
    case BANK_WRITE_THEN_REJECT:
        account->cents = 0;
        hy_row_delete(txn, BANK_ACCOUNTS, &(bank_account){ .id = 2 });
        return hy_reject(txn, BANK_TOO_POOR);
    case BANK_BREAK_HALTING:
        return bank_step_rename(
            txn, 1,
            HY_BYTES("a name of more than sixty-four letters, which no owner should ever have"));
    case BANK_BREAK_REPORTING: return bank_step_rename(txn, 1, HY_BYTES("LOUD!"));
    default: {
        hy_cursor cursor = hy_cursor_at(hy_txn_view(txn), BANK_ACCOUNTS, NULL);
        (void)hy_cursor_next(&cursor);
        bank_payout *payout = hy_row_update(txn, BANK_PAYOUTS, &(bank_payout){ .id = 1 });
        if (payout != NULL) payout->state = BANK_PAYOUT_ASKED;
        return HY_OK;
    }
    }
}

static hy_err bank_step(hy_txn *txn, const hy_input *input) {
    const void *body = input->body;
    switch (input->kind) {
    case BANK_IN_OPEN: return bank_step_open(txn, body);
    case BANK_IN_TRANSFER: return bank_step_transfer(txn, body);
    case BANK_IN_PAY_OUT: return bank_step_pay_out(txn, body);
    case BANK_IN_PAID: return bank_step_paid(txn, input->action_id, body);
    case BANK_IN_RENAME:
        return bank_step_rename(txn, ((const bank_rename *)body)->account,
                                ((const bank_rename *)body)->owner);
    case BANK_IN_CLOSE: return bank_step_close(txn, body);
    case BANK_IN_REMIND: {
        const bank_remind *in = body;
        hy_action_at(txn, BANK_IN_REMINDED, input->now + in->after, in);
        return HY_OK;
    }
    case BANK_IN_REMINDED:
        return bank_step_rename(txn, ((const bank_remind *)body)->account, HY_BYTES("reminded"));
    default: return bank_step_misbehave(txn, ((const bank_misbehave *)body)->how);
    }
}

const hy_machine bank_machine = {
    .name = "bank",
    .version = 1,
    .tables = bank_tables,
    .table_count = HY_COUNT_OF(bank_tables),
    .inputs = bank_inputs,
    .input_count = HY_COUNT_OF(bank_inputs),
    .actions = bank_actions,
    .action_count = HY_COUNT_OF(bank_actions),
    .rejections = bank_rejections,
    .rejection_count = HY_COUNT_OF(bank_rejections),
    .invariants = bank_invariants,
    .invariant_count = HY_COUNT_OF(bank_invariants),
    .step = bank_step,
};
