//! Search, and lists whose looks end early.

use std::sync::Arc;

use axum::body::Body;
use hookhaven_store::faulty::{Faulty, Verb, When};
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::api::fixture::{Scene, TOKEN};

fn lines(body: &[u8]) -> Vec<Value> {
    body.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect()
}

async fn search(scene: &Scene, query: &str) -> Vec<Value> {
    let got = scene.get(&format!("/api/v1/search?{query}")).await;
    assert_eq!(got.status, StatusCode::OK, "{:?}", got.body);
    assert_eq!(got.headers["content-type"], "application/x-ndjson");
    lines(&got.body)
}

#[tokio::test]
async fn hits_come_newest_first_and_the_last_line_says_how_far_it_looked() {
    let scene = Scene::new();
    let old = scene.accept("stripe", "invoice.paid", "{\"who\":\"Jané Doe\"}".as_bytes()).await;
    scene.accept("stripe", "invoice.paid", b"{}").await;
    let new = scene.accept("github", "push", "JANé DOE\u{1b}[31m".as_bytes()).await;
    let found = search(&scene, "text=jan%C3%A9%20doe").await;
    let ids: Vec<_> = found.iter().filter_map(|line| line["hit"]["event"]["id"].as_str()).collect();
    assert_eq!(ids, [new.to_string(), old.to_string()]);
    assert_eq!(
        (&found[1]["hit"]["at_byte"], &found[1]["hit"]["excerpt"]),
        (&8.into(), &"{\"who\":\"Jané Doe\"}".into())
    );
    let end = &found.last().unwrap()["end"];
    assert_eq!((&end["scanned_events"], &end["hits"], &end["whole"]), (&3.into(), &2.into(), &true.into()));
    assert_eq!((&end["next"], &end["looked_back_to"]), (&Value::Null, &Value::Null));
    let of_stripe = search(&scene, "text=doe&source=stripe&type=invoice.*").await;
    assert_eq!(of_stripe.last().unwrap()["end"]["scanned_events"], 2);
}

#[tokio::test]
async fn a_search_that_has_enough_goes_on_where_it_ended() {
    let scene = Scene::new();
    let mut sent = Vec::new();
    for n in 0..5 {
        sent.insert(0, scene.accept("stripe", "invoice.paid", format!("needle {n}").as_bytes()).await.to_string());
    }
    let (mut found, mut query) = (Vec::new(), "text=needle&limit=2".to_owned());
    loop {
        let lines = search(&scene, &query).await;
        found.extend(lines.iter().filter_map(|line| line["hit"]["event"]["id"].as_str().map(str::to_owned)));
        let end = &lines.last().unwrap()["end"];
        let Some(next) = end["next"].as_str() else {
            assert_eq!(end["whole"], true);
            break;
        };
        assert!(end["looked_back_to"].is_string() && end["whole"] == false, "{end}");
        query = format!("text=needle&limit=2&after={next}");
    }
    assert_eq!(found, sent);
}

#[tokio::test]
async fn what_cannot_be_searched_is_refused() {
    let scene = Scene::new();
    for query in ["", "text=", "text=a&limit=0", "text=a&limit=501", "text=a&body=b", "text=a&type=*a*b*c*d*e*f*g*"] {
        let got = scene.get(&format!("/api/v1/search?{query}")).await;
        assert_eq!((got.status, got.code().as_str()), (StatusCode::BAD_REQUEST, "bad_query"), "{query}");
    }
    let long = "x".repeat(201);
    assert_eq!(scene.get(&format!("/api/v1/search?text={long}")).await.code(), "bad_query");
}

#[tokio::test]
async fn two_searches_at_once_and_who_goes_makes_room() {
    let scene = Scene::new();
    scene.accept("stripe", "invoice.paid", b"needle").await;
    let begin = async || {
        let request = http::Request::get("/api/v1/search?text=needle")
            .header("host", "localhost:8081")
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(Body::empty());
        scene.router.clone().oneshot(request.unwrap()).await.unwrap()
    };
    let (first, second) = (begin().await, begin().await);
    let third = scene.get("/api/v1/search?text=needle").await;
    assert_eq!((third.status, third.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "searches_running"));
    // A client that goes before it has read anything.
    drop(first);
    assert_eq!(search(&scene, "text=needle").await.len(), 2);
    let read = second.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(lines(&read).len(), 2, "the other one was not disturbed");
}

#[tokio::test]
async fn a_search_ends_with_its_client_and_tells_what_fails_under_way() {
    let scene = Scene::new();
    // More than one stretch of a search.
    for n in 0..9 {
        scene
            .accept("stripe", "invoice.paid", &[&vec![b'x'; 1 << 20][..], format!("needle {n}").as_bytes()].concat())
            .await;
    }
    let faulty = Arc::new(Faulty::over(scene.store.clone()));
    let router = scene.router_over(faulty.clone());
    let begin = async || {
        let request = http::Request::get("/api/v1/search?text=needle")
            .header("host", "localhost:8081")
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(Body::empty());
        router.clone().oneshot(request.unwrap()).await.unwrap().into_body()
    };
    let mut body = begin().await;
    let held = faulty.hold(Verb::Search, When::Before);
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(lines(&first)[0]["hit"].is_object(), "what is found is told before the next stretch is looked through");
    // That is under way when the client goes.
    let mut reading = Box::pin(body.frame());
    tokio::select! {
        _ = &mut reading => panic!("the next stretch is held"),
        () = held.reached(1) => {}
    }
    drop(reading);
    drop(body);
    drop(held);
    faulty.mend();
    let unavailable = hookhaven_store::StoreError::Unavailable("the disk is busy".into());
    let body = begin().await;
    faulty.fail(Verb::Search, When::Before, unavailable, 1);
    let told = lines(&body.collect().await.unwrap().to_bytes());
    assert_eq!(told.last().unwrap()["problem"]["code"], "store_unavailable");
    assert!(told.iter().any(|line| line["hit"].is_object()), "what was found before stays");
}

#[tokio::test]
async fn lists_know_patterns_and_what_became_of_events() {
    let scene = Scene::new();
    let paid = scene.accept("stripe", "payment.paid", b"{}").await.to_string();
    scene.kill("billing").await;
    let invoice = scene.accept("stripe", "invoice.paid", b"{}").await.to_string();
    for (query, want) in [
        ("type=*.paid".to_owned(), vec![&invoice, &paid]),
        ("type=pay*".to_owned(), vec![&paid]),
        ("state=dead".to_owned(), vec![&paid]),
        ("destination=mail".to_owned(), vec![&invoice]),
        ("destination=mail&state=dead".to_owned(), vec![]),
        (format!("id={invoice}"), vec![&invoice]),
    ] {
        let got = scene.get(&format!("/api/v1/events?{query}")).await;
        assert_eq!(got.ids().iter().collect::<Vec<_>>(), want, "{query}");
    }
    for (query, want) in [
        ("deliveries?status=503", 1),
        ("deliveries?status=500", 0),
        ("deliveries?route=stripe%232", 1),
        ("deliveries?type=pay*&state=dead", 1),
        ("dead-letters?status=503&route=stripe%231", 1),
        ("dead-letters?type=invoice.*", 0),
    ] {
        assert_eq!(scene.get(&format!("/api/v1/{query}")).await.ids().len(), want, "{query}");
    }
    for query in
        ["deliveries?status=99", "deliveries?status=1000", "deliveries?type=********", "events?type=*a*a*a*a*a*a*a"]
    {
        assert_eq!(scene.get(&format!("/api/v1/{query}")).await.code(), "bad_query", "{query}");
    }
}
