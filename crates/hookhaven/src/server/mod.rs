//! The one way in: listening, connections and their limits, for the ingest and the admin address
//! alike. What a request means is the [`Handler`]'s business.
//!
//! Our own accept loop on hyper, because the limits that matter against slow or hostile peers belong
//! to the connection, not to the request: how many there are, how long one may say nothing, how
//! long its headers may take, how long it may leave an answer unread. One supervisor per connection
//! ([`activity`]) holds all of these with a single lazy timer, so that a request costs no timer.
//!
//! A connection's way: `accept` (a seat first; beyond `connections_max` one is answered 503, and beyond
//! those that are being answered so, one waits in the kernel) →
//! [`connection::serve`] over any byte stream → the handler. TLS (`handshake`) is a step between the two: a stream
//! that has been through a handshake is served by the same function under the same deadlines. What is shown is asked
//! for at each connection, so that a certificate can change while the server runs.
//!
//! Not here: paths, bodies, answers, authentication.

mod accept;
mod activity;
mod body;
mod busy;
mod connection;
mod handshake;
mod limits;
mod local;
mod seats;
mod stream;

use std::{fmt, future::Future, io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::net::{TcpListener, TcpSocket};
use tower::ServiceExt;

pub use self::{limits::ServerLimits, local::local_url};
pub use crate::tls::ClientCertificate;
use crate::tls::ListenerTls;

/// Connections the kernel may hold for us before we accept them; it may cap this itself.
const BACKLOG: u32 = 4_096;

/// Address of the other end of the connection; with the admin router also a request extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What answers requests. It cannot fail: whatever goes wrong is an answer too. A panic is caught at
/// the connection and answered with an empty 500.
pub trait Handler: Clone + Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static;

    fn handle(&self, request: Request<Incoming>, peer: Peer) -> impl Future<Output = Response<Self::Body>> + Send;
}

impl Handler for axum::Router {
    type Body = axum::body::Body;

    async fn handle(&self, mut request: Request<Incoming>, peer: Peer) -> Response<Self::Body> {
        request.extensions_mut().insert(peer);
        match self.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// An address that could not be listened on.
#[derive(Debug)]
pub struct BindError {
    pub addr: SocketAddr,
    pub source: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let addr = self.addr;
        match self.source.kind() {
            io::ErrorKind::AddrInUse => {
                write!(f, "{addr} is already in use: another program listens there; stop it, or choose another address")
            }
            io::ErrorKind::PermissionDenied => {
                write!(f, "{addr} may not be listened on: ports below 1024 need a privilege; choose another port")
            }
            io::ErrorKind::AddrNotAvailable => write!(f, "{addr} is not an address of this machine"),
            _ => write!(f, "cannot listen on {addr}: {}", self.source),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections cut because `drain_timeout` was over.
    pub cut: usize,
}

/// What a server shows now. Asked at each connection.
pub type TlsNow = Arc<dyn Fn() -> Arc<ListenerTls> + Send + Sync>;

/// A bound address, not yet served: connections wait in the kernel until [`Server::run`].
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    tls: Option<TlsNow>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addr", &self.addr).field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens on `addr`; port 0 takes a free one, see [`Server::local_addr`].
    pub fn bind(addr: SocketAddr) -> Result<Self, BindError> {
        let listen = || {
            let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // A restart must not wait for the old connections' TIME_WAIT.
            socket.set_reuseaddr(true)?;
            socket.bind(addr)?;
            let listener = socket.listen(BACKLOG)?;
            let addr = listener.local_addr()?;
            Ok(Server { listener, addr, tls: None })
        };
        listen().map_err(|source| BindError { addr, source })
    }

    /// The same server, speaking TLS if there is something to show.
    pub fn with_tls(self, tls: Option<TlsNow>) -> Self {
        Server { tls, ..self }
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown` resolves, then takes no more connections, lets requests under way
    /// finish for `limits.drain_timeout` and cuts what is left.
    pub async fn run<H: Handler>(
        self,
        handler: H,
        limits: ServerLimits,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Drained {
        accept::run(self.listener, handler, limits, self.tls, shutdown).await
    }
}
