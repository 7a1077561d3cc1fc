// answer.c - the memory of idempotency keys.
//
// An input with a key is answered once; the same key again gets the same answer, whatever happened
// in between, restarts included. Two tables: answers by key, and their order, so that the oldest is
// forgotten when there are answers_max. A key that comes back with another body is refused:
// somebody made a mistake, and answering either way would hide it.

#include "machine/state.h"

#include "base/digest.h"

const hy_answer_row *hyi_answer_find(const hy_state *state, hy_bytes key) {
    const hy_answer_row *row =
        hy_row_get(hyi_view_of(state), HY_ANSWER, &(hy_answer_row){ .key_id = hy_text_id(key) });
    return row != NULL && hy_bytes_equal(row->key, key) ? row : NULL;
}

uint64_t hyi_answer_body_digest(hy_state *state, const hy_input *input) {
    const hy_record *record = state->machine->inputs[input->kind].body;
    uint64_t digest = hyi_chain(1, input->kind);
    if (record == NULL) return digest;
    hy_buf_clear(&state->scratch);
    if (hy_wire_encode(record, input->body, &state->scratch) != HY_OK) return 0;
    hy_bytes bytes = hy_buf_bytes(&state->scratch);
    return hyi_digest(digest, bytes.ptr, bytes.len);
}

static void answer_forget_oldest(hy_txn *txn) {
    const hy_view *view = hy_txn_view(txn);
    if (hy_row_count(view, HY_ANSWER_ORDER) < txn->state->options.answers_max) return;
    hy_cursor cursor = hy_cursor_at(view, HY_ANSWER_ORDER, NULL);
    const hy_answer_order_row *oldest = hy_cursor_next(&cursor);
    if (oldest == NULL) return;
    hy_answer_order_row order = *oldest;
    hy_row_delete(txn, HY_ANSWER, &(hy_answer_row){ .key_id = order.key_id });
    hy_row_delete(txn, HY_ANSWER_ORDER, &order);
}

void hyi_answer_file(hy_txn *txn, uint64_t body_digest, hy_err err) {
    const hy_input *input = txn->input;
    answer_forget_oldest(txn);
    hy_answer_row answer = { .key_id = hy_text_id(input->key),
                             .seq = input->seq,
                             .body_digest = body_digest,
                             .err = (uint32_t)err,
                             .rejection = txn->rejection,
                             .key = input->key,
                             .reply = txn->reply };
    hy_row_insert(txn, HY_ANSWER, &answer);
    hy_row_insert(txn, HY_ANSWER_ORDER,
                  &(hy_answer_order_row){ .seq = input->seq, .key_id = answer.key_id });
}
