// subjects.h - the tree of patterns: who wants what is published under a topic.    Room: broker.
// Includes: base. Threads: one owner; the broker's lock. Ownership: the tree owns its nodes; what
// stands in it is the caller's, and embeds hyi_subject_link.
//
// One level a word. A node is found from its parent and its word through a hash, so a level costs
// one look-up for the word and one look at the node's star, however many words there are. A match
// goes both ways at each level, so a topic of n words visits at most 2^n nodes, and in practice as
// many as there are patterns with stars in different places; n is at most 16.
#ifndef HYI_BROKER_SUBJECTS_H
#define HYI_BROKER_SUBJECTS_H

#include <hypha/base.h>

#include "base/map.h"
#include "base/pool.h"

#define HYI_SUBJECT_WORDS_MAX 16u
#define HYI_SUBJECT_WORD_BYTES_MAX 63u
#define HYI_SUBJECT_BYTES_MAX (HYI_SUBJECT_WORDS_MAX * (HYI_SUBJECT_WORD_BYTES_MAX + 1))

typedef struct hyi_subject_link {
    struct hyi_subject_link *prev, *next;
    uint32_t node; // where it stands
} hyi_subject_link;

typedef struct hyi_subjects {
    hyi_pool nodes;
    hyi_map by_word; // (parent, digest of the word) -> node
    uint32_t root;
} hyi_subjects;

// HY_OK, or HY_MALFORMED with the place of the mistake; `pattern`: stars are allowed.
HY_CHECKED hy_err hyi_subject_check(hy_bytes text, bool pattern, hy_why *why);

// Allocates the root. HY_NOMEM.
HY_CHECKED hy_err hyi_subjects_init(hyi_subjects *subjects, hy_mem *mem);
void hyi_subjects_deinit(hyi_subjects *subjects); // works on a zeroed one

// Puts `link` in at a checked pattern, behind those that stand there. HY_NOMEM: nothing changed.
HY_CHECKED hy_err hyi_subjects_add(hyi_subjects *subjects, hy_bytes pattern,
                                   hyi_subject_link *link);
void hyi_subjects_remove(hyi_subjects *subjects, hyi_subject_link *link);

// Calls `found` for each link whose pattern fits the checked topic, until it says false.
void hyi_subjects_match(hyi_subjects *subjects, hy_bytes topic,
                        bool (*found)(void *self, hyi_subject_link *link), void *self);

// Does it fit? The slow twin, for tests, word by word.
bool hyi_subject_fits(hy_bytes pattern, hy_bytes topic);

#endif
