// why.h - building the message behind an error.            Room: base. Includes: hypha/base.h.
// Threads: any. Ownership: everything is copied into the caller's hy_why.
// Limits: place and text are cut to their arrays, at a character; there is always a closing NUL.
#ifndef HYI_BASE_WHY_H
#define HYI_BASE_WHY_H

#include <hypha/base.h>

// A formatter small enough for the pure rooms. Fills `why` (NULL is fine) and returns `code`.
//   %s const char * (NULL prints nothing)      %d int64_t      %u uint64_t      %x uint64_t, hex
//   %b const hy_bytes * (bytes that are not printable ASCII appear as \xNN)     %% a percent sign
// The numbers are 64 bits wide: cast narrower arguments. Any other directive is a bad caller.
hy_err hyi_why_fmt(hy_why *why, hy_err code, const char *place, const char *format, ...);

#endif
