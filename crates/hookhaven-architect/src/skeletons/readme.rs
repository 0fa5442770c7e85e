//! The README of a project: how to run it, what it needs, what to change first.

use super::{Project, folder};
use crate::{Plan, intake::Framework, words::span};

/// What differs between frameworks.
struct Words {
    title: &'static str,
    install: &'static str,
    /// `{port}` stands for the port.
    start: &'static str,
    outbox: &'static str,
    /// What keeps the versions the same everywhere.
    pins: &'static str,
    test: &'static str,
    handlers: &'static str,
    effects: &'static str,
    /// Which variable says where it listens.
    listens: &'static str,
}

pub fn text(plan: &Plan, project: &Project<'_>, framework: Framework) -> String {
    let words = words(framework);
    let start = words.start.replace("{port}", &port(&plan.intake.infrastructure.handler_url).to_string());
    let mut text = format!(
        "# Webhook handlers, {}\n\n\
         Hookhaven verifies, stores and retries; these handlers do with each event what has to be done, once.\n\n\
         ```\n{}\npsql \"$DATABASE_URL\" -f schema.sql\n{start}\n```\n\n{} {}\n\n",
        words.title, words.install, words.outbox, words.pins
    );
    if !plan.intake.infrastructure.has_postgres {
        text += OTHER_DATABASE;
    }
    text += &variables(project, &words);
    text += &promises(&words);
    text += &format!(
        "## Testing\n\n```\nDATABASE_URL=postgres://localhost/webhooks_test {}\n```\n\n\
         The test signs events as the gateway does and checks for each source: an event that comes again, five times at once, \
         late, with a clock that is ahead, forged, or broken beyond repair. With a gateway running, `hookhaven destinations test NAME` asks whether the \
         handler answers, and `hookhaven trigger SOURCE TYPE` sends a signed sample all the way.\n\n",
        words.test
    );
    text += &upkeep(plan);
    text += &format!(
        "This folder was written from your answers, for `handlers/{}`; from here on it is yours.\n",
        folder(framework)
    );
    text
}

const OTHER_DATABASE: &str = "\
    Your answers name no PostgreSQL, and these handlers need one: a small one of their own will do, as long as what an \
    event changes lies there too. To use another database, carry over the three tables of `schema.sql` and the statements \
    of the files named `once` and `outbox`; it has to have transactions, unique constraints, an UPSERT with a condition, \
    and rows that can be locked and skipped (`FOR UPDATE SKIP LOCKED`).\n\n";

/// Where the gateway delivers to, if the address says it.
fn port(handler_url: &str) -> u16 {
    const USUAL: u16 = 3000;
    handler_url.rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse().ok()).unwrap_or(USUAL)
}

fn variables(project: &Project<'_>, words: &Words) -> String {
    let mut text = String::from("## What it is told\n\n| variable | holds |\n|---|---|\n");
    text += "| `DATABASE_URL` | a PostgreSQL of yours: `postgres://user:password@host/database` |\n";
    for handled in &project.handled {
        text += &format!(
            "| `{}` | the secret of the destination `{}-handler`, as in the gateway's `.env`; during a rotation the new one \
             and the old one, separated by a blank |\n",
            handled.secret_variable, handled.name
        );
    }
    for effect in project.effects() {
        text += &format!("| `{}` | where the effect `{}` is posted to |\n", effect.variable(), effect.word());
    }
    text + &format!("| {} |\n\n", words.listens)
}

fn promises(words: &Words) -> String {
    format!(
        "## What holds, and what to keep when you change it\n\n\
         - **Nobody but the gateway is heard.** The signature is checked over the raw body, before anything parses it; any of \
         the secrets will do. Everything else is a 401, which says why: most often another secret, or a clock that is off by \
         more than 5 minutes.\n\
         - **Each event is done once.** Its `webhook-id` goes into `webhook_inbox` in the transaction of the effect. The \
         gateway's attempts, replays, and what the sender repeats within the dedupe window all carry the same id, and are \
         answered 200 with `webhook-outcome: duplicate`.\n\
         - **The newest state wins.** `webhook_state` is written by an UPSERT that looks at `occurred_at`, so the order of \
         arrival does not matter. `object_id` has to name the thing itself: of two things that shared one, news of one would \
         hide news of the other.\n\
         - **Effects outside are decided in the transaction and performed after it**, from `webhook_outbox`, with \
         `SOURCE:WEBHOOK-ID:EFFECT` as the provider's idempotency key: it is the same at every try. One that follows the \
         state ends those that older states still wait for. Each effect has a loop of its own, one call at a time; more \
         processes make more.\n\
         - **The answer says what is to come.** 2xx after the commit; 5xx: try again; 422 with `webhook-delivery: \
         abort-message`: a person has to look, no retry would help.\n\n\
         What each event does stands in {}; effects outside in {}. Start there: every type of a sender begins with all that \
         you said of that sender, so take out what a type does not need.\n\n",
        words.handlers, words.effects
    )
}

fn upkeep(plan: &Plan) -> String {
    let kept = plan.design.retention.value;
    format!(
        "## Upkeep\n\n\
         The gateway keeps events for {}, and one that it keeps may be replayed. Forget ids later than that, once a day \
         (dead letters may be kept longer, and one whose answer came too late was handled all the same: look before you replay \
         an old one):\n\n\
         ```sql\nDELETE FROM webhook_inbox WHERE handled_at < now() - interval '{} days';\n\
         DELETE FROM webhook_outbox WHERE done_at < now() - interval '{} days';\n```\n\n\
         An effect that failed 20 times, over about thirteen hours, is left alone: look for `done_at IS NULL AND attempts = 20`, mend the cause that stands in \
         `last_error`, and set `attempts` to 0.\n\n",
        span(kept),
        kept.as_secs().div_ceil(86_400) + 1,
        kept.as_secs().div_ceil(86_400) + 1,
    )
}

fn words(framework: Framework) -> Words {
    const BESIDE: &str = "The outbox runs in the same process.";
    const LOCKED: &str = "Commit the lockfile that the first command writes.";
    const NODE: Words = Words {
        title: "Fastify",
        install: "npm install",
        start: "PORT={port} npm start",
        outbox: BESIDE,
        pins: LOCKED,
        test: "npm test",
        handlers: "`handlers/`",
        effects: "`lib/effects.js`",
        listens: "`HOST`, `PORT` | where it listens; 127.0.0.1 and 3000 unless set (in a container: `HOST=0.0.0.0`)",
    };
    const PYTHON: Words = Words {
        title: "FastAPI",
        install: "pip install '.[test]'",
        start: "UVICORN_PORT={port} uvicorn app:app",
        outbox: BESIDE,
        pins: "Pin what these packages stand on in their turn with `pip freeze`.",
        test: "python -m unittest",
        handlers: "`handlers/`",
        effects: "`webhooks/effects.py`",
        listens: "`UVICORN_HOST`, `UVICORN_PORT` | where it listens; 127.0.0.1 and 8000 unless set",
    };
    match framework {
        Framework::Fastify => NODE,
        Framework::Express => Words { title: "Express", ..NODE },
        Framework::Next => Words {
            title: "Next.js",
            start: "npm run build && PORT={port} npm start",
            outbox: "The outbox is a process of its own, `npm run outbox`; on a platform that freezes what answers requests, \
                     call `node outbox.js --once` every minute.",
            listens: "`PORT` | where `next start` listens; another address than all of them: `npm start -- -H 127.0.0.1`",
            ..NODE
        },
        Framework::FastApi => PYTHON,
        Framework::Django => Words {
            title: "Django",
            install: "pip install .",
            start: "gunicorn config.wsgi --bind 127.0.0.1:{port} --threads 8",
            outbox: "The outbox is a process of its own: `python manage.py outbox`.",
            listens: "`ALLOWED_HOSTS` | names that the gateway may call it by, separated by commas",
            ..PYTHON
        },
        Framework::Axum => Words {
            title: "axum",
            install: "cargo build --release",
            start: "LISTEN=127.0.0.1:{port} target/release/webhook-handlers",
            outbox: BESIDE,
            pins: LOCKED,
            test: "cargo test",
            handlers: "`src/handlers/`",
            effects: "`src/effects.rs`",
            listens: "`LISTEN` | where it listens; 127.0.0.1:3000 unless set",
        },
        Framework::Go => Words {
            title: "net/http",
            install: "go mod tidy && go build",
            start: "LISTEN=127.0.0.1:{port} ./webhook-handlers",
            outbox: BESIDE,
            pins: "Commit `go.sum`, which the first command writes.",
            test: "go test",
            handlers: "the files `*_handlers.go`",
            effects: "`effects.go`",
            listens: "`LISTEN` | where it listens; 127.0.0.1:3000 unless set",
        },
    }
}
