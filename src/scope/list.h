// list.h - doubly linked rings of records that are part of something else.  Room: scope.
//
// A list is a ring with the head in it, so adding and removing never ask whether it is empty. A
// link that is in no list points to itself, and removing it again does nothing.
#ifndef HYI_SCOPE_LIST_H
#define HYI_SCOPE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct hyi_link {
    struct hyi_link *prev, *next;
} hyi_link;
typedef hyi_link hyi_list;

#define HYI_HOLDER(type, member, link_) ((type *)(void *)((char *)(link_)-offsetof(type, member)))

static inline void hyi_list_init(hyi_list *list) {
    list->prev = list->next = list;
}

static inline bool hyi_list_is_empty(const hyi_list *list) {
    return list->next == list;
}

static inline void hyi_list_append(hyi_list *list, hyi_link *link) {
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

static inline void hyi_list_remove(hyi_link *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = link;
}

// NULL: empty.
static inline hyi_link *hyi_list_first(const hyi_list *list) {
    return list->next == list ? NULL : list->next;
}

static inline hyi_link *hyi_list_last(const hyi_list *list) {
    return list->prev == list ? NULL : list->prev;
}

// Behind `link`, or NULL at the end.
static inline hyi_link *hyi_list_after(const hyi_list *list, const hyi_link *link) {
    return link->next == list ? NULL : link->next;
}

static inline hyi_link *hyi_list_before(const hyi_list *list, const hyi_link *link) {
    return link->prev == list ? NULL : link->prev;
}

#endif
