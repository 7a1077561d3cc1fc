// store_conformance_suite.h - what every driver must do.              For the tests of this room.
//
// A driver's test gives a maker and gets all the tests below:
//     static hy_err with_maker(hy_mem *mem, hy_err (*test)(const store_maker *maker));
//     #define TEST(name) static hy_err name(hy_mem *mem) { return with_maker(mem, conform_##name);
//     } CONFORMANCE(TEST) #define ENTRY(name) KIT_TEST(name), KIT_TESTS(CONFORMANCE(ENTRY) ...)
#ifndef HYI_STORE_CONFORMANCE_SUITE_H
#define HYI_STORE_CONFORMANCE_SUITE_H

#include "store/teller_suite.h"

#define CONFORMANCE(T)                                                                             \
    T(an_empty_store_gives_an_empty_state)                                                         \
    T(what_was_committed_is_loaded)                                                                \
    T(what_was_committed_outlives_the_store)                                                       \
    T(a_checkpoint_changes_nothing_that_is_loaded)                                                 \
    T(slices_end_anywhere)                                                                         \
    T(a_refused_batch_leaves_no_trace)                                                             \
    T(several_batches_are_all_or_none)                                                             \
    T(an_unknown_outcome_is_known_after_load)                                                      \
    T(no_append_before_load_when_unknown)                                                          \
    T(a_full_disk_refuses_and_recovers)                                                            \
    T(one_store_at_a_time)                                                                         \
    T(machines_keep_their_numbers)                                                                 \
    T(the_journal_is_read_from_any_seq)                                                            \
    T(the_journal_replays)                                                                         \
    T(a_store_describes_itself)                                                                    \
    T(rows_are_walked_without_the_program)                                                         \
    T(fields_tables_and_inputs_may_come)                                                           \
    T(fields_may_be_renamed_and_go)                                                                \
    T(migrations_move_rows)                                                                        \
    T(a_migration_that_fails_changes_nothing)                                                      \
    T(a_migration_to_equal_keys_is_refused)                                                        \
    T(tables_that_change_places_are_refused)                                                       \
    T(an_older_program_is_refused)                                                                 \
    T(a_changed_record_is_refused)                                                                 \
    T(instances_are_apart)                                                                         \
    T(a_group_is_all_or_none)                                                                      \
    T(an_unknown_group_is_known_after_load)                                                        \
    T(instances_are_listed_by_key)                                                                 \
    T(who_took_no_step_leaves_nothing)                                                             \
    T(debtors_are_found)                                                                           \
    T(a_key_is_short_text)                                                                         \
    T(instances_evolve_together)                                                                   \
    T(a_flock_survives_whatever_comes)                                                             \
    T(a_long_run_survives_whatever_comes)

#define CONFORMANCE_DECLARE(name) hy_err conform_##name(const store_maker *maker);
CONFORMANCE(CONFORMANCE_DECLARE)

#endif
