// utf8.h - UTF-8 as RFC 3629 has it.                    Room: base. Includes: hypha/base.h.
// Threads: any. Ownership: everything is borrowed. Limits: none.
#ifndef HYI_BASE_UTF8_H
#define HYI_BASE_UTF8_H

#include <hypha/base.h>

// The length of the longest valid beginning; equal to bytes.len when all is valid, and otherwise
// the offset of the first character that is not.
size_t hyi_utf8_valid_len(hy_bytes bytes);

// The length of the one valid character at bytes.ptr (1 to 4), and its code point; 0 when there is
// none (also at the end).
size_t hyi_utf8_decode(hy_bytes bytes, uint32_t *out_code_point);

// Writes 1 to 4 bytes and returns how many; 0 for a surrogate or a number past 0x10ffff.
size_t hyi_utf8_encode(uint32_t code_point, uint8_t out_bytes[4]);

// The greatest length <= len_max at which `bytes` can be cut without splitting a character.
size_t hyi_utf8_cut(hy_bytes bytes, size_t len_max);

#endif
