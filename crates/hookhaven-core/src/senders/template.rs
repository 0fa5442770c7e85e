//! What a signature is over, as a template: `{timestamp}.{body}`.
//!
//! Not here: where the placeholders' values come from (`hmac`).

use std::str::FromStr;

use http::HeaderName;

use super::place::header_name;

/// Longest template.
pub const TEMPLATE_BYTES_MAX: usize = 256;

/// One piece of the signed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Literal(Box<str>),
    Body,
    /// The text of the timestamp as received, never a re-rendered number.
    Timestamp,
    Id,
    Url,
    Method,
    Header(HeaderName),
}

/// The signed text: literals and placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    #[error("{{body}} is missing: the signature would not cover the body, and anyone could change it")]
    BodyMissing,
    #[error(
        "{{{0}}} is no placeholder; there are {{body}}, {{timestamp}}, {{id}}, {{url}}, {{method}} and {{header:NAME}}"
    )]
    Unknown(String),
    #[error("{0:?} is not a header name")]
    Header(String),
    #[error("a brace is not closed or not opened; a literal brace is written twice: \"{{{{\" or \"}}}}\"")]
    Brace,
    #[error("a template has at most 256 bytes")]
    TooLong,
}

impl Template {
    /// `{body}` must be in it. A literal brace is written twice.
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(BadTemplate::TooLong);
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
                literal.push_str(&rest[..1]);
                rest = after;
                continue;
            }
            let inside = rest.strip_prefix('{').ok_or(BadTemplate::Brace)?;
            let (name, after) = inside.split_once('}').ok_or(BadTemplate::Brace)?;
            push_literal(&mut parts, &mut literal);
            parts.push(placeholder(name)?);
            rest = after;
        }
        literal.push_str(rest);
        push_literal(&mut parts, &mut literal);
        if parts.contains(&Part::Body) { Ok(Template(parts)) } else { Err(BadTemplate::BodyMissing) }
    }

    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    pub fn has(&self, part: &Part) -> bool {
        self.0.contains(part)
    }
}

fn push_literal(parts: &mut Vec<Part>, literal: &mut String) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal).into()));
    }
}

fn placeholder(name: &str) -> Result<Part, BadTemplate> {
    Ok(match name {
        "body" => Part::Body,
        "timestamp" => Part::Timestamp,
        "id" => Part::Id,
        "url" => Part::Url,
        "method" => Part::Method,
        _ => match name.strip_prefix("header:") {
            Some(header) => Part::Header(header_name(header).map_err(|_| BadTemplate::Header(header.into()))?),
            None => return Err(BadTemplate::Unknown(name.into())),
        },
    })
}

impl FromStr for Template {
    type Err = BadTemplate;
    fn from_str(text: &str) -> Result<Self, BadTemplate> {
        Template::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_literals_and_placeholders() {
        let template = Template::parse("v0:{timestamp}:{header:X-Id}{{}}{body}").unwrap();
        assert_eq!(
            template.parts(),
            [
                Part::Literal("v0:".into()),
                Part::Timestamp,
                Part::Literal(":".into()),
                Part::Header(HeaderName::from_static("x-id")),
                Part::Literal("{}".into()),
                Part::Body
            ]
        );
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, error) in [
            ("", BadTemplate::BodyMissing),
            ("{timestamp}", BadTemplate::BodyMissing),
            ("{{body}}", BadTemplate::BodyMissing),
            ("{time}.{body}", BadTemplate::Unknown("time".into())),
            ("{ body }", BadTemplate::Unknown(" body ".into())),
            ("{header:X Y}{body}", BadTemplate::Header("X Y".into())),
            ("{header:}{body}", BadTemplate::Header("".into())),
            ("{body", BadTemplate::Brace),
            ("body}", BadTemplate::Brace),
            ("{body}}", BadTemplate::Brace),
        ] {
            assert_eq!(Template::parse(text), Err(error), "{text}");
        }
        assert_eq!(Template::parse(&"x".repeat(257)), Err(BadTemplate::TooLong));
        assert!(BadTemplate::Brace.to_string().contains("\"{{\" or \"}}\""));
    }
}
