//! The server over real sockets: what slow, silent, greedy and broken peers get.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Extension,
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hookhaven::{
    config::Limits,
    server::{Drained, Peer, Server, ServerLimits},
};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// Long enough that a test that waits for it hangs visibly.
const NEVER: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(50);

struct Running {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Drained>,
}

impl Running {
    async fn stop(self) -> Drained {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap()
    }
}

fn limits() -> ServerLimits {
    let limits = Limits { header_timeout: NEVER, idle_timeout: NEVER, drain_timeout: NEVER, ..Limits::default() };
    ServerLimits::from(&limits)
}

fn serve(router: Router, limits: ServerLimits) -> Running {
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let addr = server.local_addr();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(server.run(router, limits, async { drop(stopped.await) }));
    Running { addr, stop, ended }
}

fn hello() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/peer", get(|Extension(peer): Extension<Peer>| async move { peer.0.to_string() }))
        .route("/panic", get(|| async { panic!("on purpose") as &str }))
        .route("/refuse", post(|| async { http::StatusCode::PAYLOAD_TOO_LARGE }))
}

async fn connect(addr: SocketAddr) -> TcpStream {
    TcpStream::connect(addr).await.unwrap()
}

/// Everything until the peer closes; a reset is an end too.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until the text read so far ends like this.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut buf = [0; 4096];
        let n = stream.read(&mut buf).await.unwrap();
        assert_ne!(n, 0, "ended early: {text:?}");
        text.push_str(std::str::from_utf8(&buf[..n]).unwrap());
    }
    text
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_taken_port_is_named() {
    let running = serve(hello(), limits());
    let error = Server::bind(running.addr).unwrap_err().to_string();
    assert!(error.contains(&running.addr.to_string()) && error.contains("already in use"), "{error}");
}

#[tokio::test]
async fn silent_connections_and_slow_headers_are_closed() {
    let running = serve(hello(), ServerLimits { header_timeout: SOON, ..limits() });
    for sent in [&b""[..], b"G", b"GET / HTTP/1.1\r\nhost: a\r\nx: ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = connect(running.addr).await;
        stream.write_all(sent).await.unwrap();
        let got = rest(&mut stream).await;
        assert!(!got.starts_with("HTTP/1.1 2"), "{got}");
    }
}

#[tokio::test]
async fn headers_of_a_later_request_may_not_dribble_either() {
    let running = serve(hello(), ServerLimits { header_timeout: SOON, ..limits() });
    let mut stream = connect(running.addr).await;
    stream.write_all(GET).await.unwrap();
    until(&mut stream, "hello").await;
    stream.write_all(b"GET / HT").await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn resting_connections_are_closed_after_the_idle_timeout() {
    let running = serve(hello(), ServerLimits { idle_timeout: SOON, ..limits() });
    let mut stream = connect(running.addr).await;
    stream.write_all(GET).await.unwrap();
    until(&mut stream, "hello").await;
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn an_answer_left_unread_is_given_up() {
    let (dropped, mut ends) = mpsc::unbounded_channel();
    let endless = move || {
        let signal = DropSignal(dropped.clone());
        let chunks = stream::repeat(Bytes::from(vec![b'x'; 1 << 20])).map(move |chunk| {
            let _held = &signal;
            Ok::<_, std::convert::Infallible>(chunk)
        });
        async { Body::from_stream(chunks) }
    };
    let router = Router::new().route("/", get(endless));
    let running = serve(router, ServerLimits { idle_timeout: SOON, ..limits() });
    let mut stream = connect(running.addr).await;
    stream.write_all(GET).await.unwrap();
    ends.recv().await.unwrap();
    drop(stream);
}

#[derive(Clone)]
struct DropSignal(mpsc::UnboundedSender<()>);

impl Drop for DropSignal {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_to_come_again_before_their_body_is_read() {
    let running = serve(hello(), ServerLimits { connections_max: 1, ..limits() });
    let mut first = connect(running.addr).await;
    first.write_all(GET).await.unwrap();
    until(&mut first, "hello").await;
    let mut second = connect(running.addr).await;
    second.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n").await.unwrap();
    let told = rest(&mut second).await.to_ascii_lowercase();
    assert!(told.starts_with("http/1.1 503 ") && told.contains("\r\nretry-after: 5\r\n"), "{told}");
    assert!(told.contains("\r\nconnection: close\r\n"), "{told}");
    // The one that has a seat keeps it; when it goes, another has it.
    first.write_all(GET).await.unwrap();
    until(&mut first, "hello").await;
    drop(first);
    loop {
        let mut third = connect(running.addr).await;
        third.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let answer = rest(&mut third).await;
        if answer.ends_with("hello") {
            break;
        }
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order() {
    let running = serve(hello(), limits());
    let mut stream = connect(running.addr).await;
    let ahead =
        [GET, b"GET /none HTTP/1.1\r\nhost: a\r\n\r\n", b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"];
    stream.write_all(&ahead.concat()).await.unwrap();
    let text = rest(&mut stream).await;
    let statuses: Vec<_> = text.match_indices("HTTP/1.1 ").map(|(at, _)| &text[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "404", "200"], "{text}");
}

#[tokio::test]
async fn a_panic_is_an_empty_500_and_the_connection_lives_on() {
    let running = serve(hello(), limits());
    let mut stream = connect(running.addr).await;
    stream.write_all(b"GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let text = until(&mut stream, "\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 500 ") && text.contains("content-length: 0"), "{text}");
    stream.write_all(GET).await.unwrap();
    until(&mut stream, "hello").await;
}

#[tokio::test]
async fn header_floods_are_refused() {
    let running = serve(hello(), ServerLimits { headers_max: 20, header_bytes_max: 8192, ..limits() });
    let many: String = (0..40).map(|n| format!("x-{n}: v\r\n")).collect();
    let long = format!("x: {}\r\n", "v".repeat(20_000));
    for headers in [many, long] {
        let mut stream = connect(running.addr).await;
        let _ = stream.write_all(format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}\r\n").as_bytes()).await;
        let text = rest(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
    }
}

#[tokio::test]
async fn a_refusal_reaches_a_peer_that_still_sends_its_body() {
    let running = serve(hello(), limits());
    let mut stream = connect(running.addr).await;
    let head = b"POST /refuse HTTP/1.1\r\nhost: a\r\ncontent-length: 4000000\r\n\r\n";
    stream.write_all(head).await.unwrap();
    for _ in 0..40 {
        stream.write_all(&[b'x'; 100_000]).await.unwrap();
    }
    stream.shutdown().await.unwrap();
    let text = rest(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
}

#[tokio::test]
async fn http2_is_served_on_the_same_port() {
    let running = serve(hello(), limits());
    let io = TokioIo::new(connect(running.addr).await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let ask = |path: &str| http::Request::get(format!("http://a{path}")).body(Empty::new()).unwrap();
    let answers =
        [client.send_request(ask("/")), client.send_request(ask("/panic")), client.send_request(ask("/peer"))];
    let [hello, panic, peer] = futures_util::future::join_all(answers).await.try_into().unwrap();
    assert_eq!(hello.unwrap().into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(panic.unwrap().status(), 500);
    assert!(peer.unwrap().into_body().collect().await.unwrap().to_bytes().starts_with(b"127.0.0.1:"));
    // The end of the server is told to the connection, which then ends in good order.
    assert_eq!(running.stop().await, Drained { cut: 0 });
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn at_the_end_requests_under_way_finish_and_the_rest_is_closed() {
    let (entered, mut inside) = mpsc::unbounded_channel();
    let (go_on, gate) = tokio::sync::watch::channel(false);
    let slow = move || {
        let (entered, mut gate) = (entered.clone(), gate.clone());
        async move {
            entered.send(()).unwrap();
            gate.wait_for(|open| *open).await.unwrap();
            "done"
        }
    };
    let running = serve(hello().route("/slow", get(slow)), limits());
    let addr = running.addr;
    let (mut silent, mut resting, mut busy) = (connect(addr).await, connect(addr).await, connect(addr).await);
    resting.write_all(GET).await.unwrap();
    until(&mut resting, "hello").await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    inside.recv().await.unwrap();
    running.stop.send(()).unwrap();
    assert_eq!(rest(&mut silent).await + &rest(&mut resting).await, "");
    assert!(TcpStream::connect(addr).await.is_err(), "nobody listens any more");
    go_on.send(true).unwrap();
    assert!(rest(&mut busy).await.ends_with("done"));
    assert_eq!(running.ended.await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let (entered, mut inside) = mpsc::unbounded_channel();
    let stuck = move || {
        entered.send(()).unwrap();
        std::future::pending::<&str>()
    };
    let running = serve(Router::new().route("/", get(stuck)), ServerLimits { drain_timeout: SOON, ..limits() });
    let mut stream = connect(running.addr).await;
    stream.write_all(GET).await.unwrap();
    inside.recv().await.unwrap();
    assert_eq!(running.stop().await, Drained { cut: 1 });
    assert_eq!(rest(&mut stream).await, "");
}
