//! What senders publish and their signatures rest on, fetched and kept: certificates of SNS and PayPal, keys of
//! Plaid. Also the one call by which a subscription is confirmed, and the documents that `networks` asks for and keeps
//! itself.
//!
//! The addresses come from the sender's own file in the core, which has compared them with the sender's hosts; here
//! they go through the guarded way out: HTTPS, public addresses only, no redirects, bounded in size and time. One
//! fetch for a thing at a time; the others wait for it. What was fetched counts for [`FRESH`]; when it cannot be
//! fetched anew, the last good copy goes on for [`LAST_GOOD`]. A stranger can make us fetch what he names within the
//! sender's hosts, so new things are few in number and in a minute.
//!
//! Not here: what is done with a key (`hookhaven_core::senders`).

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use hookhaven_core::{Time, destination::Rate, pace::Pace, sender::Fetch, senders::LIST_BYTES_MAX};
use hookhaven_store::clock::Clock;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::sync::Mutex as AsyncMutex;

use crate::egress::{Egress, Outbound, To};

/// How long a copy is used without asking again.
pub const FRESH: Duration = Duration::from_secs(86_400);
/// How long the last good copy is used when no new one can be had.
pub const LAST_GOOD: Duration = Duration::from_secs(7 * 86_400);
/// After a failure it is not tried again for so long.
pub const REST: Duration = Duration::from_secs(10);
/// Things kept; past it those that were fetched longest ago go.
const KEPT_MAX: usize = 256;
/// Fetches in a minute, of all senders together.
const FETCHES_A_MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("it is not zero");
/// Of a key: senders wait little longer for their answer. A certificate is 2 KiB, a key less.
const OF_KEYS: Bounds = Bounds { timeout: Duration::from_secs(3), bytes_max: 64 << 10 };
/// Of a list of addresses: nobody waits for it.
const OF_LISTS: Bounds = Bounds { timeout: Duration::from_secs(30), bytes_max: LIST_BYTES_MAX };
/// GitHub answers nobody without one.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("hookhaven/", env!("CARGO_PKG_VERSION")));

/// What one fetch may take: from the name to the last byte, and how many of them.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    timeout: Duration,
    bytes_max: usize,
}

/// Why there is nothing to judge by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFetched {
    /// The sender has no such thing: the request names one that does not exist.
    #[error("the sender has no such key")]
    NoSuch,
    /// It could not be had: our trouble or the sender's.
    #[error("{0}")]
    Failed(String),
}

/// Fetches and keeps. Shared by all requests.
#[derive(Debug)]
pub struct SenderKeys {
    egress: Arc<dyn Egress>,
    clock: Arc<dyn Clock>,
    kept: Mutex<HashMap<String, Arc<AsyncMutex<Kept>>>>,
    pace: Mutex<Pace>,
}

/// What is known of one thing.
#[derive(Debug, Default)]
struct Kept {
    copy: Option<(Bytes, Time)>,
    failed: Option<(NotFetched, Time)>,
}

impl SenderKeys {
    pub fn new(egress: Arc<dyn Egress>, clock: Arc<dyn Clock>) -> Self {
        SenderKeys { egress, clock, kept: Mutex::default(), pace: Mutex::new(Pace::of_requests()) }
    }

    /// A copy that counts.
    ///
    /// # Errors
    /// There is none, and none can be had now.
    pub async fn get(&self, fetch: &Fetch) -> Result<Bytes, NotFetched> {
        let entry = self.entry(&fetch.cache_key);
        let mut kept = entry.lock().await;
        let now = self.clock.now();
        match &*kept {
            Kept { copy: Some((bytes, at)), .. } if now.since(*at) < FRESH => return Ok(bytes.clone()),
            Kept { failed: Some((_, at)), .. } if now.since(*at) < REST => return kept.last_good(now),
            _ => {}
        }
        match self.fetch(fetch, now).await {
            Ok(bytes) => *kept = Kept { copy: Some((bytes, now)), failed: None },
            Err(why) => kept.failed = Some((why, now)),
        }
        kept.last_good(now)
    }

    /// Calls an address of a sender's and looks only at whether it liked that.
    ///
    /// # Errors
    /// In words, why it is not done.
    pub async fn call(&self, url: &str) -> Result<(), String> {
        let fetch = Fetch::get(url.to_owned());
        match self.fetch(&fetch, self.clock.now()).await {
            Ok(_) => Ok(()),
            Err(why) => Err(why.to_string()),
        }
    }

    /// Fetches a list of addresses that a sender publishes. Nothing is kept, and no stranger can ask for it, so it
    /// takes no turn.
    ///
    /// # Errors
    /// It could not be had.
    pub async fn list(&self, url: &str) -> Result<Bytes, NotFetched> {
        let mut fetch = Fetch::get(url.to_owned());
        fetch.headers.push((header::USER_AGENT, USER_AGENT));
        self.send(&fetch, OF_LISTS).await
    }

    fn entry(&self, key: &str) -> Arc<AsyncMutex<Kept>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.get(key) {
            return entry.clone();
        }
        if kept.len() >= KEPT_MAX {
            // One that is being fetched has the lock, and is the newest.
            let at = |entry: &Arc<AsyncMutex<Kept>>| match entry.try_lock() {
                Ok(kept) => kept.copy.as_ref().map_or(Time::EPOCH, |(_, at)| *at),
                Err(_) => Time::MAX,
            };
            let oldest = kept.iter().min_by_key(|(_, entry)| at(entry)).map(|(key, _)| key.clone());
            kept.remove(&oldest.unwrap_or_default());
        }
        kept.entry(key.to_owned()).or_default().clone()
    }

    async fn fetch(&self, fetch: &Fetch, now: Time) -> Result<Bytes, NotFetched> {
        self.take_a_turn(now)?;
        self.send(fetch, OF_KEYS).await
    }

    async fn send(&self, fetch: &Fetch, bounds: Bounds) -> Result<Bytes, NotFetched> {
        if !fetch.url.starts_with("https://") {
            return Err(NotFetched::Failed("only HTTPS is fetched".to_owned()));
        }
        let sent = self.egress.send(outbound(fetch, bounds)).await;
        let answer = sent.result.map_err(|failure| NotFetched::Failed(failure.error))?;
        match answer.status {
            status if status.is_success() && answer.excerpt.len() <= bounds.bytes_max => Ok(answer.excerpt),
            StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => {
                Err(NotFetched::NoSuch)
            }
            status => Err(NotFetched::Failed(format!("the sender answered {}", status.as_u16()))),
        }
    }

    fn take_a_turn(&self, now: Time) -> Result<(), NotFetched> {
        let rate = Rate { count: FETCHES_A_MINUTE, per: Duration::from_secs(60) };
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.room(rate, now) == 0 {
            return Err(NotFetched::Failed("too many keys were asked for in a minute".to_owned()));
        }
        pace.take(rate, now);
        Ok(())
    }
}

impl Kept {
    fn last_good(&self, now: Time) -> Result<Bytes, NotFetched> {
        match (&self.copy, &self.failed) {
            (Some((bytes, at)), _) if now.since(*at) < LAST_GOOD => Ok(bytes.clone()),
            (_, Some((why, _))) => Err(why.clone()),
            _ => Err(NotFetched::Failed("nothing was fetched".to_owned())),
        }
    }
}

fn outbound(fetch: &Fetch, bounds: Bounds) -> Outbound {
    let headers: HeaderMap = fetch.headers.iter().cloned().collect();
    let method = if fetch.body.is_empty() { Method::GET } else { fetch.method.clone() };
    Outbound {
        method,
        to: To::Sender(fetch.url.as_str().into()),
        headers,
        body: fetch.body.clone(),
        timeout: bounds.timeout,
        excerpt_bytes_max: bounds.bytes_max + 1,
        response_bytes_max: bounds.bytes_max + 1,
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use hookhaven_core::{ErrorClass, Phases};
    use hookhaven_store::clock::ManualClock;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::egress::{Answered, Failure, Sent};

    const NOW: Time = Time::from_s(1_790_000_000);

    /// Answers what it is told to, once it is let.
    #[derive(Debug)]
    struct Script {
        answers: Mutex<Vec<Result<(u16, Bytes), ()>>>,
        asked: Mutex<Vec<Outbound>>,
        open: Semaphore,
    }

    #[async_trait]
    impl Egress for Script {
        async fn send(&self, outbound: Outbound) -> Sent {
            self.asked.lock().unwrap().push(outbound);
            let _open = self.open.acquire().await.unwrap();
            let result = match self.answers.lock().unwrap().pop().expect("nobody should ask now") {
                Ok((status, excerpt)) => {
                    Ok(Answered { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), excerpt })
                }
                Err(()) => Err(Failure { class: ErrorClass::Connect, error: "refused".into(), status: None }),
            };
            Sent { result, phases: Phases::default(), duration: Duration::ZERO }
        }
    }

    fn setup(mut answers: Vec<Result<(u16, &'static str), ()>>) -> (Arc<Script>, ManualClock, SenderKeys) {
        answers.reverse();
        let answers = answers.into_iter().map(|a| a.map(|(status, text)| (status, Bytes::from(text)))).collect();
        let script = Script { answers: Mutex::new(answers), asked: Mutex::default(), open: Semaphore::new(9) };
        let (script, clock) = (Arc::new(script), ManualClock::at(NOW));
        let keys = SenderKeys::new(script.clone(), Arc::new(clock.clone()));
        (script, clock, keys)
    }

    fn a_key() -> Fetch {
        Fetch::get("https://api.paypal.com/cert".into())
    }

    fn failed(why: &str) -> Result<Bytes, NotFetched> {
        Err(NotFetched::Failed(why.to_owned()))
    }

    #[tokio::test]
    async fn a_copy_is_used_for_a_day_and_the_last_good_one_for_a_week() {
        let (script, clock, keys) = setup(vec![Ok((200, "one")), Ok((200, "two")), Err(()), Ok((503, ""))]);
        for _ in 0..3 {
            assert_eq!(keys.get(&a_key()).await, Ok("one".into()));
        }
        clock.advance(FRESH);
        assert_eq!(keys.get(&a_key()).await, Ok("two".into()));
        clock.advance(FRESH);
        for _ in 0..3 {
            assert_eq!(keys.get(&a_key()).await, Ok("two".into()), "the last good copy");
        }
        assert_eq!(script.asked.lock().unwrap().len(), 3, "and a rest after a failure");
        clock.advance(LAST_GOOD);
        assert_eq!(keys.get(&a_key()).await, failed("the sender answered 503"));
    }

    #[tokio::test]
    async fn a_failure_rests_and_then_it_is_tried_again() {
        let (_, clock, keys) = setup(vec![Err(()), Ok((404, "")), Ok((200, "key"))]);
        assert_eq!(keys.get(&a_key()).await, failed("refused"));
        assert_eq!(keys.get(&a_key()).await, failed("refused"));
        clock.advance(REST);
        assert_eq!(keys.get(&a_key()).await, Err(NotFetched::NoSuch));
        clock.advance(REST);
        assert_eq!(keys.get(&a_key()).await, Ok("key".into()));
    }

    #[tokio::test]
    async fn many_who_want_the_same_wait_for_one_fetch() {
        let (script, _, keys) = setup(vec![Ok((200, "key"))]);
        script.open.forget_permits(9);
        let keys = Arc::new(keys);
        let all: Vec<_> = (0..20)
            .map(|_| {
                let keys = keys.clone();
                tokio::spawn(async move { keys.get(&a_key()).await })
            })
            .collect();
        script.open.add_permits(1);
        for one in all {
            assert_eq!(one.await.unwrap(), Ok("key".into()));
        }
        assert_eq!(script.asked.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_is_asked_goes_to_senders_by_https_only_and_is_bounded() {
        let (script, _, keys) = setup(vec![Ok((200, "key"))]);
        assert_eq!(keys.get(&Fetch::get("http://api.paypal.com/cert".into())).await, failed("only HTTPS is fetched"));
        assert_eq!(keys.call("https://sns.eu-west-1.amazonaws.com/?Action=x").await, Ok(()));
        let asked = script.asked.lock().unwrap();
        assert!(matches!(&asked[..], [Outbound { to: To::Sender(_), .. }]), "{asked:?}");
        assert_eq!(asked[0].timeout, OF_KEYS.timeout);
    }

    #[tokio::test]
    async fn strangers_cannot_make_us_fetch_without_end() {
        let (script, clock, keys) = setup(vec![Ok((404, "")); 61]);
        let mut busy = 0;
        for n in 0..100 {
            let fetch = Fetch::get(format!("https://api.paypal.com/{n}"));
            busy += usize::from(matches!(keys.get(&fetch).await, Err(NotFetched::Failed(_))));
        }
        assert_eq!((script.asked.lock().unwrap().len(), busy), (60, 40));
        clock.advance(Duration::from_secs(1));
        assert_eq!(keys.get(&a_key()).await, Err(NotFetched::NoSuch));
        for n in 0..KEPT_MAX * 2 {
            drop(keys.entry(&n.to_string()));
        }
        assert_eq!(keys.kept.lock().unwrap().len(), KEPT_MAX);
    }
}
