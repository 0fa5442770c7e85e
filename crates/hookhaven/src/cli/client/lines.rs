//! Answers that are told line by line as they come, for as long as they are wanted.

use std::{ops::ControlFlow, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use bytes::{Buf, Bytes, BytesMut};
use http::{Method, Response};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tower::ServiceExt;

use super::{Client, Query, Via, collect};

/// Until something more must have come.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Longest line.
const LINE_BYTES_MAX: usize = 1 << 20;

impl Client {
    /// Reads the lines of an answer, each JSON, until `each` has enough of them or there are no more. What ends it
    /// early ends the work behind it, too: the connection goes.
    pub async fn lines<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
        each: impl FnMut(T) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<()> {
        let request = self.request(Method::GET, &format!("/api/v1{path}{}", query.text()), None)?;
        let read = async {
            match &self.via {
                Via::Http(pool) => self.read_lines(pool.request(request).await?, each).await,
                Via::Https(pool) => self.read_lines(pool.request(request).await?, each).await,
                Via::Opened { router, .. } => match router.clone().oneshot(request.map(axum::body::Body::new)).await {
                    Ok(response) => self.read_lines(response, each).await,
                    Err(never) => match never {},
                },
            }
        };
        read.await.with_context(|| format!("asking the gateway at {}", self.name))
    }

    async fn read_lines<B, T>(
        &self,
        response: Response<B>,
        mut each: impl FnMut(T) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<()>
    where
        B: hyper::body::Body<Data = Bytes> + Send + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        T: DeserializeOwned,
    {
        if !response.status().is_success() {
            self.accepted(collect(response).await?)?;
            return Ok(());
        }
        let (mut body, mut rest) = (response.into_body(), BytesMut::new());
        loop {
            let frame = tokio::time::timeout(SILENCE_MAX, body.frame());
            let frame = frame.await.map_err(|_| anyhow!("nothing more came within {} s", SILENCE_MAX.as_secs()))?;
            let Some(frame) = frame else { return Ok(()) };
            if let Ok(data) = frame.map_err(|e| anyhow!(e.into()))?.into_data() {
                rest.extend_from_slice(&data);
            }
            while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                let line = serde_json::from_slice(&rest[..end]);
                rest.advance(end + 1);
                let line = line.context("it answers, but not as a gateway of this version")?;
                if each(line)?.is_break() {
                    return Ok(());
                }
            }
            if rest.len() > LINE_BYTES_MAX {
                bail!("it answers with a line of more than {LINE_BYTES_MAX} bytes");
            }
        }
    }
}
