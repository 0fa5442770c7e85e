//! Scripted worlds: traffic of a day with seeded noise, in which one thing is wrong or nothing is; and what must hold
//! of any report.

mod failures;
mod healthy;
mod laws;

use super::*;

const NOW: i64 = 1_795_269_600; // 2026-11-21T14:00:00Z
/// Every scenario holds with each of these, so that none holds by luck.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

fn now() -> Time {
    Time::from_s(NOW)
}

/// `minutes` before now.
fn ago(minutes: i64) -> Time {
    Time::from_s(NOW - minutes * 60)
}

/// What the handler does with one attempt.
#[derive(Clone)]
struct Does {
    class: ErrorClass,
    status: Option<u16>,
    error: &'static str,
    ms: u64,
}

fn ok(ms: u64) -> Does {
    Does { class: ErrorClass::Ok, status: Some(200), error: "", ms }
}

fn answers(status: u16) -> Does {
    let class = match status {
        300..=399 => ErrorClass::Http3xx,
        429 => ErrorClass::RateLimited,
        400..=499 => ErrorClass::Http4xx,
        _ => ErrorClass::Http5xx,
    };
    Does { class, status: Some(status), error: "", ms: 40 }
}

fn fails(class: ErrorClass, error: &'static str, ms: u64) -> Does {
    Does { class, status: None, error, ms }
}

fn times_out() -> Does {
    fails(ErrorClass::Timeout, "no answer within 10 s", 10_000)
}

/// An attempt as a script sees it.
struct Sees<'a> {
    at: Time,
    source: &'a str,
    event_type: &'a str,
    event: u64,
}

struct World {
    state: u64,
    events: u64,
    pub destination: &'static str,
    pub minutes: i64,
    pub attempts: Vec<Observed>,
}

impl World {
    fn new(seed: u64) -> Self {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        World { state, events: 0, destination: "billing", minutes: 1_440, attempts: Vec::new() }
    }

    /// Below `n`; SplitMix64.
    fn below(&mut self, n: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A quick success, now and then a slower one; one in 200 a 500 for no reason.
    fn fine(&mut self) -> Does {
        match self.below(200) {
            0 => answers(500),
            1..10 => ok(300 + self.below(900)),
            _ => ok(60 + self.below(120)),
        }
    }

    /// Events of two sources and five types, one in about `every_s`, each retried as the default policy does.
    fn traffic(&mut self, every_s: u64, mut does: impl FnMut(&mut World, &Sees<'_>) -> Does) {
        const TYPES: [(&str, &str); 5] = [
            ("stripe", "payment_intent.succeeded"),
            ("stripe", "invoice.paid"),
            ("stripe", "charge.refunded"),
            ("github", "push"),
            ("github", "pull_request.opened"),
        ];
        let mut at = ago(self.minutes);
        while at < now() {
            let (source, event_type) = TYPES[self.below(TYPES.len() as u64) as usize];
            self.deliver(at, source, event_type, &mut does);
            at = at.plus(Duration::from_millis(500 * every_s + self.below(1_000 * every_s)));
        }
    }

    fn deliver(
        &mut self,
        mut at: Time,
        source: &str,
        event_type: &str,
        does: &mut impl FnMut(&mut World, &Sees<'_>) -> Does,
    ) {
        self.events += 1;
        let event = self.events;
        let id = u128::from(event).to_be_bytes();
        for number in 1..=5 {
            if at > now() {
                return;
            }
            let did = does(self, &Sees { at, source, event_type, event });
            let jitter_us = self.below(1_000);
            self.attempts.push(Observed {
                started_at: at,
                destination: self.destination.into(),
                delivery: DeliveryId::from_bytes(id),
                number,
                event: EventId::from_bytes(id),
                source: source.into(),
                event_type: event_type.into(),
                duration_us: did.ms * 1_000 + jitter_us,
                class: did.class,
                status: did.status,
                error: did.error.into(),
            });
            if did.class == ErrorClass::Ok {
                return;
            }
            at = at.plus(Duration::from_millis(did.ms) + Duration::from_secs(5u64.pow(number)));
        }
    }

    fn input(self) -> Input {
        let figures = Figures {
            timeout: Duration::from_secs(10),
            concurrency: NonZeroU32::new(16).unwrap(),
            rate: None,
            breaker: BreakerPolicy::default(),
            signs: true,
        };
        let destinations = ["billing", "mail"].map(|name| (Arc::from(name), figures)).into();
        Input { since: ago(self.minutes), now: now(), attempts: self.attempts, destinations }
    }
}

fn reported(world: World) -> Report {
    analyze(world.input())
}

/// Everything that a report says, as text.
fn text(report: &Report) -> String {
    let lines = |f: &Finding| {
        let keys = f.suggestions.iter().map(|s| format!("{} = {}", s.key, s.value));
        let lines = [f.cause.as_str().to_owned(), f.sentence.clone(), f.mend.clone()].into_iter();
        lines.chain(f.evidence.iter().cloned()).chain(keys).collect::<Vec<_>>().join("\n")
    };
    let findings: Vec<_> = report.findings.iter().map(lines).collect();
    format!("{}\n{}\n{:?}", report.headline(), findings.join("\n\n"), report.too_few)
}
