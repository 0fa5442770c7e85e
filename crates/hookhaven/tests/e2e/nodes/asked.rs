//! A node that only takes requests in asks the handler all the same where a sender waits for it.

use hookhaven_load::{client::Answer, gateway::poll};

use super::*;
use crate::support::{PATIENCE, handler::Reply, load::stripe_headers};

fn asking(handler: &Handler) -> String {
    config(handler, "").replace("to = [", "answer = { from = \"handler\", within = \"15s\" }\nto = [")
}

async fn post(node: &Gateway, number: u32) -> Answer {
    let body = format!("{{\"id\":\"evt_{number}\",\"type\":\"x\"}}");
    node.post("/webhooks/shop", &stripe_headers(SECRET, body.as_bytes()), body.as_bytes()).await
}

#[tokio::test]
async fn an_ingest_node_asks_the_handler() {
    let handler = Handler::start(|_| Reply::says("text/plain", "hello")).await;
    let database = database();
    let [mut ingest, worker] = nodes(&database, ["ingest", "worker"], &asking(&handler)).await;
    // Until it has a session, what comes is answered by default and delivered by the worker.
    let mut posted = 0;
    let heard = poll(PATIENCE, async || {
        posted += 1;
        (post(&ingest, posted).await.body == b"hello").then_some(())
    });
    heard.await.expect("it asks");
    worker.until_drained().await;
    ingest.until_logged("\"message\":\"attempt\"").await;
    assert_eq!(handler.received().len(), posted as usize, "each once");

    // What it cannot finish is the worker's.
    let first = posted as usize + 1;
    handler.change(move |received| if received.number == first { Reply::Hang } else { Reply::Status(200) });
    tokio::select! {
        answer = post(&ingest, 1_000) => panic!("{answer:?}, though nobody answered"),
        () = handler.until(first) => {}
    }
    ingest.kill().await;
    handler.until(first + 1).await;
    worker.until_drained().await;
    assert_eq!(handler.received().len(), first + 1);
}
