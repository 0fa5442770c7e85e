//! What a team means by its own words: plain lists of words, so that everybody can see how an answer was read. What is
//! read from a text is repeated in the report, and can always be said outright instead (`docs/architect.md`).
//!
//! Not here: how words are looked for (`phrase`), how it is said outright (`names`).

mod effects;
#[cfg(test)]
mod tests;
mod troubles;

pub use self::{effects::effects, troubles::troubles};

use std::time::Duration;

use hookhaven_toml::said;

use super::{Framework, Host, OrderKind, State, names::FRAMEWORKS, phrase::Phrases};

/// What is done, and how long it takes where the words say it: `update a row, takes 2s`. An error is a figure that is
/// said and cannot be read.
pub fn work(text: &str) -> Option<(&str, Result<Duration, &str>)> {
    const TAKES: &str = "takes ";
    // Small letters of ASCII keep their places.
    let at = text.to_ascii_lowercase().rfind(TAKES)?;
    let (before, after) = (&text[..at], &text[at + TAKES.len()..]);
    if before.ends_with(char::is_alphanumeric) {
        return None;
    }
    let end = [", ", ";", "(", ". "].iter().filter_map(|mark| after.find(mark)).min().unwrap_or(after.len());
    let (said, rest) = (after[..end].trim().trim_end_matches(['.', ',']), &after[end..]);
    let unit = said.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    let takes = match said::duration(said) {
        Some(length) => Ok(length),
        // A figure and a unit are meant for a duration; "takes 5 orders" is none.
        None if said.contains(|c: char| c.is_ascii_digit()) && said::duration(&format!("1 {unit}")).is_some() => {
            Err(said)
        }
        None => return None,
    };
    let does = before.trim_end();
    let does = does.strip_suffix("it").filter(|done| !done.ends_with(char::is_alphanumeric)).unwrap_or(does);
    let does = does.trim().trim_end_matches([',', ';', '.']);
    let is_all = rest.trim().is_empty() && !does.is_empty();
    Some((if is_all { does } else { text.trim() }, takes))
}

/// Whether somebody waits for what the handler says. An answer in HTTP's own terms is for the sender alone.
pub fn answers_user(text: &str) -> bool {
    let answers = [
        "answer",
        "answers",
        "answering",
        "reply",
        "replies",
        "respond",
        "responds",
        "user is waiting",
        "user waits",
        "users wait",
        "somebody waits",
        "customer waits",
    ];
    Phrases::of(text).say_without(&answers, &["200", "202", "204", "2xx", "http", "ok", "status code"])
}

/// A wish, unless the words leave no way out.
pub fn order(text: &str) -> OrderKind {
    const NONE: &[&str] = &["none", "no", "n/a", "not needed", "not required", "not important", "nothing"];
    const INDIFFERENT: &[&str] = &[
        "any order",
        "no order",
        "unordered",
        "irrelevant",
        "does not matter",
        "doesn't matter",
        "must not matter",
        "not needed",
        "not important",
        "don't care",
        "do not care",
    ];
    const WISHED: &[&str] = &[
        "ideally",
        "nice",
        "nice to have",
        "wish",
        "wished",
        "latest",
        "newest",
        "prefer",
        "preferred",
        "preferably",
        "if possible",
        "where possible",
        "best effort",
        "would be good",
        "should",
        "not strict",
        "not strictly",
        "need not",
        "not required",
        "not necessarily",
    ];
    const STRICT: &[&str] = &[
        "strict",
        "strictly",
        "must",
        "always",
        "exactly",
        "never",
        "fifo",
        "guarantee",
        "guaranteed",
        "required",
        "in sequence",
        "one after the other",
        "one after another",
        "no event may",
        "sequentially",
    ];
    let phrases = Phrases::of(text);
    let bare = text.trim().trim_end_matches('.').to_lowercase();
    if bare.is_empty() || NONE.contains(&bare.as_str()) || phrases.mention(INDIFFERENT) {
        OrderKind::None
    } else if phrases.mention(WISHED) {
        OrderKind::Wished
    } else if phrases.mention(STRICT) {
        OrderKind::Strict
    } else {
        OrderKind::Wished
    }
}

/// Whether it is the newest state alone that counts, so that what was overtaken may be left out.
pub fn newest(text: &str) -> bool {
    const NEWEST: &[&str] = &[
        "only the latest",
        "only the newest",
        "only the last",
        "only the most recent",
        "latest state",
        "newest state",
        "last state",
        "current state",
        "present state",
        "latest version",
        "newest version",
        "latest counts",
        "newest counts",
        "latest wins",
        "newest wins",
        "last write wins",
    ];
    order(text) != OrderKind::Strict && Phrases::of(text).say(NEWEST)
}

/// Where it runs today: what is said first of it, in `hosting`, else in the stack.
pub fn host(hosting: &str, stack: &[String]) -> Host {
    const MACHINE: &[&str] = &[
        "machine",
        "machines",
        "vm",
        "vms",
        "vps",
        "server",
        "servers",
        "bare metal",
        "ec2",
        "droplet",
        "hetzner",
        "raspberry",
        "instance",
        "host",
    ];
    const KINDS: &[(Host, &[&str])] = &[
        (
            Host::Serverless,
            &[
                "serverless",
                "lambda",
                "lambdas",
                "functions",
                "vercel",
                "netlify",
                "edge functions",
                "cloudflare workers",
                "azure functions",
            ],
        ),
        (Host::Kubernetes, &["kubernetes", "k8s", "k3s", "eks", "gke", "aks", "openshift", "helm"]),
        (
            Host::Platform,
            &[
                "heroku",
                "fly",
                "fly.io",
                "render",
                "railway",
                "cloud run",
                "app service",
                "app engine",
                "app runner",
                "beanstalk",
                "ecs",
                "fargate",
                "container apps",
                "platform",
                "paas",
            ],
        ),
        (Host::Containers, &["docker", "container", "containers", "compose", "podman", "swarm", "nomad"]),
    ];
    let said = Phrases::of(hosting);
    // A machine is what it says only where nothing says how things run on it.
    let machine = || said.today(&[(Host::Machine, MACHINE)]);
    let thought_of = || Phrases::of_all(stack).today(KINDS).or_else(|| said.some_day(KINDS));
    said.today(KINDS).or_else(machine).or_else(thought_of).unwrap_or(Host::Machine)
}

pub fn frameworks(stack: &[String]) -> Vec<Framework> {
    const BY_LANGUAGE: &[(Framework, &[&str])] = &[
        (Framework::Next, &["next.js", "nextjs"]),
        (
            Framework::Fastify,
            &["node", "nodejs", "node.js", "javascript", "typescript", "nest", "nestjs", "koa", "hono", "bun", "deno"],
        ),
        (Framework::FastApi, &["python", "flask", "starlette"]),
        (Framework::Axum, &["rust", "actix", "rocket"]),
        (Framework::Go, &["golang", "gin", "echo", "chi", "fiber"]),
    ];
    let text = Phrases::of_all(stack);
    let named: Vec<Framework> = FRAMEWORKS.iter().filter(|(word, _)| text.say(&[word])).map(|(_, f)| *f).collect();
    if !named.is_empty() {
        return named;
    }
    let found = BY_LANGUAGE.iter().find(|(_, words)| text.say(words));
    found.map(|(framework, _)| *framework).into_iter().collect()
}

pub fn has_postgres(stack: &[String]) -> bool {
    let postgres = ["postgres", "postgresql", "rds", "aurora", "supabase", "neon", "cloud sql", "timescale"];
    Phrases::of_all(stack).say_without(&postgres, &["mysql", "mariadb", "sql server", "oracle"])
}

pub fn state(text: &str) -> State {
    const QUEUE: &[&str] = &[
        "queue",
        "queued",
        "queues",
        "enqueue",
        "enqueues",
        "enqueued",
        "bullmq",
        "sqs",
        "kafka",
        "kinesis",
        "celery",
        "sidekiq",
        "redis",
        "rabbitmq",
        "mq",
        "service bus",
        "outbox",
        "pubsub",
        "pub/sub",
        "nats",
    ];
    /// With a queue, two of these make it whole.
    const CARE: &[&[&str]] = &[
        &["retry", "retries", "retried", "backoff"],
        &["dead letter", "dead letters", "dlq"],
        &["idempotent", "idempotency", "deduplicated", "deduplication", "dedupe", "unique constraint"],
        &["alert", "alerts", "alerting", "monitoring", "monitored"],
        &["outbox"],
    ];
    /// What receives nothing: somebody goes and looks, or nobody told.
    const UNRECEIVED: &[&str] =
        &["poll", "polls", "polled", "polling", "by hand", "manually", "directly", "don't know", "not sure", "unknown"];
    const RECEIVER: &[&str] = &[
        "handler",
        "handlers",
        "receiver",
        "receivers",
        "endpoint",
        "endpoints",
        "controller",
        "controllers",
        "function",
        "functions",
        "lambda",
        "lambdas",
        "route",
        "routes",
        "webhook",
        "webhooks",
    ];
    let said = Phrases::of(text);
    let care = CARE.iter().filter(|words| said.say(words)).count();
    if said.say(&["mature"]) || (said.say(QUEUE) && care >= 2) {
        State::Mature
    } else if said.say(&["svix", "hookdeck", "qstash", "convoy", "hook0", "hosted service", "hosted gateway"]) {
        State::Hosted
    } else if said.say(&["synchronous", "synchronously", "in the request", "inline", "before it answers"]) {
        State::Synchronous
    } else if said.say(QUEUE) {
        State::Queued
    } else if said.mention(&["nothing", "none", "new", "greenfield", "not yet", "no handler", "no receiver"])
        || said.mention(UNRECEIVED) && !said.mention(RECEIVER)
    {
        State::Nothing
    } else {
        State::Synchronous
    }
}

/// Whether signatures are verified today, if it says.
pub fn verifies(text: &str) -> Option<bool> {
    const CHECKS: &[&str] =
        &["verified", "verifies", "verify", "verification", "signature", "signatures", "checks signatures"];
    let said = Phrases::of(text);
    if said.deny(CHECKS) || said.say(&["unverified", "unsigned"]) {
        Some(false)
    } else if said.say(CHECKS) {
        Some(true)
    } else {
        None
    }
}
