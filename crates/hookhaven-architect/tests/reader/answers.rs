//! What an intake says and what it leaves out: what is missing, what is given beside the file, what is assumed, how words
//! are understood.
//!
//! Not here: what is wrong with it (`problems`).

use std::path::Path;

use hookhaven_architect::intake::{self, Given, Once, OrderKind, Trouble};

use crate::{PLAIN, read, whole, with};

#[test]
fn everything_that_is_missing_is_told_in_the_order_of_asking() {
    let missing = |text: &str| read(text).missing.iter().map(|q| q.path.clone()).collect::<Vec<_>>();
    assert_eq!(missing(""), ["senders", "infrastructure.stack", "infrastructure.hosting", "existing.state"]);
    assert_eq!(
        missing(
            "senders = [\"stripe\"]\n[latency]\nstripe = \"1m\"\n[existing]\nstate = \"x\"\n[infrastructure]\nstack = []\n"
        ),
        ["volume.stripe", "processing.stripe", "idempotency.stripe", "infrastructure.hosting"]
    );
}

#[test]
fn what_is_shown_for_what_is_missing_answers_it_when_it_is_pasted() {
    let template = |text: &str| intake::template(text, &read(text).missing);
    let all = template("");
    assert_eq!(whole(&all).senders.len(), 2, "{all}");
    assert!(all.starts_with("# Which senders post to you?"), "{all}");
    for begun in [
        "# ours\nsenders = [\"stripe\", \"github\"]\n",
        "senders = [\"a\", \"b\"]\n[latency]\na = \"1m\"\nb = \"1m\"\n",
    ] {
        let text = format!("{begun}\n{}", template(begun));
        assert_eq!(whole(&text).senders.len(), 2, "{text}");
    }
    let top = template("[existing]\nstate = \"x\"\n");
    assert!(top.starts_with("# At the top, before every table:\n# Which senders"), "{top}");
    let within = template("senders = [\"stripe\"]\n[infrastructure]\nstack = []\n");
    let line = "# Below [infrastructure], which is there:\n# Where does it run";
    assert!(within.contains(line) && !within.contains("\n[infrastructure]"), "{within}");
}

#[test]
fn answers_beside_the_file_count_where_it_says_nothing() {
    let given = |answers: &[(&str, &str)]| {
        let given: Given = answers.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
        intake::read(Path::new("intake.toml"), PLAIN.replace("stripe = 10\n", "").as_str(), &given)
    };
    let intake = given(&[("volume.stripe", "{ per_day = 7 }"), ("latency.stripe", "\"5s\"")]).intake.unwrap();
    assert_eq!(intake.senders[0].volume.per_day, 7);
    assert_eq!(intake.answers.of("volume.stripe.per_day"), "7");
    assert_eq!(intake.answers.of("latency.stripe"), "30s", "the file counts");
    let read = given(&[("volume.stripe", "\"many\"")]);
    assert!(read.intake.is_none());
    assert_eq!(
        read.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["volume.stripe: \"many\" is a text, not a number of events a day; write a whole number, without quotes"]
    );
    assert!(given(&[("volume.stripe", "[")]).problems[0].to_string().starts_with("volume.stripe: not TOML"));
}

#[test]
fn defaults_are_taken_and_stand_among_what_was_assumed() {
    let read = intake::read_with_defaults(Path::new("intake.toml"), "senders = [\"github\"]\n", &Given::new());
    let intake = read.intake.unwrap();
    let assumed: Vec<&str> = intake.assumed.iter().map(|assumed| &*assumed.path).collect();
    for path in [
        "volume.github",
        "processing.github",
        "idempotency.github",
        "latency.github",
        "infrastructure.stack",
        "infrastructure.hosting",
        "existing.state",
    ] {
        assert!(assumed.contains(&path), "{path} {assumed:?}");
    }
    assert_eq!((intake.senders[0].volume.per_day, &intake.senders[0].once.all), (1_000, &Once::Nice));
    assert_eq!(intake.answers.of("volume.github"), "(not said)");
    assert!(intake.understood.is_empty(), "nobody's words were read: {:?}", intake.understood);
    let read = intake::read_with_defaults(Path::new("intake.toml"), "", &Given::new());
    assert_eq!(read.missing.len(), 1, "nobody can guess who sends");
}

#[test]
fn words_are_understood_and_can_be_said_outright_instead() {
    let intake = whole(
        &with("nothing yet", "no verification")
            .replace("[\"stripe\"]", "[\"stripe\", { name = \"code\", sender = \"github\" }]")
            .replace("stripe = 10", "stripe = 10\ncode = 5\n[events]\ncode = [\"pull_request\"]")
            .replace(
                "\"update a row\"",
                "\"update a row\"\ncode = { does = \"whatever\", effects = [\"build\"], answers_user = true }",
            )
            .replace("\"must\"", "\"must\"\ncode = { pull_request = \"must\" }")
            .replace(
                "\"30s\"",
                "\"30s\"\ncode = \"1m\"\n[ordering]\ncode = { mode = \"strict\", key = \"json:/repository/id\" }",
            ),
    );
    let code = &intake.senders[1];
    assert_eq!((code.sender.unwrap().name, &*code.name), ("github", "code"));
    assert_eq!(
        (code.events.clone(), code.once.some.clone()),
        (vec!["pull_request".to_owned()], vec![("pull_request".to_owned(), Once::Must)])
    );
    assert!(code.processing.answers_user && code.processing.effects == [intake::Effect::Build]);
    assert_eq!(
        (code.ordering.all.kind, code.ordering.all.key.as_deref()),
        (OrderKind::Strict, Some("json:/repository/id"))
    );
    assert_eq!(intake.existing.verifies, Some(false));
    let understood: Vec<(&str, &str)> = intake.understood.iter().map(|u| (&*u.path, &*u.taken_for)).collect();
    assert_eq!(
        understood,
        [
            ("processing.stripe", "effects: database; nobody waits for its answer"),
            ("infrastructure.hosting", "a machine, or a few"),
            ("infrastructure.stack", "handlers for fastify"),
            ("infrastructure.stack", "no PostgreSQL is there"),
            ("existing.state", "a handler that works before it answers"),
            ("existing.state", "signatures are not verified"),
        ]
    );
    let outright =
        with("state =", "kind = \"mature\"\ntroubles = [\"lost\"]\nverifies = true\nincidents = [\"twice\"]\nstate =");
    let existing = whole(
        &outright.replace("hosting =", "host = \"kubernetes\"\npostgres = true\nframeworks = [\"go\"]\nhosting ="),
    )
    .existing;
    assert_eq!(
        (existing.kind, existing.troubles, existing.verifies),
        (intake::State::Mature, vec![Trouble::Lost], Some(true))
    );
}

#[test]
fn how_long_it_takes_may_stand_among_the_words() {
    let of = |to: &str| {
        let intake = whole(&with("\"update a row\"", to));
        let assumed = intake.assumed.iter().any(|assumed| assumed.path == "processing.stripe.takes");
        let read = intake.understood.iter().find(|u| u.path == "processing.stripe").map(|u| u.taken_for.clone());
        (intake.senders[0].processing.takes.as_millis(), assumed, read.unwrap_or_default())
    };
    let row = "effects: database; nobody waits for its answer";
    let unclear = read(&with("\"update a row\"", "\"update a row, takes 2-3 s\"")).intake.unwrap();
    assert_eq!(unclear.understood[0].taken_for, row);
    assert_eq!(of("\"update a row\""), (500, true, row.to_owned()));
    assert_eq!(of("\"update a row, takes 2s\""), (2_000, false, format!("{row}; takes 2s for one")));
    assert_eq!(of("{ does = \"update a row, takes 2s\", takes = \"3s\" }"), (3_000, false, row.to_owned()));
    assert_eq!(of("{ does = \"takes 5 orders, updates rows\" }"), (500, true, row.to_owned()));
    let outright = "{ does = \"update a row\", takes = \"2s\", effects = [], answers_user = false }";
    assert_eq!(of(outright), (2_000, false, String::new()), "nothing was left to read from the words");
}

#[test]
fn what_holds_for_the_other_types_of_a_table_is_told() {
    let text = with("\"must\"", "{ \"invoice.paid\" = \"must\" }").replace("\"30s\"", "{ \"invoice.paid\" = \"5s\" }");
    let assumed: Vec<(String, String)> = whole(&text).assumed.into_iter().map(|a| (a.path, a.value)).collect();
    for (path, value) in [("idempotency.stripe.default", "no"), ("latency.stripe.default", "5m")] {
        assert!(assumed.contains(&(path.to_owned(), value.to_owned())), "{path} {assumed:?}");
    }
    let said = text.replace("\"must\" }", "\"must\", default = \"no\" }");
    assert!(whole(&said).assumed.iter().all(|assumed| assumed.path != "idempotency.stripe.default"));
}
