//! Which addresses are not those of a host on the public Internet: IANA's special-purpose registries for
//! IPv4 and IPv6 (as of 2025-10), the multicast ranges, and IPv4 addresses wrapped into IPv6 ones.
//!
//! Whoever publishes a message may name any URL, so this list decides what stands behind it: a database in
//! the same network, the cloud's metadata service, this machine. IPv6 is therefore judged the other way
//! round: what is outside 2000::/3, the only range given out, is refused without having to be listed.
//!
//! Not here: which holes the team opened, and our own addresses (`address`).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// <https://www.iana.org/assignments/iana-ipv4-special-registry>, less what it calls globally reachable.
const SPECIAL_V4: [(&str, &str); 17] = [
    ("0.0.0.0/8", "an address of this machine"),
    ("10.0.0.0/8", "a private address"),
    ("100.64.0.0/10", "a provider's shared address"),
    ("127.0.0.0/8", "a loopback address"),
    ("169.254.0.0/16", "a link-local address"),
    ("172.16.0.0/12", "a private address"),
    // With the two anycast addresses in it that are globally reachable: nobody serves HTTP there.
    ("192.0.0.0/24", "an address for protocols"),
    ("192.0.2.0/24", "an address for documentation"),
    ("192.88.99.0/24", "an address of relays"),
    ("192.168.0.0/16", "a private address"),
    ("198.18.0.0/15", "an address for benchmarks"),
    ("198.51.100.0/24", "an address for documentation"),
    ("203.0.113.0/24", "an address for documentation"),
    // RFC 5771; not in the registry of special purposes.
    ("224.0.0.0/4", "a multicast address"),
    ("255.255.255.255/32", "the broadcast address"),
    ("240.0.0.0/4", "a reserved address"),
    // A public address that Azure uses inside every virtual network for its platform's services.
    ("168.63.129.16/32", "a cloud platform's own address"),
];

/// <https://www.iana.org/assignments/iana-ipv6-special-registry>: what of 2000::/3 is not for hosts, and
/// what outside of it has a name.
const SPECIAL_V6: [(&str, &str); 16] = [
    ("::/128", "an address of this machine"),
    ("::1/128", "a loopback address"),
    ("::/96", "an IPv4 address in a form that is no longer used"),
    ("64:ff9b:1::/48", "an address of a network's own NAT64"),
    ("100::/64", "an address that discards"),
    ("100:0:0:1::/64", "an address that discards"),
    // Teredo, benchmarks, ORCHID, relays and drones among it.
    ("2001::/23", "an address for protocols"),
    ("2001:db8::/32", "an address for documentation"),
    ("3fff::/20", "an address for documentation"),
    ("5f00::/16", "an address of segment routing"),
    ("fc00::/7", "a unique local address"),
    ("fe80::/10", "a link-local address"),
    ("fec0::/10", "a site-local address"),
    ("ff00::/8", "a multicast address"),
    ("2000::/3", ""),
    ("::/0", "an address that was given to nobody"),
];

/// The tables above, parsed. A line that were no range would be left out; a test counts them.
static RANGES_V4: LazyLock<Vec<(Ipv4Net, &str)>> =
    LazyLock::new(|| SPECIAL_V4.iter().filter_map(|(net, what)| Some((net.parse().ok()?, *what))).collect());
static RANGES_V6: LazyLock<Vec<(Ipv6Net, &str)>> =
    LazyLock::new(|| SPECIAL_V6.iter().filter_map(|(net, what)| Some((net.parse().ok()?, *what))).collect());

/// What an address is, if it is not that of a host on the public Internet and not inside `allow`.
///
/// An IPv6 address that stands for an IPv4 one is judged as that, also by `allow`.
pub fn special(ip: IpAddr, allow: &[IpNet]) -> Option<&'static str> {
    if allow.iter().any(|net| net.contains(&ip)) {
        return None;
    }
    match ip {
        IpAddr::V4(ip) => first(&RANGES_V4, |net| net.contains(&ip)),
        IpAddr::V6(ip) => match stands_for(ip) {
            Some(inside) => special(inside.into(), allow),
            None => first(&RANGES_V6, |net| net.contains(&ip)).or_else(|| special(isatap(ip)?.into(), allow)),
        },
    }
}

/// The first range that has it; `None` too if that is one without a special purpose.
fn first<N>(ranges: &[(N, &'static str)], has: impl Fn(&N) -> bool) -> Option<&'static str> {
    ranges.iter().find(|(net, _)| has(net)).map(|(_, what)| *what).filter(|what| !what.is_empty())
}

/// The IPv4 address that packets to this one end at: IPv4-mapped (RFC 4291), the well-known prefix of NAT64
/// (RFC 6052), 6to4 (RFC 3056).
fn stands_for(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(v4(high, low))
        }
        _ => None,
    }
}

/// The IPv4 address at the end of a tunnel inside one site (RFC 5214); its prefix may be any.
fn isatap(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    match ip.segments() {
        [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => Some(v4(high, low)),
        _ => None,
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(ip: &str, allow: &[&str]) -> Option<&'static str> {
        let allow: Vec<IpNet> = allow.iter().map(|net| net.parse().unwrap()).collect();
        special(ip.parse().unwrap(), &allow)
    }

    #[test]
    fn every_line_of_the_tables_counts() {
        assert_eq!((RANGES_V4.len(), RANGES_V6.len()), (SPECIAL_V4.len(), SPECIAL_V6.len()));
    }

    #[test]
    fn the_first_and_last_address_of_each_range_are_refused_and_their_neighbours_are_not() {
        let edges = [
            ("0.0.0.0", "0.255.255.255", "1.0.0.0"),
            ("10.0.0.0", "10.255.255.255", "11.0.0.0"),
            ("100.64.0.0", "100.127.255.255", "100.128.0.0"),
            ("127.0.0.0", "127.255.255.255", "128.0.0.0"),
            ("169.254.0.0", "169.254.255.255", "169.255.0.0"),
            ("172.16.0.0", "172.31.255.255", "172.32.0.0"),
            ("192.0.0.0", "192.0.0.255", "192.0.1.0"),
            ("192.0.2.0", "192.0.2.255", "192.0.3.0"),
            ("192.88.99.0", "192.88.99.255", "192.88.100.0"),
            ("192.168.0.0", "192.168.255.255", "192.169.0.0"),
            ("198.18.0.0", "198.19.255.255", "198.20.0.0"),
            ("198.51.100.0", "198.51.100.255", "198.51.101.0"),
            ("203.0.113.0", "203.0.113.255", "203.0.114.0"),
            ("224.0.0.0", "255.255.255.255", "223.255.255.255"),
            ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::1"),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::1"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::1"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::1"),
            ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3ffe::1"),
        ];
        for (first, last, outside) in edges {
            assert!(what(first, &[]).is_some(), "{first}");
            assert!(what(last, &[]).is_some(), "{last}");
            assert_eq!(what(outside, &[]), None, "{outside}");
        }
    }

    #[test]
    fn an_address_inside_another_is_judged_too() {
        let wrapped = |v4: &str| {
            let [a, b, c, d] = v4.parse::<Ipv4Addr>().unwrap().octets();
            let (high, low) = (format!("{a:02x}{b:02x}"), format!("{c:02x}{d:02x}"));
            [
                format!("::ffff:{v4}"),
                format!("64:ff9b::{v4}"),
                format!("2002:{high}:{low}::1"),
                format!("2a00:1450::5efe:{high}:{low}"),
                format!("2a00:1450::200:5efe:{high}:{low}"),
            ]
        };
        for v4 in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.100.100.200", "0.0.0.0"] {
            for ip in wrapped(v4) {
                assert_eq!(what(&ip, &[]), what(v4, &[]), "{ip}");
                assert!(what(&ip, &[]).is_some(), "{ip}");
                assert_eq!(what(&ip, &["0.0.0.0/1", "127.0.0.0/8", "169.254.0.0/16"]), None, "{ip}");
            }
        }
        for ip in wrapped("8.8.8.8") {
            assert_eq!(what(&ip, &[]), None, "{ip}");
        }
        // Forms that no host on the Internet has, whatever is inside: compatible, a local NAT64, Teredo.
        for ip in ["::8.8.8.8", "64:ff9b:1::8.8.8.8", "2001:0:808:808::f7f7:f7f7"] {
            assert!(what(ip, &["8.8.8.0/24"]).is_some(), "{ip}");
        }
    }

    #[test]
    fn a_hole_is_no_larger_than_it_was_made() {
        assert_eq!(what("10.0.0.1", &["10.0.0.0/8"]), None);
        assert_eq!(what("fd00::1", &["fd00::/8"]), None);
        assert_eq!(what("10.0.0.2", &["10.0.0.1/32"]), Some("a private address"));
        assert_eq!(what("127.0.0.1", &["10.0.0.0/8", "::1/128"]), Some("a loopback address"));
        // The link is as local as before, though what is inside may be reached.
        assert_eq!(what("fe80::5efe:a00:1", &["10.0.0.0/8"]), Some("a link-local address"));
    }
}
