// http_chunk.c - a body that comes in chunks (RFC 9112, 7.1).
//
//     SIZE --';'--> EXTENSION            5;name=value CR LF
//       \--CR--> SIZE_LF <--CR--/
//     SIZE_LF --size > 0--> DATA --> DATA_CR --> DATA_LF --> SIZE
//             --size = 0--> TRAILER --empty line--> done
//
// One byte at a time except in DATA, so it does not matter where the network cut the stream.
#include "net/http_chunk.h"

enum {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER,
    CHUNK_TRAILER_LF,
};

static hy_err http_chunk_byte(hyi_http_chunk *chunk, uint8_t c);

hy_err hyi_http_chunk_read(hyi_http_chunk *chunk, hy_bytes bytes, size_t *out_used,
                           hy_bytes *out_data) {
    *out_data = (hy_bytes){ NULL, 0 };
    size_t at = 0;
    while (at < bytes.len && !chunk->done) {
        if (chunk->state == CHUNK_DATA) {
            size_t len = bytes.len - at;
            if (len > chunk->remaining) len = (size_t)chunk->remaining;
            *out_data = (hy_bytes){ bytes.ptr + at, len };
            chunk->remaining -= len;
            if (chunk->remaining == 0) chunk->state = CHUNK_DATA_CR;
            *out_used = at + len;
            return HY_OK;
        }
        hy_err err = http_chunk_byte(chunk, bytes.ptr[at]);
        if (err != HY_OK) {
            *out_used = at;
            return err;
        }
        at++;
    }
    *out_used = at;
    return HY_OK;
}

static int http_chunk_hex(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static hy_err http_chunk_size(hyi_http_chunk *chunk, uint8_t c) {
    int digit = http_chunk_hex(c);
    if (digit >= 0) {
        if (chunk->digits == 8) return HY_MALFORMED;
        chunk->digits++;
        chunk->remaining = chunk->remaining * 16 + (uint64_t)digit;
        return HY_OK;
    }
    if (chunk->digits == 0) return HY_MALFORMED;
    if (c == '\r')
        chunk->state = CHUNK_SIZE_LF;
    else if (c == ';')
        chunk->state = CHUNK_EXTENSION;
    else
        return HY_MALFORMED;
    return HY_OK;
}

// Extensions and trailers are allowed and mean nothing here.
static hy_err http_chunk_drop(hyi_http_chunk *chunk, uint8_t c, uint32_t lf_state) {
    if (++chunk->extra > HYI_HTTP_CHUNK_EXTRA_MAX || c == '\n') return HY_MALFORMED;
    if (c == '\r')
        chunk->state = lf_state;
    else
        chunk->line_empty = false;
    return HY_OK;
}

static hy_err http_chunk_byte(hyi_http_chunk *chunk, uint8_t c) {
    switch (chunk->state) {
    case CHUNK_SIZE: return http_chunk_size(chunk, c);
    case CHUNK_EXTENSION: return http_chunk_drop(chunk, c, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        chunk->state = chunk->remaining > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        chunk->digits = 0;
        chunk->line_empty = true;
        return c == '\n' ? HY_OK : HY_MALFORMED;
    case CHUNK_DATA_CR: chunk->state = CHUNK_DATA_LF; return c == '\r' ? HY_OK : HY_MALFORMED;
    case CHUNK_DATA_LF: chunk->state = CHUNK_SIZE; return c == '\n' ? HY_OK : HY_MALFORMED;
    case CHUNK_TRAILER: return http_chunk_drop(chunk, c, CHUNK_TRAILER_LF);
    default:
        HY_ASSERT(chunk->state == CHUNK_TRAILER_LF);
        chunk->done = chunk->line_empty;
        chunk->state = CHUNK_TRAILER;
        chunk->line_empty = true;
        return c == '\n' ? HY_OK : HY_MALFORMED;
    }
}
