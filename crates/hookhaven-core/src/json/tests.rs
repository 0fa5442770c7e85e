//! What is found in which text, and that none is too deep, too odd or too long.

use super::*;

fn pick(text: &str, pointer: &str) -> Option<String> {
    let found = scan(text.as_bytes(), &[Pointer::parse(pointer).unwrap()]);
    found[0].and_then(Found::scalar).map(Cow::into_owned)
}

#[test]
fn finds_what_a_full_parse_finds() {
    let text = r#" {"id":"evt_1","n":12345678901234567890123,"data":{"object":{"id":"a\"\u00e9"}},
        "list":[{"id":"x"},{"id":"y"}],"a/b":{"m~n":"odd"},"null":null,"empty":""} "#;
    for (pointer, expected) in [
        ("/id", Some("evt_1")),
        ("/n", Some("12345678901234567890123")),
        ("/data/object/id", Some("a\"é")),
        ("/list/1/id", Some("y")),
        ("/list/2/id", None),
        ("/list/01/id", None),
        ("/a~1b/m~0n", Some("odd")),
        ("/data", None),
        ("/null", None),
        ("/empty", None),
        ("/id/deeper", None),
        ("/list/id", None),
    ] {
        assert_eq!(pick(text, pointer).as_deref(), expected, "{pointer}");
    }
}

#[test]
fn several_pointers_share_one_pass_even_when_one_lies_inside_another() {
    let pointers = ["/a", "/a/b", "/a/b/0", "/c"].map(|p| Pointer::parse(p).unwrap());
    let found = scan(br#"{"a":{"b":[7]},"c":true}"#, &pointers);
    assert_eq!(
        found.iter().map(|f| f.map(|f| f.0)).collect::<Vec<_>>(),
        [Some(r#"{"b":[7]}"#), Some("[7]"), Some("7"), Some("true")]
    );
}

#[test]
fn the_last_of_equal_keys_counts() {
    assert_eq!(pick(r#"{"id":"a","id":"b"}"#, "/id").as_deref(), Some("b"));
    assert_eq!(pick(r#"{"data":{"id":"a"},"data":{}}"#, "/data/id"), None);
    assert_eq!(pick(r#"{"id":"a","id":null}"#, "/id"), None);
}

#[test]
fn what_is_not_json_holds_nothing() {
    for text in [
        "",
        "{",
        "nonsense",
        r#"{"id":"a""#,
        r#"{"id":"a"} x"#,
        r#"{"id":"a",}"#,
        "[]]",
        "\u{feff}{}",
        "{\"id\":\"a\",\"b\u{1}\":0}",
    ] {
        assert_eq!(pick(text, "/id"), None, "{text}");
    }
    assert_eq!(scan(b"{\"id\":\"\xff\"}", &[Pointer::parse("/id").unwrap()])[0].map(|f| f.0), None);
}

#[test]
fn depth_is_no_danger() {
    for (open, close) in [("[", "]"), (r#"{"id":"#, "}")] {
        let deep = format!(r#"{{"x":{}1{},"id":"evt_1"}}"#, open.repeat(200_000), close.repeat(200_000));
        assert_eq!(pick(&deep, "/id").as_deref(), Some("evt_1"));
        assert_eq!(pick(&deep, "/x/id/id/id"), None);
    }
    let unclosed = r#"{"id":"#.repeat(200_000);
    assert_eq!(pick(&unclosed, "/id"), None);
}

#[test]
fn odd_text_elsewhere_does_not_hide_the_id() {
    let text = r#"{"\ud800":1,"x":"\ud800","y":1e999,"id":"evt_1"}"#;
    assert_eq!(pick(text, "/id").as_deref(), Some("evt_1"));
}

#[test]
fn what_is_found_does_not_depend_on_what_else_is_asked_for() {
    let pointers = ["/id", "/y/z", "/y", "/s/z", "/n/a/0"].map(|p| Pointer::parse(p).unwrap());
    for text in [
        r#"{"y":1e999,"id":"evt_1","n":{"a":[7]}}"#,
        r#"{"s":"\ud800","id":"evt_1","n":{"a":[7,1e999]}}"#,
        r#"{"y":{"z":1e999},"id":"evt_1","n":{"a":[7]}}"#,
        r#"{"y":null,"y":{"z":1},"id":"evt_1","n":1e999,"n":{"a":[7]}}"#,
    ] {
        let together: Vec<_> = scan(text.as_bytes(), &pointers).into_iter().map(|f| f.map(|f| f.0)).collect();
        let alone = |p: &Pointer| scan(text.as_bytes(), std::slice::from_ref(p))[0].map(|f| f.0);
        assert_eq!(together, pointers.iter().map(alone).collect::<Vec<_>>(), "{text}");
        assert_eq!((together[0], together[4]), (Some("\"evt_1\""), Some("7")), "{text}");
    }
}

#[test]
fn enormous_scalars_are_nobodys_id() {
    let text = format!(r#"{{"id":"{}"}}"#, "a".repeat(SCALAR_BYTES_MAX));
    assert_eq!(pick(&text, "/id"), None);
}
