//! Who is there: a row a node, made new with every beat of it, deleted when it leaves or has long been silent.
//!
//! Nothing is decided by it that must be exact: leases hang on sessions.

use std::sync::Arc;

use hookhaven_core::Time;
use tokio_postgres::{Row, types::Type};

use super::{
    Shared,
    claim::number,
    pool::{Args, Mode},
    rows::{At, text, time},
    trouble::Trouble,
};
use crate::seam::{NODE_LISTED, Node, NodeRow, SessionId, StoreError};

const COLUMNS: &str = "id, role, version, config_hash, address, session, started_at, seen_at";

impl Shared {
    pub(super) async fn beat(&self, node: &Node) -> Result<Vec<NodeRow>, StoreError> {
        let now = self.now();
        // What a statement writes it does not see, so our own row comes from the writing.
        let sql = format!(
            "WITH ours AS (INSERT INTO hookhaven.nodes ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
               ON CONFLICT (id) DO UPDATE SET role = excluded.role, version = excluded.version, \
                  config_hash = excluded.config_hash, address = excluded.address, session = excluded.session, \
                  seen_at = excluded.seen_at RETURNING {COLUMNS}), \
             gone AS (DELETE FROM hookhaven.nodes WHERE seen_at < $9 AND id <> $1) \
             SELECT {COLUMNS}, false FROM hookhaven.nodes WHERE id <> $1 AND seen_at >= $9 \
             UNION ALL SELECT {COLUMNS}, NOT EXISTS (SELECT FROM hookhaven.nodes WHERE id = $1) FROM ours \
             ORDER BY started_at, id"
        );
        let session = node.session.map(number);
        let args: Args<'_> = &[
            (&&*node.id, Type::TEXT),
            (&&*node.role, Type::TEXT),
            (&&*node.version, Type::TEXT),
            (&&*node.config, Type::TEXT),
            (&&*node.address, Type::TEXT),
            (&session, Type::INT8),
            (&At(node.started_at), Type::TIMESTAMPTZ),
            (&At(now), Type::TIMESTAMPTZ),
            (&At(now.minus(NODE_LISTED)), Type::TIMESTAMPTZ),
        ];
        let rows = self.work.once(Mode::Write, &sql, args).await?;
        let mut is_new = false;
        let mut nodes = Vec::with_capacity(rows.len());
        for row in &rows {
            is_new |= row.try_get::<_, bool>(8).map_err(Trouble::from)?;
            nodes.push(read(row, 0)?);
        }
        if is_new {
            self.wake.nodes_changed();
        }
        Ok(nodes)
    }

    pub(super) async fn leave(&self, id: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM hookhaven.nodes WHERE id = $1";
        self.work.once(Mode::Write, sql, &[(&id, Type::TEXT)]).await?;
        self.wake.nodes_changed();
        Ok(())
    }

    pub(super) async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, (SELECT count(*) FROM hookhaven.live l \
                WHERE l.session IS NOT NULL AND l.session = n.session) \
             FROM hookhaven.nodes n WHERE seen_at >= $1 ORDER BY started_at, id"
        );
        let args: Args<'_> = &[(&At(self.now().minus(NODE_LISTED)), Type::TIMESTAMPTZ)];
        let rows = self.reads.once(Mode::Read, &sql, args).await?;
        let of = |row: &Row| read(row, row.try_get::<_, i64>(8)?);
        Ok(rows.iter().map(of).collect::<Result<_, Trouble>>()?)
    }
}

fn read(row: &Row, leases: i64) -> Result<NodeRow, Trouble> {
    let words = |column| -> Result<Arc<str>, Trouble> { text(row, column) };
    let at = |column| -> Result<Time, Trouble> { time(row, column) };
    let session: Option<i64> = row.try_get(5)?;
    let node = Node {
        id: words(0)?,
        role: words(1)?,
        version: words(2)?,
        config: words(3)?,
        address: words(4)?,
        session: session.map(|id| SessionId(id.unsigned_abs())),
        started_at: at(6)?,
    };
    Ok(NodeRow { node, seen_at: at(7)?, leases: leases.unsigned_abs() })
}
