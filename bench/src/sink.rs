//! A handler that answers at once (or never, or refuses) and remembers what it got. `GET /stats` tells.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use hookhaven_load::sink::Seen;
use hyper::{Method, StatusCode};

use crate::serve::until_stdin_ends;

pub async fn serve(hang: bool, refuse: bool) -> Result<()> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    until_stdin_ends(move |head, body| {
        let seen = Arc::clone(&seen);
        async move {
            if head.method == Method::GET {
                let stats = seen.lock().unwrap_or_else(PoisonError::into_inner).stats();
                return (StatusCode::OK, serde_json::to_vec(&stats).unwrap_or_default());
            }
            seen.lock().unwrap_or_else(PoisonError::into_inner).take(&body);
            if hang {
                std::future::pending::<()>().await;
            }
            (if refuse { StatusCode::BAD_REQUEST } else { StatusCode::OK }, Vec::new())
        }
    })
    .await
}
