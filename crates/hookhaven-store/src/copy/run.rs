//! A copy from beginning to end: what stands already is found, what is missing goes over, both sides are counted.

use super::{
    Content, Copied, CopyId, CopyOptions, CopyState, Counts, Cursor, Difference, PageMax, Progress,
    walk::{Source, blocking},
};
use crate::{
    clock::Entropy,
    embedded::{export::Export, seal::Seal},
    postgres::import::{Known, PostgresImport},
    seam::StoreError,
};

/// Copies, or goes on with a copy that was interrupted. `tell` hears how far it is, after each page.
///
/// # Errors
/// `Locked` while a gateway serves the directory. `Refused` if the database holds other data, or the directory was
/// copied elsewhere. Anything else interrupted it: the same again goes on.
pub async fn copy(options: CopyOptions, tell: impl Fn(Progress)) -> Result<Copied, StoreError> {
    tell(Progress::Opening);
    let CopyOptions { from, disk, to, entropy, leave_damaged, page } = options;
    let for_journal = entropy.clone();
    let dir = from.display().to_string();
    let source = Source::new(blocking(move || Export::open(disk, from, for_journal)).await?);
    let target = PostgresImport::open(to).await?;
    let work = Work { source, target, leave_damaged, page };
    let done = work.run(&dir, &*entropy, &tell).await;
    work.target.close();
    done
}

struct Work {
    source: Source,
    target: PostgresImport,
    leave_damaged: bool,
    page: PageMax,
}

/// Where a copy begins this time.
struct Begun {
    id: CopyId,
    cursor: Cursor,
    resumed: bool,
}

impl Work {
    async fn run(&self, dir: &str, entropy: &dyn Entropy, tell: &impl Fn(Progress)) -> Result<Copied, StoreError> {
        let counts = self.source.ask(Export::counts).await?;
        let seal = self.source.ask(Export::seal).await?;
        let known = match &seal {
            Some(seal) => self.target.find(seal.copy).await?,
            None => None,
        };
        let begun = match (seal, known) {
            (Some(seal), Some(Known::Ended)) => {
                self.seal(seal.copy, true).await?;
                return self.copied(seal.copy, CopyState::EndedBefore, counts, Vec::new()).await;
            }
            (Some(seal), Some(Known::Begun(cursor))) => Begun { id: seal.copy, cursor, resumed: true },
            (seal, None) => self.begin(seal, dir, entropy).await?,
            (None, Some(_)) => return Err(StoreError::Failed("a copy was found that nobody asked for".into())),
        };
        self.send(begun.id, begun.cursor, &counts, tell).await?;
        tell(Progress::Counting);
        let differences = Difference::between(&counts, &self.target.counts().await?);
        if differences.iter().any(|difference| !self.may_be(difference)) {
            return self.copied(begun.id, CopyState::Differs, counts, differences).await;
        }
        self.target.end(begun.id).await?;
        self.seal(begun.id, true).await?;
        self.copied(begun.id, CopyState::Ended { resumed: begun.resumed }, counts, differences).await
    }

    fn may_be(&self, difference: &Difference) -> bool {
        self.leave_damaged && difference.is_loss()
    }

    /// The database is looked at before the directory is sealed, so that a refusal leaves no trace.
    async fn begin(&self, seal: Option<Seal>, dir: &str, entropy: &dyn Entropy) -> Result<Begun, StoreError> {
        let place = self.target.place();
        if let Some(Seal { to, ended, .. }) = seal.as_ref().filter(|seal| seal.ended || seal.to != place) {
            let how = if *ended { "was copied to" } else { "is being copied to" };
            return Err(StoreError::Refused(format!(
                "{dir} {how} {to}, and {place} knows nothing of that; `hookhaven serve --unseal` goes back to it, and \
                 then it can be copied elsewhere"
            )));
        }
        self.target.must_be_empty().await?;
        let id = seal.map_or_else(|| fresh(entropy), |seal| seal.copy);
        self.seal(id, false).await?;
        self.target.begin(id, dir).await?;
        Ok(Begun { id, cursor: Cursor::Events(None), resumed: false })
    }

    async fn seal(&self, copy: CopyId, ended: bool) -> Result<(), StoreError> {
        let seal = Seal { copy, ended, to: self.target.place() };
        self.source.ask(move |export| export.set_seal(&seal)).await
    }

    /// Everything behind the cursor.
    async fn send(
        &self,
        id: CopyId,
        behind: Cursor,
        counts: &Counts,
        tell: &impl Fn(Progress),
    ) -> Result<(), StoreError> {
        let mut events = match behind {
            Cursor::Events(None) => 0,
            Cursor::Events(Some(last)) => self.source.ask(move |export| export.events_upto(last)).await?,
            Cursor::Keys(_) | Cursor::Steps(_) | Cursor::Whole => counts.events,
        };
        let mut keys = match behind {
            Cursor::Events(_) => 0,
            Cursor::Keys(last) => self.source.ask(move |export| export.keys_upto(last)).await?,
            Cursor::Steps(_) | Cursor::Whole => counts.keys,
        };
        let mut cursor = behind;
        let mut pages = self.source.pages(behind, self.page);
        tell(Progress::Events { done: events, of: counts.events });
        while let Some(page) = pages.recv().await {
            let page = page?;
            self.target.take(id, &page).await?;
            cursor = page.upto;
            match &page.content {
                Content::Families(families) => {
                    events += families.len() as u64;
                    tell(Progress::Events { done: events, of: counts.events });
                }
                Content::Keys(some) => {
                    keys += some.len() as u64;
                    tell(Progress::Keys { done: keys, of: counts.keys });
                }
                Content::Steps(_) | Content::Catalog(_) => {}
            }
        }
        match cursor {
            Cursor::Whole => Ok(()),
            _ => Err(StoreError::Failed("the data directory was not read to its end".into())),
        }
    }

    async fn copied(
        &self,
        id: CopyId,
        state: CopyState,
        counts: Counts,
        differences: Vec<Difference>,
    ) -> Result<Copied, StoreError> {
        let (damages, damage) = self.source.ask(|export| Ok(export.damages())).await?;
        Ok(Copied { id, to: self.target.place(), state, counts, differences, damages, damage })
    }
}

fn fresh(entropy: &dyn Entropy) -> CopyId {
    let mut id = [0; 16];
    entropy.fill(&mut id);
    CopyId(id)
}
