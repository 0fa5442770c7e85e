//! What pages tell people to type can be typed: the commands and options that the README and `docs/` name are there.
//!
//! Not here: what comes of it. The blocks of the guides are executed from end to end (`tests/e2e/guides`).

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Command, CommandFactory as _};

use crate::cli::args::Cli;

fn pages() -> Vec<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut all = vec![root.join("README.md")];
    for folder in ["docs", "docs/guides"] {
        let files = fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap().path());
        all.extend(files.filter(|file| file.extension().is_some_and(|ending| ending == "md")));
    }
    all
}

/// Code: each line of a block, and each span within the text, which may go on in the next line.
fn code(page: &str) -> Vec<String> {
    let (mut all, mut text, mut inside) = (Vec::new(), String::new(), false);
    for line in page.replace("\\\n", " ").lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            all.push(line.to_owned());
        } else {
            text.extend([line, " "]);
        }
    }
    all.extend(text.split('`').skip(1).step_by(2).map(str::to_owned));
    all
}

/// The words behind each `hookhaven` that begins a command.
fn commands(code: &str) -> Vec<Vec<&str>> {
    let begins = |before: &str| {
        let last = before.split_whitespace().next_back().unwrap_or_default();
        last.is_empty() || last.ends_with(['$', '|', ';', '&', '(', '`']) || last.contains('=')
    };
    let ends = |word: &str| matches!(word, "|" | ">" | ";" | "&&" | "#" | "…");
    let places = code.match_indices("hookhaven ").filter(|(place, _)| begins(&code[..*place]));
    places
        .map(|(place, name)| {
            let behind = code[place + name.len()..].split(['(', ')', '`', ';']).next().unwrap_or_default();
            behind.split_whitespace().take_while(|word| !ends(word)).collect()
        })
        .collect()
}

/// The first of the words that is neither a command, nor an option of its command. What else stands behind is up to the
/// reader; of `list|show` each has to be there.
fn unknown<'w>(cli: &Command, words: &[&'w str]) -> Option<&'w str> {
    let mut command = cli;
    for word in words.iter().map(|word| word.trim_matches(['[', ']', ','])) {
        if let Some(option) = word.strip_prefix("--") {
            let name = option.split('=').next();
            if !command.get_arguments().any(|argument| argument.get_long() == name) {
                return Some(word);
            }
        } else if command.has_subcommands() {
            for name in word.split('|') {
                match subcommand(command, name.trim_end_matches('\\')) {
                    Some(found) if name.len() == word.len() => command = found,
                    Some(_) => {}
                    None => return Some(word),
                }
            }
            if word.contains('|') {
                return None;
            }
        }
    }
    None
}

fn subcommand<'c>(command: &'c Command, name: &str) -> Option<&'c Command> {
    command.get_subcommands().find(|sub| sub.get_name() == name)
}

fn cli() -> Command {
    let mut cli = Cli::command();
    cli.build();
    cli
}

/// Of each command of a page, what of it there is not.
fn judged(cli: &Command, page: &str) -> Vec<Option<String>> {
    let judge = |code: String| {
        let judged = commands(&code).into_iter().map(|words| unknown(cli, &words));
        judged.map(|word| word.map(|word| format!("{word} in {}", code.trim()))).collect::<Vec<_>>()
    };
    code(page).into_iter().flat_map(judge).collect()
}

#[test]
fn every_command_that_a_page_names_is_there() {
    let (cli, mut seen) = (cli(), 0);
    for page in pages() {
        let judged = judged(&cli, &fs::read_to_string(&page).unwrap());
        seen += judged.len();
        assert_eq!(judged.into_iter().flatten().next(), None, "{}", page.display());
    }
    assert!(seen > 500, "only {seen} were found");
}

#[test]
fn one_that_is_not_there_is_found() {
    let cli = cli();
    for (page, word) in [
        ("`hookhaven evens list`", "evens in "),
        ("a `hookhaven\nevents lst`", "lst in "),
        ("```sh\n$ hookhaven events list --sorce a\n```", "--sorce in "),
        ("```sh\nfor a in $(hookhaven dlq lost); do\n```", "lost in "),
        ("```sh\nA=b hookhaven \\\n  dlq list --jso\n```", "--jso in "),
        ("| `hookhaven dlq list\\|shew` |", "list\\|shew in "),
    ] {
        let judged = judged(&cli, page);
        assert!(matches!(&judged[..], [Some(found)] if found.starts_with(word)), "{page}: {judged:?}");
    }
    let page = "`hookhaven dlq list --json > file`, the file hookhaven evens, `A=b hookhaven audit --who \"$(c --d)\"`";
    assert_eq!(judged(&cli, page), [None, None]);
}
