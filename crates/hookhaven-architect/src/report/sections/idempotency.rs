//! What makes two requests one event, for how long, and the three layers that keep an effect from happening twice.
//!
//! Not here: what an attacker could send again (`replay`).

use crate::{
    Plan,
    design::SourceDesign,
    intake::{Effect, Once, SenderAnswers},
    report::{
        document::{Block, Text, codes, plain, prose, quoted, say, strong},
        said,
    },
    words::span,
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let rows = said::each(plan).map(|(sender, source)| row(sender, source)).collect();
    let mut blocks = vec![
        Block::table(["sender", "key", "window", "kept in"], rows),
        say!(
            "Three layers, because each sees what the one before cannot. The gateway knows what the sender sent \
             twice. The handler's inbox knows what the gateway delivered twice: delivery is at least once, and an \
             answer that got lost is a second attempt. Only the key of the effect itself knows whether it took \
             place before the process died."
        )
        .into(),
    ];
    for sender in &plan.intake.senders {
        blocks.push(Block::heading(say!("{}: ", sender.title()) + wanted(sender)));
        blocks.push(layers(sender));
    }
    blocks
}

fn row(sender: &SenderAnswers, source: &SourceDesign) -> [Text; 4] {
    let key = match said::known(sender) {
        Some((declared, _)) if declared.id.is_empty() => plain("it sends no id: a SHA-256 of the body"),
        Some((declared, checks)) => {
            let signed = if checks.signs_id() { ", signed" } else { ", not signed" };
            // What stands in a header is there whatever the kind of request.
            let is_by_kind = declared.code.facts.is_some() && declared.id[0].starts_with("json:");
            let further = if is_by_kind { "; other kinds of its requests by what its documentation names" } else { "" };
            said::places(declared, declared.id) + plain(signed) + plain(further)
        }
        None => say!("the place that you describe as `id`; without one a SHA-256 of the body"),
    };
    let window = say!("{}. ", span(source.dedupe_window.value)) + prose(&source.dedupe_window.why);
    [plain(sender.title()), key, window, plain("the store, in the commit of the event")]
}

/// What they said of it, type by type where they did.
fn wanted(sender: &SenderAnswers) -> Text {
    let of_type = |(event_type, once): &(String, Once)| say!("`{}` {}", quoted(event_type), said::once(*once));
    let rest = if sender.once.some.is_empty() { "" } else { "; the rest " };
    let mut text = Text::default();
    for (i, some) in sender.once.some.iter().enumerate() {
        text = text + plain(if i == 0 { "" } else { "; " }) + of_type(some);
    }
    text + say!("{}{}", rest, said::once(sender.once.all))
}

/// Which of its types a layer is for.
fn needed(sender: &SenderAnswers, from: Once) -> Text {
    if sender.once.all >= from {
        return plain("yes");
    }
    let some: Vec<&String> = sender.once.some.iter().filter(|(_, once)| *once >= from).map(|(name, _)| name).collect();
    if some.is_empty() { plain("not needed for what you said") } else { say!("for ") + codes(&some) }
}

fn layers(sender: &SenderAnswers) -> Block {
    let mut rows = vec![
        [
            strong("1. the gateway"),
            say!("{} sends the same event again", sender.title()),
            plain("it is answered as the first was; no delivery is made"),
            plain("always there"),
        ],
        [
            strong("2. the handler's inbox"),
            plain("an attempt is made again after its answer was lost; a person replays"),
            say!(
                "a unique constraint on (`source`, `webhook-id`), inserted in the transaction of the work; refused: \
                 answer 200 and do nothing"
            ),
            needed(sender, Once::Nice),
        ],
    ];
    for effect in &sender.processing.effects {
        let (what, how) = guard(*effect);
        rows.push([strong("3. the effect's own key"), plain(what), prose(how), needed(sender, Once::Must)]);
    }
    if sender.processing.effects.is_empty() {
        let none = "no effect was recognised in what your handler does";
        rows.push([
            strong("3. the effect's own key"),
            plain(none),
            say!("give each call that leaves your database `webhook-id` as its key"),
            needed(sender, Once::Must),
        ]);
    }
    Block::table(["layer", "what comes twice", "what stops it", "here"], rows)
}

/// What happens twice, and what of its own it can be refused by.
fn guard(effect: Effect) -> (&'static str, &'static str) {
    match effect {
        Effect::Database => (
            "a row is written twice, or an older state over a newer one",
            "an UPSERT that only a newer time of the event may change: see the statement under Ordering",
        ),
        Effect::Mail => (
            "the mail is sent twice",
            "an outbox row with `webhook-id` as its unique key, written in the same transaction; what sends it passes \
             that key on to the mail service, where it takes one",
        ),
        Effect::Money => (
            "money moves twice",
            "`webhook-id` as the `Idempotency-Key` of the call that moves it; and a row with a unique key for the \
             payment before the call",
        ),
        Effect::Build => (
            "the same build starts twice",
            "one run for each repository, ref and commit: ask for it under that key, or look for a run of the commit \
             first",
        ),
        Effect::Message => (
            "somebody reads the same message twice",
            "an outbox row with `webhook-id` as its unique key; where the service takes a client's id for a message, \
             that id",
        ),
        Effect::Fulfilment => (
            "access or goods are granted twice",
            "grant by setting a state, not by adding to it: one row for each order line, with a unique key",
        ),
        Effect::Record => {
            ("a figure counts it twice", "write the record under `webhook-id` as its key and count distinct keys")
        }
        Effect::Call => (
            "the other API is called twice",
            "`webhook-id` in the idempotency header of that API; without one, a GET that looks for the result before \
             the call",
        ),
    }
}
