//! From what the team has today to this set-up: steps with a parallel run and a way back, by the kind of what is there.
//!
//! Not here: the set-up itself.

use std::time::Duration;

use hookhaven_core::senders::{Declaration, Retries};

use super::{LIMITS, TESTING};
use crate::{
    Plan,
    intake::{SenderAnswers, State, Trouble},
    report::{
        document::{Block, Text, link, plain, quoted, say},
        said,
    },
    words::{self, span},
};

const DAY: Duration = Duration::from_secs(86_400);

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let existing = &plan.intake.existing;
    let today = say!("Today: {} (“{}”). ", said::state(existing.kind), quoted(&existing.state));
    let turns = turns(plan);
    let mut blocks = vec![
        (today + why(plan)).into(),
        Block::Steps(steps(plan, turns.first().copied())),
        Block::heading(say!("The way back")),
        way_back(plan).into(),
    ];
    if turns.len() > 1 {
        blocks.push(Block::heading(say!("In which order")));
        blocks.push(
            say!("One sender at a time, the one that is least harmed first, each for some days before the next:")
                .into(),
        );
        let rows = turns.iter().enumerate().map(|(i, sender)| turn(i + 1, sender)).collect();
        blocks.push(Block::table(["turn", "sender", "what can go wrong"], rows));
    }
    if existing.incidents.is_empty() {
        return blocks;
    }
    blocks.push(Block::heading(say!("What went wrong so far, and what becomes of it")));
    let told: Vec<String> = existing.incidents.iter().map(|incident| format!("“{}”", quoted(incident))).collect();
    blocks.push(say!("You told: {}.", told.join("; ")).into());
    blocks.push(Block::table(["read as", "with this set-up"], incidents(plan)));
    blocks
}

fn why(plan: &Plan) -> Text {
    match plan.intake.existing.kind {
        State::Nothing => say!("Nothing has to be moved: begin with a test endpoint at each sender."),
        State::Synchronous => say!(
            "What it does stays; when it does it changes. The handler keeps its code and answers the gateway, which \
             waits, instead of the sender, which does not."
        ),
        State::Queued => say!(
            "The receiver and the queue are what is replaced; the consumers become handlers, an HTTP route around each."
        ),
        State::Mature => {
            say!("Most of it can stay. Move a sender only where this takes away something that you have to run.")
        }
        State::Hosted => {
            say!("The service keeps its configuration until the last sender has moved: nothing is taken out before.")
        }
    }
}

/// With the sender that goes first.
fn steps(plan: &Plan, first: Option<&SenderAnswers>) -> Vec<Text> {
    let name = first.map_or("", |sender| sender.name.as_str());
    let beside = say!(
        "Run the gateway beside what is there, with the files of this directory; no sender knows of it yet. Go through "
    );
    let mut steps = vec![beside + link(TESTING) + say!(".")];
    let kind = plan.intake.existing.kind;
    if kind == State::Nothing {
        steps.push(say!(
            "Enter `{}` at {}, in its test mode if it has one; look at some days of events with `hookhaven tail`.",
            said::url(plan, name),
            said::title(plan, name)
        ));
        steps.push(say!("Then enter it where the live events come from, with the live secret."));
        return steps;
    }
    steps.extend(before_the_switch(kind));
    if kind == State::Mature {
        // Whether to begin at all comes before the first step.
        steps.swap(0, 1);
    }
    steps.push(inbox(first));
    steps.extend([
        say!(
            "**Parallel run.** If {} takes a second endpoint, add `{}` beside the old one, with a secret of its own; \
             if it takes only one, let the old receiver post a copy of each request, headers and bytes unchanged, to \
             the gateway. Compare for some days: what the old side handled has to be in `hookhaven events list \
             --source {}`, and the other way round.",
            said::title(plan, name),
            said::url(plan, name),
            name
        ),
        say!(
            "**Cut over** one sender: take the old endpoint out at the sender, or change its address there. Nothing \
             is done twice or left out at that moment, because of the inbox."
        ),
        say!(
            "Keep the old receiver for {}: what a sender tries again may still come there. Then let only `webhook-id` \
             be the inbox's key, and take the old receiver away.",
            span(comes_again(plan))
        ),
    ]);
    if kind == State::Queued {
        steps.push(say!("The old queue drains by itself; when it has been empty for a day, take it away, too."));
    }
    steps
}

/// How long the most patient of the senders comes again by itself, and a day at least.
fn comes_again(plan: &Plan) -> Duration {
    let retried = |sender: &SenderAnswers| match sender.sender?.about.retries {
        Retries::For(length, _) => Some(length),
        Retries::Never | Retries::Unknown => None,
    };
    plan.intake.senders.iter().filter_map(retried).max().unwrap_or_default().max(DAY)
}

/// What has to be changed in what there is, so that both can lead to the same work.
fn before_the_switch(kind: State) -> Option<Text> {
    Some(match kind {
        State::Nothing => return None,
        State::Synchronous => say!(
            "Split the handler in two: what verifies the sender stays where it is for now; what works becomes a \
             function with a second route, to which the gateway posts and which verifies the gateway's signature \
             instead. One deploy carries both."
        ),
        State::Queued => say!(
            "Put an HTTP route in front of the function that your consumer calls, in the same process; the route \
             verifies the gateway's signature. Queue and gateway now lead to the same work."
        ),
        State::Mature => say!(
            "Compare what you have with this report, first of all with its findings. If nothing is gained for a \
             sender, leave it where it is."
        ),
        State::Hosted => say!(
            "Let the service forward to the gateway as one more destination, with that service as the source's \
             `sender`; or add the gateway's address at the sender itself as a second endpoint."
        ),
    })
}

/// The one thing that makes a parallel run safe.
fn inbox(first: Option<&SenderAnswers>) -> Text {
    let id = match first.and_then(|sender| Some((sender.title(), sender.sender?, sender.sender?.id))) {
        Some((title, declared, [place, ..])) => {
            say!(" (of {}: `{}`, which reaches your handler as it was sent)", title, said::place(declared, place))
        }
        _ => Text::default(),
    };
    let both = say!("Let both ways write into one inbox before they work, under the sender's own id of the event");
    let unique = say!(
        ": unique together with the source, in the transaction of the work. Whichever comes second finds the row and \
         does nothing, so both may run with full effect."
    );
    both + id + unique
}

fn way_back(plan: &Plan) -> Text {
    let never = |declared: &&Declaration| declared.about.retries == Retries::Never;
    let never: Vec<&str> = plan.intake.senders.iter().filter_map(|s| s.sender).filter(never).map(|d| d.title).collect();
    let careful = match never.as_slice() {
        [] => Text::default(),
        never => {
            say!(
                " What is missed meanwhile does not come again from {}: change the address in a quiet hour, and look \
                 for a gap afterwards, as said under ",
                words::list(never)
            ) + link(LIMITS)
                + say!(".")
        }
    };
    match plan.intake.existing.kind {
        State::Nothing => {
            say!(
                "Take the address out at the sender. What the gateway stored stays and can be delivered later with \
                 `hookhaven replay`."
            ) + careful
        }
        _ => {
            say!(
                "Enter the old address at the sender again: it takes as long as its settings page, and until the old \
                 receiver is gone that is all. `hookhaven destinations pause NAME` holds back what the gateway still \
                 has; the inbox they share keeps it from being done twice when you resume."
            ) + careful
        }
    }
}

/// Those of whose events the least must not happen twice, and whose senders come again, go first.
fn turns(plan: &Plan) -> Vec<&SenderAnswers> {
    let mut all: Vec<&SenderAnswers> = plan.intake.senders.iter().collect();
    let weight = |sender: &SenderAnswers| {
        let strictest = sender.once.values().copied().max();
        let never = sender.sender.is_some_and(|d| d.about.retries == Retries::Never);
        (strictest, never, sender.volume.per_day)
    };
    all.sort_by_key(|sender| weight(sender));
    all
}

fn turn(number: usize, sender: &SenderAnswers) -> [Text; 3] {
    let harm = sender.once.values().copied().max().map_or("", said::once);
    let whose = if sender.once.some.is_empty() { "its events" } else { "some of its events" };
    let loss = match sender.sender.map_or(Retries::Unknown, |declared| declared.about.retries) {
        Retries::For(length, _) => format!("it comes again for {}", span(length)),
        Retries::Never => "what is missed does not come again".to_owned(),
        Retries::Unknown => "whether it comes again is not known".to_owned(),
    };
    [plain(number.to_string()), plain(sender.title()), say!("{} {}; {}", whose, harm, loss)]
}

fn incidents(plan: &Plan) -> Vec<[Text; 2]> {
    let becomes = |trouble: &Trouble| match trouble {
        Trouble::TimedOut => "the sender waits for one commit, not for the work",
        Trouble::Twice => "the three layers under Idempotency; the third is yours to build",
        Trouble::Lost => "no 2xx before the event is on disk; what dies stays until a person decides",
        Trouble::OutOfOrder => "the guard under Ordering: an older event changes nothing",
        Trouble::BadSignature => "verified before anything else; what fails is kept, with the reason",
        Trouble::LeakedSecret => {
            "two secrets side by side while one is changed: how stands under Signature verification"
        }
        Trouble::Overload => "what comes at once waits on disk; the handler gets what its limits allow",
    };
    if plan.intake.existing.troubles.is_empty() {
        let unknown = "say it in other words, or look for it under what this will not solve";
        return vec![[plain("nothing that was recognised"), plain(unknown)]];
    }
    let row = |trouble: &Trouble| [plain(said::trouble(*trouble)), plain(becomes(trouble))];
    plan.intake.existing.troubles.iter().map(row).collect()
}
