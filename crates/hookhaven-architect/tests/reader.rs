//! The reader of answers: every problem with its place, key and mend; what is missing; answers given beside the file.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use hookhaven_architect::intake::{
    self, EVENTS_MAX, EXAMPLE, FILE_BYTES_MAX, Given, Intake, Once, OrderKind, Read, SENDERS_MAX, Trouble,
};

/// What a small intake needs beside what a case is about.
const PLAIN: &str = "senders = [\"stripe\"]\n[volume]\nstripe = 10\n[processing]\nstripe = \"update a row\"\n\
    [idempotency]\nstripe = \"must\"\n[latency]\nstripe = \"30s\"\n\
    [infrastructure]\nstack = [\"node\"]\nhosting = \"a VM\"\n[existing]\nstate = \"nothing yet\"\n";

fn read(text: &str) -> Read {
    intake::read(Path::new("intake.toml"), text, &Given::new())
}

fn whole(text: &str) -> Intake {
    let read = read(text);
    assert!(read.problems.is_empty() && read.missing.is_empty(), "{:?} {:?}", read.problems, read.missing);
    read.intake.unwrap()
}

fn problems(text: &str) -> Vec<String> {
    let read = read(text);
    read.problems.iter().map(ToString::to_string).collect()
}

/// With one piece of the plain intake put in place of another.
fn with(from: &str, to: &str) -> String {
    assert!(PLAIN.contains(from), "{from}");
    PLAIN.replacen(from, to, 1)
}

#[test]
fn every_problem_has_its_place_its_key_and_its_mend() {
    for (from, to, wanted) in [
        (
            "stripe = 10",
            "stripe = \"ten\"",
            "intake.toml:3:10: volume.stripe: expected events a day, or a table such as { per_day = 5000, peak_day = 20000 }, not a text",
        ),
        ("stripe = 10", "stripe = -1", "intake.toml:3:10: volume.stripe: must lie between 0 and 10000000000"),
        (
            "stripe = 10",
            "stripe = { per_dya = 5 }",
            "intake.toml:3:12: volume.stripe.per_dya: unknown key; did you mean \"per_day\"?",
        ),
        ("stripe = 10", "stripe = {}", "volume.stripe: per_day is missing; add per_day = 5000"),
        (
            "stripe = 10",
            "stripe = { per_day = 5, burst = 3 }",
            "volume.stripe.burst: expected a table such as { events = 2000, within = \"1m\" }, not a number",
        ),
        (
            "stripe = 10",
            "stripe = { per_day = 5, burst = { events = 3, within = \"soon\" } }",
            "volume.stripe.burst.within: \"soon\" is not a duration",
        ),
        ("stripe = 10", "stripe = { per_day = 5, body = \"5\" }", "volume.stripe.body: \"5\" is not a size"),
        (
            "[volume]\nstripe = 10",
            "[volume]\nstripe = 10\nstrip = 10",
            "intake.toml:4:1: volume.strip: \"strip\" is not among the senders; did you mean \"stripe\"?",
        ),
        ("[volume]", "[volumes]", "volumes: unknown key; did you mean \"volume\"?"),
        ("\"must\"", "\"most\"", "idempotency.stripe: \"most\" is not known here; did you mean \"must\"?"),
        ("\"must\"", "{ \"a b\" = \"must\" }", "\"a b\" is no event type; ' ' has no meaning"),
        ("\"must\"", "{ \"a\\u200bb\" = \"must\" }", "is no event type; nobody sees '\\u{200b}' in it; take it out"),
        ("\"30s\"", "\"30\"", "latency.stripe: \"30\" is not a duration; write"),
        ("\"30s\"", "\"400d\"", "is out of range; must lie between \"100ms\" and \"30d\""),
        (
            "\"update a row\"",
            "{ takes = \"2s\" }",
            "processing.stripe: does is missing; add does = \"…\", what the handler does",
        ),
        (
            "\"update a row\"",
            "{ does = \"x\", effects = [\"mial\"] }",
            "processing.stripe.effects[0]: \"mial\" is not known here; did you mean \"mail\"?",
        ),
        ("\"update a row\"", "{ does = \"x\", answer_user = true }", "did you mean \"answers_user\"?"),
        ("[\"stripe\"]", "[]", "senders: no sender is named; name at least one, such as [\"stripe\"]"),
        (
            "[\"stripe\"]",
            "\"stripe\"",
            "senders: expected a list of senders, such as [\"stripe\", \"github\"], not a text",
        ),
        (
            "[\"stripe\"]",
            "[\"stripe\", \"stripe\"]",
            "senders[1]: \"stripe\" is there twice; take one out, or name one of them",
        ),
        ("[\"stripe\"]", "[\"Stripe\"]", "senders[0]: \"Stripe\" cannot be a name; did you mean \"stripe\"?"),
        ("[\"stripe\"]", "[\"a b\\n\"]", "senders[0]: \"a b\\n\" cannot be a name; use up to 48 of a-z"),
        ("[\"stripe\"]", "[\"stripe\", { name = \"eu\" }]", "senders[1]: sender is missing; add sender = \"NAME\""),
        (
            "[\"stripe\"]",
            "[\"stripe\", { name = \"eu\", sender = \"strype\" }]",
            "senders[1].sender: no sender \"strype\" is known; did you mean \"stripe\"?",
        ),
        (
            "[\"stripe\"]",
            "[\"stripe\"]\nplanned = [{ sender = \"a b\" }]",
            "planned[0].sender: \"a b\" cannot be a name",
        ),
        (
            "[\"stripe\"]",
            "[\"stripe\"]\nplanned = [{ sender = \"twilio\", in_month = 2 }]",
            "planned[0].in_month: unknown key; did you mean \"in_months\"?",
        ),
        ("[volume]", "[events]\nstripe = \"x\"\n[volume]", "events.stripe: expected a list of event types"),
        ("[volume]", "[events]\nstripe = [\"a?\"]\n[volume]", "'?' has no meaning in an event type pattern"),
        (
            "[volume]",
            "[ordering]\nstripe = { mode = \"strickt\" }\n[volume]",
            "ordering.stripe.mode: \"strickt\" is not known here; did you mean \"strict\"?",
        ),
        (
            "[volume]",
            "[ordering]\nstripe = { key = \"json:/a\" }\n[volume]",
            "ordering.stripe: mode is missing; add mode = \"strict\", \"wished\", \"newest\" or \"none\"",
        ),
        (
            "[volume]",
            "[ordering]\nstripe = { mode = \"strict\", key = \"customer\" }\n[volume]",
            "\"customer\" names no place: write \"header:NAME\" or \"json:/path/in/body\"",
        ),
        (
            "[volume]",
            "[ordering]\nstripe = { mode = \"strict\", key = \"json:/a\\nb\" }\n[volume]",
            "is no place; take out what is neither",
        ),
        (
            "hosting =",
            "host = \"kubernets\"\nhosting =",
            "infrastructure.host: \"kubernets\" is not known here; did you mean \"kubernetes\"?",
        ),
        (
            "hosting =",
            "frameworks = [\"fastfy\"]\nhosting =",
            "infrastructure.frameworks[0]: \"fastfy\" is not known here; did you mean \"fastify\"?",
        ),
        (
            "hosting =",
            "alerts = [\"mail\"]\nhosting =",
            "infrastructure.alerts[0]: \"mail\" is not known here; did you mean \"email\"?",
        ),
        (
            "hosting =",
            "handler_url = \"http://h/?a=b\"\nhosting =",
            "infrastructure.handler_url: a path is put behind it, so it cannot have a query (?…); take the query out",
        ),
        ("hosting =", "public_url = \"hooks.example.com\"\nhosting =", "infrastructure.public_url: not a URL"),
        ("hosting =", "nodes = 0\nhosting =", "infrastructure.nodes: 0 is out of range; must lie between 1 and 64"),
        (
            "hosting =",
            "postgres = \"yes\"\nhosting =",
            "infrastructure.postgres: expected true or false, without quotes, not a text",
        ),
        ("hosting =", "hostin = \"x\"\nhosting =", "infrastructure.hostin: unknown key; did you mean"),
        ("[\"node\"]", "\"node\"", "infrastructure.stack: expected a list of words in quotes"),
        (
            "state =",
            "kind = \"queue\"\nstate =",
            "existing.kind: \"queue\" is not known here; did you mean \"queued\"?",
        ),
        (
            "state =",
            "troubles = [\"twise\"]\nstate =",
            "existing.troubles[0]: \"twise\" is not known here; did you mean \"twice\"?",
        ),
        ("state =", "incidents = \"x\"\nstate =", "existing.incidents: expected a list of words"),
        ("[existing]", "[requirements]\nretention = \"1h\"\n[existing]", "requirements.retention:"),
        (
            "[existing]",
            "[requirements]\nbudget = 5\n[existing]",
            "requirements.budget: unknown key; known keys: retention, regulated, budget_per_month",
        ),
        ("[existing]", "[requirement]\n[existing]", "requirement: unknown key; did you mean \"requirements\"?"),
        ("[volume]", "[volume", "intake.toml:2:"),
    ] {
        let text = with(from, to);
        let found = problems(&text);
        assert!(found.iter().any(|problem| problem.contains(wanted)), "{to}\nwanted {wanted}\nfound {found:#?}");
        assert!(found.iter().all(|problem| problem.starts_with("intake.toml:")), "{found:#?}");
        assert!(read(&text).intake.is_none(), "{to}");
    }
}

#[test]
fn what_may_be_meant_is_warned_of_and_taken() {
    for (from, to, wanted) in [
        (
            "[\"stripe\"]",
            "[\"stripe\"]\nplanned = [\"twillio\"]",
            "warning: planned[0]: no sender \"twillio\" is known; it becomes one that you describe; did you mean \"twilio\"?",
        ),
        (
            "[volume]",
            "[events]\nstripe = [\"invoce.paid\"]\n[volume]",
            "warning: events.stripe[0]: \"invoce.paid\" is not among the types that are known; did you mean \"invoice.paid\"?",
        ),
        (
            "[volume]",
            "[events]\nstripe = [\"a\", \"a\"]\n[volume]",
            "warning: events.stripe[1]: it is there twice; take one of the two out",
        ),
        (
            "\"must\"",
            "{ \"invoce.paid\" = \"must\" }",
            "warning: idempotency.stripe.\"invoce.paid\": \"invoce.paid\" is not among the types that are known; did you mean \"invoice.paid\"?",
        ),
    ] {
        let text = with(from, to);
        assert!(problems(&text).iter().any(|problem| problem.contains(wanted)), "{to}\n{:#?}", problems(&text));
        assert!(read(&text).intake.is_some(), "{to}");
    }
    let named = with("[volume]", "[events]\nstripe = [\"invoice.*\", \"charge.failed\"]\n[volume]");
    let named = named.replace(
        "\"30s\"",
        "{ \"invoice.paid\" = \"5s\", \"charge.faild\" = \"5s\", refund = \"5s\", default = \"1m\" }",
    );
    assert_eq!(
        problems(&named),
        [
            "intake.toml:11:35: warning: latency.stripe.\"charge.faild\": \"charge.faild\" is not among the event types that you named; did you mean \"charge.failed\"?",
            "intake.toml:11:58: warning: latency.stripe.refund: \"refund\" is not among the event types that you named; add it there if you want it",
        ]
    );
}

#[test]
fn limits_hold() {
    let many = |n: usize, of: &dyn Fn(usize) -> String| (0..n).map(of).collect::<Vec<_>>().join(", ");
    let senders = with("[\"stripe\"]", &format!("[\"stripe\", {}]", many(SENDERS_MAX, &|n| format!("\"s{n}\""))));
    assert!(problems(&senders).iter().any(|p| p.contains("more than 64 senders")), "{:?}", problems(&senders));
    let types = many(EVENTS_MAX + 1, &|n| format!("\"t{n}\""));
    let types = with("[volume]", &format!("[events]\nstripe = [{types}]\n[volume]"));
    assert!(problems(&types).iter().any(|p| p.contains("use patterns")));
    let long = with("nothing yet", &"x".repeat(1_001));
    assert!(problems(&long).iter().any(|p| p.contains("longer than 1000 characters; say it in fewer words")));
    let file = format!("{PLAIN}#{}", "x".repeat(FILE_BYTES_MAX));
    assert!(problems(&file)[0].contains("longer than 1MiB is no intake"), "{:?}", problems(&file));
}

#[test]
fn no_text_can_leave_its_line() {
    let hostile = "a \\n# b\\r\\u2028c\\u202ed\\u001b[2J | e";
    let text = with("nothing yet", hostile).replace("update a row", hostile).replace("a VM", hostile);
    let text = text.replace("[\"node\"]", &format!("[\"{hostile}\"]"));
    let text = text.replace("[existing]", &format!("[requirements]\nregulated = \"{hostile}\"\n[existing]"));
    let text = text.replace("[volume]", &format!("[ordering]\nstripe = \"{hostile}\"\n[volume]"));
    let intake = whole(&text);
    let mut texts = vec![
        intake.existing.state.clone(),
        intake.senders[0].processing.text.clone(),
        intake.senders[0].ordering.all.text.clone(),
        intake.infrastructure.hosting.clone(),
        intake.requirements.regulated.clone().unwrap(),
    ];
    texts.extend(intake.infrastructure.stack.clone());
    assert!(texts.iter().all(|text| text == "a # b c d [2J | e"), "{texts:?}");
    let said = intake.answers.by_path.values().chain(intake.understood.iter().map(|u| &u.text));
    assert!(said.into_iter().all(|text| !text.contains(|c: char| c.is_control() || c == '\u{202e}')));
}

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
    // What each shows, written into the file, answers it.
    let mut text = "senders = [\"stripe\"]\n".to_owned();
    let mut tables: Vec<String> = Vec::new();
    for question in read(&text).missing {
        let (table, line) = question.example.split_once('\n').unwrap();
        if tables.iter().any(|known| known == table) {
            text.push_str(&format!("{line}\n"));
        } else {
            text.push_str(&format!("{}\n", question.example));
            tables.push(table.to_owned());
        }
    }
    whole(&text);
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
        ["volume.stripe: expected events a day, or a table such as { per_day = 5000, peak_day = 20000 }, not a text"]
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
            ("processing.code", "effects: build; somebody waits for its answer"),
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
fn the_example_is_whole_and_so_is_what_stands_in_its_comments() {
    let intake = whole(EXAMPLE);
    assert_eq!(intake.senders.len(), 3);
    // One line at a time, in place of the one that says the same.
    for (n, line) in EXAMPLE.lines().enumerate() {
        let Some(setting) = line.strip_prefix("# ").filter(|line| line.contains(" = ")) else { continue };
        let key = setting.split('=').next().unwrap().trim();
        let says = |line: &&str| line.split('=').next().unwrap().trim() != key || line.starts_with('#');
        let before: Vec<&str> = EXAMPLE.lines().take(n).collect();
        let table = before.iter().rposition(|line| line.starts_with('[')).unwrap_or(0);
        let kept = before.iter().enumerate().filter(|(at, line)| *at < table || says(line)).map(|(_, line)| *line);
        let text: Vec<&str> = kept.chain([setting]).chain(EXAMPLE.lines().skip(n + 1)).collect();
        let read = read(&text.join("\n"));
        let errors: Vec<_> = read.problems.iter().filter(|problem| problem.is_error()).collect();
        assert!(errors.is_empty(), "{setting}: {errors:?}");
    }
}

#[test]
fn the_page_for_users_has_every_key() {
    const PAGE: &str = include_str!("../../../docs/architect.md");
    let keys = EXAMPLE.lines().filter_map(|line| {
        let line = line.strip_prefix("# ").unwrap_or(line);
        let (key, _) = line.split_once(" = ")?;
        key.trim().chars().all(|c| c.is_ascii_lowercase() || c == '_').then(|| key.trim())
    });
    let senders = ["stripe", "github", "slack"];
    let mut keys: Vec<&str> = keys.filter(|key| !senders.contains(key)).collect();
    keys.extend([
        "per_day",
        "peak_day",
        "burst",
        "body",
        "does",
        "takes",
        "answers_user",
        "effects",
        "mode",
        "key",
        "text",
    ]);
    let has = |key: &str| PAGE.contains(&format!("`{key}`")) || PAGE.contains(&format!(".{key}`"));
    let missing: Vec<&str> = keys.iter().copied().filter(|key| !has(key)).collect();
    assert!(missing.is_empty() && keys.len() > 25, "{missing:?} of {keys:?}");
}
