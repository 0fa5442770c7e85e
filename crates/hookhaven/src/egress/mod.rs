//! The one way out: every request that the gateway makes leaves through [`Transport`].
//!
//! A name is resolved, each address is judged, only then is it connected to, and TLS follows; an
//! address written as a literal goes the same way. Connections are pooled per class of addresses that
//! may be reached ([`Reach`]), because a pooled connection outlives the judgement that allowed it; and when
//! `net.allow` changes, the pool of published messages is begun anew. The address that was judged is the one
//! connected to. Redirects are never followed, and no proxy is asked: one would do the connecting. One limit of time covers everything from the name to the last byte
//! read of the answer.
//!
//! Not here: what is sent, whether it is sent again, what an answer means. Those are the worker's and
//! the core's.

mod address;
mod connect;
pub mod exact;
mod progress;
mod resolve;
mod special;
mod words;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use hookhaven_core::{ErrorClass, Phases};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use ipnet::IpNet;
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};

pub use self::{
    address::{Reach, judge_literal},
    exact::{ExactUrl, ExactUrlError},
    resolve::{Names, SystemNames},
};
use self::{
    connect::Connector,
    progress::{PROGRESS, Progress},
    resolve::Resolver,
};

/// How often a connection with several requests on it is tried while it is silent, and how long it
/// may then stay so.
const H2_PING: Duration = Duration::from_secs(5);

/// How the transport is set up. `Default` is right but for the gateway's own addresses.
#[derive(Clone, Debug)]
pub struct TransportOptions {
    /// The admin side's addresses, as bound: never called, whatever the config says.
    pub own_addresses: Vec<SocketAddr>,
    pub roots: Roots,
    pub names: Arc<dyn Names>,
    /// For name, connection and TLS of one connection; an attempt's own timeout may be shorter.
    pub connect_timeout: Duration,
    /// Below the 5 s after which common handlers (Node's) close a connection on their side, so that
    /// we do not send on one that is being closed.
    pub idle_timeout: Duration,
    /// Idle connections kept per host.
    pub idle_per_host_max: usize,
    /// Headers of an answer; more are a failure of the attempt.
    pub answer_headers_max: usize,
    /// Their bytes, at least 8 KiB.
    pub answer_header_bytes_max: usize,
}

/// Whom TLS trusts.
#[derive(Clone, Debug)]
pub enum Roots {
    /// The machine's certificates; those compiled in where it has none (a bare container).
    System,
    Only(Vec<CertificateDer<'static>>),
}

impl Default for TransportOptions {
    fn default() -> Self {
        TransportOptions {
            own_addresses: Vec::new(),
            roots: Roots::System,
            names: Arc::new(SystemNames),
            connect_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(4),
            idle_per_host_max: 256,
            answer_headers_max: 100,
            answer_header_bytes_max: 64 << 10,
        }
    }
}

/// Whom a request is for, and so what it may reach. `http` or `https`; a user name and password in the URL
/// are not sent: make a header of them.
#[derive(Clone)]
pub enum To {
    /// A destination of the config file: anywhere but our own admin side.
    Configured(url::Url),
    /// A host of a sender's own, from which its keys are fetched or a subscription confirmed: the public Internet.
    Sender(Arc<str>),
    /// What somebody published to, verbatim: the public Internet, and what `net.allow` names.
    Published { url: Arc<str>, allow: Arc<[IpNet]> },
}

impl To {
    pub fn url(&self) -> Result<ExactUrl, ExactUrlError> {
        match self {
            To::Configured(url) => ExactUrl::of(url),
            To::Published { url, .. } | To::Sender(url) => ExactUrl::parse(url),
        }
    }
}

/// The URL as it may be shown (I6).
impl fmt::Debug for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url().map(|url| url.shown()).unwrap_or_else(|error| error.to_string());
        match self {
            To::Configured(_) => write!(f, "Configured({url})"),
            To::Published { .. } => write!(f, "Published({url})"),
            To::Sender(_) => write!(f, "Sender({url})"),
        }
    }
}

/// One request to be made.
#[derive(Clone)]
pub struct Outbound {
    pub method: Method,
    pub to: To,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// From the name to the last byte read of the answer.
    pub timeout: Duration,
    /// Kept of the answer's body.
    pub excerpt_bytes_max: usize,
    /// Read of the answer's body; the connection is given up if there is more, which is no failure.
    pub response_bytes_max: usize,
}

/// Without headers and body (I6).
impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("method", &self.method)
            .field("to", &self.to)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub result: Result<Answered, Failure>,
    pub phases: Phases,
    pub duration: Duration,
}

#[derive(Clone, Debug)]
pub struct Answered {
    pub status: StatusCode,
    /// Bounded by the options' limits.
    pub headers: HeaderMap,
    pub excerpt: Bytes,
}

/// No whole answer came. An answer other than 2xx whose body broke off counts as an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub class: ErrorClass,
    /// In words for people; never a secret, never a user name or password of a URL.
    pub error: String,
    /// Of an answer that broke off.
    pub status: Option<StatusCode>,
}

/// The transport could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}")]
pub struct TransportError(#[from] rustls::Error);

/// The way out, as the worker sees it: [`Transport`], or what simulation puts in its place.
#[async_trait]
pub trait Egress: Send + Sync + fmt::Debug {
    /// Makes one request, once. Everything that can go wrong is in the answer.
    async fn send(&self, outbound: Outbound) -> Sent;
}

/// Makes requests. Cheap to share, never cloned per request.
#[derive(Debug)]
pub struct Transport {
    setup: Setup,
    /// For destinations of the config file, which are trusted to name any address but our own.
    configured: Pool,
    /// For what senders publish: no setting opens anything else to them.
    senders: Pool,
    /// For published messages, under the `net.allow` of the last one.
    published: ArcSwap<Allowed>,
}

type Pool = Client<Connector, Full<Bytes>>;

/// What every pool is made of.
#[derive(Debug)]
struct Setup {
    options: TransportOptions,
    own: Arc<[SocketAddr]>,
    tls: ClientConfig,
    resolver: Arc<Resolver>,
}

/// Connections that were judged by one and the same `net.allow`.
#[derive(Debug)]
struct Allowed {
    allow: Arc<[IpNet]>,
    pool: Pool,
}

impl Transport {
    pub fn new(options: TransportOptions) -> Result<Self, TransportError> {
        let tls = tls_config(&options.roots)?;
        let resolver = Arc::new(Resolver::new(options.names.clone()));
        let setup = Setup { own: options.own_addresses.clone().into(), options, tls, resolver };
        let configured = setup.pool(Reach::Trusted { own: setup.own.clone() });
        let senders = setup.allowed(Arc::new([])).pool;
        let published = ArcSwap::from_pointee(setup.allowed(Arc::new([])));
        Ok(Transport { setup, configured, senders, published })
    }

    /// The pool for whom a request is for.
    fn pool(&self, to: &To) -> Pool {
        let allow = match to {
            To::Configured(_) => return self.configured.clone(),
            To::Sender(_) => return self.senders.clone(),
            To::Published { allow, .. } => allow,
        };
        let known = self.published.load();
        if known.allow == *allow {
            return known.pool.clone();
        }
        let allowed = Arc::new(self.setup.allowed(allow.clone()));
        self.published.store(allowed.clone());
        allowed.pool.clone()
    }
}

#[async_trait]
impl Egress for Transport {
    async fn send(&self, outbound: Outbound) -> Sent {
        let url = match outbound.to.url() {
            Ok(url) => url,
            Err(error) => return Sent::unusable(error),
        };
        let (timeout, pool) = (outbound.timeout, self.pool(&outbound.to));
        let progress = Progress::start(&url);
        let exchange = PROGRESS.scope(progress.clone(), exchange(&pool, &url, outbound, &progress));
        let result = match tokio::time::timeout(timeout, exchange).await {
            Ok(result) => result,
            Err(_) => after_timeout(&progress, timeout),
        };
        let (phases, duration) = progress.end();
        Sent { result, phases, duration }
    }
}

impl Sent {
    fn unusable(error: ExactUrlError) -> Self {
        Sent { result: Err(unusable(error)), phases: Phases::default(), duration: Duration::ZERO }
    }
}

fn unusable(error: ExactUrlError) -> Failure {
    let error = format!("the destination's address cannot be called: {error}");
    Failure { class: ErrorClass::Refused, error, status: None }
}

impl Setup {
    fn allowed(&self, allow: Arc<[IpNet]>) -> Allowed {
        let pool = self.pool(Reach::Published { own: self.own.clone(), allow: allow.clone() });
        Allowed { allow, pool }
    }

    fn pool(&self, reach: Reach) -> Pool {
        pool(&self.options, self.tls.clone(), reach, self.resolver.clone())
    }
}

fn pool(options: &TransportOptions, tls: ClientConfig, reach: Reach, resolver: Arc<Resolver>) -> Pool {
    let connector = Connector::new(tls, reach, resolver, options.connect_timeout);
    let h2_header_bytes = u32::try_from(options.answer_header_bytes_max).unwrap_or(u32::MAX);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(options.idle_timeout)
        .pool_max_idle_per_host(options.idle_per_host_max)
        // Names mean the same in any case over HTTP/1, but people read them, and QStash writes them so.
        .http1_title_case_headers(true)
        .http1_max_headers(options.answer_headers_max)
        .http1_max_buf_size(options.answer_header_bytes_max.max(8 << 10))
        .http2_max_header_list_size(h2_header_bytes)
        // Otherwise a host that vanished takes every attempt with it until TCP notices.
        .http2_keep_alive_interval(H2_PING)
        .http2_keep_alive_timeout(H2_PING)
        .build(connector)
}

fn tls_config(roots: &Roots) -> Result<ClientConfig, rustls::Error> {
    use hyper_rustls::ConfigBuilderExt;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = || ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    Ok(match roots {
        Roots::System => match builder()?.with_native_roots() {
            Ok(builder) => builder.with_no_client_auth(),
            Err(_) => builder()?.with_webpki_roots().with_no_client_auth(),
        },
        Roots::Only(certificates) => {
            let mut store = RootCertStore::empty();
            for certificate in certificates {
                store.add(certificate.clone())?;
            }
            builder()?.with_root_certificates(store).with_no_client_auth()
        }
    })
}

async fn exchange(pool: &Pool, url: &ExactUrl, outbound: Outbound, progress: &Progress) -> Result<Answered, Failure> {
    let limits = (outbound.excerpt_bytes_max, outbound.response_bytes_max);
    let mut request = Request::new(Full::new(outbound.body));
    *request.method_mut() = outbound.method;
    *request.uri_mut() = url.uri().map_err(unusable)?;
    *request.headers_mut() = outbound.headers;
    let answer = pool.request(request).await.map_err(|e| words::failure(&e, progress))?;
    let (head, body) = answer.into_parts();
    progress.answered(head.status, &head.headers);
    match read(body, limits, progress).await {
        Ok(excerpt) => Ok(Answered { status: head.status, headers: head.headers, excerpt }),
        // The status says enough to go by; that of a success does not.
        Err(_) if !head.status.is_success() => {
            Ok(Answered { status: head.status, headers: head.headers, excerpt: progress.excerpt() })
        }
        Err(error) => Err(words::broken_body(&error, head.status)),
    }
}

/// Reads the body up to its limit and keeps its beginning. Leaving the rest unread closes the
/// connection (or resets the stream, in HTTP/2).
async fn read(mut body: Incoming, limits: (usize, usize), progress: &Progress) -> Result<Bytes, hyper::Error> {
    let (excerpt_max, read_max) = limits;
    let (mut excerpt, mut read) = (BytesMut::new(), 0usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        read = read.saturating_add(data.len());
        let wanted = excerpt_max.saturating_sub(excerpt.len()).min(data.len());
        if wanted > 0 {
            excerpt.extend_from_slice(&data[..wanted]);
            progress.keep_excerpt(&excerpt);
        }
        if read > read_max {
            break;
        }
    }
    Ok(excerpt.freeze())
}

fn after_timeout(progress: &Progress, timeout: Duration) -> Result<Answered, Failure> {
    match progress.answer() {
        Some((status, headers)) if !status.is_success() => {
            Ok(Answered { status, headers, excerpt: progress.excerpt() })
        }
        answer => Err(words::timed_out(progress, timeout, answer.map(|(status, _)| status))),
    }
}
