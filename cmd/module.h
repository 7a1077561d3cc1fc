// module.h - machines in shared objects, for commands that step.       Folder: cmd. Includes:
// machine. Threads: one.
//
// A module is a shared object with
//     const hy_machine *const hypha_machines[] = { &my_machine, NULL };
// Without --machine all *.so in the folder `machines` beside the executable are taken, in order of
// name.
#ifndef HYPHA_CMD_MODULE_H
#define HYPHA_CMD_MODULE_H

#include <hypha/machine.h>

#define MODULE_MACHINES_MAX 256

typedef struct module_set {
    const hy_machine *machines[MODULE_MACHINES_MAX];
    size_t count;
    char where[4096]; // for messages: the folder or the file
} module_set;

// Loads `path`, or the folder when it is NULL; a folder that is not there is empty. Modules stay
// loaded until the process ends. TOOL_OK, or said why not and TOOL_FAILED.
int modules_load(module_set *all, const char *path);
const hy_machine *modules_find(const module_set *all, const char *name); // or NULL

#endif
