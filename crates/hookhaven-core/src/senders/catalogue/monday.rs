//! monday.com: integrations carry a JWT (HS256, under the app's signing secret) in `Authorization`. It covers nothing
//! of the body: it only shows that monday.com made a request in that minute. A new URL is asked by
//! `{"challenge": …}`, which wants itself back.
//!
//! Facts: monday.com's documentation, in part from memory.

use http::header::AUTHORIZATION;
use serde_json::json;

use super::super::{
    declared::Declared,
    jwt::{Token, write_hs256},
    place::only,
    prelude::*,
    signed::within,
};
use crate::{
    secret::Secret,
    sender::{CannotSign, Cover, Keys, Proof, Rejection, Request, Sample, Signed},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: "monday",
    title: "monday.com",
    scheme: Scheme::Own {
        how: "`Authorization`: a JWT (HS256) that covers the time and nothing of the body",
        covers: Cover::Nothing,
        signs_id: false,
        signs_type: false,
        signs_time: true,
        signs_url: false,
    },
    id: &["json:/event/triggerUuid"],
    event_type: &["json:/event/type"],
    time: &["json:/event/triggerTime"],
    order_key: &["json:/event/pulseId", "json:/event/boardId"],
    handshakes: &[Handshake::Echo {
        when: None,
        challenge: "json:/challenge",
        answer: Echoed::Json("challenge"),
        signed: false,
    }],
    sample_types: &["update_column_value", "create_pulse"],
    about: About {
        secret: "Developer Center → the app → Basic information → Signing secret",
        rotation: Rotation::Unknown,
        paste: "the board's Integrations → Webhooks, or create_webhook of the API with the app's token",
        quirks: &[
            "The body is not signed: ask the API where it matters.",
            "Webhooks made without an app carry no token and are refused: use `unverified` for those.",
        ],
        docs: "https://developer.monday.com/api-reference/reference/webhooks",
        timeout_s: None,
        retries: Retries::minutes(30, "every minute"),
    },
    code: Code { verify: Some(verify), sign: Some(sign), ..Code::NONE },
    ..Declaration::DEFAULT
};

fn verify(request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
    let given = only(request.headers, &AUTHORIZATION).map_err(|_| Rejection::SignatureRepeated)?;
    let given = given.ok_or(Rejection::SignatureMissing)?;
    if request.body.is_empty() {
        return Err(Rejection::BodyEmpty);
    }
    let token = Token::read(given.strip_prefix(b"Bearer ").unwrap_or(given)).ok_or(Rejection::SignatureMalformed)?;
    let secret = token.matching_secret(keys.secrets)?;
    within(token.time("iat")?, keys.now, keys.tolerance)?;
    Ok(Proof { secret: Some(secret) })
}

fn sign(
    declared: &Declared,
    sample: &Sample,
    url: Option<&str>,
    secret: &Secret,
    now: Time,
) -> Result<Signed, CannotSign> {
    let iat = now.as_s();
    let token = write_hs256(&json!({ "iat": iat, "exp": iat + 300, "aud": url }), secret.expose());
    declared.sign_with(vec![(AUTHORIZATION.to_string(), token)], sample, url, secret, now)
}
