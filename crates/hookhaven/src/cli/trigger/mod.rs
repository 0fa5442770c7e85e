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
use crate::{config::Config, sample::Door};

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
    if context.url.is_some() && !args.follow {
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
    if args.profile.is_none() && (args.speed.is_some() || args.length.is_some()) {
        return Err(
            UsageError("--speed and --for compress the hour of a --profile; --rate paces the rest".to_owned()).into()
        );
    }
    if args.list {
        return list::act(args.source.as_deref(), stand.config, screen);
    }
    let plan = match &args.profile {
        Some(file) => profile::plan(file, &args, stand)?,
        None => plan::of(&args, stand)?,
    };
    plan.told.iter().for_each(|line| screen.remark(line));
    let says = Says {
        lines: plan.total <= LINES_MAX && !screen.json,
        report: screen.json || plan.total > LINES_MAX || plan.is_mixed || is_load(&args),
    };
    let server = &stand.config.server;
    let door = Door::of(args.to.unwrap_or(server.ingest), server.tls.ingest.as_deref());
    let started = stand.clock.now();
    let (total, follows) = (plan.total, stand.admin.is_some());
    let mut report = send::all(plan, &door, stand.clock, follows, &says, screen).await?;
    report.planned = total;
    if let Some(admin) = stand.admin {
        report.followed = Some(follow::follow(&report, admin, stand, started, screen).await?);
    }
    end(&report, &says, screen)
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
    let refused = report.refused();
    if refused > 0 && !screen.json {
        screen.remark(format!("{refused} of {} refused; the gateway's log says why.", report.sent));
    }
    let lost = report.followed.as_ref().is_some_and(|followed| !followed.is_well());
    Ok(if refused == 0 && !lost { DONE } else { FAILED })
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
