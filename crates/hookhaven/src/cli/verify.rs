//! `hookhaven verify`: why a signature fails, for a request in quarantine or one that somebody saved. A saved one is
//! judged on this machine by the config file; nothing is sent to the gateway.

use std::{io::Read, path::Path, process::ExitCode, sync::Arc};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use hookhaven_core::{
    Rejected, RejectedId, Time,
    diagnosis::{self, Case, Cause},
    sender::{Keys, Rejection, Request},
    source::Source,
};
use hookhaven_store::clock::{Clock, SystemClock};
use http::Method;
use serde::Deserialize;

use super::{
    Context, DONE, FAILED, UsageError,
    args::{RejectedCommand, RejectedShowArgs, VerifyArgs},
    print::Screen,
    rejected,
    settings::Settings,
    trigger,
};
use crate::{
    api::{
        DiagnosisView,
        view::{HeaderView, Text},
    },
    app,
    config::Config,
};

/// No saved request is longer.
const REQUEST_BYTES_MAX: u64 = 64 << 20;

pub async fn run(args: VerifyArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let Some(file) = &args.request else {
        let id: RejectedId = args.what.parse().map_err(|_| {
            UsageError(format!("{:?} is no id of a rejected request; for a source, give --request FILE", args.what))
        })?;
        return rejected::run(RejectedCommand::Show(RejectedShowArgs { id, json: args.json }), context).await;
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let settings = Settings::read(context)?;
    let mut screen = Screen::of(context, clock.now());
    let bytes = read(file)?;
    act(&args, &bytes, settings.config()?, clock, &mut screen).await.map(ExitCode::from)
}

pub(super) async fn act(
    args: &VerifyArgs,
    saved: &[u8],
    config: &Config,
    clock: Arc<dyn Clock>,
    screen: &mut Screen,
) -> anyhow::Result<u8> {
    let source = trigger::source(config, &args.what)?;
    let mut rejected = parse(saved, &source.name, clock.now()).map_err(UsageError)?;
    rejected.received_at = args.at.unwrap_or(rejected.received_at);
    let others: Vec<_> = config.sources.values().filter(|other| other.name != source.name).cloned().collect();
    let fetched = fetched(&rejected, source, config, clock).await?;
    let case = Case { rejected: &rejected, source, others: &others, retired: &[], fetched: fetched.as_deref() };
    let mut diagnosis = diagnosis::diagnose(&case);
    // Nothing was rejected that could be released: it is a file.
    for finding in diagnosis.findings.iter_mut().filter(|finding| finding.cause == Cause::Mended) {
        "The source accepts a request like this.".clone_into(&mut finding.sentence);
        "nothing needs to be mended here".clone_into(&mut finding.mend);
    }
    let found = DiagnosisView::from(diagnosis);
    if screen.json {
        screen.value(&serde_json::to_value(&found)?)?;
    } else {
        rejected::diagnosis(&found, screen)?;
        let by_time = found.findings.iter().any(|finding| finding.cause.starts_with("timestamp_"));
        if by_time && args.at.is_none() {
            screen.remark("It was judged as if it arrived now; if it was saved earlier, say when with --at.");
        }
    }
    Ok(if found.may_be_released { DONE } else { FAILED })
}

/// A key that the sender publishes, if it is judged by one.
async fn fetched(
    rejected: &Rejected,
    source: &Source,
    config: &Config,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Option<Bytes>> {
    let headers = rejected.header_map();
    let request = Request {
        method: &rejected.method,
        url: None,
        query: rejected.query(),
        headers: &headers,
        body: &rejected.body,
    };
    let keys = Keys { secrets: &source.secrets, tolerance: source.tolerance, now: rejected.received_at, fetched: None };
    let Ok(Some(fetch)) = source.sender.needs(&request, &keys) else { return Ok(None) };
    Ok(app::sender_keys(config.server.admin, clock)?.get(&fetch).await.ok())
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin()
            .lock()
            .take(REQUEST_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .context("reading standard input")?;
    } else {
        let open = std::fs::File::open(file).with_context(|| format!("opening {}", file.display()))?;
        open.take(REQUEST_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .with_context(|| format!("reading {}", file.display()))?;
    }
    if bytes.len() as u64 > REQUEST_BYTES_MAX {
        bail!("the request is longer than 64 MiB");
    }
    Ok(bytes)
}

/// The API's form of a request.
#[derive(Deserialize)]
struct Saved {
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    headers: Vec<HeaderView>,
    body: Option<Text>,
    received_at: Option<Time>,
}

fn post() -> String {
    "POST".to_owned()
}

fn parse(bytes: &[u8], source: &Arc<str>, now: Time) -> Result<Rejected, String> {
    let is_json = bytes.trim_ascii_start().starts_with(b"{");
    let (saved, body) = if is_json { from_json(bytes)? } else { from_http(bytes)? };
    let method = Method::from_bytes(saved.method.as_bytes()).map_err(|_| "its method is none".to_owned())?;
    let header = |it: HeaderView| (it.name.to_ascii_lowercase().into(), Bytes::from(it.value.to_bytes()));
    Ok(Rejected {
        id: RejectedId::from_bytes([0; 16]),
        received_at: saved.received_at.unwrap_or(now),
        source: source.clone(),
        reason: Rejection::SignatureMismatch,
        method,
        target: if saved.target.is_empty() { format!("/webhooks/{source}") } else { saved.target }.into(),
        headers: saved.headers.into_iter().map(header).collect(),
        body_bytes: body.len() as u64,
        body,
        remote: "".into(),
    })
}

fn from_json(bytes: &[u8]) -> Result<(Saved, Bytes), String> {
    let saved: Saved = serde_json::from_slice(bytes).map_err(|error| format!("not a saved request: {error}"))?;
    let body = saved.body.as_ref().map(Text::to_bytes).unwrap_or_default();
    Ok((saved, body.into()))
}

/// From the first line to the body. Lines may end in LF alone, as editors leave them; the body is what follows the
/// first empty line, to the last byte, or as many as `Content-Length` says.
fn from_http(bytes: &[u8]) -> Result<(Saved, Bytes), String> {
    let wrong =
        || "not a saved request: raw HTTP begins with a line such as \"POST /webhooks/stripe HTTP/1.1\"".to_owned();
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let end = ends.iter().filter_map(|end| Some((bytes.windows(end.len()).position(|w| w == *end)?, end.len()))).min();
    let (head, mut body) = end.map_or((bytes, &[][..]), |(at, length)| (&bytes[..at], &bytes[at + length..]));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split_ascii_whitespace();
    let (Some(method), Some(target)) = (first.next(), first.next()) else { return Err(wrong()) };
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        headers.push(HeaderView { name: name.trim().to_owned(), value: Text::Utf8(value.trim().to_owned()) });
    }
    let length = headers.iter().find(|it| it.name.eq_ignore_ascii_case("content-length"));
    if let Some(length) = length.and_then(|it| String::from_utf8(it.value.to_bytes()).ok()?.parse::<usize>().ok()) {
        // An editor may have added a line break behind it.
        body = body.get(..length).unwrap_or(body);
    }
    // The address may be written whole.
    let target = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    let saved = Saved { method, target, headers, body: None, received_at: None };
    Ok((saved, Bytes::copy_from_slice(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Rejected {
        parse(text.as_bytes(), &"shop".into(), Time::from_s(7)).unwrap()
    }

    #[test]
    fn saved_requests_are_read_in_all_their_forms() {
        let raw = "POST /webhooks/shop?a=b HTTP/1.1\r\nHost: x\r\nStripe-Signature: t=1,v1=ab\r\n\r\n{\"a\": 1}";
        let json = r#"{"method":"POST","target":"/webhooks/shop?a=b","received_at":"1970-01-01T00:00:07Z",
            "headers":[{"name":"Host","value":"x"},{"name":"Stripe-Signature","value":"t=1,v1=ab"}],"body":"{\"a\": 1}"}"#;
        assert_eq!(read(raw), read(json));
        assert_eq!(read(raw), read(&raw.replace("\r\n", "\n")));
        assert_eq!(read(raw), read(&raw.replace("POST /", "POST https://hooks.example.com/")));
        assert_eq!(&read(raw).body[..], b"{\"a\": 1}");
        let counted = raw.replace("Host: x", "Content-Length: 8") + "\n";
        assert_eq!(&read(&counted).body[..], b"{\"a\": 1}");
        let odd = r#"{"body": {"base64": "/wA="}}"#;
        assert_eq!(&read(odd).body[..], b"\xff\0");
        assert_eq!(&*read(odd).target, "/webhooks/shop");
        for wrong in ["", "hello", "POST / HTTP/1.1\nno colon\n\n", "{\"headers\": 1}"] {
            assert!(parse(wrong.as_bytes(), &"shop".into(), Time::EPOCH).is_err(), "{wrong}");
        }
    }
}
