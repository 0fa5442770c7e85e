//! What is around every page: the policy that browsers hold it to, who may ask, and how a refusal looks.

use askama::Template;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{Frame, Section, Shared, Trouble, Visit, session, visit};

/// Scripts and styles are files of ours; nothing is loaded, sent or framed elsewhere, nothing inline runs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Longest word of a refusal that is shown.
const SAID_BYTES_MAX: usize = 4 << 10;

/// Judges what a browser asks for, and dresses what it gets.
pub(super) async fn around(State(dashboard): State<Shared>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    if let Err(problem) = session::judge(&dashboard, &head) {
        dashboard.parts.signals.refused(&problem.code);
        return problem.into_response();
    }
    let theme = visit::theme(&head.headers);
    let response = next.run(Request::from_parts(head, body)).await;
    let mut response = match response.extensions().get::<Refused>() {
        Some(Refused { trouble, visit }) => trouble_page(trouble, visit.as_deref(), theme),
        None => response,
    };
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    response
}

/// Left in an answer for [`around`], which knows the page's frame.
#[derive(Clone)]
struct Refused {
    trouble: Trouble,
    visit: Option<Box<Visit>>,
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        refused(self, None)
    }
}

/// A refusal, on a page with the reader's own frame.
pub(super) fn refused(trouble: Trouble, visit: Option<&Visit>) -> Response {
    let mut response = trouble.status.into_response();
    response.extensions_mut().insert(Refused { trouble, visit: visit.cloned().map(Box::new) });
    response
}

/// What no handler was asked, since its address or form could not be read, as a page like any other refusal.
pub(super) async fn framed(response: Response, visit: &Visit) -> Response {
    let is_html = |kind: &HeaderValue| kind.as_bytes().starts_with(b"text/html");
    let is_page = response.headers().get(header::CONTENT_TYPE).is_some_and(is_html);
    let is_ours = is_page || response.extensions().get::<Refused>().is_some();
    let status = response.status();
    if is_ours || !status.is_client_error() {
        return response;
    }
    let said = axum::body::to_bytes(response.into_body(), SAID_BYTES_MAX).await.unwrap_or_default();
    let detail = match String::from_utf8_lossy(&said).into_owned() {
        said if said.is_empty() => status.to_string(),
        said => said,
    };
    refused(Trouble { status, code: "bad_address".to_owned(), ..Trouble::bad(detail) }, Some(visit))
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroublePage<'a> {
    frame: Frame<'a>,
    trouble: &'a Trouble,
}

#[derive(Template)]
#[template(path = "trouble_bare.html")]
struct BareTrouble<'a> {
    theme: &'a str,
    trouble: &'a Trouble,
}

fn trouble_page(trouble: &Trouble, visit: Option<&Visit>, theme: &str) -> Response {
    let mut response = match visit {
        Some(visit) => render(&TroublePage { frame: visit.frame(&trouble.title, Section::None), trouble }),
        None => render(&BareTrouble { theme, trouble }),
    };
    *response.status_mut() = trouble.status;
    response
}

/// A page. That a template cannot be written out is a fault of ours.
pub(super) fn render(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(super) async fn no_such_page(visit: Visit, request: Request) -> Response {
    let trouble = Trouble {
        status: StatusCode::NOT_FOUND,
        code: "no_such_page".to_owned(),
        title: "There is no such page".to_owned(),
        detail: format!("{} leads nowhere.", request.uri().path()),
    };
    refused(trouble, Some(&visit))
}

/// Whether htmx asks, for a part of a page.
pub(super) fn is_htmx(headers: &HeaderMap) -> bool {
    headers.contains_key(HeaderName::from_static("hx-request"))
}
