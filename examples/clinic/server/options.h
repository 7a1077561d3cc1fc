// options.h - the command line of the clinic.          Example: clinic, server. Includes: base.
#ifndef EXAMPLE_CLINIC_OPTIONS_H
#define EXAMPLE_CLINIC_OPTIONS_H

#include <hypha/base.h>

typedef struct clinic_options {
    const char *host, *data, *provider, *page;
    const char *log; // NULL: silence
    uint16_t port;
    uint32_t demo;
    bool help;
    char page_found[4096]; // what `page` points to when it was not given
} clinic_options;

extern const char options_help[];

// False: `out_message` says what is wrong. The strings of `out` are argv's.
bool options_parse(int argc, char **argv, clinic_options *out, char *out_message,
                   size_t message_size);

#endif
