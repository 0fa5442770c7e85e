//! TLS before HTTP: the handshake, under the deadline of a first request's headers; then the connection is served like
//! any other.
//!
//! What is shown, and whom it takes for a client, is `crate::tls`'s business.

use std::sync::Arc;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{
    ClientCertificate, Handler, Peer,
    connection::{self, Terms},
};
use crate::tls::ListenerTls;

/// Shakes hands and serves. A peer that does not get through is dropped: there is no way to tell it more than the
/// alert that TLS has sent.
pub(super) async fn serve<T, H>(
    stream: T,
    peer: Peer,
    tls: &ListenerTls,
    terms: Arc<Terms<H>>,
    drain: CancellationToken,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let handshake = timeout(terms.limits.header_timeout, TlsAcceptor::from(tls.config()).accept(stream));
    let stream = tokio::select! {
        // Nothing was asked yet, so nothing is owed.
        () = drain.cancelled() => return,
        shaken = handshake => match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(peer = %peer.0, %error, "TLS handshake failed");
                return;
            }
            Err(_) => {
                tracing::debug!(peer = %peer.0, "connection dropped: too slow in its TLS handshake");
                return;
            }
        }
    };
    let certificate = client_certificate(&stream);
    connection::serve(stream, peer, certificate, terms, drain).await;
}

fn client_certificate<T>(stream: &TlsStream<T>) -> Option<ClientCertificate> {
    let (_, connection) = stream.get_ref();
    let certificate = connection.peer_certificates()?.first()?;
    Some(ClientCertificate(certificate.clone().into_owned()))
}
