//! The accept loop: a connection, a seat for it, a task; what happens when there is no seat, or when the
//! system has no connection to give; and the end.

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Drained, Handler, Peer, ServerLimits, TlsNow, busy,
    connection::{self, Terms},
    handshake,
    seats::{Seat, Seats},
};

const BACKOFF_FIRST: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Where connections come from.
pub(super) trait Listen: Send {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn next(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    async fn next(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.accept().await?;
        // An answer is one small write; it must not wait for an acknowledgement of the one before.
        stream.set_nodelay(true)?;
        Ok((stream, peer))
    }
}

pub(super) async fn run<L: Listen, H: Handler>(
    mut listener: L,
    handler: H,
    limits: ServerLimits,
    tls: Option<TlsNow>,
    shutdown: impl Future<Output = ()> + Send,
) -> Drained {
    let terms = Arc::new(Terms { handler, limits, http: limits.http() });
    let hasty = limits.for_turned_away();
    let no_room = Arc::new(Terms { handler: busy::Busy, limits: hasty, http: hasty.http() });
    let seats = Seats::new(limits.connections_max);
    let drain = CancellationToken::new();
    let mut connections = JoinSet::new();
    let mut trouble = Trouble::default();
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            let seat = seats.any().await;
            (seat, listener.next().await)
        };
        let (seat, accepted) = tokio::select! {
            biased;
            () = shutdown.as_mut() => break,
            // Nothing is lost by starting over: neither half of `next` takes before it gives.
            Some(_) = connections.join_next() => continue,
            accepted = next => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                trouble.over();
                let opened = Opened { stream, peer: Peer(peer), tls: tls.clone(), drain: drain.child_token() };
                match seats.best(seat) {
                    Seat::Served(permit) => opened.spawn(&mut connections, terms.clone(), permit),
                    Seat::TurnedAway(permit) => opened.spawn(&mut connections, no_room.clone(), permit),
                }
            }
            Err(error) => {
                if let Some(wait) = trouble.after(&error) {
                    tokio::select! {
                        () = shutdown.as_mut() => break,
                        () = sleep(wait) => {}
                    }
                }
            }
        }
    }
    drop(listener);
    drain.cancel();
    finish(connections, limits.drain_timeout).await
}

/// A connection before its first byte.
struct Opened<S> {
    stream: S,
    peer: Peer,
    tls: Option<TlsNow>,
    drain: CancellationToken,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Opened<S> {
    /// Serves it in a task of its own, which keeps the permit as long.
    fn spawn<H: Handler>(self, connections: &mut JoinSet<()>, terms: Arc<Terms<H>>, permit: OwnedSemaphorePermit) {
        let Opened { stream, peer, tls, drain } = self;
        match tls {
            None => connections.spawn(async move {
                connection::serve(stream, peer, None, terms, drain).await;
                drop(permit);
            }),
            Some(tls) => connections.spawn(async move {
                handshake::serve(stream, peer, &tls(), terms, drain).await;
                drop(permit);
            }),
        };
    }
}

async fn finish(mut connections: JoinSet<()>, drain_timeout: Duration) -> Drained {
    let all_done = async { while connections.join_next().await.is_some() {} };
    if timeout(drain_timeout, all_done).await.is_ok() {
        return Drained { cut: 0 };
    }
    let cut = connections.len();
    connections.shutdown().await;
    Drained { cut }
}

/// Failures of `accept` in a row. A peer that went away is none; out of files or memory is, and then
/// trying again at once would only burn the processor that could free some.
#[derive(Debug, Default)]
struct Trouble {
    wait: Option<Duration>,
}

impl Trouble {
    /// How long to wait before the next try. Logs the first of a row.
    fn after(&mut self, error: &io::Error) -> Option<Duration> {
        use io::ErrorKind as Kind;
        if let Kind::ConnectionAborted
        | Kind::ConnectionReset
        | Kind::Interrupted
        | Kind::NotConnected
        | Kind::InvalidInput = error.kind()
        {
            return None;
        }
        if self.wait.is_none() {
            tracing::error!(%error, "cannot accept connections; trying again until it works");
        }
        let wait = self.wait.map_or(BACKOFF_FIRST, |last| (last * 2).min(BACKOFF_MAX));
        self.wait = Some(wait);
        self.wait
    }

    fn over(&mut self) {
        if self.wait.take().is_some() {
            tracing::info!("accepting connections again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, future::pending};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        sync::oneshot,
        time::Instant,
    };

    use super::*;

    struct Script(VecDeque<io::Result<DuplexStream>>);

    impl Listen for Script {
        type Stream = DuplexStream;
        async fn next(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
            match self.0.pop_front() {
                Some(next) => next.map(|stream| (stream, SocketAddr::from(([127, 0, 0, 1], 1)))),
                None => pending().await,
            }
        }
    }

    fn limits() -> ServerLimits {
        ServerLimits::from(&crate::config::Limits::default())
    }

    fn hello() -> axum::Router {
        axum::Router::new().route("/", axum::routing::get(|| async { "hello" }))
    }

    #[tokio::test(start_paused = true)]
    async fn when_there_are_no_files_left_it_waits_longer_each_time_and_then_serves() {
        let (mut client, server) = duplex(4096);
        let full = || Err(io::Error::from_raw_os_error(24));
        let gone = Err(io::Error::from(io::ErrorKind::ConnectionAborted));
        let script = Script(VecDeque::from([full(), full(), gone, full(), Ok(server)]));
        let (stop, stopped) = oneshot::channel::<()>();
        let before = Instant::now();
        let running = tokio::spawn(run(script, hello(), limits(), None, async { drop(stopped.await) }));
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("hello"), "{answer}");
        assert_eq!(before.elapsed().as_millis() / 10, 7, "10 + 20 + 40 ms, none for the peer that went away");
        stop.send(()).unwrap();
        assert_eq!(running.await.unwrap(), Drained { cut: 0 });
    }

    #[test]
    fn trouble_is_capped_and_over_at_the_first_success() {
        let mut trouble = Trouble::default();
        let error = io::Error::from_raw_os_error(24);
        for _ in 0..20 {
            trouble.after(&error);
        }
        assert_eq!(trouble.after(&error), Some(BACKOFF_MAX));
        trouble.over();
        assert_eq!(trouble.after(&error), Some(BACKOFF_FIRST));
    }
}
