// real_file.c - files of the operating system: positional, blocking, called from work.
//
// Durable means: fdatasync for the bytes and the size; and, for a file that may be new, one fsync
// of its folder, or a crash could lose the name together with the synced bytes. The first
// hy_file_sync of a file opened with HY_FILE_CREATE does both.
//
// The lock is flock: it belongs to the open file, so two opens in one process exclude each other as
// two processes do, and it does not meet the fcntl locks with which SQLite guards its own files.
#include "world/real.h"
#include "base/why.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL_PATH_MAX 4096u
#define REAL_IO_MAX ((size_t)1 << 30) // Linux moves at most 2 GiB - 4 KiB per call

typedef struct real_file {
    hy_file base;
    int fd;
    char *path;
    bool name_unsynced;
} real_file;

hy_err hyi_real_errno(int number) {
    switch (number) {
    case ENOENT:
    case ENOTDIR: return HY_NOT_FOUND;
    case EEXIST: return HY_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS: return HY_READ_ONLY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return HY_DISK_FULL;
    case EMFILE:
    case ENFILE:
    case ENAMETOOLONG: return HY_LIMIT;
    case ENOMEM: return HY_NOMEM;
    case EWOULDBLOCK: return HY_LOCKED;
    default: return HY_IO;
    }
}

// What to do about it, for the errors where somebody can do something.
static const char *file_advice(hy_err err) {
    switch (err) {
    case HY_NOT_FOUND: return "check the path, or make the folder first";
    case HY_READ_ONLY: return "give this user the right to write there, or pass another path";
    case HY_DISK_FULL: return "free some space";
    case HY_LIMIT: return "raise the limit of open files (ulimit -n), or shorten the path";
    default: return NULL;
    }
}

static hy_err file_why(hy_why *why, const char *path, int number) {
    hy_err err = hyi_real_errno(number);
    const char *advice = file_advice(err);
    char text[96] = { 0 };
    const char *words = uv_strerror_r(uv_translate_sys_error(number), text, sizeof text);
    return hyi_why_fmt(why, err, path, "%s: %s%s%s", path, words, advice ? ": " : "", advice);
}

static int file_open_again(const char *path, int flags, mode_t permissions) {
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC, permissions);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static int file_flags(uint32_t mode) {
    int flags = mode & HY_FILE_WRITE ? O_RDWR : O_RDONLY;
    if (mode & HY_FILE_CREATE) flags |= O_CREAT;
    if (mode & HY_FILE_EXCLUSIVE) flags |= O_EXCL;
    return flags;
}

hy_err hyi_real_file_open(hy_world *world, const char *path, uint32_t mode, hy_file **out_file,
                          hy_why *why) {
    real_file *file = (real_file *)hy_mem_alloc_zero(world->mem, sizeof *file);
    char *copy = file ? hyi_text_copy(world->mem, path) : NULL;
    if (!copy) {
        hy_mem_free(world->mem, file, sizeof *file);
        return hy_why_set(why, HY_NOMEM, path, hy_err_text(HY_NOMEM));
    }
    int fd = file_open_again(path, file_flags(mode), 0644);
    if (fd < 0) {
        hy_err err = file_why(why, path, errno);
        hy_mem_free(world->mem, copy, strlen(copy) + 1);
        hy_mem_free(world->mem, file, sizeof *file);
        return err;
    }
    *file = (real_file){ .base.world = world, .fd = fd, .path = copy };
    file->name_unsynced = (mode & HY_FILE_CREATE) != 0;
    atomic_fetch_add_explicit(&hyi_real_of(world)->files, 1, memory_order_relaxed);
    *out_file = &file->base;
    return HY_OK;
}

void hyi_real_file_close(hy_file *base) {
    real_file *file = (real_file *)base;
    hy_mem *mem = base->world->mem;
    close(file->fd); // an error here says nothing that a sync would not have said
    atomic_fetch_sub_explicit(&hyi_real_of(base->world)->files, 1, memory_order_relaxed);
    hy_mem_free(mem, file->path, strlen(file->path) + 1);
    hy_mem_free(mem, file, sizeof *file);
}

hy_err hyi_real_file_read(hy_file *base, uint64_t offset, void *ptr, size_t len, size_t *out_len) {
    real_file *file = (real_file *)base;
    size_t done = 0;
    while (done < len) {
        size_t part = len - done < REAL_IO_MAX ? len - done : REAL_IO_MAX;
        ssize_t got = pread(file->fd, (uint8_t *)ptr + done, part, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return hyi_real_errno(errno);
        if (got == 0) break;
        done += (size_t)got;
    }
    *out_len = done;
    return HY_OK;
}

hy_err hyi_real_file_write(hy_file *base, uint64_t offset, hy_bytes bytes) {
    real_file *file = (real_file *)base;
    size_t done = 0;
    while (done < bytes.len) {
        size_t part = bytes.len - done < REAL_IO_MAX ? bytes.len - done : REAL_IO_MAX;
        ssize_t put = pwrite(file->fd, bytes.ptr + done, part, (off_t)(offset + done));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return errno == EBADF ? HY_READ_ONLY : hyi_real_errno(errno);
        if (put == 0) return HY_DISK_FULL;
        done += (size_t)put;
    }
    return HY_OK;
}

static hy_err folder_sync(const char *path) {
    char folder[REAL_PATH_MAX];
    hy_err err = hyi_path_folder(path, folder, sizeof folder);
    if (err) return err;
    int fd = file_open_again(folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return hyi_real_errno(errno);
    int failed = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return failed ? hyi_real_errno(failed) : HY_OK;
}

hy_err hyi_real_file_sync(hy_file *base) {
    real_file *file = (real_file *)base;
    int failed;
    do {
        failed = fdatasync(file->fd) == 0 ? 0 : errno;
    } while (failed == EINTR);
    if (failed) return hyi_real_errno(failed);
    if (!file->name_unsynced) return HY_OK;
    hy_err err = folder_sync(file->path);
    if (err == HY_OK) file->name_unsynced = false;
    return err;
}

hy_err hyi_real_file_size(hy_file *base, uint64_t *out_size) {
    struct stat about;
    if (fstat(((real_file *)base)->fd, &about) != 0) return hyi_real_errno(errno);
    *out_size = (uint64_t)about.st_size;
    return HY_OK;
}

hy_err hyi_real_file_truncate(hy_file *base, uint64_t size) {
    real_file *file = (real_file *)base;
    while (ftruncate(file->fd, (off_t)size) != 0) {
        if (errno == EINVAL) return HY_READ_ONLY; // opened for reading
        if (errno != EINTR) return hyi_real_errno(errno);
    }
    return HY_OK;
}

hy_err hyi_real_file_lock(hy_file *base) {
    real_file *file = (real_file *)base;
    while (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR) return hyi_real_errno(errno);
    }
    return HY_OK;
}

hy_err hyi_real_file_remove(hy_world *world, const char *path, bool sync_folder, hy_why *why) {
    (void)world;
    if (unlink(path) != 0) return file_why(why, path, errno);
    if (!sync_folder) return HY_OK;
    hy_err err = folder_sync(path);
    if (err == HY_OK) return HY_OK;
    return hyi_why_fmt(why, err, path, "%s is removed, but its folder could not be synced", path);
}

bool hyi_real_file_exists(hy_world *world, const char *path) {
    (void)world;
    return access(path, F_OK) == 0;
}

hy_err hyi_real_folder_make(hy_world *world, const char *path, hy_why *why) {
    (void)world;
    struct stat about;
    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) return HY_OK;
    if (mkdir(path, 0755) != 0) return file_why(why, path, errno);
    hy_err err = folder_sync(path);
    if (err == HY_OK) return HY_OK;
    return hyi_why_fmt(why, err, path, "%s is made, but its folder could not be synced", path);
}
