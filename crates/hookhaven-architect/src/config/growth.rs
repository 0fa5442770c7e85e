//! What a set-up of high volume is turned by when it grows: where it sheds, how it is parted, how each part is scaled.
//!
//! Text in the config file, beside the settings that it is about. Not here: the figures (`design`).

use super::write::{Toml, listed, quoted};
use crate::{
    Plan,
    design::{DestinationDesign, Mode, NODE_PER_SECOND, Roles},
    words::{count, rate},
};

pub fn write(toml: &mut Toml, plan: &Plan) {
    if plan.design.mode != Mode::HighVolume {
        return;
    }
    toml.blank();
    toml.note("## When it grows");
    for note in [shedding(plan), parting(plan)] {
        toml.line("#");
        toml.note(&note);
    }
    parted(toml, plan);
    toml.line("#");
    toml.note(&scaling(plan));
    if let Roles::Together { nodes: 1 } = plan.design.roles.value {
        toml.line("#");
        toml.line("# [store]");
        toml.line("# url = \"postgres://hookhaven@db.internal/hookhaven\"");
        toml.line("# password = \"env:HOOKHAVEN_DB_PASSWORD\"");
        toml.line("# hookhaven copy --help moves what is stored; then, with the same file everywhere:");
        toml.line("# hookhaven serve --role ingest    (2 and more, behind a load balancer)");
        toml.line("# hookhaven serve --role worker    (2 and more)");
    }
}

fn shedding(plan: &Plan) -> String {
    let limited: Vec<&str> = plan
        .design
        .sources
        .iter()
        .filter(|source| source.rate_per_second.value.is_some())
        .map(|source| source.name.as_str())
        .collect();
    let first = match limited.is_empty() {
        true => String::new(),
        false => format!("first each source's own rate (429; {})", limited.join(", ")),
    };
    let then = if first.is_empty() { "" } else { "; then " };
    let kept = if plan.design.sources.iter().any(|source| source.reserved.value) {
        " Reserved sources keep a fifth of every limit (limits.reserved_percent), so those that never come again are \
         refused last."
    } else {
        ""
    };
    format!(
        "Shedding, in this order: {first}{then}store.pending_max ({}) and limits.bodies_in_flight_max, for all (503 \
         before the body is read).{kept} A slow handler sheds nothing: its deliveries wait, and its destination's \
         concurrency and rate keep it from being run over.",
        count(plan.design.pending_max.value)
    )
}

fn parting(plan: &Plan) -> String {
    let name = busiest(plan).map_or("the busiest", |destination| &*destination.name);
    format!(
        "Parting: a destination is one lane with one concurrency, one rate and one breaker. If {name} is too much \
         for one handler, give the types that take long a route and a destination of their own. Where order matters, \
         part by the ordering key (a `when` condition on it for each destination), never by chance: a key must \
         always meet the same one."
    )
}

/// The same as settings: the last type that the busiest destination has a name for, given one of its own.
fn parted(toml: &mut Toml, plan: &Plan) {
    let Some(busiest) = busiest(plan) else { return };
    let types = plan.design.routes_of(&busiest.source).flat_map(|route| &route.events);
    let Some(event_type) = types.filter(|event_type| *event_type != "*").last() else { return };
    let name = format!("{}-2", busiest.name);
    toml.line("#");
    toml.line(&format!("# [destinations.{name}]"));
    toml.line(&format!("# url = {}", quoted(&format!("{}-2", busiest.url))));
    toml.line(&format!("# secret = {}", quoted(&format!("env:{}", busiest.secret_variable))));
    toml.line("# [[routes]]      # and the type taken out of the route that has it now, or it goes to both");
    toml.line(&format!("# source = {}", quoted(&busiest.source)));
    toml.line(&format!("# events = {}", listed(&[event_type])));
    toml.line(&format!("# to = {}", listed(&[&name])));
}

fn busiest(plan: &Plan) -> Option<&DestinationDesign> {
    plan.design.destinations.iter().max_by_key(|destination| destination.concurrency.value)
}

fn scaling(plan: &Plan) -> String {
    let rule = format!(
        "Receivers by requests: one more for each {} at the worst, or when webhook_received_duration_seconds (p95) \
         passes 200 ms. Workers by waiting: one more when webhook_queue_oldest_seconds stays above half the deadline \
         for five minutes while handlers answer in time; if they do not, more workers only press them harder.",
        rate(NODE_PER_SECOND)
    );
    match plan.design.roles.value {
        Roles::Apart { ingest, workers } => {
            format!(
                "Scaling: {ingest} nodes with --role ingest, {workers} with --role worker, all with this file. {rule}"
            )
        }
        Roles::Together { nodes: 1 } => format!(
            "Scaling: one node does it today. Part receivers from workers when the worst passes {}, or when an \
             interruption of seconds (a restart, a machine lost) can no longer be borne. {rule}",
            rate(NODE_PER_SECOND)
        ),
        Roles::Together { nodes } => {
            format!(
                "Scaling: {nodes} nodes, each of which receives and works; part them when one kind of work crowds \
                 out the other. {rule}"
            )
        }
    }
}
