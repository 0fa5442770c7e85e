//! What it costs to verify a request of 2 KiB, for each family of HMAC and the senders most used: the part of the way
//! from a whole body to a stored event that depends on the sender. `cargo xtask bench verify`.
//!
//! Not what is around it: sockets, facts, the store.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use hookhaven_core::{
    Secret, Time,
    sender::{Keys, Request, Sample, Sender},
    senders::{self, HmacOptions, SenderOptions, TimestampOptions, Unit},
};
use http::{HeaderMap, HeaderName, Method};

const NOW: Time = Time::from_s(1_790_000_000);
const BODY_BYTES: usize = 2 << 10;
const URL: &str = "https://hooks.example.com/webhooks/bench";

/// A source's current secret and a previous one; the sender signs with the current.
const SECRETS: [&str; 2] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];

fn verify(c: &mut Criterion) {
    let mut group = c.benchmark_group("verify 2 KiB");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    for name in ["stripe", "github", "slack", "twilio", "standard-webhooks"] {
        let sender = senders::find(name).expect("it is in the table").build(&SenderOptions::default());
        one(&mut group, name, &*sender.expect("it needs no options"));
    }
    one(&mut group, "hmac", &*described());
    group.finish();
}

/// `sender = "hmac"` with a time, an id and a prefix: all that the section can say.
fn described() -> std::sync::Arc<dyn Sender> {
    let mut hmac = HmacOptions::new(HeaderName::from_static("x-signature")).expect("a header");
    hmac.prefix = "sha256=".to_owned();
    hmac.signed = "{timestamp}.{body}".parse().expect("a template");
    hmac.timestamp = Some(TimestampOptions { place: "header:X-Timestamp".parse().expect("a place"), unit: Unit::S });
    let options = SenderOptions { hmac: Some(hmac) };
    senders::find("hmac").expect("it is in the table").build(&options).expect("options that fit")
}

fn one(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>, name: &str, sender: &dyn Sender) {
    let secrets = SECRETS.map(|text| Secret::new(text).expect("it is not blank"));
    let url = sender.signs_url().then_some(URL);
    let body = body(name);
    let sample = Sample { id: "evt_1".into(), event_type: "bench".into(), body };
    let signed = sender.sign(&sample, url, &secrets[0], NOW).expect("it can be signed");
    let mut headers = HeaderMap::new();
    for (name, value) in &signed.headers {
        headers.append(name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"));
    }
    let url = url.map(|url| format!("{url}{}", signed.query));
    let query = signed.query.strip_prefix('?');
    let request = Request { method: &Method::POST, url: url.as_deref(), query, headers: &headers, body: &signed.body };
    let keys = Keys { secrets: &secrets, tolerance: sender.tolerance_default(), now: NOW, fetched: None };
    sender.verify(&request, &keys).expect("it holds");
    group.bench_function(name, |b| b.iter(|| black_box(sender.verify(black_box(&request), black_box(&keys)))));
}

/// A form of 16 fields for Twilio, which signs each; JSON for the rest.
fn body(name: &str) -> Vec<u8> {
    let mut body = if name == "twilio" {
        (0..16).map(|n| format!("Field{n:02}={}&", "x".repeat(118))).collect()
    } else {
        String::from(r#"{"id":"evt_1","type":"bench","created":1790000000,"data":""#)
    };
    let end = if name == "twilio" { "" } else { "\"}" };
    while body.len() + end.len() < BODY_BYTES {
        body.push('x');
    }
    (body + end).into_bytes()
}

criterion_group!(benches, verify);
criterion_main!(benches);
