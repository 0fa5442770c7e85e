//! `hookhaven trigger SOURCE TYPE`: sends a sample event, signed as its sender would sign it, to the
//! gateway's ingest address. Sender and secret come from the config file; the gateway is not told that
//! the request is ours, so what it shows is what the sender would see.

use std::{io::Read, path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use hookhaven_core::source::Source;
use hookhaven_store::clock::{Clock, Entropy, OsEntropy, SystemClock};
use http::StatusCode;

use super::{
    Context, DONE, FAILED, UsageError,
    args::TriggerArgs,
    print::{Colour, Screen, clean, clean_bytes, short, span},
    settings::Settings,
};
use crate::{
    config::Config,
    sample::{self, Answer, Door, NoAnswer},
};

/// For a whole exchange.
const TIMEOUT: Duration = Duration::from_secs(120);
/// No body that we send is longer.
const BODY_BYTES_MAX: u64 = 64 << 20;

pub async fn run(args: TriggerArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let clock = SystemClock::start();
    let settings = Settings::read(context)?;
    let mut screen = Screen::of(context, clock.now());
    act(args, settings.config()?, &clock, &OsEntropy, &mut screen).await.map(ExitCode::from)
}

pub(super) async fn act(
    args: TriggerArgs,
    config: &Config,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    screen: &mut Screen,
) -> anyhow::Result<u8> {
    let source = source(config, &args.source)?;
    let body = args.body.as_deref().map(read_body).transpose()?;
    let door = Door::of(config.server.ingest, config.server.tls.ingest.as_deref());
    let mut refused = 0;
    for _ in 0..args.count {
        let id = args.id.clone().unwrap_or_else(|| sample::fresh_id(entropy));
        let signed = sample::signed(source, &args.event_type, &id, body.clone(), clock.now())?;
        let started = clock.now();
        let answer = door.post(&args.source, signed, TIMEOUT).await.map_err(no_answer)?;
        report(&answer, &id, clock.now().since(started), screen)?;
        refused += u32::from(!answer.status.is_success());
    }
    if refused > 0 {
        screen.remark(format!("{refused} of {} refused; the gateway's log says why.", args.count));
    }
    Ok(if refused == 0 { DONE } else { FAILED })
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

fn no_answer(error: NoAnswer) -> anyhow::Error {
    match error {
        NoAnswer::Nobody(url) => anyhow!("no gateway takes webhooks at {url}; start one with `hookhaven serve`"),
        NoAnswer::Failed(_) => error.into(),
    }
}

fn report(answer: &Answer, id: &str, took: Duration, screen: &mut Screen) -> anyhow::Result<()> {
    let colour = if answer.status.is_success() { Colour::Green } else { Colour::Red };
    let status = screen.paint(colour, answer.status.as_str());
    let text = clean_bytes(&answer.body);
    let body = short(text.trim(), 200).replace('\n', " ");
    let hint = match answer.status {
        StatusCode::UNAUTHORIZED => "refused: does the running gateway have the same secret and clock?",
        StatusCode::NOT_FOUND => "the running gateway has no such source",
        _ => "",
    };
    let line = format!("{status}  {}  in {}  {body}{hint}", clean(id), span(took));
    screen.line(line.trim_end())
}
