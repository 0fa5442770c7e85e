//! What people are shown of an intake is one: the example with all that stands in its comments, the page for users.
//!
//! Not here: what the reader makes of other intakes.

use hookhaven_architect::intake::EXAMPLE;

use crate::{read, whole};

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
    const PAGE: &str = include_str!("../../../../docs/architect.md");
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
