//! What stops somebody who holds one genuine request from sending it again.
//!
//! Not here: what the sender itself sends again (`idempotency`).

use hookhaven_core::{
    sender::{Cover, Sender},
    senders::Declaration,
};

use crate::{
    Plan,
    design::SourceDesign,
    intake::SenderAnswers,
    report::{
        document::{Block, Text, codes, plain, say},
        said,
    },
    words::span,
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let rows = said::each(plan).map(|(sender, source)| row(sender, source)).collect();
    let mut blocks = vec![
        Block::table(["sender", "an old request sent again", "the same under a new id", "what else can be set"], rows),
        say!(
            "A signed time kills a capture with the tolerance; where no time is signed only the remembered id does, \
             for as long as the window. Where the id is not signed either, the gateway also knows the bytes: the same \
             body under another id is stored, and counted as `webhook_suspicious_total`, which should stay at nought."
        )
        .into(),
    ];
    blocks.extend(addresses(plan));
    blocks
}

fn row(sender: &SenderAnswers, source: &SourceDesign) -> [Text; 4] {
    let window = span(source.dedupe_window.value);
    let title = plain(sender.title());
    let Some((declared, checks)) = said::known(sender) else {
        let unknown = say!("a duplicate for {}, by the id that you describe", window);
        let more = say!("have a time signed along, if {} can", sender.title());
        return [title, unknown, plain("stored, unless the id is part of what is signed"), more];
    };
    let fresh = span(source.tolerance.value);
    let old = if checks.signs_time() {
        say!("a duplicate for {}, refused afterwards", fresh)
    } else {
        say!("a duplicate for {}; after that a new event", window)
    };
    let renamed = match (checks.covers(), checks.signs_id(), checks.signs_time()) {
        (Cover::Nothing, ..) => say!("stored, and so is any other: nothing in a request is signed"),
        (Cover::Checksum, ..) => say!("stored, if somebody makes other bytes of the same checksum: little work"),
        _ if declared.id.is_empty() => say!("not possible: its key is a hash of the body"),
        (_, true, _) => say!("refused: the id is signed"),
        (_, false, true) => say!("stored for {}, and counted as suspicious; refused afterwards", fresh),
        (_, false, false) => say!("stored, and counted as suspicious"),
    };
    [title, old, renamed, settings(declared, &*checks)]
}

fn settings(declared: &Declaration, checks: &dyn Sender) -> Text {
    if !declared.verifies() {
        return say!("nothing beside `allow`: whoever posts from those addresses is believed");
    }
    if checks.covers() == Cover::Nothing {
        return say!("`allow`, if its addresses are known; whoever sees one request can make others");
    }
    match (checks.signs_time(), checks.signs_id()) {
        (true, true) => plain("no more is needed"),
        (_, false) => say!(
            "`replay = \"refuse\"` answers 401 to known bytes under a new id; `max_age` refuses what happened long ago"
        ),
        (false, true) => say!("`max_age` refuses what happened long ago"),
    }
}

/// Where a sender publishes its addresses, they are one more lock.
fn addresses(plan: &Plan) -> Option<Block> {
    let publishing: Vec<&str> = plan
        .intake
        .senders
        .iter()
        .filter(|sender| sender.sender.is_some_and(|declared| !declared.addresses.is_empty()))
        .map(|sender| sender.name.as_str())
        .collect();
    (!publishing.is_empty()).then(|| {
        (say!("The senders of ")
            + codes(&publishing)
            + say!(
                " publish the addresses that they post from. `allow = [\"published\"]` stands in the config, \
                 switched off by the `#` before it: it refuses everybody else, which stops a stolen request and a \
                 leaked secret alike. Switch it on once the first events show the right client; behind a proxy that \
                 takes `server.trusted_proxies`."
            ))
        .into()
    })
}
