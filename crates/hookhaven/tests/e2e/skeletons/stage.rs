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
use hookhaven_architect::{Plan, config, intake::Framework};

pub const STRIPE_SECRET: &str = "whsec_of_stripe";
pub const GITHUB_SECRET: &str = "the hook's own secret";
pub const SLACK_SECRET: &str = "the app's signing secret";
/// Of the destinations: the gateway signs with them, the handlers verify.
const STRIPE_HANDLER: &str = "whsec_c3RyaXBlLWhhbmRsZXItc2VjcmV0LW9mLXRoZS10ZXN0cw==";
const GITHUB_HANDLER: &str = "whsec_Z2l0aHViLWhhbmRsZXItc2VjcmV0LW9mLXRoZS10ZXN0cw==";
const SLACK_HANDLER: &str = "whsec_c2xhY2staGFuZGxlci1zZWNyZXQtb2YtdGhlLXRlc3Rz";
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
            ("SLACK_HANDLER_SECRET".to_owned(), SLACK_HANDLER.to_owned()),
        ];
        for effect in ["mail", "record", "build", "message", "fulfilment"] {
            let url = format!("http://{}/{effect}", effects.address);
            environment.push((format!("{}_URL", effect.to_uppercase()), url));
        }
        let handlers = project.listen(&environment).await;
        let outbox = project.outbox(&environment);
        let gateway = Gateway::start_written(&written(&plan(&handlers.url)), gateway_environment()).await;
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
        for event_type in ["customer.subscription.*", "push", "/deploy"] {
            let order = json!({ "act": "replay", "of": "events", "filter": { "type": event_type } });
            let asked = self.gateway.admin().post("/api/v1/jobs", &order).await.expect("a job");
            let path = format!("/api/v1/jobs/{}", asked["id"].as_str().expect("an id"));
            self.gateway.until(&path, |job: &Value| !job["ended_at"].is_null()).await;
        }
        self.gateway.until_drained().await;
        let now = self.gateway.items("/api/v1/deliveries?state=delivered&limit=500").await;
        assert_eq!(now.len(), 2 * delivered.len(), "each came once more");
    }

    /// Cuts every connection to the handlers' database, and lets none in until the next call.
    pub fn database_is_away(&self, away: bool) {
        let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
        let name = self.database.rsplit('/').next().expect("a URL with a database");
        let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {away} AND datname = '{name}'");
        for statement in [format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {}", !away), cut] {
            databases.sql("postgres", &statement).unwrap_or_else(|error| panic!("{error:#}"));
        }
    }

    /// Waits until no effect is due any more.
    pub async fn outbox_performed(&self) {
        let none_left = || self.rows("SELECT count(*) FROM webhook_outbox WHERE done_at IS NULL") == ["0"];
        let performed = poll(PATIENCE, async || none_left().then_some(())).await;
        let left = || self.rows("SELECT effect, attempts, last_error FROM webhook_outbox WHERE done_at IS NULL");
        assert!(performed.is_some(), "left in the outbox: {:?}", left());
    }
}

/// The config file of the set-up.
fn written(plan: &Plan) -> String {
    let mut files = config::files(plan).into_iter();
    files.find(|file| file.path == config::FILE).expect("a config file").text
}

/// What the file asks the environment for, in its order.
fn gateway_environment() -> Vec<(String, String)> {
    let all = [
        ("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET),
        ("GITHUB_WEBHOOK_SECRET", GITHUB_SECRET),
        ("SLACK_WEBHOOK_SECRET", SLACK_SECRET),
        ("STRIPE_HANDLER_SECRET", STRIPE_HANDLER),
        ("GITHUB_HANDLER_SECRET", GITHUB_HANDLER),
        ("SLACK_HANDLER_SECRET", SLACK_HANDLER),
    ];
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}
