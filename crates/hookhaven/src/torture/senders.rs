//! The senders: some connections that post what the ledger hands out, to wherever the gateway lives just
//! then, and tell the ledger what each request was answered.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};
use hookhaven_load::client::{Connection, post};
use hookhaven_store::clock::Clock;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::ledger::{Ledger, Shot};

/// Connections, as if from so many machines of the senders.
const CONNECTIONS: usize = 16;
/// How long a sender waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest pause between two requests of a connection.
pub const PACE_MAX: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub struct Senders {
    shared: Arc<Shared>,
    running: JoinSet<Result<()>>,
}

#[derive(Debug)]
struct Shared {
    ledger: Arc<Ledger>,
    clock: Arc<dyn Clock>,
    /// Where the gateway takes requests, while it does.
    gateway: watch::Sender<Option<SocketAddr>>,
    pace_us: AtomicU64,
    /// Only what is owed is still sent.
    ending: AtomicBool,
}

impl Senders {
    /// They wait until there is a gateway.
    pub fn start(ledger: Arc<Ledger>, clock: Arc<dyn Clock>) -> Self {
        let shared = Arc::new(Shared {
            ledger,
            clock,
            gateway: watch::Sender::new(None),
            pace_us: AtomicU64::new(u64::try_from(PACE_MAX.as_micros()).unwrap_or(0)),
            ending: AtomicBool::new(false),
        });
        let mut running = JoinSet::new();
        for _ in 0..CONNECTIONS {
            running.spawn(shared.clone().send());
        }
        Senders { shared, running }
    }

    /// Where the gateway is now, if it is anywhere.
    pub fn aim(&self, gateway: Option<SocketAddr>) {
        self.shared.gateway.send_replace(gateway);
    }

    /// The pause of each connection between two requests.
    pub fn pace(&self, pace: Duration) {
        self.shared.pace_us.store(u64::try_from(pace.as_micros()).unwrap_or(0), Ordering::Relaxed);
    }

    /// Sends nothing new; returns when all that is owed has been acknowledged.
    pub async fn finish(mut self) -> Result<()> {
        self.shared.ending.store(true, Ordering::Relaxed);
        while let Some(ended) = self.running.join_next().await {
            ended??;
        }
        if !self.shared.ledger.nothing_owed() {
            bail!("the senders ended before all was acknowledged");
        }
        Ok(())
    }
}

impl Shared {
    async fn send(self: Arc<Self>) -> Result<()> {
        let mut gateway = self.gateway.subscribe();
        let mut wire: Option<(SocketAddr, Connection)> = None;
        loop {
            sleep(Duration::from_micros(self.pace_us.load(Ordering::Relaxed))).await;
            let Some(address) = *gateway.wait_for(Option::is_some).await? else { continue };
            let ending = self.ending.load(Ordering::Relaxed);
            let Some(shot) = self.ledger.next(self.clock.now(), ending)? else {
                if ending && self.ledger.nothing_owed() {
                    return Ok(());
                }
                continue;
            };
            let open = wire.take().filter(|(to, _)| *to == address).map(|(_, connection)| connection);
            let answer = timeout(ANSWER_TIMEOUT, exchange(open, address, &shot)).await;
            let status = match answer {
                Ok(Ok((status, connection))) => {
                    wire = connection.map(|connection| (address, connection));
                    Some(status)
                }
                Ok(Err(_)) | Err(_) => None,
            };
            self.ledger.answered(&shot, status);
            if status.is_none_or(|status| status >= 500) {
                // Senders do not hammer at a door that is shut.
                sleep(PACE_MAX).await;
            }
        }
    }
}

async fn exchange(open: Option<Connection>, address: SocketAddr, shot: &Shot) -> io::Result<(u16, Option<Connection>)> {
    let mut connection = match open {
        Some(connection) => connection,
        None => Connection::open(address).await?,
    };
    let path = format!("/webhooks/{}{}", shot.source, shot.signed.query);
    let request = post("hooks.example.com", &path, &shot.signed.headers, &shot.signed.body);
    let answer = connection.exchange(&request).await?;
    let stays = answer.header("connection") != Some("close");
    Ok((answer.status, stays.then_some(connection)))
}
