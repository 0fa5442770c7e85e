//! How the set-up is tried before a sender is, with this team's own sources and types.
//!
//! Not here: the handlers' own tests (`skeletons`).

use hookhaven_core::{glob, senders::Chain};

use crate::{
    Plan,
    design::StorePlace,
    intake::SenderAnswers,
    report::{
        document::{Block, Text, code, plain, say},
        said,
    },
    words,
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    vec![
        say!(
            "`trigger` signs samples as the sender would, so the whole way is tried: signature, store, route, handler."
        )
        .into(),
        Block::code("sh", commands(plan)),
        Block::heading(say!("What has to be true afterwards")),
        Block::table(["tried", "expected"], expected(plan)),
        Block::heading(say!("Your volume")),
        say!(
            "`hookhaven trigger --profile intake.toml --for 10m --follow` sends the busiest hour that you told of in \
             ten minutes ({} in that hour, {} at the worst), waits until all of it was delivered, and ends with 1 if \
             anything was refused, lost, dead or late. Run it against a gateway and handlers that nobody needs: its \
             events are made up, its effects are not.",
            words::rate(plan.design.load.peak_per_second),
            words::rate(plan.design.load.burst_per_second)
        )
        .into(),
        Block::heading(say!("The promise itself")),
        say!(
            "`hookhaven torture` kills a gateway of its own under load, again and again, and counts what was \
             acknowledged against what arrived. Run it once on the disk that you mean to use:"
        )
        .into(),
        Block::code("sh", torture(plan)),
        say!(
            "Then kill the handler for a minute while `trigger` runs: deliveries wait, the breaker rests it, and when \
             it is back everything arrives, each event once in your tables."
        )
        .into(),
    ]
}

fn commands(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for sender in &plan.intake.senders {
        let (name, event_type) = (&sender.name, said::sample_type(sender));
        if said::known(sender).is_none() {
            lines.push(format!("# {name}: once it is described, with a body of its own"));
            lines.push(format!("hookhaven trigger {name} {event_type} --body sample.json"));
            continue;
        }
        lines.push(format!("hookhaven trigger {name} {event_type} --follow"));
        lines.push(format!("hookhaven trigger {name} {event_type} --duplicate"));
        lines.push(match chain(plan, sender) {
            Some(chain) => format!("hookhaven trigger {name} {} --out-of-order", chain.name),
            None => format!("hookhaven trigger {name} {event_type} --count 20 --out-of-order"),
        });
    }
    lines.join("\n")
}

/// One of which at least two steps are taken by a route: in a single event nothing is out of order.
fn chain(plan: &Plan, sender: &SenderAnswers) -> Option<&'static Chain> {
    let routed = |event_type: &str| {
        let globs = || plan.design.routes_of(&sender.name).flat_map(|route| &route.events);
        globs().any(|glob| glob::matches(glob, event_type))
    };
    let steps = |chain: &&Chain| chain.steps.iter().filter(|step| routed(step.event_type)).count();
    sender.sender?.chains.iter().find(|chain| steps(chain) > 1)
}

fn expected(plan: &Plan) -> Vec<[Text; 2]> {
    let known = |sender: &&SenderAnswers| said::known(sender).is_some();
    let first = plan.intake.senders.iter().find(known).or(plan.intake.senders.first());
    let name = first.map_or("NAME", |sender| sender.name.as_str());
    let effects = first.map(effects).unwrap_or_default();
    let mut rows = vec![
        [
            plain("one of each"),
            say!("`hookhaven events list --source {}` shows it delivered at the first attempt", name),
        ],
        [
            code("--duplicate"),
            say!("two requests answered alike, one event, one delivery; the handler did its work {}", effects),
        ],
        [
            code("--out-of-order"),
            plain("a row that keeps a state keeps the newest, whichever came last; each event was handled once"),
        ],
        [
            plain("a wrong secret in the handler"),
            say!(
                "401 from the handler: `hookhaven tail --failed` shows it at once, `hookhaven analyze` names the \
                 cause; it would be a dead letter after the last attempt"
            ),
        ],
    ];
    let secret = said::each(plan).find(|(_, s)| s.name == name).and_then(|(_, s)| s.secret_variables.first());
    rows.extend(secret.map(|secret| {
        [
            say!("`trigger` with another secret in `{}` than the gateway has", secret),
            say!("401 from the gateway, no event; `hookhaven rejected list --source {}` has it, with the reason", name),
        ]
    }));
    rows
}

fn effects(sender: &SenderAnswers) -> String {
    let all: Vec<&str> = sender.processing.effects.iter().map(|effect| said::effect(*effect)).collect();
    if all.is_empty() { "once".to_owned() } else { format!("once (it {})", words::list(&all)) }
}

fn torture(plan: &Plan) -> String {
    match plan.design.store.value {
        StorePlace::Embedded => "hookhaven torture --minutes 10 --data /path/on/that/disk".to_owned(),
        StorePlace::Postgres => "# three nodes of its own, on a database that nobody else uses\nhookhaven torture \
                                 --minutes 10 --store postgres://USER@HOST/torture"
            .to_owned(),
    }
}
