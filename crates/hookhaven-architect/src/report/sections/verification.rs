//! How each sender proves that a request is its own, what that proof leaves out, and where its secret is.
//!
//! Not here: how a secret is changed (`rotation`), what stops a proof from being used twice (`replay`).

use super::rotation;
use crate::{
    Plan,
    design::SourceDesign,
    intake::SenderAnswers,
    report::{
        document::{Block, Text, code, plain, prose, say},
        said,
    },
    words::span,
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let rows = said::each(plan).map(|(sender, source)| row(sender, source)).collect();
    let mut blocks = vec![
        say!(
            "Verification sees the raw bytes and comes first: nothing is parsed, looked up or logged before it holds. \
             What fails gets 401 with an empty body and lies in quarantine: `hookhaven rejected list` shows it, \
             `hookhaven rejected show ID` says why it failed, `hookhaven rejected release` takes it in once the cause \
             is mended."
        )
        .into(),
        Block::table(["sender", "header, and what is signed", "not covered", "tolerance", "handshake"], rows),
        Block::heading(say!("Where the secrets are")),
        Block::table(
            ["sender", "variable", "where to find it"],
            said::each(plan).flat_map(|(a, s)| secrets(a, s)).collect(),
        ),
    ];
    blocks.extend(described(plan));
    blocks.push(Block::heading(say!("Changing a secret without losing a request")));
    blocks.extend(rotation::blocks(plan));
    blocks
}

fn row(sender: &SenderAnswers, source: &SourceDesign) -> [Text; 5] {
    let title = plain(sender.title());
    let Some((declared, checks)) = said::known(sender) else {
        let described = say!("as you describe it under `[sources.{}.hmac]`", sender.name);
        let unknown = "nothing can be said before it is described";
        return [title, described, plain(unknown), plain(span(source.tolerance.value)), plain("none")];
    };
    let unsigned = declared.unsigned_in_words();
    let tolerance = if checks.signs_time() {
        prose(&format!("{}. {}", span(source.tolerance.value), source.tolerance.why))
    } else {
        say!("none: no time is signed")
    };
    let asked = declared.handshakes_in_words();
    let handshake = if asked.is_empty() { plain("none") } else { said::catalogue(&asked.join("; ")) };
    let unsigned = if unsigned.is_empty() { plain("nothing: all of it is covered") } else { plain(unsigned) };
    [title, said::scheme(declared), unsigned, tolerance, handshake]
}

fn secrets(sender: &SenderAnswers, source: &SourceDesign) -> Vec<[Text; 3]> {
    let place = sender.sender.map_or("", |declared| declared.about.secret);
    let found = if place.is_empty() {
        say!("ask {}: it is what its requests are signed with", sender.title())
    } else {
        said::catalogue(place)
    };
    let mut rows: Vec<[Text; 3]> =
        source.secret_variables.iter().map(|variable| [plain(sender.title()), code(variable), found.clone()]).collect();
    if let Some(variable) = &source.verify_token_variable {
        let made_up = say!("a text that you make up and enter at {} as the verify token", sender.title());
        rows.push([plain(sender.title()), code(variable), made_up]);
    }
    if let Some(file) = &source.handover {
        let handed = say!("{} hands it over when the hook is made; the gateway keeps it in this file", sender.title());
        rows.push([plain(sender.title()), code(file), handed]);
    }
    if rows.is_empty() {
        let none =
            say!("none: {} signs nothing, so the source's `allow` says which addresses may post", sender.title());
        rows.push([plain(sender.title()), plain("none"), none]);
    }
    rows
}

/// What to find out about senders that nobody has described yet.
fn described(plan: &Plan) -> Option<Block> {
    let unknown: Vec<&SenderAnswers> = plan.intake.senders.iter().filter(|s| said::known(s).is_none()).collect();
    let names: Vec<&str> = unknown.iter().map(|sender| sender.title()).collect();
    (!names.is_empty()).then(|| {
        say!(
            "Find out of {}: the header of the signature and its form, the algorithm, whether a time is signed along \
             and in which header, where the event's id and type stand. Then send one request that it signed through \
             `hookhaven verify SOURCE --request FILE`, which says what does not fit.",
            crate::words::list(&names)
        )
        .into()
    })
}
