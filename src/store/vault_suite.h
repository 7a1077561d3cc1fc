// vault_suite.h - a small bank whose rows have a column of every kind.     For the tests of this
// room.
//
// Boxes hold money; moves are remembered one by one; the book is a row that every step touches. A
// tracked action and a timer put rows into the ledger, keys put rows among the answers. There are
// several versions of the machine under one name, for evolution.
#ifndef HYI_STORE_VAULT_SUITE_H
#define HYI_STORE_VAULT_SUITE_H

#include <hypha/machine.h>

#define VAULT_STATE(E) E(0, VAULT_OPEN, open) E(1, VAULT_FROZEN, frozen) E(7, VAULT_GONE, gone)
HY_ENUM(vault_state, VAULT_STATE)

#define VAULT_PLACE(F) F(1, u16, floor) F(2, i8, shelf)
HY_RECORD(vault_place, VAULT_PLACE)

#define VAULT_BOX(F)                                                                               \
    F(1, u64, number)                                                                              \
    F(2, i64, cents)                                                                               \
    F(3, str, owner)                                                                               \
    F(4, enm(vault_state), state)                                                                  \
    F(5, opt(str), note)                                                                           \
    F(6, f64, rate)                                                                                \
    F(7, id, token)                                                                                \
    F(8, bytes, stamp)                                                                             \
    F(9, rec(vault_place), place)                                                                  \
    F(10, opt(i32), limit)                                                                         \
    F(11, bool, locked)                                                                            \
    F(12, u64, mask)
HY_RECORD(vault_box, VAULT_BOX)

#define VAULT_MOVE(F)                                                                              \
    F(1, u64, box)                                                                                 \
    F(2, u32, nth)                                                                                 \
    F(3, i64, cents)
HY_RECORD(vault_move, VAULT_MOVE)

#define VAULT_BOOK(F)                                                                              \
    F(1, u8, key)                                                                                  \
    F(2, u64, steps)                                                                               \
    F(3, i64, cents)
HY_RECORD(vault_book, VAULT_BOOK)

enum { VAULT_BOXES, VAULT_MOVES, VAULT_BOOKS };

#define VAULT_PUT(F) F(1, u64, box) F(2, i64, cents) F(3, str, word)
HY_RECORD(vault_put, VAULT_PUT)

// Inputs. BOX makes or changes a box, MOVE adds a move, DROP deletes a box and its moves, PAY emits
// an action, PAID is its completion, RING sets a timer, RANG is its firing.
enum {
    VAULT_IN_BOX,
    VAULT_IN_MOVE,
    VAULT_IN_DROP,
    VAULT_IN_PAY,
    VAULT_IN_PAID,
    VAULT_IN_RING,
    VAULT_IN_RANG,
};

extern const hy_machine vault_machine;   // version 1
extern const hy_machine vault_other;     // the same under another name
extern const hy_machine vault_wider;     // version 1 with a field, a table and an input more
extern const hy_machine vault_renamed;   // version 1, `owner` is called `holder`, `mask` is gone
extern const hy_machine vault_migrated;  // version 2: boxes without cents are dropped, key moves on
extern const hy_machine vault_colliding; // version 2: all boxes get the same key
extern const hy_machine vault_failing;   // version 2: its migration fails
extern const hy_machine vault_retyped;   // version 1: `cents` became text, no migration
extern const hy_machine vault_shuffled;  // version 1: two tables changed places
extern const hy_machine vault_reserved;  // a field has the name of a column of ours

// The wider machine's box, as version 1 and 2 of it have it.
#define VAULT_WIDE_BOX(F) VAULT_BOX(F) F(13, str, colour) F(14, opt(u32), weight) F(15, u32, height)
HY_RECORD(vault_wide_box, VAULT_WIDE_BOX)

// Version 2: a text that says what `cents` said.
#define VAULT_NEW_BOX(F)                                                                           \
    F(1, u64, number)                                                                              \
    F(20, str, amount)                                                                             \
    F(3, str, owner)
HY_RECORD(vault_new_box, VAULT_NEW_BOX)

#define VAULT_RENAMED_BOX(F)                                                                       \
    F(1, u64, number)                                                                              \
    F(2, i64, cents)                                                                               \
    F(3, str, holder)                                                                              \
    F(4, enm(vault_state), state)                                                                  \
    F(5, opt(str), note)                                                                           \
    F(6, f64, rate)                                                                                \
    F(7, id, token)                                                                                \
    F(8, bytes, stamp)                                                                             \
    F(9, rec(vault_place), place)                                                                  \
    F(10, opt(i32), limit)                                                                         \
    F(11, bool, locked)
HY_RECORD(vault_renamed_box, VAULT_RENAMED_BOX)

// The kind and body of the n-th input of a run: a mix that is the same for equal seeds. `word` is
// storage for the body's text.
typedef struct vault_draw {
    uint32_t kind;
    vault_put body;
    char word[48];
    bool has_key; // then `word` is the key too
} vault_draw;
void vault_draw_input(uint64_t seed, uint64_t n, vault_draw *out_draw);

#endif
