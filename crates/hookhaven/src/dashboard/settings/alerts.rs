//! Alerts: what fires and who was told; what nobody wants to hear for a while; the channels, each to be tried; the rules
//! with what to do about each.

use askama::Template;
use axum::{
    Form, Router,
    extract::Path,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::{Tab, frame, tabs};
use crate::{
    api::{AlertView, Alerting, ChannelView, RuleView, SilenceRequest, SilenceView, TrialView, view::Listing},
    dashboard::{Frame, Shared, Trouble, Visit, query::segment},
};

const PATH: &str = "/settings/alerts";

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route(PATH, get(list))
        .route("/settings/alerts/silences", post(silence))
        .route("/settings/alerts/silences/{id}/remove", post(unsilence))
        .route("/settings/alerts/channels/{name}/test", post(test))
}

#[derive(Template)]
#[template(path = "settings_alerts.html")]
struct Alerts<'a> {
    frame: Frame<'a>,
    tabs: Vec<Tab>,
    alerting: Alerting,
    silences: Vec<SilenceView>,
    channels: Vec<ChannelView>,
    rules: Vec<RuleView>,
    trial: Option<TrialView>,
}

async fn list(visit: Visit) -> Response {
    visit.run(page(&visit, None)).await
}

async fn page(visit: &Visit, trial: Option<TrialView>) -> Result<Response, Trouble> {
    let api = &visit.api;
    let (alerting, silences, channels, rules) = tokio::try_join!(
        api.get("/alerts"),
        api.get::<Listing<SilenceView>>("/alerts/silences"),
        api.get::<Listing<ChannelView>>("/alerts/channels"),
        api.get::<Listing<RuleView>>("/alerts/rules"),
    )?;
    Ok(visit.page(&Alerts {
        frame: frame(visit, "Alerts"),
        tabs: tabs(visit, PATH),
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
            page(&visit, Some(trial)).await
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
    use http::StatusCode;

    use crate::dashboard::tests::Browser;

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
