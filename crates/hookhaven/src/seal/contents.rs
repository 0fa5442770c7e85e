//! What one envelope of an event or of a rejected request holds: the header lines that are not stored in the open, each
//! with its place among the others, and what belongs to the rest of it. Pure.
//!
//! Numbers are little-endian: count of lines (2 bytes); each line's place (2), name (2 + bytes), value (4 + bytes); the
//! body's stub (2 + bytes, none if empty); the target (4 + bytes, none if empty).

use std::sync::Arc;

use bytes::Bytes;

use super::envelope::Damaged;

pub type Line = (Arc<str>, Bytes);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// By their places, which grow.
    pub lines: Vec<(u16, Line)>,
    /// What opens the body, if that is sealed too.
    pub stub: Vec<u8>,
    /// Of a rejected request.
    pub target: String,
}

impl Contents {
    /// Takes lines out of their list.
    pub fn take(lines: &mut Vec<Line>, takes: impl Fn(&str) -> bool) -> Self {
        let mut contents = Contents::default();
        let mut place = 0;
        lines.retain(|line| {
            let taken = takes(&line.0);
            if taken {
                contents.lines.push((place, line.clone()));
            }
            place = place.saturating_add(1);
            !taken
        });
        contents
    }

    /// Puts them back where they were.
    pub fn put_back(self, lines: &mut Vec<Line>) {
        for (place, line) in self.lines {
            lines.insert(usize::from(place).min(lines.len()), line);
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // More lines or longer ones than these numbers can say are refused long before (`HEADER` limits).
        let short = |out: &mut Vec<u8>, n: usize| out.extend(u16::try_from(n).unwrap_or(u16::MAX).to_le_bytes());
        let long = |out: &mut Vec<u8>, n: usize| out.extend(u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
        short(&mut out, self.lines.len());
        for (place, (name, value)) in &self.lines {
            out.extend(place.to_le_bytes());
            short(&mut out, name.len());
            out.extend(name.as_bytes());
            long(&mut out, value.len());
            out.extend(&value[..]);
        }
        short(&mut out, self.stub.len());
        out.extend(&self.stub);
        long(&mut out, self.target.len());
        out.extend(self.target.as_bytes());
        out
    }

    /// Values share the bytes given.
    pub fn decode(bytes: Bytes) -> Result<Self, Damaged> {
        let mut reader = Reader(bytes);
        let count = reader.short()?;
        let mut lines = Vec::with_capacity(count.min(1_024));
        for _ in 0..count {
            let place = u16::try_from(reader.short()?).map_err(|_| Damaged)?;
            let length = reader.short()?;
            let name = reader.text(length)?;
            let length = reader.long()?;
            lines.push((place, (Arc::from(name), reader.bytes(length)?)));
        }
        let length = reader.short()?;
        let stub = reader.bytes(length)?.to_vec();
        let length = reader.long()?;
        let target = reader.text(length)?;
        if reader.0.is_empty() { Ok(Contents { lines, stub, target }) } else { Err(Damaged) }
    }
}

struct Reader(Bytes);

impl Reader {
    fn bytes(&mut self, length: usize) -> Result<Bytes, Damaged> {
        if length > self.0.len() { Err(Damaged) } else { Ok(self.0.split_to(length)) }
    }

    fn text(&mut self, length: usize) -> Result<String, Damaged> {
        String::from_utf8(self.bytes(length)?.to_vec()).map_err(|_| Damaged)
    }

    fn short(&mut self) -> Result<usize, Damaged> {
        let bytes = self.bytes(2)?;
        bytes.first_chunk().map(|n| usize::from(u16::from_le_bytes(*n))).ok_or(Damaged)
    }

    fn long(&mut self) -> Result<usize, Damaged> {
        let bytes = self.bytes(4)?;
        let number = bytes.first_chunk().map(|n| u32::from_le_bytes(*n)).ok_or(Damaged)?;
        usize::try_from(number).map_err(|_| Damaged)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines() -> impl Strategy<Value = Vec<Line>> {
        let line = ("[ab]{1,3}", any::<Vec<u8>>()).prop_map(|(name, value)| (Arc::from(&*name), Bytes::from(value)));
        proptest::collection::vec(line, 0..20)
    }

    proptest! {
        #[test]
        fn what_is_taken_out_comes_back_to_its_place(lines in lines(), stub: Vec<u8>, target: String) {
            let mut left = lines.clone();
            let taken = Contents { stub, target, ..Contents::take(&mut left, |name| name.contains('a')) };
            prop_assert!(left.iter().all(|(name, _)| !name.contains('a')));
            let decoded = Contents::decode(taken.encode().into());
            prop_assert_eq!(decoded.as_ref(), Ok(&taken));
            taken.put_back(&mut left);
            prop_assert_eq!(left, lines);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Contents::decode(bytes.into());
        }
    }
}
