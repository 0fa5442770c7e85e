//! How far `listen` came: the cursor behind which everything is over, and what is over already of what would come
//! again with it. Kept in memory, and in a file if one is named.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use hookhaven_core::EventId;
use serde::{Deserialize, Serialize};

/// Events that are over and remembered by id: what a cursor may bring again, at 160 a second.
const DONE_MAX: usize = 10_000;

/// What is begun, in the order of the stream, and what is over.
#[derive(Debug, Default)]
pub(super) struct Progress {
    cursor: Option<String>,
    done: VecDeque<EventId>,
    begun: VecDeque<Begun>,
}

#[derive(Debug)]
struct Begun {
    id: EventId,
    /// What goes on behind it.
    cursor: String,
    over: bool,
}

impl Progress {
    pub fn begun(&mut self, id: EventId, cursor: String) {
        self.begun.push_back(Begun { id, cursor, over: false });
    }

    /// There is nothing behind what was begun but this cursor.
    pub fn caught_up(&mut self, cursor: String) {
        match self.begun.back_mut() {
            Some(last) => last.cursor = cursor,
            None => self.cursor = Some(cursor),
        }
    }

    /// The cursor moves behind what is over from the beginning on.
    pub fn over(&mut self, id: EventId) {
        if let Some(begun) = self.begun.iter_mut().find(|begun| begun.id == id) {
            begun.over = true;
            self.done.push_back(id);
        }
        while self.begun.front().is_some_and(|begun| begun.over) {
            self.cursor = self.begun.pop_front().map(|begun| begun.cursor);
        }
        while self.done.len() > DONE_MAX {
            self.done.pop_front();
        }
    }

    pub fn cursor(&self) -> Option<String> {
        self.cursor.clone()
    }

    pub fn done(&self) -> Vec<String> {
        self.done.iter().map(EventId::to_string).collect()
    }
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// A cursor of another gateway means nothing.
    gateway: String,
    cursor: Option<String>,
    done: VecDeque<EventId>,
}

pub(super) struct StateFile {
    path: PathBuf,
    gateway: String,
}

impl StateFile {
    pub fn new(path: PathBuf, gateway: &str) -> Self {
        StateFile { path, gateway: gateway.to_owned() }
    }

    /// Nothing, if there is no file yet.
    pub fn read(&self) -> anyhow::Result<Progress> {
        let text = match std::fs::read_to_string(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Progress::default()),
            read => read.with_context(|| format!("reading {}", self.path.display()))?,
        };
        let of_others = || format!("{} is no state of `listen`; name another file", self.path.display());
        let kept: Kept = serde_json::from_str(&text).with_context(of_others)?;
        anyhow::ensure!(
            kept.gateway == self.gateway,
            "{} says how far it came with {}, not with {}; name another file",
            self.path.display(),
            kept.gateway,
            self.gateway
        );
        Ok(Progress { cursor: kept.cursor, done: kept.done, begun: VecDeque::new() })
    }

    /// Whole or not at all.
    pub fn write(&self, progress: &Progress) -> anyhow::Result<()> {
        let kept = Kept { gateway: self.gateway.clone(), cursor: progress.cursor(), done: progress.done.clone() };
        let draft = draft(&self.path);
        let written =
            std::fs::write(&draft, serde_json::to_vec(&kept)?).and_then(|()| std::fs::rename(&draft, &self.path));
        written.with_context(|| format!("writing {}", self.path.display()))
    }
}

fn draft(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> EventId {
        EventId::from_bytes([n; 16])
    }

    #[test]
    fn the_cursor_waits_for_the_first_that_is_not_over() {
        let mut progress = Progress::default();
        for n in 1..=3 {
            progress.begun(id(n), format!("c{n}"));
        }
        progress.over(id(2));
        assert_eq!(progress.cursor(), None, "the first is not over");
        assert_eq!(progress.done(), [id(2).to_string()]);
        progress.over(id(1));
        assert_eq!(progress.cursor().as_deref(), Some("c2"));
        progress.caught_up("c4".into());
        assert_eq!(progress.cursor().as_deref(), Some("c2"), "the third may yet be lost");
        progress.over(id(3));
        assert_eq!(progress.cursor().as_deref(), Some("c4"));
        progress.caught_up("c5".into());
        assert_eq!(progress.cursor().as_deref(), Some("c5"));
    }

    #[test]
    fn a_file_brings_back_how_far_it_came_with_the_same_gateway() {
        let dir = tempfile::tempdir().unwrap();
        let file = |gateway: &str| StateFile::new(dir.path().join("state.json"), gateway);
        let mut progress = file("http://a").read().unwrap();
        progress.begun(id(1), "c1".into());
        progress.over(id(1));
        file("http://a").write(&progress).unwrap();
        let back = file("http://a").read().unwrap();
        assert_eq!((back.cursor(), back.done()), (progress.cursor(), progress.done()));
        let refused = file("http://b").read().unwrap_err().to_string();
        assert!(refused.contains("http://a") && refused.contains("http://b"), "{refused}");
        std::fs::write(dir.path().join("state.json"), "something else").unwrap();
        assert!(file("http://a").read().unwrap_err().to_string().contains("no state of `listen`"));
    }
}
