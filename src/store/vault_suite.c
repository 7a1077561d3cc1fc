// vault_suite.c - see the header.
//
// The step writes values that SQLite would change if it were let: NaN, negative zero, the highest
// bit of a u64, text with zero bytes, an enum number without a label, empty against unset.
#include "store/vault_suite.h"

#include "base/digest.h"
#include "base/memory.h"

HY_ENUM_DEFINE(vault_state, VAULT_STATE)
HY_RECORD_DEFINE(vault_place, VAULT_PLACE)
HY_RECORD_DEFINE(vault_box, VAULT_BOX)
HY_RECORD_DEFINE(vault_move, VAULT_MOVE)
HY_RECORD_DEFINE(vault_book, VAULT_BOOK)
HY_RECORD_DEFINE(vault_put, VAULT_PUT)
HY_RECORD_DEFINE(vault_wide_box, VAULT_WIDE_BOX)
HY_RECORD_DEFINE(vault_new_box, VAULT_NEW_BOX)
HY_RECORD_DEFINE(vault_renamed_box, VAULT_RENAMED_BOX)

// ---- the step -----------------------------------------------------------------------------------

static double vault_rate(uint64_t random) {
    switch (random % 5) {
    case 0: return -0.0;
    case 1: return __builtin_nan("0x42");
    case 2: return -__builtin_inf();
    case 3: return 3.0;
    default: return 0.1 * (double)(random >> 40);
    }
}

static void vault_fill(hy_txn *txn, vault_box *box, const vault_put *in) {
    uint64_t random = hy_txn_random(txn);
    box->cents += in->cents;
    box->state = (uint32_t[]){ VAULT_OPEN, VAULT_FROZEN, VAULT_GONE, 99 }[random % 4];
    box->rate = vault_rate(random >> 8);
    box->token = (hy_id){ random, hy_txn_random(txn) };
    box->place = (vault_place){ (uint16_t)random, (int8_t)(random >> 16) };
    box->limit.has = random >> 32 & 1;
    box->limit.value = box->limit.has ? (int32_t)(random >> 33) : 0;
    box->locked = random >> 34 & 1;
    box->mask = hy_txn_random(txn);
}

static hy_err vault_step_box(hy_txn *txn, const vault_put *in) {
    vault_box *box = hy_row_update(txn, VAULT_BOXES, &(vault_box){ .number = in->box });
    if (box == NULL) {
        // The wider machine copies more than a vault_box; in front the two are the same.
        box = hy_row_insert(txn, VAULT_BOXES,
                            &(vault_wide_box){ .number = in->box, .owner = in->word });
    }
    if (box == NULL) return hy_txn_failed(txn);
    vault_fill(txn, box, in);
    uint8_t stamp[3] = { 0, 0xff, (uint8_t)hy_txn_random(txn) };
    hy_row_set_bytes(txn, VAULT_BOXES, box, offsetof(vault_box, stamp),
                     (hy_bytes){ stamp, stamp[2] % 4 });
    if (stamp[2] % 3 == 0) return HY_OK;
    box->note.has = true;
    hy_row_set_bytes(txn, VAULT_BOXES, box, offsetof(vault_box, note.value), in->word);
    return HY_OK;
}

static hy_err vault_step_move(hy_txn *txn, const vault_put *in) {
    const hy_view *view = hy_txn_view(txn);
    vault_box *box = hy_row_update(txn, VAULT_BOXES, &(vault_box){ .number = in->box });
    if (box == NULL) return hy_reject(txn, 1);
    box->cents += in->cents;
    uint32_t nth = 0;
    while (hy_row_get(view, VAULT_MOVES, &(vault_move){ .box = in->box, .nth = nth }) != NULL) {
        nth++;
    }
    hy_row_insert(txn, VAULT_MOVES,
                  &(vault_move){ .box = in->box, .nth = nth, .cents = in->cents });
    return HY_OK;
}

static hy_err vault_step_drop(hy_txn *txn, const vault_put *in) {
    if (!hy_row_delete(txn, VAULT_BOXES, &(vault_box){ .number = in->box })) {
        return hy_reject(txn, 1);
    }
    for (uint32_t nth = 0;
         hy_row_delete(txn, VAULT_MOVES, &(vault_move){ .box = in->box, .nth = nth }); nth++) {
    }
    return HY_OK;
}

static hy_err vault_step_kind(hy_txn *txn, const hy_input *input) {
    switch (input->kind) {
    case VAULT_IN_BOX: return vault_step_box(txn, input->body);
    case VAULT_IN_MOVE: return vault_step_move(txn, input->body);
    case VAULT_IN_DROP: return vault_step_drop(txn, input->body);
    case VAULT_IN_PAY:
        hy_action_emit(txn, 0, input->body);
        hy_action_emit(txn, 1, input->body);
        return hy_reply(txn, input->body);
    case VAULT_IN_RING:
        hy_action_at(txn, VAULT_IN_RANG, input->now + HY_SECONDS(5), input->body);
        return HY_OK;
    default: return HY_OK;
    }
}

static hy_err vault_step(hy_txn *txn, const hy_input *input) {
    vault_book *book = hy_row_update(txn, VAULT_BOOKS, &(vault_book){ .key = 0 });
    if (book == NULL) book = hy_row_insert(txn, VAULT_BOOKS, &(vault_book){ .key = 0 });
    if (book == NULL) return hy_txn_failed(txn);
    book->steps++;
    return vault_step_kind(txn, input);
}

// ---- the machines -------------------------------------------------------------------------------

#define VAULT_TABLE(name_, row_, keys_)                                                            \
    { .name = (name_), .row = &row_##_record, .key_count = (keys_), .ordered = true }

static const hy_table vault_tables[] = {
    VAULT_TABLE("box", vault_box, 1),
    VAULT_TABLE("move", vault_move, 2),
    VAULT_TABLE("book", vault_book, 1),
};
static const hy_table vault_wider_tables[] = {
    VAULT_TABLE("box", vault_wide_box, 1),
    VAULT_TABLE("move", vault_move, 2),
    VAULT_TABLE("book", vault_book, 1),
    VAULT_TABLE("visit", vault_move, 2),
};
static const hy_table vault_new_tables[] = {
    VAULT_TABLE("box", vault_new_box, 1),
    VAULT_TABLE("move", vault_move, 2),
    VAULT_TABLE("book", vault_book, 1),
};
static const hy_table vault_renamed_tables[] = {
    VAULT_TABLE("box", vault_renamed_box, 1),
    VAULT_TABLE("move", vault_move, 2),
    VAULT_TABLE("book", vault_book, 1),
};
static const hy_table vault_shuffled_tables[] = {
    VAULT_TABLE("move", vault_move, 2),
    VAULT_TABLE("box", vault_box, 1),
    VAULT_TABLE("book", vault_book, 1),
};

#define VAULT_RETYPED(F) F(1, u64, number) F(2, str, cents)
HY_RECORD(vault_retyped_box, VAULT_RETYPED)
HY_RECORD_DEFINE(vault_retyped_box, VAULT_RETYPED)
static const hy_table vault_retyped_tables[] = {
    VAULT_TABLE("box", vault_retyped_box, 1),
    VAULT_TABLE("move", vault_move, 2),
    VAULT_TABLE("book", vault_book, 1),
};

#define VAULT_RESERVED(F) F(1, u64, number) F(2, u64, machine)
HY_RECORD(vault_reserved_box, VAULT_RESERVED)
HY_RECORD_DEFINE(vault_reserved_box, VAULT_RESERVED)
static const hy_table vault_reserved_tables[] = { VAULT_TABLE("cell", vault_reserved_box, 1) };

static const hy_input_kind vault_inputs[] = {
    [VAULT_IN_BOX] = { "box", &vault_put_record, NULL, false },
    [VAULT_IN_MOVE] = { "move", &vault_put_record, NULL, false },
    [VAULT_IN_DROP] = { "drop", &vault_put_record, NULL, false },
    [VAULT_IN_PAY] = { "pay", &vault_put_record, &vault_put_record, false },
    [VAULT_IN_PAID] = { "paid", NULL, NULL, true },
    [VAULT_IN_RING] = { "ring", &vault_put_record, NULL, false },
    [VAULT_IN_RANG] = { "rang", &vault_put_record, NULL, true },
    { "look", NULL, NULL, false }, // the wider machine's
};
static const hy_action_kind vault_actions[] = {
    { "pay", &vault_put_record, true, VAULT_IN_PAID },
    { "tell", &vault_put_record, false, 0 },
};
static const hy_rejection vault_rejections[] = {
    { NULL, NULL, 0 },
    { "NO_BOX", "there is no such box", 404 },
};

static hy_err vault_migrate(const void *old_row, void *out_row, hy_arena *arena) {
    const vault_box *old = old_row;
    vault_new_box *now = out_row;
    bool ok = true;
    if (old->cents == 0) return HY_END;
    now->number = old->number + 1000;
    now->owner = old->owner;
    now->amount = hy_arena_copy(arena, old->cents > 0 ? HY_BYTES("some") : HY_BYTES("debt"), &ok);
    return ok ? HY_OK : HY_NOMEM;
}

static hy_err vault_migrate_to_one(const void *old_row, void *out_row, hy_arena *arena) {
    (void)old_row, (void)arena;
    ((vault_new_box *)out_row)->number = 1;
    return HY_OK;
}

static hy_err vault_migrate_badly(const void *old_row, void *out_row, hy_arena *arena) {
    (void)old_row, (void)out_row, (void)arena;
    return HY_RANGE;
}

#define VAULT_MIGRATION(fn)                                                                        \
    { VAULT_BOXES, 1, &vault_box_record, (fn) }
static const hy_migration vault_migrations[] = { VAULT_MIGRATION(vault_migrate) };
static const hy_migration vault_to_one[] = { VAULT_MIGRATION(vault_migrate_to_one) };
static const hy_migration vault_badly[] = { VAULT_MIGRATION(vault_migrate_badly) };

#define VAULT_MACHINE(name_, version_, tables_, inputs_, ...)                                      \
    {                                                                                              \
        .name = (name_), .version = (version_), .tables = (tables_),                               \
        .table_count = HY_COUNT_OF(tables_), .inputs = vault_inputs, .input_count = (inputs_),     \
        .actions = vault_actions, .action_count = HY_COUNT_OF(vault_actions),                      \
        .rejections = vault_rejections, .rejection_count = HY_COUNT_OF(vault_rejections),          \
        .step = vault_step, __VA_ARGS__                                                            \
    }

const hy_machine vault_machine = VAULT_MACHINE("vault", 1, vault_tables, 7, .migrations = NULL);
const hy_machine vault_other = VAULT_MACHINE("other", 1, vault_tables, 7, .migrations = NULL);
const hy_machine vault_wider = VAULT_MACHINE("vault", 1, vault_wider_tables, 8, .migrations = NULL);
const hy_machine vault_renamed =
    VAULT_MACHINE("vault", 1, vault_renamed_tables, 7, .migrations = NULL);
const hy_machine vault_migrated = VAULT_MACHINE(
    "vault", 2, vault_new_tables, 7, .migrations = vault_migrations, .migration_count = 1);
const hy_machine vault_colliding = VAULT_MACHINE("vault", 2, vault_new_tables, 7,
                                                 .migrations = vault_to_one, .migration_count = 1);
const hy_machine vault_failing =
    VAULT_MACHINE("vault", 2, vault_new_tables, 7, .migrations = vault_badly, .migration_count = 1);
const hy_machine vault_retyped =
    VAULT_MACHINE("vault", 1, vault_retyped_tables, 7, .migrations = NULL);
const hy_machine vault_shuffled =
    VAULT_MACHINE("vault", 1, vault_shuffled_tables, 7, .migrations = NULL);
const hy_machine vault_reserved =
    VAULT_MACHINE("reserved", 1, vault_reserved_tables, 7, .migrations = NULL);

// ---- the run ------------------------------------------------------------------------------------

static const uint32_t vault_mix[] = { VAULT_IN_BOX,  VAULT_IN_MOVE, VAULT_IN_BOX,  VAULT_IN_MOVE,
                                      VAULT_IN_MOVE, VAULT_IN_PAY,  VAULT_IN_RING, VAULT_IN_DROP };

void vault_draw_input(uint64_t seed, uint64_t n, vault_draw *out_draw) {
    uint64_t of[2] = { seed, n }, random = hyi_digest(0, of, sizeof of);
    vault_draw draw = { .kind = vault_mix[random % HY_COUNT_OF(vault_mix)] };
    draw.body.box = 1 + (random >> 8) % 12;
    draw.body.cents = (int64_t)((random >> 16) % 401) - 200;
    draw.has_key = (random >> 32) % 4 == 0;
    size_t len = (random >> 40) % (sizeof draw.word - 20);
    for (size_t i = 0; i < 20 + len; i++) { // a text with zero bytes and two-byte letters in it
        draw.word[i] = (char)(i < 16 ? 'a' + (int)(random >> (4 * (i % 16)) & 15) : 'z');
    }
    memcpy(draw.word + 16, "\xc3\xa4\0", 3);
    draw.body.word = (hy_text){ (const uint8_t *)draw.word, 20 + len };
    *out_draw = draw;
    out_draw->body.word.ptr = (const uint8_t *)out_draw->word;
}
