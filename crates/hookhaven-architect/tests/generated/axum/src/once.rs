//! How an event is kept to once, and a state to its newest: all in one transaction.

use std::error::Error;

use deadpool_postgres::{Pool, PoolError};
use tokio_postgres::Transaction;

use crate::{event::Event, handlers};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Handled,
    Duplicate,
}

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No later attempt can change it: the event becomes a dead letter at once and waits for a person.
    #[error("{0}")]
    NeverSucceeds(&'static str),
    #[error("the database refuses: {}", said(.0))]
    Database(#[from] tokio_postgres::Error),
    #[error("no connection to the database: {}", waited(.0))]
    Pool(#[from] PoolError),
    /// Whatever else a handler meets; it is tried again.
    #[error("{0}")]
    Other(#[from] Box<dyn Error + Send + Sync>),
}

/// What went wrong, which the driver's error does not show by itself. Without the detail: that quotes the body.
fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refused) => format!("{} ({})", refused.message(), refused.code().code()),
        None => error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")),
    }
}

fn waited(error: &PoolError) -> String {
    match error {
        PoolError::Backend(error) => said(error),
        other => other.to_string(),
    }
}

impl Failure {
    /// PostgreSQL's classes 22 and 54: a value that it cannot hold, however often it is tried.
    pub(crate) fn is_hopeless(&self) -> bool {
        match self {
            Failure::NeverSucceeds(_) => true,
            Failure::Database(error) => {
                error.code().is_some_and(|code| ["22", "54"].iter().any(|class| code.code().starts_with(class)))
            }
            Failure::Pool(_) | Failure::Other(_) => false,
        }
    }
}

/// Runs the handler unless this event was handled before. What is answered is committed.
pub(crate) async fn handle(pool: &Pool, event: &Event) -> Result<Outcome, Failure> {
    let mut connection = pool.get().await?;
    // Dropped without a commit, it is rolled back.
    let tx = connection.transaction().await?;
    // Who waits for a lock gives up before the gateway does, and is tried again.
    tx.batch_execute("SET LOCAL lock_timeout = '5s'").await?;
    // Of two attempts at the same time the second waits here for the first, and goes by what became of it.
    let text = "INSERT INTO webhook_inbox (source, webhook_id, event_type) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let inserted = tx.execute(text, &[&event.source, &event.id, &event.event_type]).await?;
    if inserted > 0 {
        handlers::handle(event, &tx).await?;
    }
    tx.commit().await?;
    Ok(if inserted > 0 { Outcome::Handled } else { Outcome::Duplicate })
}

/// Keeps what the event says of its object, unless something newer is there; answers whether it did.
///
/// A deletion is kept like any other state, so that a late update does not bring the object back. Two events of the
/// same time (many senders count in seconds) go by arrival; where that matters, ask the sender for the object. A
/// sender's clock that is ahead keeps nothing out for long: no event counts as newer than a minute after it arrived.
#[allow(dead_code, reason = "not every team keeps state")]
pub(crate) async fn keep_newest(tx: &Transaction<'_>, event: &Event) -> Result<bool, Failure> {
    let text = "
        INSERT INTO webhook_state AS state (source, object_id, event_type, webhook_id, occurred_at, body)
        VALUES ($1, $2, $3, $4, least($5::text::timestamptz, $6::text::timestamptz + interval '1 minute'),
                $7::text::jsonb)
        ON CONFLICT (source, object_id) DO UPDATE
        SET event_type = excluded.event_type, webhook_id = excluded.webhook_id,
            occurred_at = excluded.occurred_at, body = excluded.body
        WHERE excluded.occurred_at >= state.occurred_at";
    let Event { source, object_id, event_type, id, occurred_at, received_at, json, .. } = event;
    Ok(tx.execute(text, &[source, object_id, event_type, id, occurred_at, received_at, json]).await? > 0)
}

/// Decides an effect outside: it is performed if this transaction commits, and under a key of its own.
#[allow(dead_code, reason = "not every team has effects outside")]
pub(crate) async fn enqueue(tx: &Transaction<'_>, event: &Event, effect: &str) -> Result<(), Failure> {
    insert(tx, event, effect, None).await
}

/// The same for an effect that follows the object's state, once `keep_newest` answered yes: older ones that still wait
/// are dropped, so that none of them is performed after this one.
#[allow(dead_code, reason = "not every team has effects that follow a state")]
pub(crate) async fn enqueue_newest(tx: &Transaction<'_>, event: &Event, effect: &str) -> Result<(), Failure> {
    insert(tx, event, effect, Some(format!("{}:{}", event.source, event.object_id))).await
}

/// One that was begun before may be in somebody's hand for as long as a call takes; the newer one waits for that.
async fn insert(tx: &Transaction<'_>, event: &Event, effect: &str, follows: Option<String>) -> Result<(), Failure> {
    let text = "
        WITH overtaken AS (
            UPDATE webhook_outbox SET done_at = now(), last_error = 'overtaken by a newer state'
            WHERE effect = $1 AND follows = $2 AND done_at IS NULL
            RETURNING attempts)
        INSERT INTO webhook_outbox (effect, follows, idempotency_key, payload, due_at)
        VALUES ($1, $2, $3,
                jsonb_build_object('source', $4::text, 'type', $5::text, 'id', $6::text, 'body', $7::text::jsonb),
                CASE WHEN EXISTS (SELECT FROM overtaken WHERE attempts > 0)
                     THEN clock_timestamp() + interval '15 seconds' ELSE now() END)";
    let Event { source, event_type, id, json, .. } = event;
    let key = format!("{source}:{id}:{effect}");
    tx.execute(text, &[&effect, &follows, &key, source, event_type, id, json]).await?;
    Ok(())
}
