// model.h - looking things up in models.                       Room: value. Includes: base, schema.
// Threads: models are constant.
#ifndef HYPHA_VALUE_MODEL_H
#define HYPHA_VALUE_MODEL_H

#include <hypha/value.h>

#include "schema/field_path.h"

// What is demanded of that record, of that field of it; NULL for nothing.
const hy_shape *hyi_model_shape(const hy_model *model, const hy_record *record);
const hy_rule *hyi_model_rule(const hy_model *model, const hy_record *record,
                              const hy_field *field);

// Verifying, and where it is.
typedef struct hyi_verifier {
    const hy_model *model;
    hy_why *why;
    hyi_field_path path;
} hyi_verifier;

// One member of a record; one value of it (`index` in its list, or HYI_NO_INDEX); how many elements
// its list may have; the whole of a record that is in order otherwise. Structs may be plain or of a
// value. On an error `why` has the path.
HY_CHECKED hy_err hyi_verify_member(hyi_verifier *verifier, const hy_record *record,
                                    const hy_field *field, const uint8_t *member);
HY_CHECKED hy_err hyi_verify_cell(hyi_verifier *verifier, const hy_rule *rule, hyi_field_step step,
                                  const uint8_t *cell);
HY_CHECKED hy_err hyi_verify_count(hyi_verifier *verifier, const hy_rule *rule,
                                   const hy_field *field, size_t count);
HY_CHECKED hy_err hyi_verify_field(hyi_verifier *verifier, const hy_rule *rule,
                                   const hy_field *field, const uint8_t *member);
HY_CHECKED hy_err hyi_verify_whole(hyi_verifier *verifier, const hy_record *record,
                                   const uint8_t *image);

#endif
