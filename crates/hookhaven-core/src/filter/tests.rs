//! What holds of which event, case by case; and, for any JSON, what a whole parser says.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value as Tree, json};

use super::*;
use crate::event::testing::event_with;

fn at(place: &str, tests: Vec<Test>) -> Condition {
    Condition::At(Place::parse(place).unwrap(), tests)
}

fn is(literal: Literal) -> Vec<Test> {
    vec![Test::In(vec![literal])]
}

fn text(text: &str) -> Literal {
    Literal::Text(text.into())
}

fn number(digits: &str) -> Literal {
    Literal::Number(digits.into())
}

fn event_holds(event: &Event, condition: Condition) -> bool {
    let filter = Filter::new(vec![condition]);
    let reading = Reading::of(event, std::iter::once(&filter));
    let holds = filter.holds(&reading);
    let findings = filter.explain(&reading);
    assert_eq!(findings.iter().all(|finding| finding.holds), holds, "{findings:?}");
    holds
}

/// Of what stands at `/v` of this body.
fn v(body: &str, tests: Vec<Test>) -> bool {
    event_holds(&event_with(&[], body.as_bytes()), at("json:/v", tests))
}

#[test]
fn values_are_equal_by_kind_and_numbers_by_what_they_say() {
    for (body, literal, expected) in [
        (r#"{"v":"eu"}"#, text("eu"), true),
        (r#"{"v":"EU"}"#, text("eu"), false),
        (r#"{"v":"\u0065u"}"#, text("eu"), true),
        (r#"{"v":""}"#, text(""), true),
        (r#"{"v":5}"#, text("5"), false),
        (r#"{"v":5.00}"#, number("5"), true),
        (r#"{"v":"5.00"}"#, number("5"), true),
        (r#"{"v":" 5"}"#, number("5"), false),
        (r#"{"v":12345678901234567890123}"#, number("12345678901234567890123"), true),
        (r#"{"v":12345678901234567890124}"#, number("12345678901234567890123"), false),
        (r#"{"v":1e999}"#, number("1e999"), true),
        (r#"{"v":true}"#, Literal::Bool(true), true),
        (r#"{"v":"true"}"#, Literal::Bool(true), true),
        (r#"{"v":1}"#, Literal::Bool(true), false),
        (r#"{"v":null}"#, text("null"), false),
        (r#"{"v":["eu"]}"#, text("eu"), false),
        (r#"{"v":{}}"#, text(""), false),
        (r#"{"v":"\ud800"}"#, text("\u{fffd}"), false),
    ] {
        assert_eq!(v(body, is(literal.clone())), expected, "{body} {literal:?}");
    }
}

#[test]
fn tests_of_one_value() {
    let compare = |order, with: &str| Test::Compare(order, with.into());
    let range = || vec![compare(Order::GreaterOrEqual, "10"), compare(Order::Less, "20")];
    for (value, tests, expected) in [
        ("10", range(), true),
        ("19.99", range(), true),
        ("20", range(), false),
        ("9.999999999999999999999", range(), false),
        ("\"15\"", range(), true),
        ("\"fifteen\"", range(), false),
        ("[15]", range(), false),
        ("\"pi_1\"", vec![Test::Prefix("pi_".into())], true),
        ("\"p\"", vec![Test::Prefix("pi_".into())], false),
        ("7", vec![Test::Prefix("7".into())], false),
        ("\"b\"", vec![Test::In(vec![text("a"), text("b")])], true),
        ("\"c\"", vec![Test::In(vec![text("a"), text("b")])], false),
        ("\"c\"", vec![Test::Not(is(text("a")))], true),
        ("\"a\"", vec![Test::Not(is(text("a")))], false),
        ("15", vec![Test::Not(range())], false),
        ("[]", vec![Test::Exists(true)], true),
        ("\"\\ud800\"", vec![Test::Exists(true)], true),
        ("false", vec![Test::Exists(false)], false),
    ] {
        assert_eq!(v(&format!("{{\"v\":{value}}}"), tests.clone()), expected, "{value} {tests:?}");
    }
}

#[test]
fn where_nothing_stands_only_absence_holds() {
    let texts: [&[u8]; 9] = [
        b"",
        b"nonsense",
        b"{}",
        b"{\"v\":null}",
        b"{\"v\":1",
        b"{\"v\":1} x",
        b"v=1&x=2",
        b"{\"v\":1,\"x\":\"\xff\"}",
        b"\xef\xbb\xbf{\"v\":1}",
    ];
    for body in texts {
        let event = event_with(&[], body);
        for tests in [
            is(text("")),
            is(number("1")),
            vec![Test::Prefix("".into())],
            vec![Test::Compare(Order::LessOrEqual, "1".into())],
            vec![Test::Exists(true)],
            vec![Test::Not(is(text("a")))],
        ] {
            assert!(!event_holds(&event, at("json:/v", tests.clone())), "{body:?} {tests:?}");
            let around = Condition::Not(Box::new(at("json:/v", tests.clone())));
            assert!(event_holds(&event, around), "not: {body:?} {tests:?}");
        }
        assert!(event_holds(&event, at("json:/v", vec![Test::Exists(false)])), "{body:?}");
    }
}

#[test]
fn the_last_of_equal_keys_counts_and_depth_is_no_danger() {
    assert!(v(r#"{"v":1,"v":2}"#, is(number("2"))));
    assert!(v(r#"{"v":{"w":1},"v":null}"#, vec![Test::Exists(false)]));
    for (open, close) in [("[", "]"), ("{\"v\":", "}")] {
        let deep = format!("{{\"x\":{0}1{1},\"v\":{0}1{1}}}", open.repeat(100_000), close.repeat(100_000));
        assert!(v(&deep, vec![Test::Exists(true)]));
        assert!(!v(&deep, is(number("1"))));
        assert!(v(&open.repeat(100_000), vec![Test::Exists(false)]));
    }
}

#[test]
fn headers_are_texts_and_the_first_of_equal_ones_counts() {
    let mut event = event_with(&[("x-region", "eu"), ("x-region", "us"), ("x-count", "12"), ("x-live", "true")], b"");
    event.headers.push(("x-odd".into(), Bytes::from_static(b"\xff")));
    for (place, tests, expected) in [
        ("header:X-Region", is(text("eu")), true),
        ("header:x-region", is(text("us")), false),
        ("header:x-count", vec![Test::Compare(Order::Greater, "9".into())], true),
        ("header:x-count", is(number("12")), true),
        ("header:x-live", is(Literal::Bool(true)), true),
        ("header:x-odd", vec![Test::Exists(true)], true),
        ("header:x-odd", vec![Test::Prefix("".into())], false),
        ("header:x-none", vec![Test::Exists(false)], true),
    ] {
        assert_eq!(event_holds(&event, at(place, tests.clone())), expected, "{place} {tests:?}");
    }
}

#[test]
fn groups_are_joined_as_they_say() {
    let event = event_with(&[], br#"{"a":1,"b":2}"#);
    let (yes, no) = (|| at("json:/a", is(number("1"))), || at("json:/b", is(number("1"))));
    assert!(event_holds(&event, Condition::Any(vec![no(), yes()])));
    assert!(!event_holds(&event, Condition::Any(vec![no(), no()])));
    assert!(event_holds(&event, Condition::All(vec![yes(), yes()])));
    assert!(!event_holds(&event, Condition::All(vec![yes(), no()])));
    assert!(event_holds(&event, Condition::Not(Box::new(Condition::All(vec![yes(), no()])))));
}

#[test]
fn a_finding_says_what_was_wanted_and_what_was_seen() {
    let long = "x".repeat(200);
    let event = event_with(&[], format!(r#"{{"a":"{long}","b":[1],"c":7}}"#).as_bytes());
    let many = (0..10).map(|n| number(&n.to_string())).collect();
    let filter = Filter::new(vec![
        at("json:/a", vec![Test::Prefix("y".into()), Test::Exists(true)]),
        Condition::Any(vec![at("json:/b", is(text("e"))), at("json:/c", vec![Test::In(many)])]),
        at("header:x-a", vec![Test::Not(is(Literal::Bool(false)))]),
    ]);
    let findings = filter.explain(&Reading::of(&event, std::iter::once(&filter)));
    let said = |f: &Finding| format!("{}: {} ({})", f.condition, f.holds, f.seen.as_deref().unwrap_or("-"));
    assert_eq!(said(&findings[0]), format!("json:/a begins with \"y\" and exists: false (\"{}…\")", &long[..80]));
    assert_eq!(said(&findings[1]), "any of these: true (-)");
    assert_eq!(said(&findings[1].parts[0]), "json:/b is \"e\": false (a list)");
    assert_eq!(
        said(&findings[1].parts[1]),
        "json:/c is 0 or 1 or 2 or 3 or 4 or 5 or 6 or 7 or one of 2 more: true (7)"
    );
    assert_eq!(said(&findings[2]), "header:x-a is there and not: is false: false (nothing)");
    assert!(filter.conditions()[1].to_string().starts_with("any of (json:/b is \"e\"; json:/c is 0 or 1"));
    let event = event_with(&[], b"a=1");
    let findings = filter.explain(&Reading::of(&event, std::iter::once(&filter)));
    assert_eq!(findings[0].seen.as_deref(), Some("a body that is not JSON"));
}

/// Few names and few values, so that conditions meet them.
fn any_tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        (-3..4i64).prop_map(Tree::from),
        (-3.0..3.0f64).prop_map(Tree::from),
        any::<u64>().prop_map(Tree::from),
        "[ab1\"\\\\é\n]{0,3}".prop_map(Tree::from),
        (-3..4i64).prop_map(|n| n.to_string().into()),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::from),
            prop::collection::btree_map("[ab0/~]", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn any_literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<bool>().prop_map(Literal::Bool),
        (-3..4i64).prop_map(|n| Literal::Number(n.to_string().into())),
        "[ab1]{0,2}".prop_map(|t| Literal::Text(t.into())),
    ]
}

fn any_test() -> impl Strategy<Value = Test> {
    let order =
        prop_oneof![Just(Order::Less), Just(Order::LessOrEqual), Just(Order::Greater), Just(Order::GreaterOrEqual)];
    let simple = prop_oneof![
        any::<bool>().prop_map(Test::Exists),
        prop::collection::vec(any_literal(), 1..3).prop_map(Test::In),
        "[ab1]{0,2}".prop_map(|t| Test::Prefix(t.into())),
        (order, -3..4i64).prop_map(|(order, n)| Test::Compare(order, n.to_string().into())),
    ];
    simple.prop_recursive(2, 6, 2, |inner| prop::collection::vec(inner, 1..3).prop_map(Test::Not))
}

/// The same by the plain way: a whole tree, and the machine's numbers.
fn naively(test: &Test, value: Option<&Tree>) -> bool {
    let value = value.filter(|value| !value.is_null());
    let as_number = |value: &Tree| match value {
        Tree::Number(n) => n.as_f64(),
        Tree::String(text) => serde_json::from_str::<f64>(text).ok().filter(|_| text.trim() == text),
        _ => None,
    };
    let equals = |literal: &Literal, value: &Tree| match literal {
        Literal::Text(text) => value.as_str() == Some(&**text),
        Literal::Bool(truth) => value.as_bool() == Some(*truth) || value.as_str() == Some(&truth.to_string()),
        Literal::Number(digits) => as_number(value) == digits.parse().ok(),
    };
    match (test, value) {
        (Test::Exists(wanted), value) => value.is_some() == *wanted,
        (_, None) => false,
        (Test::In(choices), Some(value)) => choices.iter().any(|literal| equals(literal, value)),
        (Test::Prefix(prefix), Some(value)) => value.as_str().is_some_and(|text| text.starts_with(&**prefix)),
        (Test::Compare(order, with), Some(value)) => {
            let with: f64 = with.parse().unwrap();
            as_number(value).and_then(|n| n.partial_cmp(&with)).is_some_and(|found| order.allows(found))
        }
        (Test::Not(tests), value) => !tests.iter().all(|test| naively(test, value)),
    }
}

proptest! {
    #[test]
    fn a_filter_says_what_a_whole_parser_says(
        tree in any_tree(),
        pretty: bool,
        asked in prop::collection::vec(("(/([ab0-2]|~0|~1)){1,3}", any_test()), 1..6),
    ) {
        let body = if pretty { serde_json::to_vec_pretty(&tree) } else { serde_json::to_vec(&tree) }.unwrap();
        let event = event_with(&[], &body);
        let filters: Vec<_> =
            asked.iter().map(|(path, test)| Filter::new(vec![at(&format!("json:{path}"), vec![test.clone()])])).collect();
        // One pass for all of them, as for the routes of a source.
        let reading = Reading::of(&event, filters.iter());
        for ((path, test), filter) in asked.iter().zip(&filters) {
            prop_assert_eq!(filter.holds(&reading), naively(test, tree.pointer(path)), "{} {:?} in {}", path, test, tree);
            prop_assert_eq!(filter.explain(&reading)[0].holds, filter.holds(&reading));
        }
    }
}
