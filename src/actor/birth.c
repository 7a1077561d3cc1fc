// birth.c - specs, births, and how often something was started again.
//
// A spec is a set of options with the defaults filled in. It is immutable, so all children that
// were given equal options have the same one: the parent remembers the latest it made (rearing.h),
// which is enough for the usual loop that spawns many alike. Children end on other workers than
// they were spawned on, so specs are counted atomically; the one for no options at all is static
// and not counted.
//
// Too often is OTP's MaxR in MaxT to the letter, as for services (scope's restart.c): the times of
// the latest restarts lie in a ring of `max`; when it is full and its oldest is not yet `within`
// old, one more is too many.
//
// Births are blocks of the slabs, since there may be millions; the few specs and rings are not.
#include "actor/birth.h"

#include <string.h>

#define SPEC_STOP_MAX HY_SECONDS(5)

hyi_spec hyi_spec_default = {
    .is_static = true,
    .options = {
        .size = sizeof(hy_actor_options),
        .restarts_max = 5,
        .restarts_within = HY_SECONDS(10),
        .backoff_min = HY_MS(100),
        .backoff_max = HY_SECONDS(10),
        .start_max = HY_SECONDS(30),
        .stop_max = SPEC_STOP_MAX,
        .poison_after = 3,
        .health_max = HY_SECONDS(1),
        .health_failures = 3,
        .policy = hy_one_for_one,
        .children_restarts_within = HY_SECONDS(10),
    },
};

// The name and the mailbox are each actor's own; a spec does not have them.
static hy_actor_options spec_fill(const hy_actor_options *given) {
    const hy_actor_options *usual = &hyi_spec_default.options;
    hy_actor_options options = { 0 };
    size_t size = given->size > 0 ? given->size : sizeof options;
    HY_ASSERT(size <= sizeof options); // built against a newer header
    memcpy(&options, given, size);
    options.size = sizeof options;
    options.name = NULL;
    memset(&options.mailbox, 0, sizeof options.mailbox);
    if (!options.restarts_max) options.restarts_max = usual->restarts_max;
    if (!options.restarts_within) options.restarts_within = usual->restarts_within;
    if (!options.backoff_min) options.backoff_min = usual->backoff_min;
    if (!options.backoff_max) options.backoff_max = usual->backoff_max;
    if (!options.start_max) options.start_max = usual->start_max;
    if (!options.stop_max) options.stop_max = usual->stop_max;
    if (!options.poison_after) options.poison_after = usual->poison_after;
    if (!options.health_max) options.health_max = usual->health_max;
    if (!options.health_failures) options.health_failures = usual->health_failures;
    if (!options.policy) options.policy = usual->policy;
    if (!options.children_restarts_within) {
        options.children_restarts_within = usual->children_restarts_within;
    }
    return options;
}

static bool spec_same(const hy_actor_options *a, const hy_actor_options *b) {
    return a->worker == b->worker && a->memory_max == b->memory_max && a->turn_max == b->turn_max &&
           a->restart == b->restart && a->restarts_max == b->restarts_max &&
           a->restarts_within == b->restarts_within && a->backoff_min == b->backoff_min &&
           a->backoff_max == b->backoff_max && a->start_max == b->start_max &&
           a->stop_max == b->stop_max && a->poison_after == b->poison_after &&
           a->health_every == b->health_every && a->health_max == b->health_max &&
           a->health_failures == b->health_failures && a->policy == b->policy &&
           a->children_restarts_max == b->children_restarts_max &&
           a->children_restarts_within == b->children_restarts_within &&
           a->children_max == b->children_max;
}

static bool spec_is_limit(uint32_t restarts_max) {
    return restarts_max <= HY_RESTARTS_LIMIT || restarts_max == UINT32_MAX;
}

hy_err hyi_spec_make(hy_node *node, const hy_actor_options *options, hyi_spec **out_spec) {
    hy_actor_options filled = spec_fill(options);
    if (!spec_is_limit(filled.restarts_max)) return HY_RANGE;
    if (!spec_is_limit(filled.children_restarts_max)) return HY_RANGE;
    if (filled.worker > node->worker_count || filled.restart > HY_PERMANENT) return HY_RANGE;
    if (spec_same(&hyi_spec_default.options, &filled)) {
        *out_spec = &hyi_spec_default;
        return HY_OK;
    }
    hyi_spec *spec = (hyi_spec *)hy_mem_alloc_zero(node->mem, sizeof *spec);
    if (!spec) return HY_NOMEM;
    atomic_init(&spec->refs, 1);
    spec->options = filled;
    *out_spec = spec;
    return HY_OK;
}

hyi_spec *hyi_spec_ref(hyi_spec *spec) {
    // Relaxed: who takes another one has one already.
    if (!spec->is_static) atomic_fetch_add_explicit(&spec->refs, 1, memory_order_relaxed);
    return spec;
}

void hyi_spec_unref(hy_node *node, hyi_spec *spec) {
    if (spec->is_static) return;
    // Acquire and release: all others have read it before the last one frees it.
    if (atomic_fetch_sub_explicit(&spec->refs, 1, memory_order_acq_rel) > 1) return;
    hy_mem_free(node->mem, spec, sizeof *spec);
}

// ---- births -----------------------------------------------------------------------------------

hyi_birth *hyi_birth_new(hy_actor *actor, hy_actor *parent, hyi_spec *spec) {
    uint8_t block_class = 0;
    hyi_birth *birth = (hyi_birth *)hyi_block_alloc(sizeof *birth, &block_class);
    if (!birth) return NULL;
    memset(birth, 0, sizeof *birth);
    birth->actor = actor;
    birth->parent = birth->adopter = parent;
    hyi_list_init(&birth->in_parent);
    birth->note.tag = HYI_SYSTEM_ENDED;
    birth->note.flags = HYI_MESSAGE_SYSTEM | HYI_MESSAGE_EMBEDDED;
    birth->note.block_class = block_class;
    birth->spec = spec;
    return birth;
}

void hyi_birth_free(hy_node *node, hyi_birth *birth) {
    if (!birth) return;
    hyi_recent_free(node, birth->recent);
    hyi_spec_unref(node, birth->spec);
    hyi_block_free(birth, birth->note.block_class);
}

// ---- how often --------------------------------------------------------------------------------

bool hyi_recent_allows(hy_node *node, hyi_recent **recent, uint32_t max, hy_ns within, hy_ns now,
                       hy_err *out_err) {
    *out_err = HY_OK;
    if (max == 0 || max == UINT32_MAX) return true;
    if (!*recent) {
        size_t size = sizeof(hyi_recent) + max * sizeof(hy_ns);
        *recent = (hyi_recent *)hy_mem_alloc_zero(node->mem, size);
        if (!*recent) {
            *out_err = HY_NOMEM;
            return false;
        }
        (*recent)->max = max;
    }
    hyi_recent *ring = *recent;
    HY_ASSERT(ring->max == max);
    if (ring->count == ring->max) {
        if (now - ring->times[ring->next] <= within) return false;
    } else {
        ring->count++;
    }
    ring->times[ring->next] = now; // over the oldest
    ring->next = (ring->next + 1) % ring->max;
    return true;
}

void hyi_recent_free(hy_node *node, hyi_recent *recent) {
    if (recent) hy_mem_free(node->mem, recent, sizeof *recent + recent->max * sizeof(hy_ns));
}
