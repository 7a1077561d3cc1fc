// own.c - resources: released in reverse order, every one, each under a limit of its own.
//
// A stack of records, the latest on top. Each release runs in a block that is shielded from all
// cancellation above, has a deadline, and waits for what the release spawned. So a release that
// hangs is cut short and the next one begins; whatever one does, the others run.
//
// The deadline needs a timer, which may need memory. Without it the limit is over at once: the
// release runs all the same, and only its waits are refused. A bound that holds is worth more than
// a farewell message.
//
// The record is out of the list, and freed, before its release runs, so a release may do anything
// to the scope's other resources.
#include "scope/inside.h"

static void own_run_shielded(hy_scope *parent, const hyi_owned *owned, hy_ns limit) {
    hy_scope shield;
    hy_root *root = parent->root;
    hy_scope_options options = { .size = sizeof options,
                                 .name = "release",
                                 .shield = HY_NEVER,
                                 .timeout = limit == HY_NEVER ? 0 : limit };
    const uint32_t flags = HYI_SCOPE_BLOCK | HYI_SCOPE_QUIET;
    if (hyi_scope_init(&shield, root, parent, &options, flags) != HY_OK) {
        options.timeout = 0;
        hy_err err = hyi_scope_init(&shield, root, parent, &options, flags);
        HY_ASSERT(err == HY_OK); // nothing in it needs memory
        hy_scope_cancel(&shield, HY_TIMEOUT);
    }
    owned->fini(owned->object);
    if (shield.flags & HYI_SCOPE_CANCELLED) root->stats.finalizers_late++;
    (void)hyi_scope_finish(&shield, true); // what it failed with was for `fini` to tell
    hyi_scope_leave(&shield);
}

// Outside of fibers nothing can wait, and nothing needs a limit.
static void own_run(hy_scope *parent, const hyi_owned *owned, hy_ns limit) {
    parent->root->stats.finalizers_run++;
    if (hyi_current) {
        own_run_shielded(parent, owned, limit > 0 ? limit : 1);
    } else {
        owned->fini(owned->object);
    }
}

// Now, where the caller is: `scope` may be ending on another fiber.
static void own_run_here(hy_scope *scope, const hyi_owned *owned) {
    hy_ns limit = owned->max_ns > 0 ? owned->max_ns : hyi_stop_left(scope);
    own_run(hyi_current ? hyi_current->scope : scope, owned, limit);
}

static void own_push(hy_scope *scope, hyi_owned *owned) {
    owned->below = scope->owned;
    owned->above = NULL;
    if (scope->owned) scope->owned->above = owned;
    scope->owned = owned;
}

// The record is the caller's afterwards, as a value; its storage may be gone with the object.
static hyi_owned own_take(hy_scope *scope, hyi_owned *owned) {
    if (owned->above) {
        owned->above->below = owned->below;
    } else {
        HY_ASSERT(scope->owned == owned);
        scope->owned = owned->below;
    }
    if (owned->below) owned->below->above = owned->above;
    owned->above = owned->below = NULL;
    hyi_owned taken = *owned;
    owned->fini = NULL;
    if (!owned->embedded) hy_mem_free(scope->root->mem, owned, sizeof *owned);
    return taken;
}

static hyi_owned *own_find(const hy_scope *scope, const void *object) {
    hyi_owned *owned = scope->owned;
    while (owned && owned->object != object) {
        owned = owned->below;
    }
    return owned;
}

hy_err hy_own(hy_scope *scope, void *object, void (*fini)(void *object), hy_ns max_ns) {
    const hyi_owned value = { .object = object, .fini = fini, .max_ns = max_ns };
    hyi_owned *owned = NULL;
    bool ending = (scope->flags & HYI_SCOPE_ENDING) != 0;
    if (!ending) owned = (hyi_owned *)hy_mem_alloc(scope->root->mem, sizeof *owned);
    if (!owned) {
        own_run_here(scope, &value);
        return ending ? HY_CLOSED : HY_NOMEM;
    }
    *owned = value;
    own_push(scope, owned);
    return HY_OK;
}

hy_err hyi_own(hy_scope *scope, hyi_owned *owned, void *object, void (*fini)(void *object),
               hy_ns max_ns) {
    if (scope->flags & HYI_SCOPE_ENDING) return HY_CLOSED;
    *owned = (hyi_owned){ .object = object, .fini = fini, .max_ns = max_ns, .embedded = true };
    own_push(scope, owned);
    return HY_OK;
}

void hyi_disown(hy_scope *scope, hyi_owned *owned) {
    if (owned->fini) (void)own_take(scope, owned);
}

hy_err hy_release(hy_scope *scope, void *object) {
    hyi_owned *owned = own_find(scope, object);
    if (!owned) return HY_NOT_FOUND;
    hyi_owned taken = own_take(scope, owned);
    own_run_here(scope, &taken);
    return HY_OK;
}

hy_err hy_disown(hy_scope *scope, void *object) {
    hyi_owned *owned = own_find(scope, object);
    if (!owned) return HY_NOT_FOUND;
    (void)own_take(scope, owned);
    return HY_OK;
}

void hyi_own_release_all(hy_scope *scope) {
    uint32_t count = 0;
    for (const hyi_owned *owned = scope->owned; owned; owned = owned->below) {
        count++;
    }
    hy_world *world = scope->root->world;
    hy_ns now = hy_world_now(world);
    hy_ns until = hy_ns_add(now, hyi_stop_left(scope));
    while (scope->owned) {
        hyi_owned owned = own_take(scope, scope->owned);
        hy_ns limit = owned.max_ns;
        if (limit <= 0) {
            limit = until == HY_NEVER ? HY_NEVER : (until - hy_world_now(world)) / count;
        }
        if (count > 1) count--; // a release may have taken others out
        own_run(scope, &owned, limit);
    }
}
