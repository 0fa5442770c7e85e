//! Connections that read, a few of them, each lent out for one question. A question has a limit of time, so that none
//! can hold up checkpoints for ever.
//!
//! Not here: what can be asked (`lists`, `steps`, `attempted`, `keys`, `export`).

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{
    Index, IndexError,
    look::{WORK_STEPS, Work},
    rows::Names,
};
use crate::embedded::engine::Mode;

/// Questions answered at once; others wait for one of them to end.
const READERS_MAX: usize = 4;
/// How long one may take.
pub const READ_MAX: Duration = Duration::from_secs(5);

/// Connections that read, opened as needed.
#[derive(Clone, Debug)]
pub struct Readers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    index: Index,
    mode: Mode,
    permits: Semaphore,
    free: Mutex<Vec<Reader>>,
}

/// One connection, lent out for one question.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
    pub(super) names: Names,
    pub(super) work: Work,
    pub(super) index: Index,
}

impl Readers {
    pub fn new(index: Index, mode: Mode) -> Self {
        Readers(Arc::new(Pool { index, mode, permits: Semaphore::new(READERS_MAX), free: Mutex::default() }))
    }

    /// Asks on a thread that may block.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let ended = |e: &dyn std::fmt::Display| IndexError::Ended(e.to_string());
        let pool = self.0.clone();
        let _permit = self.0.permits.acquire().await.map_err(|e| ended(&e))?;
        let asked = self.0.mode.run(move || pool.answer(question));
        asked.await.map_err(|e| ended(&e))?
    }
}

impl Pool {
    fn free(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.free.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn answer<T>(&self, question: impl FnOnce(&Reader) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let free = self.free().pop();
        let mut reader = match free {
            Some(reader) => reader,
            None => Reader::open(&self.index)?,
        };
        let started = Instant::now();
        let work = reader.work.clone();
        let watch = move || {
            work.add();
            started.elapsed() > READ_MAX
        };
        reader.connection.progress_handler(WORK_STEPS, Some(watch))?;
        let answer = question(&reader);
        // A connection that failed is not lent out again.
        if answer.is_ok() {
            self.free().push(reader);
        }
        answer
    }
}

impl Reader {
    pub fn open(index: &Index) -> Result<Self, IndexError> {
        let connection = index.reader()?;
        Ok(Reader { connection, names: Names::default(), work: Work::default(), index: index.clone() })
    }
}
