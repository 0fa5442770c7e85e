//! Which files were written, and how they are run.
//!
//! Not here: what is in them.

use crate::{
    File, Plan, config, deploy,
    report::{
        HTML, MARKDOWN,
        document::{Block, Text, code, codes, plain, say},
        said,
    },
    skeletons, words,
};

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let mut rows = Vec::new();
    let mut row = |files: &[File], what: Text| {
        if !files.is_empty() {
            rows.push([codes(&files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>()), what]);
        }
    };
    row(
        &config::files(plan),
        say!("the configuration, with the reason for each choice beside it, and the variables that it reads"),
    );
    row(&deploy::files(plan), say!("what it is deployed with, for {}", said::host(plan.intake.infrastructure.host)));
    let handlers = skeletons::files(plan);
    row(
        &handlers,
        say!("handlers to begin with; each verifies the gateway's signature, keeps an inbox, and comes with a test"),
    );
    rows.push([codes(&[MARKDOWN, HTML]), plain("this report")]);
    let mut blocks = vec![
        Block::table(["files", "what they are"], rows),
        frameworks(plan, handlers.is_empty()),
        Block::heading(say!("What a handler is given, and what it answers")),
        Block::table(["handler", "posted to", "signed with"], plan.design.destinations.iter().map(handler).collect()),
        Block::List(contract()),
        Block::heading(say!("Running it")),
    ];
    blocks.push(Block::Steps(running(plan)));
    blocks
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
    say!("Written for {}, as your stack says.", words::list(&named)).into()
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
        say!("`hookhaven serve`. It prints a link to the dashboard once."),
        say!(
            "Start the handler; `hookhaven destinations test {}` sends it one signed request that says it is a test.",
            first_destination(plan)
        ),
        say!("Only then enter the addresses of the senders' table at the senders."),
    ]
}

fn first_destination(plan: &Plan) -> &str {
    plan.design.destinations.first().map_or("NAME", |destination| destination.name.as_str())
}
