//! Journal records: any bytes are read or refused, what is read has this one encoding, and the live state
//! takes any sequence of records and stays in agreement with itself. After damage it is given records
//! whose beginnings are lost, so "no writer would do that" excuses nothing.
//!
//! Run by the fuzzer with `-malloc_limit_mb`, so that a length that lies cannot make us allocate.

use std::time::Duration;

use hookhaven_core::Time;
use hookhaven_store::{
    LaneRoom, codec,
    live::{Live, Recalled},
    position::Position,
    record::Record,
};

/// An input is a payload.
pub fn run(data: &[u8]) {
    let _ = codec::glimpse(data);
    let Ok(records) = codec::decode(data) else { return };
    assert_eq!(codec::encode(&records), data, "a second encoding of the same records");
    live_state_agrees(&records);
}

fn live_state_agrees(records: &[Record]) {
    let mut live = Live::new();
    for (n, record) in (0..).zip(records) {
        live.apply(record, Position { segment: 1, offset: n * 100, len: 100 }, Recalled::default());
    }
    let pending = live.pending_len();
    assert_eq!(live.all_pending().count() as u64, pending);
    assert_eq!(live.depths().iter().map(|d| d.pending).sum::<u64>(), pending);
    let due = live.due(&[], usize::MAX, Time::MAX);
    assert!(due.next_due.is_none_or(|at| at >= Time::MAX), "{due:?}");
    let rooms: Vec<_> =
        due.lanes.into_iter().map(|due| LaneRoom { lane: due.lane, room: usize::MAX, limit: None }).collect();
    let now = Time::MAX.minus(Duration::from_secs(60));
    let session = live.open_session(Duration::from_secs(30), now);
    let claimed = live.claim(session, &rooms, usize::MAX, now);
    assert_eq!(claimed.len() as u64, live.leased_len());
    for claimed in &claimed {
        assert!(claimed.delivery.due_at <= now && live.pending(claimed.delivery.id).is_some());
    }
    live.close_session(session);
    assert_eq!((live.leased_len(), live.pending_len()), (0, pending));
}
