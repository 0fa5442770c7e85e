//! Who may do what, on the real binary: every kind of refusal over real sockets, tokens over kills and on the disk,
//! destinations that people disable, the audit log, and the command line against a gateway elsewhere. Each on the
//! embedded store and on PostgreSQL, where what a store does matters. Over all operations of the API the scopes are
//! tested beside it.

use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
};

use hookhaven_load::client::{Answer, Connection, request};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{
    clocked::Clocked,
    gateway::Gateway,
    handler::Handler,
    output::{failed, well},
    sign, soon,
};

const SECRET: &str = "whsec_access";

fn config(handler: &Handler) -> String {
    format!(
        "\n[sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\
         [destinations.app]\nurl = \"{}\"\n\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\n",
        handler.url()
    )
}

/// One on each store, started.
async fn gateways(config: &str) -> [(&'static str, Gateway); 2] {
    let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
    let database = databases.create().unwrap_or_else(|error| panic!("{error:#}"));
    let mut both = [("embedded", Gateway::prepare(config)), ("postgres", Gateway::node(&database, "all", config))];
    for (_, gateway) in &mut both {
        gateway.serve().await;
    }
    both
}

async fn post(gateway: &Gateway, id: &str) {
    let body = format!(r#"{{"id":"{id}","type":"invoice.paid"}}"#).into_bytes();
    assert_eq!(gateway.post("/webhooks/shop", &sign::stripe(SECRET, &body), &body).await.status, 200);
}

async fn make(gateway: &Gateway, name: &str, scope: &str) -> String {
    let made = gateway.admin().post("/api/v1/tokens", &json!({ "name": name, "scopes": [scope] })).await;
    made.expect("a token")["token"].as_str().expect("it is shown").to_owned()
}

/// A request to the admin address with exactly these headers beside Host.
async fn ask(gateway: &Gateway, method: &str, host: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let bytes = request(method, host, path, &headers, b"");
    let exchange = async { Connection::open(gateway.admin().address).await?.exchange(&bytes).await };
    soon("an answer", exchange).await.expect("an answer")
}

async fn with(gateway: &Gateway, token: &str, method: &str, path: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    ask(gateway, method, "localhost", path, &[("authorization", &bearer)]).await.status
}

async fn actions(gateway: &Gateway, query: &str) -> Vec<(String, String)> {
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let entries = gateway.items(&format!("/api/v1/audit{query}")).await;
    entries.iter().map(|entry| (text(entry, "who"), text(entry, "action"))).collect()
}

/// Whether any file below a directory holds this text.
fn holds(directory: &Path, text: &str) -> bool {
    fs::read_dir(directory).expect("a directory").flatten().any(|entry| match entry.path() {
        path if path.is_dir() => holds(&path, text),
        path => fs::read(path).unwrap_or_default().windows(text.len()).any(|window| window == text.as_bytes()),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_should_not_is_refused_and_who_guesses_waits_while_a_right_token_is_let_in() {
    let handler = Handler::answering(200).await;
    for (store, gateway) in &gateways(&config(&handler)).await {
        let reader = make(gateway, "reader", "read").await;
        let bearer = format!("Bearer {reader}");
        let right = ("authorization", bearer.as_str());
        let pause = "/api/v1/destinations/app/pause";
        for (what, method, host, path, headers, want) in [
            ("right", "GET", "localhost", "/api/v1/status", vec![right], 200),
            ("no token", "GET", "localhost", "/api/v1/status", vec![], 401),
            ("no token at the metrics", "GET", "localhost", "/metrics", vec![], 401),
            ("another scheme", "GET", "localhost", "/api/v1/status", vec![("authorization", "Basic aGk6aGk=")], 401),
            ("a scope too small", "POST", "localhost", pause, vec![right], 403),
            ("tokens for no admin", "GET", "localhost", "/api/v1/tokens", vec![right], 403),
            ("rebinding", "GET", "rebound.example", "/api/v1/status", vec![right], 421),
            (
                "another site",
                "GET",
                "localhost",
                "/api/v1/status",
                vec![right, ("origin", "https://evil.example")],
                403,
            ),
            ("no site", "POST", "localhost", pause, vec![right, ("origin", "null")], 403),
            (
                "a page of another site",
                "GET",
                "localhost",
                "/metrics",
                vec![right, ("sec-fetch-site", "cross-site")],
                403,
            ),
        ] {
            let answer = ask(gateway, method, host, path, &headers).await;
            assert_eq!(answer.status, want, "{store}: {what}");
            let cors = answer.header("access-control-allow-origin");
            assert_eq!(cors, None, "{store}: {what}");
        }
        let mut waits = false;
        for _ in 0..20 {
            let status = with(gateway, "hh_guess", "GET", "/api/v1/status").await;
            assert!(status == 429 || (status == 401 && !waits), "{store}: {status}");
            waits = status == 429;
        }
        assert!(waits, "{store}: a flood is slowed down");
        assert_eq!(with(gateway, &reader, "GET", "/api/v1/status").await, 200, "{store}: a right token is let in");
        let metrics = gateway.admin().send("GET", "/metrics", b"").await.expect("metrics");
        let metrics = String::from_utf8(metrics.body).expect("text");
        assert!(metrics.contains("hookhaven_access_refused_total{code=\"forbidden\"} "), "{store}: {metrics}");
        assert!(actions(gateway, "?who=reader").await.is_empty(), "{store}: what was refused is not written down");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_and_the_audit_log_outlive_a_kill_and_nothing_stored_holds_a_token() {
    let handler = Handler::answering(200).await;
    let both = gateways(&config(&handler)).await;
    for (store, mut gateway) in both {
        let token = make(&gateway, "anna", "operate").await;
        assert_eq!(with(&gateway, &token, "POST", "/api/v1/destinations/app/pause").await, 200);
        gateway.restart().await;
        assert_eq!(with(&gateway, &token, "POST", "/api/v1/destinations/app/resume").await, 200, "{store}");
        let entries = gateway.items("/api/v1/audit?subject=app").await;
        let of = |n: usize, when: &str| entries[n][when]["state"].as_str().unwrap_or_default().to_owned();
        assert_eq!([of(1, "before"), of(1, "after"), of(0, "after")], ["active", "paused", "active"], "{store}");
        assert!(entries[0]["address"].is_string(), "{store}: {entries:?}");
        assert_eq!(gateway.admin().send("DELETE", "/api/v1/tokens/anna", b"").await.expect("it ends").status, 200);
        assert_eq!(with(&gateway, &token, "GET", "/api/v1/status").await, 401, "{store}");
        gateway.restart().await;
        assert_eq!(with(&gateway, &token, "GET", "/api/v1/status").await, 401, "{store}: still revoked");
        let said = |(who, action): &(String, String)| format!("{who}: {action}");
        let all: Vec<_> = actions(&gateway, "").await.iter().map(said).collect();
        let want = [
            "admin token: tokens.delete",
            "anna: destinations.resume",
            "anna: destinations.pause",
            "admin token: tokens.create",
        ];
        assert_eq!(all, want, "{store}");
        assert!(!holds(gateway.directory(), &token[3..]), "{store}: a file holds the token");
        assert!(!gateway.log().contains(&token[3..]), "{store}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_destination_gets_nothing_new_until_it_is_enabled() {
    let handler = Handler::answering(200).await;
    for (store, mut gateway) in gateways(&config(&handler)).await {
        let before = handler.received().len();
        well(&["disable"], gateway.ask(&["destinations", "disable", "app"]).await);
        post(&gateway, "evt_off").await;
        gateway.restart().await;
        post(&gateway, "evt_still_off").await;
        let events = gateway.items("/api/v1/events").await;
        for event in &events {
            let id = event["id"].as_str().expect("an id");
            let detail = gateway.get(&format!("/api/v1/events/{id}")).await;
            assert_eq!(detail["deliveries"], json!([]), "{store}");
            assert_eq!(detail["routing"]["goes_to"][0]["disabled"], true, "{store}");
            let why = well(&["why"], gateway.ask(&["why", id]).await);
            assert!(why.contains("disabled"), "{store}: {why}");
        }
        assert_eq!(gateway.items("/api/v1/routes").await[0]["state"], "disabled", "{store}");
        let said = well(&["enable"], gateway.ask(&["destinations", "enable", "app"]).await);
        assert!(said.contains("app is active"), "{store}: {said}");
        post(&gateway, "evt_on").await;
        gateway.until_drained().await;
        assert_eq!(handler.received().len(), before + 1, "{store}");
        assert_eq!(actions(&gateway, "?action=destinations.disable").await.len(), 1, "{store}");
    }
}

#[tokio::test]
async fn a_token_is_over_at_its_end() {
    let handler = Handler::answering(200).await;
    let gateway = Clocked::start(&config(&handler)).await;
    let wanted = json!({ "name": "ci", "scopes": ["read"], "expires_in_s": 60 });
    let token = gateway.admin().post("/api/v1/tokens", &wanted).await.expect("a token")["token"].clone();
    let mut admin = gateway.admin();
    admin.token = token.as_str().expect("it is shown").to_owned();
    assert!(admin.get("/api/v1/status").await.is_ok());
    gateway.advance_to(gateway.now().plus(std::time::Duration::from_secs(60)));
    let refused = admin.send("GET", "/api/v1/status", b"").await.expect("an answer");
    let problem: Value = serde_json::from_slice(&refused.body).expect("a problem");
    assert_eq!((refused.status, &problem["code"]), (401, &json!("unauthorized")));
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("expired")), "{problem}");
}

#[tokio::test]
async fn what_nobody_asked_for_is_written_down_too() {
    let handler = Handler::answering(410).await;
    let gateway = Gateway::start(&config(&handler)).await;
    for n in 0..10 {
        post(&gateway, &format!("evt_{n}")).await;
    }
    let audit = gateway.until("/api/v1/audit?who=system", |audit| audit["items"][0].is_object()).await;
    assert_eq!(
        (&audit["items"][0]["action"], &audit["items"][0]["subject"]),
        (&json!("destinations.pause"), &json!("app"))
    );
    gateway
        .configure(&format!("{}\n[sources.code]\nsender = \"github\"\nsecrets = [\"{SECRET}\"]\n", config(&handler)));
    gateway.reload().await;
    let audit = gateway.until("/api/v1/audit?who=config", |audit| audit["items"][0].is_object()).await;
    assert_eq!(audit["items"][0]["after"], json!({ "sources": { "added": ["code"] } }));
}

#[tokio::test]
async fn a_publish_token_publishes_and_nothing_else_and_a_browser_has_no_way_in() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler)).await;
    let publisher = make(&gateway, "shop", "publish").await;
    let reader = make(&gateway, "reader", "read").await;
    assert_eq!(with(&gateway, &publisher, "GET", "/api/v1/status").await, 403);
    let call = async |method: &str, headers: &[(&str, &str)]| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        gateway.exchange(&request(method, "localhost", "/v2/queues", &headers, b"")).await
    };
    let (right, wrong) = (format!("Bearer {publisher}"), format!("Bearer {reader}"));
    assert_eq!(call("GET", &[("authorization", &right)]).await.status, 200);
    assert_eq!(call("GET", &[("authorization", &wrong)]).await.status, 401);
    // What a browser sends by itself opens nothing, and no page hears that it might.
    let cookie = format!("token={publisher}; qstash_token={publisher}");
    assert_eq!(call("GET", &[("cookie", &cookie)]).await.status, 401);
    let other =
        [("authorization", right.as_str()), ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    assert_eq!(call("GET", &other).await.status, 403);
    let preflight = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
    let preflight = call("OPTIONS", &preflight).await;
    assert!(preflight.status >= 400);
    for name in ["origin", "methods", "headers", "credentials"] {
        assert_eq!(preflight.header(&format!("access-control-allow-{name}")), None);
    }
    let rotated = request("POST", "localhost", "/v2/keys/rotate", &[("authorization".to_owned(), right)], b"");
    assert_eq!(gateway.exchange(&rotated).await.status, 200);
    assert_eq!(actions(&gateway, "?action=publish").await, [("shop".to_owned(), "publish.keys.rotate".to_owned())]);
}

/// A command as somebody elsewhere types it: no config file, a configuration directory of their own.
async fn elsewhere(home: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookhaven"));
    command.args(arguments).current_dir(home).env_clear().env("XDG_CONFIG_HOME", home);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    tokio::io::AsyncWriteExt::write_all(&mut stdin, input.as_bytes()).await.expect("it reads");
    drop(stdin);
    soon("the command's end", child.wait_with_output()).await.expect("it ends")
}

#[tokio::test]
async fn a_gateway_elsewhere_is_logged_in_to_and_out_of() {
    let handler = Handler::answering(200).await;
    let gateway = Gateway::start(&config(&handler)).await;
    let url = format!("http://{}", gateway.admin().address);
    let made =
        well(&["create"], gateway.ask(&["tokens", "create", "anna", "--scope", "operate", "--expires", "2d"]).await);
    let home = tempfile::tempdir().expect("a home");
    let run = async |arguments: &[&str], input: &str| elsewhere(home.path(), arguments, input).await;

    let list = ["destinations", "list", "--url", &url];
    let refused = failed(&run(&list, "").await, 1);
    assert!(refused.contains(&format!("hookhaven login {url}")), "{refused}");
    let wrong = failed(&run(&["login", &url], "hh_wrong\n").await, 1);
    assert!(wrong.contains("refuses this token"), "{wrong}");
    let said = well(&["login"], run(&["login", &url], &made).await);
    assert!(said.contains("anna") && said.contains("operate"), "{said}");
    assert!(well(&list, run(&list, "").await).contains("app"));
    assert!(well(&["sources"], run(&["sources", "list", "--url", &url], "").await).contains("/webhooks/shop"));
    let forbidden = failed(&run(&["tokens", "list", "--url", &url], "").await, 1);
    assert!(forbidden.contains("admin") && forbidden.contains("operate"), "{forbidden}");
    let audit = well(&["audit"], run(&["audit", "--url", &url, "--who", "admin token"], "").await);
    assert!(audit.contains("tokens.create") && !audit.contains(made.trim()), "{audit}");

    let file = home.path().join("hookhaven/credentials.json");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("ours");
    let refused = failed(&run(&list, "").await, 1);
    assert!(refused.contains("chmod 600"), "{refused}");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
    well(&["logout"], run(&["logout"], "").await);
    assert!(!fs::read_to_string(&file).expect("it stays").contains("hh_"));
    failed(&run(&list, "").await, 1);
}
