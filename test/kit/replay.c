// replay.c - runs a fuzz target over its corpus, in any build and with any compiler.
//
// The arguments are files and folders; the files of a folder run in the order of their names. Every
// input is a guarded copy, so that reading past its end is a crash here as it is under libFuzzer.
// The empty input always runs first, and a folder that does not exist yet is an empty one.
#include "kit/kit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static size_t replay_count;

static void replay_bytes(const uint8_t *data, size_t size) {
    hy_bytes guarded = kit_guard_copy((hy_bytes){ data, size });
    LLVMFuzzerTestOneInput(guarded.ptr, guarded.len);
    kit_guard_free(guarded);
    replay_count++;
}

static void replay_file(const char *path, size_t size) {
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size + 1);
    if (file == NULL || data == NULL || fread(data, 1, size, file) != size) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    fclose(file);
    // Printed before it runs: when the target crashes, this line says with what.
    fprintf(stderr, "%s\n", path);
    replay_bytes(data, size);
    free(data);
}

static int replay_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static void replay_folder(const char *folder) {
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, replay_visible, alphasort);
    for (int i = 0; i < count; i++) {
        char path[4096];
        struct stat info;
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
            replay_file(path, (size_t)info.st_size);
        }
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv) {
    replay_bytes((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) != 0) continue;
        if (S_ISDIR(info.st_mode)) {
            replay_folder(argv[i]);
        } else {
            replay_file(argv[i], (size_t)info.st_size);
        }
    }
    printf("%zu inputs\n", replay_count);
    return 0;
}
