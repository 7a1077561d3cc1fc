// real_test.c - what only the real world has: threads, descriptors, a process.
//
// No test sleeps and none looks at a clock: threads are held up by a lock and let go, and a test
// ends when the loop has nothing left to do. So a slow machine makes these tests slow, never wrong.
#include "kit/kit.h"
#include "base/cleanup.h"
#include "world/real.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void close_world(hy_world **world) {
    *world = hy_world_close(*world);
}

// ---- posts from other threads -----------------------------------------------------------------

#define SENDERS 4u
#define LETTERS 5000u

typedef struct letter {
    hy_post post;
    struct sender *sender;
    uint32_t number;
} letter;

typedef struct sender {
    struct office *office;
    pthread_t thread;
    uint32_t next; // expected; the world's thread alone reads and writes it
    letter letters[LETTERS];
} sender;

typedef struct office {
    hy_world *world;
    hy_timer open; // keeps the world running
    uint32_t received;
    sender senders[SENDERS];
} office;

static void on_letter(hy_post *post) {
    letter *l = (letter *)post;
    office *o = l->sender->office;
    CHECK_EQ(l->number, l->sender->next); // each sender's letters come in order
    l->sender->next++;
    if (++o->received == SENDERS * LETTERS) hy_world_stop(o->world);
}

static void *send_letters(void *argument) {
    sender *s = (sender *)argument;
    for (uint32_t i = 0; i < LETTERS; i++) {
        s->letters[i] = (letter){ { .done = on_letter }, s, i };
        hy_world_post(s->office->world, &s->letters[i].post);
    }
    return NULL;
}

static void on_closing_time(hy_timer *timer) {
    (void)timer;
}

static hy_err posts_of_other_threads_arrive_in_order(hy_mem *mem) {
    (void)mem;
    static office o;
    memset(&o, 0, sizeof o);
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(NULL, &world));
    o.world = world;
    o.open.done = on_closing_time;
    CHECK_OK(hy_timer_at(world, &o.open, HY_NEVER));
    for (uint32_t i = 0; i < SENDERS; i++) {
        o.senders[i].office = &o;
        CHECK_EQ(pthread_create(&o.senders[i].thread, NULL, send_letters, &o.senders[i]), 0);
    }
    hy_world_run(world);
    for (uint32_t i = 0; i < SENDERS; i++)
        pthread_join(o.senders[i].thread, NULL);
    CHECK_EQ(o.received, SENDERS * LETTERS);
    hy_timer_stop(world, &o.open);
    return HY_OK;
}

// A post that comes when the world has looked for the last time and does not sleep yet: another
// thread's, and it is over before the world says that it sleeps.
typedef struct knock {
    hy_post post;
    hy_world *world;
    uv_prepare_t before_sleep;
    bool sent;
} knock;

static void on_knock(hy_post *post) {
    hy_world_stop(((knock *)post)->world);
}

static void *send_knock(void *argument) {
    knock *self = (knock *)argument;
    hy_world_post(self->world, &self->post);
    return NULL;
}

static void knock_before_sleep(uv_prepare_t *handle) {
    knock *self = (knock *)handle->data;
    if (self->sent) return;
    self->sent = true;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, send_knock, self), 0);
    pthread_join(thread, NULL);
}

static hy_err a_world_that_falls_asleep_hears_every_post(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(NULL, &world));
    knock self = { .post = { .done = on_knock }, .world = world };
    hy_timer never = { .done = on_closing_time };
    CHECK_OK(hy_timer_at(world, &never, HY_NEVER));
    CHECK_EQ(uv_prepare_init(hy_world_loop(world), &self.before_sleep), 0);
    self.before_sleep.data = &self;
    CHECK_EQ(uv_prepare_start(&self.before_sleep, knock_before_sleep), 0);
    hy_world_run(world);
    CHECK(self.sent);
    uv_close((uv_handle_t *)&self.before_sleep, NULL);
    hy_timer_stop(world, &never);
    return HY_OK;
}

static void *stop_world(void *argument) {
    hy_world_stop((hy_world *)argument);
    return NULL;
}

static hy_err another_thread_may_stop_the_run(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(NULL, &world));
    hy_timer never = { .done = on_closing_time };
    CHECK_OK(hy_timer_at(world, &never, HY_NEVER));
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, stop_world, world), 0);
    hy_world_run(world);
    pthread_join(thread, NULL);
    return HY_OK;
}

// ---- work ---------------------------------------------------------------------------------------

typedef struct slow {
    hy_work work;
    pthread_mutex_t *gate;
    atomic_bool *started;
    uint32_t dones;
} slow;

static void slow_run(hy_work *work) {
    slow *s = (slow *)work;
    atomic_store(s->started, true);
    pthread_mutex_lock(s->gate);
    pthread_mutex_unlock(s->gate);
}

static void slow_done(hy_work *work) {
    ((slow *)work)->dones++;
}

static hy_err a_full_queue_refuses_work(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .work_threads = 1, .work_queue_max = 2), &world));
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    atomic_bool started = false;
    slow works[4];
    for (size_t i = 0; i < 4; i++)
        works[i] = (slow){ { .run = slow_run, .done = slow_done }, &gate, &started, 0 };
    pthread_mutex_lock(&gate);
    CHECK_OK(hy_world_work(world, &works[0].work));
    while (!atomic_load(&started)) {
        hy_world_turn(world); // until the only thread is held up
    }
    CHECK_OK(hy_world_work(world, &works[1].work));
    CHECK_OK(hy_world_work(world, &works[2].work));
    CHECK_ERR(hy_world_work(world, &works[3].work), HY_LIMIT);
    pthread_mutex_unlock(&gate);
    hy_world_run(world); // ends when all work is done
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(works[i].dones, 1);
    CHECK_EQ(works[3].dones, 0); // refused: never completes
    return HY_OK;
}

static hy_err closing_waits_for_work(hy_mem *mem) {
    (void)mem;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    atomic_bool started = false;
    slow works[10];
    hy_world *world = NULL;
    CHECK_OK(hy_world_open(NULL, &world));
    for (size_t i = 0; i < 10; i++) {
        works[i] = (slow){ { .run = slow_run, .done = slow_done }, &gate, &started, 0 };
        CHECK_OK(hy_world_work(world, &works[i].work));
    }
    CHECK(hy_world_close(world) == NULL);
    for (size_t i = 0; i < 10; i++)
        CHECK_EQ(works[i].dones, 1);
    return HY_OK;
}

static hy_err slow_names_hold_up_no_disk(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .work_at_once[HY_WORK_DNS] = 1), &world));
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER, open_gate = PTHREAD_MUTEX_INITIALIZER;
    atomic_bool started = false, read = false;
    slow names[3], disk = {
        { .run = slow_run, .done = slow_done, .kind = HY_WORK_DISK }, &open_gate, &read, 0
    };
    pthread_mutex_lock(&gate);
    for (size_t i = 0; i < 3; i++) {
        names[i] = (slow){
            { .run = slow_run, .done = slow_done, .kind = HY_WORK_DNS }, &gate, &started, 0
        };
        CHECK_OK(hy_world_work(world, &names[i].work));
    }
    CHECK_OK(hy_world_work(world, &disk.work));
    while (disk.dones == 0 || !atomic_load(&started)) {
        hy_world_turn(world);
    }
    CHECK_ERR(hy_world_unwork(world, &names[0].work), HY_BUSY);
    CHECK_OK(hy_world_unwork(world, &names[1].work)); // it waits for the only place
    pthread_mutex_unlock(&gate);
    hy_world_run(world);
    CHECK_EQ(names[0].dones, 1);
    CHECK_EQ(names[1].dones, 0);
    CHECK_EQ(names[2].dones, 1);
    CHECK_EQ(hyi_real_of(world)->pool.thread_count, 2); // no more than were needed
    return HY_OK;
}

// ---- descriptors and signals ------------------------------------------------------------------

typedef struct watched {
    hy_watch *watch;
    int ends[2];
    uint32_t readable, writable;
} watched;

static void close_watched(watched *w) {
    hy_watch_close(w->watch);
    for (size_t i = 0; i < 2; i++) {
        if (w->ends[i] > 0) close(w->ends[i]);
    }
}

static void on_ready(void *self, uint32_t events) {
    watched *w = (watched *)self;
    w->readable += (events & 1) != 0;
    w->writable += (events & 2) != 0;
    char bytes[8];
    if (events & 1) CHECK_EQ(read(w->ends[0], bytes, sizeof bytes), 1);
    CHECK_EQ(hy_watch_set(w->watch, 0), HY_OK);
}

static hy_err a_watch_tells_what_was_asked_for(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    HY_CLEANUP(close_watched) watched w = { 0 };
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, w.ends), 0);
    CHECK_OK(hy_watch_open(world, w.ends[0], on_ready, &w, &w.watch));
    CHECK_OK(hy_watch_set(w.watch, 1));
    CHECK_EQ(write(w.ends[1], "x", 1), 1);
    hy_world_run(world); // paused from inside, so nothing is left
    CHECK_EQ(w.readable, 1);
    CHECK_EQ(w.writable, 0);
    CHECK_OK(hy_watch_set(w.watch, 2));
    hy_world_run(world);
    CHECK_EQ(w.readable, 1);
    CHECK_EQ(w.writable, 1);
    return HY_OK;
}

typedef struct spinner {
    hy_post post;
    hy_world *world;
    watched *w;
} spinner;

static void on_spin(hy_post *post) {
    spinner *self = (spinner *)post;
    if (self->w->readable == 0) hy_world_post(self->world, post);
}

static hy_err a_post_that_repeats_starves_no_descriptor(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    HY_CLEANUP(close_watched) watched w = { 0 };
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, w.ends), 0);
    CHECK_OK(hy_watch_open(world, w.ends[0], on_ready, &w, &w.watch));
    CHECK_OK(hy_watch_set(w.watch, 1));
    CHECK_EQ(write(w.ends[1], "x", 1), 1);
    spinner s = { { .done = on_spin }, world, &w };
    hy_world_post(world, &s.post);
    hy_world_run(world);
    CHECK_EQ(w.readable, 1);
    return HY_OK;
}

static void on_ready_often(void *self, uint32_t events) {
    watched *w = (watched *)self;
    char byte;
    CHECK_EQ(events, 1);
    CHECK_EQ(read(w->ends[0], &byte, 1), 1);
    CHECK_EQ(hy_watch_set(w->watch, 1), HY_OK); // as it is
    if (++w->readable == 3) CHECK_EQ(hy_watch_set(w->watch, 0), HY_OK);
}

static hy_err a_watch_stays_until_it_is_paused(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    HY_CLEANUP(close_watched) watched w = { 0 };
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, w.ends), 0);
    CHECK_OK(hy_watch_open(world, w.ends[0], on_ready_often, &w, &w.watch));
    CHECK_OK(hy_watch_set(w.watch, 1));
    CHECK_EQ(write(w.ends[1], "abcd", 4), 4);
    hy_world_run(world);
    CHECK_EQ(w.readable, 3); // the fourth byte is ready, and nobody asks for it
    return HY_OK;
}

// ---- the alarm ----------------------------------------------------------------------------------

// Work that waits until the world sleeps with its alarm set, and then starts an earlier timer.
typedef struct sleeper {
    hy_work work;
    hy_timer far, soon;
    hy_world *world;
} sleeper;

static void sleeper_run(hy_work *work) {
    hyi_real *real = hyi_real_of(((sleeper *)work)->world);
    while (!atomic_load(&real->sleeping)) {
    }
}

static void sleeper_done(hy_work *work) {
    sleeper *self = (sleeper *)work;
    CHECK_EQ(hy_timer_at(self->world, &self->soon, hy_world_now(self->world) + 1), HY_OK);
}

static void sleeper_on_soon(hy_timer *timer) {
    sleeper *self = (sleeper *)(void *)((uint8_t *)timer - offsetof(sleeper, soon));
    hy_timer_stop(self->world, &self->far);
}

static hy_err an_earlier_timer_sets_the_alarm_anew(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(NULL, &world));
    sleeper self = { .work = { .run = sleeper_run, .done = sleeper_done },
                     .far.done = on_closing_time,
                     .soon.done = sleeper_on_soon,
                     .world = world };
    CHECK_OK(hy_timer_at(world, &self.far, hy_world_now(world) + HY_SECONDS(3600)));
    CHECK_OK(hy_world_work(world, &self.work));
    hy_world_run(world); // ends when `far` is stopped, which is not in an hour
    return HY_OK;
}

typedef struct tick {
    hy_timer timer;
    hy_world *world;
    uint32_t *next;
    uint32_t number;
} tick;

static void on_tick(hy_timer *timer) {
    tick *self = (tick *)timer;
    CHECK(hy_world_now(self->world) >= timer->due);
    CHECK_EQ(self->number, (*self->next)++);
}

static uint32_t files_open(hy_world *world) {
    hy_process_facts facts;
    hy_world_process(world, &facts);
    return facts.files_open;
}

// Opens a world with one descriptor less than it takes: the last one is for the alarm.
static hy_err open_without_alarm(hy_world **out_world) {
    hy_world *probe = NULL;
    CHECK_OK(hy_world_open(NULL, &probe));
    uint32_t count = files_open(probe);
    hy_world *second = NULL; // the first one of a process takes some for good
    CHECK_OK(hy_world_open(NULL, &second));
    count = files_open(second) - count;
    close_world(&second);
    int fds[16];
    CHECK(count <= 16);
    for (uint32_t i = 0; i < count; i++)
        fds[i] = dup(0);
    struct rlimit before, now;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = (rlim_t)fds[count - 1];
    for (uint32_t i = 0; i < count; i++)
        close(fds[i]);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &now), 0);
    hy_err err = hy_world_open(NULL, out_world);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    close_world(&probe);
    return err;
}

static hy_err timers_do_without_a_timerfd(hy_mem *mem) {
    (void)mem;
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(open_without_alarm(&world));
    CHECK_EQ(hyi_real_of(world)->alarm.fd, -1);
    uint32_t next = 0;
    hy_ns now = hy_world_now(world);
    tick ticks[4];
    for (uint32_t i = 0; i < 4; i++) {
        ticks[i] = (tick){ { .done = on_tick }, world, &next, i };
        CHECK_OK(hy_timer_at(world, &ticks[i].timer, now + HY_US(700) * (i + 1)));
    }
    hy_timer never = { .done = on_closing_time };
    CHECK_OK(hy_timer_at(world, &never, HY_NEVER));
    while (next < 4) {
        hy_world_turn(world);
    }
    hy_timer_stop(world, &never);
    ticks[0].number = 4;
    CHECK_OK(hy_timer_at(world, &ticks[0].timer, hy_world_now(world) + HY_MS(1)));
    hy_world_run(world); // kept alive by the timer, asleep until it is due
    CHECK_EQ(next, 5);
    return HY_OK;
}

// ---- the process --------------------------------------------------------------------------------

static hy_err a_limit_beyond_the_hard_one_is_refused(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    struct rlimit before, now;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    hy_process_limits limits = { .size = sizeof limits, .files_max = before.rlim_max + 1 };
    hy_why why = { 0 };
    CHECK_ERR(hy_world_limit_process(world, &limits, &why), HY_LIMIT);
    CHECK_TEXT(hy_bytes_of(why.place), "files_max");
    CHECK(strstr(why.text, "LimitNOFILE= in the service's unit) or ask for less") != NULL);
    limits.files_max = before.rlim_cur - 1;
    CHECK_OK(hy_world_limit_process(world, &limits, &why));
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
    CHECK_EQ(now.rlim_cur, before.rlim_cur - 1);
    CHECK_EQ(now.rlim_max, before.rlim_max);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    return HY_OK;
}

static hy_err facts_of_the_process_are_counted(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    hy_process_facts before, after;
    hy_world_process(world, &before);
    int fd = dup(0);
    hy_world_process(world, &after);
    close(fd);
    CHECK_EQ(after.files_open, before.files_open + 1);
    CHECK(before.resident_bytes > 4096);
    CHECK(before.resident_bytes_peak > 4096);
    CHECK(before.cpu > 0);
    CHECK(after.cpu >= before.cpu);
    return HY_OK;
}

// ---- the service manager ------------------------------------------------------------------------

typedef struct manager {
    int fd;
    char name[64];
} manager;

static void close_manager(manager *m) {
    close(m->fd);
    if (m->name[0] == '/') unlink(m->name);
    unsetenv("NOTIFY_SOCKET");
}

static void open_manager(manager *m, bool in_folder) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(m->name, sizeof m->name, "%s.%d",
             in_folder ? P_tmpdir "/hypha_notify" : "@hypha_notify", (int)getpid());
    size_t len = strlen(m->name);
    memcpy(address.sun_path, m->name, len);
    if (!in_folder) address.sun_path[0] = 0;
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + in_folder);
    CHECK_EQ(bind(m->fd, (struct sockaddr *)&address, size), 0);
    setenv("NOTIFY_SOCKET", m->name, 1);
}

static hy_err the_service_manager_is_told(hy_mem *mem) {
    HY_CLEANUP(close_world) hy_world *world = NULL;
    CHECK_OK(hy_world_open(HY_OPTIONS(hy_world, .mem = mem), &world));
    unsetenv("NOTIFY_SOCKET");
    CHECK_ERR(hy_world_notify(world, "READY=1"), HY_MISSING);
    for (int in_folder = 0; in_folder < 2; in_folder++) {
        HY_CLEANUP(close_manager) manager m = { 0 };
        open_manager(&m, in_folder == 1);
        CHECK_OK(hy_world_notify(world, "READY=1"));
        char text[64] = "";
        CHECK_EQ(recv(m.fd, text, sizeof text, 0), 7);
        CHECK_TEXT(hy_bytes_of(text), "READY=1");
        hy_err err = HY_OK;
        for (uint32_t i = 0; i < 100000 && !err; i++)
            err = hy_world_notify(world, "STATUS=nobody reads this");
        CHECK_EQ(err, HY_BUSY); // full, and we did not wait
    }
    setenv("NOTIFY_SOCKET", "/no/such/socket", 1);
    CHECK_ERR(hy_world_notify(world, "READY=1"), HY_NOT_FOUND);
    setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
    CHECK_ERR(hy_world_notify(world, "READY=1"), HY_MALFORMED);
    unsetenv("NOTIFY_SOCKET");
    return HY_OK;
}

// ---- bad callers ------------------------------------------------------------------------------

static void close_with_a_listener(void *arg) {
    hy_world *world = NULL;
    hy_listener *listener = NULL;
    (void)arg;
    if (hy_world_open(NULL, &world) != HY_OK) return;
    if (hy_listen(world, "127.0.0.1", 0, 1,
                  (void (*)(void *, hy_stream *))(void (*)(void))on_closing_time, NULL, &listener,
                  NULL) != HY_OK) {
        return;
    }
    hy_world_close(world);
}

static hy_err closing_with_open_things_is_a_mistake(hy_mem *mem) {
    (void)mem;
    CHECK(kit_death(close_with_a_listener, NULL));
    CHECK(strstr(kit_last_words(), "real->handles == 0") != NULL);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(posts_of_other_threads_arrive_in_order),
          KIT_TEST_ONCE(a_world_that_falls_asleep_hears_every_post),
          KIT_TEST_ONCE(another_thread_may_stop_the_run), KIT_TEST_ONCE(a_full_queue_refuses_work),
          KIT_TEST_ONCE(closing_waits_for_work), KIT_TEST_ONCE(slow_names_hold_up_no_disk),
          KIT_TEST(a_watch_tells_what_was_asked_for),
          KIT_TEST(a_post_that_repeats_starves_no_descriptor),
          KIT_TEST(a_watch_stays_until_it_is_paused),
          KIT_TEST_ONCE(an_earlier_timer_sets_the_alarm_anew),
          KIT_TEST_ONCE(timers_do_without_a_timerfd),
          KIT_TEST(a_limit_beyond_the_hard_one_is_refused),
          KIT_TEST(facts_of_the_process_are_counted), KIT_TEST_ONCE(the_service_manager_is_told),
          KIT_TEST_ONCE(closing_with_open_things_is_a_mistake))
