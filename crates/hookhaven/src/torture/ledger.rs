//! Torture's own account of what senders were told and what handlers got. It owes nothing to the gateway:
//! an event is known by the number in its body.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use aws_lc_rs::digest;
use hookhaven_core::{Time, sender::Signed};
use serde::Serialize;
use tokio::sync::watch;

use super::traffic::{DESTINATIONS, Kind, Traffic, number_of};

/// Most breaches of one sort that are kept with their particulars; all are counted.
pub const SHOWN_MAX: usize = 20;

#[derive(Debug)]
pub struct Ledger {
    traffic: Arc<Traffic>,
    book: Mutex<Book>,
    /// How many events were acknowledged.
    acknowledged: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Book {
    next: u64,
    requests: u64,
    repeats: u64,
    refused: u64,
    events: HashMap<u64, Entry>,
    /// Sent and not acknowledged, so that their senders try again.
    owed: VecDeque<u64>,
    misjudged: Breaches<Misjudged>,
    strange: Breaches<String>,
    deliveries: u64,
}

#[derive(Debug)]
struct Entry {
    made_at: Time,
    key: Box<str>,
    body_digest: [u8; 8],
    acknowledged: bool,
    /// At each of its destinations.
    got: [Got; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Got {
    /// Answered with 200.
    delivered: u16,
    /// Acted on, whether or not the answer went out.
    handled: u16,
}

/// Breaches of one sort.
#[derive(Clone, Debug, Serialize)]
pub struct Breaches<T> {
    pub count: u64,
    /// The first of them.
    pub first: Vec<T>,
}

impl<T> Default for Breaches<T> {
    fn default() -> Self {
        Breaches { count: 0, first: Vec::new() }
    }
}

impl<T> Breaches<T> {
    pub fn add(&mut self, breach: T) {
        self.count += 1;
        if self.first.len() < SHOWN_MAX {
            self.first.push(breach);
        }
    }
}

/// A request that was answered as no request of its kind may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misjudged {
    pub number: u64,
    pub source: &'static str,
    pub kind: String,
    pub status: u16,
}

/// An event that was acknowledged and is not everywhere it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lost {
    pub number: u64,
    pub source: &'static str,
    pub key: String,
    /// The gateway's id of it; `None` if it does not know the event at all.
    pub event: Option<String>,
    /// Where it never arrived.
    pub missing_at: Vec<&'static str>,
}

/// A request to be sent.
#[derive(Debug)]
pub struct Shot {
    pub number: u64,
    pub kind: Kind,
    pub source: &'static str,
    pub signed: Signed,
}

/// What a handler is to do with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Answer 200.
    Deliver,
    /// Do the work, and never answer.
    HandleOnly,
}

/// The counts of a whole run.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    pub requests: u64,
    pub repeats: u64,
    pub refused: u64,
    pub acknowledged: u64,
    pub delivered: u64,
    pub delivered_more_than_once: u64,
    /// Acknowledged, and not everywhere it belongs, or unknown to the gateway.
    pub lost: Breaches<Lost>,
    /// Of those the unknown ones.
    pub unlisted: u64,
    pub misjudged: Breaches<Misjudged>,
    pub strange: Breaches<String>,
}

impl Ledger {
    pub fn new(traffic: Arc<Traffic>) -> Self {
        Ledger { traffic, book: Mutex::default(), acknowledged: watch::Sender::new(0) }
    }

    /// How many events were acknowledged so far.
    pub fn acknowledged(&self) -> watch::Receiver<u64> {
        self.acknowledged.subscribe()
    }

    /// How many deliveries handlers took so far.
    pub fn deliveries(&self) -> u64 {
        self.book().deliveries
    }

    /// The next request: one that is owed first. `None`: the number that was next has nothing to repeat, or
    /// `owed_only` and nothing is.
    pub fn next(&self, now: Time, owed_only: bool) -> Result<Option<Shot>> {
        let mut book = self.book();
        let owed = book.owed.pop_front().filter(|number| !book.events.get(number).is_some_and(|e| e.acknowledged));
        let (number, kind) = match owed {
            Some(number) => (number, Kind::Repeat(number)),
            None if owed_only => return Ok(None),
            None => {
                let number = book.next;
                book.next += 1;
                match self.traffic.kind(number) {
                    Kind::Repeat(earlier) => (earlier, Kind::Repeat(earlier)),
                    kind => (number, kind),
                }
            }
        };
        let known = book.events.get(&number).map(|entry| entry.made_at);
        if known.is_none() && matches!(kind, Kind::Repeat(_)) {
            return Ok(None);
        }
        let signed = self.traffic.request(number, kind, known.unwrap_or(now), now)?;
        let signer = &self.traffic.of(number).signer;
        if kind == Kind::Fresh {
            let (key, body_digest) = (signer.key(&signed)?.into(), digest_of(&signed.body));
            let entry = Entry { made_at: now, key, body_digest, acknowledged: false, got: Default::default() };
            book.events.insert(number, entry);
        }
        book.requests += 1;
        Ok(Some(Shot { number, kind, source: signer.name, signed }))
    }

    /// Whether every event that was sent has been acknowledged.
    pub fn nothing_owed(&self) -> bool {
        self.book().owed.is_empty()
    }

    /// A request was answered so; `None`: it got no answer.
    pub fn answered(&self, shot: &Shot, status: Option<u16>) {
        let mut book = self.book();
        let misjudged =
            |status| Misjudged { number: shot.number, source: shot.source, kind: format!("{:?}", shot.kind), status };
        match (shot.kind.is_good(), status) {
            (true, Some(200)) => {
                let new =
                    book.events.get_mut(&shot.number).is_some_and(|e| !std::mem::replace(&mut e.acknowledged, true));
                book.repeats += u64::from(!new);
                drop(book);
                self.acknowledged.send_if_modified(|count| {
                    *count += u64::from(new);
                    new
                });
            }
            // It cannot take it now, or it is gone: a sender tries again.
            (true, None | Some(429 | 500..=599)) => {
                if !book.events.get(&shot.number).is_some_and(|e| e.acknowledged) {
                    book.owed.push_back(shot.number);
                }
            }
            (true, Some(status)) => book.misjudged.add(misjudged(status)),
            (false, Some(status @ 200..=299)) => book.misjudged.add(misjudged(status)),
            (false, Some(_)) => book.refused += 1,
            (false, None) => {}
        }
    }

    /// An attempt came to a handler and was well signed. Answers whether the event is one that may come
    /// here, and its number.
    pub fn may_come(&self, destination: usize, body: &[u8]) -> Option<u64> {
        let mut book = self.book();
        let number = number_of(body);
        let entry = number.and_then(|number| book.events.get(&number));
        let strange = match (number, entry) {
            (None, _) => "without a number".to_owned(),
            (Some(number), None) => format!("number {number}, which was never sent as an event"),
            (Some(number), Some(entry)) if entry.body_digest != digest_of(body) => {
                format!("number {number}, not byte for byte as it was sent")
            }
            (Some(number), Some(_)) if self.place(number, destination).is_none() => {
                format!("number {number}, which does not go there")
            }
            (Some(number), Some(_)) => return Some(number),
        };
        book.strange.add(format!("at {}: {strange}", DESTINATIONS[destination]));
        None
    }

    pub fn badly_signed(&self, destination: usize) {
        self.book().strange.add(format!("at {}: badly signed", DESTINATIONS[destination]));
    }

    /// A handler acts on an event that may come.
    pub fn act(&self, number: u64, destination: usize, act: Act) {
        let Some(place) = self.place(number, destination) else { return };
        let mut book = self.book();
        book.deliveries += 1;
        if let Some(entry) = book.events.get_mut(&number) {
            let got = &mut entry.got[place];
            got.handled = got.handled.saturating_add(1);
            if act == Act::Deliver {
                got.delivered = got.delivered.saturating_add(1);
            }
        }
    }

    /// Every event that was sent, by [`name_of`] its source and key.
    pub fn names(&self) -> HashMap<String, u64> {
        let book = self.book();
        let name = |(n, entry): (&u64, &Entry)| (name_of(self.traffic.of(*n).signer.name, &entry.key), *n);
        book.events.iter().map(name).collect()
    }

    /// All counted; `event_of` is what the gateway calls an event that it lists.
    pub fn sums(&self, event_of: impl Fn(u64) -> Option<String>) -> Sums {
        let book = self.book();
        let mut sums = Sums {
            requests: book.requests,
            repeats: book.repeats,
            refused: book.refused,
            misjudged: book.misjudged.clone(),
            strange: book.strange.clone(),
            ..Sums::default()
        };
        let mut acknowledged: Vec<_> = book.events.iter().filter(|(_, entry)| entry.acknowledged).collect();
        acknowledged.sort_unstable_by_key(|(number, _)| **number);
        for (number, entry) in acknowledged {
            let source = self.traffic.of(*number);
            let got = || source.to.iter().zip(&entry.got);
            let undelivered = got().filter(|(_, got)| got.delivered == 0);
            let missing_at: Vec<_> = undelivered.map(|(to, _)| DESTINATIONS[*to]).collect();
            let event = event_of(*number);
            sums.acknowledged += 1;
            sums.delivered += u64::from(missing_at.is_empty());
            sums.delivered_more_than_once += u64::from(got().any(|(_, got)| got.handled > 1));
            sums.unlisted += u64::from(event.is_none());
            if !missing_at.is_empty() || event.is_none() {
                let (source, key) = (source.signer.name, entry.key.to_string());
                sums.lost.add(Lost { number: *number, source, key, event, missing_at });
            }
        }
        sums
    }

    fn place(&self, number: u64, destination: usize) -> Option<usize> {
        self.traffic.of(number).to.iter().position(|d| *d == destination)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What two events have in common only if they are one.
pub fn name_of(source: &str, key: &str) -> String {
    format!("{source} {key}")
}

fn digest_of(body: &[u8]) -> [u8; 8] {
    let digest = digest::digest(&digest::SHA256, body);
    let mut short = [0; 8];
    short.copy_from_slice(&digest.as_ref()[..8]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_s(1_790_000_000);

    fn ledger() -> Ledger {
        Ledger::new(Arc::new(Traffic::new(3).unwrap()))
    }

    /// The next request of a kind.
    fn next(ledger: &Ledger, wanted: fn(Kind) -> bool) -> Shot {
        std::iter::from_fn(|| Some(ledger.next(NOW, false).unwrap())).flatten().find(|shot| wanted(shot.kind)).unwrap()
    }

    fn counted(ledger: &Ledger) -> Sums {
        ledger.sums(|number| Some(format!("evt_{number}")))
    }

    fn deliver(ledger: &Ledger, shot: &Shot, act: Act) {
        for destination in ledger.traffic.of(shot.number).to {
            assert_eq!(ledger.may_come(*destination, &shot.signed.body), Some(shot.number));
            ledger.act(shot.number, *destination, act);
        }
    }

    #[test]
    fn what_was_acknowledged_and_never_answered_with_200_is_lost() {
        let ledger = ledger();
        let [good, half, lost, refused] = [(); 4].map(|()| next(&ledger, |k| k == Kind::Fresh));
        for shot in [&good, &half, &lost] {
            ledger.answered(shot, Some(200));
        }
        ledger.answered(&refused, Some(503));
        deliver(&ledger, &good, Act::Deliver);
        deliver(&ledger, &half, Act::HandleOnly);
        let sums = counted(&ledger);
        assert_eq!((sums.acknowledged, sums.delivered, sums.lost.count), (3, 1, 2));
        let lost_ones: Vec<_> = sums.lost.first.iter().map(|l| l.number).collect();
        assert_eq!(lost_ones, [half.number, lost.number]);
        assert_eq!(*ledger.acknowledged().borrow(), 3);
        let unknown = ledger.sums(|number| (number != good.number).then(String::new));
        assert_eq!((unknown.lost.count, unknown.unlisted), (3, 1));
    }

    #[test]
    fn an_event_that_was_not_acknowledged_is_sent_again_until_it_is() {
        let ledger = ledger();
        let first = next(&ledger, |k| k == Kind::Fresh);
        ledger.answered(&first, None);
        let second = ledger.next(NOW, true).unwrap().unwrap();
        assert_eq!((second.number, second.signed.body == first.signed.body), (first.number, true));
        ledger.answered(&second, Some(503));
        let third = ledger.next(NOW, true).unwrap().unwrap();
        ledger.answered(&third, Some(200));
        assert!(ledger.next(NOW, true).unwrap().is_none() && ledger.nothing_owed());
    }

    #[test]
    fn a_forgery_that_got_in_and_an_event_that_was_refused_are_misjudged() {
        let ledger = ledger();
        let forged = next(&ledger, |k| k == Kind::Forged);
        ledger.answered(&forged, Some(200));
        ledger.answered(&next(&ledger, |k| k == Kind::Forged), Some(401));
        ledger.answered(&next(&ledger, |k| k == Kind::Fresh), Some(401));
        let sums = counted(&ledger);
        assert_eq!((sums.misjudged.count, sums.refused), (2, 1));
        assert_eq!(ledger.may_come(0, &forged.signed.body), None);
        assert_eq!(counted(&ledger).strange.count, 1);
    }

    #[test]
    fn a_changed_byte_and_a_wrong_destination_are_strange() {
        let ledger = ledger();
        let shot = next(&ledger, |k| k == Kind::Fresh);
        let to = ledger.traffic.of(shot.number).to;
        let elsewhere = (0..DESTINATIONS.len()).find(|d| !to.contains(d)).unwrap();
        assert_eq!(ledger.may_come(elsewhere, &shot.signed.body), None);
        let mut changed = shot.signed.body.clone();
        changed.push(b' ');
        assert_eq!(ledger.may_come(to[0], &changed), None);
        assert_eq!(counted(&ledger).strange.count, 2);
    }

    #[test]
    fn delivered_twice_is_counted() {
        let ledger = ledger();
        let shot = next(&ledger, |k| k == Kind::Fresh);
        ledger.answered(&shot, Some(200));
        deliver(&ledger, &shot, Act::HandleOnly);
        assert_eq!(counted(&ledger).delivered_more_than_once, 0);
        deliver(&ledger, &shot, Act::Deliver);
        let sums = counted(&ledger);
        assert_eq!((sums.delivered, sums.delivered_more_than_once), (1, 1));
    }
}
