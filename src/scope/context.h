// context.h - what the files of the context share.                 Room: scope. Includes: world.
// Threads: the world's.
//
// A key's number is its place in the section `hyi_keys`, which the linker makes dense: the offset
// of the key there is, word for word, the offset of its value in a table. context.c has the tables,
// provide.c the values that are built when they are asked for, preset.c the bundles.
#ifndef HYI_SCOPE_CONTEXT_H
#define HYI_SCOPE_CONTEXT_H

#include "scope/inside.h"

typedef enum hyi_provided_state {
    HYI_PROVIDED_IDLE,
    HYI_PROVIDED_BUILDING,
    HYI_PROVIDED_BUILT,
    HYI_PROVIDED_DROPPED,
} hyi_provided_state;

// One provider in one scope, until the scope's context is closed.
typedef struct hyi_provided {
    hy_scope *scope;
    struct hyi_provided *next; // of the scope
    hy_provider provider;
    const void *value; // once built
    hyi_provided_state state;
    hy_err err;       // of the latest attempt that failed; HY_OK: none
    hy_task *builder; // while building; NULL: no fiber
    hyi_list waiting; // provide_wait, while building
    hyi_owned owned;  // once built: released with the scope
} hyi_provided;

// A bit that no address of a program has, on Linux: x86-64 gives it to the kernel; on aarch64 it
// says which half, and those above it may hold tags.
#ifdef __aarch64__
#define HYI_PROVIDED_BIT ((uintptr_t)1 << 55)
#else
#define HYI_PROVIDED_BIT ((uintptr_t)1 << 63)
#endif

static inline hyi_provided *hyi_provided_of(uintptr_t value) {
    return (value & HYI_PROVIDED_BIT) ? (hyi_provided *)(value ^ HYI_PROVIDED_BIT) : NULL;
}

// context.c: what the scope sees from now on. HY_NOMEM: nothing changed.
HY_CHECKED hy_err hyi_context_set(hy_scope *scope, const hy_key *key, uintptr_t value);
HY_CHECKED hy_err hyi_context_set_presets(hy_scope *scope, const hy_preset *const *presets);
uintptr_t hyi_context_at(const hyi_table *table, const hy_key *key);

// What `scope` sees now, as a preset for a scope of another thread: values as they are, provided
// ones that were built by now. HY_NOMEM. The other gives it back; fine for a zeroed one.
HY_CHECKED hy_err hyi_context_snapshot(const hy_scope *scope, hy_mem *mem, hy_preset *out_preset);
void hyi_context_snapshot_free(hy_mem *mem, hy_preset *preset);

// provide.c: builds when needed, waits for whoever is building; NULL: it->err says why.
const void *hyi_provided_get(hyi_provided *it);
HY_CHECKED hy_err hyi_provided_new(hy_scope *scope, const hy_key *key, const hy_provider *provider);
void hyi_provided_free_all(hy_scope *scope);

// preset.c: what the options of a scope that opens say. HY_NOMEM.
HY_CHECKED hy_err hyi_preset_open(hy_scope *scope, const hy_scope_options *options);

// baggage.c: the same. HY_NOMEM.
HY_CHECKED hy_err hyi_baggage_open(hy_scope *scope, const hy_scope_options *options);

#endif
