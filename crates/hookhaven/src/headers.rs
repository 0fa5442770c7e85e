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
    const WORDS: [&str; 7] = ["token", "secret", "password", "api-key", "apikey", "authorization", "cf-webhook-auth"];
    is_credential(name) || WORDS.iter().any(|word| name.contains(word)) && !name.contains("signature")
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
    !(telemetry::is_line(name) || credentials || one_hop || framing || place || of_proxies)
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
