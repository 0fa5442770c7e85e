//! Starts the handlers and, beside them, the outbox; stops both on SIGTERM without cutting anything off.

use std::{env, error::Error, sync::Arc};

use tokio::{
    net::TcpListener,
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
    sync::watch,
};
use webhook_handlers::{App, app, outbox, pool};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let pool = pool(&env::var("DATABASE_URL")?)?;
    let handlers = App::new(pool.clone(), |name| env::var(name).ok())?;
    let (stop, stopped) = watch::channel(false);
    let outbox = tokio::spawn(outbox::run(pool, stopped));

    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    axum::serve(listener, app(Arc::new(handlers)))
        .with_graceful_shutdown(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = ctrl_c() => {}
            }
        })
        .await?;
    stop.send(true)?;
    Ok(outbox.await??)
}
