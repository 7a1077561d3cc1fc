// outside.c - the parts of the kit that need pages, files and processes.
//
// Guarded copies end at an unreadable page. Golden files live under test/golden and are compared
// whole. A death test forks, because a process that trapped cannot be asked afterwards; the child
// first takes back all signal handlers, so that a crash is a crash and not a report.
#include "kit/internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTSIDE_WORDS_MAX 4096

static char outside_words[OUTSIDE_WORDS_MAX];

// ---- guarded copies ---------------------------------------------------------------------------

static size_t guard_data_bytes(size_t len) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (len + page - 1) / page * page;
}

hy_bytes kit_guard_copy(hy_bytes bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t data = guard_data_bytes(bytes.len);
    uint8_t *base =
        mmap(NULL, data + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + data, page, PROT_NONE) != 0) {
        kit_fail(__FILE__, __LINE__, "no pages for a guarded copy of %zu bytes", bytes.len);
    }
    uint8_t *copy = base + data - bytes.len;
    if (bytes.len > 0) memcpy(copy, bytes.ptr, bytes.len);
    return (hy_bytes){ copy, bytes.len };
}

void kit_guard_free(hy_bytes guarded) {
    if (guarded.ptr == NULL) return;
    size_t data = guard_data_bytes(guarded.len);
    uint8_t *base = (uint8_t *)(uintptr_t)guarded.ptr + guarded.len - data;
    munmap(base, data + (size_t)sysconf(_SC_PAGESIZE));
}

// ---- golden files -----------------------------------------------------------------------------

static void golden_write(const char *path, hy_text text) {
    char folder[512];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    mkdir(folder, 0777); // it may be there; if it cannot be, fopen will say so
    FILE *file = fopen(path, "wb");
    bool good = file != NULL && fwrite(text.ptr, 1, text.len, file) == text.len;
    if (file != NULL) good = fclose(file) == 0 && good;
    if (!good) kit_fail(path, 1, "cannot write the golden file");
    fprintf(stderr, "wrote %s\n", path);
}

// Whole file, to be freed; NULL when it is not there.
static char *golden_read(const char *path, size_t *out_len) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    char *text = NULL;
    size_t len = 0;
    FILE *copy = open_memstream(&text, &len);
    for (int c = fgetc(file); c != EOF && copy != NULL; c = fgetc(file)) {
        fputc(c, copy);
    }
    if (copy != NULL) fclose(copy);
    fclose(file);
    *out_len = len;
    return text;
}

static hy_text golden_line(hy_text text, size_t number) {
    const uint8_t *at = text.ptr, *end = text.ptr + text.len;
    for (; number > 1 && at < end; at++) {
        if (*at == '\n') number--;
    }
    const uint8_t *stop = at;
    while (stop < end && *stop != '\n') {
        stop++;
    }
    return (hy_text){ at, (size_t)(stop - at) };
}

static size_t golden_different_line(hy_text a, hy_text b) {
    size_t number = 1;
    for (size_t i = 0; i < a.len && i < b.len && a.ptr[i] == b.ptr[i]; i++) {
        if (a.ptr[i] == '\n') number++;
    }
    return number;
}

void kit_golden(const char *name, hy_text text) {
    char path[512];
    snprintf(path, sizeof path, "%s/test/golden/%s", KIT_SOURCE_DIR, name);
    const char *rewrite = getenv("KIT_GOLDEN_REWRITE");
    if (rewrite != NULL && strcmp(rewrite, "1") == 0) {
        golden_write(path, text);
        return;
    }
    size_t len = 0;
    char *read = golden_read(path, &len);
    if (read == NULL) {
        kit_fail(path, 1, "there is no such golden file; KIT_GOLDEN_REWRITE=1 writes it");
    }
    hy_text wanted = { (const uint8_t *)read, len };
    if (len == text.len && memcmp(read, text.ptr, len) == 0) {
        free(read);
        return;
    }
    size_t line = golden_different_line(wanted, text);
    fprintf(stderr, "    golden: %.*s\n    now:    %.*s\n", HY_SHOW(golden_line(wanted, line)),
            HY_SHOW(golden_line(text, line)));
    free(read);
    kit_fail(path, (int)line, "differs from the golden file; KIT_GOLDEN_REWRITE=1 accepts it");
}

// ---- death ------------------------------------------------------------------------------------

static void death_child(void (*fn)(void *arg), void *arg, int words) {
    static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP };
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        signal(signals[i], SIG_DFL);
    }
    dup2(words, STDERR_FILENO);
    dup2(words, STDOUT_FILENO);
    fn(arg);
    _exit(0);
}

// Reads to the end even when the words are full, or the child would block on its pipe.
static void death_listen(int words) {
    char chunk[256];
    size_t len = 0;
    for (ssize_t got = read(words, chunk, sizeof chunk); got > 0;
         got = read(words, chunk, sizeof chunk)) {
        size_t room = OUTSIDE_WORDS_MAX - 1 - len;
        size_t take = (size_t)got < room ? (size_t)got : room;
        memcpy(outside_words + len, chunk, take);
        len += take;
    }
    outside_words[len] = '\0';
}

bool kit_death(void (*fn)(void *arg), void *arg) {
    int ends[2];
    fflush(NULL); // or the child would print our buffers a second time
    if (pipe(ends) != 0) kit_fail(__FILE__, __LINE__, "no pipe");
    pid_t child = fork();
    if (child < 0) kit_fail(__FILE__, __LINE__, "no fork");
    if (child == 0) {
        close(ends[0]);
        death_child(fn, arg, ends[1]);
    }
    close(ends[1]);
    death_listen(ends[0]);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

const char *kit_last_words(void) {
    return outside_words;
}
