//! The smallest parts of the encoding: numbers, text, options. What a record is made of is `codec`'s.
//!
//! Every value has exactly one encoding; a reader refuses any other, so that equal records are equal
//! bytes. Reading never panics and never allocates more than the input could fill.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::Time;

use super::{DecodeError, Problem};

/// Appends to a buffer that the caller owns, so that a batch is built in one.
pub(super) struct Writer<'a>(pub &'a mut Vec<u8>);

impl Writer<'_> {
    pub fn u8(&mut self, n: u8) {
        self.0.push(n);
    }

    pub fn bool(&mut self, b: bool) {
        self.u8(u8::from(b));
    }

    /// LEB128: seven bits a byte, least significant first.
    pub fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push((n as u8 & 0x7f) | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    pub fn len(&mut self, n: usize) {
        self.varint(n as u64);
    }

    pub fn id(&mut self, id: &[u8; 16]) {
        self.0.extend_from_slice(id);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.len(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub fn time(&mut self, t: Time) {
        self.0.extend_from_slice(&t.as_us().to_le_bytes());
    }

    pub fn f64(&mut self, x: f64) {
        self.0.extend_from_slice(&x.to_bits().to_le_bytes());
    }

    pub fn duration(&mut self, d: Duration) {
        self.varint(d.as_secs());
        self.varint(u64::from(d.subsec_nanos()));
    }

    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }
}

/// Reads what `Writer` wrote, and refuses everything else.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Read<T> = Result<T, DecodeError>;

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    pub fn fail<T>(&self, problem: Problem) -> Read<T> {
        Err(DecodeError { at: self.at, problem })
    }

    fn take(&mut self, n: usize) -> Read<&'a [u8]> {
        match self.at.checked_add(n).and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += n;
                Ok(taken)
            }
            None => self.fail(Problem::Truncated),
        }
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn end(&self) -> Read<()> {
        if self.at == self.bytes.len() { Ok(()) } else { self.fail(Problem::Trailing) }
    }

    pub fn u8(&mut self) -> Read<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub fn bool(&mut self) -> Read<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            n => self.fail(Problem::Tag { of: "flag", found: u64::from(n) }),
        }
    }

    pub fn varint(&mut self) -> Read<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return self.fail(Problem::Number);
            }
            n |= bits << shift;
            if byte & 0x80 == 0 {
                let padded = byte == 0 && shift > 0;
                return if padded { self.fail(Problem::Number) } else { Ok(n) };
            }
        }
        self.fail(Problem::Number)
    }

    pub fn u32(&mut self) -> Read<u32> {
        let n = self.varint()?;
        u32::try_from(n).or_else(|_| self.fail(Problem::Number))
    }

    pub fn u16(&mut self) -> Read<u16> {
        let n = self.varint()?;
        u16::try_from(n).or_else(|_| self.fail(Problem::Number))
    }

    /// A length or a count: each thing counted takes a byte at least, so it cannot exceed what is left.
    pub fn len(&mut self) -> Read<usize> {
        let n = self.varint()?;
        match usize::try_from(n) {
            Ok(n) if n <= self.bytes.len() - self.at => Ok(n),
            _ => self.fail(Problem::Truncated),
        }
    }

    pub fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let n = self.len()?;
        // Counts are believed up to here; a longer list grows as it is read.
        let mut list = Vec::with_capacity(n.min(64));
        for _ in 0..n {
            list.push(read(self)?);
        }
        Ok(list)
    }

    pub fn id(&mut self) -> Read<[u8; 16]> {
        self.array()
    }

    pub fn slice(&mut self) -> Read<&'a [u8]> {
        let n = self.len()?;
        self.take(n)
    }

    pub fn bytes(&mut self) -> Read<Bytes> {
        Ok(Bytes::copy_from_slice(self.slice()?))
    }

    pub fn str(&mut self) -> Read<&'a str> {
        let bytes = self.slice()?;
        std::str::from_utf8(bytes).or_else(|_| self.fail(Problem::Text))
    }

    pub fn text(&mut self) -> Read<Arc<str>> {
        Ok(self.str()?.into())
    }

    pub fn time(&mut self) -> Read<Time> {
        Ok(Time::from_us(i64::from_le_bytes(self.array()?)))
    }

    pub fn f64(&mut self) -> Read<f64> {
        Ok(f64::from_bits(u64::from_le_bytes(self.array()?)))
    }

    pub fn duration(&mut self) -> Read<Duration> {
        let (s, ns) = (self.varint()?, self.u32()?);
        if ns >= 1_000_000_000 {
            return self.fail(Problem::Number);
        }
        Ok(Duration::new(s, ns))
    }

    pub fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        Ok(if self.bool()? { Some(read(self)?) } else { None })
    }
}
