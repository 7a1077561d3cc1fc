// broker.c - opening and closing.
//
// A broker is one block and a lock. It belongs to a scope below the node's, so that it is gone
// before the workers are; actors may go on publishing until then, and get HY_CLOSED from the node
// itself afterwards. Who still holds a pointer to it by then has kept it longer than its scope,
// which is a mistake of the same kind as with any other owner.
#include "broker/inside.h"

#include "base/options.h"

#define BROKER_NAMES_MAX 65536u
#define BROKER_SUBSCRIPTIONS_MAX 65536u

static void broker_close(void *object) {
    hy_broker *broker = (hy_broker *)object;
    hyi_routes_close(broker);
    hyi_topics_deinit(broker);
    hyi_names_deinit(broker);
    pthread_mutex_destroy(&broker->lock);
    hy_mem_free(broker->mem, broker, sizeof *broker);
}

hy_err hy_broker_open(hy_scope *scope, hy_node *node, const hy_broker_options *options,
                      hy_broker **out_broker) {
    if (!scope) scope = hy_scope_current();
    HY_ASSERT(scope != NULL); // a fiber calls
    hy_mem *mem = hy_world_mem(hy_scope_world(scope));
    hy_broker *broker = (hy_broker *)hy_mem_alloc_zero(mem, sizeof *broker);
    if (!broker) return HY_NOMEM;
    hyi_options_read(&broker->options, sizeof broker->options, options);
    if (broker->options.names_max == 0) broker->options.names_max = BROKER_NAMES_MAX;
    if (broker->options.subscriptions_max == 0) {
        broker->options.subscriptions_max = BROKER_SUBSCRIPTIONS_MAX;
    }
    broker->node = node;
    broker->mem = mem;
    pthread_mutex_init(&broker->lock, NULL);
    hyi_list_init(&broker->pools);
    hyi_names_init(broker);
    hy_err err = hyi_topics_init(broker);
    if (!err) err = hy_own(scope, broker, broker_close, 0);
    if (err) {
        broker_close(broker);
        return err;
    }
    *out_broker = broker;
    return HY_OK;
}
