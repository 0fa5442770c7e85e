//! The API's description of itself: OpenAPI 3.1, made from the annotations of the handlers, which are also how they
//! become routes. A path that is served and not described, or the other way round, cannot be written.
//!
//! A handler names what it answers by itself: its views, and under `x-codes` the codes of its own refusals. What any
//! request of its kind may be refused for (the guard, the reading of query and body, the store) is added here, and each
//! code becomes an answer with its status. Served at `/api/v1/openapi.json` without a token, for it holds nothing
//! of this gateway; `hookhaven openapi` prints the same.
//!
//! Not here: the page for people (`docs_page`).

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde_json::{Map, Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Shared, guard,
    problem::{self, CODES, Code, Problem},
};
use crate::access;

/// What a path item may hold: the operations that there are.
pub(super) const METHODS: [&str; 4] = ["get", "post", "put", "delete"];
/// Where the codes of an operation's own refusals stand until they become answers.
const OWN_CODES: &str = "x-codes";
const SCOPE: &str = "x-scope";

static DOCUMENT: LazyLock<Value> = LazyLock::new(make);
static PRINTED: LazyLock<Bytes> = LazyLock::new(|| DOCUMENT.to_string().into());

/// The OpenAPI document of this version.
pub fn document() -> &'static Value {
    &DOCUMENT
}

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Shows this description of the API.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "show_openapi",
    responses((status = 200, body = Value, description = "An OpenAPI 3.1 document")),
    extensions(("x-codes" = json!([problem::HOST_NOT_ALLOWED.code]))),
    security(()),
)]
async fn show(State(api): State<Shared>, request: Request) -> Result<Response, Problem> {
    guard::check_host(&api.parts, request.uri(), request.headers())?;
    let mut response = PRINTED.clone().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn make() -> Value {
    let described = super::open().merge(super::guarded()).into_openapi();
    // It is plain data; a document that cannot be written would be a fault of the library.
    let mut document = serde_json::to_value(described).unwrap_or_default();
    document["info"] = info();
    document["security"] = json!([{ "token": [] }]);
    document["components"]["securitySchemes"]["token"] = json!({
        "type": "http",
        "scheme": "bearer",
        "description": "The admin token (the file `admin-token` of the data directory, or what `admin_token` in the config file \
            says), or one made with `hookhaven tokens create`, whose scopes must suffice: each operation names what it needs \
            under `x-scope`."
    });
    document["components"]["responses"] = CODES.iter().map(|code| (code.code.to_owned(), answer(&[code]))).collect();
    name_listed(&mut document["components"]["schemas"]);
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, item) in paths {
            for method in METHODS {
                if let Some(Value::Object(operation)) = item.get_mut(method) {
                    complete(path, method, operation);
                }
            }
        }
    }
    document
}

/// Lists hold what they list by its name instead of whole.
fn name_listed(schemas: &mut Value) {
    for (name, schema) in schemas.as_object_mut().into_iter().flatten() {
        if let Some(listed) = name.strip_prefix("Listing_") {
            schema["properties"]["items"]["items"] = json!({ "$ref": format!("#/components/schemas/{listed}") });
        }
    }
}

fn info() -> Value {
    json!({
        "title": "Hookhaven admin API",
        "version": env!("CARGO_PKG_VERSION"),
        "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        "description": "What a Hookhaven gateway received, delivered and could not deliver, and what is to be done about it. \
            Times are RFC 3339 in UTC; units stand at the end of a name. Unknown parameters and fields are refused. \
            Every refusal is a problem document (RFC 9457) with a stable `code`."
    })
}

/// Adds what follows from an operation's path, method and parameters.
fn complete(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let open = operation.contains_key("security");
    operation.insert("tags".to_owned(), json!([tag(path)]));
    operation.insert(SCOPE.to_owned(), if open { Value::Null } else { scope(path, method).into() });
    let own = operation.remove(OWN_CODES).unwrap_or_default();
    let own = own.as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut codes: Vec<&Code> = own.filter_map(|name| CODES.iter().find(|code| code.code == name).copied()).collect();
    if !open {
        codes.extend(of_every_request(method));
    }
    let mut places = Vec::new();
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        // Absent is how a parameter is left out; there is no null in an address.
        if let Some(schema) = parameter.get_mut("schema") {
            leave_out_null(schema);
            let said = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            if let (Some(said), Some(parameter)) = (said, parameter.as_object_mut()) {
                parameter.entry("description").or_insert(said);
            }
        }
        places.push(parameter["in"].as_str().unwrap_or_default().to_owned());
    }
    if places.iter().any(|place| place == "path") {
        codes.push(&problem::BAD_ID);
    }
    if places.iter().any(|place| place == "query") {
        codes.push(&problem::BAD_QUERY);
    }
    if operation.contains_key("requestBody") {
        codes.extend([&problem::BAD_BODY, &problem::BODY_TOO_LARGE]);
    }
    let mut by_status: BTreeMap<u16, Vec<&Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status.as_u16()).or_default().push(code);
    }
    for (status, codes) in by_status {
        let answer = match codes[..] {
            [one] => json!({ "$ref": format!("#/components/responses/{}", one.code) }),
            _ => answer(&codes),
        };
        operation["responses"][status.to_string()] = answer;
    }
    for answer in operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        let said = answer.get("description").and_then(Value::as_str).is_some_and(|said| !said.is_empty());
        if !said && answer.get("$ref").is_none() {
            answer["description"] = "Done".into();
        }
    }
}

/// What the guard and the store may refuse any request for.
fn of_every_request(method: &str) -> Vec<&'static Code> {
    let mut codes = vec![
        &problem::UNAUTHORIZED,
        &problem::FORBIDDEN,
        &problem::TOO_MANY_FAILURES,
        &problem::ORIGIN_NOT_ALLOWED,
        &problem::HOST_NOT_ALLOWED,
        &problem::STORE_UNAVAILABLE,
        &problem::STORE_FAILED,
    ];
    if method != "get" {
        codes.extend([&problem::MEDIA_TYPE, &problem::STORE_FULL]);
    }
    codes
}

/// What a token must be good for.
fn scope(path: &str, method: &str) -> &'static str {
    // Ours are plain words.
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap_or_default();
    access::scope::needed(&method, path).map_or("any", access::Scope::as_str)
}

/// The resource that a path belongs to.
fn tag(path: &str) -> &str {
    let resource = path.strip_prefix("/api/v1/").unwrap_or("health");
    resource.split('/').next().unwrap_or(resource)
}

/// A refusal with one of these codes, all of one status.
fn answer(codes: &[&Code]) -> Value {
    let (names, titles): (Vec<_>, Vec<_>) = codes.iter().map(|code| (code.code, code.title)).unzip();
    let mut headers = Map::new();
    match codes.first().map(|code| code.status.as_u16()) {
        Some(401) => {
            headers.insert("WWW-Authenticate".to_owned(), json!({ "schema": { "type": "string" } }));
        }
        Some(429 | 503) => {
            let seconds = json!({ "description": "Seconds", "schema": { "type": "integer" } });
            headers.insert("Retry-After".to_owned(), seconds);
        }
        _ => {}
    }
    json!({
        "description": titles.join(", or: "),
        "headers": headers,
        "content": { "application/problem+json": { "schema": {
            "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                { "type": "object", "properties": { "code": { "enum": names } } },
            ],
        } } },
    })
}

fn leave_out_null(schema: &mut Value) {
    let kinds = schema.get("type").and_then(Value::as_array).cloned().unwrap_or_default();
    if let [kind] = kinds.into_iter().filter(|kind| *kind != "null").collect::<Vec<_>>().as_mut_slice() {
        schema["type"] = std::mem::take(kind);
    }
    let of = schema.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    if let [one] = of.into_iter().filter(|of| of["type"] != "null").collect::<Vec<_>>().as_mut_slice() {
        *schema = std::mem::take(one);
    }
}
