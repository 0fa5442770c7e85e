//! Hostile and honest forms, and laws over any header at all.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const PROXY: &str = "10.0.0.1:40000";

fn nets() -> Vec<IpNet> {
    ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).to_vec()
}

fn asked(peer: &str, lines: &[(&'static str, &str)]) -> String {
    let mut headers = HeaderMap::new();
    for (name, line) in lines {
        let line = HeaderValue::from_bytes(line.as_bytes()).unwrap();
        headers.append(HeaderName::from_static(name), line);
    }
    let client = client_address(peer.parse().unwrap(), &headers, &nets());
    client.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string())
}

fn forwarded_for(line: &str) -> String {
    asked(PROXY, &[("x-forwarded-for", line)])
}

fn forwarded(line: &str) -> String {
    asked(PROXY, &[("forwarded", line)])
}

#[test]
fn a_stranger_is_himself_whatever_he_says() {
    for line in ["198.51.100.7", "10.0.0.9", "127.0.0.1", "nonsense"] {
        let lines = [("x-forwarded-for", line), ("forwarded", "for=198.51.100.7")];
        assert_eq!(asked("203.0.113.9:1", &lines), "203.0.113.9");
        assert_eq!(asked("[::ffff:203.0.113.9]:1", &lines), "203.0.113.9");
    }
}

#[test]
fn of_what_a_trusted_proxy_says_the_last_stranger_counts() {
    for (line, client) in [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.7, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.7,203.0.113.9, 10.0.0.2 ,\t10.0.0.3", "203.0.113.9"),
        ("garbage, , 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:5061", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:443", "203.0.113.9"),
        ("203.0.113.9, ::ffff:10.0.0.2, [fd00::1]:80", "203.0.113.9"),
        // A client inside: the outermost of all.
        ("10.0.0.7, 10.0.0.2", "10.0.0.7"),
    ] {
        assert_eq!(forwarded_for(line), client, "{line}");
    }
    assert_eq!(asked(PROXY, &[]), "10.0.0.1", "the proxy asks for itself");
    assert_eq!(asked("[::ffff:10.0.0.1]:1", &[("x-forwarded-for", "203.0.113.9")]), "203.0.113.9");
}

#[test]
fn lines_go_on_where_the_last_one_left_off() {
    let lines =
        [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "10.0.0.2")];
    assert_eq!(asked(PROXY, &lines), "203.0.113.9");
}

#[test]
fn who_is_named_by_no_address_is_unknown() {
    for line in [
        "",
        ",",
        "unknown",
        "203.0.113.9, nonsense, 10.0.0.2",
        "203.0.113.9,",
        "203.0.113.9:99999",
        "203.0.113.9:",
        "0xcb.0.113.9",
        "203.0.113.9 10.0.0.2",
        "[203.0.113.9]",
        "[2001:db8::1",
        "2001:db8::1]:443",
        "fe80::1%eth0",
        "[fe80::1%1]:80",
        "\"203.0.113.9\"",
        "203.0.113.9\u{e9}",
    ] {
        assert_eq!(forwarded_for(line), "unknown", "{line}");
    }
    let many = ["10.0.0.2"; HOPS_MAX + 1].join(",");
    assert_eq!(forwarded_for(&many), "unknown", "more hops than anybody has");
    assert_eq!(forwarded_for(&["10.0.0.2"; HOPS_MAX].join(",")), "10.0.0.2");
}

#[test]
fn the_standard_header_is_read_as_the_standard_says() {
    for (line, client) in [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=\"203.0.113.9:80\";proto=https;by=10.0.0.1", "203.0.113.9"),
        ("for=198.51.100.7, for=\"[2001:db8::1]:4711\" ; proto=http, for=10.0.0.2", "2001:db8::1"),
        ("for=\"[2001:\\db8::1]\"", "2001:db8::1"),
        ("proto=\"a,b;for=198.51.100.7\";for=203.0.113.9", "203.0.113.9"),
        ("for=198.51.100.7;host=\"a\", for=\"_hidden\"", "unknown"),
        ("for=unknown", "unknown"),
        ("proto=https", "unknown"),
        ("for=198.51.100.7;for=203.0.113.9", "unknown"),
        ("for=203.0.113.9, ", "unknown"),
        ("for=", "unknown"),
        ("for=203.0.113.9;", "unknown"),
        ("for=\"203.0.113.9", "unknown"),
        ("for=\"203.0.113.9\"x", "unknown"),
        // A quote left open by a stranger swallows what the proxy adds: then nobody is believed.
        ("for=198.51.100.7, for=\", for=203.0.113.9", "unknown"),
        ("for=198.51.100.7, x=\", for=\"[2001:db8::1]\"", "unknown"),
    ] {
        assert_eq!(forwarded(line), client, "{line}");
    }
    let lines = [("forwarded", "for=198.51.100.7, for=\""), ("forwarded", "for=203.0.113.9")];
    assert_eq!(asked(PROXY, &lines), "203.0.113.9", "a line of the proxy's own is whole");
}

#[test]
fn two_headers_that_contradict_each_other_name_nobody() {
    let both = |x: &str, standard: &str| asked(PROXY, &[("x-forwarded-for", x), ("forwarded", standard)]);
    assert_eq!(both("203.0.113.9", "for=203.0.113.9"), "203.0.113.9");
    assert_eq!(both("203.0.113.9", "for=198.51.100.7"), "unknown");
    assert_eq!(both("203.0.113.9", "for=unknown"), "unknown");
    assert_eq!(both("nonsense", "for=203.0.113.9"), "unknown");
    assert_eq!(both("nonsense", "nonsense"), "unknown");
}

/// What a stranger can put into a header before a proxy adds to it.
fn tale() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "for=",
        "198.51.100.7",
        "10.0.0.9",
        "\"",
        ",",
        ";",
        " ",
        "\\",
        "[",
        "]",
        ":",
        "::1",
        "=",
        "unknown",
        "x",
        "é",
    ]);
    prop_oneof![prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat()), "[ -~]{0,60}"]
}

fn client() -> impl Strategy<Value = IpAddr> {
    let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
    let v6 = any::<[u8; 16]>().prop_map(|bytes| IpAddr::from(bytes).to_canonical());
    prop_oneof![v4, v6].prop_filter("a stranger", |ip| !is_trusted(*ip, &nets()))
}

proptest! {
    #[test]
    fn no_tale_changes_whom_the_proxies_saw(tale in tale(), client in client(), port in any::<Option<u16>>(), proxies in 0..4usize) {
        let written = match port {
            Some(port) => SocketAddr::new(client, port).to_string(),
            None => client.to_string(),
        };
        let line = format!("{tale}, {written}{}", ", 10.0.0.2".repeat(proxies));
        prop_assert_eq!(forwarded_for(&line), client.to_string());
        prop_assert_eq!(asked(PROXY, &[("x-forwarded-for", &tale), ("x-forwarded-for", &written)]), client.to_string());
    }

    #[test]
    fn in_the_standard_header_a_tale_hides_the_client_at_most(tale in tale(), client in client()) {
        let element = format!("for=\"{}\"", SocketAddr::new(client, 1));
        let told = forwarded(&format!("{tale}, {element}"));
        prop_assert!(told == client.to_string() || told == "unknown", "{}", told);
        prop_assert_eq!(asked(PROXY, &[("forwarded", &tale), ("forwarded", &element)]), client.to_string());
    }

    #[test]
    fn a_stranger_is_never_anybody_else(tale in tale(), client in client()) {
        let peer = SocketAddr::new(client, 1).to_string();
        prop_assert_eq!(asked(&peer, &[("x-forwarded-for", &tale), ("forwarded", &tale)]), client.to_string());
    }
}
