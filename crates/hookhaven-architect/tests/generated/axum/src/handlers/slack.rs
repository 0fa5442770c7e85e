//! What the events of Slack do: a function for each group of types that is treated alike.
//!
//! Each is called once for an event, in its transaction: what is written with `tx` is there if, and only if, the
//! event is in the inbox. Effects outside go through `enqueue`. `Failure::NeverSucceeds` is for what no later
//! attempt can change; any other error is tried again.

use tokio_postgres::Transaction;

use crate::{
    event::{Event, Reply},
    once::{Failure, enqueue},
};

pub(crate) async fn handle(event: &Event, tx: &Transaction<'_>) -> Result<(), Failure> {
    if event.is_any(&["/deploy"]) {
        return on_deploy(event, tx).await;
    }
    // Types that nobody handles are taken note of, and that is all.
    Ok(())
}

/// Within 5 s of their arrival.
async fn on_deploy(event: &Event, tx: &Transaction<'_>) -> Result<(), Failure> {
    enqueue(tx, event, "build").await?;
    enqueue(tx, event, "message").await?;
    Ok(())
}

/// What the sender is told once the event is handled: somebody sees it. An event that comes again is answered again,
/// so it has to follow from the event alone.
pub(crate) fn reply(_event: &Event) -> Reply {
    Reply { content_type: "text/plain", text: "".to_owned() }
}
