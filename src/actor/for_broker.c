// for_broker.c - answers to the room above.
//
// What an actor speaks and how much waits for it may be asked from any thread: the type is set
// before the ref is given away, and the two numbers of its inbox are everybody's to read. Both
// answers may be old by the time they are used, and whoever asks knows that.
#include "actor/for_broker.h"

#include "actor/inside.h"
#include "actor/mailbox.h"
#include "actor/slot.h"

hy_err hyi_speaks(hy_ref ref, const hy_protocol *protocol) {
    const hy_actor *actor = hyi_find_hold(ref);
    if (!actor) return HY_NOT_FOUND;
    // Relaxed: as in send.c.
    const hy_actor_type *type = __atomic_load_n(&actor->type, __ATOMIC_RELAXED);
    const hy_protocol *spoken = NULL;
    if (type) spoken = type->first ? type->first->protocol : type->protocol;
    hyi_find_let_go(ref);
    return type && spoken == protocol ? HY_OK : HY_TYPE;
}

uint32_t hyi_queued(hy_ref ref) {
    const hy_actor *actor = hyi_find_hold(ref);
    if (!actor) return 0;
    uint32_t sent = atomic_load_explicit(&actor->inbox_sent, memory_order_relaxed);
    uint32_t limit = atomic_load_explicit(&actor->inbox_limit, memory_order_relaxed);
    int32_t queued = (int32_t)(hyi_mailbox_capacity_from_outside(actor) - (limit - sent));
    hyi_find_let_go(ref);
    return queued > 0 ? (uint32_t)queued : 0;
}

void hyi_node_free_later(hy_node *node, hyi_later *later) {
    pthread_mutex_lock(&node->slots_lock);
    later->next = node->later;
    node->later = later;
    pthread_mutex_unlock(&node->slots_lock);
}

hy_mem *hyi_node_mem(const hy_node *node) {
    return node->mem;
}
