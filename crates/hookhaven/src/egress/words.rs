//! What went wrong on the way out, in words that people understand. They are recorded with the
//! attempt and shown, so they hold hosts and ports, and nothing that a sender or a handler wrote.

use std::{error::Error, io, time::Duration};

use hookhaven_core::ErrorClass;
use http::StatusCode;

use super::{
    Failure,
    connect::ConnectError,
    progress::{Progress, Stage},
};

/// Sources followed in a chain of errors.
const CHAIN_MAX: usize = 16;

/// Kept of a TLS error's text.
const TLS_CHARS_MAX: usize = 300;

/// No answer came.
pub fn failure(error: &(dyn Error + 'static), progress: &Progress) -> Failure {
    if let Some(error) = find::<ConnectError>(error) {
        return Failure { class: error.class, error: error.text.clone(), status: None };
    }
    let target = progress.target();
    let error = match find::<hyper::Error>(error) {
        Some(e) if e.is_parse_too_large() => format!("the headers of {target}'s answer are too large"),
        Some(e) if e.is_parse() => format!("what {target} answered is not HTTP"),
        Some(e) if e.is_incomplete_message() => format!("{target} closed the connection before it answered"),
        _ => format!("the connection to {target} broke before an answer came{}", because(error)),
    };
    Failure { class: ErrorClass::Protocol, error, status: None }
}

/// The answer's head came, its body broke off.
pub fn broken_body(error: &hyper::Error, status: StatusCode) -> Failure {
    let text = if error.is_parse() || error.is_incomplete_message() || find::<io::Error>(error).is_some() {
        "the answer broke off before its end"
    } else {
        "the answer's body could not be read"
    };
    Failure { class: ErrorClass::Protocol, error: format!("{text} (status {})", status.as_u16()), status: Some(status) }
}

/// The time ran out.
pub fn timed_out(progress: &Progress, timeout: Duration, status: Option<StatusCode>) -> Failure {
    let (target, within) = (progress.target(), seconds(timeout));
    let error = match progress.stage() {
        Stage::Resolving => format!("the name in {target} was not resolved within {within}"),
        Stage::Connecting => format!("no connection to {target} within {within}"),
        Stage::Handshake => format!("no TLS with {target} within {within}"),
        Stage::Waiting => format!("no answer within {within}"),
        Stage::Reading => format!("the answer began but was not complete within {within}"),
    };
    Failure { class: ErrorClass::Timeout, error, status }
}

/// An address could not be connected to.
pub fn connect(error: &io::Error, peer: &str) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("connection refused by {peer}"),
        io::ErrorKind::TimedOut => format!("no connection to {peer}: nothing there answers"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => format!("no way to {peer}"),
        kind => format!("no connection to {peer}: {kind}"),
    }
}

/// Why TLS failed. A certificate names whatever its owner likes, so the text is cut off.
pub fn tls(error: &(dyn Error + 'static)) -> String {
    let text = match find::<rustls::Error>(error) {
        Some(rustls::Error::InvalidCertificate(why)) => format!("its certificate is not valid ({why:?})"),
        Some(rustls::Error::InvalidMessage(_)) => "it does not speak TLS".to_owned(),
        Some(error) => error.to_string(),
        None => format!("the connection broke{}", because(error)),
    };
    text.chars().take(TLS_CHARS_MAX).collect()
}

/// `10 s`, `1.5 s`, `250 ms`.
pub fn seconds(d: Duration) -> String {
    if d < Duration::from_secs(1) { format!("{} ms", d.as_millis()) } else { format!("{} s", d.as_secs_f64()) }
}

fn because(error: &(dyn Error + 'static)) -> String {
    find::<io::Error>(error).map(|e| format!(": {}", e.kind())).unwrap_or_default()
}

/// The first error of a type in a chain of sources, also inside I/O errors made of another one.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    for _ in 0..CHAIN_MAX {
        let error = next?;
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(|e| e.get_ref());
        next = match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
