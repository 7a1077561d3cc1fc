// baggage.c - what travels with a message: trace, deadline, tenant.
//
// Bindings are lexical and never travel. A message carries a hy_baggage instead: the sender takes
// it with hy_baggage_here, the receiver opens the scope that does the work with it. Time travels as
// what is left of it, because two machines share no clock; what the message spent on its way is not
// in it.
#include "scope/context.h"

static const hy_baggage baggage_none = { .time_left = HY_NEVER };

hy_err hyi_baggage_open(hy_scope *scope, const hy_scope_options *options) {
    scope->baggage = scope->parent ? scope->parent->baggage : NULL;
    if (!options || !options->baggage) return HY_OK;
    hyi_more *more = hyi_scope_more(scope);
    if (!more) return HY_NOMEM;
    more->baggage = *options->baggage;
    scope->baggage = &more->baggage;
    return HY_OK;
}

hy_ns hyi_baggage_deadline(const hy_baggage *baggage, hy_ns now) {
    if (!baggage || baggage->time_left == 0 || baggage->time_left == HY_NEVER) return HY_NEVER;
    if (baggage->time_left < 0) return now;
    return hy_ns_add(now, baggage->time_left);
}

static hy_ns baggage_time_left(const hy_scope *scope) {
    if (scope->deadline == HY_NEVER) return HY_NEVER;
    hy_ns left = scope->deadline - hy_world_now(scope->root->world);
    return left > 0 ? left : 1; // 0 would say that there is no deadline
}

hy_baggage hy_baggage_here(void) {
    if (!hyi_current) return baggage_none;
    const hy_scope *scope = hyi_current->scope;
    hy_baggage baggage = scope->baggage ? *scope->baggage : baggage_none;
    baggage.time_left = baggage_time_left(scope);
    const hy_scope_observer *observer = scope->root->observer;
    if (observer && observer->baggage) {
        observer->baggage(scope->root->observer_self, scope, scope->slots, &baggage);
    }
    return baggage;
}

const hy_baggage *hy_scope_baggage(const hy_scope *scope) {
    return scope->baggage;
}
