//! Where an attempt's time went, as a bar: each part as wide as it took, on one scale for all attempts of a delivery.

use hookhaven_core::Phases;

use super::super::show;
use crate::api::view::AttemptView;

/// Width of the drawing, in its own units.
const WIDTH: u64 = 1_000;
/// What took a moment is seen all the same.
const SEEN_MIN: u64 = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its class: `dns`, `connect`, `tls`, `wait` or `rest`.
    pub part: &'static str,
    pub x: u64,
    pub width: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    pub segments: Vec<Segment>,
    /// The same in words.
    pub words: String,
}

/// The longest of these attempts, which the scale is made from.
pub fn longest_us(attempts: &[AttemptView]) -> u64 {
    attempts.iter().map(|attempt| attempt.duration_us).max().unwrap_or(0).max(1)
}

pub fn bar(attempt: &AttemptView, longest_us: u64) -> Bar {
    let Phases { dns_us, connect_us, tls_us, first_byte_us } = attempt.phases;
    let known = [dns_us, connect_us, tls_us, first_byte_us].into_iter().flatten().fold(0, u64::saturating_add);
    let rest = attempt.duration_us.saturating_sub(known);
    let parts = [
        ("dns", "DNS", dns_us),
        ("connect", "connect", connect_us),
        ("tls", "TLS", tls_us),
        ("wait", "first byte", first_byte_us),
        ("rest", "rest", (rest > 0).then_some(rest)),
    ];
    let (mut segments, mut words, mut x) = (Vec::new(), Vec::new(), 0);
    for (part, name, us) in parts {
        let Some(us) = us else { continue };
        words.push(format!("{name} {}", ms(us)));
        let scaled = u128::from(us) * u128::from(WIDTH) / u128::from(longest_us.max(1));
        let width = u64::try_from(scaled).unwrap_or(WIDTH).max(SEEN_MIN).min(WIDTH.saturating_sub(x));
        segments.push(Segment { part, x, width });
        x += width;
    }
    words.push(format!("total {}", ms(attempt.duration_us)));
    Bar { segments, words: words.join(" · ") }
}

pub fn ms(us: u64) -> String {
    show::ms(&(us as f64 / 1_000.0))
}

#[cfg(test)]
mod tests {
    use hookhaven_core::{AttemptId, Time};

    use super::*;
    use crate::api::view::Text;

    #[test]
    fn parts_follow_each_other_within_the_drawing() {
        let attempt = |duration_us, phases| AttemptView {
            id: AttemptId::from_bytes([1; 16]),
            number: 1,
            started_at: Time::EPOCH,
            duration_us,
            phases,
            status: None,
            class: "ok".into(),
            error: String::new(),
            response_headers: vec![],
            response_excerpt: Text::of(b""),
            next_attempt_at: None,
        };
        let phases = Phases { dns_us: Some(1), connect_us: Some(1_000), tls_us: None, first_byte_us: Some(7_000) };
        let all = [attempt(10_000, phases), attempt(20_000, Phases::default())];
        let longest = longest_us(&all);
        let bar = super::bar(&all[0], longest);
        let drawn: Vec<_> = bar.segments.iter().map(|s| (s.part, s.x, s.width)).collect();
        assert_eq!(drawn, [("dns", 0, 4), ("connect", 4, 50), ("wait", 54, 350), ("rest", 404, 99)]);
        assert_eq!(bar.words, "DNS 0.0 ms · connect 1.0 ms · first byte 7.0 ms · rest 2.0 ms · total 10 ms");
        let whole = super::bar(&all[1], longest);
        assert_eq!(whole.segments, [Segment { part: "rest", x: 0, width: WIDTH }]);
        // Whatever the figures say, nothing is drawn outside.
        let odd = attempt(0, Phases { dns_us: Some(u64::MAX), first_byte_us: Some(u64::MAX), ..Phases::default() });
        assert!(super::bar(&odd, 1).segments.iter().all(|s| s.x + s.width <= WIDTH));
    }
}
