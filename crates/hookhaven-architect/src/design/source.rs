//! One source for each sender: what it verifies with, how long it remembers, how much it takes.

use std::time::Duration;

use hookhaven_core::senders::{Declaration, Handshake, Retries, Scheme};

use super::{Loss, SourceDesign, load};
use crate::{
    Choice, Intake,
    intake::SenderAnswers,
    words::{self, count, span},
};

const DAY: Duration = Duration::from_secs(86_400);
/// What the gateway itself takes.
const WINDOW_MIN: Duration = Duration::from_secs(7 * 86_400);
const WINDOW_MAX: Duration = Duration::from_secs(90 * 86_400);
/// Beyond the last retry: clocks, and a sender that is late itself.
const MARGIN: Duration = DAY;
/// Where nobody said how long the receiver is down.
const DOWNTIME: Duration = Duration::from_secs(3_600);
const TOLERANCE: Duration = Duration::from_secs(300);
const BODY_MAX_BYTES: u64 = 1 << 20;

pub fn of(sender: &SenderAnswers, intake: &Intake) -> SourceDesign {
    let declared = sender.sender;
    SourceDesign {
        name: sender.name.clone(),
        sender: declared,
        secret_variables: secret_variables(sender),
        verify_token_variable: declared
            .filter(|d| d.handshakes.iter().any(Handshake::compares_token))
            .map(|_| format!("{}_VERIFY_TOKEN", variable(&sender.name))),
        dedupe_window: window(sender),
        tolerance: tolerance(declared),
        body_max_bytes: body_max(sender),
        needs_public_url: declared.is_some_and(signs_url),
        per_second: load::of_source(sender),
        loss: loss(sender, intake),
    }
}

/// `stripe` → `STRIPE`.
pub fn variable(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

fn secret_variables(sender: &SenderAnswers) -> Vec<String> {
    let verifies = !sender.sender.is_some_and(|d| matches!(d.scheme, Scheme::Nothing));
    if verifies { vec![format!("{}_WEBHOOK_SECRET", variable(&sender.name))] } else { Vec::new() }
}

/// How long after an event it can be made to send it again.
pub fn resend_within(declared: &Declaration) -> Option<Duration> {
    declared.conduct.resend_within.or(declared.redelivery)
}

fn signs_url(declaration: &Declaration) -> bool {
    match &declaration.scheme {
        Scheme::Signed(spec) => spec.signed.contains("{url}"),
        Scheme::Own { signs_url, .. } => *signs_url,
        Scheme::Shared(_) | Scheme::Nothing => false,
    }
}

fn window(sender: &SenderAnswers) -> Choice<Duration> {
    let title = sender.title();
    let Some(declared) = sender.sender else {
        let why = format!("How long {title} comes again is not known; {} is what most stay under.", span(WINDOW_MIN));
        return Choice::usual(WINDOW_MIN, why);
    };
    let retries = match declared.about.retries {
        Retries::For(length, _) => length,
        Retries::Never | Retries::Unknown => Duration::ZERO,
    };
    let by_hand = resend_within(declared).unwrap_or_default();
    let needed = retries.max(by_hand) + MARGIN;
    let value =
        Duration::from_secs(needed.as_secs().div_ceil(DAY.as_secs()) * DAY.as_secs()).clamp(WINDOW_MIN, WINDOW_MAX);
    let again = match declared.about.retries {
        Retries::For(length, _) => format!("{title} comes again for {}", span(length)),
        Retries::Never => format!("{title} does not come again by itself"),
        Retries::Unknown => format!("{title} does not say how long it comes again"),
    };
    let resent = match resend_within(declared) {
        Some(length) => format!(", and can be made to send again for {}", span(length)),
        None => String::new(),
    };
    let why = format!("{again}{resent}; an id is remembered a day longer, and never less than {}.", span(WINDOW_MIN));
    Choice::from(value, why, ["senders"])
}

fn tolerance(declared: Option<&'static Declaration>) -> Choice<Duration> {
    let value = declared.map_or(TOLERANCE, |d| d.tolerance);
    Choice::usual(
        value,
        format!("A signed time may be {} off: clocks differ, and a capture soon is worth nothing.", span(value)),
    )
}

fn body_max(sender: &SenderAnswers) -> Choice<u64> {
    let usual = sender.sender.map_or(BODY_MAX_BYTES, |d| d.body_bytes_max as u64);
    let wanted = (sender.volume.body_bytes * 4).next_power_of_two();
    let title = sender.title();
    if wanted > usual {
        let why = format!("Four times the {} that a body of {title} has here.", words::bytes(sender.volume.body_bytes));
        return Choice::from(wanted.min(60 << 20), why, [sender.path("volume")]);
    }
    Choice::usual(usual, format!("The largest that {title} sends has to fit."))
}

fn loss(sender: &SenderAnswers, intake: &Intake) -> Choice<Loss> {
    let title = sender.title();
    let downtime = intake.infrastructure.downtime;
    let while_down = downtime.unwrap_or(DOWNTIME);
    match sender.sender.map_or(Retries::Unknown, |d| d.about.retries) {
        Retries::For(length, how) => Choice::from(
            Loss::NothingWithin(length),
            format!(
                "{title} comes again for {} ({how}): a receiver that is back by then has lost nothing.",
                span(length)
            ),
            ["senders", "infrastructure.downtime"],
        ),
        Retries::Never => {
            let events = (load::of_source(sender).peak * while_down.as_secs_f64()).ceil() as u64;
            let said = if downtime.is_some() { "the downtime you named" } else { "an hour's downtime" };
            let why = format!(
                "{title} never comes again: in {said} ({}) at the busiest hour's rate {} events are gone for good, unless \
                 they are fetched from it afterwards.",
                span(while_down),
                count(events)
            );
            Choice::from(Loss::Events(events), why, [sender.path("volume"), "infrastructure.downtime".to_owned()])
        }
        Retries::Unknown => Choice::from(
            Loss::Unknown,
            format!("{title} does not say whether it comes again: take what arrives during a downtime for lost."),
            ["senders"],
        ),
    }
}
