//! What single senders do that has to be known before the first event, and what those that are to come will ask.
//!
//! Not here: how they sign (`verification`), whether they come again (`retry`).

use hookhaven_core::senders::{Declaration, Retries};

use super::prelude::*;
use crate::intake::Planned;

pub const RULES: &[Rule] = &[
    Rule {
        id: "thin-events",
        severity: Note,
        subject: Subject::Sender,
        fires: |intake, _| {
            let found = together(intake.senders.iter().filter(|s| facts::is_thin(s)));
            found.map(|f| f.behind(["events"])).into_iter().collect()
        },
        text: "Events of {senders} say that something changed and not what it is now: each costs a call to the sender's API, \
               within its rate limit.",
        mend: "Fetch the object in the handler, and write it if it is newer than the row: then neither order nor repeats \
               matter. Keep the destination's `rate` below what the API grants.",
        fires_for: r#"events.stripe = ["v2.core.account.updated"]"#,
        rests_for: r#"events.stripe = ["invoice.paid"]"#,
    },
    Rule {
        id: "several-events-a-request",
        severity: Note,
        subject: Subject::Sender,
        fires: |intake, _| {
            let found = together(intake.senders.iter().filter(|s| in_batches(s)));
            found.map(|f| f.behind(["events"])).into_iter().collect()
        },
        text: "Several events can come in one request of {senders}. As one event they succeed or fail together, and one bad \
               item sends all of them through the retries.",
        mend: "Set `split = true` on the source: each item becomes an event with its own id, type and deliveries, in the same \
               commit. Count items, not requests, in `volume`.",
        fires_for: r#"senders = ["sendgrid"]"#,
        rests_for: r#"senders = ["twilio"]"#,
    },
    Rule {
        id: "subscription-lapses",
        severity: Warning,
        subject: Subject::Sender,
        fires: |intake, _| {
            let lapses = |s: &&SenderAnswers| !facts::conduct(s).lapses.is_empty();
            let after = |s: &SenderAnswers| Firing::of(s).with("after", facts::conduct(s).lapses).behind(["senders"]);
            intake.senders.iter().filter(lapses).map(after).collect()
        },
        text: "A subscription of {sender} ends by itself unless it is renewed: after {after}. Then no event comes and no error \
               either.",
        mend: "Renew it from a schedule at half that time, which Hookhaven can keep (`/v2/schedules`), and alert when \
               `webhook_received_total{source=\"{name}\"}` stands still for a day.",
        fires_for: r#"senders = ["msgraph"]"#,
        rests_for: r#"senders = ["stripe"]"#,
    },
    Rule {
        id: "test-and-live-on-one-endpoint",
        severity: Note,
        subject: Subject::Sender,
        fires: |intake, _| {
            let connect = |t: &String| t.starts_with("account.") || t.starts_with("capability.");
            let found = intake.senders.iter().filter(|s| facts::is(s, "stripe") && s.events.iter().any(connect));
            found.map(|s| Firing::of(s).behind([s.path("events"), "senders".to_owned()])).collect()
        },
        text: "A Connect endpoint gets test and live events of connected accounts alike.",
        mend: "Look at `/livemode` before anything is written, and key rows by `/account` and the object's id together: ids \
               are only unique within an account.",
        fires_for: r#"events.stripe = ["account.updated"]"#,
        rests_for: r#"events.stripe = ["invoice.paid"]"#,
    },
    Rule {
        id: "thin-beside-snapshots",
        severity: Warning,
        subject: Subject::Sender,
        fires: |intake, _| intake.senders.iter().filter_map(both_shapes).collect(),
        text: "At {sender} a destination is made for thin events or for snapshots. You name both ({thin} is thin), so there \
               are two, each with a signing secret of its own: with one of them in the config, the other half is refused.",
        mend: "Put both secrets into `secrets` of the source: either will do. Better, give the thin ones a source and a handler \
               of their own (`{ name = \"{name}-thin\", sender = \"stripe\" }` under `senders`), since they are read \
               differently.",
        fires_for: r#"events.stripe = ["invoice.paid", "v1.billing.meter.error_report_triggered"]"#,
        rests_for: r#"events.stripe = ["v1.billing.meter.error_report_triggered", "v2.core.account.updated"]"#,
    },
    Rule {
        id: "every-type-arrives",
        severity: Note,
        subject: Subject::Sender,
        fires: |intake, _| {
            let open = |s: &&SenderAnswers| s.sender.is_some_and(|d| d.sample_types.len() > 1) && s.events.is_empty();
            together(intake.senders.iter().filter(open)).map(|f| f.behind(["events"])).into_iter().collect()
        },
        text: "No types are named for {senders}, so whatever comes is taken, and a type that is added at the sender reaches a \
               handler that has never seen it.",
        mend: "Subscribe at the sender to what you handle and name it in `events`: a type can then have its own deadline and \
               severity. Let the handler answer 200 to a type it does not know, and count it.",
        fires_for: r#"senders = ["stripe"]"#,
        rests_for: r#"events.stripe = ["invoice.paid"]"#,
    },
    Rule {
        id: "resending-is-not-replaying",
        severity: Note,
        subject: Subject::Sender,
        fires: |intake, _| {
            let resends = |s: &&SenderAnswers| !facts::conduct(s).resend.is_empty();
            together(intake.senders.iter().filter(resends)).into_iter().collect()
        },
        text: "An event can be sent again by hand at {senders}. Of one that was delivered here that changes nothing: it keeps \
               its id and is a duplicate. Of one that died here it makes a new delivery.",
        mend: "To have a handler run again, use `hookhaven events replay EVENT_ID`. The sender's button is for what never \
               arrived.",
        fires_for: r#"senders = ["github"]"#,
        rests_for: r#"senders = ["plaid"]"#,
    },
    Rule {
        id: "planned-sender-signs-the-url",
        severity: Warning,
        subject: Subject::Verification,
        fires: |intake, _| {
            let open = intake.infrastructure.public_url.is_none();
            let signs = |p: &&Planned| open && p.sender.is_some_and(Declaration::signs_url);
            let answers = ["planned", "infrastructure.public_url"];
            intake.planned.iter().filter(signs).map(|p| to_come(p).behind(answers)).collect()
        },
        text: "{sender} is to come{when} and signs the public URL: if what it posts to and `server.public_url` differ by a \
               slash, every request is refused. You have not said that URL, nor what stands in front.",
        mend: "Settle both before it arrives (`infrastructure.public_url`, `infrastructure.proxy`): the proxy has to pass path \
               and query as they are. Then try it from outside, with the sender's own test.",
        fires_for: r#"planned = [{ sender = "twilio", in_months = 6 }]"#,
        rests_for: r#"
            planned = [{ sender = "twilio", in_months = 6 }]
            infrastructure.public_url = "https://hooks.example.com"
        "#,
    },
    Rule {
        id: "planned-sender-hardly-comes-again",
        severity: Note,
        subject: Subject::Retry,
        fires: |intake, _| {
            let one = |p: &Planned| {
                let says = match p.sender?.about.retries {
                    Retries::Never => "never comes again".to_owned(),
                    Retries::For(window, _) if window < Duration::from_secs(3_600) => {
                        format!("comes again for {} only", span(window))
                    }
                    _ => return None,
                };
                Some(to_come(p).with("says", says).behind(["planned"]))
            };
            intake.planned.iter().filter_map(one).collect()
        },
        text: "{sender} is to come{when} and {says}: with it, each of the gateway's own downtimes costs events.",
        mend: "Have restarts and upgrades down to seconds by then, and have this set-up made again with it among `senders`: \
               its source is then `reserved`, so that it still gets in when the others fill the limits.",
        fires_for: r#"planned = [{ sender = "twilio", in_months = 6 }]"#,
        rests_for: r#"planned = [{ sender = "shopify", in_months = 6 }]"#,
    },
    Rule {
        id: "planned-sender-unknown",
        severity: Note,
        subject: Subject::Sender,
        fires: |intake, _| {
            let unknown = intake.planned.iter().filter(|p| p.sender.is_none());
            unknown.map(|p| to_come(p).behind(["planned"])).collect()
        },
        text: "{sender} is to come{when} and is not in the catalogue.",
        mend: "Ask now how it signs, how long it waits and whether it comes again. If it can choose, ask for Standard \
               Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`): that is known here.",
        fires_for: r#"planned = [{ sender = "acme-billing" }]"#,
        rests_for: r#"planned = [{ sender = "twilio" }]"#,
    },
];

/// Whether a type that they receive comes several in a request; all count where none is named.
fn in_batches(sender: &SenderAnswers) -> bool {
    let Some(declared) = sender.sender.filter(|declared| declared.batch.is_some()) else { return false };
    let batched =
        |event_type: &str| declared.batched.iter().any(|glob| hookhaven_core::glob::matches(glob, event_type));
    if sender.events.is_empty() { batched("") } else { sender.events.iter().any(|event_type| batched(event_type)) }
}

fn both_shapes(sender: &SenderAnswers) -> Option<Firing> {
    let thin = sender.events.iter().find(|event_type| facts::is_thin_type(sender, event_type))?;
    let snapshot = |event_type: &String| event_type != "*" && !facts::is_thin_type(sender, event_type);
    let both = facts::is(sender, "stripe") && sender.events.iter().any(snapshot);
    let firing = Firing::of(sender).with("thin", &**thin).behind([sender.path("events"), "senders".to_owned()]);
    both.then_some(firing)
}

fn to_come(planned: &Planned) -> Firing {
    let title = planned.sender.map_or_else(|| facts::short(&planned.name), |sender| sender.title.to_owned());
    let when = match planned.in_months {
        None | Some(0) => String::new(),
        Some(1) => " in a month".to_owned(),
        Some(months) => format!(" in {months} months"),
    };
    Firing::whole().with("sender", title).with("when", when)
}
