//! From what the team has today to this set-up: steps with a parallel run and a way back, by the kind of what is there.
//!
//! Not here: the set-up itself.

use hookhaven_core::senders::Retries;

use crate::{
    Plan,
    intake::{SenderAnswers, State, Trouble},
    report::{
        document::{Block, Text, plain, quoted, say},
        said,
    },
    words::span,
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let existing = &plan.intake.existing;
    let today = say!("Today: {} (“{}”). ", said::state(existing.kind), quoted(&existing.state));
    let mut blocks = vec![
        (today + why(plan)).into(),
        Block::Steps(steps(plan)),
        Block::heading(say!("The way back")),
        way_back(plan).into(),
        Block::heading(say!("In which order")),
        say!("One sender at a time, the one that is least harmed first, each for some days before the next:").into(),
        Block::table(["turn", "sender", "what can go wrong"], order(plan)),
    ];
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

fn steps(plan: &Plan) -> Vec<Text> {
    let first = plan.intake.senders.first().map_or("", |sender| sender.name.as_str());
    let longest = plan.design.sources.iter().map(|source| source.dedupe_window.value).max().unwrap_or_default();
    let mut steps = vec![
        say!(
            "Run the gateway beside what is there, with the files of this directory; no sender knows of it yet. Go \
             through Testing."
        ),
        say!(
            "Give your handler the inbox (unique on `source`, `webhook-id`) and the check of the gateway's signature; \
             let it answer 401 otherwise."
        ),
    ];
    match plan.intake.existing.kind {
        State::Nothing => {
            steps.push(say!(
                "Enter `{}` at the sender's test mode; look at some days of events with `hookhaven tail`.",
                said::url(plan, first)
            ));
            steps.push(say!("Enter the address in live mode, with the live secret."));
            return steps;
        }
        State::Synchronous => steps.push(say!(
            "Split the handler in two: what verifies the sender stays where it is for now; what works becomes the \
             route that the gateway posts to. Both call the same function, so one deploy carries both."
        )),
        State::Queued => steps.push(say!(
            "Put an HTTP route in front of the function that your consumer calls, in the same process. Queue and \
             gateway now lead to the same function, and the inbox keeps them from doing it twice: key it by the \
             sender's event id while both run."
        )),
        State::Mature => steps.push(say!(
            "Compare first: `hookhaven check`, the table of senders and the list of what this will not solve, against \
             what you have. If nothing is gained for a sender, leave it."
        )),
        State::Hosted => steps.push(say!(
            "Let the service forward to the gateway as one more destination, if it can; else add the gateway's \
             address at the sender as a second endpoint. Events that come by both are one in your inbox if it is \
             keyed by the sender's event id."
        )),
    }
    steps.extend([
        say!(
            "**Parallel run.** Where the sender takes a second endpoint, add `{}` beside the old one, with a secret \
             of its own; let the new handlers work without effect (write to the inbox, do nothing else) and compare: \
             each event that the old side handled has to be in `hookhaven events list --source {}`, and the other way \
             round. Where it takes only one endpoint, let the old receiver post a copy of each request, headers and \
             bytes unchanged, to the gateway's address.",
            said::url(plan, first),
            first
        ),
        say!(
            "**Cut over** one sender: let the new handlers work, take the effect out of the old ones in the same \
             deploy, then remove the old endpoint at the sender."
        ),
        say!(
            "Keep the old receiver, answering 200 and storing what it gets, for {}: what was under way at the moment \
             of the change still arrives there. `hookhaven trigger --body FILE` brings such a body in.",
            span(longest)
        ),
    ]);
    if plan.intake.existing.kind == State::Queued {
        steps.push(say!("Drain: stop nothing. When the old queue has been empty for a day, take it away."));
    }
    steps
}

fn way_back(plan: &Plan) -> Text {
    let slowest = said::each(plan).filter_map(|(sender, _)| sender.sender).find(|d| d.about.retries == Retries::Never);
    let careful = match slowest {
        Some(declared) => say!(
            " {} does not come again by itself: change its address in a quiet hour, and compare its own list of \
             deliveries afterwards.",
            declared.title
        ),
        None => Text::default(),
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
                "Enter the old address at the sender again, and turn the effect of the old handlers on in one deploy; \
                 it takes as long as the sender's settings page. `hookhaven destinations pause NAME` holds back what \
                 the gateway still has, so that nothing is done twice meanwhile; once the inbox is shared, resume it."
            ) + careful
        }
    }
}

/// Those of whose events the least must not happen twice, and whose senders come again, go first.
fn order(plan: &Plan) -> Vec<[Text; 3]> {
    let mut all: Vec<&SenderAnswers> = plan.intake.senders.iter().collect();
    let weight = |sender: &SenderAnswers| {
        let strictest = sender.once.values().copied().max();
        let never = sender.sender.is_some_and(|d| d.about.retries == Retries::Never);
        (strictest, never, sender.volume.per_day)
    };
    all.sort_by_key(|sender| weight(sender));
    let row = |(i, sender): (usize, &&SenderAnswers)| {
        let harm = sender.once.values().copied().max().map_or("", said::once);
        let loss = match sender.sender.map_or(Retries::Unknown, |declared| declared.about.retries) {
            Retries::For(length, _) => format!("the sender comes again for {}", span(length)),
            Retries::Never => "what is missed is gone".to_owned(),
            Retries::Unknown => "whether it comes again is not known".to_owned(),
        };
        [plain((i + 1).to_string()), plain(sender.title()), say!("its events {}; {}", harm, loss)]
    };
    all.iter().enumerate().map(row).collect()
}

fn incidents(plan: &Plan) -> Vec<[Text; 2]> {
    let becomes = |trouble: &Trouble| match trouble {
        Trouble::TimedOut => "the sender waits for one commit, not for the work",
        Trouble::Twice => "the three layers under Idempotency; the third is yours to build",
        Trouble::Lost => "no 2xx before the event is on disk; what dies stays until a person decides",
        Trouble::OutOfOrder => "the guard under Ordering: an older event changes nothing",
        Trouble::BadSignature => "verified before anything else; what fails is kept, with the reason",
        Trouble::LeakedSecret => "two secrets side by side while one is changed; see Signature verification",
        Trouble::Overload => "what comes at once waits on disk; the handler gets what its limits allow",
    };
    if plan.intake.existing.troubles.is_empty() {
        let unknown = "say it in other words, or look for it under what this will not solve";
        return vec![[plain("nothing that was recognised"), plain(unknown)]];
    }
    let row = |trouble: &Trouble| [plain(said::trouble(*trouble)), plain(becomes(trouble))];
    plan.intake.existing.troubles.iter().map(row).collect()
}
