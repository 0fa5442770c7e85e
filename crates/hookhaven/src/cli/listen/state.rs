//! How far `listen` came: the cursor behind which everything is over, and what is over already of what would come
//! again with it. Kept in memory, and in a file if one is named.
//!
//! The file is a line of JSON that says how far it had come, and a line for each thing that happened since, appended
//! when it happens: *begun* before the event is posted, *over* when its answer is there. That one is on the disk before
//! anything else is done, so an event whose answer was recorded is never posted again, and one that was not begun or not
//! answered is never left out. What remains is the moment between the handler's answer and that line: an event that was
//! begun and is not over may have been handled; it is posted again, and is known for what it is (`is_unsure`).

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use hookhaven_core::EventId;
use serde::{Deserialize, Serialize};

/// A cursor may bring again what is older than itself by a minute; this is more.
const TOLD_AGAIN: Duration = Duration::from_secs(180);
/// Events that are over and remembered by id: as many as the stream's reader tells apart.
const DONE_MAX: usize = 200_000;
/// Lines after which the file is written anew.
const LINES_MAX: usize = 20_000;
/// Several times what that comes to: a longer file is another's.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What is begun, in the order of the stream, and what is over.
#[derive(Debug, Default)]
pub(super) struct Progress {
    cursor: Option<String>,
    /// Ids sort by time.
    done: BTreeSet<EventId>,
    begun: VecDeque<Begun>,
    /// Begun by a process that ended before they were over.
    unsure: HashSet<EventId>,
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
        }
        self.unsure.remove(&id);
        self.done.insert(id);
        while let Some(first) = self.begun.pop_front_if(|begun| begun.over) {
            let old = first.id.minted_at().minus(TOLD_AGAIN);
            self.cursor = Some(first.cursor);
            while self.done.first().is_some_and(|id| id.minted_at() < old) {
                self.done.pop_first();
            }
        }
        while self.done.len() > DONE_MAX {
            self.done.pop_first();
        }
    }

    /// Whether the handler may have had it from a process that ended before it knew.
    pub fn is_unsure(&self, id: EventId) -> bool {
        self.unsure.contains(&id)
    }

    pub fn cursor(&self) -> Option<String> {
        self.cursor.clone()
    }

    pub fn done(&self) -> Vec<String> {
        self.done.iter().map(EventId::to_string).collect()
    }

    fn apply(&mut self, line: Line) {
        match line {
            Line::Begun(id) => {
                self.unsure.insert(id);
            }
            Line::Over(id, cursor) => {
                self.unsure.remove(&id);
                self.done.insert(id);
                self.cursor = cursor.or(self.cursor.take());
            }
            Line::Cursor(cursor) => self.cursor = Some(cursor),
        }
    }
}

/// The file's first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// A cursor of another gateway means nothing.
    gateway: String,
    cursor: Option<String>,
    done: BTreeSet<EventId>,
    #[serde(default, skip_serializing_if = "HashSet::is_empty")]
    unsure: HashSet<EventId>,
}

/// What happened since.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Begun(EventId),
    /// With the cursor that stands then, if there is one.
    Over(EventId, Option<String>),
    Cursor(String),
}

/// The file, held by this process alone.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    gateway: String,
    file: File,
    lines: usize,
}

impl StateFile {
    /// Opens it, or makes it, and says how far it had come.
    ///
    /// # Errors
    /// Another process holds it; it is of another gateway, or of nobody; it cannot be read or written.
    pub fn open(path: PathBuf, gateway: &str) -> anyhow::Result<(StateFile, Progress)> {
        let file = open_held(&path)?;
        // Where it is now: a link to it stays, and so does the place when somebody changes directory.
        let path = path.canonicalize().with_context(|| format!("reading {}", path.display()))?;
        let progress = read(&contents(&file, &path)?, &path, gateway)?;
        let mut state = StateFile { path, gateway: gateway.to_owned(), file, lines: 0 };
        state.rewrite(&progress)?;
        Ok((state, progress))
    }

    /// Before it is posted.
    pub fn begun(&mut self, id: EventId, progress: &Progress) -> anyhow::Result<()> {
        self.append(&Line::Begun(id), progress)
    }

    /// When its answer is there, with what `progress` has come to by it. It is on the disk when this returns.
    pub fn over(&mut self, id: EventId, progress: &Progress) -> anyhow::Result<()> {
        self.append(&Line::Over(id, progress.cursor()), progress)?;
        self.file.sync_data().with_context(|| self.writing())
    }

    /// Nothing came, but the cursor moved.
    pub fn caught_up(&mut self, progress: &Progress) -> anyhow::Result<()> {
        match progress.cursor() {
            Some(cursor) => self.append(&Line::Cursor(cursor), progress),
            None => Ok(()),
        }
    }

    /// `progress` has it already.
    fn append(&mut self, line: &Line, progress: &Progress) -> anyhow::Result<()> {
        if self.lines >= LINES_MAX {
            return self.rewrite(progress);
        }
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.lines += 1;
        self.file.write_all(&text).with_context(|| self.writing())
    }

    /// One line again, whole or not at all.
    fn rewrite(&mut self, progress: &Progress) -> anyhow::Result<()> {
        // What is under way may have been handled when this is read again.
        let under_way = progress.begun.iter().filter(|begun| !begun.over).map(|begun| begun.id);
        let kept = Kept {
            gateway: self.gateway.clone(),
            cursor: progress.cursor(),
            done: progress.done.clone(),
            unsure: progress.unsure.iter().copied().chain(under_way).collect(),
        };
        let mut text = serde_json::to_vec(&kept)?;
        text.push(b'\n');
        let draft = draft(&self.path);
        let write = || {
            let mut file = OpenOptions::new().append(true).create(true).open(&draft)?;
            file.set_len(0)?;
            file.write_all(&text)?;
            file.sync_all()?;
            Ok::<_, std::io::Error>(file)
        };
        let file = write().with_context(|| self.writing())?;
        hold(&file, &self.path)?;
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let replace = || fs::rename(&draft, &self.path).and_then(|()| File::open(directory)?.sync_all());
        replace().with_context(|| self.writing())?;
        (self.file, self.lines) = (file, 0);
        Ok(())
    }

    fn writing(&self) -> String {
        format!("writing {}", self.path.display())
    }
}

/// The file at this path, which nobody else holds.
fn open_held(path: &Path) -> anyhow::Result<File> {
    let reading = || format!("reading {}", path.display());
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).with_context(reading)?;
        let of_it = file.metadata().with_context(reading)?;
        ensure!(of_it.is_file(), "{} is no file; name another", path.display());
        hold(&file, path)?;
        // Who held it until now may have put another in its place meanwhile.
        let there = fs::metadata(path).with_context(reading)?;
        if (there.dev(), there.ino()) == (of_it.dev(), of_it.ino()) {
            return Ok(file);
        }
    }
}

fn contents(file: &File, path: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("reading {}", path.display()))?;
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= FILE_BYTES_MAX);
    text.with_context(|| of_others(path))
}

fn of_others(path: &Path) -> String {
    format!("{} is no state of `listen`, or it is damaged; name another file", path.display())
}

/// Two processes that went on from one place would bring everything twice.
fn hold(file: &File, path: &Path) -> anyhow::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            bail!("another `listen` keeps in {} how far it came; name another file, or end it", path.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

fn read(text: &str, path: &Path, gateway: &str) -> anyhow::Result<Progress> {
    if text.is_empty() {
        return Ok(Progress::default());
    }
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let kept: Kept = serde_json::from_str(first).with_context(|| of_others(path))?;
    if kept.gateway != gateway {
        let (path, known) = (path.display(), kept.gateway);
        bail!("{path} says how far it came with {known}, not with {gateway}; name another file");
    }
    let Kept { cursor, done, unsure, .. } = kept;
    let mut progress = Progress { cursor, done, unsure, begun: VecDeque::new() };
    // A line without an end was being written when the process ended, and nothing was done upon it.
    let whole = rest.rfind('\n').map_or("", |end| &rest[..end]);
    for line in whole.lines() {
        progress.apply(serde_json::from_str(line).with_context(|| of_others(path))?);
    }
    Ok(progress)
}

fn draft(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests;
