//! TLS of the listeners over real sockets: HTTP/1.1 and HTTP/2, certificates that change while it runs, clients that show
//! one and clients that do not. Certificates are made as the tests run.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod gateway;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use hookhaven::{
    server::{Server, ServerLimits, TlsNow},
    tls::{BadPem, ListenerTls, Pem},
};
use http::{Request, StatusCode, Version};
use http_body_util::Full;
use rcgen::ExtendedKeyUsagePurpose;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};

use clients::{Authority, CLIENT, HOST, Signed, ask, client, hello};
use support::{Gateway, config, source};

fn listener(server: &Signed, client_ca: Option<&Authority>) -> Result<ListenerTls, BadPem> {
    let roots = client_ca.map(Authority::pem);
    ListenerTls::new(Pem {
        certificate: server.certificate.as_bytes(),
        key: server.key.as_bytes(),
        client_ca: roots.as_deref().map(str::as_bytes),
    })
}

/// A listener that can be given another identity, in front of something that says hello.
struct Listener {
    addr: SocketAddr,
    shown: Arc<Mutex<Arc<ListenerTls>>>,
    _stop: oneshot::Sender<()>,
}

impl Listener {
    fn start(tls: ListenerTls) -> Self {
        let hello = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
        Self::over(tls, hello)
    }

    fn over<H: hookhaven::server::Handler>(tls: ListenerTls, handler: H) -> Self {
        let shown = Arc::new(Mutex::new(Arc::new(tls)));
        let now: TlsNow = {
            let shown = shown.clone();
            Arc::new(move || shown.lock().unwrap().clone())
        };
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap().with_tls(Some(now));
        let addr = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let limits = ServerLimits::from(&config().limits);
        tokio::spawn(server.run(handler, limits, async { drop(stopped.await) }));
        Listener { addr, shown, _stop: stop }
    }
}

#[tokio::test]
async fn both_protocols_are_spoken_and_plain_http_is_not() {
    let ca = Authority::new();
    let listener = Listener::start(listener(&ca.server(), None).unwrap());
    for (protocol, version) in [(&b"h2"[..], Version::HTTP_2), (b"http/1.1", Version::HTTP_11)] {
        let answer = ask(listener.addr, &client(&ca, None, protocol), hello()).await;
        assert_eq!(answer, Ok((StatusCode::OK, version)));
    }
    let mut plain = TcpStream::connect(listener.addr).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut told = Vec::new();
    // It may end with a reset, since what was sent is not read to its end.
    let _ = plain.read_to_end(&mut told).await;
    assert!(!told.starts_with(b"HTTP/"), "an alert at most: {told:?}");
}

#[tokio::test]
async fn a_changed_certificate_is_shown_to_those_who_come_next() {
    let (before, after) = (Authority::new(), Authority::new());
    let running = Listener::start(listener(&before.server(), None).unwrap());
    assert!(ask(running.addr, &client(&before, None, b"h2"), hello()).await.is_ok());
    assert!(ask(running.addr, &client(&after, None, b"h2"), hello()).await.is_err());
    *running.shown.lock().unwrap() = Arc::new(listener(&after.server(), None).unwrap());
    assert!(ask(running.addr, &client(&after, None, b"h2"), hello()).await.is_ok());
    assert!(ask(running.addr, &client(&before, None, b"h2"), hello()).await.is_err());
}

#[tokio::test]
async fn a_pair_that_does_not_fit_together_is_refused_with_the_file_to_blame() {
    let ca = Authority::new();
    let (one, other) = (ca.server(), ca.server());
    let pem = |certificate: &str, key: &str| {
        ListenerTls::new(Pem { certificate: certificate.as_bytes(), key: key.as_bytes(), client_ca: None }).unwrap_err()
    };
    assert_eq!(pem(&one.certificate, &other.key), BadPem::Key("it is not the key of the certificate".into()));
    assert!(matches!(pem(&one.key, &one.key), BadPem::Certificate(_)), "no certificate");
    assert!(matches!(pem("", &one.key), BadPem::Certificate(_)));
    assert!(matches!(pem(&one.certificate, &one.certificate), BadPem::Key(_)), "no key");
    let roots = Pem { certificate: one.certificate.as_bytes(), key: one.key.as_bytes(), client_ca: Some(b"") };
    assert!(matches!(ListenerTls::new(roots), Err(BadPem::ClientCa(_))));
    assert!(!format!("{:?}", listener(&one, None).unwrap()).contains("PRIVATE"));
}

#[tokio::test]
async fn a_silent_peer_is_dropped_when_its_first_headers_would_be_due() {
    tokio::time::pause();
    let ca = Authority::new();
    let tls = Arc::new(listener(&ca.server(), None).unwrap());
    let now: TlsNow = Arc::new(move || tls.clone());
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap().with_tls(Some(now));
    let addr = server.local_addr();
    let limits = ServerLimits::from(&hookhaven::config::Limits::default());
    tokio::spawn(server.run(axum::Router::new(), limits, std::future::pending()));
    let mut silent = TcpStream::connect(addr).await.unwrap();
    // The paused clock moves on by itself when everybody waits.
    let read = tokio::time::timeout(Duration::from_secs(3_600), async { silent.read(&mut [0]).await.unwrap_or(0) });
    assert_eq!(read.await, Ok(0));
}

/// A gateway's ingest behind TLS, with a source that insists on a client's name and one that does not.
fn insisting(server: &Signed, clients: &Authority) -> (Gateway, Listener) {
    let mut picky = source("picky", "github");
    picky.client_names = vec![CLIENT.try_into().unwrap(), "10.0.0.1".try_into().unwrap()];
    let mut config = config();
    config.sources.insert("picky".into(), Arc::new(picky));
    let gateway = Gateway::start(config);
    let listener = Listener::over(listener(server, Some(clients)).unwrap(), gateway.service());
    (gateway, listener)
}

fn event(gateway: &Gateway, to: &str) -> Request<Full<Bytes>> {
    let signed = gateway.signed(to, "push", "1");
    let mut request = Request::post(format!("https://{HOST}/webhooks/{to}"));
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::from(signed.body))).unwrap()
}

#[tokio::test]
async fn a_source_that_insists_takes_a_client_by_the_name_in_its_certificate() {
    let (ca, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (gateway, listener) = insisting(&ca.server(), &clients);
    let (right, wrong) = (clients.client(CLIENT), clients.client("other.example.com"));
    let wildcard = clients.client("*.example.com");
    for protocol in [&b"h2"[..], b"http/1.1"] {
        for (shows, to, status) in [
            (Some(&right), "picky", 200),
            (Some(&wildcard), "picky", 200),
            (Some(&wrong), "picky", 401),
            (None, "picky", 401),
            (Some(&wrong), "github", 200),
            (None, "github", 200),
        ] {
            let answer = ask(listener.addr, &client(&ca, shows, protocol), event(&gateway, to)).await;
            assert_eq!(answer.map(|(status, _)| status.as_u16()), Ok(status), "{to} {protocol:?}");
        }
        let forged = strangers.client(CLIENT);
        let answer = ask(listener.addr, &client(&ca, Some(&forged), protocol), event(&gateway, "github")).await;
        assert!(answer.is_err(), "a certificate of another authority: {answer:?}");
        let misused = clients.sign(&[CLIENT], ExtendedKeyUsagePurpose::ServerAuth);
        let answer = ask(listener.addr, &client(&ca, Some(&misused), protocol), event(&gateway, "picky")).await;
        assert!(answer.is_err(), "a certificate for servers: {answer:?}");
    }
    assert!(gateway.exposition().await.contains("reason=\"certificate_not_allowed\"} 4"));
}

#[tokio::test]
async fn without_tls_nobody_has_a_certificate() {
    let (ca, clients) = (Authority::new(), Authority::new());
    let (gateway, _listener) = insisting(&ca.server(), &clients);
    assert_eq!(gateway.post("picky", &gateway.signed("picky", "push", "1")).await.status, 401);
}
