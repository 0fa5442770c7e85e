//! Routing filters: what a route's conditions keep from its handler, what the commands say of it, and how an event
//! gets there after all once the filter was mended.

use serde_json::Value;

use crate::support::{
    gateway::Gateway,
    handler::Handler,
    output::{failed, items, stdout, well},
    sign,
};

const SECRET: &str = "whsec_filters";

fn config(handlers: &[Handler; 2], when: &str) -> String {
    let [large, marked] = handlers.each_ref().map(Handler::url);
    format!(
        "[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [destinations.large]\nurl = \"{large}\"\n\n[destinations.marked]\nurl = \"{marked}\"\n\n\
         [[routes]]\nsource = \"shop\"\nto = [\"large\"]\nwhen = {when}\n\n\
         [[routes]]\nsource = \"shop\"\nto = [\"marked\"]\nwhen = {{ \"header:x-mark\" = [\"a\", \"b\"] }}\n"
    )
}

const LARGE: &str = "{ \"json:/data/object/amount\" = { gte = 1000 }, \"json:/livemode\" = true }";

async fn post(gateway: &Gateway, id: &str, mark: Option<&str>, rest: &str) {
    let body = format!(r#"{{"id":"{id}","type":"charge.succeeded",{rest}}}"#).into_bytes();
    let mut headers = sign::stripe(SECRET, &body);
    headers.extend(mark.map(|mark| ("X-Mark".to_owned(), mark.to_owned())));
    assert_eq!(gateway.post("/webhooks/shop", &headers, &body).await.status, 200);
}

fn amount(amount: &str, live: bool) -> String {
    format!(r#""livemode":{live},"data":{{"object":{{"amount":{amount}}}}}"#)
}

async fn says(gateway: &Gateway, arguments: &[&str]) -> String {
    well(arguments, gateway.ask(arguments).await)
}

#[tokio::test]
async fn events_go_where_their_content_says_and_the_rest_waits_for_a_better_filter() {
    let handlers = [Handler::answering(200).await, Handler::answering(200).await];
    let gateway = Gateway::start(&config(&handlers, LARGE)).await;
    post(&gateway, "evt_large", None, &amount("1000.00", true)).await;
    post(&gateway, "evt_both", Some("b"), &amount("1e9", true)).await;
    post(&gateway, "evt_marked", Some("a"), &amount("5", true)).await;
    post(&gateway, "evt_small", Some("c"), &amount("999.999999999999999999999", true)).await;
    post(&gateway, "evt_play", None, &amount("2000", false)).await;
    gateway.until_drained().await;
    let keys = |page: &Value| -> Vec<String> {
        let mut keys: Vec<_> =
            items(page).iter().filter_map(|e| e["idempotency_key"].as_str().map(str::to_owned)).collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(handlers.each_ref().map(|h| h.received().len()), [2, 2]);
    let unrouted = gateway.get("/api/v1/events?unrouted=true").await;
    assert_eq!(keys(&unrouted), ["evt_play", "evt_small"]);

    // Why, in words and as JSON.
    let why = says(&gateway, &["why", "evt_small"]).await;
    for told in [
        "Route shop#1 takes this type, but not this event",
        "  no  json:/data/object/amount >= 1000 (there is 999.999999999999999999999)",
        "  no  header:x-mark is \"a\" or \"b\" (there is \"c\")",
    ] {
        assert!(why.contains(told), "{told}: {why}");
    }
    let told = says(&gateway, &["routes", "test", "evt_both"]).await;
    assert!(told.contains("=> to large by route shop#1\n=> to marked by route shop#2\n"), "{told}");
    let refused = gateway.ask(&["routes", "test", "evt_play", "--json"]).await;
    let told: Value = serde_json::from_str(&stdout(&refused)).expect("JSON");
    assert!(failed(&refused, 1).is_empty());
    assert_eq!(told["routes"][0]["conditions"][1]["seen"], "false");
    assert!(
        failed(&gateway.ask(&["events", "replay", items(&unrouted)[0]["id"].as_str().unwrap()]).await, 1)
            .contains("routes test")
    );

    // An edit is tried before it is in force; a wrong one is found by `check`.
    let body = gateway.directory().join("play.json");
    std::fs::write(&body, format!("{{\"type\":\"charge.succeeded\",{}}}", amount("2000", false))).unwrap();
    let test_file = ["routes", "test", body.to_str().unwrap()];
    failed(&gateway.cli(&test_file).await, 1);
    gateway.configure(&config(&handlers, "{ \"json:/data/object/amount\" = { gtee = 1 } }"));
    let check = gateway.cli(&["check", "--offline"]).await;
    assert_eq!(check.status.code(), Some(2));
    assert!(stdout(&check).contains("unknown operator; did you mean \"gte\"?"), "{}", stdout(&check));
    gateway.configure(&config(&handlers, "{ \"json:/data/object/amount\" = { gte = 1000 } }"));
    assert!(well(&test_file, gateway.cli(&test_file).await).contains("=> to large by route shop#1"));

    // In force, it takes what came before.
    gateway.reload().await;
    let listed = |page: &Value| items(page)[0]["when"].as_array().map(Vec::len) == Some(1);
    gateway.until("/api/v1/routes", listed).await;
    let replayed = says(&gateway, &["events", "replay", "--unrouted", "--source", "shop", "--yes"]).await;
    assert!(replayed.contains("1 delivery made for unrouted events"), "{replayed}");
    gateway.until_drained().await;
    assert_eq!(handlers.each_ref().map(|h| h.received().len()), [3, 2]);
    assert_eq!(keys(&gateway.get("/api/v1/events?unrouted=true").await), ["evt_small"]);
}
