//! What the gravest findings come to in a sentence or two: for the key takeaways, which have no room for the whole.
//!
//! Filled as the rule's own text is. A rule that is not here is said by the beginning of its text and of its mend. Not
//! here: which findings are told (`report`).

/// By the rule's id.
pub fn of(id: &str) -> Option<&'static str> {
    BRIEF.iter().find(|(rule, _)| *rule == id).map(|(_, text)| *text)
}

const BRIEF: &[(&str, &str)] = &[
    (
        "seen-and-then-queued",
        "A receiver that marks an id as seen before it queues the event loses it when it dies in between. Make the two \
         one commit.",
    ),
    (
        "sooner-than-the-work",
        "{sender} is to be handled within {latency}, and the handler alone takes {takes}. Split off what is needed so \
         soon, or allow more.",
    ),
    (
        "more-handlers-than-can-be",
        "{sender} would keep {busy} handlers busy in the busiest hour. Do less for each event, or subscribe to fewer.",
    ),
    (
        "a-user-waits-for-minutes",
        "Somebody waits for what {sender} is answered, and every type may take {latency}. Say which of the two is so.",
    ),
    (
        "mature-with-incidents",
        "What you have is said to prevent what you tell of ({told}). Find out which it is before replacing anything.",
    ),
    (
        "regulated-and-soon-gone",
        "After {kept} nothing is left to show somebody who asks what arrived. Keep a record of your own, or events for \
         longer.",
    ),
    (
        "costs-more-than-the-budget",
        "You have {budget} a month, and what you ask for costs {cost}. Fewer nodes or a shorter retention bring it down.",
    ),
    (
        "handler-slower-than-the-sender-waits",
        "{sender} waits {limit} and your handler takes {takes}: let Hookhaven answer, and work afterwards.",
    ),
    (
        "synchronous-handler",
        "Your handler works before it answers, so whatever slows it fails at the sender. Let Hookhaven answer.",
    ),
    (
        "answer-too-slow-for-the-user",
        "{sender} waits {limit} for what a user reads, and your handler takes {takes}. Answer shortly at first, and say \
         the rest later.",
    ),
    (
        "retries-from-slow-answers",
        "Senders hang up on you because the answer waits for the work{limits}. Take the work out of the answer.",
    ),
    (
        "processed-twice",
        "An event was processed twice. Insert its id (`webhook-id`) under a unique constraint, in the transaction that \
         does the work.",
    ),
    (
        "events-were-lost",
        "Events were lost. Answer after the event is on disk, and compare with the sender's list after a downtime.",
    ),
    (
        "older-overwrote-newer",
        "An older event overwrote a newer one. Keep the event's time in the row, and write only what is newer.",
    ),
    (
        "signatures-failed-before",
        "Signatures failed before. Let nothing in front touch the body; `hookhaven rejected show ID` names the cause.",
    ),
    ("secret-leaked", "A secret leaked. Replace it, then compare what came in since then with the sender's own list."),
    (
        "overrun-before",
        "Your handlers were overrun. {destination} is now asked {concurrency} at a time{limit}; the rest waits on disk.",
    ),
    (
        "not-verified-today",
        "Signatures are not checked today: whoever finds the URL can post. Take that URL away once Hookhaven stands in \
         front.",
    ),
    (
        "unknown-sender",
        "How {senders} signs is not in the catalogue. Describe it before the first event (`[sources.NAME.hmac]`).",
    ),
    (
        "nothing-proves-the-sender",
        "Nothing proves that a request comes from {senders}. Allow only its addresses, and take an event as a hint.",
    ),
    (
        "secret-is-shown",
        "A secret is shown in every request of {senders}: keep headers and query strings out of every log on the way.",
    ),
    (
        "body-partly-signed",
        "A right proof from {sender} leaves open: {open}. Fetch the object by its API before you act.",
    ),
    (
        "public-url-unknown",
        "The public URL is signed by {senders}, and you have not said it: `infrastructure.public_url`.",
    ),
    (
        "constraint-does-not-cover-effects",
        "A unique constraint does not cover {effects}: a crash before the commit repeats that for {sender}. Give each \
         effect a key of its own.",
    ),
    (
        "must-without-a-database",
        "Nothing of {senders} may happen twice, and your stack names no database to hold the constraint. SQLite will do.",
    ),
    (
        "money-that-may-move-twice",
        "Your handler for {sender} does what must not happen twice ({effects}), and you say that it may. Say \
         `idempotency.{name} = \"must\"`.",
    ),
    (
        "retention-shorter-than-memory",
        "{sender} can bring back an event for {again}, and you keep events for {kept}. Keep them as long, or know that \
         the story ends there.",
    ),
    (
        "one-cause-several-events",
        "At {sender}, {cause} makes several of the events that you receive. Start the work for one of them only.",
    ),
    (
        "strict-order-not-promised",
        "You ask for a strict order that {sender} does not promise. Let the handler bear any order: compare the event's \
         time with the row.",
    ),
    (
        "strict-order-holds-its-key",
        "Events of {sender} with one key go one at a time, {rate} at most. Choose the narrowest key that needs the order.",
    ),
    (
        "strict-order-without-a-key",
        "You ask for a strict order of {sender}'s events without saying of what. Name the key: `ordering.{name}`.",
    ),
    ("order-needs-the-answer", "Strict order for {senders} ends at your handler's answer: do the work before the 200."),
    (
        "downtime-loses-what-must-not-be-lost",
        "{sender} never comes again: {downtime} without a gateway costs up to {events} events. Fetch what was missed, \
         from a job.",
    ),
    (
        "downtime-outlasts-retries",
        "You are down for up to {downtime}, and {sender} comes again for {window} only. Keep the gateway up while your \
         handlers are down.",
    ),
    (
        "sender-switches-off",
        "Failures that go on make {senders} stop sending: look at the subscription after every long downtime.",
    ),
    (
        "handler-outlasts-the-attempt",
        "Your handler for {sender} takes {takes}, and an attempt is given up after {timeout}. Store the job, answer 200, \
         work afterwards.",
    ),
    (
        "handler-takes-minutes",
        "Your handler for {sender} takes {takes}: a deploy in between breaks it off. Store the job, answer 200, work \
         afterwards.",
    ),
    (
        "many-handlers-at-once",
        "{concurrency} of {sender}'s events are handled at once: pool the database connections, or make the handler \
         faster.",
    ),
    (
        "queue-fills-within-a-day",
        "Handlers that are down fill the queue in {full}; then senders hear 503. Page on `webhook_queue_oldest_seconds`.",
    ),
    (
        "retention-is-the-disk",
        "Keeping every event for {retention} takes {disk}. Three days take {short}: say a shorter \
         `requirements.retention`.",
    ),
    (
        "subscription-lapses",
        "A subscription of {sender} ends after {after} unless it is renewed, without an error. Renew it at half that \
         time.",
    ),
    (
        "planned-sender-signs-the-url",
        "{sender} is to come{when} and signs the public URL: settle URL and proxy before it does.",
    ),
    (
        "nobody-is-told",
        "Events of {senders} must be processed, and no alert would reach anybody. Say `infrastructure.alerts`.",
    ),
    (
        "serverless-receiver",
        "Receive on {size}, not on functions: they have no disk, and a cold start. The handlers may stay where they are.",
    ),
    (
        "cold-start-within-the-limit",
        "An answer to {senders} has {limit}, and a function that starts cold takes that long. Let the always-on gateway \
         answer.",
    ),
    (
        "pod-needs-its-volume",
        "A pod's own disk goes with the pod, and acknowledged events with it. Give it the volume that `deploy/` has.",
    ),
    (
        "platform-needs-a-volume",
        "Without a volume, or asleep, the gateway loses what it acknowledged. Attach one, and switch sleeping off.",
    ),
    (
        "nodes-without-postgres",
        "The store has to be PostgreSQL ({because}), and you run none. Take a managed one, or one node that restarts in \
         seconds.",
    ),
    (
        "nodes-on-one-machine",
        "{nodes} nodes on one machine fail together. Put them on machines in different zones, or run one.",
    ),
    (
        "no-gateway-on-windows",
        "The gateway does not run on Windows. Give it a small Linux machine; your handlers stay where they are.",
    ),
    (
        "several-regions",
        "You run in several regions, and this set-up is one. Make a set-up for each region: they share nothing.",
    ),
    (
        "waited-for-in-vain",
        "People waited in vain for what {sender} shows them. Measure the slowest of a hundred answers, and answer first.",
    ),
    (
        "burst-beyond-its-latency",
        "A burst of {sender} ({events} within {within}) cannot be handled within {latency}. Say how late the last may be.",
    ),
    (
        "one-database-for-all",
        "{worst} at the worst is more than one PostgreSQL was measured to take ({measured}). Measure yours before.",
    ),
    (
        "database-of-the-application",
        "Give the gateway a PostgreSQL server of its own: {worst} at the worst would slow your application's queries.",
    ),
    ("public-url-without-tls", "The public URL ({url}) is without TLS: name the `https://` address."),
    (
        "thin-beside-snapshots",
        "{sender} signs thin events and snapshots with a secret each, and you name both. Put both into `secrets`.",
    ),
    (
        "own-program-unsigned",
        "Nothing is verified of {senders}. If that is a program of your own, let it sign (`standard-webhooks`).",
    ),
    (
        "no-audit-log",
        "The history of events is no audit log. Write an append-only record in the transaction that does the work.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::BRIEF;
    use crate::rules::{Severity, all};

    #[test]
    fn each_is_of_a_rule_that_can_be_told_short_and_there_once() {
        let mut seen = BTreeSet::new();
        for (id, text) in BRIEF {
            let rule = all().find(|rule| rule.id == *id);
            assert!(rule.is_some_and(|rule| rule.severity > Severity::Note), "{id}");
            assert!(seen.insert(id) && text.ends_with(['.', '}']) && text.chars().count() <= 160, "{id}: {text}");
        }
    }
}
