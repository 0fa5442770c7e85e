//! What an event is ordered by, and what says how new it is: places in its headers and its body.
//!
//! Not here: what an order does (`ordering`), which routes want one (`route`).

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{facts::FactPlaces, place::BadPlace};
use crate::{event::Event, ordering::Version};

/// Places of an ordering key and a version, in the notation of [`FactPlaces::parse`].
#[derive(Clone, Debug)]
pub struct OrderPlaces {
    key: Vec<String>,
    version: Vec<String>,
    places: FactPlaces,
}

impl OrderPlaces {
    /// Of several places the first that holds something counts. No version: the event's time.
    pub fn parse(key: &[&str], version: &[&str]) -> Result<Self, BadPlace> {
        let places = FactPlaces::parse(key, version, &[])?;
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Ok(OrderPlaces { key: owned(key), version: owned(version), places })
    }

    /// As they were written.
    pub fn key_texts(&self) -> &[String] {
        &self.key
    }

    pub fn version_texts(&self) -> &[String] {
        &self.version
    }

    /// The ordering key, if the event has one, and its version: when it happened (else: was received) where no
    /// places are named; `None` where they are and it is not there, or is neither number nor time.
    pub fn read(&self, event: &Event) -> Option<(String, Option<Version>)> {
        let mut headers = HeaderMap::new();
        for (name, value) in &event.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(&**name), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
        let found = self.places.read(&headers, &event.body);
        let version = match self.version.is_empty() {
            true => Some(Version::of_time(event.occurred_at.unwrap_or(event.received_at))),
            false => found.event_type.as_deref().and_then(Version::parse),
        };
        Some((found.idempotency_key?, version))
    }
}

impl PartialEq for OrderPlaces {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, &self.version) == (&other.key, &other.version)
    }
}
