// view.c - reading rows.
//
// A view is the state seen through a pointer that cannot write; steps, invariants and queries all
// read through it. Dead rows (deleted, but not yet for good) are in the indexes and invisible here.

#include "machine/state.h"

#include "base/digest.h"

const void *hy_row_get(const hy_view *view, uint32_t table, const void *key_row) {
    const hyi_rows *rows = hyi_state_rows(hyi_state_of(view), table);
    uint32_t slot = hyi_rows_find(rows, hyi_layout_key(&rows->layout, key_row));
    if (slot == HYI_NO_SLOT || !hyi_rows_is_live(rows, slot)) return NULL;
    return hyi_rows_row(rows, slot);
}

uint32_t hy_row_count(const hy_view *view, uint32_t table) {
    return hyi_state_rows(hyi_state_of(view), table)->count;
}

hy_id hy_text_id(hy_bytes text) {
    hyi_wide_digest digest = hyi_digest128(1, text.ptr, text.len);
    return (hy_id){ digest.hi, digest.lo };
}

hy_cursor hy_cursor_at(const hy_view *view, uint32_t table, const void *key_row) {
    const hy_state *state = hyi_state_of(view);
    const hyi_rows *rows = hyi_state_rows(state, table);
    hy_cursor cursor = { .view = view, .table = table, .writes = rows->writes };
    if (!rows->ordered) {
        HY_ASSERT(!state->stepping); // the order of an unordered table is history, not state
        HY_ASSERT(key_row == NULL);
        return cursor;
    }
    hyi_key key = { 0, 0 };
    if (key_row != NULL) key = hyi_layout_key(&rows->layout, key_row);
    hyi_tree_cursor at = hyi_tree_seek(&rows->tree, key);
    cursor.place = at.leaf;
    cursor.index = at.index;
    return cursor;
}

static const void *view_next_unordered(const hyi_rows *rows, hy_cursor *cursor) {
    while (cursor->index < rows->slot_count) {
        uint32_t slot = cursor->index++;
        if (hyi_rows_is_live(rows, slot)) return hyi_rows_row(rows, slot);
    }
    return NULL;
}

const void *hy_cursor_next(hy_cursor *cursor) {
    const hyi_rows *rows = hyi_state_rows(hyi_state_of(cursor->view), cursor->table);
    HY_ASSERT_SLOW(cursor->writes == rows->writes); // a write to the table ended this cursor
    if (!rows->ordered) return view_next_unordered(rows, cursor);
    hyi_tree_cursor at = { &rows->tree, cursor->place, cursor->index };
    const void *row = NULL;
    for (uint32_t slot; row == NULL && hyi_tree_next(&at, NULL, &slot);) {
        if (hyi_rows_is_live(rows, slot)) row = hyi_rows_row(rows, slot);
    }
    cursor->place = at.leaf;
    cursor->index = at.index;
    return row;
}

const void *hy_cursor_prev(hy_cursor *cursor) {
    const hyi_rows *rows = hyi_state_rows(hyi_state_of(cursor->view), cursor->table);
    HY_ASSERT_SLOW(cursor->writes == rows->writes);
    HY_ASSERT(rows->ordered);
    hyi_tree_cursor at = { &rows->tree, cursor->place, cursor->index };
    const void *row = NULL;
    for (uint32_t slot; row == NULL && hyi_tree_prev(&at, NULL, &slot);) {
        if (hyi_rows_is_live(rows, slot)) row = hyi_rows_row(rows, slot);
    }
    cursor->place = at.leaf;
    cursor->index = at.index;
    return row;
}
