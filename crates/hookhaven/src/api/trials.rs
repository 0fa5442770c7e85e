//! `/destinations/{name}/test` and `/sources/{name}/sample`: trying things out. A test request shows whether a handler
//! can be reached and takes what is signed for it, without an event; a sample event comes in as its sender would bring
//! it, and takes the way of every event from there.
//!
//! What is tried is limited, for each is a request to somebody. Not here: how they are made (`app::trials`, `sample`).

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{Extension, Json, extract::State};
use bytes::Bytes;
use hookhaven_core::{Destination, ErrorClass, EventId, Phases, Time, senders::TYPE_BYTES_MAX, source::Source};
use hookhaven_store::{EventFilter, Page};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, Noted, Shared,
    page::{Input, Name},
    problem::{self, Problem},
    schema,
    view::{HeaderView, Text, headers, shown_url},
};
use crate::{
    access::Note,
    config::duration,
    sample::{self, Answer, NoAnswer},
    trials::{NotBrought, Trial, Trials},
};

/// What is tried on this node in a minute.
const TRIALS_MAX: usize = 30;
const TRIALS_WINDOW: Duration = Duration::from_secs(60);
/// Shown of what a source answered.
const ANSWER_BYTES_MAX: usize = 2_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(test)).routes(routes!(bring))
}

/// When something was tried lately.
#[derive(Debug, Default)]
pub(super) struct Tried(Mutex<VecDeque<Time>>);

impl Tried {
    fn begin(&self, now: Time) -> Result<(), Problem> {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lately.retain(|at| now.since(*at) < TRIALS_WINDOW);
        if lately.len() >= TRIALS_MAX {
            let detail = format!("{TRIALS_MAX} requests were made to try things out within a minute; wait a little");
            return Err(Problem::new(&problem::TOO_MANY_TRIALS, detail));
        }
        lately.push_back(now);
        Ok(())
    }
}

/// What came of a test request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DestinationTrial {
    pub destination: String,
    /// Without credentials.
    pub url: String,
    /// Of this request alone: no event has this id.
    pub webhook_id: String,
    pub sent_at: Time,
    /// Whether it was answered with success.
    pub ok: bool,
    pub status: Option<u16>,
    #[schema(schema_with = schema::class)]
    pub class: String,
    /// What happened, in words; empty on success.
    pub error: String,
    /// What to do about it; `null` on success.
    pub mend: Option<String>,
    pub duration_us: u64,
    pub phases: Phases,
    /// Whether it was signed, that is, whether the destination has a secret.
    pub signed: bool,
    pub response_headers: Vec<HeaderView>,
    pub response_excerpt: Text,
}

/// Nothing is to be said.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestRequest {}

/// Sends a destination one signed request that says it is a test, and answers what came of it.
///
/// Whatever its state: it is asked past queue, pause and breaker, and nothing is stored. The body is JSON with the type
/// `hookhaven.test`, and the header `hookhaven-test: true` says that nothing happened. It may take as long as an attempt
/// there, 30 seconds at most; 30 are made in a minute at most.
#[utoipa::path(
    post,
    path = "/destinations/{name}/test",
    operation_id = "test_destination",
    params(("name" = String, Path, description = "Its name in the config file", example = "billing")),
    request_body = Option<TestRequest>,
    responses((status = 200, body = DestinationTrial)),
    extensions(("x-codes" = json!([
        problem::DESTINATION_NOT_FOUND.code, problem::NO_GATEWAY.code, problem::TOO_MANY_TRIALS.code,
    ]))),
)]
async fn test(
    State(api): State<Shared>,
    Name(name): Name,
    Input(TestRequest {}): Input<TestRequest>,
) -> Result<Noted<DestinationTrial>, Problem> {
    let destination = api.parts.config.load().destinations.get(name.as_str()).cloned();
    let unknown = || {
        Problem::new(&problem::DESTINATION_NOT_FOUND, format!("there is no destination {name:?} in the config file"))
    };
    let destination = destination.ok_or_else(unknown)?;
    let trial = begin(&api)?.destination(&destination).await;
    let view = DestinationTrial::of(&destination, trial);
    let note = Note::after(serde_json::json!({ "ok": view.ok, "status": view.status, "class": view.class }));
    Ok((Extension(note), Json(view)))
}

/// The running gateway, if something may be tried with it now.
fn begin(api: &Api) -> Result<&dyn Trials, Problem> {
    let Some(trials) = &api.parts.trials else {
        let detail = "this takes a running gateway; start one with `hookhaven serve`";
        return Err(Problem::new(&problem::NO_GATEWAY, detail));
    };
    api.tried.begin(api.parts.clock.now())?;
    Ok(&**trials)
}

impl DestinationTrial {
    fn of(destination: &Destination, Trial { id, at, sent }: Trial) -> Self {
        let (status, class, error, headers_of, excerpt) = match sent.result {
            Ok(answer) => {
                let class = class_of(answer.status);
                let error =
                    if class == ErrorClass::Ok { String::new() } else { format!("it answered {}", answer.status) };
                (Some(answer.status), class, error, answer.headers, answer.excerpt)
            }
            Err(failure) => (failure.status, failure.class, failure.error, HeaderMap::new(), Bytes::new()),
        };
        let listed: Vec<_> =
            headers_of.iter().map(|(name, value)| (name.as_str(), Bytes::copy_from_slice(value.as_bytes()))).collect();
        DestinationTrial {
            destination: destination.name.to_string(),
            url: shown_url(&destination.url),
            webhook_id: id.to_string(),
            sent_at: at,
            ok: class == ErrorClass::Ok,
            status: status.map(|status| status.as_u16()),
            class: class.as_str().to_owned(),
            error,
            mend: mend(destination, class, status),
            duration_us: u64::try_from(sent.duration.as_micros()).unwrap_or(u64::MAX),
            phases: sent.phases,
            signed: !destination.secrets.is_empty(),
            response_headers: headers(&listed),
            response_excerpt: Text::of(&excerpt),
        }
    }
}

fn class_of(status: StatusCode) -> ErrorClass {
    match status.as_u16() {
        200..=299 => ErrorClass::Ok,
        300..=399 => ErrorClass::Http3xx,
        429 => ErrorClass::RateLimited,
        400..=499 => ErrorClass::Http4xx,
        _ => ErrorClass::Http5xx,
    }
}

/// What a person can do about it.
fn mend(destination: &Destination, class: ErrorClass, status: Option<StatusCode>) -> Option<String> {
    let section = format!("[destinations.{}]", destination.name);
    let text = match (class, status.map(|status| status.as_u16())) {
        (ErrorClass::Ok | ErrorClass::Lost | ErrorClass::Store, _) => return None,
        (ErrorClass::Dns, _) => format!("correct the host in url under {section}, or this machine's name server"),
        (ErrorClass::Connect, _) => format!(
            "start the handler, correct host and port in url under {section}, or open the firewall between this machine \
             and it"
        ),
        (ErrorClass::Tls, _) => format!(
            "let the handler show a certificate that this machine trusts and that names the host in url under {section}"
        ),
        (ErrorClass::Timeout, _) => format!(
            "let the handler answer first and work afterwards, or raise timeout = {:?} under {section}",
            duration::print(destination.timeout)
        ),
        (ErrorClass::Protocol, _) => format!("check that scheme and port in url under {section} are the handler's own"),
        (ErrorClass::Refused, _) => {
            format!("name the handler's own address in url under {section}; the gateway never calls its admin side")
        }
        (ErrorClass::RateLimited, _) => format!("ask for less with rate = \"10/s\" under {section}"),
        (ErrorClass::Http3xx, _) => {
            format!("redirects are never followed: write the address that it names into url under {section}")
        }
        (ErrorClass::Http4xx, Some(401 | 403)) if destination.secrets.is_empty() => {
            format!("the handler wants to be shown who asks: give it and {section} the same secret")
        }
        (ErrorClass::Http4xx, Some(401 | 403)) => format!(
            "let the handler verify the signature (Standard Webhooks) with the secret under {section}, over the raw body"
        ),
        (ErrorClass::Http4xx, Some(404 | 405)) => {
            format!("the handler takes no POST at this path: correct the path in url under {section}")
        }
        (ErrorClass::Http4xx, Some(410)) => {
            format!("the handler says that it is gone for good: name another url under {section}, or take it out")
        }
        (ErrorClass::Http4xx, _) => {
            "let the handler answer 200 to types that it does not know; hookhaven.test is one of them".to_owned()
        }
        (ErrorClass::Http5xx, _) => {
            "look into the handler's own log; it should answer 200 to types that it does not know, such as hookhaven.test"
                .to_owned()
        }
    };
    Some(text)
}

/// Which sample to bring.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "type": "invoice.paid" }))]
pub struct SampleRequest {
    /// The event's type; without it one that the sender is known to send.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 128)]
    pub event_type: Option<String>,
}

/// What came of a sample event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SampleView {
    pub source: String,
    /// As it was asked for; the event's own may be narrower.
    #[serde(rename = "type")]
    pub event_type: String,
    pub sent_at: Time,
    /// Whether it was accepted.
    pub ok: bool,
    /// What the sender would have been answered.
    pub status: Option<u16>,
    pub answer: Option<Text>,
    /// Why there is no answer.
    pub error: Option<String>,
    pub took_ms: u64,
    pub idempotency_key: String,
    /// The event that is stored; `null` if none is.
    pub event: Option<EventId>,
    /// It was stored before, so nothing new was made of this one.
    pub duplicate: bool,
    /// Deliveries that the event made; 0: no route takes it.
    pub delivery_count: u32,
    /// What to do about a refusal.
    pub mend: Option<String>,
}

/// Brings a correctly signed sample event to the gateway's own ingest address.
///
/// As `hookhaven trigger` does: the event is verified, stored and delivered like the sender's own. Senders that sign
/// with a key that only they have cannot be stood in for. 30 are made in a minute at most.
#[utoipa::path(
    post,
    path = "/sources/{name}/sample",
    operation_id = "send_sample",
    params(("name" = String, Path, description = "Its name in the config file", example = "stripe")),
    request_body = Option<SampleRequest>,
    responses((status = 200, body = SampleView)),
    extensions(("x-codes" = json!([
        problem::SOURCE_NOT_FOUND.code, problem::NO_GATEWAY.code, problem::NO_INGEST.code, problem::CANNOT_SIGN.code,
        problem::TOO_MANY_TRIALS.code,
    ]))),
)]
async fn bring(
    State(api): State<Shared>,
    Name(name): Name,
    Input(SampleRequest { event_type }): Input<SampleRequest>,
) -> Result<Noted<SampleView>, Problem> {
    let source = api.parts.config.load().sources.get(name.as_str()).cloned();
    let unknown =
        || Problem::new(&problem::SOURCE_NOT_FOUND, format!("there is no source {name:?} in the config file"));
    let source = source.ok_or_else(unknown)?;
    let event_type = checked_type(&source, event_type)?;
    let now = api.parts.clock.now();
    let id = sample::fresh_id(&*api.parts.entropy);
    let signed = sample::signed(&source, &event_type, &id, None, now).map_err(|why| cannot_sign(&source, &why.0))?;
    // Of a list that is taken apart the first item's event is shown.
    let key = sample::keys_of(&source, &signed).into_iter().next().unwrap_or_default();
    let answered = match begin(&api)?.sample(&name, signed).await {
        Err(NotBrought::NoDoor) => {
            let detail = "this node only makes attempts (role = \"worker\"); ask a node that takes requests in";
            return Err(Problem::new(&problem::NO_INGEST, detail));
        }
        Err(NotBrought::NoAnswer(why)) => Err(why),
        Ok(answer) => Ok(answer),
    };
    let view = outcome(&api, &source, event_type, key, now, answered).await?;
    let note = Note::after(serde_json::json!({ "type": view.event_type, "status": view.status, "event": view.event }));
    Ok((Extension(note), Json(view)))
}

fn checked_type(source: &Source, wanted: Option<String>) -> Result<String, Problem> {
    let bad = |detail: String| Err(Problem::new(&problem::BAD_BODY, detail));
    match wanted {
        None => Ok(source.sender.sample_types().first().copied().unwrap_or("sample").to_owned()),
        Some(text) if text.trim().is_empty() || text.len() > TYPE_BYTES_MAX => {
            bad(format!("type: an event's type has 1 to {TYPE_BYTES_MAX} bytes, such as \"invoice.paid\""))
        }
        Some(text) if text.contains(char::is_control) => bad("type: no control characters".to_owned()),
        Some(text) => Ok(text),
    }
}

fn cannot_sign(source: &Source, why: &str) -> Problem {
    let sender = source.sender.name();
    let mend = match source.handover.is_some() && source.secrets.is_empty() {
        true => "make the hook there first: the secret is handed over then",
        false => "another type may do; else let the sender send a test from its own pages",
    };
    Problem::new(&problem::CANNOT_SIGN, format!("{sender}: {why}; {mend} (`hookhaven senders {sender}`)"))
}

async fn outcome(
    api: &Api,
    source: &Source,
    event_type: String,
    key: String,
    sent_at: Time,
    answered: Result<Answer, NoAnswer>,
) -> Result<SampleView, Problem> {
    let took = api.parts.clock.now().since(sent_at);
    let ok = answered.as_ref().is_ok_and(|answer| answer.status.is_success());
    let found = match ok {
        true => {
            let (source, idempotency_key) = (Some(source.name.to_string()), Some(key.clone()));
            let filter = EventFilter { source, idempotency_key, ..EventFilter::default() };
            api.parts.store.events(&filter, Page::first(1)).await?.pop()
        }
        false => None,
    };
    let status = answered.as_ref().ok().map(|answer| answer.status);
    Ok(SampleView {
        source: source.name.to_string(),
        event_type,
        sent_at,
        ok,
        status: status.map(|status| status.as_u16()),
        answer: answered.as_ref().ok().map(|a| Text::of(&a.body[..a.body.len().min(ANSWER_BYTES_MAX)])),
        error: answered.err().map(|why| why.to_string()),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        idempotency_key: key,
        duplicate: found.as_ref().is_some_and(|event| event.received_at < sent_at),
        delivery_count: found.as_ref().map_or(0, |event| event.deliveries),
        event: found.map(|event| event.id),
        mend: mend_of_sample(&source.name, status),
    })
}

fn mend_of_sample(source: &str, status: Option<StatusCode>) -> Option<String> {
    let text = match status.map(|status| status.as_u16()) {
        Some(200..=299) => return None,
        Some(401 | 403) => format!(
            "the request was refused and kept with its diagnosis (`hookhaven rejected list --source {source}`); a source \
             that admits only some addresses or certificates refuses this machine's too"
        ),
        Some(404) => "the config file has just changed; try again".to_owned(),
        Some(429) => format!("it was over the rate under [sources.{source}]; try again a little later"),
        Some(503) => "the gateway cannot store just now (`/readyz` says why); try again once it can".to_owned(),
        Some(status) => format!("the gateway's log says why it answered {status}"),
        None => "look at the ingest address under [server], and into the gateway's log".to_owned(),
    };
    Some(text)
}
