//! For a team with a high volume: what is shed and when, how work is partitioned, and what each kind of node is scaled
//! by.
//!
//! Not here: one process that does both (`workers`).

use crate::{
    Plan,
    design::{Loss, Mode, OrderingDesign, StorePlace},
    intake::SenderAnswers,
    report::{
        document::{Block, Text, code, codes, plain, prose, say},
        said,
    },
    words::{self, count, rate, span},
};

/// Attempts that a worker has under way at most, unless `worker.slots` says otherwise.
const WORKER_SLOTS: u32 = 512;

pub fn holds(plan: &Plan) -> bool {
    plan.design.mode == Mode::HighVolume
}

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let mut blocks = vec![
        say!(
            "At {} in the busiest hour and {} at the worst, what comes in and what is worked off are two loads that \
             grow apart.",
            rate(plan.design.load.peak_per_second),
            rate(plan.design.load.burst_per_second)
        )
        .into(),
        Block::heading(say!("Backpressure, and what is shed first")),
        Block::table(["when", "what happens", "who makes up for it"], shedding(plan)),
        Block::heading(say!("Partitions")),
        say!("Nothing is sharded by hand: work is apart where it has to be and nowhere else.").into(),
        Block::table(["what", "is apart by", "so that"], partitions(plan)),
        Block::heading(say!("Receivers and workers, each by its own measure")),
    ];
    blocks.extend(roles(plan));
    blocks
}

fn shedding(plan: &Plan) -> Vec<[Text; 3]> {
    let (again, never): (Vec<&SenderAnswers>, Vec<&SenderAnswers>) =
        plan.intake.senders.iter().partition(|sender| comes_again(plan, sender));
    let names = |senders: &[&SenderAnswers]| match senders {
        [] => "nobody".to_owned(),
        all => words::list(&all.iter().map(|sender| sender.title()).collect::<Vec<_>>()),
    };
    let mut rows = vec![
        [
            say!("{} deliveries wait (`store.pending_max`)", count(plan.design.pending_max.value)),
            plain("503 with Retry-After, before the body is read"),
            say!("the sender comes again: {}", names(&again)),
        ],
        [
            say!("a source is over its `rate`"),
            plain("429 with Retry-After for that source alone"),
            say!("the sender comes again: {}", names(&again)),
        ],
        [
            say!("bodies in flight, connections or the queue of the store are full"),
            plain("503 before the body; nothing half-stored"),
            say!("the sender comes again: {}", names(&again)),
        ],
    ];
    let reserved = match never.as_slice() {
        [] => say!("every sender of yours comes again: none has to be `reserved`"),
        some => {
            say!("a fifth of each limit is kept for them by `reserved = true`; give them no `rate`: {}", names(some))
        }
    };
    rows.push([say!("room gets short"), reserved, say!("nobody: what is refused there is lost: {}", names(&never))]);
    rows
}

fn comes_again(plan: &Plan, sender: &SenderAnswers) -> bool {
    plan.design.source(&sender.name).is_some_and(|source| matches!(source.loss.value, Loss::NothingWithin(_)))
}

fn partitions(plan: &Plan) -> Vec<[Text; 3]> {
    let destinations: Vec<&str> = plan.design.destinations.iter().map(|d| d.name.as_str()).collect();
    let mut rows = vec![[
        plain("lanes"),
        say!("destination: ") + codes(&destinations),
        plain("a handler that is slow or down fills its own lane only"),
    ]];
    let ordered = plan.design.routes.iter().filter(|route| route.ordering.value != OrderingDesign::None);
    for route in ordered {
        let key = match &route.ordering.value {
            OrderingDesign::Latest { key, .. } | OrderingDesign::Fifo { key } => key.as_deref(),
            OrderingDesign::None => None,
        };
        let by = key.map_or_else(|| say!("the sender's own ordering key"), |key| say!("`{}`", key));
        rows.push([
            say!("lines of {}: ", said::title(plan, &route.source)) + said::types(route),
            by,
            plain("one at a time within a key, side by side across keys"),
        ]);
    }
    if rows.len() == 1 {
        rows.push([
            plain("lines"),
            plain("nothing: no order is enforced"),
            plain("every free hand may take the next delivery"),
        ]);
    }
    rows
}

fn roles(plan: &Plan) -> Vec<Block> {
    let nodes = plan.design.nodes.value;
    if plan.design.store.value == StorePlace::Embedded {
        return vec![
            (say!("One process does both here. ") + prose(&plan.design.nodes.why)).into(),
            say!(
                "The step to more is `hookhaven copy` to PostgreSQL, which can be broken off and goes on where it \
                 was; after it each node is started with `--role ingest` or `--role worker`. Take it when ingest uses \
                 more than half of the machine in the busiest hour, not before."
            )
            .into(),
        ];
    }
    let slots: u32 = plan.design.destinations.iter().map(|destination| destination.concurrency.value).sum();
    let workers = slots.div_ceil(WORKER_SLOTS).max(1);
    let slowest = plan.design.routes.iter().map(|route| route.deadline.value).min().map(span).unwrap_or_default();
    let rows = vec![
        [
            code("hookhaven serve --role ingest"),
            plain("requests a second, and the p95 of the answer"),
            say!(
                "one more when a node takes over half of what `hookhaven bench` measured there, or `answers_slow` \
                 fires; at least 2, so that one may be away"
            ),
        ],
        [
            code("hookhaven serve --role worker"),
            plain("attempts under way, and the age of the oldest due delivery"),
            say!(
                "{} attempts at once over all destinations need {} of them at {} slots each; one more when \
                 `webhook_queue_oldest_seconds` passes {}, your tightest deadline, while the handlers are idle",
                count(slots.into()),
                workers,
                WORKER_SLOTS,
                slowest
            ),
        ],
        [
            plain("PostgreSQL"),
            plain("commits a second, and the disk's sync time"),
            plain("up, not out: faster disk first; both roles wait for it"),
        ],
    ];
    vec![
        (say!("{} nodes in all. ", nodes) + prose(&plan.design.nodes.why)).into(),
        Block::table(["started as", "loaded by", "one more when"], rows),
        say!(
            "More workers never push a handler over its limits: concurrency and rate of a destination count over all \
             nodes."
        )
        .into(),
    ]
}
