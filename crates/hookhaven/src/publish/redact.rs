//! What a publisher wants hidden in everything the API shows: `Upstash-Redact-Fields`. Deliveries,
//! retries and signatures use the originals.

use aws_lc_rs::digest;

use super::error::ApiError;

const FIELDS_MAX: usize = 50;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redact {
    pub body: bool,
    all_headers: bool,
    /// Lower-case.
    headers: Vec<String>,
}

impl Redact {
    /// A list with commas of `body`, `header`, `header[Name]`; the plural is the same.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let mut redact = Redact::default();
        for field in text.split(',').map(str::trim).filter(|field| !field.is_empty()).take(FIELDS_MAX) {
            match field.to_ascii_lowercase().as_str() {
                "body" => redact.body = true,
                "header" | "headers" => redact.all_headers = true,
                lower => {
                    let name = lower.strip_prefix("headers[").or_else(|| lower.strip_prefix("header["));
                    let name = name.and_then(|name| name.strip_suffix(']')).map(str::trim).filter(|n| !n.is_empty());
                    let name = name.ok_or_else(|| {
                        ApiError::bad("invalid Upstash-Redact-Fields: use body, header or header[Name]")
                    })?;
                    redact.headers.push(name.to_owned());
                }
            }
        }
        Ok(redact)
    }

    /// Whether a header of this name is hidden.
    pub fn header(&self, name: &str) -> bool {
        self.all_headers || self.headers.iter().any(|hidden| hidden.eq_ignore_ascii_case(name))
    }
}

/// What stands in place of a hidden value.
pub fn hidden(value: &[u8]) -> String {
    format!("REDACTED:{}", hex::encode(digest::digest(&digest::SHA256, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_in_both_spellings() {
        let redact = Redact::parse("body, header[Authorization],headers[x-api-key]").unwrap();
        assert!(redact.body && redact.header("authorization") && redact.header("X-Api-Key") && !redact.header("x"));
        for all in ["header", "headers"] {
            let redact = Redact::parse(all).unwrap();
            assert!(redact.header("anything") && !redact.body);
        }
        assert_eq!(Redact::parse(""), Ok(Redact::default()));
        assert!(["bodi", "header[", "header[]", "header[x", "query"].iter().all(|t| Redact::parse(t).is_err()));
    }

    #[test]
    fn a_hidden_value_is_its_hash() {
        assert_eq!(hidden(b""), "REDACTED:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
