//! What `/alerts` shows.

use std::collections::HashMap;

use hookhaven_core::{
    DeliveryId, EventId, Time,
    alert::{Episode, Kind, Metric, Notice, Per, Rule, Severity, Silence, runbook},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    alerting::Holding,
    config::{Alerts, Config, duration},
    egress::Sent,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alerting {
    pub enabled: bool,
    /// When this node last looked at the figures; `null` if no gateway runs.
    pub looked_at: Option<Time>,
    /// Firing, then pending, then ended; pages first, the latest first.
    pub items: Vec<AlertView>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AlertState)]
pub enum State {
    Firing,
    /// The condition holds, and has not held for long enough.
    Pending,
    Ended,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Firing => "firing",
            State::Pending => "pending",
            State::Ended => "ended",
        }
    }
}

/// A rule in one scope: its last episode, or the wait for its first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertView {
    pub rule: String,
    /// What the rule looks at; `null` of a rule that is gone from the config file.
    #[schema(value_type = Option<String>)]
    pub metric: Option<Metric>,
    /// What the scope names: `source`, `destination` or `route`; `null`: it is over everything.
    #[schema(value_type = Option<String>)]
    pub per: Option<Per>,
    /// Name of the source, destination or route; empty: everything.
    pub scope: String,
    pub state: State,
    pub severity: Severity,
    /// From 1; 0 before the first.
    pub episode: u64,
    pub pending_since: Option<Time>,
    pub fired_at: Option<Time>,
    pub ended_at: Option<Time>,
    /// As this node last saw it; else as it was last told.
    pub value: f64,
    pub threshold: f64,
    pub peak: f64,
    pub title: String,
    /// What is wrong, with figures.
    pub text: String,
    pub runbook: String,
    pub command: String,
    /// The silence that keeps it from being told, if any.
    pub silenced_by: Option<String>,
    /// Who was told what and when, oldest first.
    pub tellings: Vec<TellingView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TellingView {
    /// `fired`, `grown`, `repeated` or `ended`.
    pub kind: Kind,
    pub at: Time,
    pub value: f64,
    /// The event that brings it to the channels; `null` if there was no channel for it.
    pub event: Option<EventId>,
    pub told: Vec<ToldView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToldView {
    pub channel: String,
    /// `told`, `waiting` or `failed`.
    pub state: String,
    pub delivery: DeliveryId,
    pub attempts: u32,
    pub last_attempt_at: Option<Time>,
    /// Why it is not told yet.
    pub error: Option<String>,
}

impl AlertView {
    /// The time that lists are ordered by.
    pub fn since(&self) -> Option<Time> {
        self.ended_at.or(self.fired_at).or(self.pending_since)
    }

    /// `None` of what has nothing to show.
    pub(super) fn of(
        episode: &Episode,
        holding: Option<&Holding>,
        config: &Config,
        silences: &[Silence],
        told: &HashMap<EventId, Vec<ToldView>>,
        now: Time,
    ) -> Option<Self> {
        let state = match episode {
            episode if episode.is_firing() => State::Firing,
            episode if episode.is_pending() => State::Pending,
            episode if episode.ended_at.is_some() => State::Ended,
            _ => return None,
        };
        let value = holding.filter(|_| state != State::Ended).map_or(episode.value, |holding| holding.value);
        let telling = |told_of: &hookhaven_core::alert::Told| TellingView {
            kind: told_of.kind,
            at: told_of.at,
            value: told_of.value,
            event: told_of.event,
            told: told_of.event.and_then(|event| told.get(&event).cloned()).unwrap_or_default(),
        };
        let shown = Episode { value, peak: episode.peak.max(value), ..episode.clone() };
        let view = AlertView::new(&shown, state, config, silences, now);
        Some(AlertView { tellings: episode.tellings.iter().map(telling).collect(), ..view })
    }

    /// What only this node has seen so far.
    pub(super) fn waiting(holding: &Holding, config: &Config, silences: &[Silence], now: Time) -> Option<Self> {
        let rule = config.alerts.rule(&holding.rule)?;
        let episode = Episode {
            rule: holding.rule.clone(),
            scope: holding.scope.clone(),
            severity: rule.severity,
            number: 0,
            pending_since: Some(holding.since),
            fired_at: None,
            ended_at: None,
            value: holding.value,
            peak: holding.value,
            threshold: rule.threshold,
            told: 0,
            tellings: Vec::new(),
        };
        Some(AlertView::new(&episode, State::Pending, config, silences, now))
    }

    fn new(episode: &Episode, state: State, config: &Config, silences: &[Silence], now: Time) -> Self {
        let kind = if state == State::Ended { Kind::Ended } else { Kind::Fired };
        let rule = config.alerts.rule(&episode.rule);
        let notice = Notice::of(episode, rule, kind, "", now);
        let silence = silences.iter().find(|silence| silence.covers(&episode.rule, &episode.scope, now));
        AlertView {
            rule: episode.rule.clone(),
            metric: rule.map(|rule| rule.metric),
            per: rule.and_then(|rule| rule.per),
            scope: episode.scope.clone(),
            state,
            severity: episode.severity,
            episode: episode.number,
            pending_since: episode.pending_since.filter(|_| state == State::Pending),
            fired_at: episode.fired_at.filter(|_| state != State::Pending),
            ended_at: episode.ended_at.filter(|_| state == State::Ended),
            value: episode.value,
            threshold: episode.threshold,
            peak: episode.peak,
            title: notice.title,
            text: notice.text,
            runbook: notice.runbook,
            command: notice.command,
            silenced_by: silence.map(|silence| silence.id.clone()),
            tellings: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleView {
    pub name: String,
    pub enabled: bool,
    pub severity: Severity,
    pub metric: String,
    /// `source`, `destination` or `route`; `null`: over everything.
    pub per: Option<String>,
    /// `>`, `>=` or `<`.
    pub condition: String,
    pub threshold: f64,
    /// Of metrics that are counted over one.
    pub window: Option<String>,
    /// How long the condition must hold.
    #[serde(rename = "for")]
    pub hold: String,
    /// How long it must not hold before the alert ends.
    pub clear: String,
    /// Where it is told.
    pub channels: Vec<String>,
    pub title: String,
    pub runbook: String,
    pub command: String,
}

impl RuleView {
    pub(super) fn of(rule: &Rule, alerts: &Alerts) -> Self {
        let book = runbook(rule.metric);
        let channels = alerts.channels_of(Some(rule), rule.severity);
        RuleView {
            name: rule.name.to_string(),
            enabled: rule.enabled && alerts.enabled,
            severity: rule.severity,
            metric: rule.metric.as_str().to_owned(),
            per: rule.per.map(|per| per.as_str().to_owned()),
            condition: rule.condition.sign().to_owned(),
            threshold: rule.threshold,
            window: rule.metric.is_windowed().then(|| duration::print(rule.window)),
            hold: duration::print(rule.hold),
            clear: duration::print(rule.clear),
            channels: channels.iter().map(ToString::to_string).collect(),
            title: book.title.to_owned(),
            runbook: book.look.to_owned(),
            command: book.command.to_owned(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChannelView {
    pub name: String,
    /// `slack`, `pagerduty`, `webhook` or `email`.
    pub kind: String,
    /// Of alerts whose rule names no channels.
    pub severities: Vec<Severity>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SilenceView {
    pub id: String,
    pub rule: String,
    /// `null`: every scope.
    pub scope: Option<String>,
    pub until: Time,
    pub reason: String,
    pub by: String,
    pub at: Time,
}

impl From<Silence> for SilenceView {
    fn from(silence: Silence) -> Self {
        let Silence { id, rule, scope, until, reason, by, at } = silence;
        SilenceView { id, rule, scope, until, reason, by, at }
    }
}

/// What a channel answered to a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrialView {
    pub channel: String,
    pub ok: bool,
    /// Of channels over HTTP.
    pub status: Option<u16>,
    pub error: Option<String>,
    pub took_ms: u64,
}

impl TrialView {
    pub(super) fn of(channel: String, sent: &Sent) -> Self {
        let (ok, status, error) = match &sent.result {
            Ok(answer) if answer.status.is_success() => (true, Some(answer.status.as_u16()), None),
            Ok(answer) => (false, Some(answer.status.as_u16()), Some(format!("it answered {}", answer.status))),
            Err(failure) => (false, failure.status.map(|status| status.as_u16()), Some(failure.error.clone())),
        };
        let took_ms = u64::try_from(sent.duration.as_millis()).unwrap_or(u64::MAX);
        TrialView { channel, ok, status, error, took_ms }
    }
}
