// sqlite_link.c - one connection to SQLite: how it is set up, how it fails, how it is replaced.
//
// Settings: WAL with synchronous=EXTRA, so a commit is one append and one sync. (In WAL that is
// what FULL does too; but EXTRA also makes the removal of a rollback journal durable. Otherwise a
// crash can bring back the journal of the very first transaction, and with it the empty file.)
// SQLite's own checkpoints are off, because we choose the moment (hyi_sqlite_copy_log). Locking is
// NORMAL where a person may look with the sqlite3 shell meanwhile, EXCLUSIVE where the files are
// the world's and there is no shared memory.
//
// A connection is `broken` when a COMMIT failed in a way that leaves its outcome open: frames may
// be in the log although SQLite's memory says they are not. Then nothing is done on it any more. A
// new connection reads the log as a restarted process would, writes it once more (link_renew_log)
// and copies it into the file, synced. That settles what was found, whatever the failed sync did to
// the kernel's pages, and wherever the power goes meanwhile.
#include "store/sqlite_store.h"

#include "base/memory.h"
#include "base/why.h"
#include "store/wal.h"

#define LINK_CHUNK_BYTES (64 << 10)

// ---- errors -------------------------------------------------------------------------------------

static hy_err link_err_of(int rc) {
    if (rc == SQLITE_IOERR_NOMEM) return HY_NOMEM;
    switch (rc & 0xff) {
    case SQLITE_NOMEM: return HY_NOMEM;
    case SQLITE_FULL: return HY_DISK_FULL;
    case SQLITE_READONLY:
    case SQLITE_PERM: return HY_READ_ONLY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return HY_BUSY;
    case SQLITE_NOTADB: return HY_FOREIGN;
    case SQLITE_TOOBIG: return HY_TOO_LARGE;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL: return HY_IO;
    default: return HY_CORRUPT; // a missing table or column, a broken page
    }
}

static const char *link_advice(hy_err err) {
    switch (err) {
    case HY_DISK_FULL: return "free some space; nothing that was confirmed is lost";
    case HY_READ_ONLY: return "give this user the right to write the file and its folder";
    case HY_BUSY: return "another program (a sqlite3 shell?) is writing to the file: let it end";
    case HY_FOREIGN: return "this is not a Hypha store: pass another path";
    case HY_CORRUPT: return "the file is damaged: restore a copy";
    case HY_IO: return "the device failed: look at the system's log";
    default: return "";
    }
}

hy_err hyi_sqlite_fail(hyi_sqlite *self, int rc, const char *place, hy_why *why) {
    HY_ASSERT(rc != SQLITE_OK);
    hy_err err = link_err_of(rc);
    const char *words = self->db != NULL ? sqlite3_errmsg(self->db) : sqlite3_errstr(rc);
    const char *advice = link_advice(err);
    if ((rc & 0xff) == SQLITE_CANTOPEN) { // even a reader needs the log's index beside the file
        advice = "the file cannot be opened: let this user read it and write beside it, or copy it";
    }
    if (place == NULL) place = self->path;
    return hyi_why_fmt(why, err, place, "%s (%s; SQLite %d)", advice, words, (int64_t)rc);
}

hy_err hyi_sqlite_told(hy_err err, hy_why *why) {
    if (err != HY_NOMEM) return err;
    return hy_why_set(why, err, "memory", "no memory: nothing was changed; try again with more");
}

// ---- statements ---------------------------------------------------------------------------------

#define JOURNAL_COLUMNS "id, first_seq, last_seq, entries, body"

static const char *const link_texts[HYI_SQLITE_STATEMENT_COUNT] = {
    [HYI_SQLITE_BEGIN] = "BEGIN IMMEDIATE",
    [HYI_SQLITE_COMMIT] = "COMMIT",
    [HYI_SQLITE_ROLLBACK] = "ROLLBACK",
    [HYI_SQLITE_JOURNAL_ADD] =
        "INSERT INTO hy_journal(id, machine, first_seq, last_seq, entries, body) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [HYI_SQLITE_JOURNAL_AT] = "SELECT " JOURNAL_COLUMNS " FROM hy_journal "
                              "WHERE id >= ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1",
    [HYI_SQLITE_JOURNAL_AFTER] = "SELECT " JOURNAL_COLUMNS " FROM hy_journal "
                                 "WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT 1",
    [HYI_SQLITE_JOURNAL_LAST] = "SELECT last_seq FROM hy_journal "
                                "WHERE id >= ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1",
    [HYI_SQLITE_JOURNAL_SUMS] =
        "SELECT count(*), total(entries), total(length(body)), min(first_seq), max(last_seq) "
        "FROM hy_journal WHERE id >= ?1 AND id <= ?2",
    [HYI_SQLITE_JOURNAL_BACKLOG] =
        "SELECT total(length(body)) FROM hy_journal WHERE id > ?1 AND id <= ?2",
    [HYI_SQLITE_MACHINES] = "SELECT number, name, version, schema, crc FROM hy_machine "
                            "ORDER BY number",
    [HYI_SQLITE_MACHINE_PUT] =
        "INSERT OR REPLACE INTO hy_machine(number, name, version, schema, crc) "
        "VALUES(?1, ?2, ?3, ?4, ?5)",
    [HYI_SQLITE_CHECKPOINT_AT] = "SELECT seq, digest, chain, crc FROM hy_checkpoint "
                                 "WHERE machine = ?1",
    [HYI_SQLITE_CHECKPOINT_PUT] = "INSERT OR REPLACE INTO hy_checkpoint"
                                  "(machine, seq, digest, chain, crc) VALUES(?1, ?2, ?3, ?4, ?5)",
    [HYI_SQLITE_INSTANCE_AT] = "SELECT number, machine, key, crc FROM hy_instance "
                               "WHERE machine = ?1 AND key = ?2",
    [HYI_SQLITE_INSTANCE_AFTER] = "SELECT number, machine, key, crc FROM hy_instance "
                                  "WHERE machine = ?1 AND key > ?2 ORDER BY key LIMIT 1",
    [HYI_SQLITE_INSTANCE_OF] = "SELECT number, machine, key, crc FROM hy_instance "
                               "WHERE number = ?1",
    // ?3: where the journal of the instance numbered 32768 begins; then 2^40 for each.
    [HYI_SQLITE_INSTANCE_OWING] =
        "SELECT number, machine, key, crc FROM hy_instance AS i "
        "WHERE machine = ?1 AND key > ?2 AND ("
        "EXISTS(SELECT 1 FROM hy_ledger AS l WHERE l.machine = i.number) OR "
        "(SELECT last_seq FROM hy_journal AS j WHERE j.id >= ?3 + ((i.number - 32768) << 40)"
        " AND j.id <= ?3 + ((i.number - 32768) << 40) + 1099511627775 ORDER BY j.id DESC LIMIT 1)"
        " > (SELECT seq FROM hy_checkpoint AS c WHERE c.machine = i.number)) "
        "ORDER BY key LIMIT 1",
    [HYI_SQLITE_INSTANCE_COUNT] = "SELECT count(*) FROM hy_instance WHERE machine = ?1",
    [HYI_SQLITE_INSTANCE_LAST] = "SELECT max(number) FROM hy_instance",
    [HYI_SQLITE_INSTANCE_PUT] =
        "INSERT INTO hy_instance(number, machine, key, crc) VALUES(?1, ?2, ?3, ?4)",
};

hy_err hyi_sqlite_get(hyi_sqlite *self, hyi_sqlite_statement which, sqlite3_stmt **out_statement,
                      hy_why *why) {
    sqlite3_stmt **slot = &self->statements[which];
    if (*slot == NULL) {
        int rc = sqlite3_prepare_v3(self->db, link_texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                    slot, NULL);
        if (rc != SQLITE_OK) return hyi_sqlite_fail(self, rc, NULL, why);
    }
    sqlite3_reset(*slot);
    *out_statement = *slot;
    return HY_OK;
}

hy_err hyi_sqlite_prepare(hyi_sqlite *self, hy_buf *sql, sqlite3_stmt **out_statement,
                          hy_why *why) {
    hy_buf_add(sql, "", 1);
    if (sql->failed != HY_OK) return sql->failed;
    int rc = sqlite3_prepare_v3(self->db, (const char *)sql->ptr, (int)sql->len,
                                SQLITE_PREPARE_PERSISTENT, out_statement, NULL);
    hy_buf_clear(sql);
    return rc == SQLITE_OK ? HY_OK : hyi_sqlite_fail(self, rc, NULL, why);
}

hy_err hyi_sqlite_run_text(hyi_sqlite *self, const char *sql, hy_why *why) {
    int rc = sqlite3_exec(self->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? HY_OK : hyi_sqlite_fail(self, rc, NULL, why);
}

hy_err hyi_sqlite_run(hyi_sqlite *self, hy_buf *sql, hy_why *why) {
    hy_buf_add(sql, "", 1);
    if (sql->failed != HY_OK) return sql->failed;
    hy_err err = hyi_sqlite_run_text(self, (const char *)sql->ptr, why);
    hy_buf_clear(sql);
    return err;
}

hy_err hyi_sqlite_step_out(hyi_sqlite *self, sqlite3_stmt *statement, const char *place,
                           hy_why *why) {
    int rc = sqlite3_step(statement);
    hy_err err = HY_OK;
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) err = hyi_sqlite_fail(self, rc, place, why);
    sqlite3_reset(statement);
    return err;
}

void hyi_sqlite_add_name(hy_buf *sql, const char *prefix, const char *name) {
    hy_buf_add_text(sql, "\""); // names are plain (hy_machine_check): nothing in them to escape
    hy_buf_add_text(sql, prefix);
    hy_buf_add_text(sql, name);
    hy_buf_add_text(sql, "\"");
}

// ---- transactions -------------------------------------------------------------------------------

hy_err hyi_sqlite_begin(hyi_sqlite *self, hy_why *why) {
    sqlite3_stmt *begin;
    hy_err err = hyi_sqlite_get(self, HYI_SQLITE_BEGIN, &begin, why);
    return err == HY_OK ? hyi_sqlite_step_out(self, begin, NULL, why) : err;
}

void hyi_sqlite_rollback(hyi_sqlite *self) {
    sqlite3_stmt *rollback;
    if (sqlite3_get_autocommit(self->db)) return; // some errors have rolled back already
    hy_err err = hyi_sqlite_get(self, HYI_SQLITE_ROLLBACK, &rollback, NULL);
    if (err == HY_OK) err = hyi_sqlite_step_out(self, rollback, NULL, NULL);
    if (err != HY_OK) self->broken = true; // nothing is committed, but the connection is of no use
}

hy_err hyi_sqlite_end(hyi_sqlite *self, hy_err err, hy_why *why) {
    sqlite3_stmt *commit;
    if (err == HY_OK) err = hyi_sqlite_get(self, HYI_SQLITE_COMMIT, &commit, why);
    if (err != HY_OK) {
        hyi_sqlite_rollback(self);
        return err;
    }
    err = hyi_sqlite_step_out(self, commit, NULL, why);
    if (err == HY_OK) return HY_OK;
    hyi_sqlite_rollback(self);
    self->broken = true;
    return err;
}

// ---- the write-ahead log ------------------------------------------------------------------------

static int link_log_grew(void *context, sqlite3 *db, const char *name, int pages) {
    (void)db, (void)name;
    ((hyi_sqlite *)context)->wal_pages = (uint64_t)pages;
    return SQLITE_OK;
}

static uint64_t link_wal_pages_max(const hyi_sqlite *self) {
    return self->options.wal_bytes / self->options.page_bytes + 1;
}

void hyi_sqlite_copy_log(hyi_sqlite *self) {
    if (self->wal_pages < self->wal_goal) return;
    int pages = 0, copied = 0;
    int rc = sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);
    // What could not be copied (a reader holds it, the disk is full) stays in the log, where it is
    // as durable as before; try again when as much again has piled up.
    bool all = rc == SQLITE_OK && copied == pages;
    // A lazy commit waits for the sync that copying begins with. If that failed, the next try could
    // copy frames that are never going to be on the disk: a new connection renews them first.
    if (self->options.lazy_sync && (rc & 0xff) == SQLITE_IOERR) self->broken = true;
    self->wal_goal = (all ? 0 : self->wal_pages) + link_wal_pages_max(self);
}

// ---- opening ------------------------------------------------------------------------------------

// The first column of the first row.
static hy_err link_ask(hyi_sqlite *self, const char *sql, int64_t *out_value, hy_why *why) {
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(self->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(statement);
    hy_err err = HY_OK;
    if (rc == SQLITE_ROW) {
        *out_value = sqlite3_column_int64(statement, 0);
    } else {
        err = hyi_sqlite_fail(self, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, NULL, why);
    }
    sqlite3_finalize(statement);
    return err;
}

static hy_err link_set(hyi_sqlite *self, const char *pragma, uint64_t value, hy_why *why) {
    hy_buf sql;
    hy_buf_init(&sql, self->mem, 0);
    hy_buf_add_text(&sql, "PRAGMA ");
    hy_buf_add_text(&sql, pragma);
    hy_buf_add_u64(&sql, value);
    hy_err err = hyi_sqlite_run(self, &sql, why);
    hy_buf_deinit(&sql);
    return err;
}

// What a connection needs before it reads anything.
static hy_err link_configure(hyi_sqlite *self, hy_why *why) {
    const hy_store_sqlite_options *options = &self->options;
    sqlite3_extended_result_codes(self->db, 1);
    sqlite3_busy_timeout(self->db, (int)(options->busy_timeout / HY_MS(1)));
    sqlite3_wal_hook(self->db, link_log_grew, self);
    hy_err err = HY_OK;
    if (self->own_files) { // first: the next pragma reads, and without shared memory that fails
        err = hyi_sqlite_run_text(self, "PRAGMA locking_mode=EXCLUSIVE", why);
    }
    if (err == HY_OK) {
        err = hyi_sqlite_run_text(self,
                                  "PRAGMA synchronous=EXTRA; PRAGMA temp_store=MEMORY;"
                                  "PRAGMA mmap_size=0; PRAGMA trusted_schema=OFF;"
                                  "PRAGMA cell_size_check=ON",
                                  why);
    }
    if (err == HY_OK) err = link_set(self, "cache_size=-", options->cache_bytes / 1024, why);
    return err;
}

static hy_err link_check_owner(hyi_sqlite *self, bool *out_empty, hy_why *why) {
    int64_t owner = 0, format = 0, objects = 0;
    hy_err err = link_ask(self, "PRAGMA application_id", &owner, why);
    if (err == HY_OK) err = link_ask(self, "PRAGMA user_version", &format, why);
    if (err == HY_OK) err = link_ask(self, "SELECT count(*) FROM sqlite_schema", &objects, why);
    if (err != HY_OK) return err;
    *out_empty = owner == 0 && objects == 0;
    self->has_keyed = format > HYI_SQLITE_FORMAT_PLAIN;
    if (*out_empty && !self->options.read_only) return HY_OK;
    if (owner != HYI_SQLITE_APPLICATION_ID) {
        return hyi_why_fmt(why, HY_FOREIGN, self->path,
                           "%s is a database of another program: pass another path", self->path);
    }
    if (format > HYI_SQLITE_FORMAT) {
        return hyi_why_fmt(why, HY_NEWER, self->path,
                           "%s has format %d, this program knows up to %d: use a newer Hypha",
                           self->path, format, (int64_t)HYI_SQLITE_FORMAT);
    }
    return HY_OK;
}

#define LINK_TEXT_OF(number) LINK_TEXT_OF_(number)
#define LINK_TEXT_OF_(number) #number

static const char link_layout[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE hy_meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
    "INSERT INTO hy_meta VALUES('written_by', 'hypha " HY_VERSION "');"
    "CREATE TABLE hy_machine(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " version INTEGER NOT NULL, schema BLOB NOT NULL, crc INTEGER NOT NULL);"
    "CREATE TABLE hy_checkpoint(machine INTEGER PRIMARY KEY, seq INTEGER NOT NULL,"
    " digest INTEGER NOT NULL, chain INTEGER NOT NULL, crc INTEGER NOT NULL);"
    "CREATE TABLE hy_journal(id INTEGER PRIMARY KEY, machine INTEGER NOT NULL,"
    " first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, entries INTEGER NOT NULL,"
    " body BLOB NOT NULL);"
    "PRAGMA application_id=" LINK_TEXT_OF(
        HYI_SQLITE_APPLICATION_ID) ";"
                                   "PRAGMA user_version=" LINK_TEXT_OF(
                                       HYI_SQLITE_FORMAT_PLAIN) ";"
                                                                "COMMIT";

static hy_err link_create(hyi_sqlite *self, hy_why *why) {
    hy_err err = link_set(self, "page_size=", self->options.page_bytes, why);
    if (err == HY_OK) err = hyi_sqlite_run_text(self, "PRAGMA auto_vacuum=NONE", why);
    if (err == HY_OK) err = hyi_sqlite_run_text(self, "PRAGMA journal_mode=WAL", why);
    if (err == HY_OK) err = hyi_sqlite_run_text(self, link_layout, why);
    if (err != HY_OK) hyi_sqlite_rollback(self);
    return err;
}

// The switch to lazy syncing is written down, because it changes how a damaged log is read.
static hy_err link_set_sync(hyi_sqlite *self, bool was_lazy, hy_why *why) {
    bool lazy = self->options.lazy_sync;
    hy_err err = hyi_sqlite_run_text(
        self, lazy ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=EXTRA", why);
    if (err != HY_OK || lazy == was_lazy) return err;
    return hyi_sqlite_run_text(self,
                               lazy ? "INSERT INTO hy_meta VALUES('lazy_sync', 'yes')"
                                    : "DELETE FROM hy_meta WHERE key = 'lazy_sync'",
                               why);
}

static hy_err link_open_db(hyi_sqlite *self, hy_why *why) {
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |=
        self->options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const char *vfs = self->own_files ? self->vfs.name : NULL;
    int rc = sqlite3_open_v2(self->path, &self->db, flags, vfs);
    if (rc == SQLITE_OK) return link_configure(self, why);
    return hyi_sqlite_fail(self, rc, NULL, why);
}

static hy_err link_check_log(const hyi_sqlite *self, const hyi_wal_survey *survey, hy_why *why) {
    if (survey->rotten_page == 0 && !survey->rotten_head) return HY_OK;
    char place[64];
    sqlite3_snprintf(sizeof place, place, "write-ahead log, page %llu",
                     (unsigned long long)survey->rotten_page);
    return hyi_why_fmt(why, HY_CORRUPT, place,
                       "page %u of %s-wal was damaged after it was written: restore a copy",
                       survey->rotten_page, self->path);
}

// Whose file it is and whether it is whole; nothing has been written when this is over.
static hy_err link_meet(hyi_sqlite *self, const hyi_wal_survey *survey, bool *out_empty,
                        bool *out_was_lazy, hy_why *why) {
    int64_t lazy = 0;
    hy_err err = link_check_owner(self, out_empty, why);
    if (err != HY_OK) return err;
    if (!self->options.read_only && sqlite3_db_readonly(self->db, "main") == 1) {
        return hyi_why_fmt(why, HY_READ_ONLY, self->path,
                           "%s can only be read: give this user the right to write it", self->path);
    }
    if (!*out_empty) {
        err = link_ask(self, "SELECT count(*) FROM hy_meta WHERE key = 'lazy_sync'", &lazy, why);
    }
    *out_was_lazy = lazy != 0;
    return err == HY_OK && lazy == 0 ? link_check_log(self, survey, why) : err;
}

// SQLite's own handle of the log; NULL if it has none open.
static int link_log(hyi_sqlite *self, sqlite3_file **out_log) {
    int rc = sqlite3_file_control(self->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, out_log);
    if (rc != SQLITE_OK || *out_log == NULL || (*out_log)->pMethods == NULL) *out_log = NULL;
    return rc;
}

// An emptied log whose emptiness is not durable could come back after a crash, older than the pages
// that were written since. SQLite leaves that sync out; we take the file from it.
static int link_sync_log(hyi_sqlite *self) {
    sqlite3_file *log = NULL;
    int rc = link_log(self, &log);
    return rc == SQLITE_OK && log != NULL ? log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) : rc;
}

static int link_rewrite(sqlite3_file *log, sqlite3_int64 size, void *chunk) {
    int rc = SQLITE_OK, len = 0;
    for (sqlite3_int64 at = 0; at < size && rc == SQLITE_OK; at += len) {
        len = size - at < LINK_CHUNK_BYTES ? (int)(size - at) : LINK_CHUNK_BYTES;
        rc = log->pMethods->xRead(log, chunk, len, at);
        if (rc == SQLITE_OK) rc = log->pMethods->xWrite(log, chunk, len, at);
    }
    return rc == SQLITE_OK ? log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) : rc;
}

// After a sync that failed, in this process or in one before it, the kernel may go on showing bytes
// of the log that are not on the disk and that no later sync will write, because it takes them for
// written. SQLite would copy such frames into the file; and if the power went in the middle of
// that, half of their pages would be in the file, and the log that could complete them gone. The
// same bytes written once more have to be synced again, and that sync can be believed. What was on
// the disk does not change by it, so the power may go here, too. The transaction keeps a shell from
// starting the log anew meanwhile.
static hy_err link_renew_log(hyi_sqlite *self, hy_why *why) {
    sqlite3_file *log = NULL;
    sqlite3_int64 size = 0;
    int rc = link_log(self, &log);
    if (rc == SQLITE_OK && log != NULL) rc = log->pMethods->xFileSize(log, &size);
    if (rc != SQLITE_OK) return hyi_sqlite_fail(self, rc, NULL, why);
    if (size == 0) return HY_OK;
    void *chunk = hy_mem_alloc(self->mem, LINK_CHUNK_BYTES);
    if (chunk == NULL) return HY_NOMEM;
    hy_err err = hyi_sqlite_begin(self, why);
    if (err == HY_OK) {
        rc = log->pMethods->xFileSize(log, &size);
        if (rc == SQLITE_OK) rc = link_rewrite(log, size, chunk);
        if (rc != SQLITE_OK) err = hyi_sqlite_fail(self, rc, NULL, why);
        hyi_sqlite_rollback(self);
    }
    hy_mem_free(self->mem, chunk, LINK_CHUNK_BYTES);
    return err;
}

// Makes the connection fit for writing.
static hy_err link_settle(hyi_sqlite *self, bool empty, bool was_lazy, hy_why *why) {
    int64_t page_bytes = 0;
    hy_err err =
        empty ? link_create(self, why) : hyi_sqlite_run_text(self, "PRAGMA journal_mode=WAL", why);
    if (err == HY_OK) err = link_renew_log(self, why);
    if (err == HY_OK) err = link_ask(self, "PRAGMA page_size", &page_bytes, why);
    if (err == HY_OK) err = hyi_sqlite_run_text(self, "PRAGMA secure_delete=OFF", why);
    if (err == HY_OK) err = link_set_sync(self, was_lazy, why);
    if (err != HY_OK) return err;
    self->options.page_bytes = (uint32_t)page_bytes;
    self->wal_goal = link_wal_pages_max(self);
    // Whatever the log held is in the file and synced after this, or we do not open.
    int rc = sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    bool reader = (rc & 0xff) == SQLITE_BUSY; // a person looks with a shell: the log's end stays
    self->wal_pages = 0;
    if (rc == SQLITE_OK) rc = link_sync_log(self);
    return rc == SQLITE_OK || reader ? HY_OK : hyi_sqlite_fail(self, rc, NULL, why);
}

static hy_err link_survey(hyi_sqlite *self, hyi_wal_survey *survey, hy_why *why) {
    *survey = (hyi_wal_survey){ 0 };
    if (self->options.read_only) return HY_OK; // the log may be changing under us
    char *path = sqlite3_mprintf("%s-wal", self->path);
    if (path == NULL) return HY_NOMEM;
    hy_err err = hyi_wal_look(self->world, path, survey, why);
    sqlite3_free(path);
    return err;
}

hy_err hyi_sqlite_link(hyi_sqlite *self, hy_why *why) {
    hyi_wal_survey survey;
    bool empty = false, was_lazy = false;
    hy_err err = link_survey(self, &survey, why);
    if (err == HY_OK) err = link_open_db(self, why);
    if (err == HY_OK) err = link_meet(self, &survey, &empty, &was_lazy, why);
    if (err == HY_OK && !self->options.read_only) err = link_settle(self, empty, was_lazy, why);
    if (err != HY_OK) {
        hyi_sqlite_unlink(self, false);
        return err;
    }
    self->recovery = (hy_store_recovery){ survey.pages, survey.cut_bytes };
    self->broken = false;
    return HY_OK;
}

void hyi_sqlite_unlink(hyi_sqlite *self, bool settle) {
    for (uint32_t i = 0; i < HYI_SQLITE_STATEMENT_COUNT; i++) {
        sqlite3_finalize(self->statements[i]);
        self->statements[i] = NULL;
    }
    for (uint32_t i = 0; i < self->machine_count; i++) {
        for (uint32_t table = 0; table < HY_TABLE_NUMBERS; table++) {
            hyi_sqlite_table_forget(&self->machines[i]->tables[table]);
        }
    }
    if (self->db == NULL) return;
    if (!settle) sqlite3_db_config(self->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    int rc = sqlite3_close(self->db);
    HY_ASSERT(rc == SQLITE_OK); // SQLITE_BUSY would be a statement that somebody forgot
    self->db = NULL;
}

hy_err hyi_sqlite_relink(hyi_sqlite *self, hy_why *why) {
    if (!self->broken) return HY_OK;
    hyi_sqlite_unlink(self, false);
    hy_err err = hyi_sqlite_link(self, why);
    if (err == HY_OK) err = hyi_sqlite_instances_refresh(self, why);
    if (err != HY_OK) self->broken = true;
    return err;
}
