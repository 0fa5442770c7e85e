//! The sections of the report, in their order: one file each, and one line here.
//!
//! What a rule found stands at the end of the section of its subject, and once more in the list of all of them. Not
//! here: how it is laid out.

mod findings;
mod github;
mod idempotency;
mod limits;
mod maintenance;
mod moving;
mod observability;
mod ordering;
mod path;
mod receiver;
mod replay;
mod retry;
mod rotation;
mod senders;
mod short;
mod skeleton;
mod stripe;
mod takeaways;
mod testing;
mod understood;
mod verdict;
mod verification;
mod volume;
mod workers;

use super::document::{Block, Document, Section};
use crate::{Plan, rules::Subject};

pub const TAKEAWAYS: &str = "Key takeaways";
pub const UNDERSTOOD: &str = "How your answers were understood";
pub const SHORT: &str = "What to hold on to";
pub const PATH: &str = "The path of an event";
pub const RECEIVER: &str = "Receiver design";
pub const VERIFICATION: &str = "Signature verification";
pub const IDEMPOTENCY: &str = "Idempotency";
pub const REPLAY: &str = "Replay defence";
pub const WORKERS: &str = "Queue and workers";
pub const ORDERING: &str = "Ordering";
pub const RETRY: &str = "Retry and dead letters";
pub const SENDERS: &str = "Configuration and quirks of each sender";
pub const STRIPE: &str = "Stripe: types of events and their two shapes";
pub const GITHUB: &str = "GitHub: addresses and redelivery";
pub const VOLUME: &str = "High volume";
pub const OBSERVABILITY: &str = "Observability";
pub const SKELETON: &str = "Implementation skeleton";
pub const TESTING: &str = "Testing";
pub const MOVING: &str = "From what you have to this";
pub const LIMITS: &str = "What this will not solve";
pub const MAINTENANCE: &str = "Maintenance";
pub const FINDINGS: &str = "All findings";

struct Part {
    title: &'static str,
    /// Whose findings stand at its end.
    subjects: &'static [Subject],
    /// Whether this team's report has it.
    holds: fn(&Plan) -> bool,
    blocks: fn(&Plan) -> Vec<Block>,
}

const fn part(title: &'static str, subjects: &'static [Subject], blocks: fn(&Plan) -> Vec<Block>) -> Part {
    Part { title, subjects, holds: always, blocks }
}

const fn only(title: &'static str, holds: fn(&Plan) -> bool, blocks: fn(&Plan) -> Vec<Block>) -> Part {
    Part { title, subjects: &[], holds, blocks }
}

const WHOLE: &[Part] = &[
    part(TAKEAWAYS, &[], takeaways::blocks),
    part(UNDERSTOOD, &[], understood::blocks),
    part(PATH, &[], path::blocks),
    part(RECEIVER, &[Subject::Receiver, Subject::Hosting], receiver::blocks),
    part(VERIFICATION, &[Subject::Verification], verification::blocks),
    part(IDEMPOTENCY, &[Subject::Idempotency], idempotency::blocks),
    part(REPLAY, &[Subject::Replay], replay::blocks),
    part(WORKERS, &[Subject::Queue], workers::blocks),
    part(ORDERING, &[Subject::Ordering], ordering::blocks),
    part(RETRY, &[Subject::Retry], retry::blocks),
    part(SENDERS, &[Subject::Sender], senders::blocks),
    only(STRIPE, stripe::holds, stripe::blocks),
    only(GITHUB, github::holds, github::blocks),
    only(VOLUME, volume::holds, volume::blocks),
    part(OBSERVABILITY, &[Subject::Observability], observability::blocks),
    part(SKELETON, &[], skeleton::blocks),
    part(TESTING, &[], testing::blocks),
    part(MOVING, &[], moving::blocks),
    part(LIMITS, &[Subject::Limits], limits::blocks),
    part(MAINTENANCE, &[Subject::Maintenance], maintenance::blocks),
    part(FINDINGS, &[], findings::blocks),
];

/// For a team that does not need any of this.
const BRIEF: &[Part] = &[
    part(TAKEAWAYS, &[], takeaways::blocks),
    part(UNDERSTOOD, &[], understood::blocks),
    part(SHORT, &[], short::blocks),
    part(FINDINGS, &[], findings::in_full),
];

pub fn document(plan: &Plan) -> Document {
    let parts = if plan.design.needed.value { WHOLE } else { BRIEF };
    let section = |part: &Part| {
        let mut blocks = (part.blocks)(plan);
        blocks.extend(findings::of(plan, part.subjects));
        Section { title: part.title, blocks }
    };
    Document {
        title: verdict::title(plan),
        lead: verdict::blocks(plan),
        sections: parts.iter().filter(|part| (part.holds)(plan)).map(section).collect(),
    }
}

/// Where the findings of a subject stand.
fn section_of(subject: Subject) -> &'static str {
    WHOLE.iter().find(|part| part.subjects.contains(&subject)).map_or(FINDINGS, |part| part.title)
}

fn always(_: &Plan) -> bool {
    true
}
