//! `[alerts]`.

use std::time::Duration;

use hookhaven_core::alert::{Condition, Metric, Per, Rule, Severity};

use super::{config, says_of, with};
use crate::config::{Alerts, ChannelKind};

fn alerts(text: &str) -> Alerts {
    config(&with(text)).alerts
}

#[test]
fn what_the_file_does_not_say_is_as_it_was() {
    assert_eq!(alerts(""), Alerts::default());
    let tuned = alerts("[alerts.rules.invalid_signatures]\nthreshold = 50\nfor = \"2m\"\n");
    let default = Rule::defaults().remove(0);
    let expected = Rule { threshold: 50.0, hold: Duration::from_secs(120), ..default };
    assert_eq!(tuned.rule("invalid_signatures"), Some(&expected));
    assert_eq!(tuned.rules.len(), Rule::defaults().len());
    assert!(!alerts("[alerts.rules.queue_deep]\nenabled = false\n").rule("queue_deep").unwrap().enabled);
}

#[test]
fn a_rule_of_ones_own_begins_plain() {
    let text = "[alerts.rules.failing]\nmetric = \"attempts_failed\"\ncondition = \">=\"\nthreshold = 20\nwindow = \"5m\"\n\
                per = \"source\"\nseverity = \"page\"\nchannels = [\"ops\"]\n\
                [alerts.channels.ops]\nslack = \"https://hooks.slack.com/services/T/B/x\"\n";
    let alerts = alerts(text);
    let rule = alerts.rule("failing").unwrap();
    assert_eq!((rule.metric, rule.condition, rule.threshold), (Metric::AttemptsFailed, Condition::AtLeast, 20.0));
    assert_eq!((rule.window, rule.per, rule.severity), (Duration::from_secs(300), Some(Per::Source), Severity::Page));
    assert_eq!(alerts.channels_of(Some(rule), Severity::Page), ["ops".into()]);
}

#[test]
fn channels_are_of_four_kinds_and_take_what_they_say() {
    let text = "[alerts.channels.a]\nslack = \"https://hooks.slack.com/services/T/B/x\"\n\
                [alerts.channels.b]\npagerduty = \"env:GITHUB_SECRET\"\nseverities = [\"page\"]\n\
                [alerts.channels.c]\nwebhook = \"https://example.com/alerts\"\nsecret = \"env:BILLING\"\n\
                [alerts.channels.d]\nemail = { smtp = \"smtp://u:p@mail.example.com:587\", from = \"H <h@example.com>\", \
                to = [\"ops@example.com\"] }\n";
    let alerts = alerts(text);
    let kinds: Vec<_> = alerts.channels.values().map(|channel| channel.kind.as_str()).collect();
    assert_eq!(kinds, ["slack", "pagerduty", "webhook", "email"]);
    assert_eq!(alerts.channels_of(None, Severity::Notify).len(), 3, "b takes pages only");
    let ChannelKind::PagerDuty { url, .. } = &alerts.channels["b"].kind else { panic!("b is PagerDuty's") };
    assert_eq!(url.as_str(), "https://events.pagerduty.com/v2/enqueue");
    assert!(!format!("{alerts:?}").contains("u:p@") && !format!("{alerts:?}").contains("services/T"), "{alerts:?}");
}

#[test]
fn what_is_wrong_is_said_with_its_mend() {
    says_of(
        "[alerts.rules.queue_depp]\nthreshold = 5\n",
        "hookhaven.toml:9:15: alerts.rules.queue_depp: metric is missing; say what the rule looks at, such as \
         \"queue_depth\" (or did you mean the rule \"queue_deep\", which is there already?)",
    );
    says_of(
        "[alerts.rules.mine]\nmetric = \"queue_dept\"\n",
        "hookhaven.toml:10:10: alerts.rules.mine.metric: \"queue_dept\" is not known here; did you mean \"queue_depth\"?",
    );
    says_of(
        "[alerts.rules.queue_deep]\nwindow = \"5m\"\n",
        "hookhaven.toml:10:10: alerts.rules.queue_deep.window: queue_depth is not counted over a window: it is what it is \
         now; take it out; `for` says how long the condition must hold",
    );
    says_of(
        "[alerts.rules.queue_deep]\nper = \"route\"\n",
        "hookhaven.toml:10:7: alerts.rules.queue_deep.per: queue_depth is not known by route; choose \"destination\", \
         \"source\" or \"none\"",
    );
    says_of(
        "[alerts.rules.queue_deep]\nchannels = [\"opps\"]\n[alerts.channels.ops]\npagerduty = \"k\"\n",
        "hookhaven.toml:10:13: alerts.rules.queue_deep.channels[0]: there is no channel \"opps\"; did you mean \"ops\"?",
    );
    says_of(
        "[alerts.channels.ops]\nslack = \"https://h/\"\npagerduty = \"k\"\n",
        "hookhaven.toml:9:18: alerts.channels.ops: a channel is of one kind, and this is of 2; make a channel of each",
    );
    says_of(
        "[alerts.channels.ops]\nseverities = [\"page\"]\n",
        "hookhaven.toml:9:18: alerts.channels.ops: where it is told is missing; give one of slack, pagerduty, webhook, email",
    );
    says_of(
        "[alerts.channels.ops]\nwebhook = \"https://example.com/\"\n",
        "hookhaven.toml:9:18: alerts.channels.ops: secret is missing; what is told is signed: give a secret that the \
         receiver knows, such as \"env:ALERTS_SECRET\"",
    );
    says_of(
        "[alerts.channels.ops]\nemail = { smtp = \"mail.example.com:587\", from = \"h@example.com\", to = [\"o@example.com\"] }\n",
        "hookhaven.toml:10:18: alerts.channels.ops.email.smtp: this is not the address of a mail server; write \
         \"smtp://user:password@mail.example.com:587\" (STARTTLS), or \"smtps://…:465\"",
    );
    says_of("[alerts]\nrepaet = \"1h\"\n", "hookhaven.toml:10:1: alerts.repaet: unknown key; did you mean \"repeat\"?");
}
