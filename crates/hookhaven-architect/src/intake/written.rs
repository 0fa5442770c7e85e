//! Answers as they were written, by path; and the file with more of them in it.
//!
//! A person's file stays as it is, comments and all: an answer is put where it belongs as text, and what comes of it is
//! read again and must say what both said. Not here: what answers mean (`read`).

use std::collections::BTreeMap;

use hookhaven_toml::document::path_of;
use toml::de::{DeTable, DeValue};

use super::Given;
use crate::words::one_line;

/// Of an answer as it is shown.
const SHOWN_CHARS_MAX: usize = 400;

/// What a new file begins with.
const HEAD: &str = "# A team's answers, from which `hookhaven architect` designs what to run.\n";

/// The order of tables in a new file.
const TABLES: [&str; 10] = [
    "senders",
    "events",
    "volume",
    "processing",
    "idempotency",
    "ordering",
    "latency",
    "infrastructure",
    "existing",
    "requirements",
];

/// Every value that stands in the table, by its path; tables too.
pub fn by_path(table: &DeTable<'_>) -> BTreeMap<String, String> {
    let mut answers = BTreeMap::new();
    collect(table, "", &mut answers);
    answers
}

fn collect(table: &DeTable<'_>, path: &str, answers: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let path = path_of(path, key.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            collect(inner, &path, answers);
        }
        answers.insert(path, one_line(&shown(value.get_ref()), SHOWN_CHARS_MAX));
    }
}

/// As it could stand in the file, without the quotes around texts.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(n) => n.to_string(),
        DeValue::Float(n) => n.to_string(),
        DeValue::Boolean(is) => is.to_string(),
        DeValue::Datetime(at) => at.to_string(),
        DeValue::Array(items) => items.iter().map(|item| shown(item.get_ref())).collect::<Vec<_>>().join(", "),
        DeValue::Table(inner) => {
            let all: Vec<String> =
                inner.iter().map(|(key, value)| format!("{} = {}", key.get_ref(), shown(value.get_ref()))).collect();
            format!("{{ {} }}", all.join(", "))
        }
    }
}

/// The file's text with these answers in it, where it says nothing of them. `None`: it has no place for one.
pub fn whole(text: &str, given: &Given) -> Option<String> {
    let begin = if text.trim().is_empty() && !given.is_empty() { HEAD } else { text };
    let rank = |path: &str| TABLES.iter().position(|table| path.split('.').next() == Some(table));
    let mut given: Vec<(&String, &String)> = given.iter().collect();
    given.sort_by_key(|(path, _)| rank(path));
    given.into_iter().try_fold(begin.to_owned(), |text, (path, value)| with(&text, path, value))
}

fn with(text: &str, path: &str, value: &str) -> Option<String> {
    let mut wanted = leaves(text)?;
    if wanted.keys().any(|key| key == path || key.starts_with(&format!("{path}."))) {
        return Some(text.to_owned());
    }
    let alone = leaves(&format!("{path} = {value}"))?;
    wanted.extend(alone);
    places(text, path, value).into_iter().find(|text| leaves(text).as_ref() == Some(&wanted))
}

/// Texts that may be it, the best first.
fn places(text: &str, path: &str, value: &str) -> Vec<String> {
    let Some((table, key)) = path.split_once('.') else {
        return vec![at_the_top(text, &format!("{path} = {value}\n"))];
    };
    let line = format!("{key} = {value}\n");
    let mut texts = Vec::new();
    if let Some(header) = header_of(text, table) {
        texts.push(insert(text, end_of_section(text, header), &line));
        texts.push(insert(text, header, &line));
    }
    let closed = if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    texts.push(format!("{closed}\n[{table}]\n{line}"));
    texts.push(at_the_top(text, &format!("{table}.{line}")));
    for (at, _) in text.match_indices('{') {
        let before = text[..at].trim_end().strip_suffix('=').map(str::trim_end);
        if before.is_some_and(|before| before.ends_with(table)) {
            texts.push(insert(text, at + 1, &format!(" {key} = {value} ")));
            texts.push(insert(text, at + 1, &format!(" {key} = {value},")));
        }
    }
    texts
}

fn insert(text: &str, at: usize, piece: &str) -> String {
    let (before, after) = text.split_at(at);
    let line_end =
        if before.is_empty() || before.ends_with(['\n', '\u{feff}']) || piece.starts_with(' ') { "" } else { "\n" };
    format!("{before}{line_end}{piece}{after}")
}

/// Before the first line that says something.
fn at_the_top(text: &str, line: &str) -> String {
    let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    // Some editors begin a file with a mark, which may stand nowhere else.
    let begin = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let at: usize = text[begin..].split_inclusive('\n').take_while(|line| !says(line)).map(str::len).sum();
    insert(text, begin + at, line)
}

/// Where the line after a table's header begins.
fn header_of(text: &str, table: &str) -> Option<usize> {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        let bare = line.split('#').next().unwrap_or_default().trim();
        let name = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::trim);
        if name == Some(table) {
            return Some(end);
        }
    }
    None
}

/// After the last line of a section that says something.
fn end_of_section(text: &str, header: usize) -> usize {
    let (mut at, mut end) = (header, header);
    for line in text[header..].split_inclusive('\n').take_while(|line| !line.starts_with('[')) {
        at += line.len();
        if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
            end = at;
        }
    }
    end
}

/// What a text says, apart from its form; `None` if it is not TOML.
fn leaves(text: &str) -> Option<BTreeMap<String, String>> {
    fn collect(table: &DeTable<'_>, path: &str, all: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let path = path_of(path, key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => collect(inner, &path, all),
                value => {
                    let kind = std::mem::discriminant(value);
                    all.insert(path, format!("{kind:?} {}", shown(value)));
                }
            }
        }
    }
    let root = DeTable::parse(text).ok()?;
    let mut all = BTreeMap::new();
    collect(root.get_ref(), "", &mut all);
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, path: &str, value: &str) -> Option<String> {
        whole(text, &Given::from([(path.to_owned(), value.to_owned())]))
    }

    #[test]
    fn an_answer_is_put_where_it_belongs_and_nothing_else_is_touched() {
        for (text, path, value, wanted) in [
            (
                "",
                "senders",
                "[\"stripe\"]",
                "# A team's answers, from which `hookhaven architect` designs what to run.\nsenders = [\"stripe\"]\n",
            ),
            ("# mine\n\n[volume]\n", "senders", "[\"a\"]", "# mine\n\nsenders = [\"a\"]\n[volume]\n"),
            (
                "[volume]   # a day\nstripe = 1 # so\n\n# next\n[latency]\n",
                "volume.github",
                "2",
                "[volume]   # a day\nstripe = 1 # so\ngithub = 2\n\n# next\n[latency]\n",
            ),
            ("a = 1", "volume.github", "2", "a = 1\n\n[volume]\ngithub = 2\n"),
            ("\u{feff}a = 1\n", "senders", "[]", "\u{feff}senders = []\na = 1\n"),
            ("a = 1\r\n[volume]\r\nb = 0x10\r\n", "volume.c", "2", "a = 1\r\n[volume]\r\nb = 0x10\r\nc = 2\n"),
            ("[volume]", "volume.github", "2", "[volume]\ngithub = 2\n"),
            ("volume = { stripe = 1 }\n", "volume.github", "2", "volume = { github = 2, stripe = 1 }\n"),
            ("volume = {}\n", "volume.github", "2", "volume = { github = 2 }\n"),
            ("volume.stripe = 1\n", "volume.github", "2", "volume.github = 2\nvolume.stripe = 1\n"),
            (
                "[volume.stripe]\nper_day = 1\n",
                "volume.github",
                "2",
                "[volume.stripe]\nper_day = 1\n\n[volume]\ngithub = 2\n",
            ),
            ("[volume]\ngithub = 3\n", "volume.github", "2", "[volume]\ngithub = 3\n"),
            (
                "[volume]\na = [\n[1],\n]\ntext = '''\n[volume]\n'''\n",
                "volume.b",
                "2",
                "[volume]\nb = 2\na = [\n[1],\n]\ntext = '''\n[volume]\n'''\n",
            ),
        ] {
            assert_eq!(one(text, path, value).as_deref(), Some(wanted), "{text:?} {path}");
        }
        assert_eq!(one("volume = 3\n", "volume.github", "2"), None, "no place");
        assert_eq!(one("[volume", "volume.github", "2"), None, "no TOML");
    }
}
