//! Every source: where its secret is, where the id of what an event is about stands, who handles it.

mod github;
mod slack;
mod stripe;

use tokio_postgres::Transaction;

use crate::{
    event::{Event, Source},
    once::Failure,
};

/// The largest body that the gateway takes of any sender.
pub const BODY_BYTES_MAX: usize = 26214400;

pub const SOURCES: &[Source] = &[
    Source {
        name: "stripe",
        secret_variable: "STRIPE_HANDLER_SECRET",
        object_places: &[&["json:/data/object/id"]],
        reply: None,
    },
    Source {
        name: "github",
        secret_variable: "GITHUB_HANDLER_SECRET",
        object_places: &[&["json:/pull_request/id"], &["json:/issue/id"], &["json:/workflow_run/id"]],
        reply: None,
    },
    Source {
        name: "slack",
        secret_variable: "SLACK_HANDLER_SECRET",
        // Until a place stands here that names the thing itself, each event counts as one of its own.
        object_places: &[],
        reply: Some(slack::reply),
    },
];

pub(crate) async fn handle(event: &Event, tx: &Transaction<'_>) -> Result<(), Failure> {
    match event.source {
        "stripe" => stripe::handle(event, tx).await,
        "github" => github::handle(event, tx).await,
        "slack" => slack::handle(event, tx).await,
        _ => Ok(()),
    }
}
