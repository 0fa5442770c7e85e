//! What to do about an alert: what to look at, and the one command that puts it right or shows the way. By metric, so
//! that rules of one's own have one too; `docs/alerts.md` is held against it.

use super::metric::Metric;

/// `{scope}` stands for the name of the source, destination or route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runbook {
    /// What is wrong, in a few words.
    pub title: &'static str,
    pub look: &'static str,
    pub command: &'static str,
}

pub fn runbook(metric: Metric) -> Runbook {
    let of = |title, look, command| Runbook { title, look, command };
    match metric {
        Metric::SignaturesInvalid => of(
            "Invalid signatures",
            "Either the secret was rotated at the sender and not here, or somebody tries to forge requests. `hookhaven \
             rejected show ID` says which, of the requests that the command lists. After a rotation put the new secret beside the old \
             one in `secrets` and release what was rejected: `hookhaven rejected release --source {scope}`.",
            "hookhaven rejected list --source {scope}",
        ),
        Metric::DeadLetters => of(
            "Dead letters are waiting",
            "Deliveries have used up their retries and wait for a person. `hookhaven analyze` says what they have in \
             common. Mend the handler, then replay them; what nobody needs any more can be dismissed.",
            "hookhaven dlq list --destination {scope}",
        ),
        Metric::DeadLettersCritical => of(
            "Critical dead letters",
            "Deliveries of a route marked `critical` have used up their retries. The list shows the last error of each. \
             Mend the handler, then replay them with `hookhaven dlq replay`; the alert ends once none is left.",
            "hookhaven dlq list",
        ),
        Metric::QueueDepth => of(
            "Deliveries pile up",
            "The handler is slower than what comes in, rests (breaker, Retry-After), or is paused. The command shows \
             which. If it is only slow, raise `concurrency` of the destination or give the handler more room.",
            "hookhaven destinations list",
        ),
        Metric::QueueOldest => of(
            "Deliveries wait for long",
            "What is due is not attempted. Look whether the destination is paused or rests, whether its `rate` and \
             `concurrency` allow what comes in, and whether any node works (`hookhaven nodes`).",
            "hookhaven destinations list",
        ),
        Metric::AnswerP95 => of(
            "Answers to senders are slow",
            "Senders give up after some seconds and come again. Mostly the disk is slow to sync, or the database far \
             away; routes with `answer = \"handler\"` wait for their handler. `hookhaven bench` measures the disk.",
            "hookhaven doctor",
        ),
        Metric::DeadlinesMissed => of(
            "Deadlines are missed",
            "Deliveries begin later than their route's `deadline`. Raise `concurrency` or `rate` of the destination, or \
             `worker.slots`; or give the route the deadline that it can keep.",
            "hookhaven analyze --since 1h",
        ),
        Metric::AttemptsFailed => of(
            "Attempts fail",
            "The handler answers with errors or not at all. The command clusters the failures and names what stands out.",
            "hookhaven analyze --since 1h",
        ),
        Metric::BreakerOpen => of(
            "A destination rests",
            "It failed ten times in a row over several deliveries, so no attempts are spent on it but a probe now and \
             then. Nothing is lost: deliveries wait, and drain once a probe succeeds. Bring the handler back.",
            "hookhaven analyze --since 1h",
        ),
        Metric::DestinationPaused => of(
            "A destination was paused by its 410",
            "Several deliveries in a row were answered 410 Gone. If the address moved, change `url` in the config file. \
             Nothing is lost: deliveries wait until it is resumed.",
            "hookhaven destinations resume {scope}",
        ),
        Metric::DestinationGone => of(
            "Deliveries wait for a destination that is gone",
            "The config file does not name it any more, and deliveries to it were pending. Put the destination back until \
             they are done, or cancel them.",
            "hookhaven deliveries list --destination {scope} --state pending",
        ),
        Metric::SecretsOld => of(
            "A secret is old",
            "It is older than `secrets_max_age`. Make a new one at the sender, put it first in `secrets`, and take the old \
             one out once the list calls it safe to remove.",
            "hookhaven secrets",
        ),
        Metric::ClockDrift => of(
            "The machine's clock has stepped",
            "The gateway goes by the clock it started with, so that time never runs back; the machine's is now more than a \
             minute away from it. Signatures carry timestamps: see that the machine's time is right (NTP), then restart \
             the gateway.",
            "timedatectl status",
        ),
        Metric::StoreDamages => of(
            "The store is damaged",
            "Something in the journal could not be read and was gone around. The command says what it was and what it \
             costs. Look at the disk, and keep a backup from before.",
            "hookhaven doctor",
        ),
        Metric::StoreRefusing => of(
            "The store cannot accept",
            "Senders are answered 503 and come again; nothing acknowledged is lost. Mostly the disk is full \
             (`store.free_min`), `store.pending_max` is reached, or the database cannot be reached. The status says which.",
            "hookhaven doctor",
        ),
        Metric::ConfigRefused => of(
            "The changed config file was refused",
            "The gateway goes on with the configuration it had. The command says what is wrong with the new one, and how \
             to mend it; it is picked up as soon as it is right.",
            "hookhaven check",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_runbook_of_its_own() {
        for (n, metric) in Metric::ALL.iter().enumerate() {
            let book = runbook(*metric);
            assert!(book.look.len() > 60 && !book.command.is_empty(), "{metric}");
            assert!(Metric::ALL[..n].iter().all(|other| runbook(*other).title != book.title), "{metric}");
        }
    }
}
