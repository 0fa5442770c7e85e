//! What the architect writes is what the gateway takes: every intake of its tests, every sender, each kind of place.
//!
//! Not here: whether a design is a good one (`hookhaven-architect`).

use std::{collections::BTreeMap, fs, path::Path};

use hookhaven_architect::{
    Intake, Plan,
    config::variables,
    design::OrderingDesign,
    intake::{self, Effect, Once, OrderKind},
};
use hookhaven_core::{
    Secret,
    senders::{self, SenderOptions},
};

use super::{Environment, Loaded, Origin, load};

/// The first of these that has the form of the sender's secrets.
const SECRETS: &[&str] = &[
    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "user:password",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "arn:aws:sns:eu-west-1:123456789012:orders",
    "sandbox:client:secret",
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAES7naQcR5yljKQuLuFiJ40wurTi/cY95JQog1CibIWamClml3I1/8KG4IqOOV2ZvjaNBt6+CvGwNXaLJPAJ1JLw==",
];

/// Warnings that are meant, and what in the file says so.
const MEANT: &[(&str, &str)] = &[
    ("no secret has been handed over yet", "The secret is handed over"),
    ("nothing that comes in here is verified", "CHANGE THIS to the addresses that may post here"),
    ("some events also go to", "`check` says that some events also go by one above"),
    ("is a long time to wait for an answer", "answer at once"),
    ("over several event types", "`check` warns of several types"),
];

fn read(name: &str, text: &str) -> Option<Intake> {
    let read = intake::read(Path::new(name), text, &intake::Given::default());
    assert!(read.intake.is_some() || !read.missing.is_empty(), "{name}: {:?}", read.problems);
    read.intake
}

/// A value that has the form of what the variable is for.
fn value_of(variable: &str, plan: &Plan) -> String {
    let source = plan.design.sources.iter().find(|s| s.secret_variables.iter().any(|v| v == variable));
    if let Some(sender) = source.and_then(|s| s.sender).and_then(|d| d.build(&SenderOptions::default()).ok()) {
        let fits = |text: &&&str| Secret::new(**text).is_some_and(|secret| sender.check_secret(&secret).is_ok());
        return SECRETS.iter().find(fits).unwrap_or_else(|| panic!("a secret for {}", sender.name())).to_string();
    }
    match variable {
        "ALERTS_SLACK_URL" => "https://hooks.slack.com/services/T/B/x",
        "ALERTS_SMTP_URL" => "smtp://user:password@mail.example.com:587",
        "HOOKHAVEN_MASTER_KEY" => SECRETS[2],
        _ => SECRETS[0],
    }
    .to_owned()
}

/// With every variable of `.env.example` set.
fn environment(plan: &Plan) -> Environment {
    let files: BTreeMap<String, String> = plan.files().into_iter().map(|file| (file.path, file.text)).collect();
    let named: Vec<(String, String)> = files[".env.example"]
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{line:?} is no variable"));
            assert_eq!(value, "", "{name} has a value that somebody would use");
            (name.to_owned(), value_of(name, plan))
        })
        .collect();
    assert_eq!(named.len(), variables(plan).len());
    Environment::from_iter(named.iter().map(|(name, value)| (&**name, &**value)))
}

fn loaded(name: &str, text: &str, environment: &Environment) -> Loaded {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hookhaven.toml");
    fs::write(&path, text).unwrap();
    let origin = Origin { file: Some(path), ..Origin::default() };
    load(origin, environment).unwrap_or_else(|refused| panic!("{name}: {refused}\n{text}"))
}

/// Accepted, and warned of nothing that the file does not speak of.
fn holds(name: &str, plan: &Plan) -> Loaded {
    let text = plan.files().into_iter().find(|file| file.path == "hookhaven.toml").unwrap().text;
    let loaded = loaded(name, &text, &environment(plan));
    let joined = text.replace("\n# ", " ");
    for warning in &loaded.warnings {
        let meant = MEANT.iter().any(|(what, said)| warning.what.contains(what) && joined.contains(said));
        assert!(meant, "{name}: {warning}");
    }
    let wide = text.lines().find(|line| line.starts_with("# ") && line.chars().count() > 100);
    assert_eq!(wide.filter(|line| line.split_whitespace().count() > 2), None, "{name}");
    loaded
}

#[test]
fn the_set_up_of_every_intake_is_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hookhaven-architect/tests/intakes");
    let mut held = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.display().to_string();
        // One of them is there to be incomplete.
        let Some(intake) = read(&name, &fs::read_to_string(&path).unwrap()) else { continue };
        let plan = Plan::of(intake);
        let config = holds(&name, &plan).config;
        assert_eq!(config.sources.len(), plan.design.sources.len());
        assert_eq!(config.routes.len(), plan.design.routes.len());
        held += 1;
    }
    assert!(held > 0);
}

/// A team with these senders, at some place.
fn team(senders: &[&str], planned: &[&str], more: &str) -> Intake {
    let table = |value: &str| senders.iter().map(|name| format!("{name} = {value}\n")).collect::<String>();
    let planned: Vec<String> = planned.iter().map(|name| format!("{{ sender = \"{name}\" }}")).collect();
    let text = format!(
        "senders = {senders:?}\nplanned = [{}]\n[volume]\n{}[processing]\n{}[idempotency]\n{}[latency]\n{}[existing]\n\
         state = \"synchronous\"\n[infrastructure]\nstack = [\"node\"]\n{more}\n",
        planned.join(", "),
        table("{ per_day = 1000, burst = { events = 60000, within = \"1m\" } }"),
        table("{ does = \"answer the user\", takes = \"90s\" }"),
        table("\"must\""),
        table("\"5m\""),
    );
    read("team.toml", &text).unwrap()
}

fn names() -> Vec<&'static str> {
    senders::TABLE.iter().map(|sender| sender.name).collect()
}

#[test]
fn every_sender_and_one_that_nobody_knows_can_be_set_up_at_every_place() {
    let hosts = ["serverless", "machine", "containers", "kubernetes", "platform"];
    for (n, some) in names().chunks(20).enumerate() {
        let mut some = some.to_vec();
        some.push("nobody-knows");
        let more = format!(
            "hosting = \"there\"\nhost = \"{}\"\nnodes = {}\nalerts = [\"slack\", \"pagerduty\", \"webhook\", \"email\"]\n\
             [requirements]\nretention = \"90d\"\nregulated = \"the law\"",
            hosts[n % hosts.len()],
            n % 2 + 1
        );
        holds(hosts[n % hosts.len()], &Plan::of(team(&some, &[], &more)));
    }
}

#[test]
fn every_order_that_is_chosen_is_one_that_can_be_had() {
    let (mut latest, mut fifo) = (0, 0);
    for name in names() {
        for (kind, newest) in [(OrderKind::Strict, false), (OrderKind::Wished, true)] {
            let mut intake =
                team(&[name], &[], "hosting = \"one machine\"\npublic_url = \"https://hooks.example.com\"");
            let sender = &mut intake.senders[0];
            sender.events = sender.sender.into_iter().flat_map(|d| d.conduct.whole).map(|t| (*t).to_owned()).collect();
            sender.once.all = Once::Nice;
            (sender.processing.effects, sender.processing.answers_user) = (vec![Effect::Database], false);
            (sender.ordering.all.kind, sender.ordering.all.newest) = (kind, newest);
            let plan = Plan::of(intake);
            let orders = plan.design.routes.iter().map(|route| &route.ordering.value);
            latest += orders.clone().filter(|order| matches!(order, OrderingDesign::Latest { .. })).count();
            fifo += orders.filter(|order| matches!(order, OrderingDesign::Fifo { .. })).count();
            holds(name, &plan);
        }
    }
    assert!(latest > 5 && fifo > 50, "{latest} {fifo}");
}

#[test]
fn planned_senders_are_accepted_once_their_marks_are_taken_off() {
    for some in names().chunks(30) {
        let some: Vec<&str> = some.iter().copied().filter(|name| *name != "stripe").chain(["nobody-knows"]).collect();
        let more = "hosting = \"one machine\"\npublic_url = \"https://hooks.example.com/here\"";
        let text = plan_text(&team(&["stripe"], &some, more));
        let setting =
            |line: &str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        let mut planned = false;
        let uncommented: String = text
            .lines()
            .map(|line| {
                planned = (planned || line.contains(" is to come")) && !line.is_empty();
                let bare = line.strip_prefix("# ").filter(|line| planned && setting(line));
                format!("{}\n", bare.unwrap_or(line))
            })
            .collect();
        // Handlers of the planned share what they sign with.
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        for sender in some.iter().chain(&["stripe"]) {
            let plan = Plan::of(team(&[sender], &[], more));
            let own = hookhaven_architect::config::variables(&plan);
            variables.extend(own.into_iter().map(|v| (v.name.clone(), value_of(&v.name, &plan))));
        }
        let environment = Environment::from_iter(variables.iter().map(|(name, value)| (&**name, &**value)));
        let config = loaded("planned", &uncommented, &environment).config;
        assert_eq!(config.sources.len(), some.len() + 1, "{uncommented}");
    }
}

fn plan_text(intake: &Intake) -> String {
    let files = Plan::of(intake.clone()).files();
    files.into_iter().find(|file| file.path == "hookhaven.toml").unwrap().text
}
