//! Search for text in bodies: newest first, stretch by stretch, whatever the filter lets through.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hookhaven_core::EventId;
use hookhaven_store::{EventFilter, Needle, Retention, STRETCH_BYTES_MAX, Searched, Store, clock::Clock};

use crate::bench::*;

/// All stretches of a search.
async fn search(store: &Arc<dyn Store>, text: &str, filter: &EventFilter) -> Vec<Searched> {
    let (text, mut stretches, mut after) = (Needle::new(text).unwrap(), Vec::new(), None);
    loop {
        let searched = store.search(&text, filter, after).await.unwrap();
        after = searched.upto;
        stretches.push(searched);
        if after.is_none() {
            return stretches;
        }
    }
}

fn ids(stretches: &[Searched]) -> Vec<EventId> {
    stretches.iter().flat_map(|stretch| &stretch.hits).map(|hit| hit.event.id).collect()
}

pub async fn text_is_found_newest_first(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let mut sent = Vec::new();
    for (n, body) in ["Müller & Söhne", "nothing", "fritz müller", "MÜLLER", "\0\u{1}m\u{fc}ller"].iter().enumerate()
    {
        let mut new = event(&format!("k{n}"), clock.now(), &["billing"]);
        new.event.body = Bytes::from(*body);
        if n == 3 {
            new.event.source = "github".into();
        }
        sent.push(new.event.id);
        accept(&store, new).await;
        // Over some days.
        clock.advance(Duration::from_secs(20 * 3_600));
    }
    let found = search(&store, "mÜLler", &EventFilter::default()).await;
    assert_eq!(ids(&found), [sent[3]], "only letters of ASCII have a case");
    let found = search(&store, "müLLer", &EventFilter::default()).await;
    assert_eq!(ids(&found), [sent[4], sent[2], sent[0]]);
    let totals = found.iter().fold((0, 0), |(events, bytes), s| (events + s.events, bytes + s.bytes));
    assert_eq!(totals, (5, 14 + 7 + 13 + 7 + 9 + 2));
    let hit = &found[0].hits[1];
    assert_eq!((hit.place.at_byte, &hit.place.excerpt[..], hit.event.deliveries), (6, "fritz müller".as_bytes(), 1));
    let github = EventFilter { source: Some("github".into()), ..EventFilter::default() };
    assert!(ids(&search(&store, "müller", &github).await).is_empty());
    let early = EventFilter { until: Some(start().plus(Duration::from_secs(1))), ..EventFilter::default() };
    let found = search(&store, "müller", &early).await;
    assert_eq!((ids(&found), found[0].events), (vec![sent[0]], 1));
}

pub async fn a_search_goes_on_where_it_stopped(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let large = vec![b'x'; STRETCH_BYTES_MAX as usize / 4];
    let mut sent = Vec::new();
    for n in 0..10 {
        let mut new = event(&format!("k{n}"), clock.now(), &["billing"]);
        let body = [&large[..], format!("needle {n}").as_bytes()].concat();
        new.event.body = body.into();
        sent.insert(0, new.event.id);
        accept(&store, new).await;
        clock.advance(Duration::from_millis(5));
    }
    let found = search(&store, "Needle ", &EventFilter::default()).await;
    assert_eq!(ids(&found), sent);
    assert_eq!(found.iter().map(|s| s.events).collect::<Vec<_>>(), [4, 4, 2]);
    assert_eq!(found[0].upto, Some(sent[3]));
    // What is newer than where it is does not disturb it.
    accept(&store, event("later", clock.now(), &[])).await;
    let text = Needle::new("needle 2").unwrap();
    let rest = store.search(&text, &EventFilter::default(), found[1].upto).await.unwrap();
    assert_eq!((ids(std::slice::from_ref(&rest)), rest.events, rest.upto), (vec![], 2, None));
}

pub async fn what_was_carried_is_found_and_what_went_is_not(bench: &dyn Bench) {
    let (store, clock) = (bench.open().await, bench.clock());
    let (letter, _) = dead(&store, "the-letter", clock.now()).await;
    for n in 0..20 {
        accept(&store, event(&format!("gone-{n}"), clock.now(), &[])).await;
    }
    clock.advance(Duration::from_secs(3 * 24 * 3_600));
    let retention = Retention { before: clock.now().minus(Duration::from_secs(24 * 3_600)), dead_before: None };
    while store.retain(retention).await.unwrap().more {}
    let found = search(&store, "-", &EventFilter::default()).await;
    assert_eq!(ids(&found), [letter]);
    assert_eq!(found.iter().map(|s| (s.events, s.unread)).collect::<Vec<_>>(), [(1, 0)]);
}
