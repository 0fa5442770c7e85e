//! One connection, from its first byte to its last: hyper speaks, the supervisor keeps the deadlines.

use std::{convert::Infallible, panic::AssertUnwindSafe, pin::pin, sync::Arc};

use futures_util::FutureExt;
use http::{Request, Response, StatusCode, Version};
use hyper::{
    body::{Body, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    ClientCertificate, Handler, Peer, ServerLimits,
    activity::{Activity, Verdict},
    body::{Answered, UnderWay},
    stream::Watched,
};

/// What every connection of a server has from it.
pub(super) struct Terms<H> {
    pub handler: H,
    pub limits: ServerLimits,
    pub http: Builder<TokioExecutor>,
}

/// What every request of a connection has from it.
struct Connection<H> {
    terms: Arc<Terms<H>>,
    peer: Peer,
    certificate: Option<ClientCertificate>,
    activity: Arc<Activity>,
}

/// Serves one stream until either side ends it, a deadline passes, or, after `drain`, the requests
/// under way are answered.
/// `certificate`: what the client showed in a handshake.
pub(super) async fn serve<T, H>(
    stream: T,
    peer: Peer,
    certificate: Option<ClientCertificate>,
    terms: Arc<Terms<H>>,
    drain: CancellationToken,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let activity = Arc::new(Activity::new(Instant::now()));
    let io = TokioIo::new(Watched::new(stream, activity.clone()));
    let connection = Arc::new(Connection { terms: terms.clone(), peer, certificate, activity: activity.clone() });
    let service = service_fn(move |request| answer(connection.clone(), request));
    let mut http = pin!(terms.http.serve_connection(io, service));
    let mut timer = pin!(sleep_until(Instant::now() + terms.limits.tick()));
    let mut draining = false;
    loop {
        tokio::select! {
            biased;
            ended = http.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %peer.0, %error, "connection ended early");
                }
                return;
            }
            () = drain.cancelled(), if !draining => {
                draining = true;
                http.as_mut().graceful_shutdown();
            }
            () = timer.as_mut() => match activity.verdict(Instant::now(), &terms.limits) {
                Verdict::WaitUntil(until) => timer.as_mut().reset(until),
                Verdict::Finish => {
                    activity.closing();
                    http.as_mut().graceful_shutdown();
                    timer.as_mut().reset(Instant::now());
                }
                Verdict::Drop => {
                    tracing::debug!(peer = %peer.0, "connection dropped: too slow");
                    return;
                }
            }
        }
    }
}

async fn answer<H: Handler>(
    connection: Arc<Connection<H>>,
    mut request: Request<Incoming>,
) -> Result<Response<Answered<H::Body>>, Infallible> {
    let Connection { terms, peer, certificate, activity } = &*connection;
    if let Some(certificate) = certificate {
        request.extensions_mut().insert(certificate.clone());
    }
    let under_way = UnderWay::begin(activity, request.version() == Version::HTTP_2);
    let has_body = !request.body().is_end_stream();
    let response = if request.headers().len() > terms.limits.headers_max {
        bare(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    } else {
        match AssertUnwindSafe(terms.handler.handle(request, *peer)).catch_unwind().await {
            Ok(response) => response.map(Some),
            // The panic hook has logged what and where; the peer is told nothing.
            Err(_) => {
                tracing::error!(peer = %peer.0, "a request's handler panicked; answered 500");
                bare(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    };
    if has_body && (response.status().is_client_error() || response.status().is_server_error()) {
        activity.linger();
    }
    Ok(response.map(|body| Answered::new(body, under_way)))
}

fn bare<B>(status: StatusCode) -> Response<Option<B>> {
    let mut response = Response::new(None);
    *response.status_mut() = status;
    response
}
