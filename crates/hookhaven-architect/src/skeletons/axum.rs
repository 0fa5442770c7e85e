//! The project for Rust: axum, tokio-postgres.

use super::{
    Project,
    handled::{Handled, Outside},
    literal,
};
use crate::File;

/// Of a list on one line: what stands around it needs room too.
const LIST_CHARS_MAX: usize = 93;

/// Words that Rust keeps for itself.
const RESERVED: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

pub fn files(project: &Project<'_>) -> Vec<File> {
    let mut files: Vec<File> = [
        ("Cargo.toml", include_str!("axum/Cargo.toml.text")),
        ("rustfmt.toml", include_str!("axum/rustfmt.toml.text")),
        ("src/main.rs", include_str!("axum/src/main.rs")),
        ("src/lib.rs", include_str!("axum/src/lib.rs")),
        ("src/receive.rs", include_str!("axum/src/receive.rs")),
        ("src/event.rs", include_str!("axum/src/event.rs")),
        ("src/once.rs", include_str!("axum/src/once.rs")),
        ("src/outbox.rs", include_str!("axum/src/outbox.rs")),
        ("tests/webhooks.rs", include_str!("axum/tests/webhooks.rs")),
    ]
    .map(|(path, text)| File::new(path, text))
    .to_vec();
    files.push(File::new("src/effects.rs", effects(project)));
    files.push(File::new("src/handlers/mod.rs", index(project)));
    files.push(File::new("tests/samples/mod.rs", samples(project)));
    let own = |handled: &Handled<'_>| File::new(format!("src/handlers/{}.rs", handled.module(RESERVED)), one(handled));
    files.extend(project.handled.iter().map(own));
    files
}

fn index(project: &Project<'_>) -> String {
    let mut modules: Vec<String> = project.handled.iter().map(|handled| handled.module(RESERVED)).collect();
    modules.sort_unstable();
    let mut text = String::from(
        "//! Every source: where its secret is, where the id of what an event is about stands, who handles it.\n\n",
    );
    for module in modules {
        text += &format!("mod {module};\n");
    }
    text += &format!(
        "\nuse tokio_postgres::Transaction;\n\nuse crate::{{\n    event::{{Event, Source}},\n    once::Failure,\n}};\n\n\
         /// The largest body that the gateway takes of any sender.\npub const BODY_BYTES_MAX: usize = {};\n\n\
         pub const SOURCES: &[Source] = &[\n",
        project.body_bytes_max
    );
    for handled in &project.handled {
        text += &format!(
            "    Source {{\n        name: {},\n        secret_variable: {},\n{}        object_places: &[{}],\n        \
             reply: {},\n    }},\n",
            literal::rust(handled.name),
            literal::rust(handled.secret_variable),
            handled.unknown_object("        // "),
            places(handled),
            handled.reply.map_or_else(|| "None".to_owned(), |_| format!("Some({}::reply)", handled.module(RESERVED)))
        );
    }
    text += "];\n\npub(crate) async fn handle(event: &Event, tx: &Transaction<'_>) -> Result<(), Failure> {\n    \
             match event.source {\n";
    for handled in &project.handled {
        let name = literal::rust(handled.name);
        text += &format!("        {name} => {}::handle(event, tx).await,\n", handled.module(RESERVED));
    }
    text + "        _ => Ok(()),\n    }\n}\n"
}

fn places(handled: &Handled<'_>) -> String {
    let one = |places: &Vec<String>| {
        let inner: Vec<String> = places.iter().map(|place| literal::rust(place)).collect();
        format!("&[{}]", inner.join(", "))
    };
    literal::list(&handled.object_places.iter().map(one).collect::<Vec<_>>(), "        ", "    ", LIST_CHARS_MAX)
}

fn one(handled: &Handled<'_>) -> String {
    let used = handled.calls(["enqueue", "enqueue_newest", "keep_newest"]).join(", ");
    let events = if handled.reply.is_some() { "{Event, Reply}" } else { "Event" };
    let mut text = format!(
        "//! What the events of {} do: a function for each group of types that is treated alike.\n\
         //!\n\
         //! Each is called once for an event, in its transaction: what is written with `tx` is there if, and only if, the\n\
         //! event is in the inbox. Effects outside go through `enqueue`. `Failure::NeverSucceeds` is for what no later\n\
         //! attempt can change; any other error is tried again.\n\n\
         use tokio_postgres::Transaction;\n\nuse crate::{{\n    event::{events},\n    once::{{Failure, {used}}},\n}};\n\n\
         pub(crate) async fn handle(event: &Event, tx: &Transaction<'_>) -> Result<(), Failure> {{\n",
        handled.title
    );
    for group in &handled.groups {
        let types: Vec<String> = group.events.iter().map(|event| literal::rust(event)).collect();
        let types = literal::list(&types, "    ", "    ", LIST_CHARS_MAX);
        text += &format!(
            "    if event.is_any(&[{types}]) {{\n        return on_{}(event, tx).await;\n    }}\n",
            group.word
        );
    }
    text += "    // Types that nobody handles are taken note of, and that is all.\n    Ok(())\n}\n";
    for group in &handled.groups {
        text += &format!(
            "\n/// {}\nasync fn on_{}(event: &Event, tx: &Transaction<'_>) -> Result<(), Failure> {{\n",
            group.urgency, group.word
        );
        text += &body(handled);
    }
    if let Some(reply) = handled.reply {
        text += &format!(
            "\n/// What the sender is told once the event is handled: somebody sees it. An event that comes again is answered again,\n\
             /// so it has to follow from the event alone.\n\
             pub(crate) fn reply(_event: &Event) -> Reply {{\n    Reply {{ content_type: {}, text: {}.to_owned() }}\n}}\n",
            literal::rust(reply.content_type),
            literal::rust(reply.text)
        );
    }
    text
}

fn body(handled: &Handled<'_>) -> String {
    let (follows, each) = handled.by_state();
    let mut text = String::new();
    match (handled.keeps, follows.is_empty()) {
        (true, true) => text += "    keep_newest(tx, event).await?;\n",
        (true, false) => {
            text += "    // Not by what comes late: it would give back what was taken.\n";
            text += "    if keep_newest(tx, event).await? {\n";
            for outside in follows {
                text += &format!("        enqueue_newest(tx, event, {}).await?;\n", literal::rust(outside.word()));
            }
            text += "    }\n";
        }
        (false, _) => {}
    }
    for outside in each {
        text += &format!("    enqueue(tx, event, {}).await?;\n", literal::rust(outside.word()));
    }
    text + "    Ok(())\n}\n"
}

fn effects(project: &Project<'_>) -> String {
    let all = project.effects();
    if all.is_empty() {
        return NONE.to_owned();
    }
    let words: Vec<String> = all.iter().map(|effect| literal::rust(effect.word())).collect();
    let mut text = format!(
        "//! What is done to the world outside, after the commit of the event behind it. Each gets a key that is the same at\n\
         //! every try: pass it to the provider as its idempotency key. Put your provider's client in place of the post.\n\n\
         use std::{{env, error::Error}};\n\n\
         pub(crate) const ALL: &[&str] = &[{}];\n\n\
         pub(crate) async fn perform(\n    client: &reqwest::Client,\n    effect: &str,\n    payload: String,\n    key: &str,\n\
         ) -> Result<(), Box<dyn Error + Send + Sync>> {{\n    match effect {{\n",
        words.join(", ")
    );
    for effect in &all {
        text += &format!("        // {}\n", effect.about());
        text +=
            &format!("        \"{}\" => post(client, \"{}\", payload, key).await,\n", effect.word(), effect.variable());
    }
    text + "        _ => Err(format!(\"nothing performs {effect}\").into()),\n    }\n}\n" + POST
}

const POST: &str = r#"
/// Posts to the address in this variable; an error unless the answer is 2xx, and then it is tried again.
async fn post(
    client: &reqwest::Client,
    variable: &str,
    payload: String,
    key: &str,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let url = env::var(variable).map_err(|_| format!("{variable} is not set"))?;
    let request = client.post(url).header("content-type", "application/json").header("idempotency-key", key);
    // Without the address, which may hold a secret.
    let unreached = |error: reqwest::Error| format!("{variable} is not reached: {:?}", error.without_url());
    let status = request.body(payload).send().await.map_err(unreached)?.status();
    if !status.is_success() {
        return Err(format!("{variable} answers {status}").into());
    }
    Ok(())
}
"#;

const NONE: &str = r#"//! What is done to the world outside, after the commit of the event behind it: nothing so far.

use std::error::Error;

pub(crate) const ALL: &[&str] = &[];

pub(crate) async fn perform(
    _client: &reqwest::Client,
    effect: &str,
    _payload: String,
    _key: &str,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    Err(format!("nothing performs {effect}").into())
}
"#;

fn samples(project: &Project<'_>) -> String {
    let mut text = String::from(
        "//! An event for each group of types: OBJECT stands for the id of what it is about.\n\n\
         #[derive(Clone, Copy, Debug)]\npub struct Sample {\n    pub source: &'static str,\n    pub event_type: &'static str,\n    \
         pub body: &'static str,\n    pub keeps: bool,\n    pub effects: &'static [&'static str],\n    pub follows: &'static [&'static str],\n}\n\n\
         pub const SAMPLES: &[Sample] = &[\n",
    );
    for handled in &project.handled {
        let words = |effects: Vec<Outside>| {
            effects.iter().map(|outside| literal::rust(outside.word())).collect::<Vec<_>>().join(", ")
        };
        for sample in handled.samples() {
            text += &format!(
                "    Sample {{\n        source: {},\n        event_type: {},\n        body: {},\n        keeps: {},\n        \
                 effects: &[{}],\n        follows: &[{}],\n    }},\n",
                literal::rust(handled.name),
                literal::rust(&sample.event_type),
                literal::rust(&sample.body),
                handled.keeps && sample.has_object,
                words(handled.in_order()),
                words(handled.by_state().0)
            );
        }
    }
    text + "];\n"
}
