//! Several destinations that begin to fail alike at the same time: what they share comes before what each of them is.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{Cause, Finding, words};
use crate::time::Time;

/// So many destinations are no coincidence.
const DESTINATIONS_MIN: usize = 3;
/// Between the first to fail and the last. Each is seen at its next attempt, so it is not shorter.
const APART_MAX: Duration = Duration::from_secs(300);

/// Says so with each of the findings that it is true of.
pub(super) fn look(findings: &mut [Finding]) {
    let began: Vec<_> = findings.iter().map(|f| (f.cause, f.since, f.destination.clone())).collect();
    for finding in findings.iter_mut().filter(|f| may_be_shared(f.cause)) {
        let alike = alike(finding, &began);
        if alike.len() + 1 >= DESTINATIONS_MIN {
            let named: Vec<_> = alike.iter().take(3).map(|name| words::name(name)).collect();
            let so = match finding.since {
                Some(_) => format!("began to fail in the same way within {} minutes of it", APART_MAX.as_secs() / 60),
                None => "have failed in the same way for as long".to_owned(),
            };
            finding.evidence.push(format!(
                "{} other destinations {so} ({}): look first at what they share (this machine's network, the resolver, a \
                 proxy)",
                alike.len(),
                named.join(", ")
            ));
        }
    }
}

fn may_be_shared(cause: Cause) -> bool {
    use Cause::{Certificate, ConnectionBreaks, Dns, HandlerDown, HandlerHangs, Tls, Unreachable};
    matches!(cause, Certificate | ConnectionBreaks | Dns | HandlerDown | HandlerHangs | Tls | Unreachable)
}

/// The other destinations with the same cause since about then.
fn alike<'a>(finding: &Finding, began: &'a [(Cause, Option<Time>, Arc<str>)]) -> BTreeSet<&'a Arc<str>> {
    let near = |since: Option<Time>| match (finding.since, since) {
        (Some(a), Some(b)) => a.since(b).max(b.since(a)) <= APART_MAX,
        (a, b) => a == b,
    };
    let others = began
        .iter()
        .filter(|(cause, since, name)| *cause == finding.cause && *name != finding.destination && near(*since));
    others.map(|(_, _, name)| name).collect()
}
