//! The events of a bench: Stripe-signed JSON of a given size, numbered, that carry when they were meant
//! to be sent. The one who receives them reads both back without parsing the rest.

use aws_lc_rs::hmac;

/// What one run's events have in common.
#[derive(Clone, Debug)]
pub struct Events {
    /// Keeps the ids of one run apart from another's.
    pub run: String,
    pub secret: String,
    pub body_bytes: usize,
}

/// What stands in a received event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub number: u64,
    /// When it was meant to be sent, in microseconds since 1970.
    pub intended_us: u64,
}

const NUMBER: &[u8] = b"\"number\":";
const INTENDED: &[u8] = b"\"intended_us\":";

impl Events {
    /// A body of `body_bytes`, or as short as it can be.
    pub fn body(&self, number: u64, intended_us: u64) -> String {
        let Events { run, .. } = self;
        let created = intended_us / 1_000_000;
        let mut body = format!(
            "{{\"id\":\"evt_{run}{number:012}\",\"object\":\"event\",\"created\":{created},\
             \"type\":\"payment_intent.succeeded\",\"livemode\":false,\
             \"bench\":{{\"number\":{number},\"intended_us\":{intended_us}}},\
             \"data\":{{\"object\":{{\"id\":\"pi_{number:012}\",\"object\":\"payment_intent\",\"amount\":2000,\
             \"currency\":\"eur\",\"description\":\""
        );
        const END: &str = "\"}}}";
        let padding = self.body_bytes.saturating_sub(body.len() + END.len());
        body.extend(std::iter::repeat_n("lorem ipsum ", padding / 12 + 1).flat_map(str::chars).take(padding));
        body + END
    }

    /// The value of `Stripe-Signature` for a body.
    pub fn signature(&self, body: &[u8], at_s: u64) -> String {
        signature(&hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes()), body, at_s)
    }

    /// A whole HTTP/1.1 request, ready to be written to a connection.
    pub fn request(&self, host: &str, path: &str, number: u64, intended_us: u64, at_s: u64) -> Vec<u8> {
        let body = self.body(number, intended_us);
        let signature = self.signature(body.as_bytes(), at_s);
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json; charset=utf-8\r\n\
             stripe-signature: {signature}\r\nuser-agent: hookhaven-bench\r\ncontent-length: {length}\r\n\r\n"
        );
        [head.into_bytes(), body.into_bytes()].concat()
    }
}

fn signature(key: &hmac::Key, body: &[u8], at_s: u64) -> String {
    format!("t={at_s},v1={}", hex::encode(mac(key, at_s.to_string().as_bytes(), body)))
}

fn mac(key: &hmac::Key, at: &[u8], body: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(at);
    context.update(b".");
    context.update(body);
    context.sign()
}

/// What any receiver must do with a `Stripe-Signature`, and no more: the bare server's check.
pub fn signature_holds(key: &hmac::Key, header: &str, body: &[u8]) -> bool {
    let Some((at, given)) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")) else { return false };
    let Ok(given) = hex::decode(given) else { return false };
    aws_lc_rs::constant_time::verify_slices_are_equal(mac(key, at.as_bytes(), body).as_ref(), &given).is_ok()
}

/// Reads number and time out of a body that `Events` made.
pub fn seen(body: &[u8]) -> Option<Seen> {
    Some(Seen { number: number_after(body, NUMBER)?, intended_us: number_after(body, INTENDED)? })
}

fn number_after(body: &[u8], name: &[u8]) -> Option<u64> {
    let start = body.windows(name.len()).position(|window| window == name)? + name.len();
    let digits = body[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&body[start..start + digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Events {
        Events { run: "r1".into(), secret: "whsec_test".into(), body_bytes: 2_048 }
    }

    #[test]
    fn a_body_is_json_of_the_size_asked_for() {
        let body = events().body(7, 1_700_000_000_000_000);
        assert_eq!(body.len(), 2_048);
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value["id"], "evt_r1000000000007");
        assert_eq!(seen(body.as_bytes()), Some(Seen { number: 7, intended_us: 1_700_000_000_000_000 }));
        assert_eq!(seen(b"{}"), None);
    }

    #[test]
    fn a_signature_holds_for_its_own_body_only() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"whsec_test");
        let header = events().signature(b"abc", 1_700_000_000);
        assert!(signature_holds(&key, &header, b"abc"));
        assert!(!signature_holds(&key, &header, b"abd"));
        assert!(!signature_holds(&key, &header.replace("t=17", "t=18"), b"abc"));
        assert!(!signature_holds(&key, "", b"abc"));
    }
}
