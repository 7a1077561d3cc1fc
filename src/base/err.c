// err.c - the table of errors, asked by code.
//
// One X-table (HY_ERR_MAP) makes the enum and this array, so they cannot drift apart. The array
// holds the texts themselves and not pointers to them: it needs no relocation and stays in
// read-only pages, which is what "the pure rooms have no writable data" means in a shared library.
#include <hypha/base.h>

enum { ERR_DONE, ERR_REFUSE, ERR_FAULT };

typedef struct err_row {
    char name[32];
    char text[64];
    uint16_t http_status;
    uint8_t kind;
} err_row;

static const err_row err_rows[HY_ERR_COUNT] = {
#define ERR_ROW(code, kind, status, text) [code] = { #code, text, status, ERR_##kind },
    HY_ERR_MAP(ERR_ROW)
#undef ERR_ROW
};

// What a number outside the table means: somebody passed garbage, which is a fault.
static const err_row err_unknown = { "HY_ERR_UNKNOWN", "an unknown error", 500, ERR_FAULT };

static const err_row *err_find(hy_err err) {
    return (uint32_t)err < HY_ERR_COUNT ? &err_rows[err] : &err_unknown;
}

const char *hy_err_name(hy_err err) {
    return err_find(err)->name;
}

const char *hy_err_text(hy_err err) {
    return err_find(err)->text;
}

uint32_t hy_err_http_status(hy_err err) {
    return err_find(err)->http_status;
}

bool hy_err_is_fault(hy_err err) {
    return err_find(err)->kind == ERR_FAULT;
}
