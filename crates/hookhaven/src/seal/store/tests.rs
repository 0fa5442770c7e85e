//! What is secret goes into the store sealed and comes out as it was; what does not open is told as that.

use hookhaven_core::{DeliveryState, Lane, Secret, Time};
use hookhaven_store::{
    clock::{ManualClock, SeededEntropy},
    memory::MemoryStore,
};

use super::*;
use crate::{
    config::Encryption,
    publish::message::tests::stored,
    seal::{
        MasterKey, WrapKeys,
        keys::{self, KeyPlace},
    },
};

const NOW: Time = Time::from_s(1_790_000_000);

fn inner() -> Arc<dyn Store> {
    let clock = ManualClock::at(NOW);
    Arc::new(MemoryStore::new(Arc::new(clock), Arc::new(SeededEntropy::new(7))))
}

fn vault(seed: u64) -> Arc<Vault> {
    Arc::new(Vault::in_memory(Arc::new(SeededEntropy::new(seed))).unwrap())
}

fn entry(kind: &str, name: &str) -> CatalogEntry {
    CatalogEntry { kind: kind.into(), name: name.into(), value: br#"{"key":"canary"}"#.to_vec() }
}

fn tells(entry: &CatalogEntry) -> bool {
    String::from_utf8_lossy(&entry.value).contains("canary")
}

#[tokio::test]
async fn secrets_of_the_catalog_are_sealed_and_nothing_else_of_it() {
    let (inner, vault) = (inner(), vault(1));
    let store = SealedStore::over(inner.clone(), vault.clone());
    for kind in SEALED_KINDS.iter().chain(&["destination-paused"]) {
        store.put_catalog(entry(kind, "n")).await.unwrap();
        assert_eq!(store.catalog(kind).await.unwrap(), [entry(kind, "n")]);
        let kept = inner.catalog(kind).await.unwrap();
        assert_eq!(tells(&kept[0]), *kind == "destination-paused", "{kind}");
    }
    assert_eq!(store.catalog_of(&SEALED_KINDS).await.unwrap().len(), SEALED_KINDS.len());
    // One entry in another's place.
    let mut moved = inner.catalog(SEALED_KINDS[0]).await.unwrap().remove(0);
    moved.name = "m".into();
    inner.put_catalog(moved).await.unwrap();
    let error = store.catalog(SEALED_KINDS[0]).await.unwrap_err().to_string();
    assert!(error.contains("publish-keys/m"), "{error}");
    assert_eq!(unopened(&*inner, &vault).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_an_earlier_version_wrote_is_read_and_sealed() {
    let (inner, vault) = (inner(), vault(1));
    let store = SealedStore::over(inner.clone(), vault.clone());
    inner.put_catalog(entry("publish-keys", "signing")).await.unwrap();
    assert_eq!(store.catalog("publish-keys").await.unwrap(), [entry("publish-keys", "signing")]);
    assert!(!holds_sealed(&*inner).await.unwrap());
    assert_eq!(seal_plain(&*inner, &vault).await.unwrap(), 1);
    assert!(!tells(&inner.catalog("publish-keys").await.unwrap()[0]));
    assert_eq!(seal_plain(&*inner, &vault).await.unwrap(), 0);
    assert_eq!(store.catalog("publish-keys").await.unwrap(), [entry("publish-keys", "signing")]);
    assert!(holds_sealed(&*inner).await.unwrap());
}

/// One letter, one master key.
fn with(master: &str, previous: &[&str]) -> WrapKeys {
    let secret = |letter: &str| Secret::new(letter.repeat(64)).unwrap();
    let previous = previous.iter().map(|letter| secret(letter)).collect();
    WrapKeys::new(&Encryption { master: MasterKey::parse(&secret(master)), previous }, None)
}

async fn node(inner: &Arc<dyn Store>, with: WrapKeys, seed: u64) -> SealedStore {
    let vault = Vault::of_database(inner.clone(), with, Arc::new(SeededEntropy::new(seed)), NOW).await.unwrap();
    SealedStore::over(inner.clone(), Arc::new(vault))
}

#[tokio::test]
async fn what_another_node_sealed_is_opened_and_waits_while_its_key_cannot_be_had() {
    let inner = inner();
    let behind = node(&inner, with("a", &[]), 1).await;
    // Another master key, of which one node has not heard.
    let later = NOW.plus(Duration::from_secs(1));
    keys::add(&KeyPlace::Database(inner.clone()), &with("b", &["a"]), &SeededEntropy::new(3), later).await.unwrap();

    let ahead = node(&inner, with("b", &["a"]), 4).await;
    let lane = Lane::of_url("https://a.example/");
    let lines = [("upstash-forward-authorization", "canary")];
    let (event, delivery) = stored("https://a.example/", "publish", lane.clone(), &lines);
    let deliveries = vec![NewDelivery::from(&delivery)];
    let new = NewEvent { event: event.clone(), key_until: NOW, deliveries, revives: false, refuses_replay: false };
    ahead.accept(vec![new]).await.unwrap();
    assert!(inner.event(event.id).await.unwrap().unwrap().header("upstash-forward-authorization").is_none());

    let session = behind.open_session(Duration::from_secs(60)).await.unwrap();
    let room = [LaneRoom { lane, room: 9, limit: None }];
    assert!(behind.claim(session, &room, 9).await.unwrap().is_empty());
    assert!(behind.claim_one(session, delivery.id, None).await.unwrap().is_none());
    let row = inner.delivery(delivery.id).await.unwrap().unwrap().delivery;
    assert_eq!((row.state, row.attempts, row.lost), (DeliveryState::Pending, 0, 0));
    let leased = ahead.claim(session, &room, 9).await.unwrap();
    assert_eq!(leased[0].event.as_deref().unwrap(), &event);
}
