//! How many attempts are under way, how fast, for how long; and what an hour's downtime of a handler comes to.
//!
//! Not here: what happens after a failure (`retry`), more than one worker (`volume`).

use std::time::Duration;

use crate::{
    Plan,
    design::{DestinationDesign, SourceDesign},
    intake::SenderAnswers,
    report::{
        document::{Block, Text, code, plain, prose, say},
        said,
    },
    words::{count, rate, span},
};

const DOWNTIME: Duration = Duration::from_secs(3_600);

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let limits = plan.design.destinations.iter().map(limits).collect();
    let law = served(plan).map(|(sender, source, destination)| law(plan, sender, source, destination)).collect();
    let drains = served(plan).map(|(sender, source, destination)| drain(sender, source, destination)).collect();
    vec![
        say!(
            "The record of a delivery is the queue: there is no second one beside it that could disagree. Each \
             destination has its own lane, so that one handler that hangs delays no other."
        )
        .into(),
        Block::table(["destination", "attempts at once", "rate", "timeout"], limits),
        Block::heading(say!("Little's law, for your figures")),
        say!(
            "What is under way at once is what arrives in a second, times the seconds that each takes. Here for the \
             burst itself; the figures above spread it over the latency that you allow."
        )
        .into(),
        Block::table(["sender", "at the burst", "each takes", "so busy at once", "allowed at once"], law),
        Block::heading(say!("After an hour in which the handler was down")),
        say!(
            "In the busiest hour. What waits is delivered at what the handler is allowed, less what goes on arriving; \
             while the handler comes back it ramps up from one attempt at a time."
        )
        .into(),
        Block::table(["sender", "waits by then", "drains at", "done after"], drains),
        waiting(plan).into(),
    ]
}

/// Whether there is room for what an hour brings.
fn waiting(plan: &Plan) -> Text {
    let room = plan.design.pending_max.value;
    let hour = (plan.design.load.peak_per_second * DOWNTIME.as_secs_f64()).round() as u64;
    let room = if hour <= room {
        say!("None of it is lost meanwhile: up to {} deliveries may wait. ", count(room))
    } else {
        say!("That is more than may wait ({}): after that senders hear 503, before the hour is over. ", count(room))
    };
    room + prose(&plan.design.pending_max.why)
}

/// Each sender with the destination of its handler.
fn served(plan: &Plan) -> impl Iterator<Item = (&SenderAnswers, &SourceDesign, &DestinationDesign)> {
    said::each(plan).flat_map(|(sender, source)| {
        plan.design.destinations.iter().filter(|d| d.source == sender.name).map(move |d| (sender, source, d))
    })
}

fn limits(destination: &DestinationDesign) -> [Text; 4] {
    let rate = match destination.rate_per_second.value {
        Some(rate) => say!("**{}/s.** ", count(rate.into())) + prose(&destination.rate_per_second.why),
        None => say!("**no limit.** ") + prose(&destination.rate_per_second.why),
    };
    [
        code(&destination.name),
        say!("**{}.** ", destination.concurrency.value) + prose(&destination.concurrency.why),
        rate,
        say!("**{}.** ", span(destination.timeout.value)) + prose(&destination.timeout.why),
    ]
}

fn law(plan: &Plan, sender: &SenderAnswers, source: &SourceDesign, destination: &DestinationDesign) -> [Text; 5] {
    let (burst, takes) = (source.per_second.burst, sender.processing.takes);
    let busy = burst * takes.as_secs_f64();
    let allowed = destination.concurrency.value;
    let verdict = if busy <= f64::from(allowed) {
        say!("{}", allowed)
    } else {
        say!("{}: the burst waits its turn, as its latency allows", allowed)
    };
    let product = say!("{} × {} s = {}", rate(burst), seconds(takes), amount(busy));
    [plain(sender.title()), plain(rate(burst)), plain(said::takes(plan, sender)), product, verdict]
}

fn drain(sender: &SenderAnswers, source: &SourceDesign, destination: &DestinationDesign) -> [Text; 4] {
    let arriving = source.per_second.peak;
    let waits = arriving * DOWNTIME.as_secs_f64();
    let capacity = capacity(sender, destination);
    let backlog = say!("{}, so {}", rate(arriving), count(waits.round() as u64));
    let net = capacity - arriving;
    let title = plain(sender.title());
    if arriving == 0.0 {
        return [title, plain("nothing"), plain("–"), plain("–")];
    }
    if net <= 0.0 {
        let speed = say!("{}, and {} arrive", rate(capacity), rate(arriving));
        return [
            title,
            backlog,
            speed,
            plain("not in the busiest hour: it drains when less arrives, or with more room"),
        ];
    }
    let speed = say!("{} less {}: {}", rate(capacity), rate(arriving), rate(net));
    let done = Duration::from_secs_f64((waits / net).ceil().min(1e9));
    [title, backlog, speed, plain(span(done))]
}

/// Attempts a second: what the rate lets through, and no more than those at once can do.
fn capacity(sender: &SenderAnswers, destination: &DestinationDesign) -> f64 {
    let takes = sender.processing.takes.min(destination.timeout.value);
    let by_hands = f64::from(destination.concurrency.value) / takes.as_secs_f64().max(0.001);
    destination.rate_per_second.value.map_or(by_hands, |rate| by_hands.min(f64::from(rate)))
}

/// As short as it can be said.
fn seconds(length: Duration) -> String {
    let text = format!("{:.3}", length.as_secs_f64());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn amount(n: f64) -> String {
    if n >= 10.0 { count(n.round() as u64) } else { format!("{n:.2}") }
}
