//! The transport against everything that can be at the other end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hookhaven::egress::{Answered, Egress, Failure, Outbound, Roots, Sent, To, Transport, TransportOptions};
use hookhaven_core::ErrorClass;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::{
    handler::{Handler, Then, answer, hang, raw, refusing, status},
    soon,
};

fn transport(own: &[SocketAddr], roots: Roots) -> Transport {
    Transport::new(TransportOptions { own_addresses: own.to_vec(), roots, ..TransportOptions::default() }).unwrap()
}

fn outbound(url: &str) -> Outbound {
    Outbound {
        method: Method::POST,
        to: To::Configured(url.parse().unwrap()),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{\"a\": 1}"),
        timeout: Duration::from_secs(20),
        excerpt_bytes_max: 8,
        response_bytes_max: 64 << 10,
    }
}

async fn send(outbound: Outbound) -> Sent {
    soon(transport(&[], Roots::System).send(outbound)).await
}

async fn answered(reply: crate::handler::Reply) -> Answered {
    let handler = Handler::start(move |_| reply.clone()).await;
    send(outbound(&handler.url())).await.result.unwrap()
}

async fn failed(reply: crate::handler::Reply) -> Failure {
    let handler = Handler::start(move |_| reply.clone()).await;
    send(outbound(&handler.url())).await.result.unwrap_err()
}

fn failure(class: ErrorClass, error: String) -> Failure {
    Failure { class, error, status: None }
}

#[tokio::test]
async fn an_answer_comes_back_with_its_beginning_and_the_phases() {
    let mut handler = Handler::start(|_| answer(201, "x-a: 1\r\n", "0123456789")).await;
    let transport = transport(&[], Roots::System);
    let first = soon(transport.send(outbound(&handler.url()))).await;
    let answered = first.result.unwrap();
    assert_eq!((answered.status, &answered.excerpt[..]), (StatusCode::CREATED, &b"01234567"[..]));
    assert_eq!(answered.headers["x-a"], "1");
    assert!(first.phases.dns_us.is_some() && first.phases.connect_us.is_some());
    assert!(first.phases.tls_us.is_none() && first.phases.first_byte_us.is_some());

    // The second goes out on the same connection, which needs no looking up and no connecting.
    let second = soon(transport.send(outbound(&handler.url()))).await;
    assert!(second.result.is_ok());
    assert!(second.phases.dns_us.is_none() && second.phases.connect_us.is_none());
    let (one, two) = (handler.next().await, handler.next().await);
    assert_eq!((one.connection, two.connection), (0, 0));
    assert_eq!(one.body, b"{\"a\": 1}");
    assert_eq!(one.header("content-length"), Some("8"));
}

#[tokio::test]
async fn redirects_are_answers() {
    let elsewhere = Handler::start(|_| status(200)).await;
    let location = format!("location: {}\r\n", elsewhere.url());
    assert_eq!(answered(answer(302, &location, "")).await.status, 302);
    assert!({ elsewhere }.seen.try_recv().is_err());
}

#[tokio::test]
async fn a_refused_connection_says_by_whom() {
    let address = refusing().await;
    let sent = send(outbound(&format!("http://user:hunter2@{address}/"))).await;
    let error = format!("connection refused by {address}");
    assert_eq!(sent.result.unwrap_err(), failure(ErrorClass::Connect, error));
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_failure() {
    let sent = send(outbound("http://nobody.invalid/")).await;
    let error = "the name nobody.invalid could not be resolved".to_owned();
    assert_eq!(sent.result.unwrap_err(), failure(ErrorClass::Dns, error));
}

#[tokio::test]
async fn a_handler_that_hangs_runs_out_of_time() {
    let handler = Handler::start(|_| hang()).await;
    let timeout = Duration::from_millis(50);
    let sent = send(Outbound { timeout, ..outbound(&handler.url()) }).await;
    assert_eq!(sent.result.unwrap_err(), failure(ErrorClass::Timeout, "no answer within 50 ms".to_owned()));
    assert!(sent.duration >= timeout);
}

#[tokio::test]
async fn the_time_limit_covers_the_body() {
    let begun = |status: u16| raw(format!("HTTP/1.1 {status} X\r\ncontent-length: 9\r\n\r\nabc"), Then::Hang);
    let run = async |status| {
        let handler = Handler::start(move |_| begun(status)).await;
        // Long enough for the head to come.
        send(Outbound { timeout: Duration::from_millis(500), ..outbound(&handler.url()) }).await.result
    };
    let broken = run(200).await.unwrap_err();
    assert_eq!((broken.class, broken.status), (ErrorClass::Timeout, Some(StatusCode::OK)));
    assert_eq!(broken.error, "the answer began but was not complete within 500 ms");
    // A refusal says enough without its end.
    let refused = run(503).await.unwrap();
    assert_eq!((refused.status.as_u16(), &refused.excerpt[..]), (503, &b"abc"[..]));
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_failure() {
    for garbage in ["SSH-2.0-OpenSSH_9.9\r\n", "HTTP/9.9 200 OK\r\n\r\n", "\0\0\0\0\r\n\r\n"] {
        let failure = failed(raw(garbage, Then::Close)).await;
        assert_eq!(failure.class, ErrorClass::Protocol, "{garbage:?}");
        assert!(failure.error.contains("is not HTTP"), "{}", failure.error);
    }
}

#[tokio::test]
async fn a_connection_that_closes_is_a_protocol_failure() {
    let silent = failed(raw("", Then::Close)).await;
    assert_eq!(silent.class, ErrorClass::Protocol);
    assert!(silent.error.ends_with("closed the connection before it answered"), "{}", silent.error);

    let cut = failed(raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc", Then::Close)).await;
    assert_eq!((cut.class, cut.status), (ErrorClass::Protocol, Some(StatusCode::OK)));
    assert_eq!(cut.error, "the answer broke off before its end (status 200)");

    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n";
    assert_eq!(failed(raw(chunked, Then::Close)).await.class, ErrorClass::Protocol);
}

#[tokio::test]
async fn a_body_without_end_is_cut_off_and_no_failure() {
    let mut handler = Handler::start(|_| raw("HTTP/1.1 200 OK\r\n\r\n", Then::Flood)).await;
    let transport = transport(&[], Roots::System);
    for connection in 0..2 {
        let sent = soon(transport.send(outbound(&handler.url()))).await;
        assert_eq!(&sent.result.unwrap().excerpt[..], b"xxxxxxxx");
        // Its connection is not used again.
        assert_eq!(handler.next().await.connection, connection);
    }
}

#[tokio::test]
async fn a_flood_of_headers_is_a_protocol_failure() {
    let many = "x-h: 1\r\n".repeat(200);
    let failure = failed(answer(200, &many, "")).await;
    assert_eq!(failure.class, ErrorClass::Protocol);
    let large = format!("x-h: {}\r\n", "y".repeat(200 << 10));
    assert_eq!(failed(answer(200, &large, "")).await.class, ErrorClass::Protocol);
}

#[tokio::test]
async fn the_gateways_own_admin_side_is_never_called() {
    let mut admin = Handler::start(|_| status(200)).await;
    let transport = transport(&[admin.address], Roots::System);
    let port = admin.address.port();
    for host in ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "2130706433"] {
        let sent = soon(transport.send(outbound(&format!("http://{host}:{port}/api/v1")))).await;
        let failure = sent.result.unwrap_err();
        // `localhost` may be `::1` first, where nobody listens.
        let class = if host == "localhost" { failure.class } else { ErrorClass::Refused };
        assert_eq!(failure.class, class, "{host}: {}", failure.error);
    }
    assert!(admin.seen.try_recv().is_err());
}

#[tokio::test]
async fn addresses_that_are_not_http_are_refused() {
    for url in ["ftp://127.0.0.1/", "mailto:a@b.c", "file:///etc/passwd"] {
        assert_eq!(send(outbound(url)).await.result.unwrap_err().class, ErrorClass::Refused, "{url}");
    }
}

#[tokio::test]
async fn tls_speaks_http2_where_the_handler_does() {
    let address = tls_handler(&[b"h2", b"http/1.1"]).await;
    let transport = transport(&[], trusted());
    let sent = soon(transport.send(outbound(&format!("https://localhost:{}/", address.port())))).await;
    assert!(sent.phases.tls_us.is_some());
    assert_eq!(&sent.result.unwrap().excerpt[..], b"HTTP/2.0");

    let address = tls_handler(&[]).await;
    let sent = soon(transport.send(outbound(&format!("https://{address}/")))).await;
    assert_eq!(&sent.result.unwrap().excerpt[..], b"HTTP/1.1");
}

#[tokio::test]
async fn tls_failures_say_what_is_wrong() {
    let address = tls_handler(&[]).await;
    let unknown = send(outbound(&format!("https://localhost:{}/", address.port()))).await.result.unwrap_err();
    assert_eq!(unknown.class, ErrorClass::Tls);
    assert!(unknown.error.contains("its certificate is not valid"), "{}", unknown.error);

    let plain = Handler::start(|_| raw("HTTP/1.1 400 Bad Request\r\n\r\n", Then::Close)).await;
    // It never sees a request's end in a TLS hello; so it says something at once.
    drop(plain);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await;
    });
    let plain = send(outbound(&url)).await.result.unwrap_err();
    assert_eq!(plain.class, ErrorClass::Tls);
    assert!(plain.error.ends_with("it does not speak TLS"), "{}", plain.error);
}

/// A self-signed certificate of `localhost` and `127.0.0.1`, and its key: for these tests, known to
/// everybody, good for nothing else.
const CERTIFICATE: &str = "MIIBpTCCAUqgAwIBAgIUPa4GzpnP/JzQqabDRIgStNCJTvgwCgYIKoZIzj0EAwIwGjEYMBYGA1UEAwwPaG9va2hhdmVuIHRlc3RzMCAXDTI2MTEyMTIyMjIxNloYDzIxMjYxMDI4MjIyMjE2WjAaMRgwFgYDVQQDDA9ob29raGF2ZW4gdGVzdHMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATPyL48kgbaQrRp+ak14354x3Miowq6/dlKoXaGUZ/PtxnXwKb9kCgWmGd3apwlNEhAtEYrB28EqlM7ZKHNSmSGo2wwajAdBgNVHQ4EFgQUeJOCR70vOJrcyStfDQ3R3HXLvUcwHwYDVR0jBBgwFoAUeJOCR70vOJrcyStfDQ3R3HXLvUcwGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwIDSQAwRgIhAPX54Q3/bpgNgjbNeMnMtrlM8QUyRmfPDJigqOtawvmeAiEAqXa48Lj/51hVmHskRI7eVqrKc7usvG+U04bdGpMyvz4=";
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgih0tg+UefBmKo1QDeT+/zPeyqD4xE+hztjjzeiiY7CShRANCAATPyL48kgbaQrRp+ak14354x3Miowq6/dlKoXaGUZ/PtxnXwKb9kCgWmGd3apwlNEhAtEYrB28EqlM7ZKHNSmSG";

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from(STANDARD.decode(CERTIFICATE).unwrap())
}

fn trusted() -> Roots {
    Roots::Only(vec![certificate()])
}

/// Answers every request with the HTTP version it came in.
async fn tls_handler(alpn: &[&[u8]]) -> SocketAddr {
    let key = PrivateKeyDer::try_from(STANDARD.decode(KEY).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(vec![certificate()], key).unwrap();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = hyper::service::service_fn(async |request: http::Request<hyper::body::Incoming>| {
                    let version = format!("{:?}", request.version());
                    Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(version))))
                });
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}
