//! What a walk through the dashboard happens on: a gateway with sources, destinations whose handlers can be told how to
//! answer, and the script in `tests-clients/browser/` that sends, clicks and looks.

use std::{
    path::PathBuf,
    process::Output,
    sync::{
        Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use serde_json::json;

use super::{
    gateway::Gateway,
    handler::{Handler, Reply},
    publisher,
    script::script,
};

/// How long one walk may take: some ten seconds, on a machine that does nothing else.
const WALK_PATIENCE: Duration = Duration::from_secs(300);

const SHOP: &str = "whsec_of_the_shop_on_stage";
const CODE: &str = "the secret of code on stage";
const PARTNER: &str = "the secret of a partner on stage";

pub struct Stage {
    pub gateway: Gateway,
    pub app: Handler,
    pub billing: Handler,
}

impl Stage {
    /// On the embedded store: `app` answers 200, `billing` 503.
    pub async fn set() -> Self {
        let (app, billing) = (told(200).await, told(503).await);
        let gateway = Gateway::start(&config(&app, &billing)).await;
        Stage { gateway, app, billing }
    }

    /// The same on PostgreSQL.
    pub async fn set_on_postgres() -> Self {
        let (app, billing) = (told(200).await, told(503).await);
        let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
        let database = databases.create().unwrap_or_else(|error| panic!("{error:#}"));
        let mut gateway = Gateway::node(&database, "all", &config(&app, &billing));
        gateway.serve().await;
        Stage { gateway, app, billing }
    }

    /// Nothing is configured yet.
    pub async fn empty() -> Self {
        let (app, billing) = (told(200).await, told(503).await);
        Stage { gateway: Gateway::start("").await, app, billing }
    }

    /// Runs a walk; every step of it must succeed.
    pub async fn walk(&self, name: &str) {
        let mut command = script("node", "browser.mjs");
        command.arg(name).env("HOOKHAVEN_STAGE", self.tell().to_string());
        let ran = tokio::time::timeout(WALK_PATIENCE, command.output()).await;
        let Output { status, stdout, stderr } =
            ran.expect("the walk ends").expect("Node.js runs: cargo xtask test installs it");
        let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        println!("{out}");
        assert!(status.success(), "{}\n{err}\n{out}\n{status}", self.gateway.log());
        assert!(out.contains(&format!("walk {name} passed")), "{out}");
    }

    /// What the script is told, once.
    fn tell(&self) -> serde_json::Value {
        let admin = self.gateway.admin();
        json!({
            "admin": format!("http://{}", admin.address),
            "ingest": format!("http://{}", self.gateway.ingest()),
            "token": admin.token,
            "publish_token": publisher::TOKEN,
            "handlers": { "app": self.app.url(), "billing": self.billing.url() },
            "secrets": { "shop": SHOP, "code": CODE, "partner": PARTNER },
            "chromium": hookhaven_testbed::chromium::chromium().unwrap_or_else(|error| panic!("{error:#}")),
            "screens": PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/screens"),
        })
    }
}

/// Invoices go to `billing`, one attempt each; everything else that has a route, to `app`.
fn config(app: &Handler, billing: &Handler) -> String {
    format!(
        "{}\n\
         [sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SHOP}\"]\n\n\
         [sources.code]\nsender = \"github\"\nsecrets = [\"{CODE}\"]\nquarantine = {{ rate = \"1000/s\" }}\n\n\
         [sources.partner]\nsender = \"hmac\"\nsecrets = [\"{PARTNER}\"]\n\
         [sources.partner.hmac]\nalgorithm = \"sha256\"\nheader = \"X-Signature\"\nencoding = \"hex\"\n\
         signed = \"{{body}}\"\nid = \"header:X-Event-Id\"\ntype = \"header:X-Event-Type\"\n\n\
         [destinations.app]\nurl = \"{}\"\n\n\
         [destinations.billing]\nurl = \"{}\"\n\n\
         [[routes]]\nsource = \"shop\"\nevents = [\"invoice.*\"]\nto = [\"billing\"]\nretry = {{ attempts = 1 }}\n\n\
         [[routes]]\nsource = \"shop\"\nevents = [\"charge.*\", \"customer.*\"]\nto = [\"app\"]\nretry = {{ attempts = 1 }}\n\n\
         [[routes]]\nsource = \"code\"\nto = [\"app\"]\n\n\
         [[routes]]\nsource = \"partner\"\nto = [\"app\"]\nretry = {{ attempts = 1 }}\n",
        publisher::CONFIG,
        app.url(),
        billing.url()
    )
}

/// A handler that answers so until it gets `POST /become/STATUS`, whose body it answers with from then on.
async fn told(status: u16) -> Handler {
    let (status, body) = (AtomicU16::new(status), Mutex::new(String::new()));
    Handler::start(move |received| {
        let mut body = body.lock().expect("nobody panics with it");
        if let Some(told) = received.path.strip_prefix("/become/") {
            status.store(told.parse().expect("a status"), Ordering::Relaxed);
            *body = String::from_utf8_lossy(&received.body).into_owned();
            return Reply::Status(204);
        }
        Reply::Full { status: status.load(Ordering::Relaxed), headers: Vec::new(), body: body.clone() }
    })
    .await
}
