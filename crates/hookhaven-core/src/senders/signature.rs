//! The header that carries signatures: one digest, or a list of named ones with a time among them.
//!
//! Not here: whether a digest is right (`hmac`), and how its bytes are written (`mac`).

use std::borrow::Cow;

use super::mac::CANDIDATES_MAX;
use crate::sender::Rejection;

/// How the signature header is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A prefix, possibly empty, then the digest: `sha256=<hex>`.
    Whole { prefix: Cow<'static, str> },
    /// A prefix once, then digests with commas between: `v0=<hex>,<hex>`.
    Several { prefix: &'static str },
    /// One digest in each of several headers, numbered from 1: `X-DocuSign-Signature-1`.
    Numbered,
    /// Pairs or versions in a list: `t=1,v1=<hex>,v1=<hex>`, or `v1,<base64> v1,<base64>`. Nothing is trimmed.
    List {
        separator: u8,
        assign: u8,
        /// Every element of this name is a candidate; the others are ignored.
        signature: &'static str,
        /// The element that is the timestamp, in seconds.
        timestamp: Option<&'static str>,
    },
}

/// What the signature header says.
pub struct Claim<'a> {
    /// Texts of possible digests, at most [`CANDIDATES_MAX`].
    pub signatures: Vec<&'a [u8]>,
    pub timestamp: Option<&'a [u8]>,
}

impl Form {
    /// A prefix, then the digest.
    pub const fn prefix(prefix: &'static str) -> Form {
        Form::Whole { prefix: Cow::Borrowed(prefix) }
    }

    /// `t=1,v1=<hex>`: pairs with `=` between name and value.
    pub const fn pairs(separator: u8, timestamp: Option<&'static str>, signature: &'static str) -> Form {
        Form::List { separator, assign: b'=', signature, timestamp }
    }

    /// Refuses more candidates than anybody sends: a huge header must not cost thousands of comparisons.
    pub fn read<'a>(&self, header: &'a [u8]) -> Result<Claim<'a>, Rejection> {
        match self {
            Form::Whole { prefix } => {
                let digest = header.strip_prefix(prefix.as_bytes()).ok_or(Rejection::SignatureMalformed)?;
                Ok(Claim { signatures: vec![digest], timestamp: None })
            }
            Form::Several { prefix } => {
                let list = header.strip_prefix(prefix.as_bytes()).ok_or(Rejection::SignatureMalformed)?;
                let signatures: Vec<_> = list.split(|b| *b == b',').take(CANDIDATES_MAX + 1).collect();
                if signatures.len() > CANDIDATES_MAX {
                    return Err(Rejection::SignatureMalformed);
                }
                Ok(Claim { signatures, timestamp: None })
            }
            Form::Numbered => Ok(Claim { signatures: vec![header], timestamp: None }),
            Form::List { separator, assign, signature, timestamp } => {
                let mut claim = Claim { signatures: Vec::new(), timestamp: None };
                for element in header.split(|b| b == separator) {
                    let Some(at) = element.iter().position(|b| b == assign) else { continue };
                    let (name, value) = (&element[..at], &element[at + 1..]);
                    if name == signature.as_bytes() {
                        claim.signatures.push(value);
                    } else if timestamp.is_some_and(|t| name == t.as_bytes())
                        && claim.timestamp.replace(value).is_some()
                    {
                        return Err(Rejection::TimestampMalformed);
                    }
                }
                if claim.signatures.len() > CANDIDATES_MAX {
                    return Err(Rejection::SignatureMalformed);
                }
                Ok(claim)
            }
        }
    }

    /// As the sender would write it.
    pub fn write(&self, digest: &str, at: &str) -> String {
        match self {
            Form::Whole { prefix } => format!("{prefix}{digest}"),
            Form::Several { prefix } => format!("{prefix}{digest}"),
            Form::Numbered => digest.to_owned(),
            Form::List { separator, assign, signature, timestamp } => {
                let (separator, assign) = (char::from(*separator), char::from(*assign));
                let time = timestamp.map(|name| format!("{name}{assign}{at}{separator}")).unwrap_or_default();
                format!("{time}{signature}{assign}{digest}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Form {
        Form::List { separator: b',', assign: b'=', signature: "v1", timestamp: Some("t") }
    }

    #[test]
    fn lists_take_their_own_version_only() {
        let claim = list().read(b"t=1,v0=a,v1=b,junk,v1=c,v2=d, v1=e,v1").ok().unwrap();
        assert_eq!(claim.signatures, [b"b", b"c"]);
        assert_eq!(claim.timestamp, Some(&b"1"[..]));
    }

    #[test]
    fn two_timestamps_or_a_flood_of_signatures_are_malformed() {
        assert_eq!(list().read(b"t=1,t=1,v1=a").err(), Some(Rejection::TimestampMalformed));
        let flood = |n: usize| list().read(format!("t=1{}", ",v1=a".repeat(n)).as_bytes()).err();
        assert_eq!(flood(CANDIDATES_MAX), None);
        assert_eq!(flood(CANDIDATES_MAX + 1), Some(Rejection::SignatureMalformed));
    }
}
