//! Published messages may go to the public Internet and where `net.allow` says, whatever their URL looks
//! like: every trick is refused when it is published, or else when it would be connected to.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use hookhaven::egress::{Egress, Names, Outbound, Sent, To, Transport, TransportOptions, judge_literal};
use hookhaven_core::ErrorClass;
use http::{HeaderMap, Method};
use ipnet::IpNet;

use crate::{
    handler::{Handler, Then, answer, raw, status},
    soon,
};

/// Hosts that say by themselves that they are not on the public Internet.
const LITERALS: [&str; 72] = [
    // Loopback in all spellings of IPv4.
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.127.127.127",
    "127.255.255.254",
    "2130706433",
    "2130706433.",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "0000177.0.0.1",
    "0x7f000001",
    "0x7f.0.0.1",
    "0X7F.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0x0.0.1",
    "%31%32%37%2E0%2E0%2E1",
    "127.0.0.%31",
    "１２７.０.０.１",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "127．0．0．1",
    "user:password@127.0.0.1",
    "example.com@127.0.0.1",
    "example.com%40@127.0.0.1",
    "example.com:80@127.0.0.1:80",
    // This machine.
    "0",
    "0.0.0.0",
    "0x0",
    "00000.0",
    "localhost",
    "LOCALHOST",
    "LocalHost.",
    "ｌｏｃａｌｈｏｓｔ",
    "loc%61lhost",
    // Metadata services, and networks of one's own.
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "10.0.0.1",
    "012.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "3232235777",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "4294967295",
    // IPv6, and IPv4 inside of it.
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:FFFF:169.254.169.254]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::10.0.0.1]",
    "[2002:7f00:1::]",
    "[2001:0:5ef5:79fd:0:59d:a000:1]",
    "[2a00:1450::5efe:192.168.0.1]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[ff02::1]",
];

/// URLs that two readers could understand differently: refused whatever they mean.
const UNREADABLE: [&str; 14] = [
    "http://127.0.0.1\\@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com\\.127.0.0.1/",
    "http://[fe80::1%25eth0]/",
    "http://[::1/",
    "http://::1/",
    "http://127.0.0.1\t/",
    "http://127.0.0.1\r\n/",
    "http:// 127.0.0.1/",
    "http://0x7f.0.0.0x100000000/",
    "http://1.2.3.256/",
    "http:/127.0.0.1/",
    "http:127.0.0.1/",
    "//127.0.0.1/",
];

/// What names resolve to: one answer after the other, the last one again and again.
#[derive(Debug, Default)]
struct Zone(Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>);

impl Zone {
    fn with(name: &str, answers: &[&[&str]]) -> Arc<Self> {
        let answers = answers.iter().map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        Arc::new(Zone(Mutex::new([(name.to_owned(), answers)].into())))
    }
}

#[async_trait]
impl Names for Zone {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut zone = self.0.lock().unwrap();
        let answers = zone.get_mut(host.trim_end_matches('.')).ok_or_else(|| io::Error::other("no such name"))?;
        Ok(if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }.unwrap_or_default())
    }
}

fn nets(allow: &[&str]) -> Arc<[IpNet]> {
    allow.iter().map(|net| net.parse().unwrap()).collect()
}

fn published(url: &str, allow: &[&str]) -> Outbound {
    Outbound {
        method: Method::POST,
        to: To::Published { url: url.into(), allow: nets(allow) },
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout: Duration::from_secs(20),
        excerpt_bytes_max: 8,
        response_bytes_max: 64 << 10,
    }
}

fn transport(names: Arc<Zone>) -> Transport {
    Transport::new(TransportOptions { names, ..TransportOptions::default() }).unwrap()
}

#[track_caller]
fn refused(sent: Sent, what: &str) -> String {
    let failure = sent.result.unwrap_err();
    assert_eq!(failure.class, ErrorClass::Refused, "{what}: {}", failure.error);
    failure.error
}

#[tokio::test]
async fn what_says_by_itself_where_it_leads_is_refused_twice() {
    // Where the trick must not arrive, if the address were this machine's.
    let mut here = Handler::start(|_| status(200)).await;
    let transport = transport(Zone::with("localhost", &[&["::1", "127.0.0.1"]]));
    for host in LITERALS {
        let host = if host.contains(":80") { host.to_owned() } else { format!("{host}:{}", here.address.port()) };
        for scheme in ["http", "https", "HTTP"] {
            let url = format!("{scheme}://{host}/latest/meta-data");
            assert!(judge_literal(&url, &[]).is_err(), "{url} may be published");
            let sent = soon(transport.send(published(&url, &[]))).await;
            refused(sent, &url);
        }
    }
    for url in UNREADABLE {
        assert!(judge_literal(url, &nets(&["0.0.0.0/0", "::/0"])).is_err(), "{url:?} may be published");
        refused(soon(transport.send(published(url, &["0.0.0.0/0", "::/0"]))).await, url);
    }
    assert!(here.seen.try_recv().is_err());
}

#[test]
fn what_is_public_may_be_published_and_what_net_allow_names() {
    for url in [
        "https://example.com/",
        "https://8.8.8.8/dns",
        "https://[2606:4700:4700::1111]/",
        "https://[64:ff9b::8.8.8.8]/",
        "https://localhost.example.com/",
        "https://notlocalhost/",
        "https://10.0.0.1.example.com/",
        "https://example.com/?next=http://127.0.0.1/",
        "https://127.0.0.1:secret@example.com/",
    ] {
        assert_eq!(judge_literal(url, &[]), Ok(()), "{url}");
    }
    for (url, allow) in [
        ("http://10.1.2.3/", "10.0.0.0/8"),
        ("http://[::ffff:10.1.2.3]/", "10.0.0.0/8"),
        ("http://localhost:3000/", "127.0.0.1/32"),
        ("http://localhost:3000/", "::1/128"),
        ("http://a.localhost./", "127.0.0.0/8"),
        ("http://[fd00::1]/", "fd00::/8"),
    ] {
        assert_eq!(judge_literal(url, &nets(&[allow])), Ok(()), "{url}");
        assert!(judge_literal(url, &nets(&["192.168.0.0/16"])).is_err(), "{url}");
    }
    assert!(judge_literal("http://a.localhost/", &[]).is_err());
    let why = judge_literal("http://2130706433/", &[]).unwrap_err();
    assert_eq!(why, "127.0.0.1 is a loopback address, and net.allow does not name it");
}

#[tokio::test]
async fn names_are_judged_by_every_address_they_resolve_to() {
    let mut here = Handler::start(|_| status(200)).await;
    for ips in [
        &["127.0.0.1"][..],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["10.0.0.7", "192.168.0.7"],
        &["169.254.169.254"],
        &["64:ff9b::7f00:1"],
        &["2002:7f00:1::"],
        &["fd00:ec2::254"],
        &["0.0.0.0"],
        &["::"],
    ] {
        let transport = transport(Zone::with("inside.example.com", &[ips]));
        let url = format!("http://inside.example.com:{}/", here.address.port());
        assert_eq!(judge_literal(&url, &[]), Ok(()), "names are not looked up there");
        let error = refused(soon(transport.send(published(&url, &[]))).await, &format!("{ips:?}"));
        assert!(error.contains("must not be called: it is a"), "{error}");
    }
    assert!(here.seen.try_recv().is_err());
    // Of several, those that may be called are tried.
    let transport = transport(Zone::with("both.example.com", &[&["10.0.0.7", "::1", "127.0.0.1"]]));
    let url = format!("http://both.example.com:{}/", here.address.port());
    assert!(soon(transport.send(published(&url, &["127.0.0.1/32"]))).await.result.is_ok());
    assert_eq!(here.next().await.header("host"), Some(url.trim_start_matches("http://").trim_end_matches('/')));
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_judged_at_each_connection() {
    let mut here = Handler::start(|_| status(200)).await;
    let zone = Zone::with("rebinds.example.com", &[&["127.0.0.1"], &["127.0.0.2"]]);
    let url = format!("http://rebinds.example.com:{}/", here.address.port());
    // One look-up serves both the judgement and the connection: the second answer is not asked for.
    assert!(soon(transport(zone.clone()).send(published(&url, &["127.0.0.1/32"]))).await.result.is_ok());
    here.next().await;
    // The next connection asks again, and is judged by what it hears.
    refused(soon(transport(zone).send(published(&url, &["127.0.0.1/32"]))).await, "the second answer");
    assert!(here.seen.try_recv().is_err());
}

#[tokio::test]
async fn a_redirect_to_the_metadata_service_is_an_answer_and_no_request() {
    let mut metadata = Handler::start(|_| status(200)).await;
    let location = format!("location: http://{}/latest/meta-data\r\n", metadata.address);
    let mut outside = Handler::start(move |_| answer(302, &location, "")).await;
    let transport = transport(Arc::default());
    let sent = soon(transport.send(published(&outside.url(), &["127.0.0.1/32"]))).await;
    assert_eq!(sent.result.unwrap().status, 302);
    outside.next().await;
    assert!(metadata.seen.try_recv().is_err() && outside.seen.try_recv().is_err());
}

#[tokio::test]
async fn no_connection_outlives_the_rule_that_allowed_it() {
    let mut here = Handler::start(|_| status(200)).await;
    let transport = transport(Arc::default());
    let send = async |allow: &[&str]| soon(transport.send(published(&here.url(), allow))).await;
    for _ in 0..2 {
        assert!(send(&["127.0.0.0/8"]).await.result.is_ok());
    }
    // The connection is still open, and would have been used again.
    refused(send(&["10.0.0.0/8"]).await, "no longer allowed");
    assert!(send(&["127.0.0.1/32"]).await.result.is_ok());
    let connections = [here.next().await, here.next().await, here.next().await].map(|seen| seen.connection);
    assert_eq!(connections, [0, 0, 1]);
}

#[tokio::test]
async fn connections_to_configured_destinations_are_not_lent_out() {
    let mut here = Handler::start(|_| status(200)).await;
    let transport = transport(Arc::default());
    let configured = Outbound { to: To::Configured(here.url().parse().unwrap()), ..published("", &[]) };
    assert!(soon(transport.send(configured)).await.result.is_ok());
    here.next().await;
    refused(soon(transport.send(published(&here.url(), &[]))).await, "through another's connection");
    assert!(here.seen.try_recv().is_err());
}

/// A sender's name that leads inside is no way in, whatever was opened to published messages.
#[tokio::test]
async fn what_senders_publish_is_fetched_from_public_addresses_alone() {
    let mut here = Handler::start(|_| status(200)).await;
    let transport = transport(Arc::default());
    assert!(soon(transport.send(published(&here.url(), &["127.0.0.0/8"]))).await.result.is_ok());
    here.next().await;
    let fetch = Outbound { to: To::Sender(here.url().into()), ..published("", &[]) };
    refused(soon(transport.send(fetch)).await, "a key from this machine");
    assert!(here.seen.try_recv().is_err());
}

#[tokio::test]
async fn the_admin_side_is_refused_whatever_is_allowed() {
    let mut admin = Handler::start(|_| status(200)).await;
    let options = TransportOptions { own_addresses: vec![admin.address], ..TransportOptions::default() };
    let transport = Transport::new(options).unwrap();
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"] {
        let url = format!("http://{host}:{}/api/v1", admin.address.port());
        let error = refused(soon(transport.send(published(&url, &["0.0.0.0/0", "::/0"]))).await, host);
        assert!(error.ends_with("must not be called: it is the gateway's own admin address"), "{error}");
    }
    assert!(admin.seen.try_recv().is_err());
}

#[tokio::test]
async fn a_request_asks_for_exactly_what_was_published() {
    let mut here = Handler::start(|_| raw("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Then::Next)).await;
    let transport = transport(Arc::default());
    for asked in ["/a//b?x=1&y=b%20c", "/%7Euser/%7euser", "/a/../b/./c/", "/?", "/?q={x}[1]", "/a;b,c'(d)*!~", "//"] {
        let url = format!("http://user:secret@{}{asked}#part", here.address);
        assert!(soon(transport.send(published(&url, &["127.0.0.1/32"]))).await.result.is_ok(), "{asked}");
        let seen = here.next().await;
        assert_eq!(seen.head.lines().next(), Some(&*format!("POST {asked} HTTP/1.1")));
        assert!(!seen.head.contains("secret"), "{}", seen.head);
    }
}
