// hypha/value.h - values that never change: records, vectors, maps.      Room: value.
// Includes: base, schema.
// Threads: counts of holders are not atomic: a value, and all that shares with it, has one owner.
//
// A change gives a new version that shares everything else with the old one. The functions that
// change take the address of your reference and leave the new version there:
//
//     hy_vec *old = hy_vec_ref(v);       keep the old version: hold it, too
//     err = hy_vec_push(&v, &item);      v is the new version; `old` has not changed
//
// Nobody else holds it? Then it is changed in place, which nobody can see, so a loop of changes
// costs what it costs in an array. What you read from a version is borrowed, and stays until you
// give up your reference to it: by unref, or by handing it to a change. On every error the
// reference is what it was.
//
// Order never depends on history or addresses: equal maps iterate equally.
#ifndef HYPHA_VALUE_H
#define HYPHA_VALUE_H

#include <hypha/base.h>
#include <hypha/schema.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HY_VALUE_COUNT_MAX INT32_MAX // entries of a vector, a map, a list in a record
#define HY_ITEM_SIZE_MAX (1u << 20)
#define HY_PATH_STEPS_MAX 16
#define HY_PATH_KEYS_MAX 128 // bytes of all keys of a path

// ---- items ------------------------------------------------------------------------------------

// What lies in vectors and maps: `size` bytes, copied by value. The functions are for items that
// hold something; each may be NULL. Without them items are compared and hashed by their bytes, so
// they must have no padding.
typedef struct hy_item hy_item;
struct hy_item {
    uint32_t size; // a multiple of the alignment, as sizeof gives it
    // Makes in *to (any content) an item of its own out of what a caller brought. HY_NOMEM, ...
    // NULL: the bytes, and `retain`.
    hy_err (*keep)(const hy_item *item, hy_mem *mem, void *to, const void *from);
    void (*retain)(const hy_item *item, const void *at); // there is one copy more
    void (*release)(const hy_item *item, hy_mem *mem, void *at);
    int (*compare)(const hy_item *item, const void *a, const void *b); // a total order
    uint64_t (*hash)(const hy_item *item, const void *at);             // equal items, equal hashes
    const void *context;
};

HY_API extern const hy_item hy_item_text;  // hy_text; its bytes are copied once and then shared
HY_API extern const hy_item hy_item_value; // hy_value *; holds a reference
HY_API hy_item hy_item_record(const hy_record *record); // its struct, copied deeply, then shared

// ---- vectors ----------------------------------------------------------------------------------

typedef struct hy_vec hy_vec;

// `item` is borrowed for as long as a version lives. count_max 0: HY_VALUE_COUNT_MAX. HY_NOMEM.
HY_API HY_CHECKED hy_err hy_vec_new(hy_mem *mem, const hy_item *item, size_t count_max,
                                    hy_vec **out_vec);
HY_API hy_vec *hy_vec_ref(hy_vec *vec);   // one holder more; returns `vec`
HY_API hy_vec *hy_vec_unref(hy_vec *vec); // NULL is fine; returns NULL

HY_API size_t hy_vec_count(const hy_vec *vec);
HY_API const void *hy_vec_at(const hy_vec *vec, size_t index); // NULL past the end
// How many items lie side by side from `index` on, and the first of them; 0 at the end. The fast
// way to walk: for (size_t i = 0; (n = hy_vec_span(vec, i, &items)) > 0; i += n)
HY_API size_t hy_vec_span(const hy_vec *vec, size_t index, const void **out_items);

// HY_LIMIT, HY_NOMEM, what `keep` says. Items are copied in (see hy_item).
HY_API HY_CHECKED hy_err hy_vec_push(hy_vec **vec, const void *item);
HY_API HY_CHECKED hy_err hy_vec_set(hy_vec **vec, size_t index, const void *item); // HY_RANGE
HY_API HY_CHECKED hy_err hy_vec_pop(hy_vec **vec);                                 // HY_END

// A batch that happens as a whole: change the edit as often as you like, each node is copied at
// most once; then freeze it, or unref it and nothing has happened. HY_NOMEM.
HY_API HY_CHECKED hy_err hy_vec_edit(const hy_vec *vec, hy_vec **out_edit);
HY_API void hy_vec_freeze(hy_vec **vec, hy_vec **edit); // *vec becomes *edit, which becomes NULL

// Skip what both share.
HY_API bool hy_vec_equal(const hy_vec *a, const hy_vec *b);
HY_API uint64_t hy_vec_hash(const hy_vec *vec);

// The next index, from *index on, at which the versions differ; leaves it in *index. Missing items
// are NULL. False at the end. Start with 0, and go on with *index + 1.
HY_API bool hy_vec_diff(const hy_vec *before, const hy_vec *after, size_t *index,
                        const void **out_before, const void **out_after);

HY_API bool hy_vec_holds(const hy_vec *vec); // checks every invariant; asserts inside

// ---- maps and sets ----------------------------------------------------------------------------

// A map without a value item (NULL) is a set.
typedef struct hy_pmap hy_pmap;

HY_API HY_CHECKED hy_err hy_pmap_new(hy_mem *mem, const hy_item *key, const hy_item *value,
                                     size_t count_max, hy_pmap **out_map);
HY_API hy_pmap *hy_pmap_ref(hy_pmap *map);
HY_API hy_pmap *hy_pmap_unref(hy_pmap *map); // NULL is fine; returns NULL

HY_API size_t hy_pmap_count(const hy_pmap *map);
// The value of `key`, or NULL; of a set, something that is not NULL.
HY_API const void *hy_pmap_get(const hy_pmap *map, const void *key);

// Adds or replaces; the same version when the value is equal. HY_LIMIT, HY_NOMEM, what `keep` says.
HY_API HY_CHECKED hy_err hy_pmap_put(hy_pmap **map, const void *key, const void *value);
HY_API HY_CHECKED hy_err hy_pmap_remove(hy_pmap **map, const void *key); // HY_NOT_FOUND, HY_NOMEM

// As hy_vec_edit.
HY_API HY_CHECKED hy_err hy_pmap_edit(const hy_pmap *map, hy_pmap **out_edit);
HY_API void hy_pmap_freeze(hy_pmap **map, hy_pmap **edit);

HY_API bool hy_pmap_equal(const hy_pmap *a, const hy_pmap *b);
HY_API uint64_t hy_pmap_hash(const hy_pmap *map);

#define HYI_PMAP_LEVELS 14

// Every entry once, in an order that depends on the contents only. Borrows the version.
typedef struct hy_pmap_cursor {
    const hy_pmap *map;
    uint32_t depth;
    struct {
        const struct hyi_champ *node;
        uint32_t next;
    } levels[HYI_PMAP_LEVELS];
} hy_pmap_cursor;
HY_API hy_pmap_cursor hy_pmap_first(const hy_pmap *map);
HY_API bool hy_pmap_next(hy_pmap_cursor *cursor, const void **out_key, const void **out_value);

// Every key whose value differs; what both versions share costs nothing. A missing side is NULL.
typedef struct hy_pmap_change {
    const void *key, *before, *after;
} hy_pmap_change;

typedef struct hy_pmap_diff {
    const hy_pmap *map; // only for its items
    uint32_t depth;
    struct {
        const struct hyi_champ *nodes[2];
        const uint8_t *lone[2]; // a single entry in place of a node
        uint64_t hashes[2];     // of it
        uint32_t left, at[2];   // bits still to visit; places among colliding keys
    } levels[HYI_PMAP_LEVELS];
    const uint8_t *added; // an addition that was met together with a removal
} hy_pmap_diff;
HY_API hy_pmap_diff hy_pmap_diff_first(const hy_pmap *before, const hy_pmap *after);
HY_API bool hy_pmap_diff_next(hy_pmap_diff *diff, hy_pmap_change *out_change);

HY_API bool hy_pmap_holds(const hy_pmap *map); // checks every invariant; asserts inside

// ---- models: what is demanded of a record -----------------------------------------------------

typedef struct hy_range {
    int64_t min, max; // both belong to it
} hy_range;

// The address of a value of that member's type, as a constant: HY_MEMBER(user, age, 18)
#define HY_MEMBER(type, member, ...)                                                               \
    (&(const struct { __typeof__(((type *)0)->member) of; }){ __VA_ARGS__ })

// What is demanded of one field, and how it looks outside. All but `field` may be left out.
typedef struct hy_rule {
    const char *field;
    const char *alias;       // the name in JSON; the field's own is read, too
    const char *description; // for JSON Schema
    const char *fragment;    // more members for JSON Schema: "\"format\": \"email\""
    bool required;           // JSON must give it
    const void *fallback;    // HY_MEMBER(...): what it is when JSON does not give it
    // The same, made when it is wanted; may take memory from `arena`.
    hy_err (*make)(void *context, hy_arena *arena, void *member);
    // Of each value (in an option, in a list):
    const hy_range *range;         // of a number; of a double, whole ends up to 2^53
    const hy_range *length;        // of a text in characters, of bytes in bytes
    bool (*accepts)(hy_text text); // of a text or bytes
    // Of the whole field:
    const hy_range *count;                                            // elements of a list
    hy_err (*verify)(void *context, const void *member, hy_why *why); // reads lists by HY_AT
} hy_rule;

typedef struct hy_shape {
    const hy_record *record;
    const char *description;
    const hy_rule *rules;
    uint32_t rule_count;
    // Of the whole record, when its fields are in order; reads lists by HY_AT.
    hy_err (*verify)(void *context, const void *value, hy_why *why);
} hy_shape;

// A record with the shapes of those records in it (and itself) of which something is demanded.
typedef struct hy_model {
    const hy_record *record;
    const hy_shape *shapes;
    uint32_t shape_count;
    void *context; // handed to `make` and `verify`
} hy_model;

// Do records, fields and rules fit? HY_SCHEMA with the place. Call it once at start.
HY_API HY_CHECKED hy_err hy_model_check(const hy_model *model, hy_why *why);

// Does a struct (plain or of a value) keep the rules? HY_RANGE, HY_NOT_UTF8, HY_TOO_DEEP or what a
// verifier said, with the full path in `why`: "slots[2].note".
HY_API HY_CHECKED hy_err hy_model_verify(const hy_model *model, const void *value, hy_why *why);

// As hy_export_json_schema, with aliases, defaults, limits and descriptions. HY_SCHEMA, HY_NOMEM.
HY_API HY_CHECKED hy_err hy_model_export_json_schema(const hy_model *model, hy_buf *out);

// ---- values: immutable records ----------------------------------------------------------------

typedef struct hy_value hy_value;

// Copies a struct deeply; verifies it first. `model` is borrowed for the value's life. Errors of
// hy_model_verify, HY_NOMEM.
HY_API HY_CHECKED hy_err hy_value_new(hy_mem *mem, const hy_model *model, const void *from,
                                      hy_value **out_value, hy_why *why);
HY_API hy_value *hy_value_ref(hy_value *value);
HY_API hy_value *hy_value_unref(hy_value *value); // NULL is fine; returns NULL

// The struct, to be read: const user *u = hy_value_get(v). All is as the C compiler says but lists:
// `len` is their count, and their elements are read by HY_AT(u->slots, i), not by `ptr`.
HY_API const void *hy_value_get(const hy_value *value);
HY_API const hy_model *hy_value_model(const hy_value *value);

// An element of a list, in a plain struct and in a value; NULL past the end.
#define HY_AT(list, index)                                                                         \
    ((const __typeof__(*(list).ptr) *)hy_list_at(&(list), sizeof *(list).ptr, (index)))
HY_API const void *hy_list_at(const void *list, size_t item_size, size_t index);
// As hy_vec_span.
HY_API size_t hy_list_span(const void *list, size_t item_size, size_t index,
                           const void **out_items);

// HY_SET(user, email, HY_BYTES("a@b.c")): a field and its new content.
typedef struct hy_value_change {
    const char *field;
    const void *member;
} hy_value_change;
#define HY_SET(type, member, ...)                                                                  \
    { #member, HY_MEMBER(type, member, __VA_ARGS__) }
#define HY_CHANGES(...)                                                                            \
    (const hy_value_change[]){ __VA_ARGS__ },                                                      \
        sizeof((hy_value_change[]){ __VA_ARGS__ }) / sizeof(hy_value_change)

// Changes some fields: hy_value_with(&v, HY_CHANGES(HY_SET(user, age, 7)), why). Only they are
// verified and copied; the rest is shared. The same value when nothing changes. Of a field named
// twice the last one counts. HY_UNKNOWN_FIELD and the errors of hy_value_new.
HY_API HY_CHECKED hy_err hy_value_with(hy_value **value, const hy_value_change *changes,
                                       size_t count, hy_why *why);

// Field by field, doubles by their bits; what both share is skipped. The records must be the same
// description, else they are not equal.
HY_API bool hy_value_equal(const hy_value *a, const hy_value *b);
HY_API uint64_t hy_value_hash(const hy_value *value);

// JSON as schema.h says, with aliases and defaults: both names of a field at once are refused, and
// HY_MISSING where a required field is not given.
HY_API HY_CHECKED hy_err hy_value_from_json(hy_mem *mem, const hy_model *model, hy_bytes text,
                                            hy_value **out_value, hy_why *why);
HY_API HY_CHECKED hy_err hy_value_to_json(const hy_value *value, hy_buf *out);

// The plain struct, for hy_wire_encode, a row, a reply: lists are laid out in `arena`, texts are
// borrowed from the value. HY_NOMEM.
HY_API HY_CHECKED hy_err hy_value_plain(const hy_value *value, hy_arena *arena, void *out_struct);

HY_API bool hy_value_holds(const hy_value *value); // checks every invariant; asserts inside

// ---- paths ------------------------------------------------------------------------------------

// "a.b[0].c", and "prices[\"EUR\"].cents" where `prices` is a list of records with a text `key` and
// a `value`, as Protocol Buffers have maps. A compiled path is a value; nothing is freed.
typedef struct hy_path_step {
    const hy_field *field;
    uint32_t pick; // the whole field, an element, the entry of a key
    uint32_t key_start, key_len;
    size_t index;
} hy_path_step;

typedef struct hy_path {
    const hy_record *record;
    uint32_t step_count, key_used;
    hy_path_step steps[HY_PATH_STEPS_MAX];
    uint8_t keys[HY_PATH_KEYS_MAX];
} hy_path;

// HY_MALFORMED, HY_UNKNOWN_FIELD, HY_TYPE (an index where no list is), HY_RANGE, HY_NOT_UTF8,
// HY_LIMIT; `why` has the offset and the part of the text before it.
HY_API HY_CHECKED hy_err hy_path_parse(hy_path *out_path, const hy_record *record, hy_text text,
                                       hy_why *why);
// The field at the end, and whether the path ends at one element of its list.
HY_API const hy_field *hy_path_field(const hy_path *path, bool *out_is_element);

// What is there: a value of the field's type; for a whole list, its struct. NULL when there is
// nothing: an index past the end, an unset option, another member of a union, an unknown key.
HY_API const void *hy_path_get(const hy_value *value, const hy_path *path);

// Changes one place; only the records and list nodes on the way are copied, if they are shared. An
// option is set, or unset by NULL; a union changes to the member; a last unknown key adds its
// entry. HY_NOT_FOUND when something on the way is not there; errors of hy_value_new.
HY_API HY_CHECKED hy_err hy_path_set(hy_value **value, const hy_path *path, const void *to,
                                     hy_why *why);
// The path of a whole list: one element more, or the last one away (HY_END). Same errors, HY_TYPE.
HY_API HY_CHECKED hy_err hy_path_push(hy_value **value, const hy_path *path, const void *element,
                                      hy_why *why);
HY_API HY_CHECKED hy_err hy_path_pop(hy_value **value, const hy_path *path, hy_why *why);

// ---- requirements -----------------------------------------------------------------------------

// A condition that can be read as well as checked, so that a store may make a query of it.
typedef enum hy_need_kind {
    HY_NEED_ALL = 1, // of `parts`; with none it holds
    HY_NEED_ANY,     // of `parts`; with none it does not
    HY_NEED_EQUAL,   // what is at `path` to operands[0]; nothing there is equal to nothing
    HY_NEED_NOT_EQUAL,
    HY_NEED_BELOW,        // what is there is less: numbers, texts by their bytes, ids
    HY_NEED_ABOVE,        // it is greater
    HY_NEED_CONTAINS,     // the list at `path` has operands[0]
    HY_NEED_CONTAINS_ANY, // the list has one of the operands
    HY_NEED_CONTAINED_IN, // what is at `path` is one of the operands
    HY_NEED_TEXT_MATCH,   // each word of the text operands[0] is in the text, whatever the case
} hy_need_kind;

typedef struct hy_need hy_need;
struct hy_need {
    hy_need_kind kind;
    const hy_path *path;
    const void *const *operands; // values of the type at `path` (of an element, for CONTAINS)
    uint32_t operand_count;
    const hy_need *parts;
    uint32_t part_count;
};

// HY_OK, or HY_REJECT with the path of the first condition that does not hold. Every path must be
// of the value's record. Nested at most HY_DEPTH_MAX deep, else HY_TOO_DEEP.
HY_API HY_CHECKED hy_err hy_need_check(const hy_need *need, const hy_value *value, hy_why *why);
// Those values (items hy_value *) that meet the need, in their order; count_max stays. HY_NOMEM.
HY_API HY_CHECKED hy_err hy_need_filter(const hy_need *need, const hy_vec *values,
                                        hy_vec **out_vec);

#ifdef __cplusplus
}
#endif
#endif
