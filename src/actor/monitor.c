// monitor.c - words about the end of others: monitors and links.
//
// Who watches keeps an entry for each of those it watches, and sends a word there. The word waits
// in the list of the watched, and when that ends it is sent back as the news (SYSTEM_DOWN): the
// same block, so no end fails for want of memory. The entry's own block is what takes the word
// back later (SYSTEM_UNWATCH), for the same reason.
//
//     watcher: entry --WATCH--> watched: word in `by`
//     watcher: entry <--DOWN--- watched: it has ended
//     watcher: (gone) -UNWATCH-> watched: word freed; if it is on its way already, the watcher
//     finds
//                                no entry for it, and drops it
//
// Entries have a number with a generation, which is the monitor's id; so a word that comes late
// means nobody else.
//
// A monitor is about an actor: the word comes when it has ended for good, not when it is started
// again; the ref is as good as before, then. A link is about failing together, and so about starts:
// the end of one start of either side tells the other, and is the end of the link. Both are over
// when the watcher's start is: the next one begins with nothing.
//
// A word for one that has gone already comes back at once, with HY_NOT_FOUND, since nobody knows
// any more how it ended. One that the watched has no memory to keep comes back with HY_NOMEM.
#include "actor/ending.h"
#include "actor/slot.h"

#include <string.h>

typedef struct monitor_word {
    hyi_message message;
    hyi_link link; // in the watched's `by`
    hy_ref from;   // the watcher
    uint64_t id;   // the watcher's entry; 0: a link's end, told by the one who linked
    bool is_link;
    hy_down down;
} monitor_word;

typedef struct monitor_entry {
    monitor_word *word; // to take it back with; NULL: free
    hy_ref who;
    uint32_t generation, next_free;
    bool is_link;
} monitor_entry;

struct hyi_watchers {
    hyi_list by; // monitor_word.link: those who watch
    monitor_entry *entries;
    uint32_t count, capacity, free_first; // index + 1; 0: none
    uint32_t live;
};

static void monitor_tell(monitor_word *word, hy_ref who, hy_err why, const char *type,
                         uint64_t incident);

static uint64_t monitor_incident(hy_node *node, hy_err why) {
    if (why == HY_OK) return 0;
    return 1 + atomic_fetch_add_explicit(&node->incidents, 1, memory_order_relaxed);
}

static struct hyi_watchers *monitor_watchers(hy_actor *actor) {
    hyi_kin *kin = hyi_kin_of(actor);
    if (!kin || kin->watchers) return kin ? kin->watchers : NULL;
    hy_mem *mem = hyi_node_of_actor(actor)->mem;
    kin->watchers = (struct hyi_watchers *)hy_mem_alloc_zero(mem, sizeof *kin->watchers);
    if (kin->watchers) hyi_list_init(&kin->watchers->by);
    return kin->watchers;
}

static monitor_word *monitor_word_new(hyi_system_tag tag, hy_ref from, uint64_t id, bool is_link) {
    uint8_t block_class = 0;
    monitor_word *word = (monitor_word *)hyi_block_alloc(sizeof *word, &block_class);
    if (!word) return NULL;
    memset(word, 0, sizeof *word);
    word->message.tag = (uint16_t)tag;
    word->message.flags = HYI_MESSAGE_SYSTEM;
    word->message.block_class = block_class;
    hyi_list_init(&word->link);
    word->from = from;
    word->id = id;
    word->is_link = is_link;
    return word;
}

static void monitor_word_free(monitor_word *word) {
    if (word) hyi_block_free(word, word->message.block_class);
}

static monitor_word *monitor_word_of(hyi_message *message) {
    return HYI_HOLDER(monitor_word, message, message);
}

// ---- entries ----------------------------------------------------------------------------------

static bool entry_room(hy_node *node, struct hyi_watchers *watchers) {
    if (watchers->free_first || watchers->count < watchers->capacity) return true;
    uint32_t capacity = watchers->capacity ? watchers->capacity * 2 : 4;
    size_t old_size = watchers->capacity * sizeof(monitor_entry);
    monitor_entry *entries = (monitor_entry *)node->mem->resize(
        node->mem, watchers->entries, old_size, capacity * sizeof(monitor_entry));
    if (!entries) return false;
    watchers->entries = entries;
    watchers->capacity = capacity;
    return true;
}

static uint64_t entry_take(struct hyi_watchers *watchers, hy_ref who, bool is_link) {
    uint32_t index = watchers->free_first;
    if (index > 0) {
        watchers->free_first = watchers->entries[index - 1].next_free;
    } else {
        index = ++watchers->count;
        watchers->entries[index - 1] = (monitor_entry){ 0 };
    }
    monitor_entry *entry = &watchers->entries[index - 1];
    entry->who = who;
    entry->is_link = is_link;
    entry->generation++;
    watchers->live++;
    return (uint64_t)entry->generation << 32 | index;
}

// NULL: none that is in use.
static monitor_entry *entry_find(struct hyi_watchers *watchers, uint64_t id) {
    uint32_t index = (uint32_t)id;
    if (!watchers || index == 0 || index > watchers->count) return NULL;
    monitor_entry *entry = &watchers->entries[index - 1];
    return entry->word && entry->generation == (uint32_t)(id >> 32) ? entry : NULL;
}

// Its word is the caller's.
static monitor_word *entry_give(struct hyi_watchers *watchers, monitor_entry *entry) {
    monitor_word *word = entry->word;
    entry->word = NULL;
    entry->next_free = watchers->free_first;
    watchers->free_first = (uint32_t)(entry - watchers->entries) + 1;
    watchers->live--;
    return word;
}

static monitor_entry *entry_of_link(struct hyi_watchers *watchers, hy_ref who) {
    for (uint32_t i = 0; watchers && i < watchers->count; i++) {
        monitor_entry *entry = &watchers->entries[i];
        if (entry->word && entry->is_link && hy_ref_equal(entry->who, who)) return entry;
    }
    return NULL;
}

static monitor_word *word_of_link(struct hyi_watchers *watchers, hy_ref from) {
    hyi_link *link = watchers ? hyi_list_first(&watchers->by) : NULL;
    for (; link; link = hyi_list_after(&watchers->by, link)) {
        monitor_word *word = HYI_HOLDER(monitor_word, link, link);
        if (word->is_link && hy_ref_equal(word->from, from)) return word;
    }
    return NULL;
}

// ---- watching ---------------------------------------------------------------------------------

static hy_err monitor_begin(hy_actor *self, hy_ref who, bool is_link, uint64_t *out_id) {
    hy_node *node = hyi_node_of_actor(self);
    if (who.id == 0 || hy_node_of(who) != node) return HY_NOT_FOUND;
    struct hyi_watchers *watchers = monitor_watchers(self);
    if (!watchers || !entry_room(node, watchers)) return HY_NOMEM;
    monitor_word *there = monitor_word_new(HYI_SYSTEM_WATCH, hyi_ref_of(self), 0, is_link);
    monitor_word *back = monitor_word_new(HYI_SYSTEM_UNWATCH, hyi_ref_of(self), 0, is_link);
    if (!there || !back) {
        monitor_word_free(there);
        monitor_word_free(back);
        return HY_NOMEM;
    }
    uint64_t id = entry_take(watchers, who, is_link);
    there->id = back->id = id;
    watchers->entries[(uint32_t)id - 1].word = back;
    there->down.who = who;
    *out_id = id;
    hy_err err = hyi_send(who, NULL, &there->message, NULL);
    (void)err; // gone: the word is on its way back
    return HY_OK;
}

hy_err hy_monitor(hy_actor *self, hy_ref who, uint64_t *out_monitor) {
    return monitor_begin(self, who, false, out_monitor);
}

hy_err hy_link(hy_actor *self, hy_ref who) {
    struct hyi_watchers *watchers = self->kin ? self->kin->watchers : NULL;
    bool is_linked = hy_ref_equal(who, hyi_ref_of(self)) || entry_of_link(watchers, who) ||
                     word_of_link(watchers, who);
    uint64_t id = 0;
    return is_linked ? HY_OK : monitor_begin(self, who, true, &id);
}

static void entry_take_back(struct hyi_watchers *watchers, monitor_entry *entry) {
    hy_ref who = entry->who;
    monitor_word *word = entry_give(watchers, entry);
    hy_err err = hyi_send(who, NULL, &word->message, NULL);
    (void)err; // gone: there is nothing to take back
}

void hy_unmonitor(hy_actor *self, uint64_t monitor) {
    struct hyi_watchers *watchers = self->kin ? self->kin->watchers : NULL;
    monitor_entry *entry = entry_find(watchers, monitor);
    if (entry && !entry->is_link) entry_take_back(watchers, entry);
}

void hy_unlink(hy_actor *self, hy_ref who) {
    struct hyi_watchers *watchers = self->kin ? self->kin->watchers : NULL;
    monitor_entry *entry = entry_of_link(watchers, who);
    if (entry) entry_take_back(watchers, entry);
    monitor_word *word = word_of_link(watchers, who);
    if (!word) return;
    // The other one's: it finds that nobody linked it, when it tells us of its end.
    hyi_list_remove(&word->link);
    monitor_tell(word, hyi_ref_of(self), HY_OK, NULL, 0);
}

// ---- the watched ------------------------------------------------------------------------------

void hyi_watch(hy_actor *actor, hyi_message *message) {
    monitor_word *word = monitor_word_of(message);
    struct hyi_watchers *watchers = monitor_watchers(actor);
    if (!watchers) {
        monitor_tell(word, hyi_ref_of(actor), HY_NOMEM, actor->type->name, 0);
        return;
    }
    hyi_list_append(&watchers->by, &word->link);
}

void hyi_watch_refused(hyi_message *message) {
    monitor_word *word = monitor_word_of(message);
    monitor_tell(word, word->down.who, HY_NOT_FOUND, "?", 0);
}

void hyi_unwatch(hy_actor *actor, hyi_message *message) {
    monitor_word *back = monitor_word_of(message);
    struct hyi_watchers *watchers = actor->kin ? actor->kin->watchers : NULL;
    hyi_link *link = watchers ? hyi_list_first(&watchers->by) : NULL;
    for (; link; link = hyi_list_after(&watchers->by, link)) {
        monitor_word *word = HYI_HOLDER(monitor_word, link, link);
        if (word->id != back->id || !hy_ref_equal(word->from, back->from)) continue;
        hyi_list_remove(&word->link);
        monitor_word_free(word);
        break;
    }
    monitor_word_free(back);
}

// To the watcher: `who` has ended. `type` NULL: an unlink, told to one that has linked us.
static void monitor_tell(monitor_word *word, hy_ref who, hy_err why, const char *type,
                         uint64_t incident) {
    word->message.tag = HYI_SYSTEM_DOWN;
    word->down = (hy_down){
        .who = who,
        .monitor = word->is_link ? 0 : word->id,
        .why = why,
        .type = type,
        .incident = incident,
    };
    hy_err err = hyi_send(word->from, NULL, &word->message, NULL);
    (void)err; // the watcher has gone, too
}

void hyi_links_tell(hy_actor *actor, hy_err why) {
    struct hyi_watchers *watchers = actor->kin ? actor->kin->watchers : NULL;
    if (!watchers) return;
    hy_ref self = hyi_ref_of(actor);
    uint64_t incident = monitor_incident(hyi_node_of_actor(actor), why);
    hyi_link *next = NULL;
    for (hyi_link *link = hyi_list_first(&watchers->by); link; link = next) {
        next = hyi_list_after(&watchers->by, link);
        monitor_word *word = HYI_HOLDER(monitor_word, link, link);
        if (!word->is_link) continue;
        hyi_list_remove(&word->link);
        monitor_tell(word, self, why, actor->type->name, incident);
    }
    for (uint32_t i = 0; i < watchers->count && watchers->live > 0; i++) {
        monitor_entry *entry = &watchers->entries[i];
        if (!entry->word) continue;
        if (!entry->is_link) {
            entry_take_back(watchers, entry);
            continue;
        }
        hy_ref who = entry->who;
        monitor_word *word = entry_give(watchers, entry);
        word->from = who;
        word->id = 0;
        monitor_tell(word, self, why, actor->type->name, incident);
    }
}

struct hyi_watched {
    hyi_list by;
};

hyi_watched *hyi_watched_take(hy_actor *actor) {
    struct hyi_watchers *watchers = actor->kin ? actor->kin->watchers : NULL;
    return watchers && !hyi_list_is_empty(&watchers->by) ? (hyi_watched *)(void *)&watchers->by
                                                         : NULL;
}

// The list is still in its kin, which stays until the end of the turn.
void hyi_watched_tell(hyi_watched *watched, hy_ref who, hy_err why, const char *type) {
    if (!watched) return;
    uint64_t incident = monitor_incident(hyi_here->node, why);
    hyi_link *link = NULL;
    while ((link = hyi_list_first(&watched->by))) {
        hyi_list_remove(link);
        monitor_tell(HYI_HOLDER(monitor_word, link, link), who, why, type, incident);
    }
}

void hyi_watchers_free(hyi_kin *kin) {
    struct hyi_watchers *watchers = kin->watchers;
    if (!watchers) return;
    hy_mem *mem = hyi_node_of_actor(kin->actor)->mem;
    hyi_link *link = NULL;
    while ((link = hyi_list_first(&watchers->by))) {
        hyi_list_remove(link);
        monitor_word_free(HYI_HOLDER(monitor_word, link, link));
    }
    for (uint32_t i = 0; i < watchers->count; i++)
        monitor_word_free(watchers->entries[i].word);
    hy_mem_free(mem, watchers->entries, watchers->capacity * sizeof(monitor_entry));
    hy_mem_free(mem, watchers, sizeof *watchers);
    kin->watchers = NULL;
}

// ---- the word has come ------------------------------------------------------------------------

// Is the watcher still waiting for this one? Its entry is over.
static bool down_is_awaited(struct hyi_watchers *watchers, const monitor_word *word) {
    if (word->id != 0) {
        monitor_entry *entry = entry_find(watchers, word->id);
        if (!entry) return false;
        monitor_word_free(entry_give(watchers, entry));
        return true;
    }
    monitor_word *by = word_of_link(watchers, word->down.who); // that one linked us
    if (!by) return false;
    hyi_list_remove(&by->link);
    monitor_word_free(by);
    return true;
}

void hyi_down(hy_actor *actor, hyi_message *message) {
    monitor_word *word = monitor_word_of(message);
    struct hyi_watchers *watchers = actor->kin ? actor->kin->watchers : NULL;
    bool is_awaited = down_is_awaited(watchers, word);
    const hy_down down = word->down;
    bool is_link = word->is_link;
    monitor_word_free(word);
    if (!is_awaited || !down.type) return;
    hy_err err = HY_OK;
    if (actor->type->down) {
        err = actor->type->down(actor, actor->state, &down);
    } else if (is_link) {
        err = down.why;
    }
    if (err == HY_OK) return;
    if (actor->flags & HYI_ACTOR_FIBER) { // in hy_receive, which goes on
        hyi_doom(actor, err);
    } else {
        hyi_failed(actor, err, NULL, NULL);
    }
}
