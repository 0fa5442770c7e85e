//! Volume: what comes at once, what can be worked off, what waits and where it stops.
//!
//! Not here: figures that cannot all be true (`contradictions`).

use std::ops::RangeInclusive;

use super::{
    contradictions::{HANDLERS_MAX, more_than_can_be},
    prelude::*,
};
use crate::design::{DATABASE_PER_SECOND, Mode, NODE_PER_SECOND, Roles, StorePlace, load, needed_per_second};

/// From here on handlers are more than a default connection pool carries.
const MANY_AT_ONCE: u32 = 100;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// From here on the disk is what the set-up costs.
const MUCH_DISK_BYTES: u64 = 500_000_000_000;

pub const RULES: &[Rule] = &[
    Rule {
        id: "handler-outlasts-the-attempt",
        severity: Serious,
        subject: Subject::Queue,
        fires: |intake, design| {
            let outlasts = |sender: &SenderAnswers| {
                let timeout = facts::destination(sender, design)?.timeout.value;
                let firing = Firing::of(sender)
                    .with("takes", span(sender.processing.takes))
                    .with("timeout", span(timeout))
                    .behind([sender.path("processing"), "senders".to_owned()]);
                (sender.processing.takes >= timeout).then_some(firing)
            };
            intake.senders.iter().filter_map(outlasts).collect()
        },
        text: "Your handler for {sender} takes {takes} and an attempt is given up after {timeout}: each one would fail with a \
               timeout and be made again, while the first still works.",
        mend: "Let the handler insert the job into a table of its own (id unique) and answer 200; a worker of yours takes it \
               from there. A longer timeout only holds a connection open for as long.",
        fires_for: r#"processing.stripe = { does = "render the report", takes = "451s" }"#,
        rests_for: r#"processing.stripe = { does = "render the report", takes = "450s" }"#,
    },
    Rule {
        id: "handler-takes-minutes",
        severity: Warning,
        subject: Subject::Queue,
        fires: |intake, design| slow(intake, design, MINUTE + Duration::from_millis(1)..=Duration::MAX),
        text: "Your handler for {sender} takes {takes} for one event, and an attempt may take {timeout}. A deploy in between \
               breaks it off, and the next attempt begins from the start.",
        mend: "Let the handler insert the job into a table of its own (event id unique) and answer 200, so that a worker of \
               yours goes on where it was; an attempt is then a matter of milliseconds.",
        fires_for: r#"processing.stripe = { does = "render the report", takes = "61s" }"#,
        rests_for: r#"processing.stripe = { does = "render the report", takes = "1m" }"#,
    },
    Rule {
        id: "slow-handler",
        severity: Note,
        subject: Subject::Queue,
        fires: |intake, design| slow(intake, design, Duration::from_secs(10)..=MINUTE),
        text: "Your handler for {sender} takes {takes}, of {timeout} that an attempt may take. A database that is slow for a \
               minute turns it into timeouts, whose work may have been done.",
        mend: "Measure its p99, not its mean. What takes the time is mostly another API: write the row first, call after, \
               and make the call one that can be repeated.",
        fires_for: r#"processing.stripe = { does = "render the report", takes = "10s" }"#,
        rests_for: r#"processing.stripe = { does = "render the report", takes = "9s" }"#,
    },
    Rule {
        id: "burst-beyond-its-latency",
        severity: Serious,
        subject: Subject::Queue,
        fires: |intake, design| intake.senders.iter().filter_map(|s| beyond_its_latency(s, design)).collect(),
        text: "{sender}: {events} events within {within}, each to be handled within {latency}, keep {busy} handlers of {takes} \
               busy at once. No team runs that many: the last of a burst will be late, whatever is configured.",
        mend: "Say in `latency.{name}` how late the last may be: with {spread} a hundred handlers do. Until they get to it, it \
               waits on disk and nothing is lost. Or do less for each event: half the time needs half as many.",
        fires_for: r#"
            volume.stripe = { per_day = 100000, burst = { events = 50000, within = "10s" } }
            latency.stripe = "15s"
        "#,
        rests_for: r#"
            volume.stripe = { per_day = 100000, burst = { events = 50000, within = "10s" } }
            latency.stripe = "16s"
        "#,
    },
    Rule {
        id: "many-handlers-at-once",
        severity: Warning,
        subject: Subject::Queue,
        fires: |intake, design| intake.senders.iter().filter_map(|s| many_at_once(s, design)).collect(),
        text: "To be in time, {concurrency} of {sender}'s events are handled at once ({rate} of {takes} each, and half as \
               many again). If each holds a database connection, that is about what a database grants at all \
               unless told otherwise (PostgreSQL 100, MySQL 151).",
        mend: "Pool the connections in front of the database, or make the handler faster: half the time needs half as many. \
               Events that may be an hour late can be spread: say so in `latency.{name}`.",
        fires_for: r#"volume.stripe = { per_day = 100000, peak_day = 500000 }"#,
        rests_for: r#"volume.stripe = { per_day = 100000, peak_day = 450000 }"#,
    },
    Rule {
        id: "queue-fills-within-a-day",
        severity: Warning,
        subject: Subject::Queue,
        fires: |_, design| fills(design).into_iter().collect(),
        text: "At {peak_day} events on the busiest day, handlers that are down fill the queue ({pending} deliveries) in {full}. \
               From then on senders hear 503: of those that do not come again, what they send then is lost.",
        mend: "Treat handlers that are down as an incident of that length: page on `webhook_queue_oldest_seconds`, and size \
               them to work off a backlog at twice the usual rate. `store.pending_max` can be raised: each \
               costs memory in the embedded store, a row in PostgreSQL.",
        fires_for: r#"volume.stripe = { per_day = 21000000 }"#,
        rests_for: r#"volume.stripe = { per_day = 19000000 }"#,
    },
    Rule {
        id: "retention-is-the-disk",
        severity: Warning,
        subject: Subject::Queue,
        fires: |_, design| disk(design).into_iter().collect(),
        text: "Keeping every event for {retention} takes {disk} of disk. At this volume the history is the cost of the \
               set-up, not the traffic.",
        mend: "Say a shorter `requirements.retention`: three days take {short}. Ids are remembered apart from it, and dead \
               letters stay {dead}.",
        fires_for: r#"volume.stripe = 1800000"#,
        rests_for: r#"volume.stripe = 1790000"#,
    },
    Rule {
        id: "one-machine-is-ample",
        severity: Note,
        subject: Subject::Queue,
        fires: |intake, design| ample(intake, design).into_iter().collect(),
        text: "{peak_day} events on your busiest day are {mean} on average, {burst} at the worst. One node takes {capacity}: \
               volume is no reason for more machines, a broker or a database beside it.",
        mend: "Spend the effort on the handlers' idempotency. A second node is for upgrades and failures, not for load.",
        fires_for: r#"
            volume.stripe = 1500000
            infrastructure.stack = ["node 20", "bullmq"]
        "#,
        rests_for: r#"
            volume.stripe = 1510000
            infrastructure.stack = ["node 20", "bullmq"]
        "#,
    },
    Rule {
        id: "receive-and-work-apart",
        severity: Note,
        subject: Subject::Queue,
        fires: |_, design| {
            let Roles::Apart { ingest, workers } = design.roles.value else { return Vec::new() };
            let firing = Firing::whole()
                .with("worst", rate(worst(design)))
                .with("ingest", ingest.to_string())
                .with("workers", workers.to_string());
            vec![firing.behind(design.roles.answers.clone()).behind(["senders"])]
        },
        text: "{worst} at the worst: receiving and working want to be scaled apart, since one waits for the disk and the \
               other for your handlers.",
        mend: "Begin with {ingest} of `serve --role ingest` and {workers} of `serve --role worker`. Add ingest when the p95 of \
               `webhook_received_duration_seconds` goes over 200 ms; add workers when `webhook_queue_oldest_seconds` grows \
               while handlers are below their `concurrency`.",
        fires_for: "volume.stripe = { per_day = 10000000 }\ninfrastructure.nodes = 2",
        rests_for: "volume.stripe = { per_day = 10000000 }",
    },
    Rule {
        id: "one-database-for-all",
        severity: Warning,
        subject: Subject::Queue,
        fires: |_, design| {
            let fires = design.store.value == StorePlace::Postgres && worst(design) > DATABASE_PER_SECOND;
            let firing = Firing::whole().with("worst", rate(worst(design))).with("measured", rate(DATABASE_PER_SECOND));
            let firing = firing.behind(design.store.answers.clone()).behind(["volume", "senders"]);
            if fires { vec![firing] } else { Vec::new() }
        },
        text: "Every node meets in one PostgreSQL, and {worst} at the worst is more than the {measured} that one on two cores \
               was measured to take. More nodes do not help there.",
        mend: "Send it your worst before it goes live (`hookhaven trigger --profile`). What it does not take is partitioned by \
               source: gateways with a database each, the largest senders alone. They share nothing, so that one that is \
               full or down stops only its own.",
        fires_for: r#"volume.stripe = 30100000"#,
        rests_for: r#"volume.stripe = 30000000"#,
    },
    Rule {
        id: "database-of-the-application",
        severity: Warning,
        subject: Subject::Queue,
        fires: |intake, design| {
            let shared = design.store.value == StorePlace::Postgres && intake.infrastructure.has_postgres;
            let firing = Firing::whole()
                .with("worst", rate(worst(design)))
                .behind(design.store.answers.clone())
                .behind(["volume", "senders", "infrastructure.stack", "infrastructure.postgres"]);
            if shared && design.mode == Mode::HighVolume { vec![firing] } else { Vec::new() }
        },
        text: "Your stack has a PostgreSQL, and the gateway writes each event there several times: {worst} at the worst. In \
               the same server that is its log, its vacuum and its connections, and your application's queries wait for \
               them, most of all in a burst.",
        mend: "Give the gateway a server of its own, not only a database in yours: the two are then sized, upgraded and failed \
               over apart, and a burst of events slows no query.",
        fires_for: r#"
            volume.stripe = 1510000
            infrastructure.nodes = 2
            infrastructure.stack = ["node 20", "postgres"]
        "#,
        rests_for: r#"
            volume.stripe = 1490000
            infrastructure.nodes = 2
            infrastructure.stack = ["node 20", "postgres"]
        "#,
    },
];

/// Events a second that there has to be room for.
fn worst(design: &Design) -> f64 {
    design.load.burst_per_second.max(design.load.peak_per_second)
}

/// Handlers that take so long and are done before an attempt is given up.
fn slow(intake: &Intake, design: &Design, takes: RangeInclusive<Duration>) -> Vec<Firing> {
    let one = |sender: &SenderAnswers| {
        let timeout = facts::destination(sender, design)?.timeout.value;
        let firing = Firing::of(sender)
            .with("takes", span(sender.processing.takes))
            .with("timeout", span(timeout))
            .behind([sender.path("processing"), "senders".to_owned()]);
        (takes.contains(&sender.processing.takes) && sender.processing.takes < timeout).then_some(firing)
    };
    intake.senders.iter().filter_map(one).collect()
}

/// Where they are not more than can be, and each is done before its attempt is given up.
fn many_at_once(sender: &SenderAnswers, design: &Design) -> Option<Firing> {
    let destination = facts::destination(sender, design)?;
    let concurrency = destination.concurrency.value;
    let graver = more_than_can_be(sender, design).is_some()
        || beyond_its_latency(sender, design).is_some()
        || sender.processing.takes >= destination.timeout.value;
    let firing = Firing::of(sender)
        .with("concurrency", count(concurrency.into()))
        .with("rate", rate(needed_per_second(sender)))
        .with("takes", span(sender.processing.takes))
        .behind(destination.concurrency.answers.clone())
        .behind(["volume", "processing", "latency"].map(|table| sender.path(table)))
        .behind(["senders"]);
    (concurrency >= MANY_AT_ONCE && !graver).then_some(firing)
}

/// Where it is the burst and not the hour that asks for more handlers than can be.
fn beyond_its_latency(sender: &SenderAnswers, design: &Design) -> Option<Firing> {
    let takes = sender.processing.takes;
    let busy = needed_per_second(sender) * takes.as_secs_f64();
    let told = more_than_can_be(sender, design).is_some() || takes >= facts::destination(sender, design)?.timeout.value;
    if busy <= HANDLERS_MAX || told {
        return None;
    }
    let burst = load::burst_of(sender);
    // What a hundred need for all of them, less the time in which they come.
    let needed_s = burst.events as f64 * takes.as_secs_f64() / f64::from(MANY_AT_ONCE);
    let spread_s = (needed_s - burst.within.as_secs_f64()).max(1.0) as u64;
    let firing = Firing::of(sender)
        .with("events", count(burst.events))
        .with("within", span(burst.within))
        .with("latency", span(facts::soonest(sender)))
        .with("busy", count(busy as u64))
        .with("takes", span(takes))
        .with("spread", span(Duration::from_secs(spread_s.div_ceil(60) * 60)));
    Some(firing.behind(["volume", "processing", "latency"].map(|table| sender.path(table))).behind(["senders"]))
}

fn fills(design: &Design) -> Option<Firing> {
    let (pending, peak_day) = (design.pending_max.value, design.load.peak_day);
    if peak_day <= pending {
        return None;
    }
    let minutes = (DAY.as_secs_f64() * pending as f64 / peak_day as f64 / 60.0).max(1.0) as u64;
    let firing = Firing::whole()
        .with("peak_day", count(peak_day))
        .with("pending", count(pending))
        .with("full", span(Duration::from_secs(minutes * 60)));
    Some(firing.behind(design.pending_max.answers.clone()).behind(["volume", "senders"]))
}

fn disk(design: &Design) -> Option<Firing> {
    let (disk, retention) = (design.disk_bytes.value, design.retention.value);
    let short = (disk as f64 * 3.0 * DAY.as_secs_f64() / retention.as_secs_f64()) as u64;
    let dead = match design.retention_dead.value {
        None => "until somebody looked at them",
        Some(_) => "as long as events do",
    };
    let firing = Firing::whole()
        .with("retention", span(retention))
        .with("disk", bytes(disk))
        .with("short", bytes(short))
        .with("dead", dead)
        .behind(design.retention_dead.answers.clone());
    let fires = disk >= MUCH_DISK_BYTES && retention > DAY * 3;
    let firing = firing.behind(design.disk_bytes.answers.clone()).behind(design.retention.answers.clone());
    fires.then(|| firing.behind(["volume", "senders", "requirements.retention"]))
}

/// Where somebody might think that it takes more: a queue or several machines stand in the answers.
fn ample(intake: &Intake, design: &Design) -> Option<Firing> {
    let load = &design.load;
    let worst = worst(design);
    let asked = facts::queue_of(intake).is_some() || facts::had(intake, Trouble::Overload);
    let small = worst * 10.0 <= NODE_PER_SECOND && design.needed.value;
    let firing = Firing::whole()
        .with("peak_day", count(load.peak_day))
        .with("mean", rate(load.peak_day as f64 / DAY.as_secs_f64()))
        .with("burst", rate(worst))
        .with("capacity", rate(NODE_PER_SECOND))
        .behind(["volume", "senders", "infrastructure.stack", "existing.incidents"])
        .behind(design.needed.answers.clone());
    (asked && small).then_some(firing)
}
