//! Projects for Node.js: Fastify, Express, Next.js. They differ in how a request comes in and is answered, and in how
//! the test reaches that.

use super::{
    Project,
    handled::{Handled, Outside},
    literal,
};
use crate::{File, intake::Framework};

/// Of a list on one line: what stands around it needs room too.
const LIST_CHARS_MAX: usize = 60;

pub fn files(project: &Project<'_>, framework: Framework) -> Vec<File> {
    let mut files = vec![
        File::new("lib/receive.js", include_str!("node/lib/receive.js")),
        File::new("lib/event.js", include_str!("node/lib/event.js")),
        File::new("lib/once.js", include_str!("node/lib/once.js")),
        File::new("lib/outbox.js", include_str!("node/lib/outbox.js")),
        File::new("lib/pool.js", include_str!("node/lib/pool.js")),
        File::new("lib/effects.js", effects(project)),
        File::new("handlers/index.js", index(project)),
        File::new("test/webhooks.test.js", include_str!("node/test/webhooks.test.js")),
        File::new("test/samples.js", samples(project)),
    ];
    let file = |handled: &Handled<'_>| File::new(format!("handlers/{}.js", module(handled)), one(handled));
    files.extend(project.handled.iter().map(file));
    let own: &[(&str, &str)] = match framework {
        Framework::Express => &[
            ("package.json", include_str!("express/package.json")),
            ("app.js", include_str!("express/app.js")),
            ("server.js", include_str!("express/server.js")),
            ("test/send.js", include_str!("express/send.js")),
        ],
        Framework::Next => &[
            ("package.json", include_str!("next/package.json")),
            ("app/webhooks/[source]/route.js", include_str!("next/route.js")),
            ("outbox.js", include_str!("next/outbox.js")),
            ("test/send.js", include_str!("next/send.js")),
        ],
        _ => &[
            ("package.json", include_str!("fastify/package.json")),
            ("app.js", include_str!("fastify/app.js")),
            ("server.js", include_str!("fastify/server.js")),
            ("test/send.js", include_str!("fastify/send.js")),
        ],
    };
    files.extend(own.iter().map(|(path, text)| File::new(*path, *text)));
    files
}

fn index(project: &Project<'_>) -> String {
    let mut text = String::from(
        "// Every source: where its secret is, where the id of what an event is about stands, who handles it.\n\n",
    );
    for handled in &project.handled {
        let reply = handled.reply.map(|_| format!(", reply as {}", own("reply", handled))).unwrap_or_default();
        text +=
            &format!("import {{ handle as {}{reply} }} from \"./{}.js\";\n", own("handle", handled), module(handled));
    }
    text += &format!(
        "\n/** The largest body that the gateway takes of any sender. */\nexport const BODY_BYTES_MAX = {};\n\n\
         export const sources = new Map([\n",
        project.body_bytes_max
    );
    for handled in &project.handled {
        let reply = handled.reply.map(|_| format!("      reply: {},\n", own("reply", handled))).unwrap_or_default();
        text += &format!(
            "  [\n    {},\n    {{\n      secretVariable: {},\n{}      objectPlaces: [{}],\n      handle: {},\n{reply}    \
             }},\n  ],\n",
            literal::json(handled.name),
            literal::json(handled.secret_variable),
            handled.unknown_object("      // "),
            places(handled),
            own("handle", handled)
        );
    }
    text + "]);\n"
}

fn places(handled: &Handled<'_>) -> String {
    let one = |places: &Vec<String>| {
        let inner: Vec<String> = places.iter().map(|place| literal::json(place)).collect();
        format!("[{}]", inner.join(", "))
    };
    let all: Vec<String> = handled.object_places.iter().map(one).collect();
    match all.len() {
        0 | 1 => all.concat(),
        _ => format!("\n        {},\n      ", all.join(",\n        ")),
    }
}

/// Beside `index.js`, which is no source.
fn module<'h>(handled: &'h Handled<'_>) -> &'h str {
    if handled.name == "index" { "index-" } else { handled.name }
}

/// `handleStripe`.
fn own(what: &str, handled: &Handled<'_>) -> String {
    format!("{what}{}", literal::camel(&handled.word()))
}

fn one(handled: &Handled<'_>) -> String {
    let used = handled.calls(["enqueue", "enqueueNewest", "keepNewest"]);
    let mut text = format!(
        "// What the events of {} do: a function for each group of types that is treated alike.\n\
         //\n\
         // Each is called once for an event, in its transaction: what is written with `tx` is there if, and only if, the\n\
         // event is in the inbox. Effects outside go through `enqueue`. Throw NeverSucceeds (lib/event.js) for what no\n\
         // later attempt can change; anything else that is thrown is tried again.\n\n\
         import {{ isAny }} from \"../lib/event.js\";\n\
         import {{ {} }} from \"../lib/once.js\";\n\n\
         export async function handle(event, tx) {{\n",
        handled.title,
        used.join(", ")
    );
    for group in &handled.groups {
        let types: Vec<String> = group.events.iter().map(|event| literal::json(event)).collect();
        let types = literal::list(&types, "  ", "  ", LIST_CHARS_MAX);
        text += &format!("  if (isAny(event.type, [{types}])) return on{}(event, tx);\n", literal::camel(&group.word));
    }
    text += "  // Types that nobody handles are taken note of, and that is all.\n}\n";
    for group in &handled.groups {
        text += &format!("\n// {}\nasync function on{}(event, tx) {{\n", group.urgency, literal::camel(&group.word));
        text += &body(handled);
        text += "}\n";
    }
    if let Some(reply) = handled.reply {
        text += &format!(
            "\n// What the sender is told once the event is handled: somebody sees it. An event that comes again is answered\n\
             // again, so it has to follow from the event alone.\n\
             export function reply(_event) {{\n  return {{ type: {}, text: {} }};\n}}\n",
            literal::json(reply.content_type),
            literal::json(reply.text)
        );
    }
    text
}

fn body(handled: &Handled<'_>) -> String {
    let (follows, each) = handled.by_state();
    let mut text = String::new();
    match (handled.keeps, follows.is_empty()) {
        (true, true) => text += "  await keepNewest(tx, event);\n",
        (true, false) => {
            text += "  // Not by what comes late: it would give back what was taken.\n";
            text += "  if (await keepNewest(tx, event)) {\n";
            for outside in follows {
                text += &format!("    await enqueueNewest(tx, event, {});\n", literal::json(outside.word()));
            }
            text += "  }\n";
        }
        (false, _) => {}
    }
    for outside in each {
        text += &format!("  await enqueue(tx, event, {});\n", literal::json(outside.word()));
    }
    text
}

fn effects(project: &Project<'_>) -> String {
    let all = project.effects();
    let mut text = String::from(
        "// What is done to the world outside, after the commit of the event behind it. Each gets a key that is the same at\n\
         // every try: pass it to the provider as its idempotency key. Put your provider's client in place of the post.\n",
    );
    for effect in &all {
        text += &format!(
            "\n/** {} */\nasync function {}(payload, key, signal) {{\n  await post(\"{}\", payload, key, signal);\n}}\n",
            effect.about(),
            effect.word(),
            effect.variable()
        );
    }
    let named: Vec<String> = all.iter().map(|effect| format!("[\"{0}\", {0}]", effect.word())).collect();
    text += &format!(
        "\n/** By the name that the outbox knows it by. */\nexport const effects = new Map({});\n",
        list_of(&named)
    );
    if !all.is_empty() {
        text += POST;
    }
    text
}

fn list_of(items: &[String]) -> String {
    if items.len() < 2 {
        return format!("[{}]", items.concat());
    }
    format!("[\n  {},\n]", items.join(",\n  "))
}

const POST: &str = r#"
/** Posts to the address in this variable; throws unless the answer is 2xx, and then it is tried again. */
async function post(variable, payload, key, signal) {
  const url = process.env[variable];
  if (!URL.canParse(url)) throw new Error(`${variable} holds no URL`);
  const headers = { "content-type": "application/json", "idempotency-key": key };
  let response;
  try {
    // A redirect that is followed becomes a GET, and answers 200 to nothing.
    response = await fetch(url, { method: "POST", headers, body: payload, redirect: "manual", signal });
  } catch (error) {
    // Not as the error says it: that may hold the address, and the address a secret.
    throw new Error(`${variable} is not reached: ${error.cause?.code ?? error.name}`);
  }
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${variable} answers ${response.status}`);
}
"#;

fn samples(project: &Project<'_>) -> String {
    let mut text = String::from(
        "// An event for each group of types, for the tests: OBJECT stands for the id of what it is about.\n\n\
         export const samples = [\n",
    );
    for handled in &project.handled {
        let words = |effects: Vec<Outside>| {
            effects.iter().map(|outside| literal::json(outside.word())).collect::<Vec<_>>().join(", ")
        };
        for sample in handled.samples() {
            text += &format!(
                "  {{\n    source: {},\n    type: {},\n    body: {},\n    keeps: {},\n    effects: [{}],\n    follows: \
                 [{}],\n  }},\n",
                literal::json(handled.name),
                literal::json(&sample.event_type),
                literal::json(&sample.body),
                handled.keeps && sample.has_object,
                words(handled.in_order()),
                words(handled.by_state().0)
            );
        }
    }
    text + "];\n"
}
