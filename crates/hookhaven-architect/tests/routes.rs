//! The routes of a design: which types go together, in which order they stand, and how each is delivered.

#![allow(clippy::unwrap_used)]

#[path = "common/said.rs"]
mod said;

use hookhaven_architect::design::{OrderingDesign, RouteDesign};
use hookhaven_core::glob;
use said::{S, SAID, Said};

#[test]
fn order_is_kept_where_it_can_be_and_no_retry_outlasts_its_parking() {
    let of = |sender: &str, order: &str| {
        let more = format!("[ordering]\n{sender} = {order}");
        Said { sender, more: &more, ..SAID }.design().routes[0].clone()
    };
    let strict = of("stripe", "{ mode = \"strict\" }");
    assert_eq!(strict.ordering.value, OrderingDesign::Fifo { key: None });
    assert!(strict.retry.value.covers() < S(3_600), "{:?}", strict.retry.value.covers());
    let unknown = of("nobody-knows", "{ mode = \"strict\" }");
    assert_eq!(unknown.ordering.value, OrderingDesign::None);
    assert!(unknown.ordering.why.contains("ordering.nobody-knows = {"));
    let keyed = of("nobody-knows", "{ mode = \"strict\", key = \"json:/account\" }");
    assert_eq!(keyed.ordering.value, OrderingDesign::Fifo { key: Some("json:/account".to_owned()) });
    let wished = of("stripe", "\"created before updated, ideally\"");
    assert_eq!(wished.ordering.value, OrderingDesign::None);
    assert!(wished.ordering.why.starts_with("Stripe promises no order"));
}

#[test]
fn only_the_newest_is_delivered_where_nothing_is_lost_with_what_it_overtook() {
    const NEWEST: &str = "\"only the newest state counts\"";
    const UPSERT: &str = "{ does = \"update the database\", takes = \"200ms\" }";
    let of = |sender: &str, events: &str, order: &str, once: &str, processing: &str| {
        let more = format!("[events]\n{sender} = [{events}]\n[ordering]\n{sender} = {order}");
        Said { sender, processing, once, more: &more, ..SAID }.design().routes[0].ordering.clone()
    };
    let latest = |key: Option<&str>| OrderingDesign::Latest { key: key.map(str::to_owned), version: None };
    let subscriptions = of("stripe", "\"customer.subscription.*\"", NEWEST, "\"nice\"", UPSERT);
    assert_eq!(subscriptions.value, latest(None));
    assert!(subscriptions.why.contains("`check` warns of several types"), "{}", subscriptions.why);
    assert_eq!(of("github", "\"pull_request\"", "{ mode = \"newest\" }", "\"no\"", UPSERT).value, latest(None));
    let keyed = "{ mode = \"newest\", key = \"json:/data/object/customer\" }";
    let one_type = of("stripe", "\"customer.updated\"", keyed, "\"no\"", UPSERT);
    assert_eq!(one_type.value, latest(Some("json:/data/object/customer")));

    let mails = "\"update the database, send a receipt by e-mail\"";
    let counts = "\"update the database, count them\"";
    for (sender, events, order, once, processing, but) in [
        ("stripe", "\"invoice.*\"", NEWEST, "\"must\"", UPSERT, "must be processed"),
        ("stripe", "\"invoice.*\"", NEWEST, "\"nice\"", mails, "also sends mail for each event"),
        ("stripe", "\"invoice.*\"", NEWEST, "\"nice\"", counts, "counts or logs"),
        ("stripe", "\"invoice.*\"", keyed, "\"nice\"", UPSERT, "hold the whole state"),
        ("stripe", "\"customer.updated\", \"invoice.paid\"", keyed, "\"nice\"", UPSERT, "hold the whole state"),
        ("stripe", "", NEWEST, "\"nice\"", UPSERT, "hold the whole state"),
        ("slack", "\"message\"", NEWEST, "\"nice\"", UPSERT, "hold the whole state"),
        ("nobody-knows", "\"thing\"", NEWEST, "\"no\"", UPSERT, "not known here"),
    ] {
        let order = of(sender, events, order, once, processing);
        assert_eq!(order.value, OrderingDesign::None, "{but}");
        assert!(order.why.contains(but) && order.why.contains("UPSERT guarded"), "{but}: {}", order.why);
    }
}

#[test]
fn who_waits_is_served_within_minutes_or_not_at_all() {
    let answers = "{ does = \"answer the user\", takes = \"200ms\" }";
    let of = |sender: &str, events: &str, once: &str, latency: &str| {
        let more = format!("[events]\n{sender} = [{events}]");
        let retry =
            Said { sender, processing: answers, once, latency, more: &more, ..SAID }.design().routes[0].retry.clone();
        (retry.value.covers(), retry.value.max_age)
    };
    let briefly = (S(40), Some(S(300)));
    assert_eq!(of("slack", "\"/deploy\"", "\"must\"", "\"1m\""), briefly, "a command that runs later runs twice");
    assert_eq!(of("discord", "\"interaction.2\"", "\"nice\"", "\"5m\""), briefly);
    assert_eq!(of("slack", "\"app_mention\"", "\"nice\"", "\"5s\""), briefly, "by the API, and soon");
    assert_eq!(of("slack", "\"app_mention\"", "\"must\"", "\"5s\"").1, None);
    assert!(of("slack", "\"app_mention\"", "\"nice\"", "\"5m\"").0 > S(3_600), "nobody said that it is urgent");
}

#[test]
fn a_slow_handler_has_fewer_attempts_within_the_hour_that_it_may_hold_up_its_key() {
    let of = |takes: &str| {
        let processing = format!("{{ does = \"update the database\", takes = \"{takes}\" }}");
        let more = "[ordering]\nstripe = \"strictly\"";
        let design = Said { processing: &processing, more, ..SAID }.design();
        let (retry, timeout) = (design.routes[0].retry.value.clone(), design.destinations[0].timeout.value);
        assert!(retry.covers().mul_f64(1.1) + timeout * (retry.attempts - 1) <= S(3_600), "{takes}: {retry:?}");
        retry.attempts
    };
    assert_eq!(["200ms", "20s", "5m"].map(of), [8, 8, 5]);
}

#[test]
fn the_handler_answers_only_where_somebody_waits_for_the_answer_itself() {
    let answers = "{ does = \"answer the user\", takes = \"200ms\" }";
    let of = |sender: &str, events: &str| -> Vec<(String, bool)> {
        let more = if events.is_empty() { String::new() } else { format!("[events]\n{sender} = [{events}]") };
        let design = Said { sender, processing: answers, more: &more, ..SAID }.design();
        design.routes.iter().map(|r| (r.events.join(" "), r.answers.value)).collect()
    };
    assert_eq!(of("slack", "\"app_mention\", \"message.im\""), [("app_mention message".to_owned(), false)]);
    assert_eq!(
        of("slack", "\"/deploy\", \"app_mention\""),
        [("/deploy".to_owned(), true), ("app_mention".to_owned(), false)]
    );
    assert_eq!(of("discord", ""), [("*".to_owned(), true)]);
    let twilio = ["message.received", "call.ringing call.in-progress", "*"].map(str::to_owned);
    assert_eq!(of("twilio", ""), twilio.into_iter().zip([true, true, false]).collect::<Vec<_>>());
    assert_eq!(of("stripe", ""), [("*".to_owned(), false)]);
}

#[test]
fn patterns_stand_behind_what_is_named_and_take_what_was_said_of_them() {
    let more = "[events]\nstripe = [\"invoice.paid\", \"invoice.sent\", \"charge.*\", \"charge.dispute.created\"]";
    let latency = "{ default = \"5m\", \"invoice.*\" = \"10s\" }";
    let design = Said { more, latency, once: "\"nice\"", ..SAID }.design();
    let routes: Vec<_> = design.routes.iter().map(|r| (r.events.clone(), r.deadline.value)).collect();
    assert_eq!(routes, [(vec!["invoice.*".to_owned()], S(10)), (vec!["charge.*".to_owned()], S(300))]);
    let critical = Said { more: "[events]\nstripe = [\"product.*\", \"charge.*\"]", ..SAID }.design();
    assert_eq!(critical.routes.iter().map(|r| r.critical.value).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn the_type_that_tells_of_the_money_wakes_somebody_whichever_it_is() {
    let of = |events: &str| {
        let more = format!("[events]\nstripe = [{events}]");
        let routes = Said { more: &more, ..SAID }.design().routes;
        routes.iter().filter(|r| r.critical.value).flat_map(|r| r.events.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("\"checkout.session.completed\", \"customer.updated\""), ["checkout.session.completed"]);
    assert_eq!(of("\"checkout.session.completed\", \"payment_intent.*\""), ["payment_intent.*"], "once is enough");
}

#[test]
fn what_is_narrower_goes_its_own_way_however_the_routes_are_put_together() {
    let more = "[events]\nstripe = [\"a.b.c\", \"x.*\"]";
    let latency =
        "{ \"a.*\" = \"10s\", \"b.c.*\" = \"10s\", \"a.b.*\" = \"1m\", \"b.*\" = \"1m\", \"a.b.c\" = \"10s\" }";
    let design = Said { more, latency, once: "\"no\"", ..SAID }.design();
    let of = |event_type: &str| {
        let takes = |route: &&RouteDesign| route.events.iter().any(|glob| glob::matches(glob, event_type));
        design.routes.iter().find(takes).map(|route| route.deadline.value.as_secs())
    };
    assert_eq!(["a.x", "b.c.x", "a.b.x", "b.x", "a.b.c", "x.y"].map(of), [10, 10, 60, 60, 10, 300].map(Some));
    assert_eq!(of("other"), None, "nobody asked for it");
}
