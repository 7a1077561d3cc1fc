// sim_node.h - the contents of one simulated file.                 Room: world. Includes: base.
// Threads: the world's.
//
// A node is what an inode is: bytes without a name. It knows two images, the one that a running
// system sees and the one that is on the platter, and the list of changes that lie between them.
#ifndef HYI_WORLD_SIM_NODE_H
#define HYI_WORLD_SIM_NODE_H

#include "world/sim.h"

typedef struct hyi_sim_image {
    uint8_t *ptr;
    uint64_t size, capacity;
} hyi_sim_image;

// A write, or a change of the size (`resize`, with the new size in `offset`).
typedef struct hyi_sim_change {
    struct hyi_sim_change *next;
    bool resize;
    uint64_t offset;
    size_t len;
    uint8_t bytes[];
} hyi_sim_change;

typedef struct hyi_sim_node {
    struct hyi_sim_node *next, **link; // all nodes of the disk
    uint64_t number;
    uint32_t handles;               // open files
    struct hyi_sim_file *locked_by; // or NULL
    hyi_sim_image seen, durable;
    hyi_sim_change *first, *last; // not yet durable, oldest first
    uint64_t change_count;
} hyi_sim_node;

// An empty one, linked into the disk. NULL: no memory.
hyi_sim_node *hyi_sim_node_new(hyi_sim *sim);
void hyi_sim_node_free(hyi_sim *sim, hyi_sim_node *node);

// All or nothing: HY_OK or HY_NOMEM. They reserve what later syncs and crashes need, so that those
// cannot fail.
HY_CHECKED hy_err hyi_sim_node_write(hyi_sim *sim, hyi_sim_node *node, uint64_t offset,
                                     hy_bytes bytes);
HY_CHECKED hy_err hyi_sim_node_resize(hyi_sim *sim, hyi_sim_node *node, uint64_t size);

// Everything becomes durable.
void hyi_sim_node_sync(hyi_sim *sim, hyi_sim_node *node);
// A sync that failed: the oldest changes became durable, up to a seeded place. The others wait for
// the next sync, or, with `drops`, are never written although they go on being seen.
void hyi_sim_node_sync_failed(hyi_sim *sim, hyi_sim_node *node, bool drops);
// The power went: what is durable, plus whatever of the changes the dice leave, is all there is.
void hyi_sim_node_crash(hyi_sim *sim, hyi_sim_node *node);

#endif
