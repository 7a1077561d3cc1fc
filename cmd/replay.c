// replay.c - `hypha replay FILE --verify`: does the journal lead to what the tables hold?
#include "module.h"
#include "tool.h"
#include "base/cleanup.h"
#include <hypha/host.h>
#include <stdio.h>
#include <string.h>

static const char replay_help[] =
    "usage: hypha replay FILE --verify [--machine LIB.so] [--instance KEY]\n"
    "\n"
    "Starts from nothing, steps every journaled input of every machine in FILE again, and "
    "compares\n"
    "state, answers and actions after each step with what the journal says, and with the tables "
    "at\n"
    "their checkpoint. Names the first step that differs and prints the rows: as they were before "
    "it,\n"
    "as stored, and as stepped now. Nothing is changed; a service may be running on the file.\n"
    "\n"
    "  --instance KEY     only this one of many; else each machine and all its instances\n"
    "  --machine LIB.so   where the machines' code is; else every machines/*.so beside this "
    "program\n"
    "\n"
    "Exit codes: 0 every digest was met, 1 one was not (or it could not be tried), 2 usage.\n";

static int replay_machine(const tool_store *store, const hy_store_machine *stored,
                          const module_set *modules, const char *only);
static int replay_instance(const tool_store *store, const hy_machine *machine, hy_bytes key);

int cmd_replay(int argc, char **argv) {
    const char *file = NULL, *library = NULL, *only = NULL;
    bool verify = false;
    for (int i = 1; i < argc; i++) {
        bool missing = false;
        const char *value = tool_option(argc, argv, &i, "--machine", &missing);
        if (missing) return tool_misused("replay", "this option needs a file", argv[i]);
        const char *key =
            value == NULL ? tool_option(argc, argv, &i, "--instance", &missing) : NULL;
        if (missing) return tool_misused("replay", "this option needs a key", argv[i]);
        if (tool_is_help(argv[i])) {
            (void)fputs(replay_help, stdout);
            return TOOL_OK;
        }
        if (key != NULL) {
            only = key;
        } else if (value != NULL) {
            library = value;
        } else if (strcmp(argv[i], "--verify") == 0) {
            verify = true;
        } else if (argv[i][0] == '-' || file != NULL) {
            return tool_misused("replay", "this was not expected", argv[i]);
        } else {
            file = argv[i];
        }
    }
    if (file == NULL) return tool_misused("replay", "which file?", "");
    if (!verify) return tool_misused("replay", "say --verify: it is what replaying is for", "");

    module_set modules;
    int result = modules_load(&modules, library);
    if (result != TOOL_OK) return result;
    HY_CLEANUP(tool_store_close) tool_store store = { 0 };
    result = tool_store_open(&store, file);
    if (result == TOOL_OK && store.machine_count == 0) (void)puts("the store holds no machine");
    for (size_t i = 0; i < store.machine_count && result == TOOL_OK; i++) {
        result = replay_machine(&store, &store.machines[i], &modules, only);
    }
    return result;
}

static int replay_machine(const tool_store *store, const hy_store_machine *stored,
                          const module_set *modules, const char *only) {
    const char *name = stored->described->name;
    const hy_machine *machine = modules_find(modules, name);
    if (machine == NULL) {
        return tool_say(TOOL_FAILED,
                        "%s: the code of this machine is not in %s; build it, or name its shared "
                        "object with --machine",
                        name, modules->where);
    }
    if (only != NULL) return replay_instance(store, machine, hy_bytes_of(only));
    HY_CLEANUP(hy_arena_deinit) hy_arena arena = { 0 };
    hy_arena_init(&arena, hy_mem_system(), 0);
    hy_store_machine at = *stored;
    hy_why why = { 0 };
    hy_err err = HY_OK;
    int result = TOOL_OK;
    // Where there is nothing but instances, the machine itself has never stepped.
    if (stored->last_seq > 0 || stored->instance_count == 0) {
        result = replay_instance(store, machine, at.key);
    }
    while (result == TOOL_OK) {
        err = hy_store_instance_next(store->store, stored->number, at.key, &arena, &at, &why);
        if (err != HY_OK) break;
        result = replay_instance(store, machine, at.key);
    }
    return err == HY_OK || err == HY_END ? result : tool_fail(name, err, &why);
}

static int replay_instance(const tool_store *store, const hy_machine *machine, hy_bytes key) {
    char name[80 + HY_INSTANCE_KEY_MAX];
    const bool has_key = key.len > 0;
    (void)snprintf(name, sizeof name, "%.60s%s%.*s%s", machine->name, has_key ? " [" : "",
                   (int)key.len, has_key ? (const char *)key.ptr : "", has_key ? "]" : "");
    HY_CLEANUP(hy_buf_deinit) hy_buf difference = { 0 };
    hy_buf_init(&difference, hy_mem_system(), 0);
    char doing[sizeof name + 16];
    (void)snprintf(doing, sizeof doing, "%s: replayed", name);
    hy_verify_result result = { 0 };
    hy_why why = { 0 };
    const hy_err err =
        hy_host_verify(store->store, machine,
                       HY_OPTIONS(hy_verify, .progress = tool_progress, .self = doing,
                                  .difference = &difference, .instance = key),
                       &result, &why);
    tool_progress_end();
    if (err == HY_OK) {
        (void)printf("%s: %llu steps replayed up to seq %llu, every digest met "
                     "(digest %016llx, chain %016llx)\n",
                     name, (unsigned long long)result.steps, (unsigned long long)result.seq,
                     (unsigned long long)result.digest, (unsigned long long)result.chain);
        return TOOL_OK;
    }
    if (err == HY_NONDETERMINISTIC) {
        (void)printf("%s: seq %llu differs\n", name, (unsigned long long)result.seq);
        (void)tool_print(&difference);
        (void)fflush(stdout);
    }
    return tool_fail(name, err, &why);
}
