//! Alerts from end to end: real requests make figures, a fake Slack, PagerDuty, webhook and mail server hear of them.
//! Minutes pass at the test's will.

mod defaults;
mod telling;

use std::{sync::Arc, time::Duration};

use hookhaven::{
    api::{AlertState, AlertView, Alerting},
    config::reload::Reload,
};
use hookhaven_core::alert::Notice;
use hookhaven_load::gateway::poll;
use hookhaven_store::Store;
use serde_json::Value;

use crate::support::{
    PATIENCE,
    clocked::Clocked,
    handler::{Handler, Received},
    smtp::MailServer,
};

pub const TICK: Duration = Duration::from_secs(10);
pub const MINUTE: Duration = Duration::from_secs(60);
/// Of the webhook channel.
pub const SECRET: &str = "whsec_dGhlIHdlYmhvb2sgc2lnbmVkIHdpdGggdGhpcw==";

/// Everybody who is told.
pub struct Town {
    pub gateway: Clocked,
    pub slack: Handler,
    pub pager: Handler,
    pub hook: Handler,
    pub mail: MailServer,
    config: String,
}

impl Town {
    /// Not started yet.
    pub async fn prepare(config: &str) -> Self {
        let slack = Handler::answering(200).await;
        let pager = Handler::answering(202).await;
        let hook = Handler::answering(200).await;
        let mail = MailServer::start().await;
        let config = format!(
            "[worker]\nsession_ttl = \"1h\"\n{config}\n\
             [alerts.channels.slack]\nslack = \"{}\"\n\
             [alerts.channels.pager]\npagerduty = \"R0UTING\"\nurl = \"{}\"\nseverities = [\"page\"]\n\
             [alerts.channels.hook]\nwebhook = \"{}\"\nsecret = \"{SECRET}\"\n\
             [alerts.channels.mail]\n\
             email = {{ smtp = \"{}\", from = \"hookhaven@example.com\", to = [\"ops@example.com\"] }}\n",
            slack.url(),
            pager.url(),
            hook.url(),
            mail.url()
        );
        let gateway = Clocked::prepare("", &config);
        Town { gateway, slack, pager, hook, mail, config }
    }

    pub async fn start(config: &str) -> Self {
        let mut town = Self::prepare(config).await;
        town.gateway.serve().await;
        town.settled().await;
        town
    }

    pub async fn start_on(config: &str, store: impl FnOnce(&Clocked) -> Arc<dyn Store>) -> Self {
        let mut town = Self::prepare(config).await;
        let store = store(&town.gateway);
        town.gateway.serve_on(store).await;
        town.settled().await;
        town
    }

    /// Lets this much time pass, in one step, and waits until the figures were looked at.
    pub async fn pass(&self, time: Duration) {
        self.gateway.clock.advance(time);
        self.settled().await;
    }

    async fn settled(&self) {
        let looked = poll(PATIENCE, async || {
            let alerting: Alerting = self.gateway.get("/api/v1/alerts").await;
            (alerting.looked_at == Some(self.gateway.now())).then_some(())
        });
        looked.await.expect("the figures are looked at whenever it is time");
    }

    pub async fn alert(&self, rule: &str, scope: &str) -> Option<AlertView> {
        let alerting: Alerting = self.gateway.get(&format!("/api/v1/alerts?rule={rule}")).await;
        alerting.items.into_iter().find(|alert| alert.scope == scope)
    }

    async fn until_state(
        &self,
        rule: &str,
        scope: &str,
        state: AlertState,
        step: Duration,
        within: Duration,
    ) -> AlertView {
        let mut passed = Duration::ZERO;
        loop {
            match self.alert(rule, scope).await {
                Some(alert) if alert.state == state => return alert,
                alert if passed >= within => {
                    panic!("{rule} of {scope:?} is not {state:?} after {within:?}: {alert:#?}")
                }
                _ => self.pass(step).await,
            }
            passed += step;
        }
    }

    /// Lets time pass until it fires, but not more than this; everybody is told once, and hears what is wrong.
    pub async fn fires(&self, rule: &str, scope: &str, step: Duration, within: Duration) -> Notice {
        let alert = self.until_state(rule, scope, AlertState::Firing, step, within).await;
        assert!(!alert.runbook.is_empty() && !alert.command.is_empty(), "{alert:#?}");
        self.everybody_hears(rule, scope, "fired").await
    }

    /// The same for its end.
    pub async fn ends(&self, rule: &str, scope: &str, step: Duration, within: Duration) -> Notice {
        let alert = self.until_state(rule, scope, AlertState::Ended, step, within).await;
        let notice = self.everybody_hears(rule, scope, "ended").await;
        assert!(alert.ended_at.is_some() && notice.text.starts_with("over after "), "{}", notice.text);
        notice
    }

    /// Waits until each channel that should have heard this of it has, exactly once.
    async fn everybody_hears(&self, rule: &str, scope: &str, kind: &str) -> Notice {
        let told = poll(PATIENCE, async || self.heard(rule, scope, kind));
        let notice = told.await.unwrap_or_else(|| panic!("not everybody heard that {rule} of {scope:?} has {kind}"));
        // Whoever is told twice is told at once.
        self.settled().await;
        assert_eq!(self.hooks(rule, scope, kind).len(), 1, "{rule} of {scope:?} {kind}");
        notice
    }

    fn heard(&self, rule: &str, scope: &str, kind: &str) -> Option<Notice> {
        let notice = self.hooks(rule, scope, kind).pop()?;
        let headline = notice.headline();
        let slack = self.slack.received();
        let slack = slack.iter().any(|said| json(said)["text"].as_str().is_some_and(|text| text.contains(&headline)));
        let mail = self.mail.mails().iter().any(|mail| mail.subject().ends_with(&headline));
        let action = if kind == "ended" { "resolve" } else { "trigger" };
        let pages = self.pages(&notice.thread, action);
        let pages_wanted = usize::from(notice.severity == hookhaven_core::alert::Severity::Page);
        (slack && mail && pages == pages_wanted).then_some(notice)
    }

    pub fn pages(&self, thread: &str, action: &str) -> usize {
        let of_it = |said: &&Received| json(said)["dedup_key"] == thread && json(said)["event_action"] == action;
        self.pager.received().iter().filter(of_it).count()
    }

    /// What the webhook channel heard.
    pub fn hooks(&self, rule: &str, scope: &str, kind: &str) -> Vec<Notice> {
        let all = self.hook.received();
        let notices = all.iter().filter_map(|said| serde_json::from_slice::<Notice>(&said.body).ok());
        notices.filter(|n| n.rule == rule && n.scope == scope && n.kind.as_str() == kind).collect()
    }

    /// Changes the config file and has it read; answers whether it was taken.
    pub async fn reload(&self, change: impl FnOnce(&str) -> String) -> bool {
        let file = self.gateway.directory.path().join("hookhaven.toml");
        let text = std::fs::read_to_string(&file).expect("the config file");
        let (fixed, _) = text.split_once("[worker]").expect("the fixed part");
        std::fs::write(&file, format!("{fixed}{}", change(&self.config))).expect("it can be written");
        let reload = self.gateway.gateway().reload().await.expect("a config that is watched");
        !matches!(reload, Reload::Refused(_))
    }
}

pub fn json(said: &Received) -> Value {
    serde_json::from_slice(&said.body).unwrap_or_else(|error| panic!("{error}: {:?}", said.body))
}

/// A source `stripe` routed to `billing`, with further lines for destination and route.
pub fn billing(handler: &Handler, destination: &str, route: &str) -> String {
    format!(
        "[sources.stripe]\nsender = \"stripe\"\nsecrets = [\"{}\"]\n\
         [destinations.billing]\nurl = \"{}\"\n{destination}\n\
         [[routes]]\nsource = \"stripe\"\nto = [\"billing\"]\n{route}\n",
        crate::support::clocked::SECRET,
        handler.url()
    )
}

/// Requests that somebody else has signed.
pub async fn forge(gateway: &Clocked, source: &str, count: u64) {
    for number in 0..count {
        let request = gateway.request(source, number);
        let text = String::from_utf8(request).expect("a request is text").replace("v1=", "v1=0");
        assert_eq!(gateway.exchange(text.as_bytes()).await.status, 401);
    }
}
