//! Lists while deliveries move from one table to the other.

use std::{sync::Arc, time::Duration};

use hookhaven_core::{DeliveryId, ErrorClass};
use hookhaven_store::{DeliveryFilter, Next, Page, Store, clock::Clock};

use crate::{bench::*, world};

const ROUNDS: usize = 60;

async fn found(store: &Arc<dyn Store>, destination: &str) -> Vec<DeliveryId> {
    let filter = DeliveryFilter { destination: Some(destination.to_owned()), ..DeliveryFilter::default() };
    let looked = store.look_deliveries(&filter, Page::first(10)).await.unwrap();
    looked.rows.iter().map(|row| row.delivery.id).collect()
}

/// Of destinations to which nothing has ever been delivered: such a list knows beforehand what it need not look for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_delivery_of_its_kind_is_listed_at_every_moment() {
    let (url, clock) = (world::database(), world::clock());
    let store = world::node(&url, &clock).await;
    let session = store.open_session(Duration::from_secs(3_600)).await.unwrap();
    for round in 0..ROUNDS {
        let destination = format!("destination {round}");
        let new = event(&format!("k{round}"), clock.now(), &[&*destination]);
        let id = new.deliveries[0].id;
        accept(&store, new).await;
        let leased = claim_one(&store, session, &destination).await;
        let settling = settle(&store, session, &leased, ErrorClass::Ok, Next::Delivered, clock.now());
        let looking = async {
            for _ in 0..4 {
                assert_eq!(found(&store, &destination).await, [id], "round {round}");
            }
        };
        tokio::join!(settling, looking);
    }
}
