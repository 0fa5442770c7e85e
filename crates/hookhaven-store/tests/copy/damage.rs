//! A journal that damage has taken something from: it is told, nothing is passed over in silence, and what is left
//! goes over if somebody says so.

use std::os::unix::fs::FileExt as _;

use hookhaven_core::{DeliveryState, EndReason, ErrorClass};
use hookhaven_store::{
    Next,
    clock::Clock,
    copy::{CopyOptions, CopyState},
};

use crate::{bench::*, world::World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_damage_took_is_told_and_left_behind_only_if_somebody_says_so() {
    let world = World::new(1);
    let old = world.open();
    let mut deliveries = Vec::new();
    for n in 0..9 {
        let mut new = event(&format!("k{n}"), world.clock.now(), &["billing"]);
        new.event.body = format!("the body of number {n}").into();
        deliveries.push(new.deliveries[0].id);
        accept(&old, new).await;
    }
    old.close().await;
    let segment = std::fs::read_dir(world.data().join("journal")).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(20).position(|part| part == b"the body of number 4").unwrap();
    std::fs::OpenOptions::new().write(true).open(&segment).unwrap().write_at(b"?", at as u64).unwrap();

    let copied = world.copy().await.unwrap();
    assert_eq!(copied.state, CopyState::Differs);
    let told: Vec<_> = copied.differences.iter().map(|d| (d.what, d.from, d.to)).collect();
    assert_eq!(told, [("events", 9, 8), ("body_bytes", 9 * 20, 8 * 20)]);
    assert_eq!((copied.damages, copied.damage.len()), (1, 1));

    let copied = world.copy_with(CopyOptions { leave_damaged: true, ..world.options() }, |_| ()).await.unwrap();
    assert_eq!(copied.state, CopyState::Ended { resumed: true });
    let new = world.copied().await;
    let session = new.open_session(TTL).await.unwrap();
    for leased in claim(&new, session, "billing", 9).await {
        let lost = leased.delivery.id == deliveries[4];
        assert_eq!(leased.event.is_err(), lost);
        if lost {
            // As the worker does with it.
            let next = Next::Dead(EndReason::Damaged);
            settle(&new, session, &leased, ErrorClass::Store, next, world.clock.now()).await;
        }
    }
    let ended = new.delivery(deliveries[4]).await.unwrap().unwrap().delivery;
    assert_eq!((ended.state, ended.end_reason), (DeliveryState::Dead, Some(EndReason::Damaged)));
}
