//! The ceiling: what this machine, this HTTP stack and this disk allow. It checks the signature and
//! answers; with `--sync` it appends the body to a plain file first and syncs it, in groups: all that
//! came in during one sync share the next.
//!
//! Not a gateway: no duplicates, no deliveries, nothing can be read back.

use std::{
    fs::File,
    io::{IoSlice, Write as _},
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, Result};
use aws_lc_rs::hmac;
use bytes::Bytes;
use hookhaven_load::event::signature_holds;
use hyper::StatusCode;
use tokio::sync::{mpsc, oneshot};

use crate::serve::until_stdin_ends;

/// Waiting for the writer; more wait at the sender.
const QUEUE_MAX: usize = 4_096;
/// Written with one call, as the system allows.
const GROUP_MAX: usize = 1_024;

type Append = (Bytes, oneshot::Sender<bool>);

pub async fn serve(secret: &str, sync: Option<&Path>) -> Result<()> {
    let key = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
    let writer = sync.map(start_writer).transpose()?;
    until_stdin_ends(move |head, body| {
        let (key, writer) = (Arc::clone(&key), writer.clone());
        async move {
            let signature = head.headers.get("stripe-signature").and_then(|value| value.to_str().ok());
            if !signature.is_some_and(|signature| signature_holds(&key, signature, &body)) {
                return (StatusCode::UNAUTHORIZED, Vec::new());
            }
            match writer {
                Some(writer) if !stored(&writer, body).await => (StatusCode::SERVICE_UNAVAILABLE, Vec::new()),
                _ => (StatusCode::OK, Vec::new()),
            }
        }
    })
    .await
}

async fn stored(writer: &mpsc::Sender<Append>, body: Bytes) -> bool {
    let (done, stored) = oneshot::channel();
    writer.send((body, done)).await.is_ok() && stored.await.unwrap_or(false)
}

fn start_writer(directory: &Path) -> Result<mpsc::Sender<Append>> {
    let file = File::create(directory.join("bare.log")).context("the bare server's file could not be made")?;
    let (sender, appends) = mpsc::channel(QUEUE_MAX);
    std::thread::spawn(move || write(file, appends));
    Ok(sender)
}

fn write(mut file: File, mut appends: mpsc::Receiver<Append>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while appends.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        let stored = append(&mut file, &group).is_ok();
        for (_, done) in group.drain(..) {
            // Whoever hung up does not want to know.
            let _ = done.send(stored);
        }
    }
}

fn append(file: &mut File, group: &[Append]) -> std::io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = group.iter().map(|(body, _)| IoSlice::new(body)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        let written = file.write_vectored(rest)?;
        IoSlice::advance_slices(&mut rest, written);
    }
    file.sync_data()
}
