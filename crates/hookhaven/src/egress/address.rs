//! Which addresses a class of requests may reach. Judged on the address that is about to be
//! connected to, never on a name, so that a name cannot say one thing now and another later.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
};

use ipnet::IpNet;

use super::{exact::ExactUrl, special::special};

/// What a pool of connections may reach: never our own admin side.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Anything else: what the team wrote in its config file.
    Trusted { own: Arc<[SocketAddr]> },
    /// Hosts on the public Internet, and what `allow` names: whatever somebody published to.
    Published { own: Arc<[SocketAddr]>, allow: Arc<[IpNet]> },
}

impl Reach {
    /// Why this address must not be called, as in "it is a private address"; `None` if it may.
    pub fn refuses(&self, address: SocketAddr) -> Option<&'static str> {
        let (Reach::Trusted { own } | Reach::Published { own, .. }) = self;
        if own.iter().any(|own| reaches(address, *own)) {
            return Some("the gateway's own admin address");
        }
        match self {
            Reach::Trusted { .. } => None,
            Reach::Published { allow, .. } => special(address.ip(), allow),
        }
    }
}

/// Refuses a URL that cannot be called, and one whose host says without being looked up that published
/// messages may not go there: an address in any spelling, and `localhost`. To refuse it early is a kindness;
/// what holds is the judgement at the connection.
///
/// # Errors
/// The reason, to be shown to whoever published.
pub fn judge_literal(url: &str, allow: &[IpNet]) -> Result<(), String> {
    let url = ExactUrl::parse(url).map_err(|error| error.to_string())?;
    let what = match url.literal() {
        Some(ip) => special(ip, allow),
        None if is_localhost(url.host()) => {
            let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            loopback.into_iter().map(|ip| special(ip, allow)).reduce(Option::and).flatten()
        }
        None => None,
    };
    match what {
        Some(what) => Err(format!("{} is {what}, and net.allow does not name it", url.host())),
        None => Ok(()),
    }
}

/// Names that mean this machine wherever they are looked up (RFC 6761).
fn is_localhost(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether connecting to `target` ends at a listener bound to `own`.
fn reaches(target: SocketAddr, own: SocketAddr) -> bool {
    if target.port() != own.port() {
        return false;
    }
    let (target, own) = (target.ip().to_canonical(), own.ip().to_canonical());
    // Connecting to the unspecified address means this machine.
    target == own || target.is_unspecified() || (own.is_unspecified() && is_this_machine(target))
}

/// Only an address of this machine can be bound to.
fn is_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(own: &str, target: &str) -> bool {
        let own = [own.parse().unwrap()];
        Reach::Trusted { own: Arc::new(own) }.refuses(target.parse().unwrap()).is_some()
    }

    #[test]
    fn the_admin_side_is_refused_in_every_spelling() {
        for target in ["127.0.0.1:8081", "[::ffff:127.0.0.1]:8081", "0.0.0.0:8081", "[::]:8081"] {
            assert!(refused("127.0.0.1:8081", target), "{target}");
        }
        for target in ["127.0.0.1:8081", "127.9.9.9:8081", "[::1]:8081", "0.0.0.0:8081"] {
            assert!(refused("0.0.0.0:8081", target), "{target}");
            assert!(refused("[::]:8081", target), "{target}");
        }
    }

    #[test]
    fn everything_else_is_the_teams_choice() {
        for target in ["127.0.0.1:8080", "10.0.0.1:8081", "[::1]:8081", "169.254.169.254:80"] {
            assert!(!refused("127.0.0.1:8081", target), "{target}");
        }
        // TEST-NET-1 (RFC 5737) is nobody's, so not ours.
        assert!(!refused("0.0.0.0:8081", "192.0.2.1:8081"));
    }
}
