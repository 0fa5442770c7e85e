//! What a kind of failure means, in words: the likely cause, the sentence, the mend, and the keys that would help.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Case, Cause, Finding, Observed, Scope, Suggestion, examples,
    kinds::{Kind, Slice},
    tally::{Tally, durations, percentile},
    words,
};

/// Successes that must be known before it is said how long they take.
const SUCCESSES_MIN: usize = 10;
/// From this share of the timeout on, the slowest successes are near it: a little more, and they are timeouts.
const NEAR_LIMIT: f64 = 0.7;
/// A longer timeout is not suggested: above it `check` warns, for then a handler works before it answers.
const TIMEOUT_SUGGESTED_MAX: Duration = Duration::from_secs(60);

/// Failures of one kind that stand out.
pub(super) struct Found<'a, 'c> {
    pub case: &'c Case<'a>,
    pub kind: Kind,
    pub slice: &'c Slice<'a>,
    pub failed: &'c [&'a Observed],
}

/// What is said of them.
struct Meaning {
    cause: Cause,
    /// What they are: `timeouts at 10 s`.
    are: String,
    /// What goes with it, after a semicolon; may be empty.
    and: String,
    mend: String,
    suggestions: Vec<Suggestion>,
}

pub(super) fn finding(found: &Found<'_, '_>) -> Finding {
    let Found { case, slice, failed, .. } = found;
    let meaning = found.meaning();
    let of_any = Tally::of(&slice.attempts, Observed::failed).failures;
    let and = if meaning.and.is_empty() { String::new() } else { format!("; {}", meaning.and) };
    let over = if slice.until.is_some() { " That is over." } else { "" };
    let sentence = format!(
        "{} of the failures of {}{}{} are {}{and}.{over}",
        words::percent(failed.len(), of_any),
        words::name(case.name),
        found.of_scope(),
        words::stretch(slice.since, slice.until, case.now),
        meaning.are,
    );
    Finding {
        cause: meaning.cause,
        destination: case.name.clone(),
        scope: slice.scope.clone(),
        since: slice.since,
        until: slice.until,
        failures: failed.len(),
        attempts: slice.attempts.len(),
        sentence,
        evidence: found.evidence(),
        mend: meaning.mend,
        suggestions: meaning.suggestions,
        examples: examples(failed),
    }
}

impl Found<'_, '_> {
    fn of_scope(&self) -> String {
        match &self.slice.scope {
            None => String::new(),
            Some(Scope::Type(name)) => format!(" with events of type {}", words::name(name)),
            Some(Scope::Source(name)) => format!(" with events from {}", words::name(name)),
            Some(Scope::Event(id)) => format!(" with {id}"),
        }
    }

    fn evidence(&self) -> Vec<String> {
        let Found { case, slice, failed, .. } = self;
        let mut lines = vec![format!(
            "of the attempts that it could have hit, {} failed so",
            words::counted(failed.len(), slice.attempts.len())
        )];
        if slice.outside.attempts > 0 {
            let outside = words::counted(slice.outside.failures, slice.outside.attempts);
            lines.push(format!("of all others to this destination, {outside}"));
        }
        if let (Some(first), Some(last)) = (failed.first(), failed.last()) {
            let clock = |o: &Observed| words::clock(o.started_at, case.now);
            lines.push(format!(
                "{} events, the first at {}, the last at {}",
                super::events(*failed),
                clock(first),
                clock(last)
            ));
        }
        lines.extend(words::errors(failed).map(|errors| format!("recorded: {errors}")));
        lines
    }

    fn meaning(&self) -> Meaning {
        match self.kind {
            Kind::Dns => self.plain(
                Cause::Dns,
                "names that were not resolved",
                "the DNS record of the host is gone, or the resolver that this machine asks does not answer",
                "ask for the name on the gateway's machine (`getent hosts NAME`), and mend the record, the resolver, or the \
                 host in `url`",
            ),
            Kind::Connect => self.connect(),
            Kind::Tls => self.tls(),
            Kind::Timeout => self.timeout(),
            Kind::Protocol => self.plain(
                Cause::ConnectionBreaks,
                "connections that broke before an answer was whole",
                "the handler, or a proxy before it, crashes, restarts or closes connections that are in use",
                "look for crashes and restarts in the handler's log at these times, and keep a proxy's idle timeout above \
                 90 s",
            ),
            Kind::RateLimited => self.rate_limited(),
            Kind::Server => self.server(),
            Kind::Client(status) => self.client(status),
            Kind::Redirect => self.plain(
                Cause::Redirect,
                "redirects",
                "a redirect is never followed, so nothing is delivered",
                "set `url` to the address that it leads to (`location` in `hookhaven deliveries show --json`); often \
                 `https` instead of `http`, or a slash at the end",
            ),
            Kind::Refused => self.plain(
                Cause::AddressRefused,
                "addresses that the gateway may not call",
                "published messages go to public addresses only",
                "if it is meant to, open that network with `allow` under [net]",
            ),
            Kind::Lost => self.plain(
                Cause::NodesLost,
                "attempts lost with the node that made them",
                "the gateway itself ended in the middle of its work; it was not the handler",
                "look why nodes went away (`hookhaven nodes`; the system's log for kills and out of memory)",
            ),
            Kind::Store => self.plain(
                Cause::StoreDamaged,
                "events that could not be read back",
                "the gateway's own store is damaged; it was not the handler",
                "run `hookhaven doctor`",
            ),
        }
    }

    fn plain(&self, cause: Cause, are: &str, and: &str, mend: &str) -> Meaning {
        Meaning { cause, are: are.to_owned(), and: and.to_owned(), mend: mend.to_owned(), suggestions: Vec::new() }
    }

    /// Whether most of the errors begin or go on so.
    fn mostly_says(&self, texts: &[&str]) -> bool {
        let says = |o: &&&Observed| texts.iter().any(|text| o.error.contains(text));
        2 * self.failed.iter().filter(says).count() > self.failed.len()
    }

    fn connect(&self) -> Meaning {
        if !self.mostly_says(&["refused"]) && self.failed.iter().any(|o| !o.error.is_empty()) {
            return self.unreachable("connections that did not come about");
        }
        let probes = self.case.figures.map(|f| format!(" within {} s", f.breaker.rest.as_secs())).unwrap_or_default();
        let mend = format!(
            "start the handler, or mend host and port in `url`; once it listens, deliveries go on by themselves{probes}"
        );
        self.plain(Cause::HandlerDown, "refused connections", "nothing listens there: the handler is down", &mend)
    }

    fn unreachable(&self, are: &str) -> Meaning {
        self.plain(
            Cause::Unreachable,
            are,
            "nothing answers at that address: a firewall, a wrong address, or a machine that is gone",
            "try a connection from the gateway's machine (`curl -v URL`), and mend the way or the host in `url`; a longer \
             `timeout` would not help",
        )
    }

    fn tls(&self) -> Meaning {
        if !self.mostly_says(&["certificate"]) {
            let and = "the other end does not speak TLS there, or none that this gateway does";
            return self.plain(
                Cause::Tls,
                "failed TLS handshakes",
                and,
                "compare scheme and port in `url` with the handler's",
            );
        }
        let expired = if self.mostly_says(&["Expired"]) { ": it has expired" } else { "" };
        let and = format!("the gateway does not trust what the handler shows{expired}");
        let mend = "renew the handler's certificate, with its whole chain and for the name in `url`";
        self.plain(Cause::Certificate, "TLS certificates that are not valid", &and, mend)
    }

    fn timeout(&self) -> Meaning {
        if self.mostly_says(&["no connection to", "no TLS with", "was not resolved"]) {
            return self.unreachable("timeouts before a request could be sent");
        }
        let limit_us = percentile(&durations(self.failed.iter().copied()), 50).unwrap_or(0);
        let are = format!("timeouts at {}", words::took(limit_us));
        let ok = durations(self.slice.attempts.iter().copied().filter(|o| !o.failed()));
        match percentile(&ok, 95).filter(|_| ok.len() >= SUCCESSES_MIN) {
            Some(p95) if p95 as f64 >= NEAR_LIMIT * limit_us as f64 => self.near_limit(are, p95, limit_us),
            p95 => self.hangs(&are, p95),
        }
    }

    fn near_limit(&self, are: String, p95_us: u64, limit_us: u64) -> Meaning {
        let case = self.case;
        let limit = Duration::from_micros(limit_us);
        let now = case.figures.map(|f| f.timeout);
        // A timeout that was raised meanwhile is not raised again on the evidence of before.
        let stale = now.is_some_and(|now| now > limit.mul_f64(1.2));
        let longer = (limit * 2).min(TIMEOUT_SUGGESTED_MAX);
        let longer = (!stale && longer > limit).then(|| case.suggest("timeout", words::toml_duration(longer)));
        let since_raised = if stale { "; the timeout is longer by now" } else { "" };
        Meaning {
            cause: Cause::TimeoutNearLimit,
            are,
            and: format!("successes take {} at p95: raise `timeout` or lower `concurrency`{since_raised}", words::took(p95_us)),
            mend: "raise `timeout`, or lower `concurrency` if the handler is slow because of too much at once; best, have it \
                   answer at once and work afterwards"
                .to_owned(),
            suggestions: longer.flatten().into_iter().chain(case.suggest_less_at_once()).collect(),
        }
    }

    fn hangs(&self, are: &str, p95_us: Option<u64>) -> Meaning {
        let and = match p95_us {
            Some(p95) => format!(
                "successes take {} at p95: some requests hang, and waiting longer would not help",
                words::took(p95)
            ),
            None => "hardly anything is answered in time: the handler hangs".to_owned(),
        };
        let mend =
            "look at what the handler waits for in those requests (a lock, its database, a service that is away)";
        self.plain(Cause::HandlerHangs, are, &and, mend)
    }

    fn rate_limited(&self) -> Meaning {
        let mut meaning = self.plain(
            Cause::RateLimited,
            "answers 429 (too many requests)",
            "the handler takes less at a time than it is given",
            "set `rate` to what it takes; what is more waits and is not lost",
        );
        if let Some(per_minute) = self.taken_per_minute() {
            meaning.and = format!("it takes about {per_minute} a minute, and is given more");
            meaning.suggestions.extend(rate(self.case, per_minute));
        }
        meaning
    }

    /// How many succeed in a minute in which others are refused: the median of such minutes.
    fn taken_per_minute(&self) -> Option<u64> {
        let minute = |o: &Observed| o.started_at.as_s().div_euclid(60);
        let mut minutes: BTreeMap<i64, (u64, bool)> = BTreeMap::new();
        for o in &self.slice.attempts {
            let entry = minutes.entry(minute(o)).or_default();
            entry.0 += u64::from(!o.failed());
            entry.1 |= Kind::of(o) == Some(Kind::RateLimited);
        }
        let mut taken: Vec<_> = minutes.into_values().filter(|(_, limited)| *limited).map(|(n, _)| n).collect();
        taken.sort_unstable();
        percentile(&taken, 50).filter(|n| *n > 0)
    }

    fn server(&self) -> Meaning {
        let statuses = words::mostly(self.failed).unwrap_or_default();
        let are = format!("errors of the handler: {statuses}");
        let (and, mend) = match (&self.slice.scope, self.slice.since) {
            (Some(_), _) => (
                "everything else is handled",
                "look in the handler's log for what it does with these events that it does not do with others",
            ),
            (None, Some(_)) => (
                "before that it worked: something changed then, as a deploy does",
                "compare with what was deployed or changed at that time, and take it back; then replay what died with `hookhaven dlq replay`",
            ),
            (None, None) => ("it is so over the whole time", "look in the handler's log at the times of the examples"),
        };
        self.plain(Cause::ServerErrors, &are, and, mend)
    }

    fn client(&self, status: u16) -> Meaning {
        match status {
            401 | 403 => self.unauthorized(status),
            404 | 405 | 410 => self.plain(
                Cause::WrongAddress,
                &format!("answers {status}"),
                "the handler has nothing at this address, or not for POST",
                "compare `url` with the handler's routes; if a deploy moved them, mend one of the two",
            ),
            413 => self.plain(
                Cause::PayloadTooLarge,
                "answers 413 (payload too large)",
                "the bodies are larger than the handler, or a proxy before it, takes",
                "raise the body limit of the handler and of its proxy (`client_max_body_size` in nginx) to the source's \
                 `body_max`",
            ),
            _ => self.rejected(status),
        }
    }

    fn unauthorized(&self, status: u16) -> Meaning {
        let are = format!("answers {status} (not authorised)");
        let signs = self.case.figures.is_none_or(|f| f.signs);
        let mend = if signs {
            "compare `secret` with the one that the handler checks the signature with; during a rotation name both, the new \
             one first"
        } else {
            "attempts to it are not signed: set `secret`, or mend the credentials that the handler expects"
        };
        let accepted = self.case.attempts.iter().any(|o| !o.failed());
        match (&self.slice.scope, self.slice.since) {
            (None, None) if !accepted => {
                let and = "nothing was accepted in all the time: the handler's secret is not the one under `secret`";
                self.plain(Cause::AuthNeverHeld, &are, and, mend)
            }
            (None, Some(_)) => {
                let and = "before that they were accepted: a secret or token was changed then on one side only";
                self.plain(Cause::AuthBroken, &are, and, mend)
            }
            _ => {
                let mend = "find out which of the handler's instances, or which of its rules, refuses them";
                self.plain(Cause::AuthPartly, &are, "others are accepted, so not the secret alone is wrong", mend)
            }
        }
    }

    fn rejected(&self, status: u16) -> Meaning {
        let are = format!("answers {status}");
        match &self.slice.scope {
            Some(Scope::Type(_)) => self.plain(
                Cause::TypeRejected,
                &are,
                "other types are accepted: the handler does not understand this one",
                "teach the handler this type, or take it out of the route's `events`",
            ),
            _ => self.plain(
                Cause::RequestsRejected,
                &are,
                "the handler does not want what it is sent",
                "look at its answers (`hookhaven deliveries show`), and mend the handler or the route",
            ),
        }
    }
}

/// A tenth less than what was taken, in the unit that shows it best.
fn rate(case: &Case<'_>, per_minute: u64) -> Option<Suggestion> {
    let (count, unit, per_s) = match per_minute * 9 / 10 {
        n @ 60.. => (n / 60, "s", (n / 60) as f64),
        n => (n.max(1), "m", n.max(1) as f64 / 60.0),
    };
    case.suggest_rate(per_s, &format!("{count}/{unit}"))
}
