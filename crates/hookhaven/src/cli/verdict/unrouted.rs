//! What to say of an event that no delivery was made of. Pure, like its parent.

use super::{Mend, Way};
use crate::{
    api::view::{EventView, RouteView, Routing},
    cli::{print::clean, routes::unmet},
};

/// Why an event went nowhere, and what takes it somewhere now.
pub fn unrouted(event: &EventView, routing: &Routing) -> Vec<Mend> {
    let (source, kind) = (clean(&event.source), clean(&event.event_type));
    let replay = Way::ReplayEvent(event.id);
    let mut lines: Vec<Mend> = vec!["No delivery was made: no route took it when it came.".to_owned().into()];
    let taken: Vec<_> = routing.goes_to.iter().filter(|g| !g.disabled).collect();
    if let Some(first) = taken.first() {
        let to: Vec<_> = taken.iter().map(|g| clean(&g.destination).into_owned()).collect();
        let route = clean(&first.route);
        let now = format!("Now route {route} takes it, to {}. To deliver it", to.join(", "));
        lines.push(Mend::by(now, replay));
        return lines;
    }
    if let Some(disabled) = routing.goes_to.first() {
        let to = clean(&disabled.destination);
        lines.push(format!("A route takes it to {to}, which is disabled: new events make no delivery there.").into());
        lines.push(Mend::by("It has to be enabled", Way::Enable(disabled.destination.clone())));
        lines.push(Mend::by("Then", replay));
        return lines;
    }
    if routing.sender.is_none() {
        lines.push(format!("The source {source} is gone from the config file, and no route names it.").into());
    } else if routing.routes.is_empty() {
        lines.push(format!("There is no route for the source {source} at all.").into());
    } else if routing.routes.iter().any(|r| r.takes_type) {
        for route in routing.routes.iter().filter(|r| r.takes_type) {
            let name = clean(&route.name);
            lines.push(format!("Route {name} takes this type, but not this event: its filter does not hold.").into());
            lines.extend(unmet(route).into_iter().map(Mend::from));
        }
        lines.push(Mend::by(
            "The owner of the config file changes `when` of such a route, or adds one without; then",
            replay,
        ));
        return lines;
    } else {
        lines.push(format!("The routes of {source} take other types:").into());
        let events = |r: &RouteView| clean(&r.events.join(", ")).into_owned();
        lines.extend(routing.routes.iter().map(|r| format!("  {}: {}", clean(&r.name), events(r)).into()));
    }
    let adds =
        format!("The owner of the config file adds a route with source = \"{source}\", events = [\"{kind}\"]; then");
    lines.push(Mend::by(adds, replay));
    lines
}

#[cfg(test)]
mod tests {
    use hookhaven_core::{EventId, Time};

    use super::*;
    use crate::api::view::{FindingView, GoesTo};

    const NOW: Time = Time::from_s(1_790_000_000);

    #[test]
    fn an_unrouted_event_says_why_and_the_way_out() {
        let event = EventView {
            part: None,
            id: EventId::from_bytes([2; 16]),
            source: "stripe".into(),
            event_type: "evil\u{1b}[2J".into(),
            idempotency_key: String::new(),
            received_at: NOW,
            occurred_at: None,
            correlation_id: String::new(),
            matched_secret: None,
            remote: String::new(),
            body_bytes: 0,
            delivery_count: 0,
        };
        let route = RouteView {
            name: "stripe#1".into(),
            events: vec!["invoice.*".into()],
            to: vec![],
            takes_type: false,
            conditions: vec![],
            takes: false,
        };
        let said = |routing: &Routing| unrouted(&event, routing).iter().map(Mend::to_string).collect::<Vec<_>>();
        let mut routing = Routing { sender: Some("stripe".into()), routes: vec![route], ..Routing::default() };
        let text = said(&routing).join("\n");
        assert!(text.contains("stripe#1: invoice.*") && text.contains("adds a route"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");

        routing.routes[0].takes_type = true;
        routing.routes[0].conditions = vec![FindingView {
            condition: "json:/live is true".into(),
            holds: false,
            seen: Some("\u{1b}[2J".into()),
            conditions: vec![],
        }];
        let text = said(&routing).join("\n");
        assert!(text.contains("its filter does not hold.\n  no  json:/live is true (there is \\u{1b}[2J)"), "{text}");

        routing.goes_to = vec![GoesTo { destination: "billing".into(), route: "new".into(), disabled: false }];
        assert!(said(&routing)[1].contains("hookhaven events replay evt_"));
        routing.goes_to[0].disabled = true;
        assert!(said(&routing)[1].contains("disabled"));
        assert!(said(&routing)[2].ends_with("hookhaven destinations enable billing"), "{:?}", said(&routing));
        assert!(said(&Routing::default())[1].contains("gone from the config file"));
    }
}
