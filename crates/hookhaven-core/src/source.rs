//! A source: a configured inbound address (`POST /webhooks/{name}`), its sender, secrets and limits.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;

use crate::{destination::Rate, secret::Secret, sender::Sender};

#[derive(Clone, Debug)]
pub struct Source {
    /// Last segment of its path; unique.
    pub name: Arc<str>,
    pub sender: Arc<dyn Sender>,
    /// Current first, then previous ones. Empty only for `sender = "unverified"`.
    pub secrets: Vec<Secret>,
    /// How far a signed timestamp may lie in the past or the future.
    pub tolerance: Duration,
    /// How long an idempotency key is remembered.
    pub dedupe_window: Duration,
    pub body_bytes_max: usize,
    /// Address as the sender knows it, without query: for senders that sign it. From configuration
    /// only, never from the request.
    pub public_url: Option<Arc<str>>,
    /// Peers that may post here; empty means any.
    pub allow: Vec<IpNet>,
    /// Requests beyond which it is asked to come again later, before anything of them is verified; in
    /// one go at most as many as the rate names. `None`: no such limit.
    pub rate: Option<Rate>,
    /// Its sender does not come again (GitHub): it may use the whole of each limit, where others must
    /// leave a share of it free.
    pub reserved: bool,
}
