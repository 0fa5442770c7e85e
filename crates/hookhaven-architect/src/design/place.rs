//! Where it runs, what it stores in, how large that gets, and whether it is needed at all.

use std::time::Duration;

use super::{Hosting, Load, SourceDesign, StorePlace, load::DAY_S};
use crate::{
    Choice, Intake,
    intake::{Once, State},
    words::{bytes, count, rate, span},
};

const DAY: Duration = Duration::from_secs(86_400);
/// The gateway's own.
const RETENTION: Duration = Duration::from_secs(35 * 86_400);
/// What one node takes and delivers with half of it to spare, measured on 2 cores (`hookhaven bench`).
pub const NODE_PER_SECOND: f64 = 5_000.0;
/// Beside the body: headers, ids, deliveries, attempts, index.
const RECORD_BYTES: u64 = 1_200;
/// For what is rewritten, carried over and not yet gone.
const DISK_HEADROOM: f64 = 1.5;
const DISK_MIN_BYTES: u64 = 2_000_000_000;
/// Of an idle process.
const PROCESS_BYTES: u64 = 150_000_000;
/// Of a delivery that waits.
const PENDING_BYTES: u64 = 400;
const PENDING_MIN: u64 = 1_000_000;
const PENDING_MAX: u64 = 20_000_000;
/// Beneath it a queue of one's own is hardly worth its upkeep.
const FEW_PER_DAY: u64 = 50;

pub fn nodes(intake: &Intake, load: &Load) -> Choice<u32> {
    let worst = load.burst_per_second.max(load.peak_per_second);
    let by_load = (worst / NODE_PER_SECOND).ceil().max(1.0) as u32;
    let asked = intake.infrastructure.nodes_min;
    let answers = ["volume", "infrastructure.nodes"];
    if asked > by_load {
        return Choice::from(asked, format!("You asked for {asked}; the load alone needs {by_load}."), answers);
    }
    let why = format!(
        "The worst minute brings {}; one node takes {} with as much to spare.",
        rate(worst),
        rate(NODE_PER_SECOND)
    );
    Choice::from(by_load, why, answers)
}

pub fn store(intake: &Intake, load: &Load, nodes: u32) -> Choice<StorePlace> {
    let answers = ["volume", "infrastructure.nodes", "infrastructure.stack"];
    if nodes > 1 {
        let own = if intake.infrastructure.has_postgres {
            " You run one already; give it a database of its own."
        } else {
            ""
        };
        let why = format!("{nodes} nodes meet in PostgreSQL.{own}");
        return Choice::from(StorePlace::Postgres, why, answers);
    }
    let why = format!(
        "{} a day need one machine and no service beside it; every answer waits for the disk, so nothing that was \
         acknowledged is lost when it is killed.",
        count(load.peak_day)
    );
    Choice::from(StorePlace::Embedded, why, answers)
}

pub fn retention(intake: &Intake, sources: &[SourceDesign]) -> Choice<Duration> {
    let window = sources.iter().map(|source| source.dedupe_window.value).max().unwrap_or_default();
    match intake.requirements.retention {
        Some(asked) if asked >= window => {
            Choice::from(asked, format!("You want events kept for {}.", span(asked)), ["requirements.retention"])
        }
        Some(asked) => {
            let why = format!(
                "You want events kept for {}, and ids have to be remembered for {}: a duplicate is only shown beside its \
                 first while that is kept.",
                span(asked),
                span(window)
            );
            Choice::from(asked, why, ["requirements.retention"])
        }
        None => {
            let value = RETENTION.max(window + DAY);
            Choice::from(
                value,
                format!("A month and some days to look back on; ids are remembered for {}.", span(window)),
                ["senders"],
            )
        }
    }
}

pub fn pending_max(load: &Load) -> Choice<u64> {
    let value = (load.peak_day * 2).clamp(PENDING_MIN, PENDING_MAX);
    let why = format!(
        "Two of your busiest days ({}) can wait for handlers that are down, and never fewer than {}; beyond it senders hear 503, and \
         come again if they do that.",
        count(load.peak_day),
        count(PENDING_MIN)
    );
    Choice::from(value, why, ["volume"])
}

pub fn disk(load: &Load, retention: Duration) -> Choice<u64> {
    let per_day = load.bytes_per_day + load.per_day * RECORD_BYTES;
    let days = retention.as_secs_f64() / DAY_S;
    let kept = per_day as f64 * days * DISK_HEADROOM;
    let value = (kept as u64).max(DISK_MIN_BYTES);
    let why = format!(
        "{} a day, bodies and what is kept of them ({} each beside the body), for {}, half as much again; never less than {}.",
        bytes(per_day),
        bytes(RECORD_BYTES),
        span(retention),
        bytes(DISK_MIN_BYTES)
    );
    Choice::from(value, why, ["volume", "requirements.retention"])
}

pub fn memory(load: &Load) -> Choice<u64> {
    let waiting = load.peak_day;
    let value = PROCESS_BYTES + waiting * PENDING_BYTES;
    let why = format!(
        "{} for the process and {PENDING_BYTES} bytes for each delivery that waits; a whole busiest day ({}) may.",
        bytes(PROCESS_BYTES),
        count(waiting)
    );
    Choice::from(value, why, ["volume"])
}

pub fn hosting(_intake: &Intake, load: &Load, store: StorePlace, nodes: u32) -> Choice<Hosting> {
    let worst = load.burst_per_second.max(load.peak_per_second);
    let (each, cost) = match (worst, nodes) {
        (_, 3..) => ("4 cores and 8 GB", "over 200"),
        (_, 2) => ("2 cores and 4 GB", "50 to 200"),
        (w, _) if w > 1_000.0 => ("4 cores and 8 GB", "50 to 200"),
        (w, _) if w > 50.0 => ("2 cores and 4 GB", "10 to 50"),
        _ => ("1 core and 1 GB", "under 10"),
    };
    let machines = if nodes == 1 { "one machine".to_owned() } else { format!("{nodes} machines") };
    let database = if store == StorePlace::Postgres { ", and PostgreSQL on one of its own" } else { "" };
    let size = format!("{machines} with {each} each, always on, with a disk that keeps its data{database}");
    let why = format!("{} at the worst.", rate(worst));
    Choice::from(Hosting { size, cost }, why, ["volume", "infrastructure.hosting"])
}

pub fn needed(intake: &Intake, load: &Load) -> Choice<bool> {
    let answers = ["existing.state", "existing.incidents", "volume", "idempotency"];
    let calm = intake.existing.troubles.is_empty();
    if intake.existing.kind == State::Mature && calm {
        let why =
            "What you have stores before it answers, retries and keeps dead letters, and nothing went wrong: keep it.";
        return Choice::from(false, why, answers);
    }
    let careless = intake.senders.iter().all(|s| s.once.values().all(|once| *once == Once::Free));
    if load.peak_day < FEW_PER_DAY && careless && calm {
        let why = format!(
            "{} events a day, of which none hurts when it is lost or done twice: a handler that verifies and answers is \
             enough.",
            count(load.peak_day)
        );
        return Choice::from(false, why, answers);
    }
    Choice::from(true, "Something would be lost or done twice without it.", answers)
}
