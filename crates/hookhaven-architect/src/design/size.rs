//! How much is kept, how much may wait, and how many attempts are under way: disk, memory, limits.
//!
//! Not here: where it lies (`place`).

use std::time::Duration;

use super::{DestinationDesign, Load, Roles, SourceDesign, StorePlace, load::DAY_S, place::volumes};
use crate::{
    Choice, Intake,
    words::{bytes, count, list, span},
};

const DAY: Duration = Duration::from_secs(86_400);
/// The gateway's own.
const RETENTION: Duration = Duration::from_secs(35 * 86_400);
/// Beside the body: headers, ids, deliveries, attempts, index.
const RECORD_BYTES: u64 = 1_200;
/// For what is rewritten, carried over and not yet gone.
const DISK_HEADROOM: f64 = 1.5;
const DISK_MIN_BYTES: u64 = 2_000_000_000;
/// Of an idle process.
const PROCESS_BYTES: u64 = 150_000_000;
/// Of a delivery that waits in the embedded store: measured, a million of them stay under 400 MB.
const PENDING_BYTES: u64 = 400;
/// The gateway's own.
const PENDING_MIN: u64 = 2_000_000;
const PENDING_MAX: u64 = 20_000_000;
/// The gateway's own, and the most that it can be told.
const SLOTS_MIN: u32 = 512;
const SLOTS_MAX: u32 = 100_000;

pub fn retention(intake: &Intake, sources: &[SourceDesign]) -> Choice<Duration> {
    let longest = sources.iter().map(|source| source.dedupe_window.value).max().unwrap_or_default();
    let paths = ["requirements.retention", "senders"];
    match intake.requirements.retention {
        Some(asked) if asked >= longest => {
            Choice::from(asked, format!("You want events kept for {}.", span(asked)), paths)
        }
        Some(asked) => {
            let why = format!(
                "You want events kept for {}. Ids are remembered for {} all the same; a duplicate that comes later \
                 is answered as one, and its first can no longer be looked at.",
                span(asked),
                span(longest)
            );
            Choice::from(asked, why, paths)
        }
        None => {
            let why =
                format!("A month and some days to look back on; ids are remembered for {} at most.", span(longest));
            Choice::from(RETENTION.max(longest + DAY), why, paths)
        }
    }
}

/// Dead letters are what somebody still has to see to; where a law limits how long data may lie, it limits them too.
pub fn retention_dead(intake: &Intake) -> Choice<Option<Duration>> {
    let paths = ["requirements.regulated", "requirements.retention"];
    match (&intake.requirements.regulated, intake.requirements.retention) {
        (Some(_), Some(asked)) => {
            let why = format!(
                "You may keep events for {}: a dead letter that nobody saw to by then is dismissed, so look at them \
                 weekly.",
                span(asked)
            );
            Choice::from(Some(asked), why, paths)
        }
        _ => Choice::from(None, "A dead letter stays until somebody replays or dismisses it.", paths),
    }
}

pub fn pending_max(intake: &Intake, load: &Load) -> Choice<u64> {
    let two_days = load.peak_day.saturating_mul(2);
    let value = two_days.clamp(PENDING_MIN, PENDING_MAX);
    let beyond = "beyond it senders hear 503, and come again if they do that";
    let busiest = count(load.peak_day);
    let why = if two_days > PENDING_MAX {
        format!(
            "Your busiest day brings {busiest}; {} may wait for handlers that are down, {:.1} hours of it, and \
             {beyond}.",
            count(value),
            value as f64 * 24.0 / load.peak_day as f64
        )
    } else if two_days < PENDING_MIN {
        format!("Far more than two of your busiest days ({busiest}) may wait for handlers that are down; {beyond}.")
    } else {
        format!("Two of your busiest days ({busiest}) may wait for handlers that are down; {beyond}.")
    };
    Choice::from(value, why, volumes(intake))
}

pub fn disk(intake: &Intake, load: &Load, retention: Duration) -> Choice<u64> {
    let per_day = load.bytes_per_day.saturating_add(load.per_day.saturating_mul(RECORD_BYTES));
    let days = retention.as_secs_f64() / DAY_S;
    let kept = per_day as f64 * days * DISK_HEADROOM;
    let why = format!(
        "{} on an ordinary day, bodies and what is kept of them ({} each beside the body), for {}, half as much \
         again; never less than {}.",
        bytes(per_day),
        bytes(RECORD_BYTES),
        span(retention),
        bytes(DISK_MIN_BYTES)
    );
    let more = ["requirements.retention", "senders"].map(str::to_owned).to_vec();
    Choice::from((kept as u64).max(DISK_MIN_BYTES), why, [volumes(intake), more].concat())
}

pub fn memory(intake: &Intake, load: &Load, store: StorePlace) -> Choice<u64> {
    let more = ["infrastructure.nodes", "infrastructure.hosting", "infrastructure.host", "infrastructure.stack"];
    let paths = [volumes(intake), more.map(str::to_owned).to_vec()].concat();
    if store == StorePlace::Postgres {
        let why = format!("{} for the process; what waits is in the database.", bytes(PROCESS_BYTES));
        return Choice::from(PROCESS_BYTES, why, paths);
    }
    let waiting = load.peak_day.min(PENDING_MAX);
    let why = format!(
        "{} for the process and {PENDING_BYTES} bytes for each delivery that waits; {} may, if the handlers are down \
         on your busiest day.",
        bytes(PROCESS_BYTES),
        count(waiting)
    );
    Choice::from(PROCESS_BYTES + waiting * PENDING_BYTES, why, paths)
}

/// Attempts under way on one node, over all destinations.
pub fn slots(intake: &Intake, destinations: &[DestinationDesign], roles: &Roles) -> Choice<u32> {
    let all: u64 = destinations.iter().map(|d| u64::from(d.concurrency.value)).sum();
    let workers = u64::from(roles.workers());
    // Slow destinations share half of them.
    let wanted = (all * 2).div_ceil(workers.max(1));
    let value = u32::try_from(wanted).unwrap_or(SLOTS_MAX).clamp(SLOTS_MIN, SLOTS_MAX);
    let of = |table: &str| intake.senders.iter().map(|s| s.path(table)).collect::<Vec<_>>();
    let paths = [volumes(intake), of("processing"), of("latency"), vec!["infrastructure.nodes".to_owned()]].concat();
    let each = destinations.iter().map(|d| d.concurrency.value.to_string()).collect::<Vec<_>>();
    let why = if value == SLOTS_MIN {
        format!(
            "Your destinations may have {} attempts under way; slow ones get half of the slots at most.",
            count(all)
        )
    } else if wanted > u64::from(SLOTS_MAX) {
        format!(
            "Your destinations may have {} attempts under way ({}), more than a node makes at once: what exceeds {} \
             waits, or more nodes have to work (`infrastructure.nodes`).",
            count(all),
            list(&each),
            count(SLOTS_MAX.into())
        )
    } else {
        format!(
            "Your destinations may have {} attempts under way ({}), and slow ones get half of the slots at most: \
             twice that, over the nodes that work.",
            count(all),
            list(&each)
        )
    };
    Choice::from(value, why, paths)
}
