// fd.c - descriptors of other libraries, as something that a fiber waits for.
//
// One watch a descriptor, kept until it is forgotten, because registering costs two system calls
// and waiting happens all the time. A watch goes on watching after it has fired: most fibers read
// and come back, and then nothing has to be set. Only when it fires and nobody wants to know, is it
// paused for that event; a fiber that was woken and has not yet run still wants to know.
//
//     off --wait--> watched --fires, nobody there--> off
//                   |     ^
//                   +-----+ fires, somebody woken
#include "scope/inside.h"

#include <string.h>

#define FD_EVENTS 3u // readable 1, writable 2

typedef struct fd_wait {
    hyi_wait wait;
    struct fd_record *record;
    uint32_t events; // asked for
    uint32_t got;
} fd_wait;

typedef struct fd_record {
    hy_watch *watch;
    uint32_t watched;    // what the watch is set to
    uint32_t woken;      // events whose fiber has been woken and has not run yet
    fd_wait *waiting[2]; // for readable, for writable
} fd_record;

struct hyi_fd_table {
    uint32_t capacity;
    fd_record *records[]; // by descriptor
};

// ---- the table ----------------------------------------------------------------------------------

static size_t fd_table_size(uint32_t capacity) {
    return sizeof(struct hyi_fd_table) + capacity * sizeof(fd_record *);
}

static fd_record *fd_find(const hy_root *root, int fd) {
    const struct hyi_fd_table *table = root->fds;
    return table && (uint32_t)fd < table->capacity ? table->records[fd] : NULL;
}

static hy_err fd_table_reach(hy_root *root, int fd) {
    uint32_t old = root->fds ? root->fds->capacity : 0;
    if ((uint32_t)fd < old) return HY_OK;
    uint32_t capacity = old ? old : 64;
    while (capacity <= (uint32_t)fd)
        capacity *= 2;
    struct hyi_fd_table *table =
        (struct hyi_fd_table *)hy_mem_alloc_zero(root->mem, fd_table_size(capacity));
    if (!table) return HY_NOMEM;
    table->capacity = capacity;
    if (root->fds) {
        memcpy(table->records, root->fds->records, old * sizeof(fd_record *));
        hy_mem_free(root->mem, root->fds, fd_table_size(old));
    }
    root->fds = table;
    return HY_OK;
}

static void fd_on_ready(void *self, uint32_t events);

static hy_err fd_open(hy_root *root, int fd, fd_record **out_record) {
    hy_err err = fd_table_reach(root, fd);
    if (err != HY_OK) return err;
    fd_record *record = (fd_record *)hy_mem_alloc_zero(root->mem, sizeof *record);
    if (!record) return HY_NOMEM;
    err = hy_watch_open(root->world, fd, fd_on_ready, record, &record->watch);
    if (err != HY_OK) {
        hy_mem_free(root->mem, record, sizeof *record);
        return err;
    }
    root->fds->records[fd] = record;
    *out_record = record;
    return HY_OK;
}

static void fd_close(hy_root *root, int fd) {
    fd_record *record = root->fds->records[fd];
    root->fds->records[fd] = NULL;
    hy_watch_close(record->watch);
    hy_mem_free(root->mem, record, sizeof *record);
}

void hyi_fds_close(hy_root *root) {
    if (!root->fds) return;
    for (uint32_t fd = 0; fd < root->fds->capacity; fd++) {
        if (root->fds->records[fd]) fd_close(root, (int)fd);
    }
    hy_mem_free(root->mem, root->fds, fd_table_size(root->fds->capacity));
    root->fds = NULL;
}

// ---- waiting ------------------------------------------------------------------------------------

static void fd_leave(fd_wait *wait) {
    for (uint32_t i = 0; i < 2; i++) {
        if (wait->record->waiting[i] == wait) wait->record->waiting[i] = NULL;
    }
}

static void fd_unhook(hyi_wait *wait) {
    fd_leave(HYI_HOLDER(fd_wait, wait, wait));
}

static void fd_wake(fd_wait *wait, uint32_t got, hy_err err) {
    fd_leave(wait);
    wait->got = got;
    hyi_wake(wait->wait.task, err);
}

static void fd_on_ready(void *self, uint32_t events) {
    fd_record *record = (fd_record *)self;
    uint32_t wanted = record->woken;
    for (uint32_t i = 0; i < 2; i++) {
        fd_wait *wait = record->waiting[i];
        if (!wait) continue;
        wanted |= wait->events;
        if (!(events & (1u << i))) continue;
        record->woken |= wait->events & events;
        fd_wake(wait, wait->events & events, HY_OK);
    }
    uint32_t idle = events & record->watched & ~wanted;
    if (idle == 0) return;
    record->watched &= ~idle;
    // Pausing only takes away: it cannot fail for want of anything.
    hy_err err = hy_watch_set(record->watch, record->watched);
    HY_ASSERT(err == HY_OK);
}

static hy_err fd_watch(fd_record *record, uint32_t events) {
    if ((record->watched & events) == events) return HY_OK;
    hy_err err = hy_watch_set(record->watch, record->watched | events);
    if (err == HY_OK) record->watched |= events;
    return err;
}

static hy_err fd_park(hy_root *root, int fd, fd_wait *wait) {
    fd_record *record = wait->record;
    for (uint32_t i = 0; i < 2; i++) {
        if (wait->events & (1u << i)) record->waiting[i] = wait;
    }
    hy_err err = hyi_park(&wait->wait);
    record = fd_find(root, fd); // it may have been forgotten meanwhile
    if (record) record->woken &= ~wait->got;
    return err;
}

hy_err hy_wait_fd(int fd, uint32_t events, hy_ns deadline, uint32_t *out_events) {
    hy_task *task = hyi_current;
    HY_ASSERT(task);
    HY_ASSERT(fd >= 0);
    HY_ASSERT(events != 0 && (events & ~FD_EVENTS) == 0);
    hy_root *root = task->root;
    fd_record *record = fd_find(root, fd);
    hy_err err = record ? HY_OK : fd_open(root, fd, &record);
    if (err != HY_OK) return err;
    if ((events & 1) && record->waiting[0]) return HY_BUSY;
    if ((events & 2) && record->waiting[1]) return HY_BUSY;
    err = fd_watch(record, events);
    if (err == HY_OK) err = hyi_budget_take_descriptor(task->scope, false);
    if (err != HY_OK) return err;
    fd_wait wait = {
        .wait = { .unhook = fd_unhook, .what = "descriptor", .deadline = deadline },
        .record = record,
        .events = events,
    };
    err = fd_park(root, fd, &wait);
    hyi_budget_give_descriptor(task->scope);
    if (err == HY_OK) *out_events = wait.got;
    return err;
}

void hy_forget_fd(int fd) {
    HY_ASSERT(hyi_current);
    hy_root *root = hyi_current->root;
    fd_record *record = fd_find(root, fd);
    if (!record) return;
    for (uint32_t i = 0; i < 2; i++) {
        if (record->waiting[i]) fd_wake(record->waiting[i], 0, HY_CLOSED);
    }
    fd_close(root, fd);
}
