// vfs.c - an sqlite3_vfs on hy_file_*.
//
// What SQLite is told about the device: a write leaves the bytes around it alone
// (POWERSAFE_OVERWRITE), which the simulated disk keeps even when it tears a write; nothing else,
// so SQLite syncs wherever a plain disk needs it.
//
// Each callback maps a hy_err to the code that SQLite acts upon: a full disk is SQLITE_FULL, no
// memory is SQLITE_IOERR_NOMEM, a read past the end is a short read with zeros, all else is an I/O
// error.
#include "store/vfs.h"

#include <stdatomic.h>

#include "base/memory.h"

#define VFS_PATH_MAX 1024

typedef struct vfs_file {
    sqlite3_file base;
    hyi_vfs *vfs;
    hy_file *file;
    const char *remove_path; // of a file that goes when it is closed; SQLite keeps the text
} vfs_file;

static hyi_vfs *vfs_of(sqlite3_vfs *base) {
    return base->pAppData;
}

static int vfs_code(hyi_vfs *vfs, hy_err err, int otherwise) {
    if (err != HY_OK) vfs->last_err = err;
    switch (err) {
    case HY_OK: return SQLITE_OK;
    case HY_DISK_FULL: return SQLITE_FULL;
    case HY_NOMEM: return SQLITE_IOERR_NOMEM;
    default: return otherwise;
    }
}

// ---- files --------------------------------------------------------------------------------------

static int vfs_close(sqlite3_file *base) {
    vfs_file *self = (vfs_file *)base;
    hy_file_close(self->file);
    self->file = NULL;
    if (self->remove_path == NULL) return SQLITE_OK;
    hy_err err = hy_file_remove(self->vfs->world, self->remove_path, false, NULL);
    return vfs_code(self->vfs, err, SQLITE_IOERR_DELETE);
}

static int vfs_read(sqlite3_file *base, void *ptr, int len, sqlite3_int64 offset) {
    vfs_file *self = (vfs_file *)base;
    size_t got = 0;
    hy_err err = hy_file_read(self->file, (uint64_t)offset, ptr, (size_t)len, &got);
    if (err != HY_OK) return vfs_code(self->vfs, err, SQLITE_IOERR_READ);
    if (got == (size_t)len) return SQLITE_OK;
    memset((uint8_t *)ptr + got, 0, (size_t)len - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *base, const void *ptr, int len, sqlite3_int64 offset) {
    vfs_file *self = (vfs_file *)base;
    hy_err err = hy_file_write(self->file, (uint64_t)offset, (hy_bytes){ ptr, (size_t)len });
    return vfs_code(self->vfs, err, SQLITE_IOERR_WRITE);
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 size) {
    vfs_file *self = (vfs_file *)base;
    return vfs_code(self->vfs, hy_file_truncate(self->file, (uint64_t)size), SQLITE_IOERR_TRUNCATE);
}

static int vfs_sync(sqlite3_file *base, int flags) {
    (void)flags; // data and size either way
    vfs_file *self = (vfs_file *)base;
    hy_err err = hy_file_sync(self->file);
    // Never SQLITE_FULL: what a failed sync did is unknown, and SQLITE_FULL would read as
    // "nothing".
    if (err == HY_DISK_FULL) err = HY_IO;
    return vfs_code(self->vfs, err, SQLITE_IOERR_FSYNC);
}

static int vfs_file_size(sqlite3_file *base, sqlite3_int64 *out_size) {
    vfs_file *self = (vfs_file *)base;
    uint64_t size = 0;
    hy_err err = hy_file_size(self->file, &size);
    *out_size = (sqlite3_int64)size;
    return vfs_code(self->vfs, err, SQLITE_IOERR_FSTAT);
}

static int vfs_lock(sqlite3_file *base, int level) {
    (void)base, (void)level; // the store's lock file keeps others out
    return SQLITE_OK;
}

static int vfs_check_reserved_lock(sqlite3_file *base, int *out_held) {
    (void)base;
    *out_held = 0;
    return SQLITE_OK;
}

static int vfs_file_control(sqlite3_file *base, int op, void *arg) {
    (void)base, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int vfs_sector_size(sqlite3_file *base) {
    (void)base;
    return 512;
}

static int vfs_device(sqlite3_file *base) {
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

// Version 1: no shared memory, no mapping.
static const sqlite3_io_methods vfs_methods = {
    .iVersion = 1,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_file_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_lock,
    .xCheckReservedLock = vfs_check_reserved_lock,
    .xFileControl = vfs_file_control,
    .xSectorSize = vfs_sector_size,
    .xDeviceCharacteristics = vfs_device,
};

// ---- the rest of a file system ------------------------------------------------------------------

static int vfs_open(sqlite3_vfs *base, const char *path, sqlite3_file *file, int flags,
                    int *out_flags) {
    vfs_file *self = (vfs_file *)file;
    *self = (vfs_file){ .vfs = vfs_of(base) };
    if (path == NULL) return SQLITE_CANTOPEN; // temporary things stay in memory (temp_store)
    uint32_t mode = flags & SQLITE_OPEN_READWRITE ? HY_FILE_WRITE : HY_FILE_READ;
    if (flags & SQLITE_OPEN_CREATE) mode |= HY_FILE_CREATE;
    if (flags & SQLITE_OPEN_EXCLUSIVE) mode |= HY_FILE_EXCLUSIVE;
    hy_err err = hy_file_open(self->vfs->world, path, mode, &self->file, NULL);
    if (err != HY_OK) return vfs_code(self->vfs, err, SQLITE_CANTOPEN);
    if (flags & SQLITE_OPEN_DELETEONCLOSE) self->remove_path = path;
    if (out_flags != NULL) *out_flags = flags;
    self->base.pMethods = &vfs_methods;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *base, const char *path, int sync_folder) {
    hyi_vfs *vfs = vfs_of(base);
    hy_err err = hy_file_remove(vfs->world, path, sync_folder != 0, NULL);
    if (err == HY_NOT_FOUND) return SQLITE_IOERR_DELETE_NOENT;
    return vfs_code(vfs, err, SQLITE_IOERR_DELETE);
}

static int vfs_access(sqlite3_vfs *base, const char *path, int flags, int *out_result) {
    (void)flags; // what is there can be read and written, or opening will say so
    *out_result = hy_file_exists(vfs_of(base)->world, path);
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *base, const char *path, int size, char *out_path) {
    (void)base;
    hy_bytes bytes = hy_bytes_of(path);
    if (bytes.len >= (size_t)size) return SQLITE_CANTOPEN;
    memcpy(out_path, bytes.ptr, bytes.len + 1);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *base, int len, char *out_bytes) {
    for (int i = 0; i < len; i += 8) {
        uint64_t random = hy_world_random(vfs_of(base)->world);
        size_t part = len - i < 8 ? (size_t)(len - i) : sizeof random;
        memcpy(out_bytes + i, &random, part);
    }
    return len;
}

static int vfs_sleep(sqlite3_vfs *base, int microseconds) {
    (void)base; // nobody shares the file, so there is nobody to wait for
    return microseconds;
}

// Milliseconds since noon of 24 November 4714 BC, as SQLite counts.
static int vfs_time(sqlite3_vfs *base, sqlite3_int64 *out_time) {
    *out_time = INT64_C(210866760000000) + hy_world_wall(vfs_of(base)->world) / HY_MS(1);
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *base, int size, char *text) {
    (void)size, (void)text;
    return vfs_of(base)->last_err;
}

// "hypha-17": names must differ while two stores are open.
static void vfs_set_name(hyi_vfs *vfs) {
    static atomic_uint_fast64_t vfs_count;
    uint64_t number = atomic_fetch_add_explicit(&vfs_count, 1, memory_order_relaxed);
    sqlite3_snprintf(sizeof vfs->name, vfs->name, "hypha-%llu", (unsigned long long)number);
}

hy_err hyi_vfs_init(hyi_vfs *vfs, hy_world *world) {
    *vfs = (hyi_vfs){ .world = world };
    vfs_set_name(vfs);
    vfs->base = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(vfs_file),
        .mxPathname = VFS_PATH_MAX,
        .zName = vfs->name,
        .pAppData = vfs,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time,
    };
    if (sqlite3_vfs_register(&vfs->base, 0) != SQLITE_OK) return HY_NOMEM;
    // SQLite's own dice (the log's salt) are one for the process and are thrown by the default VFS.
    // In a simulation they must come from the seed, or two runs would write different bytes.
    int dice = (int)(hy_world_random(world) & INT32_MAX) | 1;
    if (!hy_world_is_real(world)) sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, dice, NULL);
    return HY_OK;
}

void hyi_vfs_deinit(hyi_vfs *vfs) {
    if (vfs->world != NULL) sqlite3_vfs_unregister(&vfs->base);
    vfs->world = NULL;
}
