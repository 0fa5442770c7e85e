//! What to do every week, quarter and year, with the commands and this team's sources.
//!
//! Not here: what alerts ask for at once (`observability`).

use super::{LIMITS, VERIFICATION};
use crate::{
    Plan,
    design::{Loss, StorePlace},
    report::{
        document::{Block, Text, codes, link, outside, plain, say},
        said,
    },
    words::{self, bytes, span},
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    vec![
        Block::heading(say!("Every week, ten minutes")),
        Block::List(weekly(plan)),
        Block::heading(say!("Every quarter, an hour")),
        Block::List(quarterly(plan)),
        Block::heading(say!("Every year, a morning")),
        Block::List(yearly(plan)),
    ]
}

fn weekly(plan: &Plan) -> Vec<Text> {
    let mut items = vec![
        say!(
            "`hookhaven dlq groups`: each group has one cause. Mend, replay or dismiss it, so that the list is empty \
             when you leave."
        ),
        say!("`hookhaven analyze --since 7d`: what stands out, and which setting would help."),
        say!(
            "`hookhaven rejected list --since 7d`: a genuine request among them means that a secret or a proxy is \
             wrong."
        ),
    ];
    let losing: Vec<&str> = plan
        .design
        .sources
        .iter()
        .filter(|source| matches!(source.loss.value, Loss::Events(_)))
        .map(|source| said::title(plan, &source.name))
        .collect();
    if !losing.is_empty() {
        items.push(
            say!("{}: look for gaps, as the table under ", words::list(&losing))
                + link(LIMITS)
                + say!(" says. A job every day is better: some lists end after days."),
        );
    }
    items
}

fn quarterly(plan: &Plan) -> Vec<Text> {
    let variables = said::secrets(plan);
    let handlers: Vec<&String> =
        plan.design.destinations.iter().map(|destination| &destination.secret_variable).collect();
    let rotate = if variables.is_empty() {
        say!("Change the handlers' secrets: ")
    } else {
        say!("Change the secrets: ") + codes(&variables) + say!("; and the handlers': ")
    };
    vec![
        rotate
            + codes(&handlers)
            + say!(". `hookhaven secrets` lists their age and which can go; in which order stands under ")
            + link(VERIFICATION)
            + say!("."),
        say!(
            "`hookhaven audit --since 90d`: who replayed, dismissed, paused, and whether they should still be able to \
             (`hookhaven tokens list`)."
        ),
        restore(plan),
        say!(
            "`hookhaven trigger --profile intake.toml` against a test gateway: does it still hold your volume? Write \
             the volumes of the quarter into the intake and run `hookhaven architect` again."
        ),
        say!(
            "The disk: {} is what the retention comes to; more than that is a volume that grew.",
            bytes(plan.design.disk_bytes.value)
        ),
    ]
}

fn restore(plan: &Plan) -> Text {
    match plan.design.store.value {
        StorePlace::Embedded => say!(
            "Restore a backup on another machine: `hookhaven backup DIR`, then `hookhaven serve --data DIR` there, \
             with `state = \"paused\"` at every destination of its config, or it delivers what was pending a second \
             time. A backup that was never read is none."
        ),
        StorePlace::Postgres => say!(
            "Restore the database's backup elsewhere and start a gateway on it, with `state = \"paused\"` at every \
             destination of its config, or it delivers what was pending a second time. A backup that was never read \
             is none."
        ),
    }
}

fn yearly(plan: &Plan) -> Vec<Text> {
    let mut items = vec![
        say!(
            "Reconcile: hold a whole month of each sender's own records against the rows in your database, and not \
             only against the gateway. Where they are stands in the table under "
        ) + link(LIMITS)
            + say!("."),
    ];
    let mut changed = say!("Read what has changed:");
    let documented = || plan.intake.senders.iter().filter_map(|s| s.sender).filter(|d| !d.about.docs.is_empty());
    for (i, declared) in documented().enumerate() {
        let apart = if i == 0 { " " } else { "; " };
        changed = changed + say!("{}{}, ", apart, declared.title) + outside(declared.about.docs);
    }
    if documented().next().is_some() {
        items.push(changed + say!("."));
    }
    items.push(say!(
        "Handlers: the Standard Webhooks library, the framework, and the versions of the senders' APIs that events \
         are written in."
    ));
    items.push(say!(
        "The answers themselves: retention is {} and the longest window {}; are they still what you want?",
        span(plan.design.retention.value),
        longest(plan)
    ));
    for planned in &plan.intake.planned {
        let title = planned.sender.map_or(planned.name.as_str(), |declared| declared.title);
        items.push(say!("{} was planned: is it there, and is it in the intake?", title));
    }
    items.push(plain("Who is on call, and whether the channels that alerts go to still exist."));
    items
}

fn longest(plan: &Plan) -> String {
    span(plan.design.sources.iter().map(|source| source.dedupe_window.value).max().unwrap_or_default())
}
