//! `hookhaven torture`: the arguments, the directory, progress, the verdict and the exit code. What is done
//! stands in [`crate::torture`].

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hookhaven_store::{
    StoreError,
    clock::{Entropy as _, OsEntropy},
    postgres::{PostgresOptions, must_be_unused},
};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Context, FAILED, UsageError, args::TortureArgs};
use crate::{
    config::secret::Resolver,
    stage::{Directory, Stop},
    torture::{Progress, SharedStore, Store, Torture, Until, Verdict, Watcher},
};

/// Between two plain lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(10);

pub async fn run(args: TortureArgs, context: &Context) -> Result<ExitCode> {
    let store = store(&args, context).await?;
    let parent = Directory::parent(context.data_dir.as_deref())?;
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let until = match args.kills {
        Some(kills) => Until::Kills(kills),
        None => Until::Time(Duration::from_secs_f64(args.minutes * 60.0)),
    };
    let binary = std::env::current_exe().context("where this program's own file is cannot be told")?;
    // From before there is anything to clean up.
    let mut stop = Stop::listen().context("signals cannot be taken on this system")?;
    let mut directory = Directory::under(&parent, "torture", &OsEntropy)?;
    let screen = Screen::new(context, until);
    screen.say(&format!("seed {seed}, in {}", directory.path().display()));
    let torture = Torture { seed, until, binary, store };
    let ended = tokio::select! {
        ended = torture.run(directory.path(), &screen) => Some(ended),
        () = stop.asked() => None,
    };
    screen.bar.finish_and_clear();
    let Some(ended) = ended else {
        eprintln!("interrupted: no verdict");
        directory.remove().await;
        return Ok(ExitCode::from(FAILED));
    };
    let breaches = match &ended {
        Ok(verdict) => tell(verdict, context.json)?,
        Err(error) => vec![format!("{error:#}")],
    };
    if breaches.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    directory.keep();
    eprintln!("NOT AS IT SHOULD BE:");
    breaches.iter().for_each(|breach| eprintln!("  {breach}"));
    eprintln!("Data and logs are kept in {}. Again, with the same choices:", directory.path().display());
    eprintln!("  {}", again(&args, seed, context.data_dir.as_deref()));
    Ok(ExitCode::from(FAILED))
}

/// What is to be tortured. A database is looked at first: somebody's events are not to be played with.
async fn store(args: &TortureArgs, context: &Context) -> Result<Store> {
    let Some(given) = args.store.as_ref() else { return Ok(Store::Embedded) };
    // Not quoted anywhere: it may hold a password.
    let url = match String::from_utf8_lossy(given.expose()) {
        file if file == "file:" => return Ok(Store::Embedded),
        name if name.starts_with("env:") => {
            let secrets = Resolver::new(&context.environment, PathBuf::new());
            secrets.resolve_text(&name).map_err(UsageError)?
        }
        _ => given.clone(),
    };
    let text = String::from_utf8_lossy(url.expose()).into_owned();
    let unused = must_be_unused(PostgresOptions::new(text, Arc::new(OsEntropy))).await;
    unused.map_err(|e| match e {
        StoreError::Refused(why) => {
            UsageError(format!("{why}. What a run leaves behind goes with `DROP SCHEMA hookhaven CASCADE`")).into()
        }
        other => anyhow::Error::from(other),
    })?;
    Ok(Store::Postgres(SharedStore { url, restart: args.store_restart.clone() }))
}

/// Short enough to be typed.
fn fresh_seed() -> u64 {
    let mut bytes = [0; 4];
    OsEntropy.fill(&mut bytes);
    u32::from_le_bytes(bytes).into()
}

fn again(args: &TortureArgs, seed: u64, data_dir: Option<&Path>) -> String {
    let length = match args.kills {
        Some(kills) => format!("--kills {kills}"),
        None => format!("--minutes {}", args.minutes),
    };
    let place = data_dir.map(|dir| format!(" --data {}", dir.display())).unwrap_or_default();
    let store = if args.store.is_some() { " --store …" } else { "" };
    let restart = args.store_restart.as_ref().map(|line| format!(" --store-restart {line:?}")).unwrap_or_default();
    format!("hookhaven torture --seed {seed} {length}{place}{store}{restart}")
}

/// Prints the verdict; answers the breaches.
fn tell(verdict: &Verdict, json: bool) -> Result<Vec<String>> {
    if json {
        println!("{}", serde_json::to_string_pretty(verdict)?);
    } else {
        println!("{}", verdict.table());
        if verdict.holds {
            println!("Nothing that was acknowledged was lost (seed {}).", verdict.seed);
        }
    }
    Ok(verdict.breaches())
}

/// A bar for a person, a line now and then for a file; on standard error where JSON goes to the other.
struct Screen {
    bar: ProgressBar,
    until: Until,
    json: bool,
    line_at: Mutex<Instant>,
}

impl Screen {
    fn new(context: &Context, until: Until) -> Self {
        let length = match until {
            Until::Time(time) => time.as_secs(),
            Until::Kills(kills) => kills,
        };
        let bar = if context.terminal && !context.json { ProgressBar::new(length) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{bar:30} {msg}  {elapsed}");
        let bar = style.map(|s| bar.clone().with_style(s)).unwrap_or(bar);
        Screen { bar, until, json: context.json, line_at: Mutex::new(Instant::now()) }
    }

    fn line_is_due(&self) -> bool {
        let mut at = self.line_at.lock().unwrap_or_else(|e| e.into_inner());
        let due = at.elapsed() >= LINE_EVERY;
        if due {
            *at = Instant::now();
        }
        due
    }
}

impl Watcher for Screen {
    fn progress(&self, progress: Progress) {
        let Progress { kills, acknowledged, elapsed } = progress;
        self.bar.set_position(match self.until {
            Until::Time(_) => elapsed.as_secs(),
            Until::Kills(_) => kills,
        });
        let text = format!("{kills} kills, {acknowledged} events acknowledged");
        if self.bar.is_hidden() && self.line_is_due() {
            self.say(&format!("{text} in {} s", elapsed.as_secs()));
        }
        self.bar.set_message(text);
    }

    fn say(&self, text: &str) {
        if self.json {
            eprintln!("{text}");
        } else if self.bar.is_hidden() {
            println!("{text}");
        } else {
            self.bar.println(text);
        }
    }
}
