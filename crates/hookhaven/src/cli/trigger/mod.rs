//! `hookhaven trigger`: sends sample events, signed as their senders would sign them, to the gateway's ingest address:
//! one, a chain of them, many, out of order, twice, or the volumes of an intake. Sender and secret come from the config
//! file; the gateway is not told that the requests are ours, so what it shows is what the sender would see.
//!
//! `plan` and `profile` say what is sent and when, `send` sends it, `report` counts, `follow` asks the gateway what became
//! of it. Not here: samples and chains (`hookhaven_core::senders`), the way to the gateway (`sample`).

mod follow;
mod list;
mod plan;
mod profile;
mod report;
mod send;

use std::{io::Read, path::Path, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use hookhaven_core::source::Source;
use hookhaven_store::clock::{Clock, Entropy, OsEntropy, SystemClock};

use self::report::Report;
use super::{Context, DONE, FAILED, UsageError, args::TriggerArgs, client::Client, print::Screen, settings::Settings};
use crate::{config::Config, sample::Door, stage::Stop};

/// No body that we send is longer.
const BODY_BYTES_MAX: u64 = 64 << 20;
/// Up to so many requests have a line each; of more there is only a report.
const LINES_MAX: u64 = 100;

/// What the command stands on.
#[derive(Clone, Copy)]
pub(super) struct Stand<'a> {
    pub config: &'a Config,
    pub clock: &'a dyn Clock,
    pub entropy: &'a dyn Entropy,
    /// Where it is asked what became of what was sent.
    pub admin: Option<&'a Client>,
}

pub async fn run(args: TriggerArgs, context: &Context) -> anyhow::Result<ExitCode> {
    // What the environment says is for all commands, and here it may be of no use.
    let typed = context.url.as_deref().is_some_and(|url| context.environment.get("HOOKHAVEN_URL") != Some(url));
    if typed && !args.follow {
        return Err(UsageError("--url says where --follow asks; --to says where events go".to_owned()).into());
    }
    let clock = SystemClock::start();
    let settings = Settings::read(context)?;
    let client = match args.follow {
        true => Some(Client::pinned(&settings.url, settings.token.clone(), settings.certificate.clone())?),
        false => None,
    };
    let mut screen = Screen::of(context, clock.now());
    let stand = Stand { config: settings.config()?, clock: &clock, entropy: &OsEntropy, admin: client.as_ref() };
    act(args, &stand, &mut screen).await.map(ExitCode::from)
}

pub(super) async fn act(args: TriggerArgs, stand: &Stand<'_>, screen: &mut Screen) -> anyhow::Result<u8> {
    fits(&args)?;
    if args.list {
        return list::act(args.source.as_deref(), stand.config, screen);
    }
    let plan = match &args.profile {
        Some(file) => profile::plan(file, &args, stand)?,
        None => plan::of(&args, stand)?,
    };
    let (total, follows) = (plan.total, stand.admin.is_some());
    if follows && plan.events > follow::EVENTS_MAX {
        let (events, most) = (plan.events, follow::EVENTS_MAX);
        return Err(UsageError(format!("{events} events are too many for --follow; {most} are the most")).into());
    }
    // From here on, so that none is missed.
    let mut stop = Stop::listen().context("listening for Ctrl-C")?;
    plan.told.iter().for_each(|line| screen.remark(line));
    let says = Says {
        lines: plan.total <= LINES_MAX && !screen.json,
        report: screen.json || plan.total > LINES_MAX || plan.is_mixed || is_load(&args),
    };
    let server = &stand.config.server;
    let door = Door::of(args.to.unwrap_or(server.ingest), server.tls.ingest.as_deref());
    let started = stand.clock.now();
    let mut report = send::all(plan, &door, stand.clock, follows, &says, &mut stop, screen).await?;
    report.planned = total;
    let mut unknown = None;
    if let Some(admin) = stand.admin {
        match follow::follow(&report, admin, stand, started, &mut stop, screen).await {
            Ok(followed) => report.followed = Some(followed),
            Err(error) => unknown = Some(error),
        }
    }
    // What was sent was sent, even if nobody can say what became of it.
    let code = end(&report, &says, screen)?;
    unknown.map_or(Ok(code), Err)
}

/// Whether what is said of one thing has that thing.
fn fits(args: &TriggerArgs) -> Result<(), UsageError> {
    let (is_profile, is_shuffled) = (args.profile.is_some(), args.out_of_order || args.profile.is_some());
    let why = if !is_profile && (args.speed.is_some() || args.length.is_some()) {
        "--speed and --for compress the hour of a --profile; --rate paces the rest"
    } else if !is_profile && args.burst.is_some() {
        "--burst is that of a --profile; --count says how many else"
    } else if !is_shuffled && args.seed.is_some() {
        "--seed is for --out-of-order and --profile: without them nothing is left to chance but ids"
    } else {
        return Ok(());
    };
    Err(UsageError(why.to_owned()))
}

/// What is printed.
pub(super) struct Says {
    /// A line for each request.
    lines: bool,
    /// What came of all of them.
    report: bool,
}

/// Whether more was asked for than some events, each once, one after the other.
fn is_load(args: &TriggerArgs) -> bool {
    args.rate.is_some() || args.duplicate.is_some() || args.out_of_order || args.follow
}

fn end(report: &Report, says: &Says, screen: &mut Screen) -> anyhow::Result<u8> {
    if screen.json {
        screen.value(&report.json())?;
    } else if says.report {
        report.lines().into_iter().try_for_each(|line| screen.line(line))?;
    }
    let (refused, unanswered) = (report.refused(), report.unanswered);
    if refused > 0 && !screen.json {
        screen.remark(format!("{refused} of {} refused; the gateway's log says why.", report.sent));
    }
    if unanswered > 0 && !screen.json {
        screen.remark(format!("{unanswered} of {} without an answer; is the gateway still there?", report.sent));
    }
    let lost = report.followed.as_ref().is_some_and(|followed| !followed.is_well());
    Ok(if refused == 0 && unanswered == 0 && !lost { DONE } else { FAILED })
}

pub(super) fn source<'c>(config: &'c Config, name: &str) -> anyhow::Result<&'c Arc<Source>> {
    let known = || config.sources.keys().map(|n| &**n).collect::<Vec<_>>().join(", ");
    config.sources.get(name).ok_or_else(|| {
        let text = match config.sources.is_empty() {
            true => format!("no source {name:?}: the config file has none; `hookhaven init` writes one"),
            false => format!("no source {name:?} in the config file; there are: {}", known()),
        };
        UsageError(text).into()
    })
}

pub(super) fn read_body(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    let read = match path == Path::new("-") {
        true => std::io::stdin().lock().take(BODY_BYTES_MAX + 1).read_to_end(&mut body),
        false => std::fs::File::open(path).and_then(|f| f.take(BODY_BYTES_MAX + 1).read_to_end(&mut body)),
    };
    read.with_context(|| format!("reading the body from {}", path.display()))?;
    anyhow::ensure!(body.len() as u64 <= BODY_BYTES_MAX, "the body is longer than 64 MiB");
    Ok(body)
}
