//! A place in the journal: where a frame begins and how long it is.

/// Segment number, offset of the frame in it, length of the whole frame in bytes. Orders as the
/// journal does. Stores without a journal use [`Position::NONE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub segment: u32,
    pub offset: u64,
    pub len: u32,
}

impl Position {
    pub const NONE: Position = Position { segment: 0, offset: 0, len: 0 };

    /// Where the frame ends, which is where the next one of its segment begins.
    pub const fn end(&self) -> u64 {
        self.offset.saturating_add(self.len as u64)
    }
}
