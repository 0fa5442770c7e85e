//! Sends the plan over real connections, a few requests at a time, and keeps what each was answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::plan::{Kind, Planned};

/// Requests under way at once, as if from so many machines of the senders.
const CONNECTIONS: usize = 8;
/// Between two requests of one connection: about 160 requests a second in all.
const PACE: Duration = Duration::from_millis(50);

/// What one request was answered.
#[derive(Clone, Debug)]
pub struct Sent {
    pub source: &'static str,
    pub key: String,
    pub kind: Kind,
    pub status: StatusCode,
    pub took: Duration,
    pub at: Instant,
}

/// Sends everything; `progress` is told how many are done.
pub async fn send_all(
    plan: Vec<Planned>,
    gateway: SocketAddr,
    progress: impl Fn(usize) + Send + Sync + 'static,
) -> Result<Vec<Sent>> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let (plan, next, progress) = (Arc::new(plan), Arc::new(AtomicUsize::new(0)), Arc::new(progress));
    let mut senders = Vec::new();
    for _ in 0..CONNECTIONS {
        let (plan, next, progress, client) = (plan.clone(), next.clone(), progress.clone(), client.clone());
        senders.push(tokio::spawn(async move {
            let mut sent = Vec::new();
            let mut pace = tokio::time::interval(PACE);
            loop {
                pace.tick().await;
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some(planned) = plan.get(n) else { return anyhow::Ok(sent) };
                sent.push(send(&client, planned, gateway).await?);
                progress(n + 1);
            }
        }));
    }
    let mut all = Vec::new();
    for sender in senders {
        all.extend(sender.await??);
    }
    Ok(all)
}

async fn send(client: &Client<HttpConnector, Full<Bytes>>, planned: &Planned, gateway: SocketAddr) -> Result<Sent> {
    let url = format!("http://{gateway}/webhooks/{}{}", planned.source, planned.signed.query);
    let mut request = Request::post(url);
    for (name, value) in &planned.signed.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::from(planned.signed.body.clone())).context("a sample made no valid request")?;
    let at = Instant::now();
    let answer = client.request(request).await.context("the gateway did not answer")?;
    let status = answer.status();
    answer.into_body().collect().await.context("the gateway's answer broke off")?;
    Ok(Sent { source: planned.source, key: planned.key.clone(), kind: planned.kind, status, took: at.elapsed(), at })
}
