// sim_disk.c - names, handles, faults and the count of crash points.
//
// Names. A path means a node now, meant one when its folder was last made durable, and went through
// others in between. A crash leaves it with any of these. hy_file_sync makes the name of its file
// durable, as the real world's first sync after a creation does; hy_file_remove with `sync_folder`
// makes all names of the folder durable. Folders themselves are durable at once.
//
// Fate. Every call that would change something asks disk_fate first. It counts the call, and at the
// crash point decides whether the call happens in full, in part or not at all. After that the
// machine is down: every call fails until hy_sim_restart.
//
// Faults are thrown per call. A failed write may have written its first sectors, as a real one may.
#include "world/sim_node.h"
#include "base/cleanup.h"
#include "base/why.h"

#include <string.h>

#define DISK_PATH_MAX 4096u

typedef enum disk_fate { FATE_FULL, FATE_PART, FATE_NONE } disk_fate;

// What a path meant since its folder was last durable, oldest first.
typedef struct name_version {
    struct name_version *next;
    hyi_sim_node *node; // NULL: nothing
} name_version;

typedef struct hyi_sim_name {
    struct hyi_sim_name *next;
    char *path;
    bool is_folder;
    hyi_sim_node *durable;      // NULL: nothing
    name_version *first, *last; // not yet durable
} hyi_sim_name;

typedef struct hyi_sim_file {
    hy_file base;
    struct hyi_sim_file *next, **link;
    hyi_sim_node *node; // NULL once a restart made it invalid
    bool writable;
} hyi_sim_file;

// ---- fate and faults ----------------------------------------------------------------------------

static bool disk_down(const hyi_sim *sim) {
    return sim->disk.crashed || sim->disk.faults.dead_disk;
}

static disk_fate disk_next_fate(hyi_sim *sim, const char *what, uint64_t subject) {
    hyi_sim_disk *disk = &sim->disk;
    if (disk_down(sim)) return FATE_NONE;
    disk->calls++;
    hyi_sim_note(sim, what, subject, disk->calls);
    if (disk->calls != disk->crash_at) return FATE_FULL;
    disk->crashed = true;
    hyi_sim_note(sim, "crash", subject, disk->calls);
    return (disk_fate)hyi_sim_below(sim, HYI_DICE_CRASH, 3);
}

static bool disk_is_at(const hyi_sim_disk *disk, uint64_t at) {
    return disk->calls == at || (disk->faults.fault_stays && at != 0 && disk->calls > at);
}

// What was asked to befall the call that disk_next_fate has just counted.
static hy_err disk_fault(const hyi_sim *sim) {
    const hyi_sim_disk *disk = &sim->disk;
    const hy_sim_faults *faults = &disk->faults;
    if (disk_down(sim)) return HY_OK;
    if (disk_is_at(disk, faults->error_at)) return HY_IO;
    return disk_is_at(disk, faults->full_at) ? HY_DISK_FULL : HY_OK;
}

static hy_err disk_outcome(hyi_sim *sim, uint64_t subject, hy_err err) {
    if (disk_down(sim)) err = HY_IO;
    if (err) hyi_sim_note(sim, "disk error", subject, err);
    return err;
}

static hy_err disk_why(hy_why *why, const char *path, hy_err err) {
    return hyi_why_fmt(why, err, path, "%s: %s", path, hy_err_text(err));
}

static hyi_sim *disk_of(hy_world *world) {
    HY_ASSERT(!world->door->is_real);
    return hyi_sim_of(world);
}

void hy_sim_set_faults(hy_world *world, const hy_sim_faults *faults) {
    disk_of(world)->disk.faults = *faults;
}

uint64_t hy_sim_disk_calls(const hy_world *world) {
    return hyi_sim_of(world)->disk.calls;
}

void hy_sim_crash_at(hy_world *world, uint64_t at) {
    disk_of(world)->disk.crash_at = at;
}

bool hy_sim_has_crashed(const hy_world *world) {
    return hyi_sim_of(world)->disk.crashed;
}

// ---- names --------------------------------------------------------------------------------------

static hyi_sim_name *name_find(hyi_sim *sim, const char *path) {
    hyi_sim_name *name = sim->disk.names;
    while (name && strcmp(name->path, path) != 0)
        name = name->next;
    return name;
}

// What the path means now.
static hyi_sim_node *name_node(const hyi_sim_name *name) {
    if (!name) return NULL;
    return name->last ? name->last->node : name->durable;
}

static hyi_sim_name *name_find_or_make(hyi_sim *sim, const char *path) {
    hyi_sim_name *name = name_find(sim, path);
    if (name) return name;
    name = (hyi_sim_name *)hy_mem_alloc_zero(sim->base.mem, sizeof *name);
    if (!name) return NULL;
    name->path = hyi_text_copy(sim->base.mem, path);
    if (!name->path) {
        hy_mem_free(sim->base.mem, name, sizeof *name);
        return NULL;
    }
    name->next = sim->disk.names;
    sim->disk.names = name;
    return name;
}

static hy_err name_change(hyi_sim *sim, hyi_sim_name *name, hyi_sim_node *node) {
    name_version *version = (name_version *)hy_mem_alloc(sim->base.mem, sizeof *version);
    if (!version) return HY_NOMEM;
    *version = (name_version){ .node = node };
    if (name->last) {
        name->last->next = version;
    } else {
        name->first = version;
    }
    name->last = version;
    return HY_OK;
}

// The oldest `count` versions become durable.
static void name_settle(hyi_sim *sim, hyi_sim_name *name, uint64_t count) {
    for (; count > 0 && name->first; count--) {
        name_version *version = name->first;
        name->durable = version->node;
        name->first = version->next;
        hy_mem_free(sim->base.mem, version, sizeof *version);
    }
    if (!name->first) name->last = NULL;
}

static void name_forget(hyi_sim *sim, hyi_sim_name *name) {
    hyi_sim_node *durable = name->durable;
    name_settle(sim, name, UINT64_MAX);
    name->durable = durable;
}

// A synced file keeps its name: whatever led up to the version that means `node` is durable too.
static void name_settle_node(hyi_sim *sim, const hyi_sim_node *node) {
    for (hyi_sim_name *name = sim->disk.names; name; name = name->next) {
        uint64_t count = 0, place = 0;
        for (const name_version *version = name->first; version; version = version->next) {
            place++;
            if (version->node == node) count = place;
        }
        name_settle(sim, name, count);
    }
}

static bool name_in_folder(const char *path, const char *folder) {
    char parent[DISK_PATH_MAX];
    return hyi_path_folder(path, parent, sizeof parent) == HY_OK && strcmp(parent, folder) == 0;
}

static void name_settle_folder(hyi_sim *sim, const char *path) {
    char folder[DISK_PATH_MAX];
    if (hyi_path_folder(path, folder, sizeof folder) != HY_OK) return;
    for (hyi_sim_name *name = sim->disk.names; name; name = name->next) {
        if (name_in_folder(name->path, folder)) name_settle(sim, name, UINT64_MAX);
    }
}

static bool name_has(const hyi_sim_name *name, const hyi_sim_node *node) {
    if (name->durable == node) return true;
    for (const name_version *version = name->first; version; version = version->next) {
        if (version->node == node) return true;
    }
    return false;
}

// Contents that no handle holds and that no path can come to mean again.
static void disk_free_unused(hyi_sim *sim) {
    for (hyi_sim_node *node = sim->disk.nodes, *next; node; node = next) {
        next = node->next;
        bool used = node->handles > 0;
        for (hyi_sim_name *name = sim->disk.names; name && !used; name = name->next)
            used = name_has(name, node);
        if (!used) hyi_sim_node_free(sim, node);
    }
}

// The working folder and the root are always there.
static bool disk_has_parent(hyi_sim *sim, const char *path) {
    char folder[DISK_PATH_MAX];
    if (hyi_path_folder(path, folder, sizeof folder) != HY_OK) return false;
    if (strcmp(folder, ".") == 0 || strcmp(folder, "/") == 0) return true;
    const hyi_sim_name *name = name_find(sim, folder);
    return name && name->is_folder;
}

// ---- opening and closing ------------------------------------------------------------------------

static hy_err disk_create(hyi_sim *sim, const char *path, hyi_sim_node **out_node) {
    if (!disk_has_parent(sim, path)) return HY_NOT_FOUND;
    hyi_sim_name *name = name_find_or_make(sim, path);
    hyi_sim_node *node = name ? hyi_sim_node_new(sim) : NULL;
    if (!node) return HY_NOMEM;
    disk_fate fate = disk_next_fate(sim, "file create", node->number);
    bool full = hyi_sim_strikes(sim, HYI_DICE_WRITE, sim->disk.faults.disk_full_ppm);
    hy_err err = full ? HY_DISK_FULL : disk_fault(sim);
    if (err == HY_OK && fate == FATE_FULL) err = name_change(sim, name, node);
    if (err || fate != FATE_FULL) disk_free_unused(sim);
    *out_node = node;
    return disk_outcome(sim, 0, err);
}

static hy_err disk_find(hyi_sim *sim, const char *path, uint32_t mode, hyi_sim_node **out_node) {
    if (disk_down(sim)) return HY_IO;
    const hyi_sim_name *name = name_find(sim, path);
    hyi_sim_node *node = name_node(name);
    if (name && name->is_folder) return mode & HY_FILE_WRITE ? HY_READ_ONLY : HY_IO;
    if (node && mode & HY_FILE_EXCLUSIVE) return HY_EXISTS;
    if (!node && mode & HY_FILE_CREATE) return disk_create(sim, path, out_node);
    *out_node = node;
    return node ? HY_OK : HY_NOT_FOUND;
}

hy_err hyi_sim_file_open(hy_world *world, const char *path, uint32_t mode, hy_file **out_file,
                         hy_why *why) {
    hyi_sim *sim = hyi_sim_of(world);
    hyi_sim_file *file = (hyi_sim_file *)hy_mem_alloc_zero(world->mem, sizeof *file);
    if (!file) return disk_why(why, path, HY_NOMEM);
    hy_err err = disk_find(sim, path, mode, &file->node);
    if (err) {
        hy_mem_free(world->mem, file, sizeof *file);
        return disk_why(why, path, err);
    }
    file->base.world = world;
    file->writable = (mode & HY_FILE_WRITE) != 0;
    file->node->handles++;
    file->next = sim->disk.files;
    file->link = &sim->disk.files;
    if (file->next) file->next->link = &file->next;
    sim->disk.files = file;
    hyi_sim_note(sim, "file open", file->node->number, mode);
    *out_file = &file->base;
    return HY_OK;
}

void hyi_sim_file_close(hy_file *base) {
    hyi_sim_file *file = (hyi_sim_file *)base;
    hyi_sim *sim = hyi_sim_of(base->world);
    *file->link = file->next;
    if (file->next) file->next->link = file->link;
    if (file->node) {
        if (file->node->locked_by == file) file->node->locked_by = NULL;
        if (--file->node->handles == 0) disk_free_unused(sim);
    }
    hy_mem_free(sim->base.mem, file, sizeof *file);
}

// ---- reading ------------------------------------------------------------------------------------

// The world, when the file can be used at all; NULL after a crash or a restart.
static hyi_sim *file_sim(const hyi_sim_file *file) {
    hyi_sim *sim = hyi_sim_of(file->base.world);
    return disk_down(sim) || !file->node ? NULL : sim;
}

hy_err hyi_sim_file_read(hy_file *base, uint64_t offset, void *ptr, size_t len, size_t *out_len) {
    hyi_sim_file *file = (hyi_sim_file *)base;
    hyi_sim *sim = file_sim(file);
    if (!sim) return HY_IO;
    if (hyi_sim_strikes(sim, HYI_DICE_READ, sim->disk.faults.read_error_ppm)) {
        return disk_outcome(sim, file->node->number, HY_IO);
    }
    const hyi_sim_image *seen = &file->node->seen;
    uint64_t left = offset < seen->size ? seen->size - offset : 0;
    size_t count = len < left ? len : (size_t)left;
    if (count > 0) memcpy(ptr, seen->ptr + offset, count);
    hyi_sim_note(sim, "file read", file->node->number, offset);
    hyi_sim_note_bytes(sim, (hy_bytes){ (const uint8_t *)ptr, count });
    *out_len = count;
    return HY_OK;
}

hy_err hyi_sim_file_size(hy_file *base, uint64_t *out_size) {
    hyi_sim_file *file = (hyi_sim_file *)base;
    hyi_sim *sim = file_sim(file);
    if (!sim) return HY_IO;
    hyi_sim_note(sim, "file size", file->node->number, file->node->seen.size);
    *out_size = file->node->seen.size;
    return HY_OK;
}

hy_err hyi_sim_file_lock(hy_file *base) {
    hyi_sim_file *file = (hyi_sim_file *)base;
    hyi_sim *sim = file_sim(file);
    if (!sim) return HY_IO;
    hyi_sim_file *holder = file->node->locked_by;
    hyi_sim_note(sim, "file lock", file->node->number, holder != NULL);
    if (holder && holder != file) return HY_LOCKED;
    file->node->locked_by = file;
    return HY_OK;
}

bool hyi_sim_file_exists(hy_world *world, const char *path) {
    hyi_sim *sim = hyi_sim_of(world);
    if (disk_down(sim)) return false;
    const hyi_sim_name *name = name_find(sim, path);
    return name && (name->is_folder || name_node(name));
}

// ---- changing -----------------------------------------------------------------------------------

// How many of the bytes get there: a part ends at a sector, as far as `most` allows.
static size_t write_part(hyi_sim *sim, uint64_t offset, size_t most) {
    size_t cut = (size_t)hyi_sim_below(sim, HYI_DICE_WRITE, (uint64_t)most + 1);
    uint64_t end = (offset + cut) / HYI_SIM_SECTOR * HYI_SIM_SECTOR;
    return end > offset ? (size_t)(end - offset) : 0;
}

// HY_OK, HY_IO or HY_DISK_FULL for a file that would grow to `size`; *out_room: how far it may
// grow.
static hy_err write_fault(hyi_sim *sim, const hyi_sim_node *node, uint64_t size,
                          uint64_t *out_room) {
    const hy_sim_faults *faults = &sim->disk.faults;
    hy_err fault = disk_fault(sim);
    *out_room = size;
    if (hyi_sim_strikes(sim, HYI_DICE_WRITE, faults->write_error_ppm)) return HY_IO;
    if (hyi_sim_strikes(sim, HYI_DICE_WRITE, faults->disk_full_ppm)) fault = HY_DISK_FULL;
    if (fault == HY_DISK_FULL && size > 0)
        *out_room = size - 1; // what is written whole is no error
    if (fault != HY_OK) return fault;
    if (faults->disk_bytes_max == 0 || size <= node->seen.size) return HY_OK;
    uint64_t used = sim->disk.bytes_used;
    uint64_t room = faults->disk_bytes_max > used ? faults->disk_bytes_max - used : 0;
    if (size - node->seen.size <= room) return HY_OK;
    *out_room = node->seen.size + room;
    return HY_DISK_FULL;
}

hy_err hyi_sim_file_write(hy_file *base, uint64_t offset, hy_bytes bytes) {
    hyi_sim_file *file = (hyi_sim_file *)base;
    hyi_sim *sim = file_sim(file);
    if (!sim) return HY_IO;
    if (!file->writable) return HY_READ_ONLY;
    if (bytes.len == 0) return HY_OK;
    disk_fate fate = disk_next_fate(sim, "file write", file->node->number);
    hyi_sim_note_bytes(sim, bytes);
    uint64_t room;
    hy_err fault = write_fault(sim, file->node, offset + bytes.len, &room);
    size_t most = room < offset               ? 0
                  : room - offset < bytes.len ? (size_t)(room - offset)
                                              : bytes.len;
    if (fault || fate == FATE_PART) bytes.len = write_part(sim, offset, most);
    if (fate == FATE_NONE) bytes.len = 0;
    hy_err err = hyi_sim_node_write(sim, file->node, offset, bytes);
    return disk_outcome(sim, file->node->number, err ? err : fault);
}

hy_err hyi_sim_file_truncate(hy_file *base, uint64_t size) {
    hyi_sim_file *file = (hyi_sim_file *)base;
    hyi_sim *sim = file_sim(file);
    if (!sim) return HY_IO;
    if (!file->writable) return HY_READ_ONLY;
    if (size == file->node->seen.size) return HY_OK;
    disk_fate fate = disk_next_fate(sim, "file truncate", file->node->number);
    uint64_t room;
    hy_err err = write_fault(sim, file->node, size, &room);
    if (err == HY_OK && fate == FATE_FULL) err = hyi_sim_node_resize(sim, file->node, size);
    return disk_outcome(sim, file->node->number, err);
}

static bool sync_has_work(const hyi_sim *sim, const hyi_sim_node *node) {
    if (node->change_count > 0) return true;
    for (const hyi_sim_name *name = sim->disk.names; name; name = name->next) {
        for (const name_version *version = name->first; version; version = version->next) {
            if (version->node == node) return true;
        }
    }
    return false;
}

// A sync in part is what a crash makes of unsynced changes anyway, so it needs no case of its own.
hy_err hyi_sim_file_sync(hy_file *base) {
    hyi_sim_file *file = (hyi_sim_file *)base;
    hyi_sim *sim = file_sim(file);
    if (!sim) return HY_IO;
    hyi_sim_node *node = file->node;
    if (!sync_has_work(sim, node)) return HY_OK;
    disk_fate fate = disk_next_fate(sim, "file sync", node->number);
    const hy_sim_faults *faults = &sim->disk.faults;
    bool strikes = hyi_sim_strikes(sim, HYI_DICE_SYNC, faults->sync_error_ppm);
    hy_err err = strikes ? HY_IO : disk_fault(sim);
    if (err) {
        hyi_sim_node_sync_failed(sim, node, faults->sync_error_drops);
    } else if (fate == FATE_FULL) {
        hyi_sim_node_sync(sim, node);
        name_settle_node(sim, node);
        disk_free_unused(sim);
    }
    return disk_outcome(sim, node->number, err);
}

hy_err hyi_sim_file_remove(hy_world *world, const char *path, bool sync_folder, hy_why *why) {
    hyi_sim *sim = hyi_sim_of(world);
    if (disk_down(sim)) return disk_why(why, path, HY_IO);
    hyi_sim_name *name = name_find(sim, path);
    hyi_sim_node *node = name_node(name);
    if (!node) return disk_why(why, path, HY_NOT_FOUND);
    disk_fate fate = disk_next_fate(sim, "file remove", node->number);
    hy_err err = disk_fault(sim);
    if (err == HY_OK && fate != FATE_NONE) err = name_change(sim, name, NULL);
    if (err == HY_OK && sync_folder && fate == FATE_FULL) name_settle_folder(sim, path);
    disk_free_unused(sim);
    err = disk_outcome(sim, 0, err);
    return err ? disk_why(why, path, err) : HY_OK;
}

hy_err hyi_sim_folder_make(hy_world *world, const char *path, hy_why *why) {
    hyi_sim *sim = hyi_sim_of(world);
    if (disk_down(sim)) return disk_why(why, path, HY_IO);
    if (strcmp(path, ".") == 0 || strcmp(path, "/") == 0) return HY_OK;
    hyi_sim_name *name = name_find(sim, path);
    if (name && name->is_folder) return HY_OK;
    if (name_node(name)) return disk_why(why, path, HY_EXISTS);
    if (!disk_has_parent(sim, path)) return disk_why(why, path, HY_NOT_FOUND);
    name = name_find_or_make(sim, path);
    if (!name) return disk_why(why, path, HY_NOMEM);
    disk_fate fate = disk_next_fate(sim, "folder make", 0);
    if (fate == FATE_FULL) name->is_folder = true;
    hy_err err = disk_outcome(sim, 0, HY_OK);
    return err ? disk_why(why, path, err) : HY_OK;
}

void hy_sim_flip_bit(hy_world *world, const char *path, uint64_t bit) {
    hyi_sim *sim = disk_of(world);
    hyi_sim_node *node = name_node(name_find(sim, path));
    HY_ASSERT(node != NULL);
    HY_ASSERT(bit / 8 < node->seen.size);
    uint8_t mask = (uint8_t)(1u << (bit % 8));
    node->seen.ptr[bit / 8] ^= mask;
    if (bit / 8 < node->durable.size) node->durable.ptr[bit / 8] ^= mask;
    hyi_sim_note(sim, "flip bit", node->number, bit);
}

// ---- restart and end ----------------------------------------------------------------------------

static void name_crash(hyi_sim *sim, hyi_sim_name *name) {
    uint64_t count = 0;
    for (const name_version *version = name->first; version; version = version->next)
        count++;
    if (count > 0) name_settle(sim, name, hyi_sim_below(sim, HYI_DICE_CRASH, count + 1));
    name_forget(sim, name);
}

void hyi_sim_disk_restart(hyi_sim *sim) {
    hyi_sim_disk *disk = &sim->disk;
    disk->generation++;
    disk->crashed = false;
    disk->crash_at = 0;
    for (hyi_sim_file *file = disk->files; file; file = file->next) {
        if (!file->node) continue;
        file->node->handles--;
        file->node = NULL;
    }
    for (hyi_sim_name *name = disk->names; name; name = name->next)
        name_crash(sim, name);
    disk_free_unused(sim);
    for (hyi_sim_node *node = disk->nodes; node; node = node->next)
        hyi_sim_node_crash(sim, node);
}

void hyi_sim_disk_free(hyi_sim *sim) {
    hyi_sim_disk *disk = &sim->disk;
    while (disk->files) {
        HY_ASSERT(!disk->files->node || disk->crashed); // a valid file must be closed first
        hyi_sim_file_close(&disk->files->base);
    }
    while (disk->nodes)
        hyi_sim_node_free(sim, disk->nodes);
    while (disk->names) {
        hyi_sim_name *name = disk->names;
        disk->names = name->next;
        name_forget(sim, name);
        hy_mem_free(sim->base.mem, name->path, strlen(name->path) + 1);
        hy_mem_free(sim->base.mem, name, sizeof *name);
    }
}
