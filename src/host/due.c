// due.c - a pairing heap of times.
//
// Chosen over an array heap because a record carries its own links: adding cannot fail, and an
// effect that must be tried again later needs that. Adding is O(1), taking the first O(log n)
// amortised. Invariants: a child is never before its parent; `prev` of a first child is its parent,
// of any other child the sibling before it, and NULL for the root.
#include "host/due.h"

static hyi_due *due_meld(hyi_due *a, hyi_due *b);
static hyi_due *due_meld_siblings(hyi_due *first);

void hyi_due_add(hyi_dues *dues, hyi_due *due, hy_ns at) {
    HY_ASSERT(!due->added);
    *due = (hyi_due){ .at = at, .order = dues->order++, .added = true };
    dues->first = due_meld(dues->first, due);
}

void hyi_due_remove(hyi_dues *dues, hyi_due *due) {
    if (!due->added) return;
    hyi_due *children = due_meld_siblings(due->child);
    if (due == dues->first) {
        dues->first = children;
    } else {
        HY_ASSERT(due->prev != NULL);
        if (due->prev->child == due) {
            due->prev->child = due->next;
        } else {
            due->prev->next = due->next;
        }
        if (due->next != NULL) due->next->prev = due->prev;
        dues->first = due_meld(dues->first, children);
    }
    *due = (hyi_due){ 0 };
}

hyi_due *hyi_due_take(hyi_dues *dues, hy_ns now) {
    hyi_due *first = dues->first;
    if (first == NULL || first->at > now) return NULL;
    hyi_due_remove(dues, first);
    return first;
}

static bool due_is_before(const hyi_due *a, const hyi_due *b) {
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

// Two roots become one.
static hyi_due *due_meld(hyi_due *a, hyi_due *b) {
    if (a == NULL) return b;
    if (b == NULL) return a;
    hyi_due *parent = due_is_before(a, b) ? a : b;
    hyi_due *child = parent == a ? b : a;
    child->prev = parent;
    child->next = parent->child;
    if (parent->child != NULL) parent->child->prev = child;
    parent->child = child;
    return parent;
}

// The usual two passes, without recursion: meld pairs from left to right onto a stack, then the
// stack into one.
static hyi_due *due_meld_siblings(hyi_due *first) {
    hyi_due *stack = NULL;
    while (first != NULL) {
        hyi_due *a = first, *b = a->next;
        first = b != NULL ? b->next : NULL;
        a->prev = a->next = NULL;
        if (b != NULL) b->prev = b->next = NULL;
        hyi_due *pair = due_meld(a, b);
        pair->next = stack;
        stack = pair;
    }
    hyi_due *root = NULL;
    while (stack != NULL) {
        hyi_due *pair = stack;
        stack = pair->next;
        pair->next = NULL;
        root = due_meld(root, pair);
    }
    return root;
}
