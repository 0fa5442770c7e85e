//! Handlers to begin with: for each framework a small project that verifies, does each event once, and comes with a
//! test.
//!
//! What is the same for every team is a real file beside this one, copied as it stands. What depends on the answers is
//! written here: a file of handlers for each sender, the effects outside, samples for the test, the README. Names from
//! outside get into those as literals only (`literal`), never into comments or identifiers as they are.

mod axum;
mod go;
mod handled;
mod literal;
mod node;
mod python;
mod readme;

use self::handled::Handled;
use crate::{File, Plan, intake::Framework};

/// What the handlers keep, for every framework.
const SCHEMA: &str = include_str!("schema.sql");

pub fn files(plan: &Plan) -> Vec<File> {
    plan.intake.infrastructure.frameworks.iter().flat_map(|framework| project(plan, *framework)).collect()
}

/// All files of one framework's project, under `handlers/<framework>/`.
pub fn project(plan: &Plan, framework: Framework) -> Vec<File> {
    let handled = handled::all(plan);
    let body_bytes_max = plan.design.sources.iter().map(|source| source.body_max_bytes.value).max().unwrap_or(1 << 20);
    let project = Project { handled, body_bytes_max };
    let mut files = match framework {
        Framework::Fastify | Framework::Express | Framework::Next => node::files(&project, framework),
        Framework::FastApi | Framework::Django => python::files(&project, framework),
        Framework::Axum => axum::files(&project),
        Framework::Go => go::files(&project),
    };
    files.push(File::new("schema.sql", SCHEMA));
    files.push(File::new("README.md", readme::text(plan, &project, framework)));
    let folder = folder(framework);
    files.into_iter().map(|file| File::new(format!("handlers/{folder}/{}", file.path), file.text)).collect()
}

/// What of a plan the code depends on.
struct Project<'p> {
    handled: Vec<Handled<'p>>,
    /// The largest that the gateway takes of any of the senders.
    body_bytes_max: u64,
}

impl Project<'_> {
    /// All effects outside, each once, in their own order.
    fn effects(&self) -> Vec<handled::Outside> {
        let mut all: Vec<_> = self.handled.iter().flat_map(|handled| handled.outside.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn folder(framework: Framework) -> &'static str {
    match framework {
        Framework::Fastify => "fastify",
        Framework::Express => "express",
        Framework::Next => "next",
        Framework::FastApi => "fastapi",
        Framework::Django => "django",
        Framework::Axum => "axum",
        Framework::Go => "go",
    }
}
