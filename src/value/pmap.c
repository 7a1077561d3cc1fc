// Persistent maps: a hash trie with a name, a limit and holders; a set is a map without values.
//
// As with vectors, the head is one's own before anything changes, and a new head is dropped again
// on an error. Whether a key is there is asked first, with no effect at all: so an equal value
// changes nothing, and the limit is known before memory is spent.
#include "value/pmap.h"

#include "base/memory.h"
#include "value/item.h"

static const hy_item pmap_nothing = { .size = 0 };

hy_err hy_pmap_new(hy_mem *mem, const hy_item *key, const hy_item *value, size_t count_max,
                   hy_pmap **out_map) {
    if (value == NULL) value = &pmap_nothing;
    HY_ASSERT(key->size > 0);
    HY_ASSERT(key->size <= HY_ITEM_SIZE_MAX);
    HY_ASSERT(value->size <= HY_ITEM_SIZE_MAX);
    HY_ASSERT((key->retain == NULL) == (key->release == NULL));
    HY_ASSERT((value->retain == NULL) == (value->release == NULL));
    if (count_max == 0 || count_max > HY_VALUE_COUNT_MAX) count_max = HY_VALUE_COUNT_MAX;
    hy_pmap *map = (hy_pmap *)hy_mem_alloc(mem, sizeof *map);
    if (map == NULL) return HY_NOMEM;
    *map =
        (hy_pmap){ .refs = 1, .form = hyi_champ_form_of(mem, key, value), .count_max = count_max };
    *out_map = map;
    return HY_OK;
}

hy_pmap *hy_pmap_ref(hy_pmap *map) {
    HY_ASSERT(map->refs > 0);
    map->refs += 1;
    return map;
}

hy_pmap *hy_pmap_unref(hy_pmap *map) {
    if (map == NULL) return NULL;
    HY_ASSERT(map->refs > 0);
    map->refs -= 1;
    if (map->refs > 0) return NULL;
    hyi_champ_release(&map->form, map->root);
    hy_mem_free(map->form.mem, map, sizeof *map);
    return NULL;
}

size_t hy_pmap_count(const hy_pmap *map) {
    return map->count;
}

const void *hy_pmap_get(const hy_pmap *map, const void *key) {
    uint64_t hash = hyi_item_hash(map->form.key, key);
    const uint8_t *entry = hyi_champ_find(&map->form, map->root, hash, key);
    return entry == NULL ? NULL : entry + map->form.value_at;
}

hy_err hy_pmap_edit(const hy_pmap *map, hy_pmap **out_edit) {
    hy_pmap *edit = (hy_pmap *)hy_mem_alloc(map->form.mem, sizeof *edit);
    if (edit == NULL) return HY_NOMEM;
    *edit = *map;
    edit->refs = 1;
    if (edit->root != NULL) edit->root->refs += 1;
    *out_edit = edit;
    return HY_OK;
}

void hy_pmap_freeze(hy_pmap **map, hy_pmap **edit) {
    hy_pmap_unref(*map);
    *map = *edit;
    *edit = NULL;
}

static hy_err pmap_begin(hy_pmap *map, hy_pmap **out_own) {
    if (map->refs > 1) return hy_pmap_edit(map, out_own);
    *out_own = map;
    return HY_OK;
}

static hy_err pmap_end(hy_pmap **map, hy_pmap *own, hy_err err) {
    if (own == *map) return err;
    if (err != HY_OK) {
        hy_pmap_unref(own);
    } else {
        hy_pmap_freeze(map, &own);
    }
    return err;
}

// ---- put --------------------------------------------------------------------------------------

// Makes the map's own entry of what the caller brought, in `kept`.
static hy_err pmap_keep(const hyi_champ_form *form, const void *key, const void *value,
                        hyi_scratch *kept) {
    hy_err err = hyi_scratch_init(kept, form->mem, form->stride);
    if (err != HY_OK) return err;
    memset(kept->ptr, 0, form->stride);
    err = hyi_item_keep(form->key, form->mem, kept->ptr, key);
    if (err == HY_OK) {
        err = hyi_item_keep(form->value, form->mem, kept->ptr + form->value_at, value);
        if (err != HY_OK) hyi_item_release(form->key, form->mem, kept->ptr);
    }
    if (err != HY_OK) hyi_scratch_deinit(kept);
    return err;
}

static hy_err pmap_add(hy_pmap **map, uint64_t hash, const void *key, const void *value) {
    const hyi_champ_form form = (*map)->form;
    if ((*map)->count >= (*map)->count_max) return HY_LIMIT;
    hyi_scratch kept;
    hy_err err = pmap_keep(&form, key, value, &kept);
    if (err != HY_OK) return err;
    hy_pmap *own = NULL;
    err = pmap_begin(*map, &own);
    if (err == HY_OK) err = pmap_end(map, own, hyi_champ_add(&form, &own->root, hash, kept.ptr));
    if (err == HY_OK) {
        (*map)->count += 1;
    } else {
        hyi_item_release(form.key, form.mem, kept.ptr);
        hyi_item_release(form.value, form.mem, kept.ptr + form.value_at);
    }
    hyi_scratch_deinit(&kept);
    return err;
}

static hy_err pmap_replace(hy_pmap **map, uint64_t hash, const void *key, const void *value) {
    const hyi_champ_form form = (*map)->form;
    hyi_scratch kept;
    hy_err err = hyi_scratch_init(&kept, form.mem, form.value->size);
    if (err != HY_OK) return err;
    err = hyi_item_keep(form.value, form.mem, kept.ptr, value);
    if (err != HY_OK) {
        hyi_scratch_deinit(&kept);
        return err;
    }
    hy_pmap *own = NULL;
    uint8_t *slot = NULL;
    err = pmap_begin(*map, &own);
    if (err == HY_OK) {
        err = pmap_end(map, own, hyi_champ_slot(&form, &own->root, hash, key, &slot));
    }
    if (err == HY_OK) {
        hyi_item_release(form.value, form.mem, slot);
        memcpy(slot, kept.ptr, form.value->size);
    } else {
        hyi_item_release(form.value, form.mem, kept.ptr);
    }
    hyi_scratch_deinit(&kept);
    return err;
}

hy_err hy_pmap_put(hy_pmap **map, const void *key, const void *value) {
    const hyi_champ_form *form = &(*map)->form;
    uint64_t hash = hyi_item_hash(form->key, key);
    const uint8_t *entry = hyi_champ_find(form, (*map)->root, hash, key);
    if (entry == NULL) return pmap_add(map, hash, key, value);
    if (hyi_item_compare(form->value, entry + form->value_at, value) == 0) return HY_OK;
    return pmap_replace(map, hash, key, value);
}

hy_err hy_pmap_remove(hy_pmap **map, const void *key) {
    const hyi_champ_form form = (*map)->form;
    uint64_t hash = hyi_item_hash(form.key, key);
    if (hyi_champ_find(&form, (*map)->root, hash, key) == NULL) return HY_NOT_FOUND;
    hy_pmap *own = NULL;
    hy_err err = pmap_begin(*map, &own);
    if (err != HY_OK) return err;
    err = pmap_end(map, own, hyi_champ_drop(&form, &own->root, hash, key));
    if (err == HY_OK) (*map)->count -= 1;
    return err;
}

// ---- the whole --------------------------------------------------------------------------------

bool hy_pmap_equal(const hy_pmap *a, const hy_pmap *b) {
    if (a == b) return true;
    bool same_form = a->form.key->size == b->form.key->size &&
                     a->form.value->size == b->form.value->size && a->form.stride == b->form.stride;
    return same_form && a->count == b->count && hyi_champ_equal(&a->form, a->root, b->root);
}

uint64_t hy_pmap_hash(const hy_pmap *map) {
    const hyi_champ_form *form = &map->form;
    uint64_t hash = map->count;
    hy_pmap_cursor cursor = hy_pmap_first(map);
    for (const void *key, *value; hy_pmap_next(&cursor, &key, &value);) {
        hash = hyi_hash_join(hash, hyi_item_hash(form->key, key));
        hash = hyi_hash_join(hash, hyi_item_hash(form->value, value));
    }
    return hash;
}

bool hy_pmap_holds(const hy_pmap *map) {
    HY_ASSERT(map->refs > 0);
    HY_ASSERT(map->count <= map->count_max);
    HY_ASSERT(hyi_champ_holds(&map->form, map->root, 0, 0) == map->count);
    return true;
}
