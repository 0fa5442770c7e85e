//! Dead letters by root cause: how they are grouped, shown, and acted on.

use std::time::Duration;

use hookhaven_core::{EndReason, ErrorClass};
use hookhaven_store::Next;
use serde_json::{Value, json};

use crate::api::fixture::Scene;

async fn killed(scene: &Scene, answer: &'static str, n: usize) {
    for _ in 0..n {
        scene.accept("stripe", "payment.failed", b"{}").await;
    }
    assert_eq!(scene.kill_saying(answer, "billing").await, n);
}

async fn groups(scene: &Scene, query: &str) -> Value {
    scene.get(&format!("/api/v1/dead-letters/groups{query}")).await.json()
}

#[tokio::test]
async fn what_was_answered_alike_is_one_group() {
    let scene = Scene::new();
    assert_eq!(groups(&scene, "").await["items"], json!([]));
    killed(&scene, r#"{"message":"no such order 17","id":"a"}"#, 2).await;
    scene.clock.advance(Duration::from_secs(7_200));
    killed(&scene, r#"{"message":"no such order 4711","id":"b"}"#, 1).await;
    killed(&scene, "out of memory", 1).await;
    for event_type in ["invoice.paid", "invoice.sent"] {
        scene.accept("stripe", event_type, b"{}").await;
    }
    scene.settle("mail", ErrorClass::Timeout, None, Next::Dead(EndReason::Exhausted)).await;

    let all = groups(&scene, "").await;
    assert_eq!((&all["group_count"], &all["letter_count"], &all["learning"]), (&json!(3), &json!(6), &json!(false)));
    assert_eq!((&all["looked_back_to"], &all["trend_step_ms"]), (&Value::Null, &json!(3_600_000)));
    let [orders, mail, memory] = &all["items"].as_array().unwrap()[..] else { panic!("{all:#}") };
    assert_eq!(orders["cause"], "it said \u{1b}[31mno: no such order …");
    assert_eq!(
        (&orders["destination"], &orders["class"], &orders["status"]),
        (&json!("billing"), &json!("http_5xx"), &json!(503))
    );
    assert_eq!((&orders["letter_count"], &orders["critical"]), (&json!(3), &json!(true)));
    assert_eq!(orders["sample_answer"], r#"{"message":"no such order 4711","id":"b"}"#);
    assert_eq!(orders["sample"]["ended_at"], orders["last_died_at"]);
    assert_ne!(orders["first_died_at"], orders["last_died_at"]);
    let trend: Vec<u64> = orders["trend"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!((trend.len(), trend[21], trend[23], trend.iter().sum::<u64>()), (24, 2, 1, 3));
    assert_eq!(
        (&mail["destination"], &mail["status"], &mail["critical"]),
        (&json!("mail"), &Value::Null, &json!(false))
    );
    assert_eq!(mail["types"], json!([{"name": "invoice.paid", "count": 1}, {"name": "invoice.sent", "count": 1}]));
    assert_eq!(memory["sources"], json!([{"name": "stripe", "count": 1}]));

    // The same cause has the same id, whoever asks and when.
    let again = Scene::new();
    killed(&again, r#"{"message":"no such order 99","id":"c"}"#, 1).await;
    assert_eq!(groups(&again, "").await["items"][0]["id"], orders["id"]);
}

#[tokio::test]
async fn groups_are_filtered() {
    let scene = Scene::new();
    killed(&scene, "broken", 2).await;
    scene.clock.advance(Duration::from_secs(7_200));
    scene.accept("stripe", "invoice.paid", b"{}").await;
    scene.kill("mail").await;
    let all = groups(&scene, "").await;
    let since = all["items"][1]["first_died_at"].as_str().unwrap();
    for (query, letters) in [
        ("?destination=billing", 2),
        ("?destination=mail", 1),
        ("?destination=nowhere", 0),
        ("?source=stripe", 3),
        ("?source=github", 0),
        (&format!("?since={since}"), 1),
        (&format!("?until={since}"), 2),
        (&format!("?trend_since={since}"), 3),
        (&format!("?group={}", all["items"][0]["id"].as_str().unwrap()), 2),
    ] {
        scene.clock.advance(Duration::from_millis(1));
        assert_eq!(groups(&scene, query).await["letter_count"], letters, "{query}");
    }
    for query in [
        "?group=grp_x",
        "?limit=0",
        "?limit=501",
        "?class=timeout",
        "?trend_since=2040-01-01T00:00:00Z",
        "?since=2040-01-01T00:00:00Z",
    ] {
        let got = scene.get(&format!("/api/v1/dead-letters/groups{query}")).await;
        assert_eq!((got.status.as_u16(), got.code()), (400, "bad_query".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn letters_of_a_group_are_listed_replayed_and_dismissed_alone() {
    let scene = Scene::new();
    killed(&scene, "broken", 3).await;
    killed(&scene, "late", 4).await;
    killed(&scene, "broken", 3).await;
    let all = groups(&scene, "").await;
    let id = |n: usize| all["items"][n]["id"].as_str().unwrap().to_owned();
    let (broken, late) = (id(0), id(1));
    // Pages of it end where it ends.
    let path = format!("/api/v1/dead-letters?group={broken}&limit=4");
    let first = scene.get(&path).await.json();
    let after = first["next"].as_str().unwrap();
    let rest = scene.get(&format!("{path}&after={after}")).await;
    assert_eq!((first["items"].as_array().unwrap().len(), rest.ids().len()), (4, 2));
    assert_eq!(rest.json()["next"], Value::Null);
    let none = format!("/api/v1/dead-letters?group={broken}&destination=mail");
    assert!(scene.get(&none).await.ids().is_empty());

    let filter = json!({"filter": {"group": broken}});
    let got = scene.post("/api/v1/dead-letters/replay", filter).await.json();
    assert_eq!((&got["matched"], &got["done"], &got["next"]), (&json!(6), &json!(6), &Value::Null));
    assert_eq!(groups(&scene, "").await["group_count"], 1);
    let got = scene.post("/api/v1/dead-letters/dismiss", json!({"filter": {"group": late}})).await.json();
    assert_eq!(got["done"], 4);
    assert_eq!(groups(&scene, "").await["group_count"], 0);
}

#[tokio::test]
async fn a_small_group_among_very_many_is_found_page_by_page() {
    let scene = Scene::new();
    killed(&scene, "rare", 1).await;
    for _ in 0..9 {
        killed(&scene, "often", 500).await;
    }
    // Its letter is the oldest; the id is that of the same cause elsewhere.
    let rare = {
        let once = Scene::new();
        killed(&once, "rare", 1).await;
        groups(&once, "").await["items"][0]["id"].as_str().unwrap().to_owned()
    };
    let path = format!("/api/v1/dead-letters?group={rare}");
    let page = scene.get(&path).await.json();
    assert_eq!(page["items"], json!([]));
    assert!(page["looked_back_to"].is_string(), "it says how far it looked");
    let rest = scene.get(&format!("{path}&after={}", page["next"].as_str().unwrap())).await;
    assert_eq!((rest.ids().len(), &rest.json()["next"]), (1, &Value::Null));
}
