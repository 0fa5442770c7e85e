//! Where it runs, what it stores in, on how many nodes, and whether it is needed at all.
//!
//! Not here: how large that gets (`size`).

use super::{HIGH_VOLUME_PER_SECOND, Hosting, Load, Mode, Roles, StorePlace};
use crate::{
    Choice, Intake,
    intake::{Host, Once, State},
    words::{bytes, count, rate},
};

/// What one node takes and delivers with half of it to spare, measured on 2 cores (`hookhaven bench`).
pub const NODE_PER_SECOND: f64 = 5_000.0;
/// What a database on two cores of its own takes, measured.
pub const DATABASE_PER_SECOND: f64 = 10_000.0;
/// That a node keeps to its database at most, one to listen included.
const NODE_CONNECTIONS: u32 = 13;
/// What PostgreSQL grants unless told otherwise, and what people and backups need of it.
const CONNECTIONS_USUAL: u32 = 100;
const CONNECTIONS_SPARE: u32 = 10;
/// More than a person looks after, and than one database bears.
const NODES_MAX: u32 = 64;
/// One of each kind may go without anything stopping.
const OF_EACH_MIN: u32 = 2;
/// Beneath it a queue of one's own is hardly worth its upkeep.
const FEW_PER_DAY: u64 = 50;
/// Platforms whose machines forget their disk.
const FORGETFUL: &[&str] =
    &["heroku", "cloud run", "app runner", "dyno", "fargate", "container apps", "app platform", "app engine"];

/// What nodes do, and how many there are of each.
pub fn roles(intake: &Intake, load: &Load) -> Choice<Roles> {
    let worst = worst(load);
    let each = (worst / NODE_PER_SECOND).ceil().max(1.0) as u32;
    let asked = intake.infrastructure.nodes_min;
    let paths = [volumes(intake), vec!["infrastructure.nodes".to_owned()]].concat();
    let many = worst >= HIGH_VOLUME_PER_SECOND && asked > 1;
    if each == 1 && !many {
        let why = if asked > 1 {
            format!("You asked for {asked} nodes; each of them receives and works, and any one may go.")
        } else {
            format!(
                "One process receives and works: {} at the worst, and one node takes {} with as much to spare.",
                rate(worst),
                rate(NODE_PER_SECOND)
            )
        };
        return Choice::from(Roles::Together { nodes: asked.max(1) }, why, paths);
    }
    let capped = each.clamp(OF_EACH_MIN, NODES_MAX / 2);
    let workers = capped.max(asked.saturating_sub(capped)).min(NODES_MAX - capped);
    let why = if each > NODES_MAX / 2 {
        format!(
            "{} at the worst is more than {NODES_MAX} nodes and one database bear: make a set-up for each group of \
             senders.",
            rate(worst)
        )
    } else {
        format!(
            "{} at the worst, {} for each node: as many that receive as that work, and at least {OF_EACH_MIN} of \
             each, so that one may go. Receivers are scaled by requests a second, workers by how old the oldest \
             waiting delivery is.",
            rate(worst),
            rate(NODE_PER_SECOND)
        )
    };
    Choice::from(Roles::Apart { ingest: capped, workers }, why, paths)
}

pub fn nodes(intake: &Intake, load: &Load, roles: &Roles) -> Choice<u32> {
    let worst = worst(load);
    let asked = intake.infrastructure.nodes_min;
    let paths = [volumes(intake), vec!["infrastructure.nodes".to_owned()]].concat();
    let value = roles.nodes();
    let why = match roles {
        Roles::Together { nodes } if *nodes > 1 => format!("You asked for {asked}; the load alone needs 1."),
        Roles::Together { .. } => format!(
            "The worst minute brings {}; one node takes {} with as much to spare.",
            rate(worst),
            rate(NODE_PER_SECOND)
        ),
        Roles::Apart { ingest, workers } => {
            format!("{ingest} that receive and {workers} that work, for {} at the worst.", rate(worst))
        }
    };
    Choice::from(value, why, paths)
}

pub fn store(intake: &Intake, load: &Load, mode: Mode, nodes: u32) -> Choice<StorePlace> {
    let infrastructure = &intake.infrastructure;
    let with = |more: &[&str]| [volumes(intake), more.iter().map(|path| (*path).to_owned()).collect()].concat();
    // As the rule `database-of-the-application` has it.
    let own = || match (infrastructure.has_postgres, mode) {
        (false, _) => "",
        (true, Mode::HighVolume) => " You run one already; give this a server of its own beside it.",
        (true, _) => " You run one already; give this a database of its own in it.",
    };
    let hosting = ["infrastructure.nodes", "infrastructure.hosting", "infrastructure.host", "infrastructure.stack"];
    if nodes > 1 {
        let cores = 2 * (worst(load) / DATABASE_PER_SECOND).ceil().max(1.0) as u64;
        let most = connections_max(nodes);
        let grant = if most > CONNECTIONS_USUAL {
            format!(", more than it grants unless you set its max_connections to {most}")
        } else {
            String::new()
        };
        let why = format!(
            "{nodes} nodes meet in PostgreSQL, which is the limit of them all: {} at the worst want {cores} cores \
             for it alone. They keep up to {} connections{grant}.{}",
            rate(worst(load)),
            nodes * NODE_CONNECTIONS,
            own()
        );
        return Choice::from(StorePlace::Postgres, why, with(&hosting));
    }
    if forgets(intake) {
        let why = format!(
            "Where you run, a machine's disk is gone with the machine, so what was acknowledged has to lie in \
             PostgreSQL.{}",
            own()
        );
        return Choice::from(StorePlace::Postgres, why, with(&hosting));
    }
    let why = format!(
        "{} events on the busiest day need one machine and no service beside it; every answer waits for the disk, so \
         nothing that was acknowledged is lost when it is killed.",
        count(load.peak_day)
    );
    Choice::from(StorePlace::Embedded, why, with(&hosting))
}

/// What the database of so many nodes has to grant.
pub fn connections_max(nodes: u32) -> u32 {
    (nodes * NODE_CONNECTIONS + CONNECTIONS_SPARE).max(CONNECTIONS_USUAL)
}

/// Whether it would run where no disk outlives a deploy.
fn forgets(intake: &Intake) -> bool {
    let infrastructure = &intake.infrastructure;
    let text = format!("{} {}", infrastructure.hosting, infrastructure.stack.join(" ")).to_lowercase();
    infrastructure.host == Host::Platform && FORGETFUL.iter().any(|word| text.contains(word))
}

/// What machines are bought as.
struct Class {
    /// Events a second at the most.
    per_second: f64,
    memory_bytes: u64,
    cores: u32,
    words: &'static str,
    /// What clouds ask for it a month, about, in dollars or euros.
    month: u32,
}

const CLASSES: [Class; 4] = [
    Class { per_second: 50.0, memory_bytes: 1_000_000_000, cores: 1, words: "1 core and 1 GB", month: 7 },
    Class { per_second: 1_000.0, memory_bytes: 4_000_000_000, cores: 2, words: "2 cores and 4 GB", month: 25 },
    Class { per_second: NODE_PER_SECOND, memory_bytes: 8_000_000_000, cores: 4, words: "4 cores and 8 GB", month: 60 },
    Class { per_second: f64::INFINITY, memory_bytes: 16_000_000_000, cores: 8, words: "8 cores and 16 GB", month: 130 },
];

/// The smallest that does; a third of its memory stays for the system and its cache of files.
fn class_for(per_second: f64, memory_bytes: u64) -> &'static Class {
    let fits = |class: &&Class| per_second <= class.per_second && memory_bytes * 3 / 2 <= class.memory_bytes;
    CLASSES.iter().find(fits).unwrap_or(&CLASSES[3])
}

/// Beyond what a machine comes with, at about 10 for 100 GB.
fn disk_month(disk_bytes: u64) -> u32 {
    u32::try_from(disk_bytes.saturating_sub(20_000_000_000) / 10_000_000_000).unwrap_or(u32::MAX / 2)
}

fn cost_class(month: u32) -> &'static str {
    match month {
        ..=9 => "under 10",
        10..=49 => "10 to 50",
        50..=199 => "50 to 200",
        200..=999 => "200 to 1000",
        _ => "over 1000",
    }
}

pub fn hosting(
    intake: &Intake,
    load: &Load,
    store: StorePlace,
    nodes: u32,
    memory_bytes: u64,
    disk_bytes: u64,
) -> Choice<Hosting> {
    let worst = worst(load);
    let class = class_for(worst / f64::from(nodes), memory_bytes);
    // A database is bought no smaller than the second class.
    let database = if store == StorePlace::Postgres { class.month.max(CLASSES[1].month) } else { 0 };
    let month = class.month * nodes + database + disk_month(disk_bytes);
    let cost = cost_class(month);
    let (one, beside) = match intake.infrastructure.host {
        Host::Serverless => ("machine", " beside the functions"),
        Host::Machine => ("machine", ""),
        Host::Containers => ("container", ""),
        Host::Kubernetes => ("pod", ""),
        Host::Platform => ("instance", ""),
    };
    let words = class.words;
    let all = match nodes {
        1 => format!("one {one} with {words}, always on{beside}"),
        _ => format!("{nodes} {one}s with {words} each, always on{beside}"),
    };
    let disk = bytes(disk_bytes);
    let size = match store {
        StorePlace::Embedded => format!("{all}, and a disk of {disk} that outlives it"),
        StorePlace::Postgres => format!("{all}, and PostgreSQL with a disk of {disk}"),
    };
    let why = format!("{} at the worst, and {} of memory.", rate(worst), bytes(memory_bytes));
    let more = [
        "requirements.retention",
        "senders",
        "infrastructure.nodes",
        "infrastructure.hosting",
        "infrastructure.host",
        "infrastructure.stack",
    ];
    let paths = [volumes(intake), more.map(str::to_owned).to_vec()].concat();
    Choice::from(Hosting { size, cost, cores: class.cores, memory_bytes: class.memory_bytes }, why, paths)
}

pub fn needed(intake: &Intake, load: &Load) -> Choice<bool> {
    let existing = &intake.existing;
    let of_existing = ["existing.state", "existing.kind", "existing.incidents"].map(str::to_owned).to_vec();
    let of_once = intake.senders.iter().map(|s| s.path("idempotency")).collect();
    let paths = || [of_existing.clone(), volumes(intake), of_once].concat();
    let calm = existing.troubles.is_empty();
    if existing.kind == State::Mature && calm {
        let why =
            "What you have stores before it answers, retries and keeps dead letters, and nothing went wrong: keep it.";
        return Choice::from(false, why, of_existing);
    }
    if existing.kind == State::Hosted && calm {
        return beside_hosted(intake, of_existing);
    }
    let careless = intake.senders.iter().all(|s| s.once.values().all(|once| *once == Once::Free));
    if load.peak_day < FEW_PER_DAY && careless && calm {
        let why = format!(
            "{} events a day, of which none hurts when it is lost or done twice: a handler that verifies and answers \
             is enough.",
            count(load.peak_day)
        );
        return Choice::from(false, why, paths());
    }
    Choice::from(true, "Something would be lost or done twice without it.", paths())
}

/// What a hosted service does already is run by oneself for a reason, or not at all.
fn beside_hosted(intake: &Intake, of_existing: Vec<String>) -> Choice<bool> {
    let reasons = ["requirements.regulated", "requirements.budget_per_month"].map(str::to_owned).to_vec();
    let reason = intake.requirements.regulated.is_some() || intake.requirements.budget_per_month.is_some();
    let why = if reason {
        "A hosted service does this for you. What you require of data or of cost may be the reason to run it yourself."
    } else {
        "A hosted service receives, keeps and retries for you, nothing went wrong, and you require nothing that speaks \
         against it: stay there."
    };
    Choice::from(reason, why, [of_existing, reasons].concat())
}

/// Events a second that there has to be room for.
pub fn worst(load: &Load) -> f64 {
    load.burst_per_second.max(load.peak_per_second)
}

/// The answers that a figure over all senders depends on.
pub fn volumes(intake: &Intake) -> Vec<String> {
    intake.senders.iter().map(|sender| sender.path("volume")).collect()
}
