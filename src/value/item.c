// The item tables that come with the library: texts, references to values, structs of a record.
//
// All of them keep a copy of what the caller brought, made once; after that, versions and maps
// share it by counting.
#include "value/item.h"

#include "value/block.h"
#include "value/image.h"

static hy_text item_text(const void *at) {
    hy_text text;
    memcpy(&text, at, sizeof text);
    return text;
}

static hy_err item_text_keep(const hy_item *item, hy_mem *mem, void *to, const void *from) {
    (void)item;
    hy_text text;
    hy_err err = hyi_block_copy(mem, item_text(from), &text);
    memcpy(to, &text, sizeof text);
    return err;
}

static void item_text_retain(const hy_item *item, const void *at) {
    (void)item;
    hyi_block_retain(item_text(at));
}

static void item_text_release(const hy_item *item, hy_mem *mem, void *at) {
    (void)item;
    hyi_block_release(mem, item_text(at));
}

static int item_text_compare(const hy_item *item, const void *a, const void *b) {
    (void)item;
    hy_text x = item_text(a), y = item_text(b);
    return x.ptr == y.ptr && x.len == y.len ? 0 : hy_bytes_compare(x, y);
}

static uint64_t item_text_hash(const hy_item *item, const void *at) {
    (void)item;
    hy_text text = item_text(at);
    return hyi_digest(HYI_VALUE_SEED, text.ptr, text.len);
}

const hy_item hy_item_text = { .size = sizeof(hy_text),
                               .keep = item_text_keep,
                               .retain = item_text_retain,
                               .release = item_text_release,
                               .compare = item_text_compare,
                               .hash = item_text_hash };

// ---- references to values ---------------------------------------------------------------------

static hy_value *item_value(const void *at) {
    hy_value *value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void item_value_retain(const hy_item *item, const void *at) {
    (void)item;
    (void)hy_value_ref(item_value(at));
}

static void item_value_release(const hy_item *item, hy_mem *mem, void *at) {
    (void)item;
    (void)mem;
    (void)hy_value_unref(item_value(at));
}

static int item_value_compare(const hy_item *item, const void *a, const void *b) {
    (void)item;
    const hy_value *x = item_value(a), *y = item_value(b);
    if (x == y) return 0;
    const hy_record *record = hy_value_model(x)->record;
    HY_ASSERT(hy_value_model(y)->record == record);
    return hyi_image_compare(record, (const uint8_t *)hy_value_get(x),
                             (const uint8_t *)hy_value_get(y));
}

static uint64_t item_value_hash(const hy_item *item, const void *at) {
    (void)item;
    return hy_value_hash(item_value(at));
}

const hy_item hy_item_value = { .size = sizeof(hy_value *),
                                .retain = item_value_retain,
                                .release = item_value_release,
                                .compare = item_value_compare,
                                .hash = item_value_hash };

// ---- structs of a record ----------------------------------------------------------------------

static hy_err item_record_keep(const hy_item *item, hy_mem *mem, void *to, const void *from) {
    hyi_keeper keeper = { .mem = mem };
    return hyi_image_keep(&keeper, (const hy_record *)item->context, (uint8_t *)to,
                          (const uint8_t *)from);
}

static void item_record_retain(const hy_item *item, const void *at) {
    hyi_image_retain((const hy_record *)item->context, (const uint8_t *)at);
}

static void item_record_release(const hy_item *item, hy_mem *mem, void *at) {
    hyi_image_release(mem, (const hy_record *)item->context, (uint8_t *)at);
}

static int item_record_compare(const hy_item *item, const void *a, const void *b) {
    return hyi_image_compare((const hy_record *)item->context, (const uint8_t *)a,
                             (const uint8_t *)b);
}

static uint64_t item_record_hash(const hy_item *item, const void *at) {
    return hyi_image_hash((const hy_record *)item->context, (const uint8_t *)at);
}

hy_item hy_item_record(const hy_record *record) {
    return (hy_item){ .size = record->size,
                      .keep = item_record_keep,
                      .retain = item_record_retain,
                      .release = item_record_release,
                      .compare = item_record_compare,
                      .hash = item_record_hash,
                      .context = record };
}
