//! For a team with a high volume: what is shed and when, how work is partitioned, and what each kind of node is scaled
//! by.
//!
//! Not here: one process that does both (`workers`).

use crate::{
    Plan,
    design::{Mode, NODE_PER_SECOND, OrderingDesign, Roles, SourceDesign},
    intake::SenderAnswers,
    report::{
        document::{Block, Text, codes, plain, prose, say},
        said,
    },
    words::{count, rate, span},
};

pub fn holds(plan: &Plan) -> bool {
    plan.design.mode == Mode::HighVolume
}

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let mut blocks = vec![
        say!("At {}, what comes in and what is worked off are two loads that grow apart.", at_most(plan)).into(),
        Block::heading(say!("Backpressure, and what is shed first")),
        Block::table(["when", "what happens", "why there"], shedding(plan)),
        Block::table(["sender", "heard 429 beyond", "a share kept for it"], said::each(plan).map(sheds).collect()),
        Block::heading(say!("Partitions")),
        say!("Nothing is sharded by hand: work is apart where it has to be and nowhere else.").into(),
        Block::table(["what", "is apart by", "so that"], partitions(plan)),
        Block::heading(say!("Receivers and workers, each by its own measure")),
    ];
    blocks.extend(roles(plan));
    blocks
}

fn at_most(plan: &Plan) -> String {
    let (peak, burst) = (plan.design.load.peak_per_second, plan.design.load.burst_per_second);
    match (rate(peak), rate(burst)) {
        (peak, burst) if peak == burst => format!("{peak} at the worst"),
        (peak, burst) => format!("{peak} in the busiest hour and {burst} at the worst"),
    }
}

/// For all sources alike, in the order in which it is felt.
fn shedding(plan: &Plan) -> Vec<[Text; 3]> {
    vec![
        [
            say!("a source is over its own `rate`"),
            say!("429 with Retry-After for that source alone, before its body is read"),
            plain("a sender that goes mad is its own trouble first"),
        ],
        [
            say!("connections, bodies in flight or the store's queue are full"),
            say!("503 with Retry-After, before the body is read; nothing is half stored"),
            plain("memory has a limit, and a refusal now is better than a crash later"),
        ],
        [
            say!("{} deliveries wait (`store.pending_max`)", count(plan.design.pending_max.value)),
            say!("503 for everybody; a reserved source still has its share"),
            prose(&plan.design.pending_max.why),
        ],
    ]
}

fn sheds((sender, source): (&SenderAnswers, &SourceDesign)) -> [Text; 3] {
    let rate = match source.rate_per_second.value {
        Some(rate) => say!("**{}/s.** ", count(rate.into())),
        None => Text::default(),
    };
    let reserved = if source.reserved.value { "**yes.** " } else { "no. " };
    [plain(sender.title()), rate + prose(&source.rate_per_second.why), prose(reserved) + prose(&source.reserved.why)]
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
            say!("lines of {}: ", said::title(plan, &route.source)) + said::types(plan, route),
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
    let why: Block = prose(&plan.design.roles.why).into();
    let Roles::Apart { ingest, workers } = plan.design.roles.value else {
        let later = say!(
            "The step to more is `hookhaven copy` to PostgreSQL, which can be broken off and goes on where it was; \
             after it each node is started with `--role ingest` or `--role worker`. Take it when receiving uses more \
             than half of the machine in the busiest hour, not before."
        );
        return vec![why, later.into()];
    };
    let tightest = plan.design.routes.iter().map(|route| route.deadline.value).min().map(span).unwrap_or_default();
    let rows = vec![
        [
            say!("**{}** × `hookhaven serve --role ingest`", ingest),
            plain("requests a second, and the p95 of the answer"),
            say!(
                "a node takes more than half of what `hookhaven bench` measured there ({} is what was planned with), \
                 or `answers_slow` fires",
                rate(NODE_PER_SECOND)
            ),
        ],
        [
            say!("**{}** × `hookhaven serve --role worker`", workers),
            say!("attempts under way: {} slots each. ", count(plan.design.slots.value.into()))
                + prose(&plan.design.slots.why),
            say!(
                "`webhook_queue_oldest_seconds` nears {}, your tightest deadline, while the handlers have room",
                tightest
            ),
        ],
        [
            say!("PostgreSQL"),
            plain("commits a second, and how long the disk takes to sync"),
            plain("up, not out: the faster disk first, for both roles wait for it"),
        ],
    ];
    vec![
        why,
        Block::table(["what", "its load", "one more when"], rows),
        say!(
            "More workers never push a handler over its limits: concurrency and rate of a destination count over all \
             nodes."
        )
        .into(),
    ]
}
