// sqlite_instance.c - one machine, many times: instances by key, each with a number of its own.
//
// An instance costs the file one row in hy_instance and one in hy_checkpoint; its rows lie in the
// tables of its machine, under its number, and its journal is one stretch of hy_journal. So ten
// thousand instances need no more SQL tables, statements or descriptions than one.
//
// A new instance gets its number in memory, and the file learns of it in the transaction of its
// first append: whoever is only looked at leaves nothing behind, and making a thousand of them
// costs no sync of its own. The instance without a key is the machine as it has always been: it has
// the machine's number and no row in hy_instance.
//
// Everything that was touched since the store was opened stays in memory, in a few hundred bytes;
// those with journal after their checkpoint are linked, oldest first, and slices go along that
// line.
#include "store/sqlite_store.h"

#include "base/digest.h"
#include "base/memory.h"
#include "base/why.h"

// ---- in memory ----------------------------------------------------------------------------------

static hyi_key instance_number_key(uint32_t number) {
    return (hyi_key){ 0, number };
}

static hyi_key instance_key_hash(uint32_t machine, hy_bytes key) {
    hyi_key hash = { 0 };
    hy_id id = hy_text_id(key);
    _Static_assert(sizeof hash == sizeof id, "an id is a key of a map");
    memcpy(&hash, &id, sizeof hash);
    hash.hi ^= machine;
    return hash;
}

hyi_sqlite_instance *hyi_sqlite_instance_find(const hyi_sqlite *self, uint32_t number) {
    uint32_t place = hyi_map_get(&self->instance_numbers, instance_number_key(number));
    return place == HYI_NONE ? NULL : self->instances[place];
}

static const hyi_sqlite_instance *instance_by_key(const hyi_sqlite *self, uint32_t machine,
                                                  hy_bytes key) {
    uint32_t place = hyi_map_get(&self->instance_keys, instance_key_hash(machine, key));
    for (; place != HYI_NONE; place = self->instances[place]->same_hash) {
        const hyi_sqlite_instance *one = self->instances[place];
        hy_bytes is = { (const uint8_t *)one->key, one->key_len };
        if (one->machine->number == machine && hy_bytes_equal(is, key)) return one;
    }
    return NULL;
}

static hy_err instance_reserve(hyi_sqlite *self) {
    hy_err err = hyi_map_reserve(&self->instance_numbers, 1);
    if (err == HY_OK) err = hyi_map_reserve(&self->instance_keys, 1);
    if (err != HY_OK || self->instance_count < self->instance_capacity) return err;
    uint32_t capacity = self->instance_capacity == 0 ? 8 : 2 * self->instance_capacity;
    size_t size = sizeof self->instances[0];
    hyi_sqlite_instance **instances = self->mem->resize(
        self->mem, self->instances, self->instance_capacity * size, capacity * size);
    if (instances == NULL) return HY_NOMEM;
    self->instances = instances;
    self->instance_capacity = capacity;
    return HY_OK;
}

static void instance_free(hyi_sqlite *self, hyi_sqlite_instance *instance) {
    hy_mem_free(self->mem, instance, sizeof *instance + instance->key_len);
}

static void instance_link_dirty(hyi_sqlite *self, hyi_sqlite_instance *instance) {
    if (instance->dirty || instance->checkpoint.seq >= instance->last_seq) return;
    instance->dirty = true;
    instance->next_dirty = NULL;
    *(self->dirty_last != NULL ? &self->dirty_last->next_dirty : &self->dirty_first) = instance;
    self->dirty_last = instance;
}

void hyi_sqlite_instance_grew(hyi_sqlite *self, hyi_sqlite_instance *instance, uint64_t bytes) {
    instance->backlog_bytes += bytes;
    self->backlog_bytes += bytes;
    instance_link_dirty(self, instance);
}

hy_err hyi_sqlite_instance_add(hyi_sqlite *self, hyi_sqlite_machine *machine, uint32_t number,
                               hy_bytes key, bool stored, hy_why *why) {
    hy_err err = instance_reserve(self);
    if (err != HY_OK) return err;
    hyi_sqlite_instance *made = hy_mem_alloc_zero(self->mem, sizeof *made + key.len);
    if (made == NULL) return HY_NOMEM;
    made->machine = machine;
    made->number = number;
    made->stored = stored;
    made->key_len = (uint32_t)key.len;
    if (key.len > 0) memcpy(made->key, key.ptr, key.len);
    if (stored) {
        err = hyi_sqlite_instance_refresh(self, made, why);
    } else {
        made->checkpoint = machine->empty;
    }
    if (err != HY_OK) {
        instance_free(self, made);
        return err;
    }
    hyi_key hash = instance_key_hash(machine->number, key);
    uint32_t place = self->instance_count++;
    made->same_hash = HYI_NONE;
    (void)hyi_map_erase(&self->instance_keys, hash, &made->same_hash);
    err = hyi_map_insert(&self->instance_keys, hash, place);
    if (err == HY_OK) {
        err = hyi_map_insert(&self->instance_numbers, instance_number_key(number), place);
    }
    HY_ASSERT(err == HY_OK); // there was room for both
    self->instances[place] = made;
    hyi_sqlite_instance_grew(self, made, 0);
    self->backlog_bytes += made->backlog_bytes;
    return HY_OK;
}

void hyi_sqlite_instances_free(hyi_sqlite *self) {
    for (uint32_t i = 0; i < self->instance_count; i++) {
        instance_free(self, self->instances[i]);
    }
    hy_mem_free(self->mem, self->instances, self->instance_capacity * sizeof self->instances[0]);
    hyi_map_deinit(&self->instance_numbers);
    hyi_map_deinit(&self->instance_keys);
}

// ---- where it stands ----------------------------------------------------------------------------

// After a commit of unknown outcome: is the instance in the file now?
static hy_err instance_ask_stored(hyi_sqlite *self, hyi_sqlite_instance *instance, hy_why *why) {
    hyi_sqlite_keyed keyed;
    hy_bytes key = { (const uint8_t *)instance->key, instance->key_len };
    hy_arena_reset(&self->scratch);
    hy_err err =
        hyi_sqlite_keyed_at(self, instance->machine->number, key, &self->scratch, &keyed, why);
    instance->stored = err == HY_OK;
    if (err == HY_END) return HY_OK;
    if (err != HY_OK || keyed.number == instance->number) return err;
    return hyi_why_fmt(why, HY_CORRUPT, "hy_instance",
                       "instance %u has become %u: who else writes to the file?",
                       (uint64_t)instance->number, (uint64_t)keyed.number);
}

hy_err hyi_sqlite_instance_refresh(hyi_sqlite *self, hyi_sqlite_instance *instance, hy_why *why) {
    uint32_t number = instance->number;
    hy_err err = HY_OK;
    if (!instance->stored) err = instance_ask_stored(self, instance, why);
    if (err != HY_OK || !instance->stored) return err;
    err = hyi_sqlite_checkpoint_read(self, number, &instance->checkpoint, why);
    if (err == HY_OK) {
        err = hyi_sqlite_journal_ask(self, HYI_SQLITE_JOURNAL_LAST, number, 0, &instance->last_seq,
                                     why);
    }
    if (err == HY_OK) {
        err = hyi_sqlite_journal_ask(self, HYI_SQLITE_JOURNAL_BACKLOG, number,
                                     instance->checkpoint.seq, &instance->backlog_bytes, why);
    }
    if (err == HY_OK && instance->last_seq < instance->checkpoint.seq) {
        err = hyi_why_fmt(why, HY_CORRUPT, "hy_journal",
                          "the journal of machine %u ends before its checkpoint: restore a copy",
                          (uint64_t)number);
    }
    return err;
}

hy_err hyi_sqlite_instances_refresh(hyi_sqlite *self, hy_why *why) {
    hy_err err = HY_OK;
    self->backlog_bytes = 0;
    self->dirty_first = self->dirty_last = NULL;
    for (uint32_t i = 0; i < self->instance_count; i++) {
        hyi_sqlite_instance *instance = self->instances[i];
        instance->dirty = false;
        instance->next_dirty = NULL;
        const uint64_t was = instance->last_seq;
        if (err == HY_OK) err = hyi_sqlite_instance_refresh(self, instance, why);
        // A lazy store may have lost what it had confirmed: who goes on must look first.
        if (instance->last_seq != was) instance->doubt = true;
        instance_link_dirty(self, instance);
        self->backlog_bytes += instance->backlog_bytes;
    }
    return err;
}

// ---- hy_instance --------------------------------------------------------------------------------

static uint32_t instance_crc(const hyi_sqlite_keyed *keyed) {
    uint8_t head[16];
    for (int i = 0; i < 8; i++) {
        head[i] = (uint8_t)((uint64_t)keyed->number >> (8 * i));
        head[8 + i] = (uint8_t)((uint64_t)keyed->machine >> (8 * i));
    }
    uint32_t crc = hyi_crc32c(0, head, sizeof head);
    return hyi_crc32c(crc, keyed->key.ptr, keyed->key.len);
}

// Steps the statement and reads its row. HY_END: there is none.
static hy_err instance_read(hyi_sqlite *self, sqlite3_stmt *row, hy_arena *arena,
                            hyi_sqlite_keyed *out_keyed, hy_why *why) {
    int rc = sqlite3_step(row);
    if (rc == SQLITE_DONE) return HY_END;
    if (rc != SQLITE_ROW) return hyi_sqlite_fail(self, rc, "hy_instance", why);
    bool ok = true;
    hy_bytes key = { sqlite3_column_text(row, 2), (size_t)sqlite3_column_bytes(row, 2) };
    hyi_sqlite_keyed keyed = { .number = (uint32_t)sqlite3_column_int64(row, 0),
                               .machine = (uint32_t)sqlite3_column_int64(row, 1) };
    keyed.key = hy_arena_copy(arena, key, &ok);
    if (!ok) return HY_NOMEM;
    bool in_range = keyed.number >= HYI_SQLITE_KEYED_FIRST &&
                    keyed.number < HYI_SQLITE_KEYED_FIRST + HYI_SQLITE_KEYED_MAX;
    if (in_range && instance_crc(&keyed) == (uint64_t)sqlite3_column_int64(row, 3)) {
        *out_keyed = keyed;
        return HY_OK;
    }
    return hyi_why_fmt(why, HY_CORRUPT, "hy_instance",
                       "the entry of instance %u is damaged: restore a copy",
                       (uint64_t)keyed.number);
}

static hy_err instance_ask(hyi_sqlite *self, hyi_sqlite_statement which, uint32_t number,
                           hy_bytes key, hy_arena *arena, hyi_sqlite_keyed *out_keyed,
                           hy_why *why) {
    sqlite3_stmt *ask;
    if (!self->has_keyed) return HY_END;
    hy_err err = hyi_sqlite_get(self, which, &ask, why);
    if (err != HY_OK) return err;
    sqlite3_bind_int64(ask, 1, number);
    if (which != HYI_SQLITE_INSTANCE_OF) {
        const char *text = key.len > 0 ? (const char *)key.ptr : "";
        sqlite3_bind_text(ask, 2, text, (int)key.len, SQLITE_STATIC);
    }
    if (which == HYI_SQLITE_INSTANCE_OWING) {
        sqlite3_bind_int64(ask, 3, hyi_sqlite_journal_id(HYI_SQLITE_KEYED_FIRST, 0));
    }
    err = instance_read(self, ask, arena, out_keyed, why);
    sqlite3_reset(ask);
    sqlite3_clear_bindings(ask); // the key is the caller's
    return err;
}

hy_err hyi_sqlite_keyed_at(hyi_sqlite *self, uint32_t machine, hy_bytes key, hy_arena *arena,
                           hyi_sqlite_keyed *out_keyed, hy_why *why) {
    return instance_ask(self, HYI_SQLITE_INSTANCE_AT, machine, key, arena, out_keyed, why);
}

hy_err hyi_sqlite_keyed_after(hyi_sqlite *self, uint32_t machine, hy_bytes key, hy_arena *arena,
                              hyi_sqlite_keyed *out_keyed, hy_why *why) {
    return instance_ask(self, HYI_SQLITE_INSTANCE_AFTER, machine, key, arena, out_keyed, why);
}

hy_err hyi_sqlite_keyed_of(hyi_sqlite *self, uint32_t number, hy_arena *arena,
                           hyi_sqlite_keyed *out_keyed, hy_why *why) {
    hy_bytes none = { 0 };
    return instance_ask(self, HYI_SQLITE_INSTANCE_OF, number, none, arena, out_keyed, why);
}

hy_err hyi_sqlite_owing(hy_store *store, uint32_t machine, hy_bytes after, hy_buf *out_key,
                        hy_why *why) {
    hyi_sqlite *self = (hyi_sqlite *)store;
    hyi_sqlite_keyed keyed;
    hy_err err = hyi_sqlite_relink(self, why);
    hy_arena_reset(&self->scratch);
    if (err == HY_OK) {
        err = instance_ask(self, HYI_SQLITE_INSTANCE_OWING, machine, after, &self->scratch, &keyed,
                           why);
    }
    if (err != HY_OK) return hyi_sqlite_told(err, why);
    hy_buf_add(out_key, keyed.key.ptr, keyed.key.len);
    return hyi_sqlite_told(out_key->failed, why);
}

// One number; 0 for none.
static hy_err instance_number(hyi_sqlite *self, hyi_sqlite_statement which, uint32_t machine,
                              uint64_t *out_value, hy_why *why) {
    sqlite3_stmt *ask;
    *out_value = 0;
    if (!self->has_keyed) return HY_OK;
    hy_err err = hyi_sqlite_get(self, which, &ask, why);
    if (err != HY_OK) return err;
    if (which == HYI_SQLITE_INSTANCE_COUNT) sqlite3_bind_int64(ask, 1, machine);
    int rc = sqlite3_step(ask);
    if (rc == SQLITE_ROW) *out_value = (uint64_t)sqlite3_column_int64(ask, 0);
    if (rc != SQLITE_ROW) err = hyi_sqlite_fail(self, rc, "hy_instance", why);
    sqlite3_reset(ask);
    return err;
}

hy_err hyi_sqlite_keyed_count(hyi_sqlite *self, uint32_t machine, uint64_t *out_count,
                              hy_why *why) {
    return instance_number(self, HYI_SQLITE_INSTANCE_COUNT, machine, out_count, why);
}

hy_err hyi_sqlite_numbers(hyi_sqlite *self, uint32_t machine, hy_arena *arena,
                          uint32_t **out_numbers, size_t *out_count, hy_why *why) {
    uint64_t keyed_count = 0;
    hy_err err = hyi_sqlite_keyed_count(self, machine, &keyed_count, why);
    if (err != HY_OK) return err;
    uint32_t *numbers = hy_arena_alloc(arena, (size_t)(keyed_count + 1) * sizeof *numbers);
    if (numbers == NULL) return HY_NOMEM;
    size_t count = 0;
    hyi_sqlite_keyed keyed = { 0 };
    numbers[count++] = machine;
    while (count <= keyed_count) {
        err = hyi_sqlite_keyed_after(self, machine, keyed.key, arena, &keyed, why);
        if (err == HY_END) break;
        if (err != HY_OK) return err;
        numbers[count++] = keyed.number;
    }
    *out_numbers = numbers;
    *out_count = count;
    return HY_OK;
}

hy_err hyi_sqlite_instance_store(hyi_sqlite *self, const hyi_sqlite_instance *instance,
                                 hy_why *why) {
    sqlite3_stmt *put;
    hyi_sqlite_keyed keyed = { instance->number,
                               instance->machine->number,
                               { (const uint8_t *)instance->key, instance->key_len } };
    hy_err err = hyi_sqlite_get(self, HYI_SQLITE_INSTANCE_PUT, &put, why);
    if (err != HY_OK) return err;
    sqlite3_bind_int64(put, 1, keyed.number);
    sqlite3_bind_int64(put, 2, keyed.machine);
    sqlite3_bind_text(put, 3, instance->key, (int)instance->key_len, SQLITE_STATIC);
    sqlite3_bind_int64(put, 4, instance_crc(&keyed));
    err = hyi_sqlite_step_out(self, put, "hy_instance", why);
    if (err != HY_OK) return err;
    return hyi_sqlite_checkpoint_write(self, keyed.number, &instance->machine->empty, why);
}

// ---- opening one --------------------------------------------------------------------------------

// The first instance with a key makes the table for them, and the file one of format 2.
static hy_err instance_make_table(hyi_sqlite *self, hy_why *why) {
    if (self->has_keyed) return HY_OK;
    hy_err err = hyi_sqlite_begin(self, why);
    if (err != HY_OK) return err;
    err = hyi_sqlite_run_text(self,
                              "CREATE TABLE hy_instance(number INTEGER PRIMARY KEY,"
                              " machine INTEGER NOT NULL, key TEXT NOT NULL, crc INTEGER NOT NULL,"
                              " UNIQUE(machine, key));"
                              "PRAGMA user_version=2",
                              why);
    _Static_assert(HYI_SQLITE_FORMAT == 2, "the format that the pragma says");
    err = hyi_sqlite_end(self, err, why);
    self->has_keyed = err == HY_OK; // a new connection asks the file again
    return err;
}

static hy_err instance_next_number(hyi_sqlite *self, uint32_t *out_number, hy_why *why) {
    uint64_t last = 0;
    if (self->keyed_next == 0) {
        hy_err err = instance_number(self, HYI_SQLITE_INSTANCE_LAST, 0, &last, why);
        if (err != HY_OK) return err;
        self->keyed_next = last == 0 ? HYI_SQLITE_KEYED_FIRST : (uint32_t)last + 1;
    }
    if (self->keyed_next >= HYI_SQLITE_KEYED_FIRST + HYI_SQLITE_KEYED_MAX) {
        return hy_why_set(why, HY_LIMIT, self->path,
                          "a SQLite store holds at most 8,388,608 instances");
    }
    *out_number = self->keyed_next;
    return HY_OK;
}

static hy_err instance_new(hyi_sqlite *self, hyi_sqlite_machine *machine, hy_bytes key,
                           uint32_t *out_number, hy_why *why) {
    if (self->options.read_only) {
        return hyi_why_fmt(why, HY_NOT_FOUND, self->path, "%s holds no %s of this key", self->path,
                           machine->description.machine->name);
    }
    hy_err err = instance_make_table(self, why);
    if (err == HY_OK) err = hyi_sqlite_empty(self, machine, why);
    if (err == HY_OK) err = instance_next_number(self, out_number, why);
    if (err != HY_OK) return err;
    err = hyi_sqlite_instance_add(self, machine, *out_number, key, false, why);
    if (err == HY_OK) self->keyed_next++;
    return err;
}

hy_err hyi_sqlite_instance_open(hy_store *store, uint32_t machine_number, hy_bytes key,
                                uint32_t *out_number, hy_why *why) {
    hyi_sqlite *self = (hyi_sqlite *)store;
    hyi_sqlite_machine *machine = hyi_sqlite_machine_at(self, machine_number);
    HY_ASSERT(machine != NULL); // attach first
    hy_err err = hyi_instance_key_check(key, why);
    if (err != HY_OK) return err;
    const hyi_sqlite_instance *known = instance_by_key(self, machine_number, key);
    if (known != NULL) {
        *out_number = known->number;
        return HY_OK;
    }
    hyi_sqlite_keyed keyed;
    uint32_t number = 0;
    err = hyi_sqlite_relink(self, why);
    hy_arena_reset(&self->scratch);
    if (err == HY_OK) {
        err = hyi_sqlite_keyed_at(self, machine_number, key, &self->scratch, &keyed, why);
    }
    if (err == HY_OK) {
        number = keyed.number;
        err = hyi_sqlite_empty(self, machine, why);
        if (err == HY_OK) err = hyi_sqlite_instance_add(self, machine, number, key, true, why);
    } else if (err == HY_END) {
        err = instance_new(self, machine, key, &number, why);
    }
    if (err == HY_OK) *out_number = number;
    return hyi_sqlite_told(err, why);
}
