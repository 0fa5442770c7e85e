//! Everything around the gateway under torture: senders, handlers, the ledger, the config that ties them
//! together, and the end: all mended, all drained, all counted. Which gateway, and how it lives and dies,
//! is the caller's.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use hookhaven_core::Secret;
use hookhaven_store::clock::Clock;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    chance::Chance,
    handlers::Handlers,
    ledger::{Breaches, Ledger, name_of},
    senders::{PACE_MAX, Senders},
    traffic::{DESTINATIONS, Traffic},
    verdict::{TwoEvents, Verdict},
};
use crate::{
    cli::client::{Client, Query},
    stage::{PUBLIC_URL, Receiver, plain, secret},
};

/// How long nothing may move before the end is given up.
const STANDSTILL_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Dead letters are replayed at most so often: handlers are well by then.
const REPLAYS_MAX: usize = 3;
const PAGE_EVENTS: usize = 5_000;

#[derive(Debug)]
pub struct Field {
    seed: u64,
    traffic: Arc<Traffic>,
    ledger: Arc<Ledger>,
    handlers: Handlers,
    senders: Senders,
    handler_secret: Secret,
}

impl Field {
    /// Handlers listen; senders wait for `aim`.
    pub async fn start(seed: u64, clock: Arc<dyn Clock>) -> Result<Self> {
        let traffic = Arc::new(Traffic::new(seed)?);
        let ledger = Arc::new(Ledger::new(traffic.clone()));
        let handler_secret = secret("whsec_", Chance::of(seed, 2).entropy())?;
        let receiver = Receiver::new(handler_secret.clone(), clock.clone())?;
        let handlers = Handlers::start(seed, traffic.clone(), ledger.clone(), receiver).await?;
        let senders = Senders::start(ledger.clone(), clock);
        Ok(Field { seed, traffic, ledger, handlers, senders, handler_secret })
    }

    /// The gateway's config file. Segments are as small as they can be, so that they roll often.
    pub fn config(&self, store_url: &str) -> String {
        self.config_with("", &format!("url = {store_url:?}\nsegment = \"1MiB\"\n"))
    }

    /// Of a node on a store that it shares. What a dead one held is soon free for others.
    pub fn config_of_node(&self, role: &str, store_url: &str) -> String {
        let server = format!("role = \"{role}\"\nadmin_token = \"file:admin-token\"\n");
        self.config_with(&server, &format!("url = {store_url:?}\n\n[worker]\nsession_ttl = \"5s\"\n"))
    }

    /// With more under `[server]`, and this under `[store]` and after it.
    fn config_with(&self, server: &str, store: &str) -> String {
        let mut text = format!(
            "# The configuration of one run of torture.\n[server]\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
             public_url = \"{PUBLIC_URL}\"\n{server}\n[store]\n{store}"
        );
        for name in DESTINATIONS {
            text.push_str(&format!(
                "\n[destinations.{name}]\nurl = \"http://{}/{name}\"\ntimeout = \"1s\"\nconcurrency = 32\n\
                 secret = \"{}\"\nbreaker = {{ rest = \"500ms\" }}\n",
                self.handlers.address,
                plain(&self.handler_secret),
            ));
        }
        for source in &self.traffic.sources {
            let name = source.signer.name;
            let to: Vec<_> = source.to.iter().map(|d| format!("{:?}", DESTINATIONS[*d])).collect();
            text.push_str(&format!(
                "\n[sources.{name}]\nsender = \"{name}\"\nsecrets = [\"{}\"]\n\n[[routes]]\nsource = \"{name}\"\n\
                 to = [{}]\nretry = {{ attempts = 4, initial = \"100ms\", factor = 2.0 }}\n",
                plain(&source.signer.secret),
                to.join(", "),
            ));
        }
        text
    }

    /// A life of the gateway begins: handlers have new moods, senders a new pace.
    pub fn begin_life(&self, life: u64) {
        self.handlers.begin_life(life);
        let chance = Chance::of(self.seed, life ^ (1 << 57));
        self.senders.pace(if chance.one_in(4) { Duration::ZERO } else { chance.up_to(PACE_MAX) });
    }

    /// Where the gateway takes requests, while it does.
    pub fn aim(&self, gateway: Option<SocketAddr>) {
        self.senders.aim(gateway);
    }

    /// How many events were acknowledged so far.
    pub fn acknowledged(&self) -> watch::Receiver<u64> {
        self.ledger.acknowledged()
    }

    /// The end, with a gateway that stays up: handlers are mended, what is owed is sent until it is
    /// acknowledged, everything drains, dead letters are replayed, and all is counted.
    ///
    /// # Errors
    /// If the API cannot be asked. What does not drain is a breach, not an error.
    pub async fn settle(self, api: &Client, say: &(impl Fn(&str) + Sync)) -> Result<Verdict> {
        let Field { seed, ledger, handlers, senders, .. } = self;
        handlers.mend();
        senders.pace(PACE_MAX);
        say("handlers mended; sending what was never acknowledged, then waiting until everything is delivered");
        let moving = || ledger.deliveries() + *ledger.acknowledged().borrow();
        let mut stuck = match until_done(senders.finish(), moving).await {
            Some(done) => done.map(|()| None)?,
            None => Some("senders are refused for good".to_owned()),
        };
        let mut replayed = 0;
        if stuck.is_none() {
            match drain(api, &ledger, say).await {
                Ok(count) => replayed = count,
                Err(error) => stuck = Some(format!("{error:#}")),
            }
        }
        let mut verdict = count(seed, &ledger, api).await?;
        verdict.dead_letters_replayed = replayed;
        verdict.stuck = stuck;
        Ok(verdict)
    }
}

/// The future's output, or `None` when nothing has moved for too long.
async fn until_done<T>(work: impl Future<Output = T>, moving: impl Fn() -> u64) -> Option<T> {
    let watch = async {
        let (mut last, mut moved) = (moving(), Instant::now());
        while moved.elapsed() < STANDSTILL_MAX {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = moving();
            if now != last {
                (last, moved) = (now, Instant::now());
            }
        }
    };
    tokio::select! {
        done = work => Some(done),
        () = watch => None,
    }
}

/// Waits until nothing is pending, replays what is dead, and so on until nothing is. Answers how many were
/// replayed.
async fn drain(api: &Client, ledger: &Ledger, say: &(impl Fn(&str) + Sync)) -> Result<u64> {
    let mut replayed = 0;
    for _ in 0..=REPLAYS_MAX {
        let dead = rest(api, ledger).await?;
        if dead == 0 {
            return Ok(replayed);
        }
        say(&format!("{dead} dead letters; replaying them"));
        replayed += replay_all(api).await?;
    }
    bail!("deliveries die although their handlers are well");
}

/// Waits until nothing is pending; answers how many dead letters there are.
async fn rest(api: &Client, ledger: &Ledger) -> Result<u64> {
    let (mut last, mut moved) = ((u64::MAX, 0), Instant::now());
    loop {
        let status: Value = match api.get("/status", &Query::default()).await {
            Ok(status) => status,
            // A database that was crashed a moment ago has as long to come back as a delivery has to move.
            Err(_) if moved.elapsed() < STANDSTILL_MAX => {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let number = |name: &str| status["store"][name].as_u64().context("the status is not one");
        let pending = number("pending")?;
        if pending == 0 {
            return number("dead_letters");
        }
        let now = (pending, ledger.deliveries());
        if now != last {
            (last, moved) = (now, Instant::now());
        }
        ensure!(moved.elapsed() < STANDSTILL_MAX, "{pending} deliveries are pending and do not move");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn replay_all(api: &Client) -> Result<u64> {
    let (mut done, mut after) = (0, Value::Null);
    loop {
        let mut request = json!({ "filter": {} });
        if !after.is_null() {
            request["after"] = after;
        }
        let answer: Value = api.post("/dead-letters/replay", &request).await?;
        done += answer["done"].as_u64().context("the answer to a replay is not one")?;
        after = answer["next"].clone();
        if after.is_null() {
            return Ok(done);
        }
    }
}

/// Holds the ledger against the gateway's own list of events.
async fn count(seed: u64, ledger: &Ledger, api: &Client) -> Result<Verdict> {
    let listed = Listed::read(api, &ledger.names()).await?;
    let mut sums = ledger.sums(|number| listed.events.get(&number).map(|(id, _)| id.clone()));
    listed.unknown.into_iter().for_each(|text| sums.strange.add(text));
    let per_key = listed.events.values().map(|(_, count)| *count);
    Ok(Verdict {
        events_per_key_least: if sums.unlisted == 0 { per_key.clone().min().unwrap_or(0) } else { 0 },
        events_per_key_most: per_key.max().unwrap_or(0),
        requests: sums.requests,
        repeats: sums.repeats,
        refused: sums.refused,
        acknowledged: sums.acknowledged,
        delivered: sums.delivered,
        delivered_more_than_once: sums.delivered_more_than_once,
        lost: sums.lost,
        misjudged: sums.misjudged,
        two_events: listed.twice,
        strange: sums.strange,
        ..Verdict::of(seed)
    })
}

/// What the gateway lists.
#[derive(Default)]
struct Listed {
    /// Of each number its first id met, and how many there are.
    events: HashMap<u64, (String, u64)>,
    twice: Breaches<TwoEvents>,
    unknown: Vec<String>,
}

impl Listed {
    async fn read(api: &Client, names: &HashMap<String, u64>) -> Result<Self> {
        let (mut listed, mut after) = (Listed::default(), None);
        loop {
            let page = api.list("/events", &Query::default(), PAGE_EVENTS, after).await?;
            page["items"].as_array().into_iter().flatten().for_each(|item| listed.take(item, names));
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                return Ok(listed);
            }
        }
    }

    fn take(&mut self, item: &Value, names: &HashMap<String, u64>) {
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        let (source, key, id) = (text("source"), text("idempotency_key"), text("id"));
        let Some(number) = names.get(&name_of(source, key)) else {
            self.unknown.push(format!("{id} of {source}, key {key}: never sent as an event"));
            return;
        };
        let (first, count) = self.events.entry(*number).or_insert_with(|| (id.to_owned(), 0));
        *count += 1;
        if *count > 1 {
            self.twice.add(TwoEvents { number: *number, key: key.to_owned(), events: [id.to_owned(), first.clone()] });
        }
    }
}
