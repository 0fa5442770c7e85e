//! What the API asks of the running gateway to try things out: a test request to a destination, a sample event to a
//! source. Neither goes by queue or schedule; what comes of it is answered at once.

use std::fmt;

use async_trait::async_trait;
use hookhaven_core::{Destination, EventId, Time, sender::Signed};

use crate::{
    egress::Sent,
    sample::{Answer, NoAnswer},
};

/// The type of what is sent to a destination to try it.
pub const TEST_TYPE: &str = "hookhaven.test";
/// What says of a request that nothing happened.
pub const TEST_HEADER: &str = "hookhaven-test";

/// What came of a test request.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its `webhook-id`; no event has it.
    pub id: EventId,
    pub at: Time,
    pub sent: Sent,
}

/// Why no sample was brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotBrought {
    /// This node takes nothing in.
    NoDoor,
    NoAnswer(NoAnswer),
}

/// The running gateway, as far as things can be tried out with it.
#[async_trait]
pub trait Trials: Send + Sync + fmt::Debug {
    /// Sends one request, signed as attempts are, whatever the destination's state.
    async fn destination(&self, destination: &Destination) -> Trial;

    /// Brings a signed request to the gateway's own ingest address.
    async fn sample(&self, source: &str, signed: Signed) -> Result<Answer, NotBrought>;
}
