// ledger.c - everything the payment provider ever did, by key, and on disk.
//
// Entries lie in blocks that never move, so a pointer to one stays good; `slots` is an open hash of
// their numbers by key. Lines wait in `queue`; one work at a time takes all of them, appends and
// syncs, and then everyone who waited for a line up to there is told: one sync for many answers.
//
//     ledger_do -> queue --work--> file, fdatasync -> durable_seq -> waits
//
// When the disk fails, what is on it is unknown: from then on the ledger is broken and says so to
// everybody. Starting again reads what really is there.
#include "provider/ledger.h"

#include "base/digest.h"
#include "base/why.h"

#include <string.h>

HY_ENUM_DEFINE(ledger_status, LEDGER_STATUS)
HY_ENUM_DEFINE(ledger_event_kind, LEDGER_EVENT_KIND)
HY_RECORD_DEFINE(ledger_event, LEDGER_EVENT)
HY_RECORD_DEFINE(ledger_entry, LEDGER_ENTRY)

#define LEDGER_BLOCK 1024u
#define LEDGER_BLOCKS_MAX (LEDGER_ENTRIES_MAX / LEDGER_BLOCK + 1)
#define LEDGER_SLOTS_FIRST 4096u

struct ledger {
    hy_world *world;
    hy_mem *mem;
    hy_file *file; // NULL: in memory only
    uint64_t file_size;
    hy_arena texts; // keys and users, for ever

    ledger_entry *blocks[LEDGER_BLOCKS_MAX];
    uint32_t count;
    uint32_t *slots; // number of an entry + 1; 0: free
    uint32_t slot_count;

    uint64_t last_seq, durable_seq;
    hy_err broken;
    hy_buf queue, writing;
    uint64_t writing_seq;
    bool is_writing;
    hy_work work;
    hy_err work_err;
    ledger_wait *first, *last; // in order of seq_
};

static hy_err ledger_load(ledger *book, hy_why *why);
static hy_err ledger_apply(ledger *book, const ledger_event *event, const ledger_entry **out_entry);
static void ledger_write_next(ledger *book);
static void ledger_write(hy_work *work);
static void ledger_written(hy_work *work);
static void ledger_tell(ledger *book);

hy_err ledger_open(hy_world *world, const char *path, ledger **out_ledger, hy_why *why) {
    hy_mem *mem = hy_world_mem(world);
    ledger *book = hy_mem_alloc_zero(mem, sizeof *book);
    if (book == NULL) return HY_NOMEM;
    book->world = world;
    book->mem = mem;
    book->work = (hy_work){ .run = ledger_write, .done = ledger_written, .kind = HY_WORK_DISK };
    hy_arena_init(&book->texts, mem, 0);
    hy_buf_init(&book->queue, mem, 0);
    hy_buf_init(&book->writing, mem, 0);
    hy_err err = HY_OK;
    if (path != NULL) {
        err = hy_file_open(world, path, HY_FILE_WRITE | HY_FILE_CREATE, &book->file, why);
        if (err == HY_OK) err = hy_file_lock(book->file);
        if (err == HY_LOCKED) {
            (void)hyi_why_fmt(why, err, path, "another provider is using this ledger");
        }
        if (err == HY_OK) err = ledger_load(book, why);
    }
    if (err != HY_OK) {
        ledger_close(book);
        return err;
    }
    *out_ledger = book;
    return HY_OK;
}

void ledger_close(ledger *book) {
    if (book == NULL) return;
    HY_ASSERT(!ledger_is_busy(book));
    hy_file_close(book->file);
    for (uint32_t i = 0; i * LEDGER_BLOCK < book->count; i++) {
        hy_mem_free(book->mem, book->blocks[i], LEDGER_BLOCK * sizeof(ledger_entry));
    }
    hy_mem_free(book->mem, book->slots, book->slot_count * sizeof *book->slots);
    hy_arena_deinit(&book->texts);
    hy_buf_deinit(&book->queue);
    hy_buf_deinit(&book->writing);
    hy_mem_free(book->mem, book, sizeof *book);
}

bool ledger_is_busy(const ledger *book) {
    return book->is_writing;
}

uint32_t ledger_count(const ledger *book) {
    return book->count;
}

const ledger_entry *ledger_at(const ledger *book, uint32_t index) {
    HY_ASSERT(index < book->count);
    return &book->blocks[index / LEDGER_BLOCK][index % LEDGER_BLOCK];
}

uint64_t ledger_events(const ledger *book) {
    return book->last_seq;
}

// ---- the table ---------------------------------------------------------------------------------

// The slot of the key, or the free one where it belongs. There is always a free one.
static uint32_t ledger_slot(const ledger *book, hy_text key) {
    uint32_t at = (uint32_t)(hyi_digest(0, key.ptr, key.len) & (book->slot_count - 1));
    while (book->slots[at] != 0 &&
           !hy_bytes_equal(ledger_at(book, book->slots[at] - 1)->key, key)) {
        at = (at + 1) & (book->slot_count - 1);
    }
    return at;
}

const ledger_entry *ledger_find(const ledger *book, hy_text key) {
    if (book->slot_count == 0) return NULL;
    uint32_t number = book->slots[ledger_slot(book, key)];
    return number == 0 ? NULL : ledger_at(book, number - 1);
}

static bool ledger_grow_slots(ledger *book) {
    if (book->slot_count > 0 && book->count < book->slot_count / 2) return true;
    uint32_t *old = book->slots;
    const uint32_t old_count = book->slot_count;
    const uint32_t count = old_count == 0 ? LEDGER_SLOTS_FIRST : old_count * 2;
    uint32_t *slots = hy_mem_alloc_zero(book->mem, count * sizeof *slots);
    if (slots == NULL) return false;
    book->slots = slots;
    book->slot_count = count;
    for (uint32_t i = 0; i < book->count; i++) {
        slots[ledger_slot(book, ledger_at(book, i)->key)] = i + 1;
    }
    hy_mem_free(book->mem, old, old_count * sizeof *old);
    return true;
}

static hy_err ledger_add(ledger *book, const ledger_event *event, ledger_entry **out_entry) {
    if (book->count == LEDGER_ENTRIES_MAX) return HY_LIMIT;
    const uint32_t block = book->count / LEDGER_BLOCK;
    bool key_copied = false, user_copied = false;
    hy_text key = hy_arena_copy(&book->texts, event->key, &key_copied);
    hy_text user = hy_arena_copy(&book->texts, event->user_id, &user_copied);
    if (!key_copied || !user_copied || !ledger_grow_slots(book)) return HY_NOMEM;
    if (book->count % LEDGER_BLOCK == 0) {
        book->blocks[block] = hy_mem_alloc_zero(book->mem, LEDGER_BLOCK * sizeof(ledger_entry));
        if (book->blocks[block] == NULL) return HY_NOMEM;
    }
    ledger_entry *entry = &book->blocks[block][book->count % LEDGER_BLOCK];
    *entry = (ledger_entry){
        .hold = book->count + 1, .key = key, .amount_cents = event->amount_cents, .user_id = user
    };
    book->slots[ledger_slot(book, key)] = book->count + 1;
    book->count++;
    *out_entry = entry;
    return HY_OK;
}

// Also the check of a file that is read: an event that no provider would have written is refused.
static bool ledger_may(ledger_status status, ledger_event_kind kind) {
    switch (kind) {
    case LEDGER_DO_HOLD:
    case LEDGER_DO_DECLINE: return status == LEDGER_UNKNOWN;
    case LEDGER_DO_CAPTURE: return status == LEDGER_HELD;
    case LEDGER_DO_RELEASE: return status == LEDGER_UNKNOWN || status == LEDGER_HELD;
    case LEDGER_DO_REFUND: return status == LEDGER_CAPTURED;
    default: return false;
    }
}

static hy_err ledger_apply(ledger *book, const ledger_event *event,
                           const ledger_entry **out_entry) {
    ledger_entry *entry = (ledger_entry *)(uintptr_t)ledger_find(book, event->key);
    if (!ledger_may(entry == NULL ? LEDGER_UNKNOWN : entry->status, event->event)) {
        return HY_CORRUPT;
    }
    hy_err err = entry == NULL ? ledger_add(book, event, &entry) : HY_OK;
    if (err != HY_OK) return err;
    static const ledger_status after[] = { [LEDGER_DO_HOLD] = LEDGER_HELD,
                                           [LEDGER_DO_DECLINE] = LEDGER_DECLINED,
                                           [LEDGER_DO_CAPTURE] = LEDGER_CAPTURED,
                                           [LEDGER_DO_RELEASE] = LEDGER_RELEASED,
                                           [LEDGER_DO_REFUND] = LEDGER_RELEASED };
    entry->status = after[event->event];
    entry->holds += event->event == LEDGER_DO_HOLD;
    entry->charges += event->event == LEDGER_DO_CAPTURE;
    entry->releases += event->event == LEDGER_DO_RELEASE;
    entry->refunds += event->event == LEDGER_DO_REFUND;
    entry->seq = event->seq;
    book->last_seq = event->seq;
    *out_entry = entry;
    return HY_OK;
}

hy_err ledger_do(ledger *book, ledger_event_kind kind, hy_text key, uint64_t amount_cents,
                 hy_text user_id, const ledger_entry **out_entry) {
    if (book->broken != HY_OK) return book->broken;
    HY_ASSERT(key.len > 0 && key.len <= LEDGER_KEY_MAX);
    const ledger_event event = { .seq = book->last_seq + 1,
                                 .event = kind,
                                 .key = key,
                                 .amount_cents = amount_cents,
                                 .user_id = user_id,
                                 .at_ms = hy_world_wall(book->world) / HY_MS(1) };
    const size_t before = book->queue.len;
    hy_err err = hy_json_encode(&ledger_event_record, &event, &book->queue);
    hy_buf_add_text(&book->queue, "\n");
    if (err == HY_OK) err = book->queue.failed;
    if (err == HY_OK) err = ledger_apply(book, &event, out_entry);
    HY_ASSERT(err != HY_CORRUPT); // the caller looks before
    if (err != HY_OK) {
        book->queue.len = before; // a line without its change, or half a line
        book->queue.failed = HY_OK;
        return err;
    }
    ledger_write_next(book);
    return HY_OK;
}

// ---- the disk ----------------------------------------------------------------------------------

void ledger_when_durable(ledger *book, const ledger_entry *entry, ledger_wait *wait) {
    wait->seq_ = entry != NULL ? entry->seq : book->last_seq;
    wait->next_ = NULL;
    if (book->broken != HY_OK || wait->seq_ <= book->durable_seq) {
        wait->done(wait, book->broken);
        return;
    }
    // An older line may be asked for after a newer one; waiting for the newer is only a moment
    // more.
    if (book->last != NULL && wait->seq_ < book->last->seq_) wait->seq_ = book->last->seq_;
    if (book->first == NULL) {
        book->first = wait;
    } else {
        book->last->next_ = wait;
    }
    book->last = wait;
}

static void ledger_write_next(ledger *book) {
    if (book->is_writing || book->queue.len == 0 || book->broken != HY_OK) return;
    hy_buf empty = book->writing;
    book->writing = book->queue;
    book->queue = empty;
    hy_buf_clear(&book->queue);
    book->writing_seq = book->last_seq;
    book->is_writing = true;
    hy_err err = hy_world_work(book->world, &book->work);
    if (err == HY_OK) return;
    book->is_writing = false;
    book->broken = err;
    ledger_tell(book);
}

static void ledger_write(hy_work *work) {
    ledger *book = (ledger *)((char *)work - offsetof(ledger, work));
    book->work_err = HY_OK;
    if (book->file == NULL) return;
    book->work_err = hy_file_write(book->file, book->file_size, hy_buf_bytes(&book->writing));
    if (book->work_err == HY_OK) book->work_err = hy_file_sync(book->file);
}

static void ledger_written(hy_work *work) {
    ledger *book = (ledger *)((char *)work - offsetof(ledger, work));
    book->is_writing = false;
    if (book->work_err != HY_OK) {
        book->broken = book->work_err;
    } else {
        book->file_size += book->writing.len;
        book->durable_seq = book->writing_seq;
        hy_buf_clear(&book->writing);
        ledger_write_next(book);
    }
    ledger_tell(book);
}

static void ledger_tell(ledger *book) {
    while (book->first != NULL &&
           (book->broken != HY_OK || book->first->seq_ <= book->durable_seq)) {
        ledger_wait *wait = book->first;
        book->first = wait->next_;
        if (book->first == NULL) book->last = NULL;
        wait->done(wait, book->broken);
    }
}

// ---- reading it again --------------------------------------------------------------------------

static hy_err ledger_load_line(ledger *book, hy_bytes line, uint64_t number, hy_arena *arena,
                               hy_why *why) {
    ledger_event event;
    hy_why inner = { 0 };
    hy_arena_reset(arena);
    hy_err err = hy_json_decode(&ledger_event_record, line, arena, &event, &inner);
    if (err == HY_NOMEM) return err;
    const ledger_entry *entry;
    if (err == HY_OK && event.seq != book->last_seq + 1) err = HY_CORRUPT;
    if (err == HY_OK) err = ledger_apply(book, &event, &entry);
    if (err == HY_OK || err == HY_NOMEM || err == HY_LIMIT) return err;
    char place[32] = "ledger";
    return hyi_why_fmt(why, HY_CORRUPT, place,
                       "line %u of the ledger cannot be (%s): move the file away to start afresh",
                       number, inner.text[0] ? inner.text : "it does not follow the one before");
}

static hy_err ledger_load_lines(ledger *book, hy_buf *bytes, hy_why *why) {
    hy_arena arena;
    hy_arena_init(&arena, book->mem, 0);
    hy_err err = HY_OK;
    size_t at = 0;
    for (uint64_t number = 1; err == HY_OK; number++) {
        const uint8_t *end =
            bytes->len == at ? NULL : memchr(bytes->ptr + at, '\n', bytes->len - at);
        if (end == NULL) break; // the rest is a line that a crash has cut
        size_t len = (size_t)(end - (bytes->ptr + at));
        err = ledger_load_line(book, (hy_bytes){ bytes->ptr + at, len }, number, &arena, why);
        at += len + 1;
    }
    hy_arena_deinit(&arena);
    book->file_size = at;
    book->durable_seq = book->last_seq;
    if (err != HY_OK || at == bytes->len) return err;
    return hy_file_truncate(book->file, at);
}

static hy_err ledger_load(ledger *book, hy_why *why) {
    uint64_t size = 0;
    size_t got = 0;
    hy_buf bytes;
    hy_buf_init(&bytes, book->mem, 0);
    hy_err err = hy_file_size(book->file, &size);
    if (err == HY_OK && size > 0) {
        uint8_t *room = hy_buf_reserve(&bytes, (size_t)size);
        err = room == NULL ? HY_NOMEM : hy_file_read(book->file, 0, room, (size_t)size, &got);
        bytes.len = got;
    }
    if (err == HY_OK) err = ledger_load_lines(book, &bytes, why);
    hy_buf_deinit(&bytes);
    return err;
}
