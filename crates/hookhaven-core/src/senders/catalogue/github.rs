//! GitHub: `X-Hub-Signature-256: sha256=<hex>`, HMAC-SHA256 of the raw body. The SHA-1 header beside it is for
//! old receivers and is ignored here: a right digest there proves nothing.
//!
//! Nothing but the body is signed: no time, and neither the delivery id nor the event's name, both of which are
//! headers. A redelivery keeps its id. `ping` is an ordinary signed event that wants a 2xx. A hook may be set to
//! send forms; the MAC is then over the form, and the JSON stands in its field `payload`.
//! Facts: GitHub's documentation and its webhook libraries.

use http::HeaderName;

use super::super::{
    Overlay,
    declared::Declared,
    form::{self, FORM},
    prelude::*,
    sample::{Named, fill, find, sample},
};
use crate::{
    json::{Pointer, scan},
    secret::Secret,
    sender::{CannotSign, Facts, Request, Sample, Signed},
    time::Time,
};

const EVENT: HeaderName = HeaderName::from_static("x-github-event");
const DELIVERY: &str = "x-github-delivery";

pub static SENDER: Declaration = Declaration {
    name: "github",
    title: "GitHub",
    scheme: Scheme::Signed(SignedSpec {
        header: "x-hub-signature-256",
        form: Form::prefix("sha256="),
        ..SignedSpec::DEFAULT
    }),
    id: &["header:x-github-delivery"],
    event_type: &["header:x-github-event + json:/action?"],
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
    order_key: &[
        "json:/pull_request/id",
        "json:/issue/id",
        "json:/workflow_run/id",
        "json:/repository/id + json:/ref?",
        "json:/installation/id",
    ],
    // The page of deliveries lists three days.
    redelivery: Some(Duration::from_secs(3 * 86_400)),
    // GitHub sends no event above 25 MB.
    body_bytes_max: 25 << 20,
    content_types: &["application/json", FORM],
    not_secrets: &[
        ("ghp_", "this is an access token; the hook's secret is the text entered under \"Secret\" in its settings"),
        ("github_pat_", "this is an access token; the hook's secret is the text entered under \"Secret\""),
    ],
    addresses: &[AddressList::json("https://api.github.com/meta", "/hooks")],
    sample_types: &["push", "pull_request.opened", "workflow_run.completed", "issues.opened", "ping"],
    samples: SAMPLES,
    chains: CHAINS,
    about: About {
        secret: "a text that you make up and enter as the hook's Secret",
        rotation: Rotation::MadeUp,
        paste: "the repository's, organisation's or app's Settings → Webhooks → Payload URL; content type \
                application/json",
        quirks: &[
            "GitHub does not come again by itself: mark the source `reserved`, and redeliver by hand or API (3 days).",
            "A redelivery keeps its delivery id, so one of an event that was stored is a duplicate; it revives \
             deliveries that are dead.",
            "Neither the delivery id nor the event's name is signed, and no time.",
        ],
        docs: "https://docs.github.com/webhooks",
        timeout_s: Some(10),
        retries: Retries::Never,
    },
    conduct: Conduct {
        whole: &["pull_request.*", "issues.*", "workflow_run.*"],
        order: OrderPromise::None,
        resend: "the hook's Recent Deliveries → Redeliver, or `POST /repos/{owner}/{repo}/hooks/{id}/deliveries/{delivery_id}/attempts`",
        reconcile: "`GET /repos/{owner}/{repo}/hooks/{id}/deliveries` lists three days of deliveries with their status; redeliver those that failed",
        siblings: &[Siblings {
            cause: "one push to a branch with an open pull request",
            types: &["push", "pull_request.synchronize"],
            instead: "Start the work for one of the two, or make it unique by repository and commit (`/after` of the one, \
                      `/pull_request/head/sha` of the other) rather than by the event.",
        }],
        ..Conduct::UNKNOWN
    },
    code: Code { facts: Some(facts), sample: Some(sample_of), sign: Some(sign), ..Code::NONE },
    ..Declaration::DEFAULT
};

const SAMPLES: &[Named] = &[
    sample!("github", "push"),
    sample!("github", "pull_request.opened"),
    sample!("github", "workflow_run.completed"),
    sample!("github", "issues.opened"),
    sample!("github", "ping"),
];

const CHAINS: &[Chain] = &[
    Chain {
        name: "build",
        title: "A push and the workflow that it starts, which succeeds",
        steps: &[
            Step {
                event_type: "push",
                after_s: 0,
                set: &[&[
                    ("/after", "\"{{sha}}\""),
                    ("/compare", "\"https://github.com/example/hello/compare/main...{{sha}}\""),
                    ("/commits/0/id", "\"{{sha}}\""),
                    ("/head_commit/id", "\"{{sha}}\""),
                ]],
            },
            Step {
                event_type: "workflow_run.requested",
                after_s: 2,
                set: &[RUN, &[("/workflow_run/status", "\"queued\""), ("/workflow_run/conclusion", "null")]],
            },
            Step {
                event_type: "workflow_run.completed",
                after_s: 40,
                set: &[RUN, &[("/workflow_run/conclusion", "\"success\"")]],
            },
        ],
    },
    Chain {
        name: "pull-request",
        title: "A pull request: opened, pushed to, merged",
        steps: &[
            Step { event_type: "pull_request.opened", after_s: 0, set: &[PULL] },
            Step { event_type: "pull_request.synchronize", after_s: 20, set: &[PULL, PUSHED_TO] },
            Step {
                event_type: "pull_request.closed",
                after_s: 40,
                set: &[
                    PULL,
                    PUSHED_TO,
                    &[
                        ("/pull_request/state", "\"closed\""),
                        ("/pull_request/merged", "true"),
                        ("/pull_request/merged_at", "\"{{now}}\""),
                        ("/pull_request/closed_at", "\"{{now}}\""),
                        ("/pull_request/merge_commit_sha", "\"{{hex}}00000000\""),
                    ],
                ],
            },
        ],
    },
];

const RUN: &[Overlay] = &[
    ("/workflow_run/id", "{{number}}"),
    ("/workflow_run/head_sha", "\"{{sha}}\""),
    ("/workflow_run/created_at", "\"{{began}}\""),
    ("/workflow_run/html_url", "\"https://github.com/example/hello/actions/runs/{{number}}\""),
];
const PULL: &[Overlay] = &[
    ("/number", "{{number}}"),
    ("/pull_request/id", "{{number}}"),
    ("/pull_request/number", "{{number}}"),
    ("/pull_request/created_at", "\"{{began}}\""),
    ("/pull_request/head/sha", "\"{{sha}}\""),
];
const PUSHED_TO: &[Overlay] = &[("/pull_request/head/sha", "\"{{next_sha}}\""), ("/pull_request/commits", "2")];

/// A hook may send forms, whose field `payload` is the JSON.
fn facts(declared: &Declared, request: &Request<'_>) -> Facts {
    let payload = form::is_form(request.headers).then(|| form::field(request.body, "payload")).flatten();
    declared.places().read(request.headers, payload.as_deref().unwrap_or(request.body))
}

/// An event without its action (`issues`) gets that of the sample; another action is put in its place.
fn sample_of(_: &Declared, event_type: &str, id: &str, now: Time) -> Result<Sample, CannotSign> {
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

fn sign(
    declared: &Declared,
    sample: &Sample,
    url: Option<&str>,
    secret: &Secret,
    now: Time,
) -> Result<Signed, CannotSign> {
    let event = sample.event_type.split('.').next().unwrap_or_default();
    let headers = vec![
        (EVENT.to_string(), event.to_owned()),
        (DELIVERY.to_owned(), sample.id.clone()),
        ("user-agent".to_owned(), "GitHub-Hookshot/sample".to_owned()),
    ];
    declared.sign_with(headers, sample, url, secret, now)
}

const ANY: &str = r#"{"repository":{"id":1296269,"full_name":"example/hello"},"sender":{"login":"example","id":1}}"#;
const ANY_WITH_ACTION: &str = r#"{"action":"{{type}}","repository":{"id":1296269,"full_name":"example/hello"},"sender":{"login":"example","id":1}}"#;
