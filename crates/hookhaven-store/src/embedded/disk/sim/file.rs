//! A file of the simulated disk: its pages as a process sees them and as a power cut leaves them, and what the
//! process does with it.

use std::{collections::BTreeSet, io, sync::MutexGuard};

use super::{DiskFile, SimDisk, State};

/// What is written back at once. Within a page that was being written, sectors may be old or new.
pub(super) const PAGE_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Content {
    pub current: Vec<u8>,
    pub durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

#[derive(Debug)]
pub(super) struct SimFile {
    pub disk: SimDisk,
    pub file: u64,
}

impl Content {
    fn append(&mut self, bytes: &[u8]) {
        let from = self.current.len();
        self.current.extend_from_slice(bytes);
        self.touch(from, self.current.len());
    }

    fn touch(&mut self, from: usize, to: usize) {
        self.dirty.extend(from / PAGE_BYTES..to.div_ceil(PAGE_BYTES));
    }

    /// Writes a part of a page through to the durable image, which grows by zeros where needed.
    fn write_back(&mut self, from: usize, to: usize) {
        let to = to.min(self.current.len());
        if from < to {
            if self.durable.len() < to {
                self.durable.resize(to, 0);
            }
            self.durable[from..to].copy_from_slice(&self.current[from..to]);
        }
    }

    fn sync(&mut self) {
        for page in std::mem::take(&mut self.dirty) {
            self.write_back(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
        }
        // What an earlier failed sync lost stays lost, but the length is known again.
        self.durable.resize(self.current.len(), 0);
    }

    /// A sync that fails: some pages arrive, the others count as clean and never will.
    fn sync_badly(&mut self, state: &mut State) {
        for page in std::mem::take(&mut self.dirty) {
            if state.flip() {
                self.write_back(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
            }
        }
    }

    pub fn lose(&mut self, state: &mut State) {
        for page in std::mem::take(&mut self.dirty) {
            match state.next() % 3 {
                0 => {}
                1 => self.write_back(page * PAGE_BYTES, (page + 1) * PAGE_BYTES),
                _ => {
                    for sector in 0..PAGE_BYTES / SECTOR_BYTES {
                        if state.flip() {
                            let from = page * PAGE_BYTES + sector * SECTOR_BYTES;
                            self.write_back(from, from + SECTOR_BYTES);
                        }
                    }
                }
            }
        }
        self.current = self.durable.clone();
    }
}

impl SimFile {
    /// The disk and this file's content, unless the process that opened it is dead.
    fn with<T>(&self, act: impl FnOnce(&mut State, &mut Content) -> io::Result<T>) -> io::Result<T> {
        self.with_state(self.disk.alive()?, act)
    }

    /// The same, to change it.
    fn change<T>(&self, act: impl FnOnce(&mut State, &mut Content) -> io::Result<T>) -> io::Result<T> {
        self.with_state(self.disk.changing()?, act)
    }

    fn with_state<T>(
        &self,
        mut state: MutexGuard<'_, State>,
        act: impl FnOnce(&mut State, &mut Content) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut content = state.files.remove(&self.file).ok_or(io::ErrorKind::NotFound)?;
        let done = act(&mut state, &mut content);
        state.files.insert(self.file, content);
        done
    }
}

impl DiskFile for SimFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.change(|state, content| {
            if state.read_only {
                return Err(io::ErrorKind::ReadOnlyFilesystem.into());
            }
            // Its own content is out of the table while it is changed.
            let room = state.free_bytes().saturating_sub(content.current.len() as u64);
            if (bytes.len() as u64) > room {
                content.append(&bytes[..room as usize]);
                return Err(io::ErrorKind::StorageFull.into());
            }
            if State::strikes(&mut state.appends_until_full) {
                let part = state.next() as usize % (bytes.len() + 1);
                content.append(&bytes[..part]);
                return Err(io::ErrorKind::StorageFull.into());
            }
            content.append(bytes);
            Ok(())
        })
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.with(|_, content| {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.current.len());
            let n = buffer.len().min(content.current.len() - from);
            buffer[..n].copy_from_slice(&content.current[from..from + n]);
            Ok(n)
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.wait_out_stall();
        let cut = State::strikes(&mut self.disk.alive()?.syncs_until_cut);
        if cut {
            self.disk.power_cut(0);
        }
        self.with(|state, content| {
            state.syncs += 1;
            if state.lies {
                return Ok(());
            }
            if State::strikes(&mut state.syncs_until_error) {
                content.sync_badly(state);
                return Err(io::Error::other("the disk failed to sync"));
            }
            content.sync();
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|_, content| Ok(content.current.len() as u64))
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.change(|_, content| {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            content.current.truncate(len);
            content.touch(len, len + 1);
            Ok(())
        })
    }
}
