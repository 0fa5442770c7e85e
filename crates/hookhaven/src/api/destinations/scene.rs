//! What is known of destinations at one moment: from the config file, from what people and rules did on top, from what
//! waits and what went on lately. Bounded work, however much is stored.

use std::{collections::BTreeMap, time::Duration};

use hookhaven_core::{Destination, Time, destination::DestinationState};
use hookhaven_store::{CatalogEntry, Stats};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{
        Api, Breaker,
        lately::{AttemptsView, Lately},
        problem::Problem,
        view::shown_url,
    },
    config::size,
    switches::Disabled,
};

/// Kind of the catalog entries that say who paused a destination.
pub const PAUSED_KIND: &str = "destination-paused";
/// Kind of the catalog entries that say whose breaker is open.
const BREAKER_KIND: &str = "destination-breaker";

/// The value of a `destination-paused` entry, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pause {
    /// `operator` for a person, else the name of the rule.
    #[serde(default)]
    pub by: String,
    #[serde(default)]
    pub at: Option<Time>,
    #[serde(default)]
    pub reason: String,
    /// A token's name, if it was a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub who: String,
}

/// A destination as it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DestinationView {
    pub name: String,
    /// What holds: `active`, `paused`, `disabled`, or `missing` from the config file.
    pub state: String,
    /// What the config file says: `active`, `paused`, `disabled` or `missing`.
    pub configured: String,
    /// Who paused it, beyond the config file.
    pub paused: Option<Pause>,
    /// Who disabled it, beyond the config file.
    pub disabled: Option<Disabled>,
    /// Without credentials; `null` if missing.
    pub url: Option<String>,
    pub timeout_ms: Option<u64>,
    pub concurrency: Option<u32>,
    /// Attempts started at most, such as `200/s`; `null`: as many as there is room for.
    pub rate: Option<String>,
    /// Whether attempts are signed, that is, whether it has a secret.
    pub signed: bool,
    pub breaker: Breaker,
    /// Failures in a row, of so many different deliveries, that open the breaker, and how long it then rests.
    pub breaker_failures: Option<u32>,
    pub breaker_deliveries: Option<u32>,
    pub breaker_rest_ms: Option<u64>,
    /// Until when nothing is sent there (breaker, `Retry-After`).
    pub hold_until: Option<Time>,
    pub in_flight: u32,
    /// Deliveries that wait, those in hand included.
    pub depth: u64,
    pub dead_letters: u64,
    pub dead_letters_critical: u64,
    pub oldest_due_at: Option<Time>,
    /// How long what waits will take at the rate of the last minutes, if no more came; `null` if nothing waits, or
    /// nothing gets through.
    pub drain_s: Option<u64>,
    /// Of all nodes; where there are several, up to the last whole minute.
    pub last_hour: AttemptsView,
}

pub(super) fn state_name(state: Option<DestinationState>) -> &'static str {
    match state {
        Some(DestinationState::Active) => "active",
        Some(DestinationState::Paused) => "paused",
        Some(DestinationState::Disabled) => "disabled",
        None => "missing",
    }
}

async fn pauses(api: &Api) -> Result<BTreeMap<String, Pause>, Problem> {
    let entries = api.parts.store.catalog(PAUSED_KIND).await?;
    // A value that we cannot read is still a pause.
    let read = |e: CatalogEntry| (e.name, serde_json::from_slice(&e.value).unwrap_or_default());
    Ok(entries.into_iter().map(read).collect())
}

async fn rests(api: &Api) -> Result<BTreeMap<String, Option<Time>>, Problem> {
    /// What counts here of an entry.
    #[derive(Deserialize)]
    struct Until {
        until: Time,
    }
    let entries = api.parts.store.catalog(BREAKER_KIND).await?;
    let read = |e: CatalogEntry| (e.name, serde_json::from_slice(&e.value).ok().map(|Until { until }| until));
    Ok(entries.into_iter().map(read).collect())
}

#[derive(Default)]
pub(super) struct Tally {
    depth: u64,
    dead_letters: u64,
    dead_letters_critical: u64,
    oldest_due_at: Option<Time>,
}

/// What the store says of all destinations at one moment.
pub(super) struct Scene {
    pub pauses: BTreeMap<String, Pause>,
    /// Until when destinations rest, as nodes told each other.
    rests: BTreeMap<String, Option<Time>>,
    pub tallies: BTreeMap<String, Tally>,
    lately: Lately,
}

impl Scene {
    pub async fn of(api: &Api) -> Result<Self, Problem> {
        let (store, config) = (&*api.parts.store, api.parts.config.load_full());
        let of_store = async { store.stats().await.map_err(Problem::from) };
        let switches = async { config.switches.load(store).await.map_err(Problem::from) };
        let (stats, (), pauses, rests, lately) =
            tokio::try_join!(of_store, switches, pauses(api), rests(api), Lately::read(api))?;
        Ok(Scene { pauses, rests, tallies: tallies(&stats.without_alerts()), lately })
    }

    pub fn view(&self, api: &Api, name: &str, destination: Option<&Destination>) -> DestinationView {
        let configured = destination.map(|d| d.state);
        let paused = self.pauses.get(name).cloned();
        let disabled = api.parts.config.load().switches.disabled(name).map(|by| (*by).clone());
        let state = match configured {
            Some(_) if disabled.is_some() => "disabled",
            Some(DestinationState::Active) if paused.is_some() => "paused",
            other => state_name(other),
        };
        let mut lane = api.parts.signals.lane(name);
        if let (Breaker::Closed, Some(until)) = (lane.breaker, self.rests.get(name)) {
            lane.breaker = Breaker::Open;
            lane.hold_until = lane.hold_until.max(*until);
        }
        let none = Tally::default();
        let tally = self.tallies.get(name).unwrap_or(&none);
        let last_hour = self.lately.at_destination(name);
        let breaker = destination.map(|d| d.breaker);
        DestinationView {
            name: name.to_owned(),
            state: state.to_owned(),
            configured: state_name(configured).to_owned(),
            paused,
            disabled,
            url: destination.map(|d| shown_url(&d.url)),
            timeout_ms: destination.map(|d| ms(d.timeout)),
            concurrency: destination.map(|d| d.concurrency.get()),
            rate: destination.and_then(|d| d.rate.as_ref()).map(size::print_rate),
            signed: destination.is_some_and(|d| !d.secrets.is_empty()),
            breaker: lane.breaker,
            breaker_failures: breaker.map(|policy| policy.failures.get()),
            breaker_deliveries: breaker.map(|policy| policy.deliveries.get()),
            breaker_rest_ms: breaker.map(|policy| ms(policy.rest)),
            hold_until: lane.hold_until,
            in_flight: lane.in_flight,
            depth: tally.depth,
            dead_letters: tally.dead_letters,
            dead_letters_critical: tally.dead_letters_critical,
            oldest_due_at: tally.oldest_due_at,
            drain_s: last_hour.drain_s(tally.depth),
            last_hour,
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn tallies(stats: &Stats) -> BTreeMap<String, Tally> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for depth in &stats.depths {
        let tally = tallies.entry(depth.destination.to_string()).or_default();
        tally.depth += depth.pending + depth.leased;
        tally.dead_letters += depth.dead_letters + depth.dead_letters_critical;
        tally.dead_letters_critical += depth.dead_letters_critical;
    }
    for (destination, due_at) in &stats.oldest_due {
        let oldest = &mut tallies.entry(destination.to_string()).or_default().oldest_due_at;
        *oldest = Some(oldest.map_or(*due_at, |o| o.min(*due_at)));
    }
    tallies.retain(|_, t| t.depth + t.dead_letters > 0 || t.oldest_due_at.is_some());
    tallies
}
