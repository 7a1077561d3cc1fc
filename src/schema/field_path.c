// The words for a place in a value: "alternatives[2].minute".
//
// Invariants: the text is cut at the size of `place`, never written past it; a cut path ends in
// "..." so that nobody takes it for the whole one.
#include "schema/field_path.h"

#include "base/memory.h"

typedef struct field_path_text {
    char text[sizeof(((hy_why *)0)->place)];
    size_t len;
    bool cut;
} field_path_text;

static void field_path_add_step(field_path_text *place, hyi_field_step step);
static void field_path_add(field_path_text *place, const char *text);
static void field_path_add_index(field_path_text *place, size_t index);

hy_err hyi_field_path_fail(const hyi_field_path *path, hyi_field_step last, hy_why *why,
                           hy_err code, uint64_t offset, const char *text) {
    if (why == NULL) return code;
    field_path_text place = { .len = 0 };
    for (uint32_t i = 0; i < path->depth; i++) {
        field_path_add_step(&place, path->steps[i]);
    }
    if (last.field != NULL) field_path_add_step(&place, last);
    if (place.cut) memcpy(place.text + sizeof place.text - 4, "...", 4);
    hy_why_set(why, code, place.text, text);
    why->offset = offset;
    return code;
}

static void field_path_add_step(field_path_text *place, hyi_field_step step) {
    if (place->len > 0) field_path_add(place, ".");
    field_path_add(place, step.field->name);
    if (step.index != HYI_NO_INDEX) field_path_add_index(place, step.index);
}

static void field_path_add(field_path_text *place, const char *text) {
    for (; *text != '\0'; text++) {
        if (place->len + 1 >= sizeof place->text) {
            place->cut = true;
            return;
        }
        place->text[place->len++] = *text;
    }
}

static void field_path_add_index(field_path_text *place, size_t index) {
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    digits[--at] = ']';
    do {
        digits[--at] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    digits[--at] = '[';
    field_path_add(place, digits + at);
}
