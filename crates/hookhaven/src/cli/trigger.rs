//! `hookhaven trigger SOURCE TYPE`: sends a sample event, signed as its sender would sign it, to the
//! gateway's ingest address. Sender and secret come from the config file; the gateway is not told that
//! the request is ours, so what it shows is what the sender would see.

use std::{io::Read, path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use hookhaven_core::{
    Secret,
    sender::{Sample, Signed},
    source::Source,
};
use hookhaven_store::clock::{Clock, Entropy, OsEntropy, SystemClock};
use http::StatusCode;

use super::{
    Context, DONE, FAILED, UsageError,
    args::TriggerArgs,
    client::{Answer, is_refused, post_plain, segment},
    print::{Colour, Screen, clean, clean_bytes, short, span},
    settings::{Settings, local_url},
};
use crate::config::Config;

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
    let tls = config.server.tls.ingest.as_ref();
    let url = format!("{}/webhooks/{}", local_url(config.server.ingest, tls.is_some()), segment(&args.source));
    let mut refused = 0;
    for _ in 0..args.count {
        let id = args.id.clone().unwrap_or_else(|| fresh_id(entropy));
        let signed = signed(source, &args.event_type, &id, body.clone(), clock)?;
        let started = clock.now();
        let certificate = tls.map(|tls| tls.certificate());
        let answer = post_plain(&format!("{url}{}", signed.query), certificate, &signed.headers, signed.body).await;
        let answer = answer.map_err(|error| no_answer(error, &url))?;
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

fn fresh_id(entropy: &dyn Entropy) -> String {
    let mut random = [0u8; 12];
    entropy.fill(&mut random);
    format!("evt_{}", hex::encode(random))
}

fn signed(
    source: &Source,
    event_type: &str,
    id: &str,
    body: Option<Vec<u8>>,
    clock: &dyn Clock,
) -> anyhow::Result<Signed> {
    let now = clock.now();
    let mut sample: Sample = source.sender.sample(event_type, id, now)?;
    if let Some(body) = body {
        sample.body = body;
    }
    // A sender that verifies nothing has no secret, and signs with none.
    let nothing = Secret::new("unverified");
    let secret = source.secrets.first().or(nothing.as_ref()).context("the source has no secret")?;
    Ok(source.sender.sign(&sample, source.public_url.as_deref(), secret, now)?)
}

fn no_answer(error: anyhow::Error, url: &str) -> anyhow::Error {
    match is_refused(&error) {
        true => anyhow!("no gateway takes webhooks at {url}; start one with `hookhaven serve`"),
        false => error.context(format!("sending to {url}")),
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
