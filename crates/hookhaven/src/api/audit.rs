//! `/audit`: who did what. And how a request that writes gets its entry: after its answer, whatever that is, even if
//! whoever asked has gone meanwhile.
//!
//! The action is the path's words, so a new resource has a name in the log without saying so. Refused requests are not
//! here: they are counted and logged, for a flood of them must not push out what was done.

use axum::{
    Json,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use hookhaven_core::{AuditId, Time};
use http::Method;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared,
    page::{self, Params},
    problem::Problem,
    schema,
    view::Listing,
};
use crate::access::{
    Note, Who,
    audit::{AuditEntry, AuditFilter, Done},
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// Only what was done with the token of this name; or by `admin token`, `command line`, `config`, `system`.
    who: Option<String>,
    /// Only this action, or those whose name begins with this and a dot.
    #[param(example = "destinations.pause")]
    action: Option<String>,
    /// Only what was done to this.
    subject: Option<String>,
    /// Done at or after.
    since: Option<Time>,
    /// Done before.
    until: Option<Time>,
    /// `next` of the page before.
    after: Option<AuditId>,
    #[param(schema_with = schema::limit)]
    limit: Option<usize>,
}

/// Lists who did what, newest first.
///
/// Every request that may change something, whatever was answered, and what the gateway itself changed.
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "list_audit",
    params(ListParams),
    responses((status = 200, body = Listing<AuditEntry>)),
)]
async fn list(State(api): State<Shared>, Params(p): Params<ListParams>) -> Result<Json<Listing<AuditEntry>>, Problem> {
    page::check_span(p.since, p.until)?;
    let page = page::page(p.after, p.limit)?;
    let ListParams { who, action, subject, since, until, .. } = p;
    let filter = AuditFilter { who, action, subject, since, until };
    let rows = api.parts.access.audit.entries(&filter, page).await?;
    Ok(Json(page::listing(rows, &page, |row| row.id, |row| row)))
}

/// Answers a request that writes, and writes it down. Both go on to their end if the client does not wait for it: what
/// was half done would be done by nobody.
pub(super) async fn run(api: Shared, who: Who, request: Request, next: Next) -> Response {
    let doing = tokio::spawn(async move {
        let mut done = begun(who, &request);
        let response = next.run(request).await;
        if let Some(done) = &mut done {
            let Note { subject, before, after } = response.extensions().get::<Note>().cloned().unwrap_or_default();
            done.subject = subject.or(done.subject.take());
            (done.before, done.after, done.status) = (before, after, Some(response.status().as_u16()));
        }
        if let Some(done) = done {
            api.parts.access.audit.record(done).await;
        }
        response
    });
    match doing.await {
        Ok(response) => response,
        // As if it had happened here: the connection answers it.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// `None` where there is nothing to do anything to.
fn begun(who: Who, request: &Request) -> Option<Done> {
    let template = request.extensions().get::<MatchedPath>()?.as_str();
    let path = request.uri().path();
    let (action, subject) = named(request.method(), template.strip_prefix("/api/v1/").unwrap_or(template), {
        path.strip_prefix("/api/v1/").unwrap_or(path)
    });
    Some(Done {
        who: who.name.to_string(),
        token: who.token.map(|id| id.to_string()),
        address: who.address.map(|address| address.to_string()),
        action,
        subject,
        method: Some(request.method().to_string()),
        path: Some(path.to_owned()),
        ..Done::default()
    })
}

/// `destinations/{name}/pause` is `destinations.pause` of that name; what ends with a thing is named after the method.
fn named(method: &Method, template: &str, path: &str) -> (String, Option<String>) {
    let (mut words, mut subject) = (Vec::new(), None);
    let is_variable = |segment: &str| segment.starts_with('{');
    for (segment, is) in template.split('/').zip(path.split('/')) {
        match is_variable(segment) {
            true => subject = Some(is.to_owned()),
            false => words.push(segment),
        }
    }
    let says_what = words.len() > 1 && !template.rsplit('/').next().is_some_and(is_variable);
    match *method {
        Method::POST if says_what => {}
        Method::POST => words.push("create"),
        Method::PUT => words.push("put"),
        Method::PATCH => words.push("change"),
        Method::DELETE => words.push("delete"),
        _ => words.push("other"),
    }
    (words.join("."), subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_named_by_its_path() {
        for (method, template, path, action, subject) in [
            (Method::POST, "destinations/{name}/pause", "destinations/mail/pause", "destinations.pause", Some("mail")),
            (Method::POST, "dead-letters/replay", "dead-letters/replay", "dead-letters.replay", None),
            (Method::POST, "tokens", "tokens", "tokens.create", None),
            (Method::DELETE, "tokens/{id}", "tokens/ci", "tokens.delete", Some("ci")),
            (Method::POST, "publish/keys/rotate", "publish/keys/rotate", "publish.keys.rotate", None),
            (Method::PUT, "silences/{id}", "silences/a", "silences.put", Some("a")),
        ] {
            let (is, of) = named(&method, template, path);
            assert_eq!((&*is, of.as_deref()), (action, subject), "{method} {template}");
        }
    }
}
