// Immutable records: one block with a head and the C struct, that holds what it points to.
//
// A change of some fields makes a new block; texts and lists that were not named are shared, which
// costs one increment each. Fields that are named but equal are dropped first, so a change that
// changes nothing gives back the same value. Rules are asked before anything is made, except those
// of the whole record: they see the new struct, which is dropped again if they refuse.
#include "value/object.h"

#include "base/memory.h"
#include "schema/record.h"
#include "value/image.h"
#include "value/model.h"

hy_value *hyi_value_alloc(hy_mem *mem, const hy_model *model) {
    size_t size = sizeof(hy_value) + model->record->size;
    hy_value *value = (hy_value *)hy_mem_alloc_zero(mem, size);
    if (value == NULL) return NULL;
    value->refs = 1;
    value->depth = 1;
    value->mem = mem;
    value->model = model;
    return value;
}

void hyi_value_free(hy_value *value) {
    hy_mem_free(value->mem, value, sizeof *value + value->model->record->size);
}

hy_err hyi_value_branch(const hy_value *value, hy_value **out_value) {
    const hy_record *record = value->model->record;
    hy_value *branch = hyi_value_alloc(value->mem, value->model);
    if (branch == NULL) return HY_NOMEM;
    branch->depth = value->depth;
    memcpy(branch->image, value->image, record->size);
    hyi_image_retain(record, branch->image);
    *out_value = branch;
    return HY_OK;
}

hy_err hy_value_new(hy_mem *mem, const hy_model *model, const void *from, hy_value **out_value,
                    hy_why *why) {
    hy_err err = hy_model_verify(model, from, why);
    if (err != HY_OK) return err;
    hy_value *value = hyi_value_alloc(mem, model);
    if (value == NULL) return hy_why_set(why, HY_NOMEM, "", "no memory for the value");
    hyi_keeper keeper = { .mem = mem };
    err = hyi_image_keep(&keeper, model->record, value->image, (const uint8_t *)from);
    value->depth = keeper.deepest;
    if (err != HY_OK) {
        hyi_value_free(value);
        return hy_why_set(why, err, "", hy_err_text(err));
    }
    *out_value = value;
    return HY_OK;
}

hy_value *hy_value_ref(hy_value *value) {
    HY_ASSERT(value->refs > 0);
    value->refs += 1;
    return value;
}

hy_value *hy_value_unref(hy_value *value) {
    if (value == NULL) return NULL;
    HY_ASSERT(value->refs > 0);
    value->refs -= 1;
    if (value->refs > 0) return NULL;
    hyi_image_release(value->mem, value->model->record, value->image);
    hyi_value_free(value);
    return NULL;
}

const void *hy_value_get(const hy_value *value) {
    return value->image;
}

const hy_model *hy_value_model(const hy_value *value) {
    return value->model;
}

bool hy_value_equal(const hy_value *a, const hy_value *b) {
    if (a == b) return true;
    const hy_record *record = a->model->record;
    return record == b->model->record && hyi_image_compare(record, a->image, b->image) == 0;
}

uint64_t hy_value_hash(const hy_value *value) {
    return hyi_image_hash(value->model->record, value->image);
}

hy_err hy_value_plain(const hy_value *value, hy_arena *arena, void *out_struct) {
    return hyi_image_plain(value->model->record, value->image, arena, (uint8_t *)out_struct);
}

// ---- with -------------------------------------------------------------------------------------

// For each field of the record what it becomes, or NULL.
typedef struct value_plan {
    const uint8_t *members[HY_FIELDS_MAX];
    bool changes;
} value_plan;

static hy_err value_plan_make(const hy_value *value, const hy_value_change *changes, size_t count,
                              value_plan *plan, hy_why *why) {
    const hy_record *record = value->model->record;
    const hy_field *fields = hy_record_fields(record);
    memset(plan->members, 0, record->field_count * sizeof plan->members[0]);
    plan->changes = false;
    for (size_t i = 0; i < count; i++) {
        const hy_field *field = hyi_record_field_named(record, hy_bytes_of(changes[i].field));
        if (field == NULL) {
            return hy_why_set(why, HY_UNKNOWN_FIELD, changes[i].field, "there is no such field");
        }
        plan->members[field - fields] = (const uint8_t *)changes[i].member;
    }
    hyi_verifier verifier = { .model = value->model, .why = why };
    for (uint32_t i = 0; i < record->field_count; i++) {
        const uint8_t *member = plan->members[i];
        if (member == NULL) continue;
        if (hyi_member_compare(&fields[i], value->image + fields[i].offset, member) == 0) {
            plan->members[i] = NULL;
            continue;
        }
        hy_err err = hyi_verify_member(&verifier, record, &fields[i], member);
        if (err != HY_OK) return err;
        plan->changes = true;
    }
    return HY_OK;
}

// Fills a cleared value from an old one and a plan.
static hy_err value_fill(hy_value *value, const hy_value *old, const value_plan *plan) {
    const hy_record *record = old->model->record;
    const hy_field *fields = hy_record_fields(record);
    hyi_keeper keeper = { .mem = old->mem, .depth = 1, .deepest = old->depth };
    hy_err err = HY_OK;
    for (uint32_t i = 0; i < record->field_count && err == HY_OK; i++) {
        uint8_t *to = value->image + fields[i].offset;
        if (plan->members[i] != NULL) {
            err = hyi_member_keep(&keeper, &fields[i], to, plan->members[i]);
            continue;
        }
        memcpy(to, old->image + fields[i].offset, hyi_field_stored_size(&fields[i]));
        hyi_member_retain(&fields[i], to);
    }
    value->depth = keeper.deepest;
    return err;
}

hy_err hy_value_with(hy_value **value, const hy_value_change *changes, size_t count, hy_why *why) {
    hy_value *old = *value;
    HY_ASSERT(!old->model->record->is_union);
    value_plan plan;
    hy_err err = value_plan_make(old, changes, count, &plan, why);
    if (err != HY_OK || !plan.changes) return err;
    hy_value *new = hyi_value_alloc(old->mem, old->model);
    if (new == NULL) return hy_why_set(why, HY_NOMEM, "", "no memory for the value");
    err = value_fill(new, old, &plan);
    if (err != HY_OK) (void)hy_why_set(why, err, "", hy_err_text(err));
    hyi_verifier verifier = { .model = old->model, .why = why };
    if (err == HY_OK) err = hyi_verify_whole(&verifier, old->model->record, new->image);
    hy_value_unref(err == HY_OK ? old : new);
    if (err == HY_OK) *value = new;
    return err;
}

// ---- invariants -------------------------------------------------------------------------------

static void value_image_holds(const hy_record *record, const uint8_t *image, uint32_t depth);

static void value_member_holds(const hy_field *field, const uint8_t *member, uint32_t depth) {
    if (field->label == HY_REPEATED) {
        const hyi_list *list = hyi_list_of(member);
        hy_bytes looks;
        memcpy(&looks, member, sizeof looks);
        HY_ASSERT((list == NULL) == (looks.len == 0));
        if (list == NULL) return;
        HY_ASSERT(list->seq.count == looks.len);
        HY_ASSERT(list->depth <= depth);
        HY_ASSERT(hyi_seq_holds(&list->seq, field->size));
        for (size_t i = 0; field->of != NULL && i < list->seq.count; i++) {
            HY_ASSERT(list->depth > 0);
            value_image_holds(field->of, (const uint8_t *)hyi_seq_at(&list->seq, field->size, i),
                              list->depth - 1);
        }
        return;
    }
    if (field->of == NULL || (field->label == HY_OPTIONAL && *member == 0)) return;
    HY_ASSERT(depth > 0);
    value_image_holds(field->of, field->label == HY_OPTIONAL ? member + field->align : member,
                      depth - 1);
}

// `depth` is how many records may still follow below this one.
static void value_image_holds(const hy_record *record, const uint8_t *image, uint32_t depth) {
    if (record->is_union) {
        const hy_field *field = hyi_union_member(record, image);
        if (field != NULL) value_member_holds(field, image + field->offset, depth);
        return;
    }
    const hy_field *fields = hy_record_fields(record);
    for (uint32_t i = 0; i < record->field_count; i++) {
        value_member_holds(&fields[i], image + fields[i].offset, depth);
    }
}

bool hy_value_holds(const hy_value *value) {
    HY_ASSERT(value->refs > 0);
    HY_ASSERT(value->depth > 0);
    HY_ASSERT(value->depth <= HY_DEPTH_MAX);
    value_image_holds(value->model->record, value->image, value->depth - 1);
    return true;
}
