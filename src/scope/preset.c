// preset.c - named bundles of bindings and providers.
//
// A preset is applied when its scope opens, its base before it, so later entries win over earlier
// ones and any of them over what is inherited; what is bound in the scope comes after and wins over
// all. A preset in the options wins over one that is found by name. The registry of names is
// inherited like a binding, as part of the table: an inner registry replaces the outer one, and
// scopes that have none of this pay for nothing.
#include "scope/context.h"

#include <string.h>

static const hy_preset *preset_named(const hy_preset *const *presets, const char *name) {
    if (!presets || !name) return NULL;
    for (; *presets; presets++) {
        if (strcmp((*presets)->name, name) == 0) return *presets;
    }
    return NULL;
}

static hy_err preset_apply_entry(hy_scope *scope, const hy_preset_entry *entry) {
    if (entry->provider.build) return hyi_provided_new(scope, entry->key, &entry->provider);
    HY_ASSERT(((uintptr_t)entry->value & HYI_PROVIDED_BIT) == 0);
    return hyi_context_set(scope, entry->key, (uintptr_t)entry->value);
}

static hy_err preset_apply_one(hy_scope *scope, const hy_preset *preset) {
    for (uint32_t i = 0; i < preset->count; i++) {
        hy_err err = preset_apply_entry(scope, &preset->entries[i]);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

// The base that is `depth` steps below `preset`.
static const hy_preset *preset_base(const hy_preset *preset, uint32_t depth) {
    while (depth-- > 0)
        preset = preset->base;
    return preset;
}

static hy_err preset_apply(hy_scope *scope, const hy_preset *preset) {
    uint32_t depth = 0;
    for (const hy_preset *at = preset; at->base; at = at->base)
        depth++;
    for (; depth > 0; depth--) {
        hy_err err = preset_apply_one(scope, preset_base(preset, depth));
        if (err != HY_OK) return err;
    }
    return preset_apply_one(scope, preset);
}

hy_err hyi_preset_open(hy_scope *scope, const hy_scope_options *options) {
    if (options && options->presets) {
        hy_err err = hyi_context_set_presets(scope, options->presets);
        if (err != HY_OK) return err;
    }
    const hy_preset *preset = options ? options->preset : NULL;
    if (!preset && scope->table->presets && options) {
        preset = preset_named(scope->table->presets, options->name);
    }
    return preset ? preset_apply(scope, preset) : HY_OK;
}
