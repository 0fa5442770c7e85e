//! Bulk work and replays, as typed.

use hookhaven_core::ErrorClass;
use hookhaven_store::Next;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::typed;
use crate::api::fixture::Scene;

async fn delivered(n: usize) -> Scene {
    let scene = Scene::new();
    for _ in 0..n {
        scene.accept("stripe", "payment.failed", b"{}").await;
    }
    assert_eq!(scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await, n);
    scene
}

#[tokio::test]
async fn a_replay_says_how_many_asks_and_tells_what_became_of_them() {
    let scene = delivered(3).await;
    let dry = typed(&scene, "replay --type payment.* --to mail --dry-run", None).await.done();
    assert_eq!(dry, "3 events would be replayed.\n");
    let no = typed(&scene, "replay --all --to mail", Some(false)).await;
    assert_eq!((no.code.unwrap(), no.err.as_str()), (1, "Nothing was done.\n"));
    let nobody = typed(&scene, "replay --all --to mail", None).await.code.unwrap_err();
    assert!(nobody.to_string().starts_with("Replay 3 events to mail?"), "{nobody}");

    let ran = typed(&scene, "replay --source stripe --to mail --yes --wait 0s", None).await;
    assert_eq!(ran.code.unwrap(), 1, "they are not delivered yet");
    assert_eq!(ran.out, "3 events replayed.\n0 delivered, 0 failed, 3 still to come.\n");
    let job = ran.err.split_whitespace().last().unwrap().to_owned();
    scene.settle("mail", ErrorClass::Http5xx, Some(500), Next::Dead(hookhaven_core::EndReason::Exhausted)).await;
    let ran = typed(&scene, &format!("replay --resume {job} --yes"), None).await;
    assert_eq!(ran.code.unwrap(), 1);
    assert!(
        ran.out.contains("0 delivered, 3 failed, 0 still to come.\n3 answered otherwise than before:"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("payment.failed: 200 before, 500 now"), "{}", ran.out);
}

#[tokio::test]
async fn who_takes_up_what_was_not_counted_is_asked() {
    let scene = delivered(3).await;
    scene.stop_jobs.cancel();
    let order = json!({"act": "replay", "of": "events", "ask": true});
    let id = scene.post("/api/v1/jobs", order).await.json()["id"].as_str().unwrap().to_owned();
    scene.post(&format!("/api/v1/jobs/{id}/pause"), json!({})).await;
    tokio::spawn(scene.node(scene.store.clone(), "here").run(CancellationToken::new()));
    let ran = typed(&scene, &format!("replay --resume {id}"), Some(false)).await;
    assert_eq!((ran.code.unwrap(), ran.err.as_str()), (1, "Nothing was done.\n"));
    let job = scene.get(&format!("/api/v1/jobs/{id}")).await.json();
    assert_eq!((&job["matched"], &job["done"]), (&3.into(), &0.into()), "{job:#}");
}

#[tokio::test]
async fn a_check_that_fails_before_keeps_a_replay_from_beginning() {
    let scene = delivered(2).await;
    let ran = typed(&scene, "replay --all --to mail --yes --check false", None).await;
    assert_eq!(ran.code.unwrap(), 1);
    assert!(ran.err.contains("nothing was done"), "{}", ran.err);
    assert!(scene.get("/api/v1/jobs").await.ids().is_empty());
}

#[tokio::test]
async fn a_check_that_fails_after_fails_the_replay() {
    let scene = delivered(0).await;
    let marker = tempfile::tempdir().unwrap();
    // Passes the first time only.
    let path = marker.path().join("ran");
    let script = marker.path().join("check.sh");
    std::fs::write(&script, format!("echo \"it\\033[31m is $0\"\nmkdir {}", path.display())).unwrap();
    scene.accept("stripe", "payment.failed", b"{}").await;
    scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
    let line = format!("replay --all --yes --json --wait 0s --check {}", script.display());
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ran = typed(&scene, &line, None).await;
    assert_eq!(ran.code.unwrap(), 1);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&report["check_passed"], &report["pending"]), (&false.into(), &1.into()), "{report:#}");
    assert!(ran.err.contains("check before: it\\u{1b}[31m is") && ran.err.contains("check after:"), "{}", ran.err);
}

#[tokio::test]
async fn jobs_are_listed_shown_and_ended() {
    let scene = delivered(5).await;
    let out = typed(&scene, "replay --all --rate 1/h --yes --detach", None).await.done();
    let id = out.trim();
    let list = typed(&scene, "jobs list", None).await.done();
    assert!(list.contains(id) && list.contains("replay deliveries at most 1/h"), "{list}");
    let paused = typed(&scene, &format!("jobs pause {id}"), None).await.done();
    assert!(paused.contains("holds"), "{paused}");
    let shown = typed(&scene, &format!("jobs show {id}"), None).await.done();
    assert!(shown.contains("state          paused"), "{shown}");
    typed(&scene, &format!("jobs resume {id}"), None).await.done();
    typed(&scene, &format!("jobs cancel {id}"), None).await.done();
    let watched = typed(&scene, &format!("jobs watch {id}"), None).await;
    assert_eq!(watched.code.unwrap(), 1);
    assert!(watched.err.contains("The job is cancelled"), "{}", watched.err);
}

#[tokio::test]
async fn deliveries_are_cancelled_by_id_and_by_filter() {
    let scene = Scene::new();
    for event_type in ["payment.failed", "payment.done", "payment.test"] {
        scene.accept("stripe", event_type, b"{}").await;
    }
    let ids = scene.get("/api/v1/deliveries").await.ids();
    let out = typed(&scene, &format!("deliveries cancel {}", ids[0]), None).await.done();
    assert_eq!(out, format!("{} is cancelled\n", ids[0]));
    let again = typed(&scene, &format!("deliveries cancel {}", ids[0]), None).await.done();
    assert!(again.contains("had ended"), "{again}");
    let out = typed(&scene, "deliveries cancel --type payment.* --yes", None).await.done();
    assert_eq!(out, "2 deliveries cancelled.\n");
    let wrong = typed(&scene, &format!("deliveries cancel {} --rate 1/s", ids[0]), None).await.code.unwrap_err();
    assert!(wrong.to_string().contains("--rate goes with a filter"), "{wrong}");
}
