//! Telling: retried and shown where it fails, kept over a crash, silenced, tried out; and what a reload changes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hookhaven::api::{AlertView, view::EventView};

use super::*;
use crate::support::{
    gateway::Gateway,
    handler::{Reply, refusing},
    sign,
};

/// Eleven, which is more than ten.
async fn alarm(town: &Town) {
    forge(&town.gateway, "stripe", 11).await;
    town.pass(TICK).await;
}

fn told<'a>(alert: &'a AlertView, channel: &str) -> Option<(&'a str, Option<&'a str>)> {
    let told = alert.tellings.last()?.told.iter().find(|told| told.channel == channel)?;
    Some((&*told.state, told.error.as_deref()))
}

async fn until_told(town: &Town, channel: &str, state: &str) -> AlertView {
    let found = poll(PATIENCE, async || {
        let alert = town.alert("invalid_signatures", "stripe").await?;
        (told(&alert, channel)?.0 == state).then_some(alert)
    });
    found.await.unwrap_or_else(|| panic!("{channel} is not {state}"))
}

#[tokio::test]
async fn a_channel_that_fails_is_tried_again_and_shown_and_delays_no_other() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    town.slack.change(|said| Reply::Status(if said.number < 3 { 500 } else { 200 }));
    town.mail.refuse(1);
    alarm(&town).await;
    for channel in ["hook", "pager"] {
        until_told(&town, channel, "told").await;
    }
    town.slack.until(1).await;
    let shown = poll(PATIENCE, async || {
        let alert = town.alert("invalid_signatures", "stripe").await?;
        let (slack, mail) = (told(&alert, "slack")?, told(&alert, "mail")?);
        Some((slack.1?.to_owned(), mail.1?.to_owned()))
    });
    let (slack, mail) = shown.await.expect("both failures are shown");
    assert_eq!(slack, "answered 500 Internal Server Error");
    assert!(mail.contains("come again later"), "{mail}");
    let list = town.gateway.says(&["alerts", "list"]).await;
    assert!(list.contains("slack: waiting (answered 500 Internal Server Error)"), "{list}");
    // 5 s, then 15 s, and a tenth of jitter at most.
    town.gateway.clock.advance(Duration::from_secs(6));
    town.slack.until(2).await;
    until_told(&town, "mail", "told").await;
    town.pass(Duration::from_secs(17)).await;
    let alert = until_told(&town, "slack", "told").await;
    assert_eq!(alert.tellings.len(), 1);
    assert_eq!(town.hook.received().len(), 1, "who was told is not told again");
    let tried = town.gateway.metric("webhook_alert_tellings_total", "channel=\"slack\"").await;
    assert_eq!(tried, 3.0);
    assert_eq!(town.gateway.metric("webhook_alerts_firing", "rule=\"invalid_signatures\"").await, 1.0);
    assert_eq!(town.gateway.metric("webhook_attempts_total", "_alerts").await, 0.0, "it is no work of the team's");
}

#[tokio::test]
async fn an_end_is_told_after_what_it_ends_however_long_that_takes() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    town.pager.change(|_| Reply::Status(500));
    alarm(&town).await;
    let thread = "hookhaven/invalid_signatures/stripe/1";
    while town.hooks("invalid_signatures", "stripe", "ended").is_empty() {
        town.pass(TICK).await;
    }
    assert_eq!(town.pages(thread, "resolve"), 0, "nobody was told yet that there is anything to resolve");
    town.pager.change(|_| Reply::Status(202));
    let resolved = poll(PATIENCE, async || {
        town.pass(MINUTE).await;
        (town.pages(thread, "resolve") > 0).then_some(())
    });
    resolved.await.expect("it is told in the end");
    let actions: Vec<_> = town.pager.received().iter().map(|said| json(said)["event_action"].clone()).collect();
    assert_eq!(actions.iter().position(|action| action == "resolve"), Some(actions.len() - 1), "{actions:?}");
}

#[tokio::test]
async fn what_cannot_be_told_is_no_dead_letter_and_raises_no_alert() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    town.slack.change(|_| Reply::Status(500));
    alarm(&town).await;
    town.slack.until(1).await;
    assert!(town.reload(|text| text.replace("[alerts.channels.slack]\nslack", "[alerts.channels.other]\nslack")).await);
    town.pass(MINUTE).await;
    let alert = until_told(&town, "slack", "failed").await;
    let error = told(&alert, "slack").and_then(|(_, error)| error).expect("why");
    assert_eq!(error, "there is no [alerts.channels.slack] in the config file");
    for _ in 0..5 {
        town.pass(MINUTE).await;
    }
    assert!(!town.gateway.says(&["dlq", "list", "--json"]).await.contains("_alerts"));
    assert_eq!(town.gateway.metric("webhook_dlq_size", "").await, 0.0);
    town.pass(61 * MINUTE).await;
    let all: Alerting = town.gateway.get("/api/v1/alerts").await;
    let rules: Vec<_> = all.items.iter().map(|alert| &*alert.rule).collect();
    assert_eq!(rules, ["invalid_signatures"]);
}

#[tokio::test]
async fn the_webhook_is_signed_and_the_mail_is_text() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    alarm(&town).await;
    let said = town.hook.nth(1).await;
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).expect("base64");
    let signed = [said.header("webhook-id"), ".", said.header("webhook-timestamp"), "."].concat();
    let signed = [signed.as_bytes(), &said.body].concat();
    let mac = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key), &signed);
    assert_eq!(said.header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac)));
    assert_eq!(said.header("webhook-timestamp"), town.gateway.now().as_s().to_string());
    let events: Vec<EventView> = town.gateway.events().await;
    assert!(events.iter().any(|event| event.id.to_string() == said.header("webhook-id") && event.source == "_alerts"));

    let mail = poll(PATIENCE, async || town.mail.mails().pop()).await.expect("a mail");
    assert_eq!((mail.from.as_str(), &mail.to[..]), ("hookhaven@example.com", &["ops@example.com".to_owned()][..]));
    assert_eq!(mail.subject(), "[page] FIRING: Invalid signatures: stripe");
    assert!(mail.text.contains("Content-Type: text/plain"), "{}", mail.text);
    let page = json(&town.pager.nth(1).await);
    assert_eq!((page["event_action"].as_str(), page["routing_key"].as_str()), (Some("trigger"), Some("R0UTING")));
    assert_eq!(page["payload"]["severity"], "critical");
    let link = page["links"][0]["href"].as_str().expect("a link");
    assert_eq!(
        link,
        format!("http://{}/settings/alerts?rule=invalid_signatures&scope=stripe", town.gateway.gateway().admin_addr)
    );
}

#[tokio::test]
async fn a_silence_keeps_it_from_being_told_until_it_is_taken_away() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    let wrong = town.gateway.cli(&["alerts", "silence", "invalid_signature", "--for", "2h"]).await;
    let errors = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && errors.contains("did you mean \"invalid_signatures\"?"), "{errors}");
    let said = town
        .gateway
        .says(&["alerts", "silence", "invalid_*", "--scope", "stripe", "--for", "2h", "--reason", "a move"])
        .await;
    assert!(said.starts_with("Nobody is told of invalid_* of stripe until "), "{said}");
    alarm(&town).await;
    let alert = town.alert("invalid_signatures", "stripe").await.expect("it fires all the same");
    assert_eq!((alert.state, alert.tellings.len()), (AlertState::Firing, 0));
    let silences = town.gateway.says(&["alerts", "silences", "--json"]).await;
    let id = alert.silenced_by.expect("it is silenced");
    assert!(silences.contains(&id) && silences.contains("a move"), "{silences}");
    town.gateway.says(&["alerts", "unsilence", &id]).await;
    assert_eq!(town.hook.received().len(), 0);
    town.pass(TICK).await;
    town.fires("invalid_signatures", "stripe", TICK, TICK).await;
}

#[tokio::test]
async fn a_channel_can_be_tried_out() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    for channel in ["slack", "pager", "hook", "mail"] {
        let said = town.gateway.says(&["alerts", "test", channel]).await;
        assert!(said.starts_with(&format!("{channel} was told")), "{said}");
    }
    assert_eq!(town.mail.mails().len(), 1);
    town.slack.change(|_| Reply::Status(404));
    let failed = town.gateway.cli(&["alerts", "test", "slack"]).await;
    let said = String::from_utf8_lossy(&failed.stdout).into_owned();
    assert!(failed.status.code() == Some(1) && said.contains("could not be told: it answered 404"), "{said}");
    let unknown = town.gateway.cli(&["alerts", "test", "slick"]).await;
    let errors = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(unknown.status.code() == Some(1) && errors.contains("there are: hook, mail, pager, slack"), "{errors}");
    assert_eq!(town.gateway.events().await.len(), 0, "a trial is no event");
}

#[tokio::test]
async fn a_reload_changes_rules_and_ends_what_is_switched_off() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    alarm(&town).await;
    town.fires("invalid_signatures", "stripe", TICK, TICK).await;
    let rules = "[alerts.rules.invalid_signatures]\nenabled = false\n\
                 [alerts.rules.forged]\nmetric = \"signatures_invalid\"\nthreshold = 30\nseverity = \"page\"\n\
                 channels = [\"hook\"]\n";
    assert!(town.reload(|text| format!("{text}{rules}")).await);
    town.ends("invalid_signatures", "stripe", TICK, TICK).await;
    let (slack, pages) = (town.slack.received().len(), town.pager.received().len());
    forge(&town.gateway, "stripe", 25).await;
    town.pass(TICK).await;
    assert_eq!(town.hooks("forged", "stripe", "fired").pop().map(|notice| notice.value), Some(36.0));
    assert_eq!((town.slack.received().len(), town.pager.received().len()), (slack, pages), "only where the rule says");
    let shown = town.gateway.says(&["alerts", "rules", "forged"]).await;
    assert!(shown.contains("page when signatures_invalid > 30 in 1m"), "{shown}");
}

#[tokio::test]
async fn without_a_channel_alerts_are_listed_and_no_event_is_made() {
    let handler = Handler::answering(200).await;
    let town = Town::start(&billing(&handler, "", "")).await;
    let no_channels = |text: &str| text.split("[alerts.channels").next().unwrap_or_default().to_owned();
    assert!(town.reload(no_channels).await);
    alarm(&town).await;
    let alert = town.alert("invalid_signatures", "stripe").await.expect("it is listed");
    assert_eq!((alert.state, alert.tellings.len()), (AlertState::Firing, 1));
    assert_eq!((alert.tellings[0].event, town.gateway.events().await.len()), (None, 0));
}

#[tokio::test]
async fn a_gateway_killed_between_firing_and_telling_tells_it_once_it_runs_again() {
    let (handler, nobody) = (Handler::answering(200).await, refusing());
    let config = |slack: String| {
        format!("{}[alerts]\nevery = \"1s\"\n[alerts.channels.slack]\nslack = \"{slack}\"\n", billing(&handler, "", ""))
    };
    let mut gateway = Gateway::start(&config(format!("http://{}/", nobody.address))).await;
    for number in 0..11 {
        let body = format!("{{\"id\":\"evt_{number}\"}}");
        let answer = gateway.post("/webhooks/stripe", &sign::stripe("another", body.as_bytes()), body.as_bytes()).await;
        assert_eq!(answer.status, 401);
    }
    let state = "/items/0/tellings/0/told/0/state";
    gateway.until("/api/v1/alerts", |alerts| alerts.pointer(state).is_some_and(|state| state == "waiting")).await;
    gateway.kill().await;
    let slack = Handler::answering(200).await;
    gateway.configure(&config(slack.url()));
    gateway.serve().await;
    let told = slack.nth(1).await;
    assert!(json(&told)["text"].as_str().is_some_and(|text| text.contains("FIRING: Invalid signatures: stripe")));
    gateway.until("/api/v1/alerts", |alerts| alerts.pointer(state).is_some_and(|state| state == "told")).await;
    assert_eq!(slack.received().len(), 1);
}
