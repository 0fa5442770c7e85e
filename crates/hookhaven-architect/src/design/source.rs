//! One source for each sender: what it verifies with, how long it remembers, how much it takes, what a downtime costs.

use std::time::Duration;

use hookhaven_core::senders::{Declaration, Handshake, Retries, SenderOptions};

use super::{Loss, SourceDesign, load, place::volumes};
use crate::{
    Choice, Intake,
    intake::SenderAnswers,
    words::{self, count, rate, span},
};

const DAY: Duration = Duration::from_secs(86_400);
/// What the gateway itself takes.
const WINDOW_MIN: Duration = Duration::from_secs(7 * 86_400);
const WINDOW_MAX: Duration = Duration::from_secs(90 * 86_400);
/// Where two equal bodies are two happenings: what a repetition within one delivery takes.
const WINDOW_OF_EQUALS: Duration = Duration::from_secs(600);
/// Beyond the last retry: clocks, and a sender that is late itself.
const MARGIN: Duration = DAY;
/// Where nobody said how long the receiver is down.
const DOWNTIME: Duration = Duration::from_secs(3_600);
const TOLERANCE: Duration = Duration::from_secs(300);
const BODY_MAX_BYTES: u64 = 1 << 20;
/// The most that a source can be told to take.
const BODY_LIMIT_BYTES: u64 = 60 << 20;
/// A sender that gives up sooner hardly comes again after a refusal.
const AGAIN_MIN: Duration = Duration::from_secs(300);
/// From this many a second on, a sender that goes mad could fill the store before somebody looks.
const SHED_FROM_PER_SECOND: f64 = 100.0;

/// `receivers`: nodes that it may post to.
pub fn of(sender: &SenderAnswers, intake: &Intake, receivers: u32) -> SourceDesign {
    let declared = sender.sender;
    SourceDesign {
        name: sender.name.clone(),
        sender: declared,
        secret_variables: secret_variables(sender),
        verify_token_variable: declared
            .filter(|d| d.handshakes.iter().any(Handshake::compares_token))
            .map(|_| format!("{}_VERIFY_TOKEN", variable(&sender.name))),
        handover: declared.filter(|d| d.hands_over()).map(|_| format!("{}.secret", sender.name)),
        dedupe_window: window(sender),
        tolerance: tolerance(declared),
        signs_time: declared.is_some_and(signs_time),
        body_max_bytes: body_max(sender),
        needs_public_url: declared.is_some_and(|d| d.signs_url()),
        per_second: load::of_source(sender),
        rate_per_second: shed(sender, intake, receivers),
        reserved: reserved(sender),
        loss: loss(sender, intake),
    }
}

/// `stripe` → `STRIPE`.
pub fn variable(name: &str) -> String {
    let plain = name.to_uppercase().replace('-', "_");
    // No variable begins with a digit.
    if plain.starts_with(|c: char| c.is_ascii_digit()) { format!("_{plain}") } else { plain }
}

fn secret_variables(sender: &SenderAnswers) -> Vec<String> {
    let is_given = sender.sender.is_none_or(|d| d.verifies() && !d.hands_over());
    if is_given { vec![format!("{}_WEBHOOK_SECRET", variable(&sender.name))] } else { Vec::new() }
}

fn signs_time(declared: &'static Declaration) -> bool {
    declared.build(&SenderOptions::default()).is_ok_and(|sender| sender.signs_time())
}

fn window(sender: &SenderAnswers) -> Choice<Duration> {
    let title = sender.title();
    let Some(declared) = sender.sender else {
        let why = format!(
            "How long {title} comes again is not known; {} is what most stay under. Name the place of its event id, \
             or a hash of the body stands in for it.",
            span(WINDOW_MIN)
        );
        return Choice::from(WINDOW_MIN, why, ["senders"]);
    };
    if declared.id.is_empty() && declared.time.is_empty() && declared.code.facts.is_none() {
        let why = format!(
            "{title} sends neither an id nor a time, so a hash of the body is the key: two equal bodies may be two \
             happenings, and the second must not be lost. A retry after {} counts as an event of its own.",
            span(WINDOW_OF_EQUALS)
        );
        return Choice::from(WINDOW_OF_EQUALS, why, ["senders"]);
    }
    let again = match declared.about.retries {
        Retries::For(length, _) => format!("{title} comes again for {}", span(length)),
        Retries::Never => format!("{title} does not come again by itself"),
        Retries::Unknown => format!("{title} does not say how long it comes again"),
    };
    let resent = match declared.resend_within() {
        Some(length) => format!(", and can be made to send again for {}", span(length)),
        None => String::new(),
    };
    let needed = retried_for(declared).max(declared.resend_within().unwrap_or_default()) + MARGIN;
    let days = needed.as_secs().div_ceil(DAY.as_secs());
    let value = Duration::from_secs(days * DAY.as_secs()).clamp(WINDOW_MIN, WINDOW_MAX);
    let why = format!("{again}{resent}; an id is remembered a day longer, and never less than {}.", span(WINDOW_MIN));
    Choice::from(value, why, ["senders"])
}

/// Zero where it does not, or does not say.
fn retried_for(declared: &Declaration) -> Duration {
    match declared.about.retries {
        Retries::For(length, _) => length,
        Retries::Never | Retries::Unknown => Duration::ZERO,
    }
}

fn tolerance(declared: Option<&'static Declaration>) -> Choice<Duration> {
    let value = declared.map_or(TOLERANCE, |d| d.tolerance);
    let why = match declared {
        Some(declared) if signs_time(declared) => {
            format!("A signed time may be {} off: clocks differ, and a capture soon is worth nothing.", span(value))
        }
        Some(_) => "No time is signed: only the idempotency key stops a replay.".to_owned(),
        None => "Unless you describe a signed time, only the idempotency key stops a replay.".to_owned(),
    };
    Choice::from(value, why, ["senders"])
}

fn body_max(sender: &SenderAnswers) -> Choice<u64> {
    let usual = sender.sender.map_or(BODY_MAX_BYTES, |d| d.body_bytes_max as u64);
    let wanted = (sender.volume.body_bytes.saturating_mul(4)).next_power_of_two().min(BODY_LIMIT_BYTES);
    let title = sender.title();
    let paths = ["senders".to_owned(), sender.path("volume")];
    if wanted > usual {
        let body = words::bytes(sender.volume.body_bytes);
        let why = if wanted == BODY_LIMIT_BYTES {
            format!("The most that a source can be told to take; a usual body of {title} has {body} here.")
        } else {
            format!("Room for four times the {body} that a usual body of {title} has here.")
        };
        return Choice::from(wanted, why, paths);
    }
    Choice::from(usual, format!("The largest that {title} sends has to fit."), paths)
}

/// Whether what it is refused comes again, and not only what could not be connected.
fn comes_again(declared: &Declaration) -> bool {
    matches!(declared.about.retries, Retries::For(length, _) if length >= AGAIN_MIN)
}

/// Backpressure: beyond it the sender is asked to come later, before its body is read. Each node counts for itself, so
/// of several each must bear the whole worst, for the others may be gone.
fn shed(sender: &SenderAnswers, intake: &Intake, receivers: u32) -> Choice<Option<u32>> {
    let title = sender.title();
    let worst = load::of_source(sender).burst;
    let paths = ["senders".to_owned(), sender.path("volume")];
    let Some(again) = sender.sender.filter(|d| comes_again(d)).map(retried_for) else {
        let why = format!("None: what {title} is refused, it may never send again.");
        return Choice::from(None, why, ["senders"]);
    };
    if worst < SHED_FROM_PER_SECOND {
        let why = format!("None: {} at the worst is far below what one node takes.", rate(worst));
        return Choice::from(None, why, paths);
    }
    let (factor, much) = if receivers > 1 {
        (1.0, "Your worst on each node that receives, since one may have to take it alone")
    } else {
        (2.0, "Twice your worst")
    };
    let value = (worst * factor).ceil() as u32;
    let why = format!(
        "{much} ({}): beyond it {title} hears 429 before its body is read, and comes again for {}, so a sender that \
         goes mad does not fill the store for the others.",
        rate(worst),
        span(again)
    );
    let nodes = [volumes(intake), vec!["infrastructure.nodes".to_owned()]].concat();
    Choice::from(Some(value), why, [paths.to_vec(), nodes].concat())
}

fn reserved(sender: &SenderAnswers) -> Choice<bool> {
    let title = sender.title();
    let retries = sender.sender.filter(|d| d.verifies()).map(|d| d.about.retries);
    let (never, why) = match retries {
        Some(Retries::Never) => {
            (true, format!("{title} does not come again: a share of every limit is kept free for it."))
        }
        Some(Retries::For(length, _)) if length < AGAIN_MIN => {
            let why = format!(
                "{title} comes again for {} at most, and not after every refusal: a share of every limit is kept \
                 free for it.",
                span(length)
            );
            (true, why)
        }
        _ => (false, format!("{title} may wait its turn: nothing says that what it is refused is gone.")),
    };
    Choice::from(never, why, ["senders"])
}

fn loss(sender: &SenderAnswers, intake: &Intake) -> Choice<Loss> {
    let title = sender.title();
    let downtime = intake.infrastructure.downtime;
    let down = downtime.unwrap_or(DOWNTIME);
    let said = match downtime {
        Some(length) => format!("the downtime you named ({})", span(length)),
        None => "an hour's downtime".to_owned(),
    };
    let paths = || ["senders".to_owned(), sender.path("volume"), "infrastructure.downtime".to_owned()];
    let gone = |length: Duration| {
        let events = load::in_worst(sender, length);
        let are = if events == 1 { "event is" } else { "events are" };
        (Loss::Events(events), format!("{} {are} gone for good", count(events)))
    };
    let unless = "unless they are fetched from it afterwards";
    match sender.sender.map_or(Retries::Unknown, |d| d.about.retries) {
        Retries::For(length, how) if down <= length => {
            let why = format!(
                "{title} comes again for {} ({how}): a receiver that is back by then has lost nothing.",
                span(length)
            );
            Choice::from(Loss::NothingWithin(length), why, ["senders", "infrastructure.downtime"])
        }
        Retries::For(length, how) => {
            let (value, gone) = gone(down - length);
            let why = format!(
                "{title} comes again for {} only ({how}): in {said}, at the worst time, {gone}, {unless}.",
                span(length)
            );
            Choice::from(value, why, paths())
        }
        Retries::Never => {
            let (value, gone) = gone(down);
            let why = format!("{title} never comes again: in {said}, at the worst time, {gone}, {unless}.");
            Choice::from(value, why, paths())
        }
        Retries::Unknown => {
            let why =
                format!("{title} does not say whether it comes again: take what arrives during a downtime for lost.");
            Choice::from(Loss::Unknown, why, ["senders"])
        }
    }
}
