//! Refusals as problem documents (RFC 9457): `{type, title, status, code, detail}`. The `code` is the
//! stable name to branch on; the detail is for people and says the mend.
//!
//! Not here: the words of a particular refusal, which stand where it happens.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use hookhaven_store::StoreError;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema;

/// A refusal (RFC 9457). Branch on `code`; `detail` is for people and says the mend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:hookhaven:problem:` and the code.
    #[schema(examples("urn:hookhaven:problem:event_not_found"))]
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    #[schema(schema_with = schema::code)]
    pub code: String,
    pub detail: String,
}

/// A stable code, its status and its title.
pub struct Code {
    pub code: &'static str,
    pub status: StatusCode,
    pub title: &'static str,
}

macro_rules! codes {
    ($($name:ident = $status:ident, $code:literal, $title:literal;)*) => {
        $(pub(crate) const $name: Code = Code { code: $code, status: StatusCode::$status, title: $title };)*
        /// Every code that the API answers with.
        pub const CODES: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    UNAUTHORIZED = UNAUTHORIZED, "unauthorized", "The token is missing, wrong, or over";
    FORBIDDEN = FORBIDDEN, "forbidden", "The token does not open this";
    TOO_MANY_FAILURES = TOO_MANY_REQUESTS, "too_many_failures", "Too many requests from this address were refused";
    HOST_NOT_ALLOWED = MISDIRECTED_REQUEST, "host_not_allowed", "The admin side does not answer under this host name";
    ORIGIN_NOT_ALLOWED = FORBIDDEN, "origin_not_allowed", "The request comes from another site";
    NO_SUCH_PATH = NOT_FOUND, "no_such_path", "There is nothing at this path";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED, "method_not_allowed", "This path does not take this method";
    MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body must be JSON";
    BODY_TOO_LARGE = PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large";
    BAD_QUERY = BAD_REQUEST, "bad_query", "The query cannot be understood";
    BAD_BODY = BAD_REQUEST, "bad_body", "The body cannot be understood";
    BAD_ID = BAD_REQUEST, "bad_id", "That is not an id";
    EVENT_NOT_FOUND = NOT_FOUND, "event_not_found", "No such event";
    DELIVERY_NOT_FOUND = NOT_FOUND, "delivery_not_found", "No such delivery";
    REJECTED_NOT_FOUND = NOT_FOUND, "rejected_not_found", "No such rejected request";
    SOURCE_NOT_FOUND = NOT_FOUND, "source_not_found", "No such source";
    TOKEN_NOT_FOUND = NOT_FOUND, "token_not_found", "No such token";
    TOKEN_NAME_TAKEN = CONFLICT, "token_name_taken", "There is a token of this name";
    TOO_MANY_TOKENS = CONFLICT, "too_many_tokens", "There are too many tokens";
    DESTINATION_NOT_FOUND = NOT_FOUND, "destination_not_found", "No such destination";
    MESSAGE_NOT_FOUND = NOT_FOUND, "message_not_found", "No such message";
    QUEUE_NOT_FOUND = NOT_FOUND, "queue_not_found", "No such queue";
    SCHEDULE_NOT_FOUND = NOT_FOUND, "schedule_not_found", "No such schedule";
    URL_GROUP_NOT_FOUND = NOT_FOUND, "url_group_not_found", "No such URL group";
    FLOW_CONTROL_NOT_FOUND = NOT_FOUND, "flow_control_not_found", "No such flow-control key";
    CHANNEL_NOT_FOUND = NOT_FOUND, "channel_not_found", "No such channel";
    SILENCE_NOT_FOUND = NOT_FOUND, "silence_not_found", "No such silence";
    MARK_NOT_FOUND = NOT_FOUND, "mark_not_found", "No such mark";
    CANNOT_SIGN = CONFLICT, "cannot_sign", "Nobody but the sender can sign for this source";
    NO_INGEST = CONFLICT, "no_ingest", "This node takes nothing in";
    TOO_MANY_TRIALS = TOO_MANY_REQUESTS, "too_many_trials", "Too much was tried out in the last minute";
    NO_GATEWAY = CONFLICT, "no_gateway", "No gateway is running";
    NOT_ENDED = CONFLICT, "not_ended", "The delivery has not ended";
    NOTHING_TO_REPLAY = CONFLICT, "nothing_to_replay", "The event has no dead letter";
    NO_ROUTE = CONFLICT, "no_route", "No route takes this event";
    STATE_FROM_CONFIG = CONFLICT, "state_from_config", "The config file decides this";
    NO_KEYS = NOT_FOUND, "no_signing_keys", "There are no signing keys yet";
    KEYS_CHANGED = CONFLICT, "signing_keys_changed", "The signing keys are not those that you named";
    KEYS_FROM_CONFIG = CONFLICT, "keys_from_config", "The configuration gives the signing keys";
    TOO_MANY_STREAMS = SERVICE_UNAVAILABLE, "too_many_streams", "Too many streams are open";
    STORE_UNAVAILABLE = SERVICE_UNAVAILABLE, "store_unavailable", "The store is not available";
    STORE_FULL = SERVICE_UNAVAILABLE, "store_full", "The store is full";
    STORE_REFUSED = CONFLICT, "store_refused", "That cannot be done as it was asked";
    ANALYSIS_RUNNING = CONFLICT, "analysis_running", "An analysis is being made";
    SEARCHES_RUNNING = TOO_MANY_REQUESTS, "searches_running", "As many searches as may run are running";
    BACKUP_RUNNING = CONFLICT, "backup_running", "A backup is being written";
    BAD_JOB = BAD_REQUEST, "bad_job", "That is no bulk work that can be done";
    JOB_NOT_FOUND = NOT_FOUND, "job_not_found", "No such job";
    JOB_ENDED = CONFLICT, "job_ended", "The job has ended";
    TOO_MANY_JOBS = CONFLICT, "too_many_jobs", "Too many jobs have not ended";
    KEY_IN_USE = CONFLICT, "key_in_use", "The idempotency key was used for something else";
    STORE_FAILED = INTERNAL_SERVER_ERROR, "store_failed", "The store failed";
}

/// After how long to ask again when the store cannot, in seconds.
const RETRY_AFTER_S: &str = "5";
/// After how long refusals are forgotten, in seconds.
const FAILURES_OVER_S: &str = "60";

impl Problem {
    pub(crate) fn new(code: &Code, detail: impl Into<String>) -> Self {
        Problem {
            kind: format!("urn:hookhaven:problem:{}", code.code),
            title: code.title.to_owned(),
            status: code.status.as_u16(),
            code: code.code.to_owned(),
            detail: detail.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"hookhaven\""));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(FAILURES_OVER_S));
            }
            _ => {}
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Unavailable(_) => &STORE_UNAVAILABLE,
            StoreError::Full { .. } => &STORE_FULL,
            StoreError::Refused(_) => &STORE_REFUSED,
            StoreError::Locked(_) | StoreError::Incompatible(_) | StoreError::Failed(_) => &STORE_FAILED,
        };
        if code.code == STORE_FAILED.code {
            tracing::error!(%error, "the store failed on an admin request");
        }
        Problem::new(code, error.to_string())
    }
}

pub(crate) async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(&NO_SUCH_PATH, format!("{} is not a path of the admin API; they begin with /api/v1/", uri.path()))
}

pub(crate) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(&METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_errors() {
        for (i, code) in CODES.iter().enumerate() {
            assert!(code.status.is_client_error() || code.status.is_server_error(), "{}", code.code);
            assert!(CODES[..i].iter().all(|other| other.code != code.code), "{}", code.code);
        }
    }

    #[test]
    fn a_store_that_cannot_accept_says_when_to_ask_again() {
        let response = Problem::from(StoreError::Unavailable("the disk is full".into())).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
