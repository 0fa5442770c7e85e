//! What a team means by its own words: plain lists of words, so that everybody can see how an answer was read. What is
//! read from a text is repeated in the report, and can always be said outright instead.

use super::{Effect, Framework, Host, OrderKind, State, Trouble};

/// Names that the intake may use.
pub const FRAMEWORKS: &[(&str, Framework)] = &[
    ("fastify", Framework::Fastify),
    ("express", Framework::Express),
    ("next", Framework::Next),
    ("fastapi", Framework::FastApi),
    ("django", Framework::Django),
    ("axum", Framework::Axum),
    ("go", Framework::Go),
];

const EFFECTS: &[(Effect, &[&str])] = &[
    (Effect::Database, &["database", "db", "table", "row", "update", "save", "upsert", "status", "sync", "store"]),
    (Effect::Mail, &["mail", "email", "e-mail", "newsletter"]),
    (Effect::Money, &["charge", "refund", "payout", "invoice", "pay", "payment", "transfer", "credit"]),
    (Effect::Build, &["build", "ci", "deploy", "pipeline", "workflow", "workflows", "job"]),
    (Effect::Message, &["sms", "answer", "reply", "notify", "notification", "post", "message", "call"]),
    (Effect::Fulfilment, &["ship", "fulfil", "fulfill", "grant", "licence", "license", "provision", "access", "order"]),
    (Effect::Record, &["log", "analytics", "metrics", "track", "audit", "activity"]),
    (Effect::Call, &["api", "crm", "webhook", "forward", "request"]),
];

const TROUBLES: &[(Trouble, &[&str])] = &[
    (Trouble::TimedOut, &["timeout", "timed", "slow", "late", "more than", "retries because", "too long"]),
    (Trouble::Twice, &["twice", "double", "duplicate", "duplicated", "two times"]),
    (Trouble::Lost, &["lost", "missing", "missed", "never arrived", "gone"]),
    (Trouble::OutOfOrder, &["order", "older", "overwrote", "stale"]),
    (Trouble::BadSignature, &["signature", "verify", "forged", "unsigned"]),
    (Trouble::LeakedSecret, &["leak", "leaked", "exposed", "committed"]),
    (Trouble::Overload, &["overload", "crash", "memory", "queue full", "burst", "backlog", "down"]),
];

/// Whether the words stand in the text as words, whatever their case.
fn says(text: &str, words: &str) -> bool {
    let plain = |text: &str| {
        let spaced: String =
            text.chars().map(|c| if c.is_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { ' ' }).collect();
        format!(" {} ", spaced.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    plain(text).contains(&plain(words))
}

fn any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| says(text, word))
}

pub fn effects(text: &str) -> Vec<Effect> {
    EFFECTS.iter().filter(|(_, words)| any(text, words)).map(|(effect, _)| *effect).collect()
}

/// Whether somebody waits for what the handler says.
pub fn answers_user(text: &str) -> bool {
    any(text, &["answer", "answers", "reply", "replies", "respond", "responds", "user is waiting", "user waits"])
}

/// A wish, unless the words leave no way out.
pub fn order(text: &str) -> OrderKind {
    if text.trim().is_empty() || any(text, &["none", "no", "not needed", "any order", "does not matter"]) {
        OrderKind::None
    } else if any(text, &["ideally", "nice", "wished", "latest", "newest", "prefer", "preferably", "if possible"]) {
        OrderKind::Wished
    } else if any(text, &["strict", "strictly", "must", "always", "exactly", "never", "fifo", "guaranteed"]) {
        OrderKind::Strict
    } else {
        OrderKind::Wished
    }
}

pub fn host(hosting: &str, stack: &[String]) -> Host {
    let text = format!("{hosting} {}", stack.join(" "));
    // Where it runs today comes first; what is considered comes later in the sentence.
    let kinds: [(Host, &[&str]); 4] = [
        (Host::Serverless, &["serverless", "lambda", "functions", "vercel", "edge", "workers"]),
        (Host::Kubernetes, &["kubernetes", "k8s", "eks", "gke", "aks", "openshift"]),
        (Host::Platform, &["heroku", "fly", "fly io", "render", "railway", "cloud run", "app service", "platform"]),
        (Host::Containers, &["docker", "container", "containers", "compose", "ecs", "podman", "swarm", "nomad"]),
    ];
    kinds.iter().find(|(_, words)| any(&text, words)).map_or(Host::Machine, |(host, _)| *host)
}

pub fn frameworks(stack: &[String]) -> Vec<Framework> {
    let all = stack.join(" ");
    let named: Vec<Framework> = FRAMEWORKS.iter().filter(|(word, _)| says(&all, word)).map(|(_, f)| *f).collect();
    if !named.is_empty() {
        return named;
    }
    let by_language: [(&[&str], Framework); 4] = [
        (&["next.js", "nextjs"], Framework::Next),
        (&["node", "nodejs", "javascript", "typescript"], Framework::Fastify),
        (&["python", "flask"], Framework::FastApi),
        (&["rust"], Framework::Axum),
    ];
    let golang: (&[&str], Framework) = (&["golang"], Framework::Go);
    let found = by_language.iter().chain([&golang]).find(|(words, _)| any(&all, words));
    found.map(|(_, framework)| *framework).into_iter().collect()
}

pub fn has_postgres(stack: &[String]) -> bool {
    stack.iter().any(|item| any(item, &["postgres", "postgresql", "rds", "aurora", "supabase", "neon", "cloud sql"]))
}

pub fn state(text: &str) -> State {
    if any(text, &["mature", "outbox", "dead letters", "dlq", "idempotent"]) {
        State::Mature
    } else if any(text, &["svix", "hookdeck", "qstash", "convoy", "hook0", "hosted"]) {
        State::Hosted
    } else if any(text, &["queue", "queued", "queues", "bullmq", "sqs", "kafka", "celery", "sidekiq", "redis"]) {
        State::Queued
    } else if any(text, &["nothing", "none", "new", "greenfield"]) {
        State::Nothing
    } else {
        State::Synchronous
    }
}

pub fn troubles(incidents: &[String]) -> Vec<Trouble> {
    let told = |words: &&(Trouble, &[&str])| incidents.iter().any(|incident| any(incident, words.1));
    TROUBLES.iter().filter(told).map(|(trouble, _)| *trouble).collect()
}

/// Whether signatures are verified today, if it says.
pub fn verifies(text: &str) -> Option<bool> {
    let refuses =
        ["no verification", "not verified", "unverified", "does not verify", "without verification", "no signature"];
    if any(text, &refuses) {
        Some(false)
    } else if any(text, &["verified", "verifies", "verification", "signature checked"]) {
        Some(true)
    } else {
        None
    }
}
