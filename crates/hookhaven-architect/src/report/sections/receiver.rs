//! Where the receiver runs, how large it is, what comes in, and whether it answers in time.
//!
//! Not here: the handlers behind it (`workers`).

use std::time::Duration;

use crate::{
    Plan,
    design::{Roles, SourceLoad, StorePlace},
    intake::{Host, SenderAnswers, Trouble, Volume},
    report::{
        document::{Block, Text, codes, plain, prose, say, strong},
        said,
    },
    words::{bytes, count, rate, span},
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let hosting = &plan.design.hosting;
    vec![
        say!("It runs on **{}**, for {} a month in dollars or euros.", hosting.value.size, hosting.value.cost).into(),
        place(plan).into(),
        figures(plan),
        Block::heading(say!("What comes in")),
        load(plan),
        say!(
            "**Mean** is an ordinary day spread evenly; **peak** the busiest hour of the busiest day; **burst** the \
             worst that comes at once."
        )
        .into(),
        Block::heading(say!("Answers in time")),
        answers(plan),
        say!(
            "What Hookhaven answers waits for one commit and nothing else. `hookhaven bench --data DIR` measures what \
             that takes on your disk; when 5 in 100 answers take more than 2 s for 5 minutes, it is an alert \
             (`answers_slow`)."
        )
        .into(),
    ]
}

/// Why there, for what they have.
fn place(plan: &Plan) -> Text {
    let infrastructure = &plan.intake.infrastructure;
    let front = match (&infrastructure.proxy, &infrastructure.public_url) {
        (Some(proxy), _) => say!(" In front of it: {}; it must pass path, query and body on unchanged.", proxy),
        (None, Some(url)) => {
            say!(" Senders reach it at `{}`; what ends TLS there must pass path, query and body on unchanged.", url)
        }
        (None, None) => {
            say!(" It needs an address that senders reach by HTTPS: set `server.public_url` once it is known.")
        }
    };
    let why = match infrastructure.host {
        Host::Serverless => say!(
            "A function ends with its request: it has no disk to store an event on before it answers, and nothing \
             that could try again afterwards. So the receiver is the one part that moves off the functions. The \
             handlers behind it may stay there ({}); they then answer the gateway, which waits for them, instead of \
             the sender, which does not.",
            handlers(plan)
        ),
        Host::Machine => say!("A process under systemd on the machine, with its data on a local disk."),
        Host::Containers => say!("One container that is always on, with a volume that outlives it."),
        Host::Kubernetes => say!("Pods with probes on `/readyz`, and volumes or a database that outlive them."),
        Host::Platform => say!(
            "One service that never sleeps, with a volume: a platform that stops idle services stops the retries too."
        ),
    };
    prose(&plan.design.hosting.why) + say!(" ") + why + front
}

/// Where they are reached, as far as anybody said.
fn handlers(plan: &Plan) -> String {
    let url = &plan.intake.infrastructure.handler_url;
    match said::is_assumed(plan, "infrastructure.handler_url") {
        true => format!("you did not say where; {url} is only assumed"),
        false => format!("at {url}"),
    }
}

fn figures(plan: &Plan) -> Block {
    let design = &plan.design;
    let store = match design.store.value {
        StorePlace::Embedded => "embedded, in the data directory",
        StorePlace::Postgres => "PostgreSQL",
    };
    let dead = design.retention_dead.value.map_or_else(|| "until somebody sees to them".to_owned(), span);
    let row = |what: &str, value: String, why: &str| [strong(what), plain(value), prose(why)];
    let mut rows = vec![row("nodes", roles(&design.roles.value), &design.nodes.why)];
    if let Roles::Apart { .. } = design.roles.value {
        rows.push(row("what they do", "one thing each".to_owned(), &design.roles.why));
    }
    rows.extend([
        row("attempts under way on one", count(design.slots.value.into()), &design.slots.why),
        row("store", store.to_owned(), &design.store.why),
        row("retention", span(design.retention.value), &design.retention.why),
        row("dead letters", dead, &design.retention_dead.why),
        row("disk", bytes(design.disk_bytes.value), &design.disk_bytes.why),
        row("memory", bytes(design.memory_bytes.value), &design.memory_bytes.why),
        row("pending deliveries at most", count(design.pending_max.value), &design.pending_max.why),
    ]);
    Block::table(["what", "how much", "why"], rows)
}

fn roles(roles: &Roles) -> String {
    match roles {
        Roles::Together { nodes: 1 } => "1, which receives and works".to_owned(),
        Roles::Together { nodes } => format!("{nodes}, each of which receives and works"),
        Roles::Apart { ingest, workers } => format!("{ingest} that receive, {workers} that work"),
    }
}

fn load(plan: &Plan) -> Block {
    let mut rows: Vec<[Text; 7]> = said::each(plan)
        .map(|(sender, source)| row(plain(sender.title()), &sender.volume, &source.per_second))
        .collect();
    let all = &plan.design.load;
    if rows.len() > 1 {
        rows.push([
            strong("all"),
            plain(count(all.per_day)),
            plain(count(all.peak_day)),
            plain(rate(all.mean_per_second)),
            plain(rate(all.peak_per_second)),
            plain(rate(all.burst_per_second)),
            say!("{} a day", bytes(all.bytes_per_day)),
        ]);
    }
    Block::table(["sender", "a day", "busiest day", "mean", "peak", "burst", "body"], rows)
}

fn row(name: Text, volume: &Volume, load: &SourceLoad) -> [Text; 7] {
    [
        name,
        plain(count(volume.per_day)),
        plain(count(volume.peak_day)),
        plain(rate(load.mean)),
        plain(rate(load.peak)),
        plain(rate(load.burst)),
        plain(bytes(volume.body_bytes)),
    ]
}

/// What each sender waits for, and what would happen if the handler answered it.
fn answers(plan: &Plan) -> Block {
    let row = |sender: &SenderAnswers| {
        let waits = sender.sender.and_then(|d| d.about.timeout_s);
        let answer = sender.sender.map_or_else(|| "200 without a body".to_owned(), |d| d.answer_in_words());
        let asked: Vec<&str> = plan
            .design
            .routes_of(&sender.name)
            .filter(|route| route.answers.value)
            .flat_map(|route| route.events.iter().map(String::as_str))
            .collect();
        let gateway = if asked.is_empty() {
            prose(&format!("{answer}, once the event is on disk"))
        } else {
            let within = sender.sender.map(|d| span(d.answer_within())).unwrap_or_default();
            say!("what the handler says within {} to ", within) + codes(&asked) + prose(&format!("; else {answer}"))
        };
        let limit = waits.map_or_else(|| plain("does not say"), |s| plain(format!("{s} s")));
        [plain(sender.title()), limit, gateway, plain(said::takes(plan, sender)), outcome(plan, sender, waits)]
    };
    let head = ["sender", "waits for", "is answered", "your handler takes", "if the handler answered it"];
    Block::table(head, plan.intake.senders.iter().map(row).collect())
}

fn outcome(plan: &Plan, sender: &SenderAnswers, waits_s: Option<u32>) -> Text {
    let takes = sender.processing.takes;
    let Some(limit_s) = waits_s else {
        return plain("nobody can say when it gives up: do not let it wait");
    };
    let limit = Duration::from_secs(limit_s.into());
    if takes >= limit {
        return plain("it would time out at every event");
    }
    if takes * 3 >= limit {
        return say!("it would time out whenever the work takes {} times as long as usual", times(limit, takes));
    }
    let room = say!("room for {} times as long", times(limit, takes));
    match plan.intake.existing.troubles.contains(&Trouble::TimedOut) {
        true => room + say!("; but you told of answers that came too late, so it takes longer at times: measure it"),
        false => room + say!("; less while it deploys or its database is slow"),
    }
}

fn times(limit: Duration, takes: Duration) -> String {
    let times = limit.as_secs_f64() / takes.as_secs_f64().max(0.001);
    if times < 10.0 && times.fract() >= 0.05 { format!("{times:.1}") } else { count(times as u64) }
}
