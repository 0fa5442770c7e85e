//! What is sent: request number so-and-so is a fresh event, the same event again, or one that must not get
//! in; a pure function of seed and number. Every body carries its number, by which handlers know it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hookhaven_core::{Time, sender::Signed};

use super::chance::Chance;
use crate::stage::{Signer, annotate, forge};

/// Stands before the number in a body.
const MARK: &str = "torture-";
/// One event in so many is refused by every handler until they are mended.
const POISON_ONE_IN: u64 = 40;

/// Where events go. Their positions are their names within a run.
pub const DESTINATIONS: [&str; 5] = ["billing", "ledger", "ci", "chat", "sms"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An event that was not sent before.
    Fresh,
    /// The event that this number was given to, once more.
    Repeat(u64),
    /// One byte of the body changed after signing.
    Forged,
    /// Signed an hour ago.
    Stale,
    /// Signed with another source's secret.
    WrongSecret,
}

impl Kind {
    /// Whether it is to be acknowledged.
    pub fn is_good(self) -> bool {
        matches!(self, Kind::Fresh | Kind::Repeat(_))
    }
}

#[derive(Debug)]
pub struct Source {
    pub signer: Signer,
    types: &'static [&'static str],
    /// Positions in [`DESTINATIONS`].
    pub to: &'static [usize],
}

#[derive(Debug)]
pub struct Traffic {
    seed: u64,
    pub sources: Vec<Source>,
}

impl Traffic {
    pub fn new(seed: u64) -> Result<Self> {
        let chance = Chance::of(seed, 1);
        type Row = (&'static str, &'static [&'static str], &'static [usize]);
        let rows: [Row; 4] = [
            ("stripe", &["invoice.paid", "charge.succeeded", "customer.subscription.updated"], &[0, 1]),
            ("github", &["push", "issues.opened", "pull_request.opened"], &[2]),
            ("slack", &["message", "app_mention"], &[3]),
            ("twilio", &["message.delivered", "message.received"], &[4, 1]),
        ];
        let source = |(name, types, to)| Ok(Source { signer: Signer::of(name, chance.entropy())?, types, to });
        let sources = rows.into_iter().map(source).collect::<Result<_>>()?;
        Ok(Traffic { seed, sources })
    }

    pub fn kind(&self, number: u64) -> Kind {
        let chance = self.chance(number);
        match chance.below(100) {
            0..4 => Kind::Forged,
            4..6 if self.of(number).signer.sender.signs_time() => Kind::Stale,
            6..9 => Kind::WrongSecret,
            9..20 if number > 0 => {
                // Mostly what came just before, sometimes what was sent to a process long dead.
                let back = if chance.one_in(4) { number } else { number.min(50) };
                let earlier = number - 1 - chance.below(back);
                if self.is_fresh(earlier) { Kind::Repeat(earlier) } else { Kind::Fresh }
            }
            _ => Kind::Fresh,
        }
    }

    /// The same draw as `kind`'s first, so that no kind asks after another's.
    fn is_fresh(&self, number: u64) -> bool {
        self.chance(number).below(100) >= 20
    }

    pub fn of(&self, number: u64) -> &Source {
        let draw = Chance::of(self.seed, number ^ (1 << 62)).below(self.sources.len() as u64);
        &self.sources[usize::try_from(draw).unwrap_or(0)]
    }

    /// Whether handlers refuse it until they are mended.
    pub fn is_poisoned(&self, number: u64) -> bool {
        Chance::of(self.seed, number ^ (1 << 61)).one_in(POISON_ONE_IN)
    }

    /// A request of that number, signed now. The body depends on number and `made_at` alone.
    pub fn request(&self, number: u64, kind: Kind, made_at: Time, now: Time) -> Result<Signed> {
        let Source { signer, types, .. } = self.of(number);
        let draw = Chance::of(self.seed, number ^ (1 << 60));
        let event_type = types[usize::try_from(draw.below(types.len() as u64)).unwrap_or(0)];
        let id = format!("tor{number:010}{:016x}", draw.next());
        let mut sample = signer.sender.sample(event_type, &id, made_at).context("the sample could not be made")?;
        annotate(&mut sample, &format!("{MARK}{number}-"));
        match kind {
            Kind::Fresh | Kind::Repeat(_) => signer.sign(&sample, &signer.secret, now),
            Kind::Forged => Ok(forge(signer.sign(&sample, &signer.secret, now)?)),
            Kind::Stale => signer.sign(&sample, &signer.secret, now.minus(Duration::from_secs(3_600))),
            Kind::WrongSecret => {
                let of_another = self.sources.iter().find(|s| s.signer.name != signer.name);
                signer.sign(&sample, &of_another.context("there are several sources")?.signer.secret, now)
            }
        }
    }

    fn chance(&self, number: u64) -> Chance {
        Chance::of(self.seed, number)
    }
}

/// The number in a body.
pub fn number_of(body: &[u8]) -> Option<u64> {
    let at = body.windows(MARK.len()).position(|w| w == MARK.as_bytes())? + MARK.len();
    let digits = body[at..].iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&body[at..at + digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NOW: Time = Time::from_s(1_790_000_000);

    #[test]
    fn every_number_has_a_key_and_a_body_of_its_own() {
        let traffic = Traffic::new(7).unwrap();
        let mut keys = BTreeSet::new();
        for number in 0..400 {
            let signed = traffic.request(number, Kind::Fresh, NOW, NOW).unwrap();
            assert_eq!(number_of(&signed.body), Some(number));
            let signer = &traffic.of(number).signer;
            assert!(keys.insert((signer.name, signer.key(&signed).unwrap())), "{number}");
            let later = traffic.request(number, Kind::Repeat(number), NOW, NOW.plus(Duration::from_secs(9))).unwrap();
            assert_eq!(later.body, signed.body);
        }
    }

    #[test]
    fn what_is_repeated_was_a_fresh_event_and_all_kinds_occur() {
        let traffic = Traffic::new(7).unwrap();
        let kinds: Vec<_> = (0..2_000).map(|number| (number, traffic.kind(number))).collect();
        for (number, kind) in &kinds {
            if let Kind::Repeat(earlier) = kind {
                assert!(earlier < number && traffic.kind(*earlier) == Kind::Fresh, "{number}");
            }
        }
        let count = |wanted: fn(&Kind) -> bool| kinds.iter().filter(|(_, kind)| wanted(kind)).count();
        assert!(count(|k| *k == Kind::Forged) > 40);
        assert!(count(|k| *k == Kind::Stale) > 5);
        assert!(count(|k| *k == Kind::WrongSecret) > 20);
        assert!(count(|k| matches!(k, Kind::Repeat(_))) > 60);
        assert!(count(|k| *k == Kind::Fresh) > 1_500);
        assert!((0..2_000).filter(|n| traffic.is_poisoned(*n)).count() > 20);
    }
}
