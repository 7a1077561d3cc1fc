// 01_hello.c - a counter that survives: every run adds one, whatever ended the run before.
//
// Also the program in README.md, word for word: a record, a table, an input, a pure step, and a
// host that keeps them in hello.db. The step sees nothing but rows and input, and what it answers
// leaves only when it is durable.

#include <hypha/hypha.h>
#include <stdio.h>

#define COUNTER(F) F(1, u32, id) F(2, u64, value)
HY_RECORD(counter, COUNTER)
HY_RECORD_DEFINE(counter, COUNTER)

static hy_err step(hy_txn *txn, const hy_input *input) {
    counter *row = hy_row_update(txn, 0, &(counter){ .id = input->kind });
    if (row == NULL) row = hy_row_insert(txn, 0, &(counter){ .id = input->kind });
    if (row != NULL) row->value += 1;
    return row == NULL ? hy_txn_failed(txn) : hy_reply(txn, row);
}
static const hy_table table = { .name = "counter", .row = &counter_record, .key_count = 1 };
static const hy_input_kind count = { .name = "count", .reply = &counter_record };
static const hy_machine hello = { "hello", 1, &table, 1, &count, 1, .step = step };
int main(void) {
    hy_host *host = NULL;
    counter now = { 0 };
    hy_err err = hy_host_open_file("hello.db", &hello, &host, NULL);
    if (err == HY_OK) err = hy_host_call(host, &(hy_call){ .kind = 0 }); // returns when durable
    if (err == HY_OK) err = hy_host_reply(host, &now);
    printf("%s: run number %llu\n", hy_err_text(err), (unsigned long long)now.value);
    return (int)hy_host_finish(host);
}
