// console.h - the files that the console's page is made of.   Room: net. Includes: hypha/base.h.
// Threads: constants.
//
// The build turns src/net/console/* into this table (cmake/console.cmake), so a program carries its
// page with it: there is nothing to install, and nothing to miss at three in the morning.
#ifndef HYI_NET_CONSOLE_H
#define HYI_NET_CONSOLE_H

#include <hypha/base.h>

typedef struct hyi_console_file {
    const char *name; // "console.css"; its ending says the content type
    hy_bytes bytes;
} hyi_console_file;

extern const hyi_console_file hyi_console_files[];
extern const size_t hyi_console_file_count;

// May a request with this Host header be from a page or program that means this machine? Names that
// somebody else's DNS could point here are refused: 127.0.0.0/8, [::1] and localhost are not.
bool hyi_console_host_is_local(hy_bytes host);

#endif
