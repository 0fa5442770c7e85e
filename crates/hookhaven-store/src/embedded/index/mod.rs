//! The index: history in SQLite, for look-ups and lists. Applied behind the journal, in transactions that
//! also hold the position reached; whatever is wrong with it, it is thrown away and made again.
//!
//! One connection applies (`apply`), one looks up for the writer (`history`), a few answer lists
//! (`readers`, `lists`). Not here: threads, and what is not yet applied, which is `live`'s.
//!
//! What lists may be filtered by has no index of SQLite's, which would be written for every event. Instead `kinds`
//! says what was born in which moment, one row for all that is alike, and lists look only there (`look`).

pub mod apply;
mod attempted;
mod batch;
mod carried;
mod changing;
mod deliveries;
pub mod examine;
mod export;
pub mod forget;
pub mod history;
mod keys;
mod kinds;
mod lists;
mod look;
pub mod readers;
mod rows;
mod steps;

#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

pub use self::{apply::IndexWriter, history::IndexHistory, rows::Indexed};
use super::journal::JournalReader;
use crate::{codec, position::Position, seam::StoreError};

/// Raised with every change of `schema.sql` or of what is in it; an index of another one is made anew.
const SCHEMA_VERSION: i64 = 7;
const SCHEMA: &str = include_str!("schema.sql");

/// Up to which segment rows have no meaning any more, though some may not be deleted yet.
const GONE: &str = "(SELECT coalesce(max(upto), 0) FROM removed)";

const STATEMENTS_MAX: usize = 64;
/// How long a connection waits for another's write lock; only the applier writes.
const BUSY: Duration = Duration::from_secs(5);

/// What went wrong in the index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("the index: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the index holds what is none of ours: {0}")]
    Malformed(String),
    #[error("the files of the index: {0}")]
    Io(#[from] io::Error),
    #[error("a question to the index ended early: {0}")]
    Ended(String),
}

impl IndexError {
    /// Whether there is no room for it.
    pub fn is_full(&self) -> bool {
        matches!(self, IndexError::Sqlite(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }

    /// Whether only making it again can help.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, SchemaChanged};
        match self {
            IndexError::Malformed(_) => true,
            IndexError::Io(_) | IndexError::Ended(_) => false,
            IndexError::Sqlite(rusqlite::Error::SqliteFailure(e, _)) => {
                matches!(e.code, DatabaseCorrupt | NotADatabase | SchemaChanged)
            }
            // A value of a type that we never stored.
            IndexError::Sqlite(e) => {
                matches!(e, rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..))
            }
        }
    }
}

impl From<IndexError> for StoreError {
    fn from(e: IndexError) -> Self {
        match e {
            IndexError::Sqlite(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => {
                let limit = readers::READ_MAX.as_secs();
                StoreError::Unavailable(format!("the question takes more than {limit} s: narrow the filter"))
            }
            e => StoreError::Failed(e.to_string()),
        }
    }
}

impl From<codec::DecodeError> for IndexError {
    fn from(e: codec::DecodeError) -> Self {
        IndexError::Malformed(e.to_string())
    }
}

/// Where the index lies; opens connections to it.
#[derive(Clone, Debug)]
pub struct Index {
    path: PathBuf,
}

fn reached(connection: &Connection) -> Result<Option<Reached>, IndexError> {
    let row = |row: &rusqlite::Row<'_>| {
        let at = Position { segment: row.get(0)?, offset: row.get(1)?, len: row.get(2)? };
        Ok(Reached { at, salt: row.get(3)? })
    };
    Ok(connection.query_row("SELECT segment, offset, len, salt FROM reached", [], row).optional()?)
}

/// What an index has applied, and the salt of that segment: a position in this very journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    pub at: Position,
    pub salt: [u8; 16],
}

impl Index {
    pub fn new(path: PathBuf) -> Self {
        Index { path }
    }

    /// The connection that applies, on an index that belongs to this journal and is not ahead of it. One
    /// that does not, or cannot be read, is replaced by an empty one.
    pub fn open(&self, journal: &JournalReader) -> Result<IndexWriter, IndexError> {
        if self.path.exists() {
            match self.open_present(journal) {
                Ok(Some(writer)) => return Ok(writer),
                Ok(None) => tracing::warn!("the index does not fit the journal: it is made again"),
                Err(e) => tracing::warn!("{e}: it is made again"),
            }
        }
        self.discard()?;
        let connection = self.connect_to_write(OpenFlags::SQLITE_OPEN_CREATE)?;
        connection.execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;"))?;
        connection.execute("INSERT INTO meta VALUES ('schema_version', ?1)", [SCHEMA_VERSION])?;
        Ok(IndexWriter::new(connection, None, journal.clone()))
    }

    fn open_present(&self, journal: &JournalReader) -> Result<Option<IndexWriter>, IndexError> {
        let connection = self.connect_to_write(OpenFlags::empty())?;
        let version = connection.query_row("SELECT value FROM meta WHERE name = 'schema_version'", [], |r| r.get(0));
        if version.optional()? != Some(SCHEMA_VERSION) {
            return Ok(None);
        }
        let reached = reached(&connection)?;
        let fits = reached.is_none_or(|reached| {
            let end = journal.end();
            (reached.at.segment, reached.at.end()) <= (end.segment, end.offset)
                && journal.salt(reached.at.segment) == Some(reached.salt)
        });
        if fits { Ok(Some(IndexWriter::new(connection, reached, journal.clone()))) } else { Ok(None) }
    }

    fn connect_to_write(&self, flags: OpenFlags) -> Result<Connection, IndexError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE | flags)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        connection.pragma_update(None, "cache_size", -32_000)?;
        Ok(connection)
    }

    /// Writes a copy of it as it is now, while it goes on changing.
    pub fn copy_to(&self, path: &Path) -> Result<(), IndexError> {
        let connection = self.reader()?;
        let no_text = || io::Error::new(io::ErrorKind::InvalidInput, "its path is not UTF-8");
        connection.execute("VACUUM INTO ?1", [path.to_str().ok_or_else(no_text)?])?;
        Ok(())
    }

    /// Bytes of its files.
    pub fn bytes(&self) -> u64 {
        let files = ["", "-wal", "-shm"].map(|suffix| fs::metadata(self.beside(suffix)));
        files.into_iter().flatten().map(|file| file.len()).sum()
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    /// Removes it. Whoever has it open goes on reading what is no longer there.
    pub fn discard(&self) -> Result<(), IndexError> {
        for suffix in ["", "-wal", "-shm"] {
            match fs::remove_file(self.beside(suffix)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Where one is made that is to take the place of this one.
    pub fn draft_path(&self) -> PathBuf {
        self.path.with_extension("new.sqlite")
    }

    /// Puts a finished index in the place of another, which is removed.
    pub fn replace(self, old: &Index) -> Result<(), IndexError> {
        old.discard()?;
        Ok(fs::rename(&self.path, &old.path)?)
    }

    /// A connection that cannot write.
    pub fn reader(&self) -> Result<Connection, IndexError> {
        self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn connect(&self, mode: OpenFlags) -> Result<Connection, IndexError> {
        let connection = Connection::open_with_flags(&self.path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "cache_size", -4_000)?;
        Ok(connection)
    }
}
