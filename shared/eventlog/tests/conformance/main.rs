//! Every rule of the log, once, on both databases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod appending;
mod archiving;
mod asking;
mod drafts;
mod failing;
mod guards;
mod history;
mod model;
mod plans;
mod proving;
mod racing;
mod reading;
mod schema;
mod site;
mod store;

/// Every rule of these modules as a test on each database.
macro_rules! rules {
    ($($module:ident: $($name:ident),+ $(,)?;)+) => {
        mod sqlite {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::$module::$name(&crate::store::Store::sqlite()).await;
            })+)+
        }

        mod postgres {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::$module::$name(&crate::store::Store::postgres()).await;
            })+)+
        }
    };
}

rules! {
    appending:
        a_log_begins_with_its_creation_and_grows_without_a_gap,
        the_head_is_the_tree_over_the_stored_leaves,
        a_conflict_is_void_and_answered_with_the_version,
        a_refused_event_is_void_with_its_reason,
        a_void_event_still_counts_for_its_producer,
        a_repeated_flush_gets_its_old_positions_and_marks,
        a_revoked_key_is_refused_also_after_a_restart_and_in_the_batch_that_revokes_it,
        a_log_that_was_brought_back_goes_on_behind_what_producers_had_said_also_after_a_restart,
        a_host_has_another_key_and_the_one_before_is_refused_also_after_a_restart,
        a_flush_that_stands_twice_in_one_batch_is_written_once,
        other_bytes_under_known_counters_are_a_fork,
        other_bytes_under_the_counters_of_the_same_batch_are_a_fork,
        an_unknown_producer_is_told_to_enrol,
        a_used_event_identity_is_refused_and_nothing_is_written,
        a_refused_identity_does_not_spoil_the_flushes_beside_it,
        an_identity_twice_in_one_flush_is_refused,
        occurrences_of_one_job_in_one_batch_follow_each_other,
        an_instant_finer_than_a_microsecond_means_the_same_after_a_restart,
        a_text_with_the_character_zero_does_not_stop_the_log,
        nothing_to_append_changes_nothing;
    archiving:
        a_segment_that_has_its_age_moves_into_a_file_and_all_is_read_as_before,
        a_file_that_is_gone_or_damaged_is_named_and_nothing_else_is_said_for_it,
        a_file_of_another_history_is_told_and_left_as_it_is,
        a_directory_that_is_empty_now_is_no_archive_and_nothing_is_forgotten_into_it,
        a_leaf_that_somebody_emptied_is_not_looked_for_in_the_archive,
        a_directory_is_the_archive_of_one_log;
    asking:
        things_are_listed_of_every_kind_and_blackouts_also_apart,
        jobs_that_a_host_has_or_had_leave_to_decide_are_listed,
        the_past_of_a_job_is_its_newest_runs_that_have_ended,
        what_jobs_have_done_is_their_newest_runs_that_did_their_work,
        claims_to_a_lock_are_the_open_runs_that_have_it_or_wait_only_for_their_turn,
        members_of_a_pool_are_the_hosts_that_take_its_work,
        requests_are_listed_newest_first_by_how_they_stand_and_by_what_is_overdue;
    plans:
        no_question_behind_a_page_looks_through_the_whole_log_or_all_states;
    proving:
        an_event_is_proven_once_a_signed_head_reaches_it_however_many_there_are,
        what_proofs_need_of_a_long_log_is_read_in_pieces_or_ahead,
        each_signed_head_is_shown_with_the_proof_that_it_continues_any_earlier_one,
        a_log_whose_hashes_were_changed_proves_nothing;
    racing:
        two_recorders_over_one_log_leave_no_gap_and_write_nothing_twice,
        a_recorder_that_fell_behind_does_not_refuse_falsely,
        a_recorder_over_a_stale_ledger_judges_anew,
        a_flush_that_went_to_both_recorders_is_answered_alike,
        a_read_model_is_rebuilt_while_others_append;
    reading:
        the_log_is_followed_in_pages_from_any_position,
        a_stream_is_read_in_order_with_its_void_events,
        questions_about_the_log_say_to_which_position_they_are_true,
        events_are_found_by_stream_type_and_time_newest_first,
        heads_are_kept_and_listed_newest_first,
        open_runs_come_in_answers_that_fit_into_a_message,
        the_same_head_is_never_kept_twice;
    model:
        jobs_are_listed_in_pages_in_the_order_of_their_names,
        jobs_are_found_by_a_part_of_their_names_and_by_how_they_stand,
        hosts_and_users_are_listed_apart,
        open_runs_are_listed_until_they_end,
        runs_are_filtered_by_job_state_pool_and_time,
        queues_count_what_is_due_for_each_pool,
        the_numbers_of_a_night_count_every_run_once,
        a_rebuilt_read_model_equals_the_live_one,
        a_restarted_recorder_judges_a_random_history_alike,
        a_rebuild_refuses_a_log_whose_marks_do_not_hold;
    schema:
        migrating_twice_is_harmless,
        a_read_model_of_an_older_form_is_computed_again,
        two_migrators_at_once_make_one_schema,
        an_empty_schema_is_refused_with_the_command_to_run,
        an_older_schema_is_refused_with_the_command_to_run,
        a_newer_schema_asks_for_a_newer_program;
    failing:
        an_error_in_mid_transaction_leaves_nothing_half_done,
        a_transaction_that_the_database_ends_by_itself_keeps_nobody_from_the_next,
        an_event_row_that_cannot_be_written_leaves_nothing_half_done;
}
