// sim_node.c - what of a file survives.
//
// A disk writes sectors of 512 bytes, each whole, in any order, whenever it likes; and the page
// cache holds one version of each sector at a time. So after a crash a sector holds one of the
// versions it went through since the last sync, independently of all other sectors; and the size,
// which the file system keeps, is one of the sizes that the file went through. That is everything
// lost, torn and reordered at once, and nothing that hardware cannot do: a sector never shows a
// later change without an earlier one that it also had.
//
// Choosing every sector by itself makes the plain outcomes rare. So a crash first picks a manner:
// nothing survived, everything did, the changes up to one that is torn, or every sector for itself.
//
// Invariants: durable plus the changes gives `seen`, unless a failed sync dropped changes; both
// images have room for every size that the file went through, so a sync or a crash needs no memory
// but the scratch of the last manner, and takes a plainer one when there is none.
#include "world/sim_node.h"

#include <string.h>

// ---- images -------------------------------------------------------------------------------------

static hy_err image_reserve(hyi_sim_image *image, hy_mem *mem, uint64_t size) {
    if (size <= image->capacity) return HY_OK;
    uint64_t capacity = image->capacity < 4096 ? 4096 : image->capacity * 2;
    if (capacity < size) capacity = size;
    void *ptr = mem->resize(mem, image->ptr, image->capacity, capacity);
    if (!ptr) return HY_NOMEM;
    image->ptr = (uint8_t *)ptr;
    image->capacity = capacity;
    return HY_OK;
}

static void image_resize(hyi_sim_image *image, uint64_t size) {
    HY_ASSERT(size <= image->capacity);
    if (size > image->size) memset(image->ptr + image->size, 0, size - image->size);
    image->size = size;
}

// The part of a change that falls into [from, to); all of it with 0 and UINT64_MAX.
static void image_apply(hyi_sim_image *image, const hyi_sim_change *change, uint64_t from,
                        uint64_t to) {
    if (change->resize) {
        image_resize(image, change->offset);
        return;
    }
    uint64_t start = change->offset > from ? change->offset : from;
    uint64_t end = change->offset + change->len < to ? change->offset + change->len : to;
    if (start >= end) return;
    if (end > image->size) image_resize(image, end);
    memcpy(image->ptr + start, change->bytes + (start - change->offset), end - start);
}

// ---- nodes --------------------------------------------------------------------------------------

hyi_sim_node *hyi_sim_node_new(hyi_sim *sim) {
    hyi_sim_node *node = (hyi_sim_node *)hy_mem_alloc_zero(sim->base.mem, sizeof *node);
    if (!node) return NULL;
    node->number = ++sim->disk.next_node;
    node->next = sim->disk.nodes;
    node->link = &sim->disk.nodes;
    if (node->next) node->next->link = &node->next;
    sim->disk.nodes = node;
    return node;
}

// Forgets the oldest `count` changes.
static void node_forget(hyi_sim *sim, hyi_sim_node *node, uint64_t count) {
    HY_ASSERT(count <= node->change_count);
    node->change_count -= count;
    for (; count > 0; count--) {
        hyi_sim_change *change = node->first;
        node->first = change->next;
        hy_mem_free(sim->base.mem, change, sizeof *change + change->len);
    }
    if (!node->first) node->last = NULL;
}

void hyi_sim_node_free(hyi_sim *sim, hyi_sim_node *node) {
    HY_ASSERT(node->handles == 0);
    node_forget(sim, node, node->change_count);
    sim->disk.bytes_used -= node->seen.size;
    hy_mem_free(sim->base.mem, node->seen.ptr, node->seen.capacity);
    hy_mem_free(sim->base.mem, node->durable.ptr, node->durable.capacity);
    *node->link = node->next;
    if (node->next) node->next->link = node->link;
    hy_mem_free(sim->base.mem, node, sizeof *node);
}

// A change of `len` bytes after which the file has at least `size` bytes; linked in. NULL: no
// memory.
static hyi_sim_change *node_change(hyi_sim *sim, hyi_sim_node *node, size_t len, uint64_t size) {
    hy_mem *mem = sim->base.mem;
    if (image_reserve(&node->seen, mem, size) != HY_OK) return NULL;
    if (image_reserve(&node->durable, mem, size) != HY_OK) return NULL;
    hyi_sim_change *change = (hyi_sim_change *)hy_mem_alloc(mem, sizeof *change + len);
    if (!change) return NULL;
    *change = (hyi_sim_change){ .len = len };
    if (node->last) {
        node->last->next = change;
    } else {
        node->first = change;
    }
    node->last = change;
    node->change_count++;
    return change;
}

static void node_show(hyi_sim *sim, hyi_sim_node *node, const hyi_sim_change *change) {
    uint64_t before = node->seen.size;
    image_apply(&node->seen, change, 0, UINT64_MAX);
    sim->disk.bytes_used += node->seen.size - before; // wraps, and so also counts down
}

hy_err hyi_sim_node_write(hyi_sim *sim, hyi_sim_node *node, uint64_t offset, hy_bytes bytes) {
    if (bytes.len == 0) return HY_OK;
    hyi_sim_change *change = node_change(sim, node, bytes.len, offset + bytes.len);
    if (!change) return HY_NOMEM;
    change->offset = offset;
    memcpy(change->bytes, bytes.ptr, bytes.len);
    node_show(sim, node, change);
    return HY_OK;
}

hy_err hyi_sim_node_resize(hyi_sim *sim, hyi_sim_node *node, uint64_t size) {
    hyi_sim_change *change = node_change(sim, node, 0, size);
    if (!change) return HY_NOMEM;
    change->resize = true;
    change->offset = size;
    node_show(sim, node, change);
    return HY_OK;
}

// ---- sync ---------------------------------------------------------------------------------------

// The oldest `count` changes become durable and are forgotten.
static void node_settle(hyi_sim *sim, hyi_sim_node *node, uint64_t count) {
    const hyi_sim_change *change = node->first;
    for (uint64_t i = 0; i < count; i++, change = change->next)
        image_apply(&node->durable, change, 0, UINT64_MAX);
    node_forget(sim, node, count);
}

void hyi_sim_node_sync(hyi_sim *sim, hyi_sim_node *node) {
    node_settle(sim, node, node->change_count);
}

void hyi_sim_node_sync_failed(hyi_sim *sim, hyi_sim_node *node, bool drops) {
    node_settle(sim, node, hyi_sim_below(sim, HYI_DICE_SYNC, node->change_count + 1));
    if (drops) node_forget(sim, node, node->change_count);
}

// ---- crash --------------------------------------------------------------------------------------

// The changes in order up to a seeded one, of which the first sectors arrived.
static void crash_torn_end(hyi_sim *sim, hyi_sim_node *node) {
    node_settle(sim, node, hyi_sim_below(sim, HYI_DICE_CRASH, node->change_count + 1));
    const hyi_sim_change *torn = node->first;
    if (!torn || torn->resize) return;
    uint64_t first = torn->offset / HYI_SIM_SECTOR;
    uint64_t end = (torn->offset + torn->len - 1) / HYI_SIM_SECTOR + 1;
    uint64_t cut = first + hyi_sim_below(sim, HYI_DICE_CRASH, end - first + 1);
    image_apply(&node->durable, torn, 0, cut * HYI_SIM_SECTOR);
}

static void crash_sectors(const hyi_sim_change *write, uint64_t *out_first, uint64_t *out_end) {
    *out_first = write->offset / HYI_SIM_SECTOR;
    *out_end = (write->offset + write->len - 1) / HYI_SIM_SECTOR + 1;
}

// What the size was after the first `count` changes; with UINT64_MAX the largest it ever was.
static uint64_t crash_size(const hyi_sim_node *node, uint64_t count) {
    uint64_t size = node->durable.size, largest = size;
    for (const hyi_sim_change *change = node->first; change && count > 0; change = change->next) {
        uint64_t end = change->offset + change->len;
        if (change->resize || end > size) size = end;
        if (size > largest) largest = size;
        if (count < UINT64_MAX) count--;
    }
    return count == UINT64_MAX ? largest : size;
}

// versions[s]: first how many writes there are to sector s, then how many of them it has got.
static void crash_choose_versions(hyi_sim *sim, const hyi_sim_node *node, uint32_t *versions,
                                  uint64_t sector_count) {
    for (const hyi_sim_change *change = node->first; change; change = change->next) {
        if (change->resize) continue;
        uint64_t first, end;
        crash_sectors(change, &first, &end);
        for (uint64_t s = first; s < end; s++)
            versions[s]++;
    }
    for (uint64_t s = 0; s < sector_count; s++) {
        if (versions[s] == 0) continue;
        versions[s] = (uint32_t)hyi_sim_below(sim, HYI_DICE_CRASH, (uint64_t)versions[s] + 1);
    }
}

static void crash_apply_write(hyi_sim_image *image, const hyi_sim_change *write,
                              uint32_t *versions) {
    uint64_t first, end;
    crash_sectors(write, &first, &end);
    for (uint64_t s = first; s < end; s++) {
        if (versions[s] == 0) continue;
        versions[s]--;
        image_apply(image, write, s * HYI_SIM_SECTOR, (s + 1) * HYI_SIM_SECTOR);
    }
}

// A size is kept by the file system, not in sectors of the file: the first `sizes` changes of it
// happened, in order, the others did not. Behind a cut everything is zero.
static void crash_every_sector(hyi_sim *sim, hyi_sim_node *node) {
    uint64_t sizes = hyi_sim_below(sim, HYI_DICE_CRASH, node->change_count + 1);
    uint64_t size = crash_size(node, sizes), largest = crash_size(node, UINT64_MAX);
    uint64_t sector_count = (largest + HYI_SIM_SECTOR - 1) / HYI_SIM_SECTOR;
    size_t scratch_size = sector_count * sizeof(uint32_t);
    uint32_t *versions = (uint32_t *)hy_mem_alloc_zero(sim->base.mem, scratch_size);
    if (!versions) {
        crash_torn_end(sim, node);
        return;
    }
    crash_choose_versions(sim, node, versions, sector_count);
    uint64_t place = 0;
    for (const hyi_sim_change *change = node->first; change; change = change->next) {
        bool happened = place++ < sizes;
        if (!change->resize) {
            crash_apply_write(&node->durable, change, versions);
        } else if (happened) {
            image_resize(&node->durable, change->offset);
        }
    }
    image_resize(&node->durable, size);
    hy_mem_free(sim->base.mem, versions, scratch_size);
}

void hyi_sim_node_crash(hyi_sim *sim, hyi_sim_node *node) {
    if (node->change_count > 0) {
        switch (hyi_sim_below(sim, HYI_DICE_CRASH, 5)) {
        case 0: break; // nothing survived
        case 1: hyi_sim_node_sync(sim, node); break;
        case 2: crash_torn_end(sim, node); break;
        default: crash_every_sector(sim, node); break;
        }
    }
    node_forget(sim, node, node->change_count);
    node->locked_by = NULL;
    uint64_t before = node->seen.size;
    image_resize(&node->seen, node->durable.size);
    if (node->durable.size > 0) memcpy(node->seen.ptr, node->durable.ptr, node->durable.size);
    sim->disk.bytes_used += node->seen.size - before;
}
