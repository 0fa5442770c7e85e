//! `/publishing/signing-keys`: what published messages are signed with, by fingerprints; rotating. The keys themselves
//! are in no page: who needs them asks the command line.

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::{Form, Router, response::Response, routing::get};
use serde::Deserialize;
use serde_json::json;

use super::Tab;
use crate::{
    access::Scope,
    api::SigningKeysView,
    dashboard::{Frame, Section, Shared, Trouble, Visit},
};

const PATH: &str = "/publishing/signing-keys";
const KEYS: &str = "/publish/keys";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(show).post(rotate))
}

#[derive(Template)]
#[template(path = "publishing/signing_keys.html")]
struct SigningKeys<'a> {
    frame: Frame<'a>,
    tab: Tab,
    /// `None` if there are none yet, or the reader may not see them.
    keys: Option<Shown>,
}

struct Shown {
    current: String,
    next: String,
    configured: bool,
}

async fn show(visit: Visit) -> Response {
    visit
        .run(async {
            let keys: Option<SigningKeysView> =
                if visit.may(Scope::Admin) { visit.api.find(KEYS).await? } else { None };
            let shown = |keys: SigningKeysView| Shown {
                current: fingerprint(&keys.current),
                next: fingerprint(&keys.next),
                configured: keys.configured,
            };
            let frame = visit.frame("Publishing", Section::Publishing);
            Ok(visit.page(&SigningKeys { frame, tab: Tab::SigningKeys, keys: keys.map(shown) }))
        })
        .await
}

#[derive(Deserialize)]
struct Rotate {
    /// Fingerprint of the key that is to become the current one: a form sent twice rotates once.
    next: String,
}

async fn rotate(visit: Visit, Form(Rotate { next }): Form<Rotate>) -> Response {
    visit
        .run(async {
            let keys: SigningKeysView = visit.api.get(KEYS).await?;
            if fingerprint(&keys.current) == next {
                return Ok(visit.done(PATH, "The keys are rotated."));
            }
            if fingerprint(&keys.next) != next {
                let detail = "The keys are not those that the page showed: somebody rotated them. Look at them again.";
                return Err(Trouble::bad(detail));
            }
            let _: SigningKeysView = visit.api.post(&format!("{KEYS}/rotate"), &json!({ "next": keys.next })).await?;
            let said =
                "The keys are rotated. Give receivers both new ones (hookhaven keys show) before the next rotation.";
            Ok(visit.done(PATH, said))
        })
        .await
}

/// Tells keys apart, and says nothing of them: they are random.
fn fingerprint(key: &str) -> String {
    hex::encode(&digest(&SHA256, key.as_bytes()).as_ref()[..6])
}
