// hypha.c - the command `hypha`: looking into stores, proving them, exporting records.
//
// Each command is a file of its own; this one only chooses. The library never prints: cmd/ does.
#include "tool.h"
#include <stdio.h>
#include <string.h>

static const char hypha_help[] =
    "hypha - state that must survive\n"
    "\n"
    "usage: hypha <command> [...]\n"
    "\n"
    "  inspect FILE          what is in a store: machines, rows, pending actions, journal\n"
    "  replay FILE --verify  steps the whole journal again and meets every digest, or says where "
    "not\n"
    "  schema export         records as .proto, TypeScript, SQL or JSON Schema\n"
    "  top                   what a running program does, once a second\n"
    "\n"
    "  hypha <command> --help says more.  hypha --version says " HY_VERSION ".\n"
    "  Exit codes: 0 all is well, 1 it is not, 2 the command line was not understood.\n";

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = { { "inspect", cmd_inspect },
                     { "replay", cmd_replay },
                     { "schema", cmd_schema },
                     { "top", cmd_top } };

    const char *name = argc > 1 ? argv[1] : "";
    if (argc < 2) {
        (void)fputs(hypha_help, stderr);
        return TOOL_USAGE;
    }
    if (strcmp(name, "help") == 0 && argc > 2) { // hypha help inspect
        name = argv[2];
        argv[2] = (char *)(uintptr_t) "--help";
    } else if (tool_is_help(name)) {
        (void)fputs(hypha_help, stdout);
        return TOOL_OK;
    }
    if (strcmp(name, "--version") == 0) {
        (void)puts("hypha " HY_VERSION);
        return TOOL_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0) return commands[i].run(argc - 1, argv + 1);
    }
    return tool_misused("", "there is no such command", name);
}
