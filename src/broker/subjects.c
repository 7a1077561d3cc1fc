// subjects.c - patterns by their words.
//
// A node has up to three kinds of followers: by a word, by a star (any one word), and the links
// that stand at it: `exact` for patterns that end here, `rest` for those that end with `>` behind
// it. A node that has none of these is given back, and so are its parents; the root stays.
//
// The key of a word is its parent's index and the word's digest. The word itself is kept and
// compared, so two words that share a digest share nothing else: the second is then refused as if
// memory were short, which no test has ever met.
#include "broker/subjects.h"

#include "base/digest.h"
#include "base/memory.h"

typedef struct subject_node {
    uint32_t parent, children; // words and star
    uint32_t star;             // HYI_NONE: none
    hyi_subject_link exact, rest;
    uint8_t is_star, word_len;
    uint8_t word[HYI_SUBJECT_WORD_BYTES_MAX];
} subject_node;

// ---- words ------------------------------------------------------------------------------------

// The word at the front of *text, which is then what follows its dot. False: there is none left.
static bool subject_word(hy_bytes *text, hy_bytes *out_word) {
    if (text->ptr == NULL) return false;
    size_t len = 0;
    while (len < text->len && text->ptr[len] != '.')
        len++;
    *out_word = (hy_bytes){ text->ptr, len };
    if (len == text->len) {
        *text = (hy_bytes){ NULL, 0 };
    } else {
        *text = (hy_bytes){ text->ptr + len + 1, text->len - len - 1 };
    }
    return true;
}

static bool subject_is(hy_bytes word, char sign) {
    return word.len == 1 && word.ptr[0] == (uint8_t)sign;
}

static const char *subject_word_mistake(hy_bytes word, bool pattern, bool last) {
    if (word.len == 0) return "a word is empty";
    if (word.len > HYI_SUBJECT_WORD_BYTES_MAX) return "a word has more than 63 bytes";
    if (pattern && subject_is(word, '*')) return NULL;
    if (pattern && subject_is(word, '>')) return last ? NULL : "> is only for the last word";
    for (size_t i = 0; i < word.len; i++) {
        uint8_t byte = word.ptr[i];
        if (byte == '*' || byte == '>') {
            return pattern ? "a star stands alone in its word" : "only patterns may have * and >";
        }
        if (byte <= ' ' || byte == 0x7f) return "spaces and control characters are not allowed";
    }
    return NULL;
}

hy_err hyi_subject_check(hy_bytes text, bool pattern, hy_why *why) {
    if (!hy_text_is_utf8(text)) return hy_why_set(why, HY_MALFORMED, "topic", "it is not UTF-8");
    hy_bytes rest = { text.ptr ? text.ptr : (const uint8_t *)"", text.len }, word;
    uint32_t count = 0;
    while (subject_word(&rest, &word)) {
        const char *mistake = ++count > HYI_SUBJECT_WORDS_MAX
                                  ? "there are more than 16 words"
                                  : subject_word_mistake(word, pattern, rest.ptr == NULL);
        if (!mistake) continue;
        hy_err err = hy_why_set(why, HY_MALFORMED, "topic", mistake);
        if (why) why->offset = (uint64_t)(word.ptr - text.ptr);
        return err;
    }
    return HY_OK;
}

bool hyi_subject_fits(hy_bytes pattern, hy_bytes topic) {
    hy_bytes wanted, word;
    while (subject_word(&pattern, &wanted)) {
        if (!subject_word(&topic, &word)) return false;
        if (subject_is(wanted, '>')) return true;
        if (!subject_is(wanted, '*') && !hy_bytes_equal(wanted, word)) return false;
    }
    return topic.ptr == NULL;
}

// ---- nodes ------------------------------------------------------------------------------------

static subject_node *subject_at(const hyi_subjects *subjects, uint32_t index) {
    return (subject_node *)hyi_pool_at(&subjects->nodes, index);
}

static hyi_key subject_key(uint32_t parent, hy_bytes word) {
    return (hyi_key){ parent, hyi_digest(parent, word.ptr, word.len) };
}

static void subject_ring_init(hyi_subject_link *ring) {
    ring->prev = ring->next = ring;
}

static uint32_t subject_child(const hyi_subjects *subjects, uint32_t parent, hy_bytes word) {
    uint32_t index = hyi_map_get(&subjects->by_word, subject_key(parent, word));
    if (index == HYI_NONE) return HYI_NONE;
    const subject_node *node = subject_at(subjects, index);
    bool same = hy_bytes_equal((hy_bytes){ node->word, node->word_len }, word);
    return same && node->parent == parent ? index : HYI_NONE;
}

static hy_err subject_new(hyi_subjects *subjects, uint32_t parent, hy_bytes word, bool is_star,
                          uint32_t *out_index) {
    uint32_t index;
    subject_node *node = (subject_node *)hyi_pool_take(&subjects->nodes, &index);
    if (!node) return HY_NOMEM;
    memset(node, 0, sizeof *node);
    node->parent = parent;
    node->star = HYI_NONE;
    node->is_star = is_star;
    subject_ring_init(&node->exact);
    subject_ring_init(&node->rest);
    node->word_len = (uint8_t)word.len;
    if (word.len > 0) memcpy(node->word, word.ptr, word.len);
    bool named = parent != HYI_NONE && !is_star;
    if (named && hyi_map_insert(&subjects->by_word, subject_key(parent, word), index) != HY_OK) {
        hyi_pool_give(&subjects->nodes, index);
        return HY_NOMEM;
    }
    if (is_star) subject_at(subjects, parent)->star = index;
    if (parent != HYI_NONE) subject_at(subjects, parent)->children++;
    *out_index = index;
    return HY_OK;
}

// Gives back `index` and the parents that have nothing left.
static void subject_prune(hyi_subjects *subjects, uint32_t index) {
    while (index != subjects->root) {
        subject_node *node = subject_at(subjects, index);
        if (node->children > 0 || node->exact.next != &node->exact) return;
        if (node->rest.next != &node->rest) return;
        uint32_t parent = node->parent;
        if (node->is_star) {
            subject_at(subjects, parent)->star = HYI_NONE;
        } else {
            hy_bytes word = { node->word, node->word_len };
            bool was_there = hyi_map_erase(&subjects->by_word, subject_key(parent, word), NULL);
            HY_ASSERT(was_there);
        }
        subject_at(subjects, parent)->children--;
        hyi_pool_give(&subjects->nodes, index);
        index = parent;
    }
}

// ---- the tree ---------------------------------------------------------------------------------

hy_err hyi_subjects_init(hyi_subjects *subjects, hy_mem *mem) {
    hyi_pool_init(&subjects->nodes, mem, sizeof(subject_node), 0);
    hyi_map_init(&subjects->by_word, mem, 0);
    subjects->root = HYI_NONE;
    return subject_new(subjects, HYI_NONE, (hy_bytes){ NULL, 0 }, false, &subjects->root);
}

void hyi_subjects_deinit(hyi_subjects *subjects) {
    hyi_map_deinit(&subjects->by_word);
    hyi_pool_deinit(&subjects->nodes);
}

hy_err hyi_subjects_add(hyi_subjects *subjects, hy_bytes pattern, hyi_subject_link *link) {
    uint32_t at = subjects->root;
    hy_bytes word;
    bool rest = false;
    while (subject_word(&pattern, &word)) {
        if (subject_is(word, '>')) {
            rest = true;
            break;
        }
        bool is_star = subject_is(word, '*');
        uint32_t next =
            is_star ? subject_at(subjects, at)->star : subject_child(subjects, at, word);
        if (next == HYI_NONE) {
            hy_err err = subject_new(subjects, at, word, is_star, &next);
            if (err) {
                subject_prune(subjects, at);
                return err;
            }
        }
        at = next;
    }
    subject_node *node = subject_at(subjects, at);
    hyi_subject_link *ring = rest ? &node->rest : &node->exact;
    link->node = at;
    link->prev = ring->prev;
    link->next = ring;
    ring->prev->next = link;
    ring->prev = link;
    return HY_OK;
}

void hyi_subjects_remove(hyi_subjects *subjects, hyi_subject_link *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    subject_prune(subjects, link->node);
}

typedef struct subject_search {
    hyi_subjects *subjects;
    bool (*found)(void *self, hyi_subject_link *link);
    void *self;
} subject_search;

static bool subject_tell(const subject_search *search, const hyi_subject_link *ring) {
    for (hyi_subject_link *link = ring->next, *next; link != ring; link = next) {
        next = link->next;
        if (!search->found(search->self, link)) return false;
    }
    return true;
}

// As deep as there are words, 16 at most. False: `found` has had enough.
static bool subject_walk(const subject_search *search, uint32_t at, hy_bytes topic) {
    const subject_node *node = subject_at(search->subjects, at);
    hy_bytes word;
    if (!subject_word(&topic, &word)) return subject_tell(search, &node->exact);
    if (!subject_tell(search, &node->rest)) return false;
    uint32_t star = node->star, child = subject_child(search->subjects, at, word);
    if (child != HYI_NONE && !subject_walk(search, child, topic)) return false;
    return star == HYI_NONE || subject_walk(search, star, topic);
}

void hyi_subjects_match(hyi_subjects *subjects, hy_bytes topic,
                        bool (*found)(void *self, hyi_subject_link *link), void *self) {
    subject_search search = { subjects, found, self };
    subject_walk(&search, subjects->root, topic);
}
