//! The catalog: a row an entry.

use tokio_postgres::types::Type;

use super::{
    Shared,
    pool::{Args, Mode},
    rows::{text, to_text},
    trouble::Trouble,
};
use crate::seam::{CatalogEntry, LANE_WIDTH_KIND, StoreError};

impl Shared {
    pub(super) async fn put_catalog(&self, entry: CatalogEntry) -> Result<(), StoreError> {
        let sql = "INSERT INTO hookhaven.catalog (kind, name, value) VALUES ($1, $2, $3) \
            ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value";
        let (kind, name) = (to_text(&entry.kind), to_text(&entry.name));
        let args: Args<'_> = &[(&kind, Type::TEXT), (&name, Type::TEXT), (&entry.value, Type::BYTEA)];
        self.work.once(Mode::Write, sql, args).await?;
        self.catalog_changed(&entry.kind);
        Ok(())
    }

    pub(super) async fn add_catalog(&self, entry: CatalogEntry) -> Result<CatalogEntry, StoreError> {
        // Doing nothing would answer nothing, and a look beside it would not see what another node has just added.
        let sql = "INSERT INTO hookhaven.catalog AS stands (kind, name, value) VALUES ($1, $2, $3) \
            ON CONFLICT (kind, name) DO UPDATE SET value = stands.value RETURNING value";
        let (kind, name) = (to_text(&entry.kind), to_text(&entry.name));
        let args: Args<'_> = &[(&kind, Type::TEXT), (&name, Type::TEXT), (&entry.value, Type::BYTEA)];
        let rows = self.work.once(Mode::Write, sql, args).await?;
        let row = rows.first().ok_or_else(|| Trouble::lost("the catalog does not answer"))?;
        let value = row.try_get(0).map_err(Trouble::from)?;
        self.catalog_changed(&entry.kind);
        Ok(CatalogEntry { value, ..entry })
    }

    fn catalog_changed(&self, kind: &str) {
        if kind == LANE_WIDTH_KIND {
            // More may begin.
            self.heads().forget();
        }
        self.wake.catalog_changed();
    }

    pub(super) async fn delete_catalog(&self, kind: &str, name: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM hookhaven.catalog WHERE kind = $1 AND name = $2";
        let args: Args<'_> = &[(&to_text(kind), Type::TEXT), (&to_text(name), Type::TEXT)];
        self.work.once(Mode::Write, sql, args).await?;
        self.catalog_changed(kind);
        Ok(())
    }

    /// Differs whenever an entry came, went or was written since, be it with the same value. Read by its rows' versions, so
    /// it holds for whoever writes, in one snapshot.
    pub(super) async fn catalog_state(&self) -> Result<String, Trouble> {
        let sql = "SELECT concat(count(*), ' ', sum(hashtextextended(concat(kind, '/', name, ' ', xmin), 0))) \
            FROM hookhaven.catalog";
        let rows = self.reads.once(Mode::Read, sql, &[]).await?;
        let row = rows.first().ok_or_else(|| Trouble::lost("the catalog does not answer"))?;
        Ok(text(row, 0)?.to_string())
    }

    /// Entries of these kinds, of one kind by name.
    pub(super) async fn catalog(&self, kinds: &[&str]) -> Result<Vec<CatalogEntry>, StoreError> {
        let sql = "SELECT kind, name, value FROM hookhaven.catalog WHERE kind = ANY($1) ORDER BY name COLLATE \"C\"";
        let kinds: Vec<_> = kinds.iter().map(|kind| to_text(kind)).collect();
        let rows = self.reads.once(Mode::Read, sql, &[(&kinds, Type::TEXT_ARRAY)]).await?;
        let entry = |row: &tokio_postgres::Row| -> Result<CatalogEntry, Trouble> {
            let (kind, name) = (text(row, 0)?.to_string(), text(row, 1)?.to_string());
            Ok(CatalogEntry { kind, name, value: row.try_get(2)? })
        };
        Ok(rows.iter().map(entry).collect::<Result<_, Trouble>>()?)
    }
}
