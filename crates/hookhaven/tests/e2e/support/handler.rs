//! A team's handler: an HTTP server in the test process whose behaviour is scripted request by request,
//! and that remembers all it was sent.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::soon;

/// One attempt, as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// From 1, over everything this handler was sent.
    pub number: usize,
    pub method: http::Method,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    /// A header's text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What the handler does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    Status(u16),
    Full {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Never answers, until the other side gives up.
    Hang,
    /// Closes the connection without an answer.
    Cut,
    /// Waits for the gate, then answers with this status.
    After(Gate, u16),
    /// Waits for the gate, then answers with 200, this content type and this body.
    SaysAfter(Gate, &'static str, String),
}

/// Closed until a test opens it, for all who wait and will wait.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Reply {
    /// 200 with this content type and body.
    pub fn says(content_type: &str, body: &str) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Reply::Full { status: 200, headers, body: body.to_owned() }
    }
}

impl Gate {
    pub fn closed() -> Self {
        Gate(watch::Sender::new(false))
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        // Our own clone of the sender is alive as long as we wait.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

type Script = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

/// What stays over a stop and a new start.
struct Shared {
    script: Mutex<Script>,
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
}

pub struct Handler {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    /// Bound for as long as this lives, and never listening: while the handler is stopped its port is nobody else's, so
    /// that connections are refused and not answered by a stranger.
    _port: TcpSocket,
    process: Process,
}

/// What dies when the handler is stopped.
#[derive(Default)]
struct Process {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Handler {
    /// Listens on a free port; `script` says what each request gets.
    pub async fn start(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let shared =
            Shared { script: Mutex::new(Arc::new(script)), received: Mutex::default(), count: watch::Sender::new(0) };
        let port = reserved();
        let address = port.local_addr().expect("a bound address");
        let mut handler = Handler { address, shared: Arc::new(shared), _port: port, process: Process::default() };
        handler.revive().await;
        handler
    }

    /// Answers every request with this status.
    pub async fn answering(status: u16) -> Self {
        Self::start(move |_| Reply::Status(status)).await
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// From now on, another script.
    pub fn change(&self, script: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(script);
    }

    /// As if the handler's process had died: when this is over, connections are cut and new ones refused.
    pub async fn stop(&mut self) {
        self.process.stop.cancel();
        self.process.tasks.close();
        soon("the handler's end", self.process.tasks.wait()).await;
    }

    /// Back on the same port, remembering what it had received.
    pub async fn revive(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("its own port, where nobody listens");
        self.process = Process::default();
        let (shared, Process { stop, tasks }) = (Arc::clone(&self.shared), &self.process);
        let (stopped, connections) = (stop.clone(), tasks.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| respond(Arc::clone(&shared), request));
                let connection = async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    // Cut connections end with the error that cut them.
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                };
                connections.spawn(stopped.clone().run_until_cancelled_owned(connection));
            }
        }));
    }

    /// The `number`th request (from 1), as soon as it is there.
    pub async fn nth(&self, number: usize) -> Received {
        self.until(number).await;
        self.received()[number - 1].clone()
    }

    /// Waits until there were so many requests.
    pub async fn until(&self, count: usize) {
        let mut counts = self.shared.count.subscribe();
        soon(&format!("request {count}"), counts.wait_for(|n| *n >= count)).await.expect("the handler is alive");
    }

    /// Everything so far, in the order of arrival.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.process.stop.cancel();
    }
}

async fn respond(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    match shared.reply_to(head, body) {
        Reply::Status(status) => Ok(response(status, &[], String::new())),
        Reply::Full { status, headers, body } => Ok(response(status, &headers, body)),
        Reply::Hang => std::future::pending().await,
        Reply::Cut => Err(io::ErrorKind::ConnectionReset.into()),
        Reply::After(gate, status) => {
            gate.passed().await;
            Ok(response(status, &[], String::new()))
        }
        Reply::SaysAfter(gate, content_type, body) => {
            gate.passed().await;
            Ok(response(200, &[("content-type", content_type.to_owned())], body))
        }
    }
}

impl Shared {
    fn reply_to(&self, head: http::request::Parts, body: Bytes) -> Reply {
        let mut all = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let http::request::Parts { method, uri, headers, .. } = head;
        let (path, query) = (uri.path().to_owned(), uri.query().map(str::to_owned));
        let received = Received { number: all.len() + 1, method, path, query, headers, body };
        let script = Arc::clone(&self.script.lock().unwrap_or_else(PoisonError::into_inner));
        let reply = script(&received);
        all.push(received);
        self.count.send_replace(all.len());
        reply
    }
}

fn response(status: u16, headers: &[(&'static str, String)], body: String) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Full::from(body)).expect("a script names a valid status and valid headers")
}

/// An address that refuses connections, and goes on to: the port stays taken, and nobody listens.
pub struct Refusing {
    pub address: SocketAddr,
    _port: TcpSocket,
}

pub fn refusing() -> Refusing {
    let port = reserved();
    Refusing { address: port.local_addr().expect("a bound address"), _port: port }
}

/// A port that nobody else is given, neither to listen on nor to connect from; who says its number may listen on it.
fn reserved() -> TcpSocket {
    let port = TcpSocket::new_v4().expect("a socket");
    port.set_reuseaddr(true).expect("an option of every socket");
    port.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    port
}

#[cfg(test)]
mod tests {
    use hookhaven_load::client::{Connection, post};

    use super::*;

    #[tokio::test]
    async fn a_handler_follows_its_script_and_remembers() {
        let gate = Gate::closed();
        let waiting = gate.clone();
        let mut handler = Handler::start(move |received| match received.number {
            1 => Reply::Status(500),
            2 => Reply::Cut,
            _ => Reply::After(waiting.clone(), 200),
        })
        .await;
        let request = post("h", "/hook", &[("x-a".into(), "b".into())], b"body");
        let send = async |address| Connection::open(address).await?.exchange(&request).await;

        assert_eq!(send(handler.address).await.unwrap().status, 500);
        assert!(send(handler.address).await.is_err());
        let address = handler.address;
        let (answer, third) = tokio::join!(send(address), async {
            let third = handler.nth(3).await;
            gate.open();
            third
        });
        assert_eq!(answer.unwrap().status, 200);
        assert_eq!((third.header("x-a"), &third.body[..], third.path.as_str()), ("b", &b"body"[..], "/hook"));

        assert!(send(refusing().address).await.is_err());
        handler.stop().await;
        assert!(send(handler.address).await.is_err());
        handler.revive().await;
        assert_eq!(send(handler.address).await.unwrap().status, 200);
        assert_eq!(handler.received().len(), 4);
    }
}
