//! The quarantine beside the journal: for each source a ring of at most [`FILES_MAX`] files in `quarantine/` of the
//! data directory, named `SOURCE~NUMBER`. New requests are appended to the newest file; when it has its share of the
//! source's bounds another begins, and the oldest goes.
//!
//! Nothing is synced. A file that was torn is read as far as it is whole and goes on being appended to. Lists read
//! the files: they are few and bounded, and whoever asks is a person.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use hookhaven_core::{Rejected, RejectedId, Time};

use super::{
    Bounds, Marked, Quarantine, QuarantineCount, Quarantined, RejectedFilter, RejectedRow, Released, page_of,
    ring::{self, HEADER_BYTES, Record, Salt},
};
use crate::{
    clock::Entropy,
    embedded::disk::{Disk, DiskFile},
    seam::{Page, StoreError},
};

/// Files of one source. A source may lack so much of its bounds: what the file that went last held.
const FILES_MAX: u32 = 8;
/// No file is longer; one that is is not read past it.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Keeps in files. The caller holds the data directory's lock.
#[derive(Clone, Debug)]
pub struct FileQuarantine(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    entropy: Arc<dyn Entropy>,
    rings: Mutex<HashMap<Arc<str>, Ring>>,
}

/// What is known of a source's files, oldest first.
#[derive(Debug, Default)]
struct Ring {
    files: VecDeque<Part>,
    /// The newest, to append to.
    tail: Option<Tail>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    number: u64,
    entries: u64,
    bytes: u64,
    /// When its first and last request arrived.
    first_at: Time,
    last_at: Time,
}

#[derive(Debug)]
struct Tail {
    file: Arc<dyn DiskFile>,
    salt: Salt,
}

impl FileQuarantine {
    /// In the directory `quarantine` of a data directory, which is made when there is something to keep.
    pub fn new(data_dir: &Path, disk: Arc<dyn Disk>, entropy: Arc<dyn Entropy>) -> Self {
        let dir = data_dir.join("quarantine");
        FileQuarantine(Arc::new(Shared { disk, dir, entropy, rings: Mutex::default() }))
    }

    /// Files are waited for on threads that may wait.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared, &mut HashMap<Arc<str>, Ring>) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = self.0.clone();
        let working = tokio::task::spawn_blocking(move || {
            let mut rings = shared.rings.lock().unwrap_or_else(PoisonError::into_inner);
            work(&shared, &mut rings)
        });
        let failed = |why: String| StoreError::Failed(format!("the quarantine in {}: {why}", self.0.dir.display()));
        working.await.map_err(|panic| failed(panic.to_string()))?.map_err(|error| failed(error.to_string()))
    }
}

#[async_trait]
impl Quarantine for FileQuarantine {
    async fn put(&self, source: &Arc<str>, rejected: Vec<Rejected>, bounds: Bounds) -> Result<(), StoreError> {
        let source = source.clone();
        self.work(move |shared, rings| {
            let ring = shared.ring(rings, &source)?;
            rejected.iter().try_for_each(|it| shared.append(&source, ring, it, bounds))
        })
        .await
    }

    async fn list(&self, filter: &RejectedFilter, page: Page<RejectedId>) -> Result<Vec<RejectedRow>, StoreError> {
        let filter = filter.clone();
        self.work(move |shared, _| {
            let mut rows = Vec::new();
            for (source, numbers) in shared.sources()? {
                if filter.source.as_deref().is_none_or(|wanted| *wanted == *source) {
                    let all = shared.read_all(&source, &numbers)?;
                    let all = all.iter().map(|it| RejectedRow::of(&it.rejected, it.released));
                    rows.extend(all.filter(|row| filter.takes(row)));
                }
            }
            Ok(page_of(rows, page))
        })
        .await
    }

    async fn get(&self, id: RejectedId) -> Result<Option<Quarantined>, StoreError> {
        self.work(move |shared, _| shared.find(id)).await
    }

    async fn mark_released(&self, id: RejectedId, released: Released) -> Result<Marked, StoreError> {
        self.work(move |shared, rings| {
            let Some(found) = shared.find(id)? else { return Ok(Marked::Unknown) };
            if let Some(before) = found.released {
                return Ok(Marked::Already(before));
            }
            let source = &found.rejected.source;
            let ring = shared.ring(rings, source)?;
            let frame = |salt: &Salt, offset| ring::released(salt, offset, id, released);
            shared.write(source, ring, found.rejected.received_at, frame).map(|()| Marked::Done)
        })
        .await
    }

    async fn forget(&self, source: &str, before: Time) -> Result<(), StoreError> {
        let source: Arc<str> = source.into();
        self.work(move |shared, rings| {
            let ring = shared.ring(rings, &source)?;
            while ring.files.front().is_some_and(|part| part.last_at < before) {
                shared.evict(&source, ring)?;
            }
            Ok(())
        })
        .await
    }

    async fn counts(&self) -> Result<Vec<QuarantineCount>, StoreError> {
        self.work(|shared, _| {
            let mut counts = Vec::new();
            for (source, numbers) in shared.sources()? {
                let (mut bytes, all) = (0, shared.read_all(&source, &numbers)?);
                for number in &numbers {
                    bytes += shared.disk.open(&shared.path(&source, *number))?.len()?;
                }
                let released = all.iter().filter(|it| it.released.is_some()).count() as u64;
                if !all.is_empty() {
                    counts.push(QuarantineCount { source, kept: all.len() as u64, released, bytes });
                }
            }
            Ok(counts)
        })
        .await
    }
}

/// A file's share of its source's bounds.
struct Share {
    files: u64,
    entries: u64,
    bytes: u64,
}

impl Share {
    fn of(bounds: Bounds) -> Self {
        let files = bounds.count_max.clamp(1, FILES_MAX);
        let (files, count) = (u64::from(files), u64::from(bounds.count_max));
        Share { files, entries: (count / files).max(1), bytes: bounds.bytes_max / files }
    }
}

impl Shared {
    fn path(&self, source: &str, number: u64) -> PathBuf {
        self.dir.join(format!("{source}~{number:010}"))
    }

    /// Sources of which there are files, each with their numbers, oldest first.
    fn sources(&self) -> io::Result<BTreeMap<Arc<str>, Vec<u64>>> {
        let names = match self.disk.list(&self.dir) {
            Ok(names) => names,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(e),
        };
        let mut sources: BTreeMap<Arc<str>, Vec<u64>> = BTreeMap::new();
        for (source, number) in names.iter().filter_map(|name| name.rsplit_once('~')) {
            if let Ok(number) = number.parse() {
                sources.entry(source.into()).or_default().push(number);
            }
        }
        sources.values_mut().for_each(|numbers| numbers.sort_unstable());
        Ok(sources)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.disk.open(path)?;
        let length = usize::try_from(file.len()?.min(FILE_BYTES_MAX)).unwrap_or_default();
        let mut bytes = vec![0; length];
        let read = file.read_at(0, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Everything of one source, oldest first, with the marks that came later.
    fn read_all(&self, source: &str, numbers: &[u64]) -> io::Result<Vec<Quarantined>> {
        let mut all: Vec<Quarantined> = Vec::new();
        for number in numbers {
            for record in ring::scan(&self.read(&self.path(source, *number))?) {
                match record {
                    Record::Rejected(rejected, _) => all.push(Quarantined { rejected, released: None }),
                    Record::Released(id, released) => {
                        let found = all.iter_mut().find(|it| it.rejected.id == id && it.released.is_none());
                        if let Some(it) = found {
                            it.released = Some(released);
                        }
                    }
                }
            }
        }
        Ok(all)
    }

    fn find(&self, id: RejectedId) -> io::Result<Option<Quarantined>> {
        for (source, numbers) in self.sources()? {
            let found = self.read_all(&source, &numbers)?.into_iter().find(|it| it.rejected.id == id);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// What is known of a source's files; they are read the first time.
    fn ring<'r>(&self, rings: &'r mut HashMap<Arc<str>, Ring>, source: &Arc<str>) -> io::Result<&'r mut Ring> {
        if !rings.contains_key(source) {
            let numbers = self.sources()?.remove(source).unwrap_or_default();
            let parts: io::Result<VecDeque<Part>> = numbers.iter().map(|n| self.part(source, *n)).collect();
            let mut ring = Ring { files: parts?, tail: None };
            if let Some(part) = ring.files.back() {
                let path = self.path(source, part.number);
                let salt = ring::salt(&self.read(&path)?);
                let file = self.disk.open(&path)?;
                ring.tail = salt.map(|salt| Tail { file, salt });
            }
            rings.insert(source.clone(), ring);
        }
        rings.get_mut(source).ok_or_else(|| io::Error::other("the ring was just put there"))
    }

    fn part(&self, source: &str, number: u64) -> io::Result<Part> {
        let bytes = self.read(&self.path(source, number))?;
        let mut part =
            Part { number, entries: 0, bytes: bytes.len() as u64, first_at: Time::EPOCH, last_at: Time::EPOCH };
        for record in ring::scan(&bytes) {
            if let Record::Rejected(it, _) = record {
                part.took(it.received_at);
            }
        }
        Ok(part)
    }

    fn append(&self, source: &Arc<str>, ring: &mut Ring, it: &Rejected, bounds: Bounds) -> io::Result<()> {
        let share = Share::of(bounds);
        let length = ring::rejected(&Salt::default(), 0, it).len() as u64;
        if length + HEADER_BYTES as u64 > share.bytes {
            return Ok(());
        }
        let full = |part: &Part| {
            part.entries >= share.entries
                || part.bytes + length > share.bytes
                || part.entries > 0 && it.received_at.since(part.first_at) > bounds.max_age / FILES_MAX
        };
        if ring.files.back().is_some_and(full) {
            ring.tail = None;
        }
        self.write(source, ring, it.received_at, |salt, offset| ring::rejected(salt, offset, it))?;
        if let Some(part) = ring.files.back_mut() {
            part.took(it.received_at);
        }
        let sum = |ring: &Ring, of: fn(&Part) -> u64| ring.files.iter().map(of).sum::<u64>();
        while ring.files.len() > 1
            && (ring.files.len() as u64 > share.files
                || sum(ring, |part| part.entries) > u64::from(bounds.count_max)
                || sum(ring, |part| part.bytes) > bounds.bytes_max)
        {
            self.evict(source, ring)?;
        }
        Ok(())
    }

    /// Appends a frame to the newest file, or to a new one if there is none to append to.
    fn write(
        &self,
        source: &Arc<str>,
        ring: &mut Ring,
        at: Time,
        frame: impl FnOnce(&Salt, u64) -> Vec<u8>,
    ) -> io::Result<()> {
        let tail = match ring.tail.take() {
            Some(tail) => tail,
            None => self.begin(source, ring, at)?,
        };
        let offset = tail.file.len()?;
        // Where this fails the file may end in a part of the frame; then it is not appended to again.
        let frame = frame(&tail.salt, offset);
        tail.file.append(&frame)?;
        ring.tail = Some(tail);
        if let Some(part) = ring.files.back_mut() {
            part.bytes = offset + frame.len() as u64;
        }
        Ok(())
    }

    fn begin(&self, source: &Arc<str>, ring: &mut Ring, at: Time) -> io::Result<Tail> {
        self.disk.create_dir(&self.dir)?;
        let number = ring.files.back().map_or(1, |part| part.number + 1);
        let mut salt = Salt::default();
        self.entropy.fill(&mut salt);
        let file = self.disk.create(&self.path(source, number))?;
        ring.files.push_back(Part { number, entries: 0, bytes: HEADER_BYTES as u64, first_at: at, last_at: at });
        file.append(&ring::header(&salt))?;
        Ok(Tail { file, salt })
    }

    /// The oldest file goes.
    fn evict(&self, source: &Arc<str>, ring: &mut Ring) -> io::Result<()> {
        let Some(part) = ring.files.pop_front() else { return Ok(()) };
        if ring.files.is_empty() {
            ring.tail = None;
        }
        match self.disk.remove(&self.path(source, part.number)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

impl Part {
    fn took(&mut self, at: Time) {
        if self.entries == 0 {
            self.first_at = at;
        }
        self.entries += 1;
        self.last_at = self.last_at.max(at);
    }
}
