//! Which addresses a class of requests may reach. Judged on the address that is about to be
//! connected to, never on a name, so that a name cannot say one thing now and another later.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
};

/// What a pool of connections may reach. A further class (published destinations, which may not be
/// private) is a further variant and a further pool.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Anything but our own admin side: what the team wrote in its config file.
    Trusted { own: Arc<[SocketAddr]> },
}

impl Reach {
    /// Why this address must not be called; `None` if it may.
    pub fn refuses(&self, address: SocketAddr) -> Option<&'static str> {
        match self {
            Reach::Trusted { own } => {
                own.iter().any(|own| reaches(address, *own)).then_some("it is the gateway's own admin address")
            }
        }
    }
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
