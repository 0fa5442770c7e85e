//! An attempt of the gateway: verified, read, handled once, answered.
//!
//! Not here: what an event does (`handlers`), how it is kept to once (`once`).

use std::collections::HashMap;

use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use deadpool_postgres::Pool;
use standardwebhooks::Webhook;

use crate::{
    event::Event,
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
        if !is_signed(&self.secrets[source.name], headers, body) {
            return (StatusCode::UNAUTHORIZED, "the signature does not match").into_response();
        }
        // `hookhaven destinations test` asks whether somebody answers; nothing happened.
        if header(headers, "hookhaven-test") == "true" {
            return "test".into_response();
        }
        let handled = match Event::read(source, headers, body) {
            Ok(event) => once::handle(&self.pool, &event).await,
            Err(failure) => Err(failure),
        };
        let about = format!(
            "source={name} webhook_id={} event_type={:?} attempt={} replay={:?} correlation_id={:?}",
            header(headers, "webhook-id"),
            header(headers, "hookhaven-event-type"),
            header(headers, "hookhaven-attempt"),
            // The delivery or job that this is a replay of, if a person asked for it again.
            header(headers, "hookhaven-replay"),
            header(headers, "hookhaven-correlation-id"),
        );
        match handled {
            Ok(outcome) => {
                tracing::info!("{about} outcome={outcome:?}");
                match outcome {
                    Outcome::Handled => "handled".into_response(),
                    Outcome::Duplicate => "duplicate".into_response(),
                }
            }
            Err(failure) if failure.is_hopeless() => {
                tracing::error!("{about} error={failure}");
                let abort = [("webhook-delivery", "abort-message")];
                (StatusCode::UNPROCESSABLE_ENTITY, abort, failure.to_string()).into_response()
            }
            Err(failure) => {
                tracing::error!("{about} error={failure}");
                (StatusCode::INTERNAL_SERVER_ERROR, "try again").into_response()
            }
        }
    }
}

impl Failure {
    /// PostgreSQL's class 22: a value that it cannot hold, however often it is tried.
    fn is_hopeless(&self) -> bool {
        match self {
            Failure::NeverSucceeds(_) => true,
            Failure::Database(error) => error.code().is_some_and(|code| code.code().starts_with("22")),
            Failure::Pool(_) => false,
        }
    }
}

fn is_signed(secrets: &[Webhook], headers: &HeaderMap, body: &[u8]) -> bool {
    secrets.iter().any(|secret| secret.verify(body, headers).is_ok())
}

/// A header's text; empty if it is not there.
pub(crate) fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
