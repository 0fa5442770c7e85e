//! How each secret stands: in use, safe to remove, too old. A pure function of what was seen.

use std::time::Duration;

use hookhaven_core::{Secret, Time};
use hookhaven_store::{Store, StoreError};

use super::{FingerprintKey, Owner, SecretUse, Seen, kept, owned};
use crate::config::Config;

/// A secret by which nothing was signed for so long, while others were used, is not needed any more: longer than
/// senders go on trying (Stripe's three days are the most of those that sign an old request again).
const IDLE: Duration = Duration::from_secs(7 * 86_400);
const DAY_S: u64 = 86_400;

/// One secret of one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub owner: Owner,
    /// In its list, from 1.
    pub position: usize,
    /// `None` before a gateway has started on this store.
    pub fingerprint: Option<String>,
    pub seen: Option<Seen>,
    pub max_age: Duration,
    pub usage: Use,
    pub too_old: bool,
}

/// What it is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Current,
    /// Not the first of its list, and something was signed with it lately.
    Previous,
    /// Nothing was signed with it since it is known.
    NeverMatched,
    SafeToRemove {
        idle_days: u64,
    },
    /// A destination's: every attempt is signed with it.
    Signs,
}

impl Use {
    pub fn as_str(self) -> &'static str {
        match self {
            Use::Current => "current",
            Use::Previous => "previous",
            Use::NeverMatched => "never_matched",
            Use::SafeToRemove { .. } => "safe_to_remove",
            Use::Signs => "signs",
        }
    }
}

impl Standing {
    /// In words.
    pub fn verdict(&self) -> String {
        let usage = match self.usage {
            Use::Current => "current".to_owned(),
            Use::Previous => "previous, still in use".to_owned(),
            Use::NeverMatched => "never matched".to_owned(),
            Use::SafeToRemove { idle_days } => {
                format!("safe to remove: nothing signed with it for {idle_days} days")
            }
            Use::Signs => "signs every attempt".to_owned(),
        };
        match self.too_old {
            true => format!("{usage}; older than its policy ({} days)", self.max_age.as_secs() / DAY_S),
            false => usage,
        }
    }

    pub fn age(&self, now: Time) -> Option<Duration> {
        self.seen.map(|seen| now.since(seen.first))
    }
}

/// All secrets of a configuration, by owner and position; by what the store knows, and the running gateway if there is
/// one.
///
/// # Errors
/// The store cannot be asked.
pub async fn standings(
    store: &dyn Store,
    config: &Config,
    running: Option<&SecretUse>,
    now: Time,
) -> Result<Vec<Standing>, StoreError> {
    let key = FingerprintKey::find(store).await?;
    let known = kept::all(store).await?;
    let here = running.map(SecretUse::slots).unwrap_or_default();
    let seen = |owner: &Owner, secret: &Secret, fingerprint: Option<&String>| {
        let known = fingerprint.and_then(|fingerprint| known.get(&owner.entry(fingerprint))).copied();
        let slot = here.iter().find(|(of, slot)| of == owner && slot.secret == *secret);
        merged(known, slot.map(|(_, slot)| slot.seen()))
    };
    let mut all = Vec::new();
    for (owner, secrets) in owned(config) {
        let fingerprints: Vec<_> = secrets.iter().map(|secret| key.as_ref().map(|key| key.of(secret))).collect();
        let seen: Vec<_> = secrets.iter().zip(&fingerprints).map(|(s, f)| seen(&owner, s, f.as_ref())).collect();
        for (at, fingerprint) in fingerprints.into_iter().enumerate() {
            all.push(standing(config, &owner, at, fingerprint, &seen, now));
        }
    }
    Ok(all)
}

fn merged(a: Option<Seen>, b: Option<Seen>) -> Option<Seen> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Seen { first: a.first.min(b.first), matched: a.matched.max(b.matched) }),
        (one, other) => one.or(other),
    }
}

fn standing(
    config: &Config,
    owner: &Owner,
    at: usize,
    fingerprint: Option<String>,
    seen: &[Option<Seen>],
    now: Time,
) -> Standing {
    let (max_age, usage) = match owner {
        Owner::Source(name) => (config.secret_ages.of_source(name), usage(at, seen, now)),
        Owner::Destination(_) => (config.secret_ages.default, Use::Signs),
    };
    let mine = seen[at];
    let too_old = mine.is_some_and(|seen| now.since(seen.first) > max_age);
    Standing { owner: owner.clone(), position: at + 1, fingerprint, seen: mine, max_age, usage, too_old }
}

fn usage(at: usize, seen: &[Option<Seen>], now: Time) -> Use {
    let Some(mine) = seen[at] else { return if at == 0 { Use::Current } else { Use::NeverMatched } };
    let since = mine.matched.unwrap_or(mine.first);
    let others = seen.iter().enumerate().filter(|(n, _)| *n != at).filter_map(|(_, seen)| seen.as_ref()?.matched);
    let idle = now.since(since);
    // Only if the traffic goes on with another one: a source that nobody posts to proves nothing.
    let replaced = others.max().is_some_and(|latest| latest > since);
    match (at, mine.matched) {
        (1.., _) if replaced && idle >= IDLE => Use::SafeToRemove { idle_days: idle.as_secs() / DAY_S },
        (_, None) => Use::NeverMatched,
        (0, Some(_)) => Use::Current,
        _ => Use::Previous,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn day(n: i64) -> Time {
        Time::from_s(n * DAY)
    }

    fn seen(first: i64, matched: Option<i64>) -> Option<Seen> {
        Some(Seen { first: day(first), matched: matched.map(day) })
    }

    #[test]
    fn only_what_was_replaced_and_is_idle_is_safe_to_remove() {
        use Use::*;
        let now = day(100);
        for (all, expected) in [
            (vec![seen(1, Some(100))], vec![Current]),
            (vec![seen(1, None)], vec![NeverMatched]),
            (vec![seen(80, Some(100)), seen(1, Some(90))], vec![Current, SafeToRemove { idle_days: 10 }]),
            (vec![seen(80, Some(100)), seen(1, Some(95))], vec![Current, Previous]),
            // Nothing came since: nobody knows which one the sender has.
            (vec![seen(80, None), seen(1, Some(90))], vec![NeverMatched, Previous]),
            (vec![seen(80, Some(85)), seen(1, Some(90))], vec![Current, Previous]),
            (vec![seen(80, Some(100)), seen(80, None)], vec![Current, SafeToRemove { idle_days: 20 }]),
            (vec![seen(80, Some(100)), seen(99, None)], vec![Current, NeverMatched]),
            (vec![None, None], vec![Current, NeverMatched]),
        ] {
            let found: Vec<_> = (0..all.len()).map(|at| usage(at, &all, now)).collect();
            assert_eq!(found, expected, "{all:?}");
        }
    }

    #[test]
    fn too_old_is_said_beside_the_rest() {
        let config = Config::default();
        let owner = Owner::Source("shop".into());
        let of = |first| standing(&config, &owner, 0, None, &[seen(first, Some(100))], day(100));
        assert_eq!(of(20).verdict(), "current");
        assert_eq!(of(5).verdict(), "current; older than its policy (90 days)");
    }
}
