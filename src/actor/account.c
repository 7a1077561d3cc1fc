// account.c - where all messages are: sent = handled + queued + dropped.
//
// `sent`, `handled` and `dropped` are counters of each worker, and of the node for threads that are
// no workers; here they are added up. `queued` is not what the others leave: it is looked up, actor
// by actor, so that the equation can be wrong. While workers run the parts are of different
// moments.
//
// System messages are in none of these numbers.
#include "actor/mailbox.h"
#include "actor/slot.h"

// Read anywhere: the owner writes it, and no kin is looked at, which only the owner may.
static uint32_t account_queued(hy_node *node, hy_actor *actor) {
    pthread_mutex_t *lock = hyi_mailbox_lock(node->mailboxes, actor->slot);
    struct hyi_mailbox *box = hyi_mailbox_at(node->mailboxes, actor->slot);
    uint32_t capacity = box ? box->capacity : HYI_MAILBOX_CAPACITY;
    uint32_t promised = box ? box->promised : 0; // counted as taken, and nothing is there yet
    pthread_mutex_unlock(lock);
    uint32_t limit = atomic_load_explicit(&actor->inbox_limit, memory_order_relaxed);
    uint32_t sent = atomic_load_explicit(&actor->inbox_sent, memory_order_relaxed);
    int32_t waiting = (int32_t)(capacity - (limit - sent) - promised);
    return waiting > 0 ? (uint32_t)waiting : 0;
}

static void account_add_worker(hy_account *account, const hyi_worker *worker) {
    account->sent += atomic_load_explicit(&worker->sent, memory_order_relaxed);
    account->handled += atomic_load_explicit(&worker->handled, memory_order_relaxed);
    for (uint32_t i = 0; i < HY_DROP_COUNT; i++)
        account->dropped[i] += atomic_load_explicit(&worker->dropped[i], memory_order_relaxed);
}

hy_account hy_node_account(const hy_node *node) {
    hy_account account = { 0 };
    hy_node *mutable_node = (hy_node *)(uintptr_t)node; // for its locks
    for (uint32_t i = 0; i < node->worker_count; i++)
        if (node->workers[i]) account_add_worker(&account, node->workers[i]);
    account.sent += atomic_load_explicit(&node->sent, memory_order_relaxed);
    for (uint32_t i = 0; i < HY_DROP_COUNT; i++)
        account.dropped[i] += atomic_load_explicit(&node->dropped[i], memory_order_relaxed);
    hy_actor *actor;
    for (uint32_t i = 0; (actor = hyi_slot_at(node, i)) != NULL; i++)
        account.queued += account_queued(mutable_node, actor);
    return account;
}

bool hy_account_holds(const hy_account *account) {
    uint64_t sum = account->handled + account->queued;
    for (uint32_t i = 0; i < HY_DROP_COUNT; i++)
        sum += account->dropped[i];
    return sum == account->sent;
}
