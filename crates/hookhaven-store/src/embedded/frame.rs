//! A frame: one payload in a segment file, with what tells it from anything else. Pure bytes; what is
//! in a payload is `codec`'s business, where frames lie is `segment`'s.
//!
//! ```text
//! len: u32      of the payload, 1 and up
//! back: u32     bytes from the start of the batch that this frame was appended with
//! head: u32     CRC-32C of seal, offset, len, back
//! body: u32     CRC-32C of seal, offset, len, back, payload
//! payload
//! ```
//!
//! All numbers are little-endian. The seal is a CRC state over the segment's random salt and number, so
//! that nothing inside a payload and no frame of another segment can pass for a frame here. The head has
//! a checksum of its own, so that a search for the next frame after damage need not trust a length.
//! `back` tells a torn batch from damage: a batch is only begun when the one before is synced, so a
//! broken frame followed by a frame of a *later* batch was once whole.
//!
//! What a CRC cannot tell: within one payload, a block that ends with its own CRC-32C from another such block
//! of the same length, should a write that went astray put one exactly in the place of the other.

/// Before each payload.
pub const HEADER_BYTES: usize = 16;

/// Longest payload. An event of the largest configurable body fits.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What is mixed into each checksum of a segment.
#[derive(Clone, Copy, Debug)]
pub struct Seal(u32);

impl Seal {
    pub fn new(salt: &[u8; 16], segment: u32) -> Self {
        Seal(crc32c::crc32c_append(crc32c::crc32c(salt), &segment.to_le_bytes()))
    }

    fn head(self, offset: u64, lengths: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.0, &offset.to_le_bytes()), lengths)
    }
}

/// A header whose own checksum holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub len: u32,
    pub back: u32,
    head: u32,
    body: u32,
}

impl Header {
    /// Length of the whole frame.
    pub fn frame_len(&self) -> u32 {
        self.len + HEADER_BYTES as u32
    }

    /// Whether this is the payload that the header was written for.
    pub fn holds(&self, payload: &[u8]) -> bool {
        payload.len() == self.len as usize && body(self.head, payload) == self.body
    }
}

/// The checksum of the head is the state from which that of the body goes on, inverted once so that an
/// all but empty payload does not make them alike.
fn body(head: u32, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(!head, payload)
}

/// Completes the frame that begins at `start` in `buffer` and whose payload follows the space left for
/// the header by [`begin`]. `offset` and `back` are the frame's.
pub fn finish(buffer: &mut [u8], start: usize, seal: Seal, offset: u64, back: u32) {
    let len = (buffer.len() - start - HEADER_BYTES) as u32;
    let mut lengths = [0; 8];
    lengths[..4].copy_from_slice(&len.to_le_bytes());
    lengths[4..].copy_from_slice(&back.to_le_bytes());
    let head = seal.head(offset, &lengths);
    let body = body(head, &buffer[start + HEADER_BYTES..]);
    let header = &mut buffer[start..start + HEADER_BYTES];
    header[..8].copy_from_slice(&lengths);
    header[8..12].copy_from_slice(&head.to_le_bytes());
    header[12..].copy_from_slice(&body.to_le_bytes());
}

/// Leaves space for a header; answers where the frame begins in the buffer.
pub fn begin(buffer: &mut Vec<u8>) -> usize {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEADER_BYTES]);
    start
}

/// The header at `offset` of a segment, if these bytes are one.
pub fn header(bytes: &[u8; HEADER_BYTES], seal: Seal, offset: u64) -> Option<Header> {
    let [len, back, head, body] =
        [0, 4, 8, 12].map(|at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
    // Cheap refusals first: a search tries every byte.
    let plausible = len > 0 && len as usize <= PAYLOAD_BYTES_MAX && u64::from(back) <= offset;
    (plausible && seal.head(offset, &bytes[..8]) == head).then_some(Header { len, back, head, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: &[u8], seal: Seal, offset: u64) -> Vec<u8> {
        let mut buffer = vec![];
        let start = begin(&mut buffer);
        buffer.extend_from_slice(payload);
        finish(&mut buffer, start, seal, offset, 0);
        buffer
    }

    fn read(frame: &[u8], seal: Seal, offset: u64) -> Option<Vec<u8>> {
        let header = header(frame[..HEADER_BYTES].try_into().unwrap(), seal, offset)?;
        let payload = &frame[HEADER_BYTES..];
        header.holds(payload).then(|| payload.to_vec())
    }

    #[test]
    fn a_frame_is_read_back_in_its_own_place_only() {
        let seal = Seal::new(&[1; 16], 3);
        let bytes = frame(b"hello", seal, 640);
        assert_eq!(read(&bytes, seal, 640), Some(b"hello".to_vec()));
        assert_eq!(read(&bytes, seal, 641), None);
        assert_eq!(read(&bytes, Seal::new(&[1; 16], 4), 640), None);
        assert_eq!(read(&bytes, Seal::new(&[2; 16], 3), 640), None);
    }

    #[test]
    fn no_single_changed_bit_passes() {
        let seal = Seal::new(&[1; 16], 3);
        let bytes = frame(b"hello", seal, 640);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&changed, seal, 640), None, "bit {bit}");
        }
    }
}
