//! Alerts: what fires and who was told; what nobody wants to hear for a while; the channels, each to be tried; the rules
//! with what to do about each.

use askama::Template;
use axum::{
    Form, Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::{Tab, frame, tabs};
use crate::{
    api::{AlertView, Alerting, ChannelView, RuleView, SilenceRequest, SilenceView, TrialView, view::Listing},
    dashboard::{
        Frame, Shared, Trouble, Visit,
        query::{self, segment},
    },
};

const PATH: &str = "/settings/alerts";

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route(PATH, get(list))
        .route("/settings/alerts/silences", post(silence))
        .route("/settings/alerts/silences/{id}/remove", post(unsilence))
        .route("/settings/alerts/channels/{name}/test", post(test))
}

/// Which alerts: what links of tellings name. Empty is not asked for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    rule: String,
    scope: String,
}

#[derive(Template)]
#[template(path = "settings_alerts.html")]
struct Alerts<'a> {
    frame: Frame<'a>,
    tabs: Vec<Tab>,
    asked: &'a Asked,
    alerting: Alerting,
    silences: Vec<SilenceView>,
    channels: Vec<ChannelView>,
    rules: Vec<RuleView>,
    trial: Option<TrialView>,
}

async fn list(visit: Visit, Query(asked): Query<Asked>) -> Response {
    visit.run(page(&visit, &asked, None)).await
}

async fn page(visit: &Visit, asked: &Asked, trial: Option<TrialView>) -> Result<Response, Trouble> {
    let api = &visit.api;
    let alerts = query::path("/alerts", &[("rule", &asked.rule), ("scope", &asked.scope)]);
    let (alerting, silences, channels, rules) = tokio::try_join!(
        api.get(&alerts),
        api.get::<Listing<SilenceView>>("/alerts/silences"),
        api.get::<Listing<ChannelView>>("/alerts/channels"),
        api.get::<Listing<RuleView>>("/alerts/rules"),
    )?;
    Ok(visit.page(&Alerts {
        frame: frame(visit, "Alerts"),
        tabs: tabs(visit, PATH),
        asked,
        alerting,
        silences: silences.items,
        channels: channels.items,
        rules: rules.items,
        trial,
    }))
}

#[derive(Deserialize)]
struct Wanted {
    rule: String,
    #[serde(default)]
    scope: String,
    #[serde(rename = "for")]
    lasting: String,
    #[serde(default)]
    reason: String,
}

async fn silence(visit: Visit, Form(wanted): Form<Wanted>) -> Response {
    visit
        .run(async {
            let Wanted { rule, scope, lasting, reason } = wanted;
            let scope = Some(scope.trim().to_owned()).filter(|scope| !scope.is_empty());
            let by = visit.who.name.to_string();
            let request = SilenceRequest { rule, scope, until: None, lasting: Some(lasting), reason, by };
            let made: SilenceView = visit.api.post("/alerts/silences", &request).await?;
            Ok(visit.done(PATH, &format!("Nobody is told of {} until {}.", made.rule, made.until)))
        })
        .await
}

async fn unsilence(visit: Visit, Path(id): Path<String>) -> Response {
    visit
        .run(async {
            let gone: SilenceView = visit.api.delete(&format!("/alerts/silences/{}", segment(&id))).await?;
            Ok(visit.done(PATH, &format!("{} is told again.", gone.rule)))
        })
        .await
}

async fn test(visit: Visit, Path(name): Path<String>) -> Response {
    visit
        .run(async {
            let trial = visit.api.act(&format!("/alerts/channels/{}/test", segment(&name))).await?;
            page(&visit, &Asked::default(), Some(trial)).await
        })
        .await
}

/// Who was told last, and whether that worked: `ops, pager: waiting (it answered 500)`.
fn told(alert: &AlertView) -> String {
    if let Some(silence) = &alert.silenced_by {
        return format!("silenced by {silence}");
    }
    let told = alert.tellings.last().map(|last| &last.told[..]).unwrap_or_default();
    let all: Vec<String> = told
        .iter()
        .map(|told| match (told.state.as_str(), &told.error) {
            ("told", _) => told.channel.clone(),
            (state, Some(error)) => format!("{}: {state} ({error})", told.channel),
            (state, None) => format!("{}: {state}", told.channel),
        })
        .collect();
    if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
}

/// When a rule fires, in words.
fn condition(rule: &RuleView) -> String {
    let window = rule.window.as_ref().map(|window| format!(" in {window}")).unwrap_or_default();
    let per = rule.per.as_ref().map(|per| format!(", per {per}")).unwrap_or_default();
    let hold = if rule.hold == "0s" { String::new() } else { format!(", for {}", rule.hold) };
    format!("{} {} {}{window}{hold}{per}", rule.metric, rule.condition, rule.threshold)
}

#[cfg(test)]
mod tests {
    use hookhaven_core::{
        Time,
        alert::{Episode, Kind, Notice, Rule, Severity},
    };
    use hookhaven_store::{CatalogEntry, Store};
    use http::StatusCode;

    use crate::{alerting::ALERT_KIND, api::fixture::START, dashboard::tests::Browser};

    #[tokio::test]
    async fn the_link_of_a_telling_leads_to_its_alert() {
        let mut browser = Browser::new().await;
        let rules = Rule::defaults();
        let [signatures, breaker] = ["invalid_signatures", "breaker_open"]
            .map(|name| rules.iter().find(|rule| &*rule.name == name).expect("a rule"));
        let episode = |rule: &Rule, scope: &str| Episode {
            rule: rule.name.to_string(),
            scope: scope.to_owned(),
            severity: Severity::Page,
            number: 1,
            pending_since: None,
            fired_at: Some(START),
            ended_at: None,
            value: 37.0,
            peak: 37.0,
            threshold: rule.threshold,
            told: 1,
            tellings: Vec::new(),
        };
        let fired = [episode(signatures, "stripe"), episode(breaker, "mail")];
        for episode in &fired {
            let (name, value) = (format!("{}/{}", episode.rule, episode.scope), serde_json::to_vec(episode).unwrap());
            let entry = CatalogEntry { kind: ALERT_KIND.to_owned(), name, value };
            browser.scene.store.put_catalog(entry).await.unwrap();
        }
        let base = "http://127.0.0.1:8081";
        let notice = Notice::of(&fired[0], Some(signatures), Kind::Fired, base, START);
        let shown = browser.get(notice.link.strip_prefix(base).expect("a link")).await;
        assert_eq!(shown.status, StatusCode::OK, "{}: {}", notice.link, shown.html);
        assert!(shown.html.contains("37 invalid signatures of stripe"), "{}", shown.html);
        assert!(!shown.html.contains("mail rests"), "{}", shown.html);
        let trial = Notice::trial("ops", base, Time::EPOCH, "r");
        let shown = browser.get(trial.link.strip_prefix(base).expect("a link")).await;
        assert!(shown.html.contains("37 invalid signatures of stripe") && shown.html.contains("mail rests"));
    }

    #[tokio::test]
    async fn rules_have_runbooks_and_a_silence_comes_and_goes() {
        let mut browser = Browser::new().await;
        let shown = browser.get("/settings/alerts").await;
        assert_eq!(shown.status, StatusCode::OK, "{}", shown.html);
        assert!(shown.html.contains("Nothing fires"), "{}", shown.html);
        let done = browser.post("/settings/alerts/silences", "rule=*&scope=&for=2h&reason=%3Ci%3Emove").await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
        let shown = browser.get("/settings/alerts").await;
        assert!(shown.html.contains("&#60;i&#62;move") && shown.html.contains("admin token"), "{}", shown.html);
        let id = shown.html.split("/settings/alerts/silences/").nth(1).unwrap().split('/').next().unwrap().to_owned();
        browser.post(&format!("/settings/alerts/silences/{id}/remove"), "").await;
        assert!(!browser.get("/settings/alerts").await.html.contains("&#60;i&#62;move"));
        let wrong = browser.post("/settings/alerts/silences", "rule=*&for=tomorrow").await;
        assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
        assert_eq!(browser.post("/settings/alerts/channels/ops/test", "").await.status, StatusCode::CONFLICT);
    }
}
