//! The path of an event through this team's set-up, drawn and in words.
//!
//! Not here: the drawing (`diagram`).

use super::{IDEMPOTENCY, RETRY, VERIFICATION, WORKERS};
use crate::{
    Plan,
    design::{DestinationDesign, StorePlace},
    report::{
        diagram::{Diagram, Inlet, Outlet},
        document::{Block, Text, codes, link, say},
        said,
    },
    words::{self, count, span},
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let after = say!(
        "The line is the point of it. Before it nothing was promised: if the gateway dies there, the sender has no \
         2xx and comes again, where it does that. Behind it the event, its key and its deliveries are one record on \
         stable storage: a crash, a deploy or a handler that is down for a night loses none of it."
    );
    let more = say!("More on the steps: ")
        + link(VERIFICATION)
        + say!(", ")
        + link(IDEMPOTENCY)
        + say!(", ")
        + link(WORKERS)
        + say!(", ")
        + link(RETRY)
        + say!(".");
    vec![Block::Diagram(diagram(plan)), after.into(), more.into()]
}

fn diagram(plan: &Plan) -> Diagram {
    let kept = match (plan.design.store.value, plan.design.nodes.value) {
        (StorePlace::Embedded, _) => "the journal, synced".to_owned(),
        (StorePlace::Postgres, 1) => "committed in PostgreSQL".to_owned(),
        (StorePlace::Postgres, n) => format!("committed in PostgreSQL, for all {n} nodes"),
    };
    let asked: Vec<&String> = plan.design.routes.iter().filter(|r| r.answers.value).flat_map(|r| &r.events).collect();
    let answer = match asked.is_empty() {
        true => "answer 2xx to the sender",
        false => "answer the sender: 2xx, or what its handler says where somebody waits",
    };
    let senders = said::each(plan).map(|(sender, source)| Inlet {
        title: sender.title().to_owned(),
        path: format!("POST /webhooks/{}", sender.name),
        load: format!(
            "{} a day at most, {} at worst",
            count(sender.volume.peak_day.max(sender.volume.per_day)),
            words::rate(source.per_second.burst)
        ),
    });
    let handlers = plan.design.destinations.iter().map(|d| Outlet { name: d.name.clone(), limits: limits(d) });
    Diagram {
        caption: caption(&asked),
        in_words: in_words(plan, &kept, &asked),
        senders: senders.collect(),
        before: vec![
            "verify the signature over the raw bytes; else 401, kept to be looked at".to_owned(),
            "read id, type and time; an id that is known gets the first answer again".to_owned(),
            "store event, key and deliveries: one commit".to_owned(),
        ],
        line: format!("on disk from here on: {kept}"),
        after: vec![
            answer.to_owned(),
            "claim what is due, attempt it, record what came of it".to_owned(),
            "after a failure: the next attempt when the route says".to_owned(),
        ],
        handlers: handlers.collect(),
        end: "attempts used up → dead letter → alert → a person mends and replays it".to_owned(),
    }
}

fn limits(destination: &DestinationDesign) -> String {
    let rate = destination.rate_per_second.value.map(|rate| format!(", {rate}/s")).unwrap_or_default();
    let at_once = destination.concurrency.value;
    format!("{at_once} at once{rate}, {} each at most", span(destination.timeout.value))
}

/// What happens while the sender waits; `asked`: types for which that includes the handler.
fn caption(asked: &[&String]) -> Text {
    let usual = say!("The sender waits for what stands above the line, and for no handler");
    match asked {
        [] => usual + say!("."),
        asked => usual + say!("; but for ") + codes(asked) + say!(" it is also given time to answer."),
    }
}

fn in_words(plan: &Plan, kept: &str, asked: &[&String]) -> Vec<Text> {
    let names: Vec<&str> = plan.intake.senders.iter().map(|sender| sender.title()).collect();
    let (post, each) =
        if names.len() == 1 { ("posts", "to a path of its own") } else { ("post", "each to a path of its own") };
    let answered = match asked {
        [] => say!("Only then the sender gets its 2xx."),
        asked => {
            say!("Only then the sender gets its 2xx; for ")
                + codes(asked)
                + say!(" its handler is asked at once, and what it says in time is the answer.")
        }
    };
    let (handlers, own) = match plan.design.destinations.as_slice() {
        [one] => (one.name.clone(), ""),
        _ => ("the handler of its sender".to_owned(), ", each with limits of its own"),
    };
    vec![
        say!("{} {} to the gateway, {}.", words::list(&names), post, each),
        say!(
            "The signature is verified over the raw bytes, before anything is parsed or looked up. What does not hold \
             gets 401 and is kept to be looked at."
        ),
        say!(
            "Id, type and time are read. A request whose id is known is answered as the first was, and changes nothing."
        ),
        say!("Event, key and deliveries are stored in one commit ({}).", kept),
        answered,
        say!("A worker hands the event to {}{}; each attempt carries the same `webhook-id`.", handlers, own),
        say!(
            "A failure is tried again when its route says. When the attempts are used up it is a dead letter: an \
             alert tells of it, a person mends the cause and replays it."
        ),
    ]
}
