//! How an event is kept to once, and a state to its newest: all in one transaction.

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
    #[error(transparent)]
    Database(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Pool(#[from] PoolError),
}

/// Runs the handler unless this event was handled before. What is answered is committed.
pub(crate) async fn handle(pool: &Pool, event: &Event) -> Result<Outcome, Failure> {
    let mut connection = pool.get().await?;
    // Dropped without a commit, it is rolled back.
    let tx = connection.transaction().await?;
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
/// same time (many senders count in seconds) go by arrival; where that matters, ask the sender for the object.
#[allow(dead_code, reason = "not every team keeps state")]
pub(crate) async fn keep_newest(tx: &Transaction<'_>, event: &Event) -> Result<bool, Failure> {
    let text = "
        INSERT INTO webhook_state AS state (source, object_id, event_type, webhook_id, occurred_at, body)
        VALUES ($1, $2, $3, $4, $5::text::timestamptz, $6::text::jsonb)
        ON CONFLICT (source, object_id) DO UPDATE
        SET event_type = excluded.event_type, webhook_id = excluded.webhook_id,
            occurred_at = excluded.occurred_at, body = excluded.body
        WHERE excluded.occurred_at >= state.occurred_at";
    let Event { source, object_id, event_type, id, occurred_at, json, .. } = event;
    Ok(tx.execute(text, &[source, object_id, event_type, id, occurred_at, json]).await? > 0)
}

/// Decides an effect outside: it is performed if this transaction commits, and under a key of its own.
#[allow(dead_code, reason = "not every team has effects outside")]
pub(crate) async fn enqueue(tx: &Transaction<'_>, event: &Event, effect: &str) -> Result<(), Failure> {
    let text = "
        INSERT INTO webhook_outbox (effect, idempotency_key, payload)
        VALUES ($1, $2, jsonb_build_object(
            'source', $3::text, 'type', $4::text, 'id', $5::text, 'body', $6::text::jsonb))";
    let Event { source, event_type, id, json, .. } = event;
    let key = format!("{source}:{id}:{effect}");
    tx.execute(text, &[&effect, &key, source, event_type, id, json]).await?;
    Ok(())
}
