// options.c - flags: "--name value" or "--name=value".

#include "server/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/watch.h"

const char options_help[] =
    "clinic - books dentists' time, takes payments, and survives being killed\n"
    "\n"
    "usage: clinic [--port N] [--host ADDRESS] [--data FOLDER] [--provider URL]\n"
    "              [--page FOLDER] [--demo COUNT] [--log LEVEL]\n"
    "\n"
    "  --port N          listen here; 0 takes a free port (8080)\n"
    "  --host ADDRESS    listen on this address (127.0.0.1)\n"
    "  --data FOLDER     keep clinic.db and notifications.log here; made if missing (data)\n"
    "  --provider URL    where the payment provider is (http://127.0.0.1:8081)\n"
    "  --page FOLDER     serve the page from here (examples/clinic/page of the source)\n"
    "  --demo COUNT      a new clinic begins with so many visits of made-up patients (0)\n"
    "  --log LEVEL       say on standard error what happens: warn, info or debug (nothing)\n"
    "  --help            show this\n"
    "\n"
    "Stop it with Ctrl-C, twice if it must be at once, or kill -9 it: it goes on where it was.\n"
    "The provider calls back at /webhook/payments; /health says how things are, and to this\n"
    "machine only, /metrics how much there was and /debug/scopes what runs.\n";

typedef struct options_flag {
    const char *name;
    const char **text;
    uint32_t *number;
    uint32_t max;
} options_flag;

static bool options_number(const char *text, uint32_t max, uint32_t *out) {
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') return false;
    unsigned long value = strtoul(text, &end, 10);
    if (*end != 0 || strlen(text) > 10 || value > max) return false;
    *out = (uint32_t)value;
    return true;
}

// The page lies in the source tree; the program in build/<preset>/examples/clinic/ of the same
// tree.
static const char *options_find_page(clinic_options *out) {
    static const char *const places[] = { "/../../../../examples/clinic/page", "/page" };
    char *found = out->page_found;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        ssize_t len = readlink("/proc/self/exe", found, sizeof out->page_found - 64);
        if (len <= 0) break;
        found[len] = 0;
        char *slash = strrchr(found, '/');
        (void)strcpy(slash, places[i]);
        char *index = found + strlen(found);
        (void)strcpy(index, "/index.html");
        bool is_there = access(found, R_OK) == 0;
        *index = 0;
        if (is_there) return found;
    }
    (void)strcpy(found, "examples/clinic/page");
    return access("examples/clinic/page/index.html", R_OK) == 0 ? found : NULL;
}

// Gives the value of `flag` when argv[*index] is it; *out_value NULL: it is another, or lacks one.
static bool options_match(int argc, char **argv, int *index, const char *flag,
                          const char **out_value) {
    const char *text = argv[*index];
    size_t len = strlen(flag);
    *out_value = NULL;
    if (strncmp(text, flag, len) != 0) return false;
    if (text[len] == '=') {
        *out_value = text + len + 1;
        return true;
    }
    if (text[len] != 0) return false;
    if (*index + 1 < argc) *out_value = argv[++*index];
    return true;
}

static bool options_take(const options_flag *flag, const char *value, char *message, size_t size) {
    bool ok =
        value != NULL && (flag->text != NULL || options_number(value, flag->max, flag->number));
    if (ok && flag->text != NULL) *flag->text = value;
    if (!ok && flag->text != NULL) {
        (void)snprintf(message, size, "%s needs a value; --help shows how", flag->name);
    } else if (!ok) {
        (void)snprintf(message, size, "%s needs a number from 0 to %u", flag->name, flag->max);
    }
    return ok;
}

// What would otherwise be noticed only by the first patient.
static bool options_check(const clinic_options *options, char *message, size_t size) {
    char index[4200];
    if (strncmp(options->provider, "http://", 7) != 0 &&
        strncmp(options->provider, "https://", 8) != 0) {
        (void)snprintf(message, size, "--provider needs a URL such as http://127.0.0.1:8081");
        return false;
    }
    if (options->log != NULL && !watch_is_level(options->log)) {
        (void)snprintf(message, size, "--log needs a level: warn, info or debug");
        return false;
    }
    (void)snprintf(index, sizeof index, "%s/index.html", options->page);
    if (access(index, R_OK) == 0) return true;
    (void)snprintf(message, size, "--page needs a folder with an index.html that can be read");
    return false;
}

bool options_parse(int argc, char **argv, clinic_options *out, char *out_message,
                   size_t message_size) {
    uint32_t port = 8080;
    *out = (clinic_options){ .host = "127.0.0.1",
                             .data = "data",
                             .provider = "http://127.0.0.1:8081" };
    const options_flag flags[] = {
        { "--host", &out->host, NULL, 0 },     { "--data", &out->data, NULL, 0 },
        { "--page", &out->page, NULL, 0 },     { "--provider", &out->provider, NULL, 0 },
        { "--port", NULL, &port, UINT16_MAX }, { "--demo", NULL, &out->demo, 10000 },
        { "--log", &out->log, NULL, 0 },
    };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            out->help = true;
            return true;
        }
        const char *value = NULL;
        size_t f = 0, count = sizeof flags / sizeof flags[0];
        while (f < count && !options_match(argc, argv, &i, flags[f].name, &value))
            f++;
        if (f == count) {
            (void)snprintf(out_message, message_size, "there is no flag %s; --help lists them",
                           argv[i]);
            return false;
        }
        if (!options_take(&flags[f], value, out_message, message_size)) return false;
    }
    out->port = (uint16_t)port;
    if (out->page == NULL) out->page = options_find_page(out);
    if (out->page == NULL) {
        (void)snprintf(out_message, message_size,
                       "the page is not where the program looks; say --page FOLDER, which is "
                       "examples/clinic/page of the source");
        return false;
    }
    return options_check(out, out_message, message_size);
}
