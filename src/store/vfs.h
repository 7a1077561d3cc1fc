// vfs.h - SQLite's files, clock and dice, taken from a world.         Room: store. Includes: world.
// Threads: the store's; registering is safe from any thread.
//
// In a simulated world SQLite must not reach the real disk. Its answer is an sqlite3_vfs: one per
// open store, registered under a name of its own while the store is open. It offers no shared
// memory, so a connection on it must use locking_mode=EXCLUSIVE; the store's lock file keeps others
// out.
#ifndef HYI_STORE_VFS_H
#define HYI_STORE_VFS_H

#include <hypha/world.h>

#include <sqlite3.h>

typedef struct hyi_vfs {
    sqlite3_vfs base;
    hy_world *world;
    hy_err last_err; // why the latest call failed; SQLite's codes are coarser
    char name[32];
} hyi_vfs;

// Makes the VFS known to SQLite as vfs->name. HY_NOMEM.
HY_CHECKED hy_err hyi_vfs_init(hyi_vfs *vfs, hy_world *world);
void hyi_vfs_deinit(hyi_vfs *vfs); // fine on a zeroed one; no connection may be open on it

#endif
