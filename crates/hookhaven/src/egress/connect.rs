//! The connector: resolve → judge each address → connect → TLS. It is the only place that opens a
//! connection, and it judges addresses written as literals like any other (the ready-made connectors
//! skip their resolver for those).

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use hookhaven_core::ErrorClass;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::Service;

use super::{
    address::Reach,
    progress::{Progress, Stage, peer},
    resolve::Resolver,
    words,
};

/// How long one address has before the next one is tried beside it (RFC 8305).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Why there is no connection, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ConnectError {
    pub class: ErrorClass,
    pub text: String,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Stream = TokioIo<TcpStream>;
type Connecting<S> = Pin<Box<dyn Future<Output = Result<S, BoxError>> + Send>>;

/// Connections with TLS where the address says `https`.
#[derive(Clone, Debug)]
pub struct Connector {
    tls: HttpsConnector<TcpConnector>,
    timeout: Duration,
}

impl Connector {
    pub fn new(tls: ClientConfig, reach: Reach, resolver: Arc<Resolver>, timeout: Duration) -> Self {
        let tcp = TcpConnector { reach, resolver };
        let tls =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().wrap_connector(tcp);
        Connector { tls, timeout }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Stream>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let progress = Progress::current();
        let host = uri.authority().map(|a| a.as_str().to_owned()).unwrap_or_default();
        let (connecting, timeout) = (self.tls.call(uri), self.timeout);
        Box::pin(async move {
            // A connection may outlive the request it was begun for, and so that request's timeout.
            let connected = match tokio::time::timeout(timeout, connecting).await {
                Ok(connected) => connected,
                Err(_) => {
                    let text = format!("no connection to {host} within {}", words::seconds(timeout));
                    return Err(ConnectError { class: ErrorClass::Timeout, text }.into());
                }
            };
            if connected.is_ok() {
                enter(progress.as_ref(), Stage::Waiting);
            }
            connected.map_err(|e| match e.downcast::<ConnectError>() {
                Ok(error) => error as BoxError,
                Err(error) => {
                    let text = format!("TLS with {host} failed: {}", words::tls(&*error));
                    ConnectError { class: ErrorClass::Tls, text }.into()
                }
            })
        })
    }
}

/// Plain connections to addresses that may be reached.
#[derive(Clone, Debug)]
pub struct TcpConnector {
    reach: Reach,
    resolver: Arc<Resolver>,
}

impl Service<Uri> for TcpConnector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Connecting<Stream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (progress, connector) = (Progress::current(), self.clone());
        Box::pin(async move {
            let stream = connector.connect(&uri, progress.as_ref()).await?;
            let secure = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
            enter(progress.as_ref(), if secure { Stage::Handshake } else { Stage::Waiting });
            Ok(TokioIo::new(stream))
        })
    }
}

impl TcpConnector {
    async fn connect(&self, uri: &Uri, progress: Option<&Progress>) -> Result<TcpStream, ConnectError> {
        let host = uri.host().unwrap_or_default();
        let default_port = if uri.scheme() == Some(&http::uri::Scheme::HTTPS) { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default_port);
        enter(progress, Stage::Resolving);
        let found = self.resolver.resolve(host).await;
        let ips = found.map_err(|text| ConnectError { class: ErrorClass::Dns, text })?;
        enter(progress, Stage::Connecting);
        let mut allowed = Vec::with_capacity(ips.len());
        let mut refused = None;
        for ip in ips.iter() {
            let address = SocketAddr::new(*ip, port);
            match self.reach.refuses(address) {
                None => allowed.push(address),
                Some(what) => refused = Some(format!("{} must not be called: it is {what}", peer(address))),
            }
        }
        match refused {
            Some(text) if allowed.is_empty() => Err(ConnectError { class: ErrorClass::Refused, text }),
            _ => first_to_connect(&allowed).await,
        }
    }
}

/// Tries the addresses in order, each a little after the one before or as soon as that one failed;
/// the first connection wins. The error is the last one's.
async fn first_to_connect(addresses: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
    let mut waiting = addresses.iter().copied();
    let mut trying = FuturesUnordered::new();
    let mut last = ConnectError { class: ErrorClass::Connect, text: "there is no address to connect to".to_owned() };
    loop {
        match waiting.next() {
            Some(address) => trying.push(connect(address)),
            None if trying.is_empty() => return Err(last),
            None => {}
        }
        let more = waiting.len() > 0;
        tokio::select! {
            Some(tried) = trying.next() => match tried {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            },
            () = tokio::time::sleep(NEXT_ADDRESS_AFTER), if more => {}
        }
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, ConnectError> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| ConnectError { class: ErrorClass::Connect, text: words::connect(&error, &peer(address)) })?;
    // Attempts are small; waiting to fill a packet only delays them. Without it they still arrive.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

fn enter(progress: Option<&Progress>, stage: Stage) {
    if let Some(progress) = progress {
        progress.enter(stage);
    }
}
