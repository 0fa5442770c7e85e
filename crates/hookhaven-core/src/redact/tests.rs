//! What is masked in bodies of each kind, and that no cut lets a value through.

use serde_json::{Value, json};

use super::{scan::DEPTH_MAX, *};

fn fields(all: &[&str]) -> Redact {
    let mut redact = Redact::default();
    all.iter().for_each(|field| redact.add(field).unwrap());
    redact
}

fn shown(redact: &Redact, body: &str) -> String {
    String::from_utf8(redact.body(body.as_bytes()).into_owned()).unwrap()
}

#[test]
fn names_are_masked_at_any_depth_and_places_where_they_are_and_all_else_stays_as_it_stands() {
    let redact = fields(&["Email", "json:/data/card", "json:/lines/*/who"]);
    for (body, want) in [
        (r#"{"email" : "a@b", "n":1.0}"#, r#"{"email" : "[redacted]", "n":1.0}"#),
        (r#"{"e":{"EMAIL":{"deep":["x"]}}}"#, r#"{"e":{"EMAIL":"[redacted]"}}"#),
        (r#"{"e\u006dail":17}"#, r#"{"e\u006dail":"[redacted]"}"#),
        (r#"{"card":1,"data":{"card":[1,2] }}"#, r#"{"card":1,"data":{"card":"[redacted]" }}"#),
        (
            r#"{"lines":[{"who":"a"},{"who":"b","x":2}]}"#,
            r#"{"lines":[{"who":"[redacted]"},{"who":"[redacted]","x":2}]}"#,
        ),
        ("{\"a\":1}\n{\"email\":2}\n", "{\"a\":1}\n{\"email\":\"[redacted]\"}\n"),
        (r#"{"a":"email"}"#, r#"{"a":"email"}"#),
        ("", ""),
    ] {
        assert_eq!(shown(&redact, body), want);
    }
}

#[test]
fn json_in_a_text_is_looked_into() {
    let redact = fields(&["email"]);
    let wrapped = json!({ "Message": json!({ "mail": { "email": "hunter2" } }).to_string(), "n": 1 }).to_string();
    let shown: Value = serde_json::from_str(&shown(&redact, &wrapped)).unwrap();
    assert_eq!(shown["Message"], r#"{"mail":{"email":"[redacted]"}}"#);
    assert_eq!(self::shown(&redact, r#"{"a":"[no JSON"}"#), r#"{"a":"[no JSON"}"#);
}

#[test]
fn forms_are_masked_by_name() {
    let redact = fields(&["body", "email"]);
    for (body, want) in [
        ("From=%2B1&Body=hi+there&x", "From=%2B1&Body=[redacted]&x"),
        ("user[email]=a%40b&user%5Bname%5D=n", "user[email]=[redacted]&user%5Bname%5D=n"),
        ("payload=%7B%22email%22%3A1%7D&a=b", "payload=%7B%22email%22%3A%22%5Bredacted%5D%22%7D&a=b"),
    ] {
        assert_eq!(shown(&redact, body), want);
    }
}

#[test]
fn what_has_no_fields_is_not_shown_but_a_handlers_own_words_are() {
    let redact = fields(&["email"]);
    for body in ["<email>x</email>", "{email: x}", "plain text", "\"x\"", "[[[", "\u{feff}{\"email\":1}"] {
        let shown = shown(&redact, body);
        assert!(shown == MASK || shown == "[[[", "{body}: {shown}");
    }
    let deep = "[".repeat(DEPTH_MAX + 2) + "{\"email\":1}";
    assert_eq!(shown(&redact, &deep), MASK);
    assert_eq!(&*redact.excerpt(b"<h1>down</h1>"), b"<h1>down</h1>");
    assert_eq!(&*redact.excerpt(b"[ERROR] email"), b"[ERROR] email");
    assert_eq!(&*redact.excerpt(b"{\"email\":\"hun"), b"{\"email\":\"[redacted]\"");
}

#[test]
fn wherever_it_was_cut_off_no_value_shows() {
    let redact = fields(&["email", "json:/a/0/card"]);
    let inner = json!({ "email": "hunter2", "x": "y" }).to_string();
    let whole = json!({ "a": [{ "card": "hunter2" }], "email": ["hunter2", { "k": "hunter2" }], "wrapped": inner });
    let whole = whole.to_string();
    for end in 0..=whole.len() {
        let shown = shown(&redact, &whole[..end]);
        assert!(!shown.contains("hu"), "cut at {end}: {shown}");
    }
    assert!(serde_json::from_str::<Value>(&shown(&redact, &whole)).is_ok());
}

#[test]
fn without_fields_nothing_is_touched() {
    for body in ["<x>", "{\"email\":1}", "\u{1}"] {
        assert!(matches!(Redact::default().body(body.as_bytes()), Cow::Borrowed(_)));
    }
}

#[test]
fn what_names_no_field_is_told() {
    for (field, want) in [
        ("", BadField::Length),
        ("/data/email", BadField::NoPrefix),
        ("header:x-email", BadField::Header),
        ("json:email", BadField::Place(BadPointer::NoSlash)),
    ] {
        assert_eq!(Redact::default().add(field), Err(want), "{field}");
    }
    assert_eq!(Redact::default().add(&"x".repeat(257)), Err(BadField::Length));
}
