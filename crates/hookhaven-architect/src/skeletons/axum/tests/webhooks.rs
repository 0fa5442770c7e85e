//! What must hold of every source, against a database that these tests may write to (DATABASE_URL). Every run makes names
//! of its own, so rows of others do not matter; no outbox may run on it meanwhile.

mod samples;

use std::{
    env, process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, Response},
};
use deadpool_postgres::Pool;
use samples::{SAMPLES, Sample};
use standardwebhooks::Webhook;
use tokio::sync::OnceCell;
use tower::ServiceExt as _;
use webhook_handlers::{App, app, pool};

/// Two, as during a rotation.
const CURRENT: &str = "whsec_Y3VycmVudC1vZi10aGUtdGVzdHM=";
const PREVIOUS: &str = "whsec_cHJldmlvdXMtb2YtdGhlLXRlc3Rz";

struct Stage {
    app: Router,
    pool: Pool,
}

/// An event that nobody has seen, and how it is sent.
#[derive(Clone)]
struct Post {
    id: String,
    object: String,
    at: &'static str,
    secret: &'static str,
    body: Option<&'static str>,
    /// In place of the right one.
    signature: Option<&'static str>,
    more: Vec<(&'static str, &'static str)>,
}

async fn stage() -> Stage {
    static SCHEMA: OnceCell<()> = OnceCell::const_new();
    let url = env::var("DATABASE_URL").expect("DATABASE_URL names a PostgreSQL that these tests may write to");
    let pool = pool(&url).unwrap();
    SCHEMA
        .get_or_init(async || {
            let schema = include_str!("../schema.sql");
            pool.get().await.unwrap().batch_execute(schema).await.unwrap();
        })
        .await;
    let handlers = App::new(pool.clone(), |_| Some(format!("{CURRENT} {PREVIOUS}"))).unwrap();
    Stage { app: app(Arc::new(handlers)), pool }
}

fn fresh() -> Post {
    let (id, object) = (format!("evt_{}", unique()), format!("obj_{}", unique()));
    let at = "2026-01-01T00:00:00Z";
    Post { id, object, at, secret: CURRENT, body: None, signature: None, more: Vec::new() }
}

fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("{since}_{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Stage {
    /// Posts an event of the sample as the gateway would; status, `webhook-delivery` and `webhook-outcome` of the answer.
    async fn post(&self, sample: &Sample, post: &Post) -> (u16, String, String) {
        let body = post.body.map_or_else(|| sample.body.replace("OBJECT", &post.object), str::to_owned);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        let signature = Webhook::new(post.secret).unwrap().sign(&post.id, now, body.as_bytes()).unwrap();
        let request = Request::post(format!("/webhooks/{}", sample.source))
            .header("content-type", "application/json")
            .header("webhook-id", &post.id)
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", post.signature.unwrap_or(&signature))
            .header("hookhaven-source", sample.source)
            .header("hookhaven-event-type", sample.event_type)
            .header("hookhaven-received-at", post.at)
            .header("hookhaven-occurred-at", post.at);
        let mut request = request.body(Body::from(body)).unwrap();
        for (name, value) in &post.more {
            request.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        let response: Response<Body> = self.app.clone().oneshot(request).await.unwrap();
        let told = |name: &str| response.headers().get(name).map_or("", |v| v.to_str().unwrap()).to_owned();
        (response.status().as_u16(), told("webhook-delivery"), told("webhook-outcome"))
    }

    async fn texts(&self, query: &str, value: &str) -> Vec<String> {
        let rows = self.pool.get().await.unwrap().query(query, &[&value]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn effects(&self, sample: &Sample, post: &Post) -> Vec<String> {
        let query = "SELECT effect FROM webhook_outbox WHERE starts_with(idempotency_key, $1) ORDER BY id";
        self.texts(query, &format!("{}:{}:", sample.source, post.id)).await
    }

    async fn is_in_inbox(&self, post: &Post) -> bool {
        !self.texts("SELECT source FROM webhook_inbox WHERE webhook_id = $1", &post.id).await.is_empty()
    }
}

#[tokio::test]
async fn an_event_that_comes_again_is_done_once() {
    let stage = stage().await;
    for sample in SAMPLES {
        let event = fresh();
        let (status, _, outcome) = stage.post(sample, &event).await;
        assert_eq!((status, &*outcome), (200, "handled"), "{sample:?}");
        let again = Post { more: vec![("hookhaven-attempt", "2"), ("hookhaven-replay", "dlv_1")], ..event.clone() };
        let (status, _, outcome) = stage.post(sample, &again).await;
        assert_eq!((status, &*outcome), (200, "duplicate"), "{sample:?}");
        assert_eq!(stage.effects(sample, &event).await, sample.effects, "{sample:?}");
    }
}

#[tokio::test]
async fn an_event_that_comes_five_times_at_once_is_done_once() {
    let stage = stage().await;
    for sample in SAMPLES {
        let event = fresh();
        let post = || stage.post(sample, &event);
        let (a, b, c, d, e) = tokio::join!(post(), post(), post(), post(), post());
        let answers = [a, b, c, d, e];
        assert!(answers.iter().all(|(status, ..)| *status == 200), "{sample:?}: {answers:?}");
        assert_eq!(answers.iter().filter(|(.., outcome)| outcome == "handled").count(), 1, "{sample:?}: {answers:?}");
        assert_eq!(stage.effects(sample, &event).await, sample.effects, "{sample:?}");
    }
}

#[tokio::test]
async fn what_comes_late_does_not_replace_what_is_newer() {
    let stage = stage().await;
    for sample in SAMPLES.iter().filter(|sample| sample.keeps) {
        let newer = Post { at: "2026-01-01T00:00:02.5Z", ..fresh() };
        let older = Post { at: "2026-01-01T00:00:01Z", object: newer.object.clone(), ..fresh() };
        stage.post(sample, &newer).await;
        assert_eq!(stage.post(sample, &older).await.0, 200, "it is handled: there is nothing to try again");
        let found = stage.texts("SELECT webhook_id FROM webhook_state WHERE object_id = $1", &newer.object).await;
        assert_eq!(found, [newer.id.as_str()], "{sample:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_ahead_keeps_nothing_out_for_long() {
    let stage = stage().await;
    for sample in SAMPLES.iter().filter(|sample| sample.keeps) {
        let ahead = Post { more: vec![("hookhaven-occurred-at", "2999-01-01T00:00:00Z")], ..fresh() };
        let later = Post { at: "2026-01-01T00:02:00Z", object: ahead.object.clone(), ..fresh() };
        stage.post(sample, &ahead).await;
        stage.post(sample, &later).await;
        let found = stage.texts("SELECT webhook_id FROM webhook_state WHERE object_id = $1", &later.object).await;
        assert_eq!(found, [later.id.as_str()], "{sample:?}");
    }
}

#[tokio::test]
async fn an_effect_that_follows_the_state_waits_for_the_newest_alone() {
    let stage = stage().await;
    for sample in SAMPLES.iter().filter(|sample| sample.keeps) {
        let older = fresh();
        let newer = Post { at: "2026-01-01T00:00:01Z", object: older.object.clone(), ..fresh() };
        stage.post(sample, &older).await;
        stage.post(sample, &newer).await;
        let query = "SELECT idempotency_key FROM webhook_outbox WHERE follows = $1 AND done_at IS NULL ORDER BY id";
        let found = stage.texts(query, &format!("{}:{}", sample.source, newer.object)).await;
        let key = |effect: &&str| format!("{}:{}:{effect}", sample.source, newer.id);
        assert_eq!(found, sample.follows.iter().map(key).collect::<Vec<_>>(), "{sample:?}");
    }
}

#[tokio::test]
async fn what_the_gateway_did_not_sign_is_refused_and_leaves_nothing() {
    let stage = stage().await;
    for sample in SAMPLES {
        let event = fresh();
        let forged = Post { secret: "whsec_c29tZWJvZHktZWxzZXMtc2VjcmV0", ..event.clone() };
        assert_eq!(stage.post(sample, &forged).await.0, 401, "{sample:?}");
        for signature in ["", "v1,", "v1"] {
            let cut = Post { signature: Some(signature), ..event.clone() };
            assert_eq!(stage.post(sample, &cut).await.0, 401, "{sample:?}: {signature:?}");
        }
        assert!(!stage.is_in_inbox(&event).await, "{sample:?}");
        let previous = Post { secret: PREVIOUS, ..event.clone() };
        assert_eq!(stage.post(sample, &previous).await.2, "handled", "it still counts");
    }
}

#[tokio::test]
async fn what_can_never_succeed_is_not_asked_for_again() {
    let stage = stage().await;
    for sample in SAMPLES {
        for body in ["{", r#"{"id": "\u0000"}"#] {
            let event = Post { body: Some(body), ..fresh() };
            let (status, delivery, _) = stage.post(sample, &event).await;
            assert_eq!((status, &*delivery), (422, "abort-message"), "{sample:?}: {body}");
            assert!(!stage.is_in_inbox(&event).await, "the inbox forgot it with the rest");
        }
    }
}

#[tokio::test]
async fn a_test_by_the_gateway_is_answered_and_leaves_nothing() {
    let stage = stage().await;
    let test = Post { more: vec![("hookhaven-test", "true")], ..fresh() };
    assert_eq!(stage.post(&SAMPLES[0], &test).await.0, 200);
    assert!(!stage.is_in_inbox(&test).await);
    let nobody = Sample { source: "nobody", ..SAMPLES[0] };
    assert_eq!(stage.post(&nobody, &fresh()).await.0, 404);
}
