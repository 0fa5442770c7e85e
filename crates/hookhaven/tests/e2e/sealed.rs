//! Encryption at rest, of the real binary on both stores: canaries go through everything that a secret can go through,
//! and are then looked for in everything that is stored, logged and answered. And what becomes of it all when the
//! master key is set, changed, wrong or lost.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::support::{
    gateway::Gateway,
    handler::{Handler, Reply},
    leaks::Canaries,
    output::{failed, well},
    publisher::{self, Publisher},
};

/// Secrets of the configuration and of requests. Whoever adds a kind of secret adds one here, to [`config`], and to
/// [`play`] what it goes through.
const CANARIES: [&str; 18] = [
    "canary-gitlab-token",
    "canary-graph-state",
    "canary-basic-password",
    "canary-query-token",
    "canary-destination-query",
    "Y2FuYXJ5IG9mIHRoZSBkZXN0aW5hdGlvbg",
    "canary-rejected-token",
    "canary-rejected-bearer",
    "canary-rejected-query",
    "canary-forward-bearer",
    "canary-forward-key",
    "canary-forward-odd",
    "canary-retry-bearer",
    "canary-callback-bearer",
    "canary-failure-bearer",
    "canary-schedule-bearer",
    "canary-group-bearer",
    publisher::TOKEN,
];
/// Of bodies that are not to be read in the store, though who may see them sees them.
const IN_BODIES: [&str; 1] = ["canary-rejected-body"];
/// What is no secret and has to be found: it shows that there was something to look at.
const PLAIN: &str = "this-is-no-secret-at-all";

const GRAPH: &str = r#"{"value":[{"subscriptionId":"s","changeType":"created","resource":"r","clientState":"canary-graph-state"},
 {"subscriptionId":"s","changeType":"updated","resource":"r","clientState":"canary-graph-state"}]}"#;

fn config(handler: &Handler, log: &str) -> String {
    let mut text = format!(
        "{}\n[log]\nlevel = \"trace\"\nformat = \"{log}\"\n\n\
         [destinations.app]\nurl = \"http://{}/hook?key=canary-destination-query\"\n\
         secret = \"whsec_Y2FuYXJ5IG9mIHRoZSBkZXN0aW5hdGlvbg==\"\n\n",
        publisher::CONFIG,
        handler.address
    );
    for (source, sender, secret) in [
        ("lab", "gitlab", "canary-gitlab-token"),
        ("graph", "msgraph", "canary-graph-state"),
        ("basic", "basic-auth", "user:canary-basic-password"),
        ("query", "query-token", "canary-query-token"),
    ] {
        text.push_str(&format!(
            "[sources.{source}]\nsender = \"{sender}\"\nsecrets = [\"{secret}\"]\n\n\
             [[routes]]\nsource = \"{source}\"\nto = [\"app\"]\n\n"
        ));
    }
    text.replace("sender = \"msgraph\"", "sender = \"msgraph\"\nsplit = true")
}

/// Fails at `/fail`, fails once at `/again`.
async fn handler() -> Handler {
    Handler::start(|received| {
        let again = received.path == "/again" && received.header("upstash-retried") == "0";
        Reply::Status(if again || received.path == "/fail" { 500 } else { 200 })
    })
    .await
}

fn publisher(gateway: &Gateway) -> Publisher {
    Publisher(gateway.ingest())
}

/// Everything that a secret can go through; answers what the gateway made of its own.
async fn play(gateway: &Gateway, handler: &Handler) -> Canaries {
    senders(gateway).await;
    publishers(gateway, handler).await;
    let kinds = ["/hook", "/fail", "/again", "/callback", "/failed", "/group"];
    for (path, count) in kinds.iter().zip([5, 1, 2, 1, 1, 1]) {
        let came = || handler.received().iter().filter(|one| one.path == *path).count();
        while came() < count {
            handler.until(handler.received().len() + 1).await;
        }
    }
    let sent = |path: &str| handler.received().into_iter().find(|one| one.path == path).expect("it came");
    assert_eq!(sent("/fail").header("authorization"), "Bearer canary-forward-bearer");
    assert_eq!(sent("/fail").header("x-odd"), "canary-forward-odd");
    assert_eq!(sent("/again").header("authorization"), "Bearer canary-retry-bearer");
    assert_eq!(sent("/callback").header("authorization"), "Bearer canary-callback-bearer");
    assert_eq!(sent("/failed").header("authorization"), "Bearer canary-failure-bearer");
    let told: Value = serde_json::from_slice(&sent("/failed").body).expect("JSON");
    assert_eq!(told["sourceHeader"]["Authorization"][0], "Bearer canary-forward-bearer");
    let graph = handler.received().into_iter().any(|one| one.body.ends_with(b"\"canary-graph-state\"}"));
    assert!(graph, "a body that is sealed comes as it was sent");
    gateway.until_drained().await;

    let mut own = Canaries::default();
    for path in ["/api/v1/publish/keys", "/api/v1/publish/keys"] {
        let keys = gateway.get(path).await;
        own.add(["current", "next"].map(|name| keys[name].as_str().expect("a key").to_owned()));
        well(&["keys", "rotate"], gateway.ask(&["keys", "rotate", "--token", &gateway.admin().token]).await);
    }
    own.add([gateway.admin().token.clone()]);
    own
}

async fn senders(gateway: &Gateway) {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let json = header("content-type", "application/json");
    let plain = format!(r#"{{"object_kind":"push","note":"{PLAIN}"}}"#);
    let basic = format!("Basic {}", STANDARD.encode("user:canary-basic-password"));
    for (path, headers, body) in [
        ("lab", vec![json.clone(), header("x-gitlab-token", "canary-gitlab-token")], &*plain),
        ("graph", vec![json.clone()], GRAPH),
        ("basic", vec![json.clone(), header("authorization", &basic)], &plain),
        ("query?token=canary-query-token", vec![json.clone()], &plain),
    ] {
        let answer = gateway.post(&format!("/webhooks/{path}"), &headers, body.as_bytes()).await;
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.status);
    }
    let rejected = [
        json,
        header("x-gitlab-token", "canary-rejected-token"),
        header("authorization", "Bearer canary-rejected-bearer"),
    ];
    let body = r#"{"object_kind":"canary-rejected-body"}"#;
    let path = "/webhooks/lab?token=canary-rejected-query";
    assert_eq!(gateway.post(path, &rejected, body.as_bytes()).await.status, 401);
    gateway.until("/api/v1/rejected", |page| page["items"].as_array().is_some_and(|all| all.len() == 1)).await;
    let shown = gateway.items("/api/v1/rejected").await;
    let id = shown[0]["id"].as_str().expect("an id");
    let diagnosed = gateway.get(&format!("/api/v1/rejected/{id}")).await;
    assert_eq!((&diagnosed["reason"], &shown[0]["whole"]), (&"signature_mismatch".into(), &true.into()), "{diagnosed}");
}

async fn publishers(gateway: &Gateway, handler: &Handler) {
    let (publisher, at) = (publisher(gateway), |path: &str| format!("http://{}{path}", handler.address));
    let (callback, failed) = (at("/callback"), at("/failed"));
    let fails = [
        ("upstash-retries", "0"),
        ("upstash-forward-authorization", "Bearer canary-forward-bearer"),
        ("upstash-forward-x-api-key", "canary-forward-key"),
        ("upstash-forward-x-odd", "canary-forward-odd"),
        ("upstash-callback", &*callback),
        ("upstash-callback-forward-authorization", "Bearer canary-callback-bearer"),
        ("upstash-failure-callback", &failed),
        ("upstash-failure-callback-forward-authorization", "Bearer canary-failure-bearer"),
    ];
    publisher.publish(&at("/fail"), &fails, PLAIN.as_bytes()).await;
    let again = [
        ("upstash-retries", "1"),
        ("upstash-retry-delay", "1"),
        ("upstash-forward-authorization", "Bearer canary-retry-bearer"),
    ];
    publisher.publish(&at("/again"), &again, b"{}").await;
    let scheduled = [("upstash-cron", "0 0 1 1 *"), ("upstash-forward-authorization", "Bearer canary-schedule-bearer")];
    publisher.ask("POST", &format!("/v2/schedules/{}", at("/hook")), &scheduled, b"tick").await;
    let endpoints = serde_json::json!({ "endpoints": [{ "name": "one", "url": at("/group") }] }).to_string();
    let json = [("content-type", "application/json")];
    publisher.ask("POST", "/v2/topics/all/endpoints", &json, endpoints.as_bytes()).await;
    let grouped = [("upstash-forward-authorization", "Bearer canary-group-bearer")];
    publisher.ask("POST", "/v2/publish/all", &grouped, b"{}").await;
}

/// Every answer that the admin API has to a GET, of everything there is.
async fn answers(gateway: &Gateway, canaries: &Canaries) {
    let ids = async |list: &str| -> Vec<String> {
        let items = gateway.items(&format!("/api/v1/{list}?limit=100")).await;
        items.iter().map(|item| item["id"].as_str().or(item["name"].as_str()).expect("an id").to_owned()).collect()
    };
    let mut paths = ["/metrics", "/readyz", "/healthz"].map(str::to_owned).to_vec();
    let document = hookhaven::api::document();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let streams = item["get"].to_string().contains("text/event-stream");
        // Who asks for the signing keys gets them: they are made for others.
        if item["get"].is_null() || streams || path.ends_with("/publish/keys") {
            continue;
        }
        let path = if path.starts_with("/api/v1") { path.clone() } else { format!("/api/v1{path}") };
        match path.split_once('{') {
            None => paths.push(path),
            Some((before, after)) => {
                let list = before.trim_end_matches('/').rsplit('/').next().expect("a name");
                let rest = after.split_once('}').expect("a parameter").1;
                for id in ids(list).await {
                    paths.push(format!("{before}{id}{rest}"));
                }
            }
        }
    }
    assert!(paths.len() > 30, "{paths:?}");
    for path in paths {
        let answer = gateway.admin().send("GET", &path, b"").await.expect("an answer");
        canaries.silent(&path, [format!("{:?}", answer.headers).as_bytes(), &answer.body].concat());
        assert!(answer.status < 500, "{path}: {}", answer.status);
    }
}

fn stored(own: &Canaries) -> Canaries {
    let mut all = own.clone();
    all.add(CANARIES);
    all.add(IN_BODIES);
    all
}

/// Both in the log and in what the API says.
fn told(own: &Canaries) -> Canaries {
    let mut all = own.clone();
    all.add(CANARIES);
    all
}

fn key_file(gateway: &Gateway, name: &str, text: &str) {
    fs::write(gateway.directory().join(name), text).expect("a file");
}

async fn generated() -> String {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_hookhaven"));
    let output = command.args(["master-key", "generate"]).output().await.expect("the binary runs");
    well(&["master-key", "generate"], output).trim().to_owned()
}

/// What the file of data keys holds: the keys themselves, as long as there is no master key.
fn data_keys(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(dir.join("keys")).expect("the keys");
    let keys: Value = serde_json::from_str(&text).expect("JSON");
    keys["keys"].as_array().expect("keys").iter().map(|key| key["key"].as_str().expect("a key").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_tells_no_secret() {
    let handler = handler().await;
    let text = config(&handler, "json");
    let mut gateway = Gateway::start(&text).await;
    let own = play(&gateway, &handler).await;
    answers(&gateway, &told(&own)).await;
    assert!(gateway.terminate().await.success());
    told(&own).silent("the log", gateway.log());
    assert!(gateway.log().contains("\"attempt\""), "there was nothing to look at");

    let mut all = stored(&own);
    let owners = ["keys", "admin-token"];
    all.silent_directory(&gateway.data(), &owners);
    let plain = Canaries::new([PLAIN]);
    assert!(plain.in_directory(&gateway.data(), &owners).is_some(), "there was nothing to look at");
    assert!(all.found(&fs::read(gateway.data().join("admin-token")).expect("a token")).is_some());

    // With a master key the files of its owner tell nothing either.
    all.add(data_keys(&gateway.data()));
    let master = generated().await;
    key_file(&gateway, "master.key", &master);
    gateway.configure(&format!("[encryption]\nmaster_key = \"file:master.key\"\n{text}"));
    gateway.serve().await;
    let backup = gateway.directory().join("backup").display().to_string();
    // The command line opens the token that it needs.
    well(&["backup"], gateway.ask(&["backup", &backup]).await);
    gateway.terminate().await;
    all.add([master]);
    all.silent_directory(&gateway.data(), &[]);
    all.silent_directory(Path::new(&backup), &[]);
    all.silent("the log", gateway.log());

    // A gateway goes on from the copy, and reads what is sealed there.
    fs::remove_dir_all(gateway.data()).expect("the data go");
    fs::rename(&backup, gateway.data()).expect("the copy takes their place");
    gateway.serve().await;
    let schedules = publisher(&gateway).get("/v2/schedules").await;
    assert_eq!(schedules[0]["header"]["Authorization"][0], "Bearer canary-schedule-bearer", "{schedules}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_tells_no_secret() {
    let databases = hookhaven_testbed::shared().expect("a server");
    let url = databases.create().expect("a database");
    let handler = handler().await;
    let text = config(&handler, "text");
    let mut node = Gateway::node(&url, "all", &text);
    node.serve().await;
    let own = play(&node, &handler).await;
    answers(&node, &told(&own)).await;
    let dump = stored(&own).silent_database(databases, &url);
    assert!(Canaries::new([PLAIN]).found(dump.as_bytes()).is_some(), "there was nothing to look at");
    assert!(node.terminate().await.success());
    told(&own).silent("the log", node.log());

    // Under a master key instead of the admin token, while another node still goes by the token.
    let mut other = Gateway::node(&url, "ingest", &text);
    other.serve().await;
    let master = generated().await;
    key_file(&node, "master.key", &master);
    let with_master = format!("[encryption]\nmaster_key = \"file:master.key\"\n{text}");
    node.configure_node(&url, "all", &with_master);
    let status = node.cli(&["master-key", "status", "--json"]).await;
    assert_eq!(status.status.code(), Some(1), "{status:?}");
    let rotated: Value =
        serde_json::from_str(&well(&["rotate"], node.cli(&["master-key", "rotate", "--json"]).await)).expect("JSON");
    assert_eq!(rotated["rewrapped"], 1, "{rotated}");
    well(&["status"], node.cli(&["master-key", "status"]).await);
    node.serve().await;
    publisher(&other).publish(&handler.url(), &[("upstash-forward-x-late", "canary-of-a-late-one")], b"{}").await;
    node.until_drained().await;
    let late = handler.received().into_iter().any(|one| one.header("x-late") == "canary-of-a-late-one");
    assert!(late, "what one node sealed another one opens");
    let mut all = stored(&own);
    all.add([master, "canary-of-a-late-one".to_owned()]);
    all.silent_database(databases, &url);
    node.terminate().await;
    other.terminate().await;
    let refused = failed(&other.cli(&["serve"]).await, 2);
    assert!(refused.contains("encryption.master_key"), "{refused}");
}

/// A message that waits for its time, with a credential.
async fn waiting(gateway: &Gateway, handler: &Handler, delay: &str) -> String {
    let headers = [("upstash-delay", delay), ("upstash-forward-authorization", "Bearer canary-waiting")];
    publisher(gateway).publish(&handler.url(), &headers, b"{}").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_key_is_changed_and_a_wrong_one_is_refused() {
    let handler = handler().await;
    let mut gateway = Gateway::prepare("");
    let [old, new] = [generated().await, generated().await];
    assert_ne!(old, new);
    key_file(&gateway, "old.key", &old);
    key_file(&gateway, "new.key", &new);
    let with = |encryption: &str| format!("[encryption]\n{encryption}\n{}", publisher::CONFIG);
    gateway.configure(&with("master_key = \"file:old.key\""));
    gateway.serve().await;
    waiting(&gateway, &handler, "3s").await;
    gateway.terminate().await;

    let before = fs::read(gateway.data().join("keys")).expect("the keys");
    for (encryption, wanted) in [
        ("", "encryption.master_key"),
        ("master_key = \"file:new.key\"", "encryption.previous"),
        ("master_key = \"file:hookhaven.toml\"", "not 32 bytes"),
        ("master_key = \"no-reference\"", "env:NAME"),
    ] {
        gateway.configure(&with(encryption));
        let refused = failed(&gateway.cli(&["serve"]).await, 2);
        assert!(refused.contains(wanted) && !refused.contains(&old), "{encryption}: {refused}");
        assert_eq!(fs::read(gateway.data().join("keys")).expect("the keys"), before, "nothing is overwritten");
    }
    gateway.configure(&with("master_key = \"file:new.key\"\nprevious = [\"file:old.key\"]"));
    assert_eq!(gateway.cli(&["master-key", "status"]).await.status.code(), Some(1));
    let said = well(&["rotate"], gateway.cli(&["master-key", "rotate", "--new-data-key"]).await);
    assert!(said.contains("1 data key changed") && said.contains("Made the data key"), "{said}");
    gateway.configure(&with("master_key = \"file:new.key\""));
    let status = well(&["status"], gateway.cli(&["master-key", "status", "--json"]).await);
    assert_eq!(serde_json::from_str::<Value>(&status).expect("JSON")["keys"].as_array().map(Vec::len), Some(2));
    gateway.serve().await;
    assert_eq!(handler.nth(1).await.header("authorization"), "Bearer canary-waiting");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_data_key_costs_what_it_sealed_and_says_so() {
    let handler = handler().await;
    let mut gateway = Gateway::start(publisher::CONFIG).await;
    waiting(&gateway, &handler, "3s").await;
    publisher(&gateway).publish(&handler.url(), &[("upstash-delay", "3s")], b"plain").await;
    gateway.terminate().await;
    fs::remove_file(gateway.data().join("keys")).expect("the keys go");

    let refused = failed(&gateway.cli(&["serve"]).await, 2);
    assert!(refused.contains("master-key abandon") && !gateway.data().join("keys").exists(), "{refused}");
    failed(&gateway.cli(&["master-key", "abandon"]).await, 2);
    let said = well(&["abandon"], gateway.cli(&["master-key", "abandon", "--yes"]).await);
    assert!(said.contains("publish-keys/signing"), "{said}");
    gateway.serve().await;
    // What needs no key is delivered; what does is dead and says why, and is listed all the same.
    assert_eq!(&handler.nth(1).await.body[..], b"plain");
    gateway.until_drained().await;
    let dead = gateway.items("/api/v1/dead-letters").await;
    assert_eq!((dead.len(), handler.received().len()), (1, 1), "{dead:?}");
    let shown = gateway.get(&format!("/api/v1/deliveries/{}", dead[0]["id"].as_str().expect("an id"))).await;
    assert!(shown["attempts"][0]["error"].as_str().is_some_and(|why| why.contains("data key")), "{shown}");
    let event = gateway.get(&format!("/api/v1/events/{}", dead[0]["event"].as_str().expect("an id"))).await;
    assert!(event["headers"].to_string().contains("cannot be shown"), "{event}");
    assert_eq!(gateway.items("/api/v1/events").await.len(), 2);
}
