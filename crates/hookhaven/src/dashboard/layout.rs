//! What stands around a page's own content: its title, the menu, who reads, which spans of time can be chosen.

use hookhaven_core::Time;

/// A place in the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Events,
    DeadLetters,
    Rejected,
    Destinations,
    Sources,
    Publishing,
    Jobs,
    Settings,
    None,
}

/// An entry of the menu.
pub(crate) struct Entry {
    pub section: Section,
    pub name: &'static str,
    pub path: &'static str,
    /// What is pressed after `g` to go there.
    pub key: &'static str,
}

/// The menu. One line an entry.
pub(crate) const SECTIONS: [Entry; 9] = [
    Entry { section: Section::Overview, name: "Overview", path: "/", key: "o" },
    Entry { section: Section::Events, name: "Events", path: "/events", key: "e" },
    Entry { section: Section::DeadLetters, name: "Dead letters", path: "/dead-letters", key: "d" },
    Entry { section: Section::Rejected, name: "Rejected", path: "/rejected", key: "r" },
    Entry { section: Section::Destinations, name: "Destinations", path: "/destinations", key: "t" },
    Entry { section: Section::Sources, name: "Sources", path: "/sources", key: "s" },
    Entry { section: Section::Publishing, name: "Publishing", path: "/publishing", key: "p" },
    Entry { section: Section::Jobs, name: "Jobs", path: "/jobs", key: "j" },
    Entry { section: Section::Settings, name: "Settings", path: "/settings", key: "c" },
];

/// A span of time that can be chosen.
pub(crate) struct Offer {
    pub name: &'static str,
    pub link: String,
    pub chosen: bool,
}

/// Every page's template has one of these as `frame`, and extends `base.html`.
pub(crate) struct Frame<'a> {
    pub title: &'a str,
    pub section: Section,
    pub who: &'a str,
    pub may_operate: bool,
    pub may_admin: bool,
    /// `light`, `dark` or empty.
    pub theme: &'static str,
    /// The page's own address.
    pub address: &'a str,
    /// What the action before says.
    pub said: Option<&'a str>,
    pub now: Time,
    /// Empty where a page does not look at a span.
    pub ranges: Vec<Offer>,
}

impl Frame<'_> {
    pub fn menu(&self) -> &'static [Entry] {
        &SECTIONS
    }

    pub fn asset(&self, name: &str) -> &'static str {
        super::assets::link(name)
    }
}
