//! Absurd and hostile intakes: each is refused with a reason or comes to a set-up, and none takes long or panics.
//!
//! Not here: which reason (`problems`).

use hookhaven_architect::{Plan, intake::FILE_BYTES_MAX};

use crate::{PLAIN, problems, read, with};

/// Enough of a thing that work which grows with its square would be noticed.
const BYTES: usize = FILE_BYTES_MAX / 8;

/// A long file of one kind of thing.
fn filled(begin: &str, piece: impl Fn(usize) -> String, end: &str) -> String {
    let mut text = begin.to_owned();
    for n in 0.. {
        let piece = piece(n);
        if text.len() + piece.len() + end.len() >= BYTES {
            break;
        }
        text.push_str(&piece);
    }
    text + end
}

#[test]
fn every_kind_of_value_in_every_place_is_refused_or_taken() {
    let values = [
        "0",
        "-0",
        "0.0",
        "nan",
        "-inf",
        "1e400",
        "0x7fffffffffffffff",
        "9223372036854775807",
        "\"\"",
        "\" \"",
        "\"\\u0000\"",
        "\"\\u202e\"",
        "true",
        "1979-05-27",
        "07:32:00",
        "[]",
        "[[]]",
        "[{}]",
        "{}",
        "{ \"\" = 0 }",
        "{ default = {} }",
        "{ a = { a = { a = 1 } } }",
        "\"'; DROP TABLE--\"",
        "\"{{x}} ${x} $(x) `x` <b>x</b> |\"",
    ];
    let paths = [
        "senders",
        "planned",
        "events",
        "events.stripe",
        "volume",
        "volume.stripe",
        "volume.stripe.per_day",
        "volume.stripe.burst",
        "processing",
        "processing.stripe",
        "processing.stripe.effects",
        "idempotency.stripe",
        "ordering.stripe",
        "ordering.stripe.key",
        "latency.stripe",
        "infrastructure",
        "infrastructure.stack",
        "infrastructure.hosting",
        "infrastructure.nodes",
        "infrastructure.proxy",
        "infrastructure.handler_url",
        "existing",
        "existing.incidents",
        "requirements",
        "requirements.regulated",
        "requirements.budget_per_month",
        "a",
    ];
    let root: Vec<(&str, &str)> = PLAIN
        .split('\n')
        .scan("", |table, line| {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                *table = name;
                return Some(None);
            }
            Some(line.split_once(" = ").map(|(key, value)| ((*table, key), value)))
        })
        .flatten()
        .map(|((table, key), value)| (if table.is_empty() { key } else { format!("{table}.{key}").leak() }, value))
        .collect();
    for path in paths {
        for value in values {
            // As dotted keys, without those that lie on the same way.
            let apart = |known: &str| !known.starts_with(path) && !path.starts_with(known);
            let mut text: String = root
                .iter()
                .filter(|(known, _)| apart(known))
                .map(|(key, value)| format!("{key} = {value}\n"))
                .collect();
            text.push_str(&format!("{path} = {value}\n"));
            let read = read(&text);
            let told = !read.problems.is_empty() || !read.missing.is_empty();
            match read.intake {
                Some(intake) => assert!(!Plan::of(intake).files().is_empty(), "{text}"),
                None => assert!(told, "{text}"),
            }
        }
    }
}

#[test]
fn long_files_of_one_thing_are_refused_and_not_worked_on_for_ever() {
    let deep = |open: &str, close: &str, n: usize| format!("a = {}1{}\n", open.repeat(n), close.repeat(n));
    for (what, text) in [
        ("keys in a table", filled("senders = [\"stripe\"]\n[volume]\n", |n| format!("k{n} = 1\n"), "")),
        (
            "keys on one line",
            filled(
                "senders = [\"stripe\"]\nlatency = { stripe = { ",
                |n| format!("k{n} = \"1s\", "),
                "z = \"1s\" } }\n",
            ),
        ),
        ("unknown keys", filled("", |n| format!("k{n} = 1\n"), "")),
        ("senders", filled("senders = [", |n| format!("\"s{n}\", "), "]\n")),
        ("tables", filled("", |n| format!("[t{n}]\n"), "")),
        ("errors", filled("", |_| "]\n".to_owned(), "")),
        ("arrays", deep("[", "]", 200_000)),
        ("inline tables", deep("{ a = ", " }", 60_000)),
        ("a dotted key", format!("{}a = 1\n", "a.".repeat(400_000))),
        ("a header", format!("[{}a]\n", "a.".repeat(400_000))),
        ("a name", format!("senders = [\"{}\"]\n", "x".repeat(1_000_000))),
        ("blanks", " ".repeat(FILE_BYTES_MAX)),
    ] {
        let read = read(&text);
        assert!(read.intake.is_none() && (!read.problems.is_empty() || !read.missing.is_empty()), "{what}");
    }
}

#[test]
fn the_greatest_and_the_smallest_answers_come_to_a_set_up() {
    let greatest = "{ per_day = 10000000000, peak_day = 10000000000, burst = { events = 10000000000, within = \"1s\" }, body = \"60MiB\" }";
    for volume in ["0", greatest, "{ per_day = 0, peak_day = 10000000000 }", "{ per_day = 10000000000, peak_day = 0 }"]
    {
        for takes in ["1ms", "1d"] {
            for latency in ["100ms", "30d"] {
                let text = with("stripe = 10", &format!("stripe = {volume}"))
                    .replace("\"update a row\"", &format!("{{ does = \"update a row\", takes = \"{takes}\" }}"))
                    .replace("\"30s\"", &format!("\"{latency}\""))
                    .replace("[existing]", "downtime = \"30d\"\nnodes = 64\n[requirements]\nretention = \"3650d\"\nbudget_per_month = 0\n[existing]");
                assert_eq!(problems(&text), [""; 0], "{text}");
                let plan = Plan::of(read(&text).intake.unwrap());
                assert!(!plan.files().is_empty(), "{text}");
            }
        }
    }
}
