//! `docs/api.md` is true: its tables and examples are made from the description of the API.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use super::document::operations;
use crate::api::{CODES, docs_page::example, document};

const MARK: &str = "<!-- What follows is written by: ";

/// What stands below the mark: the codes, then each resource with its operations and a command.
fn made() -> String {
    let mut text = "\n| code | status | what it says |\n|---|---|---|\n".to_owned();
    for code in CODES {
        writeln!(text, "| `{}` | {} | {} |", code.code, code.status.as_u16(), code.title).unwrap();
    }
    let mut resources: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (path, method, said) in operations() {
        resources.entry(said["tags"][0].as_str().unwrap()).or_default().push((path, method, said));
    }
    text.push_str("\n## Resources\n");
    for (resource, operations) in resources {
        write!(text, "\n### {resource}\n\n| operation | needs | |\n|---|---|---|\n").unwrap();
        for (path, method, said) in &operations {
            let (scope, summary) = (said["x-scope"].as_str().unwrap_or("no token"), said["summary"].as_str().unwrap());
            writeln!(text, "| `{} {path}` | {scope} | {summary} |", method.to_uppercase()).unwrap();
        }
        // What writes shows more than what reads.
        let (path, method, said) = operations.iter().find(|(_, method, _)| *method != "get").unwrap_or(&operations[0]);
        write!(text, "\n```\n{}\n```\n", example(document(), path, method, said)).unwrap();
    }
    text
}

#[test]
fn the_guide_names_every_code_and_operation() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
    let text = fs::read_to_string(&file).unwrap();
    let begin = text.find(MARK).expect("the mark");
    let begin = begin + text[begin..].find('\n').unwrap() + 1;
    if std::env::var_os("HOOKHAVEN_WRITE_DOCS").is_some() {
        fs::write(&file, text[..begin].to_owned() + &made()).unwrap();
        return;
    }
    assert!(
        text[begin..] == made(),
        "docs/api.md is behind the code: {} writes it",
        &text[text.find(MARK).unwrap()..begin]
    );
}
