//! Each sender by itself: where its address is entered, what it is answered, its routes, its quirks.
//!
//! Not here: its signature (`verification`), what only Stripe or GitHub has (`stripe`, `github`).

use hookhaven_core::senders::{Declaration, Retries};

use crate::{
    Plan,
    design::{Loss, RouteDesign, SourceDesign},
    intake::{Planned, SenderAnswers},
    report::{
        document::{Block, Text, code, codes, outside, plain, prose, say},
        said,
    },
    words::{bytes, count, span},
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (sender, source) in said::each(plan) {
        blocks.push(Block::heading(plain(sender.title())));
        blocks.push(Block::table(["what", "here"], facts(plan, sender, source)));
        blocks.push(routes(plan, sender));
        blocks.extend(quirks(sender));
    }
    if !plan.intake.planned.is_empty() {
        blocks.push(Block::heading(say!("Senders that are to come")));
        blocks.push(planned(plan));
    }
    blocks
}

fn facts(plan: &Plan, sender: &SenderAnswers, source: &SourceDesign) -> Vec<[Text; 2]> {
    let mut rows = vec![[plain("address"), code(said::url(plan, &sender.name))]];
    let mut row = |what: &str, text: Text| rows.push([plain(what), text]);
    row("largest body", say!("{}. ", bytes(source.body_max_bytes.value)) + prose(&source.body_max_bytes.why));
    row("in a downtime", loss(source));
    if source.needs_public_url {
        let set = plan.intake.infrastructure.public_url.is_some();
        let how = if set { "it is set" } else { "set it before the first request, or every signature fails" };
        row("public URL", say!("it signs the address: `server.public_url` must be what it posts to; {}", how));
    }
    let Some(declared) = sender.sender else {
        row("sender", say!("`sender = \"hmac\"`, described under `[sources.{}.hmac]`", sender.name));
        return rows;
    };
    let told = [
        ("entered at", declared.about.paste.to_owned()),
        ("is answered", declared.answer_in_words()),
        ("waits", declared.waits_in_words()),
        ("comes again", declared.retries_in_words()),
        ("can be made to send again", resend(declared)),
        ("tells what there was", declared.conduct.reconcile.to_owned()),
        ("gives up", declared.conduct.gives_up.to_owned()),
        ("takes late answers", declared.late_answers_in_words()),
    ];
    for (what, text) in told.into_iter().filter(|(_, text)| !text.is_empty()) {
        row(what, said::catalogue(&text));
    }
    if !declared.addresses.is_empty() {
        let lists: Vec<&str> = declared.addresses.iter().map(|list| list.url).collect();
        row("posts from", codes(&lists) + say!("; `allow = [\"published\"]` takes it from nobody else"));
    }
    if !declared.about.docs.is_empty() {
        row("its own documentation", outside(declared.about.docs));
    }
    rows
}

fn resend(declared: &Declaration) -> String {
    match (declared.conduct.resend, declared.resend_within()) {
        ("", None) => String::new(),
        ("", Some(length)) => format!("for {}", span(length)),
        (how, None) => how.to_owned(),
        (how, Some(length)) => format!("{how}; for {}", span(length)),
    }
}

fn loss(source: &SourceDesign) -> Text {
    let lost = match source.loss.value {
        Loss::NothingWithin(length) => say!("nothing is lost within {}. ", span(length)),
        Loss::Events(1) => say!("**1 event is lost.** "),
        Loss::Events(events) => say!("**{} events are lost.** ", count(events)),
        Loss::Unknown => say!("not known. "),
    };
    lost + prose(&source.loss.why)
}

fn routes(plan: &Plan, sender: &SenderAnswers) -> Block {
    let row = |route: &RouteDesign| {
        let critical = if route.critical.value { "yes" } else { "no" };
        [
            said::types(plan, route),
            code(&route.to),
            plain(span(route.deadline.value)),
            plain(critical),
            prose(&route.answers.why),
        ]
    };
    let head = ["types", "to", "deadline", "critical", "answered"];
    Block::table(head, plan.design.routes_of(&sender.name).map(row).collect())
}

fn quirks(sender: &SenderAnswers) -> Option<Block> {
    let all = sender.sender.map_or(&[][..], |declared| declared.about.quirks);
    match all {
        [] => Some(say!("No quirks of it are known.").into()),
        all => Some(Block::List(all.iter().map(|quirk| said::catalogue(quirk)).collect())),
    }
}

/// A sentence.
fn again(declared: &Declaration) -> String {
    match declared.about.retries {
        Retries::Unknown => "Whether it comes again is not documented.".to_owned(),
        Retries::Never => "It never comes again: a lost request is lost.".to_owned(),
        Retries::For(..) => format!("It comes again {}.", declared.retries_in_words()),
    }
}

fn planned(plan: &Plan) -> Block {
    let row = |planned: &Planned| {
        let when = match planned.in_months {
            Some(0) => "now".to_owned(),
            Some(1) => "in a month".to_owned(),
            Some(n) => format!("in {n} months"),
            None => "some day".to_owned(),
        };
        let (title, know) = match planned.sender {
            Some(declared) => {
                let waits = declared.waits_in_words();
                let waits = if waits.is_empty() { String::new() } else { format!("It waits {waits}. ") };
                (
                    declared.title,
                    said::catalogue(&format!("{waits}{} {}", again(declared), declared.about.quirks.join(" "))),
                )
            }
            None => {
                (planned.name.as_str(), plain("the catalogue does not know it: find out how it signs before it comes"))
            }
        };
        [plain(title), plain(when), know]
    };
    Block::table(["sender", "when", "know before it comes"], plan.intake.planned.iter().map(row).collect())
}
