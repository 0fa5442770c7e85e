//! For a team whose one sender is Stripe: what its types tell, and the two shapes that come under one header.
//!
//! Facts: Stripe's documentation and SDK, as the catalogue's file has them. Not here: its signature (`verification`).

use crate::{
    Plan,
    intake::SenderAnswers,
    report::{
        document::{Block, Text, code, codes, plain, prose, say},
        said,
    },
};

/// What a family of types tells, and what to take from it.
const FAMILIES: &[(&str, &str, &str)] = &[
    (
        "payment_intent.",
        "a payment on its way: succeeded, failed, needs an action",
        "fulfil on `payment_intent.succeeded` and on nothing before it",
    ),
    (
        "charge.dispute.",
        "a customer's bank takes a payment back",
        "there is a date by which to answer: somebody has to see it the same day",
    ),
    ("charge.", "one try to charge; several may belong to one payment", "keep it as a record; let the payment decide"),
    ("refund.", "money on its way back", "take back what was granted, by setting a state"),
    (
        "checkout.session.",
        "a customer went through the checkout",
        "`completed` may come before the money: look at `payment_status`",
    ),
    (
        "customer.subscription.",
        "the state of a subscription",
        "write the whole state, guarded by the event's time; `deleted` ends access",
    ),
    (
        "invoice.",
        "an invoice of a subscription: finalized, paid, payment failed",
        "`invoice.paid` extends access; `invoice.payment_failed` begins the dunning",
    ),
    ("customer.", "the customer's own data", "UPSERT, guarded by the event's time"),
    ("payout.", "money on its way to your bank", "compare with the books"),
    ("account.", "a connected account changed", "look at `/account`: it is not yours"),
    ("v1.", "a thin event of a v1 object", "fetch the object from `/related_object/url`"),
    ("v2.", "a thin event of a v2 object", "fetch the object from `/related_object/url`"),
];

pub fn holds(plan: &Plan) -> bool {
    matches!(plan.intake.senders.as_slice(), [one] if one.sender.is_some_and(|declared| declared.name == "stripe"))
}

pub fn blocks(plan: &Plan) -> Vec<Block> {
    let Some(sender) = plan.intake.senders.first() else { return Vec::new() };
    let mut blocks = vec![Block::heading(say!("What the types tell")), families(sender)];
    blocks.push(critical(plan));
    blocks.push(Block::heading(say!("Two shapes, one header")));
    blocks.push(
        say!(
            "Both are signed alike and come to the same source. A handler reads the shape before anything else, and \
             the library's classic parser refuses the thin one."
        )
        .into(),
    );
    blocks.push(shapes());
    blocks.push(Block::code("json", SNAPSHOT));
    blocks.push(Block::code("json", THIN));
    blocks.push(
        say!(
            "A thin event says that something happened, not what: what you fetch is how the object is **now**. That \
             makes the order of arrival harmless, costs a call to Stripe's API for each event, and fails when that \
             API does; the handler then answers 503 and is tried again."
        )
        .into(),
    );
    blocks
}

/// The named types by family; all families, if none was named.
fn families(sender: &SenderAnswers) -> Block {
    let family_of = |name: &str| FAMILIES.iter().position(|(family, ..)| name.starts_with(family));
    let row = |(at, (family, tells, take)): (usize, &(&str, &str, &str))| {
        let yours: Vec<&String> = sender.events.iter().filter(|name| family_of(name) == Some(at)).collect();
        let named = if sender.events.is_empty() { plain("whichever come") } else { codes(&yours) };
        (sender.events.is_empty() || !yours.is_empty())
            .then(|| [code(format!("{family}*")), named, plain(*tells), prose(take)])
    };
    let mut rows: Vec<[Text; 4]> = FAMILIES.iter().enumerate().filter_map(row).collect();
    let others: Vec<&String> = sender.events.iter().filter(|name| family_of(name).is_none()).collect();
    if !others.is_empty() {
        rows.push([
            plain("others"),
            codes(&others),
            plain("see Stripe's list of types"),
            plain("decide by type what it may do"),
        ]);
    }
    Block::table(["family", "of yours", "what it tells", "what to take from it"], rows)
}

fn critical(plan: &Plan) -> Block {
    match said::critical(plan) {
        None => say!("None of them is critical here: no dead letter wakes anybody.").into(),
        Some(types) => (say!("A dead letter wakes somebody for: ") + types + say!(".")).into(),
    }
}

fn shapes() -> Block {
    let row = |what: &str, snapshot: &str, thin: &str| [plain(what), prose(snapshot), prose(thin)];
    let rows = vec![
        row("told by", "`/object` is `event`", "`/object` is `v2.core.event`"),
        row("id", "`/id`, `evt_…`", "`/id`, `evt_…`"),
        row("type", "`/type`, such as `invoice.paid`", "`/type`, beginning with `v1.` or `v2.`"),
        row("time", "`/created`, whole seconds as a number", "`/created`, text as RFC 3339"),
        row(
            "the object",
            "`/data/object`, whole, as it was at the event",
            "not there: `/related_object` has id, type and URL",
        ),
        row("what changed", "`/data/previous_attributes`, on updates", "not there"),
        row("account", "`/account`, with Connect", "`/context`"),
    ];
    Block::table(["what", "snapshot", "thin"], rows)
}

const SNAPSHOT: &str = r#"{
  "id": "evt_1",
  "object": "event",
  "type": "customer.subscription.updated",
  "created": 1790000000,
  "livemode": true,
  "data": {
    "object": { "id": "sub_1", "status": "past_due" },
    "previous_attributes": { "status": "active" }
  }
}"#;

const THIN: &str = r#"{
  "id": "evt_2",
  "object": "v2.core.event",
  "type": "v1.billing.meter.error_report_triggered",
  "created": "2026-09-21T14:13:20.000Z",
  "livemode": true,
  "related_object": { "id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1" }
}"#;
