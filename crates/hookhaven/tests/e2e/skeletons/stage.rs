//! A gateway before a project's handlers, and providers behind them that take note of every effect.

use serde_json::{Value, json};
use tokio::process::Child;

use hookhaven_load::gateway::poll;

use super::project::{Listening, Project, plan, terminate};
use crate::support::{
    PATIENCE,
    gateway::Gateway,
    handler::{Handler, Reply},
};
use hookhaven_architect::{Plan, intake::Framework};

pub const STRIPE_SECRET: &str = "whsec_of_stripe";
pub const GITHUB_SECRET: &str = "the hook's own secret";
/// Of the destinations: the gateway signs with them, the handlers verify.
const STRIPE_HANDLER: &str = "whsec_c3RyaXBlLWhhbmRsZXItc2VjcmV0LW9mLXRoZS10ZXN0cw==";
const GITHUB_HANDLER: &str = "whsec_Z2l0aHViLWhhbmRsZXItc2VjcmV0LW9mLXRoZS10ZXN0cw==";
/// What it replaced: still accepted.
const OLD_HANDLER: &str = "whsec_dGhlLXNlY3JldC1iZWZvcmUtdGhlLXJvdGF0aW9u";

pub struct Stage {
    pub gateway: Gateway,
    /// Where effects are posted to; the path says which.
    pub effects: Handler,
    database: String,
    handlers: Listening,
    outbox: Option<Child>,
    _project: Project,
}

impl Stage {
    pub async fn start(framework: Framework) -> Stage {
        let project = Project::write(framework);
        let database = project.database();
        let effects = Handler::start(|_| Reply::Status(200)).await;
        let mut environment = vec![
            ("DATABASE_URL".to_owned(), database.clone()),
            ("STRIPE_HANDLER_SECRET".to_owned(), format!("{STRIPE_HANDLER} {OLD_HANDLER}")),
            ("GITHUB_HANDLER_SECRET".to_owned(), GITHUB_HANDLER.to_owned()),
        ];
        for effect in ["mail", "record", "build", "fulfilment"] {
            let url = format!("http://{}/{effect}", effects.address);
            environment.push((format!("{}_URL", effect.to_uppercase()), url));
        }
        let handlers = project.listen(&environment).await;
        let outbox = project.outbox(&environment);
        let gateway = Gateway::start(&config(&plan(&handlers.url))).await;
        Stage { gateway, effects, database, handlers, outbox, _project: project }
    }

    /// Everything stops as it would in service.
    pub async fn end(self) {
        self.handlers.end().await;
        if let Some(mut outbox) = self.outbox {
            terminate(&mut outbox).await;
        }
    }

    /// What `psql` prints, a row a line.
    pub fn rows(&self, query: &str) -> Vec<String> {
        let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
        let printed = databases.sql_at(&self.database, query).unwrap_or_else(|error| panic!("{error:#}"));
        printed.lines().map(str::to_owned).collect()
    }

    /// So that the handlers get every event that they took once more, under the same id.
    pub async fn replay_everything_delivered(&self) {
        let delivered = self.gateway.items("/api/v1/deliveries?state=delivered&limit=500").await;
        // The one that can never succeed is of another type.
        for event_type in ["customer.subscription.*", "push"] {
            let order = json!({ "act": "replay", "of": "events", "filter": { "type": event_type } });
            let asked = self.gateway.admin().post("/api/v1/jobs", &order).await.expect("a job");
            let path = format!("/api/v1/jobs/{}", asked["id"].as_str().expect("an id"));
            self.gateway.until(&path, |job: &Value| !job["ended_at"].is_null()).await;
        }
        self.gateway.until_drained().await;
        let now = self.gateway.items("/api/v1/deliveries?state=delivered&limit=500").await;
        assert_eq!(now.len(), 2 * delivered.len(), "each came once more");
    }

    /// Waits until no effect is due any more.
    pub async fn outbox_performed(&self) {
        let none_left = || self.rows("SELECT count(*) FROM webhook_outbox WHERE done_at IS NULL") == ["0"];
        let performed = poll(PATIENCE, async || none_left().then_some(())).await;
        let left = || self.rows("SELECT effect, attempts, last_error FROM webhook_outbox WHERE done_at IS NULL");
        assert!(performed.is_some(), "left in the outbox: {:?}", left());
    }
}

/// What the design says, with secrets in place.
fn config(plan: &Plan) -> String {
    let mut config = String::new();
    for (source, secret) in [("stripe", STRIPE_SECRET), ("github", GITHUB_SECRET)] {
        config += &format!("[sources.{source}]\nsender = \"{source}\"\nsecrets = [\"{secret}\"]\n\n");
    }
    for (destination, secret) in plan.design.destinations.iter().zip([STRIPE_HANDLER, GITHUB_HANDLER]) {
        config += &format!(
            "[destinations.{}]\nurl = \"{}\"\nsecret = \"{secret}\"\nconcurrency = {}\n\n",
            destination.name, destination.url, destination.concurrency.value
        );
    }
    for route in &plan.design.routes {
        config += &format!(
            "[[routes]]\nsource = \"{}\"\nevents = {:?}\nto = [\"{}\"]\n\n",
            route.source, route.events, route.to
        );
    }
    config
}
