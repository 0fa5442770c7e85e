//! Performs what the handlers decided: each row until it succeeded, under the same idempotency key every time.

use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::{sync::watch, time::timeout};

use crate::{effects, once::Failure};

/// How long one call may take. Shorter than the first pause below, so that a row is in one hand at a time.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_secs(1);

/// Takes the next due row and says when it is to be tried again if nobody reports back, this process included.
const CLAIM: &str = "
    UPDATE webhook_outbox
    SET attempts = attempts + 1, due_at = now() + least(interval '1 hour', interval '30 seconds' * 2 ^ attempts)
    WHERE id = (SELECT id FROM webhook_outbox
                WHERE done_at IS NULL AND due_at <= now() AND attempts < 20
                ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, effect, idempotency_key, payload::text";

/// Performs everything that is due; answers how many rows were tried. No transaction is open during a call.
///
/// # Errors
/// If the outbox cannot be read or written; what a call came to stands in its row.
pub async fn drain(pool: &Pool, client: &reqwest::Client) -> Result<u64, Failure> {
    let mut tried = 0;
    loop {
        let connection = pool.get().await?;
        let Some(row) = connection.query_opt(CLAIM, &[]).await? else { return Ok(tried) };
        // Given back before the call, which may take its time.
        drop(connection);
        tried += 1;
        let (id, effect, key, payload): (i64, String, String, String) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let performed = timeout(CALL_TIMEOUT, effects::perform(client, &effect, payload, &key)).await;
        let connection = pool.get().await?;
        let error = match performed {
            Ok(Ok(())) => {
                let done = "UPDATE webhook_outbox SET done_at = now(), last_error = NULL WHERE id = $1";
                connection.execute(done, &[&id]).await?;
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {CALL_TIMEOUT:?}"),
        };
        tracing::error!("outbox={id} effect={effect} error={error}");
        connection.execute("UPDATE webhook_outbox SET last_error = $2 WHERE id = $1", &[&id, &error]).await?;
    }
}

/// Drains again and again until it is told to stop; ends when the last row in hand is done with.
pub async fn run(pool: Pool, mut stopped: watch::Receiver<bool>) {
    let client = reqwest::Client::new();
    while !*stopped.borrow() {
        if let Err(error) = drain(&pool, &client).await {
            tracing::error!("outbox: {error}");
        }
        // Ends early when told to stop, or when nobody is left to tell.
        let _ = timeout(POLL, stopped.changed()).await;
    }
}
