// bank_suite.h - a small bank: the machine that tests of this room and the rooms above run.
//
// Accounts with owners' names; transfers that may be refused; a payout as a tracked action whose
// completion settles or refunds it; a reminder as a timer. Money is never made or lost: an
// aggregate invariant, a row invariant (no overdraft), a reference and a step invariant watch it.
#ifndef HYI_MACHINE_BANK_SUITE_H
#define HYI_MACHINE_BANK_SUITE_H

#include <hypha/machine.h>

#define BANK_ACCOUNT(F)                                                                            \
    F(1, u64, id)                                                                                  \
    F(2, i64, cents)                                                                               \
    F(3, str, owner)                                                                               \
    F(4, opt(u32), limit)
HY_RECORD(bank_account, BANK_ACCOUNT)

#define BANK_PAYOUT_STATE(E)                                                                       \
    E(0, BANK_PAYOUT_ASKED, asked) E(1, BANK_PAYOUT_PAID, paid) E(2, BANK_PAYOUT_REFUNDED, refunded)
HY_ENUM(bank_payout_state, BANK_PAYOUT_STATE)

#define BANK_PAYOUT(F)                                                                             \
    F(1, u64, id) /* of the action */                                                              \
    F(2, u64, account)                                                                             \
    F(3, i64, cents)                                                                               \
    F(4, enm(bank_payout_state), state)
HY_RECORD(bank_payout, BANK_PAYOUT)

#define BANK_TOTAL(F) /* what came in less what went out: what the accounts must add up to */      \
    F(1, u8, key)                                                                                  \
    F(2, i64, cents)
HY_RECORD(bank_total, BANK_TOTAL)

enum { BANK_ACCOUNTS, BANK_PAYOUTS, BANK_TOTALS };

#define BANK_OPEN(F) F(1, str, owner) F(2, i64, cents)
HY_RECORD(bank_open, BANK_OPEN)
#define BANK_OPENED(F) F(1, u64, account)
HY_RECORD(bank_opened, BANK_OPENED)
#define BANK_TRANSFER(F) F(1, u64, from) F(2, u64, to) F(3, i64, cents)
HY_RECORD(bank_transfer, BANK_TRANSFER)
#define BANK_PAY_OUT(F) F(1, u64, account) F(2, i64, cents)
HY_RECORD(bank_pay_out, BANK_PAY_OUT)
#define BANK_PAID(F) F(1, bool, worked)
HY_RECORD(bank_paid, BANK_PAID)
#define BANK_RENAME(F) F(1, u64, account) F(2, str, owner)
HY_RECORD(bank_rename, BANK_RENAME)
#define BANK_CLOSE(F) F(1, u64, account)
HY_RECORD(bank_close, BANK_CLOSE)
#define BANK_REMIND(F) F(1, u64, account) F(2, i64, after)
HY_RECORD(bank_remind, BANK_REMIND)
// What a step does wrong on purpose; see bank_suite.c.
#define BANK_MISBEHAVE(F) F(1, u32, how)
HY_RECORD(bank_misbehave, BANK_MISBEHAVE)

enum {
    BANK_IN_OPEN,
    BANK_IN_TRANSFER,
    BANK_IN_PAY_OUT,
    BANK_IN_PAID, // completion
    BANK_IN_RENAME,
    BANK_IN_CLOSE,
    BANK_IN_REMIND,
    BANK_IN_REMINDED, // timer
    BANK_IN_MISBEHAVE,
};
enum { BANK_DO_PAY = 0, BANK_DO_LOG };
enum { BANK_NO_ACCOUNT = 1, BANK_TOO_POOR, BANK_BAD_AMOUNT, BANK_NOT_EMPTY };
enum {
    BANK_MAKE_MONEY = 1,   // breaks the aggregate invariant (veto)
    BANK_RAW_WRITE,        // writes through a const pointer
    BANK_DEPEND_ON_CHANCE, // looks at something that is not input
    BANK_EMIT_TOO_MUCH,
    BANK_WRITE_THEN_REJECT,
    BANK_BREAK_HALTING,    // breaks an invariant with policy halt
    BANK_BREAK_REPORTING,  // and one with policy report
    BANK_PAYOUT_BACKWARDS, // breaks the step invariant
};

extern const hy_machine bank_machine;

#endif
