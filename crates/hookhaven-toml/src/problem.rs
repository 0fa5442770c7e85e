//! What is wrong with a file that somebody wrote: where, what, and how to mend it. One line each, all at once.
//!
//! Never a secret's value: problems are printed, logged and shown by `/readyz`.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// It is taken, and probably not what was meant.
    Warning,
}

/// A place in the file. Both count from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// Where keys stand in the file, for problems that show only when they are used: a port that is
/// taken, a directory that cannot be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    pub file: Option<PathBuf>,
    pub keys: BTreeMap<String, Position>,
}

impl Places {
    /// The problem with file and line, if its key stands in the file.
    pub fn locate(&self, problem: Problem) -> Problem {
        match self.keys.get(&problem.key) {
            Some(position) => Problem { file: self.file.clone(), position: Some(*position), ..problem },
            None => problem,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub severity: Severity,
    /// `None` where no file is to blame.
    pub file: Option<PathBuf>,
    /// `None` where the file as a whole is.
    pub position: Option<Position>,
    /// Such as `sources.stripe.secrets[0]`; empty where none is.
    pub key: String,
    pub what: String,
    /// How to put it right; empty where `what` says it all.
    pub mend: String,
}

impl Problem {
    /// A problem of the whole, not of a place in a file.
    pub fn of(severity: Severity, key: &str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Problem { severity, file: None, position: None, key: key.to_owned(), what: what.into(), mend: mend.into() }
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// As compilers print: `hookhaven.toml:12:3: sources.stripe.secret: unknown key; did you mean "secrets"?`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
            if let Some(Position { line, column }) = self.position {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        if !self.mend.is_empty() {
            write!(f, "; {}", self.mend)?;
        }
        Ok(())
    }
}

/// Problems that are printed; nobody mends more at a time.
const SHOWN_MAX: usize = 100;

/// A file that cannot be used. Prints every problem, one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// At least one error; warnings too.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of too many to show, those that refuse it matter.
        let too_many = self.problems.len() > SHOWN_MAX;
        let shown = self.problems.iter().filter(|problem| problem.is_error() || !too_many).take(SHOWN_MAX);
        let mut n = 0;
        for problem in shown {
            let line_end = if n > 0 { "\n" } else { "" };
            write!(f, "{line_end}{problem}")?;
            n += 1;
        }
        if too_many { write!(f, "\nand {} more", self.problems.len() - n) } else { Ok(()) }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_prints_its_problems_line_by_line_and_not_without_end() {
        let problem = Problem::of(Severity::Error, "a.b", "unknown key", "take it out");
        let warned = Problem { severity: Severity::Warning, mend: String::new(), ..problem.clone() };
        let refused = Refused { problems: vec![problem.clone(), warned.clone()] };
        assert_eq!(refused.to_string(), "a.b: unknown key; take it out\nwarning: a.b: unknown key");
        let many = |first: Problem| Refused { problems: [vec![first; SHOWN_MAX], vec![problem.clone(); 7]].concat() };
        let all = many(problem.clone()).to_string();
        assert_eq!((all.lines().count(), all.lines().last()), (SHOWN_MAX + 1, Some("and 7 more")));
        let hidden = many(warned).to_string();
        assert_eq!((hidden.lines().count(), hidden.lines().last()), (8, Some("and 100 more")));
    }
}
