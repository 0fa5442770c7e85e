//! Taking over what another store held, as it stands: ids, times, states and all. For a database that nobody
//! uses; while a copy into it has not ended, no node opens it.
//!
//! A page goes in by one transaction that begins by moving the cursor from where the page begins to where it
//! ends, and goes on only if it was there. So no page is taken twice, not even if a process was killed while it
//! waited for the answer to its commit, and another goes on.
//!
//! Not here: where pages come from (`crate::copy`), which column holds what (`rows`).

mod rows;

use std::{sync::Arc, time::Duration};

use hookhaven_core::EventId;
use tokio_postgres::types::Type;

use super::{
    PostgresOptions, check_server,
    health::Health,
    migrate,
    pool::{Args, Lent, Mode, Pool},
    rows::{At, Uuid, from_text, to_text},
    slices::{self, Slices},
    target::Target,
    trouble::{Kind, Trouble},
};
use crate::{
    clock::Clock,
    copy::{Content, CopyId, Counts, Cursor, Page},
    history::KeyDigest,
    seam::StoreError,
};

/// Counting everything may take long.
const COUNT_TIMEOUT: Duration = Duration::from_secs(3 * 3_600);
/// How often a page is tried that was undone for the sake of something else.
const TRIES: usize = 4;

/// How often it is waited for a lock on a copy's row, each time as long as the pool waits for one.
const FIND_TRIES: usize = 10;

/// A node that was not heard of for so long has stopped.
const NODE_SILENCE: Duration = Duration::from_secs(60);

/// "hookhave" in ASCII and a little more: whoever begins a copy is alone.
const ALONE: &str = "SELECT pg_advisory_xact_lock(7525356076397377128)";

/// What stands of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Begun(Cursor),
    Ended,
}

/// A database that takes a copy.
#[derive(Debug)]
pub(crate) struct PostgresImport {
    work: Pool,
    counting: Pool,
    target: Arc<Target>,
    slices: Slices,
    clock: Arc<dyn Clock>,
}

impl PostgresImport {
    /// # Errors
    /// As for opening the store.
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        let target = Arc::new(Target::parse(&options.address, options.answer_timeout)?);
        let pool = |answer_timeout| Pool::new(target.clone(), Arc::<Health>::default(), 2, answer_timeout);
        let (work, counting) = (pool(options.answer_timeout), pool(COUNT_TIMEOUT));
        check_server(&work).await?;
        if options.migrate {
            migrate::migrate(&work).await?;
        }
        let clock = match options.clock {
            Some(clock) => clock,
            None => Arc::new(super::read_clock(&work).await?),
        };
        Ok(PostgresImport { work, counting, target, slices: Slices::default(), clock })
    }

    /// Host, port and name of the database.
    pub fn place(&self) -> String {
        self.target.place()
    }

    /// How far a copy has come; `None` if this database does not know it. Waits for a transaction that an
    /// earlier process may have left under way: until the server finds out that nobody is there.
    pub async fn find(&self, copy: CopyId) -> Result<Option<Known>, StoreError> {
        let sql = "SELECT phase, upto, ended_at IS NOT NULL FROM hookhaven.copies WHERE id = $1 FOR UPDATE";
        let args: Args<'_> = &[(&Uuid(copy.0), Type::UUID)];
        let mut tries = 1;
        let rows = loop {
            match self.work.once(Mode::Write, sql, args).await {
                Err(trouble) if trouble.kind == Kind::Again && tries < FIND_TRIES => tries += 1,
                found => break found?,
            }
        };
        let Some(row) = rows.first() else { return Ok(None) };
        let read = |e| StoreError::from(Trouble::from(e));
        if row.try_get(2).map_err(read)? {
            return Ok(Some(Known::Ended));
        }
        let (phase, upto) = (row.try_get(0).map_err(read)?, row.try_get(1).map_err(read)?);
        Ok(Some(Known::Begun(cursor_of(phase, upto)?)))
    }

    /// # Errors
    /// `Refused`, with what it holds.
    pub async fn must_be_empty(&self) -> Result<(), StoreError> {
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Read).await?;
        let holds = self.holds(&connection).await?;
        connection.commit().await?;
        self.refuse(holds)
    }

    /// Begins a copy in an empty database. From here on no node opens it.
    ///
    /// # Errors
    /// As for [`Self::must_be_empty`].
    pub async fn begin(&self, copy: CopyId, source: &str) -> Result<(), StoreError> {
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        connection.batch(ALONE).await?;
        let holds = self.holds(&connection).await?;
        if holds.is_none() {
            let sql = "INSERT INTO hookhaven.copies (id, source, phase, began_at) VALUES ($1, $2, 1, $3)";
            let (source, now) = (to_text(source), At(self.clock.now()));
            let args: Args<'_> = &[(&Uuid(copy.0), Type::UUID), (&source, Type::TEXT), (&now, Type::TIMESTAMPTZ)];
            connection.run(sql, args).await?;
        }
        connection.commit().await?;
        self.refuse(holds)
    }

    fn refuse(&self, holds: Option<String>) -> Result<(), StoreError> {
        match holds {
            Some(what) => Err(StoreError::Refused(format!(
                "{} holds {what} already; what is wanted is a database that no gateway has used",
                self.place()
            ))),
            None => Ok(()),
        }
    }

    /// What it holds that is in the way.
    async fn holds(&self, connection: &Lent<'_>) -> Result<Option<String>, Trouble> {
        let sql = "SELECT source FROM hookhaven.copies ORDER BY began_at LIMIT 1";
        if let Some(row) = connection.query(sql, &[]).await?.first() {
            return Ok(Some(format!("a copy of {}", from_text(row.try_get(0)?))));
        }
        for table in ["events", "live", "ended", "attempts", "steps", "keys", "catalog"] {
            let sql = format!("SELECT FROM hookhaven.{table} LIMIT 1");
            if !connection.query(&sql, &[]).await?.is_empty() {
                return Ok(Some(format!("data (table hookhaven.{table})")));
            }
        }
        let now = self.clock.now();
        let sql = "SELECT FROM hookhaven.sessions WHERE until > $1 AND id > 0 \
            UNION ALL SELECT FROM hookhaven.nodes WHERE seen_at > $2 LIMIT 1";
        let args: Args<'_> = &[(&At(now), Type::TIMESTAMPTZ), (&At(now.minus(NODE_SILENCE)), Type::TIMESTAMPTZ)];
        let nodes = connection.query(sql, args).await?;
        Ok((!nodes.is_empty()).then(|| "the session of a running node".to_owned()))
    }

    /// Takes a page and moves the cursor, or does neither.
    ///
    /// # Errors
    /// `Unavailable` if what became of it is not known: [`Self::find`] tells. `Failed` if the cursor is not where
    /// the page begins, or something of the page is there already.
    pub async fn take(&self, copy: CopyId, page: &Page) -> Result<(), StoreError> {
        let slices: Vec<i32> = match &page.content {
            Content::Families(families) => families.iter().map(|family| slices::of_event(family.id)).collect(),
            Content::Steps(steps) => steps.iter().map(|step| slices::of_time(step.at)).collect(),
            Content::Keys(_) | Content::Catalog(_) => Vec::new(),
        };
        self.slices.ensure(&self.work, slices).await?;
        for _ in 1..TRIES {
            match self.take_once(copy, page).await {
                Err(trouble) if trouble.kind == Kind::Again => {}
                done => return Ok(done?),
            }
        }
        Ok(self.take_once(copy, page).await?)
    }

    async fn take_once(&self, copy: CopyId, page: &Page) -> Result<(), Trouble> {
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        self.move_cursor(&connection, copy, page).await?;
        for insert in rows::inserts(&page.content) {
            insert.run(&connection).await?;
        }
        rows::restore_lines(&connection, &page.content, self.clock.now()).await?;
        if let Content::Steps(_) = &page.content {
            // The next one's number is behind these.
            connection.query(rows::STEP_NUMBER, &[]).await?;
        }
        connection.commit().await
    }

    /// Answered before anything else is sent.
    async fn move_cursor(&self, connection: &Lent<'_>, copy: CopyId, page: &Page) -> Result<(), Trouble> {
        let ((phase, upto), (next_phase, next)) = (columns_of(page.from), columns_of(page.upto));
        let sql = "UPDATE hookhaven.copies SET phase = $4, upto = $5 \
            WHERE id = $1 AND phase = $2 AND upto IS NOT DISTINCT FROM $3 AND ended_at IS NULL";
        let args: Args<'_> = &[
            (&Uuid(copy.0), Type::UUID),
            (&phase, Type::INT2),
            (&upto, Type::UUID),
            (&next_phase, Type::INT2),
            (&next, Type::UUID),
        ];
        match connection.run(sql, args).await? {
            1 => Ok(()),
            _ => Err(Trouble::failed("the copy is not where this process left it: is another one at work?")),
        }
    }

    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let rows = self.counting.once(Mode::Read, rows::COUNTS, &[]).await?;
        let row = rows.first().ok_or_else(|| StoreError::Failed("the server answered nothing".into()))?;
        Ok(rows::counts(row)?)
    }

    /// From here on nodes open it.
    pub async fn end(&self, copy: CopyId) -> Result<(), StoreError> {
        let sql = "UPDATE hookhaven.copies SET ended_at = $2 WHERE id = $1";
        let args: Args<'_> = &[(&Uuid(copy.0), Type::UUID), (&At(self.clock.now()), Type::TIMESTAMPTZ)];
        self.work.once(Mode::Write, sql, args).await?;
        Ok(())
    }

    pub fn close(&self) {
        self.work.close();
        self.counting.close();
    }
}

/// For those who want a database for themselves.
///
/// # Errors
/// `Refused` if some gateway uses or has used it; otherwise as for opening the store.
pub async fn must_be_unused(options: PostgresOptions) -> Result<(), StoreError> {
    let import = PostgresImport::open(options).await?;
    let unused = import.must_be_empty().await;
    import.close();
    unused
}

/// Refuses a database with an unfinished copy in it.
pub(super) async fn must_have_ended(pool: &Pool) -> Result<(), StoreError> {
    let sql = "SELECT source FROM hookhaven.copies WHERE ended_at IS NULL LIMIT 1";
    let rows = pool.once(Mode::Read, sql, &[]).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let source = from_text(row.try_get(0).map_err(Trouble::from)?);
    Err(StoreError::Refused(format!(
        "a copy of {source} into this database was begun and has not ended: give the same `hookhaven copy` again to go \
         on with it"
    )))
}

fn columns_of(cursor: Cursor) -> (i16, Option<Uuid>) {
    match cursor {
        Cursor::Events(upto) => (1, upto.map(Uuid::from)),
        Cursor::Keys(KeyDigest(upto)) => (2, Some(Uuid(upto))),
        Cursor::Steps(upto) => (4, Some(Uuid(u128::from(upto).to_be_bytes()))),
        Cursor::Whole => (3, None),
    }
}

fn cursor_of(phase: i16, upto: Option<Uuid>) -> Result<Cursor, StoreError> {
    match (phase, upto) {
        (1, upto) => Ok(Cursor::Events(upto.map(|Uuid(id)| EventId::from_bytes(id)))),
        (2, Some(Uuid(digest))) => Ok(Cursor::Keys(KeyDigest(digest))),
        (3, None) => Ok(Cursor::Whole),
        (4, Some(Uuid(number))) => Ok(Cursor::Steps(u64::try_from(u128::from_be_bytes(number)).unwrap_or(u64::MAX))),
        _ => Err(StoreError::Incompatible(format!("phase {phase} of a copy is not known; a newer version wrote it"))),
    }
}
