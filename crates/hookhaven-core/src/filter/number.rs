//! Numbers compared exactly, as decimal texts: amounts, and ids longer than any machine's number.
//!
//! Not arithmetic, and no other notation than JSON's.

use std::cmp::Ordering;

/// Exponents beyond count as this: nobody's amount has so many digits.
const EXPONENT_MAX: i64 = 1 << 60;

/// How `a` stands to `b`; `None` if one of them is no number as JSON writes it (RFC 8259 §6).
/// Takes time linear in both, whatever their exponents say.
pub fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (Decimal::parse(a)?, Decimal::parse(b)?);
    Some(match (a.sign(), b.sign()) {
        (1, 1) => a.compare_size(&b),
        (-1, -1) => b.compare_size(&a),
        (a, b) => a.cmp(&b),
    })
}

pub fn is_number(text: &str) -> bool {
    Decimal::parse(text).is_some()
}

struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (mantissa, ""),
        };
        let fine = is_digits(whole) && (whole == "0" || !whole.starts_with('0'));
        fine.then_some(Decimal { negative, whole, fraction, exponent })
    }

    /// From the first that is not 0.
    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().chain(self.fraction.bytes()).skip_while(|d| *d == b'0')
    }

    fn sign(&self) -> i8 {
        match self.digits().next() {
            None => 0,
            Some(_) if self.negative => -1,
            Some(_) => 1,
        }
    }

    /// How many places before the point its first digit stands.
    fn magnitude(&self) -> i64 {
        let places = |n: usize| i64::try_from(n).unwrap_or(EXPONENT_MAX);
        let before = match self.whole {
            "0" => -places(self.fraction.bytes().take_while(|d| *d == b'0').count()),
            whole => places(whole.len()),
        };
        before.saturating_add(self.exponent)
    }

    /// Without their signs; neither is 0.
    fn compare_size(&self, other: &Decimal<'_>) -> Ordering {
        self.magnitude().cmp(&other.magnitude()).then_with(|| {
            let (mut a, mut b) = (self.digits(), other.digits());
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return Ordering::Equal,
                    (x, y) => match x.unwrap_or(b'0').cmp(&y.unwrap_or(b'0')) {
                        Ordering::Equal => {}
                        unequal => return unequal,
                    },
                }
            }
        })
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !is_digits(digits) {
        return None;
    }
    // Digits only, so what does not fit is too large.
    let size = digits.parse().map_or(EXPONENT_MAX, |n: i64| n.min(EXPONENT_MAX));
    Some(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_compared_by_what_they_say_and_not_by_how() {
        for (a, b) in [("0", "-0"), ("0", "0e999"), ("1", "1.0"), ("1e2", "100"), ("1200", "1.2E+3"), ("0.05", "5e-2")]
        {
            assert_eq!(compare(a, b), Some(Ordering::Equal), "{a} {b}");
        }
        for (a, b) in [
            ("-1", "0"),
            ("-2", "-1"),
            ("-1e999", "1e-999"),
            ("0", "1e-999"),
            ("9", "10"),
            ("0.9", "1"),
            ("0.09", "0.1"),
            ("1", "1.000000000000000000001"),
            ("9007199254740992", "9007199254740993"),
            ("12345678901234567890122", "12345678901234567890123"),
            ("1e308", "1e309"),
            ("-1e99999999999999999999", "-1e-99999999999999999999"),
        ] {
            assert_eq!(compare(a, b), Some(Ordering::Less), "{a} {b}");
            assert_eq!(compare(b, a), Some(Ordering::Greater), "{b} {a}");
        }
    }

    #[test]
    fn what_json_does_not_write_is_no_number() {
        for text in [
            "", "-", "+1", "01", "-01", ".5", "1.", "1e", "1e+", "1e1.5", "0x10", "1_000", " 1", "1 ", "NaN", "inf",
            "١",
        ] {
            assert!(!is_number(text), "{text}");
            assert_eq!(compare(text, "1"), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_as_a_machine_compares_them(a: i64, b: i64) {
            prop_assert_eq!(compare(&a.to_string(), &b.to_string()), Some(a.cmp(&b)));
        }

        #[test]
        fn fractions_as_a_machine_compares_them(a in -1e6..1e6f64, b in -1e6..1e6f64, scientific: bool) {
            // Rust writes the shortest text that is read back as the same number, so the order stays.
            let text = |x: f64| if scientific { format!("{x:e}") } else { format!("{x}") };
            prop_assert_eq!(compare(&text(a), &format!("{b}")), a.partial_cmp(&b));
        }

        #[test]
        fn any_text_is_a_number_if_a_json_parser_says_so(text in "-?[0-9]{0,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,2})?") {
            prop_assert_eq!(is_number(&text), serde_json::from_str::<serde_json::Number>(&text).is_ok());
        }
    }
}
