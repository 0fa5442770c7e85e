//! What is counted, by source and by source and destination; how it adds up; how it is written, which is JSON with
//! short names, since there is much of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sketch::Sketch;

/// Sources told apart, and destinations of each; further ones count as [`OTHER`].
const NAMES_MAX: usize = 100;
pub const OTHER: &str = "other";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFigures {
    /// Answered with success, duplicates too.
    #[serde(rename = "r", default, skip_serializing_if = "is_zero")]
    pub received: u64,
    #[serde(rename = "j", default, skip_serializing_if = "is_zero")]
    pub rejected: u64,
    #[serde(rename = "d", default, skip_serializing_if = "is_zero")]
    pub duplicates: u64,
    /// Arrival to answer.
    #[serde(rename = "a", default, skip_serializing_if = "Sketch::is_empty")]
    pub answer: Sketch,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairFigures {
    /// Attempts that delivered.
    #[serde(rename = "o", default, skip_serializing_if = "is_zero")]
    pub delivered: u64,
    /// Attempts after which there is another.
    #[serde(rename = "r", default, skip_serializing_if = "is_zero")]
    pub retries: u64,
    /// Attempts after which the delivery was dead.
    #[serde(rename = "x", default, skip_serializing_if = "is_zero")]
    pub dead: u64,
    /// Deliveries waiting or in hand, at most. All nodes see the same ones.
    #[serde(rename = "q", default, skip_serializing_if = "is_zero")]
    pub depth: u64,
    /// Attempts, from the name to the last byte read of the answer.
    #[serde(rename = "t", default, skip_serializing_if = "Sketch::is_empty")]
    pub attempt: Sketch,
    /// Arrival of the event to its delivery.
    #[serde(rename = "e", default, skip_serializing_if = "Sketch::is_empty")]
    pub end_to_end: Sketch,
}

/// Of one node or several, and of a minute or more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    #[serde(rename = "s", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, SourceFigures>,
    /// By source and destination.
    #[serde(rename = "p", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pairs: BTreeMap<String, BTreeMap<String, PairFigures>>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl SourceFigures {
    pub fn merge(&mut self, other: &SourceFigures) {
        self.received += other.received;
        self.rejected += other.rejected;
        self.duplicates += other.duplicates;
        self.answer.merge(&other.answer);
    }
}

impl PairFigures {
    /// Of the same pair, at another time or on another node.
    pub fn merge(&mut self, other: &PairFigures) {
        let depth = self.depth.max(other.depth);
        self.add(other);
        self.depth = depth;
    }

    /// Of another pair, at the same time.
    pub fn add(&mut self, other: &PairFigures) {
        self.delivered += other.delivered;
        self.retries += other.retries;
        self.dead += other.dead;
        self.depth += other.depth;
        self.attempt.merge(&other.attempt);
        self.end_to_end.merge(&other.end_to_end);
    }
}

impl Figures {
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.pairs.is_empty()
    }

    pub fn source(&mut self, name: &str) -> &mut SourceFigures {
        bounded(&mut self.sources, name)
    }

    pub fn pair(&mut self, source: &str, destination: &str) -> &mut PairFigures {
        bounded(bounded(&mut self.pairs, source), destination)
    }

    pub fn merge(&mut self, other: &Figures) {
        for (name, figures) in &other.sources {
            self.source(name).merge(figures);
        }
        for (source, pairs) in &other.pairs {
            for (destination, figures) in pairs {
                self.pair(source, destination).merge(figures);
            }
        }
    }

    /// All sources, or one.
    pub fn of_sources(&self, wanted: Option<&str>) -> SourceFigures {
        let mut sum = SourceFigures::default();
        let of = self.sources.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
        of.for_each(|(_, figures)| sum.merge(figures));
        sum
    }

    /// All pairs, or those of one source, or of one destination, or one.
    pub fn of_pairs(&self, source: Option<&str>, destination: Option<&str>) -> PairFigures {
        let mut sum = PairFigures::default();
        let of = self.pairs.iter().filter(|(name, _)| source.is_none_or(|wanted| wanted == *name));
        let pairs = of.flat_map(|(_, pairs)| pairs);
        let pairs = pairs.filter(|(name, _)| destination.is_none_or(|wanted| wanted == *name));
        pairs.for_each(|(_, figures)| sum.add(figures));
        sum
    }
}

/// The entry of that name, or of [`OTHER`] where there are too many.
fn bounded<'m, T: Default>(map: &'m mut BTreeMap<String, T>, name: &str) -> &'m mut T {
    let name = if map.contains_key(name) || map.len() < NAMES_MAX { name } else { OTHER };
    map.entry(name.to_owned()).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_adds_up_over_nodes_and_depth_does_not() {
        let (mut here, mut there) = (Figures::default(), Figures::default());
        for (figures, received) in [(&mut here, 3), (&mut there, 4)] {
            figures.source("stripe").received = received;
            for (destination, depth) in [("billing", 5), ("mail", 2)] {
                *figures.pair("stripe", destination) =
                    PairFigures { delivered: received, depth, ..PairFigures::default() };
            }
        }
        here.merge(&there);
        assert_eq!(here.of_sources(None).received, 7);
        assert_eq!(here.of_sources(Some("github")).received, 0);
        let all = here.of_pairs(Some("stripe"), None);
        assert_eq!((all.delivered, all.depth), (14, 7), "each pair's depth once");
        assert_eq!(here.of_pairs(None, Some("mail")).depth, 2);
    }

    #[test]
    fn names_have_a_limit() {
        let mut figures = Figures::default();
        for n in 0..2 * NAMES_MAX {
            figures.source(&format!("s{n}")).received += 1;
            figures.pair("s", &format!("d{n}")).dead += 1;
        }
        assert_eq!(figures.sources.len(), NAMES_MAX + 1);
        assert_eq!(figures.sources[OTHER].received, NAMES_MAX as u64);
        assert_eq!(figures.of_pairs(None, None).dead, 2 * NAMES_MAX as u64);
    }

    #[test]
    fn what_is_written_is_short_and_comes_back() {
        let mut figures = Figures::default();
        figures.source("stripe").received = 12;
        figures.pair("stripe", "billing").dead = 1;
        let text = serde_json::to_string(&figures).unwrap();
        assert_eq!(text, r#"{"s":{"stripe":{"r":12}},"p":{"stripe":{"billing":{"x":1}}}}"#);
        assert_eq!(serde_json::from_str::<Figures>(&text).unwrap(), figures);
    }
}
