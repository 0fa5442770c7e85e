//! The order that is asked for, against the order that can be had.
//!
//! Not here: an older event that overwrote a newer one (`incidents`).

use hookhaven_core::senders::OrderPromise;

use super::prelude::*;
use crate::design::OrderingDesign;

pub const RULES: &[Rule] = &[
    Rule {
        id: "order-wished-not-promised",
        severity: Note,
        subject: Subject::Ordering,
        fires: |intake, design| {
            let wished = |s: &&SenderAnswers| facts::wishes(s, OrderKind::Wished) && !is_latest(s, design);
            let found = intake.senders.iter().filter(wished);
            found
                .map(|s| Firing::of(s).with("says", says(s)).behind(["senders".to_owned(), s.path("ordering")]))
                .map(|f| f.behind(["processing", "idempotency", "events"]))
                .collect()
        },
        text: "You would like events of {sender} in order. {says} Enforcing the order of arrival would keep a wrong one, and \
               pay for it with waiting.",
        mend: "Make the order not matter: write nothing that is older than the row (`… WHERE row.event_at <= \
               excluded.event_at`), and let `updated` create what `created` has not brought yet.",
        fires_for: r#"ordering.stripe = "created before updated, ideally""#,
        rests_for: r#"ordering.stripe = "created before updated, strictly""#,
    },
    Rule {
        id: "overtaken-is-not-delivered",
        severity: Note,
        subject: Subject::Ordering,
        fires: |intake, design| {
            let found = intake.senders.iter().filter(|s| is_latest(s, design));
            let answers =
                |s: &SenderAnswers| ["ordering", "processing", "idempotency", "events"].map(|table| s.path(table));
            found.map(|s| Firing::of(s).behind(["senders"]).behind(answers(s))).collect()
        },
        text: "Of {sender}'s events with the same key only the newest is delivered: one that still waits when a newer one \
               arrives is cancelled (`superseded`), so your handler never sees it.",
        mend: "Let it count nothing and start nothing for each event. Keep the guard of the event's time all the same: an \
               attempt that is under way goes on beside the newer one. If each event has to be seen after all, say `mode = \
               \"wished\"` in `ordering.{name}`.",
        fires_for: r#"
            senders = ["shopify"]
            events.shopify = ["orders/updated"]
            processing.shopify = "write the order into the database"
            idempotency.shopify = "nice"
            ordering.shopify = "only the newest state counts"
        "#,
        rests_for: r#"
            senders = ["shopify"]
            events.shopify = ["orders/updated"]
            processing.shopify = "write the order into the database, send a mail"
            idempotency.shopify = "nice"
            ordering.shopify = "only the newest state counts"
        "#,
    },
    Rule {
        id: "strict-order-not-promised",
        severity: Serious,
        subject: Subject::Ordering,
        fires: |intake, _| {
            let strict = |s: &&SenderAnswers| facts::wishes(s, OrderKind::Strict) && !is_keyless(s);
            let found = intake.senders.iter().filter(strict);
            found
                .map(|s| Firing::of(s).with("says", says(s)).behind(["senders".to_owned(), s.path("ordering")]))
                .collect()
        },
        text: "You ask for a strict order of {sender}'s events. {says} `fifo` keeps the order in which they arrived; what \
               was sent or arrived the wrong way round stays so.",
        mend: "Let the handler bear any order: compare the event's time or version with the row before writing, or fetch the \
               object's present state by the API and write that. With either, `fifo` buys nothing and can go.",
        fires_for: r#"ordering.stripe = { mode = "strict", key = "json:/data/object/customer" }"#,
        rests_for: r#"ordering.stripe = "ideally""#,
    },
    Rule {
        id: "strict-order-holds-its-key",
        severity: Warning,
        subject: Subject::Ordering,
        fires: |intake, design| intake.senders.iter().filter_map(|s| holds(s, design)).collect(),
        text: "Events of {sender} with the same key go one at a time: at {takes} each, a key gets through {rate} and no \
               more. One that fails holds up those behind it for up to an hour from its first failure; after that they go past it, \
               and the order is broken there.",
        mend: "Choose the narrowest key that needs the order (the object, not the account). Lower `park` if late is worse \
               than out of order; watch `webhook_ordering_keys_parked` of {name}-handler.",
        fires_for: r#"ordering.stripe = { mode = "strict", key = "json:/data/object/customer" }"#,
        rests_for: r#"ordering.stripe = "ideally""#,
    },
    Rule {
        id: "strict-order-by-the-usual-key",
        severity: Note,
        subject: Subject::Ordering,
        fires: |intake, _| {
            let found = intake.senders.iter().filter_map(|s| {
                let unsaid = s.ordering.values().any(|wish| wish.kind == OrderKind::Strict && wish.key.is_none());
                let key = s.sender?.order_key.first().filter(|_| unsaid)?;
                Some(Firing::of(s).with("key", *key).behind(["senders".to_owned(), s.path("ordering")]))
            });
            found.collect()
        },
        text: "You name nothing that {sender}'s events share. The usual is taken: those with the same `{key}` wait for each \
               other, and all others go side by side.",
        mend: "If you mean something wider, such as the customer or the account, say where it stands in the body: \
               `ordering.{name} = { mode = \"strict\", key = \"json:/…\" }`. What has another value there is not kept in order.",
        fires_for: r#"ordering.stripe = "strictly in order per customer""#,
        rests_for: r#"ordering.stripe = { mode = "strict", key = "json:/data/object/customer" }"#,
    },
    Rule {
        id: "strict-order-without-a-key",
        severity: Serious,
        subject: Subject::Ordering,
        fires: |intake, _| {
            let found = intake.senders.iter().filter(|s| is_keyless(s));
            found
                .map(|s| Firing::of(s).with("says", says(s)).behind(["senders".to_owned(), s.path("ordering")]))
                .collect()
        },
        text: "You ask for a strict order of {sender}'s events and name nothing they share; the catalogue knows no such \
               place either, so every event goes when it is due, in no order. {says}",
        mend: "Say what is ordered against each other: `ordering.{name} = { mode = \"strict\", key = \"json:/customer/id\" }`, \
               with the place where it stands in the body. That keeps the order of arrival; if the sender mixes them up, \
               only a time or version that the handler compares puts them right.",
        fires_for: r#"
            senders = ["acme-billing"]
            ordering.acme-billing = "strictly in order"
        "#,
        rests_for: r#"
            senders = ["acme-billing"]
            ordering.acme-billing = { mode = "strict", key = "json:/customer" }
        "#,
    },
    Rule {
        id: "order-needs-the-answer",
        severity: Warning,
        subject: Subject::Ordering,
        fires: |intake, _| {
            let queues =
                matches!(intake.existing.kind, State::Queued) || intake.infrastructure.host == Host::Serverless;
            let strict = |s: &&SenderAnswers| facts::wishes(s, OrderKind::Strict) && !is_keyless(s);
            let found = together(intake.senders.iter().filter(strict)).filter(|_| queues);
            let answers =
                ["ordering", "infrastructure.hosting", "infrastructure.stack", "infrastructure.host", "existing"];
            found.map(|f| f.behind(answers)).into_iter().collect()
        },
        text: "Strict order for {senders} ends at your handler's answer: the next event of the key goes once it says 200. A \
               handler that only queues, or a function that works on after answering, mixes them up again.",
        mend: "Do the work before the 200, within the attempt's timeout. If it takes too long for that, the order has to \
               be kept by what works it off, one worker a key.",
        fires_for: r#"
            ordering.stripe = "strictly in order"
            infrastructure.hosting = "serverless functions"
        "#,
        rests_for: r#"
            ordering.stripe = "strictly in order"
            infrastructure.hosting = "one virtual machine"
        "#,
    },
];

/// Whether what a newer event overtook is left out.
fn is_latest(sender: &SenderAnswers, design: &Design) -> bool {
    design.routes_of(&sender.name).any(|route| matches!(route.ordering.value, OrderingDesign::Latest { .. }))
}

/// Whether a strict order is asked for, of things that nobody named.
fn is_keyless(sender: &SenderAnswers) -> bool {
    let named = sender.sender.is_some_and(|declared| !declared.order_key.is_empty());
    !named && sender.ordering.values().any(|wish| wish.kind == OrderKind::Strict && wish.key.is_none())
}

fn says(sender: &SenderAnswers) -> String {
    match facts::conduct(sender).order {
        OrderPromise::None => "It promises none: retries and parallel sending mix them up.".to_owned(),
        OrderPromise::Silent => "It says nothing of an order, which is no promise.".to_owned(),
        OrderPromise::Within(words) => format!("It promises one only within bounds: {words}."),
    }
}

fn holds(sender: &SenderAnswers, design: &Design) -> Option<Firing> {
    let fifo = |o: &OrderingDesign| matches!(o, OrderingDesign::Fifo { .. });
    design.routes_of(&sender.name).find(|route| fifo(&route.ordering.value)).filter(|_| !is_keyless(sender))?;
    let takes = sender.processing.takes;
    // One that is never done in time is told of as such.
    if takes >= facts::destination(sender, design)?.timeout.value {
        return None;
    }
    let firing = Firing::of(sender).with("takes", span(takes)).with("rate", rate(1.0 / takes.as_secs_f64()));
    Some(firing.behind([sender.path("ordering"), sender.path("processing"), "senders".to_owned()]))
}
