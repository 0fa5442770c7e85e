//! `hookhaven.toml`, with the reason for each choice above it, and `.env.example`.
//!
//! Sections stand in the order in which an event meets them: the gateway (`gateway`), its sources (`sources`),
//! destinations and routes (`routes`), who is told (`alerts`). Not here: the choices (`design`), where it runs
//! (`deploy`).

mod alerts;
mod environment;
mod gateway;
mod growth;
mod planned;
mod routes;
mod sources;
mod write;

pub use environment::{VARIABLES_FILE, Variable, variables};

use crate::{File, Plan, words::list};
use write::Toml;

pub const FILE: &str = "hookhaven.toml";

pub fn files(plan: &Plan) -> Vec<File> {
    vec![File::new(FILE, text(plan)), File::new(VARIABLES_FILE, environment::text(plan))]
}

fn text(plan: &Plan) -> String {
    let mut toml = Toml::default();
    head(&mut toml, plan);
    gateway::write(&mut toml, plan);
    sources::write(&mut toml, plan);
    planned::write(&mut toml, plan);
    routes::write(&mut toml, plan);
    alerts::write(&mut toml, plan);
    growth::write(&mut toml, plan);
    toml.finish()
}

fn head(toml: &mut Toml, plan: &Plan) {
    let titles: Vec<&str> = plan.intake.senders.iter().map(|sender| sender.title()).collect();
    toml.note(&format!(
        "Hookhaven for {}, as `hookhaven architect` designed it from your answers. Above each setting stands why it \
         is so. Secrets stand in the environment ({VARIABLES_FILE} lists them); `hookhaven check` says what is \
         missing. A running gateway takes a changed file by itself, and refuses a bad one.",
        list(&titles)
    ));
    if !plan.design.needed.value {
        toml.blank();
        toml.note(&format!("You may not need any of this. {}", plan.design.needed.why));
    }
}
