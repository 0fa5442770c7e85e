//! What is only seen when all sections are known: things nobody uses, routes that get in each other's
//! way. All of it warnings: the gateway does what the file says, and it is probably not what was meant.

use hookhaven_core::{Destination, glob::Glob, route::Mode, source::Source};

use super::{
    ask,
    document::{Document, path_of},
    name::Named,
    route::{Placed, Routes},
};
use crate::config::problem::Severity;

pub fn check(doc: &Document<'_>, sources: &Named<Source>, destinations: &Named<Destination>, routes: &Routes) {
    // A route that could not be read may be the one that uses it.
    if routes.complete {
        unused(doc, sources, destinations, &routes.routes);
    }
    ask::check(doc, &routes.routes);
    routes.routes.iter().for_each(|placed| cancels(doc, placed));
    for (n, later) in routes.routes.iter().enumerate() {
        for first in &routes.routes[..n] {
            if let Some(shared) = shared(first, later) {
                let what = format!("some events also go to \"{shared}\" by {}", first.path);
                let mend = "the first route wins: its policy counts, and one delivery is made";
                doc.report(Severity::Warning, &later.at, &later.path, what, mend.to_owned());
            }
        }
    }
}

/// With `latest`, an event of one type overtakes one of another that has the same key.
fn cancels(doc: &Document<'_>, placed: &Placed) {
    let route = &placed.route;
    let latest = route.ordering.as_ref().is_some_and(|ordering| ordering.mode == Mode::Latest);
    let several = route.events.len() > 1 || route.events.iter().any(|glob| glob.as_str().contains('*'));
    if latest && several {
        let what =
            "ordering = \"latest\" over several event types: a newer event of one type cancels the delivery of an \
                    older one of another type that has the same ordering key"
                .to_owned();
        let mend = "fine where each event tells the whole state; else make a route for each type to a destination of \
                    its own, or use \"fifo\""
            .to_owned();
        doc.report(Severity::Warning, &placed.at, &placed.path, what, mend);
    }
}

fn unused(doc: &Document<'_>, sources: &Named<Source>, destinations: &Named<Destination>, routes: &[Placed]) {
    for (name, at) in sources.places() {
        if !routes.iter().any(|r| &*r.route.source == name) {
            let what = "no route takes this source".to_owned();
            let mend = "its events will be stored and go nowhere until a [[routes]] names it".to_owned();
            doc.report(Severity::Warning, at, &path_of("sources", name), what, mend);
        }
    }
    for (name, at) in destinations.places() {
        if !routes.iter().any(|r| r.route.to.iter().any(|to| &**to == name)) {
            let what = "no route goes to this destination".to_owned();
            let mend = "nothing will be delivered to it until a [[routes]] names it".to_owned();
            doc.report(Severity::Warning, at, &path_of("destinations", name), what, mend);
        }
    }
}

/// A destination to which both routes would send the same event. Where the first has a filter of its own, the
/// later may well be for what that leaves: nothing is said then.
fn shared<'a>(first: &Placed, later: &'a Placed) -> Option<&'a str> {
    let takes_the_same = overlap(first, later);
    let (first, later) = (&first.route, &later.route);
    let overlap = takes_the_same && (first.when.is_none() || first.when == later.when);
    later.to.iter().find(|to| overlap && first.to.contains(to)).map(|to| &**to)
}

/// Whether some event is of a type that both take, their filters aside.
pub(super) fn overlap(first: &Placed, later: &Placed) -> bool {
    let (first, later) = (&first.route, &later.route);
    first.source == later.source && first.events.iter().any(|a| later.events.iter().any(|b| meet(a, b)))
}

/// Whether some text matches both patterns. Patterns are at most 256 bytes, so the table is small.
fn meet(a: &Glob, b: &Glob) -> bool {
    let (a, b) = (a.as_str().as_bytes(), b.as_str().as_bytes());
    // reach[j]: whether what is left of `a` from the present row on and of `b` from j on can meet.
    let mut below = vec![false; b.len() + 1];
    for i in (0..=a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        for j in (0..=b.len()).rev() {
            let (x, y) = (a.get(i), b.get(j));
            row[j] = match (x, y) {
                (None, None) => true,
                (Some(b'*'), _) if below[j] => true,
                (_, Some(b'*')) if row[j + 1] => true,
                (Some(b'*'), Some(_)) => row[j + 1],
                (Some(_), Some(b'*')) => below[j],
                (Some(x), Some(y)) => x == y && below[j + 1],
                _ => false,
            };
        }
        below = row;
    }
    below[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_overlap_if_some_text_matches_both() {
        for (a, b, want) in [
            ("*", "invoice.paid", true),
            ("invoice.*", "invoice.paid", true),
            ("invoice.*", "*.paid", true),
            ("invoice.*", "charge.*", false),
            ("a*b", "a*c", false),
            ("a*b*", "ab", true),
            ("push", "push", true),
            ("push", "pull", false),
            ("*a", "b*", true),
            ("x", "x*y", false),
        ] {
            let glob = |text| Glob::parse(text).expect("a pattern");
            assert_eq!(meet(&glob(a), &glob(b)), want, "{a} {b}");
            assert_eq!(meet(&glob(b), &glob(a)), want, "{b} {a}");
        }
    }
}
