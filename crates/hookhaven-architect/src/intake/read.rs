//! The intake file, and answers given one by one, as an [`Intake`]; or everything that is wrong with it, or everything
//! that is missing.
//!
//! Not here: single answers (`values`), what free text means (`text`), which questions there are (`questions`).

use std::{collections::BTreeMap, path::Path, time::Duration};

use hookhaven_toml::{Document, Item, Problem, Severity, Table, document::path_of, size};
use toml::de::DeTable;

use super::{
    Answers, Assumed, Existing, Infrastructure, Intake, Once, PerType, Requirements, SenderAnswers, Understood, Volume,
    names,
    questions::{self, Question},
    senders::{self, Named, Senders},
    tables::{Said, Tables},
    text, understood,
    values::{self, BODY_BYTES, LENIENT, TAKES},
    written,
};

/// Of an intake file.
pub const FILE_BYTES_MAX: usize = 1 << 20;

const DAY: Duration = Duration::from_secs(86_400);
const HANDLER_URL: &str = "http://127.0.0.1:3000";

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// `None` if there are errors, or answers are missing.
    pub intake: Option<Intake>,
    /// In the order they are asked in.
    pub missing: Vec<Question>,
    /// Not needed, and not said: what a person who is asked anyway may like to say.
    pub offered: Vec<Question>,
    /// In the file's order, then those of answers given beside it; warnings too.
    pub problems: Vec<Problem>,
}

/// Answers given beside the file, as TOML values by path. They count where the file says nothing.
pub type Given = BTreeMap<String, String>;

/// Reads the text of `file`.
pub fn read(file: &Path, text: &str, given: &Given) -> Read {
    read_with(file, text, given, false)
}

/// The same; where nobody said, the questions' defaults are taken, and stand among what was assumed.
pub fn read_with_defaults(file: &Path, text: &str, given: &Given) -> Read {
    read_with(file, text, given, true)
}

fn read_with(file: &Path, text: &str, given: &Given, defaults: bool) -> Read {
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
    let mut reader = Reader {
        given,
        defaults,
        assumed: Vec::new(),
        understood: Vec::new(),
        missing: Vec::new(),
        offered: Vec::new(),
        beside: Vec::new(),
    };
    let intake = reader.intake(Table::new(&doc, String::new(), 0..0, root.get_ref()));
    let wrong = doc.has_errors() || reader.beside.iter().any(Problem::is_error);
    let whole = reader.missing.is_empty() && !wrong && !intake.senders.is_empty();
    let Reader { missing, offered, beside, assumed, mut understood, .. } = reader;
    // What was only assumed is nobody's own words.
    understood.retain(|read| !assumed.iter().any(|assumed| assumed.path == read.path));
    let intake = whole.then(|| {
        let by_path = match written::whole(text, given).as_deref().map(DeTable::parse) {
            Some(Ok(all)) => written::by_path(all.get_ref()),
            _ => written::by_path(root.get_ref()),
        };
        Intake { answers: Answers { by_path }, assumed, understood, ..intake }
    });
    let problems = doc.into_problems().0.into_iter().chain(beside).collect();
    Read { intake, missing, offered, problems }
}

struct Reader<'g> {
    given: &'g Given,
    defaults: bool,
    assumed: Vec<Assumed>,
    understood: Vec<Understood>,
    missing: Vec<Question>,
    offered: Vec<Question>,
    /// What is wrong with answers that were given beside the file.
    beside: Vec<Problem>,
}

impl Reader<'_> {
    fn intake(&mut self, mut root: Table<'_>) -> Intake {
        let Senders { named, refused } = self.senders(&mut root);
        let names: Vec<String> = named.iter().map(|named| named.name.clone()).collect();
        let planned = root.take("planned").map(|item| senders::planned(&item, &names)).unwrap_or_default();
        let tables = Tables::take(&mut root, &names, &refused);
        let senders = named.into_iter().map(|named| self.sender(named, &tables)).collect();
        let infrastructure = self.infrastructure(&mut root);
        let existing = self.existing(&mut root);
        let requirements = requirements(&mut root);
        root.finish();
        Intake {
            senders,
            planned,
            infrastructure,
            existing,
            requirements,
            answers: Answers::default(),
            assumed: Vec::new(),
            understood: Vec::new(),
        }
    }

    fn senders(&mut self, root: &mut Table<'_>) -> Senders {
        let item = root.take("senders");
        self.asked(item, "senders", questions::senders, senders::named).unwrap_or_default()
    }

    fn sender(&mut self, named: Named, tables: &Tables<'_>) -> SenderAnswers {
        let Named { name, sender } = named;
        let path = |table: &str| path_of(table, &name);
        let under = |table: &str| tables.of(table, &name);
        let events = self.optional(
            under("events"),
            &path("events"),
            || questions::events(&name),
            tables.has("events"),
            |item| values::events(item, sender),
        );
        let volume = self.asked(under("volume"), &path("volume"), || questions::volume(&name), values::volume);
        let processing =
            self.asked(under("processing"), &path("processing"), || questions::processing(&name), values::processing);
        let once = self.asked(
            under("idempotency"),
            &path("idempotency"),
            || questions::once(&name),
            |item| values::per_type(item, Once::Free, values::once),
        );
        let latency = self.asked(
            under("latency"),
            &path("latency"),
            || questions::latency(&name),
            |item| values::per_type(item, LENIENT, values::latency),
        );
        let ordering = self.optional(
            under("ordering"),
            &path("ordering"),
            || questions::ordering(&name),
            tables.has("ordering"),
            values::ordering,
        );
        if events.is_none() {
            self.assume(path("events"), "every type that it sends", "no event types were named");
        }
        // Every type is what nobody names, too.
        let events = events.unwrap_or_default();
        let events = if events == ["*"] { Vec::new() } else { events };
        for table in ["idempotency", "ordering", "latency"] {
            if let Some(item) = under(table).filter(|item| table != "ordering" || !values::is_one_order(item)) {
                values::unnamed_types(&item, &events, sender);
            }
        }
        let answers = SenderAnswers {
            sender,
            events,
            volume: volume.unwrap_or(Volume { per_day: 0, peak_day: 0, burst: None, body_bytes: BODY_BYTES }),
            processing: processing.unwrap_or_else(|| values::of_text("")),
            once: once.unwrap_or(PerType::all(Once::Nice)),
            ordering: ordering.unwrap_or_else(|| PerType::all(values::no_order())),
            latency: latency.unwrap_or(PerType::all(LENIENT)),
            name: name.clone(),
        };
        let said = Said { given: self.given, tables, name: &answers.name };
        self.details(&answers, &said);
        self.understood
            .extend(understood::of_sender(&answers, |table, of_type, key| said.outright(table, of_type, key)));
        answers
    }

    /// What was left out of an answer that was given.
    fn details(&mut self, answers: &SenderAnswers, said: &Said<'_>) {
        let rest_said = |table: &str| !said.by_type(table) || said.outright(table, None, "default");
        let why_rest = "of these types something was said, and nothing of the others";
        if !said.outright("volume", None, "body") {
            self.assume(answers.path("volume") + ".body", &size::print(BODY_BYTES), "most senders stay under it");
        }
        let takes_said = said.outright("processing", None, "takes");
        if !takes_said && !matches!(text::work(&answers.processing.text), Some((_, Ok(_)))) {
            let why = "nobody said how long the handler takes; measure it, and say so";
            self.assume(answers.path("processing") + ".takes", &crate::words::duration(TAKES), why);
        }
        if !rest_said("idempotency") {
            self.assume(answers.path("idempotency") + ".default", "no", why_rest);
        }
        if !rest_said("latency") {
            self.assume(answers.path("latency") + ".default", &crate::words::duration(LENIENT), why_rest);
        }
    }

    fn infrastructure(&mut self, root: &mut Table<'_>) -> Infrastructure {
        let mut table = root.take("infrastructure").and_then(|item| item.table("a table, [infrastructure]"));
        let mut take = |key| table.as_mut().and_then(|t| t.take(key));
        let (stack, hosting) = (take("stack"), take("hosting"));
        let [host, frameworks, postgres, public_url, handler_url, proxy] =
            ["host", "frameworks", "postgres", "public_url", "handler_url", "proxy"].map(&mut take);
        let [nodes, downtime, alerts] = ["nodes", "downtime", "alerts"].map(&mut take);
        if let Some(table) = table {
            table.finish();
        }
        let stack = self.asked(stack, "infrastructure.stack", questions::stack, values::texts).unwrap_or_default();
        let hosting = self.asked(hosting, "infrastructure.hosting", questions::hosting, values::words);
        let hosting = hosting.unwrap_or_default();
        if handler_url.is_none() {
            let why = "where your handlers listen was not said";
            self.assume("infrastructure.handler_url".to_owned(), HANDLER_URL, why);
        }
        let outright = [host.is_some(), frameworks.is_some(), postgres.is_some()];
        let infrastructure = Infrastructure {
            host: host.and_then(|item| item.one_of(names::HOSTS)).unwrap_or_else(|| text::host(&hosting, &stack)),
            has_postgres: postgres.and_then(|item| item.boolean()).unwrap_or_else(|| text::has_postgres(&stack)),
            frameworks: frameworks
                .and_then(|item| values::frameworks(&item))
                .unwrap_or_else(|| text::frameworks(&stack)),
            stack,
            hosting,
            public_url: public_url.and_then(|item| values::base_url(&item, "https://hooks.example.com")),
            handler_url: handler_url
                .and_then(|item| values::base_url(&item, HANDLER_URL))
                .unwrap_or_else(|| HANDLER_URL.to_owned()),
            proxy: proxy.and_then(|item| values::words(&item)),
            nodes_min: nodes.and_then(|item| item.count(1..=64)).map_or(1, u32::from),
            downtime: downtime.and_then(|item| item.duration(Duration::from_secs(1)..=30 * DAY)),
            alert_channels: alerts.and_then(|item| values::channels(&item)).unwrap_or_default(),
        };
        self.understood.extend(understood::of_infrastructure(&infrastructure, outright));
        infrastructure
    }

    fn existing(&mut self, root: &mut Table<'_>) -> Existing {
        let mut table = root.take("existing").and_then(|item| item.table("a table, [existing]"));
        let mut take = |key| table.as_mut().and_then(|t| t.take(key));
        let [state, kind, incidents, troubles, verifies] =
            ["state", "kind", "incidents", "troubles", "verifies"].map(&mut take);
        if let Some(table) = table {
            table.finish();
        }
        let state = self.asked(state, "existing.state", questions::state, values::words).unwrap_or_default();
        let incidents = incidents.and_then(|item| values::texts(&item)).unwrap_or_default();
        let outright = [kind.is_some(), troubles.is_some(), verifies.is_some()];
        let existing = Existing {
            kind: kind.and_then(|item| item.one_of(names::STATES)).unwrap_or_else(|| text::state(&state)),
            troubles: troubles.and_then(|item| values::troubles(&item)).unwrap_or_else(|| text::troubles(&incidents)),
            verifies: verifies.and_then(|item| item.boolean()).or_else(|| text::verifies(&state)),
            state,
            incidents,
        };
        self.understood.extend(understood::of_existing(&existing, outright));
        existing
    }

    /// From the file, else from what was given beside it, else the default if those are taken; otherwise it is missing.
    fn asked<T>(
        &mut self,
        item: Option<Item<'_>>,
        path: &str,
        question: impl FnOnce() -> Question,
        read: impl Fn(&Item<'_>) -> Option<T>,
    ) -> Option<T> {
        if let Some(item) = item {
            return read(&item);
        }
        if let Some(given) = self.given.get(path) {
            return self.read_beside(path, given, read);
        }
        let question = question();
        match question.default.clone().filter(|_| self.defaults) {
            Some(default) => {
                let value = questions::bare(&default);
                let value = if value.is_empty() { "nothing" } else { &value };
                self.assume(path.to_owned(), value, "nobody said");
                self.read_beside(path, &default, read)
            }
            None => {
                self.missing.push(question);
                None
            }
        }
    }

    /// The same for what may be left out. It is offered where nothing of its kind is said at all.
    fn optional<T>(
        &mut self,
        item: Option<Item<'_>>,
        path: &str,
        question: impl FnOnce() -> Question,
        said_of_others: bool,
        read: impl Fn(&Item<'_>) -> Option<T>,
    ) -> Option<T> {
        match (item, self.given.get(path)) {
            (Some(item), _) => read(&item),
            (None, Some(given)) => self.read_beside(path, given, read),
            (None, None) => {
                if !said_of_others {
                    self.offered.push(question());
                }
                None
            }
        }
    }

    /// A value that stands in no file. What is wrong with it is reported under its path.
    fn read_beside<T>(&mut self, path: &str, value: &str, read: impl Fn(&Item<'_>) -> Option<T>) -> Option<T> {
        let text = format!("answer = {value}");
        let doc = Document::new(Path::new("answer"), &text);
        let found = match DeTable::parse(&text) {
            Ok(root) => {
                let item = Table::new(&doc, String::new(), 0..0, root.get_ref()).take("answer");
                item.and_then(|item| read(&item))
            }
            Err(error) => {
                doc.report(Severity::Error, &(0..0), "answer", format!("not TOML: {}", error.message()), String::new());
                None
            }
        };
        let problems = doc.into_problems().0.into_iter().map(|problem| {
            let key = problem.key.strip_prefix("answer").map(|rest| format!("{path}{rest}"));
            Problem { file: None, position: None, key: key.unwrap_or_else(|| path.to_owned()), ..problem }
        });
        self.beside.extend(problems);
        found
    }

    fn assume(&mut self, path: String, value: &str, why: &str) {
        self.assumed.push(Assumed { path, value: value.to_owned(), why: why.to_owned() });
    }
}

fn requirements(root: &mut Table<'_>) -> Requirements {
    let table = root.take("requirements").and_then(|item| item.table("a table, [requirements]"));
    let Some(mut table) = table else { return Requirements::default() };
    let retention = table.take("retention").and_then(|item| item.duration(DAY..=3_650 * DAY));
    let regulated = table.take("regulated").and_then(|item| values::words(&item));
    let budget = table.take("budget_per_month").and_then(|item| item.integer(0..=10_000_000));
    table.finish();
    Requirements { retention, regulated, budget_per_month: budget }
}
