// base64.h - bytes as text (RFC 4648, section 4).          Room: schema. Includes: base.
// Threads: pure functions on what they are given.
#ifndef HYPHA_SCHEMA_BASE64_H
#define HYPHA_SCHEMA_BASE64_H

#include <hypha/base.h>

// Appends the text, with padding. A failure is kept in `out`.
void hyi_base64_encode(hy_bytes bytes, hy_buf *out);

// Gives a copy in `arena`. Strict: the padding must be there, the bits behind the last byte zero,
// nothing else between. HY_MALFORMED, HY_NOMEM.
HY_CHECKED hy_err hyi_base64_decode(hy_text text, hy_arena *arena, hy_bytes *out_bytes);

#endif
