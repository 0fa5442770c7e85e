//! Whose request it is, where proxies of ours stand before the gateway: the address of the client, by what the
//! proxies say.
//!
//! A header counts only if the connection comes from a trusted proxy, and then it is read from its end: each proxy
//! adds whom it was asked by, so the last entry that is no trusted proxy is the client, and what stands to the left of
//! it is that client's own tale. An entry that is no address, where one is needed, makes the client unknown. So does a
//! contradiction between `X-Forwarded-For` and `Forwarded`: a proxy writes one of them, and the other is then whatever
//! a stranger sent. Who is unknown is on no allow-list.
//!
//! Not here: what follows from the address.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies in a row that are looked through.
const HOPS_MAX: usize = 32;

/// The client's address; `None` if the proxies do not tell it. IPv4 in IPv6 is IPv4.
pub fn client_address(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = peer.ip().to_canonical();
    if !is_trusted(peer, trusted) {
        return Some(peer);
    }
    let told = [by_x_forwarded_for(headers, trusted), by_forwarded(headers, trusted)];
    match told {
        [Told::Nothing, Told::Nothing] => Some(peer),
        [told, Told::Nothing] | [Told::Nothing, told] => told.address(),
        [one, other] => one.address().filter(|_| one == other),
    }
}

/// What one header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// It is not there.
    Nothing,
    Address(IpAddr),
    /// It does not say who the client is.
    Unclear,
}

impl Told {
    fn address(self) -> Option<IpAddr> {
        match self {
            Told::Address(ip) => Some(ip),
            Told::Nothing | Told::Unclear => None,
        }
    }
}

fn is_trusted(ip: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&ip))
}

/// Goes from the end to the first entry that is no trusted proxy; if all are, the first of all is the client.
fn last_untrusted(entries: impl Iterator<Item = Option<IpAddr>>, trusted: &[IpNet]) -> Told {
    let mut told = Told::Nothing;
    for (hops, entry) in entries.enumerate() {
        match entry {
            Some(ip) if hops < HOPS_MAX && is_trusted(ip, trusted) => told = Told::Address(ip),
            Some(ip) if hops < HOPS_MAX => return Told::Address(ip),
            _ => return Told::Unclear,
        }
    }
    told
}

/// Lines from the last to the first. Bytes that are no text stand for themselves alone, so that they spoil no more
/// than the entry they are in.
fn lines<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = Cow<'h, str>> + use<'h> {
    let lines: Vec<Cow<'_, str>> =
        headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    lines.into_iter().rev()
}

fn by_x_forwarded_for(headers: &HeaderMap, trusted: &[IpNet]) -> Told {
    let entries = lines(headers, &X_FORWARDED_FOR).flat_map(|line| {
        let entries = line.rsplit(',').take(HOPS_MAX + 1);
        entries.map(|entry| address(entry.trim_matches([' ', '\t']))).collect::<Vec<_>>()
    });
    last_untrusted(entries, trusted)
}

/// RFC 7239. A line is read from its beginning, since commas may stand in quotes; one that is not written as the
/// standard says names nobody, wherever in it the mistake is.
fn by_forwarded(headers: &HeaderMap, trusted: &[IpNet]) -> Told {
    let entries = lines(headers, &header::FORWARDED).flat_map(|line| match elements(&line) {
        Some(elements) => elements.into_iter().rev().collect(),
        None => vec![None],
    });
    last_untrusted(entries, trusted)
}

/// The address of each element's `for`, if it is one.
fn elements(line: &str) -> Option<Vec<Option<IpAddr>>> {
    let mut elements = Vec::new();
    let mut rest = line;
    loop {
        let mut by = None;
        loop {
            rest = rest.trim_start_matches([' ', '\t']);
            let (name, after) = rest.split_at(rest.find(|c| !is_token(c)).unwrap_or(rest.len()));
            let (value, after) = value(after.strip_prefix('=')?)?;
            if name.is_empty() || (name.eq_ignore_ascii_case("for") && by.replace(value).is_some()) {
                return None;
            }
            rest = after.trim_start_matches([' ', '\t']);
            match rest.strip_prefix(';') {
                Some(after) => rest = after,
                None => break,
            }
        }
        elements.push(by.and_then(|value| address(&value)));
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Some(elements),
            None => return None,
        }
    }
}

/// A token or a quoted text, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, after) = text.split_at(text.find(|c| !is_token(c)).unwrap_or(text.len()));
        return (!token.is_empty()).then(|| (token.to_owned(), after));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let in_brackets = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let ip = text.parse().ok().or_else(|| in_brackets(text).map(IpAddr::V6));
    // A zone (`%eth0`) means something on one machine only.
    let with_port = || text.parse().ok().filter(|_| !text.contains('%')).map(|address: SocketAddr| address.ip());
    ip.or_else(with_port).map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests;
