//! What holds for every answer: the same answers give the same bytes, and an answer that is changed changes only what
//! says that it depends on it.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use hookhaven_architect::{
    Plan,
    explain::{self, Explained},
    intake::{self, Given},
};

const WORKED: &str = include_str!("intakes/worked.toml");
/// The worked intake says nothing of these; a change begins by saying it.
const MORE: &str = "\n[requirements]\nretention = \"60d\"\nregulated = \"payments\"\nbudget_per_month = 40\n";

/// An answer's path, how it stands in the file, and another that is as good.
const CHANGES: &[(&str, &str, &str)] = &[
    ("planned", "in_months = 6", "in_months = 2"),
    ("planned", "sender = \"twilio\"", "sender = \"shopify\""),
    ("events.stripe", ", \"charge.dispute.created\"]", "]"),
    ("events.github", "\"push\", \"pull_request\"", "\"push\", \"issues\""),
    ("volume.stripe.per_day", "per_day = 5000", "per_day = 7000"),
    ("volume.stripe.per_day", "per_day = 5000", "per_day = 500000"),
    ("volume.stripe.peak_day", "peak_day = 20000", "peak_day = 40000000"),
    ("volume.stripe.burst", "peak_day = 20000", "peak_day = 20000, burst = { events = 90000, within = \"1m\" }"),
    ("volume.stripe.body", "peak_day = 20000", "peak_day = 20000, body = \"2MiB\""),
    ("volume.github.per_day", "per_day = 500 }", "per_day = 90000 }"),
    ("volume.slack", "{ per_day = 1000 }", "20"),
    ("processing.stripe", "send e-mail, log to analytics", "charge the card"),
    ("processing.github", "\"trigger CI workflows\"", "{ does = \"trigger CI workflows\", takes = \"40s\" }"),
    ("processing.slack", "answer mentions, log activity", "log activity"),
    ("idempotency.stripe", "stripe = \"must\"", "stripe = \"no\""),
    ("idempotency.github", "{ push = \"must\" }", "{ workflow_run = \"must\" }"),
    ("idempotency.slack", "slack  = \"nice\"", "slack  = \"must\""),
    ("ordering.stripe", "ideally; the sender does not promise it", "strictly"),
    ("latency.stripe", "stripe = \"30s\"", "stripe = \"5m\""),
    ("latency.stripe", "stripe = \"30s\"", "stripe = \"300ms\""),
    ("latency.github", "github = \"2m\"", "github = \"1h\""),
    ("latency.slack", "app_mention = \"5s\"", "app_mention = \"1m\""),
    ("infrastructure.stack", "\"fastify\", \"postgres\"", "\"express\""),
    ("infrastructure.stack", "\"redis\", \"bullmq\"", "\"redis\""),
    ("infrastructure.hosting", "serverless functions; a long-running service is being considered", "Kubernetes"),
    ("infrastructure.downtime", "[existing]", "downtime = \"12h\"\n[existing]"),
    ("infrastructure.nodes", "[existing]", "nodes = 3\n[existing]"),
    ("infrastructure.public_url", "[existing]", "public_url = \"https://hooks.example.com\"\n[existing]"),
    ("infrastructure.handler_url", "[existing]", "handler_url = \"http://10.0.0.7:8000\"\n[existing]"),
    ("infrastructure.proxy", "[existing]", "proxy = \"nginx\"\n[existing]"),
    ("infrastructure.alerts", "[existing]", "alerts = [\"slack\"]\n[existing]"),
    ("existing.state", "\"synchronous handler\"", "\"a queue on Redis; signatures are not verified\""),
    ("existing.state", "\"synchronous handler\"", "\"a mature pipeline\""),
    ("existing.incidents", ", \"an event was processed twice, two times\"]", "]"),
    ("requirements.retention", "\"60d\"", "\"20d\""),
    ("requirements.regulated", "\"payments\"", "\"health records\""),
    ("requirements.budget_per_month", "budget_per_month = 40", "budget_per_month = 60"),
];

/// Another answer to it that is enough either way.
const SHOWS_NOWHERE: &str = "requirements.budget_per_month";

fn plan(text: &str) -> Plan {
    let read = intake::read(Path::new("intake.toml"), text, &Given::new());
    let errors: Vec<_> = read.problems.iter().filter(|problem| problem.is_error()).collect();
    assert!(errors.is_empty() && read.missing.is_empty(), "{errors:?} {:?}", read.missing);
    Plan::of(read.intake.unwrap())
}

/// Whether an answer that something names is the one at `path`, holds it or is held by it.
fn names(answer: &str, path: &str) -> bool {
    let within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
    answer == path || within(path, answer) || within(answer, path)
}

/// Choices by what they are of; those of a route once for each of its types, for routes are put together and apart.
fn choices(plan: &Plan) -> BTreeMap<String, Explained> {
    let mut all = BTreeMap::new();
    for choice in explain::choices(plan) {
        let parts = choice.of.split_once('[').and_then(|(head, rest)| Some((head, rest.rsplit_once(']')?)));
        let Some((head, (types, tail))) = parts else {
            all.insert(choice.of.clone(), choice);
            continue;
        };
        for name in types.split(", ").flat_map(|part| part.split(" and ")) {
            all.insert(format!("{head}[{name}]{tail}"), choice.clone());
        }
    }
    all
}

fn rests_on(choice: &Explained, path: &str) -> bool {
    choice.answers.iter().any(|answer| names(&answer.path, path))
}

/// Choices that came out otherwise and do not say that they rest on the answer.
fn strayed_choices(before: &Plan, after: &Plan, path: &str) -> Vec<String> {
    let (before, after) = (choices(before), choices(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let of_events = path.strip_prefix("events.").map(|sender| format!("routes.{sender}["));
    let strayed = |key: &&&String| {
        let (was, is) = (before.get(**key), after.get(**key));
        let said = |choice: Option<&Explained>| choice.map(|c| (c.value.clone(), c.why.clone()));
        // Routes for types that are named or no longer named come and go with them.
        let comes_or_goes = of_events.as_ref().is_some_and(|routes| key.starts_with(routes)) && said(was) != said(is);
        let stays = said(was) == said(is);
        !stays && !comes_or_goes && ![was, is].into_iter().flatten().any(|choice| rests_on(choice, path))
    };
    let told = |key: &String| {
        let of = |choices: &BTreeMap<String, Explained>| choices.get(key).map(|c| format!("{} ({})", c.value, c.why));
        format!("{key}: {:?} became {:?}", of(&before), of(&after))
    };
    keys.iter().filter(strayed).map(|key| told(key)).collect()
}

/// The same of findings.
fn strayed_findings(before: &Plan, after: &Plan, path: &str) -> Vec<String> {
    let all = |plan: &Plan| -> BTreeMap<(String, String, String), Vec<String>> {
        let key = |f: &hookhaven_architect::Finding| (f.rule.id.to_owned(), f.text.clone(), f.mend.clone());
        plan.findings.iter().map(|finding| (key(finding), finding.answers.clone())).collect()
    };
    let (before, after) = (all(before), all(after));
    let gone = before.iter().filter(|(key, _)| !after.contains_key(*key));
    let new = after.iter().filter(|(key, _)| !before.contains_key(*key));
    let strayed = |answers: &Vec<String>| !answers.iter().any(|answer| names(answer, path));
    gone.chain(new).filter(|(_, answers)| strayed(answers)).map(|(key, a)| format!("{key:?} names {a:?}")).collect()
}

/// Whether a file may come out otherwise with an answer. The report repeats every answer; what one sender's handlers do
/// is no other's.
fn may_change(path: &str, file: &str) -> bool {
    let (table, sender) = path.split_once('.').unwrap_or((path, ""));
    let sender = sender.split('.').next().unwrap();
    let config = file == "hookhaven.toml" || file == ".env.example" || file.starts_with("deploy/");
    let stem = file.rsplit('/').next().unwrap().split('.').next().unwrap();
    let of_another = ["stripe", "github", "slack"].iter().any(|name| *name != sender && stem == *name);
    let of_all = ["infrastructure", "requirements"].contains(&table);
    let handlers = file.starts_with("handlers/") && (of_all || !of_another);
    file.starts_with("report.")
        || match table {
            "existing" => false,
            "planned" | "volume" => config,
            _ => config || handlers,
        }
}

fn files(plan: &Plan) -> BTreeMap<String, String> {
    plan.files().into_iter().map(|file| (file.path, file.text)).collect()
}

fn strayed_files(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>, path: &str) -> Vec<String> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    changed.filter(|key| !may_change(path, key)).cloned().collect()
}

#[test]
fn an_answer_that_is_changed_changes_only_what_says_that_it_rests_on_it() {
    let text = format!("{WORKED}{MORE}");
    let before = plan(&text);
    let files_before = files(&before);
    let mut wrong = Vec::new();
    for (path, from, to) in CHANGES {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        let after = plan(&text.replace(from, to));
        let files_after = files(&after);
        let strayed = [
            strayed_choices(&before, &after, path),
            strayed_findings(&before, &after, path),
            strayed_files(&files_before, &files_after, path),
        ];
        let all: Vec<String> = strayed.concat();
        wrong.extend(all.into_iter().map(|what| format!("{path} → {to}\n    {what}")));
        let shows = files_before != files_after;
        assert_eq!(shows, *path != SHOWS_NOWHERE, "{path} → {to}");
    }
    assert!(wrong.is_empty(), "{} strayed:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_answer_of_the_intake_is_among_those_that_are_changed() {
    let plan = plan(&format!("{WORKED}{MORE}"));
    let leaves = plan
        .intake
        .answers
        .by_path
        .keys()
        .filter(|path| !plan.intake.answers.by_path.keys().any(|other| other.starts_with(&format!("{path}."))));
    // A sender more or less is another set-up.
    let untouched: Vec<&String> = leaves
        .filter(|path| *path != "senders")
        .filter(|path| !CHANGES.iter().any(|(changed, ..)| names(changed, path)))
        .collect();
    assert_eq!(untouched, ["events.slack"], "said once more for Slack, it would show nothing new");
}

#[test]
fn the_same_answers_give_the_same_bytes() {
    let once = plan(WORKED);
    assert_eq!(once.files(), plan(WORKED).files());
    let paths: Vec<String> = once.files().into_iter().map(|file| file.path).collect();
    let each: BTreeSet<&String> = paths.iter().collect();
    assert_eq!(each.len(), paths.len(), "each path once: {paths:?}");
    // Neither comments nor how a table is written are answers.
    let rewritten = WORKED.replace("github = { per_day = 500 }", "# so\ngithub = { per_day = 5_00 }");
    assert_eq!(once.files().len(), plan(&rewritten).files().len());
}
