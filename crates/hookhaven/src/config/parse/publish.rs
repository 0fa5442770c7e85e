//! `[publish]` and `[net]`: who may publish messages, within which limits, and where these may go.
//!
//! Not here: what the environment adds, and what must hold of tokens and keys (`config::publish`).

use std::time::Duration;

use hookhaven_core::Secret;

use super::{
    document::{Item, Table},
    server::{HOUR, KIB, MIB, bytes_of, section, set, usize_of},
};
use crate::config::{
    duration,
    model::{Limits, Net, Publish},
    secret::Resolver,
};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
/// The longest that a duration can be.
const TEN_YEARS: Duration = Duration::from_secs(3_650 * 86_400);

/// Tokens of one kind.
const TOKENS_MAX: usize = 100;
/// Messages in one batch: each is several records' worth of work in one commit.
const BATCH_MAX: u64 = 10_000;
/// Body, headers and delivery of a message are one record of the journal, and a record is at most 64 MiB.
const BODY_BYTES_MAX: u64 = 60 * MIB;

pub fn publish(root: &mut Table<'_>, secrets: &Resolver<'_>, limits: &Limits) -> Publish {
    let mut publish = Publish::default();
    let in_flight = limits.body_bytes_in_flight_max as u64;
    publish.batch_bytes_max = publish.batch_bytes_max.min(limits.body_bytes_in_flight_max);
    let Some(mut table) = section(root, "publish") else { return publish };
    set(&mut publish.enabled, table.take("enabled").and_then(|i| i.boolean()));
    set(&mut publish.tokens, tokens(&mut table, "tokens", secrets));
    set(&mut publish.read_tokens, tokens(&mut table, "read_tokens", secrets));
    publish.current_signing_key = table.take("current_signing_key").and_then(|item| secrets.resolve(&item));
    publish.next_signing_key = table.take("next_signing_key").and_then(|item| secrets.resolve(&item));
    set(&mut publish.dedupe_window, table.take("dedupe_window").and_then(|i| i.duration(SECOND..=90 * DAY)));
    set(&mut publish.body_bytes_max, bytes_of(&mut table, "body_max", KIB..=BODY_BYTES_MAX.min(in_flight)));
    set(&mut publish.batch_max, usize_of(&mut table, "batch_max", 1..=BATCH_MAX));
    set(&mut publish.batch_bytes_max, bytes_of(&mut table, "batch_bytes_max", KIB..=in_flight));
    set(&mut publish.delay_max, table.take("delay_max").and_then(|i| i.duration(SECOND..=TEN_YEARS)));
    let retries = table.take("retries_max").and_then(|i| i.integer(0..=1_000));
    set(&mut publish.retries_max, retries.and_then(|n| u32::try_from(n).ok()));
    timeouts(&mut table, &mut publish);
    set(&mut publish.answer_bytes_max, bytes_of(&mut table, "answer_max", KIB..=8 * MIB));
    table.finish();
    publish
}

fn timeouts(table: &mut Table<'_>, publish: &mut Publish) {
    let (timeout, longest) = (table.take("timeout"), table.take("timeout_max"));
    set(&mut publish.timeout_max, longest.as_ref().and_then(|i| i.duration(SECOND..=2 * HOUR)));
    set(&mut publish.timeout, timeout.as_ref().and_then(|i| i.duration(SECOND..=2 * HOUR)));
    if let Some(item) = timeout.or(longest).filter(|_| publish.timeout > publish.timeout_max) {
        let (timeout, longest) = (duration::print(publish.timeout), duration::print(publish.timeout_max));
        item.error(
            format!("timeout is \"{timeout}\", and timeout_max \"{longest}\""),
            "make timeout_max the longer one",
        );
    }
}

fn tokens(table: &mut Table<'_>, key: &'static str, secrets: &Resolver<'_>) -> Option<Vec<Secret>> {
    let item = table.take(key)?;
    let items = item.list("a list of tokens, such as [\"env:HOOKHAVEN_TOKEN\"]")?;
    if items.is_empty() {
        item.error("the list is empty", "give at least one token, or leave the key out");
    }
    if let Some(item) = items.get(TOKENS_MAX) {
        item.error(format!("more than {TOKENS_MAX} tokens"), "take out those no longer in use");
    }
    let tokens: Vec<Option<Secret>> = items.iter().map(|item| secrets.resolve(item)).collect();
    tokens.into_iter().collect()
}

pub fn net(root: &mut Table<'_>) -> Net {
    let mut net = Net::default();
    let Some(mut table) = section(root, "net") else { return net };
    let allow = table.take("allow");
    let nets = allow.as_ref().and_then(Item::nets);
    if let Some(item) = allow.filter(|_| nets.iter().flatten().any(|net| net.prefix_len() == 0)) {
        item.warn(
            "whoever publishes may then reach every address inside your network, and the cloud's metadata service",
            "name the networks that are meant",
        );
    }
    set(&mut net.allow, nets.map(Into::into));
    table.finish();
    net
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Environment, parse::parse};

    const KEY: &str = "sig_0123456789abcdefghijklmnopqr";

    /// What is told of a text that says nothing else, and what it comes to.
    fn read(text: &str) -> (Vec<String>, Option<(Publish, Net)>) {
        let environment = Environment::from_iter([("TOKEN", "0123456789abcdef0123"), ("KEY", KEY)]);
        let parsed = parse(Path::new("hookhaven.toml"), text, &environment);
        let told = parsed.problems.iter().map(ToString::to_string).collect();
        (told, parsed.config.map(|config| (config.publish, config.net)))
    }

    #[test]
    fn everything_that_is_written_counts() {
        let (told, read) = read(
            r#"
            [publish]
            enabled = false
            tokens = ["env:TOKEN", "another-token-0123456789"]
            read_tokens = ["a-token-that-only-reads"]
            current_signing_key = "env:KEY"
            next_signing_key = "sig_another89abcdefghijklmnopqrs"
            dedupe_window = "1h"
            body_max = "2MiB"
            batch_max = 10
            batch_bytes_max = "4MiB"
            delay_max = "7d"
            retries_max = 5
            timeout = "1m"
            timeout_max = "2h"
            [net]
            allow = ["10.0.0.0/8", "127.0.0.1", "fd00::/8"]
            "#,
        );
        assert_eq!(told, Vec::<String>::new());
        let (publish, net) = read.unwrap();
        let secret = |text: &str| Secret::new(text).unwrap();
        assert!(!publish.enabled && !publish.is_open());
        assert_eq!(publish.full_tokens(), [secret("0123456789abcdef0123"), secret("another-token-0123456789")]);
        assert_eq!(publish.read_tokens, [secret("a-token-that-only-reads")]);
        assert_eq!(publish.signing_keys().map(|keys| keys.current), Some(secret(KEY)));
        assert_eq!((publish.dedupe_window, publish.delay_max), (HOUR, 7 * DAY));
        assert_eq!((publish.body_bytes_max, publish.batch_max, publish.batch_bytes_max), (2 << 20, 10, 4 << 20));
        assert_eq!((publish.retries_max, publish.timeout, publish.timeout_max), (5, 60 * SECOND, 2 * HOUR));
        let allow: Vec<String> = net.allow.iter().map(ToString::to_string).collect();
        assert_eq!(allow, ["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"]);
    }

    #[test]
    fn nothing_written_is_open_to_nobody_yet_and_leads_nowhere_private() {
        let (publish, net) = read("").1.unwrap();
        assert!(publish.enabled && !publish.is_open() && net.allow.is_empty());
        assert_eq!(publish, Publish::default());
        // A batch has to fit into what may be in memory at all.
        let (publish, _) = read("[limits]\nbodies_in_flight_max = \"1MiB\"\n").1.unwrap();
        assert_eq!(publish.batch_bytes_max, 1 << 20);
    }

    #[test]
    fn each_mistake_has_its_message() {
        for (text, says) in [
            ("[publish]\ntoken = [\"x\"]\n", "2:1: publish.token: unknown key; did you mean \"tokens\"?"),
            (
                "[publish]\ntokens = []\n",
                "2:10: publish.tokens: the list is empty; give at least one token, or leave the key out",
            ),
            (
                "[publish]\ntokens = \"x\"\n",
                "2:10: publish.tokens: expected a list of tokens, such as [\"env:HOOKHAVEN_TOKEN\"], not a text",
            ),
            (
                "[publish]\ntimeout = \"20m\"\n",
                "2:11: publish.timeout: timeout is \"20m\", and timeout_max \"15m\"; make timeout_max the longer one",
            ),
            (
                "[publish]\nbatch_bytes_max = \"1GiB\"\n",
                "2:19: publish.batch_bytes_max: \"1GiB\" is out of range; must lie between \"1KiB\" and \"256MiB\"",
            ),
            (
                "[net]\nallow = [\"10.0.0.0/8\", \"localhost\"]\n",
                "2:24: net.allow[1]: \"localhost\" is not an address or a range; write \"192.0.2.7\" or \"10.0.0.0/8\"",
            ),
            (
                "[net]\nallow = [\"0.0.0.0/0\"]\n",
                "2:9: warning: net.allow: whoever publishes may then reach every address inside your network, and the \
                 cloud's metadata service; name the networks that are meant",
            ),
        ] {
            assert_eq!(read(text).0, [format!("hookhaven.toml:{says}")], "{text}");
        }
    }
}
