// Changes at the end of a path: only the records and list nodes on the way are copied, and only if
// somebody else holds them.
//
// The order of work is the same for all: follow the path and see what is there; ask the rules that
// see only the new content; make the new content; open the way, which copies what is shared; put
// the content there, which cannot fail; ask the rules that see the result. Where there are such
// rules on the way (a verifier of a record or of a field), the change is done on a version of its
// own, which is dropped if they refuse; else a value that nobody else holds is changed in place.
#include "base/cleanup.h"
#include "base/memory.h"
#include "schema/record.h"
#include "value/image.h"
#include "value/item.h"
#include "value/model.h"
#include "value/object.h"
#include "value/path.h"

typedef struct path_change {
    const hy_path *path;
    hy_value *old;
    hy_value *own; // the version to change: `old`, or a branch
    hyi_place place;
    hyi_verifier verifier;
    uint32_t deepest; // how deep the new content goes, counted from the root
} path_change;

// ---- rules ------------------------------------------------------------------------------------

static const hy_rule *change_rule(const path_change *change, uint32_t step) {
    return hyi_model_rule(change->old->model, change->place.records[step],
                          change->path->steps[step].field);
}

// The entry of the last key does not exist yet.
static bool change_is_new(const path_change *change) {
    return change->place.record_count < change->path->step_count;
}

static bool change_has_watch(const path_change *change, const hy_record *record) {
    const hy_shape *shape = hyi_model_shape(change->old->model, record);
    return shape != NULL && shape->verify != NULL;
}

// Is there a verifier on the way that must see the result?
static bool change_is_watched(const path_change *change) {
    for (uint32_t i = 0; i < change->place.record_count; i++) {
        if (change_has_watch(change, change->place.records[i])) return true;
        const hy_rule *rule = change_rule(change, i);
        if (rule != NULL && rule->verify != NULL) return true;
    }
    if (!change_is_new(change)) return false;
    return change_has_watch(change, change->path->steps[change->place.record_count - 1].field->of);
}

// The path of errors leads to the record in which the last step begins.
static void change_begin_path(path_change *change, uint32_t steps) {
    change->verifier.path.depth = 0;
    for (uint32_t i = 0; i < steps; i++) {
        bool fits = hyi_field_path_push(&change->verifier.path, change->path->steps[i].field,
                                        change->place.indexes[i]);
        HY_ASSERT(fits);
    }
}

// Asks the verifiers on the way, the innermost first.
static hy_err change_watch(path_change *change) {
    hyi_path_walk(change->own, change->path, &change->place);
    for (uint32_t i = change->place.record_count; i > 0; i--) {
        const hy_field *field = change->path->steps[i - 1].field;
        const hy_record *record = change->place.records[i - 1];
        const uint8_t *image = change->place.images[i - 1];
        const hy_rule *rule = change_rule(change, i - 1);
        change_begin_path(change, i - 1);
        hy_err err = HY_OK;
        if (!record->is_union || hyi_union_member(record, image) == field) {
            err = hyi_verify_field(&change->verifier, rule, field, image + field->offset);
        }
        if (err == HY_OK) err = hyi_verify_whole(&change->verifier, record, image);
        if (err != HY_OK) return err;
    }
    return HY_OK;
}

// ---- the way ----------------------------------------------------------------------------------

static hy_err change_begin(path_change *change, hy_value *value, const hy_path *path, hy_why *why) {
    change->path = path;
    change->old = change->own = value;
    change->verifier.model = value->model;
    change->verifier.why = why;
    change->deepest = 0;
    hyi_path_walk(value, path, &change->place);
    if (!change->place.reached) {
        return hyi_path_fail(path, why, HY_NOT_FOUND, "there is nothing here to be changed");
    }
    change_begin_path(change, change->place.record_count - 1);
    return HY_OK;
}

static hy_err change_branch(path_change *change) {
    if (change->old->refs == 1 && !change_is_watched(change)) return HY_OK;
    return hyi_value_branch(change->old, &change->own);
}

static void change_deepen(path_change *change, hyi_list *list, uint32_t records) {
    if (change->deepest > records && list->depth < change->deepest - records) {
        list->depth = change->deepest - records;
    }
}

// Makes the way to the beginning of step number `steps` one that nobody else sees.
static hy_err change_open(path_change *change, uint32_t steps, uint8_t **out_image) {
    uint8_t *image = change->own->image;
    hy_mem *mem = change->own->mem;
    for (uint32_t i = 0; i < steps; i++) {
        const hy_path_step *step = &change->path->steps[i];
        uint8_t *member = image + step->field->offset;
        if (step->pick == HYI_PATH_WHOLE) {
            image = step->field->label == HY_OPTIONAL ? member + step->field->align : member;
            continue;
        }
        hyi_list *list = NULL;
        hy_err err = hyi_list_own(mem, member, &list);
        if (err != HY_OK) return err;
        change_deepen(change, list, i + 1);
        hy_item item = hyi_cell_item(step->field);
        void *slot = NULL;
        err = hyi_seq_slot(&list->seq, mem, &item, change->place.indexes[i], &slot);
        if (err != HY_OK) return err;
        image = (uint8_t *)slot;
    }
    *out_image = image;
    return HY_OK;
}

// Ends the change with what came of it.
static hy_err change_end(path_change *change, hy_value **value, hy_err err) {
    if (err == HY_OK && change->own->depth < change->deepest) {
        change->own->depth = change->deepest;
    }
    if (err == HY_OK && change->own != change->old) err = change_watch(change);
    if (change->own == change->old) return err;
    hy_value_unref(err == HY_OK ? change->old : change->own);
    if (err == HY_OK) *value = change->own;
    return err;
}

static hy_err change_say(path_change *change, hy_err err) {
    return err == HY_OK ? HY_OK
                        : hyi_path_fail(change->path, change->verifier.why, err, hy_err_text(err));
}

// ---- set --------------------------------------------------------------------------------------

// The new content as the place holds it: a cell for an element, else a member.
typedef struct path_content {
    hyi_scratch plain, kept; // an option's member as a caller would have it; what the value keeps
    const uint8_t *member;   // plain
    const hy_field *field;
    hy_mem *mem;
    bool is_cell, is_full;
} path_content;

static void content_deinit(path_content *content) {
    if (content->is_full && content->is_cell) {
        hyi_cell_release(content->mem, content->field, content->kept.ptr);
    } else if (content->is_full) {
        hyi_member_release(content->mem, content->field, content->kept.ptr);
    }
    hyi_scratch_deinit(&content->plain);
    hyi_scratch_deinit(&content->kept);
}

static hy_err content_init(path_content *content, hy_mem *mem, const hy_field *field, bool is_cell,
                           const uint8_t *to) {
    content->mem = mem;
    content->field = field;
    content->is_cell = is_cell;
    content->is_full = false;
    content->member = to;
    content->kept.ptr = content->kept.local; // so that deinit is safe
    uint32_t size = is_cell ? field->size : hyi_field_stored_size(field);
    hy_err err = hyi_scratch_init(&content->plain, mem, size);
    if (err == HY_OK) err = hyi_scratch_init(&content->kept, mem, size);
    if (err != HY_OK || is_cell || field->label != HY_OPTIONAL) return err;
    memset(content->plain.ptr, 0, size);
    content->member = content->plain.ptr;
    if (to == NULL) return HY_OK;
    content->plain.ptr[0] = 1;
    memcpy(content->plain.ptr + field->align, to, field->size);
    return HY_OK;
}

// `record` is the one in which the content's field is.
static hy_err content_verify(path_change *change, const path_content *content,
                             const hy_record *record, size_t index) {
    hyi_verifier *verifier = &change->verifier;
    if (!content->is_cell) {
        return hyi_verify_member(verifier, record, content->field, content->member);
    }
    const hy_rule *rule = hyi_model_rule(change->old->model, record, content->field);
    hyi_field_step step = { .field = content->field, .index = index };
    return hyi_verify_cell(verifier, rule, step, content->member);
}

static hy_err content_keep(path_change *change, path_content *content) {
    uint32_t records = change->path->step_count; // that lie around the content
    hyi_keeper keeper = { .mem = content->mem, .depth = records, .deepest = records };
    hy_err err;
    if (content->is_cell) {
        err = hyi_cell_keep(&keeper, content->field, content->kept.ptr, content->member);
    } else {
        err = hyi_member_keep(&keeper, content->field, content->kept.ptr, content->member);
    }
    if (err != HY_OK) return err;
    content->is_full = true;
    change->deepest = keeper.deepest;
    return HY_OK;
}

// Gives the content to the place, and takes what was there.
static void content_put(path_content *content, const hy_record *record, uint8_t *image) {
    const hy_field *field = content->field;
    uint8_t *member = image + field->offset;
    if (record->is_union) {
        hyi_image_release(content->mem, record, image);
        memset(image, 0, record->size);
        memcpy(image, &field->number, sizeof field->number);
    } else {
        hyi_member_release(content->mem, field, member);
    }
    memcpy(member, content->kept.ptr, hyi_field_stored_size(field));
    content->is_full = false;
}

static hy_err change_put(path_change *change, path_content *content) {
    uint32_t last = change->path->step_count - 1;
    uint8_t *image = NULL;
    if (!content->is_cell) {
        hy_err err = change_open(change, last, &image);
        if (err == HY_OK) content_put(content, change->place.records[last], image);
        return err;
    }
    hy_err err = change_open(change, last + 1, &image); // to the element itself
    if (err != HY_OK) return err;
    hyi_cell_release(content->mem, content->field, image);
    memcpy(image, content->kept.ptr, content->field->size);
    content->is_full = false;
    return HY_OK;
}

// ---- a new key --------------------------------------------------------------------------------

// The step that leads to the list of entries is the last one that is there.
static hy_err entry_verify(path_change *change, const path_content *content) {
    uint32_t last = change->place.record_count - 1;
    const hy_path_step *step = &change->path->steps[last];
    const hy_record *entry = step->field->of;
    hy_bytes looks;
    memcpy(&looks, change->place.images[last] + step->field->offset, sizeof looks);
    hy_err err =
        hyi_verify_count(&change->verifier, change_rule(change, last), step->field, looks.len + 1);
    if (err != HY_OK) return err;
    change_begin_path(change, last + 1);
    hy_text key = hyi_path_key(change->path, step);
    err = hyi_verify_member(&change->verifier, entry, hyi_entry_key(entry), (const uint8_t *)&key);
    return err != HY_OK ? err : content_verify(change, content, entry, HYI_NO_INDEX);
}

// Puts an entry with the key behind the others.
static hy_err entry_add(path_change *change, path_content *content) {
    uint32_t last = change->place.record_count - 1;
    const hy_path_step *step = &change->path->steps[last];
    const hy_record *entry = step->field->of;
    hy_mem *mem = content->mem;
    HY_CLEANUP(hyi_scratch_deinit) hyi_scratch kept = { .ptr = kept.local };
    hy_err err = hyi_scratch_init(&kept, mem, entry->size);
    if (err != HY_OK) return err;
    memset(kept.ptr, 0, entry->size);
    hy_text key = hyi_path_key(change->path, step);
    hyi_keeper keeper = { .mem = mem };
    const hy_field *field = hyi_entry_key(entry);
    err = hyi_member_keep(&keeper, field, kept.ptr + field->offset, (const uint8_t *)&key);
    if (err != HY_OK) return err;
    uint8_t *image = NULL;
    hyi_list *list = NULL;
    err = change_open(change, last, &image);
    if (err == HY_OK) err = hyi_list_own(mem, image + step->field->offset, &list);
    if (err == HY_OK) {
        content_put(content, entry, kept.ptr);
        change_deepen(change, list, last + 1);
        hy_item item = hyi_cell_item(step->field);
        err = hyi_seq_add(&list->seq, mem, &item, kept.ptr);
        hyi_list_store(image + step->field->offset, list);
    }
    if (err != HY_OK) hyi_image_release(mem, entry, kept.ptr);
    return err;
}

hy_err hy_path_set(hy_value **value, const hy_path *path, const void *to, hy_why *why) {
    path_change change;
    hy_err err = change_begin(&change, *value, path, why);
    if (err != HY_OK) return err;
    const hy_path_step *last = hyi_path_last(path);
    HY_ASSERT(to != NULL || last->field->label == HY_OPTIONAL);
    const uint8_t *at = change.place.at, *new = (const uint8_t *)to;
    if (at == NULL && to == NULL) return HY_OK;
    if (at != NULL && to != NULL && hyi_path_compare(path, at, new) == 0) return HY_OK;
    HY_CLEANUP(content_deinit) path_content content;
    bool is_cell = last->pick == HYI_PATH_INDEX, is_new = change_is_new(&change);
    err = content_init(&content, (*value)->mem, last->field, is_cell, new);
    if (err != HY_OK) return change_say(&change, err);
    if (is_new) {
        err = entry_verify(&change, &content);
    } else {
        err = content_verify(&change, &content, change.place.records[path->step_count - 1],
                             last->index);
    }
    if (err != HY_OK) return err;
    err = content_keep(&change, &content);
    if (err == HY_OK) err = change_branch(&change);
    if (err == HY_OK) err = is_new ? entry_add(&change, &content) : change_put(&change, &content);
    return change_end(&change, value, change_say(&change, err));
}

// ---- push and pop -----------------------------------------------------------------------------

// The list at the end of the way, to be changed, and its member.
static hy_err change_open_list(path_change *change, uint8_t **out_member, hyi_list **out_list) {
    uint8_t *image = NULL;
    hy_err err = change_branch(change);
    if (err == HY_OK) err = change_open(change, change->path->step_count - 1, &image);
    if (err != HY_OK) return err;
    *out_member = image + hyi_path_last(change->path)->field->offset;
    err = hyi_list_own(change->own->mem, *out_member, out_list);
    if (err == HY_OK) change_deepen(change, *out_list, change->path->step_count);
    return err;
}

// `grows` by one element, or shrinks.
static hy_err change_begin_list(path_change *change, hy_value *value, const hy_path *path,
                                bool grows, hy_why *why, size_t *out_count) {
    const hy_path_step *last = hyi_path_last(path);
    if (last->field->label != HY_REPEATED || last->pick != HYI_PATH_WHOLE) {
        return hyi_path_fail(path, why, HY_TYPE, "there is no list here");
    }
    hy_err err = change_begin(change, value, path, why);
    if (err != HY_OK) return err;
    if (change->place.at == NULL) {
        return hyi_path_fail(path, why, HY_NOT_FOUND, "there is nothing here to be changed");
    }
    hy_bytes looks;
    memcpy(&looks, change->place.at, sizeof looks);
    if (looks.len == 0 && !grows) {
        return hyi_path_fail(path, why, HY_END, "the list is empty");
    }
    *out_count = looks.len;
    return hyi_verify_count(&change->verifier, change_rule(change, path->step_count - 1),
                            last->field, grows ? looks.len + 1 : looks.len - 1);
}

hy_err hy_path_push(hy_value **value, const hy_path *path, const void *element, hy_why *why) {
    path_change change;
    size_t count = 0;
    hy_err err = change_begin_list(&change, *value, path, true, why, &count);
    if (err != HY_OK) return err;
    uint32_t last = path->step_count - 1;
    const hy_field *field = path->steps[last].field;
    HY_CLEANUP(content_deinit) path_content content;
    err = content_init(&content, (*value)->mem, field, true, (const uint8_t *)element);
    if (err != HY_OK) return change_say(&change, err);
    err = content_verify(&change, &content, change.place.records[last], count);
    if (err != HY_OK) return err;
    err = content_keep(&change, &content);
    uint8_t *member = NULL;
    hyi_list *list = NULL;
    if (err == HY_OK) err = change_open_list(&change, &member, &list);
    if (err == HY_OK) {
        hy_item item = hyi_cell_item(field);
        err = hyi_seq_add(&list->seq, content.mem, &item, content.kept.ptr);
        if (err == HY_OK) content.is_full = false;
        hyi_list_store(member, list);
    }
    return change_end(&change, value, change_say(&change, err));
}

hy_err hy_path_pop(hy_value **value, const hy_path *path, hy_why *why) {
    path_change change;
    size_t count = 0;
    hy_err err = change_begin_list(&change, *value, path, false, why, &count);
    if (err != HY_OK) return err;
    uint8_t *member = NULL;
    hyi_list *list = NULL;
    err = change_open_list(&change, &member, &list);
    if (err == HY_OK) {
        hy_item item = hyi_cell_item(hyi_path_last(path)->field);
        err = hyi_seq_pop(&list->seq, change.own->mem, &item);
        hyi_list_store(member, list);
    }
    return change_end(&change, value, change_say(&change, err));
}
