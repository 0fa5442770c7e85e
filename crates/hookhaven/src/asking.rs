//! Synchronous answers: what ingest and worker know of each other where a sender is told what the handler answers.
//!
//! Ingest asks for a seat before it stores the event: room for one attempt that begins at once. With a seat, the
//! delivery that answers is made due only after the time limit, so that no worker claims it meanwhile; once it is
//! stored, the seat's holder claims and attempts it like any other. The answer goes back as soon as it is there, before
//! the attempt is recorded: the event is stored, and that is what a 2xx promises (I1). Without an answer in time the
//! sender gets its default answer, and the same attempt goes on. Without a seat the delivery is due at once.
//!
//! Not here: which route asks (`hookhaven_core::route::asked`), the attempt (`worker`), late answers (`worker::late`).

use std::{fmt, time::Duration};

use bytes::Bytes;
use hookhaven_core::DeliveryId;
use http::{HeaderValue, StatusCode};
use tokio::sync::oneshot;

/// Of an answer's body that can go back to a sender; a longer one does not, and the default answer does.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// How long after the time limit a delivery falls due that was to be attempted at once. It is for the case that the
/// node died, or that it was not its turn.
pub const DUE_AFTER_LIMIT: Duration = Duration::from_millis(500);

/// Gives seats: the worker.
pub trait Asker: Send + Sync + fmt::Debug {
    /// Room for one attempt that begins at once; `None` if there is none.
    fn seat(&self, destination: &str) -> Option<Box<dyn Seat>>;
}

/// Room for one attempt. Given back when it is dropped.
pub trait Seat: Send {
    /// Claims the delivery and attempts it, whether or not anybody waits for what is answered; must be called on the
    /// runtime. The receiver fails as soon as there will be no answer to pass on: it was not its turn, the handler
    /// refused, or what it said is too long.
    fn ask(self: Box<Self>, delivery: DeliveryId) -> oneshot::Receiver<HandlerAnswer>;
}

/// A handler's 2xx.
#[derive(Clone, PartialEq, Eq)]
pub struct HandlerAnswer {
    pub status: StatusCode,
    pub content_type: Option<HeaderValue>,
    pub body: Bytes,
}

/// Without the body, which is the customer's.
impl fmt::Debug for HandlerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}
