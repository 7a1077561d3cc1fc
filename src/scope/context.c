// context.c - typed values that scopes bind and fibers look up.
//
// The linker lays all keys side by side in one section. A key's offset in it is the offset of its
// value in every table, so a look-up is one load of the running fiber, one of its table and one of
// the value, at any depth. Tables are flat, shared by all scopes below until one of them binds
// something, and then copied by that scope alone.
//
// Rule (a): a fiber sees the context of the scope that owns it. It holds because hyi_spawn takes
// the table of the task's scope. Paranoid builds prove it: each value carries the scope that bound
// it, which must be the asking fiber's scope or above it; and a value that is known to end earlier
// (it lies on the stack of a fiber that does not own the scope, or a scope below owns it) may not
// be bound.
//
// Tables are counted, see hyi_table. The counts say when one may be used again; memory goes back
// when the root ends, so a root that is abandoned asks nobody.
#include "scope/context.h"

#include <string.h>

#ifdef HY_PARANOID
static const bool context_tags = true;
#else
static const bool context_tags = false;
#endif

// Where the linker says that the section begins and ends. The key here makes sure that there is
// one: programs without keys link too, and nobody asks whether the symbols are there.
extern const hy_key __start_hyi_keys[] __attribute__((visibility("hidden")));
extern const hy_key __stop_hyi_keys[] __attribute__((visibility("hidden")));

static const hy_key context_first_key
    __attribute__((section("hyi_keys"), used, aligned(8))) = { "no key" };

_Static_assert(sizeof(hy_key) == sizeof(uintptr_t), "a key is as wide as its value");
_Static_assert(_Alignof(hy_key) == sizeof(uintptr_t), "keys lie without gaps");

static uint32_t context_key_count(void) {
    return (uint32_t)(__stop_hyi_keys - __start_hyi_keys);
}

static inline size_t context_number(const hy_key *key) {
    size_t offset = (size_t)((uintptr_t)key - (uintptr_t)__start_hyi_keys);
    HY_ASSERT(offset < (size_t)((uintptr_t)__stop_hyi_keys - (uintptr_t)__start_hyi_keys));
    return offset / sizeof(hy_key);
}

// ---- tables -------------------------------------------------------------------------------------

static size_t table_size(uint32_t count) {
    size_t words = context_tags ? (size_t)count * 2 : count;
    return sizeof(hyi_table) + words * sizeof(uintptr_t);
}

// Counted once, its contents not set. NULL: no memory.
static hyi_table *table_take(hy_root *root) {
    hyi_table *table = root->free_tables;
    if (table) {
        root->free_tables = table->next_free;
    } else {
        uint32_t count = context_key_count();
        HY_ASSERT(count <= HY_KEYS_MAX + 1);
        table = (hyi_table *)hy_mem_alloc(root->mem, table_size(count));
        if (!table) return NULL;
        table->count = count;
        table->owners = context_tags ? (const hy_scope **)&table->values[count] : NULL;
        table->next_made = root->made_tables;
        root->made_tables = table;
    }
    table->refs = 1;
    return table;
}

static hyi_table *table_new(hy_root *root) {
    hyi_table *table = table_take(root);
    if (!table) return NULL;
    table->presets = NULL;
    memset(table->values, 0, table_size(table->count) - sizeof *table);
    return table;
}

static hyi_table *table_copy(hy_root *root, const hyi_table *from) {
    hyi_table *table = table_take(root);
    if (!table) return NULL;
    table->presets = from->presets;
    memcpy(table->values, from->values, table_size(table->count) - sizeof *table);
    return table;
}

void hyi_table_put_back(hy_root *root, hyi_table *table) {
    HY_ASSERT(table->refs == 0);
    table->next_free = root->free_tables;
    root->free_tables = table;
}

void hyi_tables_free(hy_root *root) {
    while (root->made_tables) {
        hyi_table *table = root->made_tables;
        root->made_tables = table->next_made;
        hy_mem_free(root->mem, table, table_size(table->count));
    }
    root->free_tables = NULL;
}

// ---- looking up ---------------------------------------------------------------------------------

// Paranoid builds: what `scope` sees was bound in it or above it.
static bool table_is_of(const hyi_table *table, size_t number, const hy_scope *scope) {
    if (!table->owners || table->values[number] == 0) return true;
    return hyi_scope_is_below(scope, table->owners[number]);
}

static inline const void *context_look(const hyi_table *table, const hy_scope *scope,
                                       const hy_key *key) {
    size_t number = context_number(key);
    HY_ASSERT_SLOW(table_is_of(table, number, scope));
    uintptr_t value = table->values[number];
    if (__builtin_expect((value & HYI_PROVIDED_BIT) != 0, 0)) {
        return hyi_provided_get(hyi_provided_of(value));
    }
    return (const void *)value;
}

const void *hyi_key_get(const hy_key *key) {
    const hy_task *task = hyi_current;
    if (__builtin_expect(!task, 0)) return NULL;
    return context_look(task->table, task->scope, key);
}

const void *hy_scope_get(const hy_scope *scope, const hy_key *key) {
    return context_look(scope->table, scope, key);
}

uintptr_t hyi_context_at(const hyi_table *table, const hy_key *key) {
    return table->values[context_number(key)];
}

// ---- binding ------------------------------------------------------------------------------------

static void table_set(hyi_table *table, const hy_scope *owner, const hy_key *key, uintptr_t value) {
    size_t number = context_number(key);
    table->values[number] = value;
    if (table->owners) table->owners[number] = owner;
}

// From now on nobody else has the scope's table, but the fiber whose block the scope is.
static hy_err context_own_table(hy_scope *scope) {
    hyi_table *old = scope->table;
    if (old->refs == 1) return HY_OK;
    hyi_table *table = table_copy(scope->root, old);
    if (!table) return HY_NOMEM;
    hy_task *opener = scope->opener, *fiber = hyi_current;
    if (opener && opener->scope == scope && opener->table == old) opener->table = table;
    if (fiber && fiber->visited == scope && fiber->table == old) {
        fiber->table = hyi_table_keep(table);
        hyi_table_drop(scope->root, old);
    }
    scope->table = table;
    hyi_table_drop(scope->root, old);
    return HY_OK;
}

hy_err hyi_context_set(hy_scope *scope, const hy_key *key, uintptr_t value) {
    hy_err err = context_own_table(scope);
    if (err != HY_OK) return err;
    table_set(scope->table, scope, key, value);
    return HY_OK;
}

hy_err hyi_context_set_presets(hy_scope *scope, const hy_preset *const *presets) {
    hy_err err = context_own_table(scope);
    if (err != HY_OK) return err;
    scope->table->presets = presets;
    return HY_OK;
}

static bool stack_holds(const hyi_stack *stack, const void *value) {
    const uint8_t *at = (const uint8_t *)value;
    return stack && at >= stack->low && at < stack->top;
}

static bool scope_owns(const hy_scope *scope, const void *value) {
    for (const hyi_owned *owned = scope->owned; owned; owned = owned->below) {
        if (owned->object == value) return true;
    }
    return false;
}

// Paranoid builds: false when `value` is known to end before `scope`.
static bool context_outlives(const hy_scope *scope, const void *value) {
    const hy_task *task = hyi_current;
    if (!task || !value) return true;
    if (stack_holds(task->stack, value) && scope->opener != task) return false;
    for (const hy_scope *at = task->scope; at && !hyi_scope_is_below(scope, at); at = at->parent) {
        if (scope_owns(at, value)) return false;
    }
    return true;
}

hy_err hy_scope_bind(hy_scope *scope, const hy_key *key, const void *value) {
    HY_ASSERT(((uintptr_t)value & HYI_PROVIDED_BIT) == 0);
    HY_ASSERT_SLOW(context_outlives(scope, value));
    if (scope->flags & HYI_SCOPE_ENDING) return HY_CLOSED;
    return hyi_context_set(scope, key, (uintptr_t)value);
}

// ---- frames -------------------------------------------------------------------------------------

bool hyi_frame_open(hyi_frame *frame, hy_err *out_err, const hy_key *key, const void *value) {
    hy_task *task = hyi_current;
    HY_ASSERT(task); // a fiber
    HY_ASSERT(((uintptr_t)value & HYI_PROVIDED_BIT) == 0);
    hyi_table *table = table_copy(task->root, task->table);
    if (!table) {
        if (out_err) *out_err = HY_NOMEM;
        return false;
    }
    table_set(table, task->scope, key, (uintptr_t)value);
    frame->private_[0] = table;
    frame->private_[1] = hyi_table_outer(task);
    frame->private_[2] = task->frame;
    frame->private_[3] = task->scope; // frames and blocks are closed in reverse order by exit.c
    frame->open = true;
    task->frame = frame;
    task->table = table;
    return true;
}

void hyi_frame_end(hyi_frame *frame) {
    if (!frame->open) return;
    hy_task *task = hyi_current;
    hyi_table *table = (hyi_table *)frame->private_[0];
    HY_ASSERT(task->table == table); // what was opened in the block has been closed
    HY_ASSERT(task->frame == frame);
    task->frame = (hyi_frame *)frame->private_[2];
    hyi_table_return(task, (hyi_table *)frame->private_[1]);
    hyi_table_drop(task->root, table);
    frame->open = false;
}

// ---- of a scope ---------------------------------------------------------------------------------

hy_err hyi_context_open(hy_scope *scope, hyi_table *from, const hy_scope_options *options) {
    scope->table = from ? hyi_table_keep(from) : table_new(scope->root);
    if (!scope->table) return HY_NOMEM;
    hy_err err = hyi_baggage_open(scope, options);
    if (err == HY_OK) err = hyi_preset_open(scope, options);
    if (err != HY_OK) hyi_context_close(scope);
    return err;
}

void hyi_context_close(hy_scope *scope) {
    hyi_provided_free_all(scope);
    hyi_table_drop(scope->root, scope->table);
    scope->table = NULL;
}

// ---- for other threads --------------------------------------------------------------------------

static const void *context_built(uintptr_t value) {
    const hyi_provided *it = hyi_provided_of(value);
    if (!it) return (const void *)value;
    return it->state == HYI_PROVIDED_BUILT ? it->value : NULL;
}

hy_err hyi_context_snapshot(const hy_scope *scope, hy_mem *mem, hy_preset *out_preset) {
    const hyi_table *table = scope->table;
    size_t size = table->count * sizeof(hy_preset_entry);
    hy_preset_entry *entries = (hy_preset_entry *)hy_mem_alloc_zero(mem, size);
    if (!entries) return HY_NOMEM;
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        const void *value = context_built(table->values[i]);
        if (!value) continue;
        entries[count].key = &__start_hyi_keys[i];
        entries[count++].value = value;
    }
    // The size of the block is the number of keys, which never changes.
    *out_preset = (hy_preset){ .name = "snapshot", .entries = entries, .count = count };
    return HY_OK;
}

void hyi_context_snapshot_free(hy_mem *mem, hy_preset *preset) {
    size_t size = context_key_count() * sizeof(hy_preset_entry);
    hy_mem_free(mem, (void *)(uintptr_t)preset->entries, preset->entries ? size : 0);
    *preset = (hy_preset){ 0 };
}
