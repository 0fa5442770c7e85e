//! A step that puts something right, and the way it is taken: as a terminal says it, the command at its end.
//!
//! Not here: which steps there are.

use std::fmt;

use hookhaven_core::{DeliveryId, EventId};

use crate::cli::print::clean;

/// A step that puts something right, and the way that it is taken, if the gateway has one. Written out it is as a
/// terminal says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mend {
    pub text: String,
    pub way: Option<Way>,
}

/// Something that is done with the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    Show(DeliveryId),
    /// Of a dead letter.
    Replay(DeliveryId),
    Dismiss(DeliveryId),
    /// Of a delivery that has ended and is no dead letter any more.
    ReplayEnded(DeliveryId),
    ReplayEvent(EventId),
    /// A destination, by name.
    Resume(String),
    Enable(String),
}

impl From<String> for Mend {
    fn from(text: String) -> Self {
        Mend { text, way: None }
    }
}

impl Mend {
    pub(super) fn by(text: impl Into<String>, way: Way) -> Self {
        Mend { text: text.into(), way: Some(way) }
    }
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match &self.way {
            None => Ok(()),
            Some(Way::Show(id)) => write!(f, ": hookhaven deliveries show {id}"),
            Some(Way::Replay(id)) => write!(f, ": hookhaven dlq replay {id}"),
            Some(Way::Dismiss(id)) => write!(f, ": hookhaven dlq dismiss {id}"),
            Some(Way::ReplayEnded(id)) => write!(f, ": hookhaven deliveries replay {id}"),
            Some(Way::ReplayEvent(id)) => write!(f, ": hookhaven events replay {id}"),
            Some(Way::Resume(name)) => write!(f, ": hookhaven destinations resume {}", clean(name)),
            Some(Way::Enable(name)) => write!(f, ": hookhaven destinations enable {}", clean(name)),
        }
    }
}
