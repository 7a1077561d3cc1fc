// module.c - loading machines from shared objects.
//
// A module runs in this process with this process's rights: it is trusted like any program that
// one starts. What it brings is checked (hy_machine_check) before anything is done with it.
#include "module.h"
#include "tool.h"
#include <dirent.h>
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int module_take(module_set *all, const char *path);
static bool module_folder(char *out_path, size_t size);

int modules_load(module_set *all, const char *path) {
    *all = (module_set){ 0 };
    if (path != NULL) {
        (void)snprintf(all->where, sizeof all->where, "%s", path);
        return module_take(all, path);
    }
    if (!module_folder(all->where, sizeof all->where)) {
        return tool_say(TOOL_FAILED, "the folder of this program is not known; use --machine");
    }
    struct dirent **names = NULL;
    const int count = scandir(all->where, &names, NULL, alphasort);
    int result = TOOL_OK;
    for (int i = 0; i < count; i++) {
        const size_t len = strlen(names[i]->d_name);
        char file[sizeof all->where + 300];
        if (len > 3 && strcmp(names[i]->d_name + len - 3, ".so") == 0 && result == TOOL_OK) {
            (void)snprintf(file, sizeof file, "%s/%s", all->where, names[i]->d_name);
            result = module_take(all, file);
        }
        free(names[i]);
    }
    free(names);
    return result;
}

const hy_machine *modules_find(const module_set *all, const char *name) {
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->machines[i]->name, name) == 0) return all->machines[i];
    }
    return NULL;
}

static int module_take(module_set *all, const char *path) {
    char local[4200]; // without a slash dlopen would search the system's folders
    (void)snprintf(local, sizeof local, "%s%s", strchr(path, '/') != NULL ? "" : "./", path);
    void *module = dlopen(local, RTLD_NOW | RTLD_LOCAL);
    if (module == NULL) return tool_say(TOOL_FAILED, "%s: %s", path, dlerror());
    const hy_machine *const *machines = dlsym(module, "hypha_machines");
    if (machines == NULL) {
        return tool_say(TOOL_FAILED,
                        "%s: exports no `hypha_machines`; a module of machines defines\n"
                        "    const hy_machine *const hypha_machines[] = { &my_machine, NULL };",
                        path);
    }
    for (; *machines != NULL; machines++) {
        hy_why why = { 0 };
        const hy_err err = hy_machine_check(*machines, &why);
        if (err != HY_OK) return tool_fail(path, err, &why);
        if (all->count == MODULE_MACHINES_MAX) {
            return tool_say(TOOL_FAILED, "%s: more than %d machines", path, MODULE_MACHINES_MAX);
        }
        all->machines[all->count++] = *machines;
    }
    return TOOL_OK;
}

static bool module_folder(char *out_path, size_t size) {
    char self[4000];
    const ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len <= 0) return false;
    self[len] = 0;
    (void)snprintf(out_path, size, "%s/machines", dirname(self));
    return true;
}
