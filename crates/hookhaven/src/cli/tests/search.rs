//! `events search`.

use crate::api::fixture::Scene;

use super::typed;

#[tokio::test]
async fn hits_are_printed_with_what_stands_around_them() {
    let scene = Scene::new();
    let old = scene.accept("stripe", "invoice.paid", b"{\"who\":\"Jane\"}").await;
    let new = scene.accept("github", "push", b"JANE \x1b[31m").await;
    let ran = typed(&scene, "events search jane", None).await;
    let said = ran.err.clone();
    let out = ran.done();
    let (first, second) = (out.find(&new.to_string()).unwrap(), out.find(&old.to_string()).unwrap());
    assert!(first < second && out.contains("{\"who\":\"Jane\"}") && !out.contains('\u{1b}'), "{out}");
    assert!(said.contains("2 hits in 2 events, and that is all."), "{said}");
    let out = typed(&scene, "events search jane --source github --type pu* --since 1h", None).await.done();
    assert!(out.contains(&new.to_string()) && !out.contains(&old.to_string()), "{out}");
}

#[tokio::test]
async fn one_that_has_enough_says_how_to_go_on() {
    let scene = Scene::new();
    for _ in 0..3 {
        scene.accept("stripe", "invoice.paid", b"needle").await;
    }
    let said = typed(&scene, "events search needle --limit 2", None).await.err;
    let next = said.split("--after ").nth(1).unwrap_or_else(|| panic!("{said}")).trim();
    let said = typed(&scene, &format!("events search needle --after {next}"), None).await.err;
    assert!(said.contains("1 hit in 1 event, and that is all."), "{said}");
    let out = typed(&scene, "events search needle --limit 2 --json", None).await.done();
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0]["hit"]["event"]["id"].is_string() && lines[2]["end"]["next"].is_string(), "{out}");
}

#[tokio::test]
async fn what_the_gateway_refuses_is_said() {
    let ran = typed(&Scene::new(), "events search needle --type *a*b*c*d*e*f*g", None).await;
    let error = format!("{:#}", ran.code.unwrap_err());
    assert!(error.contains("at most 6 stars"), "{error}");
}
