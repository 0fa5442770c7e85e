//! Jobs whose runner dies in the middle, or is not alone.

use std::collections::BTreeSet;

use hookhaven_core::DeliveryId;
use hookhaven_store::postgres::PostgresAddress;

use super::*;
use crate::{
    config::{Database, Place},
    jobs::{State, is_own, owner::RUNNER_SILENCE_MAX},
};

#[tokio::test]
async fn a_runner_that_dies_anywhere_is_followed_by_another() {
    let scene = dead(1_600).await;
    scene.stop_jobs.cancel();
    let jobs = scene.node(scene.store.clone(), "asked");
    let order = Order { of: Some(Of::Events), to: Some("mail".into()), ..Order::new(Act::Replay) };
    let (job, _) = jobs.make(order, None).await.unwrap();
    let mut left = 0;
    // Each life ends after so many turns, wherever it is then.
    for life in 0.. {
        let runner = tokio::spawn(scene.node(scene.store.clone(), &format!("n{life}")).run(CancellationToken::new()));
        for _ in 0..1 + life % 4 {
            tokio::task::yield_now().await;
            // Some of what was done is written down by then, and some not.
            scene.clock.advance(Duration::from_millis(400));
        }
        runner.abort();
        let _ = runner.await;
        if jobs.one(job.spec.id).await.unwrap().progress.state.is_final() {
            left = life;
            break;
        }
    }
    assert!(left > 2, "it was never in the middle");
    let Job { progress, .. } = jobs.one(job.spec.id).await.unwrap();
    assert_eq!((progress.state, progress.matched, progress.counts.done), (State::Done, 1_600, 1_600));
    let sent = rows(&scene, DeliveryFilter { destination: Some("mail".into()), ..DeliveryFilter::default() }).await;
    let events: BTreeSet<_> = sent.iter().map(|row| row.delivery.event).collect();
    assert_eq!((sent.len(), events.len()), (1_600, 1_600));
}

#[tokio::test]
async fn two_that_run_the_same_job_do_it_once() {
    let scene = dead(700).await;
    let other = scene.node(scene.store.clone(), "there");
    tokio::spawn(other.clone().run(CancellationToken::new()));
    let (job, _) = other.make(Order::new(Act::Replay), None).await.unwrap();
    for _ in 0..TURNS_MAX {
        if other.one(job.spec.id).await.unwrap().progress.state.is_final() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!((pending(&scene, "billing").await, dead_letters(&scene).await), (700, 0));
    let own = rows(&scene, DeliveryFilter::default()).await;
    let own: BTreeSet<DeliveryId> =
        own.iter().filter(|row| is_own(job.spec.id, &row.delivery)).map(|row| row.delivery.id).collect();
    assert_eq!(own.len(), 700);
}

#[tokio::test]
async fn who_stood_still_while_another_went_on_writes_nothing_over() {
    let scene = dead(450).await;
    scene.stop_jobs.cancel();
    let mut config = Config::clone(&scene.config.load());
    let address = PostgresAddress { url: "postgres://db/hookhaven".into(), password: None, user: None };
    config.store.place = Place::Database(Box::new(Database { address, listen: None, migrate: true }));
    scene.config.store(Arc::new(config));
    let stalls = Arc::new(Faulty::over(scene.store.clone()));
    let (here, there) = (scene.node(stalls.clone(), "here"), scene.node(scene.store.clone(), "there"));
    // A step was taken, and nobody knows.
    let held = stalls.hold(Verb::ReplayAs, When::After);
    let (job, _) = here.make(Order::new(Act::Replay), None).await.unwrap();
    tokio::spawn(here.clone().run(CancellationToken::new()));
    held.reached(1).await;
    scene.clock.advance(RUNNER_SILENCE_MAX);
    tokio::spawn(there.clone().run(CancellationToken::new()));
    let reached = async || there.one(job.spec.id).await.unwrap().progress;
    for _ in 0..TURNS_MAX {
        if reached().await.state.is_final() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let ended = reached().await;
    assert_eq!((ended.state, ended.counts.done, ended.runner.as_deref()), (State::Done, 450, Some("there")));
    held.release();
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
        scene.clock.advance(Duration::from_millis(100));
    }
    assert_eq!(reached().await, ended);
    assert_eq!(pending(&scene, "billing").await, 450);
}
