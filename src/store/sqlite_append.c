// sqlite_append.c - a commit, and which of its three outcomes it had.
//
// One transaction with one journal row a batch, of as many instances as want to commit now. Until
// COMMIT is tried, every failure means that nothing was stored: refused. A COMMIT that failed:
//   SQLITE_FULL, SQLITE_BUSY   the commit frame was not written whole (the file system said so
//   before
//                              any sync), so no restart can find it: refused
//   anything else              the frame may be in the log, and the sync may have done part of its
//   work:
//                              unknown. The connection is given up; load opens a new one and looks.
//
// What comes after the commit (copying the log, a slice of checkpoint) must not change the answer:
// its errors are kept for the next call that can tell them.
#include "store/sqlite_store.h"

#include "base/why.h"

static hy_commit append_refuse(hy_err err, const char *text, hy_why *why) {
    (void)hy_why_set(why, err, "append", text);
    return HY_COMMIT_REFUSED;
}

static bool append_allowed(hyi_sqlite *self, const hy_batch *batches, size_t count, hy_why *why) {
    if (self->options.read_only) {
        (void)append_refuse(HY_READ_ONLY, "the store was opened for reading only", why);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const hyi_sqlite_instance *instance = hyi_sqlite_instance_find(self, batches[i].machine);
        HY_ASSERT(instance != NULL); // attach first
        HY_ASSERT(batches[i].entry_count > 0 && batches[i].body.len > 0);
        HY_ASSERT(batches[i].last_seq >= batches[i].first_seq);
        if (instance->doubt) {
            (void)append_refuse(HY_OUTCOME_UNKNOWN,
                                "the outcome of an earlier append is unknown: load first", why);
            return false;
        }
        HY_ASSERT(batches[i].first_seq > instance->last_seq);
        if (batches[i].last_seq > hyi_sqlite_seq_max(instance->number)) {
            (void)append_refuse(
                HY_LIMIT, "a machine in a SQLite store ends at seq 2^48, one of many at 2^40", why);
            return false;
        }
    }
    return true;
}

// SQLite would go on writing to a file that was moved away or removed, and nobody would find it
// again. Files of the world cannot say; there nobody moves them.
static hy_err append_find_file(hyi_sqlite *self, hy_why *why) {
    int moved = 0;
    int rc = sqlite3_file_control(self->db, NULL, SQLITE_FCNTL_HAS_MOVED, &moved);
    if (rc != SQLITE_OK || moved == 0) return HY_OK;
    return hyi_why_fmt(why, HY_IO, self->path,
                       "%s was moved or removed while it was in use: move it back", self->path);
}

static hy_err append_insert(hyi_sqlite *self, const hy_batch *batch, hy_why *why) {
    sqlite3_stmt *add;
    const hyi_sqlite_instance *instance = hyi_sqlite_instance_find(self, batch->machine);
    hy_err err = instance->stored ? HY_OK : hyi_sqlite_instance_store(self, instance, why);
    if (err == HY_OK) err = hyi_sqlite_get(self, HYI_SQLITE_JOURNAL_ADD, &add, why);
    if (err != HY_OK) return err;
    sqlite3_bind_int64(add, 1, hyi_sqlite_journal_id(batch->machine, batch->first_seq));
    sqlite3_bind_int64(add, 2, batch->machine);
    sqlite3_bind_int64(add, 3, (int64_t)batch->first_seq);
    sqlite3_bind_int64(add, 4, (int64_t)batch->last_seq);
    sqlite3_bind_int64(add, 5, batch->entry_count);
    int rc = sqlite3_bind_blob64(add, 6, batch->body.ptr, batch->body.len, SQLITE_STATIC);
    err = rc == SQLITE_OK ? hyi_sqlite_step_out(self, add, "hy_journal", why)
                          : hyi_sqlite_fail(self, rc, "hy_journal", why);
    sqlite3_clear_bindings(add); // the body is the caller's
    return err;
}

// Those who took part must load. What others had confirmed is as durable as it was; the new
// connection compares (hyi_sqlite_instances_refresh).
static void append_doubt(hyi_sqlite *self, const hy_batch *batches, size_t count) {
    self->broken = true;
    for (size_t i = 0; i < count; i++) {
        hyi_sqlite_instance_find(self, batches[i].machine)->doubt = true;
    }
}

static hy_commit append_commit(hyi_sqlite *self, const hy_batch *batches, size_t count,
                               hy_why *why) {
    sqlite3_stmt *commit;
    hy_err err = hyi_sqlite_get(self, HYI_SQLITE_COMMIT, &commit, why);
    if (err != HY_OK) {
        hyi_sqlite_rollback(self);
        return HY_COMMIT_REFUSED;
    }
    int rc = sqlite3_step(commit);
    if (rc == SQLITE_DONE) {
        sqlite3_reset(commit);
        return HY_COMMITTED;
    }
    err = hyi_sqlite_fail(self, rc, "append", why);
    sqlite3_reset(commit);
    hyi_sqlite_rollback(self);
    if (err == HY_DISK_FULL || err == HY_BUSY) return HY_COMMIT_REFUSED;
    append_doubt(self, batches, count);
    return HY_COMMIT_UNKNOWN;
}

// Journal that piles up is moved in slices, one an append, so that every append waits only briefly.
// When that does not keep up, a slice moves more than came in, however long it takes.
static void append_catch_up(hyi_sqlite *self, uint64_t bytes) {
    uint64_t limit = self->options.checkpoint_bytes;
    hyi_sqlite_copy_log(self);
    if (self->broken || self->backlog_bytes <= limit) return;
    bool falls_behind = self->backlog_bytes / 4 > limit;
    hy_err err = hyi_sqlite_slice(self, falls_behind ? bytes + bytes / 4 : 0, NULL);
    (void)err; // the journal still has it; checkpoint will say what is wrong
}

hy_commit hyi_sqlite_append(hy_store *store, const hy_batch *batches, size_t count, hy_why *why) {
    hyi_sqlite *self = (hyi_sqlite *)store;
    if (count == 0) return HY_COMMITTED;
    if (!append_allowed(self, batches, count, why)) return HY_COMMIT_REFUSED;
    const bool is_new = self->broken;
    hy_err err = hyi_sqlite_relink(self, why);
    if (err == HY_OK && is_new && !append_allowed(self, batches, count, why)) {
        return HY_COMMIT_REFUSED; // the new connection found less than was confirmed
    }
    if (err == HY_OK) err = append_find_file(self, why);
    if (err != HY_OK) {
        (void)hyi_sqlite_told(err, why);
        return HY_COMMIT_REFUSED;
    }
    err = hyi_sqlite_begin(self, why);
    for (size_t i = 0; i < count && err == HY_OK; i++) {
        err = append_insert(self, &batches[i], why);
    }
    if (err != HY_OK) {
        hyi_sqlite_rollback(self);
        return HY_COMMIT_REFUSED;
    }
    hy_commit outcome = append_commit(self, batches, count, why);
    if (outcome != HY_COMMITTED) return outcome;
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        hyi_sqlite_instance *instance = hyi_sqlite_instance_find(self, batches[i].machine);
        instance->stored = true;
        instance->last_seq = batches[i].last_seq;
        hyi_sqlite_instance_grew(self, instance, batches[i].body.len);
        bytes += batches[i].body.len;
    }
    append_catch_up(self, bytes);
    return HY_COMMITTED;
}
