//! The config file: any text is taken or refused, never a panic. A refusal says what is wrong, in one line and
//! where; no secret is in any message; and what is taken once is taken again as the same.

use std::path::Path;

use hookhaven::config::{
    Environment,
    parse::{Parsed, parse},
};

/// Variables that an input may refer to.
const VARIABLES: [(&str, &str); 3] =
    [("TEXT", "never to be told 1"), ("BASE64", "whsec_bmV2ZXIgdG8gYmUgdG9sZCAy"), ("TOKEN", "never-to-be-told-3")];

/// An input is the file's text; what is not UTF-8 in it is replaced.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // Secrets are read from files, and this machine's are none of ours (nor do its terminals ever end).
    if text.contains("file:/") || text.contains("..") || text.contains("/dev") {
        return;
    }
    let parsed = read(&text);
    assert_eq!(parsed.config.is_none(), parsed.problems.iter().any(|p| p.is_error()));
    let lines = text.split('\n').count();
    for problem in &parsed.problems {
        assert!(!problem.what.trim().is_empty(), "a refusal without a word: {problem:?}");
        assert!(problem.position.is_some_and(|p| p.line >= 1 && p.line <= lines && p.column >= 1), "{problem:?}");
        let told = problem.to_string();
        assert!(!told.chars().any(char::is_control), "it is not one line: {told:?}");
    }
    let told = format!("{:?} {:?}", parsed.problems, parsed.config);
    for (_, secret) in VARIABLES {
        assert!(!told.contains(secret), "a secret is told");
    }
    same_again(&text, &parsed);
}

fn read(text: &str) -> Parsed {
    parse(Path::new("/nowhere/at/all/hookhaven.toml"), text, &Environment::from_iter(VARIABLES))
}

fn same_again(text: &str, first: &Parsed) {
    let again = read(text);
    assert_eq!(format!("{:?}", again.config), format!("{:?}", first.config));
    assert_eq!((&again.problems, &again.places), (&first.problems, &first.places));
    if first.config.is_some() {
        let more = read(&format!("{text}\n# a remark at the end changes nothing\n"));
        assert_eq!(format!("{:?}", more.config), format!("{:?}", first.config));
    }
}
