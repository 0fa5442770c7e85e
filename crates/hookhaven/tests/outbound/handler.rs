//! A handler that does on the wire exactly what a test tells it, also what no HTTP server would.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};

use crate::soon;

/// A request as the handler got it.
#[derive(Debug)]
pub struct Seen {
    pub head: String,
    pub body: Vec<u8>,
    /// Counts connections, from 0.
    pub connection: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|l| l.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }
}

/// What to write, and then to do.
#[derive(Clone, Debug)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub then: Then,
}

#[derive(Clone, Debug)]
pub enum Then {
    /// Wait for the next request.
    Next,
    Close,
    /// Say no more and keep the connection.
    Hang,
    /// Write without end.
    Flood,
}

pub fn raw(bytes: impl Into<Vec<u8>>, then: Then) -> Reply {
    Reply { bytes: bytes.into(), then }
}

/// A whole answer with a status and further headers.
pub fn answer(status: u16, headers: &str, body: &str) -> Reply {
    raw(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()), Then::Next)
}

pub fn status(status: u16) -> Reply {
    answer(status, "", "")
}

pub fn hang() -> Reply {
    raw("", Then::Hang)
}

pub struct Handler {
    pub address: SocketAddr,
    pub seen: mpsc::UnboundedReceiver<Seen>,
    /// Each permit lets one reply go out; without end unless asked for.
    pub gate: Arc<Semaphore>,
}

impl Handler {
    /// Replies to the n-th request (from 0) as `reply` says.
    pub async fn start(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), Semaphore::MAX_PERMITS, reply).await
    }

    /// Holds every reply back until the test adds permits to the gate.
    pub async fn gated(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), 0, reply).await
    }

    pub async fn on(
        address: SocketAddr,
        permits: usize,
        reply: impl Fn(usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, seen) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(permits));
        let shared = Arc::new(Shared { reply: Box::new(reply), count: Default::default(), told, gate: gate.clone() });
        tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let shared = shared.clone();
                tokio::spawn(async move {
                    let _ = serve(stream, connection, &shared).await;
                });
            }
        });
        Handler { address, seen, gate }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub async fn next(&mut self) -> Seen {
        soon(self.seen.recv()).await.unwrap()
    }
}

/// A port where nobody listens.
pub async fn refusing() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

struct Shared {
    reply: Box<dyn Fn(usize) -> Reply + Send + Sync>,
    count: std::sync::atomic::AtomicUsize,
    told: mpsc::UnboundedSender<Seen>,
    gate: Arc<Semaphore>,
}

async fn serve(mut stream: TcpStream, connection: usize, shared: &Shared) -> std::io::Result<()> {
    loop {
        let Some(seen) = read(&mut stream, connection).await? else { return Ok(()) };
        let n = shared.count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let _ = shared.told.send(seen);
        if let Ok(permit) = shared.gate.acquire().await
            && shared.gate.available_permits() < 1_000_000
        {
            permit.forget();
        }
        let reply = (shared.reply)(n);
        stream.write_all(&reply.bytes).await?;
        match reply.then {
            Then::Next => {}
            Then::Close => return Ok(()),
            Then::Hang => {
                // Until the other side gives up.
                let _ = stream.read(&mut [0]).await;
                return Ok(());
            }
            Then::Flood => loop {
                stream.write_all(&[b'x'; 16 << 10]).await?;
            },
        }
    }
}

async fn read(stream: &mut TcpStream, connection: usize) -> std::io::Result<Option<Seen>> {
    let mut bytes = Vec::new();
    let head_len = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_len]).into_owned();
    let mut seen = Seen { head, body: bytes.split_off(head_len), connection };
    let length: usize = seen.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
    while seen.body.len() < length {
        if stream.read_buf(&mut seen.body).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(seen))
}
