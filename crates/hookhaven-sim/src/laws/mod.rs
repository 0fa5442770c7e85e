//! The laws. `online` judges while it happens; the others judge the history when everything has come to rest.
//! A new law is one function and one line in [`LAWS`].

mod attempts;
mod events;
mod facts;
pub mod online;
mod order;
mod replays;
mod timely;

use std::time::Duration;

pub use self::facts::Facts;
use crate::world::World;

/// What must hold of every run, whatever went wrong in it.
pub struct Law {
    pub name: &'static str,
    /// Answers the breaches, in words.
    check: fn(&World, &Facts) -> Vec<String>,
}

/// Whether retention may have removed anything in this run: then what is not there is `removed_is_over`'s to
/// judge.
fn removes(world: &World) -> bool {
    world.plan.config.store.retention < Duration::from_secs(86_400)
}

pub const LAWS: &[Law] = &[
    Law { name: "acknowledged is stored", check: events::acknowledged_is_stored },
    Law { name: "removed when old and over, not before", check: events::removed_is_over },
    Law { name: "one event per key and window", check: events::one_per_key },
    Law { name: "nothing that nobody sent", check: events::nothing_else },
    Law { name: "delivered or dead", check: events::delivered_or_dead },
    Law { name: "delivered means answered 2xx", check: events::delivered_was_answered },
    Law { name: "dead for a reason", check: attempts::dead_for_a_reason },
    Law { name: "attempts within the policy", check: attempts::within_policy },
    Law { name: "attempts numbered and in time", check: attempts::in_order },
    Law { name: "retries never early", check: attempts::never_early },
    Law { name: "a settle that was acknowledged is recorded", check: attempts::settled_is_recorded },
    Law { name: "a replay happens once, and only when asked for", check: replays::once },
    Law { name: "dismissed only when asked for", check: replays::dismissed_when_asked },
    Law { name: "figures fit the lists", check: replays::figures_fit },
    Law { name: "a brisk destination waits for nobody", check: timely::brisk },
    Law { name: "none of a fifo line overtakes another", check: order::fifo },
    Law { name: "no older version after a newer one", check: order::latest },
];

/// Judges a run that has come to rest.
pub fn judge(world: &World, facts: &Facts) {
    for law in LAWS {
        for breach in (law.check)(world, facts) {
            world.breach(law.name, format_args!("{breach}"));
        }
    }
}
