//! Ten thousand hostile requests against both addresses: it goes on serving, with bounded memory, its
//! files closed again, and nothing in its log that it did not write itself.

use std::{fs, net::SocketAddr, sync::Arc};

use hookhaven_load::gateway::poll;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::support::{PATIENCE, chance::Chance, gateway::Gateway, handler::Handler, load::stripe_headers, soon};

const SECRET: &str = "whsec_hostile";
const REQUESTS: u64 = 10_000;
const WARM_UP: u64 = 1_000;
/// Sent between two events that are meant well.
const ROUND: u64 = 500;
const CONNECTIONS: u64 = 50;
/// Connections that begin a request and then say nothing.
const HALF_OPEN: usize = 100;
/// What memory may grow by after the warm-up: at the end, and at its highest. An allocator keeps some of
/// what it had; ten thousand requests that each left 5 kB would be over the first, bodies held at once
/// by all connections over the second.
const GROWTH_BYTES_MAX: u64 = 48 << 20;
const PEAK_GROWTH_BYTES_MAX: u64 = 128 << 20;

type Form = fn(&Chance) -> Vec<u8>;

/// Each makes one connection's bytes.
const FORMS: [(&str, Form); 22] = [
    ("random bytes", |chance| chance.bytes(1 + small(chance, 4_000))),
    ("a method of nobody's", |chance| {
        let method = chance.one(&["BREW", "GET", "PUT", "DELETE", "TRACE", "CONNECT", "get", "P\u{212a}ST", "PRI"]);
        let path = chance.one(&["/webhooks/shop", "/api/v1/status", "/metrics", "*", "hooks:443"]);
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").into_bytes()
    }),
    ("a broken request line", |chance| {
        let line =
            chance.one(&["POST", "POST /", "POST / HTTP/9.9", "POST  /  HTTP/1.1", " POST / HTTP/1.1", "\r\n\r\n\r\n"]);
        format!("{line}\r\nhost: a\r\n\r\n").into_bytes()
    }),
    ("a version before headers", |_| b"POST /webhooks/shop HTTP/1.0\r\n\r\n".to_vec()),
    ("broken chunks", |chance| {
        let chunks = chance.one(&[
            "zz\r\nab\r\n",
            "-1\r\n",
            "5\r\nab\r\n0\r\n\r\n",
            "ffffffffffffffffff\r\n",
            "3;\r\nabcdef",
            "\r\n\r\n",
        ]);
        with_head("transfer-encoding: chunked\r\n", chunks.as_bytes())
    }),
    ("endless chunk extensions", |chance| {
        let extension = "x".repeat(small(chance, 20_000));
        with_head("transfer-encoding: chunked\r\n", format!("1;{extension}\r\na\r\n0\r\n\r\n").as_bytes())
    }),
    ("endless trailers", |chance| {
        let trailers = "x-trailer: 1\r\n".repeat(small(chance, 2_000));
        with_head("transfer-encoding: chunked\r\n", format!("0\r\n{trailers}\r\n").as_bytes())
    }),
    ("100 MB declared", |chance| with_head("content-length: 104857600\r\n", &chance.bytes(20_000))),
    ("a length that is none", |chance| {
        let length = chance.one(&["-1", "1e3", "0x10", "18446744073709551616", "1 1", "", "99999999999999999999999"]);
        with_head(&format!("content-length: {length}\r\n"), b"abc")
    }),
    ("two lengths", |_| with_head("content-length: 3\r\ncontent-length: 30\r\n", b"abcPOST /webhooks/shop HTTP/1.1")),
    ("a length and chunks", |_| {
        with_head(
            "content-length: 4\r\ntransfer-encoding: chunked\r\n",
            b"0\r\n\r\nGET /metrics HTTP/1.1\r\nhost: a\r\n\r\n",
        )
    }),
    ("encodings of nobody's", |chance| {
        let coding = chance.one(&[
            "chunked, identity",
            "xchunked",
            "chunked\r\ntransfer-encoding: chunked",
            "gzip",
            "\x0bchunked",
        ]);
        with_head(&format!("transfer-encoding: {coding}\r\n"), b"0\r\n\r\n")
    }),
    ("a flood of headers", |chance| {
        let headers: String = (0..100 + small(chance, 3_000)).map(|n| format!("x-{n}: {n}\r\n")).collect();
        with_head(&format!("{headers}content-length: 0\r\n"), b"")
    }),
    ("one long header", |chance| {
        let value = "v".repeat(10_000 + small(chance, 200_000));
        with_head(&format!("x-long: {value}\r\ncontent-length: 0\r\n"), b"")
    }),
    ("headers with what is no text", |chance| {
        let values = [&b"a\0b"[..], b"a\rb", b"\x1b[2J", b"\xff\xfe", b"\x7f", b"a\n injected: 1"];
        let value = chance.one(&values);
        let head = [b"POST /webhooks/shop HTTP/1.1\r\nhost: localhost\r\nx-request-id: ", *value].concat();
        [&head[..], b"\r\nstripe-signature: ", value, b"\r\ncontent-length: 0\r\n\r\n"].concat()
    }),
    ("an absurd address", |chance| {
        let long = "a/".repeat(30_000);
        let addresses = [&long[..], "%", "%00", "?&&&===", "//evil.test/", "http://evil.test:99999/", "#f"];
        let address = chance.one(&addresses);
        format!("POST /webhooks/{address} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").into_bytes()
    }),
    ("a path that climbs", |chance| {
        let path = chance.one(&[
            "../../etc/passwd",
            "%2e%2e%2f%2e%2e%2fadmin-token",
            "..%5c..",
            "shop/..",
            "shop%00.x",
            ".//shop",
        ]);
        let root = chance.one(&["/webhooks/", "/api/v1/events/", "/"]);
        format!("GET {root}{path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
    }),
    ("pipelined garbage", |chance| {
        let one = "POST /webhooks/shop HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}";
        [one.repeat(1 + small(chance, 30)).as_bytes(), &chance.bytes(200)].concat()
    }),
    ("a forged signature", |chance| {
        let body = chance.bytes(small(chance, 3_000));
        let head = format!("stripe-signature: t=1,v1={}\r\ncontent-length: {}\r\n", "0".repeat(64), body.len());
        with_head(&head, &body)
    }),
    ("HTTP/2 noise", |chance| [PREFACE, &chance.bytes(small(chance, 3_000))].concat()),
    ("HTTP/2 frames out of place", |chance| {
        let mut bytes = [PREFACE, &frame(4, 0, 0, &[])].concat();
        for _ in 0..50 {
            let (kind, flags) = (small(chance, 12) as u8, small(chance, 256) as u8);
            bytes.extend(frame(kind, flags, small(chance, 9) as u32, &chance.bytes(small(chance, 60))));
        }
        bytes
    }),
    ("HTTP/2 streams opened and reset", |_| {
        // :method POST, :path /, :scheme http from the static table (RFC 7541, appendix A).
        let open_and_reset =
            |n: u32| [frame(1, 4, 2 * n + 1, &[0x83, 0x84, 0x86]), frame(3, 0, 2 * n + 1, &[0, 0, 0, 8])];
        let streams = (0..300).flat_map(open_and_reset).collect::<Vec<_>>().concat();
        [PREFACE, &frame(4, 0, 0, &[]), &streams].concat()
    }),
];

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn with_head(headers: &str, rest: &[u8]) -> Vec<u8> {
    let head = format!("POST /webhooks/shop HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    [head.as_bytes(), rest].concat()
}

/// RFC 9113, section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short payloads").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn small(chance: &Chance, bound: u64) -> usize {
    usize::try_from(chance.below(bound)).expect("a small number")
}

/// Sends one connection's bytes, whole, in pieces or only a part, and waits until the other side closes.
async fn attack(to: SocketAddr, bytes: &[u8], chance: &Chance) {
    let Ok(mut stream) = TcpStream::connect(to).await else { panic!("it listens no more") };
    let step = match chance.below(4) {
        0 => 1 + bytes.len() / 7,
        _ => bytes.len().max(1),
    };
    for piece in bytes.chunks(step) {
        // It may have seen enough.
        if stream.write_all(piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    if chance.below(4) == 0 {
        return; // gone without a word
    }
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = soon("the end of a hostile connection", stream.read_to_end(&mut answer)).await;
}

/// As many as `count`, over many connections at once.
async fn attacks(targets: [SocketAddr; 2], seed: u64, numbers: std::ops::Range<u64>) {
    let mut running = JoinSet::new();
    let numbers = Arc::new(tokio::sync::Mutex::new(numbers));
    for _ in 0..CONNECTIONS {
        let numbers = Arc::clone(&numbers);
        running.spawn(async move {
            loop {
                let Some(number) = numbers.lock().await.next() else { return };
                let chance = Chance::of(seed.wrapping_add(number));
                let (_, form) = chance.one(&FORMS);
                attack(targets[usize::from(chance.below(3) == 0)], &form(&chance), &chance).await;
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("an attack ends");
    }
}

/// 100 MB in chunks, as fast as they are taken.
async fn endless(to: SocketAddr) {
    let mut stream = TcpStream::connect(to).await.expect("it listens");
    let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![b'a'; 1 << 20], b"\r\n"].concat();
    let send = async {
        stream.write_all(&with_head("transfer-encoding: chunked\r\n", b"")).await?;
        for _ in 0..100 {
            stream.write_all(&chunk).await?;
        }
        stream.write_all(b"0\r\n\r\n").await
    };
    let _ = soon("the end of an endless body", send).await;
}

fn memory_bytes(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("/proc").count()
}

async fn good_event(gateway: &Gateway, handler: &Handler, number: usize) {
    let body = format!("{{\"id\":\"evt_good{number}\",\"type\":\"invoice.paid\"}}");
    let answer = gateway.post("/webhooks/shop", &stripe_headers(SECRET, body.as_bytes()), body.as_bytes()).await;
    assert_eq!(answer.status, 200, "good event {number}");
    assert_eq!(handler.nth(number).await.body, body.as_bytes(), "good event {number}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_hostile_requests_leave_it_serving() {
    let (seed, _) = Chance::new();
    let handler = Handler::answering(200).await;
    let config = format!(
        "[limits]\nheader_timeout = \"2s\"\nbody_timeout = \"2s\"\nidle_timeout = \"2s\"\n\n\
         [sources.shop]\nsender = \"stripe\"\nsecrets = [\"{SECRET}\"]\n\n\
         [[routes]]\nsource = \"shop\"\nto = [\"app\"]\n\n[destinations.app]\nurl = \"{}\"\n",
        handler.url()
    );
    let mut gateway = Gateway::start(&config).await;
    let (pid, targets) = (gateway.pid(), [gateway.ingest(), gateway.admin().address]);
    let mut good = 1;
    good_event(&gateway, &handler, good).await;
    let files = open_files(pid);

    attacks(targets, seed, 0..WARM_UP).await;
    let (warm, warm_peak) = (memory_bytes(pid, "VmRSS:"), memory_bytes(pid, "VmHWM:"));
    let mut half_open = Vec::new();
    for n in 0..HALF_OPEN {
        let mut stream = TcpStream::connect(targets[n % 2]).await.expect("it listens");
        let begun: [&[u8]; 4] = [b"", b"POST /webhooks/shop HT", &with_head("content-length: 100\r\n", b"{"), PREFACE];
        stream.write_all(begun[n % 4]).await.expect("it takes what comes");
        half_open.push(stream);
    }
    for from in (WARM_UP..REQUESTS).step_by(usize::try_from(ROUND).unwrap()) {
        attacks(targets, seed, from..from + ROUND).await;
        good += 1;
        good_event(&gateway, &handler, good).await;
    }
    tokio::join!(endless(targets[0]), endless(targets[0]), endless(targets[1]), endless(targets[1]));
    for mut stream in half_open {
        let mut rest = Vec::new();
        let _ = soon("its end of a half-open connection", stream.read_to_end(&mut rest)).await;
    }
    good_event(&gateway, &handler, good + 1).await;

    let (growth, peak_growth) =
        (memory_bytes(pid, "VmRSS:").saturating_sub(warm), memory_bytes(pid, "VmHWM:").saturating_sub(warm_peak));
    println!("memory: {warm} bytes warm, {growth} more at the end, {peak_growth} more at its highest");
    assert!(growth <= GROWTH_BYTES_MAX, "memory grew from {warm} by {growth} bytes");
    assert!(peak_growth <= PEAK_GROWTH_BYTES_MAX, "memory rose from {warm_peak} by {peak_growth} bytes");
    let closed = poll(PATIENCE, async || (open_files(pid) <= files).then_some(())).await;
    assert!(closed.is_some(), "{} files are open, {files} were at the start", open_files(pid));

    assert_eq!(handler.received().len(), good + 1, "and nothing else was delivered");
    let log = gateway.log();
    for line in log.lines() {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|e| panic!("seed {seed}: {e}: {line:?}"));
        assert_ne!(line["message"], "panic", "seed {seed}: {line}");
        assert_ne!(line["level"], "error", "seed {seed}: {line}");
    }
    assert!(!log.contains(|c: char| c.is_control() && c != '\n'), "seed {seed}: a control character in the log");
    assert!(gateway.terminate().await.success());
}
