//! What is known of headers by their names: which never travel on, neither a sender's to a handler nor a publisher's
//! to a destination; which are kept with an event; which carry credentials. Names are in lower case.

use crate::telemetry;

/// Speak of one connection or of one request, never of its content (RFC 9110 §7.6.1), or are ours to write.
const OF_THE_CONNECTION: [&str; 13] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "accept-encoding",
    "http2-settings",
];

/// Carry credentials, the sender's or the handler's.
const CREDENTIALS: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "x-gitlab-token",
    "x-telegram-bot-api-secret-token",
];

/// Lines of our own, in the store only (`seal`).
const OURS_SEALED: &str = "hookhaven-seal";

pub fn is_of_the_connection(name: &str) -> bool {
    OF_THE_CONNECTION.contains(&name)
}

/// Whether its value is shown to nobody.
pub fn is_credential(name: &str) -> bool {
    CREDENTIALS.contains(&name)
}

/// Whether the value is shown to nobody where a request is shown that nobody vouches for: credentials, and whatever is
/// named like one.
pub fn may_be_credential(name: &str) -> bool {
    is_credential(name) || is_named_like_one(name.as_bytes()) && !name.contains("signature")
}

/// In one pass, since it is asked of every header of every event.
fn is_named_like_one(name: &[u8]) -> bool {
    (0..name.len()).any(|at| {
        let words: &[&[u8]] = match name[at] {
            b't' => &[b"token"],
            b's' => &[b"secret"],
            b'p' => &[b"password"],
            b'a' => &[b"api-key", b"apikey", b"authorization"],
            b'c' => &[b"cf-webhook-auth"],
            _ => return false,
        };
        words.iter().any(|word| name[at..].starts_with(word))
    })
}

/// Whether its value is encrypted where it is stored. What a publisher has forwarded is, all of it: only the receiver
/// knows which of it is a credential. So is whatever may be one elsewhere, and what stands under our own name for that.
pub fn is_sealed(name: &str) -> bool {
    is_forwarded(name) || may_be_credential(name) || name.starts_with(OURS_SEALED)
}

/// A line of a published message that goes to its destination, or to that of its callbacks.
pub fn is_forwarded(name: &str) -> bool {
    let setting = name.strip_prefix("upstash-").unwrap_or_default();
    ["forward-", "callback-forward-", "failure-callback-forward-"].iter().any(|prefix| setting.starts_with(prefix))
}

/// Whether it is kept with the event. Never are what we add ourselves, credentials of HTTP's own, what concerns one connection or one
/// hop only (RFC 9110 7.6.1), what says where we are reachable, and the body's framing.
pub fn is_kept(name: &str) -> bool {
    let credentials = matches!(name, "authorization" | "cookie" | "set-cookie");
    let one_hop = matches!(name, "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade");
    let framing = matches!(name, "content-length" | "expect" | "accept-encoding");
    let place = matches!(
        name,
        "host" | "forwarded" | "via" | "x-real-ip" | "true-client-ip" | "x-original-host" | "x-original-url"
    );
    let of_proxies = ["proxy-", "x-forwarded-", "cf-"].iter().any(|prefix| name.starts_with(prefix));
    let ours = telemetry::is_line(name) || name.starts_with(OURS_SEALED);
    !(ours || credentials || one_hop || framing || place || of_proxies)
}

#[cfg(test)]
mod tests {
    use hookhaven_core::senders::{Scheme, SenderOptions, TABLE};

    use super::*;

    #[test]
    fn every_header_in_which_a_sender_shows_its_secret_is_masked() {
        let mut shown = 0;
        for declaration in TABLE.iter().filter(|declaration| matches!(declaration.scheme, Scheme::Shared(_))) {
            let sender = declaration.build(&SenderOptions::default()).unwrap();
            if let Some(name) = sender.signature_header() {
                assert!(may_be_credential(name.as_str()), "{}: {name}", declaration.name);
                shown += 1;
            }
        }
        assert!(shown > 5, "{shown}");
        for name in ["x-signature", "x-hub-signature-256", "content-type", "user-agent", "webhook-id"] {
            assert!(!may_be_credential(name), "{name}");
        }
    }
}
