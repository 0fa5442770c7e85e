//! The conformance suite: what every store must do, written once and run against each. A store proves
//! itself by a `Bench` of its own in `stores.rs` and one line in `suite!`.
#![allow(clippy::unwrap_used)]

mod accept;
mod bench;
mod catalog;
mod digests;
mod filters;
mod lease;
mod lines;
mod lists;
mod nodes;
mod published;
mod queues;
mod replay;
mod restart;
mod retention;
mod search;
mod settle;
mod stores;
mod together;

/// Every case, on one store: `suite!(name, bench constructor)`.
macro_rules! suite {
    ($store:ident, $make:expr) => {
        mod $store {
            crate::cases! { $store, $make,
                accept: [new_and_duplicate, same_key_many_times_at_once, two_sources_may_share_a_key,
                    a_key_is_forgotten_after_its_window, unrouted_events_are_kept, nothing_beyond_pending_max,
                    bytes_come_back_as_they_came],
                lease: [claims_in_due_order, rooms_and_max_are_kept, skipped_lanes_are_not_looked_at,
                    a_claimed_delivery_is_not_claimed_twice, a_lapsed_session_holds_nothing,
                    five_lost_attempts_end_a_delivery, a_closed_session_gives_back, lanes_meet_by_deadline,
                    next_due_is_told, many_workers_claim_each_once, a_lanes_limit_holds_over_all_sessions,
                    a_lapsed_session_settles_nothing_before_it_is_swept_either],
                settle: [delivered_is_final, retry_comes_back_when_due, dead_is_a_dead_letter,
                    only_the_holder_settles, a_release_costs_nothing, expired_ends_dead, attempts_are_history,
                    attempts_of_all_are_told_by_their_ends,
                    settling_twice_settles_once],
                replay: [a_dead_delivery_is_replayed_once, a_redelivery_revives_dead_letters,
                    a_redelivery_of_what_lives_changes_nothing, a_dismissed_letter_is_gone,
                    dead_letters_are_told_by_their_deaths, a_dismissed_letter_is_replayed_all_the_same,
                    an_unrouted_event_can_be_routed, what_has_not_ended_is_not_replayed, replays_race_once,
                    a_replay_may_have_a_chosen_id, an_event_goes_elsewhere_once_by_its_id,
                    what_is_made_late_is_found_by_its_time,
                    further_deliveries_race_once, a_chosen_id_is_known_after_a_restart],
                lists: [events_page_newest_first, filters_hold, deliveries_show_their_last_attempt,
                    many_are_read_as_each_alone, counts_follow, reads_see_earlier_writes],
                filters: [each_filter_shows_what_the_whole_list_has_of_it,
                    a_key_leads_to_its_events_long_after_its_window],
                search: [text_is_found_newest_first, a_search_goes_on_where_it_stopped,
                    what_was_carried_is_found_and_what_went_is_not],
                catalog: [entries_are_kept_and_removed, of_those_who_add_the_first_stands],
                nodes: [nodes_are_listed_as_they_told_of_themselves],
                retention: [what_is_over_goes, what_lives_stays_whole, dead_letters_are_dismissed_aloud,
                    keys_outlive_their_events, carrying_keeps_leases, what_was_carried_goes_in_its_turn,
                    an_old_event_cannot_come_back],
                queues: [one_after_the_other, a_retry_keeps_its_slot, as_many_as_it_is_wide,
                    a_slot_is_kept_by_what_follows, a_release_gives_the_turn_back, a_lost_attempt_keeps_its_slot,
                    order_and_slots_survive, one_delayed_does_not_block, a_batch_keeps_its_order,
                    a_lane_tells_its_size],
                published: [a_duplicate_revives_nothing, what_follows_comes_with_the_settlement,
                    what_waits_is_cancelled_at_once, what_is_in_hand_is_cancelled_unless_it_succeeds,
                    a_cancelled_one_whose_node_went_away_ends, steps_tell_what_happened,
                    lists_begin_at_either_end],
                lines: [fifo_goes_one_by_one, one_call_is_in_its_order, a_retry_parks_its_line_only,
                    a_wait_beyond_the_limit_is_not_waited, the_dead_park_for_a_time, a_replay_in_time_takes_the_place,
                    a_dismissal_lets_the_next_one_go, a_cancelled_one_lets_the_next_one_go, lines_survive,
                    a_newer_version_overtakes, equal_versions_both_go,
                    one_in_hand_is_not_tried_again_once_overtaken, one_in_hand_may_succeed_though_overtaken,
                    one_given_back_is_not_tried_again_once_overtaken,
                    one_that_was_lost_is_not_tried_again_once_overtaken,
                    a_replay_of_what_was_overtaken_is_superseded, one_alone_is_claimed_in_its_turn],
                digests: [other_bytes_under_a_signed_id_are_told, other_bytes_under_an_unsigned_id_are_an_event,
                    the_same_bytes_under_another_id_are_told_or_refused, bytes_are_forgotten_after_the_window,
                    one_id_with_two_bodies_at_once],
                together: [each_part_is_an_event, parts_that_are_known_are_duplicates, all_parts_or_none,
                    the_same_request_many_times_at_once, parts_that_are_alike_are_told_apart_by_their_ids],
                restart: [everything_but_sessions_survives],
            }
        }
    };
}

macro_rules! cases {
    ($store:ident, $make:expr, $($group:ident: [$($case:ident),* $(,)?]),* $(,)?) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::$group::$case(&$make).await;
            }
        )*)*
    };
}
pub(crate) use cases;

suite!(memory, crate::stores::Memory::default());
suite!(faulty, crate::stores::Decorated::default());
suite!(embedded, crate::stores::Embedded::on_files());
suite!(embedded_on_a_simulated_disk, crate::stores::Embedded::simulated());
suite!(postgres, crate::stores::Postgres::direct());
suite!(postgres_behind_a_pooler, crate::stores::Postgres::behind_a_pooler());
