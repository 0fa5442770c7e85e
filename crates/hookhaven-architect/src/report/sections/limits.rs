//! What stays unsolved, concretely: what this team must not rely on the gateway for.
//!
//! Not here: what it does solve.

use hookhaven_core::senders::Retries;

use super::VERIFICATION;
use crate::{
    Plan,
    design::Loss,
    intake::{Effect, SenderAnswers},
    report::{
        document::{Block, Text, codes, link, plain, quoted, say, strong},
        said,
    },
    words::{self, count, span},
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let rows = vec![
        [strong("the sender's own bugs"), bugs(plan)],
        [strong("retry windows that are over"), expired(plan)],
        [strong("an audit log"), audit(plan)],
        [strong("a leaked secret"), leaked(plan)],
        [strong("the lag of the sender's own API"), lag(plan)],
    ];
    let per_sender = plan.intake.senders.iter().map(row).collect();
    vec![
        Block::table(["what", "why it stays, and what to do"], rows),
        Block::heading(say!("Sender by sender")),
        Block::table(
            ["sender", "after how long a gap is for good", "how a gap is found", "when it stops sending"],
            per_sender,
        ),
    ]
}

/// One of them, whichever.
fn any(plan: &Plan) -> String {
    let names: Vec<&str> = plan.intake.senders.iter().map(|sender| sender.title()).collect();
    match names.as_slice() {
        [] => "a sender".to_owned(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
    }
}

fn bugs(plan: &Plan) -> Text {
    say!(
        "An event that {} never sends, or a wrong one rightly signed, the gateway cannot tell from a quiet day. A \
         silence shows only in `webhook_received_total`, a wrong figure only by comparing: the yearly reconciliation \
         below.",
        any(plan)
    )
}

fn expired(plan: &Plan) -> Text {
    let mut text = say!("An outage longer than the sender comes again for is a gap.");
    for (sender, source) in said::each(plan) {
        let after = match sender.sender.map_or(Retries::Unknown, |declared| declared.about.retries) {
            Retries::Never => "at once".to_owned(),
            Retries::For(length, _) => format!("after {}", span(length)),
            Retries::Unknown => "nobody says after how long".to_owned(),
        };
        let events = match source.loss.value {
            Loss::Events(events) => {
                let noun = if events == 1 { "event" } else { "events" };
                format!(", {} {noun} {}", count(events), said::downtime(plan))
            }
            Loss::NothingWithin(_) | Loss::Unknown => String::new(),
        };
        text = text + say!(" {}: {}{}.", sender.title(), after, events);
    }
    text
}

fn audit(plan: &Plan) -> Text {
    let kept = span(plan.design.retention.value);
    let regulated = match &plan.intake.requirements.regulated {
        Some(text) => {
            say!(" You are bound by “{}”: keep the events that it asks for in a store made for that.", quoted(text))
        }
        None => Text::default(),
    };
    say!(
        "`hookhaven audit` says who changed, replayed or dismissed what. The events themselves go after {}: it is a \
         queue with a memory, not an archive, and nothing in it proves to a third party that it was not changed.",
        kept
    ) + regulated
}

fn leaked(plan: &Plan) -> Text {
    let variables = said::secrets(plan);
    if variables.is_empty() {
        return say!(
            "None of your senders is verified by something that you could lose: public keys are no secret, and where \
             nothing is signed, whoever posts from an allowed address can make events."
        );
    }
    let published = |sender: &&SenderAnswers| sender.sender.is_some_and(|d| !d.addresses.is_empty());
    let published: Vec<&str> = plan.intake.senders.iter().filter(published).map(|sender| sender.title()).collect();
    let still = match published.as_slice() {
        [] => say!("The gateway sees no difference. "),
        names => say!(
            "The gateway sees no difference; what still stands is `allow = [\"published\"]`, for {} alone. ",
            words::list(names)
        ),
    };
    let holds = if variables.len() == 1 { "Whoever holds " } else { "Whoever holds one of " };
    plain(holds)
        + codes(&variables)
        + say!(" can make events that verify, until it is taken out. ")
        + still
        + say!("How to change it at once stands under ")
        + link(VERIFICATION)
        + say!(".")
}

fn lag(plan: &Plan) -> Text {
    let asks = plan.intake.senders.iter().filter(|sender| sender.processing.effects.contains(&Effect::Call));
    let asking: Vec<&str> = asks.map(|sender| sender.title()).collect();
    let who = if asking.is_empty() {
        String::new()
    } else {
        format!(" You said that yours calls APIs, for {}.", words::list(&asking))
    };
    say!(
        "An event may be here before the API of {} shows what it tells: a handler that fetches the object can get the \
         state before. Take what the event holds; if you have to fetch, and what you get is older than the event, \
         answer 503 and be given it again.{}",
        any(plan),
        who
    )
}

fn row(sender: &SenderAnswers) -> [Text; 4] {
    let gap = match sender.sender.map_or(Retries::Unknown, |d| d.about.retries) {
        Retries::Never => plain("at once: it never comes again"),
        Retries::Unknown => plain("not documented"),
        Retries::For(length, how) => said::catalogue(&format!("{}: {how}", span(length))),
    };
    let found = sender.sender.map_or("", |declared| declared.conduct.reconcile);
    let found = if found.is_empty() {
        say!("compare your records with those of {} by hand", sender.title())
    } else {
        said::catalogue(found)
    };
    let stops = sender.sender.map_or("", |declared| declared.conduct.gives_up);
    let stops = if stops.is_empty() { plain("not documented") } else { said::catalogue(stops) };
    [plain(sender.title()), gap, found, stops]
}
