//! What to say of where a delivery stands: what happens next by itself, and what a person can do.
//! Pure: it takes what the API told and answers in words. Of what is done with the gateway it names the way ([`Way`]):
//! a command on a terminal, on a page of the dashboard whatever does it there.

mod mend;
mod unrouted;

use hookhaven_core::Time;

pub use self::{
    mend::{Mend, Way},
    unrouted::unrouted,
};
use super::print::{clean, relative, when};
use crate::api::{
    Breaker, DestinationView,
    view::{DeliveryDetail, DeliveryView},
};

/// Who paused it, when it was the rule about 410 Gone and no person.
const RULE_410: &str = "410";

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Nobody,
    Patience,
    Person,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub needs: Needs,
    pub what: String,
    /// What puts it right, a step a line.
    pub mend: Vec<Mend>,
}

fn verdict(needs: Needs, what: impl Into<String>, mend: impl IntoIterator<Item = Mend>) -> Verdict {
    Verdict { needs, what: what.into(), mend: mend.into_iter().collect() }
}

/// Where a delivery stands, given what is known of its destination.
pub fn of(detail: &DeliveryDetail, destination: Option<&DestinationView>, now: Time) -> Verdict {
    let d = &detail.delivery;
    match d.state.as_str() {
        "delivered" => verdict(Needs::Nobody, "Delivered; nothing is left to do.", []),
        "leased" => verdict(Needs::Patience, "It is being attempted right now.", []),
        "pending" => pending(d, destination, now),
        "dead" => dead(d),
        _ => cancelled(d),
    }
}

fn cancelled(d: &DeliveryView) -> Verdict {
    let superseded = d.end_reason.as_deref() == Some("superseded");
    match d.ordering.as_ref().filter(|_| superseded) {
        None => verdict(Needs::Nobody, "Cancelled; it will not be delivered.", []),
        Some(order) => {
            let (version, key) = (clean(order.version.as_deref().unwrap_or("?")), clean(&order.key));
            let what =
                format!("Superseded: a newer version of {key} than {version} came, so this one was not sent after it.");
            verdict(Needs::Nobody, what, [])
        }
    }
}

/// Why it waits for others of its ordering key; `None` if it does not.
fn in_line(d: &DeliveryView, now: Time) -> Option<Verdict> {
    let order = d.ordering.as_ref()?;
    let waits = order.waits_for.as_ref()?;
    let key = clean(&order.key);
    if let (Some(by), Some(until)) = (waits.parked_by, waits.parked_until) {
        let what = format!(
            "It waits: {by} of the same ordering key ({key}) is dead, and keeps it back; that ends {}.",
            relative(until, now)
        );
        let mend = [
            Mend::by("See what is wrong with that one", Way::Show(by)),
            Mend::by("Then replay it, and it goes first", Way::Replay(by)),
            Mend::by("Or let this one go without it", Way::Dismiss(by)),
        ];
        return Some(verdict(Needs::Person, what, mend));
    }
    let behind = waits.behind?;
    let others = if waits.ahead > 1 { format!(" and {} more", waits.ahead - 1) } else { String::new() };
    let what = format!("It waits: {behind}{others} of the same ordering key ({key}) go first.");
    Some(verdict(Needs::Patience, what, [Mend::by("What keeps that one", Way::Show(behind))]))
}

fn pending(d: &DeliveryView, destination: Option<&DestinationView>, now: Time) -> Verdict {
    let name = clean(&d.destination);
    let expiry = Mend::from(format!("If that does not happen, it ends dead {}.", when(d.expires_at, now)));
    let state = destination.map_or("missing", |s| s.state.as_str());
    let configured = destination.map_or("missing", |s| s.configured.as_str());
    match state {
        "missing" => {
            let mend = format!("The owner of the config file puts [destinations.{name}] back.");
            return verdict(
                Needs::Person,
                format!("It waits: {name} is gone from the config file."),
                [mend.into(), expiry],
            );
        }
        "disabled" => {
            let mend = match configured {
                "disabled" => {
                    format!("The owner of the config file sets state = \"active\" under [destinations.{name}].").into()
                }
                _ => Mend::by("An operator enables it", Way::Enable(d.destination.clone())),
            };
            return verdict(Needs::Person, format!("It waits: {name} is disabled."), [mend, expiry]);
        }
        "paused" if configured == "paused" => {
            let mend = format!("The owner of the config file sets state = \"active\" under [destinations.{name}].");
            return verdict(
                Needs::Person,
                format!("It waits: {name} is paused in the config file."),
                [mend.into(), expiry],
            );
        }
        "paused" => {
            let pause = destination.and_then(|s| s.paused.clone()).unwrap_or_default();
            let resume = Way::Resume(d.destination.clone());
            if pause.by == RULE_410 {
                let moved = format!("Whoever runs the handler at {name} says whether it moved; then");
                let what = format!("It waits: {name} was paused, since several deliveries were answered 410 Gone.");
                return verdict(Needs::Person, what, [Mend::by(moved, resume), expiry]);
            }
            let by = if pause.by.is_empty() { String::new() } else { format!(" by {}", clean(&pause.by)) };
            let why = if pause.reason.is_empty() { String::new() } else { format!(" ({})", clean(&pause.reason)) };
            let mend = Mend::by("An operator lets it go", resume);
            return verdict(Needs::Person, format!("It waits: {name} is paused{by}{why}."), [mend, expiry]);
        }
        _ => {}
    }
    if let Some(s) = destination.filter(|s| s.breaker != Breaker::Closed) {
        let probe = s.hold_until.map(|at| format!(", the next probe {}", relative(at, now))).unwrap_or_default();
        let mend = format!("Whoever runs the handler at {name} mends it; what waits is then delivered by itself.");
        return verdict(
            Needs::Patience,
            format!("It waits: {name} failed too often in a row{probe}."),
            [mend.into(), expiry],
        );
    }
    if let Some(waits) = in_line(d, now) {
        return waits;
    }
    let due = d.due_at.unwrap_or(now);
    let next = d.attempt_count + 1;
    if due > now {
        let what = format!("Attempt {next} of {} is due {}; it happens by itself.", d.attempts_max, relative(due, now));
        return verdict(Needs::Patience, what, []);
    }
    let held = destination.and_then(|s| s.hold_until).filter(|at| *at > now);
    let what = match held {
        Some(at) => format!("It is due and held back: {name} asked for a rest, which ends {}.", relative(at, now)),
        None => format!("Attempt {next} of {} is due and waits for its turn.", d.attempts_max),
    };
    verdict(Needs::Patience, what, [])
}

fn dead(d: &DeliveryView) -> Verdict {
    if let Some(new) = d.replaced_by {
        return verdict(Needs::Nobody, format!("Dead, and replayed since as {new}."), []);
    }
    if d.dismissed_at.is_some() {
        let mend = Mend::by("It can still be delivered", Way::ReplayEnded(d.id));
        return verdict(Needs::Nobody, "Dead, and dismissed by a person.", [mend]);
    }
    let name = clean(&d.destination);
    let replay = Mend::by("Then", Way::Replay(d.id));
    let (what, mend) = match d.end_reason.as_deref() {
        Some("aborted") => (
            "A dead letter: the handler said not to try it again.".to_owned(),
            format!("Whoever runs the handler at {name} knows why it refuses this event."),
        ),
        Some("expired") => (
            format!("A dead letter: {name} could not be attempted for as long as the route allows."),
            format!("Whoever runs {name} sees to it that it answers and is not paused."),
        ),
        Some("parked") => (
            "A dead letter: trying it again would have kept those of its ordering key waiting for too long.".to_owned(),
            format!(
                "Whoever runs the handler at {name} mends it; a replay is then the last of its key, unless it comes before {}.",
                d.ordering
                    .as_ref()
                    .and_then(|o| o.parks_until)
                    .map_or("the parking ends".to_owned(), |at| at.to_string())
            ),
        ),
        Some("lost") => (
            "A dead letter: the gateway went down five times in a row while attempting it.".to_owned(),
            "Whoever runs the gateway looks into its log for what brings it down.".to_owned(),
        ),
        Some("damaged") => (
            "A dead letter: the stored event could not be read back.".to_owned(),
            "Whoever runs the gateway looks at its disk, and asks the sender to send the event again.".to_owned(),
        ),
        _ => exhausted(d, &name),
    };
    verdict(Needs::Person, what, [mend.into(), replay])
}

/// Out of attempts: who can help depends on how the last one failed.
fn exhausted(d: &DeliveryView, name: &str) -> (String, String) {
    let class = d.last_attempt.as_ref().map_or("", |l| l.class.as_str());
    let status = d.last_attempt.as_ref().and_then(|l| l.status).map(|s| s.to_string()).unwrap_or_default();
    let tries = match d.attempt_count {
        1 => "its one attempt".to_owned(),
        n => format!("all {n} attempts"),
    };
    let what = |how: String| format!("A dead letter: {tries} failed; the last time {how}.");
    let owner = |does: &str| format!("Whoever runs the handler at {name} {does}.");
    let config = format!("the url under [destinations.{name}]");
    match class {
        "http_4xx" => (
            what(format!("the handler refused it with {status}")),
            owner(&format!("mends the handler, or the owner of the config file mends {config}")),
        ),
        "http_3xx" => (
            what(format!("the answer was a redirect ({status}), which is never followed")),
            format!("The owner of the config file writes the final address into {config}."),
        ),
        "http_5xx" => {
            (what(format!("the handler failed with {status}")), owner("finds the fault in the handler's log"))
        }
        "rate_limited" => (
            what("the handler wanted fewer requests (429)".to_owned()),
            format!("The owner of the config file sets rate or concurrency under [destinations.{name}]."),
        ),
        "timeout" => (
            what("the handler took too long".to_owned()),
            owner(&format!("makes it answer sooner, or timeout under [destinations.{name}] is raised")),
        ),
        "dns" => (what("its name could not be resolved".to_owned()), format!("Mend DNS, or {config}.")),
        "connect" => (what("nothing listened there".to_owned()), owner("starts it")),
        "tls" => (what("TLS failed".to_owned()), owner("renews its certificate")),
        "refused" => (
            what("its address is one that must not be called".to_owned()),
            format!("The owner of the config file corrects {config}."),
        ),
        _ => (what(format!("with {}", clean(class))), owner("looks into it")),
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_core::{DeliveryId, EventId};

    use super::*;
    use crate::api::{Pause, view::LastAttemptView};

    const NOW: Time = Time::from_s(1_790_000_000);

    fn delivery(state: &str) -> DeliveryDetail {
        let delivery = DeliveryView {
            ordering: None,
            id: DeliveryId::from_bytes([1; 16]),
            event: EventId::from_bytes([2; 16]),
            source: "stripe".into(),
            event_type: "invoice.paid".into(),
            destination: "billing".into(),
            job: None,
            route: "stripe#1".into(),
            lane: "d:billing".into(),
            state: state.into(),
            critical: false,
            accepted_at: NOW,
            due_at: None,
            expires_at: NOW.plus(std::time::Duration::from_secs(3_600)),
            attempt_count: 1,
            attempts_max: 5,
            lost_count: 0,
            ended_at: None,
            end_reason: None,
            replaces: None,
            replaced_by: None,
            dismissed_at: None,
            dead_letter: state == "dead",
            last_attempt: None,
        };
        DeliveryDetail { delivery, attempts: Vec::new() }
    }

    fn destination(state: &str, configured: &str) -> DestinationView {
        DestinationView {
            name: "billing".into(),
            state: state.into(),
            configured: configured.into(),
            depth: 1,
            ..DestinationView::default()
        }
    }

    #[test]
    fn who_holds_a_pending_delivery_back_is_named() {
        let mut d = delivery("pending");
        d.delivery.due_at = Some(NOW.plus(std::time::Duration::from_secs(25)));
        let active = destination("active", "active");
        let waits = of(&d, Some(&active), NOW);
        assert_eq!(
            (waits.needs, &*waits.what),
            (Needs::Patience, "Attempt 2 of 5 is due in 25 s; it happens by itself.")
        );

        let mut paused = destination("paused", "active");
        paused.paused = Some(Pause { by: "operator".into(), reason: "deploy".into(), ..Pause::default() });
        let held = of(&d, Some(&paused), NOW);
        assert_eq!((held.needs, &*held.what), (Needs::Person, "It waits: billing is paused by operator (deploy)."));
        assert!(held.mend[0].to_string().ends_with("hookhaven destinations resume billing"));

        paused.paused = Some(Pause { by: RULE_410.into(), ..Pause::default() });
        assert!(of(&d, Some(&paused), NOW).what.contains("answered 410 Gone"));

        let open = DestinationView { breaker: Breaker::Open, ..active };
        assert!(of(&d, Some(&open), NOW).what.contains("failed too often"));
        assert!(of(&d, None, NOW).what.contains("gone from the config file"));
        assert!(of(&d, Some(&destination("paused", "paused")), NOW).mend[0].text.contains("state = \"active\""));
        let off = of(&d, Some(&destination("disabled", "active")), NOW);
        assert_eq!((off.needs, &*off.what), (Needs::Person, "It waits: billing is disabled."));
        assert!(off.mend[0].to_string().ends_with("hookhaven destinations enable billing"), "{:?}", off.mend);
    }

    #[test]
    fn a_dead_letter_says_who_can_put_it_right_and_how() {
        for (class, status, who) in [
            ("http_5xx", Some(503), "handler's log"),
            ("http_4xx", Some(404), "mends the handler"),
            ("http_3xx", Some(302), "final address"),
            ("connect", None, "starts it"),
            ("tls", None, "certificate"),
            ("dns", None, "DNS"),
        ] {
            let mut d = delivery("dead");
            d.delivery.end_reason = Some("exhausted".into());
            let last = LastAttemptView { at: NOW, class: class.into(), status, error: String::new() };
            d.delivery.last_attempt = Some(last);
            let dead = of(&d, None, NOW);
            assert_eq!(dead.needs, Needs::Person, "{class}");
            assert!(dead.mend[0].text.contains(who), "{class}: {}", dead.mend[0]);
            assert!(dead.mend[1].to_string().contains("hookhaven dlq replay dlv_"), "{class}");
        }
    }

    #[test]
    fn what_was_put_right_needs_nobody() {
        assert_eq!(of(&delivery("delivered"), None, NOW).needs, Needs::Nobody);
        let mut d = delivery("dead");
        d.delivery.replaced_by = Some(DeliveryId::from_bytes([3; 16]));
        assert_eq!(of(&d, None, NOW).needs, Needs::Nobody);
    }
}
