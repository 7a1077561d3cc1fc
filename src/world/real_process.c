// real_process.c - the process itself: its limits, what it uses, and its service manager.
//
// Limits are soft ones, set within the hard ones and all or none: a process that asked for more
// than it can get should say so when it starts, not when it fails. Facts come from /proc and
// getrusage; where /proc is missing they are 0. A notification is one datagram, as sd_notify(3)
// describes it, sent without waiting: no service manager may hold up the loop.
#include "world/real.h"
#include "base/options.h"
#include "base/why.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// ---- limits -------------------------------------------------------------------------------------

typedef struct process_limit {
    int resource;    // of getrlimit
    uint64_t wanted; // 0: as it is
    const char *place, *what, *shell, *service;
} process_limit;

static hy_err process_check(const process_limit *limit, struct rlimit *out_now, hy_why *why) {
    int failed = getrlimit(limit->resource, out_now);
    HY_ASSERT(failed == 0);
    if (out_now->rlim_max == RLIM_INFINITY || limit->wanted <= out_now->rlim_max) return HY_OK;
    return hyi_why_fmt(why, HY_LIMIT, limit->place,
                       "%u %s are above the hard limit of %u: raise it (ulimit -H%s, or %s= in the "
                       "service's unit) or ask for less",
                       limit->wanted, limit->what, (uint64_t)out_now->rlim_max, limit->shell,
                       limit->service);
}

hy_err hy_world_limit_process(hy_world *world, const hy_process_limits *given, hy_why *why) {
    hy_process_limits limits;
    hyi_options_read(&limits, sizeof limits, given);
    if (!world->door->is_real) {
        return hy_why_set(why, HY_UNSUPPORTED, "world", "a simulated world has no process");
    }
    const process_limit all[] = {
        { RLIMIT_AS, limits.memory_bytes_max, "memory_bytes_max", "bytes", "v", "LimitAS" },
        { RLIMIT_NOFILE, limits.files_max, "files_max", "open files", "n", "LimitNOFILE" },
    };
    struct rlimit now[2];
    for (size_t i = 0; i < 2; i++) {
        hy_err err = process_check(&all[i], &now[i], why);
        if (err) return err;
    }
    for (size_t i = 0; i < 2; i++) {
        if (all[i].wanted == 0) continue;
        now[i].rlim_cur = all[i].wanted;
        int failed = setrlimit(all[i].resource, &now[i]);
        if (failed) return hy_why_set(why, hyi_real_errno(errno), all[i].place, strerror(errno));
    }
    return HY_OK;
}

// ---- facts --------------------------------------------------------------------------------------

// The second number of /proc/self/statm, in pages.
static uint64_t process_resident(void) {
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    if (len <= 0) return 0;
    text[len] = 0;
    const char *second = strchr(text, ' ');
    return second ? strtoull(second + 1, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static uint32_t process_files(void) {
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) return 0;
    uint32_t count = 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count > 0 ? count - 1 : 0; // without the one that was counting
}

void hy_world_process(hy_world *world, hy_process_facts *out_facts) {
    *out_facts = (hy_process_facts){ 0 };
    if (!world->door->is_real) return;
    struct rusage usage;
    struct timespec cpu;
    int failed = getrusage(RUSAGE_SELF, &usage);
    if (!failed) failed = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    HY_ASSERT(failed == 0);
    out_facts->resident_bytes = process_resident();
    out_facts->resident_bytes_peak = (uint64_t)usage.ru_maxrss * 1024;
    out_facts->files_open = process_files();
    out_facts->cpu = (hy_ns)cpu.tv_sec * HY_SECONDS(1) + cpu.tv_nsec;
}

// ---- the service manager ------------------------------------------------------------------------

static hy_err process_notify_err(int number) {
    switch (number) {
    case EAGAIN: return HY_BUSY;
    case ECONNREFUSED: return HY_NOT_FOUND;
    case EMSGSIZE: return HY_TOO_LARGE;
    case EACCES:
    case EPERM: return HY_IO;
    default: return hyi_real_errno(number);
    }
}

// A path, or with @ a name in the abstract namespace, where a zero byte stands for the @.
static bool process_notify_address(const char *name, struct sockaddr_un *out_address,
                                   socklen_t *out_size) {
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len >= sizeof out_address->sun_path) return false;
    *out_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(out_address->sun_path, name, len);
    if (name[0] == '@') out_address->sun_path[0] = 0;
    *out_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
    return true;
}

hy_err hyi_real_notify(hy_world *world, const char *text) {
    (void)world;
    const char *name = getenv("NOTIFY_SOCKET");
    if (!name || name[0] == 0) return HY_MISSING;
    struct sockaddr_un address;
    socklen_t size = 0;
    if (!process_notify_address(name, &address, &size)) return HY_MALFORMED;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return hyi_real_errno(errno);
    ssize_t sent = sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *)&address, size);
    hy_err err = sent < 0 ? process_notify_err(errno) : HY_OK;
    close(fd);
    return err;
}

// ---- the end ------------------------------------------------------------------------------------

hy_err hy_last_words(const char *path, hy_bytes words, bool more) {
    int saved_errno = errno;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (more ? O_APPEND : O_TRUNC), 0600);
    while (fd >= 0 && words.len > 0) {
        ssize_t done = write(fd, words.ptr, words.len);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) break;
        words.ptr += done;
        words.len -= (size_t)done;
    }
    if (fd >= 0) close(fd);
    errno = saved_errno;
    return fd >= 0 && words.len == 0 ? HY_OK : HY_IO;
}
