//! One file of a ring, as bytes: a header with a random salt, then records, each in a frame with a checksum.
//!
//! ```text
//! file   = "hookhaven rejected 1\n" salt(16) frame*
//! frame  = F7 52 4A 01  length(u32)  crc(u32)  record
//! record = 1 entry | 2 id(16) at(i64) event(16)
//! ```
//!
//! Numbers are little-endian. The checksum is CRC-32C over salt, offset of the frame, length and record, so that
//! nothing inside a kept body can pass for a frame. A frame that was torn, by a kill or a power cut, is skipped: the
//! next one is looked for behind it.
//!
//! Not here: files and their names (`files`), what an entry is made of (`entry`).

use hookhaven_core::{EventId, Rejected, RejectedId, Time};

use super::{Released, read_rejected, write_rejected};

const MAGIC: &[u8] = b"hookhaven rejected 1\n";
pub(super) const SALT_BYTES: usize = 16;
pub(super) const HEADER_BYTES: usize = MAGIC.len() + SALT_BYTES;
const MARK: [u8; 4] = [0xf7, b'R', b'J', 1];
const FRAME_BYTES: usize = MARK.len() + 8;
const REJECTED: u8 = 1;
const RELEASED: u8 = 2;
const RELEASED_BYTES: usize = 1 + 16 + 8 + 16;
/// Behind damage so many places that look like a frame are tried, before the rest of the file is given up.
const TRIES_MAX: u32 = 1_000;

pub(super) type Salt = [u8; SALT_BYTES];

/// What a frame holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    /// With the bytes that its frame takes.
    Rejected(Rejected, u64),
    Released(RejectedId, Released),
}

pub(super) fn header(salt: &Salt) -> Vec<u8> {
    [MAGIC, salt].concat()
}

/// `None` if the file is none of ours, or its header was torn.
pub(super) fn salt(file: &[u8]) -> Option<Salt> {
    file.strip_prefix(MAGIC)?.first_chunk().copied()
}

/// A frame that will stand at this offset.
pub(super) fn rejected(salt: &Salt, offset: u64, it: &Rejected) -> Vec<u8> {
    let mut record = vec![REJECTED];
    record.extend(write_rejected(it));
    frame(salt, offset, &record)
}

pub(super) fn released(salt: &Salt, offset: u64, id: RejectedId, it: Released) -> Vec<u8> {
    let record = [&[RELEASED][..], id.as_bytes(), &it.at.as_us().to_le_bytes(), it.event.as_bytes()].concat();
    frame(salt, offset, &record)
}

fn frame(salt: &Salt, offset: u64, record: &[u8]) -> Vec<u8> {
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
    let crc = checksum(salt, offset, length, record);
    [&MARK[..], &length.to_le_bytes(), &crc.to_le_bytes(), record].concat()
}

fn checksum(salt: &Salt, offset: u64, length: u32, record: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(salt), &offset.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(crc, &length.to_le_bytes()), record)
}

/// Everything whole in a file, first to last.
pub(super) fn scan(file: &[u8]) -> Vec<Record> {
    let Some(salt) = salt(file) else { return Vec::new() };
    let (mut records, mut at, mut tries) = (Vec::new(), HEADER_BYTES, 0);
    while at < file.len() && tries < TRIES_MAX {
        match read_frame(&salt, file, at) {
            Some(record) => {
                records.extend(read_record(record));
                at += FRAME_BYTES + record.len();
            }
            None => {
                tries += 1;
                match file[at + 1..].windows(MARK.len()).position(|window| window == MARK) {
                    Some(further) => at += 1 + further,
                    None => break,
                }
            }
        }
    }
    records
}

fn read_frame<'a>(salt: &Salt, file: &'a [u8], at: usize) -> Option<&'a [u8]> {
    let rest = file.get(at..)?.strip_prefix(&MARK)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length);
    let record = rest.get(..usize::try_from(length).ok()?)?;
    (checksum(salt, at as u64, length, record) == u32::from_le_bytes(*crc)).then_some(record)
}

/// `None` for what a later version keeps.
fn read_record(record: &[u8]) -> Option<Record> {
    match *record.first()? {
        REJECTED => Some(Record::Rejected(read_rejected(&record[1..]).ok()?, (FRAME_BYTES + record.len()) as u64)),
        RELEASED if record.len() == RELEASED_BYTES => {
            let (id, rest) = record[1..].split_first_chunk()?;
            let (at, rest) = rest.split_first_chunk()?;
            let event = EventId::from_bytes(*rest.first_chunk()?);
            let released = Released { at: Time::from_us(i64::from_le_bytes(*at)), event };
            Some(Record::Released(RejectedId::from_bytes(*id), released))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hookhaven_core::sender::Rejection;
    use http::Method;

    use super::*;

    const SALT: Salt = [9; SALT_BYTES];

    fn one(n: u8, body: &[u8]) -> Rejected {
        Rejected {
            id: RejectedId::from_bytes([n; 16]),
            received_at: Time::from_s(i64::from(n)),
            source: "shop".into(),
            reason: Rejection::SignatureMismatch,
            method: Method::POST,
            target: "/webhooks/shop".into(),
            headers: vec![],
            body: body.to_vec().into(),
            body_bytes: body.len() as u64,
            remote: "".into(),
        }
    }

    fn file(bodies: &[&[u8]]) -> Vec<u8> {
        let mut file = header(&SALT);
        for (n, body) in (1..).zip(bodies) {
            let frame = rejected(&SALT, file.len() as u64, &one(n, body));
            file.extend(frame);
        }
        file
    }

    fn numbers(file: &[u8]) -> Vec<u8> {
        let number = |record| match record {
            Record::Rejected(it, _) => it.id.as_bytes()[0],
            Record::Released(id, _) => 100 + id.as_bytes()[0],
        };
        scan(file).into_iter().map(number).collect()
    }

    #[test]
    fn cut_at_any_byte_it_keeps_what_came_before_and_takes_more_behind() {
        let whole = file(&[b"one", b"two", b"three"]);
        for cut in 0..=whole.len() {
            let mut torn = whole[..cut].to_vec();
            let kept = numbers(&torn);
            assert!([1, 2, 3].starts_with(&kept), "{cut}: {kept:?}");
            if cut >= HEADER_BYTES {
                torn.extend(rejected(&SALT, cut as u64, &one(9, b"more")));
                assert_eq!(numbers(&torn), [&kept[..], &[9]].concat(), "{cut}");
            }
        }
    }

    #[test]
    fn any_changed_byte_costs_one_entry_and_no_more() {
        let whole = file(&[b"one", b"two", b"three"]);
        for at in HEADER_BYTES..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert_eq!(numbers(&damaged).len(), 2, "{at}");
        }
    }

    #[test]
    fn a_frame_inside_a_body_never_comes_alive() {
        let inner = file(&[b"forged"]);
        let mut outer = file(&[&inner[..], b"two"]);
        assert_eq!(numbers(&outer), [1, 2]);
        outer[HEADER_BYTES] = 0;
        assert_eq!(numbers(&outer), [2], "the outer frame is torn, the inner one is at another place");
    }

    #[test]
    fn marks_are_read_and_unknown_records_skipped() {
        let mut file = file(&[b"one"]);
        let mark = Released { at: Time::from_s(5), event: EventId::from_bytes([3; 16]) };
        for record in [frame(&SALT, file.len() as u64, &[77, 1, 2]), vec![]] {
            file.extend(record);
        }
        let frame = released(&SALT, file.len() as u64, RejectedId::from_bytes([1; 16]), mark);
        file.extend(frame);
        assert_eq!(numbers(&file), [1, 101]);
        assert_eq!(scan(&file)[1], Record::Released(RejectedId::from_bytes([1; 16]), mark));
    }
}
