//! The handlers behind the gateway: raw bytes in, an answer out. What every webhook goes through is in `receive`,
//! what each event does in `handlers`.

mod effects;
pub mod event;
pub mod handlers;
mod once;
pub mod outbox;
mod receive;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::HeaderMap,
    response::Response,
    routing::post,
};
use deadpool_postgres::{Manager, Pool, Runtime};
use tokio_postgres::NoTls;

pub use crate::receive::{App, BadSecret};

/// For a connection. The gateway waits for an answer for 10 s at least, and has to hear that there is none.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// # Errors
/// If the URL is none.
pub fn pool(url: &str) -> Result<Pool, Box<dyn std::error::Error>> {
    // For a database beyond your own network take the connector of tokio-postgres-rustls in place of NoTls.
    let manager = Manager::new(url.parse()?, NoTls);
    let builder = Pool::builder(manager).max_size(10).runtime(Runtime::Tokio1);
    Ok(builder.wait_timeout(Some(CONNECT_TIMEOUT)).create_timeout(Some(CONNECT_TIMEOUT)).build()?)
}

pub fn app(handlers: Arc<App>) -> Router {
    Router::new()
        .route("/webhooks/{source}", post(webhook))
        .layer(DefaultBodyLimit::max(handlers::BODY_BYTES_MAX))
        .with_state(handlers)
}

/// The signature is over the bytes as they came, so the body is taken as bytes.
async fn webhook(State(app): State<Arc<App>>, Path(source): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    app.receive(&source, &headers, &body).await
}
