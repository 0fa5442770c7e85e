//! QStash's ids ⇄ ours. A message is a delivery, and a dead letter is known by its delivery too: the same 26
//! characters behind another prefix, so nothing has to be looked up.

use hookhaven_core::{DeliveryId, Time};

const MESSAGE: &str = "msg_";
const DEAD_LETTER: &str = "dlq_";
const SCHEDULE: &str = "scd_";

/// `msg_…`
pub fn message(id: DeliveryId) -> String {
    with_prefix(MESSAGE, id)
}

pub fn parse_message(text: &str) -> Option<DeliveryId> {
    parse(MESSAGE, text)
}

/// `dlq_…`
pub fn dead_letter(id: DeliveryId) -> String {
    with_prefix(DEAD_LETTER, id)
}

pub fn parse_dead_letter(text: &str) -> Option<DeliveryId> {
    parse(DEAD_LETTER, text)
}

/// A name for a schedule whose creator gave it none.
pub fn new_schedule(now: Time, random: [u8; 10]) -> String {
    with_prefix(SCHEDULE, DeliveryId::mint(now, random))
}

fn with_prefix(prefix: &str, id: DeliveryId) -> String {
    let text = id.to_string();
    format!("{prefix}{}", text.strip_prefix(DeliveryId::PREFIX).unwrap_or(&text))
}

fn parse(prefix: &str, text: &str) -> Option<DeliveryId> {
    let rest = text.strip_prefix(prefix)?;
    format!("{}{rest}", DeliveryId::PREFIX).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let id = DeliveryId::from_bytes(*b"0123456789abcdef");
        assert_eq!(parse_message(&message(id)), Some(id));
        assert_eq!(parse_dead_letter(&dead_letter(id)), Some(id));
        assert_eq!(message(id)[4..], id.to_string()[4..]);
        for text in ["", "msg_", "dlv_0000000000000000000000000a", "msg_1", &dead_letter(id)] {
            assert_eq!(parse_message(text), None, "{text}");
        }
        assert!(new_schedule(Time::EPOCH, [1; 10]).starts_with("scd_0"));
    }
}
