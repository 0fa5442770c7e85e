//! `docs/cli.md` is what clap says, and what clap says is whole. `HOOKHAVEN_WRITE_DOCS=1` writes it anew.

use std::{fmt::Write as _, path::Path};

use clap::{Command, CommandFactory as _};

use crate::cli::args::Cli;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");

const HEAD: &str = "\
# The command line

Generated from the binary's own `--help`; `hookhaven man --out DIR` writes the same as pages for `man`, `hookhaven
completions SHELL` what a shell completes.

- *Which gateway*: commands that look or act talk to the running gateway by its admin address, from `--url` or the config
  file, with the token of the data directory, `--token` or `HOOKHAVEN_ADMIN_TOKEN`. For one elsewhere `hookhaven login`
  keeps a token by address; `HOOKHAVEN_URL` stands in for `--url`.
- *For programs*: `--json` wherever something is listed, shown or counted; results go to standard output, remarks and
  questions to standard error; colour and progress bars only on a terminal, and no colour with `NO_COLOR` set. Tables are
  as wide as the terminal, and whole where there is none.
- *Exit codes*: 0 it was done, 1 it failed (no gateway answers, nothing of that id, some of the work failed), 2 the
  command line or the configuration is wrong. What a command means by 1 beyond that stands below.
";

fn leaves<'c>(command: &'c Command, path: &str, all: &mut Vec<(String, &'c Command)>) {
    let path = if path.is_empty() { command.get_name().to_owned() } else { format!("{path} {}", command.get_name()) };
    if !command.has_subcommands() {
        all.push((path, command));
        return;
    }
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        leaves(sub, &path, all);
    }
}

fn reference() -> String {
    let mut cli = Cli::command();
    cli.build();
    let mut all = Vec::new();
    leaves(&cli, "", &mut all);
    let mut text = HEAD.to_owned();
    text.push_str("\n## Shared options\n\nOne that a command has no use for is refused by it.\n\n");
    for option in cli.get_arguments().filter(|argument| argument.is_global_set()) {
        line(&mut text, option);
    }
    for (path, command) in all {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").lines().map(str::trim).collect::<Vec<_>>().join("\n");
        let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
        let _ = write!(text, "\n## {path}\n\n{about}.\n\n```\n{usage}\n```\n\n");
        let own = |argument: &&clap::Arg| !argument.is_global_set() && !argument.is_hide_set();
        for argument in
            command.get_arguments().filter(own).filter(|a| !["help", "version"].contains(&a.get_id().as_str()))
        {
            line(&mut text, argument);
        }
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let after: Vec<&str> = after.lines().map(str::trim_end).collect();
        let _ = write!(text, "\n```\n{}\n```\n", after.join("\n"));
    }
    text
}

fn line(text: &mut String, argument: &clap::Arg) {
    let mut name = argument.get_long().map(|long| format!("--{long}")).unwrap_or_default();
    if argument.get_action().takes_values() {
        let values: Vec<String> =
            argument.get_value_names().unwrap_or_default().iter().map(|v| v.to_string()).collect();
        let values = if values.is_empty() { argument.get_id().as_str().to_uppercase() } else { values.join(" ") };
        name = format!("{name} {values}").trim().to_owned();
    }
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let choices: Vec<String> = argument.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect();
    let choices = if choices.is_empty() || !argument.get_action().takes_values() {
        String::new()
    } else {
        format!(" ({})", choices.join(", "))
    };
    let _ = writeln!(text, "- `{name}`: {help}{choices}");
}

#[test]
fn the_reference_is_what_the_binary_says() {
    let wanted = reference();
    #[expect(clippy::disallowed_methods, reason = "told by whoever writes the page anew")]
    if std::env::var("HOOKHAVEN_WRITE_DOCS").is_ok() {
        std::fs::write(FILE, &wanted).unwrap();
    }
    let there = std::fs::read_to_string(Path::new(FILE)).unwrap_or_default();
    let differs = wanted.lines().zip(there.lines()).find(|(wanted, there)| wanted != there);
    let write = "HOOKHAVEN_WRITE_DOCS=1 cargo test -p hookhaven --lib reference";
    assert!(wanted == there, "docs/cli.md is not what the binary says ({differs:?}); write it anew: {write}");
}

#[test]
fn what_lists_or_shows_prints_json_too() {
    let cli = Cli::command();
    let mut all = Vec::new();
    leaves(&cli, "", &mut all);
    let looks = |path: &str, about: &str| {
        path.ends_with(" list")
            || path.ends_with(" show")
            || ["List", "Show"].iter().any(|word| about.starts_with(word))
    };
    let mut seen = 0;
    for (path, command) in all {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        if looks(&path, &about) {
            assert!(command.get_arguments().any(|argument| argument.get_id() == "json"), "{path} has no --json");
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen}");
}
