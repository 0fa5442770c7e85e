//! The state machine of alerts: what fires, when, how often it is told, and when it ends.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::time::Time;

const TICK: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
const REPEAT: Duration = Duration::from_secs(4 * 3_600);

/// The store: what all nodes know, and which tellings there were.
#[derive(Default)]
struct Shared {
    known: Known,
    keys: BTreeSet<String>,
    told: Vec<(Time, String, Kind)>,
}

impl Shared {
    /// Does what a node does with a change.
    fn apply(&mut self, change: Change, now: Time) {
        let Change { mut episode, tell, forget } = change;
        let key = (episode.rule.clone(), episode.scope.clone());
        if let Some(kind) = tell {
            if self.keys.insert(episode.key(kind)) {
                self.told.push((now, episode.scope.clone(), kind));
            }
            let value = episode.value;
            episode = episode.having_told(Told { kind, at: now, value, event: None });
        }
        if forget {
            self.known.remove(&key);
        } else {
            self.known.insert(key, episode);
        }
    }

    fn kinds(&self) -> Vec<Kind> {
        self.told.iter().map(|(_, _, kind)| *kind).collect()
    }
}

struct Node {
    watching: Watching,
    rules: Vec<Rule>,
    silences: Vec<Silence>,
    per_minute_max: usize,
}

impl Node {
    fn new(rules: Vec<Rule>) -> Self {
        Node { watching: Watching::default(), rules, silences: Vec::new(), per_minute_max: 10 }
    }

    fn look(&mut self, figures: &[Figure], known: &Known, now: Time) -> Vec<Change> {
        let setup =
            Setup { rules: &self.rules, silences: &self.silences, repeat: REPEAT, per_minute_max: self.per_minute_max };
        self.watching.look(&setup, figures, known, Sight::Everything, now)
    }

    fn tick(&mut self, shared: &mut Shared, figures: &[Figure], now: Time) {
        for change in self.look(figures, &shared.known, now) {
            shared.apply(change, now);
        }
    }
}

fn depth(of: &[(&str, u64)]) -> Vec<Figure> {
    let figure =
        |(name, count): &(&str, u64)| Figure::now(Metric::QueueDepth, Labels::destination(name), Value::count(*count));
    of.iter().map(figure).collect()
}

fn rule(hold: Duration) -> Rule {
    Rule { threshold: 10.0, hold, ..Rule::new("deep", Metric::QueueDepth) }
}

fn at(tick: usize) -> Time {
    Time::from_s(1_790_000_000 + 10 * tick as i64)
}

/// One node over these depths, a tick each.
fn run(node: &mut Node, depths: impl IntoIterator<Item = u64>) -> Shared {
    let mut shared = Shared::default();
    for (tick, count) in depths.into_iter().enumerate() {
        node.tick(&mut shared, &depth(&[("a", count)]), at(tick));
    }
    shared
}

fn repeated(count: u64, ticks: usize) -> std::iter::RepeatN<u64> {
    std::iter::repeat_n(count, ticks)
}

#[test]
fn an_alert_fires_once_and_says_when_it_ends() {
    let mut node = Node::new(vec![rule(MINUTE)]);
    let shared = run(&mut node, repeated(11, 5).chain(repeated(0, 1)).chain(repeated(40, 20)).chain(repeated(0, 20)));
    assert_eq!(shared.kinds(), [Kind::Fired, Kind::Ended]);
    assert_eq!(shared.told[0].0, at(6 + 6), "after a whole minute, begun anew when it fell");
    assert_eq!(shared.told[1].0, at(26 + 6), "a minute after it was over");
    let episode = &shared.known[&("deep".to_owned(), "a".to_owned())];
    assert_eq!((episode.number, episode.peak, episode.told), (1, 40.0, 1));
}

#[test]
fn what_flaps_stays_one_alert() {
    let mut node = Node::new(vec![rule(Duration::ZERO)]);
    let flapping = (0..100).map(|tick| if tick % 4 == 0 { 11 } else { 0 });
    assert_eq!(run(&mut node, flapping).kinds(), [Kind::Fired]);
}

#[test]
fn it_repeats_by_the_interval_and_when_it_grows_if_asked() {
    let mut node = Node::new(vec![rule(Duration::ZERO)]);
    let day = run(&mut node, repeated(11, 24 * 360));
    assert_eq!(
        day.kinds(),
        [Kind::Fired, Kind::Repeated, Kind::Repeated, Kind::Repeated, Kind::Repeated, Kind::Repeated]
    );
    let again = Rule { again: Some(5 * MINUTE), ..rule(Duration::ZERO) };
    let growing = run(&mut Node::new(vec![again]), (0..70).map(|tick| 11 + tick / 10));
    assert_eq!(growing.kinds(), [Kind::Fired, Kind::Grown, Kind::Grown]);
    assert_eq!(growing.told[1].0, at(30), "not before five minutes");
}

#[test]
fn a_silenced_alert_is_told_once_the_silence_is_over() {
    let mut node = Node::new(vec![rule(Duration::ZERO)]);
    node.silences = vec![Silence {
        id: "s".into(),
        rule: "deep".into(),
        scope: None,
        until: at(10),
        reason: String::new(),
        by: String::new(),
        at: at(0),
    }];
    let short = run(&mut node, repeated(11, 3).chain(repeated(0, 10)));
    assert_eq!(short.kinds(), [], "it was over before");
    let long = run(&mut Node { watching: Watching::default(), ..node }, repeated(11, 20));
    assert_eq!((long.kinds(), long.told[0].0), (vec![Kind::Fired], at(10)));
}

#[test]
fn no_more_is_told_in_a_minute_than_may_be_and_pages_go_first() {
    let page = Rule { name: "page".into(), severity: Severity::Page, ..rule(Duration::ZERO) };
    let mut node = Node { per_minute_max: 3, ..Node::new(vec![rule(Duration::ZERO), page]) };
    let names = ["a", "b", "c", "d"];
    let all = depth(&names.map(|name| (name, 11)));
    let mut shared = Shared::default();
    node.tick(&mut shared, &all, at(0));
    assert_eq!(shared.told.len(), 3);
    assert!(shared.keys.iter().all(|key| key.starts_with("page/")), "{:?}", shared.keys);
    let firing = shared.known.values().filter(|episode| episode.is_firing()).count();
    assert_eq!(firing, 8, "they fire all the same");
    for tick in 1..30 {
        node.tick(&mut shared, &all, at(tick));
        let last_minute = shared.told.iter().filter(|(then, _, _)| at(tick).since(*then) < MINUTE).count();
        assert!(last_minute <= 3, "{:?}", shared.told);
    }
    assert_eq!(shared.told.len(), 8, "all were told in the end, each once");
}

#[test]
fn a_rule_that_is_gone_ends_what_it_fired() {
    let mut node = Node::new(vec![rule(Duration::ZERO)]);
    let mut shared = run(&mut node, repeated(11, 2));
    node.rules[0].enabled = false;
    node.tick(&mut shared, &depth(&[("a", 11)]), at(2));
    assert_eq!(shared.kinds(), [Kind::Fired, Kind::Ended]);
    assert!(!shared.known.values().any(Episode::is_firing));
}

#[test]
fn what_the_store_does_not_say_stays_as_it_is() {
    let mut node = Node::new(vec![rule(Duration::ZERO)]);
    let shared = run(&mut node, repeated(11, 2));
    for tick in 2..30 {
        let setup = Setup { rules: &node.rules, silences: &[], repeat: REPEAT, per_minute_max: 10 };
        let changes = node.watching.look(&setup, &[], &shared.known, Sight::LocalOnly, at(tick));
        assert_eq!(changes, []);
    }
}

#[test]
fn a_long_wait_outlives_the_node() {
    let hold = 6 * MINUTE;
    let mut shared = run(&mut Node::new(vec![rule(hold)]), repeated(11, 20));
    assert!(shared.known.values().all(Episode::is_pending));
    let mut node = Node::new(vec![rule(hold)]);
    for tick in 20..40 {
        node.tick(&mut shared, &depth(&[("a", 11)]), at(tick));
    }
    assert_eq!((shared.kinds(), shared.told[0].0), (vec![Kind::Fired], at(36)));
    let mut calm = run(&mut Node::new(vec![rule(hold)]), repeated(11, 20).chain(repeated(0, 1)));
    assert!(calm.known.is_empty(), "a wait in vain leaves nothing behind");
    Node::new(vec![]).tick(&mut calm, &[], at(30));
    assert!(calm.known.is_empty());
}

#[test]
fn texts_say_what_is_wrong_in_figures() {
    let rule = &Rule::defaults()[0];
    let episode = Episode::none(rule, "stripe").next(rule, 37.0, 37.0, at(0));
    let notice = |episode: &Episode, kind, now| Notice::of(episode, Some(rule), kind, "https://admin.test/", now);
    let fired = notice(&episode, Kind::Fired, at(0));
    assert_eq!(fired.headline(), "FIRING: Invalid signatures: stripe");
    assert_eq!(fired.text, "37 invalid signatures of stripe in the last 1m (page above 10)");
    assert_eq!(fired.link, "https://admin.test/settings/alerts?rule=invalid_signatures&scope=stripe");
    assert_eq!(fired.command, "hookhaven rejected list --source stripe");
    let ended = Episode { ended_at: Some(at(72)), peak: 412.0, ..episode };
    assert_eq!(notice(&ended, Kind::Ended, at(72)).text, "over after 12m; at its peak 412");
}

#[test]
fn spans_are_two_units_at_most() {
    for (s, text) in
        [(0, "0s"), (45, "45s"), (720, "12m"), (3_600, "1h"), (3_605, "1h"), (90_061, "1d1h"), (4_320, "1h12m")]
    {
        assert_eq!(span(Duration::from_secs(s)), text, "{s}");
    }
}

proptest! {
    /// Against a second, naive way to the same answer, for one node.
    #[test]
    fn it_fires_and_ends_as_its_history_says(
        over in prop::collection::vec(any::<bool>(), 1..120),
        hold_ticks in 0usize..12,
        clear_ticks in 0usize..12,
    ) {
        let rule = Rule { clear: TICK * clear_ticks as u32, ..rule(TICK * hold_ticks as u32) };
        let shared = run(&mut Node::new(vec![rule]), over.iter().map(|over| if *over { 11 } else { 0 }));
        let (mut firing, mut expected, mut run_of) = (false, Vec::new(), (over[0], 0));
        for (tick, over) in over.iter().enumerate() {
            if run_of.0 != *over {
                run_of = (*over, tick);
            }
            let lasted = tick - run_of.1;
            match (firing, over) {
                (false, true) if lasted >= hold_ticks => { firing = true; expected.push((at(tick), Kind::Fired)); }
                (true, false) if lasted >= clear_ticks => { firing = false; expected.push((at(tick), Kind::Ended)); }
                _ => {}
            }
        }
        let told: Vec<_> = shared.told.iter().map(|(at, _, kind)| (*at, *kind)).collect();
        prop_assert_eq!(told, expected);
    }

    /// Nodes that look at different moments, at what others wrote some ticks ago, and restart now and then: nothing
    /// is told twice, and what is told alternates.
    #[test]
    fn any_number_of_nodes_tells_once(
        over in prop::collection::vec(any::<bool>(), 1..60),
        looks in prop::collection::vec((0usize..3, 0usize..3, prop::bool::weighted(0.05)), 300),
    ) {
        let mut nodes: Vec<Node> = (0..3).map(|_| Node::new(vec![rule(Duration::ZERO)])).collect();
        let (mut shared, mut past) = (Shared::default(), Vec::new());
        for (n, (node, behind, restarts)) in looks.into_iter().enumerate() {
            let now = Time::from_s(1_790_000_000 + 3 * n as i64);
            let figures = depth(&[("a", if over[(n / 12) % over.len()] { 11 } else { 0 })]);
            past.push(shared.known.clone());
            let stale = &past[past.len() - 1 - behind.min(past.len() - 1)];
            if restarts {
                nodes[node].watching = Watching::default();
            }
            for change in nodes[node].look(&figures, stale, now) {
                shared.apply(change, now);
            }
        }
        let kinds: Vec<Kind> = shared.kinds().into_iter().filter(|kind| *kind != Kind::Repeated).collect();
        for pair in kinds.windows(2) {
            prop_assert_ne!(pair[0], pair[1], "{:?}", kinds);
        }
    }
}
