// events_test.c - whoever reads events misses some, perhaps, but never reads one that is not true.
//
// The ring is tested alone, with a worker that is only a record: each event's time and value are
// made of its number, so a reader can tell whether the parts of what it read belong together.
#include "actor/events.h"
#include "actor/inside.h"

#include "kit/kit.h"

#include <pthread.h>
#include <string.h>

#define EVENTS_MAX 16u
#define EVENTS_WRITTEN 4000000u

typedef struct stand {
    hy_node node;
    hyi_worker worker;
    hy_actor actor;
    hy_actor_type type;
    _Atomic bool over;
    uint64_t read, missed, torn; // by the reader
} stand;

static hy_err stand_open(stand *s, hy_mem *mem) {
    memset(s, 0, sizeof *s);
    s->node.mem = mem;
    s->node.options.events_max = EVENTS_MAX;
    s->node.worker_count = 1;
    s->node.workers[0] = &s->worker;
    s->worker.node = &s->node;
    s->type.name = "stand";
    s->actor.type = &s->type;
    s->actor.slot = 7;
    return hyi_events_open(&s->worker);
}

// Its number says all the rest of it.
static void stand_write(stand *s, uint64_t number) {
    s->worker.batch_began = (hy_ns)(number * 5);
    hyi_event(&s->worker, (hy_node_event_kind)(1 + number % HY_EVENT_NODE), &s->actor, number * 3);
}

static bool stand_is_true(const hy_node_event *event) {
    const uint64_t n = event->number;
    return event->at == (hy_ns)(n * 5) && event->value == n * 3 && event->worker == 0 &&
           event->kind == 1 + n % HY_EVENT_NODE && (uint32_t)event->who.id == 7 &&
           strcmp(event->type, "stand") == 0;
}

static hy_err what_is_kept_is_read_in_order(hy_mem *mem) {
    static stand s;
    CHECK_OK(stand_open(&s, mem));
    hy_node_event event;
    uint64_t cursor = 0;
    CHECK(!hy_node_event_next(&s.node, 0, &cursor, &event));
    CHECK_EQ(cursor, 0);
    for (uint64_t n = 1; n <= 10; n++)
        stand_write(&s, n);
    for (uint64_t n = 1; n <= 10; n++) {
        CHECK(hy_node_event_next(&s.node, 0, &cursor, &event));
        CHECK_EQ(event.number, n);
        CHECK(stand_is_true(&event));
    }
    CHECK(!hy_node_event_next(&s.node, 0, &cursor, &event));
    CHECK_EQ(hyi_events_count(&s.worker), 10);
    hyi_events_close(&s.worker);
    return HY_OK;
}

static hy_err who_reads_late_knows_what_is_missing(hy_mem *mem) {
    static stand s;
    CHECK_OK(stand_open(&s, mem));
    for (uint64_t n = 1; n <= 3 * EVENTS_MAX; n++)
        stand_write(&s, n);
    hy_node_event event;
    uint64_t cursor = 2, expected = 2 * EVENTS_MAX + 1; // the oldest that is kept
    while (hy_node_event_next(&s.node, 0, &cursor, &event)) {
        CHECK_EQ(event.number, expected);
        CHECK(stand_is_true(&event));
        expected++;
    }
    CHECK_EQ(expected, 3 * EVENTS_MAX + 1);
    hyi_events_close(&s.worker);
    return HY_OK;
}

static void *reader_run(void *arg) {
    stand *s = arg;
    hy_node_event event;
    uint64_t cursor = 0;
    bool last_round = false;
    for (;;) {
        const uint64_t before = cursor;
        if (hy_node_event_next(&s->node, 0, &cursor, &event)) {
            s->read++;
            s->missed += event.number - before - 1;
            s->torn += !stand_is_true(&event);
            continue;
        }
        if (last_round) return NULL;
        last_round = atomic_load(&s->over);
    }
}

static hy_err reader_never_sees_a_torn_event(hy_mem *mem) {
    static stand s;
    CHECK_OK(stand_open(&s, mem));
    pthread_t reader;
    CHECK(pthread_create(&reader, NULL, reader_run, &s) == 0);
    for (uint64_t n = 1; n <= EVENTS_WRITTEN; n++)
        stand_write(&s, n);
    atomic_store(&s.over, true);
    CHECK(pthread_join(reader, NULL) == 0);
    CHECK_EQ(s.torn, 0);
    CHECK_EQ(s.read + s.missed, EVENTS_WRITTEN); // it knows of each, read or not
    CHECK(s.read >= EVENTS_MAX);                 // the last ones were nobody's to overwrite
    hyi_events_close(&s.worker);
    return HY_OK;
}

KIT_TESTS(KIT_TEST(what_is_kept_is_read_in_order), KIT_TEST(who_reads_late_knows_what_is_missing),
          KIT_TEST_ONCE(reader_never_sees_a_torn_event))
