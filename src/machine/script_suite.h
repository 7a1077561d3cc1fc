// script_suite.h - a machine whose step is whatever a test says.
//
// A test sets script.step to a function and sends an input; so each test holds in one place what
// the step does and what must come of it. Small limits, so that every limit can be met.
#ifndef HYI_MACHINE_SCRIPT_SUITE_H
#define HYI_MACHINE_SCRIPT_SUITE_H

#include <hypha/machine.h>

#define SCRIPT_ITEM(F)                                                                             \
    F(1, u64, id)                                                                                  \
    F(2, i64, value)                                                                               \
    F(3, str, text)                                                                                \
    F(4, opt(str), note)                                                                           \
    F(5, opt(u32), mark)
HY_RECORD(script_item, SCRIPT_ITEM)

// Much in memory, next to nothing on the wire.
#define SCRIPT_EIGHT(F, n)                                                                         \
    F(n##0, u64, a##n)                                                                             \
    F(n##1, u64, b##n)                                                                             \
    F(n##2, u64, c##n)                                                                             \
    F(n##3, u64, d##n) F(n##4, u64, e##n) F(n##5, u64, f##n) F(n##6, u64, g##n) F(n##7, u64, h##n)
#define SCRIPT_WIDE(F)                                                                             \
    F(1, u64, id)                                                                                  \
    SCRIPT_EIGHT(F, 1) SCRIPT_EIGHT(F, 2) SCRIPT_EIGHT(F, 3) SCRIPT_EIGHT(F, 4) SCRIPT_EIGHT(F, 5)
HY_RECORD(script_wide, SCRIPT_WIDE)

enum { SCRIPT_ORDERED, SCRIPT_HASHED, SCRIPT_WIDES };
enum { SCRIPT_ROWS_MAX = 4 }; // of the first two
enum { SCRIPT_DO, SCRIPT_DONE, SCRIPT_RANG };
enum { SCRIPT_TELL, SCRIPT_PAY };
enum { SCRIPT_NO = 1 };

typedef struct script_settings {
    hy_err (*step)(hy_txn *txn, const hy_input *input);
    int64_t number; // for the step, and from it
} script_settings;
extern script_settings script; // of the one test that runs

extern const hy_machine script_machine;

// One state and the outcome of its last input.
typedef struct scripted {
    hy_state *state;
    hy_outcome outcome;
} scripted;
void scripted_deinit(scripted *s);
hy_err scripted_init(hy_mem *mem, const hy_state_options *options, scripted *s);
// Runs `step` as the next seq, for an input of kind SCRIPT_DO without a key.
hy_err scripted_do(scripted *s, hy_err (*step)(hy_txn *txn, const hy_input *input));
hy_err scripted_send(scripted *s, uint32_t kind, uint64_t action_id, hy_bytes key,
                     hy_err (*step)(hy_txn *txn, const hy_input *input));
const script_item *scripted_item(const scripted *s, uint32_t table, uint64_t id);

#endif
