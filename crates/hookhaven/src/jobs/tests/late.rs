//! What jobs make long after they were asked for.

use hookhaven_core::Time;

use super::*;
use crate::jobs::with_ages;

#[tokio::test]
async fn lists_look_as_far_back_as_the_jobs_that_were_at_work_then() {
    let scene = dead(40).await;
    let asked_at = scene.clock.now();
    let after = |s: u64| asked_at.plus(Duration::from_secs(s));
    let ages = async |since: Option<Time>, dead_letters: bool| {
        let filter = DeliveryFilter { since, dead_letters, ..DeliveryFilter::default() };
        with_ages(&*scene.store, filter).await.unwrap().minted_since
    };
    let id = ask(&scene, json!({"act": "replay", "rate": "10/s"})).await;
    until(&scene, &id, |job| job["state"] == "running").await;
    scene.clock.advance(Duration::from_secs(60));
    assert_eq!(ages(Some(after(30)), false).await, Some(asked_at), "it is at work");
    assert_eq!(ages(Some(after(0)), false).await, None, "it was asked for no earlier");
    assert_eq!(ages(None, false).await, None);
    assert_eq!(ages(Some(after(30)), true).await, None, "letters have their own time");

    scene.post(&format!("/api/v1/jobs/{id}/cancel"), json!({})).await;
    ended(&scene, &id).await;
    assert_eq!(ages(Some(after(60)), false).await, Some(asked_at), "it was at work");
    assert_eq!(ages(Some(after(61)), false).await, None, "it was not any more");
}
