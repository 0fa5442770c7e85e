//! `hookhaven torture`: the arguments, the directory, progress, the verdict and the exit code. What is done
//! stands in [`crate::torture`].

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hookhaven_store::clock::{Entropy as _, OsEntropy};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Context, FAILED, UsageError, args::TortureArgs};
use crate::{
    stage::{Directory, Stop},
    torture::{Progress, Torture, Until, Verdict, Watcher},
};

/// Between two plain lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(10);

pub async fn run(args: TortureArgs, context: &Context) -> Result<ExitCode> {
    let parent = place(args.store.as_deref(), context.data_dir.as_deref())?;
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
    let torture = Torture { seed, until, binary };
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

/// Where the run's own directory is made.
fn place(store: Option<&str>, data_dir: Option<&Path>) -> Result<PathBuf> {
    if let Some(store) = store.filter(|store| *store != "file:") {
        let why = match store.split(':').next() {
            // Not quoted: it may hold a password.
            Some("postgres" | "postgresql") => "PostgreSQL is not supported by this version; leave --store out",
            _ => "--store takes \"file:\", which is what it is without; --data DIR says on which disk",
        };
        return Err(UsageError(why.to_owned()).into());
    }
    Directory::parent(data_dir)
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
    format!("hookhaven torture --seed {seed} {length}{place}")
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
