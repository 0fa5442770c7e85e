//! Ids of events, deliveries, attempts, rejected requests, jobs, entries of the audit log and marks: 16 bytes that
//! sort by time of birth and print with a prefix (`evt_06d2…`). Groups of dead letters have an id of the same form,
//! which says what makes the group (`group`). Not idempotency keys, which come from senders (see `event`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

use crate::time::Time;

/// Crockford's base 32 in lower case: no `i`, `l`, `o`, `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_LEN: usize = 26;

/// Text that is no id, or one of another kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id of the form {prefix}…")]
pub struct BadId {
    prefix: &'static str,
    text: String,
}

/// 48 bits of milliseconds, 12 bits of the millisecond's fraction, then 62 random bits: UUID version 7, whose random
/// bits may begin with a finer clock (RFC 9562, 6.2, method 3). What is born one after the other is so ordered to the
/// microsecond; within one it is chance.
fn mint(now: Time, random: [u8; 10]) -> [u8; 16] {
    let ms = u64::try_from(now.as_ms()).unwrap_or(0).to_be_bytes();
    let fraction = (now.as_us().rem_euclid(1_000) * (1 << 12) / 1_000) as u16;
    let mut id = [0; 16];
    id[..6].copy_from_slice(&ms[2..]);
    id[6..8].copy_from_slice(&(0x7000 | fraction).to_be_bytes());
    id[8..].copy_from_slice(&random[2..]);
    id[8] = 0x80 | (id[8] & 0x3f);
    id
}

fn encode(id: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let n = u128::from_be_bytes(*id);
    let mut text = [0u8; TEXT_LEN];
    for (i, c) in text.iter_mut().enumerate() {
        let shift = 5 * (TEXT_LEN - 1 - i);
        *c = ALPHABET[usize::from((n >> shift) as u8 & 31)];
    }
    f.write_str(std::str::from_utf8(&text).unwrap_or_default())
}

fn decode(text: &str) -> Option<[u8; 16]> {
    if text.len() != TEXT_LEN || text.as_bytes()[0] > b'7' {
        return None;
    }
    let mut n = 0u128;
    for c in text.bytes() {
        let digit = ALPHABET.iter().position(|a| *a == c)?;
        n = n << 5 | u128::try_from(digit).ok()?;
    }
    Some(n.to_be_bytes())
}

/// Sixteen bytes with a prefix.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $pattern:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
        #[schema(value_type = String, pattern = $pattern, examples($example))]
        pub struct $name([u8; 16]);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                encode(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                text.strip_prefix($prefix).and_then(decode).map(Self).ok_or_else(|| BadId {
                    prefix: $prefix,
                    text: text.chars().take(64).collect(),
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

/// One that is minted, and so bears the time of its birth.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $pattern:literal, $example:literal) => {
        text_id!($(#[$doc])* $name, $prefix, $pattern, $example);

        impl $name {
            /// A fresh id. The random bytes come from the caller, so that tests can fix them; the last eight are used.
            pub fn mint(now: Time, random: [u8; 10]) -> Self {
                Self(mint(now, random))
            }

            /// When it was made, to the millisecond.
            pub fn minted_at(&self) -> Time {
                let mut ms = [0; 8];
                ms[2..].copy_from_slice(&self.0[..6]);
                Time::from_ms(i64::from_be_bytes(ms))
            }
        }
    };
}

id!(/// One stored event; also its `webhook-id` towards handlers.
    EventId, "evt_", "^evt_[0-7][0-9a-hjkmnp-tv-z]{25}$", "evt_06d2m3q8rne1v9h4t7x0k5w2ya");
id!(/// One duty to bring an event to a destination.
    DeliveryId, "dlv_", "^dlv_[0-7][0-9a-hjkmnp-tv-z]{25}$", "dlv_06d2m3q8rne1v9h4t7x0k5w2ya");
id!(/// One try of a delivery.
    AttemptId, "att_", "^att_[0-7][0-9a-hjkmnp-tv-z]{25}$", "att_06d2m3q8rne1v9h4t7x0k5w2ya");
id!(/// One rejected request in quarantine.
    RejectedId, "rej_", "^rej_[0-7][0-9a-hjkmnp-tv-z]{25}$", "rej_06d2m3q8rne1v9h4t7x0k5w2ya");
id!(/// One piece of bulk work.
    JobId, "job_", "^job_[0-7][0-9a-hjkmnp-tv-z]{25}$", "job_06d2m3q8rne1v9h4t7x0k5w2ya");
id!(/// One entry of the audit log.
    AuditId, "aud_", "^aud_[0-7][0-9a-hjkmnp-tv-z]{25}$", "aud_06d2m3q8rne1v9h4t7x0k5w2ya");
id!(/// One mark: a moment to be shown on charts.
    MarkId, "mrk_", "^mrk_[0-7][0-9a-hjkmnp-tv-z]{25}$", "mrk_06d2m3q8rne1v9h4t7x0k5w2ya");
text_id!(/// Dead letters with one root cause.
    GroupId, "grp_", "^grp_[0-7][0-9a-hjkmnp-tv-z]{25}$", "grp_2x9c4m7r1qkv0e5hz8tw3ydnjb");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_the_same_id() {
        for bytes in [[0u8; 16], [0xff; 16], *b"0123456789abcdef"] {
            let id = EventId::from_bytes(bytes);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn ids_sort_by_birth() {
        let early = EventId::mint(Time::from_ms(1_000), [0xff; 10]);
        let late = EventId::mint(Time::from_ms(1_001), [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
    }

    #[test]
    fn ids_of_one_millisecond_sort_by_microseconds() {
        let ids: Vec<_> =
            (0..1_000).map(|us| EventId::mint(Time::from_us(1_000_000 + us), [!(us as u8); 10])).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.minted_at() == Time::from_ms(1_000)), "and stay within it");
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let other = DeliveryId::from_bytes([1; 16]).to_string();
        for text in ["", "evt_", "evt_zzzzzzzzzzzzzzzzzzzzzzzzzz", &other, "evt_0000000000000000000000000u"] {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }
}
