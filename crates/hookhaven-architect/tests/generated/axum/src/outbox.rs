//! Performs what the handlers decided: each row until it succeeded, under the same idempotency key every time.

use std::time::Duration;

use deadpool_postgres::Pool;
use reqwest::redirect::Policy;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{effects, once::Failure};

/// How long one call may take. Shorter than the first pause below, so that a row is in one hand at a time.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_secs(1);

/// Takes the next due row and says when it is to be tried again if nobody reports back, this process included.
const CLAIM: &str = "
    UPDATE webhook_outbox
    SET attempts = attempts + 1, due_at = now() + least(interval '1 hour', interval '30 seconds' * 2 ^ attempts)
    WHERE id = (SELECT id FROM webhook_outbox
                WHERE effect = $1 AND done_at IS NULL AND due_at <= now() AND attempts < 20
                ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, idempotency_key, payload::text";

/// Performs what is due, again and again until it is told to stop; ends when the last rows in hand are done with.
///
/// # Errors
/// If there can be no HTTP client on this system.
pub async fn run(pool: Pool, stopped: watch::Receiver<bool>) -> Result<(), reqwest::Error> {
    // A redirect that is followed becomes a GET, and answers 200 to nothing.
    let client = reqwest::Client::builder().redirect(Policy::none()).build()?;
    // Each effect by itself: a provider that hangs delays its own alone.
    let mut loops = JoinSet::new();
    for effect in effects::ALL {
        loops.spawn(run_one(pool.clone(), client.clone(), stopped.clone(), effect));
    }
    loops.join_all().await;
    Ok(())
}

async fn run_one(pool: Pool, client: reqwest::Client, mut stopped: watch::Receiver<bool>, effect: &'static str) {
    while !*stopped.borrow() {
        if let Err(error) = drain(&pool, &client, &stopped, effect).await {
            tracing::error!(effect, %error, "the outbox cannot be read or written");
        }
        // Ends early when told to stop, or when nobody is left to tell.
        let _ = timeout(POLL, stopped.changed()).await;
    }
}

/// No transaction is open during a call, and no connection held.
async fn drain(
    pool: &Pool,
    client: &reqwest::Client,
    stopped: &watch::Receiver<bool>,
    effect: &str,
) -> Result<(), Failure> {
    while !*stopped.borrow() {
        let Some(row) = pool.get().await?.query_opt(CLAIM, &[&effect]).await? else { return Ok(()) };
        let (id, key, payload): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
        let error = match timeout(CALL_TIMEOUT, effects::perform(client, effect, payload, &key)).await {
            Ok(Ok(())) => {
                let done = "UPDATE webhook_outbox SET done_at = now(), last_error = NULL WHERE id = $1";
                pool.get().await?.execute(done, &[&id]).await?;
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {CALL_TIMEOUT:?}"),
        };
        tracing::error!(outbox = id, effect, error);
        let failed = "UPDATE webhook_outbox SET last_error = $2 WHERE id = $1";
        pool.get().await?.execute(failed, &[&id, &error]).await?;
    }
    Ok(())
}
