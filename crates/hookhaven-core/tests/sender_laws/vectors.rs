//! Signatures made by others: published in a sender's documentation, taken from its SDK's tests, or made with
//! its SDK. What we sign ourselves proves nothing about a sender.

use std::time::Duration;

use hookhaven_core::{
    Secret, Time,
    sender::{Keys, Proof, Rejection, Request},
    senders::{self, SenderOptions},
};
use http::{HeaderMap, HeaderName, Method};

struct Vector {
    sender: &'static str,
    /// Where it is from.
    origin: &'static str,
    secret: &'static str,
    at_s: i64,
    url: Option<&'static str>,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
}

const TWILIO_URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const TWILIO_JSON_URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
const TWILIO_FORM: &str =
    "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";

const CIRCLECI: Vector = Vector {
    sender: "circleci",
    origin: "documentation",
    secret: "secret",
    at_s: 0,
    url: None,
    headers: &[("circleci-signature", "v1=734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a")],
    body: "hello world",
};

const VECTORS: &[Vector] = &[
    Vector {
        sender: "github",
        origin: "documentation",
        secret: "It's a Secret to Everybody",
        at_s: 0,
        url: None,
        headers: &[("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")],
        body: "Hello, World!",
    },
    Vector {
        sender: "slack",
        origin: "documentation",
        secret: "8f742231b10e8888abcd99yyyzzz85a5",
        at_s: 1_531_420_618,
        url: None,
        headers: &[
            ("x-slack-request-timestamp", "1531420618"),
            ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
        ],
        body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    },
    Vector {
        sender: "standard-webhooks",
        origin: "tests of the standard's libraries",
        secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        at_s: 1_649_367_553,
        url: None,
        headers: &[
            ("webhook-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"),
            ("webhook-timestamp", "1649367553"),
            ("webhook-signature", "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
        ],
        body: r#"{"email":"test@example.com","username":"test_user"}"#,
    },
    Vector {
        sender: "svix",
        origin: "documentation",
        secret: "whsec_plJ3nmyCDGBKInavdOK15jsl",
        at_s: 1_731_705_121,
        url: None,
        headers: &[
            ("svix-id", "msg_loFOjxBNrRLzqYUf"),
            ("svix-timestamp", "1731705121"),
            ("svix-signature", "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="),
        ],
        body: r#"{"event_type":"ping","data":{"success":true}}"#,
    },
    Vector {
        sender: "stripe",
        origin: "made with the Node SDK's generateTestHeaderString",
        secret: "whsec_test_secret",
        at_s: 1_686_089_970,
        url: None,
        headers: &[(
            "stripe-signature",
            "t=1686089970,v1=e6b397d10fd0274e4eb8c27f49d3928e5239eb3987dcd4a32c49b4b017a03cd8",
        )],
        body: "{\n  \"id\": \"evt_1NG8Du2eZvKYlo2CUI79vXWy\",\n  \"object\": \"event\",\n  \"created\": 1686089970,\n  \"type\": \"setup_intent.created\"\n}",
    },
    Vector {
        sender: "twilio",
        origin: "SDK tests",
        secret: "12345",
        at_s: 0,
        url: Some(TWILIO_URL),
        headers: &[
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ],
        body: TWILIO_FORM,
    },
    Vector {
        sender: "twilio",
        origin: "SDK tests, JSON",
        secret: "12345",
        at_s: 0,
        url: Some(TWILIO_JSON_URL),
        headers: &[("content-type", "application/json"), ("x-twilio-signature", "a9nBmqA0ju/hNViExpshrM61xv4=")],
        body: r#"{"property": "value", "boolean": true}"#,
    },
    CIRCLECI,
    Vector {
        secret: "another-secret",
        headers: &[("circleci-signature", "v1=daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00")],
        body: "lalala",
        ..CIRCLECI
    },
    Vector {
        secret: "hunter123",
        headers: &[("circleci-signature", "v1=9be2242094a9a8c00c64306f382a7f9d691de910b4a266f67bd314ef18ac49fa")],
        body: "an-important-request-payload",
        ..CIRCLECI
    },
    Vector {
        sender: "convoy",
        origin: "test data of its repository",
        secret: "convoy-webhook-secret",
        at_s: 1_700_000_000,
        url: None,
        headers: &[(
            "x-convoy-signature",
            "t=1700000000,v1=77b8b9269f25a199846a55a2bd25b3fba151c70fdae60bb1dcd87fbbc943c55c",
        )],
        body: r#"{"event":"charge.success","amount":1000,"currency":"NGN"}"#,
    },
    Vector {
        sender: "adyen-payments",
        origin: "documentation and SDK tests",
        secret: "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
        at_s: 0,
        url: None,
        headers: &[],
        body: r#"{"live":"false","notificationItems":[{"NotificationRequestItem":{"additionalData":{"hmacSignature":"coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="},"amount":{"value":1130,"currency":"EUR"},"pspReference":"7914073381342284","eventCode":"AUTHORISATION","merchantAccountCode":"TestMerchant","merchantReference":"TestPayment-1407325143704","success":"true"}}]}"#,
    },
    Vector {
        sender: "mandrill",
        origin: "the documented steps, taken in Python",
        secret: "KfFuThPttL_KoUyDndHW3A",
        at_s: 0,
        url: Some("https://hooks.example.com/webhooks/mandrill"),
        headers: &[("x-mandrill-signature", "nJKiMwgbWx3dOVgjcKNkQ5UDFJM=")],
        body: "mandrill_events=%5B%7B%22event%22%3A%22send%22%2C%22_id%22%3A%22abc%22%2C%22ts%22%3A1700000000%2C%22msg%22%3A%7B%22subject%22%3A%22a+%26+b%22%7D%7D%5D",
    },
    Vector {
        sender: "mux",
        origin: "the documented steps, taken in Python",
        secret: "my secret",
        at_s: 1_565_220_904,
        url: None,
        headers: &[(
            "mux-signature",
            "t=1565220904,v1=d75e4713130f3569230cc11104c8330994e887e462f64e4fc7691feb60acf29c",
        )],
        body: r#"{"type":"video.asset.ready","id":"3a56ac3d-33da-4366-855b-f592d898409d"}"#,
    },
    Vector {
        sender: "paddle-classic",
        origin: "the documented steps, taken in Python and OpenSSL",
        secret: "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAhZSw9wfNGpYNZKDFu/aCOCLk1598ty+VFAfoe8K5VmvwrhrZ6FELvU5PzlVh7KRYLKbK3Eoo/hfHb0JvrBKAIVlESEmYbshhSwXoIOfZjmUJ8DGa88OhhHiMrxnTsggJIYsV0552r5TyR8k3Z2hYvKDPnvdexcgxIV0PPrGQab88EA8W7xRwta/BgiLxL3CISzkCtwtZGTsgrlIaMh3gZmSy2bynt+Dx3EQdQHCppF6ASQPfRxm6xE+xkmf9E6LP1fhaDv+7AdMSG6y25iT0sIqmQHTuc8Ifo3TQwIsJg/KbUIjYCCsoUspnZbaBIZ8ZB3CGoFxncw1oJ7wn/lCTxQIDAQAB",
        at_s: 0,
        url: None,
        headers: &[],
        body: "alert_id=1234567&alert_name=subscription_created&event_time=2026-11-21+09%3A30%3A00&passthrough=Zw%C3%B6lf+%26+mehr&quantity=1&p_signature=P%2BYqxXgD%2BtPHPj8muVSGT8yw0z0iK8TGV2981F4NE93J5dWqXahnxe3tixUKzJvjfTc3k5jHtD%2Bh08gnrTCCbpn8yYA8U%2FuqbHYeuzTKXArSQCpPFlvvsV%2BrWlFcshmU2wnOqChksNFxs9jY1KGk0Ile2K9%2FyiEDb0x8hfXeZTD1%2FDkkHlEFMeCtbVCw%2BfxDP6Sc7geJ3cTc56EoENJMrqMghFOp7FPT%2FLPVRyEOvTZNBLE8xFVoaU3UcQl%2BwIi%2BDrOLPdat5W12keqqvhuUvAX9gBK0pmgS9fmm1BXWMkEtUuSqV8tZEfZF%2FzHslD5PncaDGhBvOgGIZweZg8kFTQ%3D%3D",
    },
];

/// The verdict on a vector, after changes to it.
fn judge(
    vector: &Vector,
    secrets: &[&str],
    url: Option<&str>,
    headers: &[(&'static str, &str)],
    body: &str,
) -> Result<Proof, Rejection> {
    let def = senders::find(vector.sender).unwrap();
    let sender = def.build(&SenderOptions::default()).unwrap();
    let pair = |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
    let map: HeaderMap = headers.iter().map(pair).fold(HeaderMap::new(), |mut map, (name, value)| {
        map.append(name, value);
        map
    });
    let secrets: Vec<Secret> = secrets.iter().map(|s| Secret::new(*s).unwrap()).collect();
    let request = Request { method: &Method::POST, url, query: None, headers: &map, body: body.as_bytes() };
    let keys =
        Keys { secrets: &secrets, tolerance: Duration::from_secs(300), now: Time::from_s(vector.at_s), fetched: None };
    sender.verify(&request, &keys)
}

fn of(sender: &str) -> &'static Vector {
    VECTORS.iter().find(|v| v.sender == sender).unwrap()
}

#[test]
fn what_others_signed_is_accepted() {
    for v in VECTORS {
        let first = judge(v, &[v.secret], v.url, v.headers, v.body);
        assert_eq!(first, Ok(Proof { secret: Some(0) }), "{}, {}", v.sender, v.origin);
        let hex = v.sender.starts_with("adyen");
        let other = if hex { "5478aa06" } else { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" };
        let second = judge(v, &[other, v.secret], v.url, v.headers, v.body);
        assert_eq!(second, Ok(Proof { secret: Some(1) }), "{}, {}", v.sender, v.origin);
        let foreign = judge(v, &[other], v.url, v.headers, v.body);
        assert_eq!(foreign, Err(Rejection::SignatureMismatch), "{}, {}", v.sender, v.origin);
    }
}

#[test]
fn a_right_digest_under_another_version_is_a_downgrade() {
    let digest = "e6b397d10fd0274e4eb8c27f49d3928e5239eb3987dcd4a32c49b4b017a03cd8";
    let stripe = |header: String| {
        let v = of("stripe");
        judge(v, &[v.secret], None, &[("stripe-signature", &header)], v.body)
    };
    for version in ["v0", "v2", "V1", " v1", "v1 ", "v11", ""] {
        let verdict = stripe(format!("t=1686089970,{version}={digest}"));
        assert_eq!(verdict, Err(Rejection::SignatureMalformed), "{version}");
    }
    assert_eq!(stripe(format!("v1={digest}")), Err(Rejection::TimestampMissing));
    assert_eq!(stripe(format!("t=,v1={digest}")), Err(Rejection::TimestampMalformed));
    assert_eq!(stripe(format!("t=NaN,v1={digest}")), Err(Rejection::TimestampMalformed));
    assert_eq!(stripe(format!("t=1686089970,v1={}", digest.to_uppercase())), Err(Rejection::SignatureMalformed));
    // While a secret is rolled, signatures stand side by side, as they do with test-mode's v0.
    let zeros = "0".repeat(64);
    assert!(stripe(format!("t=1686089970,v1={zeros},v1={digest},v0={zeros}")).is_ok());
}

#[test]
fn githubs_old_header_proves_nothing() {
    let v = of("github");
    let sha1 = [("x-hub-signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59")];
    assert_eq!(judge(v, &[v.secret], None, &sha1, v.body), Err(Rejection::SignatureMissing));
    let renamed = [("x-hub-signature-256", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59")];
    assert_eq!(judge(v, &[v.secret], None, &renamed, v.body), Err(Rejection::SignatureMalformed));
}

#[test]
fn standard_webhooks_skip_other_versions_and_other_sets_of_headers() {
    let v = of("standard-webhooks");
    let digest = "tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    let verdict = |signature: &str, more: &[(&'static str, &'static str)]| {
        let mut headers = vec![v.headers[0], v.headers[1], ("webhook-signature", signature)];
        headers.extend(more);
        judge(v, &[v.secret], None, &headers, v.body)
    };
    assert!(verdict(&format!("v1a,{digest} v1,{digest}"), &[]).is_ok());
    for bad in [format!("v1a,{digest}"), format!("v2,{digest}"), digest.into(), format!("v1,{digest},")] {
        assert_eq!(verdict(&bad, &[]), Err(Rejection::SignatureMalformed), "{bad}");
    }
    // The other set is ignored: it can neither help nor hurt.
    assert!(verdict(&format!("v1,{digest}"), &[("svix-signature", "v1,AAAA"), ("svix-id", "x")]).is_ok());
}

#[test]
fn twilio_takes_its_url_with_or_without_port_and_no_other() {
    let v = of("twilio");
    let verdict = |url: &str| judge(v, &[v.secret], Some(url), v.headers, v.body);
    for url in [
        TWILIO_URL,
        "https://mycompany.com:443/myapp.php?foo=1&bar=2",
        "https://mycompany.com:8443/myapp.php?foo=1&bar=2",
        "https://mycompany.com/myapp.php?foo=1&bar=2#rc=2",
    ] {
        assert!(verdict(url).is_ok(), "{url}");
    }
    for url in [
        "http://mycompany.com/myapp.php?foo=1&bar=2",
        "https://mycompany.com/myapp.php/?foo=1&bar=2",
        "https://mycompany.com/myapp.php?bar=2&foo=1",
        "https://mycompany.com/myapp.php",
    ] {
        assert_eq!(verdict(url), Err(Rejection::SignatureMismatch), "{url}");
    }
}

#[test]
fn twilio_forms_are_signed_by_their_distinct_sorted_pairs() {
    let v = of("twilio");
    let verdict = |body: &str| judge(v, &[v.secret], v.url, v.headers, body);
    assert!(verdict(&format!("{TWILIO_FORM}&Digits=1234")).is_ok());
    let mut shuffled: Vec<_> = TWILIO_FORM.split('&').collect();
    shuffled.reverse();
    assert!(verdict(&shuffled.join("&")).is_ok());
    assert_eq!(verdict(&format!("{TWILIO_FORM}&Digits=1235")), Err(Rejection::SignatureMismatch));
}

#[test]
fn twilio_bodies_that_nothing_covers_are_refused() {
    let v = VECTORS.iter().find(|v| v.url == Some(TWILIO_JSON_URL)).unwrap();
    let verdict = |url: &str, content_type: &'static str, body: &str| {
        judge(v, &[v.secret], Some(url), &[("content-type", content_type), v.headers[1]], body)
    };
    let json = "application/json";
    assert_eq!(verdict(TWILIO_JSON_URL, json, "{}"), Err(Rejection::BodyHashMismatch));
    assert_eq!(verdict(TWILIO_URL, json, v.body), Err(Rejection::BodyHashMismatch));
    let empty = format!("{TWILIO_URL}&bodySHA256=");
    assert_eq!(verdict(&empty, json, v.body), Err(Rejection::BodyHashMismatch));
    let twice = format!("{TWILIO_JSON_URL}&bodySHA256=00");
    assert_eq!(verdict(&twice, json, v.body), Err(Rejection::SignatureRepeated));
    // A form without text adds nothing to the signed URL, so the hash must count for forms too.
    let form = "application/x-www-form-urlencoded";
    assert_eq!(verdict(TWILIO_JSON_URL, form, "="), Err(Rejection::BodyHashMismatch));
}

#[test]
fn nothing_can_stand_beside_adyens_signed_item() {
    let v = of("adyen-payments");
    let with = |change: &dyn Fn(&str) -> String| judge(v, &[v.secret], None, &[], &change(v.body));
    assert!(with(&|body| body.replace("\"live\":\"false\"", "\"live\":\"true\"")).is_ok(), "it is not signed");
    assert_eq!(with(&|body| body.replace("1130", "9130")), Err(Rejection::SignatureMismatch));
    let second = |body: &str| body.replace("}}]}", "}},{\"NotificationRequestItem\":{}}]}");
    assert_eq!(with(&second), Err(Rejection::SignatureMalformed));
}
