//! What stands out, as a person reads it and as a script does.

use std::time::Duration;

use hookhaven_core::{ErrorClass, Time};
use hookhaven_store::{Next, clock::Clock};

use super::typed;
use crate::api::fixture::Scene;

#[tokio::test]
async fn nothing_stands_out_among_what_is_delivered() {
    let scene = Scene::new();
    for _ in 0..30 {
        scene.accept("stripe", "payment.paid", b"{}").await;
        scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
    }
    let out = typed(&scene, "analyze", None).await.done();
    assert!(out.starts_with("Nothing stands out: of the attempts, 0 of 30 (0%) failed.\n30 attempts since "), "{out}");
}

#[tokio::test]
async fn a_cause_is_told_with_what_to_do() {
    let scene = Scene::new();
    let start = scene.clock.now();
    for i in 0..60 {
        scene.accept("stripe", "payment.paid", b"{}").await;
        match i {
            0..40 => scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await,
            _ => scene.kill("billing").await,
        };
        scene.clock.advance(Duration::from_secs(60));
    }
    let out = typed(&scene, "analyze --since 2h --destination billing", None).await.done();
    let minute = start.plus(Duration::from_secs(40 * 60)).to_string()[11..16].to_owned();
    for words in [
        "One thing stands out".to_owned(),
        format!("1. 100% of the failures of `billing` since {minute} are errors of the handler: 503 (20 times)"),
        "20 of 20 (100%) failed so".to_owned(),
        "To mend it: compare with what was deployed".to_owned(),
        "hookhaven deliveries show dlv_".to_owned(),
    ] {
        assert!(out.contains(&words), "{words}\n{out}");
    }
    // What a handler wrote into its error is not let through to the terminal.
    assert!(!out.contains('\u{1b}'), "{out:?}");

    let json = typed(&scene, "analyze --json", None).await.json();
    assert_eq!(json["findings"][0]["cause"], "server_errors");
    let since: Time = serde_json::from_value(json["findings"][0]["since"].clone()).unwrap();
    assert!(since > start);
}

#[tokio::test]
async fn too_few_attempts_are_said_to_be_few() {
    let scene = Scene::new();
    for _ in 0..3 {
        scene.accept("stripe", "payment.paid", b"{}").await;
    }
    scene.kill("billing").await;
    let out = typed(&scene, "analyze", None).await.done();
    assert!(out.contains("`billing`: 3 of 3 attempts failed, too few to say why: 503 (3 times)."), "{out}");
}
