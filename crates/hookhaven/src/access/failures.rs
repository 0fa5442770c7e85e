//! How often an address was refused lately, so that who guesses tokens, or asks in a loop with a wrong one, is slowed
//! down. Only refusals count and only the refused are told: a right token is let in from any address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hookhaven_core::Time;

/// Refusals of one address in one window, beyond which it is told to wait.
pub const FAILURES_MAX: u32 = 10;
pub const FAILURES_WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are watched; all further ones count as one.
const ADDRESSES_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<IpAddr, Window>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Time,
    count: u32,
}

impl Failures {
    /// Counts a refusal, and answers whether there were too many lately.
    pub fn too_many(&self, from: IpAddr, now: Time) -> bool {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |window: &Window| now.since(window.began) >= FAILURES_WINDOW;
        let mut from = network(from);
        if table.len() >= ADDRESSES_MAX && !table.contains_key(&from) {
            table.retain(|_, window| !over(window));
            if table.len() >= ADDRESSES_MAX {
                from = Ipv6Addr::UNSPECIFIED.into();
            }
        }
        let window = table.entry(from).or_insert(Window { began: now, count: 0 });
        if over(window) {
            *window = Window { began: now, count: 0 };
        }
        window.count = window.count.saturating_add(1);
        window.count > FAILURES_MAX
    }
}

/// Whoever has one IPv6 address has the 2^64 beside it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const NOW: Time = Time::from_s(1_790_000_000);

    fn flood(failures: &Failures, from: &str, now: Time) -> usize {
        let from: IpAddr = from.parse().unwrap();
        (0..15).filter(|_| failures.too_many(from, now)).count()
    }

    #[test]
    fn an_address_has_ten_tries_a_minute_and_others_have_their_own() {
        let failures = Failures::default();
        assert_eq!(flood(&failures, "192.0.2.1", NOW), 5);
        assert_eq!(flood(&failures, "192.0.2.2", NOW), 5);
        assert_eq!(flood(&failures, "192.0.2.1", NOW.plus(Duration::from_secs(59))), 15);
        assert_eq!(flood(&failures, "192.0.2.1", NOW.plus(FAILURES_WINDOW)), 5);
    }

    #[test]
    fn an_ipv6_network_is_one_and_a_mapped_address_is_ipv4() {
        let failures = Failures::default();
        flood(&failures, "2001:db8::1", NOW);
        assert_eq!(flood(&failures, "2001:db8::ffff:2", NOW), 15);
        assert_eq!(flood(&failures, "2001:db8:0:1::1", NOW), 5);
        flood(&failures, "192.0.2.1", NOW);
        assert_eq!(flood(&failures, "::ffff:192.0.2.1", NOW), 15);
    }

    #[test]
    fn the_table_is_bounded_and_tidies_itself() {
        let failures = Failures::default();
        let address = |n: usize| IpAddr::from(Ipv4Addr::from(u32::try_from(n).unwrap()));
        for n in 0..ADDRESSES_MAX + 50 {
            failures.too_many(address(n), NOW);
        }
        assert!(failures.0.lock().unwrap().len() <= ADDRESSES_MAX + 1);
        assert_eq!(flood(&failures, "203.0.113.9", NOW), 15, "who comes to a full table shares one count");
        assert_eq!(flood(&failures, "203.0.113.9", NOW.plus(FAILURES_WINDOW)), 5);
        assert_eq!(failures.0.lock().unwrap().len(), 1);
    }
}
