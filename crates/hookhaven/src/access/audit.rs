//! The audit log: who did what, when, from where, and what it was before and after.
//!
//! It is kept in the store's catalog, several entries to a *page*, which is one entry there: so it is on every store,
//! survives restarts and copies, and costs little. A page belongs to the process that began it, so nodes never write
//! the same one; its name is the id of its first entry, so pages sort by time. What comes while a page is being
//! written joins the next writing. The oldest pages go once there are more than [`ENTRIES_MAX`] entries.
//!
//! Writing is done when the doer is answered, unless the store is in trouble: then it is tried again for a while, and
//! the log line, which is always written, is what remains.
//!
//! Not here: what is worth an entry (the guard of `api`: every request that writes; `app`: what the gateway does).

use std::{
    cmp::Reverse,
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use hookhaven_core::{AuditId, Time};
use hookhaven_store::{
    CatalogEntry, Page, Store, StoreError,
    clock::{Clock, Entropy},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Kind of the catalog entries that hold the pages.
pub const AUDIT_KIND: &str = "audit";
/// Entries that are kept, give or take a page.
pub const ENTRIES_MAX: usize = 10_000;
/// Bytes that are kept, give or take a page.
const KEPT_BYTES_MAX: usize = 16 << 20;
const PAGE_ENTRIES_MAX: usize = 64;
const PAGE_BYTES_MAX: usize = 32 << 10;
/// Longest path, subject or name in an entry.
const TEXT_BYTES_MAX: usize = 300;
/// Longest state before or after, as JSON; a longer one is left out.
const STATE_BYTES_MAX: usize = 2_000;
/// Entries that wait for a store in trouble.
const WAITING_MAX: usize = 1_000;
/// How long a doer is kept waiting for the writing.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// Between tries to write, and how many there are.
const AGAIN: Duration = Duration::from_secs(1);
const TRIES_MAX: usize = 60;

/// What was done, before it has an id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// A token's name, `admin token`, `command line`, `config` or `system`.
    pub who: String,
    /// Id of the token.
    pub token: Option<String>,
    pub address: Option<String>,
    /// What kind of thing was done, e.g. `destinations.pause`.
    pub action: String,
    /// To what.
    pub subject: Option<String>,
    pub method: Option<String>,
    pub path: Option<String>,
    /// What was answered.
    pub status: Option<u16>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What a handler adds to the entry of its request, as an extension of its answer. Holds no secret.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    /// Instead of what the path names.
    pub subject: Option<String>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Note {
    /// What came of it.
    pub fn after(state: impl Serialize) -> Self {
        Note { after: serde_json::to_value(state).ok(), ..Note::default() }
    }

    /// What was, and what is.
    pub fn change(before: impl Serialize, after: impl Serialize) -> Self {
        Note { before: serde_json::to_value(before).ok(), ..Note::after(after) }
    }
}

/// An entry as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    pub id: AuditId,
    pub at: Time,
    /// A token's name, `admin token`, `command line`, `config` or `system`.
    pub who: String,
    /// Id of the token, of those that people made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What kind of thing was done, e.g. `destinations.pause`.
    pub action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What was answered, of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Which entries; all set fields must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub who: Option<String>,
    /// The whole action, or what stands before a dot of it.
    pub action: Option<String>,
    pub subject: Option<String>,
    /// Done at or after.
    pub since: Option<Time>,
    /// Done before.
    pub until: Option<Time>,
}

/// Writes the audit log.
#[derive(Debug)]
pub struct Audit {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    waiting: Mutex<VecDeque<AuditEntry>>,
    /// The page that this process writes. Writings go one after the other.
    writing: tokio::sync::Mutex<Vec<AuditEntry>>,
    /// Entries of one microsecond keep their order by it.
    number: AtomicU16,
}

impl Audit {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let (waiting, writing, number) = Default::default();
        Audit { store, clock, entropy, waiting, writing, number }
    }

    /// Writes it down. Answers once it is durable, or after a while; it is written all the same if the caller goes.
    pub async fn record(self: &Arc<Self>, done: Done) {
        let entry = self.entry(done);
        tracing::info!(
            who = entry.who,
            action = entry.action,
            subject = entry.subject,
            address = entry.address,
            path = entry.path,
            http_status = entry.status,
            "audit"
        );
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() >= WAITING_MAX {
                tracing::error!("too much waits for the audit log: the line before is in no store");
                return;
            }
            waiting.push_back(entry);
        }
        let audit = self.clone();
        let written = tokio::spawn(async move { audit.write().await });
        // Later is soon enough for who waited so long.
        let _ = tokio::time::timeout(WAIT_MAX, written).await;
    }

    /// What the gateway itself did.
    pub async fn record_own(self: &Arc<Self>, who: &str, action: &str, subject: &str, note: Note) {
        let Note { before, after, .. } = note;
        let (who, action, subject) = (who.to_owned(), action.to_owned(), Some(subject.to_owned()));
        self.record(Done { who, action, subject, before, after, ..Done::default() }).await;
    }

    /// A page of the log, newest first.
    pub async fn entries(&self, filter: &AuditFilter, page: Page<AuditId>) -> Result<Vec<AuditEntry>, StoreError> {
        let pages = self.store.catalog(AUDIT_KIND).await?;
        let mut entries: Vec<_> = pages.iter().flat_map(entries_of).filter(|entry| filter.takes(entry)).collect();
        entries.retain(|entry| page.after.is_none_or(|after| entry.id < after));
        entries.sort_unstable_by_key(|entry| Reverse(entry.id));
        entries.truncate(page.limit);
        Ok(entries)
    }

    fn entry(&self, done: Done) -> AuditEntry {
        let at = self.clock.now();
        let mut random = self.entropy.id_bytes();
        // The first 14 bits behind the clock's.
        let number = self.number.fetch_add(1, Ordering::Relaxed) & 0x3fff;
        random[2..4].copy_from_slice(&number.to_be_bytes());
        AuditEntry {
            id: AuditId::mint(at, random),
            at,
            who: done.who,
            token: done.token,
            address: done.address,
            action: done.action,
            subject: done.subject.map(bounded),
            method: done.method,
            path: done.path.map(bounded),
            status: done.status,
            before: done.before.map(bounded_state),
            after: done.after.map(bounded_state),
        }
    }

    /// Writes what waits, until nothing does.
    async fn write(&self) {
        let mut page = self.writing.lock().await;
        let mut tries = 0;
        loop {
            if is_full(&page) {
                page.clear();
            }
            let begins = page.is_empty();
            let mut next = page.clone();
            self.take(&mut next);
            if next.len() == page.len() {
                return;
            }
            match self.store.put_catalog(entry_of(&next)).await {
                Ok(()) => {
                    *page = next;
                    tries = 0;
                }
                Err(error) if tries < TRIES_MAX => {
                    self.give_back(next.split_off(page.len()));
                    if tries == 0 {
                        tracing::warn!(%error, "the audit log could not be written; trying again");
                    }
                    tries += 1;
                    self.clock.sleep_until(self.clock.now().plus(AGAIN)).await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "entries of the audit log are lost: only the log has them");
                    return;
                }
            }
            if begins && let Err(error) = self.sweep().await {
                tracing::debug!(%error, "old pages of the audit log stay for now");
            }
        }
    }

    /// Moves what waits to the page, until that is full.
    fn take(&self, page: &mut Vec<AuditEntry>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while !is_full(page)
            && let Some(entry) = waiting.pop_front()
        {
            page.push(entry);
        }
    }

    fn give_back(&self, entries: Vec<AuditEntry>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        entries.into_iter().rev().for_each(|entry| waiting.push_front(entry));
    }

    /// Lets go of the oldest pages beyond what is kept. Any node may, at any time.
    async fn sweep(&self) -> Result<(), StoreError> {
        let mut pages = self.store.catalog(AUDIT_KIND).await?;
        pages.sort_unstable_by(|a, b| b.name.cmp(&a.name));
        let (mut entries, mut bytes) = (0, 0);
        for page in pages {
            if entries >= ENTRIES_MAX || bytes >= KEPT_BYTES_MAX {
                self.store.delete_catalog(AUDIT_KIND, &page.name).await?;
            }
            entries += entries_of(&page).len().max(1);
            bytes += page.value.len();
        }
        Ok(())
    }
}

impl AuditFilter {
    fn takes(&self, entry: &AuditEntry) -> bool {
        let same = |wanted: &Option<String>, is: Option<&String>| wanted.as_ref().is_none_or(|w| Some(w) == is);
        let action = |wanted: &String| {
            let rest = entry.action.strip_prefix(wanted.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        same(&self.who, Some(&entry.who))
            && self.action.as_ref().is_none_or(action)
            && same(&self.subject, entry.subject.as_ref())
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
    }
}

fn is_full(page: &[AuditEntry]) -> bool {
    page.len() >= PAGE_ENTRIES_MAX || serde_json::to_vec(page).map_or(0, |json| json.len()) >= PAGE_BYTES_MAX
}

fn entry_of(page: &[AuditEntry]) -> CatalogEntry {
    let name = page.first().map(|first| first.id.to_string()).unwrap_or_default();
    CatalogEntry { kind: AUDIT_KIND.to_owned(), name, value: serde_json::to_vec(page).unwrap_or_default() }
}

fn entries_of(page: &CatalogEntry) -> Vec<AuditEntry> {
    serde_json::from_slice(&page.value).unwrap_or_else(|error| {
        tracing::warn!(page = &*page.name, %error, "a page of the audit log cannot be read and is passed over");
        Vec::new()
    })
}

fn bounded(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text.push('…');
    }
    text
}

fn bounded_state(state: Value) -> Value {
    let length = serde_json::to_vec(&state).map_or(0, |json| json.len());
    if length <= STATE_BYTES_MAX { state } else { Value::String(format!("left out: {length} bytes")) }
}

#[cfg(test)]
mod tests;
