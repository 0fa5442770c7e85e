//! Room on the disk: when accepts stop, and what is set aside for everything that ends work.
//!
//! Two limits, because each holds where the other does not. Below `store.free_min` nothing new is
//! accepted, so what is left belongs to settles and the index; that alone would not hold against other
//! programs that fill the same disk. So `store.reserve` bytes are held by a file that is made while there
//! is room. When an append finds the disk full after all, the file is removed and the append tried again.
//! Accepts go on only with the reserve in place and the watermark cleared, without a restart.
//!
//! Not here: who is refused what (`writer`, `store`), and limits in memory (`queue`).

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hookhaven_core::Time;

use super::disk::Disk;
use crate::seam::{Leave, StoreError};

/// A look is good for so long while there is room. Without, everyone who asks looks again.
const LOOK_GOOD: Duration = Duration::from_secs(1);

/// What must stay free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpaceLimits {
    /// Free bytes on the disk below which nothing is accepted (`store.free_min`); 0: no such limit.
    pub free_min_bytes: u64,
    /// Bytes set aside for settles and the index (`store.reserve`); 0: none.
    pub reserve_bytes: u64,
}

/// The room of one data directory.
#[derive(Debug)]
pub struct Space {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    limits: SpaceLimits,
    free_bytes: AtomicU64,
    looked_at_us: AtomicI64,
    /// Whether the reserve's file is there.
    held: AtomicBool,
}

impl Space {
    /// Looks at the disk. Makes no reserve yet: what is started may need the room.
    pub fn new(disk: Arc<dyn Disk>, dir: &Path, limits: SpaceLimits) -> Self {
        let space = Space {
            disk,
            dir: dir.to_owned(),
            limits,
            free_bytes: AtomicU64::new(u64::MAX),
            looked_at_us: AtomicI64::new(i64::MIN),
            held: AtomicBool::new(limits.reserve_bytes == 0),
        };
        if let Ok(file) = space.disk.open(&space.reserve()) {
            match file.len() {
                Ok(len) if len == limits.reserve_bytes && len > 0 => space.held.store(true, Relaxed),
                // Of another size, or not whole.
                _ => space.remove(),
            }
        }
        space.measure();
        space
    }

    fn reserve(&self) -> PathBuf {
        self.dir.join("reserve")
    }

    fn remove(&self) {
        match self.disk.remove(&self.reserve()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                tracing::error!("the reserve in {} cannot be removed: {e}", self.dir.display());
            }
            _ => {}
        }
    }

    fn measure(&self) -> u64 {
        let free = self.disk.free_bytes(&self.dir).unwrap_or_else(|e| {
            // What cannot be measured cannot be a limit; a full disk still shows at the append.
            tracing::warn!("the free space of {} cannot be told: {e}", self.dir.display());
            u64::MAX
        });
        self.free_bytes.store(free, Relaxed);
        free
    }

    /// As of the last look.
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Relaxed)
    }

    pub fn limits(&self) -> SpaceLimits {
        self.limits
    }

    /// Whether something new may be accepted, by a look at the disk that is at most a second old.
    pub fn check(&self, leave: Leave, now: Time) -> Result<(), StoreError> {
        let looked_at = Time::from_us(self.looked_at_us.load(Relaxed));
        if now < looked_at || now.since(looked_at) >= LOOK_GOOD || self.verdict(leave).is_err() {
            self.measure();
            self.looked_at_us.store(now.as_us(), Relaxed);
        }
        self.verdict(leave)
    }

    /// The same by a look just now.
    pub fn look(&self, now: Time) -> Result<(), StoreError> {
        if self.limits == SpaceLimits::default() {
            return Ok(());
        }
        self.measure();
        self.looked_at_us.store(now.as_us(), Relaxed);
        self.verdict(Leave::NOTHING)
    }

    fn verdict(&self, leave: Leave) -> Result<(), StoreError> {
        let SpaceLimits { free_min_bytes, reserve_bytes } = self.limits;
        if self.free_bytes() < leave.above(free_min_bytes) {
            return Err(StoreError::Full { limit: "store.free_min", value: free_min_bytes });
        }
        if !self.held.load(Relaxed) {
            return Err(StoreError::Full { limit: "store.reserve", value: reserve_bytes });
        }
        Ok(())
    }

    /// Whether the reserve should be made again, and there is room for it and the watermark.
    pub fn may_restore(&self) -> bool {
        let SpaceLimits { free_min_bytes, reserve_bytes } = self.limits;
        !self.held.load(Relaxed) && self.free_bytes() >= free_min_bytes.saturating_add(reserve_bytes)
    }

    /// Makes the reserve if it is missing and there is room. May take a while on a file system that
    /// cannot set room aside.
    pub fn restore(&self) {
        if self.held.load(Relaxed) {
            return;
        }
        self.measure();
        if !self.may_restore() {
            return;
        }
        match self.disk.hold_room(&self.reserve(), self.limits.reserve_bytes) {
            Ok(()) => self.held.store(true, Relaxed),
            Err(e) => tracing::warn!("the reserve cannot be made, so nothing is accepted: {e}"),
        }
        self.measure();
    }

    /// Gives the reserve's room to whoever found the disk full; whether there was any.
    pub fn release(&self) -> bool {
        if self.limits.reserve_bytes == 0 || !self.held.swap(false, Relaxed) {
            return false;
        }
        tracing::error!("the disk is full: the reserve is given to what ends work, and nothing new is accepted");
        self.remove();
        self.measure();
        true
    }

    /// The same before something that will need so much room.
    pub fn release_below(&self, bytes: u64) {
        if self.measure() < bytes {
            self.release();
        }
    }
}

/// Whether an error says that there is no room.
pub fn is_full(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::disk::SimDisk;

    const LIMITS: SpaceLimits = SpaceLimits { free_min_bytes: 1_000, reserve_bytes: 500 };

    fn space(disk: &SimDisk) -> Space {
        Space::new(Arc::new(disk.clone()), Path::new("/data"), LIMITS)
    }

    fn at(s: i64) -> Time {
        Time::from_s(1_790_000_000 + s)
    }

    fn refused(limit: &'static str, value: u64) -> Result<(), StoreError> {
        Err(StoreError::Full { limit, value })
    }

    #[test]
    fn the_watermark_stops_and_lets_go_by_itself() {
        let disk = SimDisk::new(1, Path::new("/nowhere"));
        let space = space(&disk);
        space.restore();
        assert_eq!(space.check(Leave::NOTHING, at(0)), Ok(()));
        disk.quota(disk.used_bytes() + 1_150);
        assert_eq!(space.check(Leave::NOTHING, at(0)), Ok(()), "a look is good for a second");
        assert_eq!(space.check(Leave::NOTHING, at(1)), Ok(()));
        // Whoever must leave a share for others is refused earlier.
        assert_eq!(space.check(Leave::percent(20), at(1)), refused("store.free_min", 1_000));
        disk.quota(disk.used_bytes() + 999);
        assert_eq!(space.check(Leave::NOTHING, at(2)), refused("store.free_min", 1_000));
        disk.quota(disk.used_bytes() + 1_000);
        assert_eq!(space.check(Leave::NOTHING, at(2)), Ok(()));
    }

    #[test]
    fn the_reserve_is_given_once_and_made_again_when_there_is_room_for_both() {
        let disk = SimDisk::new(1, Path::new("/nowhere"));
        let first = space(&disk);
        assert_eq!(first.check(Leave::NOTHING, at(0)), refused("store.reserve", 500));
        first.restore();
        assert_eq!(disk.used_bytes(), 500);
        // It outlasts the process.
        let again = space(&disk);
        assert_eq!(again.check(Leave::NOTHING, at(0)), Ok(()));
        assert!(again.release() && !again.release());
        assert_eq!(disk.used_bytes(), 0);
        disk.quota(1_499);
        again.restore();
        assert_eq!(again.check(Leave::NOTHING, at(1)), refused("store.reserve", 500));
        disk.quota(1_500);
        again.restore();
        assert_eq!((disk.used_bytes(), again.check(Leave::NOTHING, at(1))), (500, Ok(())));
    }

    #[test]
    fn a_reserve_of_another_size_is_replaced() {
        let disk = SimDisk::new(1, Path::new("/nowhere"));
        disk.hold_room(Path::new("/data/reserve"), 77).unwrap();
        let space = space(&disk);
        assert_eq!(disk.used_bytes(), 0);
        space.restore();
        assert_eq!(disk.used_bytes(), 500);
    }
}
