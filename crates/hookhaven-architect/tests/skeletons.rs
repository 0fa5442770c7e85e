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
        "if (await keepNewest(tx, event)) {\n    await enqueue(tx, event, \"fulfilment\");\n  }",
        "await enqueue(tx, event, \"mail\");",
        "await enqueue(tx, event, \"record\");",
        "a dead letter of these wakes somebody",
    ] {
        assert!(stripe.contains(expected), "no {expected} in\n{stripe}");
    }
    let github = text(&files, "handlers/fastify/handlers/github.js");
    assert!(!github.contains("keepNewest") && github.contains("enqueue(tx, event, \"build\")"), "{github}");
}

/// It is a member of the workspace, so that it is compiled with what is compiled anyway.
#[test]
fn the_axum_project_of_the_workspace_is_what_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generated/axum");
    for file in skeletons::project(&plan(), Framework::Axum) {
        let path = folder.join(file.path.strip_prefix("handlers/axum/").unwrap());
        #[expect(clippy::disallowed_methods, reason = "snapshots are written when asked for")]
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
