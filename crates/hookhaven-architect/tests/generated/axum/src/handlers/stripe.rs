//! What the events of Stripe do: a function for each group of types that is treated alike.
//!
//! Each is called once for an event, in its transaction: what is written with `tx` is there if, and only if, the
//! event is in the inbox. Effects outside go through `enqueue`. `Failure::NeverSucceeds` is for what no later
//! attempt can change; any other error is tried again.

use tokio_postgres::Transaction;

use crate::{
    event::Event,
    once::{Failure, enqueue, enqueue_newest, keep_newest},
};

pub(crate) async fn handle(event: &Event, tx: &Transaction<'_>) -> Result<(), Failure> {
    if event.is_any(&["payment_intent.succeeded"]) {
        return on_payment_intent_succeeded(event, tx).await;
    }
    if event.is_any(&["customer.subscription.*", "invoice.payment_failed"]) {
        return on_customer_subscription(event, tx).await;
    }
    // Types that nobody handles are taken note of, and that is all.
    Ok(())
}

/// Within 30 s of their arrival; a dead letter of these wakes somebody.
async fn on_payment_intent_succeeded(event: &Event, tx: &Transaction<'_>) -> Result<(), Failure> {
    // Not by what comes late: it would give back what was taken.
    if keep_newest(tx, event).await? {
        enqueue_newest(tx, event, "fulfilment").await?;
    }
    enqueue(tx, event, "mail").await?;
    enqueue(tx, event, "record").await?;
    Ok(())
}

/// Within 30 s of their arrival.
async fn on_customer_subscription(event: &Event, tx: &Transaction<'_>) -> Result<(), Failure> {
    // Not by what comes late: it would give back what was taken.
    if keep_newest(tx, event).await? {
        enqueue_newest(tx, event, "fulfilment").await?;
    }
    enqueue(tx, event, "mail").await?;
    enqueue(tx, event, "record").await?;
    Ok(())
}
