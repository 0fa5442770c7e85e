//! What a seed stands for: how large the world is, who is in it, what may go wrong.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use hookhaven::config::{self, Config};
use hookhaven_core::{
    Destination, Policy, Secret,
    destination::{BreakerPolicy, DestinationState, Rate},
    glob::Glob,
    retry::RetryPolicy,
    route::{Mode, Ordering, Route},
    senders::{self, OrderPlaces, SenderOptions},
    source::Source,
};

use crate::chance::Chance;

/// A destination that always answers at once, whatever the others do: what isolation is measured by.
pub const BRISK: &str = "brisk";

/// Secrets by sender, written for this.
const SENDERS: [(&str, &str); 3] = [
    ("stripe", "whsec_simulated"),
    ("github", "simulated secret of github"),
    ("standard-webhooks", "whsec_c2ltdWxhdGVkLXNlY3JldC1vZi0yNC1i"),
];

/// What may go wrong in a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mishaps {
    /// Times in which the store fails, stalls and is slow.
    pub storms: bool,
    /// The machine loses its power, or the process is killed.
    pub crashes: bool,
    /// Syncs that fail, a disk that is full.
    pub disk: bool,
    /// Nodes that stand still for a while and go on, or go away.
    pub nodes: bool,
    /// The clock jumps ahead.
    pub jumps: bool,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// Workers that share the store.
    pub nodes: usize,
    /// Events of all senders together.
    pub events: u64,
    /// How long senders, operators and mishaps go on.
    pub span: Duration,
    pub mishaps: Mishaps,
    pub config: Config,
    /// Between two actions of an operator, on average.
    pub operator_every: Duration,
    pub chance: Chance,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let chance = Chance::new(seed);
        let mut draw = chance.fork("plan");
        let span = draw.s(120..=900);
        let mishaps = Mishaps {
            storms: draw.percent(60),
            crashes: draw.percent(60),
            disk: draw.percent(40),
            nodes: draw.percent(50),
            jumps: draw.percent(30),
        };
        let sources = sources(&mut draw);
        let destinations = destinations(&mut draw);
        let routes = routes(&mut draw, &sources, &destinations);
        let routes = ordered(&mut chance.fork("order"), routes);
        let retention = retention(&mut chance.fork("retention"));
        let config = Config {
            store: config::Store {
                retention,
                pending_max: if draw.percent(15) { draw.within(8..=30) } else { 100_000 },
                segment_bytes: draw.within(2_048..=40_000),
                ..config::Store::default()
            },
            worker: config::Worker {
                slots: usize::try_from(draw.within(16..=48)).unwrap_or(16),
                session_ttl: Duration::from_secs(draw.within(9..=30)),
                ..config::Worker::default()
            },
            sources,
            destinations,
            routes,
            ..Config::default()
        };
        Plan {
            seed,
            nodes: draw.index(3) + 1,
            events: draw.within(15..=60),
            span,
            mishaps,
            config,
            operator_every: draw.s(5..=40),
            chance,
        }
    }
}

/// In some runs what is over goes soon; in the others it all stays, and so is judged.
fn retention(draw: &mut Chance) -> Duration {
    if draw.percent(30) { draw.s(60..=600) } else { Duration::from_secs(35 * 86_400) }
}

fn sources(draw: &mut Chance) -> BTreeMap<Arc<str>, Arc<Source>> {
    // Short windows, so that some pass within the run.
    let window = |draw: &mut Chance| match draw.percent(30) {
        true => Duration::from_secs(draw.within(30..=120)),
        false => Duration::from_secs(7 * 86_400),
    };
    let source = |(name, secret): (&str, &str), dedupe_window| {
        let sender = senders::find(name).and_then(|def| def.build(&SenderOptions::default()).ok())?;
        let source = Source {
            age_max: None,
            refuses_replay: false,
            splits: false,
            name: name.into(),
            sender,
            secrets: Secret::new(secret).into_iter().collect(),
            tolerance: Duration::from_secs(300),
            dedupe_window,
            body_bytes_max: 64 << 10,
            public_url: None,
            allow: Vec::new(),
            allow_published: false,
            client_names: Vec::new(),
            rate: None,
            reserved: false,
            verify_token: None,
            handover: None,
            answer: None,
        };
        Some((Arc::from(name), Arc::new(source)))
    };
    SENDERS.into_iter().filter_map(|of| source(of, window(draw))).collect()
}

fn destinations(draw: &mut Chance) -> BTreeMap<Arc<str>, Arc<Destination>> {
    let others = draw.within(1..=3);
    let mut all = vec![destination(BRISK, 8, None, Duration::from_secs(10))];
    for name in ["billing", "crm", "audit"].into_iter().take(usize::try_from(others).unwrap_or(1)) {
        let (count, per) = (NonZeroU32::MIN.saturating_add(u32::try_from(draw.within(0..=9)).unwrap_or(0)), 1);
        let rate = draw.percent(25).then_some(Rate { count, per: Duration::from_secs(per) });
        let concurrency = u32::try_from(draw.within(1..=8)).unwrap_or(1);
        all.push(destination(name, concurrency, rate, Duration::from_secs(draw.within(5..=20))));
    }
    all.into_iter().map(|d| (d.name.clone(), Arc::new(d))).collect()
}

fn destination(name: &str, concurrency: u32, rate: Option<Rate>, timeout: Duration) -> Destination {
    Destination {
        name: name.into(),
        url: address(name, 1),
        timeout,
        concurrency: NonZeroU32::new(concurrency).unwrap_or(NonZeroU32::MIN),
        rate,
        secrets: Vec::new(),
        breaker: BreakerPolicy {
            failures: NonZeroU32::new(6).unwrap_or(NonZeroU32::MIN),
            deliveries: NonZeroU32::new(3).unwrap_or(NonZeroU32::MIN),
            rest: Duration::from_secs(30),
        },
        state: DestinationState::Active,
    }
}

/// Where a destination's handler is; each change of the config moves it.
#[expect(clippy::expect_used, reason = "a constant form that is an address")]
pub fn address(destination: &str, version: u32) -> url::Url {
    format!("http://{destination}.test/v{version}").parse().expect("an address")
}

/// In some runs what goes to others than the brisk destination is ordered by a key.
#[expect(clippy::expect_used, reason = "constant forms that are places")]
fn ordered(draw: &mut Chance, routes: Vec<Route>) -> Vec<Route> {
    if !draw.percent(40) {
        return routes;
    }
    let places = OrderPlaces::parse(&["json:/thing"], &["json:/version"]).expect("places");
    let split = |route: Route| {
        let (brisk, others): (Vec<Arc<str>>, _) = route.to.iter().cloned().partition(|name| &**name == BRISK);
        let mode = if draw.percent(50) { Mode::Latest } else { Mode::Fifo { park: draw.s(5..=120) } };
        let ordering = Some(Ordering { mode, places: places.clone() });
        let name = format!("{}#2", route.source).into();
        let of_others = Route { name, to: others, ordering, ..route.clone() };
        [Route { to: brisk, ..route }, of_others].into_iter().filter(|route| !route.to.is_empty()).collect::<Vec<_>>()
    };
    routes.into_iter().flat_map(split).collect()
}

/// Every source goes to the brisk destination and to some of the others.
fn routes(
    draw: &mut Chance,
    sources: &BTreeMap<Arc<str>, Arc<Source>>,
    destinations: &BTreeMap<Arc<str>, Arc<Destination>>,
) -> Vec<Route> {
    let route = |source: &Arc<str>| {
        let others = destinations.keys().filter(|name| &***name != BRISK);
        let mut to: Vec<Arc<str>> = others.filter(|_| draw.percent(70)).cloned().collect();
        to.push(BRISK.into());
        let retry = RetryPolicy {
            attempts: u32::try_from(draw.within(1..=5)).unwrap_or(1),
            initial: draw.ms(500..=8_000),
            factor: draw.pick(&[1.0, 2.0, 5.0]),
            max: Duration::from_secs(120),
        };
        let policy = Policy {
            retry,
            deadline: Duration::from_secs(draw.within(1..=60)),
            max_age: Duration::from_secs(if draw.percent(30) { draw.within(60..=600) } else { 3 * 86_400 }),
            critical: draw.percent(50),
        };
        Route {
            answer_within: None,
            ordering: None,
            name: format!("{source}#1").into(),
            source: source.clone(),
            events: vec![Glob::any()],
            when: None,
            to,
            policy: Arc::new(policy),
        }
    };
    sources.keys().map(route).collect()
}
