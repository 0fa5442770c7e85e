//! Each rule fires for the answers that it says it fires for and rests for the others; a sound set-up is left alone.

#![allow(clippy::unwrap_used)]

mod common;

use std::{collections::BTreeSet, sync::LazyLock};

use hookhaven_architect::{
    Plan, intake,
    rules::{self, Rule, Severity},
};

/// Each rule with the plan of the answers that it fires for, and of those that it rests for.
static BY_RULE: LazyLock<Vec<(&Rule, [Plan; 2])>> =
    LazyLock::new(|| rules::all().map(|rule| (rule, [rule.fires_for, rule.rests_for].map(common::plan))).collect());

fn fires(rule: &Rule, plan: &Plan) -> bool {
    plan.findings.iter().any(|finding| finding.rule.id == rule.id)
}

#[test]
fn each_fires_for_what_it_says_and_rests_for_the_rest() {
    let mut wrong = Vec::new();
    for (rule, [with, without]) in BY_RULE.iter() {
        if !fires(rule, with) {
            wrong.push(format!("{} does not fire for {}", rule.id, rule.fires_for));
        }
        if fires(rule, without) {
            wrong.push(format!("{} fires for {}", rule.id, rule.rests_for));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ids_are_kebab_case_and_each_there_once() {
    let mut seen = BTreeSet::new();
    for rule in rules::all() {
        let plain = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(rule.id.chars().all(plain) && !rule.id.starts_with('-') && !rule.id.contains("--"), "{}", rule.id);
        assert!(seen.insert(rule.id), "{} is there twice", rule.id);
    }
}

/// Those that the rules bring, and those beside the tests.
fn plans() -> impl Iterator<Item = &'static Plan> {
    static BESIDE: LazyLock<Vec<(&str, Plan)>> = LazyLock::new(common::intakes);
    BY_RULE.iter().flat_map(|(_, plans)| plans).chain(BESIDE.iter().map(|(_, plan)| plan))
}

/// What a source is called is the team's own affair.
#[test]
fn rules_go_by_the_sender_and_not_by_the_name_of_its_source() {
    let ids = |senders: &str, name: &str| {
        let answers = "idempotency.NAME = \"must\"\nevents.NAME = [\"/deploy\", \"v1.a\", \"account.updated\"]";
        let plan = common::plan(&format!("senders = [{senders}]\n{}", answers.replace("NAME", name)));
        plan.findings.iter().map(|finding| finding.rule.id).collect::<Vec<_>>()
    };
    for declared in hookhaven_core::senders::TABLE {
        let name = declared.name;
        let renamed = ids(&format!("{{ name = \"our-source\", sender = \"{name}\" }}"), "our-source");
        assert_eq!(ids(&format!("\"{name}\""), name), renamed, "{name}");
    }
}

#[test]
fn every_brace_of_a_text_is_filled() {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    for plan in plans() {
        for rule in rules::all() {
            for firing in (rule.fires)(&plan.intake, &plan.design) {
                for part in [rule.text, rule.mend].iter().flat_map(|text| text.split('{').skip(1)) {
                    let name = part.split('}').next().unwrap();
                    let known = firing.values.iter().any(|(known, _)| *known == name);
                    assert!(known || !is_name(name), "{}: nothing fills {{{name}}}", rule.id);
                }
            }
        }
    }
}

#[test]
fn findings_are_whole_short_and_say_what_is_behind_them() {
    // Four hundred of the rule's own, and what the catalogue says of a sender.
    const CHARS_MAX: usize = 440;
    for plan in plans() {
        for finding in &plan.findings {
            let id = finding.rule.id;
            for text in [&finding.text, &finding.mend] {
                assert!(!text.contains("  ") && text.trim() == text && !text.is_empty(), "{id}: {text:?}");
                assert!(text.chars().count() <= CHARS_MAX, "{id} has {}: {text}", text.chars().count());
            }
            assert!(!finding.answers.is_empty(), "{id} says of no answer that it is behind it");
            if let Some(brief) = &finding.brief {
                let is_filled =
                    !brief.split('{').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
                assert!(is_filled && brief.chars().count() <= 300, "{id}: {brief}");
            }
        }
    }
}

/// The most of everything, at once, and of nothing.
#[test]
fn findings_stay_whole_for_absurd_answers() {
    let names: Vec<&str> =
        hookhaven_core::senders::TABLE.iter().map(|declared| declared.name).take(intake::SENDERS_MAX).collect();
    let each = |value: &str| names.iter().map(|name| format!("{name} = {value}\n")).collect::<String>();
    let intake = |volume: &str, takes: &str, latency: &str, rest: &str| {
        format!(
            "senders = {names:?}\n[volume]\n{}[processing]\n{}[idempotency]\n{}[latency]\n{}[ordering]\n{}{rest}",
            each(volume),
            each(&format!(
                "{{ does = \"{{sender}} charge the card, answer {{}}, deploy, mail it\", takes = \"{takes}\" }}"
            )),
            each("\"must\""),
            each(&format!("\"{latency}\"")),
            each("\"strictly in order\""),
        )
    };
    let most =
        "{ per_day = 10000000000, peak_day = 1, burst = { events = 10000000000, within = \"1s\" }, body = \"60MiB\" }";
    let rest = "[infrastructure]\nstack = [\"kafka {queue} käse 🦀\", \"redis\"]\nhosting = \"one vm\"\nnodes = 64\n\
                downtime = \"30d\"\npublic_url = \"http://127.0.0.1\"\nalerts = [\"slack\"]\n[existing]\n\
                state = \"synchronous\"\ntroubles = [\"timed-out\", \"twice\", \"lost\", \"overload\", \"out-of-order\"]\n\
                [requirements]\nretention = \"3650d\"\nregulated = \"{kept}\"\nbudget_per_month = 0\n";
    for text in [intake(most, "1d", "100ms", rest), intake(most, "1ms", "30d", rest), intake("0", "1ms", "100ms", "")] {
        let plan = common::plan(&text);
        assert!(!plan.findings.is_empty());
        for finding in &plan.findings {
            for text in [&finding.text, &finding.mend] {
                assert!(text.chars().count() <= 600, "{}: {text}", finding.rule.id);
                assert!(!text.contains("NaN") && !text.contains("inf "), "{}: {text}", finding.rule.id);
            }
        }
    }
}

#[test]
fn no_two_findings_say_the_same() {
    for (name, plan) in common::intakes() {
        let mut seen = BTreeSet::new();
        for finding in &plan.findings {
            assert!(seen.insert((finding.rule.id, finding.source.clone())), "{name}: {} twice", finding.rule.id);
        }
    }
}

/// All that can be said for it, and nothing that speaks against it.
const SOUND: &str = r#"
    senders = ["stripe", "github"]
    [events]
    stripe = ["payment_intent.*", "customer.subscription.*", "charge.dispute.*"]
    github = ["push"]
    [volume]
    stripe = { per_day = 5000, peak_day = 20000 }
    github = 500
    [processing]
    stripe = { does = "update the customer's row in the database", takes = "100ms" }
    github = { does = "write the push into a table", takes = "50ms" }
    [idempotency]
    stripe = "must"
    github = "nice"
    [latency]
    stripe = "30s"
    github = "2m"
    [infrastructure]
    stack = ["node 20", "fastify", "postgres"]
    hosting = "one virtual machine"
    public_url = "https://hooks.example.com"
    alerts = ["pagerduty", "slack"]
    downtime = "2m"
    [existing]
    state = "nothing yet"
    verifies = true
"#;

#[test]
fn a_sound_set_up_is_told_nothing_above_a_note() {
    let plan = Plan::of(common::read(SOUND));
    let grave: Vec<_> = plan.findings.iter().filter(|finding| finding.rule.severity > Severity::Note).collect();
    assert!(grave.is_empty(), "{grave:?}");
}

/// What differs between two intakes, by path, is behind each finding that differs between them.
#[test]
fn a_finding_names_every_answer_that_it_depends_on() {
    let mut wrong = Vec::new();
    let plain = common::plan("");
    for (_, [with, without]) in BY_RULE.iter() {
        for (a, b) in [(with, without), (with, &plain), (without, &plain)] {
            if a.design.needed.value != b.design.needed.value {
                continue; // The verdict decides what is worth telling at all.
            }
            let changed = changed(a, b);
            for finding in unlike(a, b).into_iter().chain(unlike(b, a)) {
                let named = |path: &&String| finding.answers.iter().any(|answer| covers(answer, path));
                if !changed.iter().any(|path| named(&path)) {
                    let answers = finding.answers.join(", ");
                    wrong.push(format!("{} names {answers}; what changed: {changed:?}", finding.rule.id));
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn changed(a: &Plan, b: &Plan) -> Vec<String> {
    let (a, b) = (&a.intake.answers.by_path, &b.intake.answers.by_path);
    let all: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    all.into_iter().filter(|path| a.get(*path) != b.get(*path)).cloned().collect()
}

fn unlike<'p>(plan: &'p Plan, other: &Plan) -> Vec<&'p rules::Finding> {
    let is_there = |finding: &rules::Finding| {
        let alike = |f: &rules::Finding| {
            (f.rule.id, &f.source, &f.text, &f.mend) == (finding.rule.id, &finding.source, &finding.text, &finding.mend)
        };
        other.findings.iter().any(alike)
    };
    plan.findings.iter().filter(|finding| !is_there(finding)).collect()
}

fn covers(answer: &str, path: &str) -> bool {
    let under = |a: &str, b: &str| a == b || a.strip_prefix(b).is_some_and(|rest| rest.starts_with('.'));
    under(answer, path) || under(path, answer)
}
