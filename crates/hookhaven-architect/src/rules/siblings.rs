//! One thing that happened, told by several events with an id each: what no deduplication can see.
//!
//! Not here: one event that comes several times (`idempotency`).

use super::prelude::*;

pub const RULES: &[Rule] = &[Rule {
    id: "one-cause-several-events",
    severity: Warning,
    subject: Subject::Idempotency,
    fires: |intake, _| intake.senders.iter().flat_map(siblings).collect(),
    text: "At {sender}, {cause} makes several of the events that you receive: {types}. Each has an id of its own, so a \
               handler that does the work for each does it {times}, and no remembered id catches that.",
    mend: "{instead}",
    fires_for: r#"events.stripe = ["payment_intent.succeeded", "invoice.paid"]"#,
    rests_for: r#"events.stripe = ["invoice.paid", "invoice.payment_failed"]"#,
}];

/// Types of which one thing that happened makes several.
struct Siblings {
    sender: &'static str,
    cause: &'static str,
    types: &'static [&'static str],
    instead: &'static str,
}

const SIBLINGS: &[Siblings] = &[
    Siblings {
        sender: "stripe",
        cause: "one payment",
        types: &["checkout.session.completed", "payment_intent.succeeded", "charge.succeeded", "invoice.paid"],
        instead: "Act on one of them for each way to pay (`invoice.paid` for subscriptions, `checkout.session.completed` or \
                  `payment_intent.succeeded` for the rest) and only record the others; or make the work unique by the \
                  payment intent's id, which all of them hold.",
    },
    Siblings {
        sender: "github",
        cause: "one push to a branch with an open pull request",
        types: &["push", "pull_request.synchronize"],
        instead: "Start the work for one of the two, or make it unique by repository and commit (`/after` of the one, \
                  `/pull_request/head/sha` of the other) rather than by the event.",
    },
    Siblings {
        sender: "shopify",
        cause: "one order",
        types: &["orders/create", "orders/paid", "orders/updated"],
        instead: "Let `orders/updated` write the order's state and nothing else, and hang what must happen once on one of the \
                  others, unique by the order's id.",
    },
    Siblings {
        sender: "paypal",
        cause: "one payment",
        types: &["CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED"],
        instead: "Approved is not paid: act on `PAYMENT.CAPTURE.COMPLETED`, and make it unique by the order's id.",
    },
    Siblings {
        sender: "woocommerce",
        cause: "one new order",
        types: &["order.created", "order.updated"],
        instead: "Let `order.updated` write the order's state and nothing else, and hang what must happen once on a constraint \
                  that is unique by the order's id.",
    },
];

fn siblings(sender: &SenderAnswers) -> Vec<Firing> {
    // A team names GitHub's events without their actions.
    let takes = |pattern: &str, event_type: &str| {
        let plain = event_type.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('.'));
        plain || hookhaven_core::glob::matches(pattern, event_type)
    };
    let received = |event_type: &&&str| sender.events.iter().any(|pattern| takes(pattern, event_type));
    let of = SIBLINGS.iter().filter(|siblings| siblings.sender == sender.name).filter_map(|siblings| {
        let types: Vec<&str> = siblings.types.iter().filter(received).copied().collect();
        let times = match types.len() {
            0 | 1 => return None,
            2 => "twice".to_owned(),
            n => format!("{n} times"),
        };
        let firing = Firing::of(sender)
            .with("cause", siblings.cause)
            .with("types", list(&types))
            .with("times", times)
            .with("instead", siblings.instead);
        Some(firing.behind([sender.path("events"), "senders".to_owned()]))
    });
    of.collect()
}
