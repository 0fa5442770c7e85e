//! Holds answers against the document: every answer that any test of the API gets must be one that it names.

use http::{StatusCode, header};
use serde_json::Value;

use crate::api::{document, fixture::Got};

/// Every operation: its path, its method, and what is said of it.
pub(crate) fn operations() -> Vec<(&'static str, &'static str, &'static Value)> {
    let paths = document()["paths"].as_object().unwrap();
    let of_path = |(path, item): (&'static String, &'static Value)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

/// The operation that answers a request, by its method and target.
fn operation(method: &str, target: &str) -> Option<&'static Value> {
    let path = target.split('?').next().unwrap();
    let path = path.find("/api/v1/").map_or(path, |at| &path[at..]);
    let matches = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len() && template.iter().zip(&path).all(|(t, p)| t.starts_with('{') || t == p)
    };
    let found = operations().into_iter().filter(|(template, m, _)| m.eq_ignore_ascii_case(method) && matches(template));
    // The one with the fewest places to fill is the one that the router takes.
    found.min_by_key(|(template, ..)| template.matches('{').count()).map(|(.., operation)| operation)
}

/// # Panics
/// If the document does not name the answer's status, its kind of content, or the code of the refusal.
pub(crate) fn hold_against(method: &str, target: &str, got: &Got) {
    // The document has paths and methods; all others have one answer.
    let Some(operation) = operation(method, target).filter(|_| got.status != StatusCode::METHOD_NOT_ALLOWED) else {
        return;
    };
    let what = || format!("{method} {target}: {} {}", got.status, String::from_utf8_lossy(&got.body));
    let answer = resolved(&operation["responses"][got.status.as_str()]);
    assert!(!answer.is_null(), "not in the document: {}", what());
    let kind = got.headers.get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap());
    let content = &answer["content"];
    assert!(kind.is_some_and(|kind| !content[kind].is_null()), "{kind:?} is not in the document: {}", what());
    if kind == Some("application/problem+json") {
        let codes = &content["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"];
        assert!(codes.as_array().unwrap().contains(&got.json()["code"]), "not in the document: {}", what());
    }
}

/// What a reference stands for.
pub(crate) fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(place) => document().pointer(&place[1..]).unwrap_or_else(|| panic!("{place} leads nowhere")),
        None => value,
    }
}
