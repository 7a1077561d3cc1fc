// notices.c - one line at a time, written by a work thread.

#include "server/notices.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NOTICES_LINE_MAX 512u

struct clinic_notices {
    hy_world *world;
    hy_host *host;
    hy_mem *mem;
    hy_file *file;
    uint64_t size;
    hy_work work;
    bool writing;
    hy_effect *effect; // NULL: the host stopped waiting
    char line[NOTICES_LINE_MAX];
    size_t len;
    hy_err err;
};

static void notices_start(void *self, hy_effect *effect);
static void notices_cancel(void *self, hy_effect *effect);
static void notices_write(hy_work *work);
static void notices_written(hy_work *work);

hy_err notices_open(hy_world *world, hy_host *host, const char *path, clinic_notices **out_notices,
                    hy_why *why) {
    hy_mem *mem = hy_world_mem(world);
    clinic_notices *n = hy_mem_alloc_zero(mem, sizeof *n);
    if (n == NULL) return hy_why_set(why, HY_NOMEM, path, "no memory");
    *n = (clinic_notices){ .world = world, .host = host, .mem = mem };
    n->work = (hy_work){ .run = notices_write, .done = notices_written, .kind = HY_WORK_DISK };
    hy_err err = hy_file_open(world, path, HY_FILE_WRITE | HY_FILE_CREATE, &n->file, why);
    if (err == HY_OK) err = hy_file_size(n->file, &n->size);
    hy_executor executor = { .kind = CLINIC_DO_NOTIFY,
                             .self = n,
                             .start = notices_start,
                             .cancel = notices_cancel,
                             .parallel_max = 1 };
    if (err == HY_OK) err = hy_host_executor(host, &executor);
    if (err != HY_OK) return notices_close(n), err;
    *out_notices = n;
    return HY_OK;
}

clinic_notices *notices_close(clinic_notices *n) {
    if (n == NULL) return NULL;
    HY_ASSERT(!n->writing);
    hy_file_close(n->file);
    hy_mem_free(n->mem, n, sizeof *n);
    return NULL;
}

static void notices_format_time(hy_ns at, char *out, size_t size, const char *format) {
    time_t seconds = (time_t)(at / HY_SECONDS(1));
    struct tm parts;
    (void)gmtime_r(&seconds, &parts);
    if (strftime(out, size, format, &parts) == 0) out[0] = 0;
}

static void notices_format(clinic_notices *n, const clinic_notice *notice) {
    char now[32], when[32];
    hy_ns start = ((hy_ns)notice->day * CLINIC_DAY_MINUTES + notice->minute) * HY_SECONDS(60);
    notices_format_time(hy_world_wall(n->world), now, sizeof now, "%Y-%m-%dT%H:%M:%SZ");
    notices_format_time(start, when, sizeof when, "%A %Y-%m-%d %H:%M");
    int len =
        snprintf(n->line, sizeof n->line, "%s %.*s <%.*s> appointment %llu, %s: %s\n", now,
                 HY_SHOW(notice->name), HY_SHOW(notice->email),
                 (unsigned long long)notice->appointment, when, clinic_event_text(notice->event));
    n->len = (size_t)len < sizeof n->line ? (size_t)len : sizeof n->line - 1;
}

static void notices_start(void *self, hy_effect *effect) {
    clinic_notices *n = self;
    if (n->writing) { // one that was given up is still with the disk
        hy_effect_failed(n->host, effect, "the notification log is slow");
        return;
    }
    notices_format(n, effect->body);
    n->effect = effect;
    n->writing = hy_world_work(n->world, &n->work) == HY_OK;
    if (!n->writing) hy_effect_failed(n->host, effect, "too much work waits");
}

static void notices_cancel(void *self, hy_effect *effect) {
    clinic_notices *n = self;
    if (n->effect == effect) n->effect = NULL;
}

static void notices_write(hy_work *work) {
    clinic_notices *n =
        (clinic_notices *)(void *)((uint8_t *)work - offsetof(clinic_notices, work));
    n->err = hy_file_write(n->file, n->size, (hy_bytes){ (const uint8_t *)n->line, n->len });
}

static void notices_written(hy_work *work) {
    clinic_notices *n =
        (clinic_notices *)(void *)((uint8_t *)work - offsetof(clinic_notices, work));
    hy_effect *effect = n->effect;
    n->writing = false;
    n->effect = NULL;
    if (n->err == HY_OK) n->size += n->len;
    if (effect == NULL) return;
    if (n->err == HY_OK) {
        hy_effect_done(n->host, effect, NULL);
    } else {
        hy_effect_failed(n->host, effect, hy_err_text(n->err));
    }
}
