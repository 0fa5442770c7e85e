//! What is wrong with an intake: every problem with its place, key and mend; what is only doubted; limits.
//!
//! Not here: what is missing (`answers`).

use hookhaven_architect::intake::{EVENTS_MAX, FILE_BYTES_MAX, SENDERS_MAX};

use crate::{PLAIN, problems, read, whole, with};

#[test]
fn every_problem_has_its_place_its_key_and_its_mend() {
    for (from, to, wanted) in [
        (
            "stripe = 10",
            "stripe = \"ten\"",
            "intake.toml:3:10: volume.stripe: \"ten\" is a text, not a number of events a day; write a whole number, without quotes",
        ),
        (
            "stripe = 10",
            "stripe = \"about 2M/day, peak 3M\"",
            "is a text, not a number of events a day; write { per_day = 2000000, peak_day = 3000000 }",
        ),
        (
            "stripe = 10",
            "stripe = { per_day = \"5k\" }",
            "volume.stripe.per_day: \"5k\" is a text, not a number; write 5000, without quotes",
        ),
        (
            "stripe = 10",
            "stripe = 1e400",
            "volume.stripe: expected events a day, or a table such as { per_day = 5000, peak_day = 20000 }, not a number with a point or an exponent",
        ),
        ("stripe = 10", "stripe = nan", "not a number with a point or an exponent"),
        ("stripe = 10", "stripe = 99999999999999999999", "must lie between 0 and 10000000000"),
        ("stripe = 10", "stripe = 2M", "intake.toml:3:10: not TOML"),
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
        ("\"30s\"", "\"15 min\"", "latency.stripe: \"15 min\" is not a duration; did you mean \"15m\"?"),
        ("\"30s\"", "\"99p < 2s\"", "latency.stripe: \"99p < 2s\" is not a duration; write"),
        ("\"30s\"", "30", "latency.stripe: expected a duration in quotes, such as"),
        (
            "\"update a row\"",
            "\"update a row, takes 3 days\"",
            "processing.stripe: 3d is out of range for one event; say how long it takes outright",
        ),
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
            "[requirements]\nretention = \"6y\"\n[existing]",
            "\"6y\" is not a duration; did you mean \"2190d\"?",
        ),
        (
            "hosting =",
            "downtime = \"100000d\"\nhosting =",
            "infrastructure.downtime: \"100000d\" is out of range; must lie between \"1s\" and \"30d\"",
        ),
        (
            "\"must\"",
            "\"don't know\"",
            "idempotency.stripe: \"don't know\" is not known here; choose one of: must, nice, no; who does not know leaves",
        ),
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
fn a_refused_name_is_one_problem_however_much_is_said_under_it() {
    let text = with("[\"stripe\"]", "[\"stripe\", \"GitHub\"]")
        .replace("stripe = 10\n", "stripe = 10\nGitHub = 5\nother = 5\n");
    let found = problems(&text);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].contains("senders[1]: \"GitHub\" cannot be a name") && found[1].contains("\"other\" is not among")
    );
}

#[test]
fn what_may_be_meant_is_warned_of_and_taken() {
    for (from, to, wanted) in [
        (
            "[\"stripe\"]",
            "[\"stripe\"]\nplanned = [\"twilio\", \"stripe\"]",
            "warning: planned[1]: \"stripe\" is there already; take it out of those that are planned",
        ),
        (
            "\"update a row\"",
            "\"update a row, takes 2-3 s\"",
            "warning: processing.stripe: how long it takes is not understood: \"2-3 s\"; say how long it takes outright",
        ),
        (
            "[volume]",
            "[events]\nstripe = [\"all\"]\n[volume]",
            "warning: events.stripe[0]: \"all\" is not among the types that are known; did you mean \"*\"?",
        ),
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
    let types = many(EVENTS_MAX + 1, &|n| format!("t{n} = \"must\""));
    let types = with("\"must\"", &format!("{{ {types} }}"));
    assert!(problems(&types).iter().any(|p| p.contains("idempotency.stripe: more than 500 types")));
    let planned =
        with("[\"stripe\"]", &format!("[\"stripe\"]\nplanned = [{}]", many(SENDERS_MAX + 1, &|n| format!("\"s{n}\""))));
    assert!(problems(&planned).iter().any(|p| p.contains("planned: more than 64 senders")), "{:?}", problems(&planned));
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
