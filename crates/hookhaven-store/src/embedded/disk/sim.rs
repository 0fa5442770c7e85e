//! A disk in memory that loses what a real one may lose: pages not yet synced, names not yet synced,
//! everything after a sync that failed. For tests and simulation; seeded, so that a loss repeats. Here are its
//! names, the processes that come one after the other, and what can be done to it; what one file holds is `file`'s.

mod file;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Duration,
};

use self::file::{Content, SimFile};
use super::{Disk, DiskFile, Lock};

/// The disk as one process sees it. A power cut or a kill gives the next process a disk of its own, and
/// leaves the one before with nothing but errors.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    stall: Arc<(Mutex<Stall>, Condvar)>,
    index_dir: PathBuf,
    boot: u64,
}

/// Of data syncs: whether they hang, and how many do.
#[derive(Debug, Default)]
struct Stall {
    on: bool,
    waiting: usize,
}

#[derive(Debug, Default)]
struct State {
    /// What a running process sees, and what a power cut leaves, name by name.
    names: BTreeMap<PathBuf, u64>,
    names_durable: BTreeMap<PathBuf, u64>,
    files: BTreeMap<u64, Content>,
    next_file: u64,
    /// Counts power cuts and kills.
    boot: u64,
    locks: BTreeMap<PathBuf, u64>,
    random: u64,
    appends_until_full: Option<u32>,
    syncs_until_error: Option<u32>,
    syncs_until_cut: Option<u32>,
    lies: bool,
    changes_until_stop: Option<u32>,
    syncs: u64,
    /// Bytes that all files together may have.
    quota_bytes: Option<u64>,
    read_only: bool,
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.locks.get(&self.path) == Some(&self.disk.boot) {
            state.locks.remove(&self.path);
        }
    }
}

impl SimDisk {
    /// `index_dir` is a real directory for SQLite's files. Each process finds none and makes its own: the
    /// index may be lost at any time.
    pub fn new(seed: u64, index_dir: &Path) -> Self {
        let state = State { random: seed, ..State::default() };
        SimDisk { state: Arc::new(Mutex::new(state)), stall: Arc::default(), index_dir: index_dir.to_owned(), boot: 0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// For a living process only.
    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.boot == self.boot { Ok(state) } else { Err(io::Error::other("the process was killed")) }
    }

    fn writable(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.changing()?;
        if state.read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(state) }
    }

    /// Takes the power away: of every page and name not synced, what came first or what came last
    /// remains, at random. Answers the disk as the next process finds it.
    pub fn power_cut(&self, seed: u64) -> SimDisk {
        let mut state = self.state();
        state.random ^= seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state.boot += 1;
        state.changes_until_stop = None;
        let mut files = std::mem::take(&mut state.files);
        for content in files.values_mut() {
            content.lose(&mut state);
        }
        state.files = files;
        let changed: BTreeSet<PathBuf> = state.names.keys().chain(state.names_durable.keys()).cloned().collect();
        for name in changed {
            let (now, then) = (state.names.get(&name).copied(), state.names_durable.get(&name).copied());
            let kept = if now != then && state.flip() { now } else { then };
            match kept {
                Some(file) => state.names_durable.insert(name, file),
                None => state.names_durable.remove(&name),
            };
        }
        state.names = state.names_durable.clone();
        SimDisk { boot: state.boot, ..self.clone() }
    }

    /// Kills the process and not the machine: what was written stays as it was seen.
    pub fn kill(&self) -> SimDisk {
        let mut state = self.state();
        state.boot += 1;
        state.changes_until_stop = None;
        SimDisk { boot: state.boot, ..self.clone() }
    }

    /// The append after `n` more finds the disk full, having written a part.
    pub fn fill_after(&self, n: u32) {
        self.state().appends_until_full = Some(n);
    }

    /// The sync after `n` more fails, and what it should have written may silently be lost.
    pub fn fail_sync_after(&self, n: u32) {
        self.state().syncs_until_error = Some(n);
    }

    /// From now on data syncs hang, as on a device that stopped answering, or hang no longer.
    pub fn stall_syncs(&self, on: bool) {
        self.stalled().on = on;
        self.stall.1.notify_all();
    }

    /// How many syncs hang now.
    pub fn syncs_waiting(&self) -> usize {
        self.stalled().waiting
    }

    fn stalled(&self) -> MutexGuard<'_, Stall> {
        self.stall.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn wait_out_stall(&self) {
        let mut stall = self.stalled();
        stall.waiting += 1;
        let mut stall = self.stall.1.wait_while(stall, |s| s.on).unwrap_or_else(|e| e.into_inner());
        stall.waiting -= 1;
    }

    /// The power goes in the middle of the sync after `n` more; the next process comes by
    /// [`SimDisk::power_cut`].
    pub fn cut_at_sync_after(&self, n: u32) {
        self.state().syncs_until_cut = Some(n);
    }

    /// From now on data syncs do nothing and say that they did.
    pub fn lie_about_syncs(&self) {
        self.state().lies = true;
    }

    /// Whether the process that this is the disk of was killed, or lost its power.
    pub fn is_dead(&self) -> bool {
        self.state().boot != self.boot
    }

    /// The process dies at the change after `n` more: an append, a sync, a name made, moved or removed.
    /// Take the power away, too, or kill it, to go on.
    pub fn stop_after(&self, n: u32) {
        self.state().changes_until_stop = Some(n);
    }

    /// For a living process that is about to change something.
    fn changing(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.alive()?;
        if State::strikes(&mut state.changes_until_stop) {
            state.boot += 1;
            return Err(io::Error::other("the process was killed"));
        }
        Ok(state)
    }

    /// From now on all files together may have so many bytes; what is there already stays.
    pub fn quota(&self, bytes: u64) {
        self.state().quota_bytes = Some(bytes);
    }

    /// Bytes that all files together have.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// From now on nothing may be made, renamed, removed or appended to.
    pub fn read_only(&self) {
        self.state().read_only = true;
    }

    /// How many data syncs there have been.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Damages what is stored, as failing hardware does: inverts bytes of a file, durably.
    pub fn rot(&self, path: &Path, offset: usize, len: usize) {
        let mut state = self.state();
        let file = state.names.get(path).copied().unwrap_or_default();
        if let Some(content) = state.files.get_mut(&file) {
            for bytes in [&mut content.current, &mut content.durable] {
                bytes.iter_mut().skip(offset).take(len).for_each(|b| *b ^= 0xff);
            }
        }
    }
}

impl State {
    fn used_bytes(&self) -> u64 {
        let named: BTreeSet<_> = self.names.values().collect();
        self.files
            .iter()
            .filter(|(file, _)| named.contains(file))
            .map(|(_, content)| content.current.len() as u64)
            .sum()
    }

    fn free_bytes(&self) -> u64 {
        self.quota_bytes.map_or(u64::MAX, |quota| quota.saturating_sub(self.used_bytes()))
    }

    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn flip(&mut self) -> bool {
        self.next() & 1 == 1
    }

    /// Counts down to an injected failure.
    fn strikes(counter: &mut Option<u32>) -> bool {
        match counter {
            Some(0) => {
                *counter = None;
                true
            }
            Some(n) => {
                *n -= 1;
                false
            }
            None => false,
        }
    }
}

fn missing(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", path.display()))
}

impl Disk for SimDisk {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.writable()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.next_file += 1;
        let file = state.next_file;
        state.files.insert(file, Content::default());
        state.names.insert(path.to_owned(), file);
        Ok(Arc::new(SimFile { disk: self.clone(), file }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.alive()?;
        let file = *state.names.get(path).ok_or_else(|| missing(path))?;
        Ok(Arc::new(SimFile { disk: self.clone(), file }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let name = |path: &PathBuf| path.file_name().and_then(|n| n.to_str()).map(str::to_owned);
        Ok(self.alive()?.names.keys().filter(|path| path.parent() == Some(dir)).filter_map(name).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.writable()?;
        let file = state.names.remove(from).ok_or_else(|| missing(from))?;
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.writable()?.names.remove(path).map(|_| ()).ok_or_else(|| missing(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.changing()?;
        state.names_durable.retain(|path, _| path.parent() != Some(dir));
        let synced: Vec<_> =
            state.names.iter().filter(|(path, _)| path.parent() == Some(dir)).map(|(p, f)| (p.clone(), *f)).collect();
        state.names_durable.extend(synced);
        Ok(())
    }

    fn lock(&self, path: &Path, _wait: Duration) -> io::Result<Option<Box<dyn Lock>>> {
        let mut state = self.alive()?;
        if state.locks.get(path) == Some(&self.boot) {
            return Ok(None);
        }
        state.locks.insert(path.to_owned(), self.boot);
        Ok(Some(Box::new(SimLock { disk: self.clone(), path: path.to_owned() })))
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.alive()?.free_bytes())
    }

    fn hold_room(&self, path: &Path, bytes: u64) -> io::Result<()> {
        if self.writable()?.free_bytes() < bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.create(path)?.append(&vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)])
    }

    fn index_path(&self, _dir: &Path) -> PathBuf {
        self.index_dir.join(format!("index-{}.sqlite", self.boot))
    }
}
