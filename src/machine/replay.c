// replay.c - steps a journal entry's input again and holds the result against the entry.
//
// The proof that recovery, which only copies rows, and the machine, which computes them, agree. The
// first difference is named by kind: the answer, the reply, the state or the actions; which rows
// differ is the caller's to print, who has both states.

#include "machine/state.h"

#include "base/why.h"

static hy_err replay_decode_body(hy_state *state, const hy_entry *entry, hy_arena *arena,
                                 hy_input *input, hy_why *why) {
    if (entry->kind >= state->machine->input_count) {
        return hyi_why_fmt(why, HY_UNKNOWN_KIND, "kind",
                           "entry %u is an input of kind %u: not known", entry->seq,
                           (uint64_t)entry->kind);
    }
    const hy_record *record = state->machine->inputs[entry->kind].body;
    if (record == NULL) return HY_OK;
    void *body = hy_arena_alloc(arena, record->size);
    if (body == NULL) return HY_NOMEM;
    input->body = body;
    return hy_wire_decode(record, entry->body, arena, body, why);
}

static hy_err replay_compare(const hy_state *state, const hy_entry *entry,
                             const hy_outcome *outcome, hy_why *why) {
    if ((uint32_t)outcome->err != entry->err || outcome->rejection != entry->rejection) {
        return hyi_why_fmt(why, HY_NONDETERMINISTIC, "answer", "entry %u was answered %s, now %s",
                           entry->seq, hy_err_name((hy_err)entry->err), hy_err_name(outcome->err));
    }
    if (!hy_bytes_equal(outcome->reply, entry->reply)) {
        return hyi_why_fmt(why, HY_NONDETERMINISTIC, "reply", "entry %u got another reply",
                           entry->seq);
    }
    if (outcome->digest != entry->digest) {
        return hyi_why_fmt(why, HY_NONDETERMINISTIC, "digest",
                           "after entry %u the digest is %x, it was %x", entry->seq,
                           outcome->digest, entry->digest);
    }
    if (hy_state_chain(state) != entry->chain) {
        return hyi_why_fmt(why, HY_NONDETERMINISTIC, "actions",
                           "entry %u emitted other actions than it did", entry->seq);
    }
    return HY_OK;
}

hy_err hy_state_replay(hy_state *state, const hy_entry *entry, hy_why *why) {
    if (entry->seq <= state->seq) {
        return hyi_why_fmt(why, HY_CORRUPT, "seq", "entry %u comes after entry %u", entry->seq,
                           state->seq);
    }
    hy_arena arena;
    hy_arena_init(&arena, state->mem, 0);
    hy_input input = { .seq = entry->seq,
                       .key = entry->key,
                       .now = entry->now,
                       .random = entry->random,
                       .kind = entry->kind,
                       .action_id = entry->action_id };
    hy_err err = replay_decode_body(state, entry, &arena, &input, why);
    if (err == HY_OK) {
        hy_outcome outcome;
        err = hy_state_step(state, &input, &outcome);
        if (err != HY_NOMEM) err = replay_compare(state, entry, &outcome, why);
    }
    hy_arena_deinit(&arena);
    return err;
}
