//! A TOML document that knows where everything stands: tables that notice unknown keys, items that
//! complain with file, line, column and key path.
//!
//! Nothing here knows what the keys mean.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use crate::{
    problem::{Places, Position, Problem, Severity},
    suggest,
};

/// The text, and what was found wrong with it so far.
#[derive(Debug)]
pub struct Document<'d> {
    file: PathBuf,
    text: &'d str,
    /// Each with the offset that it stands at, as are the keys.
    problems: RefCell<Vec<(usize, Problem)>>,
    places: RefCell<BTreeMap<String, usize>>,
}

impl<'d> Document<'d> {
    pub fn new(file: &Path, text: &'d str) -> Self {
        Document { file: file.to_owned(), text, problems: RefCell::default(), places: RefCell::default() }
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The piece of the text, for repeating a name.
    pub fn slice(&self, at: &Range<usize>) -> &'d str {
        self.text.get(at.clone()).unwrap_or_default()
    }

    /// From a name in a `[table]` header to the next header; empty for a name that is in no header.
    pub fn table_begun_at(&self, name: &Range<usize>) -> Range<usize> {
        let (before, after) = (self.text.get(..name.start), self.text.get(name.end..));
        let line = before.and_then(|text| text.rsplit('\n').next()).unwrap_or_default();
        if !line.trim_start().starts_with('[') {
            return name.end..name.end;
        }
        let next = after.and_then(|text| text.find("\n[")).map_or(self.text.len(), |n| name.end + n);
        name.end..next
    }

    pub fn report(&self, severity: Severity, at: &Range<usize>, key: &str, what: String, mend: String) {
        let problem = Problem {
            severity,
            file: Some(self.file.clone()),
            position: None,
            key: one_line(key.to_owned()),
            what: one_line(what),
            mend: one_line(mend),
        };
        self.problems.borrow_mut().push((at.start, problem));
    }

    /// Everything reported, in the file's order, each thing once; and where each key stands.
    pub fn into_problems(self) -> (Vec<Problem>, Places) {
        let (mut problems, places) = (self.problems.into_inner(), self.places.into_inner());
        problems.sort_by_key(|(offset, _)| *offset);
        let position = positions(self.text, problems.iter().map(|(offset, _)| offset).chain(places.values()));
        let place =
            |(offset, problem): (usize, Problem)| Problem { position: position.get(&offset).copied(), ..problem };
        let mut problems: Vec<Problem> = problems.into_iter().map(place).collect();
        problems.dedup();
        let keys = places.into_iter().filter_map(|(key, offset)| Some((key, *position.get(&offset)?))).collect();
        (problems, Places { file: Some(self.file), keys })
    }

    pub fn has_errors(&self) -> bool {
        self.problems.borrow().iter().any(|(_, problem)| problem.is_error())
    }

    fn remember(&self, key: &str, at: &Range<usize>) {
        self.places.borrow_mut().insert(key.to_owned(), at.start);
    }
}

/// Lines and columns of all these offsets, in one walk through the text: a file may have as many keys as lines.
fn positions<'o>(text: &str, offsets: impl Iterator<Item = &'o usize>) -> BTreeMap<usize, Position> {
    let wanted: BTreeSet<usize> = offsets.copied().collect();
    let mut wanted = wanted.into_iter().peekable();
    let mut found = BTreeMap::new();
    let mut here = Position { line: 1, column: 1 };
    // What lies within a character, or behind the end, stands where the next one would.
    for (at, c) in text.char_indices() {
        while let Some(offset) = wanted.next_if(|offset| *offset <= at) {
            found.insert(offset, here);
        }
        here = match c {
            '\n' => Position { line: here.line + 1, column: 1 },
            _ => Position { column: here.column + 1, ..here },
        };
    }
    found.extend(wanted.map(|offset| (offset, here)));
    found
}

/// One table being read. Every key is asked for exactly once, by name; [`Table::finish`] then complains
/// of the others.
#[derive(Debug)]
pub struct Table<'d> {
    pub doc: &'d Document<'d>,
    /// Such as `sources.stripe`; empty for the root.
    pub path: String,
    /// Where its name stands: what is missing in it is reported there.
    pub at: Range<usize>,
    entries: &'d DeTable<'d>,
    known: Vec<&'static str>,
    /// Keys that are not there and must be, each with how to mend it.
    missing: Vec<(&'static str, String)>,
}

impl<'d> Table<'d> {
    pub fn new(doc: &'d Document<'d>, path: String, at: Range<usize>, entries: &'d DeTable<'d>) -> Self {
        Table { doc, path, at, entries, known: Vec::new(), missing: Vec::new() }
    }

    /// The same table, with its name standing at `at`.
    pub fn named_at(self, at: Range<usize>) -> Self {
        Table { at, ..self }
    }

    /// The item under a key that may be absent.
    pub fn take(&mut self, key: &'static str) -> Option<Item<'d>> {
        self.known.push(key);
        let item = self.get(key)?;
        self.doc.remember(&item.path, &item.at);
        Some(item)
    }

    /// The item under one of the user's own names.
    pub fn get(&self, name: &str) -> Option<Item<'d>> {
        let value = self.entries.get(name)?;
        Some(Item { doc: self.doc, path: self.path_of(name), at: value.span(), value: value.get_ref() })
    }

    /// The item under a key that must be there; [`Table::finish`] reports its absence.
    pub fn require(&mut self, key: &'static str, mend: impl Into<String>) -> Option<Item<'d>> {
        let item = self.take(key);
        if item.is_none() {
            self.missing.push((key, mend.into()));
        }
        item
    }

    /// All entries by name, in the file's order, for tables whose keys are the user's own names.
    pub fn named(&self) -> Vec<(&'d str, Range<usize>, Item<'d>)> {
        let mut all: Vec<_> = self
            .entries
            .iter()
            .map(|(name, value)| {
                let key = &**name.get_ref();
                let item = Item { doc: self.doc, path: self.path_of(key), at: value.span(), value: value.get_ref() };
                self.doc.remember(&item.path, &name.span());
                (key, name.span(), item)
            })
            .collect();
        all.sort_by_key(|(_, at, _)| at.start);
        all
    }

    /// Something is wrong with the table as a whole.
    pub fn error(&self, what: impl Into<String>, mend: impl Into<String>) {
        self.doc.report(Severity::Error, &self.at, &self.path, what.into(), mend.into());
    }

    pub fn warn(&self, what: impl Into<String>, mend: impl Into<String>) {
        self.doc.report(Severity::Warning, &self.at, &self.path, what.into(), mend.into());
    }

    /// Complains of every key that nobody asked for, and of every one that must be there and is not. A
    /// mistyped key is told once, not as unknown and as missing.
    pub fn finish(self) {
        let unknown = self.entries.iter().filter(|(name, _)| !self.known.contains(&&**name.get_ref()));
        let mut meant = Vec::new();
        for (name, _) in unknown {
            let key = &**name.get_ref();
            meant.extend(suggest::nearest(key, self.known.iter().copied()));
            let mend = suggest::mend(key, self.known.iter().copied(), "known keys");
            self.doc.report(Severity::Error, &name.span(), &self.path_of(key), "unknown key".to_owned(), mend);
        }
        for (key, mend) in self.missing.iter().filter(|(key, _)| !meant.contains(key)) {
            self.error(format!("{key} is missing"), mend.clone());
        }
    }

    fn path_of(&self, key: &str) -> String {
        path_of(&self.path, key)
    }
}

/// Where a key of a table stands, as in `sources.stripe`: in quotes if it could not stand there bare.
pub fn path_of(table: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if table.is_empty() { key } else { format!("{table}.{key}") }
}

/// Names may hold anything that TOML can escape; a message that repeats one stays one line and does
/// nothing to a terminal.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let escaped = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// One value with its place.
#[derive(Clone, Debug)]
pub struct Item<'d> {
    pub doc: &'d Document<'d>,
    pub path: String,
    pub at: Range<usize>,
    pub value: &'d DeValue<'d>,
}

impl<'d> Item<'d> {
    pub fn error(&self, what: impl Into<String>, mend: impl Into<String>) {
        self.doc.report(Severity::Error, &self.at, &self.path, what.into(), mend.into());
    }

    pub fn warn(&self, what: impl Into<String>, mend: impl Into<String>) {
        self.doc.report(Severity::Warning, &self.at, &self.path, what.into(), mend.into());
    }

    /// The value is of the wrong kind, e.g. `expected a duration, such as "10s", not a number`.
    pub fn expected(&self, wanted: &str) {
        self.error(format!("expected {wanted}, not {}", kind(self.value)), "");
    }

    pub fn text(&self, wanted: &str) -> Option<&'d str> {
        match self.value {
            DeValue::String(text) => Some(text),
            _ => {
                self.expected(wanted);
                None
            }
        }
    }

    /// Whether it is this very text.
    pub fn is_text(&self, word: &str) -> bool {
        matches!(self.value, DeValue::String(text) if text == word)
    }

    pub fn list(&self, wanted: &str) -> Option<Vec<Item<'d>>> {
        let DeValue::Array(values) = self.value else {
            self.expected(wanted);
            return None;
        };
        let item = |(n, value): (usize, &'d toml::Spanned<DeValue<'d>>)| Item {
            doc: self.doc,
            path: format!("{}[{n}]", self.path),
            at: value.span(),
            value: value.get_ref(),
        };
        Some(values.iter().enumerate().map(item).collect())
    }

    /// Whether this is a table that has `key`.
    pub fn has(&self, key: &str) -> bool {
        self.value.as_table().is_some_and(|entries| entries.contains_key(key))
    }

    /// What stands under `key`, if this is a table that has it; else this item itself.
    pub fn under(&self, key: &str) -> Item<'d> {
        match self.value.as_table().and_then(|entries| entries.get(key)) {
            Some(value) => {
                Item { doc: self.doc, path: path_of(&self.path, key), at: value.span(), value: value.get_ref() }
            }
            None => self.clone(),
        }
    }

    pub fn table(&self, wanted: &str) -> Option<Table<'d>> {
        match self.value {
            DeValue::Table(entries) => Some(Table::new(self.doc, self.path.clone(), self.at.clone(), entries)),
            _ => {
                self.expected(wanted);
                None
            }
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a point or an exponent",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
