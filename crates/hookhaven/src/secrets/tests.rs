//! Secrets on a store, over reloads, restarts and several nodes.

use std::time::Duration;

use hookhaven_store::{
    clock::{ManualClock, SeededEntropy},
    memory::MemoryStore,
};

use super::*;
use crate::config::{Environment, parse::parse};

const NOW: Time = Time::from_s(1_790_000_000);

fn config(secrets: &str) -> Config {
    let text = format!(
        "[sources.shop]\nsender = \"stripe\"\nsecrets = [{secrets}]\n[sources.code]\nsender = \"github\"\nsecrets = [\"c\"]\n\
         [destinations.d]\nurl = \"http://127.0.0.1:9/\"\nsecret = \"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\"\n"
    );
    let empty = Environment::from_iter(Vec::<(&str, &str)>::new());
    parse(std::path::Path::new("x.toml"), &text, &empty).config.unwrap()
}

fn store() -> MemoryStore {
    MemoryStore::new(Arc::new(ManualClock::at(NOW)), Arc::new(SeededEntropy::new(1)))
}

async fn open(store: &MemoryStore, config: &Config, now: Time) -> SecretUse {
    SecretUse::open(store, config, &SeededEntropy::new(9), now).await.unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

async fn of_shop(store: &MemoryStore, config: &Config, running: Option<&SecretUse>, now: Time) -> Vec<Standing> {
    let mut all = standings(store, config, running, now).await.unwrap();
    all.retain(|standing| standing.owner == Owner::Source("shop".into()));
    all
}

#[tokio::test]
async fn what_was_seen_outlasts_a_restart_and_a_change_of_order() {
    let (store, first) = (store(), config("\"whsec_canary_a\", \"whsec_canary_b\""));
    let secrets = open(&store, &first, NOW).await;
    let later = NOW.plus(Duration::from_secs(3_600));
    secrets.matched(&"shop".into(), &secret("whsec_canary_b"), later);
    secrets.keep(&store, later).await.unwrap();
    let kept = format!("{:?}", store.catalog("secret-use").await.unwrap());
    assert!(!kept.contains("canary") && !format!("{secrets:?}").contains("canary"));
    drop(secrets);

    let swapped = config("\"whsec_canary_b\", \"whsec_canary_a\"");
    let day = NOW.plus(Duration::from_secs(86_400));
    let secrets = open(&store, &swapped, day).await;
    let all = of_shop(&store, &swapped, Some(&secrets), day).await;
    assert_eq!(all[0].seen, Some(Seen { first: NOW, matched: Some(later) }));
    assert_eq!(all[1].seen, Some(Seen { first: NOW, matched: None }));
    let offline = of_shop(&store, &swapped, None, day).await;
    assert_eq!(offline, all, "the store alone knows as much");
    assert_ne!(all[0].fingerprint, all[1].fingerprint);
    assert!(all.iter().all(|standing| standing.fingerprint.as_ref().is_some_and(|f| f.len() == 8)));
}

#[tokio::test]
async fn nodes_meet_by_the_latest_time() {
    let (store, config) = (store(), config("\"a\""));
    let early = open(&store, &config, NOW).await;
    let late = open(&store, &config, NOW.plus(Duration::from_secs(60))).await;
    let at = |s| NOW.plus(Duration::from_secs(s));
    late.matched(&"shop".into(), &secret("a"), at(500));
    early.matched(&"shop".into(), &secret("a"), at(400));
    late.keep(&store, at(600)).await.unwrap();
    early.keep(&store, at(600)).await.unwrap();
    let all = of_shop(&store, &config, None, at(600)).await;
    assert_eq!(all[0].seen, Some(Seen { first: NOW, matched: Some(at(500)) }));
    early.keep(&store, at(700)).await.unwrap();
    assert_eq!(of_shop(&store, &config, None, at(700)).await, all, "and nothing is lost again");
}

#[tokio::test]
async fn what_is_taken_out_is_remembered_until_it_is_back() {
    let store = store();
    let secrets = open(&store, &config("\"a\", \"b\""), NOW).await;
    assert!(secrets.retired("shop").is_empty());
    secrets.follow(&config("\"c\""), NOW);
    let gone = |secrets: &SecretUse| secrets.retired("shop").into_iter().map(|(s, _)| s).collect::<Vec<_>>();
    assert_eq!(gone(&secrets), [secret("a"), secret("b")]);
    secrets.follow(&config("\"b\""), NOW);
    assert_eq!(gone(&secrets), [secret("c"), secret("a")]);
    assert!(secrets.retired("code").is_empty());
    for n in 0..20 {
        secrets.follow(&config(&format!("\"n{n}\"")), NOW);
    }
    assert_eq!(gone(&secrets).len(), RETIRED_MAX);
}

#[tokio::test]
async fn what_is_known_of_secrets_long_gone_is_forgotten() {
    let store = store();
    open(&store, &config("\"a\""), NOW).await.keep(&store, NOW).await.unwrap();
    let secrets = open(&store, &config("\"b\""), NOW).await;
    secrets.keep(&store, NOW.plus(Duration::from_secs(170 * 86_400))).await.unwrap();
    assert_eq!(store.catalog("secret-use").await.unwrap().len(), 4);
    secrets.keep(&store, NOW.plus(Duration::from_secs(181 * 86_400))).await.unwrap();
    assert_eq!(store.catalog("secret-use").await.unwrap().len(), 3);
}
