//! How free text was read, and what was taken for granted: so that a misreading is found here and not at 3 am.
//!
//! Not here: what follows from it.

use crate::{
    Plan,
    design::load::{BURST_SHARE, BURST_WITHIN},
    intake::{Assumed, Once, PerType, SenderAnswers, Understood},
    report::{
        document::{Block, Text, code, plain, quoted, say},
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
    rows.extend(plan.intake.understood.iter().map(in_words));
    let mut blocks = vec![intro.into(), Block::table(["answer", "you wrote", "read as", "to say it outright"], rows)];
    blocks.push(Block::heading(say!("What nobody said, and was assumed")));
    if plan.intake.assumed.is_empty() {
        blocks.push(say!("Nothing: every answer that counts was given.").into());
    } else {
        let row = |assumed: &Assumed| [code(&assumed.path), code(quoted(&assumed.value)), plain(quoted(&assumed.why))];
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
    let twice = |once: &Once| said::once(*once).to_owned();
    row("idempotency", per_type(&sender.once, twice), ".default");
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
        None => format!(
            "no burst was named, so {:.0}% of the busiest day within {} are taken",
            BURST_SHARE * 100.0,
            span(BURST_WITHIN)
        ),
    };
    say!(
        "{} events a day, {} on the busiest; {}: {}; bodies of {}",
        count(volume.per_day),
        count(volume.peak_day),
        at_once,
        words::rate(burst),
        words::bytes(volume.body_bytes)
    )
}

/// What holds for all types, and for which another thing holds.
fn per_type<T>(all: &PerType<T>, in_words: impl Fn(&T) -> String) -> Text {
    let mut text = plain(in_words(&all.all));
    for (event_type, value) in &all.some {
        text = text + say!("; `{}`: {}", quoted(event_type), in_words(value));
    }
    text
}

/// What was said in somebody's own words.
fn in_words(understood: &Understood) -> [Text; 4] {
    let Understood { path, text, taken_for, outright } = understood;
    [code(path), plain(quoted(text)), plain(quoted(taken_for)), code(quoted(outright))]
}
