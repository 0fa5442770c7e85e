//! `/docs`: the description of the API (`openapi`) as one page for people: every resource, operation, parameter, answer
//! and type, each operation with a command to copy. Made once, of nothing but HTML and one sheet of style: no script, so
//! that what searches it is the browser, and nothing from elsewhere.
//!
//! Like the document it needs no token, holds nothing of this gateway, and is served under names of ours only.

use std::{collections::BTreeMap, fmt::Write as _, sync::LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Router,
    extract::{Request, State},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderValue, header};
use serde_json::Value;

use super::{Shared, document, guard, openapi::METHODS, problem::Problem};

mod words;

pub(super) use words::example;
use words::{anchor, escaped, kind, prose};

const STYLE: &str = include_str!("docs_page.css");

static PAGE: LazyLock<String> = LazyLock::new(|| page(document()));
/// Nothing may be loaded, run, framed or sent; of styles only the one in the page.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).ok()
});

/// Not part of the API, and so not in its description.
pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/docs", get(show))
}

async fn show(State(api): State<Shared>, request: Request) -> Result<Response, Problem> {
    guard::check_host(&api.parts, request.uri(), request.headers())?;
    let mut response = Html(PAGE.as_str()).into_response();
    if let Some(policy) = &*POLICY {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    Ok(response)
}

struct Operation<'a> {
    path: &'a str,
    method: &'a str,
    said: &'a Value,
}

/// By resource, the most used methods first.
fn resources(document: &Value) -> BTreeMap<&str, Vec<Operation<'_>>> {
    let mut resources: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            if let Some(said) = item.get(method) {
                let resource = said["tags"][0].as_str().unwrap_or_default();
                resources.entry(resource).or_default().push(Operation { path, method, said });
            }
        }
    }
    resources
}

fn page(document: &Value) -> String {
    let resources = resources(document);
    let (title, version) = (prose(&document["info"]["title"]), prose(&document["info"]["version"]));
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body>"
    );
    contents(&mut html, &resources);
    html.push_str("<main>");
    put(&mut html, format_args!("<h1>{title} <span class=\"quiet\">{version}</span></h1>"));
    put(&mut html, format_args!("<p>{}</p>", prose(&document["info"]["description"])));
    put(
        &mut html,
        format_args!(
            "<p>Show a token with each request, <code>Authorization: Bearer $HOOKHAVEN_ADMIN_TOKEN</code>; where a scope is \
             named, it must be good for that. The commands take the gateway's admin address from \
             <code>$HOOKHAVEN_URL</code>. For programs: <a href=\"/api/v1/openapi.json\">openapi.json</a>.</p>"
        ),
    );
    for (resource, operations) in &resources {
        put(&mut html, format_args!("<h2 id=\"{0}\">{0}</h2>", escaped(resource)));
        for operation in operations {
            article(&mut html, document, operation);
        }
    }
    html.push_str("<h2 id=\"codes\">Codes of refusals</h2><table>");
    for (code, answer) in document["components"]["responses"].as_object().into_iter().flatten() {
        let (code, said) = (escaped(code), prose(&answer["description"]));
        put(&mut html, format_args!("<tr id=\"code-{code}\"><td><code>{code}</code></td><td>{said}</td></tr>"));
    }
    html.push_str("</table><h2 id=\"types\">Types</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        put(&mut html, format_args!("<article id=\"{}\"><h3><code>{}</code></h3>", anchor(name), escaped(name)));
        described(&mut html, schema);
        html.push_str("</article>");
    }
    html.push_str("</main></body></html>");
    html
}

fn contents(html: &mut String, resources: &BTreeMap<&str, Vec<Operation<'_>>>) {
    html.push_str("<nav>");
    for (resource, operations) in resources {
        put(html, format_args!("<h2><a href=\"#{0}\">{0}</a></h2><ul>", escaped(resource)));
        for Operation { path, method, said } in operations {
            let id = escaped(said["operationId"].as_str().unwrap_or_default());
            let path = escaped(path.strip_prefix("/api/v1").unwrap_or(path));
            put(
                html,
                format_args!("<li><span class=\"method {method}\">{method}</span><a href=\"#{id}\">{path}</a></li>"),
            );
        }
        html.push_str("</ul>");
    }
    html.push_str("<h2><a href=\"#codes\">Codes of refusals</a></h2><h2><a href=\"#types\">Types</a></h2></nav>");
}

fn article(html: &mut String, document: &Value, operation: &Operation<'_>) {
    let Operation { path, method, said } = operation;
    let scope = match said["x-scope"].as_str() {
        Some(scope) => format!("scope <code>{}</code>", escaped(scope)),
        None => "no token".to_owned(),
    };
    put(
        html,
        format_args!(
            "<article id=\"{}\"><header><span class=\"method {method}\">{method}</span><h3><code>{}</code></h3>\
             <span class=\"scope\">{scope}</span></header><p class=\"summary\">{}</p><p>{}</p>",
            escaped(said["operationId"].as_str().unwrap_or_default()),
            escaped(path),
            prose(&said["summary"]),
            prose(&said["description"])
        ),
    );
    let parameters = said["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        html.push_str("<h4>Parameters</h4><table>");
        for parameter in parameters {
            row(html, &parameter["name"], &parameter["schema"], &parameter["description"], parameter["in"] == "path");
        }
        html.push_str("</table>");
    }
    let body = &said["requestBody"];
    if !body.is_null() {
        let may = if body["required"] == true { "" } else { "; may be left out" };
        let kind = kind(&body["content"]["application/json"]["schema"]);
        put(html, format_args!("<h4>Body</h4><p>{kind}, as JSON{may}</p>"));
    }
    html.push_str("<h4>Answers</h4><table class=\"answers\">");
    for (status, answer) in said["responses"].as_object().into_iter().flatten() {
        put(html, format_args!("<tr><td>{}</td><td>{}</td></tr>", escaped(status), answered(document, answer)));
    }
    put(
        html,
        format_args!(
            "</table><h4>Example</h4><pre>{}</pre></article>",
            escaped(&example(document, path, method, said))
        ),
    );
}

/// What an answer holds: for a refusal its codes, else its type.
fn answered(document: &Value, answer: &Value) -> String {
    let answer = words::resolved(document, answer);
    let content = answer["content"].as_object().into_iter().flatten().next();
    let codes = content.and_then(|(_, content)| content["schema"]["allOf"][1]["properties"]["code"]["enum"].as_array());
    let mut html = prose(&answer["description"]);
    match (content, codes) {
        (_, Some(codes)) => {
            for code in codes.iter().filter_map(Value::as_str).map(escaped) {
                put(&mut html, format_args!(" <a href=\"#code-{code}\"><code>{code}</code></a>"));
            }
        }
        (Some((media, content)), None) if media == "application/json" => {
            put(&mut html, format_args!(": {}", kind(&content["schema"])));
        }
        (Some((media, _)), None) => put(&mut html, format_args!(": <code>{}</code>", escaped(media))),
        (None, None) => {}
    }
    html
}

/// What is said of a type: its words, its fields, or which texts it may be.
fn described(html: &mut String, schema: &Value) {
    put(html, format_args!("<p>{}</p>", prose(&schema["description"])));
    let parts = schema["allOf"].as_array().map_or(std::slice::from_ref(schema), Vec::as_slice);
    for part in parts {
        if part["properties"].is_null() {
            put(html, format_args!("<p>{}</p>", kind(part)));
            continue;
        }
        let required = part["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        html.push_str("<table>");
        for (name, field) in part["properties"].as_object().into_iter().flatten() {
            row(
                html,
                &name.as_str().into(),
                field,
                &words::description(field),
                required.contains(&name.as_str().into()),
            );
        }
        html.push_str("</table>");
    }
}

fn row(html: &mut String, name: &Value, schema: &Value, said: &Value, required: bool) {
    let needed = if required { " <span class=\"quiet\">always</span>" } else { "" };
    let (name, kind, said) = (prose(name), kind(schema), prose(said));
    put(html, format_args!("<tr><td><code>{name}</code>{needed}</td><td>{kind}</td><td>{said}</td></tr>"));
}

fn put(html: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = html.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::fixture::Scene;

    #[tokio::test]
    async fn it_shows_every_operation_type_and_code_and_every_link_leads_somewhere() {
        let got = Scene::new().send("GET", "/docs", &[("-authorization", "")], axum::body::Body::empty()).await;
        let html = String::from_utf8(got.body.to_vec()).unwrap();
        let shown = resources(document()).into_values().flatten().map(|operation| &operation.said["operationId"]);
        for id in shown.filter_map(Value::as_str) {
            assert!(html.contains(&format!("<article id=\"{id}\">")), "{id}");
        }
        for (part, prefix) in [("schemas", "type-"), ("responses", "code-")] {
            for name in document()["components"][part].as_object().unwrap().keys() {
                assert!(html.contains(&format!(" id=\"{prefix}{name}\"")), "{name}");
            }
        }
        for link in html.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert_eq!(html.matches(&format!(" id=\"{link}\"")).count(), 1, "{link}");
        }
    }

    #[tokio::test]
    async fn it_is_well_formed_and_runs_and_loads_nothing() {
        let got = Scene::new().get("/docs").await;
        let policy = got.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        let html = String::from_utf8(got.body.to_vec()).unwrap();
        assert_eq!(words::unclosed(&html), None);
        for never in ["<script", "<img", "<link", "src=", "style=", "url(", "@import", "onclick", "http://", "https://"]
        {
            assert!(!html.contains(never), "{never}");
        }
        assert!(!STYLE.contains('<'), "the style would end early");
    }

    #[tokio::test]
    async fn it_answers_under_names_of_ours_only() {
        let foreign = [("host", "evil.example")];
        let got = Scene::new().send("GET", "/docs", &foreign, axum::body::Body::empty()).await;
        assert_eq!(got.code(), "host_not_allowed");
    }
}
