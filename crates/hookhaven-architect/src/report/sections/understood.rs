//! How free text was read, and what was taken for granted: so that a misreading is found here and not at 3 am.
//!
//! Not here: what follows from it.

use crate::{
    Plan,
    intake::{Once, OrderWish, PerType, SenderAnswers},
    report::{
        document::{Block, Text, code, codes, plain, quoted, say},
        said,
    },
    words::{self, count, span},
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let intro = say!(
        "What stands under **read as** is what everything below rests on. Where it is wrong, say it outright in the \
         intake file under the key in the last column, and run `hookhaven architect` again."
    );
    let mut rows: Vec<[Text; 4]> = Vec::new();
    for sender in &plan.intake.senders {
        of_sender(plan, sender, &mut rows);
    }
    of_the_rest(plan, &mut rows);
    let mut blocks = vec![intro.into(), Block::table(["answer", "you wrote", "read as", "to say it outright"], rows)];
    blocks.push(Block::heading(say!("What nobody said, and was assumed")));
    if plan.intake.assumed.is_empty() {
        blocks.push(say!("Nothing: every answer that counts was given.").into());
    } else {
        let row = |assumed: &crate::intake::Assumed| {
            [code(&assumed.path), code(quoted(&assumed.value)), plain(quoted(&assumed.why))]
        };
        blocks.push(Block::table(["answer", "taken as", "because"], plan.intake.assumed.iter().map(row).collect()));
    }
    blocks
}

fn of_sender(plan: &Plan, sender: &SenderAnswers, rows: &mut Vec<[Text; 4]>) {
    let mut row = |table: &str, read: Text, outright: &str| {
        let path = sender.path(table);
        let wrote = plain(quoted(plan.intake.answers.of(&path)));
        rows.push([code(&path), wrote, read, code(format!("{path}{outright}"))]);
    };
    if sender.sender.is_none() {
        let read =
            say!("a sender that the catalogue does not know, to be described under `[sources.{}.hmac]`", sender.name);
        row("events", read + say!("; {}", named(sender)), "");
    } else {
        row("events", plain(named(sender)), "");
    }
    row("volume", volume(plan, sender), ".burst");
    row("processing", processing(sender), ".answers_user");
    let twice = |once: &Once| said::once(*once).to_owned();
    row("idempotency", per_type(&sender.once, twice), ".default");
    let order = |wish: &OrderWish| said::order(wish.kind).to_owned();
    row("ordering", per_type(&sender.ordering, order), ".mode");
    row("latency", per_type(&sender.latency, |length| format!("handled within {}", span(*length))), ".default");
}

fn named(sender: &SenderAnswers) -> String {
    match sender.events.len() {
        0 => "every type that it sends".to_owned(),
        1 => "one type or pattern".to_owned(),
        n => format!("{n} types or patterns"),
    }
}

fn volume(plan: &Plan, sender: &SenderAnswers) -> Text {
    let volume = &sender.volume;
    let burst = plan.design.source(&sender.name).map_or(0.0, |source| source.per_second.burst);
    let at_once = match volume.burst {
        Some(burst) => format!("{} within {} at the worst", count(burst.events), span(burst.within)),
        None => "no burst was named, so a share of the busiest day is taken".to_owned(),
    };
    say!(
        "{} events a day, {} on the busiest; {}: {}; bodies of {}",
        count(volume.per_day),
        count(volume.peak_day),
        at_once,
        said::pace(burst),
        words::bytes(volume.body_bytes)
    )
}

fn processing(sender: &SenderAnswers) -> Text {
    let effects: Vec<&str> = sender.processing.effects.iter().map(|effect| said::effect(*effect)).collect();
    let does = if effects.is_empty() { "nothing that was recognised".to_owned() } else { words::list(&effects) };
    let waits = if sender.processing.answers_user { "somebody waits for it" } else { "nobody waits for it" };
    say!("{}; takes {}; {}", does, span(sender.processing.takes), waits)
}

/// What holds for all types, and for which another thing holds.
fn per_type<T>(all: &PerType<T>, in_words: impl Fn(&T) -> String) -> Text {
    let mut text = plain(in_words(&all.all));
    for (event_type, value) in &all.some {
        text = text + say!("; `{}`: {}", quoted(event_type), in_words(value));
    }
    text
}

fn of_the_rest(plan: &Plan, rows: &mut Vec<[Text; 4]>) {
    let (infrastructure, existing) = (&plan.intake.infrastructure, &plan.intake.existing);
    let mut row = |path: &str, read: Text, outright: Text| {
        let wrote = plain(quoted(plan.intake.answers.of(path)));
        rows.push([code(path), wrote, read, outright]);
    };
    let frameworks: Vec<&str> = infrastructure.frameworks.iter().map(|f| said::framework(*f)).collect();
    let written = if frameworks.is_empty() { "none that is known".to_owned() } else { words::list(&frameworks) };
    let database = if infrastructure.has_postgres { "a PostgreSQL is there" } else { "no PostgreSQL is there" };
    row("infrastructure.stack", say!("handlers for: {}; {}", written, database), code("infrastructure.frameworks"));
    row("infrastructure.hosting", plain(said::host(infrastructure.host)), code("infrastructure.host"));
    let verifies = match existing.verifies {
        Some(true) => "; signatures are verified",
        Some(false) => "; signatures are not verified",
        None => "; whether signatures are verified was not said",
    };
    let kinds = codes(&["existing.kind", "existing.verifies"]);
    row("existing.state", say!("{}{}", said::state(existing.kind), verifies), kinds);
    let troubles: Vec<&str> = existing.troubles.iter().map(|t| said::trouble(*t)).collect();
    let read = match (troubles.is_empty(), existing.incidents.is_empty()) {
        (false, _) => words::list(&troubles),
        (true, true) => "nothing went wrong so far".to_owned(),
        (true, false) => "nothing that was recognised".to_owned(),
    };
    row("existing.incidents", plain(read), code("existing.incidents"));
    if let Some(regulated) = &plan.intake.requirements.regulated {
        row(
            "requirements.regulated",
            say!("watched by law or contract: {}", quoted(regulated)),
            code("requirements.regulated"),
        );
    }
}
