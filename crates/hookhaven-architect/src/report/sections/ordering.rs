//! Which order was asked for, which the sender promises, and what is done instead of hoping.
//!
//! Not here: how lines work (docs/ordering.md).

use hookhaven_core::senders::OrderPromise;

use crate::{
    Plan,
    design::{OrderingDesign, RouteDesign, variable},
    intake::{Effect, OrderKind, OrderWish, SenderAnswers, Trouble},
    report::{
        document::{Block, Text, codes, plain, prose, quoted, say},
        said,
    },
};

/// Places that are listed whole.
const PLACES_MAX: usize = 3;

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
    let mut asked = said_wish(wish);
    for (event_type, wish) in &sender.ordering.some {
        asked = asked + say!("; `{}`: ", quoted(event_type)) + said_wish(wish);
    }
    let promise = match sender.sender.map(|declared| declared.conduct.order) {
        Some(OrderPromise::None) => plain("none, and says so"),
        Some(OrderPromise::Silent) => plain("nothing, which is no promise"),
        Some(OrderPromise::Within(what)) => prose(what),
        None => plain("not known: take it for none"),
    };
    let own = sender.ordering.values().find_map(|wish| wish.key.as_ref());
    let key = match (own, sender.sender) {
        (Some(key), _) => say!("`{}`, as you said", key),
        (None, Some(declared)) => said::places(declared, declared.order_key),
        (None, None) => plain("none"),
    };
    [plain(sender.title()), asked, promise, key, newer(sender)]
}

fn said_wish(wish: &OrderWish) -> Text {
    match wish.text.as_str() {
        "" => plain(said::order(wish)),
        text => say!("“{}”: {}", quoted(text), said::order(wish)),
    }
}

/// What says which of two is newer: of a sender with many places those that this team's types have, if their names tell.
fn newer(sender: &SenderAnswers) -> Text {
    let Some(declared) = sender.sender else { return plain("when it came in") };
    let places = if declared.version.is_empty() { declared.time } else { declared.version };
    if places.len() <= PLACES_MAX {
        return if places.is_empty() { plain("when it came in") } else { said::places(declared, places) };
    }
    let of_theirs = |place: &&&str| {
        let first = place.strip_prefix("json:/").and_then(|path| path.split('/').next()).unwrap_or_default();
        !first.is_empty() && sender.events.iter().any(|event_type| event_type.split('.').any(|part| part == first))
    };
    let theirs: Vec<String> = places.iter().filter(of_theirs).map(|place| said::place(declared, place)).collect();
    let shown = if theirs.is_empty() { vec![said::place(declared, places[0])] } else { theirs };
    let rest = places.len() - shown.len();
    codes(&shown) + say!("; for other types one of {} more", rest)
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

/// The statement that makes the order of arrival not matter, where a handler keeps a state that could go back.
fn guard(plan: &Plan) -> Vec<Block> {
    let mut blocks = vec![Block::heading(say!("The guard that needs no order"))];
    let Some(sender) = keeps_state(plan) else {
        let none = say!(
            "No handler of yours keeps a state that an older event could put back, as you describe them. One that              does some day needs the event's time in its row, and writes only what is newer."
        );
        blocks.push(none.into());
        return blocks;
    };
    blocks.push(
        say!(
            "Each row keeps the time of the event that wrote it, and an older event changes nothing. It holds for \
             retries and replays as well, which no queue can put back into order. `hookhaven-occurred-at` on each \
             attempt carries that time, where the sender tells it."
        )
        .into(),
    );
    blocks.push(Block::code("sql", statement(plan, sender)));
    blocks.push(
        say!(
            "Of two events with the same time the one that is handled last stands: where that matters, fetch the \
             object from the sender's API and write what it says."
        )
        .into(),
    );
    blocks
}

/// The first that does, or whose order matters to them.
fn keeps_state(plan: &Plan) -> Option<&SenderAnswers> {
    let writes = |sender: &&SenderAnswers| {
        let is_ordered = sender.ordering.values().any(|wish| wish.kind != OrderKind::None);
        is_ordered || sender.processing.effects.contains(&Effect::Database)
    };
    let went_back =
        || plan.intake.senders.first().filter(|_| plan.intake.existing.troubles.contains(&Trouble::OutOfOrder));
    plan.intake.senders.iter().find(writes).or_else(went_back)
}

fn statement(plan: &Plan, sender: &SenderAnswers) -> String {
    let table = format!("{}_state", variable(&sender.name).to_lowercase());
    let infrastructure = &plan.intake.infrastructure;
    let is_mysql = |part: &String| ["mysql", "mariadb"].iter().any(|name| part.to_lowercase().contains(name));
    if !infrastructure.has_postgres && infrastructure.stack.iter().any(is_mysql) {
        return format!(
            "INSERT INTO {table} (id, state, occurred_at) VALUES (?, ?, ?)\n\
             ON DUPLICATE KEY UPDATE\n  \
             state = IF(VALUES(occurred_at) >= occurred_at, VALUES(state), state),\n  \
             occurred_at = GREATEST(VALUES(occurred_at), occurred_at);  -- last: the line above compares with the old"
        );
    }
    format!(
        "INSERT INTO {table} (id, state, occurred_at) VALUES ($1, $2, $3)\n\
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, occurred_at = excluded.occurred_at\n\
         WHERE excluded.occurred_at >= {table}.occurred_at;"
    )
}
