//! What jobs make long after they were asked for.

use hookhaven_core::Time;

use super::*;
use crate::jobs::with_ages;

async fn made_more_than(scene: &Scene, n: usize) {
    for _ in 0..TURNS_MAX {
        if pending(scene, "billing").await > n {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} were made", pending(scene, "billing").await);
}

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
    made_more_than(&scene, 1).await;
    scene.clock.advance(Duration::from_secs(60));
    made_more_than(&scene, 2).await;
    let lately = scene.get(&format!("/api/v1/deliveries?since={}", after(30))).await.json();
    let made = lately["items"].as_array().unwrap().len();
    assert!((1..=38).contains(&made), "{lately:#}");
    let filter = json!({"since": after(30)});
    let cancelled = ask(&scene, json!({"act": "cancel", "dry_run": true, "filter": filter})).await;
    assert!(ended(&scene, &cancelled).await["matched"].as_u64() >= Some(made as u64));
    assert_eq!(ages(Some(after(30)), false).await, Some(asked_at), "it is at work");
    assert_eq!(ages(Some(after(0)), false).await, None, "it was asked for no earlier");
    assert_eq!(ages(None, false).await, None);
    assert_eq!(ages(Some(after(30)), true).await, None, "letters have their own time");

    scene.post(&format!("/api/v1/jobs/{id}/cancel"), json!({})).await;
    ended(&scene, &id).await;
    assert_eq!(ages(Some(after(60)), false).await, Some(asked_at), "it was at work");
    assert_eq!(ages(Some(after(63)), false).await, None, "it was not any more");
}
