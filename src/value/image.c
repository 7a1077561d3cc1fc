// Structs that hold what they point to: deep copies, holders, and back to plain structs.
//
// Everything walks the description, as the codecs do. A copy starts cleared and is filled field by
// field, so what failed half-way is given back by the same function that ends a whole one.
//
// Records nest at most HY_DEPTH_MAX deep, also through lists: the description bounds nesting by
// value, and each list remembers how deep its elements go, so a change far down can be refused
// without looking at what is below. This bounds every recursion here.
#include "value/image.h"

#include "base/memory.h"
#include "schema/record.h"
#include "value/block.h"
#include "value/item.h"

static hy_bytes image_bytes(const uint8_t *at) {
    hy_bytes bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

static bool image_is_bytes(const hy_field *field) {
    return field->type == HY_TYPE_STR || field->type == HY_TYPE_BYTES ||
           field->type == HY_TYPE_UNKNOWN;
}

static bool image_holds(const hy_field *field) {
    return field->label == HY_REPEATED || field->of != NULL || image_is_bytes(field);
}

const hy_field *hyi_union_member(const hy_record *record, const uint8_t *image) {
    uint32_t which;
    memcpy(&which, image, sizeof which);
    return which == 0 ? NULL : hyi_record_field(record, which);
}

// ---- keep -------------------------------------------------------------------------------------

static hy_err image_list_fill(hyi_keeper *keeper, const hy_field *field, hyi_list *list,
                              const uint8_t *from) {
    hy_item item = hyi_cell_item(field);
    hyi_scratch kept;
    hy_err err = hyi_scratch_init(&kept, keeper->mem, field->size);
    const void *cells;
    for (size_t at = 0, n; err == HY_OK; at += n) {
        n = hy_list_span(from, field->size, at, &cells);
        if (n == 0) break;
        for (size_t i = 0; i < n && err == HY_OK; i++) {
            err = hyi_cell_keep(keeper, field, kept.ptr, (const uint8_t *)cells + i * field->size);
            if (err != HY_OK) break;
            err = hyi_seq_add(&list->seq, keeper->mem, &item, kept.ptr);
            if (err != HY_OK) hyi_cell_release(keeper->mem, field, kept.ptr);
        }
    }
    hyi_scratch_deinit(&kept);
    return err;
}

// A list that is in a value already is shared, if it came from the same memory.
static hy_err image_list_keep(hyi_keeper *keeper, const hy_field *field, uint8_t *to,
                              const uint8_t *from) {
    hyi_list *list = hyi_list_of(from);
    size_t count = image_bytes(from).len;
    if (list == NULL && count > HY_VALUE_COUNT_MAX) return HY_LIMIT;
    if (count == 0) return HY_OK;
    uint32_t outer = keeper->deepest;
    if (list != NULL && list->mem == keeper->mem) {
        uint32_t deepest = keeper->depth + list->depth;
        if (deepest > HY_DEPTH_MAX) return HY_TOO_DEEP;
        list->refs += 1;
        hyi_list_store(to, list);
        if (outer < deepest) keeper->deepest = deepest;
        return HY_OK;
    }
    hy_err err = hyi_list_own(keeper->mem, to, &list);
    if (err != HY_OK) return err;
    keeper->deepest = keeper->depth;
    err = image_list_fill(keeper, field, list, from);
    list->depth = keeper->deepest - keeper->depth;
    if (keeper->deepest < outer) keeper->deepest = outer;
    hyi_list_store(to, list); // what there is of it is given back from there
    return err;
}

hy_err hyi_cell_keep(hyi_keeper *keeper, const hy_field *field, uint8_t *to, const uint8_t *from) {
    if (field->of != NULL) return hyi_image_keep(keeper, field->of, to, from);
    if (!image_is_bytes(field)) {
        memcpy(to, from, field->size);
        return HY_OK;
    }
    hy_bytes bytes;
    hy_err err = hyi_block_copy(keeper->mem, image_bytes(from), &bytes);
    memcpy(to, &bytes, sizeof bytes);
    return err;
}

// `to` is cleared; on an error it holds what there is of it.
static hy_err image_member_fill(hyi_keeper *keeper, const hy_field *field, uint8_t *to,
                                const uint8_t *from) {
    if (field->label == HY_REPEATED) return image_list_keep(keeper, field, to, from);
    if (field->label == HY_SINGLE) return hyi_cell_keep(keeper, field, to, from);
    if (*from == 0) return HY_OK;
    *to = 1;
    return hyi_cell_keep(keeper, field, to + field->align, from + field->align);
}

hy_err hyi_member_keep(hyi_keeper *keeper, const hy_field *field, uint8_t *to,
                       const uint8_t *from) {
    uint32_t size = hyi_field_stored_size(field);
    memset(to, 0, size);
    hy_err err = image_member_fill(keeper, field, to, from);
    if (err == HY_OK) return HY_OK;
    hyi_member_release(keeper->mem, field, to);
    memset(to, 0, size);
    return err;
}

static hy_err image_fill(hyi_keeper *keeper, const hy_record *record, uint8_t *to,
                         const uint8_t *from) {
    if (record->is_union) {
        const hy_field *field = hyi_union_member(record, from);
        uint32_t which;
        memcpy(&which, from, sizeof which);
        if (field == NULL) return which == 0 ? HY_OK : HY_RANGE;
        memcpy(to, &which, sizeof which);
        return image_member_fill(keeper, field, to + field->offset, from + field->offset);
    }
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        const hy_field *field = &fields[i];
        hy_err err = image_member_fill(keeper, field, to + field->offset, from + field->offset);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

hy_err hyi_image_keep(hyi_keeper *keeper, const hy_record *record, uint8_t *to,
                      const uint8_t *from) {
    memset(to, 0, record->size);
    if (keeper->depth == HY_DEPTH_MAX) return HY_TOO_DEEP;
    keeper->depth += 1;
    if (keeper->deepest < keeper->depth) keeper->deepest = keeper->depth;
    hy_err err = image_fill(keeper, record, to, from);
    keeper->depth -= 1;
    if (err == HY_OK) return HY_OK;
    hyi_image_release(keeper->mem, record, to);
    memset(to, 0, record->size);
    return err;
}

// ---- holders ----------------------------------------------------------------------------------

static void image_cell_retain(const hy_field *field, const uint8_t *cell) {
    if (field->of != NULL) {
        hyi_image_retain(field->of, cell);
    } else if (image_is_bytes(field)) {
        hyi_block_retain(image_bytes(cell));
    }
}

void hyi_member_retain(const hy_field *field, const uint8_t *member) {
    if (!image_holds(field)) return;
    if (field->label == HY_REPEATED) {
        hyi_list *list = hyi_list_of(member);
        if (list != NULL) list->refs += 1;
    } else if (field->label == HY_SINGLE) {
        image_cell_retain(field, member);
    } else if (*member != 0) {
        image_cell_retain(field, member + field->align);
    }
}

void hyi_image_retain(const hy_record *record, const uint8_t *image) {
    if (record->is_union) {
        const hy_field *field = hyi_union_member(record, image);
        if (field != NULL) hyi_member_retain(field, image + field->offset);
        return;
    }
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        hyi_member_retain(&fields[i], image + fields[i].offset);
    }
}

static void image_list_release(hy_mem *mem, const hy_field *field, const uint8_t *member) {
    hyi_list *list = hyi_list_of(member);
    if (list == NULL) return;
    HY_ASSERT(list->mem == mem);
    list->refs -= 1;
    if (list->refs > 0) return;
    hy_item item = hyi_cell_item(field);
    hyi_seq_release(&list->seq, mem, &item);
    hy_mem_free(mem, list, sizeof *list);
}

void hyi_cell_release(hy_mem *mem, const hy_field *field, uint8_t *cell) {
    if (field->of != NULL) {
        hyi_image_release(mem, field->of, cell);
    } else if (image_is_bytes(field)) {
        hyi_block_release(mem, image_bytes(cell));
    }
}

void hyi_member_release(hy_mem *mem, const hy_field *field, uint8_t *member) {
    if (!image_holds(field)) return;
    if (field->label == HY_REPEATED) {
        image_list_release(mem, field, member);
    } else if (field->label == HY_SINGLE) {
        hyi_cell_release(mem, field, member);
    } else if (*member != 0) {
        hyi_cell_release(mem, field, member + field->align);
    }
}

void hyi_image_release(hy_mem *mem, const hy_record *record, uint8_t *image) {
    if (record->is_union) {
        const hy_field *field = hyi_union_member(record, image);
        if (field != NULL) hyi_member_release(mem, field, image + field->offset);
        return;
    }
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        hyi_member_release(mem, &fields[i], image + fields[i].offset);
    }
}

// ---- elements as items ------------------------------------------------------------------------

static void image_item_retain(const hy_item *item, const void *at) {
    image_cell_retain((const hy_field *)item->context, (const uint8_t *)at);
}

static void image_item_release(const hy_item *item, hy_mem *mem, void *at) {
    hyi_cell_release(mem, (const hy_field *)item->context, (uint8_t *)at);
}

static int image_item_compare(const hy_item *item, const void *a, const void *b) {
    return hyi_cell_compare((const hy_field *)item->context, (const uint8_t *)a,
                            (const uint8_t *)b);
}

// Nothing is put into sets by these items, so they need no hash.
hy_item hyi_cell_item(const hy_field *field) {
    bool holds = field->of != NULL || image_is_bytes(field);
    return (hy_item){ .size = field->size,
                      .retain = holds ? image_item_retain : NULL,
                      .release = holds ? image_item_release : NULL,
                      .compare = image_item_compare,
                      .context = field };
}

// ---- back to plain ----------------------------------------------------------------------------

static hy_err image_list_plain(const hy_field *field, const uint8_t *from, hy_arena *arena,
                               uint8_t *to) {
    size_t count = image_bytes(from).len, size = field->size;
    if (count == 0) return HY_OK;
    if (count > SIZE_MAX / 2 / size) return HY_NOMEM;
    uint8_t *cells = (uint8_t *)hy_arena_alloc(arena, count * size);
    if (cells == NULL) return HY_NOMEM;
    hy_bytes plain = { cells, count };
    memcpy(to, &plain, sizeof plain);
    const void *some;
    for (size_t at = 0, n; (n = hy_list_span(from, size, at, &some)) > 0; at += n) {
        memcpy(cells + at * size, some, n * size);
        for (size_t i = 0; field->of != NULL && i < n; i++) {
            hy_err err = hyi_image_plain(field->of, (const uint8_t *)some + i * size, arena,
                                         cells + (at + i) * size);
            if (err != HY_OK) return err;
        }
    }
    return HY_OK;
}

static hy_err image_member_plain(const hy_field *field, const uint8_t *from, hy_arena *arena,
                                 uint8_t *to) {
    if (field->label == HY_REPEATED) return image_list_plain(field, from, arena, to);
    if (field->of == NULL) return HY_OK;
    if (field->label == HY_SINGLE) return hyi_image_plain(field->of, from, arena, to);
    if (*from == 0) return HY_OK;
    return hyi_image_plain(field->of, from + field->align, arena, to + field->align);
}

hy_err hyi_image_plain(const hy_record *record, const uint8_t *image, hy_arena *arena,
                       uint8_t *to) {
    memcpy(to, image, record->size);
    if (record->is_union) {
        const hy_field *field = hyi_union_member(record, image);
        if (field == NULL) return HY_OK;
        return image_member_plain(field, image + field->offset, arena, to + field->offset);
    }
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        hy_err err =
            image_member_plain(&fields[i], image + fields[i].offset, arena, to + fields[i].offset);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}
