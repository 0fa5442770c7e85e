//! Between values and columns: ids, times, texts, and the rows of deliveries.

use std::{borrow::Cow, error::Error, sync::Arc};

use bytes::BytesMut;
use hookhaven_core::{Delivery, DeliveryId, DeliveryState, EventId, Lane, LineId, Order, Time, Version};
use tokio_postgres::{
    Row,
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};

use super::trouble::Trouble;
use crate::codec;

/// Sixteen bytes as a `uuid`, which orders as bytes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Uuid(pub [u8; 16]);

impl From<EventId> for Uuid {
    fn from(id: EventId) -> Self {
        Uuid(*id.as_bytes())
    }
}

impl From<DeliveryId> for Uuid {
    fn from(id: DeliveryId) -> Self {
        Uuid(*id.as_bytes())
    }
}

impl From<LineId> for Uuid {
    fn from(id: LineId) -> Self {
        Uuid(id.0)
    }
}

impl From<Version> for Uuid {
    fn from(version: Version) -> Self {
        Uuid(version.to_bytes())
    }
}

impl Uuid {
    pub fn line(self) -> LineId {
        LineId(self.0)
    }

    pub fn version(self) -> Version {
        Version::from_bytes(self.0)
    }

    pub fn event(self) -> EventId {
        EventId::from_bytes(self.0)
    }

    pub fn delivery(self) -> DeliveryId {
        DeliveryId::from_bytes(self.0)
    }
}

type Converted<T> = Result<T, Box<dyn Error + Sync + Send>>;

impl ToSql for Uuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Converted<IsNull> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Uuid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Converted<Self> {
        Ok(Uuid(raw.try_into()?))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID
    }
}

/// A time as a `timestamptz`: microseconds, there counted from 2000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At(pub Time);

const YEAR_2000_US: i64 = 946_684_800_000_000;

impl ToSql for At {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Converted<IsNull> {
        out.extend_from_slice(&self.0.as_us().saturating_sub(YEAR_2000_US).to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for At {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Converted<Self> {
        let us = i64::from_be_bytes(raw.try_into()?);
        Ok(At(Time::from_us(us.saturating_add(YEAR_2000_US))))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TIMESTAMPTZ
    }
}

/// Stands for what the server's text cannot hold, and for itself.
const ESCAPE: char = '\u{1}';

/// A text as the server can hold it: it has no NUL, and senders may put one into anything.
pub(super) fn to_text(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().flat_map(|c| match c {
        '\0' => [Some(ESCAPE), Some('0')],
        ESCAPE => [Some(ESCAPE), Some('1')],
        c => [Some(c), None],
    });
    Cow::Owned(escaped.flatten().collect())
}

pub(super) fn from_text(text: &str) -> Arc<str> {
    if !text.contains(ESCAPE) {
        return text.into();
    }
    let parts = text.split(ESCAPE).enumerate();
    let plain = parts.map(|(n, part)| match (n, part.split_at_checked(1)) {
        (0, _) | (_, None) => part.to_owned(),
        (_, Some(("0", rest))) => format!("\0{rest}"),
        (_, Some((_, rest))) => format!("{ESCAPE}{rest}"),
    });
    plain.collect::<String>().into()
}

/// A number that is never negative here.
pub(super) fn count(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

pub(super) fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// A delivery as a row has it.
#[derive(Debug)]
pub(super) struct Stored {
    pub delivery: Delivery,
    pub slice: i32,
    /// 0 once it has ended.
    pub fence: i64,
    /// [`NOBODY`] if it is to be ended and nobody has it in hand; [`LINE`] if it is not its turn.
    pub session: Option<i64>,
}

/// No session's number.
pub(super) const NOBODY: i64 = 0;
/// No node's session: holds what is not first in its line.
pub(super) const LINE: i64 = -1;

/// What [`Stored::read`] reads, out of `live`.
pub(super) const LIVE_COLUMNS: &str = "id, event, slice, fence, session, coalesce(own_due_at, due_at) AS due_at, \
     accepted_at, attempts, tries, lost, replaces, lane, source, event_type, destination, route, policy, 1::int2 AS state, \
     NULL::int2 AS reason, NULL::timestamptz AS ended_at, NULL::timestamptz AS dismissed_at, NULL::uuid AS replaced_by, \
     cancel_asked_at, ordering";

/// The same out of `ended`.
pub(super) const ENDED_COLUMNS: &str = "id, event, slice, 0::int8 AS fence, NULL::int8 AS session, due_at, accepted_at, \
     attempts, tries, lost, replaces, lane, source, event_type, destination, route, policy, state, reason, \
     ended_at, dismissed_at, replaced_by, cancel_asked_at, ordering";

impl Stored {
    pub fn read(row: &Row) -> Result<Self, Trouble> {
        let session: Option<i64> = row.try_get(4)?;
        let state = match state(row, 17)? {
            DeliveryState::Pending if session.is_some_and(|session| session > NOBODY) => DeliveryState::Leased,
            state => state,
        };
        let delivery = Delivery {
            id: row.try_get::<_, Uuid>(0)?.delivery(),
            event: row.try_get::<_, Uuid>(1)?.event(),
            source: text(row, 12)?,
            event_type: text(row, 13)?,
            destination: text(row, 14)?,
            lane: Lane::from_text(&text(row, 11)?),
            route: text(row, 15)?,
            policy: Arc::new(codec::decode_policy(row.try_get(16)?)?),
            accepted_at: time(row, 6)?,
            due_at: time(row, 5)?,
            attempts: count(row.try_get(7)?),
            tries: count(row.try_get(8)?),
            lost: count(row.try_get(9)?),
            state,
            ended_at: maybe_time(row, 19)?,
            end_reason: known(row, 18, "end reason", codec::reason_of)?,
            replaces: row.try_get::<_, Option<Uuid>>(10)?.map(Uuid::delivery),
            replaced_by: row.try_get::<_, Option<Uuid>>(21)?.map(Uuid::delivery),
            dismissed_at: maybe_time(row, 20)?,
            cancel_asked_at: maybe_time(row, 22)?,
            order: row.try_get::<_, Option<&[u8]>>(23)?.map(codec::decode_order).transpose()?.map(Arc::new),
        };
        Ok(Stored { delivery, slice: row.try_get(2)?, fence: row.try_get(3)?, session })
    }

    /// The line it stands in.
    pub fn line(&self) -> Option<(LineId, &Order)> {
        let order = self.delivery.order.as_deref()?;
        Some((order.line(&self.delivery.destination), order))
    }
}

pub(super) fn state(row: &Row, column: usize) -> Result<DeliveryState, Trouble> {
    let state: i16 = row.try_get(column)?;
    codec::state_of(small(state)).ok_or_else(|| unknown("state", state))
}

pub(super) fn text(row: &Row, column: usize) -> Result<Arc<str>, Trouble> {
    Ok(from_text(row.try_get(column)?))
}

pub(super) fn time(row: &Row, column: usize) -> Result<Time, Trouble> {
    Ok(row.try_get::<_, At>(column)?.0)
}

pub(super) fn maybe_time(row: &Row, column: usize) -> Result<Option<Time>, Trouble> {
    Ok(row.try_get::<_, Option<At>>(column)?.map(|at| at.0))
}

/// One of a list of numbered things, or none.
fn known<T>(
    row: &Row,
    column: usize,
    of: &'static str,
    find: impl FnOnce(u8) -> Option<T>,
) -> Result<Option<T>, Trouble> {
    let Some(n) = row.try_get::<_, Option<i16>>(column)? else { return Ok(None) };
    find(small(n)).map(Some).ok_or_else(|| unknown(of, n))
}

fn small(n: i16) -> u8 {
    u8::try_from(n).unwrap_or(0)
}

fn unknown(of: &str, n: i16) -> Trouble {
    Trouble::failed(format!("{n} is no {of}; a newer version may have written it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_as_it_went() {
        for text in ["", "plain", "\0", "a\0b", "\u{1}", "\u{1}0", "\u{1}1\0\0x", "ends\u{1}", "ünder\0\u{1}ö"] {
            let stored = to_text(text);
            assert!(!stored.contains('\0'));
            assert_eq!(&*from_text(&stored), text);
        }
    }
}
