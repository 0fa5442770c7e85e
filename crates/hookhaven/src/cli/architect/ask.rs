//! Asking for what is missing, one by one: why it is asked, what is taken if nobody knows, an example on request.
//!
//! Not here: what is asked (`hookhaven_architect::intake`), what becomes of the answers.

use std::io::{BufRead, Read as _};

use hookhaven_architect::intake::{self, Given, Intake, Question, Read};

use super::{Source, clean};
use crate::{
    cli::print::{Colour, Screen},
    config::{Problem, Refused},
};

/// Of a line that is typed: more than any answer may have.
const LINE_BYTES_MAX: u64 = 8_192;
/// Answers in a row that cannot be read.
const TRIES_MAX: usize = 20;

/// `None`: whoever sat there gave up; `given` holds what was answered until then.
///
/// # Errors
/// What is wrong with the file, which nobody can answer away.
pub fn ask(
    source: &Source,
    given: &mut Given,
    defaults: bool,
    keyboard: &mut dyn BufRead,
    screen: &mut Screen,
) -> anyhow::Result<Option<Intake>> {
    let read = |given: &Given| {
        let read = if defaults { intake::read_with_defaults } else { intake::read };
        read(&source.name, &source.text, given)
    };
    let mut so_far = read(given);
    if so_far.problems.iter().any(Problem::is_error) {
        return Err(Refused { problems: so_far.problems }.into());
    }
    for problem in &so_far.problems {
        screen.remark(clean(&problem.to_string()));
    }
    // Without a file nothing was left out on purpose.
    let offers = !source.found && !defaults;
    if next(&so_far, offers).is_some() {
        screen.remark(
            "Return takes what stands in brackets, ? shows an example, < goes back to the question before, Ctrl-D stops \
             and keeps what was answered.",
        );
    }
    let mut answered: Vec<String> = Vec::new();
    while let Some(question) = next(&so_far, offers).cloned() {
        let path = question.path.clone();
        let mut asking = Asking { question, keyboard: &mut *keyboard, screen: &mut *screen };
        match asking.until_readable(given, &read)? {
            Came::Answer(read) => {
                answered.push(path);
                so_far = *read;
            }
            // What is asked first is what was answered last: everything before it has its answer.
            Came::Back => {
                if let Some(before) = answered.pop() {
                    given.remove(&before);
                    so_far = read(given);
                }
            }
            Came::Nothing => return Ok(None),
        }
    }
    Ok(so_far.intake)
}

/// What came of asking.
enum Came {
    /// With the answer, which stands in `given` then.
    Answer(Box<Read>),
    /// The question before is to be asked again.
    Back,
    Nothing,
}

fn next(read: &Read, offers: bool) -> Option<&Question> {
    read.missing.first().or_else(|| read.offered.first().filter(|_| offers))
}

struct Asking<'a> {
    question: Question,
    keyboard: &'a mut dyn BufRead,
    screen: &'a mut Screen,
}

impl Asking<'_> {
    fn until_readable(&mut self, given: &mut Given, read: &dyn Fn(&Given) -> Read) -> anyhow::Result<Came> {
        self.put()?;
        for _ in 0..TRIES_MAX {
            let default = self.question.default.clone();
            let Some(typed) = self.line()? else { return Ok(Came::Nothing) };
            let answer = match typed.as_str() {
                "<" => return Ok(Came::Back),
                "?" => {
                    let line = self.question.example_line();
                    self.screen.remark(format!("  For example: {}\n  In a file: {line}", self.question.typed));
                    None
                }
                "" if default.is_some() => default.clone(),
                "" => {
                    self.screen.remark("  There is nothing to take here; an answer is needed. ? shows an example.");
                    None
                }
                typed => match self.question.toml(typed) {
                    Ok(toml) => Some(toml),
                    Err(why) => {
                        self.screen.remark(format!("  {}", clean(&why)));
                        None
                    }
                },
            };
            if let Some(answer) = answer {
                given.insert(self.question.path.clone(), answer.clone());
                let now = read(given);
                if !self.is_doubtful(&now, default.as_ref() == Some(&answer)) {
                    return Ok(Came::Answer(Box::new(now)));
                }
                given.remove(&self.question.path);
                // What was only doubted may be kept by pressing return.
                if !now.problems.iter().any(|problem| problem.is_error() && self.is_about(problem)) {
                    self.question.default = Some(answer);
                }
            }
            self.prompt()?;
        }
        self.screen.remark(format!("  None of {TRIES_MAX} answers could be read."));
        Ok(Came::Nothing)
    }

    /// Says what is wrong with the answer. A warning is taken back by saying the same again.
    fn is_doubtful(&mut self, read: &Read, again: bool) -> bool {
        let problems: Vec<&Problem> =
            read.problems.iter().filter(|p| self.is_about(p) && (p.is_error() || !again)).collect();
        for problem in &problems {
            let mend = if problem.mend.is_empty() { String::new() } else { format!("; {}", problem.mend) };
            self.screen.remark(clean(&format!("  {}{mend}", problem.what)));
        }
        !problems.is_empty()
    }

    fn is_about(&self, problem: &Problem) -> bool {
        let below = problem.key.strip_prefix(&self.question.path);
        problem.file.is_none() && below.is_some_and(|below| below.is_empty() || below.starts_with(['.', '[']))
    }

    fn put(&mut self) -> anyhow::Result<()> {
        let ask = self.screen.paint(Colour::Bold, &clean(&self.question.ask));
        self.screen.remark(format!("\n{ask}\n  Asked because {}.", self.question.why));
        self.prompt()
    }

    fn prompt(&mut self) -> anyhow::Result<()> {
        let default = self.question.default_typed().map(|default| match default.as_str() {
            "" => "[nothing] ".to_owned(),
            default => format!("[{}] ", clean(default)),
        });
        self.screen.prompt(&format!("{}> ", default.unwrap_or_default()))
    }

    fn line(&mut self) -> anyhow::Result<Option<String>> {
        let mut bytes = Vec::new();
        (&mut *self.keyboard).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            self.screen.remark("");
            return Ok(None);
        }
        if bytes.len() as u64 == LINE_BYTES_MAX {
            // The rest of the line is no answer to the next question. What is refused as too long may be cut anywhere.
            self.keyboard.skip_until(b'\n')?;
        }
        Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
    }
}
