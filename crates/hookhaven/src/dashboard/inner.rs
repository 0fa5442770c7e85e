//! The API asked from within: the same router, views and refusals as a client has, without a socket between.

use aws_lc_rs::digest::{SHA256, digest};
use axum::{Router, body::Body, extract::Request, response::Response};
use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde::{Serialize, de::DeserializeOwned};
use tower::ServiceExt as _;

use crate::{
    access::Who,
    api::{Inside, Problem},
};

/// Longest answer that a page reads. Bodies of events go past pages, as streams.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// The API, for one reader.
#[derive(Clone)]
pub(crate) struct Inner {
    api: Router,
    who: Who,
}

/// What the API refused, or why it could not be asked.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub status: StatusCode,
    pub code: String,
    pub title: String,
    pub detail: String,
}

impl Inner {
    pub(super) fn new(api: Router, who: Who) -> Self {
        Inner { api, who }
    }

    /// Reads a view. `path` is what a client would ask for, `/api/v1` left out: see [`super::query::path`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.ask(Method::GET, path, Body::empty()).await
    }

    /// As `get`, where there may be none.
    pub async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Trouble> {
        match self.get(path).await {
            Err(trouble) if trouble.status == StatusCode::NOT_FOUND => Ok(None),
            other => other.map(Some),
        }
    }

    /// Writes, with a body of JSON.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Trouble> {
        let body =
            serde_json::to_vec(body).map_err(|error| Trouble::own("the question could not be written", error))?;
        self.ask(Method::POST, path, Body::from(body)).await
    }

    /// As `post`, and once for this key, which is any text.
    pub async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &[&str],
        body: &impl Serialize,
    ) -> Result<T, Trouble> {
        let body =
            serde_json::to_vec(body).map_err(|error| Trouble::own("the question could not be written", error))?;
        let key = hex::encode(digest(&SHA256, key.join("\0").as_bytes()).as_ref());
        let key = http::HeaderValue::try_from(key).map_err(|error| Trouble::own("that is no key", error))?;
        let response = self.send(Method::POST, path, Body::from(body), Some(key)).await?;
        read(&whole(response).await?)
    }

    /// Writes, where nothing more needs to be said.
    pub async fn act<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.ask(Method::POST, path, Body::empty()).await
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.ask(Method::DELETE, path, Body::empty()).await
    }

    /// The answer as it comes: bodies of events, streams.
    pub async fn raw(&self, method: Method, path: &str, body: Body) -> Result<Response, Trouble> {
        self.send(method, path, body, None).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Body,
        key: Option<http::HeaderValue>,
    ) -> Result<Response, Trouble> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() =
            format!("/api/v1{path}").parse().map_err(|error| Trouble::own("that is no path of the API", error))?;
        request.extensions_mut().insert(Inside(self.who.clone()));
        if !hyper::body::Body::is_end_stream(request.body()) {
            request.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        }
        if let Some(key) = key {
            request.headers_mut().insert(http::HeaderName::from_static("idempotency-key"), key);
        }
        let Ok(response) = self.api.clone().oneshot(request).await;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = whole(response).await?;
        Err(match serde_json::from_slice::<Problem>(&body) {
            Ok(Problem { title, code, detail, .. }) => Trouble { status, code, title, detail },
            Err(_) => Trouble {
                status,
                code: "refused".to_owned(),
                title: "The request was refused".to_owned(),
                detail: String::from_utf8_lossy(&body).into_owned(),
            },
        })
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Body) -> Result<T, Trouble> {
        read(&whole(self.raw(method, path, body).await?).await?)
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Trouble> {
    // Where nothing is answered, `()` is read.
    let body = if body.is_empty() { b"null" } else { body };
    serde_json::from_slice(body).map_err(|error| Trouble::own("the answer could not be read", error))
}

async fn whole(response: Response) -> Result<Bytes, Trouble> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|error| Trouble::own("the answer broke off", error))
}

impl Trouble {
    fn own(title: &str, error: impl std::fmt::Display) -> Self {
        let detail = error.to_string();
        tracing::error!(title, detail, "the dashboard could not ask the API");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Trouble { status, code: "dashboard".to_owned(), title: title.to_owned(), detail }
    }

    /// What a form said that no page could have made it say, or a person mistyped.
    pub fn bad(detail: impl Into<String>) -> Self {
        Trouble {
            status: StatusCode::BAD_REQUEST,
            code: "bad_form".to_owned(),
            title: "That could not be read".to_owned(),
            detail: detail.into(),
        }
    }
}
