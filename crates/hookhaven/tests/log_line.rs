//! What a request leaves in the log. Alone in its process: whether a line is written at all is remembered for the whole
//! process by whoever meets it first, and other tests have no log.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod support;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use hookhaven::config::{Log, LogFormat};
use hookhaven_store::clock::ManualClock;
use support::{Gateway, NOW, config};

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_request_is_one_line_without_body_or_secret() {
    let paper = Paper::default();
    let log = Log { format: LogFormat::Json, level: tracing::Level::INFO };
    let (subscriber, guard) = hookhaven::log::subscriber(&log, Arc::new(ManualClock::at(NOW)), paper.clone());
    let this_thread = tracing::subscriber::set_default(subscriber);
    let gateway = Gateway::start(config());
    let mut good = gateway.signed("stripe", "invoice.paid", "evt_1");
    good.headers.push(("X-Request-Id".to_owned(), "req-7".to_owned()));
    gateway.post("stripe", &good).await;
    gateway.post("stripe", &good).await;
    good.body.push(b' ');
    gateway.post("stripe", &good).await;
    gateway.send("POST", "/webhooks/%1b%5b2Jnobody", &[], Vec::new()).await;
    drop((this_thread, guard));
    let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let requests: Vec<_> = lines.iter().filter(|l| l["message"] == "request").collect();
    let statuses: Vec<_> = requests.iter().map(|l| l["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["queued", "duplicate", "rejected:signature_mismatch", "rejected:unknown_source"]);
    for line in &requests[..2] {
        assert_eq!((&line["sender"], &line["source"]), (&"stripe".into(), &"stripe".into()));
        assert_eq!((&line["event_type"], &line["correlation_id"]), (&"invoice.paid".into(), &"req-7".into()));
        assert!(line["event_id"].as_str().unwrap().starts_with("evt_") && line["duration_ms"].is_number());
    }
    assert_eq!(requests[0]["event_id"], requests[1]["event_id"], "a duplicate names the event that is stored");
    let signature = &good.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("stripe-signature")).unwrap().1;
    for hidden in [signature.as_str(), "whsec_", "\"object\"", "amount"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
}
