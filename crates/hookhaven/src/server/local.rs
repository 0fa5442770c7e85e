//! How a listener of this machine is called from this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where a listener of this machine is called.
pub fn local_url(bound: SocketAddr, tls: bool) -> String {
    format!("{}://{}", if tls { "https" } else { "http" }, reachable(bound))
}

/// An address to call for one that is bound to every interface.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bound_to_every_interface_is_called_at_loopback() {
        for (bound, tls, url) in [
            ("0.0.0.0:8080", false, "http://127.0.0.1:8080"),
            ("[::]:8080", true, "https://[::1]:8080"),
            ("10.1.2.3:80", false, "http://10.1.2.3:80"),
        ] {
            assert_eq!(local_url(bound.parse().unwrap(), tls), url);
        }
    }
}
