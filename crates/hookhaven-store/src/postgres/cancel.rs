//! Cancelling: what nobody has in hand ends at once; of what somebody has, the row says that its end was asked for,
//! and whoever settles it or takes the lease away ends it.

use std::collections::{HashMap, HashSet};

use hookhaven_core::{DeliveryId, event::PUBLISHED};
use tokio_postgres::types::Type;

use super::{
    Shared,
    endings::{Change, Ending, Scope, settle_rows},
    lined::locked,
    lines::{self, Arranged, Lines},
    pool::{Args, Lent, Mode},
    replay::again,
    rows::{At, NOBODY, Stored, Uuid},
    steps,
    trouble::Trouble,
};
use crate::{
    record::SettledTo,
    seam::{Cancelled, StoreError},
};

impl Shared {
    pub(super) async fn cancel(&self, deliveries: &[DeliveryId]) -> Result<Vec<Cancelled>, StoreError> {
        self.make_today().await?;
        let (mut known, changes, arranged) = again!(self.cancel_once(deliveries))?;
        self.note_settled(&changes);
        self.note_arranged(&arranged);
        let answer = |id: &DeliveryId| match known.get_mut(id) {
            // Asked for twice: the second time it has been asked for.
            Some(answer) => std::mem::replace(answer, Cancelled::Before),
            None => Cancelled::Unknown,
        };
        Ok(deliveries.iter().map(answer).collect())
    }

    /// What became of those that are known.
    async fn cancel_once(
        &self,
        deliveries: &[DeliveryId],
    ) -> Result<(HashMap<DeliveryId, Cancelled>, Vec<Change>, Arranged), Trouble> {
        let now = self.now();
        let mut connection = self.work.get().await?;
        connection.begin(Mode::Write).await?;
        let ids: Vec<Uuid> = deliveries.iter().map(|id| Uuid::from(*id)).collect();
        let mut lines = Lines::lock(&connection, lines::of_ids(&connection, &ids).await?, now).await?;
        let (mut known, mut endings, mut asked) = (HashMap::new(), Vec::new(), Vec::new());
        for Stored { delivery, fence, session, .. } in locked(&connection, &ids).await? {
            let answer = match session {
                _ if delivery.cancel_asked_at.is_some() => Cancelled::Before,
                None | Some(..=NOBODY) => {
                    endings.push(Ending::new(delivery.id, session, fence, SettledTo::Cancelled));
                    Cancelled::Done
                }
                Some(_) => {
                    asked.push((Uuid::from(delivery.id), &*delivery.source == PUBLISHED));
                    Cancelled::Asked
                }
            };
            known.insert(delivery.id, answer);
        }
        let changes = settle_rows(&connection, &endings, now, false, Scope::Lined).await?;
        if !asked.is_empty() {
            let ids: Vec<Uuid> = asked.iter().map(|(id, _)| *id).collect();
            let ask = "UPDATE hookhaven.live SET cancel_asked_at = $2 WHERE id = ANY($1)";
            connection.run(ask, &[(&ids, Type::UUID_ARRAY), (&At(now), Type::TIMESTAMPTZ)]).await?;
            let published: Vec<Uuid> = asked.iter().filter(|(_, published)| *published).map(|(id, _)| *id).collect();
            steps::of_asked(&connection, &published, now).await?;
        }
        // Asked last: what ended while we waited for its row is found here.
        for id in over(&connection, deliveries).await? {
            known.entry(id).or_insert(Cancelled::Before);
        }
        let arranged = lines.arrange(&connection).await?;
        connection.commit().await?;
        Ok((known, changes, arranged))
    }
}

async fn over(connection: &Lent<'_>, deliveries: &[DeliveryId]) -> Result<HashSet<DeliveryId>, Trouble> {
    let ids: Vec<Uuid> = deliveries.iter().map(|id| Uuid::from(*id)).collect();
    let args: Args<'_> = &[(&ids, Type::UUID_ARRAY)];
    let rows = connection.query("SELECT id FROM hookhaven.ended WHERE id = ANY($1)", args).await?;
    rows.iter().map(|row| Ok(row.try_get::<_, Uuid>(0)?.delivery())).collect()
}
