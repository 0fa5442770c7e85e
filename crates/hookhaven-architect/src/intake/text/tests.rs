//! How free text is read: what teams write, and what it has to be taken for.

use super::{
    super::{Effect, Trouble},
    *,
};

fn all<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

#[test]
fn effects_are_what_is_done_and_not_what_is_only_named() {
    use Effect::{Build, Call, Database, Fulfilment, Mail, Message, Money, Record};
    for (text, effects_said) in [
        ("update the customer's status in the database, send e-mail, log to analytics", &[Database, Mail, Record][..]),
        ("trigger CI workflows", &[Build]),
        ("answer mentions, log activity", &[Message, Record]),
        ("store incoming e-mail in the database", &[Database]),
        ("write a row; e-mail to the customer", &[Database, Mail]),
        ("charge the card again", &[Money]),
        ("update the payment's status", &[Database]),
        ("record refunds in the ledger", &[]),
        ("refunds", &[Money]),
        ("call our CRM's API", &[Call]),
        ("grant access and ship the goods", &[Fulfilment]),
        ("keep them in order", &[]),
        ("send an SMS", &[Message]),
        ("archive messages", &[]),
        ("update rows, no e-mail", &[Database]),
        ("mark the order as paid", &[Database]),
        ("record the scan", &[Record]),
        ("e-mail the warehouse", &[Mail]),
        ("post to the general ledger", &[]),
        ("post to a channel", &[Message]),
        ("nothing yet", &[]),
        ("", &[]),
    ] {
        assert_eq!(effects(text), effects_said, "{text}");
    }
}

#[test]
fn somebody_waits_where_somebody_is_answered() {
    for (text, waits) in [
        ("answer mentions, log activity", true),
        ("reply to the customer's SMS", true),
        ("respond with 200 and queue it", false),
        ("answers are not needed", false),
        ("update the database", false),
        ("a user waits for it", true),
    ] {
        assert_eq!(answers_user(text), waits, "{text}");
    }
}

#[test]
fn an_order_is_a_wish_unless_the_words_leave_no_way_out() {
    use OrderKind::{None, Strict, Wished};
    for (text, kind) in [
        ("subscription created before updated, ideally; the sender does not promise it", Wished),
        ("", None),
        ("none", None),
        ("No.", None),
        ("order does not matter", None),
        ("events in any order are fine", None),
        ("strict, there is no way around it", Strict),
        ("no event may overtake another", Strict),
        ("must be handled in sequence", Strict),
        ("created before updated", Wished),
        ("need not be strict", Wished),
        ("only the latest state counts", Wished),
        ("strictly, if possible", Wished),
    ] {
        assert_eq!(order(text), kind, "{text}");
    }
}

#[test]
fn only_the_newest_counts_where_it_is_said_and_not_denied() {
    for (text, is) in [
        ("only the latest state counts", true),
        ("order does not matter, the newest version wins", true),
        ("the newest version of an order wins", true),
        ("ideally in order; only the newest matters", true),
        ("not only the newest: each one counts", false),
        ("created before updated, ideally", false),
        ("strictly in sequence", false),
        ("", false),
    ] {
        assert_eq!(newest(text), is, "{text}");
    }
}

#[test]
fn it_runs_where_it_runs_today() {
    for (hosting, stack, host_said) in [
        ("serverless functions; a long-running service is being considered", &[][..], Host::Serverless),
        ("one VM; Kubernetes is being considered", &[], Host::Machine),
        ("moved off Lambda to Kubernetes", &[], Host::Kubernetes),
        ("no serverless, EC2 instances", &[], Host::Machine),
        ("docker compose on a VM", &[], Host::Containers),
        ("a VM with docker", &[], Host::Containers),
        ("AWS Lambda behind API Gateway", &[], Host::Serverless),
        ("Fly.io", &[], Host::Platform),
        ("ECS Fargate behind a load balancer", &[], Host::Platform),
        ("EKS", &[], Host::Kubernetes),
        ("Kubernetes is planned", &[], Host::Kubernetes),
        ("somewhere", &["next.js", "vercel"], Host::Serverless),
        ("a VM", &["docker"], Host::Machine),
        ("celery workers on a server", &[], Host::Machine),
        ("", &[], Host::Machine),
    ] {
        let stack: Vec<String> = stack.iter().map(|item| (*item).to_owned()).collect();
        assert_eq!(host(hosting, &stack), host_said, "{hosting}");
    }
}

#[test]
fn frameworks_are_named_or_follow_from_the_language() {
    use Framework::{Axum, Django, Express, FastApi, Fastify, Go, Next};
    for (stack, found) in [
        (&["node 20", "fastify", "postgres"][..], &[Fastify][..]),
        (&["typescript"], &[Fastify]),
        (&["Next.js 15"], &[Next]),
        (&["express", "fastapi"], &[Express, FastApi]),
        (&["python 3.12", "flask"], &[FastApi]),
        (&["django rest framework"], &[Django]),
        (&["go 1.24"], &[Go]),
        (&["golang", "gin"], &[Go]),
        (&["rust"], &[Axum]),
        (&["php", "laravel"], &[]),
        (&[], &[]),
    ] {
        let stack: Vec<String> = stack.iter().map(|item| (*item).to_owned()).collect();
        assert_eq!(frameworks(&stack), found, "{stack:?}");
    }
    assert!(has_postgres(&all(["node", "PostgreSQL 16"])) && has_postgres(&all(["AWS RDS"])));
    assert!(!has_postgres(&all(["RDS MySQL"])) && !has_postgres(&all(["no postgres"])) && !has_postgres(&[]));
}

#[test]
fn what_is_there_today_is_read_with_its_denials() {
    for (text, kind) in [
        ("synchronous handler", State::Synchronous),
        ("synchronous handler, no queue", State::Synchronous),
        ("nothing yet", State::Nothing),
        ("a greenfield project", State::Nothing),
        ("four Lambda functions", State::Synchronous),
        ("SQS with a DLQ", State::Queued),
        ("SQS with retries, a DLQ and alerts", State::Mature),
        ("a mature pipeline", State::Mature),
        ("the handler is not idempotent", State::Synchronous),
        ("BullMQ on Redis; we used to be synchronous", State::Queued),
        ("Hookdeck", State::Hosted),
        ("self-hosted on Heroku", State::Synchronous),
        ("queue, no dead letters, no idempotency", State::Queued),
        ("IBM MQ with a receiver that verifies and enqueues", State::Queued),
        ("a job polls their API every minute", State::Nothing),
        ("scanners write to the database directly", State::Nothing),
        ("a handler that writes to the database directly", State::Synchronous),
        ("don't know", State::Nothing),
    ] {
        assert_eq!(state(text), kind, "{text}");
    }
    for (text, checked) in [
        ("synchronous handler", None),
        ("signatures are verified", Some(true)),
        ("signatures are not verified", Some(false)),
        ("no verification", Some(false)),
        ("it does not verify signatures", Some(false)),
        ("unverified", Some(false)),
    ] {
        assert_eq!(verifies(text), checked, "{text}");
    }
}

#[test]
fn troubles_are_what_happened() {
    use Trouble::{BadSignature, LeakedSecret, Lost, OutOfOrder, Overload, TimedOut, Twice};
    for (incident, told) in [
        ("the sender retries because answers sometimes take more than 5 s", &[TimedOut][..]),
        ("an event was processed twice, two times", &[Twice]),
        ("more than 3 events were lost", &[Lost]),
        ("nothing was lost", &[]),
        ("an event never arrived", &[Lost]),
        ("an order was shipped twice", &[Twice]),
        ("a customer was double-charged", &[Twice]),
        ("an older update overwrote a newer one", &[OutOfOrder]),
        ("a memory leak crashed it", &[Overload]),
        ("the signing secret was leaked", &[LeakedSecret]),
        ("a secret was in a log file", &[LeakedSecret]),
        ("a push was never built", &[Lost]),
        ("somebody posted forged events", &[BadSignature]),
        ("the handler did not answer in time", &[TimedOut]),
        ("we slowed down a release", &[]),
    ] {
        assert_eq!(troubles(&all([incident])), told, "{incident}");
    }
}
