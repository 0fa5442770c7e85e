//! Who sends, and who will: names for sources, and the senders of the catalogue behind them.
//!
//! Not here: what they send (`values`).

use hookhaven_core::senders::{self, Declaration};
use hookhaven_toml::{Item, suggest, values::quote};
use toml::de::DeValue;

use super::Planned;

/// Of one intake; more are no longer a page that somebody reads.
pub const SENDERS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 48;

/// A sender as it was named, before its answers.
pub struct Named {
    pub name: String,
    pub sender: Option<&'static Declaration>,
}

/// Who was named.
#[derive(Default)]
pub struct Senders {
    pub named: Vec<Named>,
    /// Names that were refused, so that what is said under them is not blamed, too.
    pub refused: Vec<String>,
}

/// Names, or tables that give a second source of the same sender a name of its own.
pub fn named(item: &Item<'_>) -> Option<Senders> {
    let mut all: Vec<Named> = Vec::new();
    let mut refused = Vec::new();
    let items = item.list("a list of senders, such as [\"stripe\", \"github\"]")?;
    if items.is_empty() {
        item.error("no sender is named", "name at least one, such as [\"stripe\"]");
    }
    for item in items {
        let Some(named) = one(&item) else {
            if let DeValue::String(name) = item.under("name").value {
                refused.push(name.to_string());
            }
            continue;
        };
        if all.iter().any(|known| known.name == named.name) {
            let mend = "take one out, or name one of them: { name = \"stripe-eu\", sender = \"stripe\" }";
            item.error(format!("{:?} is there twice", named.name), mend);
        } else if all.len() == SENDERS_MAX {
            item.error(format!("more than {SENDERS_MAX} senders"), "make a set-up for some of them at a time");
            break;
        } else {
            all.push(named);
        }
    }
    Some(Senders { named: all, refused })
}

fn one(item: &Item<'_>) -> Option<Named> {
    if !matches!(item.value, DeValue::Table(_)) {
        let name = name(item)?;
        return Some(Named { sender: sender(item, &name), name });
    }
    let mut table = item.table("a name, or a table such as { name = \"stripe-eu\", sender = \"stripe\" }")?;
    let name = table.require("name", "add name = \"NAME\"").and_then(|item| name(&item));
    let kind = table.require("sender", "add sender = \"NAME\"");
    let sender = kind.as_ref().and_then(|item| {
        let kind = item.text("a sender's name in quotes")?;
        let found = senders::find(kind);
        if found.is_none() {
            let mend = suggest::nearest(kind, senders::names())
                .map_or("`hookhaven senders` lists those that are known".to_owned(), |m| {
                    format!("did you mean {m:?}?")
                });
            item.error(format!("no sender {kind:?} is known"), mend);
        }
        found
    });
    table.finish();
    kind?;
    Some(Named { name: name?, sender: Some(sender?) })
}

/// A name for a source, which becomes part of paths and variables.
pub fn name(item: &Item<'_>) -> Option<String> {
    let name = item.text("a sender's name in quotes, such as \"stripe\"")?;
    let first = name.bytes().next().is_some_and(|c| c.is_ascii_lowercase());
    let rest = name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
    if first && rest && name.len() <= NAME_BYTES_MAX && !name.ends_with('-') {
        return Some(name.to_owned());
    }
    let wanted = format!("use up to {NAME_BYTES_MAX} of a-z, 0-9 and \"-\", beginning with a letter");
    let near = suggest::nearest(name, senders::names()).map(|meant| format!("did you mean {meant:?}?"));
    item.error(format!("{} cannot be a name", quote(name)), near.unwrap_or(wanted));
    None
}

/// One of the catalogue, if it knows the name; a name that is nearly known is warned of.
pub fn sender(item: &Item<'_>, name: &str) -> Option<&'static Declaration> {
    let found = senders::find(name);
    let meant = suggest::nearest(name, senders::names()).filter(|_| found.is_none());
    if let Some(meant) = meant {
        let what = format!("no sender {name:?} is known; it becomes one that you describe");
        item.warn(what, format!("did you mean {meant:?}?"));
    }
    found
}

/// `here`: the names of those that post already; one that is there anyway is not planned.
pub fn planned(item: &Item<'_>, here: &[String]) -> Vec<Planned> {
    let wanted = "a list such as [{ sender = \"twilio\", in_months = 6 }]";
    let plan = |item: &Item<'_>| {
        if matches!(item.value, DeValue::String(_)) {
            let name = name(item)?;
            return Some(Planned { sender: sender(item, &name), name, in_months: None });
        }
        let mut table = item.table(wanted)?;
        let named = table.require("sender", "add sender = \"NAME\"");
        let name = named.as_ref().and_then(name);
        let in_months = table.take("in_months").and_then(|item| item.integer(0..=120));
        table.finish();
        let (item, name) = (named?, name?);
        Some(Planned { sender: sender(&item, &name), name, in_months: in_months.and_then(|n| u32::try_from(n).ok()) })
    };
    let items = item.list(wanted).unwrap_or_default();
    if items.len() > SENDERS_MAX {
        item.error(format!("more than {SENDERS_MAX} senders"), "name those that come next");
        return Vec::new();
    }
    let mut all: Vec<Planned> = Vec::new();
    for item in items {
        let Some(planned) = plan(&item) else { continue };
        if all.iter().map(|known| &known.name).chain(here).any(|name| *name == planned.name) {
            item.warn(format!("{:?} is there already", planned.name), "take it out of those that are planned");
        } else {
            all.push(planned);
        }
    }
    all
}
