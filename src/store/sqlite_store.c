// sqlite_store.c - opening and closing a SQLite store.
//
// Between Hypha processes the lock is a file of its own ("clinic.db-lock", held by hy_file_lock
// until close): SQLite's own locks stay as they are, so that a person can look with the sqlite3
// shell while the service runs. A store that is opened for reading takes no lock at all.
#include "store/sqlite_store.h"

#include "base/memory.h"
#include "base/why.h"

#define STORE_CHECKPOINT_BYTES ((uint64_t)64 << 20)
#define STORE_SLICE_BYTES (256u << 10)
#define STORE_SLICE_ROWS 512u
#define STORE_PAGE_BYTES 4096u
#define STORE_CACHE_BYTES (16u << 20)
#define STORE_WAL_BYTES (1u << 20)
#define STORE_BUSY_TIMEOUT HY_SECONDS(2)

static void sqlite_set_options(hyi_sqlite *self, const hy_store_sqlite_options *options) {
    hy_store_sqlite_options all = { 0 };
    if (options != NULL) {
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    }
    if (all.checkpoint_bytes == 0) all.checkpoint_bytes = STORE_CHECKPOINT_BYTES;
    if (all.slice_bytes == 0) all.slice_bytes = STORE_SLICE_BYTES;
    if (all.page_bytes == 0) all.page_bytes = STORE_PAGE_BYTES;
    if (all.cache_bytes == 0) all.cache_bytes = STORE_CACHE_BYTES;
    if (all.wal_bytes == 0) all.wal_bytes = STORE_WAL_BYTES;
    if (all.busy_timeout == 0) all.busy_timeout = STORE_BUSY_TIMEOUT;
    self->options = all;
    self->slice_rows = STORE_SLICE_ROWS;
    self->own_files = all.world_files || !hy_world_is_real(self->world);
}

// path + suffix, NUL-ended; NULL on failure.
static char *sqlite_path(hy_mem *mem, const char *path, const char *suffix, size_t *out_size) {
    hy_bytes head = hy_bytes_of(path), tail = hy_bytes_of(suffix);
    char *made = hy_mem_alloc(mem, head.len + tail.len + 1);
    if (made == NULL) return NULL;
    memcpy(made, head.ptr, head.len);
    memcpy(made + head.len, tail.ptr, tail.len + 1);
    *out_size = head.len + tail.len + 1;
    return made;
}

static hy_err sqlite_lock(hyi_sqlite *self, hy_why *why) {
    hy_err err = hy_file_open(self->world, self->lock_path, HY_FILE_WRITE | HY_FILE_CREATE,
                              &self->lock, why);
    if (err != HY_OK) return err;
    err = hy_file_lock(self->lock);
    if (err == HY_LOCKED) {
        return hyi_why_fmt(why, err, self->path,
                           "%s is held by another Hypha process: stop it first (looking with "
                           "`hypha inspect` needs no lock)",
                           self->path);
    }
    if (err == HY_OK) return HY_OK;
    return hyi_why_fmt(why, err, self->lock_path, "%s cannot be locked: %s", self->lock_path,
                       hy_err_text(err));
}

// Everything but the connection goes back; works on a half-opened store.
static void sqlite_free(hyi_sqlite *self) {
    hyi_sqlite_instances_free(self);
    for (uint32_t i = 0; i < self->machine_count; i++) {
        hyi_sqlite_machine_free(self, self->machines[i]);
    }
    hy_mem_free(self->mem, self->machines, self->machine_capacity * sizeof self->machines[0]);
    hyi_vfs_deinit(&self->vfs);
    hy_file_close(self->lock);
    hy_arena_deinit(&self->scratch);
    hy_buf_deinit(&self->wire);
    hy_mem_free(self->mem, self->path, self->path_size);
    hy_mem_free(self->mem, self->lock_path, self->lock_path_size);
    hy_mem_free(self->mem, self, sizeof *self);
}

static void sqlite_close(hy_store *store) {
    hyi_sqlite *self = (hyi_sqlite *)store;
    hy_err err = self->broken ? HY_IO : hyi_sqlite_checkpoint(store, NULL);
    // With a log that could not be written out cleanly, the next open reads it again.
    hyi_sqlite_unlink(self, err == HY_OK && !self->broken);
    sqlite_free(self);
}

static hy_store_recovery sqlite_recovered(const hy_store *store) {
    return ((const hyi_sqlite *)store)->recovery;
}

static const hy_store_driver sqlite_driver = {
    .name = "sqlite",
    .attach = hyi_sqlite_attach,
    .load = hyi_sqlite_load,
    .append = hyi_sqlite_append,
    .checkpoint = hyi_sqlite_checkpoint,
    .journal_open = hyi_sqlite_journal_open,
    .journal_next = hyi_sqlite_journal_next,
    .journal_close = hyi_sqlite_journal_close,
    .close = sqlite_close,
    .checkpoint_slice = hyi_sqlite_checkpoint_slice,
    .instance = hyi_sqlite_instance_open,
    .owing = hyi_sqlite_owing,
};

static const hyi_store_driver sqlite_more = {
    .recovered = sqlite_recovered,
    .machines = hyi_sqlite_machines,
    .instance_next = hyi_sqlite_instance_next,
    .instance_look = hyi_sqlite_instance_look,
    .rows_open = hyi_sqlite_rows_open,
};

static hy_err sqlite_open(hyi_sqlite *self, const char *path, hy_why *why) {
    self->path = sqlite_path(self->mem, path, "", &self->path_size);
    self->lock_path = sqlite_path(self->mem, path, "-lock", &self->lock_path_size);
    if (self->path == NULL || self->lock_path == NULL) return HY_NOMEM;
    hy_err err = HY_OK;
    if (self->own_files) err = hyi_vfs_init(&self->vfs, self->world);
    if (err == HY_OK && !self->options.read_only) err = sqlite_lock(self, why);
    if (err == HY_OK && self->options.read_only && !hy_file_exists(self->world, path)) {
        err = hyi_why_fmt(why, HY_NOT_FOUND, path, "there is no file %s: check the path", path);
    }
    return err == HY_OK ? hyi_sqlite_link(self, why) : err;
}

hy_err hy_store_sqlite_open(hy_world *world, const char *path,
                            const hy_store_sqlite_options *options, hy_store **out_store,
                            hy_why *why) {
    hy_mem *mem = hy_world_mem(world);
    hyi_sqlite *self = hy_mem_alloc_zero(mem, sizeof *self);
    if (self == NULL) return hy_why_set(why, HY_NOMEM, path, hy_err_text(HY_NOMEM));
    self->base = (hyi_store){ { &sqlite_driver }, &sqlite_more };
    self->world = world;
    self->mem = mem;
    hy_arena_init(&self->scratch, mem, 0);
    hy_buf_init(&self->wire, mem, 0);
    hyi_map_init(&self->instance_numbers, mem, 0);
    hyi_map_init(&self->instance_keys, mem, 0);
    sqlite_set_options(self, options);
    hy_err err = sqlite_open(self, path, why);
    if (err != HY_OK) {
        sqlite_free(self);
        return hyi_sqlite_told(err, why);
    }
    *out_store = &self->base.port;
    return HY_OK;
}
