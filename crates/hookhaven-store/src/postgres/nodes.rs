//! Nodes and when each was last heard of.

use hookhaven_core::Time;
use tokio_postgres::{Row, types::Type};

use super::{
    Shared,
    claim::number,
    pool::{Args, Mode},
    rows::{At, text, time, to_text},
    trouble::Trouble,
};
use crate::{
    nodes::FORGOTTEN_AFTER,
    seam::{NodeReport, NodeRow, SessionId, StoreError},
};

impl Shared {
    pub(super) async fn report_node(&self, report: NodeReport) -> Result<(), StoreError> {
        let sql = "WITH gone AS (DELETE FROM hookhaven.nodes WHERE seen_at < $9 AND id <> $1) \
            INSERT INTO hookhaven.nodes (id, role, version, config_hash, address, session, started_at, seen_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET role = $2, version = $3, \
               config_hash = $4, address = $5, session = $6, started_at = $7, seen_at = $8 RETURNING xmax = 0";
        let now = self.now();
        let session = report.session.map(number);
        let args: Args<'_> = &[
            (&to_text(&report.id), Type::TEXT),
            (&to_text(&report.role), Type::TEXT),
            (&to_text(&report.version), Type::TEXT),
            (&to_text(&report.config_hash), Type::TEXT),
            (&to_text(&report.address), Type::TEXT),
            (&session, Type::INT8),
            (&At(report.started_at), Type::TIMESTAMPTZ),
            (&At(now), Type::TIMESTAMPTZ),
            (&At(now.minus(FORGOTTEN_AFTER)), Type::TIMESTAMPTZ),
        ];
        let rows = self.work.once(Mode::Write, sql, args).await?;
        // A row that was not there before has never been locked or replaced.
        if rows.first().is_some_and(|row| row.get(0)) {
            self.wake.nodes_changed();
        }
        Ok(())
    }

    pub(super) async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        let sql = "SELECT id, role, version, config_hash, address, session, started_at, seen_at, ( \
               SELECT count(*) FROM hookhaven.live l WHERE l.session IS NOT NULL AND l.session = n.session) \
            FROM hookhaven.nodes n ORDER BY id COLLATE \"C\"";
        let rows = self.reads.once(Mode::Read, sql, &[]).await?;
        Ok(rows.iter().map(node).collect::<Result<_, _>>()?)
    }

    pub(super) async fn forget_node(&self, id: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM hookhaven.nodes WHERE id = $1";
        self.work.once(Mode::Write, sql, &[(&to_text(id), Type::TEXT)]).await?;
        self.wake.nodes_changed();
        Ok(())
    }
}

fn node(row: &Row) -> Result<NodeRow, Trouble> {
    let word = |column| -> Result<String, Trouble> { Ok(text(row, column)?.to_string()) };
    let session: Option<i64> = row.try_get(5)?;
    let leases: i64 = row.try_get(8)?;
    let (started_at, seen_at): (Time, Time) = (time(row, 6)?, time(row, 7)?);
    let report = NodeReport {
        id: word(0)?,
        role: word(1)?,
        version: word(2)?,
        config_hash: word(3)?,
        address: word(4)?,
        session: session.map(|session| SessionId(session.unsigned_abs())),
        started_at,
    };
    Ok(NodeRow { report, seen_at, leases: leases.unsigned_abs() })
}
