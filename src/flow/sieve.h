// sieve.h - which entry of a cache goes first.                     Room: flow.
//
// SIEVE (Zhang, Yang, Yue, Vigfusson, Rashmi: "SIEVE is Simpler than LRU", NSDI 2024): entries
// stand in order of arrival and never move. A hit sets a mark. To evict, a hand walks from the
// oldest towards the newest, takes marks away, and stops at the first entry without one; next time
// it goes on from there. Old entries that are asked for stay; new ones that are not go quickly,
// which is what makes it strong against scans.
#ifndef HYI_FLOW_SIEVE_H
#define HYI_FLOW_SIEVE_H

#include "scope/list.h"

typedef struct hyi_sieve_entry {
    hyi_link link;
    bool marked;
} hyi_sieve_entry;

typedef struct hyi_sieve {
    hyi_list entries; // oldest first
    hyi_link *hand;   // where the walk goes on; the list itself: at the oldest
} hyi_sieve;

static inline void hyi_sieve_init(hyi_sieve *sieve) {
    hyi_list_init(&sieve->entries);
    sieve->hand = &sieve->entries;
}

static inline void hyi_sieve_add(hyi_sieve *sieve, hyi_sieve_entry *entry) {
    entry->marked = false;
    hyi_list_append(&sieve->entries, &entry->link);
}

static inline void hyi_sieve_hit(hyi_sieve_entry *entry) {
    entry->marked = true;
}

static inline void hyi_sieve_remove(hyi_sieve *sieve, hyi_sieve_entry *entry) {
    if (sieve->hand == &entry->link) sieve->hand = entry->link.next;
    hyi_list_remove(&entry->link);
}

// The one to evict; it is still in. NULL: there is none.
static inline hyi_sieve_entry *hyi_sieve_victim(hyi_sieve *sieve) {
    if (hyi_list_is_empty(&sieve->entries)) return NULL;
    for (;;) {
        if (sieve->hand == &sieve->entries) sieve->hand = sieve->entries.next;
        hyi_sieve_entry *entry = HYI_HOLDER(hyi_sieve_entry, link, sieve->hand);
        if (!entry->marked) return entry;
        entry->marked = false;
        sieve->hand = sieve->hand->next;
    }
}

#endif
