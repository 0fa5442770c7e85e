//! Who runs a job: whoever has it, until nothing was heard of that node for a while; then the first of the others.
//! Pure. Where nodes disagree for a moment both take the same steps, which the store makes one.

use std::time::Duration;

use hookhaven_core::Time;
use hookhaven_store::NodeRow;

use super::kept::Job;
use crate::{api::NODE_SILENCE_MAX, config::Role};

/// A runner that wrote nothing for so long has gone.
pub const RUNNER_SILENCE_MAX: Duration = Duration::from_secs(12);
/// How often a runner writes, even if nothing happened.
pub const BEAT_EVERY: Duration = Duration::from_secs(3);
/// The second of those that could take over waits so much longer than the first, and so on.
const RANK_APART: Duration = Duration::from_secs(5);

/// How long nobody has run a job that should get on. A paused one is run by nobody, and whoever had it has its chance
/// first.
pub fn silence(job: &Job, now: Time) -> Duration {
    now.since(job.progress.beat_at.max(job.wish.at))
}

/// Whether this node takes over a job of which nothing was heard for so long.
pub fn takes_over(me: &str, job: &Job, nodes: &[NodeRow], now: Time) -> bool {
    let gone = job.progress.runner.as_deref();
    let lives = |row: &&NodeRow| now.since(row.seen_at) <= NODE_SILENCE_MAX && row.report.role != Role::Ingest.as_str();
    let could = nodes.iter().filter(lives).map(|row| &*row.report.id).filter(|id| Some(*id) != gone && *id != me);
    let rank = u32::try_from(could.filter(|id| *id < me).count()).unwrap_or(u32::MAX);
    let patience = if gone.is_some() { RUNNER_SILENCE_MAX } else { Duration::ZERO };
    silence(job, now) >= patience.saturating_add(RANK_APART.saturating_mul(rank))
}

#[cfg(test)]
mod tests {
    use hookhaven_core::JobId;
    use hookhaven_store::NodeReport;

    use super::{
        super::{
            kept::{Progress, Wish},
            spec::{Act, Order, Spec},
        },
        *,
    };

    const NOW: Time = Time::from_s(1_000);

    fn node(id: &str, role: &str, silent_s: u64) -> NodeRow {
        let report = NodeReport {
            id: id.into(),
            role: role.into(),
            version: String::new(),
            config_hash: String::new(),
            address: String::new(),
            session: None,
            started_at: NOW,
        };
        NodeRow { report, seen_at: NOW.minus(Duration::from_secs(silent_s)), leases: 0 }
    }

    fn job(runner: Option<&str>, silent_s: u64) -> Job {
        let order = Order::new(Act::Dismiss);
        let id = JobId::mint(NOW, [1; 10]);
        let beat_at = NOW.minus(Duration::from_secs(silent_s));
        let progress = Progress { runner: runner.map(str::to_owned), beat_at, ..Progress::default() };
        Job { spec: Spec { id, asked_at: NOW, key: None, order }, progress, wish: Wish::default() }
    }

    #[test]
    fn one_after_the_other_takes_over_what_nobody_runs() {
        let nodes = [node("a", "all", 1), node("b", "worker", 1), node("c", "ingest", 1), node("d", "all", 60)];
        for (me, runner, silent_s, takes) in [
            ("b", Some("a"), 11, false),
            ("b", Some("a"), 12, true),
            ("b", Some("d"), 12, false), // a is before it
            ("a", Some("d"), 12, true),
            ("b", Some("d"), 17, true),
            ("a", None, 0, true),
            ("b", None, 0, false),
            ("b", None, 5, true),
            ("e", None, 9, false), // the command line, beside a and b
            ("e", None, 10, true),
        ] {
            assert_eq!(takes_over(me, &job(runner, silent_s), &nodes, NOW), takes, "{me} {runner:?} {silent_s}");
        }
    }

    #[test]
    fn whoever_paused_a_job_may_resume_it() {
        let mut job = job(Some("a"), 3_600);
        job.wish.at = NOW.minus(Duration::from_secs(2));
        assert!(!takes_over("b", &job, &[node("a", "all", 1), node("b", "all", 1)], NOW));
    }
}
