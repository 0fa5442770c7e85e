//! Bodies: in chunks, too long, too slow, broken, too many at once, and under way at the end.

use hookhaven::server::Drained;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{
    config, edited, has, head, raw,
    support::{Gateway, SOON},
};

#[tokio::test]
async fn bodies_over_the_limit_are_refused_without_a_declared_length_too() {
    let gateway = Gateway::start(config());
    let mut stream = TcpStream::connect(gateway.addr).await.unwrap();
    stream.write_all(b"POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let chunk = [b"8000\r\n".as_slice(), &[b'x'; 0x8000], b"\r\n"].concat();
    for _ in 0..3 {
        let _ = stream.write_all(&chunk).await;
    }
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 413 "));
    has(&gateway.exposition().await, r#"webhook_refused_total{source="stripe",reason="body_too_large"} 1"#);
}

#[tokio::test]
async fn a_signed_chunked_body_is_taken_whole() {
    let gateway = Gateway::start(config());
    let signed = gateway.signed("stripe", "invoice.paid", "evt_1");
    let headers: String = signed.headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let mut bytes = format!("POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n{headers}\r\n")
        .into_bytes();
    for part in signed.body.chunks(7) {
        bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    assert!(raw(&gateway, &bytes).await.starts_with("HTTP/1.1 200 "));
    let id = gateway.events().await[0].id;
    assert_eq!(gateway.store.event(id).await.unwrap().unwrap().body, signed.body);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_408_and_broken_chunks_are_a_400() {
    let gateway = Gateway::start(edited(|c| c.limits.body_timeout = SOON));
    let slow = b"POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab";
    assert!(raw(&gateway, slow).await.starts_with("HTTP/1.1 408 "));
    let broken = b"POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n";
    assert!(raw(&gateway, broken).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn bodies_in_flight_have_a_budget_over_all_requests() {
    let gateway = Gateway::start(edited(|c| c.limits.body_bytes_in_flight_max = 1_000));
    let head = |len| {
        format!("POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {len}\r\n\r\n")
    };
    let mut holder = TcpStream::connect(gateway.addr).await.unwrap();
    holder.write_all(head(900).as_bytes()).await.unwrap();
    assert!(super::head(&mut holder).await.starts_with("HTTP/1.1 100 "), "its body is awaited");
    let answer = raw(&gateway, head(200).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after"), "{answer}");
    holder.write_all(&[b'x'; 900]).await.unwrap();
    assert!(super::head(&mut holder).await.starts_with("HTTP/1.1 401 "));
    assert!(raw(&gateway, head(200).as_bytes()).await.starts_with("HTTP/1.1 100 "));
}

#[tokio::test]
async fn the_end_waits_for_a_body_that_is_coming() {
    let gateway = Gateway::start(config());
    let signed = gateway.signed("stripe", "invoice.paid", "evt_1");
    let mut stream = TcpStream::connect(gateway.addr).await.unwrap();
    let headers: String = signed.headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let len = signed.body.len();
    let head = format!(
        "POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {len}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(super::head(&mut stream).await.starts_with("HTTP/1.1 100 "));
    gateway.stop.send(()).unwrap();
    stream.write_all(&signed.body).await.unwrap();
    let answer = super::head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close"), "{answer}");
    assert_eq!(gateway.ended.await.unwrap(), Drained { cut: 0 });
    assert_eq!(gateway.store.stats().await.unwrap().pending, 1);
}
