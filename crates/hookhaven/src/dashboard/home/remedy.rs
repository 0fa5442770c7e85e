//! Where on these pages something can be done about an alert that fires: what its command is on a terminal.

use hookhaven_core::alert::{Metric, Per};

use crate::{api::AlertView, dashboard::query};

/// An alert, and where it leads.
pub(super) struct Firing {
    pub alert: AlertView,
    pub link: String,
    /// What is there.
    pub place: &'static str,
}

impl Firing {
    pub fn of(alert: AlertView) -> Self {
        let (link, place) = remedy(alert.metric, alert.per, &alert.scope);
        Firing { alert, link, place }
    }
}

fn remedy(metric: Option<Metric>, per: Option<Per>, scope: &str) -> (String, &'static str) {
    let by = per.map_or("", Per::as_str);
    let one = |section: &str| match (section, by) {
        ("destinations", "destination") | ("sources", "source") => format!("/{section}/{}", query::segment(scope)),
        _ => format!("/{section}"),
    };
    let Some(metric) = metric else { return ("/settings/alerts".to_owned(), "Alerts") };
    match metric {
        Metric::SignaturesInvalid => (query::path("/rejected", &[("source", scope)]), "Rejected requests"),
        Metric::DeadLetters | Metric::DeadLettersCritical if by == "route" => {
            (query::path("/dead-letters/list", &[("route", scope)]), "Dead letters")
        }
        Metric::DeadLetters | Metric::DeadLettersCritical => {
            (query::path("/dead-letters", &[(by, scope)]), "Dead letters")
        }
        Metric::DestinationGone => {
            (query::path("/events?state=pending", &[("destination", scope)]), "Events that wait for it")
        }
        Metric::QueueDepth | Metric::DeadlinesMissed | Metric::AttemptsFailed if by == "source" => {
            (one("sources"), "The source")
        }
        Metric::QueueDepth
        | Metric::QueueOldest
        | Metric::DeadlinesMissed
        | Metric::AttemptsFailed
        | Metric::BreakerOpen
        | Metric::DestinationPaused => (one("destinations"), "Destinations"),
        Metric::SecretsOld => (one("sources"), "Secrets of the source"),
        Metric::AnswerP95 | Metric::StoreDamages | Metric::StoreRefusing => ("/settings/store".to_owned(), "The store"),
        Metric::ClockDrift => ("/settings/nodes".to_owned(), "Nodes"),
        Metric::ConfigRefused => ("/settings/config".to_owned(), "The configuration"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alert_leads_to_where_it_is_put_right() {
        let to = |metric, per, scope| remedy(Some(metric), per, scope).0;
        assert_eq!(to(Metric::SignaturesInvalid, Some(Per::Source), "shop"), "/rejected?source=shop");
        assert_eq!(to(Metric::DeadLetters, Some(Per::Destination), "a/b"), "/dead-letters?destination=a%2Fb");
        assert_eq!(to(Metric::DeadLettersCritical, Some(Per::Route), "shop#1"), "/dead-letters/list?route=shop%231");
        assert_eq!(to(Metric::DeadLetters, None, ""), "/dead-letters");
        assert_eq!(to(Metric::BreakerOpen, Some(Per::Destination), "a/b"), "/destinations/a%2Fb");
        assert_eq!(to(Metric::QueueDepth, None, ""), "/destinations");
        assert_eq!(to(Metric::QueueDepth, Some(Per::Source), "shop"), "/sources/shop");
        assert!(Metric::ALL.iter().all(|metric| remedy(Some(*metric), None, "").0.starts_with('/')));
        assert_eq!(remedy(None, None, "").0, "/settings/alerts");
    }
}
