//! What is missing as lines of the file, each behind its question: pasted as they are, they answer it.
//!
//! Not here: what is missing (`read`), putting real answers into a file (`written`).

use std::path::Path;

use toml::de::DeTable;

use super::{Given, Question, read};

/// For a file with this text. Where senders are among what is missing, what will be asked of those in the example follows.
pub fn template(text: &str, missing: &[Question]) -> String {
    let senders = missing.iter().find(|question| question.path == "senders");
    let given: Given = senders.iter().map(|q| (q.path.clone(), q.example.to_owned())).collect();
    let more = read(Path::new("intake.toml"), text, &given).missing;
    let questions: Vec<&Question> =
        if senders.is_some() { senders.into_iter().chain(&more).collect() } else { missing.iter().collect() };
    let root = DeTable::parse(text).ok();
    let is_there = |table: &str| root.as_ref().is_some_and(|root| root.get_ref().contains_key(table));
    let says_more = root.as_ref().is_some_and(|root| !root.get_ref().is_empty());
    let mut tables: Vec<(&str, String)> = Vec::new();
    for question in questions {
        let (table, key) = question.path.split_once('.').unwrap_or(("", &question.path));
        let lines = format!("# {}\n{key} = {}\n", question.ask, question.example);
        match tables.iter_mut().find(|(known, _)| *known == table) {
            Some((_, all)) => all.push_str(&lines),
            None => tables.push((table, lines)),
        }
    }
    let whole = |(table, lines): (&str, String)| match table {
        "" if says_more => format!("# At the top, before every table:\n{lines}"),
        "" => lines,
        table if is_there(table) => format!("# Below [{table}], which is there:\n{lines}"),
        table => format!("[{table}]\n{lines}"),
    };
    tables.into_iter().map(whole).collect::<Vec<_>>().join("\n")
}
