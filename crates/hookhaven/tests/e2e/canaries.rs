//! I6: secrets stand in the config and nowhere else. Each is a canary here, and everything that the gateway
//! says is searched for it.

use hookhaven::{
    config::{self, Environment, Origin},
    egress::{Outbound, To},
};

use crate::support::{
    clocked::{Clocked, SECRET},
    gateway::Gateway,
    handler::{Handler, Reply},
};

const MASTER_KEY: &str = "63616e6172792d6d61737465722d6b65792d63616e6172792d6d61737465722d";

/// The part of each secret that must not be seen, whatever stands around it.
const CANARIES: [&str; 12] = [
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "Y2FuYXJ5IG9mIHRoZSBkZXN0aW5hdGlvbg",
    "canary-admin-token",
    "canary-user",
    "canary-password",
    "canary-query",
    "canary-publish-token",
    "canary-current-signing-key",
    "canary-next-signing-key",
    "canary-previous-key",
    "canary-master-key",
    MASTER_KEY,
];

fn config(handler: &Handler) -> String {
    format!(
        "[sources.stripe]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [destinations.billing]\nurl = \"http://{}/hook?key=canary-query\"\n\
         secret = \"whsec_Y2FuYXJ5IG9mIHRoZSBkZXN0aW5hdGlvbg==\"\n\n\
         [[routes]]\nsource = \"stripe\"\nto = [\"billing\"]\nretry = {{ attempts = 1 }}\n\
         [publish]\ntokens = [\"canary-publish-token\"]\n\
         current_signing_key = \"canary-current-signing-key-0123456789\"\n\
         next_signing_key = \"canary-next-signing-key-0123456789abc\"\n",
        handler.address
    )
}

fn silent(what: &str, text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{what} tells {canary}:\n{text}");
    }
}

/// A handler that gives back all the credentials it was sent: they are the gateway's own.
async fn telltale() -> Handler {
    Handler::start(|received| {
        let headers = vec![("set-cookie", received.header("authorization").to_owned())];
        Reply::Full { status: 500, headers, body: "sorry".to_owned() }
    })
    .await
}

#[tokio::test]
async fn no_debug_output_answer_or_command_tells_a_secret() {
    let handler = telltale().await;
    let mut gateway = Clocked::prepare("", &config(&handler));
    let file = gateway.directory.path().join("hookhaven.toml");
    let text = std::fs::read_to_string(&file).expect("the config file");
    let text = text.replace("[store]", "admin_token = \"canary-admin-token\"\n\n[store]");
    let text = text + "[encryption]\nmaster_key = \"file:master.key\"\nprevious = [\"canary-previous-key\"]\n";
    std::fs::write(&file, &text).expect("the config file");
    std::fs::write(gateway.directory.path().join("master.key"), MASTER_KEY).expect("a file");
    gateway.serve().await;
    gateway.accept("stripe", 1).await;
    let delivery = gateway.delivery_of(1).await;
    gateway.until_state(delivery, "dead").await;

    let origin = Origin { file: Some(file.clone()), ..Default::default() };
    let loaded = config::load(origin.clone(), &Environment::default()).expect("it was loaded before");
    silent("the configuration", &format!("{loaded:?} {loaded:#?}"));
    let with = hookhaven::seal::WrapKeys::of(&loaded.config);
    let keys = hookhaven::seal::file::read(&gateway.directory.path().join("data")).expect("the data keys");
    silent("the keys", &format!("{with:?} {keys:?}"));
    silent("the gateway", &format!("{:?}", gateway.gateway()));
    silent("the store", &format!("{:?}", gateway.gateway().store));

    let destination = &loaded.config.destinations["billing"];
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", "Bearer canary-admin-token".parse().expect("a header"));
    let outbound = Outbound {
        method: http::Method::POST,
        to: To::Configured(destination.url.clone()),
        headers,
        body: bytes::Bytes::from_static(b"canary-password"),
        timeout: destination.timeout,
        excerpt_bytes_max: 0,
        response_bytes_max: 0,
    };
    silent("an attempt", &format!("{outbound:?} {destination:?} {:?}", loaded.config.sources));

    let event = gateway.events().await[0].id;
    for path in ["status", "events", "deliveries", "dead-letters", "destinations", "destinations/billing"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("events/{event}"), format!("deliveries/{delivery}"), format!("events/{event}/body")])
        .map(|path| format!("/api/v1/{path}"))
        .chain(["/metrics", "/readyz", "/healthz", "/api/v1/no-such-thing"].map(str::to_owned))
    {
        let answer = gateway.admin().send("GET", &path, b"").await.expect("an answer");
        silent(&path, &format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body)));
    }
    let (event, delivery) = (event.to_string(), delivery.to_string());
    for command in [
        &["events", "show", &event][..],
        &["deliveries", "show", &delivery],
        &["dlq", "show", &delivery, "--json"],
        &["destinations", "list"],
        &["destinations", "list", "--json"],
        &["why", &event],
        &["check"],
        &["check", "--config", "no-such-file"],
    ] {
        let output = gateway.cli(command).await;
        silent(&command.join(" "), &String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    }
    // Broken in each line that holds a secret.
    for (from, to) in [
        ("http://", "http://canary-user:canary-password@"),
        ("secret = \"whsec_", "secret = \"whsec_!"),
        ("secrets", "secretz"),
    ] {
        std::fs::write(&file, text.replace(from, to)).expect("the config file");
        let refused = config::load(origin.clone(), &Environment::default()).expect_err("it is broken");
        silent("what is wrong", &format!("{refused} {refused:?}"));
    }
}

#[tokio::test]
async fn no_log_line_tells_a_secret() {
    let handler = telltale().await;
    let mut gateway = Gateway::prepare(&(config(&handler) + "\n[log]\nlevel = \"trace\"\n"));
    gateway.serve().await;
    let token = gateway.admin().token.clone();
    gateway.ask(&["trigger", "stripe", "invoice.paid"]).await;
    let ingest = gateway.ingest();
    let events = hookhaven_load::event::Events { run: "c".into(), secret: SECRET.into(), body_bytes: 300 };
    let now_s = hookhaven_load::now::unix_s();
    let request = events.request("h", "/webhooks/stripe", 1, 0, now_s);
    assert_eq!(gateway.exchange(&request).await.status, 200, "at {ingest}");
    handler.until(1).await;
    gateway.until("/api/v1/status", |status| status["store"]["dead_letters"] == 1).await;
    gateway.write_file(&std::fs::read_to_string(gateway.config()).expect("a file").replace("secrets", "secretz"));
    gateway.reload().await;
    gateway.until("/readyz", |ready| !ready["config"]["error"].is_null()).await;
    gateway.terminate().await;
    let log = gateway.log();
    assert!(log.contains("attempt") && log.contains("secretz"), "it has logged:\n{log}");
    silent("the log", &log);
    assert!(!token.is_empty() && !log.contains(&token), "the log tells the admin token");
}
