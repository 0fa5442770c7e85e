//! What cannot be read cannot be carried: it ends by a record, and the rest is not held up.

use std::{fs, sync::Arc};

use hookhaven_core::{DeliveryState, EndReason};
use hookhaven_store::{DeliveryFilter, Page, Store, embedded::disk::RealDisk};

use crate::world::{DAY, World, picture};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_event_is_given_up_and_the_segment_goes() {
    let world = World::new(1 << 20);
    let store = world.open(Arc::new(RealDisk));
    world.accept(&store, "doomed", &["slow"]).await;
    world.past(&store).await;
    let before = picture(&store, "live").await;
    store.close().await;
    let path = world.data().join("journal/00000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(6).position(|w| w == b"doomed").unwrap();
    bytes[at] ^= 0xff;
    fs::write(&path, bytes).unwrap();

    let store = world.open(Arc::new(RealDisk));
    world.clock.advance(2 * DAY);
    // From the next segment on it can be seen how it ended, though its event has gone.
    let retained = world.retain(&store).await.unwrap();
    assert_eq!((retained.segments, retained.carried), (1, 3));
    let mut after = picture(&store, "live").await;
    after.depths_of(&before);
    assert_eq!(after, before);
    let left = store.deliveries(&DeliveryFilter::default(), Page::first(100)).await.unwrap();
    assert_eq!(left.len(), 4);
    assert!(!left.iter().any(|row| row.delivery.end_reason == Some(EndReason::Damaged)));
    let pending = left.iter().filter(|row| row.delivery.state == DeliveryState::Pending).count() as u64;
    assert_eq!(store.stats().await.unwrap().pending, pending);
    assert!(!path.exists());
}
