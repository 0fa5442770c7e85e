//! Files of a set-up, put on disk: all of them or none, and nothing of anybody's replaced unasked.
//!
//! Not here: what stands in them.

use std::{
    fs,
    io::ErrorKind,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, bail};
use hookhaven_architect::File;

use crate::cli::{UsageError, print::count};

/// Files that a message names.
const NAMED_MAX: usize = 20;

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// With `/` between its parts, below the directory.
    pub path: String,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    New,
    /// It was there, with the same text.
    Same,
    Replaced,
}

/// `own`: a file that may be replaced, since what is in it was read.
///
/// # Errors
/// `UsageError` if something else is there and `force` was not said. Whatever the error, nothing is changed then.
pub fn place(out: &Path, files: &[File], force: bool, own: Option<&str>) -> anyhow::Result<Vec<Placed>> {
    let found: Vec<Found<'_>> = files.iter().map(|file| Found::of(out, file)).collect::<anyhow::Result<_>>()?;
    let differs: Vec<&str> = found
        .iter()
        .filter(|found| found.fate() == Fate::Replaced && Some(&*found.file.path) != own)
        .map(|found| &*found.file.path)
        .collect();
    if !differs.is_empty() && !force {
        return Err(UsageError(refusal(out, &differs)).into());
    }
    let changed: Vec<&Found<'_>> = found.iter().filter(|found| found.fate() != Fate::Same).collect();
    let mut undo = Undo { made: Vec::new(), drafts: Vec::new(), placed: Vec::new() };
    if let Err(error) = undo.write(&changed) {
        undo.back();
        return Err(error);
    }
    Ok(found.iter().map(|found| Placed { path: found.file.path.clone(), fate: found.fate() }).collect())
}

fn refusal(out: &Path, differs: &[&str]) -> String {
    let mut named = differs.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    if differs.len() > NAMED_MAX {
        named.push_str(&format!(" and {} more", differs.len() - NAMED_MAX));
    }
    format!(
        "{} in {} would be replaced, and nothing was written: {named}; --force replaces, another --out keeps them",
        count(differs.len() as u64, "file"),
        out.display()
    )
}

/// A file, and what is where it goes.
struct Found<'f> {
    file: &'f File,
    target: PathBuf,
    there: Option<Vec<u8>>,
}

impl<'f> Found<'f> {
    fn of(out: &Path, file: &'f File) -> anyhow::Result<Self> {
        let path = Path::new(&file.path);
        if file.path.is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
            bail!("{:?} does not lie below the directory", file.path);
        }
        let target = out.join(path);
        // What is no file may be one that reading waits for.
        let there = match fs::metadata(&target) {
            Ok(found) if !found.is_file() => bail!("cannot write {}: what is there is no file", target.display()),
            Ok(_) => Some(fs::read(&target)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => Some(Err(error)),
        };
        let there = there.transpose().with_context(|| format!("cannot write {}", target.display()))?;
        Ok(Found { file, target, there })
    }

    fn fate(&self) -> Fate {
        match &self.there {
            None => Fate::New,
            Some(bytes) if bytes == self.file.text.as_bytes() => Fate::Same,
            Some(_) => Fate::Replaced,
        }
    }

    /// Where it is written first, beside where it goes.
    fn draft(&self) -> PathBuf {
        let name = self.target.file_name().unwrap_or_default().to_string_lossy();
        self.target.with_file_name(format!(".{name}.architect"))
    }
}

/// What was done so far, so that it can be taken back.
struct Undo {
    made: Vec<PathBuf>,
    drafts: Vec<PathBuf>,
    /// With what was there before.
    placed: Vec<(PathBuf, Option<Vec<u8>>)>,
}

impl Undo {
    fn write(&mut self, files: &[&Found<'_>]) -> anyhow::Result<()> {
        for found in files {
            let cannot = || format!("cannot write {}", found.target.display());
            self.make_directory(found.target.parent().unwrap_or(Path::new("."))).with_context(cannot)?;
            let draft = found.draft();
            self.drafts.push(draft.clone());
            fs::write(&draft, &found.file.text).with_context(cannot)?;
        }
        for found in files {
            let cannot = || format!("cannot write {}", found.target.display());
            fs::rename(found.draft(), &found.target).with_context(cannot)?;
            self.placed.push((found.target.clone(), found.there.clone()));
        }
        Ok(())
    }

    fn make_directory(&mut self, path: &Path) -> std::io::Result<()> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.make_directory(parent)?;
        }
        fs::create_dir(path)?;
        self.made.push(path.to_owned());
        Ok(())
    }

    /// As well as it goes: what failed may fail again, and the first error is the one to tell.
    fn back(self) {
        for (path, before) in self.placed {
            let _ = match before {
                Some(bytes) => fs::write(&path, bytes),
                None => fs::remove_file(&path),
            };
        }
        for draft in self.drafts {
            let _ = fs::remove_file(draft);
        }
        for directory in self.made.into_iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File::new(path, text)
    }

    fn all_below(dir: &Path) -> Vec<String> {
        let mut all = Vec::new();
        let mut next = vec![dir.to_owned()];
        while let Some(at) = next.pop() {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                all.push(path.strip_prefix(dir).unwrap().display().to_string());
                if path.is_dir() {
                    next.push(path);
                }
            }
        }
        all.sort();
        all
    }

    #[test]
    fn new_files_are_written_and_the_same_are_left() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("a/b");
        let files = [file("x", "1\n"), file("deploy/y", "2\n")];
        let fates = |placed: Vec<Placed>| placed.into_iter().map(|placed| placed.fate).collect::<Vec<_>>();
        assert_eq!(fates(place(&out, &files, false, None).unwrap()), [Fate::New, Fate::New]);
        assert_eq!(fates(place(&out, &files, false, None).unwrap()), [Fate::Same, Fate::Same]);
        assert_eq!(all_below(&out), ["deploy", "deploy/y", "x"], "no drafts are left");
        assert_eq!(fs::read_to_string(out.join("deploy/y")).unwrap(), "2\n");
    }

    #[test]
    fn what_differs_is_named_and_stays_unless_forced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x"), "mine").unwrap();
        let files = [file("w", "0\n"), file("x", "1\n")];
        let error = place(dir.path(), &files, false, None).unwrap_err();
        assert!(error.is::<UsageError>() && error.to_string().contains("x; --force"), "{error}");
        assert_eq!(all_below(dir.path()), ["x"], "nothing was written");
        assert_eq!(fs::read_to_string(dir.path().join("x")).unwrap(), "mine");
        place(dir.path(), &files, false, Some("x")).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("x")).unwrap(), "1\n");
        fs::write(dir.path().join("x"), "mine").unwrap();
        let placed = place(dir.path(), &files, true, None).unwrap();
        assert_eq!(placed[1].fate, Fate::Replaced);
        assert_eq!(fs::read_to_string(dir.path().join("x")).unwrap(), "1\n");
    }

    #[test]
    fn what_cannot_be_finished_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x"), "mine").unwrap();
        // A directory that is in the way of the last file's draft.
        fs::create_dir(dir.path().join(".z.architect")).unwrap();
        let files = [file("x", "1\n"), file("new/y", "2\n"), file("z", "3\n")];
        place(dir.path(), &files, true, None).unwrap_err();
        assert_eq!(all_below(dir.path()), [".z.architect", "x"]);
        assert_eq!(fs::read_to_string(dir.path().join("x")).unwrap(), "mine");
        let below_a_file = place(&dir.path().join("x"), &[file("y", "")], true, None).unwrap_err();
        assert!(below_a_file.to_string().starts_with("cannot write ") && !below_a_file.is::<UsageError>());
        fs::create_dir(dir.path().join("report.md")).unwrap();
        let no_file = place(dir.path(), &[file("w", ""), file("report.md", "")], true, None).unwrap_err();
        assert!(no_file.to_string().ends_with("report.md: what is there is no file"), "{no_file}");
        assert!(!dir.path().join("w").exists());
        for outside in ["../x", "/x", "", "a/../../x"] {
            assert!(place(dir.path(), &[file(outside, "")], true, None).is_err(), "{outside}");
        }
    }
}
