// notices.c - one line at a time, written by a work thread while the fiber waits.

#include "server/notices.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/practices.h"

#define NOTICES_LINE_MAX 512u

typedef struct notices {
    hy_world *world;
    hy_file *file;
    uint64_t size;
    bool writing;
    char line[NOTICES_LINE_MAX];
    size_t len;
    hy_err err; // of the work thread's write
} notices;

static hy_err notices_tell(void *self, const hy_effect *effect, void *no_completion);

static void notices_close(void *object) {
    hy_file_close(object);
}

hy_err notices_open(hy_scope *scope, hy_fleet *fleet, const char *path, hy_why *why) {
    notices *n = hy_scope_alloc(scope, sizeof *n);
    if (n == NULL) return hy_why_set(why, HY_NOMEM, path, "no memory");
    *n = (notices){ .world = hy_scope_world(scope) };
    hy_err err = hy_file_open(n->world, path, HY_FILE_WRITE | HY_FILE_CREATE, &n->file, why);
    if (err == HY_OK) err = hy_own(scope, n->file, notices_close, 0);
    if (err == HY_OK) err = hy_file_size(n->file, &n->size);
    if (err != HY_OK) return err;
    const hy_executor limits = { .kind = CLINIC_DO_NOTIFY, .self = n, .parallel_max = 1 };
    return hy_fleet_executor_in(scope, fleet, &limits, notices_tell);
}

static void notices_format_time(hy_ns at, char *out, size_t size, const char *format) {
    time_t seconds = (time_t)(at / HY_SECONDS(1));
    struct tm parts;
    (void)gmtime_r(&seconds, &parts);
    if (strftime(out, size, format, &parts) == 0) out[0] = 0;
}

static void notices_format(notices *n, uint32_t practice, const clinic_notice *notice) {
    char now[32], when[32];
    hy_ns start = ((hy_ns)notice->day * CLINIC_DAY_MINUTES + notice->minute) * HY_SECONDS(60);
    notices_format_time(hy_world_wall(n->world), now, sizeof now, "%Y-%m-%dT%H:%M:%SZ");
    notices_format_time(start, when, sizeof when, "%A %Y-%m-%d %H:%M");
    int len = snprintf(n->line, sizeof n->line, "%s %.*s <%.*s> appointment %llu, %s: %s\n", now,
                       HY_SHOW(notice->name), HY_SHOW(notice->email),
                       (unsigned long long)practice_outside(practice, notice->appointment), when,
                       clinic_event_text(notice->event));
    n->len = (size_t)len < sizeof n->line ? (size_t)len : sizeof n->line - 1;
}

// On a work thread.
static void notices_write(void *self) {
    notices *n = self;
    n->err = hy_file_write(n->file, n->size, (hy_bytes){ (const uint8_t *)n->line, n->len });
}

static hy_err notices_tell(void *self, const hy_effect *effect, void *no_completion) {
    (void)no_completion; // nobody waits for it
    notices *n = self;
    if (n->writing) { // the attempt before was given up, but is still with the disk
        return hy_why_set(effect->why, HY_BUSY, "", "the notification log is slow");
    }
    n->writing = true;
    notices_format(n, practice_of_key(effect->instance), effect->body);
    hy_err err = hy_offload(HY_WORK_DISK, notices_write, n);
    n->writing = false;
    if (err == HY_OK) err = n->err;
    if (err == HY_OK) n->size += n->len;
    return err;
}
