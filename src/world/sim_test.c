// sim_test.c - the simulated world repeats itself exactly, and differs with the seed.
//
// Where chance decides, a test runs many seeds and demands that each outcome was seen at least
// once: a simulation that only ever takes the friendly way would prove nothing.
#include "kit/kit.h"
#include "base/cleanup.h"

#include <hypha/world.h>

#include <string.h>

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

static hy_err open_world(hy_mem *mem, uint64_t seed, hy_world **out_world) {
    return hy_sim_open(HY_OPTIONS(hy_sim, .mem = mem, .seed = seed, .event_log_max = 64),
                       out_world);
}

// ---- a program that uses everything -----------------------------------------------------------

#define JOBS 6u

typedef struct job {
    hy_work work;
    hy_post post;
    struct program *program;
    char letter;
} job;

typedef struct program {
    hy_world *world;
    job jobs[JOBS];
    hy_timer timer;
    hy_listener *listener;
    hy_stream *server;
    hy_err err;
    uint32_t ticks;
    char order[JOBS + 1]; // of work
    size_t ran;
} program;

static void program_keep(program *p, hy_err err) {
    if (p->err == HY_OK) p->err = err;
}

static void program_work_run(hy_work *work) {
    program *p = ((job *)work)->program;
    p->order[p->ran++] = ((job *)work)->letter;
    hy_file *file = NULL;
    hy_err err = hy_file_open(p->world, "log", HY_FILE_WRITE | HY_FILE_CREATE, &file, NULL);
    program_keep(p, err);
    if (err) return;
    program_keep(p, hy_file_write(file, p->ran, (hy_bytes){ (uint8_t *)p->order, p->ran }));
    program_keep(p, hy_file_sync(file));
    hy_file_close(file);
}

static void program_work_done(hy_work *work) {
    hy_world_post(((job *)work)->program->world, &((job *)work)->post);
}

static void program_on_post(hy_post *post) {
    (void)post;
}

static void program_on_timer(hy_timer *timer) {
    program *p = (program *)((uint8_t *)timer - offsetof(program, timer));
    if (++p->ticks == 10) return;
    hy_ns due = hy_world_now(p->world) + (hy_ns)(hy_world_random(p->world) % 1000000);
    program_keep(p, hy_timer_at(p->world, timer, due));
}

static void program_on_read(void *self, hy_stream *stream, hy_err err, hy_bytes bytes) {
    program *p = (program *)self;
    (void)err;
    if (bytes.len > 0) return;
    if (stream == p->server) hy_listener_close(p->listener);
    hy_stream_close(stream);
}

static void program_on_drained(void *self, hy_stream *stream) {
    (void)self;
    hy_stream_close(stream);
}

static const hy_stream_events server_events = { .read = program_on_read };
static const hy_stream_events client_events = { .read = program_on_read,
                                                .drained = program_on_drained };

static void program_on_accepted(void *self, hy_stream *stream) {
    program *p = (program *)self;
    p->server = stream;
    hy_stream_start(stream, &server_events, p);
}

static void program_on_connected(void *self, hy_err err, hy_stream *stream) {
    program *p = (program *)self;
    program_keep(p, err);
    if (err) return;
    hy_stream_start(stream, &client_events, p);
    program_keep(p, hy_stream_write(stream, HY_BYTES("some bytes, in pieces or at once")));
    if (p->err) hy_stream_close(stream);
}

static hy_err program_start(program *p, hy_world *world) {
    *p = (program){ .world = world, .timer.done = program_on_timer };
    for (size_t i = 0; i < JOBS; i++) {
        p->jobs[i] = (job){ .work = { .run = program_work_run, .done = program_work_done },
                            .post = { .done = program_on_post },
                            .program = p,
                            .letter = (char)('a' + (int)i) };
        CHECK_OK(hy_world_work(world, &p->jobs[i].work));
    }
    CHECK_OK(hy_timer_at(world, &p->timer, hy_world_now(world)));
    CHECK_OK(hy_listen(world, "127.0.0.1", 80, 1, program_on_accepted, p, &p->listener, NULL));
    CHECK_OK(hy_connect(world, "127.0.0.1", 80, program_on_connected, p, NULL));
    return HY_OK;
}

static hy_err program_run(hy_mem *mem, uint64_t seed, program *p, uint64_t *out_digest) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_world(mem, seed, &world));
    CHECK_OK(program_start(p, world));
    hy_world_run(world);
    CHECK_EQ(p->err, HY_OK);
    CHECK_EQ(p->ticks, 10);
    CHECK_EQ(p->ran, JOBS);
    *out_digest = hy_sim_digest(world);
    return HY_OK;
}

static hy_err equal_seeds_give_equal_digests(hy_mem *mem) {
    uint32_t orders = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        program a, b;
        uint64_t first = 0, second = 0, other = 0;
        CHECK_OK(program_run(mem, seed, &a, &first));
        CHECK_OK(program_run(mem, seed, &b, &second));
        CHECK_EQ(first, second);
        CHECK(strcmp(a.order, b.order) == 0);
        CHECK_OK(program_run(mem, seed + 1000, &b, &other));
        CHECK(first != other);
        orders += strcmp(a.order, b.order) != 0;
    }
    CHECK(orders > 20); // the seed decides what runs first
    return HY_OK;
}

// ---- clock --------------------------------------------------------------------------------------

static hy_err time_passes_only_when_told(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    hy_ns now = hy_world_now(world), wall = hy_world_wall(world);
    CHECK_EQ(wall, HY_SECONDS(1767571200));
    CHECK_EQ(hy_world_now(world), now);
    hy_sim_advance(world, HY_SECONDS(60));
    CHECK_EQ(hy_world_now(world), now + HY_SECONDS(60));
    CHECK_EQ(hy_world_wall(world), wall + HY_SECONDS(60));
    hy_sim_step_wall(world, -HY_SECONDS(3600));
    CHECK_EQ(hy_world_now(world), now + HY_SECONDS(60));
    CHECK_EQ(hy_world_wall(world), wall - HY_SECONDS(3540));
    return HY_OK;
}

typedef struct late_timer {
    hy_timer timer;
    hy_world *world;
    hy_ns fired_at;
} late_timer;

static void on_late_timer(hy_timer *timer) {
    late_timer *self = (late_timer *)timer;
    self->fired_at = hy_world_now(self->world);
}

static hy_err timers_are_late_but_never_early(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    uint32_t late = 0;
    for (uint32_t i = 0; i < 100; i++) {
        late_timer t = { .timer.done = on_late_timer, .world = world };
        CHECK_OK(hy_timer_at(world, &t.timer, hy_world_now(world) + HY_SECONDS(1)));
        hy_sim_advance(world, HY_MS(999));
        CHECK_EQ(t.fired_at, 0);
        hy_sim_advance(world, HY_MS(3));
        CHECK(t.fired_at >= t.timer.due);
        CHECK(t.fired_at <= t.timer.due + HY_MS(1));
        late += t.fired_at > t.timer.due;
    }
    CHECK(late > 20);
    CHECK(late < 80);
    return HY_OK;
}

// ---- work ---------------------------------------------------------------------------------------

static hy_err withdrawing_started_work_may_come_too_late(hy_mem *mem) {
    uint32_t withdrawn = 0, late = 0, ran = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        HY_CLEANUP(close_world) hy_world *world = NULL;
        CHECK_OK(open_world(mem, seed, &world));
        program p = { .world = world };
        job j = { .work = { .run = program_work_run, .done = program_work_done },
                  .post = { .done = program_on_post },
                  .program = &p,
                  .letter = 'w' };
        CHECK_OK(hy_world_work(world, &j.work));
        bool turned = seed % 2 == 0 && hy_world_turn(world); // now it has run
        hy_err err = hy_world_unwork(world, &j.work);
        hy_world_run(world);
        CHECK_EQ(p.ran, err == HY_OK ? 0 : 1);
        CHECK(!turned || err == HY_BUSY);
        withdrawn += err == HY_OK;
        late += err == HY_BUSY && !turned;
        ran += turned;
    }
    CHECK(withdrawn > 0);
    CHECK(late > 0);
    CHECK(ran > 0);
    return HY_OK;
}

static hy_err work_of_before_a_restart_is_withdrawn_already(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    program p;
    CHECK_OK(program_start(&p, world));
    hy_sim_restart(world);
    for (size_t i = 0; i < JOBS; i++)
        CHECK_OK(hy_world_unwork(world, &p.jobs[i].work));
    hy_world_run(world);
    CHECK_EQ(p.ran, 0);
    CHECK_OK(hy_world_work(world, &p.jobs[0].work));
    hy_world_run(world);
    CHECK_EQ(p.ran, 1);
    hy_listener_close(p.listener);
    return HY_OK;
}

// ---- restart and log ----------------------------------------------------------------------------

static hy_err a_restart_forgets_what_was_pending(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    program p;
    CHECK_OK(program_start(&p, world));
    hy_sim_crash_at(world, 3);
    hy_world_run(world);
    CHECK(hy_sim_has_crashed(world));
    size_t ran = p.ran;
    uint32_t ticks = p.ticks;
    hy_ns now = hy_world_now(world);
    hy_sim_restart(world);
    hy_world_run(world);
    CHECK_EQ(p.ran, ran);
    CHECK_EQ(p.ticks, ticks);
    CHECK(hy_world_now(world) > now);
    hy_timer_stop(world, &p.timer); // records of before may still be handed in
    hy_listener_close(p.listener);
    CHECK_OK(hy_listen(world, "127.0.0.1", 80, 1, program_on_accepted, &p, &p.listener, NULL));
    hy_listener_close(p.listener);
    return HY_OK;
}

static hy_err the_log_keeps_the_latest_events(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    uint64_t cursor = 0;
    hy_sim_event event;
    CHECK(!hy_sim_log_next(world, &cursor, &event));
    hy_sim_step_wall(world, 7);
    CHECK(hy_sim_log_next(world, &cursor, &event));
    CHECK_EQ(event.number, 1);
    CHECK_EQ(event.value, 7);
    CHECK_TEXT(hy_bytes_of(event.what), "wall step");
    CHECK(!hy_sim_log_next(world, &cursor, &event));
    for (hy_ns i = 0; i < 100; i++)
        hy_sim_step_wall(world, i);
    uint32_t count = 0;
    for (cursor = 0; hy_sim_log_next(world, &cursor, &event); count++)
        CHECK_EQ(event.number, 101 - 64 + 1 + count);
    CHECK_EQ(count, 64);
    return HY_OK;
}

static hy_err choices_and_notes_are_in_the_digest(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    uint64_t digest = hy_sim_digest(world);
    CHECK_EQ(hy_world_choose(world, 1), 0);
    CHECK_EQ(hy_sim_digest(world), digest); // nothing to choose, nothing thrown
    hy_world_choose(world, 2);
    CHECK(hy_sim_digest(world) != digest);
    digest = hy_sim_digest(world);
    hy_world_note(world, "scope open", 7, 8);
    CHECK(hy_sim_digest(world) != digest);
    uint64_t cursor = 0;
    hy_sim_event event;
    CHECK(hy_sim_log_next(world, &cursor, &event));
    CHECK_TEXT(hy_bytes_of(event.what), "scope open");
    CHECK_EQ(event.subject, 7);
    CHECK_EQ(event.value, 8);
    return HY_OK;
}

// ---- signals and the service manager ------------------------------------------------------------

static void count_signal(void *self) {
    ++*(uint32_t *)self;
}

static void close_signal(hy_signal **signal) {
    hy_signal_close(*signal);
}

static hy_err a_signal_raised_twice_at_once_arrives_once(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    uint32_t first = 0, second = 0, other = 0;
    HY_CLEANUP(close_signal) hy_signal *a = NULL;
    HY_CLEANUP(close_signal) hy_signal *b = NULL;
    HY_CLEANUP(close_signal) hy_signal *c = NULL;
    CHECK_OK(hy_signal_open(world, 15, count_signal, &first, &a));
    CHECK_OK(hy_signal_open(world, 15, count_signal, &second, &b));
    CHECK_OK(hy_signal_open(world, 2, count_signal, &other, &c));
    hy_sim_raise(world, 15);
    hy_sim_raise(world, 15);
    CHECK_EQ(first, 0);
    hy_world_run(world);
    hy_sim_raise(world, 15);
    hy_signal_close(b); // on its way: never arrives
    b = NULL;
    hy_world_run(world);
    CHECK_EQ(first, 2);
    CHECK_EQ(second, 1);
    CHECK_EQ(other, 0);
    hy_sim_raise(world, 15);
    hy_sim_raise(world, 10); // nobody listens
    hy_sim_restart(world);
    hy_sim_raise(world, 15);
    hy_world_run(world);
    CHECK_EQ(first, 2);
    return HY_OK;
}

static hy_err a_test_reads_what_the_service_manager_was_told(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    CHECK_TEXT(hy_bytes_of(hy_sim_notified(world)), "");
    uint64_t digest = hy_sim_digest(world);
    CHECK_OK(hy_world_notify(world, "READY=1"));
    CHECK_OK(hy_world_notify(world, "STOPPING=1"));
    CHECK_TEXT(hy_bytes_of(hy_sim_notified(world)), "STOPPING=1");
    CHECK(hy_sim_digest(world) != digest);
    char text[1025];
    memset(text, 'x', 1024);
    text[1024] = 0;
    CHECK_ERR(hy_world_notify(world, text), HY_TOO_LARGE);
    CHECK_OK(hy_world_notify(world, text + 1));
    CHECK_EQ(strcmp(hy_sim_notified(world), text + 1), 0);
    hy_sim_restart(world);
    CHECK_TEXT(hy_bytes_of(hy_sim_notified(world)), "");
    return HY_OK;
}

// ---- streams ------------------------------------------------------------------------------------

// A server that accepts and never reads, and a client that writes.
typedef struct pair {
    hy_world *world;
    hy_listener *listener;
    hy_stream *client, *server;
    uint32_t drained;
    uint64_t received;
    hy_err end;
    bool ended;
} pair;

static void pair_read(void *self, hy_stream *stream, hy_err err, hy_bytes bytes) {
    pair *p = (pair *)self;
    (void)stream;
    p->received += bytes.len;
    p->ended |= bytes.len == 0;
    p->end = err;
}

static void pair_drained(void *self, hy_stream *stream) {
    (void)stream;
    ((pair *)self)->drained++;
}

static const hy_stream_events pair_events = { .read = pair_read, .drained = pair_drained };

static void pair_accepted(void *self, hy_stream *stream) {
    ((pair *)self)->server = stream;
}

static void pair_connected(void *self, hy_err err, hy_stream *stream) {
    CHECK_EQ(err, HY_OK);
    ((pair *)self)->client = stream;
}

static void close_pair(pair *p) {
    if (p->client) hy_stream_close(p->client);
    if (p->server) hy_stream_close(p->server);
    hy_listener_close(p->listener);
}

static hy_err open_pair(pair *p, hy_world *world) {
    p->world = world;
    CHECK_OK(hy_listen(world, "127.0.0.1", 80, 1, pair_accepted, p, &p->listener, NULL));
    CHECK_OK(hy_connect(world, "127.0.0.1", 80, pair_connected, p, NULL));
    hy_world_run(world);
    CHECK(p->client != NULL);
    CHECK(p->server != NULL);
    return HY_OK;
}

static hy_err a_reader_that_does_not_read_holds_up_the_writer(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    HY_CLEANUP(close_pair) pair p = { 0 };
    CHECK_OK(open_pair(&p, world));
    hy_stream_start(p.client, &pair_events, &p);
    static const uint8_t bytes[1 << 20];
    for (uint32_t i = 0; i < 16; i++)
        CHECK_OK(hy_stream_write(p.client, (hy_bytes){ bytes, sizeof bytes }));
    CHECK_ERR(hy_stream_write(p.client, HY_BYTES("x")), HY_LIMIT);
    hy_world_run(world);
    CHECK_EQ(p.drained, 0);
    hy_stream_start(p.server, &pair_events, &p);
    hy_world_run(world);
    CHECK_EQ(p.drained, 1);
    CHECK_EQ(p.received, 16 << 20);
    return HY_OK;
}

static hy_err a_close_before_drained_may_lose_bytes(hy_mem *mem) {
    uint32_t whole = 0, cut = 0, resets = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        HY_CLEANUP(close_world) hy_world *world = NULL;
        CHECK_OK(open_world(mem, seed, &world));
        HY_CLEANUP(close_pair) pair p = { 0 };
        CHECK_OK(open_pair(&p, world));
        hy_stream_start(p.server, &pair_events, &p);
        CHECK_OK(hy_stream_write(p.server, HY_BYTES("nobody reads this")));
        CHECK_OK(hy_stream_write(p.client, HY_BYTES("abc")));
        hy_stream_close(p.client);
        p.client = NULL;
        hy_world_run(world);
        CHECK(p.ended);
        CHECK(p.received <= 3);
        whole += p.received == 3;
        cut += p.received < 3 && p.end == HY_OK;
        resets += p.end == HY_CLOSED;
        hy_err err = hy_stream_write(p.server, HY_BYTES("x")); // TCP may not know it yet
        if (err) CHECK_EQ(err, HY_CLOSED);
        hy_world_run(world);
        CHECK_ERR(hy_stream_write(p.server, HY_BYTES("x")), HY_CLOSED);
    }
    CHECK(whole > 0);
    CHECK(cut > 0);
    CHECK(resets > 0);
    return HY_OK;
}

static hy_err a_simulated_world_has_no_descriptors(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_world(mem, kit_seed(), &world));
    hy_watch *watch = NULL;
    CHECK_ERR(hy_watch_open(world, 0, NULL, NULL, &watch), HY_UNSUPPORTED);
    hy_process_limits limits = { .size = sizeof limits, .files_max = 1 };
    CHECK_ERR(hy_world_limit_process(world, &limits, NULL), HY_UNSUPPORTED);
    hy_process_facts facts = { .resident_bytes = 7, .files_open = 7 };
    hy_world_process(world, &facts);
    CHECK_EQ(facts.resident_bytes, 0);
    CHECK_EQ(facts.files_open, 0);
    CHECK(hy_world_loop(world) == NULL);
    CHECK(!hy_world_is_real(world));
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(equal_seeds_give_equal_digests), KIT_TEST(time_passes_only_when_told),
          KIT_TEST(timers_are_late_but_never_early),
          KIT_TEST_ONCE(withdrawing_started_work_may_come_too_late),
          KIT_TEST_ONCE(work_of_before_a_restart_is_withdrawn_already),
          KIT_TEST_ONCE(a_restart_forgets_what_was_pending),
          KIT_TEST(the_log_keeps_the_latest_events), KIT_TEST(choices_and_notes_are_in_the_digest),
          KIT_TEST(a_signal_raised_twice_at_once_arrives_once),
          KIT_TEST(a_test_reads_what_the_service_manager_was_told),
          KIT_TEST_ONCE(a_reader_that_does_not_read_holds_up_the_writer),
          KIT_TEST_ONCE(a_close_before_drained_may_lose_bytes),
          KIT_TEST(a_simulated_world_has_no_descriptors))
