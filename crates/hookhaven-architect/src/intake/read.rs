//! The intake file, and answers given one by one, as an [`Intake`]; or everything that is wrong with it, or everything
//! that is missing.
//!
//! Not here: what free text means (`text`), which questions there are (`questions`).

use std::{collections::BTreeMap, path::Path, time::Duration};

use hookhaven_core::senders;
use hookhaven_toml::{Document, Item, Problem, Severity, Table, size, suggest};
use toml::de::{DeTable, DeValue};

use super::{
    Answers, Assumed, Burst, Existing, Host, Infrastructure, Intake, Once, OrderKind, OrderWish, PerType, Planned,
    Processing, Requirements, SenderAnswers, State, Volume,
    questions::{self, Question},
    text,
};

/// Of one intake; more are no longer a page that somebody reads.
pub const SENDERS_MAX: usize = 64;
/// Of one sender.
pub const EVENTS_MAX: usize = 500;
/// Of an intake file.
pub const FILE_BYTES_MAX: usize = 1 << 20;

const DAY: Duration = Duration::from_secs(86_400);
/// Of a body whose size nobody said: what most senders stay under.
const BODY_BYTES: u64 = 4 << 10;
/// For what a handler does to one event, where nobody said.
const TAKES: Duration = Duration::from_millis(500);
/// For types of which nothing is said where something is said of others.
const LENIENT: Duration = Duration::from_secs(300);
const HANDLER_URL: &str = "http://127.0.0.1:3000";

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// `None` if there are errors, or answers are missing.
    pub intake: Option<Intake>,
    /// In the order they are asked in.
    pub missing: Vec<Question>,
    /// In the file's order; warnings too.
    pub problems: Vec<Problem>,
}

/// Answers given beside the file, as TOML values by path. They count where the file says nothing.
pub type Given = BTreeMap<String, String>;

/// Reads the text of `file`.
pub fn read(file: &Path, text: &str, given: &Given) -> Read {
    let doc = Document::new(file, text);
    if text.len() > FILE_BYTES_MAX {
        let what = format!("longer than {} is no intake", size::print(FILE_BYTES_MAX as u64));
        doc.report(Severity::Error, &(0..0), "", what, "take out what is not an answer".to_owned());
        return Read { problems: doc.into_problems().0, ..Read::default() };
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let what = format!("not TOML: {}", error.message());
        doc.report(Severity::Error, &error.span().unwrap_or_default(), "", what, String::new());
    }
    if !errors.is_empty() {
        return Read { problems: doc.into_problems().0, ..Read::default() };
    }
    let mut reader = Reader { given, answers: Answers::default(), assumed: Vec::new(), missing: Vec::new() };
    written_down(root.get_ref(), "", &mut reader.answers);
    for (path, value) in given {
        reader.answers.by_path.entry(path.clone()).or_insert_with(|| value.trim_matches('"').to_owned());
    }
    let intake = reader.intake(Table::new(&doc, String::new(), 0..0, root.get_ref()));
    let whole = reader.missing.is_empty() && !doc.has_errors();
    let answers = reader.answers;
    let assumed = reader.assumed;
    let intake = intake.filter(|_| whole).map(|intake| Intake { answers, assumed, ..intake });
    Read { intake, missing: reader.missing, problems: doc.into_problems().0 }
}

/// Every value that stands in the file, by its path.
fn written_down(table: &DeTable<'_>, path: &str, answers: &mut Answers) {
    for (key, value) in table {
        let path = hookhaven_toml::document::path_of(path, key.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            written_down(inner, &path, answers);
        }
        answers.by_path.insert(path, shown(value.get_ref()));
    }
}

/// On one line, as it could stand in the file.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(n) => n.as_str().to_owned(),
        DeValue::Float(n) => n.as_str().to_owned(),
        DeValue::Boolean(is) => is.to_string(),
        DeValue::Datetime(at) => at.to_string(),
        DeValue::Array(items) => items.iter().map(|item| shown(item.get_ref())).collect::<Vec<_>>().join(", "),
        DeValue::Table(inner) => {
            let all: Vec<String> =
                inner.iter().map(|(key, value)| format!("{} = {}", key.get_ref(), shown(value.get_ref()))).collect();
            format!("{{ {} }}", all.join(", "))
        }
    }
}

struct Reader<'g> {
    given: &'g Given,
    answers: Answers,
    assumed: Vec<Assumed>,
    missing: Vec<Question>,
}

impl Reader<'_> {
    fn intake(&mut self, mut root: Table<'_>) -> Option<Intake> {
        let names = self.sender_names(&mut root);
        let planned = root.take("planned").map(|item| planned(&item)).unwrap_or_default();
        let mut tables: BTreeMap<&'static str, Option<Table<'_>>> = BTreeMap::new();
        for name in ["events", "volume", "processing", "idempotency", "ordering", "latency"] {
            let table = root.take(name).and_then(|item| item.table("a table with a line for each sender"));
            if let Some(table) = &table {
                unknown_senders(table, &names);
            }
            tables.insert(name, table);
        }
        let infrastructure = self.infrastructure(&mut root);
        let existing = self.existing(&mut root);
        let requirements = requirements(&mut root);
        root.finish();
        let senders = names.iter().map(|name| self.sender(name, &tables)).collect();
        Some(Intake {
            senders,
            planned,
            infrastructure,
            existing,
            requirements,
            answers: Answers::default(),
            assumed: Vec::new(),
        })
        .filter(|intake: &Intake| !intake.senders.is_empty())
    }

    fn sender_names(&mut self, root: &mut Table<'_>) -> Vec<String> {
        let read = |item: &Item<'_>| -> Vec<String> {
            let mut names: Vec<String> = Vec::new();
            for item in item.list("a list of senders, such as [\"stripe\", \"github\"]").unwrap_or_default() {
                let Some(name) = item.text("a sender's name in quotes") else { continue };
                let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
                    item.error(format!("{name:?} cannot be a name"), "use lower-case letters, digits and \"-\"");
                } else if names.iter().any(|n| n == name) {
                    item.error(format!("{name:?} is there twice"), "take one of the two out");
                } else if names.len() == SENDERS_MAX {
                    item.error(format!("more than {SENDERS_MAX} senders"), "make a set-up for some of them at a time");
                } else {
                    if senders::find(name).is_none() {
                        if let Some(meant) = suggest::nearest(name, senders::names()) {
                            let what = format!("no sender {name:?} is known; it becomes one that you describe");
                            item.warn(what, format!("did you mean {meant:?}?"));
                        }
                    }
                    names.push(name.to_owned());
                }
            }
            names
        };
        let found = root.take("senders").map(|item| {
            let names = read(&item);
            if names.is_empty() {
                item.error("no sender is named", "name at least one, such as [\"stripe\"]");
            }
            names
        });
        found.unwrap_or_else(|| {
            self.given("senders", |item| Some(read(item))).unwrap_or_else(|| {
                self.missing.push(questions::senders());
                Vec::new()
            })
        })
    }

    fn sender(&mut self, name: &str, tables: &BTreeMap<&'static str, Option<Table<'_>>>) -> SenderAnswers {
        let under = |table: &str| {
            let table = tables.get(table).and_then(Option::as_ref)?;
            table.named().into_iter().find(|(key, ..)| *key == name).map(|(_, _, item)| item)
        };
        let path = |table: &str| hookhaven_toml::document::path_of(table, name);
        let sender = senders::find(name);
        let events = under("events").map(|item| events(&item)).unwrap_or_default();
        if events.is_empty() {
            self.assume(path("events"), "every type that it sends", "no event types were named");
        }
        let volume = self.asked(under("volume"), &path("volume"), questions::volume(name), volume);
        let processing = self.asked(under("processing"), &path("processing"), questions::processing(name), processing);
        let once = self.asked(under("idempotency"), &path("idempotency"), questions::once(name), |item| {
            per_type(item, Once::Free, once)
        });
        let latency = self.asked(under("latency"), &path("latency"), questions::latency(name), |item| {
            per_type(item, LENIENT, |item| item.duration(Duration::from_millis(100)..=30 * DAY))
        });
        let ordering = under("ordering").and_then(|item| ordering(&item));
        let volume = volume.unwrap_or(Volume { per_day: 0, peak_day: 0, burst: None, body_bytes: BODY_BYTES });
        if under("volume").is_some_and(|item| item.under("body").at == item.at) {
            self.assume(path("volume") + ".body", &size::print(BODY_BYTES), "most senders stay under it");
        }
        let takes_said = under("processing").is_some_and(|item| item.under("takes").at != item.at);
        if !takes_said {
            let why = "nobody said how long the handler takes; measure it, and say so";
            self.assume(path("processing") + ".takes", &crate::words::duration(TAKES), why);
        }
        SenderAnswers {
            name: name.to_owned(),
            sender,
            events,
            volume,
            processing: processing.unwrap_or_else(|| of_text("")),
            once: once.unwrap_or(PerType::all(Once::Nice)),
            ordering: ordering.unwrap_or_else(|| PerType::all(no_order())),
            latency: latency.unwrap_or(PerType::all(LENIENT)),
        }
    }

    fn infrastructure(&mut self, root: &mut Table<'_>) -> Infrastructure {
        let mut table = root.take("infrastructure").and_then(|item| item.table("a table, [infrastructure]"));
        let mut take = |key| table.as_mut().and_then(|t| t.take(key));
        let (stack, hosting) = (take("stack"), take("hosting"));
        let [host, frameworks, public_url, handler_url, proxy] =
            ["host", "frameworks", "public_url", "handler_url", "proxy"].map(&mut take);
        let [nodes, downtime, alerts] = ["nodes", "downtime", "alerts"].map(&mut take);
        if let Some(table) = table {
            table.finish();
        }
        let stack =
            self.asked(stack, "infrastructure.stack", questions::stack(), |item| Some(texts(item))).unwrap_or_default();
        let hosting = self
            .asked(hosting, "infrastructure.hosting", questions::hosting(), |item| {
                item.text(IN_WORDS).map(str::to_owned)
            })
            .unwrap_or_default();
        let named = frameworks.map(|item| frameworks_of(&item)).unwrap_or_default();
        let read = text::frameworks(&stack);
        let frameworks = if named.is_empty() { read } else { named };
        if handler_url.is_none() {
            self.assume(
                "infrastructure.handler_url".to_owned(),
                HANDLER_URL,
                "where your handlers listen was not said",
            );
        }
        Infrastructure {
            host: host.and_then(|item| item.one_of(HOSTS)).unwrap_or_else(|| text::host(&hosting, &stack)),
            has_postgres: text::has_postgres(&stack),
            frameworks,
            stack,
            hosting,
            public_url: public_url
                .and_then(|item| item.http_url("https://hooks.example.com"))
                .map(|url| url.as_str().trim_end_matches('/').to_owned()),
            handler_url: handler_url
                .and_then(|item| item.http_url(HANDLER_URL))
                .map_or_else(|| HANDLER_URL.to_owned(), |url| url.as_str().trim_end_matches('/').to_owned()),
            proxy: proxy.and_then(|item| item.text(IN_WORDS).map(str::to_owned)),
            nodes_min: nodes.and_then(|item| item.count(1..=64)).map_or(1, u32::from),
            downtime: downtime.and_then(|item| item.duration(Duration::from_secs(1)..=30 * DAY)),
            alert_channels: alerts.map(|item| channels(&item)).unwrap_or_default(),
        }
    }

    fn existing(&mut self, root: &mut Table<'_>) -> Existing {
        let mut table = root.take("existing").and_then(|item| item.table("a table, [existing]"));
        let mut take = |key| table.as_mut().and_then(|t| t.take(key));
        let [state, kind, incidents, verifies] = ["state", "kind", "incidents", "verifies"].map(&mut take);
        if let Some(table) = table {
            table.finish();
        }
        let state = self
            .asked(state, "existing.state", questions::state(), |item| item.text(IN_WORDS).map(str::to_owned))
            .unwrap_or_default();
        let incidents = incidents.map(|item| texts(&item)).unwrap_or_default();
        Existing {
            kind: kind.and_then(|item| item.one_of(STATES)).unwrap_or_else(|| text::state(&state)),
            troubles: text::troubles(&incidents),
            verifies: verifies.and_then(|item| item.boolean()).or_else(|| text::verifies(&state)),
            state,
            incidents,
        }
    }

    /// From the file, else from what was given beside it; otherwise it is missing.
    fn asked<T>(
        &mut self,
        item: Option<Item<'_>>,
        path: &str,
        question: Question,
        read: impl Fn(&Item<'_>) -> Option<T>,
    ) -> Option<T> {
        match item {
            Some(item) => read(&item),
            None => {
                let found = self.given(path, &read);
                if found.is_none() {
                    self.missing.push(question);
                }
                found
            }
        }
    }

    /// An answer that was given beside the file. One that cannot be read is as good as none.
    fn given<T>(&mut self, path: &str, read: impl Fn(&Item<'_>) -> Option<T>) -> Option<T> {
        let text = format!("answer = {}", self.given.get(path)?);
        let doc = Document::new(Path::new("answer"), &text);
        let root = DeTable::parse(&text).ok()?;
        let item = Table::new(&doc, String::new(), 0..0, root.get_ref()).take("answer")?;
        let found = read(&item);
        found.filter(|_| !doc.has_errors())
    }

    fn assume(&mut self, path: String, value: &str, why: &str) {
        self.assumed.push(Assumed { path, value: value.to_owned(), why: why.to_owned() });
    }
}

const IN_WORDS: &str = "a few words in quotes";

const HOSTS: &[(&str, Host)] = &[
    ("serverless", Host::Serverless),
    ("machine", Host::Machine),
    ("containers", Host::Containers),
    ("kubernetes", Host::Kubernetes),
    ("platform", Host::Platform),
];

const STATES: &[(&str, State)] = &[
    ("nothing", State::Nothing),
    ("synchronous", State::Synchronous),
    ("queued", State::Queued),
    ("mature", State::Mature),
    ("hosted", State::Hosted),
];

const KINDS: &[(&str, OrderKind)] =
    &[("none", OrderKind::None), ("wished", OrderKind::Wished), ("strict", OrderKind::Strict)];

fn unknown_senders(table: &Table<'_>, names: &[String]) {
    for (key, _, item) in table.named() {
        if !names.is_empty() && !names.iter().any(|name| name == key) {
            let mend = suggest::mend(key, names.iter().map(String::as_str), "senders");
            item.error(format!("{key:?} is not among the senders"), mend);
        }
    }
}

fn planned(item: &Item<'_>) -> Vec<Planned> {
    let wanted = "a list such as [{ sender = \"twilio\", in_months = 6 }]";
    let one = |item: &Item<'_>| {
        let mut table = item.table(wanted)?;
        let name = table.require("sender", "add sender = \"NAME\"").and_then(|item| item.text("a name in quotes"));
        let in_months = table.take("in_months").and_then(|item| item.integer(0..=120));
        table.finish();
        let name = name?.to_owned();
        Some(Planned { sender: senders::find(&name), name, in_months: in_months.and_then(|n| u32::try_from(n).ok()) })
    };
    item.list(wanted).unwrap_or_default().iter().filter_map(one).collect()
}

fn events(item: &Item<'_>) -> Vec<String> {
    let items = item.list("a list of event types, such as [\"invoice.*\"]").unwrap_or_default();
    if items.len() > EVENTS_MAX {
        item.error(format!("more than {EVENTS_MAX} types"), "use patterns, such as \"invoice.*\"");
        return Vec::new();
    }
    let mut types: Vec<String> = Vec::new();
    for item in &items {
        let Some(text) = item.text("an event type in quotes") else { continue };
        match hookhaven_core::glob::Glob::parse(text) {
            Err(why) => item.error(format!("bad pattern {text:?}"), why.to_string()),
            Ok(_) if types.iter().any(|t| t == text) => item.warn("it is there twice", "take one of the two out"),
            Ok(_) => types.push(text.to_owned()),
        }
    }
    types
}

fn volume(item: &Item<'_>) -> Option<Volume> {
    const PER_DAY_MAX: u64 = 10_000_000_000;
    if matches!(item.value, DeValue::Integer(_)) {
        let per_day = item.integer(0..=PER_DAY_MAX)?;
        return Some(Volume { per_day, peak_day: per_day, burst: None, body_bytes: BODY_BYTES });
    }
    let mut table = item.table("events a day, or a table such as { per_day = 5000, peak_day = 20000 }")?;
    let per_day = table.require("per_day", "add per_day = 5000").and_then(|item| item.integer(0..=PER_DAY_MAX));
    let peak_day = table.take("peak_day").map_or(Some(None), |item| item.integer(0..=PER_DAY_MAX).map(Some));
    let burst = table.take("burst").map_or(Some(None), |item| burst(&item).map(Some));
    let body = table.take("body").map_or(Some(BODY_BYTES), |item| item.size(1..=60 << 20));
    table.finish();
    let per_day = per_day?;
    Some(Volume { per_day, peak_day: peak_day?.unwrap_or(per_day), burst: burst?, body_bytes: body? })
}

fn burst(item: &Item<'_>) -> Option<Burst> {
    let mut table = item.table("a table such as { events = 2000, within = \"1m\" }")?;
    let events = table.require("events", "add events = 2000").and_then(|item| item.integer(1..=10_000_000_000));
    let within = table.require("within", "add within = \"1m\"");
    let within = within.and_then(|item| item.duration(Duration::from_secs(1)..=DAY));
    table.finish();
    Some(Burst { events: events?, within: within? })
}

fn processing(item: &Item<'_>) -> Option<Processing> {
    if let DeValue::String(text) = item.value {
        return Some(of_text(text));
    }
    let mut table = item.table("what the handler does, in words, or { does = \"…\", takes = \"2s\" }")?;
    let does = table.require("does", "add does = \"…\", what the handler does").and_then(|item| item.text(IN_WORDS));
    let takes = table.take("takes").map_or(Some(TAKES), |item| item.duration(Duration::from_millis(1)..=DAY));
    let answers = table.take("answers_user").map_or(Some(None), |item| item.boolean().map(Some));
    table.finish();
    let read = of_text(does?);
    Some(Processing { takes: takes?, answers_user: answers?.unwrap_or(read.answers_user), ..read })
}

fn of_text(words: &str) -> Processing {
    Processing {
        text: words.to_owned(),
        effects: text::effects(words),
        takes: TAKES,
        answers_user: text::answers_user(words),
    }
}

/// One value, or a table of types, in which `default` is for the others.
fn per_type<T>(item: &Item<'_>, rest: T, read: impl Fn(&Item<'_>) -> Option<T>) -> Option<PerType<T>> {
    let DeValue::Table(_) = item.value else { return read(item).map(PerType::all) };
    let table = item.table("one answer, or a table of event types")?;
    let mut all = Some(rest);
    let mut some = Vec::new();
    for (key, _, item) in table.named() {
        match key {
            "default" => all = read(&item),
            _ => some.extend(read(&item).map(|value| (key.to_owned(), value))),
        }
    }
    Some(PerType { all: all?, some })
}

fn once(item: &Item<'_>) -> Option<Once> {
    item.one_of(&[("must", Once::Must), ("nice", Once::Nice), ("no", Once::Free)])
}

fn no_order() -> OrderWish {
    OrderWish { kind: OrderKind::None, text: String::new(), key: None }
}

fn ordering(item: &Item<'_>) -> Option<PerType<OrderWish>> {
    let is_one = item.under("mode").at != item.at;
    if is_one { order(item).map(PerType::all) } else { per_type(item, no_order(), order) }
}

fn order(item: &Item<'_>) -> Option<OrderWish> {
    if let DeValue::String(words) = item.value {
        return Some(OrderWish { kind: text::order(words), text: words.to_string(), key: None });
    }
    let mut table = item.table("what has to be in order, in words, or { mode = \"strict\", key = \"json:/path\" }")?;
    let kind = table.require("mode", "add mode = \"strict\", \"wished\" or \"none\"");
    let kind = kind.and_then(|item| item.one_of(KINDS));
    let key = table.take("key").and_then(|item| {
        let text = item.text("a place in quotes, such as \"json:/customer\"")?;
        let fine = text.starts_with("json:/") || text.starts_with("header:");
        if !fine {
            item.error(format!("{text:?} is no place"), "write \"json:/path/in/body\" or \"header:NAME\"");
        }
        fine.then(|| text.to_owned())
    });
    let said = table.take("text").and_then(|item| item.text(IN_WORDS).map(str::to_owned));
    table.finish();
    Some(OrderWish { kind: kind?, text: said.unwrap_or_default(), key })
}

fn texts(item: &Item<'_>) -> Vec<String> {
    let items = item.list("a list of words in quotes").unwrap_or_default();
    items.iter().filter_map(|item| item.text("a text in quotes").map(str::to_owned)).collect()
}

fn frameworks_of(item: &Item<'_>) -> Vec<super::Framework> {
    let items = item.list("a list such as [\"fastify\"]").unwrap_or_default();
    items.iter().filter_map(|item| item.one_of(text::FRAMEWORKS)).collect()
}

fn channels(item: &Item<'_>) -> Vec<String> {
    let kinds = ["slack", "pagerduty", "webhook", "email"].map(|kind| (kind, kind));
    let items = item.list("a list such as [\"slack\"]").unwrap_or_default();
    items.iter().filter_map(|item| item.one_of(&kinds).map(str::to_owned)).collect()
}

fn requirements(root: &mut Table<'_>) -> Requirements {
    let table = root.take("requirements").and_then(|item| item.table("a table, [requirements]"));
    let Some(mut table) = table else { return Requirements::default() };
    let retention = table.take("retention").and_then(|item| item.duration(DAY..=3_650 * DAY));
    let regulated = table.take("regulated").and_then(|item| item.text(IN_WORDS).map(str::to_owned));
    let budget = table.take("budget_per_month").and_then(|item| item.integer(0..=10_000_000));
    table.finish();
    Requirements { retention, regulated, budget_per_month: budget }
}
