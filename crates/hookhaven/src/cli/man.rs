//! `hookhaven man`: a page for `man` of every command, as files.

use std::{fs, path::Path, process::ExitCode};

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_mangen::Man;

use super::args::{Cli, ManArgs};

pub fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let out = &args.out;
    fs::create_dir_all(out).with_context(|| format!("cannot make the directory {}", out.display()))?;
    let pages = pages()?;
    for (name, page) in &pages {
        let file = out.join(name);
        fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
    }
    println!("Wrote {} pages to {}; man {} shows the first.", pages.len(), out.display(), first(out).display());
    Ok(ExitCode::SUCCESS)
}

fn first(out: &Path) -> std::path::PathBuf {
    out.join("hookhaven.1")
}

/// Files' names and what stands in them: one for each command and subcommand.
fn pages() -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut cli = Cli::command();
    cli.build();
    let mut pages = Vec::new();
    page(&cli, "hookhaven", &mut pages)?;
    Ok(pages)
}

fn page(command: &clap::Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    // Building gave each its whole name: `hookhaven-dlq-replay` for the page, with blanks for who types it.
    let man = Man::new(command.clone()).title(name.to_uppercase());
    let man = man.source(concat!("hookhaven ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render(&mut text)?;
    pages.push((format!("{name}.1"), text));
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        page(sub, &format!("{name}-{}", sub.get_name()), pages)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(command: &clap::Command, path: &str, all: &mut Vec<String>) {
        all.push(path.to_owned());
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            paths(sub, &format!("{path}-{}", sub.get_name()), all);
        }
    }

    #[test]
    fn every_command_has_a_page_that_says_how_it_is_used() {
        let mut wanted = Vec::new();
        paths(&Cli::command(), "hookhaven", &mut wanted);
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("man1");
        run(&ManArgs { out: out.clone() }).unwrap();
        for path in &wanted {
            let page = fs::read_to_string(out.join(format!("{path}.1"))).unwrap_or_else(|e| panic!("{path}: {e}"));
            for part in [".SH NAME", ".SH SYNOPSIS", ".TH "] {
                assert!(page.contains(part), "{path} has no {part}");
            }
        }
        assert_eq!(fs::read_dir(&out).unwrap().count(), wanted.len());
        let page = fs::read_to_string(out.join("hookhaven-dlq-replay.1")).unwrap();
        assert!(page.contains("Example") && page.contains("destination"), "{page}");
    }
}
