//! The encoding of records: the same bytes for ever (golden files), the same record back, and no input
//! that it cannot answer.
#![allow(clippy::unwrap_used)]

mod any;
mod golden;

use hookhaven_store::{
    codec::{self, DecodeError, Problem},
    record::Record,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn records_come_back_as_they_were(records in proptest::collection::vec(any::record(), 1..4)) {
        let payload = codec::encode(&records);
        prop_assert_eq!(codec::decode(&payload).unwrap(), records);
    }

    #[test]
    fn events_of_one_request_come_back_with_its_bytes_written_once(records in any::parts()) {
        let payload = codec::encode(&records);
        prop_assert_eq!(&codec::decode(&payload).unwrap(), &records);
        let whole = records.iter().find_map(|record| match record {
            Record::Accepted { event, .. } => event.part.as_ref()?.whole.clone(),
            _ => None,
        });
        // Shorter ones may stand in it by chance.
        if let Some(whole) = whole.filter(|whole| whole.len() > 8) {
            prop_assert_eq!(payload.windows(whole.len()).filter(|window| *window == whole).count(), 1);
        }
    }

    #[test]
    fn changed_parts_are_answered(
        records in any::parts(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut payload = codec::encode(&records);
        for (at, byte) in changes {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        if let Ok(records) = codec::decode(&payload) {
            prop_assert_eq!(codec::encode(&records), payload, "two encodings of one record");
        }
    }

    #[test]
    fn arbitrary_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = codec::glimpse(&bytes);
        if let Ok(records) = codec::decode(&bytes) {
            prop_assert_eq!(codec::encode(&records), bytes);
        }
    }

    /// Far more of these get past the first fields than of arbitrary bytes.
    #[test]
    fn changed_bytes_are_answered(
        record in any::record(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut payload = codec::encode(&[record]);
        for (at, byte) in changes {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let _ = codec::glimpse(&payload);
        if let Ok(records) = codec::decode(&payload) {
            prop_assert_eq!(codec::encode(&records), payload, "two encodings of one record");
        }
    }

    #[test]
    fn a_payload_cut_short_is_refused(record in any::record(), cut in any::<prop::sample::Index>()) {
        let payload = codec::encode(&[record]);
        prop_assert!(codec::decode(&payload[..cut.index(payload.len())]).is_err());
    }
}

#[test]
fn what_is_unknown_is_an_error_and_never_skipped() {
    let problem = |bytes: &[u8]| codec::decode(bytes).map_err(|DecodeError { problem, .. }| problem);
    assert_eq!(problem(&[]), Err(Problem::Truncated));
    assert_eq!(problem(&[2, 1, 1]), Err(Problem::Version(2)));
    assert_eq!(problem(&[1, 0]), Err(Problem::Empty));
    assert_eq!(problem(&[1, 1, 99]), Err(Problem::Kind(99)));
    // A list that claims to be longer than any memory.
    assert_eq!(problem(&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), Err(Problem::Truncated));
    // 1 in two bytes.
    assert_eq!(problem(&[1, 0x81, 0x00]), Err(Problem::Number));
}
