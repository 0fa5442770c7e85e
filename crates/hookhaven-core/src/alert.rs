//! Alerts: what the gateway tells people by itself, as rules over figures.
//!
//! A *rule* looks at one metric, in scopes (each source, destination or route). While its condition holds for long
//! enough in a scope, an *episode* of that rule and scope fires; it ends once the condition has not held for a while.
//! What is told of an episode (fired, grown, repeated, ended) is a *telling*, numbered within the episode, so that
//! any number of nodes can agree on one of them by its name alone ([`Episode::key`]).
//!
//! - `metric` is what rules can look at, `figure` how much of it there is, `window` counts over a time;
//! - `rule` is what fires, with the rules that every gateway begins with;
//! - `episode` is one rule in one scope over time, `watch` all of them at one moment;
//! - `notice` is what is told, in words; `runbook` what to do about it; `silence` what nobody wants to hear.
//!
//! Everything is a function of figures, what is known, and `now`. Not here: where figures come from, where episodes
//! are kept, how a channel is spoken to.

mod episode;
mod figure;
mod metric;
mod notice;
mod rule;
mod runbook;
mod silence;
mod watch;
mod window;

#[cfg(test)]
mod tests;

pub use episode::{Episode, Kind, TELLINGS_KEPT, Told};
pub use figure::{ANSWER_BUCKETS_S, Figure, Labels, Value};
pub use metric::{Metric, Per, Unit};
pub use notice::{Notice, number, span};
pub use rule::{Condition, Rule, Severity};
pub use runbook::{Runbook, runbook};
pub use silence::Silence;
pub use watch::{Change, Known, Setup, Sight, Watching};
pub use window::{WINDOW_MAX, Windows};
