//! Projects for Python: FastAPI and Django. They differ in how a request comes in and is answered, where a transaction
//! comes from, and how the test reaches all that.

use super::{
    Project,
    handled::{Handled, Outside},
    literal,
};
use crate::{File, intake::Framework};

/// Of a list on one line: what stands around it needs room too.
const LIST_CHARS_MAX: usize = 60;

/// Names that a module cannot have.
const RESERVED: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
    "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
    "return", "try", "while", "with", "yield",
];

pub fn files(project: &Project<'_>, framework: Framework) -> Vec<File> {
    let mut files = vec![
        File::new("webhooks/__init__.py", include_str!("python/webhooks/__init__.py")),
        File::new("webhooks/receive.py", include_str!("python/webhooks/receive.py")),
        File::new("webhooks/event.py", include_str!("python/webhooks/event.py")),
        File::new("webhooks/once.py", include_str!("python/webhooks/once.py")),
        File::new("webhooks/outbox.py", include_str!("python/webhooks/outbox.py")),
        File::new("webhooks/effects.py", effects(project)),
        File::new("handlers/__init__.py", index(project)),
        File::new("tests/__init__.py", "\"\"\"`python -m unittest` runs them.\"\"\"\n"),
        File::new("tests/test_webhooks.py", include_str!("python/tests/test_webhooks.py")),
        File::new("tests/samples.py", samples(project)),
    ];
    let own = |handled: &Handled<'_>| File::new(format!("handlers/{}.py", handled.module(RESERVED)), one(handled));
    files.extend(project.handled.iter().map(own));
    let own: &[(&str, &str)] = match framework {
        Framework::Django => &[
            ("pyproject.toml", include_str!("django/pyproject.toml")),
            ("manage.py", include_str!("django/manage.py")),
            ("config/__init__.py", "\"\"\"The project: settings and URLs.\"\"\"\n"),
            ("config/settings.py", include_str!("django/config/settings.py")),
            ("config/urls.py", include_str!("django/config/urls.py")),
            ("config/wsgi.py", include_str!("django/config/wsgi.py")),
            ("webhooks/views.py", include_str!("django/views.py")),
            ("webhooks/management/__init__.py", "\"\"\"Commands of manage.py.\"\"\"\n"),
            ("webhooks/management/commands/__init__.py", "\"\"\"One file a command.\"\"\"\n"),
            ("webhooks/management/commands/outbox.py", include_str!("django/outbox_command.py")),
            ("tests/send.py", include_str!("django/send.py")),
        ],
        _ => &[
            ("pyproject.toml", include_str!("fastapi/pyproject.toml")),
            ("app.py", include_str!("fastapi/app.py")),
            ("tests/send.py", include_str!("fastapi/send.py")),
        ],
    };
    files.extend(own.iter().map(|(path, text)| File::new(*path, *text)));
    files
}

fn index(project: &Project<'_>) -> String {
    let mut text = String::from(
        "\"\"\"Every source: where its secret is, where the id of what an event is about stands, who handles it.\"\"\"\n\n",
    );
    let mut modules: Vec<String> = project.handled.iter().map(|handled| handled.module(RESERVED)).collect();
    modules.sort_unstable();
    text += &format!("from handlers import {}\n", modules.join(", "));
    text += &format!(
        "from webhooks.event import Source\n\n\
         # The largest body that the gateway takes of any sender.\nBODY_BYTES_MAX = {}\n\nSOURCES = {{\n",
        project.body_bytes_max
    );
    for handled in &project.handled {
        let module = handled.module(RESERVED);
        let reply = handled.reply.map(|_| format!("        reply={module}.reply,\n")).unwrap_or_default();
        text += &format!(
            "    {}: Source(\n        secret_variable={},\n{}        object_places=[{}],\n        handle={module}.handle,\n\
             {reply}    ),\n",
            literal::wide(handled.name),
            literal::wide(handled.secret_variable),
            handled.unknown_object("        # "),
            places(handled),
        );
    }
    text + "}\n"
}

fn places(handled: &Handled<'_>) -> String {
    let one = |places: &Vec<String>| {
        let inner: Vec<String> = places.iter().map(|place| literal::wide(place)).collect();
        format!("[{}]", inner.join(", "))
    };
    literal::list(&handled.object_places.iter().map(one).collect::<Vec<_>>(), "        ", "    ", LIST_CHARS_MAX)
}

fn one(handled: &Handled<'_>) -> String {
    let used = handled.calls(["enqueue", "enqueue_newest", "keep_newest"]);
    let events = if handled.reply.is_some() { "Event, Reply" } else { "Event" };
    let mut text = format!(
        "\"\"\"What the events of {} do: a function for each group of types that is treated alike.\n\n\
         Each is called once for an event, in its transaction: what is written with `tx` is there if, and only if, the\n\
         event is in the inbox. Effects outside go through `enqueue`. Raise NeverSucceeds for what no later attempt can\n\
         change; anything else that is raised is tried again.\n\"\"\"\n\n\
         from webhooks.event import {events}\nfrom webhooks.once import Cursor, {}\n\n\n\
         def handle(event: Event, tx: Cursor) -> None:\n",
        handled.title,
        used.join(", ")
    );
    for (n, group) in handled.groups.iter().enumerate() {
        let types: Vec<String> = group.events.iter().map(|event| literal::wide(event)).collect();
        let types = literal::list(&types, "    ", "    ", LIST_CHARS_MAX);
        let keyword = if n == 0 { "if" } else { "elif" };
        text += &format!("    {keyword} event.is_any({types}):\n        _on_{}(event, tx)\n", group.word);
    }
    text += "    # Types that nobody handles are taken note of, and that is all.\n";
    for group in &handled.groups {
        text += &format!("\n\n# {}\ndef _on_{}(event: Event, tx: Cursor) -> None:\n", group.urgency, group.word);
        text += &body(handled);
    }
    if let Some(reply) = handled.reply {
        text += &format!(
            "\n\n# What the sender is told once the event is handled: somebody sees it. An event that comes again is answered\n\
             # again, so it has to follow from the event alone.\n\
             def reply(_event: Event) -> Reply:\n    return Reply({}, {})\n",
            literal::wide(reply.content_type),
            literal::wide(reply.text)
        );
    }
    text
}

fn body(handled: &Handled<'_>) -> String {
    let (follows, each) = handled.by_state();
    let mut text = String::new();
    match (handled.keeps, follows.is_empty()) {
        (true, true) => text += "    keep_newest(tx, event)\n",
        (true, false) => {
            text += "    # Not by what comes late: it would give back what was taken.\n";
            text += "    if keep_newest(tx, event):\n";
            for outside in follows {
                text += &format!("        enqueue_newest(tx, event, {})\n", literal::wide(outside.word()));
            }
        }
        (false, _) => {}
    }
    for outside in each {
        text += &format!("    enqueue(tx, event, {})\n", literal::wide(outside.word()));
    }
    text
}

fn effects(project: &Project<'_>) -> String {
    let all = project.effects();
    let mut text = String::from(
        "\"\"\"What is done to the world outside, after the commit of the event behind it.\n\n\
         Each gets a key that is the same at every try: pass it to the provider as its idempotency key. Put your provider's\n\
         client in place of the post.\n\"\"\"\n\n",
    );
    if all.is_empty() {
        return text + "EFFECTS = {}\n";
    }
    text += "import http.client\nimport os\nimport urllib.error\nimport urllib.request\n";
    for effect in &all {
        text += &format!(
            "\n\ndef {}(payload: str, key: str) -> None:\n    \"\"\"{}\"\"\"\n    _post(\"{}\", payload, key)\n",
            effect.word(),
            effect.about(),
            effect.variable()
        );
    }
    text += "\n\nEFFECTS = {\n";
    for effect in &all {
        text += &format!("    \"{0}\": {0},\n", effect.word());
    }
    text + "}\n" + POST
}

const POST: &str = r#"
# How long it waits: for the connection, for its encryption, for the answer. All of them are shorter than the first pause
# of the outbox, so that a row is in one hand at a time.
WAIT_S_MAX = 4


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect that is followed becomes a GET, and answers 200 to nothing."""

    def redirect_request(self, *_args):
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def _post(variable: str, payload: str, key: str) -> None:
    """Posts to the address in this variable; raises unless the answer is 2xx, and then it is tried again."""
    url = os.environ.get(variable, "")
    if not url.startswith(("https://", "http://")):
        raise RuntimeError(f"{variable} holds no URL")
    headers = {"content-type": "application/json", "idempotency-key": key}
    request = urllib.request.Request(url, data=payload.encode(), headers=headers, method="POST")
    try:
        _opener.open(request, timeout=WAIT_S_MAX).close()
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{variable} answers {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        # Not as the error says it: that may hold the address, and the address a secret.
        reason = getattr(error, "reason", error)
        raise RuntimeError(f"{variable} is not reached: {type(reason).__name__}") from None
"#;

fn samples(project: &Project<'_>) -> String {
    let mut text = String::from(
        "\"\"\"An event for each group of types, for the tests: OBJECT stands for the id of what it is about.\"\"\"\n\n\
         from dataclasses import dataclass\n\n\n\
         @dataclass(frozen=True)\nclass Sample:\n    source: str\n    type: str\n    body: str\n    keeps: bool\n    \
         effects: list[str]\n    follows: list[str]\n\n\nSAMPLES = [\n",
    );
    for handled in &project.handled {
        let words = |effects: Vec<Outside>| {
            effects.iter().map(|outside| literal::wide(outside.word())).collect::<Vec<_>>().join(", ")
        };
        for sample in handled.samples() {
            let keeps = if handled.keeps && sample.has_object { "True" } else { "False" };
            text += &format!(
                "    Sample(\n        source={},\n        type={},\n        body={},\n        keeps={keeps},\n        \
                 effects=[{}],\n        follows=[{}],\n    ),\n",
                literal::wide(handled.name),
                literal::wide(&sample.event_type),
                literal::wide(&sample.body),
                words(handled.in_order()),
                words(handled.by_state().0)
            );
        }
    }
    text + "]\n"
}
