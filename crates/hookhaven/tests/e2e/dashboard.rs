//! The dashboard in a real browser, over real traffic: Debian's Chromium, driven by Playwright. Each case is one walk of
//! `tests-clients/browser/walks/`, on a gateway of its own. Pictures of all pages are left in `target/screens/`.
//!
//! Not here: what is done and looked at; the scripts say it. What pages are sent with, and to whom, is tested beside
//! them (`src/dashboard/tests`).

use std::{fs, path::Path};

use crate::support::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_and_out() {
    Stage::set().await.walk("sign_in").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_on_an_ordinary_day() {
    Stage::set().await.walk("tour").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_in_dark() {
    Stage::set().await.walk("tour_dark").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_on_a_phone() {
    Stage::set().await.walk("tour_phone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_with_nothing_to_show() {
    Stage::empty().await.walk("empty").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_event_is_found_read_mended_replayed_and_watched() {
    Stage::set().await.walk("events").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_event_is_found_and_replayed_on_postgres() {
    Stage::set_on_postgres().await.walk("events").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_replayed_and_dismissed_by_cause() {
    Stage::set().await.walk("dead_letters").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_replayed_and_dismissed_on_postgres() {
    Stage::set_on_postgres().await.walk("dead_letters").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_overview_to_the_replayed_delivery_in_three_clicks() {
    Stage::set().await.walk("three_clicks").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn destinations_are_held_and_tried_and_sources_sampled() {
    Stage::set().await.walk("destinations").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_request_is_released() {
    Stage::set().await.walk("rejected").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_made_shown_once_and_revoked() {
    Stage::set().await.walk("tokens").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_only_read_is_offered_nothing_and_refused() {
    Stage::set().await.walk("scopes").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_it_by_keyboard() {
    Stage::set().await.walk("keyboard").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_figures_and_a_replay_without_a_script() {
    Stage::set().await.walk("no_script").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_text_is_shown_as_text() {
    Stage::set().await.walk("hostile").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_live_view_holds_no_more_after_thousands_of_events() {
    Stage::set().await.walk("live_memory").await;
}

/// What is vendored is what was published, to the byte.
#[test]
fn vendored_libraries_are_as_published() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (vendor, npm) = (here.join("src/dashboard/assets/vendor"), here.join("../../tests-clients/node_modules"));
    let files = [
        ("htmx.min.js", "htmx.org/dist/htmx.min.js"),
        ("htmx.LICENSE", "htmx.org/LICENSE"),
        ("uPlot.iife.min.js", "uplot/dist/uPlot.iife.min.js"),
        ("uPlot.min.css", "uplot/dist/uPlot.min.css"),
        ("uPlot.LICENSE", "uplot/LICENSE"),
    ];
    for (ours, published) in files {
        let read = |path: &Path| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(read(&vendor.join(ours)) == read(&npm.join(published)), "{ours} is not {published}");
    }
    assert_eq!(fs::read_dir(&vendor).expect("a folder").count(), files.len(), "each file there is compared");
}
