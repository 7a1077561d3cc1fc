// log.c - what a program says while it runs.
//
// A record knows its scope, and through it trace and span, so nobody has to pass them. Records go
// to the sinks at once and into a ring of the latest; a level that is not wanted costs a
// comparison.
#include "observe/watch.h"

#include "scope/above.h"

static void log_keep(hy_observe *observe, const hy_log_record *record) {
    hyi_kept_log *kept = &observe->logs[record->number % observe->options.logs_kept];
    kept->record = *record;
    hyi_keep_name(kept->name, sizeof kept->name, record->scope);
    kept->record.scope = kept->name;
    hyi_keep_name(kept->text, sizeof kept->text, record->text);
    kept->record.text = kept->text;
    kept->record.field_count = hyi_keep_fields(kept->fields, HYI_LOG_FIELDS_MAX, kept->texts,
                                               HYI_TEXT_ROOM, record->fields, record->field_count);
    kept->record.fields = kept->fields;
}

// What a sink itself logs is kept, but told to no sink: it would go round for ever.
static void log_tell(hy_observe *observe, const hy_log_record *record) {
    if (observe->telling) return;
    observe->telling = true;
    for (size_t i = 0; i < sizeof observe->options.sinks / sizeof observe->options.sinks[0]; i++) {
        const hy_sink *sink = &observe->options.sinks[i];
        if (sink->log) sink->log(sink->self, record);
    }
    observe->telling = false;
}

void hyi_log_to(hy_observe *observe, hy_scope *scope, hy_level level, const char *text,
                const hy_log_field *fields, size_t count) {
    if (level < observe->options.level) return;
    const hyi_live_span *live = hyi_span_of(scope);
    uint32_t kept = count > HYI_LOG_FIELDS_MAX ? HYI_LOG_FIELDS_MAX : (uint32_t)count;
    hy_log_record record = { .number = observe->next_log++,
                             .wall = hy_world_wall(observe->world),
                             .level = level,
                             .text = text,
                             .scope = hy_scope_name(scope),
                             .trace = live ? live->trace : (hy_id){ 0, 0 },
                             .span = live ? live->span : 0,
                             .fields = fields,
                             .field_count = kept,
                             .fields_dropped = (uint32_t)(count - kept) };
    log_keep(observe, &record);
    log_tell(observe, &record);
}

bool hy_log_is_wanted(hy_level level) {
    const hy_scope *scope = hy_scope_current();
    const hy_observe *observe = scope ? hyi_observe_of(scope) : NULL;
    return __builtin_expect(observe != NULL, 0) && level >= observe->options.level;
}

void hy_log_in(hy_scope *scope, hy_level level, const char *text, const hy_log_field *fields,
               size_t count) {
    if (!scope) scope = hy_scope_current();
    if (!scope) return;
    hy_observe *observe = hyi_observe_of(scope);
    if (__builtin_expect(observe == NULL, 1)) return;
    HY_ASSERT(count > 0); // the first one is the macro's
    hyi_log_to(observe, scope, level, text, fields + 1, count - 1);
}

bool hy_log_next(const hy_observe *observe, uint64_t *cursor, hy_log_record *out_record) {
    uint64_t kept = observe->options.logs_kept;
    uint64_t oldest = observe->next_log > kept ? observe->next_log - kept : 1;
    uint64_t number = *cursor + 1 > oldest ? *cursor + 1 : oldest;
    if (number >= observe->next_log) return false;
    *out_record = observe->logs[number % kept].record;
    *cursor = number;
    return true;
}
