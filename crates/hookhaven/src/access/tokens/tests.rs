//! Tokens are made, found by their hash, expire and are revoked; the store holds none of them.

use std::time::Duration;

use hookhaven_store::{clock::SeededEntropy, memory::MemoryStore};

use super::*;

const NOW: Time = Time::from_s(1_790_000_000);

fn store() -> Arc<dyn Store> {
    let clock = hookhaven_store::clock::ManualClock::at(NOW);
    Arc::new(MemoryStore::new(Arc::new(clock), Arc::new(SeededEntropy::new(7))))
}

fn wanted(name: &str) -> Wanted {
    let expires_at = Some(NOW.plus(Duration::from_secs(3_600)));
    Wanted { name: name.into(), scopes: Scope::Read.into(), expires_at, created_by: "me".into() }
}

async fn make(tokens: &Tokens, store: &Arc<dyn Store>, name: &str) -> (Secret, Listed) {
    let entropy = SeededEntropy::new(name.bytes().map(u64::from).sum());
    tokens.make(&**store, wanted(name), NOW, &entropy).await.unwrap()
}

#[tokio::test]
async fn a_token_is_known_by_its_hash_alone_and_the_store_holds_nothing_else() {
    let (store, tokens) = (store(), Tokens::default());
    let (secret, listed) = make(&tokens, &store, "ci").await;
    let text = String::from_utf8(secret.expose().to_vec()).unwrap();
    assert!(text.starts_with("hh_") && text.len() == 46, "{text}");
    let hash = TokenHash::of(secret.expose());
    assert_eq!(tokens.find(&hash, NOW).unwrap().name, "ci");
    assert_eq!(listed.id, hash.id());
    assert_eq!(tokens.find(&TokenHash::of(b"hh_other"), NOW), Err(Refused::Unknown));
    let dump = format!("{:?}{tokens:?}", store.catalog("token").await.unwrap());
    let bytes = format!("{:?}", store.catalog("token").await.unwrap()[0].value);
    let of_secret = format!("{:?}", secret.expose());
    assert!(!dump.contains(&text[3..]) && !bytes.contains(of_secret.trim_matches(['[', ']'])));
}

#[tokio::test]
async fn a_token_ends_at_its_end() {
    let (store, tokens) = (store(), Tokens::default());
    let (secret, _) = make(&tokens, &store, "ci").await;
    let (hash, end) = (TokenHash::of(secret.expose()), NOW.plus(Duration::from_secs(3_600)));
    assert!(tokens.find(&hash, end.minus(Duration::from_micros(1))).is_ok());
    assert_eq!(tokens.find(&hash, end), Err(Refused::Expired(end)));
}

#[tokio::test]
async fn a_revoked_token_is_over_here_at_once_and_elsewhere_when_that_is_heard() {
    let (store, here, there) = (store(), Tokens::default(), Arc::new(Tokens::default()));
    let clock = Arc::new(hookhaven_store::clock::ManualClock::at(NOW));
    let follower = there.clone();
    let following = tokio::spawn({
        let store = store.clone();
        async move { follower.follow(store, clock).await }
    });
    // It has to listen before there is something to hear.
    tokio::task::yield_now().await;
    let (secret, listed) = make(&here, &store, "ci").await;
    let hash = TokenHash::of(secret.expose());
    while there.find(&hash, NOW).is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(here.revoke(&*store, "ci").await.unwrap().map(|l| l.id), Some(listed.id.clone()));
    assert_eq!(here.find(&hash, NOW), Err(Refused::Unknown));
    while there.find(&hash, NOW).is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(here.revoke(&*store, &listed.id).await.unwrap(), None);
    following.abort();
}

#[tokio::test]
async fn what_another_node_has_just_made_is_looked_for_but_not_for_whoever_guesses() {
    let (store, here, there) = (store(), Tokens::default(), Tokens::default());
    let (secret, _) = make(&here, &store, "ci").await;
    let hash = TokenHash::of(secret.expose());
    assert!(!there.look_for(b"guess", &*store, NOW).await, "that is no token of ours");
    assert!(there.look_for(secret.expose(), &*store, NOW).await);
    assert!(there.find(&hash, NOW).is_ok());
    let guess = format!("{PREFIX}{}", "A".repeat(43));
    assert!(!there.look_for(guess.as_bytes(), &*store, NOW).await, "once a second is enough");
    assert!(there.look_for(guess.as_bytes(), &*store, NOW.plus(LOOK_EVERY)).await);
}

#[tokio::test]
async fn names_are_plain_and_taken_once() {
    let (store, tokens) = (store(), Tokens::default());
    make(&tokens, &store, "ci").await;
    let entropy = SeededEntropy::new(3);
    let again = tokens.make(&*store, wanted("ci"), NOW, &entropy).await;
    assert!(matches!(again, Err(CannotMake::NameTaken(_))));
    for bad in ["", "a b", "admin token", "system", "config", "tok_1", "é", &"x".repeat(65)] {
        let refused = tokens.make(&*store, wanted(bad), NOW, &entropy).await;
        assert!(matches!(refused, Err(CannotMake::BadName(_))), "{bad}");
    }
}

#[tokio::test]
async fn use_is_written_down_once_an_hour_and_revives_nothing() {
    let (store, tokens) = (store(), Arc::new(Tokens::default()));
    let (secret, _) = make(&tokens, &store, "ci").await;
    let hash = TokenHash::of(secret.expose());
    let used = |tokens: &Tokens| tokens.list().first().and_then(|listed| listed.used_at);
    let note = async |now: Time| {
        tokens.note_use(&store, &hash, now);
        while tokens.noting.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
    };
    note(NOW).await;
    assert_eq!(used(&tokens), Some(NOW));
    note(NOW.plus(USED_EVERY).minus(Duration::from_micros(1))).await;
    assert_eq!(used(&tokens), Some(NOW));
    note(NOW.plus(USED_EVERY)).await;
    assert_eq!(used(&tokens), Some(NOW.plus(USED_EVERY)));
    tokens.revoke(&*store, "ci").await.unwrap();
    note(NOW.plus(USED_EVERY * 3)).await;
    tokens.load(&*store).await.unwrap();
    assert_eq!(tokens.find(&hash, NOW), Err(Refused::Unknown));
}
