//! Who is let in.

use axum::body::Body;
use http::{StatusCode, header};
use serde_json::json;

use crate::api::fixture::Scene;

#[tokio::test]
async fn without_the_token_nothing_is_told() {
    let scene = Scene::new();
    let paths = ["/api/v1/events", "/api/v1/status", "/api/v1/none", "/metrics", "/", "/api/v1/destinations"];
    for path in paths {
        for wrong in [
            &[("-authorization", "")][..],
            &[("authorization", "Bearer wrong")],
            &[("authorization", "Bearer t0ke")],
            &[("authorization", "Bearer t0kenn")],
            &[("authorization", "Bearer ")],
            &[("authorization", "Basic t0ken")],
            &[("authorization", "Bearer t0ken"), ("authorization", "Bearer t0ken")],
        ] {
            let got = scene.send("GET", path, wrong, Body::empty()).await;
            assert_eq!(got.status, StatusCode::UNAUTHORIZED, "{path} {wrong:?}");
            assert_eq!(got.code(), "unauthorized");
            assert!(got.headers[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer"));
        }
    }
    assert_eq!(scene.get("/api/v1/status").await.status, StatusCode::OK);
}

#[tokio::test]
async fn only_names_of_ours_are_answered() {
    let scene = Scene::new();
    for (host, fine) in [
        ("localhost", true),
        ("LOCALHOST:8081", true),
        ("127.0.0.1:8081", true),
        ("[::1]:8081", true),
        ("10.1.2.3:8081", true),
        ("admin.example.com", true),
        ("Admin.Example.Com.:443", true),
        ("evil.example", false),
        ("localhost.evil.example", false),
        ("127.0.0.1.evil.example", false),
        ("10.1.2.4:8081", false),
        ("user@localhost", false),
        ("", false),
    ] {
        let got = scene.send("GET", "/api/v1/status", &[("host", host)], Body::empty()).await;
        let want = if fine { StatusCode::OK } else { StatusCode::MISDIRECTED_REQUEST };
        assert_eq!(got.status, want, "{host}");
    }
    let none = scene.send("GET", "/api/v1/status", &[("-host", "")], Body::empty()).await;
    assert_eq!(none.code(), "host_not_allowed");
    let two = [("host", "localhost"), ("host", "evil.example")];
    assert_eq!(scene.send("GET", "/api/v1/status", &two, Body::empty()).await.code(), "host_not_allowed");
    // HTTP/2 names the host in the request's address.
    let got = scene.send("GET", "http://evil.example/api/v1/status", &[("-host", "")], Body::empty()).await;
    assert_eq!(got.code(), "host_not_allowed");
    let got = scene.send("GET", "http://localhost/api/v1/status", &[("-host", "")], Body::empty()).await;
    assert_eq!(got.status, StatusCode::OK);
}

#[tokio::test]
async fn pages_of_other_sites_are_turned_away() {
    let scene = Scene::new();
    for (origin, fine) in [
        ("http://localhost:8081", true),
        ("http://localhost:9999", false),
        ("https://evil.example", false),
        ("null", false),
    ] {
        let got = scene.send("GET", "/api/v1/status", &[("origin", origin)], Body::empty()).await;
        let want = if fine { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(got.status, want, "{origin}");
    }
}

#[tokio::test]
async fn what_writes_takes_json_or_nothing() {
    let scene = Scene::new();
    let path = "/api/v1/destinations/billing/pause";
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let got = scene.send("POST", path, &[("content-type", kind)], Body::from("{}")).await;
        assert_eq!(got.code(), "unsupported_media_type", "{kind}");
    }
    assert_eq!(scene.send("POST", path, &[], Body::from("{}")).await.code(), "unsupported_media_type");
    assert_eq!(scene.signals.changed.lock().unwrap().len(), 0);
    assert_eq!(scene.send("POST", path, &[], Body::empty()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let scene = Scene::new();
    let body = json!({"reason": "x".repeat(crate::api::BODY_BYTES_MAX)});
    assert_eq!(scene.post("/api/v1/destinations/billing/pause", body).await.code(), "body_too_large");
    let body = json!({"reason": "x".repeat(2_000)});
    assert_eq!(scene.post("/api/v1/destinations/billing/pause", body).await.code(), "bad_body");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let scene = Scene::new();
    assert_eq!(scene.get("/api/v1/nothing").await.code(), "no_such_path");
    assert_eq!(scene.get("/api/v1/dead-letters/replay").await.code(), "method_not_allowed");
    let got = scene.send("DELETE", "/api/v1/events", &[], Body::empty()).await;
    assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn no_answer_holds_a_secret_or_is_kept_by_a_browser() {
    let scene = Scene::new();
    let id = scene.accept("stripe", "payment.failed", b"{}").await;
    scene.kill("billing").await;
    let delivery = scene.get("/api/v1/deliveries").await.ids().remove(0);
    for path in [
        "/api/v1/events".to_owned(),
        format!("/api/v1/events/{id}"),
        format!("/api/v1/events/{id}/body"),
        format!("/api/v1/deliveries/{delivery}"),
        "/api/v1/dead-letters".to_owned(),
        "/api/v1/destinations".to_owned(),
        "/api/v1/status".to_owned(),
        "/metrics".to_owned(),
        "/readyz".to_owned(),
        "/api/v1/none".to_owned(),
    ] {
        let got = scene.get(&path).await;
        let text = String::from_utf8_lossy(&got.body).into_owned();
        assert!(!text.contains("s3cret") && !text.contains("hunter2") && !text.contains("t0ken"), "{path}: {text}");
        assert_eq!(got.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(got.headers[header::CACHE_CONTROL], "no-store", "{path}");
    }
}
