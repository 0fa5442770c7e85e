//! What varies makes no difference, and what says something does.

use proptest::prelude::*;

use super::*;

fn same(texts: &[&str]) -> String {
    let first = of_answer(texts[0].as_bytes()).pattern;
    for text in texts {
        assert_eq!(of_answer(text.as_bytes()).pattern, first, "{text}");
    }
    first
}

#[test]
fn what_varies_is_taken_out_of_plain_text() {
    assert_eq!(
        same(&[
            "User 42 not found (request req_8sK2jdE at 2026-11-22T13:40:24.123Z)",
            "User 1999  not found\n(request req_b9Zq1 at 2026-11-23T01:00:00+01:00)",
        ]),
        "User … not found (request … at …)"
    );
    assert_eq!(
        same(&["no such customer \"cus_Anna\", see `a b`", "no such customer \"Jörg O'Neill\", see `c`",]),
        "no such customer \"…\", see `…`"
    );
    same(&["lock held by 550e8400-e29b-41d4-a716-446655440000", "lock held by deadbeef-cafe-babe-aced-beefbeefbeef1"]);
    same(&["missing: 1, 2, 3", "missing: 4"]);
    same(&["mail to bob@example.com bounced", "mail to anna.b@mail.example.org bounced"]);
    same(&["at Sun, 22 Nov 2026 13:40:24 GMT down", "at Mon, 1 Feb 2027 00:00:00 GMT down"]);
    same(&["token XkdQvRtYpLmZsWq refused", "token aBcDeFgHiJkLmNo refused"]);
}

#[test]
fn what_says_something_stays() {
    for (one, other) in [
        ("database is locked", "database is gone"),
        ("NullPointerException in Billing", "IllegalStateException in Billing"),
        ("it's down, can't help", "it's up, can't help"),
        (r#"{"error":"timeout"}"#, r#"{"error":"refused"}"#),
        (r#"{"why":"db is down"}"#, r#"{"why":"no such user"}"#),
        ("<h1>Bad Gateway</h1>", "<h1>Not Found</h1>"),
    ] {
        assert_ne!(of_answer(one.as_bytes()), of_answer(other.as_bytes()), "{one}");
    }
    assert_eq!(of_words("answered 503 Service Unavailable"), "answered … Service Unavailable");
    assert_eq!(of_words("connect to localhost:3000: refused"), "connect to localhost:…: refused");
}

#[test]
fn of_json_what_tells_stays_and_values_go() {
    let pattern = same(&[
        r#"{"error":{"code":"card_declined","message":"Card 4242 of \"Anna\" was declined"},"request_id":"r1","user":"anna"}"#,
        r#"{"error":{"code":"card_declined","message":"Card 17 of \"Bo\" was declined"},"request_id":"xyz","user":"bo"}"#,
    ]);
    assert_eq!(
        pattern,
        r#"{"error":{"code":"card_declined","message":"Card … of "…" was declined"},"request_id":"…","user":"…"}"#
    );
    let gist = of_answer(br#"{"code":"x","message":"It is down","id":"a"}"#).gist;
    assert_eq!(gist, "x; It is down");
    // Cut off in the middle.
    assert_eq!(of_answer(br#"{"message":"It is do"#).gist, "It is do");
}

#[test]
fn of_html_the_text_is_left() {
    let page = "<!DOCTYPE html><html><head><STYLE>p { color: red }</style><script nonce=abc>x</script>\
                <title>502 Bad Gateway</title></head><body><p>nginx";
    assert_eq!(of_answer(page.as_bytes()).gist, "… Bad Gateway nginx");
    assert_eq!(of_answer(b"<b>x</b> < y <i").gist, "x < y");
}

#[test]
fn what_is_no_text_says_nothing() {
    assert_eq!(of_answer(b"\x1f\x8b\x08\x00random"), Likeness::default());
    assert_eq!(of_answer(b""), Likeness::default());
    // Cut in the middle of a character, or not UTF-8 at all.
    assert_eq!(of_answer("zu spät".as_bytes()).pattern, "zu spät");
    assert_eq!(of_answer(b"zu sp\xc3").pattern, "zu sp");
    assert_eq!(of_answer(b"down for \xff\x1b[2J repairs").pattern.chars().next(), Some('d'));
}

/// Words around ids and numbers, and the same with other ids and numbers.
fn twins() -> impl Strategy<Value = (String, String)> {
    let varying = prop_oneof![
        ("[0-9]{1,9}", "[0-9]{1,9}"),
        ("[0-9]{1,3}\\.[0-9]{1,6}", "[0-9]{1,9}"),
        ("[0-9][0-9a-f]{11,31}", "[0-9a-f]{11,31}[0-9]"),
        ("[0-9a-f]{8}-[0-9]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[0-9]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        ("req_[0-9][A-Za-z0-9]{4,20}", "req_[A-Za-z0-9]{4,20}[0-9]"),
        ("20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z", "20[0-9]{2}-[01][0-9]-[0-3][0-9]"),
    ];
    let word = "(user|order|failed|timeout|in|of|not found|Error|database)";
    proptest::collection::vec((word, "( |: |=|, |\\(|/)", varying), 1..12).prop_map(|parts| {
        let text = |second: bool| {
            let part = |(word, tie, (one, other)): &(String, String, (String, String))| {
                format!("{word}{tie}{} ", if second { other } else { one })
            };
            parts.iter().map(part).collect::<String>()
        };
        (text(false), text(true))
    })
}

proptest! {
    #[test]
    fn ids_and_numbers_make_no_difference((one, other) in twins()) {
        prop_assert_eq!(of_words(&one), of_words(&other));
        prop_assert_eq!(of_answer(one.as_bytes()), of_answer(other.as_bytes()));
        let json = |text: &str| format!("{{\"message\": \"{text}\", \"n\": 12}}");
        prop_assert_eq!(of_answer(json(&one).as_bytes()), of_answer(json(&other).as_bytes()));
        let html = |text: &str| format!("<p>{text}</p>");
        prop_assert_eq!(of_answer(html(&one).as_bytes()), of_answer(html(&other).as_bytes()));
    }

    #[test]
    fn any_bytes_have_one_that_is_short(body in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let Likeness { pattern, gist } = of_answer(&body);
        prop_assert!(pattern.chars().count() <= CHARS_MAX && gist.chars().count() <= CHARS_MAX);
    }

    #[test]
    fn any_text_has_one_that_is_short(text in "\\PC{0,600}") {
        for text in [text.clone(), format!("{{{text}"), format!("<{text}")] {
            prop_assert!(of_answer(text.as_bytes()).pattern.chars().count() <= CHARS_MAX);
        }
        // What was taken out stays out.
        let once = of_words(&text);
        prop_assert!(once.chars().count() <= CHARS_MAX);
    }
}
