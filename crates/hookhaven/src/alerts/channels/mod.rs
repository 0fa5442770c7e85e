//! Tells one event to one channel, once. A kind of channel is one file: how it says what a [`Notice`] says.
//!
//! Channels over HTTP go the one way out (`egress`), as destinations of the config file do; mail goes by SMTP. Not here:
//! whether it is tried again, which is the worker's.

mod email;
mod pagerduty;
mod slack;
mod webhook;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use hookhaven_core::{ErrorClass, Event, EventId, Secret, Time, alert::Notice};
use hookhaven_store::clock::{Clock, Entropy};
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

use crate::{
    alerting::{Teller, channel_of, failed, no_channel},
    config::{Channel, ChannelKind, Config},
    egress::{Egress, Outbound, Sent, To},
};

/// From the name to the last byte, and for a whole mail.
const TIMEOUT: Duration = Duration::from_secs(15);
const USER_AGENT: &str = concat!("hookhaven/", env!("CARGO_PKG_VERSION"));

#[derive(Debug)]
pub struct Channels {
    config: Arc<ArcSwap<Config>>,
    egress: Arc<dyn Egress>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// The admin side as it is bound, for links where the file names no better one.
    bound: String,
}

/// A request over HTTP.
struct Post {
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl Post {
    fn json(url: Url, body: &Value) -> Self {
        Post { url, headers: HeaderMap::new(), body: body.to_string().into() }
    }
}

impl Channels {
    pub fn new(
        config: Arc<ArcSwap<Config>>,
        egress: Arc<dyn Egress>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        admin: SocketAddr,
    ) -> Self {
        let scheme = if config.load().server.tls.admin.is_some() { "https" } else { "http" };
        Channels { config, egress, clock, entropy, bound: format!("{scheme}://{admin}") }
    }

    /// Where people reach the admin side.
    pub fn base<'a>(&'a self, config: &'a Config) -> &'a str {
        config.server.admin_url.as_ref().map_or(&self.bound, |url| url.as_str())
    }

    /// Tells that nothing is wrong. `None`: there is no such channel.
    pub async fn trial(&self, name: &str) -> Option<Sent> {
        let config = self.config.load_full();
        let channel = config.alerts.channels.get(name)?;
        let (now, random) = (self.clock.now(), self.entropy.id_bytes());
        let notice = Notice::trial(name, self.base(&config), now, &hex::encode(random));
        Some(self.send(channel, &notice, &EventId::mint(now, random).to_string(), now).await)
    }

    async fn send(&self, channel: &Channel, notice: &Notice, id: &str, now: Time) -> Sent {
        let post = match &channel.kind {
            ChannelKind::Slack { url } => match parsed(url) {
                Some(url) => slack::post(url, notice),
                None => return failed(ErrorClass::Refused, "the channel's address is no URL".to_owned()),
            },
            ChannelKind::PagerDuty { routing_key, url } => pagerduty::post(url.clone(), routing_key, notice),
            ChannelKind::Webhook { url, secret } => webhook::post(url.clone(), secret, notice, id, now),
            ChannelKind::Email(email) => return email::send(email, notice, id).await,
        };
        let Post { url, mut headers, body } = post;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        let worker = self.config.load().worker.clone();
        let outbound = Outbound {
            method: Method::POST,
            to: To::Configured(url),
            headers,
            body,
            timeout: TIMEOUT,
            excerpt_bytes_max: worker.excerpt_bytes_max,
            response_bytes_max: worker.response_bytes_max,
        };
        self.egress.send(outbound).await
    }
}

#[async_trait]
impl Teller for Channels {
    async fn tell(&self, destination: &str, event: &Event, now: Time) -> Sent {
        let config = self.config.load_full();
        let channel = channel_of(destination).and_then(|name| config.alerts.channels.get(name));
        let Some(channel) = channel else { return no_channel(destination) };
        match serde_json::from_slice::<Notice>(&event.body) {
            Ok(notice) => self.send(channel, &notice, &event.id.to_string(), now).await,
            Err(error) => failed(ErrorClass::Refused, format!("what is to be told is of another version: {error}")),
        }
    }
}

/// An address that is a secret was looked at when the file was read.
fn parsed(url: &Secret) -> Option<Url> {
    Url::parse(std::str::from_utf8(url.expose()).ok()?.trim()).ok()
}
