// sim.c - the simulated world: time that jumps, and dice that decide what runs next.
//
// One step runs one thing. The candidates are: the oldest post, the first timer when its time has
// come, and each event of the heap (work, streams) whose time has come. One throw picks among them.
// When nothing is ready, the clock jumps to the first thing that will be. When nothing ever will
// be, the step says so: that is the end of hy_world_run.
//
// Every step costs a microsecond of virtual time. Without it, a program that posts for ever would
// stop the clock, and no timer could save it.
//
// Promises kept from the real world: posts run in order; timers fire by (due, order of start),
// never early, possibly late. A timer's lateness is a function of the seed and its order, so
// looking at the first timer throws no dice.
//
// After a crash of the disk (sim_disk.c) the machine is down: no step runs until hy_sim_restart.
#include "world/sim.h"
#include "base/options.h"
#include "base/digest.h"

#include <string.h>

#define SIM_STEP_COST HY_US(1)
#define SIM_NOW_START HY_SECONDS(1)
#define SIM_WALL_START (HY_SECONDS(1) * 1767571200) // 2026-01-05 00:00:00 UTC
#define SIM_LOG_MAX 4096u
#define SIM_DUE_FIRST 64u
#define SIM_GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static void sim_close(hy_world *world);
static void sim_run(hy_world *world);
static bool sim_turn(hy_world *world);
static void sim_stop(hy_world *world);
static hy_ns sim_now(const hy_world *world);
static hy_ns sim_wall(const hy_world *world);
static uint64_t sim_random(hy_world *world);
static uint32_t sim_choose(hy_world *world, uint32_t count);
static void sim_note(hy_world *world, const char *what, uint64_t subject, uint64_t value);
static void sim_post(hy_world *world, hy_post *post);
static hy_err sim_timer_at(hy_world *world, hy_timer *timer, hy_ns due);
static void sim_timer_stop(hy_world *world, hy_timer *timer);

static const hyi_door sim_door = {
    .is_real = false,
    .close = sim_close,
    .run = sim_run,
    .turn = sim_turn,
    .stop = sim_stop,
    .now = sim_now,
    .wall = sim_wall,
    .random = sim_random,
    .choose = sim_choose,
    .note = sim_note,
    .post = sim_post,
    .timer_at = sim_timer_at,
    .timer_stop = sim_timer_stop,
    .work = hyi_sim_work,
    .unwork = hyi_sim_unwork,
    .file_open = hyi_sim_file_open,
    .file_close = hyi_sim_file_close,
    .file_read = hyi_sim_file_read,
    .file_write = hyi_sim_file_write,
    .file_sync = hyi_sim_file_sync,
    .file_size = hyi_sim_file_size,
    .file_truncate = hyi_sim_file_truncate,
    .file_lock = hyi_sim_file_lock,
    .file_remove = hyi_sim_file_remove,
    .file_exists = hyi_sim_file_exists,
    .folder_make = hyi_sim_folder_make,
    .listen = hyi_sim_listen,
    .listener_port = hyi_sim_listener_port,
    .listener_close = hyi_sim_listener_close,
    .connect = hyi_sim_connect,
    .connect_cancel = hyi_sim_connect_cancel,
    .stream_start = hyi_sim_stream_start,
    .stream_write = hyi_sim_stream_write,
    .stream_has_drained = hyi_sim_stream_has_drained,
    .stream_pause = hyi_sim_stream_pause,
    .stream_close = hyi_sim_stream_close,
    .signal_open = hyi_sim_signal_open,
    .signal_close = hyi_sim_signal_close,
    .notify = hyi_sim_notify,
};

// ---- dice, digest and log -----------------------------------------------------------------------

// The finalizer of splitmix64.
static uint64_t sim_mix(uint64_t x) {
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t sim_throw(hyi_sim *sim, hyi_sim_dice dice) {
    sim->dice[dice] += SIM_GOLDEN;
    return sim_mix(sim->dice[dice]);
}

static void sim_fold(hyi_sim *sim, const uint64_t *words, size_t count) {
    sim->digest = hyi_fnv1a(sim->digest, words, count * sizeof *words);
}

// The high half of a 128-bit product. The bias is below bound / 2^64, which no test can see.
uint64_t hyi_sim_below(hyi_sim *sim, hyi_sim_dice dice, uint64_t bound) {
    HY_ASSERT(bound > 0);
    uint64_t choice = (uint64_t)((unsigned __int128)sim_throw(sim, dice) * bound >> 64);
    uint64_t words[3] = { (uint64_t)dice, bound, choice };
    sim_fold(sim, words, 3);
    return choice;
}

bool hyi_sim_strikes(hyi_sim *sim, hyi_sim_dice dice, uint32_t ppm) {
    return ppm > 0 && hyi_sim_below(sim, dice, 1000000) < ppm;
}

hy_ns hyi_sim_delay(hyi_sim *sim, hyi_sim_dice dice) {
    return (hy_ns)hyi_sim_below(sim, dice, (uint64_t)sim->delay_max + 1);
}

void hyi_sim_note(hyi_sim *sim, const char *what, uint64_t subject, uint64_t value) {
    uint64_t words[4] = { hyi_fnv1a(HYI_FNV1A_START, what, strlen(what)), (uint64_t)sim->now,
                          subject, value };
    sim_fold(sim, words, 4);
    uint64_t number = sim->log_next++;
    sim->log[number % sim->log_capacity] = (hy_sim_event){ number, sim->now, what, subject, value };
}

void hyi_sim_note_bytes(hyi_sim *sim, hy_bytes bytes) {
    uint64_t words[2] = { bytes.len, hyi_digest(0, bytes.ptr, bytes.len) };
    sim_fold(sim, words, 2);
}

uint64_t hy_sim_digest(const hy_world *world) {
    HY_ASSERT(!world->door->is_real);
    return hyi_sim_of(world)->digest;
}

bool hy_sim_log_next(const hy_world *world, uint64_t *cursor, hy_sim_event *out_event) {
    HY_ASSERT(!world->door->is_real);
    const hyi_sim *sim = hyi_sim_of(world);
    uint64_t oldest = sim->log_next > sim->log_capacity ? sim->log_next - sim->log_capacity : 1;
    uint64_t number = *cursor + 1 > oldest ? *cursor + 1 : oldest;
    if (number >= sim->log_next) return false;
    *out_event = sim->log[number % sim->log_capacity];
    *cursor = number;
    return true;
}

// ---- clock --------------------------------------------------------------------------------------

static hy_ns sim_now(const hy_world *world) {
    return hyi_sim_of(world)->now;
}

static hy_ns sim_wall(const hy_world *world) {
    const hyi_sim *sim = hyi_sim_of(world);
    return hy_ns_add(sim->now, sim->wall_ahead);
}

static uint64_t sim_random(hy_world *world) {
    hyi_sim *sim = hyi_sim_of(world);
    uint64_t word = sim_throw(sim, HYI_DICE_RANDOM);
    sim_fold(sim, &word, 1);
    return word;
}

static uint32_t sim_choose(hy_world *world, uint32_t count) {
    return (uint32_t)hyi_sim_below(hyi_sim_of(world), HYI_DICE_CHOOSE, count);
}

static void sim_note(hy_world *world, const char *what, uint64_t subject, uint64_t value) {
    hyi_sim_note(hyi_sim_of(world), what, subject, value);
}

void hy_sim_step_wall(hy_world *world, hy_ns by) {
    HY_ASSERT(!world->door->is_real);
    hyi_sim *sim = hyi_sim_of(world);
    sim->wall_ahead = hy_ns_add(sim->wall_ahead, by);
    hyi_sim_note(sim, "wall step", 0, (uint64_t)by);
}

// ---- the heap of what is due --------------------------------------------------------------------

static bool due_before(const hyi_sim_due *a, const hyi_sim_due *b) {
    if (a->at != b->at) return a->at < b->at;
    return a->order < b->order;
}

static void due_up(hyi_sim *sim, uint32_t place, hyi_sim_due item) {
    while (place > 0 && due_before(&item, &sim->due[(place - 1) / 2])) {
        sim->due[place] = sim->due[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    sim->due[place] = item;
}

static void due_down(hyi_sim *sim, uint32_t place, hyi_sim_due item) {
    for (;;) {
        uint32_t child = place * 2 + 1;
        if (child >= sim->due_count) break;
        if (child + 1 < sim->due_count && due_before(&sim->due[child + 1], &sim->due[child])) {
            child++;
        }
        if (!due_before(&sim->due[child], &item)) break;
        sim->due[place] = sim->due[child];
        place = child;
    }
    sim->due[place] = item;
}

static hyi_sim_due due_take(hyi_sim *sim, uint32_t place) {
    hyi_sim_due taken = sim->due[place];
    hyi_sim_due last = sim->due[--sim->due_count];
    if (place == sim->due_count) return taken;
    if (place > 0 && due_before(&last, &sim->due[(place - 1) / 2])) {
        due_up(sim, place, last);
    } else {
        due_down(sim, place, last);
    }
    return taken;
}

// What is ready forms the top of the heap: below something that is not ready nothing is. Counts it,
// and gives in *out_place the place of the one that is number `wanted`.
static uint32_t due_ready(const hyi_sim *sim, uint32_t wanted, uint32_t *out_place) {
    uint32_t count = 0, place = 0;
    while (place < sim->due_count) {
        bool ready = sim->due[place].at <= sim->now;
        if (ready && count++ == wanted) *out_place = place;
        if (ready && place * 2 + 1 < sim->due_count) {
            place = place * 2 + 1; // down to the left
            continue;
        }
        while (place > 0 && (place % 2 == 0 || place + 1 >= sim->due_count))
            place = (place - 1) / 2; // up while there is no sister to the right
        if (place == 0) break;
        place++;
    }
    return count;
}

hy_err hyi_sim_promise(hyi_sim *sim, uint32_t count) {
    uint32_t wanted = sim->due_promised + count;
    if (wanted > sim->due_capacity) {
        uint32_t capacity = sim->due_capacity == 0 ? SIM_DUE_FIRST : sim->due_capacity * 2;
        if (capacity < wanted) capacity = wanted;
        void *due =
            sim->base.mem->resize(sim->base.mem, sim->due, sim->due_capacity * sizeof *sim->due,
                                  capacity * sizeof *sim->due);
        if (!due) return HY_NOMEM;
        sim->due = (hyi_sim_due *)due;
        sim->due_capacity = capacity;
    }
    sim->due_promised = wanted;
    return HY_OK;
}

void hyi_sim_unpromise(hyi_sim *sim, uint32_t count) {
    HY_ASSERT(sim->due_promised >= count);
    sim->due_promised -= count;
}

void hyi_sim_after(hyi_sim *sim, hy_ns delay, void (*fire)(hyi_sim *sim, void *self), void *self) {
    HY_ASSERT(sim->due_count < sim->due_promised);
    hyi_sim_due item = { hy_ns_add(sim->now, delay), sim->next_order++, fire, self };
    due_up(sim, sim->due_count++, item);
}

void hyi_sim_forget(hyi_sim *sim, const void *self) {
    for (uint32_t place = 0; place < sim->due_count; place++) {
        if (sim->due[place].self != self) continue;
        due_take(sim, place);
        return;
    }
    HY_ASSERT(false); // it was in the heap
}

// ---- posts, timers -----------------------------------------------------------------------------

static void sim_post(hy_world *world, hy_post *post) {
    hyi_sim *sim = hyi_sim_of(world);
    post->next_ = NULL;
    if (sim->last_post) {
        sim->last_post->next_ = post;
    } else {
        sim->first_post = post;
    }
    sim->last_post = post;
}

static void sim_fire_post(hyi_sim *sim) {
    hy_post *post = sim->first_post;
    sim->first_post = post->next_;
    if (!sim->first_post) sim->last_post = NULL;
    hyi_sim_note(sim, "post", 0, 0);
    post->done(post);
}

static hy_err sim_timer_at(hy_world *world, hy_timer *timer, hy_ns due) {
    hyi_sim *sim = hyi_sim_of(world);
    hy_err err = hyi_timers_start(&sim->timers, timer, due);
    if (err == HY_OK) hyi_sim_note(sim, "timer start", timer->order_, (uint64_t)due);
    return err;
}

static void sim_timer_stop(hy_world *world, hy_timer *timer) {
    hyi_timers_stop(&hyi_sim_of(world)->timers, timer);
}

// When the first timer fires: half of all timers are on time, the others up to delay_max late.
static hy_ns sim_timer_ready_at(const hyi_sim *sim) {
    const hy_timer *timer = hyi_timers_first(&sim->timers);
    if (!timer || timer->due == HY_NEVER) return HY_NEVER;
    uint64_t chance = sim_mix(sim->seed ^ sim_mix(timer->order_ + SIM_GOLDEN));
    hy_ns late = chance & 1 ? (hy_ns)((chance >> 1) % ((uint64_t)sim->delay_max + 1)) : 0;
    return hy_ns_add(timer->due, late);
}

static void sim_fire_timer(hyi_sim *sim) {
    hy_timer *timer = hyi_timers_first(&sim->timers);
    hyi_timers_stop(&sim->timers, timer);
    hyi_sim_note(sim, "timer", timer->order_, (uint64_t)timer->due);
    timer->done(timer);
}

// ---- running ------------------------------------------------------------------------------------

// Moves the clock to the first thing that will be ready. False: nothing up to `until`.
static bool sim_jump(hyi_sim *sim, hy_ns until) {
    hy_ns next = sim_timer_ready_at(sim);
    if (sim->due_count > 0 && sim->due[0].at < next) next = sim->due[0].at;
    if (next > until || next == HY_NEVER) return false;
    if (next > sim->now) sim->now = next;
    return true;
}

static bool sim_step(hyi_sim *sim, hy_ns until) {
    if (sim->disk.crashed) return false;
    if (!sim->first_post && !sim_jump(sim, until)) return false;
    uint32_t place = 0;
    uint32_t ready = due_ready(sim, 0, &place);
    uint32_t timers = sim_timer_ready_at(sim) <= sim->now;
    uint32_t posts = sim->first_post != NULL;
    HY_ASSERT(ready + timers + posts > 0);
    uint64_t choice = hyi_sim_below(sim, HYI_DICE_SCHEDULE, ready + timers + posts);
    if (choice < ready) {
        due_ready(sim, (uint32_t)choice, &place);
        hyi_sim_due item = due_take(sim, place);
        item.fire(sim, item.self);
    } else if (choice < ready + timers) {
        sim_fire_timer(sim);
    } else {
        sim_fire_post(sim);
    }
    hy_ns later = hy_ns_add(sim->now, SIM_STEP_COST);
    if (later <= until) sim->now = later;
    return true;
}

static void sim_run(hy_world *world) {
    hyi_sim *sim = hyi_sim_of(world);
    while (!atomic_load(&sim->stop_asked) && sim_step(sim, HY_NEVER)) {
    }
    atomic_store(&sim->stop_asked, false);
}

static bool sim_turn(hy_world *world) {
    return sim_step(hyi_sim_of(world), HY_NEVER);
}

static void sim_stop(hy_world *world) {
    atomic_store(&hyi_sim_of(world)->stop_asked, true);
}

void hy_sim_advance(hy_world *world, hy_ns duration) {
    HY_ASSERT(!world->door->is_real);
    HY_ASSERT(duration >= 0);
    hyi_sim *sim = hyi_sim_of(world);
    hy_ns until = hy_ns_add(sim->now, duration);
    while (sim_step(sim, until)) {
    }
    if (sim->now < until) sim->now = until;
}

// ---- crash and restart --------------------------------------------------------------------------

// Records of the program that crashed are forgotten without being touched: they may be gone.
void hy_sim_restart(hy_world *world) {
    HY_ASSERT(!world->door->is_real);
    hyi_sim *sim = hyi_sim_of(world);
    sim->first_post = sim->last_post = NULL;
    sim->timers.count = 0;
    sim->due_count = 0;
    hyi_sim_work_restart(sim);
    atomic_store(&sim->stop_asked, false);
    hyi_sim_signals_restart(sim);
    hyi_sim_net_restart(sim);
    hyi_sim_disk_restart(sim);
    sim->now = hy_ns_add(sim->now, HY_SECONDS(1) + (hy_ns)hyi_sim_below(sim, HYI_DICE_CRASH, 1000));
    hyi_sim_note(sim, "restart", sim->disk.generation, 0);
}

// ---- making and closing -------------------------------------------------------------------------

static hy_sim_options sim_options(const hy_sim_options *given) {
    hy_sim_options options;
    hyi_options_read(&options, sizeof options, given);
    if (options.wall_start == 0) options.wall_start = SIM_WALL_START;
    if (options.delay_max == 0) options.delay_max = HY_MS(1);
    if (!options.mem) options.mem = hy_mem_system();
    if (options.event_log_max == 0) options.event_log_max = SIM_LOG_MAX;
    return options;
}

static void sim_free(hyi_sim *sim) {
    hy_mem *mem = sim->base.mem;
    hyi_timers_deinit(&sim->timers);
    hy_mem_free(mem, sim->due, sim->due_capacity * sizeof *sim->due);
    hy_mem_free(mem, sim->log, sim->log_capacity * sizeof *sim->log);
    hy_mem_free(mem, sim, sizeof *sim);
}

hy_err hy_sim_open(const hy_sim_options *given, hy_world **out_world) {
    hy_sim_options options = sim_options(given);
    HY_ASSERT(options.delay_max > 0);
    hyi_sim *sim = (hyi_sim *)hy_mem_alloc_zero(options.mem, sizeof *sim);
    if (!sim) return HY_NOMEM;
    sim->base = (hy_world){ .door = &sim_door, .mem = options.mem };
    sim->seed = options.seed;
    for (uint64_t i = 0; i < HYI_DICE_COUNT; i++)
        sim->dice[i] = sim_mix(options.seed + i * SIM_GOLDEN) ^ sim_mix(i);
    sim->now = SIM_NOW_START;
    sim->wall_ahead = options.wall_start - SIM_NOW_START;
    sim->delay_max = options.delay_max;
    sim->next_order = 1;
    sim->digest = HYI_FNV1A_START;
    sim->log_next = 1;
    sim->net.next_port = 49152;
    hyi_timers_init(&sim->timers, options.mem);
    hyi_works_init(&sim->works, options.work_at_once, 0);
    sim->log =
        (hy_sim_event *)hy_mem_alloc(options.mem, options.event_log_max * sizeof(hy_sim_event));
    if (!sim->log) {
        sim_free(sim);
        return HY_NOMEM;
    }
    sim->log_capacity = options.event_log_max;
    *out_world = &sim->base;
    return HY_OK;
}

// What was promised a call gets it, unless the machine is down.
static void sim_close(hy_world *world) {
    hyi_sim *sim = hyi_sim_of(world);
    while ((sim->first_post || sim->works_out > 0 || sim->net.closing > 0) &&
           sim_step(sim, HY_NEVER)) {
    }
    hyi_sim_signals_free(sim);
    hyi_sim_net_free(sim);
    hyi_sim_disk_free(sim);
    sim_free(sim);
}
