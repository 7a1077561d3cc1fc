// describe.h - a machine as bytes, so that a store explains itself.   Room: store. Includes:
// machine. Threads: pure functions on what they are given.
//
// A description holds what is needed to read what a machine stored: its name and version, the
// records of all its tables (the runtime's too), inputs, actions and rejections. It is stored when
// a machine is attached, read back by tools, and compared when a newer program comes.
#ifndef HYI_STORE_DESCRIBE_H
#define HYI_STORE_DESCRIBE_H

#include <hypha/machine.h>

// Tables by number, also the runtime's as they were; gaps are NULL.
typedef struct hyi_description {
    const hy_machine *machine; // no code when it was decoded
    const hy_table *tables[HY_TABLE_NUMBERS];
} hyi_description;

// Of a program's own machine; borrows it.
void hyi_describe(const hy_machine *machine, hyi_description *out_description);

// The same bytes for equal descriptions. HY_NOMEM, HY_TOO_LARGE.
HY_CHECKED hy_err hyi_description_encode(const hyi_description *description, hy_buf *out);

// Everything lies in `arena`. HY_CORRUPT if the bytes are not a description, HY_NOMEM.
HY_CHECKED hy_err hyi_description_decode(hy_bytes bytes, hy_arena *arena,
                                         hyi_description *out_description, hy_why *why);

// May `machine` take over what `before` stored? HY_NEWER, HY_SCHEMA with a text that says what to
// do.
HY_CHECKED hy_err hyi_description_check(const hyi_description *before, const hy_machine *machine,
                                        hy_why *why);

#endif
