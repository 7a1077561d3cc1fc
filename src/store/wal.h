// wal.h - looking at SQLite's write-ahead log before SQLite does.          Room: store. Includes:
// world. Threads: the store's.
//
// SQLite reads its log up to the first frame whose checksum fails and forgets the rest without a
// word. After a crash that is right: the rest was never synced. After bit rot it is not: whole
// commits that were confirmed would be gone. The two can be told apart, because a commit is written
// only after the one before it was synced: a bad frame with a good frame of a later commit behind
// it has rotted.
#ifndef HYI_STORE_WAL_H
#define HYI_STORE_WAL_H

#include <hypha/world.h>

typedef struct hyi_wal_survey {
    uint64_t pages;       // frames up to the last whole commit
    uint64_t cut_bytes;   // of frames of this log behind them
    uint64_t rotten_page; // number (from 1) of a frame that was good once; 0: none
    bool rotten_head;     // the same for the first 32 bytes
} hyi_wal_survey;

// HY_OK also when there is no log. HY_IO, HY_NOMEM ...
HY_CHECKED hy_err hyi_wal_look(hy_world *world, const char *path, hyi_wal_survey *out_survey,
                               hy_why *why);

#endif
