//! What is to be told becomes an event of the source `_alerts`, with a delivery for each channel. The idempotency key
//! names the telling, so that of all nodes one makes it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    DeliveryId, Event, EventId, Lane, Order, OrderRule, Policy, Time,
    alert::{Episode, Kind, Notice, Severity, Told},
    event::ALERTS,
    retry::RetryPolicy,
};
use hookhaven_store::{Accepted, DeliveryFilter, NewDelivery, NewEvent, Page};

use super::AlertParts;
use crate::{
    alerting::{Teller, destination_of},
    config::Config,
};

/// Over an hour and a half: a page that comes later wakes people for nothing.
const RETRY: RetryPolicy =
    RetryPolicy { attempts: 12, initial: Duration::from_secs(5), factor: 3.0, max: Duration::from_secs(900) };
const DEADLINE: Duration = Duration::from_secs(30);
const MAX_AGE: Duration = Duration::from_secs(86_400);
/// How long what comes later of an episode waits for what came first: longer than that is tried.
const PARK: Duration = Duration::from_secs(2 * 3_600);
/// How long a telling's key is remembered.
const KEY_FOR: Duration = Duration::from_secs(7 * 86_400);
/// Waits between tries to reach a channel directly, in seconds.
const DIRECT_WAITS_S: [u64; 4] = [5, 30, 120, 300];
/// Failed tellings that are taken off the list of dead letters at once.
const DISMISSED_MAX: usize = 200;

/// Sees that it is told. `None`: not now.
pub async fn tell(parts: &AlertParts, config: &Config, episode: &Episode, kind: Kind, now: Time) -> Option<Told> {
    let rule = config.alerts.rule(&episode.rule);
    let notice = Notice::of(episode, rule, kind, parts.channels.base(config), now);
    let channels = config.alerts.channels_of(rule, episode.severity);
    let told = |event| Told { kind, at: now, value: episode.value, event };
    if channels.is_empty() {
        log(&notice, &channels);
        return Some(told(None));
    }
    let event = event_of(parts, &notice, episode.key(kind), &channels, now);
    let accepted = parts.store.accept(vec![event.clone()]).await.map(|mut all| all.pop());
    match accepted {
        Ok(Some(Accepted::New { .. })) => {
            log(&notice, &channels);
            Some(told(Some(event.event.id)))
        }
        // Another node told it, or this one before it could write that down.
        Ok(Some(Accepted::Duplicate { event, .. } | Accepted::Refused { twin: event })) => Some(told(Some(event))),
        Ok(None) => None,
        Err(error) if episode.severity == Severity::Page => {
            tracing::warn!(%error, rule = episode.rule, "the store takes no alert; its channels are told directly");
            log(&notice, &channels);
            for channel in channels {
                tokio::spawn(directly(parts.clone(), channel, event.event.clone()));
            }
            Some(told(None))
        }
        Err(error) => {
            tracing::debug!(%error, rule = episode.rule, "an alert could not be stored; later again");
            None
        }
    }
}

/// Takes tellings that were given up off the list of dead letters: they are shown with their alert.
pub async fn dismiss_failed(parts: &AlertParts) {
    let filter = DeliveryFilter { source: Some(ALERTS.to_owned()), dead_letters: true, ..DeliveryFilter::default() };
    let Ok(rows) = parts.store.deliveries(&filter, Page::first(DISMISSED_MAX)).await else { return };
    for row in &rows {
        let (delivery, last) = (&row.delivery, row.last.as_ref());
        let error = last.map(|last| &*last.error).unwrap_or_default();
        tracing::error!(delivery_id = %delivery.id, destination = %delivery.destination, error,
            "an alert could not be told");
    }
    let ids: Vec<DeliveryId> = rows.iter().map(|row| row.delivery.id).collect();
    if let Err(error) = parts.store.dismiss(&ids).await {
        tracing::debug!(%error, "failed tellings could not be dismissed; later again");
    }
}

/// Without the store, so without its memory: it is tried a few times by this process.
async fn directly(parts: AlertParts, channel: Arc<str>, event: Event) {
    let destination = destination_of(&channel);
    for wait in DIRECT_WAITS_S.into_iter().map(|s| Some(Duration::from_secs(s))).chain([None]) {
        let sent = parts.channels.tell(&destination, &event, parts.clock.now()).await;
        let error = match sent.result {
            Ok(answer) if answer.status.is_success() => {
                return parts.metrics.alert_telling(&channel, "told");
            }
            Ok(answer) => format!("answered {}", answer.status),
            Err(failure) => failure.error,
        };
        let Some(wait) = wait else {
            parts.metrics.alert_telling(&channel, "failed");
            return tracing::error!(channel = &*channel, error, "an alert could not be told");
        };
        parts.metrics.alert_telling(&channel, "retry");
        parts.clock.sleep_until(parts.clock.now().plus(wait)).await;
    }
}

fn event_of(parts: &AlertParts, notice: &Notice, key: String, channels: &[Arc<str>], now: Time) -> NewEvent {
    let policy = Arc::new(Policy { retry: RETRY, deadline: DEADLINE, max_age: MAX_AGE, critical: false });
    // An end that overtook its beginning would leave an incident open for ever.
    let order = Arc::new(Order::new(&notice.thread, OrderRule::Fifo { park: PARK }));
    let delivery = |channel: &Arc<str>| NewDelivery {
        id: DeliveryId::mint(now, parts.entropy.id_bytes()),
        destination: destination_of(channel).into(),
        lane: Lane::of_channel(channel),
        route: notice.rule.as_str().into(),
        policy: policy.clone(),
        due_at: now,
        order: Some(order.clone()),
    };
    let id = EventId::mint(now, parts.entropy.id_bytes());
    let event = Event {
        id,
        source: ALERTS.into(),
        event_type: format!("alert.{}", notice.kind.as_str()).into(),
        idempotency_key: key.into(),
        received_at: now,
        occurred_at: None,
        correlation_id: id.to_string().into(),
        matched_secret: None,
        remote: "".into(),
        headers: vec![("content-type".into(), Bytes::from_static(b"application/json"))],
        // Texts and numbers: there is nothing in it that JSON could not say.
        body: serde_json::to_vec(notice).unwrap_or_default().into(),
        part: None,
        digest: None,
    };
    let deliveries = channels.iter().map(delivery).collect();
    NewEvent { event, key_until: now.plus(KEY_FOR), deliveries, revives: false, refuses_replay: false }
}

fn log(notice: &Notice, channels: &[Arc<str>]) {
    let channels = channels.join(",");
    tracing::warn!(
        alert = notice.rule,
        scope = notice.scope,
        severity = notice.severity.as_str(),
        kind = notice.kind.as_str(),
        episode = notice.episode,
        channels,
        "{}: {}",
        notice.headline(),
        notice.text
    );
}
