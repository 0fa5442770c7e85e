//! An attempt of the gateway: verified, read, handled once, answered.
//!
//! Not here: what an event does (`handlers`), how it is kept to once (`once`).

use std::collections::HashMap;

use axum::{
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use deadpool_postgres::Pool;
use standardwebhooks::{Webhook, WebhookError};
use tracing::Instrument as _;

use crate::{
    event::{Event, Reply, Source},
    handlers::SOURCES,
    once::{self, Failure, Outcome},
};

pub struct App {
    pool: Pool,
    secrets: HashMap<&'static str, Vec<Webhook>>,
}

/// A variable that holds no secret. What it does hold is not told.
#[derive(Debug, thiserror::Error)]
#[error("{0} must hold the destination's secret: whsec_ and base64; several, separated by blanks, during a rotation")]
pub struct BadSecret(&'static str);

impl App {
    /// `variable` reads the environment.
    ///
    /// # Errors
    /// If a source has no secret, or one that is none.
    pub fn new(pool: Pool, variable: impl Fn(&str) -> Option<String>) -> Result<App, BadSecret> {
        let mut secrets = HashMap::new();
        for source in SOURCES {
            let bad = || BadSecret(source.secret_variable);
            let listed = variable(source.secret_variable).ok_or_else(bad)?;
            let parsed: Result<Vec<_>, _> = listed.split_whitespace().map(Webhook::new).collect();
            let parsed = parsed.map_err(|_| bad())?;
            if parsed.is_empty() {
                return Err(bad());
            }
            secrets.insert(source.name, parsed);
        }
        Ok(App { pool, secrets })
    }

    /// Answers one attempt. 2xx is said only after the commit; 5xx asks for another attempt; 422 with
    /// `webhook-delivery: abort-message` says that none would help.
    pub async fn receive(&self, name: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        let Some(source) = SOURCES.iter().find(|source| source.name == name) else {
            return (StatusCode::NOT_FOUND, "no such source").into_response();
        };
        let about = tracing::info_span!(
            "webhook",
            source = name,
            webhook_id = header(headers, "webhook-id"),
            event_type = header(headers, "hookhaven-event-type"),
            attempt = header(headers, "hookhaven-attempt"),
            // The delivery or job that this is a replay of, if a person asked for it again.
            replay = header(headers, "hookhaven-replay"),
            correlation_id = header(headers, "hookhaven-correlation-id"),
        );
        if let Err(refused) = verify(&self.secrets[source.name], headers, body) {
            about.in_scope(|| tracing::warn!(%refused));
            return (StatusCode::UNAUTHORIZED, refused.to_string()).into_response();
        }
        // `hookhaven destinations test` asks whether somebody answers; nothing happened.
        if header(headers, "hookhaven-test") == "true" {
            return "test".into_response();
        }
        self.handle(source, headers, body).instrument(about).await
    }

    async fn handle(&self, source: &Source, headers: &HeaderMap, body: &[u8]) -> Response {
        let handled: Result<_, Failure> = async {
            let event = Event::read(source, headers, body)?;
            let outcome = once::handle(&self.pool, &event).await?;
            Ok((outcome, source.reply.map(|reply| reply(&event))))
        }
        .await;
        match handled {
            Ok((outcome, reply)) => {
                tracing::info!(?outcome);
                let outcome = match outcome {
                    Outcome::Handled => "handled",
                    Outcome::Duplicate => "duplicate",
                };
                let told = [("webhook-outcome", outcome)];
                match reply {
                    Some(Reply { content_type, text }) => (told, [(CONTENT_TYPE, content_type)], text).into_response(),
                    None => (told, outcome).into_response(),
                }
            }
            Err(failure) => {
                tracing::error!(%failure);
                if failure.is_hopeless() {
                    let abort = [("webhook-delivery", "abort-message")];
                    return (StatusCode::UNPROCESSABLE_ENTITY, abort, failure.to_string()).into_response();
                }
                (StatusCode::INTERNAL_SERVER_ERROR, "try again").into_response()
            }
        }
    }
}

/// One of the secrets has to fit; else what the library says: the signature, or a clock that is minutes off.
fn verify(secrets: &[Webhook], headers: &HeaderMap, body: &[u8]) -> Result<(), WebhookError> {
    let mut refused = Ok(());
    for secret in secrets {
        refused = secret.verify(body, headers);
        if refused.is_ok() {
            break;
        }
    }
    refused
}

/// A header's text; empty if it is not there.
pub(crate) fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
