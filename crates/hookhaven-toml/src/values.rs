//! Items as durations, sizes, numbers, addresses, URLs: each with its bounds, and with an example of a
//! right one when it is wrong.
//!
//! Secrets are not read here (`config::secret`), since nothing of theirs may be quoted.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    ops::RangeInclusive,
    time::Duration,
};

use hookhaven_core::destination::Rate;
use ipnet::IpNet;
use toml::de::DeValue;
use url::Url;

use crate::{document::Item, duration, said, size, suggest};

/// Longest piece of the file that a message repeats.
const QUOTED_CHARS_MAX: usize = 60;

/// A piece of the file as a message repeats it: escaped, cut, in quotes.
pub fn quote(text: &str) -> String {
    let mut cut: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

impl<'d> Item<'d> {
    pub fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let in_quotes = |length: &Duration| format!("\"{}\"", duration::print(*length));
        let text = self.text(&format!("a duration in quotes, such as {}", duration::EXAMPLES))?;
        let Some(value) = duration::parse(text) else {
            if duration::is_too_long(text) {
                self.out_of_range(&quote(text), &range, in_quotes);
                return None;
            }
            let mend = match said::duration(text) {
                Some(meant) => format!("did you mean {}?", in_quotes(&meant)),
                None => format!("write {}", duration::EXAMPLES),
            };
            self.error(format!("{} is not a duration", quote(text)), mend);
            return None;
        };
        self.within(value, range, in_quotes)
    }

    /// Bytes.
    pub fn size(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let text = self.text(&format!("a size in quotes, such as {}", size::EXAMPLES))?;
        let Some(value) = size::parse(text) else {
            self.error(format!("{} is not a size", quote(text)), format!("write {}", size::EXAMPLES));
            return None;
        };
        self.within(value, range, |b| format!("\"{}\"", size::print(*b)))
    }

    pub fn rate(&self) -> Option<Rate> {
        let text = self.text(&format!("a rate in quotes, such as {}", size::RATE_EXAMPLES))?;
        let rate = size::parse_rate(text);
        if rate.is_none() {
            self.error(format!("{} is not a rate", quote(text)), format!("write {}", size::RATE_EXAMPLES));
        }
        rate
    }

    pub fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let value = match self.value {
            DeValue::Integer(n) => u64::from_str_radix(n.as_str(), n.radix()).ok(),
            DeValue::String(text) if said::count(text).is_some() => {
                let meant = said::count(text).unwrap_or_default();
                self.error(
                    format!("{} is a text, not a number", quote(text)),
                    format!("write {meant}, without quotes"),
                );
                return None;
            }
            _ => {
                self.expected(&format!("a whole number, such as {}", range.start()));
                return None;
            }
        };
        match value {
            Some(value) => self.within(value, range, u64::to_string),
            None => {
                self.error(format!("must lie between {} and {}", range.start(), range.end()), "");
                None
            }
        }
    }

    pub fn count(&self, range: RangeInclusive<u32>) -> Option<NonZeroU32> {
        let value = self.integer(u64::from(*range.start())..=u64::from(*range.end()))?;
        u32::try_from(value).ok().and_then(NonZeroU32::new)
    }

    pub fn number(&self, range: RangeInclusive<f64>) -> Option<f64> {
        let value = match self.value {
            DeValue::Float(n) => n.as_str().parse().ok(),
            DeValue::Integer(n) if n.radix() == 10 => n.as_str().parse().ok(),
            _ => None,
        };
        match value {
            Some(value) => self.within(value, range, f64::to_string),
            None => {
                self.expected(&format!("a number, such as {:?}", range.start()));
                None
            }
        }
    }

    pub fn boolean(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => {
                self.expected("true or false, without quotes");
                None
            }
        }
    }

    pub fn one_of<T: Copy>(&self, choices: &[(&'static str, T)]) -> Option<T> {
        let words = choices.iter().map(|(word, _)| *word);
        let text = self.text(&format!("one of {}", words.clone().collect::<Vec<_>>().join(", ")))?;
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            self.error(format!("{} is not known here", quote(text)), suggest::mend(text, words, "choose one of"));
        }
        found
    }

    pub fn address(&self) -> Option<SocketAddr> {
        const EXAMPLES: &str = "\"127.0.0.1:8080\", or \"0.0.0.0:8080\" for every interface";
        let text = self.text(&format!("an address and a port in quotes, such as {EXAMPLES}"))?;
        let address = text.parse().ok();
        if address.is_none() {
            self.error(format!("{} is not an IP address and a port", quote(text)), format!("write {EXAMPLES}"));
        }
        address
    }

    /// Ranges of addresses, such as `["10.0.0.0/8", "192.0.2.7"]`.
    pub fn nets(&self) -> Option<Vec<IpNet>> {
        let items = self.list("a list of addresses, such as [\"10.0.0.0/8\"]")?;
        let nets: Vec<Option<IpNet>> = items.iter().map(Item::net).collect();
        nets.into_iter().collect()
    }

    pub fn net(&self) -> Option<IpNet> {
        let text = self.text("an address or a range in quotes, such as \"10.0.0.0/8\"")?;
        let net = text.parse().ok().or_else(|| text.parse().ok().map(|ip: IpAddr| IpNet::from(ip)));
        if net.is_none() {
            self.error(
                format!("{} is not an address or a range", quote(text)),
                "write \"192.0.2.7\" or \"10.0.0.0/8\"",
            );
        }
        net
    }

    /// A http or https address without credentials, which would end up in logs and lists.
    pub fn http_url(&self, example: &str) -> Option<Url> {
        let text = self.text(&format!("a URL in quotes, such as \"{example}\""))?;
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(why) => {
                self.error(format!("not a URL: {why}"), format!("write one such as \"{example}\""));
                return None;
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            self.error(
                "a URL with a user name or password is refused: it would be seen in logs and lists",
                "take it out",
            );
            return None;
        }
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            self.error(
                format!("a {:?} URL cannot be used here", url.scheme()),
                format!("write one such as \"{example}\""),
            );
            return None;
        }
        if url.fragment().is_some() {
            self.error("a URL with a fragment (#…) cannot be requested", "take the fragment out");
            return None;
        }
        Some(url)
    }

    fn within<T: PartialOrd>(&self, value: T, range: RangeInclusive<T>, show: impl Fn(&T) -> String) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        self.out_of_range(&show(&value), &range, show);
        None
    }

    fn out_of_range<T>(&self, value: &str, range: &RangeInclusive<T>, show: impl Fn(&T) -> String) {
        let (least, most) = (show(range.start()), show(range.end()));
        self.error(format!("{value} is out of range"), format!("must lie between {least} and {most}"));
    }
}
