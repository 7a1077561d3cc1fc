// traffic.c - the draws, in the order that the golden vectors demand.

#include "bench/traffic.h"

#include <stdlib.h>
#include <string.h>

void traffic_init(traffic *t, uint64_t seed, bool live) {
    memset(t, 0, sizeof *t);
    hyi_rng_init(&t->rng, seed);
    t->live = live;
    t->next_user = 1;
    t->digits = 1;
    memcpy(t->name, "User1", 5);
    memcpy(t->email, "user1@example.com", 17);
}

void traffic_deinit(traffic *t) {
    free(t->waiting.items);
    free(t->confirmed.items);
    free(t->releases.items);
}

static void traffic_push(traffic_list *list, traffic_waiting item) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 1024 : list->capacity * 2;
        list->items = realloc(list->items, list->capacity * sizeof *list->items);
        if (list->items == NULL) abort();
    }
    list->items[list->count++] = item;
}

// By position, keeping the order, as the original does.
static traffic_waiting traffic_take(traffic_list *list, size_t index) {
    traffic_waiting item = list->items[index];
    list->count--;
    memmove(&list->items[index], &list->items[index + 1],
            (list->count - index) * sizeof *list->items);
    return item;
}

// For lists whose order nobody knows: the last one fills the gap.
static traffic_waiting traffic_take_any(traffic_list *list, size_t index) {
    traffic_waiting item = list->items[index];
    list->items[index] = list->items[--list->count];
    return item;
}

// The next user's number, in decimal, in both texts.
static void traffic_count_up(traffic *t) {
    size_t at = t->digits;
    for (; at > 0 && t->name[3 + at] == '9'; at--) {
        t->name[3 + at] = t->email[3 + at] = '0';
    }
    if (at > 0) {
        t->email[3 + at] = ++t->name[3 + at];
        return;
    }
    t->digits++;
    t->name[4] = '1';
    t->name[3 + t->digits] = '0';
    memcpy(t->email + 4, t->name + 4, t->digits);
    memcpy(t->email + 4 + t->digits, "@example.com", 12);
}

// "User<id>", "user<id>@example.com". Users are numbered in a row, so the digits are counted up in
// place instead of being made anew; and after the copy, for wide reads of single bytes just written
// would wait for these to arrive.
static void traffic_name(traffic *t, traffic_op *op, hy_text *out_name, hy_text *out_email) {
    memcpy(op->name, t->name, sizeof op->name);
    memcpy(op->email, t->email, sizeof op->email);
    *out_name = (hy_text){ (const uint8_t *)op->name, 4 + t->digits };
    *out_email = (hy_text){ (const uint8_t *)op->email, 16 + t->digits };
    traffic_count_up(t);
}

// One of from..to-1. The golden vectors spend 64 random bits on a choice and often refuse what they
// drew; the live mix spends 32 and hardly ever does.
static inline uint32_t traffic_choose(traffic *t, uint16_t from, uint32_t to) {
    return t->live ? hyi_rng_u16_in(&t->rng, from, to)
                   : (uint32_t)hyi_rng_usize_in(&t->rng, from, to);
}

// p = 0.85 as the threshold trunc(p * 2^64) of the double nearest to it.
static const uint64_t TRAFFIC_PAYMENT_WORKS = 15679732462653118464u;

static void traffic_complete(traffic *t, traffic_op *op) {
    size_t index = (size_t)hyi_rng_usize_in(&t->rng, 0, t->waiting.count);
    bool worked = hyi_rng_bool(&t->rng, TRAFFIC_PAYMENT_WORKS);
    op->target = t->live ? traffic_take_any(&t->waiting, index) : traffic_take(&t->waiting, index);
    op->body.paid = (dentist_paid){ .request = op->target.request,
                                    .worked = worked,
                                    .cents = dentist_cents[op->target.treatment] };
    op->input = (hy_input){ .kind = DENTIST_IN_PAID, .action_id = op->target.action };
}

static uint16_t traffic_practice(traffic *t) {
    return t->live ? (uint16_t)traffic_choose(t, 0, TRAFFIC_PRACTICES) : 0;
}

static uint16_t traffic_time(traffic *t) {
    uint16_t hour = hyi_rng_u8_in(&t->rng, 9, 17);
    return (uint16_t)(hour * 60 + hyi_rng_u8_in(&t->rng, 0, 4) * 15);
}

static void traffic_request_slot(traffic *t, traffic_op *op) {
    dentist_request_slot *in = &op->body.slot;
    *in = (dentist_request_slot){ .user = t->next_user++ };
    in->practice = traffic_practice(t);
    uint16_t day = (uint16_t)traffic_choose(t, 0, 5);
    in->day_minute = (uint16_t)(day * 1440 + traffic_time(t));
    in->treatment = (uint8_t)traffic_choose(t, 0, 4);
    traffic_name(t, op, &in->name, &in->email);
    op->target = (traffic_waiting){ .treatment = in->treatment };
    op->input = (hy_input){ .kind = DENTIST_IN_SLOT };
}

static void traffic_request_auto(traffic *t, traffic_op *op) {
    dentist_request_auto *in = &op->body.automatic;
    *in = (dentist_request_auto){ .user = t->next_user++ };
    in->practice = traffic_practice(t);
    in->days.len = traffic_choose(t, 1, 4);
    size_t times = traffic_choose(t, 1, 3);
    for (size_t i = 0; i < in->days.len; i++) {
        op->days[i] = (uint8_t)traffic_choose(t, 0, 5);
    }
    for (size_t i = 0; i < times; i++) {
        uint16_t start = traffic_time(t);
        uint16_t end = (uint16_t)(start + hyi_rng_u16_in(&t->rng, 60, 240));
        if (end / 60 < 18) op->ranges[in->ranges.len++] = (dentist_range){ start, end };
    }
    if (in->ranges.len == 0) op->ranges[in->ranges.len++] = (dentist_range){ 9 * 60, 17 * 60 };
    in->days.ptr = op->days;
    in->ranges.ptr = op->ranges;
    in->treatment = (uint8_t)traffic_choose(t, 0, 4);
    traffic_name(t, op, &in->name, &in->email);
    op->target = (traffic_waiting){ .treatment = in->treatment };
    op->input = (hy_input){ .kind = DENTIST_IN_AUTO };
}

static void traffic_cancel(traffic *t, traffic_op *op) {
    size_t index = (size_t)hyi_rng_usize_in(&t->rng, 0, t->confirmed.count);
    op->target = traffic_take_any(&t->confirmed, index);
    op->body.cancel = (dentist_cancel){ .request = op->target.request };
    op->input = (hy_input){ .kind = DENTIST_IN_CANCEL };
}

static void traffic_release(traffic *t, traffic_op *op) {
    op->target = t->releases.items[--t->releases.count];
    op->body.release = (dentist_release){ .request = op->target.request };
    op->input = (hy_input){ .kind = DENTIST_IN_RELEASED, .action_id = op->target.action };
}

static void traffic_draw_live(traffic *t, traffic_op *op) {
    uint32_t o = traffic_choose(t, 0, 100);
    if (t->releases.count > 0) {
        traffic_release(t, op);
    } else if (o < 34 && t->waiting.count > 0) {
        traffic_complete(t, op);
    } else if (o < 60 && t->confirmed.count > 64 * 35) {
        traffic_cancel(t, op);
    } else if (o < 85) {
        traffic_request_slot(t, op);
    } else {
        traffic_request_auto(t, op);
    }
}

void traffic_draw(traffic *t, traffic_op *op) {
    t->ops++;
    if (t->live) {
        traffic_draw_live(t, op);
    } else {
        int32_t o = hyi_rng_i32_in(&t->rng, 0, 100);
        if (o < 40 && t->waiting.count > 0) {
            traffic_complete(t, op);
        } else if (o < 75) {
            traffic_request_slot(t, op);
        } else {
            traffic_request_auto(t, op);
        }
    }
    op->input.body = &op->body;
}

// The reply is { 1: request, 2: action }, two varints that are never zero.
static void traffic_read_reply(hy_bytes reply, traffic_waiting *out) {
    size_t at = 0;
    while (at < reply.len) {
        uint8_t field = reply.ptr[at++] >> 3;
        uint64_t value = 0;
        for (uint32_t shift = 0; at < reply.len; shift += 7) {
            uint8_t byte = reply.ptr[at++];
            value |= (uint64_t)(byte & 0x7f) << shift;
            if (byte < 0x80) break;
        }
        if (field == 1) out->request = value;
        if (field == 2) out->action = value;
    }
}

void traffic_learn(traffic *t, const traffic_op *op, hy_err err, hy_bytes reply) {
    uint32_t kind = op->input.kind;
    traffic_waiting target = op->target;
    t->changes += err == HY_OK;
    if (kind == DENTIST_IN_SLOT || kind == DENTIST_IN_AUTO) {
        t->conflicts += err != HY_OK;
        if (err != HY_OK) return;
        traffic_read_reply(reply, &target);
        traffic_push(&t->waiting, target);
    } else if (kind == DENTIST_IN_PAID) {
        t->payment_failures += !op->body.paid.worked;
        if (!op->body.paid.worked || err != HY_OK) return;
        bool taken = reply.len > 0; // by somebody faster; the money goes back
        t->bookings += !taken;
        if (!t->live) return;
        if (taken) traffic_read_reply(reply, &target);
        traffic_push(taken ? &t->releases : &t->confirmed, target);
    }
}
