//! The page of a job: what it offers in each state. How jobs are asked for is tested with the pages that do so.

use serde_json::json;

use crate::dashboard::tests::Browser;

#[tokio::test]
async fn a_job_is_paused_goes_on_and_is_ended() {
    let mut browser = Browser::new().await;
    for _ in 0..3 {
        browser.scene.accept("stripe", "payment.failed", b"{}").await;
    }
    browser.scene.kill("billing").await;
    let order = json!({"act": "replay", "one_first": true});
    let got = browser.scene.post("/api/v1/jobs", order).await.json();
    let path = format!("/jobs/{}", got["id"].as_str().unwrap());
    let shown = browser.get(&path).await;
    assert!(shown.html.contains("replay dead letters") && shown.html.contains(">Pause<"), "{}", shown.html);
    browser.post(&format!("{path}/pause"), "").await;
    let shown = browser.get(&path).await;
    assert!(shown.html.contains("badge wait\">paused") && shown.html.contains(">Go on<"), "{}", shown.html);
    browser.post(&format!("{path}/resume"), "").await;
    assert!(!browser.get(&path).await.html.contains("paused"));
    browser.post(&format!("{path}/cancel"), "").await;
    for _ in 0..100_000 {
        let part = browser.get(&format!("{path}/now")).await;
        assert!(part.html.trim_start().starts_with("<div id=\"job\""), "{}", part.html);
        if part.html.contains("cancelled") {
            assert!(!part.html.contains("/cancel\""), "{}", part.html);
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it does not end");
}

#[tokio::test]
async fn what_is_no_job_says_so() {
    let mut browser = Browser::new().await;
    let none = "job_00000000000000000000000000";
    let shown = browser.get(&format!("/jobs/{none}")).await;
    assert_eq!(shown.status, 404);
    assert!(shown.html.contains("there is no job") && shown.html.contains("aria-label=\"Main\""), "{}", shown.html);
    assert_eq!(browser.post(&format!("/jobs/{none}/explode"), "").await.status, 400);
}
