// broker.c - opening and closing.
//
// A broker is one block and a lock. It belongs to the node, because any actor may publish until the
// last one has ended: the node frees it after its actors and their messages, which hold tickets of
// its subscriptions.
#include "broker/inside.h"

#include "base/options.h"

#define BROKER_NAMES_MAX 65536u
#define BROKER_SUBSCRIPTIONS_MAX 65536u

static void broker_free(hyi_later *later) {
    hy_broker *broker = HYI_HOLDER(hy_broker, later, later);
    hyi_routes_close(broker);
    hyi_topics_deinit(broker);
    hyi_names_deinit(broker);
    pthread_mutex_destroy(&broker->lock);
    hy_mem_free(broker->mem, broker, sizeof *broker);
}

hy_err hy_broker_open(hy_node *node, const hy_broker_options *options, hy_broker **out_broker) {
    hy_mem *mem = hyi_node_mem(node);
    hy_broker *broker = (hy_broker *)hy_mem_alloc_zero(mem, sizeof *broker);
    if (!broker) return HY_NOMEM;
    hyi_options_read(&broker->options, sizeof broker->options, options);
    if (broker->options.names_max == 0) broker->options.names_max = BROKER_NAMES_MAX;
    if (broker->options.subscriptions_max == 0) {
        broker->options.subscriptions_max = BROKER_SUBSCRIPTIONS_MAX;
    }
    broker->node = node;
    broker->mem = mem;
    broker->later.free_it = broker_free;
    pthread_mutex_init(&broker->lock, NULL);
    hyi_list_init(&broker->pools);
    hyi_names_init(broker);
    hy_err err = hyi_topics_init(broker);
    if (err) {
        broker_free(&broker->later);
        return err;
    }
    hyi_node_free_later(node, &broker->later);
    *out_broker = broker;
    return HY_OK;
}
