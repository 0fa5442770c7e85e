//! Headers that never travel on: neither a sender's to a handler nor a publisher's to a destination.

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

/// By its name in lower case.
pub fn is_of_the_connection(name: &str) -> bool {
    OF_THE_CONNECTION.contains(&name)
}
