// world_test.c - one suite of promises, kept by both worlds.
//
// Each test is written once against the public header and run twice. What only one world can do
// (threads, descriptors, signals; faults) is tested at the end of this file and in sim_*_test.c.
#include "kit/kit.h"
#include "base/cleanup.h"

#include <hypha/world.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef hy_err (*world_test)(hy_world *world);

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err in_real(hy_mem *mem, world_test test) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(
        hy_world_open(HY_OPTIONS(hy_world, .mem = mem, .work_at_once[HY_WORK_SQLITE] = 1), &world));
    return test(world);
}

static hy_err in_sim(hy_mem *mem, world_test test) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_sim_open(
        HY_OPTIONS(hy_sim, .mem = mem, .seed = kit_seed(), .work_at_once[HY_WORK_SQLITE] = 1),
        &world));
    return test(world);
}

// Defines real_<name> and sim_<name> for the kit.
#define BOTH(name)                                                                                 \
    static hy_err real_##name(hy_mem *mem) {                                                       \
        return in_real(mem, name);                                                                 \
    }                                                                                              \
    static hy_err sim_##name(hy_mem *mem) {                                                        \
        return in_sim(mem, name);                                                                  \
    }

// ---- posts --------------------------------------------------------------------------------------

typedef struct noted {
    hy_post post;
    struct notes *notes;
    char letter;
} noted;

typedef struct notes {
    hy_world *world;
    char text[64];
    size_t len;
    noted again; // posted from inside the first
    bool repost;
} notes;

static void note(notes *n, char letter) {
    CHECK(n->len + 1 < sizeof n->text);
    n->text[n->len++] = letter;
}

static void on_noted(hy_post *post) {
    noted *self = (noted *)post;
    note(self->notes, self->letter);
    if (!self->notes->repost) return;
    self->notes->repost = false;
    hy_world_post(self->notes->world, &self->notes->again.post);
}

static hy_err posts_run_in_order(hy_world *world) {
    notes n = { .world = world, .repost = true };
    n.again = (noted){ { .done = on_noted }, &n, 'z' };
    noted posts[5];
    for (size_t i = 0; i < 5; i++) {
        posts[i] = (noted){ { .done = on_noted }, &n, (char)('a' + (int)i) };
        hy_world_post(world, &posts[i].post);
    }
    CHECK_EQ(n.len, 0);
    hy_world_run(world);
    CHECK_TEXT(hy_bytes_of(n.text), "abcdez");
    CHECK(!hy_world_turn(world));
    return HY_OK;
}
BOTH(posts_run_in_order)

static void on_stop(hy_post *post) {
    hy_world_stop(((noted *)post)->notes->world);
}

static hy_err stop_ends_the_run(hy_world *world) {
    notes n = { .world = world };
    noted stop = { { .done = on_stop }, &n, 's' }, late = { { .done = on_noted }, &n, 'l' };
    hy_timer never = { .done = (void (*)(hy_timer *))(void (*)(void))on_noted };
    CHECK_OK(hy_timer_at(world, &never, HY_NEVER));
    hy_world_post(world, &stop.post);
    hy_world_run(world);
    CHECK_EQ(n.len, 0);
    hy_world_stop(world); // a stop that comes before the run ends that run
    hy_world_run(world);
    hy_timer_stop(world, &never);
    hy_world_post(world, &late.post);
    hy_world_run(world);
    CHECK_TEXT(hy_bytes_of(n.text), "l");
    return HY_OK;
}
BOTH(stop_ends_the_run)

// ---- timers -------------------------------------------------------------------------------------

typedef struct alarm_clock {
    hy_timer timer;
    notes *notes;
    char letter;
    uint32_t repeats;
} alarm_clock;

static void on_alarm(hy_timer *timer) {
    alarm_clock *self = (alarm_clock *)timer;
    CHECK(hy_world_now(self->notes->world) >= timer->due);
    note(self->notes, self->letter);
    if (self->repeats == 0) return;
    self->repeats--;
    hy_err err = hy_timer_at(self->notes->world, timer, hy_world_now(self->notes->world));
    if (err) CHECK_EQ(err, HY_NOMEM);
}

static hy_err timers_fire_in_order(hy_world *world) {
    notes n = { .world = world };
    alarm_clock clocks[6];
    for (size_t i = 0; i < 6; i++) {
        clocks[i] = (alarm_clock){ { .done = on_alarm }, &n, (char)('a' + (int)i), 0 };
    }
    hy_ns now = hy_world_now(world);
    CHECK_OK(hy_timer_at(world, &clocks[0].timer, now + HY_MS(3)));
    CHECK_OK(hy_timer_at(world, &clocks[1].timer, now + HY_US(2001)));
    CHECK_OK(hy_timer_at(world, &clocks[2].timer, now + HY_MS(2)));
    CHECK_OK(hy_timer_at(world, &clocks[3].timer, now + HY_MS(3))); // as due as a, but later
    CHECK_OK(hy_timer_at(world, &clocks[4].timer, now));
    CHECK_OK(hy_timer_at(world, &clocks[5].timer, now + HY_MS(1)));
    CHECK_OK(hy_timer_at(world, &clocks[5].timer, now + HY_MS(4))); // moved
    hy_timer_stop(world, &clocks[4].timer);
    hy_timer_stop(world, &clocks[4].timer);
    hy_world_run(world);
    CHECK_TEXT(hy_bytes_of(n.text), "cbadf");
    return HY_OK;
}
BOTH(timers_fire_in_order)

static hy_err timer_starts_itself_again(hy_world *world) {
    notes n = { .world = world };
    alarm_clock clock = { { .done = on_alarm }, &n, 'r', 3 };
    CHECK_OK(hy_timer_at(world, &clock.timer, 0));
    hy_world_run(world);
    CHECK_TEXT(hy_bytes_of(n.text), "rrrr");
    return HY_OK;
}
BOTH(timer_starts_itself_again)

typedef struct endless {
    hy_post post;
    hy_timer timer;
    hy_world *world;
    bool ended;
} endless;

static void on_endless(hy_post *post) {
    endless *self = (endless *)post;
    if (!self->ended) hy_world_post(self->world, post);
}

static void on_end(hy_timer *timer) {
    ((endless *)(void *)((uint8_t *)timer - offsetof(endless, timer)))->ended = true;
}

static hy_err a_post_that_repeats_starves_no_timer(hy_world *world) {
    endless e = { { .done = on_endless }, { .done = on_end }, world, false };
    CHECK_OK(hy_timer_at(world, &e.timer, hy_world_now(world) + HY_MS(2)));
    hy_world_post(world, &e.post);
    hy_world_run(world);
    CHECK(e.ended);
    return HY_OK;
}
BOTH(a_post_that_repeats_starves_no_timer)

// ---- work ---------------------------------------------------------------------------------------

typedef struct job {
    hy_work work;
    uint32_t runs, dones;
} job;

static void job_run(hy_work *work) {
    ((job *)work)->runs++;
}

static void job_done(hy_work *work) {
    job *self = (job *)work;
    CHECK_EQ(self->runs, self->dones + 1);
    self->dones++;
}

static hy_err work_runs_and_then_is_done(hy_world *world) {
    job jobs[8];
    size_t accepted = 0;
    for (; accepted < 8; accepted++) {
        jobs[accepted] = (job){ .work = { .run = job_run, .done = job_done } };
        hy_err err = hy_world_work(world, &jobs[accepted].work);
        if (err) {
            CHECK_EQ(err, HY_NOMEM);
            break;
        }
    }
    hy_world_run(world);
    for (size_t i = 0; i < accepted; i++)
        CHECK_EQ(jobs[i].dones, 1);
    return accepted == 8 ? HY_OK : HY_NOMEM;
}
BOTH(work_runs_and_then_is_done)

// One of this kind runs at a time (see in_real), so the pages are written by one thread at a time.
typedef struct scribe {
    hy_work work;
    struct scribes *all;
    char letter;
    bool done;
} scribe;

typedef struct scribes {
    scribe each[6];
    char text[8];
    size_t len;
} scribes;

static void scribe_run(hy_work *work) {
    scribe *self = (scribe *)work;
    self->all->text[self->all->len++] = self->letter;
}

static void scribe_done(hy_work *work) {
    ((scribe *)work)->done = true;
}

static hy_err scribes_start(scribes *s, hy_world *world) {
    for (size_t i = 0; i < 6; i++) {
        s->each[i] =
            (scribe){ .work = { .run = scribe_run, .done = scribe_done, .kind = HY_WORK_SQLITE },
                      .all = s,
                      .letter = (char)('a' + (int)i) };
        hy_err err = hy_world_work(world, &s->each[i].work);
        if (err) return err;
    }
    return HY_OK;
}

static hy_err work_of_a_kind_starts_in_order(hy_world *world) {
    scribes s = { .len = 0 };
    hy_err err = scribes_start(&s, world);
    hy_world_run(world); // also what was accepted before memory ran out
    CHECK_OK(err);
    CHECK_TEXT(hy_bytes_of(s.text), "abcdef");
    return HY_OK;
}
BOTH(work_of_a_kind_starts_in_order)

// Whether the thread was quicker is not for the test to say, but it must be one of the two.
static hy_err withdrawn_work_never_runs(hy_world *world) {
    scribes s = { .len = 0 };
    hy_err err = scribes_start(&s, world);
    bool withdrawn[6] = { false };
    for (size_t i = 0; i < 6 && !err; i += 2) {
        hy_err late = hy_world_unwork(world, &s.each[i].work);
        CHECK(late == HY_OK || late == HY_BUSY);
        withdrawn[i] = late == HY_OK;
    }
    hy_world_run(world);
    CHECK_OK(err);
    for (size_t i = 0; i < 6; i++) {
        CHECK_EQ(s.each[i].done, !withdrawn[i]);
        CHECK_EQ(strchr(s.text, s.each[i].letter) != NULL, !withdrawn[i]);
    }
    return HY_OK;
}
BOTH(withdrawn_work_never_runs)

// ---- files --------------------------------------------------------------------------------------

static void close_file(hy_file **file) {
    hy_file_close(*file);
    *file = NULL;
}

// A folder in the working folder, which both worlds have. Only the real one outlives the test.
typedef struct place {
    hy_world *world;
    char folder[64], file[96];
} place;

static void leave_place(place *p) {
    if (!p->world) return;
    hy_err err = hy_file_remove(p->world, p->file, false, NULL);
    (void)err; // most tests have removed it, or never made it
    if (hy_world_is_real(p->world)) rmdir(p->folder);
}

static hy_err enter_place(place *p, hy_world *world) {
    snprintf(p->folder, sizeof p->folder, "world_test.%d", (int)getpid());
    snprintf(p->file, sizeof p->file, "%s/a", p->folder);
    hy_why why;
    hy_err err = hy_folder_make(world, p->folder, &why);
    if (err == HY_OK) p->world = world;
    return err;
}

static hy_err file_keeps_what_was_written(hy_world *world) {
    HY_CLEANUP(leave_place) place p = { 0 };
    CHECK_OK(enter_place(&p, world));
    CHECK_OK(hy_folder_make(world, p.folder, NULL)); // fine when it is there
    HY_CLEANUP(close_file) hy_file *file = NULL;
    CHECK_OK(hy_file_open(world, p.file, HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL));
    CHECK_OK(hy_file_write(file, 0, HY_BYTES("hello")));
    CHECK_OK(hy_file_write(file, 1000, HY_BYTES("there")));
    CHECK_OK(hy_file_write(file, 1, HY_BYTES("E")));
    CHECK_OK(hy_file_sync(file));
    uint64_t size = 0;
    CHECK_OK(hy_file_size(file, &size));
    CHECK_EQ(size, 1005);
    uint8_t bytes[2048];
    size_t len = 0;
    CHECK_OK(hy_file_read(file, 0, bytes, sizeof bytes, &len));
    CHECK_EQ(len, 1005);
    CHECK(memcmp(bytes, "hEllo\0\0", 7) == 0);
    CHECK(memcmp(bytes + 1000, "there", 5) == 0);
    CHECK_OK(hy_file_truncate(file, 3));
    CHECK_OK(hy_file_truncate(file, 6)); // what was cut off comes back as zeros
    CHECK_OK(hy_file_read(file, 1, bytes, sizeof bytes, &len));
    CHECK_BYTES(((hy_bytes){ bytes, len }), HY_BYTES("El\0\0\0"));
    CHECK_OK(hy_file_read(file, 6, bytes, sizeof bytes, &len));
    CHECK_EQ(len, 0);
    return HY_OK;
}
BOTH(file_keeps_what_was_written)

static hy_err file_modes_are_kept(hy_world *world) {
    HY_CLEANUP(leave_place) place p = { 0 };
    CHECK_OK(enter_place(&p, world));
    hy_why why = { 0 };
    HY_CLEANUP(close_file) hy_file *file = NULL;
    CHECK_ERR(hy_file_open(world, p.file, HY_FILE_WRITE, &file, &why), HY_NOT_FOUND);
    CHECK_EQ(why.code, HY_NOT_FOUND);
    CHECK(strstr(why.text, p.file) != NULL);
    CHECK(!hy_file_exists(world, p.file));
    CHECK_ERR(hy_file_open(world, "no/such/folder", HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL),
              HY_NOT_FOUND);
    uint32_t fresh = HY_FILE_WRITE | HY_FILE_CREATE | HY_FILE_EXCLUSIVE;
    CHECK_OK(hy_file_open(world, p.file, fresh, &file, NULL));
    CHECK(hy_file_exists(world, p.file));
    CHECK_OK(hy_file_write(file, 0, HY_BYTES("x")));
    close_file(&file);
    CHECK_ERR(hy_file_open(world, p.file, fresh, &file, NULL), HY_EXISTS);
    CHECK_OK(hy_file_open(world, p.file, HY_FILE_READ, &file, NULL));
    CHECK_ERR(hy_file_write(file, 0, HY_BYTES("y")), HY_READ_ONLY);
    CHECK_ERR(hy_file_truncate(file, 0), HY_READ_ONLY);
    CHECK_OK(hy_file_remove(world, p.file, true, NULL));
    CHECK(!hy_file_exists(world, p.file));
    CHECK_ERR(hy_file_remove(world, p.file, true, NULL), HY_NOT_FOUND);
    uint8_t byte = 0; // removed, but still open: the bytes stay until the last close
    size_t len = 0;
    CHECK_OK(hy_file_read(file, 0, &byte, 1, &len));
    CHECK_EQ(byte, 'x');
    return HY_OK;
}
BOTH(file_modes_are_kept)

static hy_err file_lock_excludes_others(hy_world *world) {
    HY_CLEANUP(leave_place) place p = { 0 };
    CHECK_OK(enter_place(&p, world));
    HY_CLEANUP(close_file) hy_file *first = NULL;
    HY_CLEANUP(close_file) hy_file *second = NULL;
    CHECK_OK(hy_file_open(world, p.file, HY_FILE_WRITE | HY_FILE_CREATE, &first, NULL));
    CHECK_OK(hy_file_open(world, p.file, HY_FILE_WRITE, &second, NULL));
    CHECK_OK(hy_file_lock(first));
    CHECK_OK(hy_file_lock(first));
    CHECK_ERR(hy_file_lock(second), HY_LOCKED);
    close_file(&first);
    CHECK_OK(hy_file_lock(second));
    return HY_OK;
}
BOTH(file_lock_excludes_others)

// ---- streams ------------------------------------------------------------------------------------

#define TALK_BYTES ((size_t)300000)

// Two ends of one connection. The client sends everything, waits until it has left, and closes; the
// server sums up and closes at the end.
typedef struct talk {
    hy_world *world;
    hy_listener *listener;
    hy_stream *client, *server;
    uint8_t *bytes;
    size_t received;
    uint32_t drained, closed;
    bool mismatch, ended;
    hy_err err;
} talk;

static void close_talk(talk *t) {
    hy_listener_close(t->listener);
    if (t->client) hy_stream_close(t->client);
    if (t->server) hy_stream_close(t->server);
    t->listener = NULL;
    t->client = t->server = NULL;
    hy_world_run(t->world);
    if (t->bytes) hy_mem_free(hy_world_mem(t->world), t->bytes, TALK_BYTES);
}

static void talk_closed(void *self, hy_stream *stream) {
    (void)stream;
    ((talk *)self)->closed++;
}

static void server_read(void *self, hy_stream *stream, hy_err err, hy_bytes bytes) {
    talk *t = (talk *)self;
    CHECK(stream == t->server);
    if (err || bytes.len == 0) {
        t->err = err;
        t->ended = true;
        t->server = NULL;
        hy_stream_close(stream);
        hy_listener_close(t->listener);
        t->listener = NULL;
        return;
    }
    CHECK(t->received + bytes.len <= TALK_BYTES);
    if (memcmp(t->bytes + t->received, bytes.ptr, bytes.len) != 0) t->mismatch = true;
    t->received += bytes.len;
}

static void talk_accepted(void *self, hy_stream *stream) {
    static const hy_stream_events events = { .read = server_read, .closed = talk_closed };
    talk *t = (talk *)self;
    t->server = stream;
    hy_stream_start(stream, &events, t);
}

static void client_read(void *self, hy_stream *stream, hy_err err, hy_bytes bytes) {
    (void)stream;
    (void)bytes;
    if (err) ((talk *)self)->err = err;
}

static void client_drained(void *self, hy_stream *stream) {
    talk *t = (talk *)self;
    t->drained++;
    t->client = NULL;
    hy_stream_close(stream);
}

static void talk_connected(void *self, hy_err err, hy_stream *stream) {
    static const hy_stream_events events = { .read = client_read,
                                             .drained = client_drained,
                                             .closed = talk_closed };
    talk *t = (talk *)self;
    t->err = err;
    t->client = stream;
    if (err) return;
    hy_stream_start(stream, &events, t);
    for (size_t done = 0; done < TALK_BYTES && !t->err; done += 1000)
        t->err = hy_stream_write(stream, (hy_bytes){ t->bytes + done, 1000 });
}

static hy_err open_talk(talk *t, hy_world *world) {
    t->world = world;
    t->bytes = (uint8_t *)hy_mem_alloc(hy_world_mem(world), TALK_BYTES);
    if (!t->bytes) return HY_NOMEM;
    uint64_t state = kit_seed();
    for (size_t i = 0; i < TALK_BYTES; i++)
        t->bytes[i] = (uint8_t)kit_random(&state);
    return hy_listen(world, "127.0.0.1", 0, 16, talk_accepted, t, &t->listener, NULL);
}

static hy_err stream_carries_all_bytes_in_order(hy_world *world) {
    HY_CLEANUP(close_talk) talk t = { .world = world };
    CHECK_OK(open_talk(&t, world));
    uint16_t port = hy_listener_port(t.listener);
    CHECK(port != 0);
    CHECK_OK(hy_connect(world, "127.0.0.1", port, talk_connected, &t, NULL));
    while (!t.ended && !t.err && hy_world_turn(world)) {
    }
    if (kit_failed_allocation()) return HY_NOMEM; // on either end, seen here as a lost connection
    CHECK_EQ(t.err, HY_OK);
    CHECK(t.ended);
    CHECK(!t.mismatch);
    CHECK_EQ(t.received, TALK_BYTES);
    CHECK_EQ(t.drained, 1);
    hy_world_run(world);
    CHECK_EQ(t.closed, 2);
    return HY_OK;
}
BOTH(stream_carries_all_bytes_in_order)

static hy_err port_in_use_is_refused(hy_world *world) {
    HY_CLEANUP(close_talk) talk t = { .world = world };
    CHECK_OK(open_talk(&t, world));
    uint16_t port = hy_listener_port(t.listener);
    hy_why why = { 0 };
    hy_listener *other = NULL;
    CHECK_ERR(hy_listen(world, "127.0.0.1", port, 16, talk_accepted, &t, &other, &why), HY_BUSY);
    CHECK(strstr(why.text, "is in use: stop the other program or pass another port") != NULL);
    CHECK_ERR(hy_listen(world, "example", port, 16, talk_accepted, &t, &other, &why), HY_MALFORMED);
    return HY_OK;
}
BOTH(port_in_use_is_refused)

static hy_err nobody_listens_is_told(hy_world *world) {
    HY_CLEANUP(close_talk) talk t = { .world = world };
    CHECK_OK(open_talk(&t, world));
    uint16_t port = hy_listener_port(t.listener);
    hy_listener_close(t.listener);
    t.listener = NULL;
    hy_world_run(world);
    CHECK_OK(hy_connect(world, "127.0.0.1", port, talk_connected, &t, NULL));
    hy_world_run(world);
    CHECK_ERR(t.err, HY_NOT_FOUND);
    CHECK(t.client == NULL);
    return HY_OK;
}
BOTH(nobody_listens_is_told)

static void accept_and_leave(void *self, hy_stream *stream) {
    (void)self;
    hy_stream_close(stream);
}

static void count_the_end(void *self, hy_stream *stream, hy_err err, hy_bytes bytes) {
    talk *t = (talk *)self;
    CHECK_EQ(bytes.len, 0);
    CHECK(err == HY_OK || err == HY_CLOSED);
    t->received++;
    t->client = NULL;
    hy_stream_close(stream);
}

static void connected_to_nobody(void *self, hy_err err, hy_stream *stream) {
    static const hy_stream_events events = { .read = count_the_end, .closed = talk_closed };
    talk *t = (talk *)self;
    t->err = err;
    t->client = stream;
    if (!err) hy_stream_start(stream, &events, t);
}

// The listener goes as well, before or after it took the connection.
static hy_err a_peer_that_leaves_is_told_once(hy_world *world) {
    HY_CLEANUP(close_talk) talk t = { .world = world };
    CHECK_OK(hy_listen(world, "127.0.0.1", 0, 16, accept_and_leave, &t, &t.listener, NULL));
    uint16_t port = hy_listener_port(t.listener);
    CHECK_OK(hy_connect(world, "127.0.0.1", port, connected_to_nobody, &t, NULL));
    while (!t.client && !t.err && t.received == 0 && hy_world_turn(world)) {
    }
    hy_listener_close(t.listener);
    t.listener = NULL;
    hy_world_run(world);
    CHECK_EQ(t.err, HY_OK);
    CHECK_EQ(t.received, 1);
    CHECK_EQ(t.closed, 1);
    return HY_OK;
}
BOTH(a_peer_that_leaves_is_told_once)

// The reader takes one piece and pauses: nothing more comes, and the writer does not drain.
typedef struct held {
    hy_listener *listener;
    hy_stream *server, *client;
    size_t received, written;
    uint32_t reads, drained;
    hy_err err;
} held;

static void close_held(held *h) {
    if (h->listener) hy_listener_close(h->listener);
    if (h->server) hy_stream_close(h->server);
    if (h->client) hy_stream_close(h->client);
}

static void held_read(void *self, hy_stream *stream, hy_err err, hy_bytes bytes) {
    held *h = (held *)self;
    if (err) h->err = err;
    h->reads++;
    h->received += bytes.len;
    hy_stream_pause(stream, true);
}

static void held_client_read(void *self, hy_stream *stream, hy_err err, hy_bytes bytes) {
    (void)stream;
    (void)bytes;
    if (err) ((held *)self)->err = err;
}

static void held_drained(void *self, hy_stream *stream) {
    ((held *)self)->drained++;
    CHECK(hy_stream_has_drained(stream));
}

static void held_accepted(void *self, hy_stream *stream) {
    static const hy_stream_events events = { .read = held_read };
    held *h = (held *)self;
    h->server = stream;
    hy_stream_start(stream, &events, h);
}

static void held_connected(void *self, hy_err err, hy_stream *stream) {
    static const hy_stream_events events = { .read = held_client_read, .drained = held_drained };
    held *h = (held *)self;
    h->err = err;
    h->client = stream;
    if (!err) hy_stream_start(stream, &events, h);
}

static hy_err held_write(held *h, size_t size) {
    uint8_t piece[4096] = { 0 };
    for (size_t done = 0; done < size; done += sizeof piece) {
        hy_err err = hy_stream_write(h->client, (hy_bytes){ piece, sizeof piece });
        if (err) return err;
        h->written += sizeof piece;
    }
    return HY_OK;
}

static hy_err held_open(held *h, hy_world *world) {
    CHECK_OK(hy_listen(world, "127.0.0.1", 0, 16, held_accepted, h, &h->listener, NULL));
    uint16_t port = hy_listener_port(h->listener);
    CHECK_OK(hy_connect(world, "127.0.0.1", port, held_connected, h, NULL));
    while ((!h->client || !h->server) && !h->err && hy_world_turn(world)) {
    }
    if (kit_failed_allocation()) return HY_NOMEM;
    CHECK(h->client && h->server);
    return HY_OK;
}

static hy_err a_paused_stream_gives_nothing(hy_world *world) {
    HY_CLEANUP(close_held) held h = { 0 };
    CHECK_OK(held_open(&h, world));
    CHECK(hy_stream_has_drained(h.client));
    CHECK_OK(held_write(&h, (size_t)12 << 20));
    CHECK(!hy_stream_has_drained(h.client));
    for (int i = 0; i < 200; i++)
        hy_world_turn(world);
    if (kit_failed_allocation()) return HY_NOMEM;
    CHECK_EQ(h.reads, 1);
    CHECK_EQ(h.drained, 0);
    while (h.received < h.written && !h.err) {
        hy_stream_pause(h.server, false);
        hy_world_turn(world);
    }
    while (h.drained == 0 && !h.err && hy_world_turn(world)) {
    }
    CHECK_EQ(h.err, HY_OK);
    CHECK_EQ(h.drained, 1);
    CHECK(hy_stream_has_drained(h.client));
    return HY_OK;
}
BOTH(a_paused_stream_gives_nothing)

static hy_err a_connect_can_be_given_up(hy_world *world) {
    HY_CLEANUP(close_held) held h = { 0 };
    CHECK_OK(hy_listen(world, "127.0.0.1", 0, 16, accept_and_leave, &h, &h.listener, NULL));
    uint16_t port = hy_listener_port(h.listener);
    CHECK_OK(hy_connect(world, "127.0.0.1", port, held_connected, &h, NULL));
    hy_connect_cancel(world, &h);
    hy_connect_cancel(world, &h);
    while (!h.client && !h.err && hy_world_turn(world)) {
    }
    CHECK_EQ(h.err, HY_CANCELLED);
    CHECK(h.client == NULL);
    hy_connect_cancel(world, &h); // too late: nothing is under way
    return HY_OK;
}
BOTH(a_connect_can_be_given_up)

// ---- clock and dice -----------------------------------------------------------------------------

static hy_err clocks_and_dice_move(hy_world *world) {
    hy_ns before = hy_world_now(world);
    CHECK(hy_world_wall(world) > HY_SECONDS(1700000000)); // after 2023
    CHECK(hy_world_now(world) >= before);
    uint64_t seen[100];
    for (size_t i = 0; i < 100; i++) {
        seen[i] = hy_world_random(world);
        for (size_t k = 0; k < i; k++)
            CHECK(seen[k] != seen[i]);
    }
    return HY_OK;
}
BOTH(clocks_and_dice_move)

static hy_err a_choice_is_one_of_those_that_are_ready(hy_world *world) {
    uint32_t others = 0;
    hy_world_note(world, "choices", 1, 2);
    for (uint32_t count = 1; count < 50; count++) {
        uint32_t choice = hy_world_choose(world, count);
        CHECK(choice < count);
        others += choice != 0;
    }
    CHECK_EQ(others > 0, !hy_world_is_real(world)); // the real world takes the oldest
    return HY_OK;
}
BOTH(a_choice_is_one_of_those_that_are_ready)

// ---- signals ------------------------------------------------------------------------------------

static void on_raised(void *self) {
    hy_world_stop((hy_world *)self);
}

static void close_signal(hy_signal **signal) {
    hy_signal_close(*signal);
}

static hy_err a_signal_is_a_call(hy_world *world) {
    HY_CLEANUP(close_signal) hy_signal *handle = NULL;
    CHECK_OK(hy_signal_open(world, SIGUSR1, on_raised, world, &handle));
    if (hy_world_is_real(world)) {
        raise(SIGUSR1);
    } else {
        hy_sim_raise(world, SIGUSR1);
    }
    hy_timer never = { .done = (void (*)(hy_timer *))(void (*)(void))on_raised };
    CHECK_OK(hy_timer_at(world, &never, HY_NEVER));
    hy_world_run(world);
    hy_timer_stop(world, &never);
    hy_signal *none = NULL;
    CHECK_ERR(hy_signal_open(world, SIGKILL, on_raised, world, &none), HY_UNSUPPORTED);
    return HY_OK;
}
BOTH(a_signal_is_a_call)

KIT_TESTS(KIT_TEST(real_posts_run_in_order), KIT_TEST(sim_posts_run_in_order),
          KIT_TEST(real_stop_ends_the_run), KIT_TEST(sim_stop_ends_the_run),
          KIT_TEST(real_timers_fire_in_order), KIT_TEST(sim_timers_fire_in_order),
          KIT_TEST(real_timer_starts_itself_again), KIT_TEST(sim_timer_starts_itself_again),
          KIT_TEST(real_a_post_that_repeats_starves_no_timer),
          KIT_TEST(sim_a_post_that_repeats_starves_no_timer),
          KIT_TEST(real_work_runs_and_then_is_done), KIT_TEST(sim_work_runs_and_then_is_done),
          KIT_TEST(real_work_of_a_kind_starts_in_order),
          KIT_TEST(sim_work_of_a_kind_starts_in_order), KIT_TEST(real_withdrawn_work_never_runs),
          KIT_TEST(sim_withdrawn_work_never_runs), KIT_TEST(real_file_keeps_what_was_written),
          KIT_TEST(sim_file_keeps_what_was_written), KIT_TEST(real_file_modes_are_kept),
          KIT_TEST(sim_file_modes_are_kept), KIT_TEST(real_file_lock_excludes_others),
          KIT_TEST(sim_file_lock_excludes_others), KIT_TEST(real_stream_carries_all_bytes_in_order),
          KIT_TEST(sim_stream_carries_all_bytes_in_order), KIT_TEST(real_port_in_use_is_refused),
          KIT_TEST(sim_port_in_use_is_refused), KIT_TEST(real_nobody_listens_is_told),
          KIT_TEST(sim_nobody_listens_is_told), KIT_TEST(real_a_peer_that_leaves_is_told_once),
          KIT_TEST_ONCE(real_a_paused_stream_gives_nothing),
          KIT_TEST_ONCE(sim_a_paused_stream_gives_nothing),
          KIT_TEST(real_a_connect_can_be_given_up), KIT_TEST(sim_a_connect_can_be_given_up),
          KIT_TEST(sim_a_peer_that_leaves_is_told_once), KIT_TEST(real_clocks_and_dice_move),
          KIT_TEST(sim_clocks_and_dice_move),
          KIT_TEST(real_a_choice_is_one_of_those_that_are_ready),
          KIT_TEST(sim_a_choice_is_one_of_those_that_are_ready), KIT_TEST(real_a_signal_is_a_call),
          KIT_TEST(sim_a_signal_is_a_call))
