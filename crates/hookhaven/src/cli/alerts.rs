//! `hookhaven alerts list|rules|test|silence|silences|unsilence`.

use std::process::ExitCode;

use anyhow::anyhow;
use serde_json::{Value, json};

use super::{
    Context, DONE, FAILED,
    args::{AlertsCommand, AlertsListArgs, AlertsRulesArgs, AlertsSilenceArgs, AlertsTestArgs},
    client::{Client, Query, with_gateway},
    print::{Colour, Screen, clean, column, optional, relative, when, whole},
};
use crate::{
    api::{AlertState, AlertView, Alerting, RuleView, SilenceView, TrialView, segment, view::Listing},
    config::{duration, suggest},
};

pub async fn run(command: AlertsCommand, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(command, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(command: AlertsCommand, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    match command {
        AlertsCommand::List(args) => list(args, client, screen).await,
        AlertsCommand::Rules(args) => rules(args, client, screen).await,
        AlertsCommand::Test(args) => test(args, client, screen).await,
        AlertsCommand::Silence(args) => silence(args, client, screen).await,
        AlertsCommand::Silences(_) => silences(client, screen).await,
        AlertsCommand::Unsilence(args) => {
            let gone: SilenceView = client.delete(&format!("/alerts/silences/{}", segment(&args.id))).await?;
            screen.line(format!("The silence of {} is gone.", clean(&gone.rule)))?;
            Ok(DONE)
        }
    }
}

async fn list(args: AlertsListArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let query = Query::default().with("rule", args.rule).with("scope", args.scope);
    let answer: Value = client.get("/alerts", &query).await?;
    let mut alerting: Alerting = serde_json::from_value(answer)?;
    if !args.all {
        alerting.items.retain(|alert| alert.state != AlertState::Ended);
    }
    if screen.json {
        screen.value(&serde_json::to_value(&alerting)?)?;
        return Ok(DONE);
    }
    if !alerting.enabled {
        screen.remark("Alerts are switched off (`enabled = false` under [alerts]).");
    }
    if alerting.items.is_empty() {
        screen.remark("Nothing fires.");
        return Ok(DONE);
    }
    let columns = [
        whole("STATE"),
        column("SEVERITY"),
        column("RULE"),
        column("SCOPE"),
        column("SINCE"),
        column("WHAT"),
        optional("TOLD"),
    ];
    let rows: Vec<_> = alerting.items.iter().map(|alert| row(alert, screen)).collect();
    screen.table(&columns, &rows)?;
    Ok(DONE)
}

fn row(alert: &AlertView, screen: &Screen) -> Vec<String> {
    let colour = match alert.state {
        AlertState::Firing => Colour::Red,
        AlertState::Pending => Colour::Yellow,
        AlertState::Ended => Colour::Dim,
    };
    vec![
        screen.paint(colour, alert.state.as_str()),
        alert.severity.as_str().to_owned(),
        clean(&alert.rule).into_owned(),
        clean(if alert.scope.is_empty() { "-" } else { &alert.scope }).into_owned(),
        alert.since().map(|at| relative(at, screen.now)).unwrap_or_default(),
        clean(&alert.text).into_owned(),
        told(alert),
    ]
}

/// Of the last telling: `ops, pager: waiting (answered 500)`.
fn told(alert: &AlertView) -> String {
    if let (AlertState::Firing, Some(silence)) = (alert.state, &alert.silenced_by) {
        return format!("silenced by {}", clean(silence));
    }
    let Some(last) = alert.tellings.last() else { return "-".to_owned() };
    let one = |told: &crate::api::ToldView| match (&*told.state, &told.error) {
        ("told", _) => clean(&told.channel).into_owned(),
        (state, Some(error)) => format!("{}: {} ({})", clean(&told.channel), clean(state), clean(error)),
        (state, None) => format!("{}: {}", clean(&told.channel), clean(state)),
    };
    let all: Vec<_> = last.told.iter().map(one).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

async fn rules(args: AlertsRulesArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let answer: Value = client.get("/alerts/rules", &Query::default()).await?;
    let mut page: Listing<RuleView> = serde_json::from_value(answer)?;
    if let Some(name) = &args.rule {
        let names: Vec<String> = page.items.iter().map(|rule| rule.name.clone()).collect();
        page.items.retain(|rule| rule.name == *name);
        if page.items.is_empty() {
            let mend = suggest::mend(name, names.iter().map(String::as_str), "rules");
            return Err(anyhow!("there is no rule {name:?}; {mend}"));
        }
    }
    if screen.json {
        screen.value(&serde_json::to_value(&page)?)?;
        return Ok(DONE);
    }
    if let (Some(_), [rule]) = (&args.rule, &page.items[..]) {
        return show(rule, screen);
    }
    let columns = [whole("RULE"), column("SEVERITY"), column("PER"), column("FIRES"), optional("CHANNELS")];
    let row = |rule: &RuleView| {
        let severity = if rule.enabled { rule.severity.as_str() } else { "off" };
        vec![
            clean(&rule.name).into_owned(),
            severity.to_owned(),
            clean(rule.per.as_deref().unwrap_or("-")).into_owned(),
            clean(&condition(rule)).into_owned(),
            clean(&rule.channels.join(", ")).into_owned(),
        ]
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    screen.table(&columns, &rows)?;
    Ok(DONE)
}

/// `signatures_invalid > 10 in 1m`.
fn condition(rule: &RuleView) -> String {
    let window = rule.window.as_ref().map(|window| format!(" in {window}")).unwrap_or_default();
    let hold = if rule.hold == "0s" { String::new() } else { format!(" for {}", rule.hold) };
    format!("{} {} {}{window}{hold}", rule.metric, rule.condition, rule.threshold)
}

fn show(rule: &RuleView, screen: &mut Screen) -> anyhow::Result<u8> {
    screen.line(format!("{}: {}", clean(&rule.name), clean(&rule.title)))?;
    screen.line(format!("  {} when {}", rule.severity.as_str(), clean(&condition(rule))))?;
    screen.line("")?;
    screen.line(format!("  {}", clean(&rule.runbook)))?;
    screen.line("")?;
    screen.line(format!("  {}", clean(&rule.command)))?;
    Ok(DONE)
}

async fn test(args: AlertsTestArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let path = format!("/alerts/channels/{}/test", segment(&args.channel));
    let trial: TrialView = client.post(&path, &json!({})).await?;
    let code = if trial.ok { DONE } else { FAILED };
    if screen.json {
        screen.value(&serde_json::to_value(&trial)?)?;
        return Ok(code);
    }
    let channel = clean(&trial.channel);
    match &trial.error {
        None => screen.line(format!("{channel} was told, in {} ms.", trial.took_ms))?,
        Some(error) => screen.line(format!("{channel} could not be told: {}", clean(error)))?,
    }
    Ok(code)
}

async fn silence(args: AlertsSilenceArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let request = json!({
        "rule": args.rule,
        "scope": args.scope,
        "for": duration::print(args.lasting),
        "reason": args.reason,
        "by": "command line",
    });
    let silence: SilenceView = client.post("/alerts/silences", &request).await?;
    if screen.json {
        screen.value(&serde_json::to_value(&silence)?)?;
        return Ok(DONE);
    }
    let of = silence.scope.as_ref().map(|scope| format!(" of {scope}")).unwrap_or_default();
    let text = format!("Nobody is told of {}{of} until {}.", silence.rule, when(silence.until, screen.now));
    screen.line(clean(&text))?;
    screen.remark(format!("Take it away with `hookhaven alerts unsilence {}`.", clean(&silence.id)));
    Ok(DONE)
}

async fn silences(client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let answer: Value = client.get("/alerts/silences", &Query::default()).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let page: Listing<SilenceView> = serde_json::from_value(answer)?;
    if page.items.is_empty() {
        screen.remark("Nothing is silenced.");
        return Ok(DONE);
    }
    let columns = [whole("ID"), column("RULE"), column("SCOPE"), column("UNTIL"), column("REASON"), optional("BY")];
    let row = |silence: &SilenceView| {
        vec![
            clean(&silence.id).into_owned(),
            clean(&silence.rule).into_owned(),
            clean(silence.scope.as_deref().unwrap_or("-")).into_owned(),
            relative(silence.until, screen.now),
            clean(&silence.reason).into_owned(),
            clean(&silence.by).into_owned(),
        ]
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    screen.table(&columns, &rows)?;
    Ok(DONE)
}
