//! A source: a configured inbound address (`POST /webhooks/{name}`), its sender, secrets and limits.

use std::{path::PathBuf, sync::Arc, time::Duration};

use ipnet::IpNet;
use rustls_pki_types::ServerName;

use crate::{
    destination::Rate,
    secret::Secret,
    sender::{Answer, Sender},
};

/// A DNS name or IP address that a client's certificate may be made out for (its subject alternative names).
pub type ClientName = ServerName<'static>;

#[derive(Clone, Debug)]
pub struct Source {
    /// Last segment of its path; unique.
    pub name: Arc<str>,
    pub sender: Arc<dyn Sender>,
    /// Current first, then previous ones. Empty only where nothing is verified, and while one is awaited.
    pub secrets: Vec<Secret>,
    /// How far a signed timestamp may lie in the past or the future.
    pub tolerance: Duration,
    /// How long an idempotency key is remembered.
    pub dedupe_window: Duration,
    pub body_bytes_max: usize,
    /// Address as the sender knows it, without query: for senders that sign it. From configuration
    /// only, never from the request.
    pub public_url: Option<Arc<str>>,
    /// Clients that may post here; empty means any, unless `allow_published`.
    pub allow: Vec<IpNet>,
    /// Those that the sender's published lists name may post here, too.
    pub allow_published: bool,
    /// What the client's certificate must be made out for: one of these.
    pub client_names: Vec<ClientName>,
    /// Requests beyond which it is asked to come again later, before anything of them is verified; in
    /// one go at most as many as the rate names. `None`: no such limit.
    pub rate: Option<Rate>,
    /// Its sender does not come again (GitHub): it may use the whole of each limit, where others must
    /// leave a share of it free.
    pub reserved: bool,
    /// What the sender must know to confirm its subscription (Meta).
    pub verify_token: Option<Secret>,
    /// The file for a secret that the sender hands over; one is taken while there is no secret.
    pub handover: Option<PathBuf>,
    /// What accepted events are answered instead of the sender's usual answer.
    pub answer: Option<Answer>,
    /// Whether a request that holds several events becomes one event for each.
    pub splits: bool,
    /// Whether an event is refused that has the bytes of another under an id that the sender does not sign.
    pub refuses_replay: bool,
    /// Events that happened longer ago are refused.
    pub age_max: Option<Duration>,
}

impl Source {
    /// What a sender that signs the URL has signed: the configured address and the request's query. Never the
    /// request's own idea of its host, or a signature made for another site of the same account would hold here.
    pub fn signed_url(&self, query: Option<&str>) -> Option<String> {
        let public = self.public_url.as_deref().filter(|_| self.sender.signs_url())?;
        Some(match query {
            Some(query) => format!("{public}?{query}"),
            None => public.to_owned(),
        })
    }
}
