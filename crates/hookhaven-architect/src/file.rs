//! A file of a set-up, before anybody writes it.

/// Text at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Relative to where the set-up goes, with `/` between its parts.
    pub path: String,
    /// Ends with a line's end.
    pub text: String,
}

impl File {
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> File {
        File { path: path.into(), text: text.into() }
    }
}
