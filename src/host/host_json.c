// host_json.c - a machine's numbers as one JSON object, for a console.
//
// docs/FORMATS.md lists the members of "machines". Names are those of hy_host_stats, and stay.
#include <hypha/host.h>

#include "base/json.h"

static void host_json_text(hyi_json_writer *json, const char *key, const char *value) {
    if (value[0] == 0) return;
    hyi_json_key(json, hy_bytes_of(key));
    hyi_json_add_text(json, hy_bytes_of(value));
}

hy_err hy_host_stats_json(const char *name, const hy_host_stats *stats, hy_buf *out) {
    const hy_host_stats s = *stats;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = { { "durable_seq", s.durable_seq },
                    { "accepted", s.accepted },
                    { "refused", s.refused },
                    { "duplicates", s.duplicates },
                    { "commits", s.commits },
                    { "commits_refused", s.commits_refused },
                    { "commits_unknown", s.commits_unknown },
                    { "reloads", s.reloads },
                    { "queue", s.queue_count },
                    { "in_flight", s.in_flight_count },
                    { "pending_actions", s.pending_actions },
                    { "attempts", s.attempts },
                    { "attempts_failed", s.attempts_failed },
                    { "retries", s.retries },
                    { "completions", s.completions },
                    { "gave_up", s.gave_up },
                    { "timers_fired", s.timers_fired },
                    { "checkpoints", s.checkpoints },
                    { "invariant_reports", s.invariant_reports },
                    { "without_executor", s.without_executor } };
    hyi_json_writer json;
    hyi_json_writer_init(&json, out);
    hyi_json_begin_object(&json);
    host_json_text(&json, "name", name);
    hyi_json_key(&json, HY_BYTES("halted"));
    hyi_json_add_bool(&json, s.halted);
    host_json_text(&json, "halted_by", s.halted_by);
    host_json_text(&json, "store_trouble", s.store_trouble);
    host_json_text(&json, "last_failure", s.last_failure);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        hyi_json_key(&json, hy_bytes_of(numbers[i].name));
        hyi_json_add_u64(&json, numbers[i].value);
    }
    hyi_json_end_object(&json);
    return hyi_json_finish(&json);
}
