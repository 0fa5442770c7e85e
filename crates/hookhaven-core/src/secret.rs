//! Signing material that cannot be printed: no `Display`, no `Serialize`, a `Debug` that says
//! nothing, bytes wiped on drop (guarantee I6). Where secrets come from is the config's business.

use std::fmt;

use zeroize::Zeroizing;

/// One secret as the team configured it, before any sender-specific decoding.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// `None` if the text is empty or blank: an HMAC under an empty key is valid mathematics and no
    /// protection, so such a secret must not exist.
    pub fn new(text: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = Zeroizing::new(text.into());
        let blank = bytes.iter().all(u8::is_ascii_whitespace);
        (!blank).then_some(Secret(bytes))
    }

    /// The bytes, for the code that signs or verifies. Never for output.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_secrets_do_not_exist() {
        for blank in ["", " ", "\t\r\n "] {
            assert_eq!(Secret::new(blank), None);
        }
    }

    #[test]
    fn debug_says_nothing() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "Some(Secret(…))");
    }
}
