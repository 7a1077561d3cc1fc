// traffic.h - who walks into the dentist's: the stream of operations, drawn from one seed.
//
// `replica` draws exactly as the golden vectors were made. `live` adds cancelling and 64 practices,
// so that most operations change something and the calendars breathe.
#ifndef HYPHA_BENCH_TRAFFIC_H
#define HYPHA_BENCH_TRAFFIC_H

#include <stdbool.h>

#include "base/rng.h"
#include "bench/dentist.h"

enum { TRAFFIC_DAYS_MAX = 4, TRAFFIC_RANGES_MAX = 2, TRAFFIC_PRACTICES = 64 };

typedef struct traffic_waiting {
    uint64_t request, action;
    uint8_t treatment;
} traffic_waiting;

// Requests without an answer yet, or confirmed ones that may be cancelled.
typedef struct traffic_list {
    traffic_waiting *items;
    size_t count, capacity;
} traffic_list;

typedef struct traffic {
    hyi_rng rng;
    bool live;
    uint64_t next_user;
    traffic_list waiting, confirmed, releases;
    uint64_t ops, bookings, conflicts, payment_failures, changes;
    char name[32], email[48]; // of the next user; `digits` of the number
    size_t digits;
} traffic;

// One operation, whole: `input.body` points into it, so it stays where it is until it is over.
typedef struct traffic_op {
    hy_input input;
    traffic_waiting target; // of a completion or cancel
    union {
        dentist_request_slot slot;
        dentist_request_auto automatic;
        dentist_paid paid;
        dentist_release release;
        dentist_cancel cancel;
    } body;
    uint8_t days[TRAFFIC_DAYS_MAX];
    dentist_range ranges[TRAFFIC_RANGES_MAX];
    char name[32], email[48];
} traffic_op;

void traffic_init(traffic *t, uint64_t seed, bool live);
void traffic_deinit(traffic *t);

// Draws the next operation; seq, now and random of its input are the caller's.
void traffic_draw(traffic *t, traffic_op *op);

// Tells how it ended: what was drawn becomes outstanding, booked or counted.
void traffic_learn(traffic *t, const traffic_op *op, hy_err err, hy_bytes reply);

#endif
