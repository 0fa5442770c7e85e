//! Waking those who claim: here at once, on other nodes by a notification that is sent by itself, a few times a
//! second at most, because a transaction that notifies holds a lock of the whole database until it ends.
//!
//! A notification can get lost (a pooler between, a connection that broke), so everybody is woken now and
//! then anyway: rarely while notifications can be heard, else every second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};
use tokio_postgres::types::Type;

use super::{
    Shared,
    pool::Mode,
    target::{OnNotice, Target},
    trouble::Trouble,
};
use crate::{clock::Entropy, seam::Changes};

const CHANNEL: &str = "hookhaven_wake";
/// What a notification may say beside who sends it.
const CATALOG: &str = "catalog";
const NODES: &str = "nodes";
/// Between notifications sent by one node.
const SEND_EVERY: Duration = Duration::from_millis(100);
/// Between looks without being told: while we listen, and while we cannot.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const LOOK_EVERY_DEAF: Duration = Duration::from_secs(1);
/// Between tries to listen, at first and at most.
const LISTEN_AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];
/// Between checks that the listening connection is alive.
const LISTEN_CHECK: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Wake {
    /// Who claims here.
    pub here: Arc<Notify>,
    /// What several nodes go by, as it was heard of.
    pub changes: watch::Sender<Changes>,
    to_send: Notify,
    /// What the next notification says changed, beside work.
    catalog_to_send: AtomicBool,
    nodes_to_send: AtomicBool,
    listening: AtomicBool,
    /// Ours, so that we do not wake ourselves twice.
    name: String,
}

impl Wake {
    pub fn new(entropy: &dyn Entropy) -> Self {
        let name = entropy.id_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        Wake {
            here: Arc::default(),
            changes: watch::Sender::default(),
            to_send: Notify::new(),
            catalog_to_send: AtomicBool::new(false),
            nodes_to_send: AtomicBool::new(false),
            listening: AtomicBool::new(false),
            name,
        }
    }

    /// There may be more to claim.
    pub fn more(&self) {
        self.here.notify_one();
        self.to_send.notify_one();
    }

    /// The catalog was changed here.
    pub fn catalog_changed(&self) {
        self.changes.send_modify(|changes| changes.catalog += 1);
        self.catalog_to_send.store(true, Ordering::Release);
        self.more();
    }

    /// This node came or went.
    pub fn nodes_changed(&self) {
        self.nodes_to_send.store(true, Ordering::Release);
        self.to_send.notify_one();
    }

    /// Our name, and what changed.
    fn to_say(&self) -> String {
        let mut said = self.name.clone();
        for (flag, word) in [(&self.catalog_to_send, CATALOG), (&self.nodes_to_send, NODES)] {
            if flag.swap(false, Ordering::AcqRel) {
                said.push(' ');
                said.push_str(word);
            }
        }
        said
    }

    fn hear(&self, said: &str) {
        let mut words = said.split(' ');
        if words.next() == Some(&self.name) {
            return;
        }
        for word in words {
            self.changes.send_modify(|changes| match word {
                CATALOG => changes.catalog += 1,
                NODES => changes.nodes += 1,
                // Of a later version.
                _ => {}
            });
        }
        self.here.notify_one();
    }

    /// Something may have been said that we did not hear.
    fn missed(&self) {
        self.changes.send_modify(|changes| changes.catalog += 1);
        self.here.notify_one();
    }
}

/// Tells other nodes.
pub(super) async fn send(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = shared.wake.to_send.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        // One that cannot be sent is made good by the next look.
        let said = shared.wake.to_say();
        let args: super::pool::Args<'_> = &[(&CHANNEL, Type::TEXT), (&said, Type::TEXT)];
        let _ = shared.work.once(Mode::Write, "SELECT pg_notify($1, $2)", args).await;
        tokio::select! {
            () = tokio::time::sleep(SEND_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Hears other nodes, over a connection of its own that is made again whenever it breaks.
pub(super) async fn listen(shared: Arc<Shared>, target: Arc<Target>, mut stop: watch::Receiver<bool>) {
    let [mut wait, longest] = LISTEN_AGAIN;
    loop {
        let heard = {
            let shared = shared.clone();
            move |said: &str| shared.wake.hear(said)
        };
        let listened = tokio::select! {
            listened = listen_once(&shared, &target, Arc::new(heard)) => listened,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if shared.wake.listening.swap(false, Ordering::Relaxed) {
            [wait, _] = LISTEN_AGAIN;
            // Something may have been said while nobody listened.
            shared.wake.missed();
        }
        if let Err(trouble) = listened {
            tracing::debug!(why = trouble.text, "notifications cannot be heard; looking every second instead");
        }
        let jittered = wait.mul_f64(0.5 + shared.entropy.unit());
        tokio::select! {
            () = tokio::time::sleep(jittered) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        wait = (wait * 2).min(longest);
    }
}

/// Ends when the connection does.
async fn listen_once(shared: &Shared, target: &Target, heard: OnNotice) -> Result<(), Trouble> {
    shared.health.check()?;
    let (client, mut driver) = target.connect(Some(heard)).await?;
    client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
    shared.wake.listening.store(true, Ordering::Relaxed);
    shared.wake.missed();
    loop {
        tokio::select! {
            _ = &mut driver => return Ok(()),
            () = tokio::time::sleep(LISTEN_CHECK) => {}
        }
        let late = |_| Trouble::lost("the listening connection does not answer");
        tokio::time::timeout(LISTEN_CHECK, client.check_connection()).await.map_err(late)??;
    }
}

/// Wakes those who claim now and then, whatever was heard. Those who go by the catalog are told only if it is another
/// than at the last look, or cannot be read: one question instead of all that they would ask.
pub(super) async fn look(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut seen = None;
    loop {
        let every = if shared.wake.listening.load(Ordering::Relaxed) { LOOK_EVERY } else { LOOK_EVERY_DEAF };
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let is = shared.catalog_state().await.ok();
        if is.is_none() || is != seen {
            shared.wake.missed();
        } else {
            shared.wake.here.notify_one();
        }
        seen = is;
    }
}
