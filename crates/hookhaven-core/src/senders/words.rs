//! A sender in words: how it signs, what it asks at set-up, what it is answered, whether it comes again. For
//! `hookhaven senders` and for `docs/senders.md`, which say the same from the same data.
//!
//! Not here: how that is laid out.

use std::time::Duration;

use super::{
    About, Algorithm, Conduct, Declaration, Echoed, Encoding, Form, Handshake, KeyForm, Mechanism, OrderPromise,
    Retries, Rotation, Scheme, SenderOptions, SharedSpec, SignedSpec, Told,
};
use crate::sender::Cover;

impl Declaration {
    /// How its requests are told from others.
    pub fn scheme_in_words(&self) -> String {
        match &self.scheme {
            Scheme::Signed(_) if self.name == "hmac" => "as `[sources.NAME.hmac]` says".to_owned(),
            Scheme::Signed(spec) => signed(spec, self.prefixes),
            Scheme::Shared(SharedSpec::Header { name, prefix }) => format!("`{name}: {prefix}<secret>`"),
            Scheme::Shared(SharedSpec::Basic) => "`authorization: Basic <base64 of user:password>`".to_owned(),
            Scheme::Shared(SharedSpec::Query(name)) => format!("`?{name}=<secret>` in the URL"),
            Scheme::Own { how, .. } => (*how).to_owned(),
            Scheme::Nothing => "not at all".to_owned(),
        }
    }

    /// What of a request its proof does not cover, as in "the time, the id"; empty if it covers all.
    pub fn unsigned_in_words(&'static self) -> String {
        let Ok(sender) = self.build(&SenderOptions::default()) else { return String::new() };
        let body = match sender.covers() {
            Cover::Whole => None,
            Cover::Checksum => Some("the body, but for a checksum"),
            Cover::Part => Some("most of the body"),
            Cover::Nothing => Some("the body"),
        };
        let time = (!sender.signs_time()).then_some("the time");
        let id = (!sender.signs_id()).then_some("the id");
        let event_type = (!sender.signs_type()).then_some("the type");
        let all: Vec<&str> = [body, time, id, event_type].into_iter().flatten().collect();
        all.join(", ")
    }

    /// What it asks before the first event, a sentence each.
    pub fn handshakes_in_words(&self) -> Vec<String> {
        let own = match self.name {
            "slack" => Some("a signed form `ssl_check=1` gets a 200".to_owned()),
            "aws-sns" => {
                Some("`SubscriptionConfirmation` is confirmed by calling its address, which must be SNS's".to_owned())
            }
            _ => None,
        };
        self.handshakes.iter().map(handshake).chain(own).collect()
    }

    /// What accepted events are answered.
    pub fn answer_in_words(&self) -> String {
        told(&self.answer)
    }

    /// Where it publishes the addresses that it posts from; empty if it does not, or for people only.
    pub fn addresses_in_words(&self) -> String {
        let urls: Vec<String> = self.addresses.iter().map(|list| format!("<{}>", list.url)).collect();
        match urls.is_empty() {
            true => String::new(),
            false => format!("{}; `allow = [\"published\"]`", urls.join(" and ")),
        }
    }

    /// How long it waits for that, and whether somebody reads it.
    pub fn waits_in_words(&self) -> String {
        let waits = self.about.timeout_s.map(|s| format!("{s} s"));
        match (waits, self.user_waits()) {
            (Some(waits), true) => format!("{waits}; what is answered counts, so a route may ask the handler for it"),
            (waits, _) => waits.unwrap_or_default(),
        }
    }

    /// Where it takes a handler's answer that came too late; empty if nowhere.
    pub fn late_answers_in_words(&self) -> String {
        let Some(late) = &self.late_answers else { return String::new() };
        let hosts = late.hosts.join("`, `");
        format!("posted to the address in the request, on `{hosts}`: for {}, {} times", duration(late.valid), late.uses)
    }

    /// Whether it comes again, and how often.
    pub fn retries_in_words(&self) -> String {
        match self.about.retries {
            Retries::Unknown => "not documented".to_owned(),
            Retries::Never => "never: a lost request is lost".to_owned(),
            Retries::For(window, how) => format!("for {}: {how}", duration(window)),
        }
    }

    /// How its events are sent again by hand or program, and until when; empty if that is not known.
    pub fn resend_in_words(&self) -> String {
        let how = self.conduct.resend;
        match self.resend_within().filter(|_| !how.is_empty()) {
            Some(within) => format!("{how}, for {}", duration(within)),
            None => how.to_owned(),
        }
    }
}

impl About {
    /// How its secret is replaced; empty if that is not known.
    pub fn rotation_in_words(&self) -> String {
        match self.rotation {
            Rotation::Unknown => String::new(),
            Rotation::MadeUp => "made up by you: put it beside the old one here, then enter it there".to_owned(),
            Rotation::Both(how, Some(within)) => format!("{how}; both sign for up to {}", duration(within)),
            Rotation::Both(how, None) => format!("{how}; both sign until the old one is taken away there"),
            Rotation::Ahead(how) => format!("{how}; until then the old one signs"),
            Rotation::AtOnce(how) => format!("{how}; the new one signs at once, and alone"),
            Rotation::PerHook => "each webhook keeps its own: make a second one, then delete the first".to_owned(),
            Rotation::Public => "none to replace: what is given here signs nothing".to_owned(),
        }
    }
}

impl Conduct {
    /// Whether its events come in order, as in "not promised"; empty if it says nothing.
    pub fn order_in_words(&self) -> &'static str {
        match self.order {
            OrderPromise::Silent => "",
            OrderPromise::None => "not promised",
            OrderPromise::Within(how) => how,
        }
    }

    /// Types of which a dead letter should wake somebody; empty if none is named.
    pub fn critical_in_words(&self) -> String {
        let all: Vec<String> = self.critical.iter().map(|t| format!("`{t}`")).collect();
        all.join(", ")
    }
}

fn signed(spec: &SignedSpec, prefixes: &[&str]) -> String {
    let named = |name: &str| match prefixes {
        [] | [_] => name.replace('*', prefixes.first().copied().unwrap_or_default()),
        several => several.iter().map(|prefix| name.replace('*', prefix)).collect::<Vec<_>>().join("` or `"),
    };
    let by = match spec.by {
        Mechanism::Hmac(Algorithm::Sha1) => "HMAC-SHA1",
        Mechanism::Hmac(Algorithm::Sha256) => "HMAC-SHA256",
        Mechanism::Hmac(Algorithm::Sha512) => "HMAC-SHA512",
        Mechanism::Ed25519 => "Ed25519",
        Mechanism::EcdsaP256 => "ECDSA (P-256, SHA-256)",
    };
    let digest = match spec.encoding {
        Encoding::Hex => "<hex>",
        Encoding::Base64 => "<base64>",
    };
    let (name, form) = match &spec.form {
        Form::Numbered => (format!("{}1…", named(spec.header)), digest.to_owned()),
        form => (named(spec.header), form.write(digest, "<time>")),
    };
    let key = match (spec.by, spec.key) {
        (Mechanism::Hmac(_), KeyForm::Text) => "",
        (Mechanism::Hmac(_), KeyForm::Base64 { .. }) => ", key base64-decoded",
        (Mechanism::Hmac(_), KeyForm::Hex) => ", key hex-decoded",
        _ => ", under the sender's public key",
    };
    format!(
        "`{name}: {form}`, {by} of `{}`{key}",
        spec.signed.replace('*', prefixes.first().copied().unwrap_or_default())
    )
}

fn handshake(handshake: &Handshake) -> String {
    let echoed = |answer: &Echoed| match answer {
        Echoed::Text => "as text".to_owned(),
        Echoed::Json(field) => format!("as JSON `{field}`"),
    };
    match handshake {
        Handshake::Echo { answer, signed, .. } => {
            let how = if *signed { "a signed" } else { "a" };
            format!("{how} POST with a challenge gets it back {}", echoed(answer))
        }
        Handshake::Ping { answer, .. } => format!("a signed ping gets {}", told(answer)),
        Handshake::Hub { answer } => {
            format!(
                "a GET with `hub.verify_token` equal to `verify_token` gets `hub.challenge` back {}",
                echoed(answer)
            )
        }
        Handshake::EchoQuery { method, name } => format!("a {method} with `?{name}=` gets it back as text"),
        Handshake::CrcToken => "a GET with `?crc_token=` gets its HMAC".to_owned(),
        Handshake::EncryptedToken => "a signed `endpoint.url_validation` gets its token and its HMAC".to_owned(),
        Handshake::HeaderToJson { header, field } => format!("a GET with `{header}` gets it back as JSON `{field}`"),
        Handshake::HeaderToHeader { header, answer } => format!("a POST with `{header}` gets it back as `{answer}`"),
        Handshake::SecretInHeader(header) => {
            format!("a POST with `{header}` hands the secret over: kept in the file `handover`, and given back")
        }
        Handshake::SecretInBody(_) => "the first POST hands the secret over: kept in the file `handover`".to_owned(),
        Handshake::Head => "a HEAD gets a 200".to_owned(),
        Handshake::Hello(field) => format!("an unsigned form with only `{field}` gets a 200"),
        Handshake::Heartbeat(_) => "a signed POST without events gets a 200".to_owned(),
        Handshake::Origin => "an OPTIONS with `WebHook-Request-Origin` is allowed".to_owned(),
    }
}

fn told(told: &Told) -> String {
    match (told.content_type, told.body) {
        (_, "") => format!("{} without a body", told.status),
        (None, body) => format!("{} `{body}`", told.status),
        (Some(content_type), body) => format!("{} `{body}` ({content_type})", told.status),
    }
}

fn duration(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match minutes {
        ..=1 => "a minute".to_owned(),
        2..=119 => format!("{minutes} minutes"),
        120..=4_319 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}
