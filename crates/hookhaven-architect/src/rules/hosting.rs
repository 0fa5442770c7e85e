//! Where it runs: what a receiver needs of a place, and what some places do not give.
//!
//! Not here: what it costs against a budget (`contradictions`), the files for each place (`deploy`).

use super::prelude::*;
use crate::design::{Mode, NODE_PER_SECOND, StorePlace};

/// Of a sender's limit, that a cold start eats a good part of.
const COLD: Duration = Duration::from_secs(3);
const PLACE: [&str; 3] = ["infrastructure.hosting", "infrastructure.stack", "infrastructure.host"];

pub const RULES: &[Rule] = &[
    Rule {
        id: "serverless-receiver",
        severity: Warning,
        subject: Subject::Hosting,
        fires: |intake, design| serverless(intake, design).into_iter().collect(),
        text: "Receiving on functions costs more than it saves: no disk to store on before the answer, a cold start in front \
               of some answers, and a queue service to make up for both. Yours is {worst} at the worst.",
        mend: "Receive on {size} ({cost} dollars or euros a month). The handlers may stay functions{but}: the gateway calls them \
               over HTTPS, at the pace you set, and tries again what a cold start times out.",
        fires_for: r#"infrastructure.hosting = "serverless functions""#,
        rests_for: r#"infrastructure.hosting = "docker compose; serverless functions are being considered""#,
    },
    Rule {
        id: "cold-start-within-the-limit",
        severity: Serious,
        subject: Subject::Hosting,
        fires: |intake, design| cold(intake, design).into_iter().collect(),
        text: "An answer to {senders} has {limit} at most. A function that starts cold, connects to a database and then works \
               takes that long by itself, and most often after a quiet hour, when somebody is the first to use it.",
        mend: "Let the always-on gateway answer. Keeping functions warm on a schedule costs as much as the machine and still \
               starts cold when two requests come at once.{shown}",
        fires_for: r#"
            senders = ["slack"]
            infrastructure.hosting = "serverless functions"
            existing.state = "synchronous handler"
        "#,
        rests_for: r#"
            senders = ["slack"]
            infrastructure.hosting = "serverless functions"
            existing.state = "a hosted service, Hookdeck, in front of it"
        "#,
    },
    Rule {
        id: "pod-needs-its-volume",
        severity: Warning,
        subject: Subject::Hosting,
        fires: |intake, design| {
            let fires = intake.infrastructure.host == Host::Kubernetes && design.store.value == StorePlace::Embedded;
            let firing = Firing::whole().behind(PLACE).behind(design.store.answers.clone());
            if fires { vec![firing] } else { Vec::new() }
        },
        text: "A pod's own disk goes with the pod. On one, the events that were acknowledged and not yet delivered are gone \
               at the next rescheduling, and their senders believe that they arrived.",
        mend: "Run it as a StatefulSet with one replica and a PersistentVolumeClaim, as `deploy/` has it. When a machine dies, \
               Kubernetes waits five minutes and more before it lets go of pod and volume; if that is too long, say \
               `infrastructure.nodes = 2` and it meets in PostgreSQL.",
        fires_for: r#"infrastructure.hosting = "kubernetes""#,
        rests_for: "infrastructure.hosting = \"kubernetes\"\ninfrastructure.nodes = 2",
    },
    Rule {
        id: "platform-needs-a-volume",
        severity: Warning,
        subject: Subject::Hosting,
        fires: |intake, design| {
            let fires = intake.infrastructure.host == Host::Platform && design.store.value == StorePlace::Embedded;
            let firing = Firing::whole().behind(PLACE).behind(design.store.answers.clone());
            if fires { vec![firing] } else { Vec::new() }
        },
        text: "Some platforms give a container no disk that outlives it (Heroku's dynos, Cloud Run), and some put it to sleep \
               when nothing comes. Either loses events that were acknowledged.",
        mend: "Attach a volume and switch sleeping and scaling to zero off. Where there are no volumes, use the platform's \
               PostgreSQL as the store (`store.url = \"postgres://…\"`).",
        fires_for: r#"infrastructure.hosting = "fly""#,
        rests_for: r#"infrastructure.hosting = "heroku""#,
    },
    Rule {
        id: "container-needs-its-volume",
        severity: Note,
        subject: Subject::Hosting,
        fires: |intake, design| {
            let fires = intake.infrastructure.host == Host::Containers && design.store.value == StorePlace::Embedded;
            let firing = Firing::whole().behind(PLACE).behind(design.store.answers.clone());
            if fires { vec![firing] } else { Vec::new() }
        },
        text: "What a container writes outside of a volume is gone when it is replaced, at the next upgrade at the latest.",
        mend: "Keep the data directory on a named volume, as `deploy/` has it, on a disk of that machine: the store wants a \
               local file system, not a network share.",
        fires_for: r#"infrastructure.hosting = "docker compose""#,
        rests_for: r#"
            infrastructure.hosting = "docker compose"
            infrastructure.nodes = 2
        "#,
    },
    Rule {
        id: "no-gateway-on-windows",
        severity: Serious,
        subject: Subject::Hosting,
        fires: |intake, _| {
            if is_windows(&intake.infrastructure.hosting) { vec![Firing::whole().behind(PLACE)] } else { Vec::new() }
        },
        text: "You run on Windows, and the gateway does not: it is built for Linux, and so are the files in `deploy/`.",
        mend: "Give it a small Linux machine, a virtual one on the same host will do. Your handlers stay where they are: the \
               gateway calls them over HTTP and needs nothing else of them.",
        fires_for: r#"infrastructure.hosting = "two Windows servers""#,
        rests_for: r#"infrastructure.hosting = "one Linux machine, with maintenance windows at night""#,
    },
    Rule {
        id: "several-regions",
        severity: Warning,
        subject: Subject::Hosting,
        fires: |intake, _| {
            let several = regions(&intake.infrastructure.hosting);
            if several { vec![Firing::whole().behind(PLACE)] } else { Vec::new() }
        },
        text: "You run in several regions, and this set-up is one: events and secrets of all of them lie in one store, and what \
               arrives elsewhere crosses the distance before its sender is answered.",
        mend: "Make a set-up for each region: an intake with the senders and the volume of that region, a store and an address of \
               its own. They share nothing, so data stay where they arrived, and one region that is down stops no other.",
        fires_for: r#"infrastructure.hosting = "machines in eu-central-1 and us-east-1""#,
        rests_for: r#"infrastructure.hosting = "machines in eu-central-1""#,
    },
    Rule {
        id: "nodes-without-postgres",
        severity: Warning,
        subject: Subject::Hosting,
        fires: |intake, design| {
            let nodes = design.nodes.value;
            let because =
                if nodes > 1 { format!("{nodes} nodes meet in it") } else { "no disk lasts where you run".to_owned() };
            let fires = design.store.value == StorePlace::Postgres && !intake.infrastructure.has_postgres;
            let firing = Firing::whole()
                .with("because", because)
                .behind(design.store.answers.clone())
                .behind(design.nodes.answers.clone())
                .behind(PLACE);
            if fires { vec![firing] } else { Vec::new() }
        },
        text: "The store has to be PostgreSQL ({because}), and your stack names none: that is one more thing to run, to back \
               up and to fail over.",
        mend: "Take a managed one with synchronous replicas, PostgreSQL 15 or later. If nobody can look after it, one node \
               that restarts in seconds loses less than a database that nobody watches.",
        fires_for: "infrastructure.nodes = 2\ninfrastructure.stack = [\"node 20\"]",
        rests_for: "infrastructure.nodes = 2\ninfrastructure.stack = [\"node 20\", \"postgres\"]",
    },
    Rule {
        id: "nodes-beyond-the-load",
        severity: Note,
        subject: Subject::Hosting,
        fires: |intake, design| {
            let worst = design.load.burst_per_second.max(design.load.peak_per_second);
            let asked = intake.infrastructure.nodes_min;
            let firing = Firing::whole()
                .with("asked", asked.to_string())
                .with("worst", rate(worst))
                .with("capacity", rate(NODE_PER_SECOND))
                .behind(["infrastructure.nodes", "volume", "senders"]);
            let fires = asked > 1 && worst <= NODE_PER_SECOND && design.mode != Mode::HighVolume;
            if fires { vec![firing] } else { Vec::new() }
        },
        text: "You ask for {asked} nodes, and the load needs one: {worst} at the worst, of {capacity} that a node takes. What the \
               others buy is that a machine may die; what they cost is PostgreSQL as the store.",
        mend: "Keep them if minutes without a receiver cost you events or a promise. If your senders come again for hours, one \
               node on a disk of its own is less to run and as safe against a killed process.",
        fires_for: r#"
            volume.stripe = 1400000
            infrastructure.nodes = 2
        "#,
        rests_for: r#"
            volume.stripe = 1600000
            infrastructure.nodes = 2
        "#,
    },
    Rule {
        id: "nodes-on-one-machine",
        severity: Contradiction,
        subject: Subject::Hosting,
        fires: |intake, _| {
            let fires = intake.infrastructure.nodes_min > 1 && is_one_machine(&intake.infrastructure.hosting);
            let firing = Firing::whole()
                .with("nodes", intake.infrastructure.nodes_min.to_string())
                .behind(["infrastructure.nodes", "infrastructure.hosting"]);
            if fires { vec![firing] } else { Vec::new() }
        },
        text: "{nodes} nodes on one machine fail together: what a second node is for is that the first one's machine dies.",
        mend: "Put them on machines in different zones, or run one and save the database. For upgrades one is enough: the new \
               process waits up to 10 s for the old one's lock, so the pause is seconds.",
        fires_for: "infrastructure.nodes = 2\ninfrastructure.hosting = \"one small virtual machine\"",
        rests_for: "infrastructure.nodes = 2\ninfrastructure.hosting = \"one virtual machine in each of two zones\"",
    },
];

fn serverless(intake: &Intake, design: &Design) -> Option<Firing> {
    let waited = intake.senders.iter().filter(|sender| facts::is_waited_for(sender, design));
    let titles: Vec<&str> = waited.map(facts::title).collect();
    let but = match titles[..] {
        [] => String::new(),
        _ => format!(", but for what people wait for ({})", facts::named(&titles)),
    };
    let firing = Firing::whole()
        .with("size", &*design.hosting.value.size)
        .with("cost", design.hosting.value.cost)
        .with("worst", rate(design.load.burst_per_second.max(design.load.peak_per_second)))
        .with("but", but)
        .behind(PLACE)
        .behind(design.hosting.answers.clone())
        .behind(["volume", "infrastructure.nodes", "processing", "events"]);
    (intake.infrastructure.host == Host::Serverless).then_some(firing)
}

/// Only where it is the team's own function that the sender waits for.
fn cold(intake: &Intake, design: &Design) -> Option<Firing> {
    let strict = |s: &&SenderAnswers| facts::limit(s).is_some_and(|limit| limit <= COLD);
    let receives = !matches!(intake.existing.kind, State::Nothing | State::Hosted);
    let functions = intake.infrastructure.host == Host::Serverless && receives;
    let limit = intake.senders.iter().filter(strict).filter_map(facts::limit).max().unwrap_or_default();
    let found = together(intake.senders.iter().filter(strict)).filter(|_| functions)?;
    let waited = together(intake.senders.iter().filter(strict).filter(|s| facts::is_waited_for(s, design)));
    let shown = waited.map_or(String::new(), |_| {
        " Where the answer itself is shown, the gateway asks the handler at once: run those handlers beside it, since a \
         cold one is too late all the same."
            .to_owned()
    });
    let found = found.with("limit", span(limit)).with("shown", shown).behind(PLACE);
    Some(found.behind(["existing.state", "existing.kind", "processing", "events"]))
}

/// Whether a text names one machine, and not one of each of something.
fn is_one_machine(hosting: &str) -> bool {
    const ONE: &[&str] = &["one", "a", "single", "1"];
    const MACHINES: &[&str] = &["machine", "vm", "vps", "server", "droplet"];
    /// What may stand between: small, virtual, dedicated.
    const BETWEEN_MAX: usize = 2;
    let text = hosting.to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let several = words.iter().any(|word| ["each", "every", "per"].contains(word));
    let named = words.iter().enumerate().any(|(at, word)| {
        ONE.contains(word) && words.iter().skip(at + 1).take(BETWEEN_MAX + 1).any(|word| MACHINES.contains(word))
    });
    named && !several
}

/// Whether it is the system that is meant, and not a span of time.
fn is_windows(hosting: &str) -> bool {
    const OF_TIME: &[&str] =
        &["maintenance", "patch", "change", "time", "deploy", "deployment", "service", "no", "not"];
    let text = hosting.to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let before = |at: usize| at.checked_sub(1).and_then(|before| words.get(before)).copied().unwrap_or_default();
    words.iter().enumerate().any(|(at, word)| *word == "windows" && !OF_TIME.contains(&before(at)))
}

/// Whether several are spoken of, or two are named in the manner of the clouds: `eu-central-1`, `europe-west4`.
fn regions(hosting: &str) -> bool {
    const WHERE: &[&str] = &[
        "us",
        "eu",
        "ap",
        "sa",
        "ca",
        "me",
        "af",
        "il",
        "europe",
        "asia",
        "australia",
        "northamerica",
        "southamerica",
    ];
    let place = hosting.to_lowercase();
    let is_region = |word: &&str| {
        let known = word.split_once('-').is_some_and(|(first, _)| WHERE.contains(&first));
        known && word.ends_with(|c: char| c.is_ascii_digit())
    };
    let words = place.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    place.contains("regions") || words.filter(is_region).collect::<std::collections::BTreeSet<_>>().len() > 1
}
