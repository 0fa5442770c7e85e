//! The description of the API is whole, and true of what is served.

use std::collections::BTreeSet;

use axum::body::Body;
use http::StatusCode;
use serde_json::Value;

use super::document::{operations, resolved};
use crate::api::{CODES, document, fixture::Scene};

#[tokio::test]
async fn it_is_served_without_a_token_under_names_of_ours_only() {
    let scene = Scene::new();
    let got = scene.send("GET", "/api/v1/openapi.json", &[("-authorization", "")], Body::empty()).await;
    assert_eq!(got.status, StatusCode::OK);
    assert_eq!(&got.json(), document());
    let foreign = [("-authorization", ""), ("host", "evil.example")];
    let got = scene.send("GET", "/api/v1/openapi.json", &foreign, Body::empty()).await;
    assert_eq!(got.code(), "host_not_allowed");
}

#[test]
fn every_operation_says_what_it_is_what_it_is_called_and_who_may() {
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations() {
        let at = format!("{method} {path}");
        for (said, ends) in [("summary", "."), ("operationId", "")] {
            let text = operation[said].as_str().unwrap_or_default();
            assert!(text.len() > 5 && text.ends_with(ends), "{at}: {said} {text:?}");
        }
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{at}");
        match operation["x-scope"].as_str() {
            Some(scope) => assert!(["read", "operate", "admin", "any"].contains(&scope), "{at}"),
            None => assert_eq!(operation["security"], serde_json::json!([{}]), "{at}"),
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters {
            assert!(parameter["description"].as_str().is_some_and(|d| d.len() > 5), "{at}: {parameter}");
        }
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let answer = resolved(answer);
            assert!(answer["description"].as_str().is_some_and(|d| !d.is_empty()), "{at} {status}");
        }
    }
    assert!(ids.len() > 20, "{ids:?}");
}

#[tokio::test]
async fn what_is_described_is_served_and_no_other_method() {
    let scene = Scene::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        let target = path.replace("{id}", "x").replace("{name}", "x");
        for method in ["get", "post", "put", "delete", "patch"] {
            let got = scene.send(&method.to_uppercase(), &target, &[], Body::empty()).await;
            let refused = got.status == StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(refused, item[method].is_null(), "{method} {path}: {}", got.status);
            if refused {
                assert_eq!(got.code(), "method_not_allowed");
            } else if got.status == StatusCode::NOT_FOUND {
                assert_ne!(got.code(), "no_such_path", "{method} {path}");
            }
        }
    }
}

#[test]
fn nothing_is_served_that_is_not_described() {
    // Only `routes!` makes both at once. The page is no part of the API.
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let page = path.ends_with("docs_page.rs");
            assert_eq!(text.contains(".route(\""), page, "{}", path.display());
        }
    }
}

#[test]
fn every_code_can_be_looked_up_and_nearly_all_stand_where_they_are_given() {
    // Given where no operation is, or inside of a view.
    const ELSEWHERE: [&str; 3] = ["no_such_path", "method_not_allowed", "store_refused"];
    let all: BTreeSet<&str> = CODES.iter().map(|code| code.code).collect();
    let listed = document()["components"]["responses"].as_object().unwrap();
    assert_eq!(listed.keys().map(String::as_str).collect::<BTreeSet<_>>(), all);
    let mut given = BTreeSet::from(ELSEWHERE);
    for (.., operation) in operations() {
        for answer in operation["responses"].as_object().unwrap().values() {
            let schema = &resolved(answer)["content"]["application/problem+json"]["schema"];
            let codes = schema["allOf"][1]["properties"]["code"]["enum"].as_array();
            given.extend(codes.into_iter().flatten().filter_map(Value::as_str));
        }
    }
    assert_eq!(given, all);
}

#[test]
fn it_has_the_form_of_openapi_3_1() {
    assert_eq!(document()["openapi"], "3.1.0");
    every_reference_leads_somewhere(document());
    for (path, method, operation) in operations() {
        let at = format!("{method} {path}");
        let in_path: BTreeSet<_> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = || operation["parameters"].as_array().into_iter().flatten();
        let described: BTreeSet<_> =
            parameters().filter(|p| p["in"] == "path").filter_map(|p| p["name"].as_str()).collect();
        assert_eq!(described, in_path, "{at}");
        for parameter in parameters() {
            // A search for nothing means nothing.
            let must = parameter["in"] == "path" || parameter["name"] == "text";
            assert_eq!(parameter["required"] == true, must, "{at}: {parameter}");
            assert!(parameter["schema"].is_object(), "{at}: {parameter}");
        }
    }
}

fn every_reference_leads_somewhere(value: &'static Value) {
    match value {
        Value::Object(fields) => {
            resolved(value);
            fields.values().for_each(every_reference_leads_somewhere);
        }
        Value::Array(items) => items.iter().for_each(every_reference_leads_somewhere),
        _ => {}
    }
}
