//! `hookhaven copy`: moves everything from a data directory to PostgreSQL. Progress, the result in words or as
//! JSON, and the exit code; what is copied how is the store's (`hookhaven_store::copy`).

use std::{
    path::Path,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hookhaven_core::Secret;
use hookhaven_store::{
    Store,
    clock::OsEntropy,
    copy::{Copied, CopyOptions, CopyState, PageMax, Progress, copy},
    embedded::disk::RealDisk,
    postgres::{PostgresAddress, PostgresOptions, PostgresStore},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    Context, DONE, FAILED, UsageError,
    args::CopyArgs,
    print::{clean, count},
};
use crate::{
    app::TOKEN_FILE,
    config::{Encryption, secret::Resolver},
    seal::{self, MasterKey, WrapKeys, file, keys, keys::KeyPlace},
};

/// Between two plain lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub async fn run(args: CopyArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let CopyArgs { from, to, password, leave_damaged, master_key, admin_token, .. } = args;
    let here = std::env::current_dir().context("the working directory cannot be told")?;
    let secrets = Resolver::new(&context.environment, here);
    let resolve = |reference: &str| secrets.resolve_text(reference).map_err(UsageError);
    let url = match String::from_utf8_lossy(to.expose()) {
        reference if reference.starts_with("env:") => resolve(&reference)?,
        _ => to,
    };
    let address = PostgresAddress { password: password.as_deref().map(resolve).transpose()?, ..address_of(&url) };
    let entropy = Arc::new(OsEntropy);
    let given = |reference: Option<String>| reference.as_deref().map(resolve).transpose();
    let carried = DataKeys::find(&from, given(master_key)?, given(admin_token)?)?;
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
    let (to, from) = (options.to.clone(), options.from.clone());
    let done = copy(options, |progress| screen.tell(progress)).await;
    screen.bar.finish_and_clear();
    let copied = done?;
    if copied.state != CopyState::Differs {
        carried.put(&from, to).await.context("everything is there but the data keys; give the command again")?;
    }
    if context.json {
        println!("{}", serde_json::to_string_pretty(&as_json(&copied, &dir, began.elapsed()))?);
    } else {
        print!("{}", text(&copied, &dir, began.elapsed()));
    }
    Ok(ExitCode::from(if copied.state == CopyState::Differs { FAILED } else { DONE }))
}

/// The keys to what is encrypted, which go to the database after everything else: until then nobody serves from it.
struct DataKeys {
    from: WrapKeys,
    to: WrapKeys,
    any: bool,
}

impl DataKeys {
    /// # Errors
    /// They cannot be read, or there is nothing to keep them under. Better now than after hours.
    fn find(dir: &Path, master_key: Option<Secret>, token: Option<Secret>) -> anyhow::Result<Self> {
        let parse = |text: &Secret| {
            MasterKey::parse(text)
                .ok_or_else(|| UsageError("--master-key: this is no master key: it is not 32 bytes".into()))
        };
        let master = master_key.as_ref().map(parse).transpose()?;
        let from = WrapKeys::new(&Encryption { master: master.clone(), previous: Vec::new() }, None);
        if !file::exists(dir) {
            return Ok(DataKeys { from, to: WrapKeys::default(), any: false });
        }
        let ring = keys::in_directory(dir, &from).context("give the master key with --master-key")?;
        let of_directory = || {
            let text = std::fs::read(dir.join(TOKEN_FILE)).ok()?;
            seal::token::of_text(&text, TOKEN_FILE, Some(&ring))
        };
        let token = token.or_else(of_directory);
        let to = WrapKeys::new(&Encryption { master, previous: Vec::new() }, token.as_ref());
        if to.own.is_none() {
            let what = "the data directory has data keys, and nothing to keep them under in the database: give \
                        --master-key, or the admin token of the gateway there as --admin-token";
            return Err(UsageError(what.to_owned()).into());
        }
        Ok(DataKeys { from, to, any: true })
    }

    async fn put(&self, dir: &Path, to: PostgresOptions) -> anyhow::Result<()> {
        if !self.any {
            return Ok(());
        }
        let store: Arc<dyn Store> = Arc::new(PostgresStore::open(to).await?);
        let (here, there) = (KeyPlace::Directory(dir), KeyPlace::Database(store.clone()));
        let shared = keys::share((&here, &self.from), (&there, &self.to), &OsEntropy).await;
        store.close().await;
        shared?;
        Ok(())
    }
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
