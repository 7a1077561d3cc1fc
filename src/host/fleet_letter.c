// fleet_letter.c - calls and looks that go to a machine on another thread, and come back.
//
//     asker's thread --post--> part's thread: submit, step, commit, done --post--> asker's thread
//
// A letter holds a call of its own, so that the asker's is touched by one thread only, and a copy
// of the reply, which the machine lends during `done` alone. The body of the call is read where the
// machine is; it is the asker's until the answer, as always. Everything that a part refuses comes
// as an answer, because the asker's call has returned long ago.
#include "host/fleet.h"

#include <string.h>

#include "store/driver.h"

typedef struct letter {
    hy_post post;    // first member
    hyi_carry carry; // second
    hy_fleet *fleet;
    hy_world *back;
    hy_call call;   // what the machine is given
    hy_call *their; // NULL: a look
    hy_look look;
    hy_look *their_look;
    bool completes;
    uint64_t action_id;
    hy_buf reply;
    uint32_t key_len;
    char key[HY_INSTANCE_KEY_MAX];
} letter;

static void letter_free(hyi_carry *carry) {
    letter *l = (letter *)(void *)((uint8_t *)carry - offsetof(letter, carry));
    hy_buf_deinit(&l->reply);
    hy_mem_free(l->fleet->mem, l, sizeof *l);
}

static void letter_home(hy_post *post) {
    letter *l = (letter *)post;
    hy_fleet *fleet = l->fleet;
    hyi_carry_end(fleet, &l->carry);
    if (l->their != NULL) {
        hy_call *their = l->their;
        their->err = l->call.err;
        their->rejection = l->call.rejection;
        their->duplicate = l->call.duplicate;
        their->seq = l->call.seq;
        their->invariant = l->call.invariant;
        their->reply = hy_buf_bytes(&l->reply);
        their->done(their);
    } else {
        l->their_look->err = l->look.err;
        l->their_look->done(l->their_look);
    }
    letter_free(&l->carry);
    hyi_carry_is_over(fleet);
}

static void letter_send_back(letter *l) {
    l->post.done = letter_home;
    hy_world_post(l->back, &l->post);
}

static void letter_answered(hy_call *call) {
    letter *l = (letter *)(void *)((uint8_t *)call - offsetof(letter, call));
    hy_buf_add(&l->reply, call->reply.ptr, call->reply.len);
    if (l->reply.failed != HY_OK) call->err = HY_NOMEM; // the call was answered, seq is its step
    letter_send_back(l);
}

static void letter_looks(hy_look *look, const hy_view *view) {
    letter *l = (letter *)(void *)((uint8_t *)look - offsetof(letter, look));
    l->their_look->seq = look->seq;
    l->their_look->look(l->their_look, view);
}

static void letter_seen(hy_look *look) {
    letter_send_back((letter *)(void *)((uint8_t *)look - offsetof(letter, look)));
}

static void letter_arrives(hy_post *post) {
    letter *l = (letter *)post;
    const hy_bytes key = { (const uint8_t *)l->key, l->key_len };
    hyi_part *part = hyi_fleet_part(l->fleet, key);
    hy_err err;
    if (l->their == NULL) {
        err = l->look.err = hyi_part_look(part, key, &l->look);
    } else if (l->completes) {
        err = l->call.err = hyi_part_complete(part, key, l->action_id, &l->call);
    } else {
        err = l->call.err = hyi_part_submit(part, key, &l->call);
    }
    if (err != HY_OK) letter_send_back(l);
}

static hy_err letter_new(hy_fleet *fleet, hy_bytes key, hy_world *back, letter **out_letter) {
    hy_err err = hyi_instance_key_check(key, NULL);
    if (err != HY_OK || key.len == 0) return err != HY_OK ? err : HY_MALFORMED;
    letter *l = hy_mem_alloc_zero(fleet->mem, sizeof *l);
    if (l == NULL) return HY_NOMEM;
    l->fleet = fleet;
    l->back = back;
    l->key_len = (uint32_t)key.len;
    memcpy(l->key, key.ptr, key.len);
    hy_buf_init(&l->reply, fleet->mem, 0);
    *out_letter = l;
    return HY_OK;
}

static void letter_send(letter *l) {
    const hy_bytes key = { (const uint8_t *)l->key, l->key_len };
    hyi_carry_begin(l->fleet, &l->carry, letter_free);
    l->post.done = letter_arrives;
    hy_world_post(hyi_fleet_part(l->fleet, key)->world, &l->post);
}

hy_err hyi_letter_call(hy_fleet *fleet, hy_bytes key, const uint64_t *action_id, hy_call *call,
                       hy_world *back) {
    letter *l = NULL;
    hy_err err = letter_new(fleet, key, back, &l);
    if (err != HY_OK) return err;
    l->their = call;
    l->completes = action_id != NULL;
    l->action_id = action_id != NULL ? *action_id : 0;
    l->call = (hy_call){
        .kind = call->kind, .body = call->body, .key = call->key, .done = letter_answered
    };
    letter_send(l);
    return HY_OK;
}

hy_err hyi_letter_look(hy_fleet *fleet, hy_bytes key, hy_look *look, hy_world *back) {
    letter *l = NULL;
    hy_err err = letter_new(fleet, key, back, &l);
    if (err != HY_OK) return err;
    l->their_look = look;
    l->look = (hy_look){ .look = letter_looks, .done = letter_seen };
    letter_send(l);
    return HY_OK;
}

// ---- visits: a function that runs where a part is -----------------------------------------------

typedef struct letter_visit {
    hy_post post; // first member
    const hyi_part *part;
    hy_world *back;
    void (*visit)(const hyi_part *part, void *arg);
    void *arg;
    hy_event back_again;
} letter_visit;

static void visit_ends(hy_post *post) {
    hy_event_set(&((letter_visit *)post)->back_again);
}

static void visit_arrives(hy_post *post) {
    letter_visit *visit = (letter_visit *)post;
    visit->visit(visit->part, visit->arg);
    visit->post.done = visit_ends;
    hy_world_post(visit->back, &visit->post);
}

hy_err hyi_letter_visit(const hyi_part *part, void (*visit)(const hyi_part *part, void *arg),
                        void *arg) {
    if (part->worker == NULL) {
        visit(part, arg);
        return HY_OK;
    }
    hy_err err = hy_check();
    if (err != HY_OK) return err;
    letter_visit there = { .post.done = visit_arrives,
                           .part = part,
                           .back = hy_scope_world(hy_scope_current()),
                           .visit = visit,
                           .arg = arg };
    hy_world_post(part->world, &there.post);
    hyi_asking_wait(&there.back_again);
    return HY_OK;
}
