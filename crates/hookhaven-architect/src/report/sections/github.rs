//! For a team whose one sender is GitHub: which addresses it posts from, and how lost events are fetched, since it does
//! not come again.
//!
//! Facts: GitHub's documentation, as the catalogue's file has them. Not here: its signature (`verification`).

use crate::{
    Plan,
    report::document::{Block, code, prose, say},
    words::span,
};

pub fn holds(plan: &Plan) -> bool {
    matches!(plan.intake.senders.as_slice(), [one] if one.sender.is_some_and(|declared| declared.name == "github"))
}

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let Some(sender) = plan.intake.senders.first() else { return Vec::new() };
    let published = sender.sender.and_then(|declared| declared.addresses.first()).map_or("", |list| list.url);
    let within = sender.sender.and_then(|declared| declared.redelivery).unwrap_or_default();
    let mut blocks = vec![
        Block::heading(say!("Addresses")),
        say!(
            "Its signature covers the body alone: no time, no id, no name of the event. So take requests from nobody \
             else. GitHub publishes its addresses at `{}`, under `hooks`; the gateway fetches them and keeps them \
             fresh:",
            published
        )
        .into(),
        Block::code("toml", format!("[sources.{}]\nallow = [\"published\"]", sender.name)),
        say!("GitHub Enterprise Server posts from your own machine: write its address there instead.").into(),
        Block::heading(say!("Redelivery")),
    ];
    if let Some(source) = plan.design.source(&sender.name) {
        blocks.push(prose(&source.loss.why).into());
    }
    blocks.push(Block::Steps(vec![
        say!(
            "List what failed while the gateway was away: `GET /repos/OWNER/REPO/hooks/HOOK_ID/deliveries`, those \
             whose `status` is not `OK`. It goes back {}.",
            span(within)
        ),
        say!(
            "Ask for each again: `POST /repos/OWNER/REPO/hooks/HOOK_ID/deliveries/DELIVERY_ID/attempts`, with a token \
             that may administer hooks. By hand it is Settings → Webhooks → Recent Deliveries → Redeliver."
        ),
        say!(
            "What was stored the first time is a duplicate and changes nothing, because a redelivery keeps its \
             `X-GitHub-Delivery`; what died in your handler is delivered again by it."
        ),
        say!(
            "Run the first two from a schedule, every hour: it costs two calls when nothing was lost, and {} is soon \
             over.",
            span(within)
        ),
    ]));
    if let Some(source) = plan.design.source(&sender.name) {
        blocks
            .push((say!("The source is marked ") + code("reserved") + say!(": ") + prose(&source.reserved.why)).into());
    }
    blocks
}
