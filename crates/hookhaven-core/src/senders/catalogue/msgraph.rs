//! Microsoft Graph's basic change notifications: nothing is signed; every item of `/value` shows the subscription's
//! `clientState`. A subscription begins with a POST that has `validationToken` in its query and wants it back.
//!
//! Rich notifications (encrypted content, tokens to be validated) are not read here: they are stored like others if
//! each item's `clientState` is ours. Facts: Microsoft's documentation.

use serde::Deserialize;

use super::super::{
    declared::Declared,
    mac::{SECRETS_MAX, same_text},
    prelude::*,
    sample::Body,
};
use crate::{
    json::Pointer,
    secret::Secret,
    sender::{CannotSign, Cover, Keys, Proof, Rejection, Request, Sample, Signed},
    time::Time,
};

pub static SENDER: Declaration = Declaration {
    name: "msgraph",
    aliases: &["microsoft-graph"],
    title: "Microsoft Graph",
    scheme: Scheme::Own {
        how: "nothing is signed; `clientState` of every item is the secret",
        covers: Cover::Nothing,
        signs_id: false,
        signs_type: false,
        signs_time: false,
        signs_url: false,
    },
    id: &["json:/value/0/subscriptionId + json:/value/0/changeType + json:/value/0/resource + \
           json:/value/0/resourceData/@odata.etag"],
    event_type: &["text:lifecycle + json:/value/0/lifecycleEvent", "json:/value/0/changeType"],
    order_key: &["json:/value/0/resource"],
    batch: Some("/value"),
    content_types: &[],
    handshakes: &[Handshake::EchoQuery { method: Method::POST, name: "validationToken" }],
    answer: Told::status(202),
    sample_types: &["created", "updated"],
    about: About {
        secret: "made up by you and given as the subscription's `clientState` (at most 128 characters)",
        rotation: Rotation::MadeUp,
        paste: "`notificationUrl` (and `lifecycleNotificationUrl`) of POST /v1.0/subscriptions",
        quirks: &[
            "Nothing is signed: fetch the resource.",
            "A tenth of slow answers is throttled; subscriptions expire unless they are renewed.",
            "Without an etag there is no id: the key is a hash of the body, and two equal bodies are one event.",
        ],
        docs: "https://learn.microsoft.com/graph/change-notifications-delivery-webhooks",
        timeout_s: Some(3),
        retries: Retries::hours(4, "with growing pauses"),
    },
    conduct: Conduct {
        reconcile: "a delta query (`…/delta`) tells what changed since a token; the lifecycle event `missed` says when to ask",
        gives_up: "after 4 hours it drops the event; a tenth of slow answers is throttled, and subscriptions end unless they are renewed",
        lapses: "hours to days, depending on the resource",
        thin: &["*"],
        ..Conduct::UNKNOWN
    },
    code: Code { verify: Some(verify), sign: Some(sign), ..Code::NONE },
    ..Declaration::DEFAULT
};

#[derive(Deserialize)]
struct Notifications {
    #[serde(default)]
    value: Vec<Notification>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    client_state: Option<String>,
}

fn verify(request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
    if request.body.is_empty() {
        return Err(Rejection::BodyEmpty);
    }
    let Notifications { value } = serde_json::from_slice(request.body).map_err(|_| Rejection::SignatureMalformed)?;
    let shown: Vec<&str> = value.iter().filter_map(|item| item.client_state.as_deref()).collect();
    if shown.is_empty() || shown.len() < value.len() {
        return Err(Rejection::SignatureMissing);
    }
    let ours = |secret: &Secret| shown.iter().all(|text| same_text(text.as_bytes(), secret.expose()));
    let position = keys.secrets.iter().take(SECRETS_MAX).position(ours);
    let position = position.and_then(|n| u8::try_from(n).ok()).ok_or(Rejection::SignatureMismatch)?;
    Ok(Proof { secret: Some(position) })
}

/// Puts the secret into the body, which is therefore not quite the sample's.
fn sign(
    declared: &Declared,
    sample: &Sample,
    url: Option<&str>,
    secret: &Secret,
    now: Time,
) -> Result<Signed, CannotSign> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| CannotSign("the secret or the body is not text".into()));
    let mut body = Body::read(text(&sample.body)?);
    let at = Pointer::parse("/value/0/clientState").map_err(|e| CannotSign(e.to_string()))?;
    body.set(&at, text(secret.expose())?.into());
    declared.sign_with(Vec::new(), &Sample { body: body.into_bytes(), ..sample.clone() }, url, secret, now)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn every_item_must_show_the_secret() {
        let secrets = [Secret::new("ours").unwrap()];
        let verdict = |body: &str| {
            let (method, headers) = (Method::POST, HeaderMap::new());
            let request = Request { method: &method, url: None, query: None, headers: &headers, body: body.as_bytes() };
            let keys = Keys { secrets: &secrets, tolerance: Duration::ZERO, now: Time::EPOCH, fetched: None };
            verify(&request, &keys)
        };
        let ours = r#"{"clientState":"ours"}"#;
        assert_eq!(verdict(&format!(r#"{{"value":[{ours},{ours}]}}"#)), Ok(Proof { secret: Some(0) }));
        for (other, why) in [
            (r#"{"clientState":"theirs"}"#, Rejection::SignatureMismatch),
            (r#"{"clientState":null}"#, Rejection::SignatureMissing),
            ("{}", Rejection::SignatureMissing),
            ("7", Rejection::SignatureMalformed),
        ] {
            assert_eq!(verdict(&format!(r#"{{"value":[{ours},{other}]}}"#)), Err(why), "{other}");
        }
        assert_eq!(verdict(r#"{"value":[]}"#), Err(Rejection::SignatureMissing));
    }
}
