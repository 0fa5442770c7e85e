//! How each sender's secret is changed without losing a request: where the new one is made, whether both sign for a
//! while, and in which order that has to be done.
//!
//! Facts: the sender's `About::rotation`. Not here: where a secret is found the first time (`verification`).

use hookhaven_core::senders::{Declaration, Rotation};

use crate::{
    Plan,
    design::SourceDesign,
    intake::SenderAnswers,
    report::{
        document::{Block, Text, plain, prose, say},
        said,
    },
    words::span,
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let rows: Vec<[Text; 4]> = said::each(plan).filter_map(|(sender, source)| row(sender, source)).collect();
    if rows.is_empty() {
        return vec![say!("There is none: your senders sign nothing.").into()];
    }
    let table = Block::table(["sender", "the new one", "who signs with what", "what to do"], rows);
    match steps(plan) {
        steps if steps.is_empty() => vec![table],
        steps => vec![table, Block::List(steps)],
    }
}

/// None for a sender that signs nothing.
fn row(sender: &SenderAnswers, source: &SourceDesign) -> Option<[Text; 4]> {
    if source.secret_variables.is_empty() && source.handover.is_none() {
        return None;
    }
    let title = sender.title();
    let (new, signs, order) = match rotation(sender) {
        Rotation::MadeUp => (
            say!("you make it up: 32 random bytes, in the form of the old one"),
            say!("{} uses the new one as soon as it is entered there", title),
            say!("put both here; only then enter it there"),
        ),
        Rotation::Both(how, within) => (
            said::catalogue(how),
            match within {
                Some(length) => say!("both sign, for up to {}", span(length)),
                None => say!("both sign until the old one is taken away there"),
            },
            match within {
                Some(_) => say!("have it made; put both here while both sign"),
                None => say!("have it made; put both here; take the old one away there"),
            },
        ),
        Rotation::Ahead(how) => (
            said::catalogue(how),
            say!("the old one alone, until then"),
            say!("have it made; put both here before it signs"),
        ),
        Rotation::AtOnce(how) => (said::catalogue(how), say!("the new one alone, at once"), behind(&source.name)),
        Rotation::Unknown => {
            let place = sender.sender.map_or("", |declared| declared.about.secret);
            let place = if place.is_empty() { say!("ask {}", title) } else { said::catalogue(place) };
            (place, say!("not known: take it that the new one signs at once, and alone"), behind(&source.name))
        }
        Rotation::PerHook => (
            say!("a second webhook has one of its own"),
            say!("each webhook signs with its own; until the first is deleted, events come by both"),
            match source.handover {
                Some(_) => say!(
                    "make a second source, with a path and a `handover` file of its own, and a webhook for it; then \
                     delete the first"
                ),
                None => say!("put both here as soon as it is made; then delete the first"),
            },
        ),
        Rotation::Public => (
            say!("none: what is given here signs nothing"),
            say!("{} alone can sign", title),
            say!("nothing, unless {} says that it changes its key: then put both here", title),
        ),
    };
    Some([plain(title), new, signs, order])
}

fn rotation(sender: &SenderAnswers) -> Rotation {
    sender.sender.map_or(Rotation::Unknown, |declared| declared.about.rotation)
}

/// Where the new one cannot be here before it signs.
fn behind(source: &str) -> Text {
    say!(
        "have it made and put both here at once; then `hookhaven rejected release --source {}` takes in what was \
         refused in between",
        source
    )
}

/// What is the same for all, with the names of the first that it holds for; nothing if there is none.
fn steps(plan: &Plan) -> Vec<Text> {
    let is_listed = |declared: &Declaration| declared.about.rotation != Rotation::Public;
    let first = said::each(plan).find_map(|(sender, source)| {
        let variable = source.secret_variables.first()?;
        sender.sender.is_none_or(is_listed).then_some((source.name.as_str(), variable.as_str()))
    });
    let Some((source, variable)) = first else { return Vec::new() };
    vec![
        say!(
            "**Both here** means both in `secrets`, the new one first: under `[sources.{}]`, `secrets = [\"env:{}_NEW\", \
             \"env:{}\"]`. Each request is tried against both. The changed file is picked up without a restart; a new \
             variable needs one, a secret that is read from a file (`file:PATH`) does not.",
            source,
            variable,
            variable
        ),
        prose(
            "`hookhaven secrets` says when each of them last matched, and when the old one is safe to remove. Take it \
             out then, and not by the calendar: what is sent again may carry the old signature.",
        ),
        say!(
            "**After a leak** the order is another: take the old one out at once. What is refused until the new one \
             signs is kept: `hookhaven rejected release --source {}` takes in what then verifies.",
            source
        ),
    ]
}
