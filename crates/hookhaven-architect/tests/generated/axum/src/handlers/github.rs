//! What the events of GitHub do: a function for each group of types that is treated alike.
//!
//! Each is called once for an event, in its transaction: what is written with `tx` is there if, and only if, the
//! event is in the inbox. Effects outside go through `enqueue`. `Failure::NeverSucceeds` is for what no later
//! attempt can change; any other error is tried again.

use tokio_postgres::Transaction;

use crate::{
    event::Event,
    once::{Failure, enqueue},
};

pub(crate) async fn handle(event: &Event, tx: &Transaction<'_>) -> Result<(), Failure> {
    if event.is_any(&["push"]) {
        return on_push(event, tx).await;
    }
    if event.is_any(&["pull_request.*", "it's-\"odd\"*/#??"]) {
        return on_pull_request(event, tx).await;
    }
    // Types that nobody handles are taken note of, and that is all.
    Ok(())
}

/// Within 2 minutes of their arrival; a dead letter of these wakes somebody.
async fn on_push(event: &Event, tx: &Transaction<'_>) -> Result<(), Failure> {
    enqueue(tx, event, "build").await?;
    Ok(())
}

/// Within 2 minutes of their arrival.
async fn on_pull_request(event: &Event, tx: &Transaction<'_>) -> Result<(), Failure> {
    enqueue(tx, event, "build").await?;
    Ok(())
}
