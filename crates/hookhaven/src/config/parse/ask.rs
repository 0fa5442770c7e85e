//! `answer` of a route: whether the sender is told what the handler answers, and how long that may take.
//!
//! Not here: `answer` of a source, which is always the same text (`answer`).

use std::time::Duration;

use hookhaven_core::senders::Declaration;
use toml::de::DeValue;

use super::{cross::overlap, document::Document, document::Item, route::Placed};
use crate::config::{duration::print, problem::Severity};

/// A request that waits for its answer is held in memory, and a stop waits for it.
const WITHIN_MAX: Duration = Duration::from_secs(15);
const WITHIN_MIN: Duration = Duration::from_millis(100);

const FORMS: &str = "\"handler\", or a table such as { from = \"handler\", within = \"2500ms\" }";

/// How soon after the request the handler's answer goes back. `None` if it cannot be read, which is then reported.
pub fn read(item: &Item<'_>, sender: Option<&Declaration>) -> Option<Duration> {
    let usual = sender.unwrap_or(&Declaration::DEFAULT).answer_within();
    let within = match item.value {
        DeValue::Table(_) => {
            let mut table = item.table(FORMS)?;
            let from = table.require("from", "add from = \"handler\"").and_then(|from| from_handler(&from));
            let within = table.take("within").map_or(Some(usual), |within| within.duration(WITHIN_MIN..=WITHIN_MAX));
            table.finish();
            from.and(within)?
        }
        DeValue::String(_) => from_handler(item).map(|()| usual)?,
        _ => {
            item.expected(FORMS);
            return None;
        }
    };
    warn_of_patience(item, sender, within);
    Some(within)
}

fn from_handler(item: &Item<'_>) -> Option<()> {
    item.one_of(&[("handler", ())])
}

/// A sender that has gone by then reads nothing.
fn warn_of_patience(item: &Item<'_>, sender: Option<&Declaration>, within: Duration) {
    let Some((sender, waits)) = sender.and_then(|s| Some((s, Duration::from_secs(s.about.timeout_s?.into())))) else {
        return;
    };
    if within >= waits {
        let what = format!("{} waits no longer than {}", sender.title, print(waits));
        item.under("within").warn(what, format!("write less, such as within = \"{}\"", print(sender.answer_within())));
    }
}

/// Only one handler's answer can go back.
pub fn check(doc: &Document<'_>, routes: &[Placed]) {
    let asking: Vec<&Placed> = routes.iter().filter(|r| r.route.answer_within.is_some()).collect();
    for (n, later) in asking.iter().enumerate() {
        if let ([first, _, ..], at) = (&later.route.to[..], &later.at) {
            let what = "this route asks for the handler's answer and has several destinations".to_owned();
            doc.report(Severity::Warning, at, &later.path, what, format!("only the first, \"{first}\", answers"));
        }
        // A filter of the first may leave to the later what that is for.
        let takes_the_same = |first: &&&Placed| overlap(first, later) && first.route.when.is_none();
        if let Some(first) = asking[..n].iter().find(takes_the_same) {
            let what = format!("some events are also answered by the handler of {}", first.path);
            let mend = "the first route's handler answers; take answer out of the others".to_owned();
            doc.report(Severity::Warning, &later.at, &later.path, what, mend);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Environment, parse::parse};

    fn parsed(source: &str, routes: &str) -> (Vec<Option<Duration>>, Vec<String>) {
        let text = format!(
            "[server]\npublic_url = \"https://hooks.example.com\"\n[sources.s]\nsender = \"{source}\"\nsecrets = [\"{}\"]\n\
             [destinations.a]\nurl = \"http://127.0.0.1:1/\"\n[destinations.b]\nurl = \"http://127.0.0.1:2/\"\n{routes}",
            "a".repeat(64)
        );
        let parsed = parse(Path::new("hookhaven.toml"), &text, &Environment::default());
        let problems = parsed.problems.iter().map(ToString::to_string).collect();
        let routes = parsed.config.map(|config| config.routes).unwrap_or_default();
        (routes.iter().map(|route| route.answer_within).collect(), problems)
    }

    fn route(answer: &str) -> String {
        format!("[[routes]]\nsource = \"s\"\nto = [\"a\"]\n{answer}\n[[routes]]\nsource = \"s\"\nto = [\"b\"]\n")
    }

    #[test]
    fn the_limit_is_the_senders_unless_it_is_given() {
        for (sender, answer, ms) in [
            ("slack", "answer = \"handler\"", 2_500),
            ("discord", "answer = \"handler\"", 2_500),
            ("twilio", "answer = \"handler\"", 10_000),
            ("bearer", "answer = \"handler\"", 2_500),
            ("slack", "answer = { from = \"handler\" }", 2_500),
            ("slack", "answer = { from = \"handler\", within = \"1s\" }", 1_000),
        ] {
            let (routes, problems) = parsed(sender, &route(answer));
            assert_eq!(routes, [Some(Duration::from_millis(ms)), None], "{sender}: {answer}: {problems:?}");
            assert!(problems.is_empty(), "{problems:?}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for (answer, said) in [
            ("answer = true", "expected \"handler\""),
            ("answer = \"sender\"", "is not known here"),
            ("answer = { within = \"1s\" }", "from is missing"),
            ("answer = { from = \"handler\", within = \"16s\" }", "out of range"),
            ("answer = { from = \"handler\", whithin = \"1s\" }", "unknown key"),
        ] {
            let (routes, problems) = parsed("slack", &route(answer));
            assert!(routes.is_empty() && problems.iter().any(|p| p.contains(said)), "{answer}: {problems:?}");
        }
    }

    #[test]
    fn what_would_not_work_as_meant_is_told() {
        let late = parsed("slack", &route("answer = { from = \"handler\", within = \"3s\" }")).1;
        assert!(late.iter().any(|p| p.contains("Slack waits no longer than 3s")), "{late:?}");
        let both = route("answer = \"handler\"") + "answer = \"handler\"\n";
        let twice = parsed("slack", &both).1;
        assert!(twice.iter().any(|p| p.contains("also answered by the handler of routes[0]")), "{twice:?}");
        let apart =
            both.replacen("answer", "events = [\"/a\"]\nanswer", 1).replace("[\"b\"]", "[\"b\"]\nevents = [\"/b\"]");
        assert!(parsed("slack", &apart).1.is_empty());
        let several = parsed("slack", &route("answer = \"handler\"").replacen("[\"a\"]", "[\"a\", \"b\"]", 1)).1;
        assert!(several.iter().any(|p| p.contains("only the first, \"a\", answers")), "{several:?}");
    }
}
