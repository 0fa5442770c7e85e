//! When a failed delivery is tried again, spelled out in times; what each kind of failure means and what mends it; who
//! is woken by what.
//!
//! Not here: the alerts' thresholds (`observability`).

use std::{net::IpAddr, time::Duration};

use hookhaven_core::{attempt::ErrorClass, retry::RetryPolicy};

use super::SKELETON;
use crate::{
    Plan,
    design::{RetryDesign, RouteDesign},
    intake::Host,
    report::{
        document::{Block, Text, code, codes, link, plain, prose, say},
        said,
    },
    words::{self, span},
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let routes = said::alike(plan, |route| &route.retry).into_iter().map(|routes| schedule(plan, routes)).collect();
    let woken = said::alike(plan, |route| &route.critical).into_iter().map(|routes| woken(plan, routes)).collect();
    let classes = ErrorClass::ALL.into_iter().filter_map(|class| failure(plan, class)).collect();
    let mut blocks = vec![
        Block::table(["sender", "types", "attempts", "waits between them", "the last begins after", "why"], routes),
        say!(
            "Each wait may be up to a tenth longer, never shorter, so that what failed together does not come back \
             together. Where the handler answers with a longer `Retry-After`, that is the wait."
        )
        .into(),
        Block::heading(say!("Each kind of failure: its cause, its remedy")),
        Block::table(["class", "what is likely", "what mends it", "what the gateway does"], classes),
        Block::heading(say!("Who is woken by what")),
        Block::table(["sender", "types", "a dead letter wakes somebody", "why"], woken),
    ];
    blocks.push(channels(plan).into());
    blocks.push(
        say!(
            "A dead letter stays {}: `hookhaven dlq groups` shows them by root cause, `hookhaven dlq replay --group ID \
             --one-first` delivers one and the others once that worked, `hookhaven dlq dismiss` is for what nobody \
             needs any more.",
            match plan.design.retention_dead.value {
                None => "until somebody decides".to_owned(),
                Some(length) => format!("until somebody decides, and for {} at most", span(length)),
            }
        )
        .into(),
    );
    blocks
}

fn schedule(plan: &Plan, (route, types): (&RouteDesign, Text)) -> [Text; 6] {
    let waits = waits(&policy(&route.retry.value));
    let last = span(waits.iter().sum());
    let last = match route.retry.value.max_age {
        Some(max_age) => format!("{last}; ended after {} at most", span(max_age)),
        None => last,
    };
    [
        plain(said::title(plan, &route.source)),
        types,
        plain(route.retry.value.attempts.to_string()),
        plain(spelled(&waits)),
        plain(last),
        prose(&route.retry.why),
    ]
}

/// Between an attempt and the next, without the jitter.
fn waits(policy: &RetryPolicy) -> Vec<Duration> {
    (1..policy.attempts).map_while(|failed| policy.wait(failed, 0.0)).collect()
}

fn policy(design: &RetryDesign) -> RetryPolicy {
    RetryPolicy { attempts: design.attempts, initial: design.initial, factor: design.factor, max: design.max }
}

/// Equal waits in a row are said once.
fn spelled(waits: &[Duration]) -> String {
    let mut runs: Vec<(Duration, usize)> = Vec::new();
    for wait in waits {
        match runs.last_mut() {
            Some((length, count)) if length == wait => *count += 1,
            _ => runs.push((*wait, 1)),
        }
    }
    if runs.is_empty() {
        return "none: one attempt and no more".to_owned();
    }
    let said: Vec<String> = runs
        .into_iter()
        .map(|(length, count)| if count == 1 { span(length) } else { format!("{count} times {}", span(length)) })
        .collect();
    words::list(&said)
}

fn woken(plan: &Plan, (route, types): (&RouteDesign, Text)) -> [Text; 4] {
    let who = if route.critical.value { say!("**yes**") } else { say!("no; told when it has waited an hour") };
    [plain(said::title(plan, &route.source)), types, who, prose(&route.critical.why)]
}

fn channels(plan: &Plan) -> Text {
    match plan.intake.infrastructure.alert_channels.as_slice() {
        [] => say!(
            "You named no channel (`infrastructure.alerts`). Without one, alerts are listed by `hookhaven alerts \
             list` and logged, and wake nobody: give `[alerts.channels.ops]` an address before the first event."
        ),
        channels => {
            say!("Pages and notices go to ")
                + codes(channels)
                + say!("; try each before it is needed: `hookhaven alerts test {}`.", channels[0])
        }
    }
}

/// Where it fails, in this team's set-up. A success is none.
fn failure(plan: &Plan, class: ErrorClass) -> Option<[Text; 4]> {
    let handlers = Handlers::of(plan);
    let timeouts = timeouts(plan);
    let is_function = plan.intake.infrastructure.host == Host::Serverless;
    let cold = if is_function { ", or a function that starts cold comes on top of it" } else { "" };
    let (cause, remedy, does) = match class {
        ErrorClass::Ok => return None,
        ErrorClass::Dns if !handlers.is_said => (
            say!("the name in the destination's `url` does not resolve from where the gateway runs"),
            say!("look it up there (`getent hosts NAME`); mend it in `url`, or the resolver of that machine"),
            RETRIED,
        ),
        ErrorClass::Dns if handlers.is_number => (
            say!("does not happen while your handlers are addressed by number (`{}`)", handlers.host),
            say!("once they have a name: mend it in `url`, or the resolver of the gateway's machine"),
            RETRIED,
        ),
        ErrorClass::Dns => (
            say!("the name `{}` does not resolve from where the gateway runs", handlers.host),
            say!(
                "look it up there (`getent hosts {}`); mend the name in `url`, or the resolver of that machine",
                handlers.host
            ),
            RETRIED,
        ),
        ErrorClass::Connect => (
            match handlers.is_said {
                true => say!("nothing listens at `{}`, or a firewall stands between", handlers.url),
                false => say!("nothing listens at the destination's `url`, or a firewall stands between"),
            },
            say!(
                "start the handler; try `hookhaven destinations test NAME`; after a deploy see that it listens on the \
                 same port"
            ),
            RETRIED,
        ),
        ErrorClass::Tls if handlers.is_said && handlers.url.starts_with("http:") => (
            say!("does not happen while your handlers are reached without TLS (`{}`)", handlers.url),
            say!("keep that way to one machine or a private network: bodies pass in the clear"),
            RETRIED,
        ),
        ErrorClass::Tls => (
            say!(
                "the handler's certificate is out of date, made out for another name, or of an authority the machine \
                 does not trust"
            ),
            say!("renew it, or add the authority to the machine's trust store"),
            RETRIED,
        ),
        ErrorClass::Timeout => (
            say!("the handler works longer than {}{}", timeouts, cold),
            say!(
                "let it store the work, answer, and work afterwards; raise `timeout` only if the work cannot be \
                 shortened; lower `concurrency` if it is slow because of too much at once"
            ),
            RETRIED,
        ),
        ErrorClass::Protocol => (
            say!("the connection broke in the middle, or what answered does not speak HTTP"),
            say!(
                "look for a crash in the handler's log at that second, and for a proxy whose idle timeout is shorter \
                 than {}",
                timeouts
            ),
            RETRIED,
        ),
        ErrorClass::RateLimited => (
            say!("the handler, or what stands in front of it, takes less than it is given"),
            say!("set the destination's `rate` to what it takes; `hookhaven analyze` says how much that was"),
            "tried again by the schedule; a `Retry-After` holds the whole destination, for a minute at most",
        ),
        ErrorClass::Http5xx => (
            say!("the handler failed: an exception, its database, something it calls"),
            say!(
                "read the answer in `hookhaven dlq show ID` and the handler's log at that time; if one event alone \
                 fails, the event is the cause: let the handler take it, or refuse it for good with 422 and \
                 `webhook-delivery: abort-message`"
            ),
            RETRIED,
        ),
        ErrorClass::Http4xx => (
            say!(
                "401 or 403: the handler has another secret than the destination; 404: another path; 410: it says that \
                 it is gone; 413: a body limit in front of it; 400 or 422: it does not take this event"
            ),
            say!("compare the handler's variables with the table under ")
                + link(SKELETON)
                + say!(
                    "; mend `url`; raise the limit in front of the handler; teach it the type, or narrow the route's \
                     `events`"
                ),
            "tried again by the schedule, shown as needing a person; 410 to several deliveries in a row pauses the \
             destination",
        ),
        ErrorClass::Http3xx => (
            say!("the handler moved: a redirect to HTTPS, to a slash at the end, to a login"),
            say!(
                "put the address it redirects to into `url`; none is ever followed, because no answer may say where \
                 signed events go"
            ),
            "tried again by the schedule, shown as needing a person",
        ),
        ErrorClass::Refused => {
            let does = "tried again by the schedule, shown as needing a person";
            (say!("the address is the gateway's own, or one that it must not call"), say!("mend `url`"), does)
        }
        ErrorClass::Lost => (
            say!("the node that made the attempt died or lost its session; whether the handler got it is not known"),
            say!(
                "nothing, if the handler's inbox is there: the attempt is made again under the same `webhook-id`; if \
                 it goes on, look why nodes die"
            ),
            "made again at no cost; five in a row end the delivery",
        ),
        ErrorClass::Store => (
            say!("the stored event cannot be read: the disk damaged it"),
            say!(
                "`hookhaven doctor`, with the gateway stopped, names what is damaged; fetch the event from its sender; \
                 replace the disk"
            ),
            "ends the delivery; `store_damaged` wakes somebody",
        ),
    };
    Some([code(class.as_str()), cause, remedy, prose(does)])
}

const RETRIED: &str =
    "tried again by the schedule; ten in a row, of five deliveries at least, let the destination rest";

/// Where attempts go, as far as that is known.
struct Handlers<'p> {
    url: &'p str,
    host: &'p str,
    is_number: bool,
    /// What was only assumed says nothing of where they will be.
    is_said: bool,
}

impl<'p> Handlers<'p> {
    fn of(plan: &'p Plan) -> Self {
        let url = plan.intake.infrastructure.handler_url.as_str();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        // An address of IPv6 stands in brackets and is full of colons.
        let host = match authority.strip_prefix('[').and_then(|address| address.split_once(']')) {
            Some((address, _)) => address,
            None => authority.split(':').next().unwrap_or(authority),
        };
        let is_said = !said::is_assumed(plan, "infrastructure.handler_url");
        Handlers { url, host, is_number: host.parse::<IpAddr>().is_ok(), is_said }
    }
}

/// Of the destinations, shortest and longest.
fn timeouts(plan: &Plan) -> String {
    let all = || plan.design.destinations.iter().map(|destination| destination.timeout.value);
    match (all().min(), all().max()) {
        (Some(least), Some(most)) if least != most => format!("its timeout ({} to {})", span(least), span(most)),
        (Some(least), _) => span(least),
        _ => "its timeout".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_spelled_out_in_times() {
        let s = Duration::from_secs;
        let waits = waits(&RetryPolicy { attempts: 8, initial: s(5), factor: 5.0, max: s(3_600) });
        assert_eq!(spelled(&waits), "5 s, 25 s, 2.1 minutes, 10.4 minutes, 52.1 minutes and 2 times 1 hour");
        assert_eq!(spelled(&[]), "none: one attempt and no more");
    }
}
