// 04_pipeline.c - three stages, two bounded channels: the slowest one sets the pace.
//
// The reader could make numbers for ever; it never has more than four waiting, because a full
// channel makes the sender wait. That is all there is to back-pressure. Closing a channel says that
// no more will come: the next stage takes what is left and ends, and so the whole pipeline drains.

#include <hypha/scope.h>
#include <stdio.h>

#define NUMBERS 1000u

static hy_chan *numbers, *squares;
static uint32_t most_waiting;

static hy_err read_numbers(void *unused) {
    (void)unused;
    hy_err err = HY_OK;
    for (uint32_t i = 1; i <= NUMBERS && err == HY_OK; i++) {
        err = hy_send(numbers, &i);
        uint32_t waiting = hy_chan_state_of(numbers).count;
        if (waiting > most_waiting) most_waiting = waiting;
    }
    hy_chan_close(numbers);
    return err;
}

static hy_err square(void *unused) {
    (void)unused;
    uint32_t number;
    hy_err err;
    while ((err = hy_recv(numbers, &number)) == HY_OK) {
        uint64_t result = (uint64_t)number * number;
        err = hy_send(squares, &result);
        if (err != HY_OK) break;
    }
    hy_chan_close(squares);
    return err == HY_END ? HY_OK : err;
}

static hy_err add_up(void *arg) {
    uint64_t *sum = arg, value;
    hy_err err;
    while ((err = hy_recv(squares, &value)) == HY_OK) {
        *sum += value;
        if (value % 100 == 0) err = hy_sleep(HY_US(50)); // the slow stage
        if (err != HY_OK) break;
    }
    return err == HY_END ? HY_OK : err;
}

static hy_err pipeline(void *unused) {
    (void)unused;
    uint64_t sum = 0;
    hy_err err = HY_OK;
    HY_SCOPE(scope, &err, .name = "pipeline", .timeout = HY_SECONDS(30)) {
        err = hy_chan_open(scope, sizeof(uint32_t), 4, NULL, &numbers);
        if (err == HY_OK) err = hy_chan_open(scope, sizeof(uint64_t), 4, NULL, &squares);
        if (err == HY_OK) err = hy_spawn(scope, read_numbers, NULL, NULL, NULL);
        if (err == HY_OK) err = hy_spawn(scope, square, NULL, NULL, NULL);
        if (err == HY_OK) err = hy_spawn(scope, add_up, &sum, NULL, NULL);
        if (err != HY_OK) break;
    }
    printf("%s: the squares of 1 to %u add up to %llu\n", hy_err_text(err), NUMBERS,
           (unsigned long long)sum);
    printf("never more than %u numbers waited\n", most_waiting);
    return err;
}

int main(void) {
    hy_world *world = NULL;
    hy_err err = hy_world_open(NULL, &world);
    if (err == HY_OK) err = hy_root_run(world, NULL, pipeline, NULL);
    hy_world_close(world);
    return (int)err;
}
