//! E-mail over SMTP: plain text, one mail for all recipients. `smtp://` asks for STARTTLS: it must come where there is a
//! password, and is taken where it is offered otherwise; `smtps://` is TLS from the first byte.

use std::time::{Duration, Instant, SystemTime};

use hookhaven_core::{ErrorClass, Phases, alert::Notice};
use http::{HeaderMap, StatusCode};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp,
};
use url::Url;

use super::TIMEOUT;
use crate::{
    alerting::failed,
    config::alerts::Email,
    egress::{Answered, Sent},
};

/// Longest subject: mail programs cut it anyway.
const SUBJECT_CHARS_MAX: usize = 150;

pub async fn send(email: &Email, notice: &Notice, id: &str) -> Sent {
    let began = Instant::now();
    let prepared = transport(email).and_then(|transport| Ok((transport, message(email, notice, id)?)));
    let (transport, message) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => return failed(ErrorClass::Refused, why),
    };
    let sent = match tokio::time::timeout(TIMEOUT, transport.send(message)).await {
        Ok(Ok(_)) => {
            let (status, headers, excerpt) = (StatusCode::OK, HeaderMap::new(), Default::default());
            return Sent {
                result: Ok(Answered { status, headers, excerpt }),
                phases: Phases::default(),
                duration: began.elapsed(),
            };
        }
        Ok(Err(error)) => failed(class(&error), words(&error)),
        Err(_) => failed(ErrorClass::Timeout, format!("the mail server took longer than {} s", TIMEOUT.as_secs())),
    };
    Sent { duration: began.elapsed(), ..sent }
}

fn transport(email: &Email) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let unusable = || "the mail server's address cannot be used".to_owned();
    let text = std::str::from_utf8(email.smtp.expose()).map_err(|_| unusable())?;
    let url = with_tls(Url::parse(text.trim()).map_err(|_| unusable())?);
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str()).map_err(|_| unusable())?;
    Ok(builder.timeout(Some(TIMEOUT)).build())
}

/// What an address does not say of TLS: a password never goes out in the clear unless the address says `none`.
fn with_tls(mut url: Url) -> Url {
    let said = url.query_pairs().find(|(key, _)| key == "tls").map(|(_, value)| value.into_owned());
    if url.scheme() == "smtp" {
        match said.as_deref() {
            None if url.username().is_empty() => url.set_query(Some("tls=opportunistic")),
            None => url.set_query(Some("tls=required")),
            Some("none") => url.set_query(None),
            Some(_) => {}
        }
    }
    url
}

fn message(email: &Email, notice: &Notice, id: &str) -> Result<Message, String> {
    let subject = one_line(&format!("[{}] {}", notice.severity.as_str(), notice.headline()));
    let domain = email.from.email.domain();
    let thread: String = notice.thread.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '.' }).collect();
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(notice.at.as_s().max(0).unsigned_abs());
    let start = email.to.iter().fold(Message::builder(), |message, to: &Mailbox| message.to(to.clone()));
    start
        .from(email.from.clone())
        .date(at)
        .subject(subject)
        .message_id(Some(format!("<{id}@{domain}>")))
        // Mail programs show what has this in common as one thread.
        .references(format!("<{thread}@{domain}>"))
        .header(ContentType::TEXT_PLAIN)
        .body(body(notice))
        .map_err(|error| format!("no mail could be made of it: {error}"))
}

/// Names of routes may hold anything; a header is one line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SUBJECT_CHARS_MAX).collect()
}

fn body(notice: &Notice) -> String {
    let mut body = format!("{}\n{}\n", notice.headline(), notice.text);
    if !notice.runbook.is_empty() {
        body.push_str(&format!("\n{}\n\n    {}\n", notice.runbook, notice.command));
    }
    let fired_at = notice.fired_at.map(|at| format!("Fired at {at}\n")).unwrap_or_default();
    let ended_at = notice.ended_at.map(|at| format!("Ended at {at}\n")).unwrap_or_default();
    body.push_str(&format!("\n{fired_at}{ended_at}Rule {}\n{}\n", notice.rule, notice.link));
    body
}

fn class(error: &smtp::Error) -> ErrorClass {
    match error {
        error if error.is_timeout() => ErrorClass::Timeout,
        error if error.is_tls() => ErrorClass::Tls,
        error if error.is_transient() || error.is_permanent() || error.is_response() => ErrorClass::Protocol,
        _ => ErrorClass::Connect,
    }
}

/// What the server said; the address, with its password, is in none of it.
fn words(error: &smtp::Error) -> String {
    let mut text = format!("the mail could not be handed over: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use hookhaven_core::{Secret, Time};

    use super::*;

    fn email() -> Email {
        Email {
            smtp: Secret::new("smtp://mail.test").unwrap(),
            from: "Hookhaven <hookhaven@example.com>".parse().unwrap(),
            to: vec!["ops@example.com".parse().unwrap()],
        }
    }

    #[test]
    fn a_subject_is_one_line_whatever_a_route_is_called() {
        let mut notice = Notice::trial("ops", "", Time::EPOCH, "r");
        notice.title = "dead letters: a\r\nBcc: everybody@example.com\r\n\r\nhello".to_owned();
        let message = message(&email(), &notice, "evt_1").unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        let headers: Vec<_> = text.split("\r\n\r\n").next().unwrap().lines().collect();
        assert!(headers.iter().all(|line| !line.starts_with("Bcc")), "{headers:?}");
        assert!(text.contains("Message-ID: <evt_1@example.com>"), "{text}");
    }

    #[test]
    fn a_password_goes_out_in_the_clear_only_if_the_address_says_so() {
        for (said, used) in [
            ("smtp://u:p@mail.test:587", "smtp://u:p@mail.test:587?tls=required"),
            ("smtp://mail.test", "smtp://mail.test?tls=opportunistic"),
            ("smtp://u:p@mail.test?tls=none", "smtp://u:p@mail.test"),
            ("smtps://u:p@mail.test", "smtps://u:p@mail.test"),
        ] {
            assert_eq!(with_tls(Url::parse(said).unwrap()).as_str(), used);
        }
    }
}
