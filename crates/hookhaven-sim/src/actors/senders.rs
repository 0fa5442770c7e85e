//! Senders: post signed requests, try again when they are not answered 2xx, as real ones do, and send some
//! events twice for no reason. Some requests are forged.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::{
    sender::{Sample, Signed},
    source::Source,
};
use http::{Request, request};
use http_body_util::Full;
use tokio::task::JoinSet;

use crate::{
    chance::Chance,
    cluster::Cluster,
    world::{Key, World},
};

/// How long a sender waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Tries of one event before the sender gives up.
const TRIES: u32 = 12;

/// Sends every event of one source, and ends when the last was answered or given up.
pub async fn send_all(world: Arc<World>, cluster: Cluster, source: Arc<Source>, events: u64) {
    let mut chance = world.plan.chance.fork(&source.name);
    let pause = world.plan.span / u32::try_from(events.max(1)).unwrap_or(1);
    let mut sending = JoinSet::new();
    let mut bunch = 0;
    for n in 0..events {
        if bunch > 0 {
            bunch -= 1;
        } else {
            let wait = pause.mul_f64(chance.within(0..=200) as f64 / 100.0);
            world.clock.sleep(wait).await;
            bunch = if chance.percent(10) { chance.within(5..=20) } else { 0 };
        }
        let letter = Letter::new(&source, n, &mut chance);
        sending.spawn(letter.send(world.clone(), cluster.clone(), source.clone(), chance.fork(&n.to_string())));
    }
    while sending.join_next().await.is_some() {}
}

/// One event, as its sender knows it.
struct Letter {
    key: Key,
    event_type: &'static str,
    body: Bytes,
    forged: bool,
    /// Times that it is sent again after it was acknowledged.
    again: u64,
}

impl Letter {
    fn new(source: &Source, n: u64, chance: &mut Chance) -> Self {
        let forged = chance.percent(4);
        let id = format!("{}_{n:04}_{:08x}", if forged { "forged" } else { "evt" }, chance.draw() as u32);
        let event_type = chance.pick(&["invoice.paid", "customer.created", "push"]);
        let filler = "x".repeat(usize::try_from(chance.within(0..=2_000)).unwrap_or(0));
        let again = if chance.percent(20) { chance.within(1..=4) } else { 0 };
        // What deliveries may be ordered by.
        let mut order = chance.fork("order");
        let (thing, version) = (order.within(1..=3), order.within(1..=40));
        let body = format!(
            r#"{{ "id": "{id}",  "type": "{event_type}", "thing": "t{thing}", "version": {version}, "data": "{filler}" }}"#
        );
        Letter { key: (source.name.clone(), id.into()), event_type, body: body.into(), forged, again }
    }

    async fn send(self, world: Arc<World>, cluster: Cluster, source: Arc<Source>, mut chance: Chance) {
        if self.forged {
            world.ledger().forged.insert(self.key.clone());
        } else {
            world.ledger().sent.entry(self.key.clone()).or_default().body = self.body.clone();
        }
        for _ in 0..=self.again {
            self.until_acknowledged(&world, &cluster, &source, &mut chance).await;
            let wait = if chance.percent(50) { chance.ms(0..=200) } else { chance.s(1..=200) };
            world.clock.sleep(wait).await;
        }
    }

    async fn until_acknowledged(&self, world: &World, cluster: &Cluster, source: &Source, chance: &mut Chance) {
        let mut wait = Duration::from_secs(1);
        for _ in 0..TRIES {
            let status = self.post(world, cluster, source, chance).await;
            let key = &self.key.1;
            world.say(format_args!("sender {}: {key} answered {status:?}", source.name));
            match status {
                Some(200..=299) if self.forged => world.breach("signature", format_args!("{key} was forged and taken")),
                Some(200..=299) => {
                    world.count("acknowledged");
                    if let Some(sent) = world.ledger().sent.get_mut(&self.key) {
                        sent.acknowledged += 1;
                    }
                    return;
                }
                Some(401) if self.forged => return,
                Some(503) | None => {}
                Some(other) => world.breach("answer", format_args!("{key} was answered {other}")),
            }
            world.clock.sleep(wait + chance.ms(0..=1_000)).await;
            wait = (wait * 2).min(Duration::from_secs(120));
        }
    }

    /// One request, to whichever node; `None` if no answer came.
    async fn post(&self, world: &World, cluster: &Cluster, source: &Source, chance: &mut Chance) -> Option<u16> {
        if let Some(sent) = world.ledger().sent.get_mut(&self.key) {
            sent.tries += 1;
        }
        let node = cluster.any(chance)?;
        let sample =
            Sample { id: self.key.1.to_string(), event_type: self.event_type.to_owned(), body: self.body.to_vec() };
        let signed = source.sender.sign(&sample, None, source.secrets.first()?, world.now()).ok()?;
        let request = self.request(signed, source)?;
        tokio::time::timeout(PATIENCE, node.receive(&source.name, request)).await.ok()
    }

    fn request(&self, signed: Signed, source: &Source) -> Option<Request<Full<Bytes>>> {
        let mut request: request::Builder = Request::post(format!("/webhooks/{}{}", source.name, signed.query));
        for (name, value) in &signed.headers {
            request = request.header(name, value);
        }
        let mut body = Bytes::from(signed.body);
        if self.forged {
            body = [&body[..], b" "].concat().into();
        }
        request.body(Full::new(body)).ok()
    }
}
