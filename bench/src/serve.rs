//! The HTTP server that the bare server and the sink share: hyper as the gateway uses it, on a free
//! loopback port that is printed first.
//!
//! It ends when its standard input does, that is with the process that started it, however that ended.

use std::{convert::Infallible, future::Future, io::Read as _};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{net::TcpListener, sync::oneshot};

const BODY_BYTES_MAX: usize = 1 << 20;

pub type Answer = (StatusCode, Vec<u8>);

/// Serves until standard input ends.
pub async fn until_stdin_ends<H, F>(handle: H) -> Result<()>
where
    H: Fn(http::request::Parts, Bytes) -> F + Clone + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let accepting = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let handle = handle.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| respond(handle.clone(), request));
                let mut server = auto::Builder::new(TokioExecutor::new());
                server.http1().timer(TokioTimer::new());
                // A client that goes away is no matter of ours.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    };
    tokio::select! {
        ended = accepting => ended,
        _ = stdin_end() => Ok(()),
    }
}

/// Resolves when standard input ends, or when something comes in: nothing ever should.
fn stdin_end() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        let _ = ended.send(());
    });
    end
}

async fn respond<H, F>(handle: H, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible>
where
    H: Fn(http::request::Parts, Bytes) -> F,
    F: Future<Output = Answer>,
{
    let (head, body) = request.into_parts();
    let (status, body) = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => handle(head, body.to_bytes()).await,
        Err(_) => (StatusCode::BAD_REQUEST, Vec::new()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    Ok(response)
}
