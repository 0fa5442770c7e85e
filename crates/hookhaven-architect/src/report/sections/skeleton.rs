//! Which files were written, and how they are run.
//!
//! Not here: what is in them.

use super::{MOVING, TESTING};
use crate::{
    File, Plan, config, deploy,
    intake::Host,
    report::{
        HTML, MARKDOWN,
        document::{Block, Text, code, codes, link, plain, prose, say},
        said,
    },
    skeletons, words,
};

/// `handlers/fastify` has two.
const FOLDER_DEPTH: usize = 2;

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let handlers = skeletons::files(plan);
    let mut rows = folders(
        &config::files(plan),
        "the configuration, with the reason for each choice beside it, and the variables that it reads",
    );
    let place = match plan.intake.infrastructure.host {
        Host::Serverless => "a machine beside the functions",
        host => said::host(host),
    };
    rows.extend(folders(
        &deploy::files(plan),
        &format!("what it is deployed with, on {place}; begin with `README.md`"),
    ));
    rows.extend(folders(
        &handlers,
        "a handler to begin with: verifies the gateway's signature, keeps an inbox, has a test",
    ));
    rows.push([plain("here"), codes(&[MARKDOWN, HTML]), plain("this report")]);
    vec![
        Block::table(["folder", "files", "what they are"], rows),
        frameworks(plan, handlers.is_empty()),
        Block::heading(say!("What a handler is given, and what it answers")),
        Block::table(["handler", "posted to", "signed with"], plan.design.destinations.iter().map(handler).collect()),
        Block::List(contract()),
        Block::heading(say!("Running it")),
        Block::Steps(running(plan)),
    ]
}

/// Files by the folder that belongs together: `handlers/fastify` rather than each below it.
fn folders(files: &[File], what: &str) -> Vec<[Text; 3]> {
    let mut folders: Vec<(String, Vec<&str>)> = Vec::new();
    for file in files {
        let parts: Vec<&str> = file.path.split('/').collect();
        let depth = parts.len().saturating_sub(1).min(FOLDER_DEPTH);
        let folder = parts[..depth].join("/");
        let name = file.path[folder.len()..].trim_start_matches('/');
        match folders.iter_mut().find(|(known, _)| *known == folder) {
            Some((_, names)) => names.push(name),
            None => folders.push((folder, vec![name])),
        }
    }
    let row = |(folder, names): (String, Vec<&str>)| {
        let folder = if folder.is_empty() { plain("here") } else { code(folder) };
        [folder, codes(&names), prose(what)]
    };
    folders.into_iter().map(row).collect()
}

fn frameworks(plan: &Plan, none: bool) -> Block {
    let named: Vec<&str> = plan.intake.infrastructure.frameworks.iter().map(|f| said::framework(*f)).collect();
    if named.is_empty() || none {
        return say!(
            "No handler was written: none of the frameworks that are known stands in your stack. Any program will do \
             that verifies a Standard Webhooks signature; there are libraries for most languages."
        )
        .into();
    }
    if plan.intake.infrastructure.has_postgres {
        return say!("Written for {}, as your stack says.", words::list(&named)).into();
    }
    say!(
        "Written for {}, as your stack says. They keep their inbox in PostgreSQL, which your answers do not name: the \
         README beside them says what it takes to use another database.",
        words::list(&named)
    )
    .into()
}

fn handler(destination: &crate::design::DestinationDesign) -> [Text; 3] {
    [code(&destination.name), code(&destination.url), code(&destination.secret_variable)]
}

fn contract() -> Vec<Text> {
    vec![
        say!("The body is the sender's, byte for byte, with its content type."),
        say!(
            "`webhook-id`, `webhook-timestamp` and `webhook-signature` prove that the gateway sent it (Standard \
             Webhooks); verify them over the raw bytes, or answer 401."
        ),
        say!(
            "`hookhaven-event-type`, `-source`, `-occurred-at`, `-received-at` and `-attempt` say what it is, \
             `hookhaven-replay` that somebody wants it again; the sender's own headers come with it."
        ),
        say!(
            "**2xx** only after the work is committed; **5xx** or **429** to be given it again; **422** with \
             `webhook-delivery: abort-message` for what can never succeed."
        ),
    ]
}

fn running(plan: &Plan) -> Vec<Text> {
    let variables: Vec<&str> = plan
        .design
        .sources
        .iter()
        .flat_map(|source| source.secret_variables.iter().chain(&source.verify_token_variable))
        .chain(plan.design.destinations.iter().map(|destination| &destination.secret_variable))
        .map(String::as_str)
        .collect();
    vec![
        say!("Copy `.env.example` to `.env` and fill it in: ") + codes(&variables) + say!("."),
        say!(
            "`set -a; . ./.env; set +a; hookhaven check` says what is wrong with it, and how to mend it, without \
             starting."
        ),
        say!(
            "Start it as `deploy/README.md` says. To try it on this machine, `hookhaven serve` is enough; it prints a \
             link to the dashboard once."
        ),
        say!(
            "Start the handler; `hookhaven destinations test {}` sends it one signed request that says it is a test.",
            first_destination(plan)
        ),
        say!("No sender knows of it yet. Go on with ")
            + link(TESTING)
            + say!(", then with ")
            + link(MOVING)
            + say!("."),
    ]
}

fn first_destination(plan: &Plan) -> &str {
    plan.design.destinations.first().map_or("NAME", |destination| destination.name.as_str())
}
