//! The way from a command to the admin API. A running gateway is asked over HTTP. If none runs and
//! its data directory is here and free, the directory is opened and the same router answers in this
//! process, so that every command is written once and works on a stopped gateway too.
//!
//! Not here: what commands ask and print.

mod lines;
mod opened;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use axum::Router;
use bytes::Bytes;
use hookhaven_core::Secret;
use hookhaven_store::{
    Store,
    clock::{Clock, Entropy, OsEntropy, SystemClock},
};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::pki_types::CertificateDer;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Context, print::Screen, print::clean, settings::Settings};
use crate::{
    api::{LAST_EVENT_ID, LIMIT_MAX, Problem},
    config::Config,
    tls::pinned,
};

/// How long one request may take; a bulk act on thousands is the longest.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest answer that is read: an event's body, or a page of 500 deliveries.
const ANSWER_BYTES_MAX: usize = 256 << 20;

type Https = hyper_rustls::HttpsConnector<HttpConnector>;

/// Speaks to one gateway.
pub struct Client {
    via: Via,
    /// What the person knows it by, for messages.
    name: String,
    base: String,
    token: Option<Secret>,
}

enum Via {
    Http(Pool<HttpConnector, Full<Bytes>>),
    Https(Pool<Https, Full<Bytes>>),
    /// The store itself; `shared`: it may have gateways elsewhere.
    Opened {
        router: Router,
        store: Arc<dyn Store>,
        shared: bool,
        /// Bulk work goes on for as long as the command asks for it.
        jobs: Running,
    },
}

/// What runs beside a command.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// An HTTP answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What the API refused. Branch on `code`.
#[derive(Debug, thiserror::Error)]
#[error("{}", clean(&.0.detail))]
pub struct Refusal(pub Problem);

/// There is a gateway, or something before it, that cannot answer now: the same may go better later.
#[derive(Debug, thiserror::Error)]
#[error("{0} answers {1}")]
pub struct NotNow(String, StatusCode);

/// Finds the gateway, runs the command against it and lets go of it again.
pub async fn with_gateway<R>(
    context: &Context,
    command: impl AsyncFnOnce(&Client, &mut Screen) -> anyhow::Result<R>,
) -> anyhow::Result<R> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let mut screen = Screen::of(context, clock.now());
    let client = Client::find(&Settings::read(context)?, clock, Arc::new(OsEntropy)).await?;
    match client.via {
        Via::Opened { shared: false, .. } => screen.remark(format!(
            "No gateway is running: this is what {} holds, and nothing is delivered until one starts.",
            client.name
        )),
        Via::Opened { shared: true, .. } => {
            screen.remark(format!("No gateway answers at {}: the database is asked itself.", client.name))
        }
        _ => {}
    }
    let done = command(&client, &mut screen).await;
    client.close().await;
    done
}

impl Client {
    /// A client of the running gateway, else of the data directory.
    pub async fn find(settings: &Settings, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> anyhow::Result<Self> {
        let client = Client::pinned(&settings.url, settings.token.clone(), settings.certificate.clone())?;
        match client.send(Method::GET, "/healthz", None).await {
            Ok(_) => return Ok(client),
            Err(error) if is_refused(&error) => {}
            Err(error) => return Err(error),
        }
        let url = &settings.url;
        match &settings.data_dir {
            _ if settings.url_given => bail!("no gateway at {url}: nobody listens there"),
            Some(dir) if dir.is_dir() => Client::opened(settings, clock, entropy).await,
            Some(dir) => bail!(
                "no gateway at {url} and no data directory {}; start one with `hookhaven serve`, or say where one is \
                 with --url",
                dir.display()
            ),
            None if settings.config().is_ok_and(Config::shares_store) => Client::opened(settings, clock, entropy).await,
            None => bail!("no gateway at {url}, and its store keeps nothing on disk; start one with `hookhaven serve`"),
        }
    }

    /// A client of the gateway at an admin address.
    pub fn remote(url: &str, token: Option<Secret>) -> anyhow::Result<Self> {
        Client::pinned(url, token, None)
    }

    /// The same, which with a certificate speaks to nobody but who has that; else to whom this machine trusts.
    pub fn pinned(
        url: &str,
        token: Option<Secret>,
        certificate: Option<CertificateDer<'static>>,
    ) -> anyhow::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        let pool = Pool::builder(TokioExecutor::new());
        let via = if url.starts_with("https:") {
            connector.enforce_http(false);
            let tls = hyper_rustls::HttpsConnectorBuilder::new();
            let tls = match certificate {
                Some(certificate) => tls.with_tls_config(pinned::with_only(certificate).context("setting up TLS")?),
                None => tls
                    .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
                    .context("reading this machine's root certificates")?,
            };
            Via::Https(pool.build(tls.https_only().enable_http1().wrap_connector(connector)))
        } else {
            Via::Http(pool.build(connector))
        };
        Ok(Client { via, name: url.to_owned(), base: url.to_owned(), token })
    }

    /// Lets go of an opened data directory.
    pub async fn close(self) {
        if let Via::Opened { store, jobs: Running { stop, task }, .. } = self.via {
            stop.cancel();
            // A panic in it was told where it happened.
            let _ = task.await;
            store.close().await;
        }
    }

    /// Where the gateway's admin side is; `None` where none runs.
    pub fn url(&self) -> Option<&str> {
        match self.via {
            Via::Opened { .. } => None,
            Via::Http(_) | Via::Https(_) => Some(&self.base),
        }
    }

    /// Whether a gateway answers there.
    pub async fn is_alive(&self) -> bool {
        self.send(Method::GET, "/healthz", None).await.is_ok_and(|answer| answer.body.as_ref() == b"ok\n")
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &Query) -> anyhow::Result<T> {
        let answer = self.send(Method::GET, &format!("/api/v1{path}{}", query.text()), None).await?;
        self.read(answer)
    }

    /// The raw bytes at a path.
    pub async fn bytes(&self, path: &str) -> anyhow::Result<Bytes> {
        let answer = self.send(Method::GET, &format!("/api/v1{path}"), None).await?;
        self.accepted(answer).map(|a| a.body)
    }

    /// The gateway's metrics, in the text format that Prometheus reads.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let answer = self.accepted(self.send(Method::GET, "/metrics", None).await?)?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        let body = Bytes::from(serde_json::to_vec(body)?);
        let answer = self.send(Method::POST, &format!("/api/v1{path}"), Some(body)).await?;
        self.read(answer)
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.send(Method::DELETE, &format!("/api/v1{path}"), None).await?;
        self.read(answer)
    }

    /// Up to `limit` items of a list, over as many pages as that takes, and where it goes on.
    pub async fn list(&self, path: &str, query: &Query, limit: usize, after: Option<String>) -> anyhow::Result<Value> {
        let mut items = Vec::new();
        let mut next = after;
        loop {
            let rest = (limit - items.len()).min(LIMIT_MAX);
            let query = query.clone().with("after", next.take()).with("limit", Some(rest));
            let mut page: Value = self.get(path, &query).await?;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            next = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if next.is_none() || items.len() >= limit {
                return Ok(serde_json::json!({ "items": items, "next": next }));
            }
        }
    }

    fn read<T: DeserializeOwned>(&self, answer: Answer) -> anyhow::Result<T> {
        let answer = self.accepted(answer)?;
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("{} answers, but not as a gateway of this version", self.name))
    }

    fn accepted(&self, answer: Answer) -> anyhow::Result<Answer> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) else {
            bail!("{} answers {}, which is not what a gateway says; is it one?", self.name, answer.status);
        };
        match answer.status {
            StatusCode::UNAUTHORIZED if self.token.is_none() => bail!(
                "the gateway at {} wants a token; give it with --token or HOOKHAVEN_ADMIN_TOKEN, keep one with \
                 `hookhaven login {}`, or name its data directory with --data",
                self.name,
                self.name
            ),
            StatusCode::UNAUTHORIZED => bail!(
                "the gateway at {} refuses this token: {}. Give the right one with --token or HOOKHAVEN_ADMIN_TOKEN, or \
                 keep one with `hookhaven login {}`",
                self.name,
                clean(&problem.detail),
                self.name
            ),
            _ => Err(Refusal(problem).into()),
        }
    }

    /// An answer that goes on: its body is read as it comes. What is refused is an error as ever.
    pub async fn stream(&self, path: &str, query: &Query, last: Option<&str>) -> anyhow::Result<Incoming> {
        let mut request = self.request(Method::GET, &format!("/api/v1{path}{}", query.text()), None)?;
        if let Some(last) = last {
            request.headers_mut().insert(LAST_EVENT_ID, last.parse().context("the gateway's cursor is no header")?);
        }
        let sent = async {
            match &self.via {
                Via::Http(pool) => Ok(pool.request(request).await?),
                Via::Https(pool) => Ok(pool.request(request).await?),
                Via::Opened { .. } => bail!("no gateway is running, so nothing happens"),
            }
        };
        let response = tokio::time::timeout(ANSWER_TIMEOUT, sent).await.context("no answer in time")?;
        let response = response.with_context(|| format!("asking the gateway at {}", self.name))?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(NotNow(self.name.clone(), status).into())
            }
            _ => Err(match self.accepted(collect(response).await?) {
                Ok(answer) => anyhow!("{} answers {} instead of a stream", self.name, answer.status),
                Err(error) => error,
            }),
        }
    }

    fn request(&self, method: Method, path: &str, body: Option<Bytes>) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            let value = [b"Bearer ", token.expose()].concat();
            let mut value = http::HeaderValue::from_bytes(&value).context("the token cannot stand in a header")?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        Ok(request.body(Full::new(body.unwrap_or_default()))?)
    }

    async fn send(&self, method: Method, path: &str, body: Option<Bytes>) -> anyhow::Result<Answer> {
        let request = self.request(method, path, body)?;
        let sent = async {
            match &self.via {
                Via::Http(pool) => collect(pool.request(request).await?).await,
                Via::Https(pool) => collect(pool.request(request).await?).await,
                Via::Opened { router, .. } => {
                    let request = request.map(axum::body::Body::new);
                    match router.clone().oneshot(request).await {
                        Ok(response) => collect(response).await,
                        Err(never) => match never {},
                    }
                }
            }
        };
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, sent).await;
        answer
            .map_err(|_| anyhow!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))
            .and_then(|done| done)
            .with_context(|| format!("asking the gateway at {}", self.name))
    }
}

async fn collect<B>(response: http::Response<B>) -> anyhow::Result<Answer>
where
    B: hyper::body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|e| anyhow!(e))?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, body })
}

/// Whether nobody listens there.
pub fn is_refused(error: &anyhow::Error) -> bool {
    let mut io = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.any(|e| e.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// A query string, built from what is set.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(&'static str, String)>);

impl Query {
    pub fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.0.extend(value.map(|v| (name, v.to_string())));
        self
    }

    fn text(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut text = url::form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
        text.extend_pairs(&self.0);
        text.finish()
    }
}
