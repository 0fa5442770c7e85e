//! Refusals in QStash's shape: a status and `{"error":"<text>"}`.
//!
//! Not here: the words of a particular refusal, which stand where it happens.

use bytes::Bytes;
use hookhaven_store::StoreError;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

/// When to come again after a 503, in seconds.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("5");

/// When who came with wrong tokens too often may come again, in seconds.
const FAILURES_OVER_S: HeaderValue = HeaderValue::from_static("60");

/// Why a call was refused. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ApiError {
    pub status: StatusCode,
    pub text: String,
}

impl ApiError {
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        ApiError { status, text: text.into() }
    }

    pub fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    pub fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// A limit of ours, as QStash words its quotas.
    pub fn quota(text: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, text)
    }

    /// What is QStash's and not ours.
    pub fn out_of_scope(what: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, format!("{what} is not supported by this server"))
    }

    pub fn unavailable(text: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    pub fn into_response(self) -> Response<Full<Bytes>> {
        let body = serde_json::json!({ "error": self.text }).to_string();
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => drop(headers.insert(header::RETRY_AFTER, RETRY_AFTER_S)),
            StatusCode::TOO_MANY_REQUESTS => drop(headers.insert(header::RETRY_AFTER, FAILURES_OVER_S)),
            _ => {}
        }
        response
    }
}

/// Nothing was kept, or nobody knows: the caller should come again.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Failed(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            _ => Self::unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn refusals_are_json_and_503_says_when_to_come_again() {
        let response = ApiError::from(StoreError::Unavailable("no \"disk\"".into())).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "5");
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], br#"{"error":"the store cannot accept now: no \"disk\""}"#);
        assert!(!ApiError::bad("x").into_response().headers().contains_key("retry-after"));
    }
}
