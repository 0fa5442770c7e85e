//! Sessions end with their token and by time; links are good once; what one node begins the others know; the store
//! holds nothing that opens anything.

use std::sync::Arc;

use hookhaven_store::{
    Page,
    clock::{Clock, ManualClock, SeededEntropy},
    memory::MemoryStore,
};

use super::*;
use crate::access::{ADMIN_TOKEN, Scope, audit::AuditFilter, tokens::Wanted};

const NOW: Time = Time::from_s(1_790_000_000);
const ADMIN: &str = "the-admin-token";
const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

struct Scene {
    clock: ManualClock,
    entropy: Arc<SeededEntropy>,
    store: Arc<dyn Store>,
}

impl Scene {
    fn new() -> Self {
        let (clock, entropy) = (ManualClock::at(NOW), Arc::new(SeededEntropy::new(7)));
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone()), entropy.clone()));
        Scene { clock, entropy, store }
    }

    /// What one node knows of access.
    fn node(&self) -> Access {
        let admin = Secret::new(ADMIN).unwrap();
        Access::new(&admin, ADMIN_TOKEN, self.store.clone(), Arc::new(self.clock.clone()), self.entropy.clone())
    }

    async fn token(&self, node: &Access, expires_at: Option<Time>) -> Secret {
        let wanted = Wanted { name: "anna".into(), scopes: Scope::Operate.into(), expires_at, created_by: "me".into() };
        node.tokens.make(&*self.store, wanted, self.clock.now(), &*self.entropy).await.unwrap().0
    }

    async fn sign_in(&self, node: &Access, token: &[u8]) -> Result<Secret, Refused> {
        node.sign_in(token, Some(FROM), &*self.store, self.clock.now(), &*self.entropy).await.unwrap()
    }

    async fn by_link(&self, node: &Access, path: &str) -> Result<Secret, Refused> {
        let once = path.strip_prefix(LINK_PATH).unwrap();
        node.sign_in_by_link(once.as_bytes(), Some(FROM), &*self.store, self.clock.now(), &*self.entropy).await.unwrap()
    }

    fn link(&self, node: &Access, token: &[u8]) -> String {
        node.link(token, self.clock.now(), &*self.entropy)
    }

    async fn who(&self, node: &Access, session: &Secret) -> Result<String, Refused> {
        let who = node.who_of_session(session.expose(), &*self.store, self.clock.now()).await;
        who.map(|who| format!("{}: {}", who.name, who.scopes))
    }
}

#[tokio::test]
async fn a_session_opens_what_its_token_opens_and_the_store_holds_neither() {
    let scene = Scene::new();
    let node = scene.node();
    let admin = scene.sign_in(&node, ADMIN.as_bytes()).await.unwrap();
    assert_eq!(scene.who(&node, &admin).await.unwrap(), "admin token: admin");
    let token = scene.token(&node, None).await;
    let session = scene.sign_in(&node, token.expose()).await.unwrap();
    assert_eq!(scene.who(&node, &session).await.unwrap(), "anna: operate");
    assert_eq!(scene.sign_in(&node, b"a guess").await.err(), Some(Refused::Unknown));
    let kept = scene.store.catalog("session").await.unwrap();
    assert_eq!(kept.len(), 2);
    for entry in kept {
        let text = format!("{}{}", entry.name, String::from_utf8(entry.value).unwrap());
        for secret in [&admin, &session, &token] {
            assert!(!text.contains(std::str::from_utf8(secret.expose()).unwrap()), "{text}");
        }
    }
    assert!(node.who(session.expose(), NOW).is_err(), "what a browser holds is no token");
    assert!(scene.who(&node, &token).await.is_err(), "a token is no session");
}

#[tokio::test]
async fn who_begins_a_session_from_where_and_with_which_token_stands_in_the_log() {
    let scene = Scene::new();
    let node = scene.node();
    let token = scene.token(&node, None).await;
    let path = scene.link(&node, ADMIN.as_bytes());
    scene.by_link(&node, &path).await.unwrap();
    scene.sign_in(&node, token.expose()).await.unwrap();
    let entries = node.audit.entries(&AuditFilter::default(), Page::first(10)).await.unwrap();
    let said: Vec<_> = entries.iter().map(|e| (&*e.who, e.token.is_some(), e.address.as_deref(), &*e.action)).collect();
    let from = Some("203.0.113.9");
    assert_eq!(said, [("anna", true, from, "sessions.begin"), ("admin token", false, from, "sessions.begin")]);
}

#[tokio::test]
async fn a_session_ends_with_its_token_on_every_node() {
    let scene = Scene::new();
    let (here, there) = (scene.node(), scene.node());
    let token = scene.token(&here, None).await;
    let session = scene.sign_in(&here, token.expose()).await.unwrap();
    there.tokens.load(&*scene.store).await.unwrap();
    assert!(scene.who(&there, &session).await.is_ok());
    here.tokens.revoke(&*scene.store, "anna").await.unwrap();
    assert_eq!(scene.who(&here, &session).await, Err(Refused::Unknown));
    there.tokens.load(&*scene.store).await.unwrap();
    assert_eq!(scene.who(&there, &session).await, Err(Refused::Unknown));
}

#[tokio::test]
async fn a_session_ends_by_time_its_own_or_its_token_s() {
    let scene = Scene::new();
    let node = scene.node();
    let soon = NOW.plus(Duration::from_secs(60));
    let token = scene.token(&node, Some(soon)).await;
    let short = scene.sign_in(&node, token.expose()).await.unwrap();
    let long = scene.sign_in(&node, ADMIN.as_bytes()).await.unwrap();
    scene.clock.advance(Duration::from_secs(60));
    assert_eq!(scene.who(&node, &short).await, Err(Refused::Expired(soon)));
    scene.clock.advance(SESSION_MAX - Duration::from_secs(61));
    assert!(scene.who(&node, &long).await.is_ok());
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.who(&node, &long).await, Err(Refused::Expired(NOW.plus(SESSION_MAX))));
    scene.sign_in(&node, ADMIN.as_bytes()).await.unwrap();
    assert_eq!(scene.store.catalog("session").await.unwrap().len(), 1, "what is over is forgotten");
}

#[tokio::test]
async fn what_one_node_begins_and_ends_the_others_know() {
    let scene = Scene::new();
    let (here, there) = (scene.node(), scene.node());
    let session = scene.sign_in(&here, ADMIN.as_bytes()).await.unwrap();
    assert!(scene.who(&there, &session).await.is_ok(), "it is looked for there");
    assert!(here.sign_out(session.expose(), &*scene.store).await.unwrap());
    assert_eq!(scene.who(&here, &session).await, Err(Refused::Unknown));
    there.tokens.load(&*scene.store).await.unwrap();
    assert_eq!(scene.who(&there, &session).await, Err(Refused::Unknown));
    assert!(!here.sign_out(session.expose(), &*scene.store).await.unwrap());
}

#[tokio::test]
async fn who_guesses_sessions_costs_one_reading_a_second() {
    let scene = Scene::new();
    let (here, there) = (scene.node(), scene.node());
    let guess = Secret::new("guess").unwrap();
    assert_eq!(scene.who(&there, &guess).await, Err(Refused::Unknown));
    let session = scene.sign_in(&here, ADMIN.as_bytes()).await.unwrap();
    assert_eq!(scene.who(&there, &session).await, Err(Refused::Unknown), "it was looked within this second");
    scene.clock.advance(Duration::from_secs(1));
    assert!(scene.who(&there, &session).await.is_ok());
}

#[tokio::test]
async fn a_link_is_good_once_for_a_while_and_no_longer_than_its_token() {
    let scene = Scene::new();
    let node = scene.node();
    let token = scene.token(&node, None).await;
    let link = scene.link(&node, token.expose());
    let session = scene.by_link(&node, &link).await.unwrap();
    assert_eq!(scene.who(&node, &session).await.unwrap(), "anna: operate");
    assert_eq!(scene.by_link(&node, &link).await.err(), Some(Refused::Unknown), "used already");

    let link = scene.link(&node, token.expose());
    scene.clock.advance(LINK_MAX);
    assert_eq!(scene.by_link(&node, &link).await.err(), Some(Refused::Unknown), "too old");

    let link = scene.link(&node, token.expose());
    node.tokens.revoke(&*scene.store, "anna").await.unwrap();
    assert_eq!(scene.by_link(&node, &link).await.err(), Some(Refused::Unknown), "its token was revoked");
    let link = scene.link(&node, ADMIN.as_bytes());
    assert!(!format!("{node:?}").contains(link.strip_prefix(LINK_PATH).unwrap()));
}

#[tokio::test]
async fn links_and_sessions_have_a_limit_and_the_oldest_go() {
    let scene = Scene::new();
    let node = scene.node();
    let first = scene.link(&node, ADMIN.as_bytes());
    let second = scene.link(&node, ADMIN.as_bytes());
    (0..LINKS_MAX - 1).for_each(|_| drop(scene.link(&node, ADMIN.as_bytes())));
    assert!(scene.by_link(&node, &first).await.is_err());
    let oldest = scene.by_link(&node, &second).await.unwrap();
    scene.clock.advance(Duration::from_secs(1));
    let later = scene.sign_in(&node, ADMIN.as_bytes()).await.unwrap();
    scene.clock.advance(Duration::from_secs(1));
    for _ in 0..SESSIONS_MAX - 1 {
        scene.sign_in(&node, ADMIN.as_bytes()).await.unwrap();
    }
    assert!(scene.who(&node, &oldest).await.is_err());
    assert!(scene.who(&node, &later).await.is_ok());
    assert_eq!(scene.store.catalog("session").await.unwrap().len(), SESSIONS_MAX);
}
