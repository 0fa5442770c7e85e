//! `hookhaven copy`: moves everything from a data directory to PostgreSQL. Progress, the result in words or as
//! JSON, and the exit code; what is copied how is the store's (`hookhaven_store::copy`).

use std::{
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hookhaven_core::Secret;
use hookhaven_store::{
    clock::OsEntropy,
    copy::{Copied, CopyOptions, CopyState, PageMax, Progress, copy},
    embedded::disk::RealDisk,
    postgres::{PostgresAddress, PostgresOptions},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    Context, DONE, FAILED, UsageError,
    args::CopyArgs,
    print::{clean, count},
};
use crate::config::secret::Resolver;

/// Between two plain lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub async fn run(args: CopyArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let CopyArgs { from, to, password, leave_damaged, .. } = args;
    let here = std::env::current_dir().context("the working directory cannot be told")?;
    let secrets = Resolver::new(&context.environment, here);
    let resolve = |reference: &str| secrets.resolve_text(reference).map_err(UsageError);
    let url = match String::from_utf8_lossy(to.expose()) {
        reference if reference.starts_with("env:") => resolve(&reference)?,
        _ => to,
    };
    let address = PostgresAddress { password: password.as_deref().map(resolve).transpose()?, ..address_of(&url) };
    let entropy = Arc::new(OsEntropy);
    let options = CopyOptions {
        from: std::path::absolute(&from).with_context(|| format!("{} is no path", from.display()))?,
        disk: Arc::new(RealDisk),
        to: PostgresOptions { address, ..PostgresOptions::new(String::new(), entropy.clone()) },
        entropy,
        leave_damaged,
        page: PageMax::default(),
    };
    let (dir, screen) = (options.from.display().to_string(), Screen::new(context));
    let began = Instant::now();
    let done = copy(options, |progress| screen.tell(progress)).await;
    screen.bar.finish_and_clear();
    let copied = done?;
    if context.json {
        println!("{}", serde_json::to_string_pretty(&as_json(&copied, &dir, began.elapsed()))?);
    } else {
        print!("{}", text(&copied, &dir, began.elapsed()));
    }
    Ok(ExitCode::from(if copied.state == CopyState::Differs { FAILED } else { DONE }))
}

fn address_of(url: &Secret) -> PostgresAddress {
    PostgresAddress { url: String::from_utf8_lossy(url.expose()).into_owned(), password: None, user: None }
}

fn text(copied: &Copied, dir: &str, took: Duration) -> String {
    let Copied { to, state, counts, differences, damages, damage, .. } = copied;
    let (dir, to) = (clean(dir), clean(to));
    let mut text = String::new();
    for what in damage {
        text.push_str(&format!("damaged: {}\n", clean(what)));
    }
    if *damages > damage.len() as u64 {
        text.push_str(&format!("and {} more damaged places\n", damages - damage.len() as u64));
    }
    if *state == CopyState::EndedBefore {
        return text + &format!("{dir} was copied to {to} before, whole; there is nothing to do.\n");
    }
    for (what, n) in counts.named() {
        let differs = differences.iter().find(|difference| difference.what == what);
        let there = differs.map(|difference| format!("   {} in the database", difference.to)).unwrap_or_default();
        text.push_str(&format!("{:>14} {n}{there}\n", what.replace('_', " ")));
    }
    let took = format!("{:.1} s", took.as_secs_f64());
    text + &match state {
        CopyState::Differs => format!(
            "The two sides are NOT the same. Both are kept as they are: {dir} is sealed, and the database serves nobody.\n\
             What was lost to damage can be left behind with --leave-damaged (`hookhaven doctor` tells what that costs); \
             anything else means that somebody else writes to {to}.\n"
        ),
        _ => format!(
            "Everything is in {to} ({took}), and {dir} is sealed. Set store.url to the database and start the gateway.\n"
        ),
    }
}

fn as_json(copied: &Copied, dir: &str, took: Duration) -> Value {
    let Copied { id, to, state, counts, differences, damages, damage } = copied;
    let counts: serde_json::Map<_, _> =
        counts.named().into_iter().map(|(what, n)| (what.to_owned(), n.into())).collect();
    let differ = differences.iter().map(|d| json!({ "what": d.what, "from": d.from, "to": d.to }));
    json!({
        "copy": id.to_string(),
        "from": dir,
        "to": to,
        "state": match state {
            CopyState::Ended { .. } => "ended",
            CopyState::EndedBefore => "ended_before",
            CopyState::Differs => "differs",
        },
        "resumed": *state == CopyState::Ended { resumed: true },
        "counts": counts,
        "differences": differ.collect::<Vec<_>>(),
        "damages": damages,
        "damage": damage,
        "seconds": took.as_secs_f64(),
    })
}

/// A bar for a person, a line now and then for a file; on standard error where JSON goes to the other.
struct Screen {
    bar: ProgressBar,
    json: bool,
    said: Mutex<Option<(&'static str, Instant)>>,
}

impl Screen {
    fn new(context: &Context) -> Self {
        let shown = context.terminal && !context.json;
        let bar = if shown { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let style =
            ProgressStyle::with_template("{msg:>8} {bar:30} {human_pos} of {human_len}  {elapsed}, {eta} to go");
        let bar = style.map(|style| bar.clone().with_style(style)).unwrap_or(bar);
        Screen { bar, json: context.json, said: Mutex::default() }
    }

    fn tell(&self, progress: Progress) {
        let (what, done, of) = match progress {
            Progress::Opening => ("opening", 0, 0),
            Progress::Events { done, of } => ("events", done, of),
            Progress::Keys { done, of } => ("keys", done, of),
            Progress::Counting => ("counting", 0, 0),
        };
        self.bar.set_message(what);
        self.bar.set_length(of);
        self.bar.set_position(done);
        if self.bar.is_hidden() && self.is_due(what) {
            let line = match of {
                0 => what.to_owned(),
                _ => format!("{done} of {}", count(of, what.trim_end_matches('s'))),
            };
            if self.json { eprintln!("{line}") } else { println!("{line}") }
        }
    }

    /// At once when something new begins, then now and then.
    fn is_due(&self, what: &'static str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(|e| e.into_inner());
        let due = said.is_none_or(|(last, at)| last != what || at.elapsed() >= LINE_EVERY);
        if due {
            *said = Some((what, Instant::now()));
        }
        due
    }
}
