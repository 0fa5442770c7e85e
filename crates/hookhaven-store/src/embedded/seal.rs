//! The seal: a file in a data directory that says that what is in it goes on elsewhere, so that no gateway
//! begins from it again by mistake and delivers everything twice. It is set when a copy begins, for what is
//! being copied must not change in between, and stays when the copy has ended.
//!
//! ```text
//! hookhaven-sealed 1 begun|ended <copy, 32 hex digits> <where to>
//! ```
//!
//! Not here: copying (`crate::copy`).

use std::{fmt, io, path::Path};

use super::{
    disk::{Disk, Lock},
    home,
};
use crate::{copy::CopyId, seam::StoreError};

const FILE: &str = "sealed";
const WORD: &str = "hookhaven-sealed 1";
/// No seal is longer.
const BYTES_MAX: usize = 1_024;

/// What a seal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    pub copy: CopyId,
    /// Whether everything is there.
    pub ended: bool,
    /// Host, port and name of the database.
    pub to: String,
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.ended { "ended" } else { "begun" };
        let to: String = self.to.chars().filter(|c| !c.is_control()).take(BYTES_MAX / 8).collect();
        write!(f, "{WORD} {state} {} {to}", self.copy)
    }
}

impl Seal {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_suffix('\n')?.strip_prefix(WORD)?.strip_prefix(' ')?;
        let (state, rest) = rest.split_once(' ')?;
        let ended = match state {
            "begun" => false,
            "ended" => true,
            _ => return None,
        };
        let (copy, to) = rest.split_once(' ')?;
        Some(Seal { copy: CopyId::parse(copy)?, ended, to: to.to_owned() })
    }
}

/// Sets it, or changes what it says. On stable storage when this returns, whole or not at all.
pub(crate) fn set(disk: &dyn Disk, dir: &Path, seal: &Seal) -> Result<(), StoreError> {
    home::put(disk, dir, FILE, &format!("{seal}\n")).map_err(|e| home::failed("write", &dir.join(FILE), &e))
}

/// What it says, if there is one.
///
/// # Errors
/// `Incompatible` if what is there is none of ours: something sealed it all the same.
pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Seal>, StoreError> {
    let path = dir.join(FILE);
    let file = match disk.open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(home::failed("open", &path, &e)),
    };
    let mut bytes = vec![0; BYTES_MAX];
    let n = file.read_at(0, &mut bytes).map_err(|e| home::failed("read", &path, &e))?;
    Seal::parse(&String::from_utf8_lossy(&bytes[..n])).map(Some).ok_or_else(|| {
        StoreError::Incompatible(format!(
            "{} is sealed in words that this version does not know; `hookhaven serve --unseal` breaks the seal",
            dir.display()
        ))
    })
}

/// Refuses a directory that is sealed.
pub(super) fn refuse(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    let Some(Seal { ended, to, .. }) = read(disk, dir)? else { return Ok(()) };
    let dir = dir.display();
    Err(StoreError::Refused(if ended {
        format!(
            "{dir} is sealed: everything in it was copied to {to} and goes on there. Serving it again would deliver \
             what is delivered there too; `hookhaven serve --unseal` does so all the same"
        )
    } else {
        format!(
            "{dir} is sealed: a copy of it to {to} was begun and has not ended. Give the same `hookhaven copy` again \
             to go on with it, or `hookhaven serve --unseal` to give the copy up and go back"
        )
    }))
}

/// Breaks the seal; answers whether there was one. For a directory that no process uses.
///
/// # Errors
/// `Locked` while one does.
pub fn unseal(disk: &dyn Disk, dir: &Path) -> Result<bool, StoreError> {
    let _lock: Box<dyn Lock> = home::visit(disk, dir)?;
    let path = dir.join(FILE);
    match disk.remove(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        done => done.and_then(|()| disk.sync_dir(dir)).map_err(|e| home::failed("remove", &path, &e))?,
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::embedded::disk::SimDisk;

    fn seal(ended: bool) -> Seal {
        Seal { copy: CopyId([7; 16]), ended, to: "db.example:5432/hook haven".into() }
    }

    #[test]
    fn it_is_read_as_it_was_set() {
        for ended in [false, true] {
            assert_eq!(Seal::parse(&format!("{}\n", seal(ended))), Some(seal(ended)));
        }
        for wrong in ["", "\n", "hookhaven-sealed 1 begun", "hookhaven-sealed 2 begun 0 x\n"] {
            assert_eq!(Seal::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_power_cut_leaves_the_seal_of_before_or_the_new_one_and_what_was_set_stays() {
        let (index, dir) = (tempfile::tempdir().unwrap(), Path::new("/data"));
        let mut interrupted = 0;
        for seed in 0..40 {
            for changes in 1..12 {
                let disk = SimDisk::new(seed, index.path());
                disk.create_dir(dir).unwrap();
                set(&disk, dir, &seal(false)).unwrap();
                disk.stop_after(changes);
                let done = set(&disk, dir, &seal(true)).is_ok();
                let next: Arc<dyn Disk> = Arc::new(disk.power_cut(seed));
                let found = read(&*next, dir).unwrap().expect("it was sealed all along");
                assert!(found == seal(true) || (!done && found == seal(false)), "seed {seed}, {changes}: {found:?}");
                interrupted += u32::from(!done);
            }
        }
        assert!(interrupted > 100, "{interrupted}");
    }
}
