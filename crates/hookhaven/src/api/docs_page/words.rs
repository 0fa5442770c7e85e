//! Parts of the document in words: types, prose, and the command that makes a request.

use serde_json::{Map, Value};

const REFERENCE: &str = "#/components/schemas/";

/// Text as HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// Text as HTML, what stands between backticks as code.
pub(super) fn prose(text: &Value) -> String {
    let mut html = String::new();
    for (number, part) in escaped(text.as_str().unwrap_or_default()).split('`').enumerate() {
        match number % 2 {
            0 => html.push_str(part),
            _ => html.extend(["<code>", part, "</code>"]),
        }
    }
    html.replace("\n\n", "</p><p>")
}

pub(super) fn anchor(name: &str) -> String {
    format!("type-{}", escaped(name))
}

/// What a reference stands for.
pub(super) fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let found = value["$ref"].as_str().and_then(|place| document.pointer(place.strip_prefix('#')?));
    found.unwrap_or(value)
}

/// What a field's own schema says of it, also where it may be null.
pub(super) fn description(schema: &Value) -> Value {
    let of = schema["oneOf"].as_array().into_iter().flatten();
    let all = std::iter::once(schema).chain(of).map(|schema| &schema["description"]);
    all.into_iter().find(|said| said.is_string()).cloned().unwrap_or_default()
}

/// A type, as HTML, with links to those that have a name.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|place| place.strip_prefix(REFERENCE)) {
        return format!("<a href=\"#{}\">{}</a>", anchor(name), escaped(name));
    }
    for (several, between) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(kinds) = schema[several].as_array() {
            return kinds.iter().map(kind).collect::<Vec<_>>().join(between);
        }
    }
    if let Some(names) = schema["enum"].as_array() {
        let names = names.iter().map(|name| format!("<code>{}</code>", escaped(&plain(name))));
        return names.collect::<Vec<_>>().join(", ");
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        name => name.as_str().into_iter().collect(),
    };
    let words = names.into_iter().map(|name| match name {
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if schema["properties"].is_object() => fields(schema),
        name => format!("{}{}", escaped(name), bounds(schema)),
    });
    let words = words.collect::<Vec<_>>().join(" or ");
    if words.is_empty() { "anything".to_owned() } else { words }
}

fn fields(schema: &Value) -> String {
    let fields = schema["properties"].as_object().into_iter().flatten();
    let fields: Vec<_> =
        fields.map(|(name, field)| format!("<code>{}</code>: {}", escaped(name), kind(field))).collect();
    format!("{{ {} }}", fields.join(", "))
}

/// What a number or a text must be besides.
fn bounds(schema: &Value) -> String {
    let mut bounds = String::new();
    if let (Some(min), Some(max)) = (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
        bounds = format!(" from {min} to {max}");
    }
    match schema["default"] {
        Value::Null => {}
        ref default => bounds.push_str(&format!(", {} if not said", escaped(&plain(default)))),
    }
    if schema["format"] == "date-time" {
        bounds.push_str(", a time by RFC 3339");
    }
    if let Some(sample) = schema["examples"].get(0) {
        bounds.push_str(&format!(", e.g. <code>{}</code>", escaped(&plain(sample))));
    }
    bounds
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A command that makes the request.
pub(crate) fn example(document: &Value, path: &str, method: &str, said: &Value) -> String {
    let mut path = path.to_owned();
    for parameter in said["parameters"].as_array().into_iter().flatten().filter(|p| p["in"] == "path") {
        let place = format!("{{{}}}", parameter["name"].as_str().unwrap_or_default());
        path = path.replace(&place, &plain(&sample(document, parameter)));
    }
    let mut command = "curl".to_owned();
    if method != "get" {
        command.push_str(&format!(" -X {}", method.to_uppercase()));
    }
    command.push_str(&format!(" \"$HOOKHAVEN_URL{path}\""));
    if said["security"].is_null() {
        command.push_str(" \\\n  -H \"Authorization: Bearer $HOOKHAVEN_ADMIN_TOKEN\"");
    }
    let body = &said["requestBody"]["content"]["application/json"];
    if !body.is_null() {
        command.push_str(&format!(" \\\n  -H 'content-type: application/json' \\\n  -d '{}'", sample(document, body)));
    }
    command
}

/// What a parameter or a body may be: its example, that of its type, or the least that its type asks for.
fn sample(document: &Value, of: &Value) -> Value {
    let schema = resolved(document, not_null(&of["schema"]));
    let said = [&of["example"], &schema["examples"][0], &schema["example"]];
    if let Some(said) = said.into_iter().find(|said| !said.is_null()) {
        return said.clone();
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let fields = required.map(|name| {
        let field = serde_json::json!({ "schema": schema["properties"][name] });
        (name.to_owned(), sample(document, &field))
    });
    match schema["type"].as_str() {
        Some("object") => Value::Object(fields.collect::<Map<_, _>>()),
        Some("integer") => schema["minimum"].clone(),
        Some("boolean") => true.into(),
        Some("array") => Value::Array(Vec::new()),
        _ => "…".into(),
    }
}

/// Of a type that may be null, the other one.
fn not_null(schema: &Value) -> &Value {
    let mut of = schema["oneOf"].as_array().into_iter().flatten();
    of.find(|schema| schema["type"] != "null").unwrap_or(schema)
}

/// The first tag that is opened and not closed where it should be, for the test of the page.
#[cfg(test)]
pub(super) fn unclosed(html: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
        let name = tag.split(' ').next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(closed) if open.pop() == Some(closed) => {}
            Some(closed) => return Some(format!("</{closed}>")),
            None if matches!(name, "!doctype" | "meta") => {}
            None => open.push(name),
        }
    }
    open.pop().map(str::to_owned)
}
