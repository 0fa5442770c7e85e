//! Connections, lent one at a time. A connection whose transaction did not come to its end in order is
//! thrown away rather than mended.
//!
//! No statement is prepared by name, nothing is set for longer than a transaction, and no lock is held for
//! longer than one, so a pooler in transaction mode may stand between. A transaction of one statement is
//! one round trip. `synchronous_commit = on` is said in each transaction that writes, because whatever role,
//! database or pooler say otherwise is said for longer than that and so loses.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::{
    Client, Row,
    types::{ToSql, Type},
};

use super::{health::Health, target::Target, trouble::Trouble};

/// Values of a statement, each with its type.
pub(super) type Args<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// What may take long may take this long.
const PATIENCE: Duration = Duration::from_secs(3_600);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    Write,
}

/// How transactions begin.
#[derive(Debug)]
struct Begins {
    read: String,
    write: String,
}

impl Begins {
    /// The server gives up a statement a little earlier than we do, and waiting for a lock earlier still.
    fn new(answer_timeout: Duration) -> Self {
        let ms = answer_timeout.as_millis();
        let common = format!(
            "SET LOCAL statement_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}; SET LOCAL jit = off",
            ms * 4 / 5,
            ms * 2
        );
        let lock_ms = ms / 2;
        Begins {
            read: format!("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; {common}"),
            write: format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on; \
                 SET LOCAL lock_timeout = {lock_ms}; {common}"
            ),
        }
    }

    fn of(&self, mode: Mode) -> &str {
        match mode {
            Mode::Read => &self.read,
            Mode::Write => &self.write,
        }
    }
}

#[derive(Debug)]
pub(super) struct Pool {
    target: Arc<Target>,
    health: Arc<Health>,
    seats: Semaphore,
    idle: Mutex<Vec<Client>>,
    begins: Begins,
    answer_timeout: Duration,
}

/// A connection in use.
pub(super) struct Lent<'a> {
    pool: &'a Pool,
    /// `None` once thrown away.
    client: Option<Client>,
    /// A transaction is open, or its fate is not known.
    open: bool,
    limit: Duration,
    _seat: SemaphorePermit<'a>,
}

impl fmt::Debug for Lent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").field("open", &self.open).finish_non_exhaustive()
    }
}

impl Pool {
    /// At most so many connections, made when they are needed.
    pub fn new(target: Arc<Target>, health: Arc<Health>, size: usize, answer_timeout: Duration) -> Self {
        let begins = Begins::new(answer_timeout);
        Pool { target, health, seats: Semaphore::new(size), idle: Mutex::default(), begins, answer_timeout }
    }

    /// A connection. Fails at once while the database is known to be away.
    pub async fn get(&self) -> Result<Lent<'_>, Trouble> {
        self.health.check()?;
        let limit = self.answer_timeout / 2;
        let seat = match tokio::time::timeout(limit, self.seats.acquire()).await {
            Ok(Ok(seat)) => seat,
            Ok(Err(_)) => return Err(Trouble::lost("the store is closed")),
            Err(_) => return Err(Trouble::lost(format!("all connections were busy for {limit:?}"))),
        };
        while let Some(client) = self.take_idle() {
            if !client.is_closed() {
                return Ok(Lent {
                    pool: self,
                    client: Some(client),
                    open: false,
                    limit: self.answer_timeout,
                    _seat: seat,
                });
            }
        }
        // Others may have found out while we waited.
        self.health.check()?;
        match self.target.connect(None).await {
            Ok((client, _)) => {
                Ok(Lent { pool: self, client: Some(client), open: false, limit: self.answer_timeout, _seat: seat })
            }
            Err(trouble) => {
                self.health.away(&trouble.text);
                Err(trouble)
            }
        }
    }

    fn take_idle(&self) -> Option<Client> {
        self.idle.lock().unwrap_or_else(|e| e.into_inner()).pop()
    }

    /// Lends nothing any more and lets go of what is idle.
    pub fn close(&self) {
        self.seats.close();
        self.idle.lock().unwrap_or_else(|e| e.into_inner()).clear();
    }

    /// One statement in a transaction of its own.
    pub async fn once(&self, mode: Mode, sql: &str, args: Args<'_>) -> Result<Vec<Row>, Trouble> {
        self.get().await?.once(mode, sql, args).await
    }
}

impl Lent<'_> {
    fn client(&self) -> Result<&Client, Trouble> {
        self.client.as_ref().ok_or_else(|| Trouble::lost("the connection is gone"))
    }

    /// One statement in a transaction of its own, in one round trip.
    pub async fn once(&mut self, mode: Mode, sql: &str, args: Args<'_>) -> Result<Vec<Row>, Trouble> {
        self.open = true;
        let client = self.client()?;
        // Each is sent when first looked at, in this order.
        let all = future::join3(
            client.batch_execute(self.pool.begins.of(mode)),
            client.query_typed(sql, args),
            client.batch_execute("COMMIT"),
        );
        let (begun, rows, committed) = self.answered(all).await?;
        if let (Err(trouble), Ok(())) = (&rows, &committed) {
            // It was undone in order. If even the beginning failed, that is the better reason.
            let told = begun.err().map_or_else(|| trouble_of(trouble), Trouble::from);
            self.open = false;
            return Err(told);
        }
        begun?;
        let rows = rows?;
        committed?;
        self.open = false;
        Ok(rows)
    }

    pub async fn begin(&mut self, mode: Mode) -> Result<(), Trouble> {
        self.open = true;
        self.answered(self.client()?.batch_execute(self.pool.begins.of(mode))).await?.map_err(Trouble::from)
    }

    /// As [`Self::begin`] with [`Mode::Write`], for something that may take long: a migration.
    pub async fn begin_patiently(&mut self) -> Result<(), Trouble> {
        self.begin(Mode::Write).await?;
        self.limit = PATIENCE;
        self.batch("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await
    }

    /// One statement of a transaction that was begun.
    pub async fn query(&self, sql: &str, args: Args<'_>) -> Result<Vec<Row>, Trouble> {
        Ok(self.answered(self.client()?.query_typed(sql, args)).await??)
    }

    pub async fn run(&self, sql: &str, args: Args<'_>) -> Result<u64, Trouble> {
        Ok(self.answered(self.client()?.execute_typed(sql, args)).await??)
    }

    /// Statements without values.
    pub async fn batch(&self, sql: &str) -> Result<(), Trouble> {
        Ok(self.answered(self.client()?.batch_execute(sql)).await??)
    }

    pub async fn commit(&mut self) -> Result<(), Trouble> {
        self.answered(self.client()?.batch_execute("COMMIT")).await??;
        self.open = false;
        Ok(())
    }

    /// The last statement of a transaction and its end, in one round trip.
    pub async fn query_and_commit(&mut self, sql: &str, args: Args<'_>) -> Result<Vec<Row>, Trouble> {
        let client = self.client()?;
        let (rows, committed) =
            self.answered(future::join(client.query_typed(sql, args), client.batch_execute("COMMIT"))).await?;
        let rows = rows?;
        committed?;
        self.open = false;
        Ok(rows)
    }
}

impl Lent<'_> {
    async fn answered<T>(&self, work: impl Future<Output = T>) -> Result<T, Trouble> {
        let limit = self.limit;
        let late = |_| Trouble::lost(format!("no answer within {limit:?}"));
        tokio::time::timeout(limit, work).await.map_err(late)
    }
}

fn trouble_of(e: &tokio_postgres::Error) -> Trouble {
    e.as_db_error().map_or_else(|| Trouble::lost(e.to_string()), Trouble::from)
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        if !self.open && !client.is_closed() && !self.pool.seats.is_closed() {
            self.pool.idle.lock().unwrap_or_else(|e| e.into_inner()).push(client);
        }
    }
}
