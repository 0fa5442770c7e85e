//! From a name to its addresses, by the system's resolver (so `/etc/hosts`, search domains and the
//! rest hold). One look-up per name at a time, remembered for a short while; few at once in all.
//!
//! The system's resolver blocks a thread and cannot be cancelled. A name that hangs therefore keeps
//! one thread, however many requests wait for it, and leaves the other names alone.

use std::{
    collections::HashMap,
    fmt, io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard, Semaphore},
    time::Instant,
};

/// How long addresses are used again without asking.
const REMEMBER: Duration = Duration::from_secs(10);
/// How long a failure is; short, since each request that meets it fails.
const REMEMBER_FAILURE: Duration = Duration::from_secs(2);
/// Names remembered; past it all are forgotten.
const NAMES_MAX: usize = 4_096;
/// Look-ups at once.
const LOOKUPS_MAX: usize = 64;
/// Addresses used of one name.
const ADDRESSES_MAX: usize = 16;

/// Addresses, or in words why there are none.
pub type Found = Result<Arc<[IpAddr]>, String>;

/// Who knows the addresses of names.
#[async_trait]
pub trait Names: Send + Sync + fmt::Debug {
    /// All addresses of a name, in the order in which they should be tried.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

#[derive(Debug)]
pub struct Resolver {
    system: Arc<dyn Names>,
    names: Mutex<HashMap<String, Arc<AsyncMutex<Option<Known>>>>>,
    lookups: Arc<Semaphore>,
}

#[derive(Debug)]
struct Known {
    found: Found,
    until: Instant,
}

impl Resolver {
    pub fn new(system: Arc<dyn Names>) -> Self {
        Resolver { system, names: Mutex::default(), lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    /// The addresses of a host. An address written as a literal is itself.
    pub async fn resolve(&self, host: &str) -> Found {
        let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if let Ok(ip) = literal.parse::<IpAddr>() {
            return Ok(Arc::new([ip]));
        }
        let entry = self.entry(host);
        loop {
            let known = entry.clone().lock_owned().await;
            match &*known {
                Some(k) if k.until > Instant::now() => return k.found.clone(),
                // The task keeps the lock until it has an answer, even if we are no longer there.
                _ => drop(tokio::spawn(self.look_up(host, known)).await),
            }
        }
    }

    fn look_up(&self, host: &str, mut known: OwnedMutexGuard<Option<Known>>) -> impl Future<Output = ()> + use<> {
        let (system, lookups, host) = (self.system.clone(), self.lookups.clone(), host.to_owned());
        async move {
            let _permit = lookups.acquire_owned().await;
            let found = match system.addresses(&host).await {
                Ok(ips) if ips.is_empty() => Err(format!("the name {host} has no address")),
                Ok(ips) => Ok(ips.into_iter().take(ADDRESSES_MAX).collect()),
                Err(_) => Err(format!("the name {host} could not be resolved")),
            };
            let remember = if found.is_ok() { REMEMBER } else { REMEMBER_FAILURE };
            *known = Some(Known { found, until: Instant::now() + remember });
        }
    }

    fn entry(&self, host: &str) -> Arc<AsyncMutex<Option<Known>>> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES_MAX && !names.contains_key(host) {
            names.clear();
        }
        names.entry(host.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn literals_are_themselves() {
        let resolver = Resolver::new(Arc::new(SystemNames));
        for (host, ip) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("::1", "::1")] {
            assert_eq!(resolver.resolve(host).await.as_deref(), Ok(&[ip.parse().unwrap()][..]));
        }
    }

    #[tokio::test]
    async fn names_are_resolved_once_and_failures_are_words() {
        let resolver = Resolver::new(Arc::new(SystemNames));
        let found = resolver.resolve("localhost").await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback));
        // The very same list: remembered.
        assert!(Arc::ptr_eq(&found, &resolver.resolve("localhost").await.unwrap()));
        // `.invalid` never exists (RFC 2606).
        let lost = resolver.resolve("nobody.invalid").await;
        assert_eq!(lost, Err("the name nobody.invalid could not be resolved".to_owned()));
    }
}
