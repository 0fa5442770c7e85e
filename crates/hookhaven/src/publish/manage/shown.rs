//! What stands in the book, and messages, in the admin API's words. Pure: who asks has read what is needed.

use std::{num::NonZeroU32, time::Duration};

use hookhaven_core::{Delivery, Event, Time, cron::Cron, job::Mark};
use hookhaven_store::{DeliveryRow, LaneSize};

use crate::{
    publications::{
        EndpointView, FlowControlView, MessageAddress, MessageSettings, NEXT_TICKS, QueueView, ScheduleView,
        TickMessage, TickView, UrlGroupView,
    },
    publish::{
        book::{FlowKey, Group, Queue, Schedule, Tick},
        destination::{self, Destination},
        lines::{FORWARD, canonical},
        message::{Message, ROUTE_CALLBACK, ROUTE_FAILURE_CALLBACK},
        settings::Settings,
    },
    published::FlowNow,
};

/// A tick that has come this long ago should have been made.
const OVERDUE_AFTER: Duration = Duration::from_secs(60);

pub(super) fn queue(name: &str, queue: &Queue, size: LaneSize) -> QueueView {
    QueueView {
        name: name.to_owned(),
        parallelism: queue.parallelism,
        paused: queue.paused,
        waiting: size.waiting,
        leased: size.leased,
        created_at: queue.created_at,
        updated_at: queue.updated_at,
    }
}

pub(super) fn schedule(
    id: &str,
    schedule: &Schedule,
    tick: Option<&Tick>,
    messages: &[DeliveryRow],
    now: Time,
) -> ScheduleView {
    let settings = Settings::parse(&schedule.lines.0).unwrap_or_default();
    let group = match destination::parse(&schedule.destination) {
        Ok(Destination::Group(name)) => Some(name),
        _ => None,
    };
    let cron = Cron::parse(&schedule.cron).ok().filter(|_| !schedule.paused);
    let after = |at: Time| cron.as_ref().and_then(|cron| cron.next_after(at));
    let since = tick.map_or(Time::EPOCH, |tick| tick.at).max(schedule.armed_at);
    ScheduleView {
        id: id.to_owned(),
        zone: zone(&schedule.cron).to_owned(),
        cron: schedule.cron.clone(),
        destination: schedule.destination.clone(),
        group,
        retries: settings.retries(),
        method: settings.method.to_string(),
        queue: settings.queue,
        labels: settings.labels,
        body_bytes: schedule.body.len() as u64,
        paused: schedule.paused,
        next_at: std::iter::successors(after(now), |at| after(*at)).take(NEXT_TICKS).collect(),
        overdue_since: after(since).filter(|at| *at <= now.minus(OVERDUE_AFTER)),
        last_tick: tick.map(|tick| last_tick(tick, messages)),
        created_at: schedule.created_at,
        caller: schedule.caller.clone(),
    }
}

fn last_tick(tick: &Tick, messages: &[DeliveryRow]) -> TickView {
    let message = |row: &DeliveryRow| TickMessage {
        id: row.delivery.id,
        event: row.delivery.event,
        destination: row.delivery.destination.to_string(),
        state: row.delivery.state,
    };
    TickView {
        at: tick.at,
        missed: tick.missed,
        error: tick.error.clone(),
        message_count: u32::try_from(tick.messages.len()).unwrap_or(u32::MAX),
        messages: messages.iter().map(message).collect(),
    }
}

/// The zone that a cron expression names.
fn zone(cron: &str) -> &str {
    let cron = cron.trim();
    let named = cron.strip_prefix("CRON_TZ=").or_else(|| cron.strip_prefix("TZ="));
    named.and_then(|rest| rest.split_ascii_whitespace().next()).unwrap_or("UTC")
}

pub(super) fn group(name: &str, group: &Group) -> UrlGroupView {
    let endpoint = |e: &crate::publish::book::Endpoint| EndpointView { name: e.name.clone(), url: e.url.clone() };
    // Those that destinations get under their own names, the publishing API's under the ones that it gives them.
    let header = |name: &str| canonical(name.strip_prefix(FORWARD).unwrap_or(name));
    UrlGroupView {
        name: name.to_owned(),
        endpoints: group.endpoints.iter().map(endpoint).collect(),
        default_headers: group.defaults.0.iter().map(|(name, _)| header(name)).collect(),
        created_at: group.created_at,
        updated_at: group.updated_at,
    }
}

pub(super) fn flow(key: &str, flow: &FlowKey, size: LaneSize, now: FlowNow) -> FlowControlView {
    // The worker may not have heard of a reset yet.
    let period_began_at = now.period_began_at.filter(|began_at| *began_at >= flow.reset_at);
    let period = if flow.period_ms == 0 { Duration::from_secs(1) } else { flow.period() };
    FlowControlView {
        name: key.to_owned(),
        paused: flow.paused,
        parallelism: flow.parallelism.map(NonZeroU32::get),
        parallelism_pinned: flow.parallelism_pinned,
        rate: flow.rate.map(NonZeroU32::get),
        period_ms: u64::try_from(period.as_millis()).unwrap_or(u64::MAX),
        rate_pinned: flow.rate_pinned,
        waiting: size.waiting,
        leased: size.leased,
        rate_used: period_began_at.map_or(0, |_| now.count),
        period_began_at,
        reset_at: (flow.resets > 0).then_some(flow.reset_at),
    }
}

pub(super) fn address(delivery: &Delivery) -> MessageAddress {
    let message = Message::of_delivery(delivery);
    // What a job brought elsewhere has no group's route.
    let by_group = Mark::of_route(&delivery.route).is_none();
    let callback = [ROUTE_CALLBACK, ROUTE_FAILURE_CALLBACK].contains(&&*delivery.route);
    MessageAddress {
        message_id: message.id,
        queue: message.queue,
        group: message.group.filter(|_| by_group),
        endpoint: message.endpoint.filter(|_| by_group),
        flow_control: delivery.lane.flow().map(str::to_owned),
        label: Some(&*delivery.event_type)
            .filter(|label| !callback && *label != Settings::default().event_type())
            .map(str::to_owned),
        callback,
    }
}

pub(super) fn settings(event: &Event, delivery: &Delivery) -> MessageSettings {
    let Message { settings, schedule, caller, .. } = Message::of(event, delivery);
    MessageSettings {
        method: settings.method.to_string(),
        retries: settings.retries(),
        timeout_ms: settings.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
        not_before: settings.due_at(delivery.accepted_at),
        schedule,
        caller,
        flow_control_key: settings.flow.map(|flow| flow.key),
        callback_url: settings.callback.map(|callback| callback.url),
        failure_callback_url: settings.failure_callback.map(|callback| callback.url),
        retry_delay: settings.retry_delay.map(|delay| delay.text),
        labels: settings.labels,
        body_bytes: event.body.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hookhaven_core::{JobId, Lane};

    use super::*;
    use crate::publish::{book::Lines, message::tests::stored};

    const NOW: Time = Time::from_s(1_700_000_000);

    fn every_minute() -> Schedule {
        Schedule {
            created_at: NOW,
            armed_at: NOW,
            cron: "CRON_TZ=Europe/Berlin * * * * *".into(),
            destination: "https://a.example/".into(),
            lines: Lines::default(),
            body: Bytes::from_static(b"{}"),
            paused: false,
            caller: "::1".into(),
        }
    }

    fn at(seconds: u64) -> Time {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_schedule_shows_what_comes_and_what_did_not() {
        // 22:13:20; ticks at 22:14:00 and so on.
        let mut kept = every_minute();
        let view = schedule("s", &kept, None, &[], at(10));
        assert_eq!(view.next_at, [40, 100, 160, 220, 280].map(at));
        assert_eq!((view.zone.as_str(), view.overdue_since, view.last_tick), ("Europe/Berlin", None, None));
        assert_eq!(schedule("s", &kept, None, &[], at(99)).overdue_since, None, "it may be in the making");
        assert_eq!(schedule("s", &kept, None, &[], at(100)).overdue_since, Some(at(40)));
        let tick = Tick { at: at(40), messages: vec!["gone".into()], error: None, missed: 2 };
        let view = schedule("s", &kept, Some(&tick), &[], at(110));
        assert_eq!((view.overdue_since, view.last_tick.map(|t| (t.missed, t.message_count))), (None, Some((2, 1))));
        kept.paused = true;
        let paused = schedule("s", &kept, Some(&tick), &[], at(9_000));
        assert_eq!((paused.next_at, paused.overdue_since), (vec![], None));
    }

    #[test]
    fn a_delivery_says_what_its_message_went_out_through() {
        let (_, grouped) = stored("https://a/", "g/e", Lane::of_queue("q"), &[("upstash-label", "l1,l2")]);
        let MessageAddress { queue, group, endpoint, label, .. } = address(&grouped);
        let texts = [&queue, &group, &endpoint, &label].map(Option::as_deref);
        assert_eq!(texts, [Some("q"), Some("g"), Some("e"), Some("l1")]);
        let (_, mut told) = stored("https://a/", ROUTE_CALLBACK, Lane::of_flow("k"), &[]);
        told.event_type = "callback".into();
        let seen = address(&told);
        assert_eq!((seen.callback, seen.label, seen.flow_control.as_deref()), (true, None, Some("k")));
        let moved = Mark { job: JobId::from_bytes([7; 16]), new_key: true }.route();
        let (_, moved) = stored("https://a/", &moved, Lane::of_destination("billing"), &[]);
        assert_eq!(address(&moved).group, None, "a job's route is no group's");
    }

    #[test]
    fn zones_are_utc_unless_named() {
        for (cron, want) in [("@daily", "UTC"), ("TZ=Asia/Tokyo @daily", "Asia/Tokyo"), (" 1 2 * * *", "UTC")] {
            assert_eq!(zone(cron), want);
        }
    }

    #[test]
    fn what_the_worker_counted_before_a_reset_is_not_shown() {
        let key = FlowKey { reset_at: at(5), resets: 1, ..FlowKey::default() };
        let now = FlowNow { in_flight: 1, count: 3, period_began_at: Some(at(4)) };
        let view = flow("k", &key, LaneSize::default(), now);
        assert_eq!((view.rate_used, view.period_began_at, view.period_ms), (0, None, 1_000));
        let later = FlowNow { period_began_at: Some(at(5)), ..now };
        assert_eq!(flow("k", &key, LaneSize::default(), later).rate_used, 3);
    }
}
