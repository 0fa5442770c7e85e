//! Which order was asked for, which the sender promises, and what is done instead of hoping.
//!
//! Not here: how lines work (docs/ordering.md).

use hookhaven_core::senders::OrderPromise;

use crate::{
    Plan,
    design::{OrderingDesign, RouteDesign},
    intake::{OrderKind, SenderAnswers},
    report::{
        document::{Block, Text, code, plain, prose, quoted, say},
        said,
    },
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let asked = plan.intake.senders.iter().map(asked).collect();
    let mut blocks = vec![
        Block::table(["sender", "you asked for", "it promises", "ordered by", "which is newer"], asked),
        Block::heading(say!("What is done")),
        Block::table(
            ["sender", "types", "order", "why"],
            said::alike(plan, |route| &route.ordering).into_iter().map(|r| done(plan, r)).collect(),
        ),
    ];
    blocks.extend(guard(plan));
    blocks
}

fn asked(sender: &SenderAnswers) -> [Text; 5] {
    let wish = &sender.ordering.all;
    let mut asked = said_wish(wish.kind, &wish.text);
    for (event_type, wish) in &sender.ordering.some {
        asked = asked + say!("; `{}`: ", quoted(event_type)) + said_wish(wish.kind, &wish.text);
    }
    let promise = match sender.sender.map(|declared| declared.conduct.order) {
        Some(OrderPromise::None) => plain("none, and says so"),
        Some(OrderPromise::Silent) => plain("nothing, which is no promise"),
        Some(OrderPromise::Within(what)) => prose(what),
        None => plain("not known: take it for none"),
    };
    let (keys, versions) = match sender.sender {
        Some(declared) => {
            (declared.order_key, if declared.version.is_empty() { declared.time } else { declared.version })
        }
        None => (&[][..], &[][..]),
    };
    let own = sender.ordering.values().find_map(|wish| wish.key.as_ref());
    let key = own.map_or_else(|| said::places(keys), |key| say!("`{}`, as you said", key));
    [plain(sender.title()), asked, promise, key, first(versions)]
}

fn said_wish(kind: OrderKind, text: &str) -> Text {
    if text.is_empty() { plain(said::order(kind)) } else { say!("“{}”: {}", quoted(text), said::order(kind)) }
}

/// The best place; a sender with many has one for each kind of event.
fn first(places: &[&str]) -> Text {
    match places {
        [] => plain("when it came in"),
        [one] => code(*one),
        [one, more @ ..] => say!("`{}`, else one of {} other places", one, more.len()),
    }
}

fn done(plan: &Plan, (route, types): (&RouteDesign, Text)) -> [Text; 4] {
    let order = match &route.ordering.value {
        OrderingDesign::None => say!("none"),
        OrderingDesign::Latest { key, .. } => say!("`latest`") + by(key.as_deref()),
        OrderingDesign::Fifo { key } => say!("`fifo`") + by(key.as_deref()),
    };
    [plain(said::title(plan, &route.source)), types, order, prose(&route.ordering.why)]
}

fn by(key: Option<&str>) -> Text {
    key.map_or_else(|| say!(", by the sender's own key"), |key| say!(", by `{}`", key))
}

/// The statement that makes the order of arrival not matter, for the team's first sender that keeps a state.
fn guard(plan: &Plan) -> Vec<Block> {
    let table = plan.intake.senders.first().map_or_else(|| "source".to_owned(), |s| s.name.replace('-', "_"));
    let statement = format!(
        "INSERT INTO {table}_state (id, state, occurred_at) VALUES ($1, $2, $3)\n\
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, occurred_at = excluded.occurred_at\n\
         WHERE excluded.occurred_at > {table}_state.occurred_at;"
    );
    vec![
        Block::heading(say!("The guard that needs no order")),
        say!(
            "Each row keeps the time of the event that wrote it, and an older event changes nothing. It holds for \
             retries and replays as well, which no queue can put back into order. `hookhaven-occurred-at` on each \
             attempt carries that time, where the sender tells it."
        )
        .into(),
        Block::code("sql", statement),
        say!(
            "Two events of the same second are told apart by nothing: where that matters, fetch the object from the \
             sender's API and write what it says."
        )
        .into(),
    ]
}
