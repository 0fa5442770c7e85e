//! Tokens made through the API: what each opens, when it ends, what is refused, what is written down.

use std::{net::SocketAddr, time::Duration};

use axum::body::Body;
use http::{StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::document::operations;
use crate::{
    access::{Scope, failures::FAILURES_MAX},
    api::fixture::{Got, Scene, TOKEN},
    server::Peer,
};

impl Scene {
    async fn make(&self, name: &str, scopes: &[&str]) -> String {
        let got = self.post("/api/v1/tokens", json!({"name": name, "scopes": scopes})).await;
        assert_eq!(got.status, StatusCode::CREATED, "{:?}", got.body);
        got.json()["token"].as_str().unwrap().to_owned()
    }

    async fn with(&self, token: &str, method: &str, path: &str) -> Got {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.send(method, path, &headers, Body::empty()).await
    }

    async fn audit(&self, query: &str) -> Vec<Value> {
        let got = self.get(&format!("/api/v1/audit{query}")).await.json();
        got["items"].as_array().unwrap().clone()
    }
}

/// Every operation of the API that wants a token: method, a path of its kind, what it says it needs.
fn guarded() -> Vec<(String, String, &'static str)> {
    let guarded = operations().into_iter().filter_map(|(path, method, operation)| {
        let target = path.replace("{id}", "x").replace("{name}", "x");
        Some((method.to_uppercase(), target, operation["x-scope"].as_str()?))
    });
    let all: Vec<_> = guarded.collect();
    assert!(all.len() > 20, "{all:?}");
    all
}

#[tokio::test]
async fn each_scope_opens_what_it_says_and_nothing_else_over_the_whole_api() {
    let scene = Scene::new();
    for scope in Scope::ALL {
        let token = scene.make(scope.as_str(), &[scope.as_str()]).await;
        for (method, path, needed) in guarded() {
            let opens = needed == "any"
                || scope == Scope::Admin
                || scope.as_str() == needed
                || (scope == Scope::Operate && needed == "read");
            let got = scene.with(&token, &method, &path).await;
            assert_eq!(got.status != StatusCode::FORBIDDEN, opens, "{scope}: {method} {path}: {}", got.status);
            if !opens {
                assert_eq!(got.code(), "forbidden");
                let detail = got.json()["detail"].as_str().unwrap().to_owned();
                assert!(detail.contains(needed) && detail.contains(scope.as_str()), "{detail}");
            }
        }
        let me = scene.with(&token, "GET", "/api/v1/me").await.json();
        assert_eq!((&me["name"], &me["scopes"]), (&json!(scope), &json!([scope])));
    }
}

#[tokio::test]
async fn every_operation_wants_a_token_and_what_is_about_credentials_the_admin_s() {
    let scene = Scene::new();
    for (method, path, needed) in guarded() {
        let headers = [("-authorization", ""), ("content-type", "application/json")];
        let got = scene.send(&method, &path, &headers, Body::empty()).await;
        assert_eq!(got.code(), "unauthorized", "{method} {path}");
        let credentials = ["token", "key", "secret", "backup"].iter().any(|word| path.contains(word));
        assert!(!credentials || needed == "admin", "{method} {path} needs {needed}");
        assert!(method == "GET" || needed != "read", "{method} {path} needs {needed}");
    }
}

#[tokio::test]
async fn a_token_is_shown_once_and_ends() {
    let scene = Scene::new();
    let got = scene.post("/api/v1/tokens", json!({"name": "ci", "scopes": ["read"], "expires_in_s": 60})).await;
    let (token, id) = (got.json()["token"].as_str().unwrap().to_owned(), got.json()["id"].clone());
    assert_eq!(scene.with(&token, "GET", "/api/v1/status").await.status, StatusCode::OK);
    let list = scene.get("/api/v1/tokens").await;
    assert!(!String::from_utf8_lossy(&list.body).contains(&token));
    assert_eq!((&list.json()["items"][0]["id"], &list.json()["items"][0]["state"]), (&id, &json!("active")));
    scene.clock.advance(Duration::from_secs(60));
    let got = scene.with(&token, "GET", "/api/v1/status").await;
    assert_eq!(got.code(), "unauthorized");
    assert!(got.json()["detail"].as_str().unwrap().contains("expired"));
    assert_eq!(scene.get("/api/v1/tokens").await.json()["items"][0]["state"], "expired");
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_on_any_node() {
    let scene = Scene::new();
    let mut other = Scene::new();
    other.router = scene.router_over(scene.store.clone());
    let token = scene.make("ci", &["read"]).await;
    assert_eq!(other.with(&token, "GET", "/api/v1/status").await.status, StatusCode::OK, "it is looked for there");
    assert_eq!(scene.with(TOKEN, "DELETE", "/api/v1/tokens/ci").await.status, StatusCode::OK);
    assert_eq!(scene.with(&token, "GET", "/api/v1/status").await.code(), "unauthorized");
    assert_eq!(scene.with(TOKEN, "DELETE", "/api/v1/tokens/ci").await.code(), "token_not_found");
}

#[tokio::test]
async fn what_is_asked_for_wrongly_makes_no_token() {
    let scene = Scene::new();
    for (body, code) in [
        (json!({"name": "ci", "scopes": []}), "bad_body"),
        (json!({"name": "ci", "scopes": ["root"]}), "bad_body"),
        (json!({"name": "", "scopes": ["read"]}), "bad_body"),
        (json!({"name": "ci", "scopes": ["read"], "expires_in_s": 0}), "bad_body"),
        (json!({"name": "ci", "scopes": ["read"], "expires_in_s": 60, "never_expires": true}), "bad_body"),
        (json!({"name": "ci", "scopes": ["read"], "expires_in_s": u64::MAX}), "bad_body"),
    ] {
        assert_eq!(scene.post("/api/v1/tokens", body.clone()).await.code(), code, "{body}");
    }
    scene.make("ci", &["read"]).await;
    let again = scene.post("/api/v1/tokens", json!({"name": "ci", "scopes": ["read"]})).await;
    assert_eq!(again.code(), "token_name_taken");
    let forever = scene.post("/api/v1/tokens", json!({"name": "b", "scopes": ["read"], "never_expires": true})).await;
    assert_eq!(forever.json()["expires_at"], Value::Null);
}

#[tokio::test]
async fn who_is_refused_too_often_waits_but_a_right_token_is_let_in() {
    let scene = Scene::new();
    let ask = async |token: &str, from: &str| {
        let request = http::Request::builder().uri("/api/v1/status").header("host", "localhost");
        let mut request = request.header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer(from.parse::<SocketAddr>().unwrap()));
        scene.router.clone().oneshot(request).await.unwrap()
    };
    for _ in 0..FAILURES_MAX {
        assert_eq!(ask("guess", "192.0.2.1:1").await.status(), StatusCode::UNAUTHORIZED);
    }
    let waits = ask("guess", "192.0.2.1:2").await;
    assert_eq!(waits.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(waits.headers()[header::RETRY_AFTER], "60");
    assert_eq!(ask(TOKEN, "192.0.2.1:3").await.status(), StatusCode::OK);
    assert_eq!(ask("guess", "192.0.2.2:1").await.status(), StatusCode::UNAUTHORIZED);
    scene.clock.advance(Duration::from_secs(60));
    assert_eq!(ask("guess", "192.0.2.1:4").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_the_browser_says_comes_from_another_site_is_refused() {
    let scene = Scene::new();
    for (site, fine) in [("cross-site", false), ("same-site", false), ("same-origin", true), ("none", true)] {
        let got = scene.send("GET", "/api/v1/status", &[("sec-fetch-site", site)], Body::empty()).await;
        assert_eq!(got.status == StatusCode::OK, fine, "{site}");
        if !fine {
            assert_eq!(got.code(), "origin_not_allowed");
        }
    }
}

#[tokio::test]
async fn everything_that_writes_is_written_down_with_who_and_what() {
    let scene = Scene::new();
    let token = scene.make("anna", &["operate"]).await;
    scene.with(&token, "POST", "/api/v1/destinations/mail/pause").await;
    scene.with(&token, "POST", "/api/v1/destinations/none/pause").await;
    scene.with(&token, "POST", "/api/v1/no/such/path").await;
    scene.with(&token, "GET", "/api/v1/destinations").await;
    scene.with(&token, "POST", "/api/v1/tokens").await;
    scene.with(TOKEN, "DELETE", "/api/v1/tokens/anna").await;
    let all = scene.audit("").await;
    let seen: Vec<_> = all.iter().map(|e| (e["who"].as_str().unwrap(), e["action"].as_str().unwrap())).collect();
    let want = [
        ("admin token", "tokens.delete"),
        ("anna", "destinations.pause"),
        ("anna", "destinations.pause"),
        ("admin token", "tokens.create"),
    ];
    assert_eq!(seen, want);
    let statuses: Vec<_> = all.iter().map(|e| e["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 404, 200, 201]);
    assert_eq!((&all[2]["subject"], &all[2]["path"]), (&json!("mail"), &json!("/api/v1/destinations/mail/pause")));
    assert_eq!((&all[2]["before"]["state"], &all[2]["after"]["state"]), (&json!("active"), &json!("paused")));
    assert_eq!((&all[3]["subject"], &all[3]["after"]["scopes"]), (&json!("anna"), &json!(["operate"])));
    assert!(!serde_json::to_string(&all).unwrap().contains(&token));
    assert_eq!(scene.audit("?who=anna").await.len(), 2);
    assert_eq!(scene.audit("?action=tokens").await.len(), 2);
    assert_eq!(scene.audit("?subject=mail&limit=1").await.len(), 1);
    assert_eq!(scene.get("/api/v1/audit?whom=anna").await.code(), "bad_query");
}

#[tokio::test]
async fn what_became_of_a_delivery_and_what_is_silenced_stands_in_the_log() {
    let scene = Scene::new();
    scene.accept("stripe", "payment.failed", b"{}").await;
    scene.kill("billing").await;
    let dead = scene.get("/api/v1/dead-letters").await.ids().remove(0);
    let replayed = scene.with(TOKEN, "POST", &format!("/api/v1/deliveries/{dead}/replay")).await.json();
    let new = replayed["replayed"][0]["replaced_by"].clone();
    scene.with(TOKEN, "POST", &format!("/api/v1/deliveries/{}/cancel", new.as_str().unwrap())).await;
    for lasting in ["1h", "2h"] {
        let silence = json!({"rule": "queue_deep", "scope": "mail", "for": lasting, "reason": "a move"});
        assert_eq!(scene.post("/api/v1/alerts/silences", silence).await.status, StatusCode::CREATED);
    }
    let id = scene.get("/api/v1/alerts/silences").await.ids().remove(0);
    scene.with(TOKEN, "DELETE", &format!("/api/v1/alerts/silences/{id}")).await;
    let all = scene.audit("").await;
    let actions: Vec<_> = all.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    let want = ["alerts.silences.delete", "alerts.silences", "alerts.silences", "deliveries.cancel"];
    assert_eq!((&actions[..4], actions[4]), (&want[..], "deliveries.replay"));
    assert_eq!((&all[0]["before"]["reason"], &all[0]["after"]), (&json!("a move"), &Value::Null));
    assert!(all[1]["before"]["until"].as_str() < all[1]["after"]["until"].as_str(), "{}", all[1]);
    assert_eq!((&all[2]["before"], &all[2]["after"]["scope"]), (&Value::Null, &json!("mail")));
    assert!(all[..3].iter().all(|entry| entry["subject"] == "queue_deep"));
    assert_eq!(all[3]["after"]["became"], "done");
    assert_eq!((&all[4]["subject"], &all[4]["after"]["replayed"][0]["replaced_by"]), (&json!(dead), &new));
}
