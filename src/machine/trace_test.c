// trace_test.c - a story of the bank, told step by step, that may never change by itself.
//
// Entries, digests and chains are stored: a program of next year must read and repeat those of this
// year. test/golden/machine/bank.trace holds what the bank said, with the bytes of every journal
// entry. If this test fails and the change was meant, stores in the field need a way over it.

#include "kit/kit.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "machine/bank_suite.h"

typedef struct trace {
    hy_state *state, *loaded, *replayed;
    hy_buf text;
    hy_arena arena;
} trace;

static void trace_deinit(trace *t) {
    t->state = hy_state_free(t->state);
    t->loaded = hy_state_free(t->loaded);
    t->replayed = hy_state_free(t->replayed);
    hy_buf_deinit(&t->text);
    hy_arena_deinit(&t->arena);
}

static HY_PRINTF(2, 3) void trace_say(trace *t, const char *format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    CHECK(len >= 0 && (size_t)len < sizeof line);
    hy_buf_add(&t->text, line, (size_t)len);
}

static void trace_hex(trace *t, const char *what, hy_bytes bytes) {
    if (bytes.len == 0) return;
    trace_say(t, "    %s", what);
    for (size_t i = 0; i < bytes.len; i++) {
        trace_say(t, "%s%02x", i % 32 == 0 ? (i == 0 ? " " : "\n          ") : "", bytes.ptr[i]);
    }
    trace_say(t, "\n");
}

static void trace_outcome(trace *t, const hy_outcome *out) {
    if (out->err == HY_REJECT) {
        trace_say(t, " -> %s", bank_machine.rejections[out->rejection].name);
    } else {
        trace_say(t, " -> %s", hy_err_name(out->err));
    }
    trace_say(t, "%s", out->duplicate ? ", as before" : "");
    if (out->invariant != NULL) trace_say(t, ", %s", out->invariant);
    trace_say(t, "\n");
    trace_hex(t, "reply", out->reply);
    for (uint32_t i = 0; i < out->action_count; i++) {
        const hy_action *a = &out->actions[i];
        trace_say(t, "    action %llu: %s%s", (unsigned long long)a->id,
                  a->due != 0 ? bank_machine.inputs[a->kind].name
                              : bank_machine.actions[a->kind].name,
                  a->tracked ? "" : " (untracked)");
        if (a->due != 0) trace_say(t, " at %lld", (long long)a->due);
        trace_say(t, "\n");
        trace_hex(t, "body ", a->body);
    }
    trace_hex(t, "entry", out->entry);
}

// What was stored must also load and replay.
static hy_err trace_follow(trace *t, hy_bytes bytes) {
    hy_why why = { 0 };
    hy_entry entry = { 0 };
    hy_err err = hy_state_load_entry(t->loaded, bytes, &why);
    if (err == HY_OK) err = hy_entry_decode(bytes, &t->arena, &entry, &why);
    if (err == HY_OK) err = hy_state_replay(t->replayed, &entry, &why);
    if (err != HY_OK && err != HY_NOMEM) kit_fail(why.place, 0, "%s", why.text);
    CHECK(err != HY_OK || hy_state_chain(t->replayed) == hy_state_chain(t->state));
    CHECK(err != HY_OK || hy_state_digest(t->loaded) == hy_state_digest(t->state));
    return err;
}

static hy_err trace_send(trace *t, const char *said, uint32_t kind, const void *body,
                         uint64_t action_id, const char *key) {
    hy_outcome outcome;
    hy_input input = { .seq = hy_state_seq(t->state) + 1,
                       .now = HY_SECONDS(1700000000),
                       .random = 42,
                       .kind = kind,
                       .body = body,
                       .action_id = action_id };
    if (key != NULL) input.key = hy_bytes_of(key);
    trace_say(t, "%llu %s", (unsigned long long)input.seq, said);
    if (key != NULL) trace_say(t, " [%s]", key);
    hy_err err = hy_state_step(t->state, &input, &outcome);
    if (err == HY_NOMEM) return err;
    trace_outcome(t, &outcome);
    trace_say(t, "    seq %llu digest %016llx chain %016llx\n",
              (unsigned long long)hy_state_seq(t->state),
              (unsigned long long)hy_state_digest(t->state),
              (unsigned long long)hy_state_chain(t->state));
    return outcome.entry.len > 0 ? trace_follow(t, outcome.entry) : HY_OK;
}

#define SAY(said, kind, action, key, type, ...)                                                    \
    CHECK_OK(trace_send(t, said, BANK_IN_##kind, &(type){ __VA_ARGS__ }, action, key))

static hy_err trace_accounts(trace *t) {
    SAY("open ann 100", OPEN, 0, NULL, bank_open, HY_BYTES("ann"), 100);
    SAY("open bob 50", OPEN, 0, "bob-1", bank_open, HY_BYTES("bob"), 50);
    SAY("open bob 50", OPEN, 0, "bob-1", bank_open, HY_BYTES("bob"), 50);
    SAY("open bob 60", OPEN, 0, "bob-1", bank_open, HY_BYTES("bob"), 60);
    SAY("transfer 1 to 2: 30", TRANSFER, 0, NULL, bank_transfer, 1, 2, 30);
    SAY("transfer 1 to 2: 300", TRANSFER, 0, NULL, bank_transfer, 1, 2, 300);
    SAY("transfer 1 to 2: 300", TRANSFER, 0, "poor-1", bank_transfer, 1, 2, 300);
    SAY("transfer 1 to 2: 300", TRANSFER, 0, "poor-1", bank_transfer, 1, 2, 300);
    SAY("rename 2 to Robert", RENAME, 0, NULL, bank_rename, 2, HY_BYTES("Robert"));
    SAY("rename 2 to nobody", RENAME, 0, NULL, bank_rename, 2, HY_BYTES(""));
    SAY("make money", MISBEHAVE, 0, NULL, bank_misbehave, BANK_MAKE_MONEY);
    SAY("shout", MISBEHAVE, 0, NULL, bank_misbehave, BANK_BREAK_REPORTING);
    return HY_OK;
}

static hy_err trace_actions(trace *t) {
    SAY("pay out 20 of 1", PAY_OUT, 0, NULL, bank_pay_out, 1, 20);
    SAY("pay out 10 of 2", PAY_OUT, 0, "pay-2", bank_pay_out, 2, 10);
    SAY("close 1", CLOSE, 0, NULL, bank_close, 1);
    SAY("paid 1", PAID, 1, NULL, bank_paid, true);
    SAY("paid 1, late: no", PAID, 1, NULL, bank_paid, false);
    SAY("paid 3: no", PAID, 3, NULL, bank_paid, false);
    SAY("paid 9", PAID, 9, NULL, bank_paid, true);
    SAY("remind 1 after 5000", REMIND, 0, NULL, bank_remind, 1, 5000);
    SAY("reminded of 1", REMINDED, 5, NULL, bank_remind, 1, 0);
    SAY("remind 2 after 1", REMIND, 0, NULL, bank_remind, 2, 1);
    SAY("transfer 2 to 1: 80", TRANSFER, 0, NULL, bank_transfer, 2, 1, 80);
    SAY("close 2", CLOSE, 0, NULL, bank_close, 2);
    SAY("reminded of 2, who is gone", REMINDED, 6, NULL, bank_remind, 2, 0);
    SAY("halt", MISBEHAVE, 0, NULL, bank_misbehave, BANK_BREAK_HALTING);
    SAY("open eve 1", OPEN, 0, NULL, bank_open, HY_BYTES("eve"), 1);
    return HY_OK;
}

static hy_err the_bank_says_what_it_always_said(hy_mem *mem) {
    HY_CLEANUP(trace_deinit) trace t = { 0 };
    hy_buf_init(&t.text, kit_heap(), 0);
    hy_arena_init(&t.arena, kit_heap(), 0);
    CHECK_OK(hy_state_new(mem, &bank_machine, HY_OPTIONS(hy_state, .record_entries = true),
                          &t.state, NULL));
    CHECK_OK(hy_state_new(mem, &bank_machine, NULL, &t.loaded, NULL));
    CHECK_OK(hy_state_new(mem, &bank_machine, NULL, &t.replayed, NULL));
    CHECK_OK(trace_accounts(&t));
    CHECK_OK(trace_actions(&t));
    kit_golden("machine/bank.trace", hy_buf_bytes(&t.text));
    return HY_OK;
}

KIT_TESTS(KIT_TEST(the_bank_says_what_it_always_said))
