//! GitHub: `X-Hub-Signature-256: sha256=<hex>`, HMAC-SHA256 of the raw body. The SHA-1 header beside it is for
//! old receivers and is ignored here: a right digest there proves nothing.
//!
//! Nothing but the body is signed: no time, and neither the delivery id nor the event's name, both of which are
//! headers. A redelivery keeps its id. `ping` is an ordinary signed event that wants a 2xx. A hook may be set to
//! send forms; the MAC is then over the form, and the JSON stands in its field `payload`.
//! Facts: GitHub's documentation and its webhook libraries.

use std::{borrow::Cow, sync::Arc};

use http::HeaderName;

use super::{
    SenderDef, SenderOptionError, SenderOptions,
    declared::{Declaration, Declared, sign_json},
    facts::header_text,
    form::{self, FORM},
    hmac::HmacSpec,
    sample::{Named, fill, find, sample},
    signature::Form,
};
use crate::{
    json::{Pointer, scan},
    secret::Secret,
    sender::{CannotSign, Facts, Keys, Proof, Rejection, Request, Sample, Sender, Signed},
    time::Time,
};

pub const DEF: SenderDef = SenderDef { name: "github", aliases: &[], title: "GitHub", verifies: true, build };

const EVENT: HeaderName = HeaderName::from_static("x-github-event");
const DELIVERY: &str = "x-github-delivery";

static DECLARATION: Declaration = Declaration {
    name: "github",
    scheme: HmacSpec {
        header: "x-hub-signature-256",
        form: Form::Whole { prefix: Cow::Borrowed("sha256=") },
        ..HmacSpec::DEFAULT
    },
    id: &["header:x-github-delivery"],
    // The action; the event itself is a header, and both together are the type.
    event_type: &["json:/action"],
    // There is no common field. The narrowest object that changed comes first.
    time: &[
        "json:/comment/updated_at",
        "json:/review/submitted_at",
        "json:/workflow_run/updated_at",
        "json:/workflow_job/completed_at",
        "json:/check_run/completed_at",
        "json:/check_suite/updated_at",
        "json:/deployment_status/updated_at",
        "json:/deployment/updated_at",
        "json:/release/published_at",
        "json:/pull_request/updated_at",
        "json:/issue/updated_at",
        "json:/head_commit/timestamp",
    ],
    content_types: &["application/json", FORM],
    not_secrets: &[
        ("ghp_", "this is an access token; the hook's secret is the text entered under \"Secret\" in its settings"),
        ("github_pat_", "this is an access token; the hook's secret is the text entered under \"Secret\""),
    ],
    sample_types: &["push", "pull_request.opened", "workflow_run.completed", "issues.opened", "ping"],
    samples: SAMPLES,
};

const SAMPLES: &[Named] = &[
    sample!("github", "push"),
    sample!("github", "pull_request.opened"),
    sample!("github", "workflow_run.completed"),
    sample!("github", "issues.opened"),
    sample!("github", "ping"),
];

fn build(options: &SenderOptions) -> Result<Arc<dyn Sender>, SenderOptionError> {
    options.refuse_hmac(DECLARATION.name)?;
    Ok(Arc::new(GitHub(DECLARATION.declared()?)))
}

#[derive(Debug)]
struct GitHub(Declared);

impl Sender for GitHub {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn verify(&self, request: &Request<'_>, keys: &Keys<'_>) -> Result<Proof, Rejection> {
        self.0.verify(request, keys)
    }

    fn facts(&self, request: &Request<'_>) -> Facts {
        let payload = form::is_form(request.headers).then(|| form::field(request.body, "payload")).flatten();
        let mut facts = self.0.places.read(request.headers, payload.as_deref().unwrap_or(request.body));
        facts.event_type = match (header_text(request.headers, &EVENT), facts.event_type) {
            (Some(event), Some(action)) => Some(format!("{event}.{action}")),
            (Some(event), None) => Some(event.into_owned()),
            (None, _) => None,
        };
        facts
    }

    fn content_types(&self) -> &'static [&'static str] {
        self.0.content_types()
    }

    /// GitHub sends no event above 25 MB.
    fn body_bytes_default(&self) -> usize {
        25 << 20
    }

    fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        self.0.check_secret(secret)
    }

    fn sample_types(&self) -> &'static [&'static str] {
        self.0.sample_types()
    }

    /// An event without its action (`issues`) gets that of the sample; another action is put in its place.
    fn sample(&self, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
        let (event, action) = event_type.split_once('.').map_or((event_type, None), |(e, a)| (e, Some(a)));
        let same_event = |(name, _): &&Named| name.split('.').next() == Some(event);
        let text = find(SAMPLES, event_type).or_else(|| SAMPLES.iter().find(same_event).map(|(_, text)| *text));
        let text = match (text, action) {
            (Some(text), _) => text,
            (None, Some(_)) => ANY_WITH_ACTION,
            (None, None) => ANY,
        };
        let body = fill(text, id, action.unwrap_or("opened"), now).into_bytes();
        let has_action = scan(&body, &[Pointer::parse("/action").map_err(|e| CannotSign(e.to_string()))?])[0];
        let event_type = match has_action.and_then(|found| found.scalar()) {
            Some(action) => format!("{event}.{action}"),
            None => event.to_owned(),
        };
        Ok(Sample { id: id.to_owned(), event_type, body })
    }

    fn sign(&self, sample: &Sample, url: Option<&str>, secret: &Secret, now: Time) -> Result<Signed, CannotSign> {
        let event = sample.event_type.split('.').next().unwrap_or_default();
        let headers = vec![
            (EVENT.to_string(), event.to_owned()),
            (DELIVERY.to_owned(), sample.id.clone()),
            ("user-agent".to_owned(), "GitHub-Hookshot/sample".to_owned()),
        ];
        sign_json(&self.0.scheme, headers, sample, url, secret, now)
    }
}

const ANY: &str = r#"{"repository":{"id":1296269,"full_name":"example/hello"},"sender":{"login":"example","id":1}}"#;
const ANY_WITH_ACTION: &str = r#"{"action":"{{type}}","repository":{"id":1296269,"full_name":"example/hello"},"sender":{"login":"example","id":1}}"#;
