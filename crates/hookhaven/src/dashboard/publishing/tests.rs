//! The pages of publishing, over what publishers made through their own API.

use axum::http::StatusCode;
use serde_json::json;

use super::back;
use crate::{api::fixture::Scene, dashboard::tests::Browser};

const TO: &str = "https://a.example/x";
const PAGES: [&str; 6] = [
    "/publishing",
    "/publishing/queues",
    "/publishing/schedules",
    "/publishing/url-groups",
    "/publishing/flow-control",
    "/publishing/signing-keys",
];

/// Something of everything; its label wants to be markup.
async fn fill(scene: &Scene) -> String {
    let endpoints = json!({"endpoints": [{"url": TO, "name": "one"}]}).to_string();
    scene.call("POST", "/v2/topics/signups/endpoints", &[], &endpoints).await;
    let cron = [("upstash-cron", "TZ=Asia/Tokyo 0 9 * * *"), ("upstash-schedule-id", "report")];
    scene.call("POST", &format!("/v2/schedules/{TO}"), &cron, "{}").await;
    let flow = [("upstash-flow-control-key", "a/<i>b"), ("upstash-flow-control-value", "rate=5")];
    scene.publish(&format!("/v2/publish/{TO}"), &flow).await;
    let label = [("upstash-label", "<script>alert(1)</script>"), ("upstash-delay", "1h")];
    let answer = scene.publish(&format!("/v2/enqueue/emails/{TO}"), &label).await;
    answer["messageId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_empty_page_shows_the_command_with_which_one_begins() {
    let mut browser = Browser::new().await;
    for page in &PAGES[..5] {
        let shown = browser.get(page).await;
        assert_eq!(shown.status, StatusCode::OK, "{page}");
        assert!(shown.html.contains("curl -X POST") && shown.html.contains("data-copy"), "{page}: {}", shown.html);
        assert!(shown.html.contains(&format!("href=\"{page}\" aria-current=\"page\"")), "{page}: {}", shown.html);
    }
}

#[tokio::test]
async fn what_publishers_made_is_shown_as_text() {
    let mut browser = Browser::new().await;
    let id = fill(&browser.scene).await;
    for (page, wanted) in PAGES.iter().zip([&*id, "emails", "Asia/Tokyo", "signups", "a/&#60;i&#62;b"]) {
        let shown = browser.get(page).await;
        assert!(shown.html.contains(wanted), "{page}: {}", shown.html);
        for never in ["<script>alert", "<i>b", "style=", "onclick"] {
            assert!(!shown.html.contains(never), "{page}: {never}");
        }
    }
    let shown = browser.get("/publishing?queue=emails&state=pending").await;
    assert!(shown.html.contains(&id) && shown.html.contains("value=\"emails\""), "{}", shown.html);
    let shown = browser.get("/publishing?queue=other").await;
    assert!(shown.html.contains("No message is like that"), "{}", shown.html);
    assert_eq!(browser.get("/publishing?group=nobody").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_id_that_a_publisher_got_leads_to_the_message() {
    let mut browser = Browser::new().await;
    let id = fill(&browser.scene).await;
    let shown = browser.get(&format!("/publishing?id=+{id}+")).await;
    assert_eq!(shown.status, StatusCode::SEE_OTHER);
    let to = shown.headers["location"].to_str().unwrap();
    assert!(to.starts_with("/events/evt_") && to.ends_with(&format!("#dlv_{}", &id[4..])), "{to}");
    assert_eq!(browser.get("/publishing?id=msg_nonsense").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_message_is_cancelled() {
    let mut browser = Browser::new().await;
    let id = fill(&browser.scene).await;
    let form = format!("id=dlv_{}&act=cancel&next=%2Fpublishing%3Fqueue%3Demails", &id[4..]);
    let shown = browser.post("/publishing/messages", &form).await;
    assert_eq!(
        (shown.status, &shown.headers["location"]),
        (StatusCode::SEE_OTHER, &"/publishing?queue=emails".parse().unwrap())
    );
    let shown = browser.get("/publishing?queue=emails").await;
    assert!(
        shown.html.contains("The message is cancelled.") && shown.html.contains("quiet\">cancelled<"),
        "{}",
        shown.html
    );
    assert!(!shown.html.contains("value=\"cancel\""), "{}", shown.html);
}

#[tokio::test]
async fn queues_schedules_groups_and_keys_are_acted_on() {
    let mut browser = Browser::new().await;
    fill(&browser.scene).await;
    for (page, form, said) in [
        ("queues", "name=emails&act=pause", "The queue emails is paused"),
        ("queues", "name=emails&act=resume", "The queue emails is resumed"),
        ("queues", "name=emails&act=delete", "The queue emails is deleted; 1 messages were cancelled"),
        ("schedules", "name=report&act=pause", "The schedule report is paused"),
        ("schedules", "name=report&act=resume", "The schedule report is resumed"),
        ("schedules", "name=report&act=delete", "The schedule report is deleted"),
        ("url-groups", "name=signups&act=delete", "The URL group signups is deleted"),
        ("flow-control", "name=a%2F%3Ci%3Eb&act=pause", "is paused: what is published under it waits"),
        ("flow-control", "name=a%2F%3Ci%3Eb&act=resume", "is resumed"),
        ("flow-control", "name=a%2F%3Ci%3Eb&act=reset", "counts its rate anew"),
        ("flow-control", "name=a%2F%3Ci%3Eb&act=pin&parallelism=3&rate=&period_s=+", "is pinned"),
        ("flow-control", "name=a%2F%3Ci%3Eb&act=unpin", "takes its limits from messages again"),
    ] {
        let path = format!("/publishing/{page}");
        let done = browser.post(&path, form).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{form}: {}", done.html);
        let shown = browser.get(&path).await;
        assert!(shown.html.contains(said), "{form}: {}", shown.html);
    }
    let key = browser.scene.book.flows.get("a/<i>b").unwrap();
    assert_eq!((key.parallelism.map(u32::from), key.rate_pinned), (Some(3), false));
    for (page, form) in [
        ("queues", "name=nobody&act=pause"),
        ("queues", "name=emails&act=burn"),
        ("flow-control", "name=a%2F%3Ci%3Eb&act=pin&rate=many"),
        ("flow-control", "name=a%2F%3Ci%3Eb&act=pin"),
    ] {
        let shown = browser.post(&format!("/publishing/{page}"), form).await;
        assert!(shown.status.is_client_error(), "{form}: {}", shown.status);
    }
}

#[tokio::test]
async fn who_may_only_look_is_offered_nothing_and_refused() {
    let mut browser = Browser::signed_out();
    let token = json!({"name": "reader", "scopes": ["read"]});
    let token = browser.scene.post("/api/v1/tokens", token).await.json()["token"].as_str().unwrap().to_owned();
    browser.post("/sign-in", &format!("token={token}")).await;
    fill(&browser.scene).await;
    for page in PAGES {
        let shown = browser.get(page).await;
        assert_eq!(shown.status, StatusCode::OK, "{page}");
        assert!(!shown.html.contains("name=\"act\""), "{page}: {}", shown.html);
    }
    let keys = browser.get("/publishing/signing-keys").await;
    assert!(keys.html.contains("needs one with the scope"), "{}", keys.html);
    let shown = browser.post("/publishing/queues", "name=emails&act=delete").await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN);
    assert!(browser.scene.book.queues.get("emails").is_some());
    assert_eq!(browser.post("/publishing/signing-keys", "next=x").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn keys_are_rotated_once_by_a_form_sent_twice_and_never_shown() {
    let mut browser = Browser::new().await;
    let path = "/api/v1/publish/keys";
    assert!(browser.get("/publishing/signing-keys").await.html.contains("There are no keys yet"));
    let before = browser.scene.post(&format!("{path}/rotate"), json!({})).await.json();
    let shown = browser.get("/publishing/signing-keys").await;
    for key in ["current", "next"] {
        assert!(!shown.html.contains(before[key].as_str().unwrap()), "{}", shown.html);
    }
    let next = shown.html.split("name=\"next\" value=\"").last().unwrap().split('"').next().unwrap().to_owned();
    for _ in 0..2 {
        assert_eq!(
            browser.post("/publishing/signing-keys", &format!("next={next}")).await.status,
            StatusCode::SEE_OTHER
        );
    }
    let after = browser.scene.get(path).await.json();
    assert_eq!(after["current"], before["next"]);
    assert_eq!(browser.post("/publishing/signing-keys", "next=0123").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.scene.get(path).await.json(), after);
}

#[test]
fn a_form_leads_back_to_its_own_page_only() {
    for (next, want) in [
        ("/publishing/queues?after=b", "/publishing/queues?after=b"),
        ("/publishing/queues", "/publishing/queues"),
        ("/publishing/queues-of-others", "/publishing/queues"),
        ("//evil.example", "/publishing/queues"),
        ("/publishing/queues?a=\r\nset-cookie: x", "/publishing/queues"),
        ("", "/publishing/queues"),
    ] {
        assert_eq!(back(next, "/publishing/queues"), want, "{next:?}");
    }
}
