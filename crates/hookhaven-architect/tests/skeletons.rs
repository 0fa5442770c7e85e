//! Handler skeletons as files: whole, the same each time, and standing on what the tests install. That they run is shown
//! end to end (`crates/hookhaven/tests/e2e/skeletons`).

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use hookhaven_architect::{
    File, Plan,
    intake::{self, Framework, Given},
    skeletons,
};

const FRAMEWORKS: [Framework; 7] = [
    Framework::Fastify,
    Framework::Express,
    Framework::Next,
    Framework::FastApi,
    Framework::Django,
    Framework::Axum,
    Framework::Go,
];

fn plan() -> Plan {
    let read = intake::read(Path::new("skeletons.toml"), include_str!("intakes/skeletons.toml"), &Given::default());
    assert!(read.missing.is_empty() && read.problems.is_empty(), "{:?} {:?}", read.missing, read.problems);
    Plan::of(read.intake.unwrap())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text<'f>(files: &'f [File], path: &str) -> &'f str {
    &files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}")).text
}

#[test]
fn every_file_is_there_once_and_whole() {
    let files = skeletons::files(&plan());
    let mut paths = BTreeSet::new();
    for file in &files {
        assert!(file.path.starts_with("handlers/") && paths.insert(&file.path), "{}", file.path);
        assert!(file.text.ends_with('\n') && !file.text.ends_with("\n\n"), "{}: its end", file.path);
        assert!(!file.text.lines().any(|line| line.ends_with(' ')), "{}: blanks at a line's end", file.path);
    }
    assert_eq!(files, skeletons::files(&plan()), "the same answers give the same bytes");
    for folder in ["fastify", "express", "next", "fastapi", "django", "axum", "go"] {
        for own in ["README.md", "schema.sql"] {
            assert!(paths.contains(&format!("handlers/{folder}/{own}")), "{folder}: {own}");
        }
    }
}

/// However a team calls its sources: words of a language, names that differ by a hyphen.
#[test]
fn every_name_of_a_source_is_one_of_a_file_and_of_a_function() {
    let names = r#"senders = ["index", "for", "self", "is", "a-1", "a1"]"#;
    let read = intake::read_with_defaults(Path::new("names.toml"), names, &Given::default());
    let plan = Plan::of(read.intake.unwrap_or_else(|| panic!("{:?} {:?}", read.missing, read.problems)));
    for framework in FRAMEWORKS {
        let files = skeletons::project(&plan, framework);
        let paths: BTreeSet<_> = files.iter().map(|file| &file.path).collect();
        assert_eq!(paths.len(), files.len(), "{paths:?}");
    }
    let files = FRAMEWORKS.map(|framework| skeletons::project(&plan, framework)).concat();
    let node = text_of_import(text(&files, "handlers/fastify/handlers/index.js"));
    assert_eq!(node.iter().collect::<BTreeSet<_>>().len(), 6, "{node:?}");
    let python = text(&files, "handlers/django/handlers/__init__.py");
    assert!(python.contains("from handlers import a1, a_1, for_, index, is_, self\n"), "{python}");
    let rust = text(&files, "handlers/axum/src/handlers/mod.rs");
    assert!(rust.contains("mod a1;\nmod a_1;\nmod for_;\nmod index;\nmod is;\nmod self_;\n"), "{rust}");
    let go = text(&files, "handlers/go/sources.go");
    assert!(["a1Events{}", "a_1Events{}"].iter().all(|name| go.contains(name)), "{go}");
}

fn text_of_import(index: &str) -> Vec<&str> {
    index.lines().filter_map(|line| line.strip_prefix("import { handle as ")?.split(' ').next()).collect()
}

#[test]
fn only_the_frameworks_named_are_written_for() {
    let mut plan = plan();
    plan.intake.infrastructure.frameworks = vec![Framework::FastApi];
    assert!(skeletons::files(&plan).iter().all(|file| file.path.starts_with("handlers/fastapi/")));
    plan.intake.infrastructure.frameworks.clear();
    assert_eq!(skeletons::files(&plan), []);
}

/// What a type says stands in literals alone: with all of those taken out, the code is the same as for a harmless one.
#[test]
fn a_hostile_type_stays_in_its_literal() {
    let with = |event_type: &str| {
        let mut plan = plan();
        for route in &mut plan.design.routes {
            route.events = vec![event_type.to_owned()];
        }
        FRAMEWORKS.map(|framework| skeletons::project(&plan, framework)).concat()
    };
    let bare = |file: &File| {
        let mut out = String::new();
        let mut chars = file.text.chars();
        while let Some(c) = chars.next() {
            out.push(c);
            if c != '"' {
                continue;
            }
            // To the end of the literal, past what is escaped.
            while let Some(c) = chars.next() {
                match c {
                    '\\' => drop(chars.next()),
                    '"' => break,
                    _ => {}
                }
            }
        }
        out
    };
    let calm = with("evil.x.y");
    for hostile in ["evil\"); x(\"y", "evil\\\"; x(); \"y", "evil */ x \n y", "evil\u{2028}x${`y", "evil\"\"\"x'''y"] {
        for (one, other) in with(hostile).iter().zip(&calm) {
            let is_code = !one.path.ends_with(".md");
            assert!(!is_code || bare(one) == bare(other), "{hostile:?} gets out in {}\n{}", one.path, one.text);
        }
    }
}

#[test]
fn state_is_kept_and_effects_are_decided_as_the_answers_say() {
    let files = skeletons::files(&plan());
    let stripe = text(&files, "handlers/fastify/handlers/stripe.js");
    for expected in [
        "if (isAny(event.type, [\"payment_intent.succeeded\"])) return onPaymentIntentSucceeded(event, tx);",
        "if (await keepNewest(tx, event)) {\n    await enqueueNewest(tx, event, \"fulfilment\");\n  }",
        "await enqueue(tx, event, \"mail\");",
        "await enqueue(tx, event, \"record\");",
        "a dead letter of these wakes somebody",
    ] {
        assert!(stripe.contains(expected), "no {expected} in\n{stripe}");
    }
    let github = text(&files, "handlers/fastify/handlers/github.js");
    assert!(!github.contains("keepNewest") && github.contains("enqueue(tx, event, \"build\")"), "{github}");
    // As the gateway's header says it, which holds ASCII alone.
    assert!(github.contains(r##""it's-\"odd\"*/#??""##), "{github}");
}

/// Slack shows people what it is answered, so `handled` would be said to them; Stripe shows nobody.
#[test]
fn whoever_waits_is_not_told_how_it_went() {
    let files = skeletons::files(&plan());
    for (sources, reply) in [
        ("handlers/express/handlers/index.js", "reply: replySlack,"),
        ("handlers/django/handlers/__init__.py", "reply=slack.reply,"),
        ("handlers/axum/src/handlers/mod.rs", "reply: Some(slack::reply),"),
        ("handlers/go/sources.go", "slackEvents{}.reply,"),
    ] {
        let text = text(&files, sources);
        let others = ["replyStripe", "stripe.reply", "stripe::reply", "stripeEvents{}.reply"]
            .iter()
            .any(|other| text.contains(other));
        assert!(!others && text.contains(reply), "{text}");
    }
}

/// A handler listens where the gateway delivers to.
#[test]
fn the_port_is_the_one_of_the_answers() {
    let mut plan = plan();
    for (url, expected) in
        [("http://127.0.0.1:8000", "PORT=8000 npm start"), ("https://in.example", "PORT=3000 npm start")]
    {
        plan.intake.infrastructure.handler_url = url.to_owned();
        let files = skeletons::project(&plan, Framework::Express);
        let readme = text(&files, "handlers/express/README.md");
        assert!(readme.contains(expected), "{url}: {readme}");
    }
}

#[test]
fn a_team_without_postgresql_is_told_what_it_takes() {
    let mut plan = plan();
    let told = |plan: &Plan| {
        let files = skeletons::project(plan, Framework::Django);
        text(&files, "handlers/django/README.md").contains("Your answers name no PostgreSQL")
    };
    assert!(!told(&plan));
    plan.intake.infrastructure.has_postgres = false;
    assert!(told(&plan));
}

/// It is a member of the workspace, so that it is compiled with what is compiled anyway.
#[test]
fn the_axum_project_of_the_workspace_is_what_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generated/axum");
    for file in skeletons::project(&plan(), Framework::Axum) {
        let path = folder.join(file.path.strip_prefix("handlers/axum/").unwrap());
        if std::env::var_os("HOOKHAVEN_WRITE_SNAPSHOTS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &file.text).unwrap();
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == file.text,
            "{} is not what is written now: HOOKHAVEN_WRITE_SNAPSHOTS=1 writes it anew",
            path.display()
        );
    }
}

/// What is generated and what the tests install have the same versions, so that what is tested is what is shipped.
#[test]
fn what_they_stand_on_is_what_the_tests_install() {
    let files = skeletons::files(&plan());
    let installed = fs::read_to_string(root().join("tests-clients/package.json")).unwrap();
    for folder in ["fastify", "express", "next"] {
        let package = text(&files, &format!("handlers/{folder}/package.json"));
        let dependencies = package.split_once("\"dependencies\": {").unwrap().1.split_once('}').unwrap().0;
        for line in dependencies.lines().map(str::trim).filter(|line| !line.is_empty()) {
            // Of Next.js only the shape of its route handlers is needed.
            let is_next = ["next", "react"].iter().any(|name| line.starts_with(&format!("\"{name}")));
            assert!(is_next || installed.contains(line.trim_end_matches(',')), "{folder}: {line}");
        }
    }
    let installed = fs::read_to_string(root().join("tests-clients/requirements.txt")).unwrap();
    for folder in ["fastapi", "django"] {
        let project = text(&files, &format!("handlers/{folder}/pyproject.toml"));
        for wanted in project.split('"').filter(|part| part.contains("==")) {
            let plain = wanted.replace("[binary]", "");
            let is_locked = installed.lines().any(|line| line.split(' ').next() == Some(&plain));
            assert!(is_locked, "{folder}: {wanted} is not locked");
        }
    }
}
