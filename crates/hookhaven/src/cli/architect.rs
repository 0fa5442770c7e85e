//! `hookhaven architect`: from a team's answers to a set-up that it can run.
//!
//! Answers come from a file and, at a terminal, from whoever sits there (`ask`); everything that follows from them is
//! decided in `hookhaven_architect`, which is pure; files go to disk all or none (`place`); what is said of it at the end
//! is `show`'s. Not here: running any of it.

mod ask;
mod place;
mod show;
#[cfg(test)]
mod tests;

use std::{
    io::{self, BufRead, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use hookhaven_architect::{
    File, Plan, config, deploy,
    intake::{self, FILE_BYTES_MAX, Given, Intake, Question},
    report, skeletons,
};
use hookhaven_store::clock::{Clock, SystemClock};

use super::{
    Context, DONE, FAILED, UsageError,
    args::{ArchitectArgs, Part},
    print::{Screen, clean, clean_lines},
};
use crate::config::Refused;

/// Where the answers are kept beside what was made from them.
const INTAKE_FILE: &str = "intake.toml";

pub fn run(args: &ArchitectArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let mut screen = Screen::of(context, SystemClock::start().now());
    let source = Source::of(args)?;
    let from_input = args.intake.as_deref() == Some(Path::new("-"));
    let person = io::stdin().is_terminal() && !from_input;
    let mut keyboard = io::stdin().lock();
    let code = act(args, source, person.then_some(&mut keyboard as &mut dyn BufRead), &mut screen)?;
    Ok(ExitCode::from(code))
}

/// Where answers were written down.
struct Source {
    /// As problems name it.
    name: PathBuf,
    text: String,
    /// Whether anything was there to be read.
    found: bool,
}

impl Source {
    fn of(args: &ArchitectArgs) -> anyhow::Result<Source> {
        let beside = || args.out.as_ref().map(|out| out.join(INTAKE_FILE)).filter(|path| path.is_file());
        let Some(path) = args.intake.clone().or_else(beside) else {
            return Ok(Source { name: PathBuf::from(INTAKE_FILE), text: String::new(), found: false });
        };
        // One byte more than is read: what is too long is said to be.
        let limit = FILE_BYTES_MAX as u64 + 1;
        let mut bytes = Vec::new();
        let done = if path == Path::new("-") {
            io::stdin().lock().take(limit).read_to_end(&mut bytes)
        } else {
            std::fs::File::open(&path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
        };
        done.map_err(|error| UsageError(format!("cannot read {}: {error}", path.display())))?;
        let text = String::from_utf8(bytes).or_else(|error| {
            let whole = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            // Cut within a character: it is refused for its length.
            if bytes.len() > FILE_BYTES_MAX {
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
            let line = bytes[..whole].iter().filter(|c| **c == b'\n').count() + 1;
            Err(UsageError(format!("{}:{line}: this is not UTF-8; save the file as UTF-8", path.display())))
        })?;
        Ok(Source { name: path, text, found: true })
    }
}

/// `keyboard`: who answers, if somebody sits there.
fn act(
    args: &ArchitectArgs,
    source: Source,
    keyboard: Option<&mut dyn BufRead>,
    screen: &mut Screen,
) -> anyhow::Result<u8> {
    if args.example {
        screen.bytes(intake::EXAMPLE.as_bytes())?;
        return Ok(DONE);
    }
    let mut given = Given::new();
    let intake = match keyboard {
        Some(keyboard) => match ask::ask(&source, &mut given, args.defaults, keyboard, screen)? {
            Some(intake) => intake,
            None => return give_up(args, &source, &given, screen),
        },
        None => unasked(args, &source, screen)?,
    };
    let plan = Plan::of(intake);
    let placed = match &args.out {
        Some(out) => {
            let mut files = files(&plan, &args.only);
            files.push(File::new(INTAKE_FILE, whole(&source.text, &given)));
            match place::place(out, &files, args.force, own(&source, out)) {
                Ok(placed) => placed,
                Err(error) => {
                    if !given.is_empty() {
                        keep(args, &source, &given, screen)?;
                    }
                    return Err(error);
                }
            }
        }
        None => Vec::new(),
    };
    if args.out.is_none() && !given.is_empty() {
        screen
            .remark(format!("\nYour answers, to be kept in a file:\n\n{}", clean_lines(&whole(&source.text, &given))));
    }
    if screen.json {
        screen.value(&show::json(&plan, args.out.as_deref(), &placed))?;
        return Ok(DONE);
    }
    if args.explain {
        show::explain(&plan, screen)?;
    }
    show::summary(&plan, args.out.as_deref(), &placed, screen)?;
    Ok(DONE)
}

fn files(plan: &Plan, only: &[Part]) -> Vec<File> {
    let part = |part: &Part| match part {
        Part::Config => config::files(plan),
        Part::Report => report::files(plan),
        Part::Deploy => deploy::files(plan),
        Part::Skeletons => skeletons::files(plan),
    };
    if only.is_empty() { plan.files() } else { only.iter().flat_map(part).collect() }
}

/// Nobody can be asked: everything that is missing is told at once.
fn unasked(args: &ArchitectArgs, source: &Source, screen: &mut Screen) -> anyhow::Result<Intake> {
    let read = if args.defaults { intake::read_with_defaults } else { intake::read };
    let read = read(&source.name, &source.text, &Given::new());
    if read.problems.iter().any(crate::config::Problem::is_error) {
        return Err(Refused { problems: read.problems }.into());
    }
    for problem in &read.problems {
        screen.remark(clean(&problem.to_string()));
    }
    read.intake.ok_or_else(|| UsageError(missing(source, &read.missing)).into())
}

fn missing(source: &Source, questions: &[Question]) -> String {
    let n = questions.len();
    let (answers, them) = if n == 1 { ("1 answer is", "it") } else { ("answers are", "them") };
    let number = if n == 1 { String::new() } else { format!("{n} ") };
    let name = source.name.display().to_string();
    let place = if source.found { clean(&name).into_owned() } else { "an intake file".to_owned() };
    format!(
        "{number}{answers} missing; write {them} into {place}, answer at a terminal, or take the usual ones with \
         --defaults. Such as:\n\n{}",
        intake::template(&source.text, questions).trim_end()
    )
}

fn give_up(args: &ArchitectArgs, source: &Source, given: &Given, screen: &mut Screen) -> anyhow::Result<u8> {
    if given.is_empty() {
        screen.remark("Nothing was answered, and nothing is written.");
    } else {
        keep(args, source, given, screen)?;
    }
    Ok(FAILED)
}

/// Nothing that was typed is lost: where it cannot be kept, it is at least shown.
fn keep(args: &ArchitectArgs, source: &Source, given: &Given, screen: &mut Screen) -> anyhow::Result<()> {
    let text = whole(&source.text, given);
    let Some(out) = &args.out else {
        screen.remark("\nThe answers so far, to be kept in a file:\n");
        return screen.bytes(text.as_bytes());
    };
    match place::place(out, &[File::new(INTAKE_FILE, text.clone())], false, own(source, out)) {
        Ok(_) => {
            let path = out.join(INTAKE_FILE).display().to_string();
            // A file that was named is read again.
            let named = args.intake.is_some() && own(source, out).is_none();
            let command = if named { "the same command without its intake" } else { "the same command" };
            screen.remark(format!("The answers so far are in {}; {command} goes on from there.", clean(&path)));
            Ok(())
        }
        Err(why) => {
            screen.remark(format!("{}\nThe answers so far, to be kept in a file:\n", clean(&format!("{why:#}"))));
            screen.bytes(text.as_bytes())
        }
    }
}

/// The file with what was typed in it; what has no place there stands at its end, to be put right by hand.
fn whole(text: &str, given: &Given) -> String {
    intake::whole(text, given).unwrap_or_else(|| {
        let lines: String = given.iter().map(|(path, value)| format!("# {path} = {value}\n")).collect();
        format!("{}\n# Also answered; put it into its table:\n{lines}", text.trim_end())
    })
}

/// The file of answers in `out` may be replaced if it is the one that was read.
fn own(source: &Source, out: &Path) -> Option<&'static str> {
    is_same_file(&source.name, &out.join(INTAKE_FILE)).then_some(INTAKE_FILE)
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
